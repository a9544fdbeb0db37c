/*
 * status.c - how we are, for people, programs and Prometheus; see master.h.
 */
#include "lib/base/text.h"
#include "src/master/clock.h"
#include "src/master/master.h"
#include "sys/net.h"
#include <inttypes.h>
#include <stdio.h>

#define RENEWAL_MS 5000

/* What the three forms print. */
struct view {
	const struct master *master;
	struct buf          *out;
	struct sums          sums;
	uint64_t             now_ms;
	bool                 trouble;           /* lately */
	size_t               missing;           /* processes that should run and do not */
	size_t               unreached;         /* scanners without a server that answers */
};

/* One server of a scanner, as the gateways see it. */
struct seen {
	size_t   gateways[SERVER_HEALTHS];      /* that see it so */
	uint64_t since_ms, signatures_ms;
	char     problem[COUNTER_TEXT_BYTES], version[COUNTER_TEXT_BYTES];
};

static void
see_row(struct seen *seen, const volatile struct server_row *row)
{
	char text[COUNTER_TEXT_BYTES];
	uint64_t health = row->health;

	seen->gateways[health < SERVER_HEALTHS ? health : SERVER_IS_UNASKED]++;
	if (row->since_ms > seen->since_ms)
		seen->since_ms = row->since_ms;
	counter_text_get(&row->problem, text);
	if (health == SERVER_IS_DOWN || seen->problem[0] == '\0')
		memcpy(seen->problem, text, sizeof text);
	counter_text_get(&row->version, text);
	if (text[0] == '\0')
		return;
	memcpy(seen->version, text, sizeof text);
	seen->signatures_ms = row->signatures_ms;
}

static struct seen
see_server(const struct master *m, size_t scanner, size_t server)
{
	struct seen seen = { 0 };

	for (const struct process *p = m->processes; p != NULL; p = p->next)
		if (p->kind == PROCESS_GATEWAY && p->state == STATE_RUNNING &&
		    p->page != NULL && p->page->configuration == m->configuration)
			see_row(&seen, &page_scanner(p->page, scanner)->servers[server]);
	return seen;
}

/* No server of it answers any gateway. */
static bool
is_unreached(const struct master *m, size_t scanner)
{
	size_t n = m->configuration->settings->scanners[scanner].at.count;

	for (size_t i = 0; i < n; i++) {
		struct seen seen = see_server(m, scanner, i);

		if (seen.gateways[SERVER_IS_DOWN] == 0 || seen.gateways[SERVER_IS_UP] > 0)
			return false;
	}
	return n > 0;
}

void
status_sums(const struct master *m, struct sums *sums)
{
	sums_begin(sums, m->configuration);
	sums_add(sums, &m->past);
	for (const struct process *p = m->processes; p != NULL; p = p->next) {
		sums_add_page(sums, p->page, true);
		for (const struct page *old = p->old_pages; old != NULL; old = old->next)
			sums_add_page(sums, old, false);
	}
}

/* Inspectors are renewed all the time: one that is just being so is not missing. */
static bool
is_missing(const struct process *p, uint64_t now_ms)
{
	bool renewing = p->kind == PROCESS_INSPECTOR && p->fast_deaths <= 1 &&
	    now_ms - p->started_ms < RENEWAL_MS;

	return (p->state == STATE_DOWN || p->state == STATE_STARTING) && !renewing;
}

static void
look(struct view *v, const struct master *m, struct buf *out)
{
	*v = (struct view){ .master = m, .out = out, .now_ms = clock_ms() };
	status_sums(m, &v->sums);
	v->trouble = m->trouble_ms != 0 && v->now_ms - m->trouble_ms < TROUBLE_SHOWN_MS;
	for (const struct process *p = m->processes; p != NULL; p = p->next)
		v->missing += is_missing(p, v->now_ms);
	for (size_t i = 0; i < m->configuration->settings->scanner_count; i++)
		v->unreached += is_unreached(m, i);
}

static enum health
health_of(const struct view *v)
{
	bool good = v->missing == 0 && v->unreached == 0 && !v->trouble &&
	    v->master->state == MASTER_SERVING;

	return good ? HEALTH_OK : HEALTH_DEGRADED;
}

/* Listeners take mail where every gateway runs; the sockets themselves are the master's.
 */
static bool
is_up(const struct view *v)
{
	size_t running = 0;

	for (const struct process *p = v->master->processes; p != NULL; p = p->next)
		running += p->kind == PROCESS_GATEWAY && p->state == STATE_RUNNING;
	return running == v->master->gateways;
}

static const char *
state_text(const struct view *v)
{
	static const char *const names[] = {
		[MASTER_STARTING] = "starting",
		[MASTER_SERVING] = "serving",
		[MASTER_ENDING] = "ending",
	};

	return names[v->master->state];
}

/* --- for people --------------------------------------------------------------------- */

static void
age_text(char out[32], uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 120)
		snprintf(out, 32, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(out, 32, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(out, 32, "%" PRIu64 " h", s / 3600);
	else
		snprintf(out, 32, "%" PRIu64 " d", s / 86400);
}

static uint64_t
trouble_count(const struct view *v)
{
	return v->sums.values[COUNTER_JOURNAL_DROPPED] +
	       v->sums.values[COUNTER_STORE_FAILURES];
}

static void
print_head(struct view *v)
{
	const struct master *m = v->master;
	char age[32], time[TEXT_TIME_BYTES];

	age_text(age, v->now_ms - m->start_ms);
	buf_printf(v->out, "sallyport %s on %s: %s for %s, %s\n", SALLYPORT_VERSION,
	    m->hostname, state_text(v), age,
	    health_of(v) == HEALTH_OK ? "all well" : "DEGRADED");
	if (v->missing > 0)
		buf_printf(v->out, "  %zu processes are not running\n", v->missing);
	if (v->unreached > 0)
		buf_printf(v->out, "  scanners that cannot be reached: %zu\n", v->unreached);
	if (v->trouble) {
		age_text(age, v->now_ms - m->trouble_ms);
		buf_printf(v->out,
		    "  %" PRIu64 " records lost or not stored, the last %s ago\n",
		    trouble_count(v), age);
	}
	text_time(time, m->configuration->since_ms);
	buf_printf(v->out, "configuration %s, revision %s since %s\n",
	    m->configuration->path, m->configuration->revision, time);
}

static void
print_processes(struct view *v)
{
	buf_printf(v->out, "\n%-14s %8s  %-9s %8s %9s\n", "PROCESS", "PID", "STATE",
	    "AGE", "RESTARTS");
	for (const struct process *p = v->master->processes; p != NULL; p = p->next) {
		char name[40], age[32];

		snprintf(name, sizeof name, "%s/%u", process_name(p->kind), p->index);
		age_text(age, v->now_ms - p->started_ms);
		buf_printf(v->out, "%-14s %8d  %-9s %8s %9u\n", name, (int)p->pid,
		    process_state_name(p->state), p->pid != 0 ? age : "-", p->restarts);
	}
}

static void
print_listeners(struct view *v)
{
	const struct settings *s = v->master->configuration->settings;

	buf_printf(v->out, "\n%-14s %-6s %-14s %-24s %s\n", "LISTENER", "STATE", "POLICY",
	    "ADDRESS", "NEXT HOP");
	for (size_t i = 0; i < s->listener_count; i++)
		for (size_t k = 0; k < s->listeners[i].address_count; k++) {
			const struct listener *l = &s->listeners[i];
			char address[128];

			net_endpoint_text(address, &l->addresses[k]);
			buf_printf(v->out, "%-14s %-6s %-14s %-24s %s\n", l->name,
			    is_up(v) ? "up" : "down", l->policy, address,
			    l->next_hop.text);
		}
}

static void
print_held(struct view *v)
{
	uint64_t now = v->now_ms - v->master->start_ms + v->master->unix_start_ms;
	uint64_t since = v->sums.values[GAUGE_HELD_SINCE] * 1000;
	char age[32];

	if (v->sums.values[GAUGE_HELD] == 0)
		return;
	age_text(age, now > since ? now - since : 0);
	buf_printf(v->out, "held          %" PRIu64 " mails until a check is well again, "
	    "the oldest for %s\n", v->sums.values[GAUGE_HELD], age);
}

static void
print_use(struct view *v)
{
	const struct settings *s = v->master->configuration->settings;
	const uint64_t *values = v->sums.values;
	char used[TEXT_SIZE_BYTES], of[TEXT_SIZE_BYTES];

	buf_printf(v->out,
	    "\nsessions      %" PRIu64 " of %" PRIu64 "\nmessages      %" PRIu64
	    " on their way\n",
	    values[GAUGE_SESSIONS], s->sessions, values[GAUGE_TRANSACTIONS]);
	text_size(used, values[GAUGE_MEMORY]);
	text_size(of, s->memory_budget);
	buf_printf(v->out, "memory        %s of %s\n", used, of);
	text_size(used, values[GAUGE_SPOOL]);
	text_size(of, s->spool_budget);
	buf_printf(v->out, "spool         %s of %s\n", used, of);
	buf_printf(v->out, "waiting       %" PRIu64 " for an inspector, %" PRIu64
	    " for the store\n", values[GAUGE_INSPECTOR_QUEUE], values[GAUGE_STORE_QUEUE]);
	print_held(v);
}

static uint64_t
answers(const struct scanner_sum *s)
{
	return s->values[SCANNER_CLEAN] + s->values[SCANNER_INFECTED] +
	    s->values[SCANNER_SCORED] + s->values[SCANNER_UNSCANNABLE];
}

/* Milliseconds of an answer. */
static double
mean_time(const struct scanner_sum *s)
{
	uint64_t n = answers(s);

	return n > 0 ? (double)s->values[SCANNER_TIME] / (double)n / 1000 : 0;
}

/* How many of those that could be remembered were, in thousandths. */
static uint64_t
hit_rate(const struct scanner_sum *s)
{
	uint64_t hits = s->values[SCANNER_CACHED];
	uint64_t all = hits + s->values[SCANNER_CACHE_MISSED];

	return all > 0 ? hits * 1000 / all : 0;
}

static const char *
seen_state(const struct seen *s)
{
	if (s->gateways[SERVER_IS_DOWN] > 0)
		return s->gateways[SERVER_IS_UP] > 0 ? "up in part" : "down";
	return s->gateways[SERVER_IS_UP] > 0 ? "up" : "not asked yet";
}

static void
print_server(struct view *v, const struct scanner *scanner, size_t at, size_t i)
{
	struct seen seen = see_server(v->master, at, i);
	uint64_t now = v->now_ms - v->master->start_ms + v->master->unix_start_ms;
	char address[128], age[32];

	net_endpoint_text(address, &scanner->at.items[i]);
	age_text(age, now > seen.since_ms ? now - seen.since_ms : 0);
	buf_printf(v->out, "  %s: %s for %s", address, seen_state(&seen), age);
	if (seen.gateways[SERVER_IS_DOWN] > 0) {
		buf_printf(v->out, " (");
		text_escape(v->out, span_text(seen.problem), SIZE_MAX, true);
		buf_byte(v->out, ')');
	}
	if (seen.version[0] != '\0') {
		buf_printf(v->out, ", ");
		text_escape(v->out, span_text(seen.version), SIZE_MAX, true);
	}
	if (seen.signatures_ms > 0 && now > seen.signatures_ms) {
		age_text(age, now - seen.signatures_ms);
		buf_printf(v->out, ", signatures %s old", age);
	}
	buf_byte(v->out, '\n');
}

static void
print_scanner(struct view *v, size_t at)
{
	const struct scanner *scanner = &v->master->configuration->settings->scanners[at];
	const struct scanner_sum *sum = &v->sums.scanners[at];
	const char *comma = "  ";

	buf_printf(v->out, "\nSCANNER %s (%s)\n", scanner->name,
	    scanner_type_name(scanner->type));
	for (size_t i = 0; i < scanner->at.count; i++)
		print_server(v, scanner, at, i);
	for (unsigned i = 0; i < SCANNER_COUNTERS; i++) {
		bool shown = sum->values[i] > 0 || i == SCANNER_ASKED || i == SCANNER_WAITING;

		if (i == SCANNER_TIME || i == SCANNER_BYTES || !shown)
			continue;
		buf_printf(v->out, "%s%s %" PRIu64, comma,
		    scanner_counter_row((enum scanner_counter)i)->name, sum->values[i]);
		comma = ", ";
	}
	buf_printf(v->out, ", mean time %.1f ms\n", mean_time(sum));
	if (scanner->cache > 0)
		buf_printf(v->out, "  verdict cache: %" PRIu64 ".%" PRIu64 " %% hits\n",
		    hit_rate(sum) / 10, hit_rate(sum) % 10);
}

static void
print_scanners(struct view *v)
{
	for (size_t i = 0; i < v->sums.scanner_count; i++)
		print_scanner(v, i);
}

static void
print_counters(struct view *v)
{
	buf_printf(v->out, "\nSINCE THE START\n");
	for (unsigned i = 0; i < COUNTER_FIRST_GAUGE; i++) {
		const struct counter_row *row = counter_row((enum counter)i);

		if (v->sums.values[i] > 0 || i == COUNTER_MESSAGES)
			buf_printf(v->out, "%12" PRIu64 "  %s\n", v->sums.values[i],
			    row->sentence);
	}
}

static void
print_rules(struct view *v)
{
	buf_printf(v->out, "\n%-34s %10s %10s\n", "RULE", "HITS", "UNKNOWN");
	for (size_t i = 0; i < v->sums.rule_count; i++) {
		const struct rule_sum *rule = &v->sums.rules[i];
		char name[256];

		snprintf(name, sizeof name, "%s/%s%s", rule->policy, rule->rule,
		    rule->monitor ? " (monitor)" : "");
		buf_printf(v->out, "%-34s %10" PRIu64 " %10" PRIu64 "\n", name,
		    rule->values[RULE_HITS], rule->values[RULE_UNKNOWNS]);
	}
}

static void
print_text(struct view *v)
{
	print_head(v);
	print_processes(v);
	print_listeners(v);
	print_use(v);
	print_scanners(v);
	print_counters(v);
	print_rules(v);
}

/* --- JSON --------------------------------------------------------------------------- */

static void
json_text(struct view *v, const char *key, const char *value)
{
	buf_printf(v->out, "\"%s\":", key);
	text_json(v->out, span_text(value));
}

static void
json_process(struct view *v, const struct process *p)
{
	buf_printf(v->out,
	    "{\"process\":\"%s/%u\",\"pid\":%d,\"state\":\"%s\",\"age_ms\":%" PRIu64
	    ",\"restarts\":%u,\"generation\":%u,",
	    process_name(p->kind), p->index, (int)p->pid, process_state_name(p->state),
	    p->pid != 0 ? v->now_ms - p->started_ms : 0, p->restarts, p->generation);
	json_text(v, "not_locked_down", p->missing);
	buf_byte(v->out, '}');
}

static void
json_listener(struct view *v, const struct listener *l, const struct endpoint *address)
{
	char text[128];

	net_endpoint_text(text, address);
	buf_byte(v->out, '{');
	json_text(v, "listener", l->name);
	buf_byte(v->out, ',');
	json_text(v, "address", text);
	buf_byte(v->out, ',');
	json_text(v, "next_hop", l->next_hop.text);
	buf_byte(v->out, ',');
	json_text(v, "policy", l->policy);
	buf_printf(v->out, ",\"up\":%s}", is_up(v) ? "true" : "false");
}

static void
json_lists(struct view *v)
{
	const struct settings *s = v->master->configuration->settings;
	const char *comma = "";

	buf_printf(v->out, ",\n\"processes\":[");
	for (const struct process *p = v->master->processes; p != NULL; p = p->next) {
		buf_printf(v->out, "%s\n ", comma);
		json_process(v, p);
		comma = ",";
	}
	buf_printf(v->out, "],\n\"listeners\":[");
	comma = "";
	for (size_t i = 0; i < s->listener_count; i++)
		for (size_t k = 0; k < s->listeners[i].address_count; k++) {
			buf_printf(v->out, "%s\n ", comma);
			json_listener(v, &s->listeners[i], &s->listeners[i].addresses[k]);
			comma = ",";
		}
	buf_printf(v->out, "]");
}

static void
json_server(struct view *v, const struct scanner *scanner, size_t at, size_t i)
{
	struct seen seen = see_server(v->master, at, i);
	char address[128];

	net_endpoint_text(address, &scanner->at.items[i]);
	buf_byte(v->out, '{');
	json_text(v, "server", address);
	buf_byte(v->out, ',');
	json_text(v, "state", seen_state(&seen));
	buf_printf(v->out, ",\"since_ms\":%" PRIu64 ",\"signatures_ms\":%" PRIu64 ",",
	    seen.since_ms, seen.signatures_ms);
	json_text(v, "problem", seen.problem);
	buf_byte(v->out, ',');
	json_text(v, "version", seen.version);
	buf_byte(v->out, '}');
}

static void
json_scanner(struct view *v, size_t at)
{
	const struct scanner *scanner = &v->master->configuration->settings->scanners[at];
	const struct scanner_sum *sum = &v->sums.scanners[at];

	buf_byte(v->out, '{');
	json_text(v, "scanner", scanner->name);
	buf_byte(v->out, ',');
	json_text(v, "type", scanner_type_name(scanner->type));
	for (unsigned i = 0; i < SCANNER_COUNTERS; i++)
		buf_printf(v->out, ",\"%s\":%" PRIu64,
		    scanner_counter_row((enum scanner_counter)i)->name, sum->values[i]);
	buf_printf(v->out, ",\"mean_ms\":%.3f", mean_time(sum));
	if (scanner->cache > 0)
		buf_printf(v->out, ",\"cache_hit_rate\":%.3f", (double)hit_rate(sum) / 1000);
	buf_printf(v->out, ",\"servers\":[");
	for (size_t i = 0; i < scanner->at.count; i++) {
		buf_printf(v->out, i > 0 ? ",\n  " : "");
		json_server(v, scanner, at, i);
	}
	buf_printf(v->out, "]}");
}

static void
json_scanners(struct view *v)
{
	buf_printf(v->out, ",\n\"scanners\":[");
	for (size_t i = 0; i < v->sums.scanner_count; i++) {
		buf_printf(v->out, i > 0 ? ",\n " : "\n ");
		json_scanner(v, i);
	}
	buf_byte(v->out, ']');
}

static void
json_counters(struct view *v)
{
	buf_printf(v->out, ",\n\"counters\":{");
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		buf_printf(v->out, "%s\n \"%s\":%" PRIu64, i > 0 ? "," : "",
		    counter_row((enum counter)i)->name, v->sums.values[i]);
	buf_printf(v->out, "},\n\"rules\":[");
	for (size_t i = 0; i < v->sums.rule_count; i++) {
		const struct rule_sum *rule = &v->sums.rules[i];

		buf_printf(v->out, "%s\n {", i > 0 ? "," : "");
		json_text(v, "policy", rule->policy);
		buf_byte(v->out, ',');
		json_text(v, "rule", rule->rule);
		buf_printf(v->out,
		    ",\"monitor\":%s,\"hits\":%" PRIu64 ",\"unknowns\":%" PRIu64 "}",
		    rule->monitor ? "true" : "false", rule->values[RULE_HITS],
		    rule->values[RULE_UNKNOWNS]);
	}
	buf_printf(v->out, "]");
}

static void
print_json(struct view *v)
{
	const struct master *m = v->master;
	const struct settings *s = m->configuration->settings;

	buf_printf(v->out,
	    "{\"version\":\"%s\",\"state\":\"%s\",\"healthy\":%s,\"age_ms\":%" PRIu64
	    ",\n",
	    SALLYPORT_VERSION, state_text(v),
	    health_of(v) == HEALTH_OK ? "true" : "false", v->now_ms - m->start_ms);
	json_text(v, "hostname", m->hostname);
	buf_byte(v->out, ',');
	json_text(v, "configuration", m->configuration->path);
	buf_printf(v->out,
	    ",\"revision\":\"%s\",\"since_ms\":%" PRIu64 ",\"generation\":%u,\n",
	    m->configuration->revision, m->configuration->since_ms,
	    m->configuration->generation);
	buf_printf(v->out, "\"limits\":{\"sessions\":%" PRIu64 ",\"memory\":%" PRIu64
	    ",\"spool\":%" PRIu64 "}", s->sessions, s->memory_budget, s->spool_budget);
	json_lists(v);
	json_scanners(v);
	json_counters(v);
	buf_printf(v->out, "}\n");
}

/* --- Prometheus text exposition ------------------------------------------------------
 */

/* A label's value: backslash, quote and newline escaped. */
static void
label(struct view *v, const char *name, const char *value)
{
	buf_printf(v->out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			buf_add(v->out, SPAN_LIT("\\n"));
		else if (*value == '\\' || *value == '"')
			buf_printf(v->out, "\\%c", *value);
		else
			buf_byte(v->out, (uint8_t)*value);
	}
	buf_byte(v->out, '"');
}

static void
describe(struct view *v, const char *name, const char *type, const char *sentence)
{
	buf_printf(v->out, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\n", name,
	    sentence, name, type);
}

/* Letters, digits and _ only. */
static void
metric_name(char out[64], const char *name, const char *end)
{
	snprintf(out, 64, "%s%s", name, end);
	for (char *c = out; *c != '\0'; c++)
		if (!is_alpha((uint8_t)*c) && !is_digit((uint8_t)*c))
			*c = '_';
}

static void
metrics_counters(struct view *v)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_row *row = counter_row((enum counter)i);
		bool gauge = i >= COUNTER_FIRST_GAUGE;
		char name[64];

		metric_name(name, row->name, gauge ? "" : "_total");
		describe(v, name, gauge ? "gauge" : "counter", row->sentence);
		buf_printf(v->out, "sallyport_%s %" PRIu64 "\n", name, v->sums.values[i]);
	}
}

static void
metrics_rules(struct view *v)
{
	static const struct {
		const char *name, *sentence;
	} what[RULE_COUNTERS] = {
	    [RULE_HITS] = {"rule_hits_total", "recipients or messages a rule fired for"},
	    [RULE_UNKNOWNS] = {"rule_unknowns_total", "walks that met it as unknown"},
	};

	for (size_t k = 0; k < RULE_COUNTERS; k++) {
		describe(v, what[k].name, "counter", what[k].sentence);
		for (size_t i = 0; i < v->sums.rule_count; i++) {
			buf_printf(v->out, "sallyport_%s{", what[k].name);
			label(v, "policy", v->sums.rules[i].policy);
			buf_byte(v->out, ',');
			label(v, "rule", v->sums.rules[i].rule);
			buf_printf(v->out, "} %" PRIu64 "\n", v->sums.rules[i].values[k]);
		}
	}
}

static void
metric_of_scanner(struct view *v, enum scanner_counter c)
{
	const struct counter_row *row = scanner_counter_row(c);
	bool gauge = c >= SCANNER_FIRST_GAUGE, seconds = c == SCANNER_TIME;
	char inner[64], name[64];

	snprintf(inner, sizeof inner, "scanner_%s", seconds ? "seconds" : row->name);
	metric_name(name, inner, gauge ? "" : "_total");
	describe(v, name, gauge ? "gauge" : "counter", row->sentence);
	for (size_t i = 0; i < v->sums.scanner_count; i++) {
		uint64_t value = v->sums.scanners[i].values[c];

		buf_printf(v->out, "sallyport_%s{", name);
		label(v, "scanner", v->sums.scanners[i].name);
		if (seconds)
			buf_printf(v->out, "} %.6f\n", (double)value / 1e6);
		else
			buf_printf(v->out, "} %" PRIu64 "\n", value);
	}
}

static void
metric_of_servers(struct view *v, const char *name,
    double (*value)(const struct seen *))
{
	const struct settings *s = v->master->configuration->settings;
	char address[128];

	for (size_t i = 0; i < s->scanner_count; i++)
		for (size_t k = 0; k < s->scanners[i].at.count; k++) {
			struct seen seen = see_server(v->master, i, k);

			net_endpoint_text(address, &s->scanners[i].at.items[k]);
			buf_printf(v->out, "sallyport_%s{", name);
			label(v, "scanner", s->scanners[i].name);
			buf_byte(v->out, ',');
			label(v, "server", address);
			buf_printf(v->out, "} %.0f\n", value(&seen));
		}
}

static double
seen_up(const struct seen *s)
{
	return s->gateways[SERVER_IS_UP] > 0 && s->gateways[SERVER_IS_DOWN] == 0;
}

static double
seen_signatures(const struct seen *s)
{
	return (double)(s->signatures_ms / 1000);
}

static void
metrics_scanners(struct view *v)
{
	if (v->sums.scanner_count == 0)
		return;
	for (unsigned i = 0; i < SCANNER_COUNTERS; i++)
		metric_of_scanner(v, (enum scanner_counter)i);
	describe(v, "scanner_server_up", "gauge",
	    "1 where every gateway that asked is answered");
	metric_of_servers(v, "scanner_server_up", seen_up);
	describe(v, "scanner_signatures_seconds", "gauge",
	    "when its signatures were made; 0 where it does not say");
	metric_of_servers(v, "scanner_signatures_seconds", seen_signatures);
}

static void
metrics_processes(struct view *v)
{
	const struct process *p;

	describe(v, "process_up", "gauge", "1 where the process is ready");
	for (p = v->master->processes; p != NULL; p = p->next)
		buf_printf(v->out, "sallyport_process_up{process=\"%s/%u\"} %d\n",
		    process_name(p->kind), p->index,
		    p->state == STATE_RUNNING || p->state == STATE_LEAVING);
	describe(v, "process_restarts_total", "counter",
	    "times the process was started again");
	for (p = v->master->processes; p != NULL; p = p->next)
		buf_printf(v->out,
		    "sallyport_process_restarts_total{process=\"%s/%u\"} %u\n",
		    process_name(p->kind), p->index, p->restarts);
}

static void
metrics_limits(struct view *v)
{
	const struct settings *s = v->master->configuration->settings;

	describe(v, "sessions_limit", "gauge", "sessions at once");
	buf_printf(v->out, "sallyport_sessions_limit %" PRIu64 "\n", s->sessions);
	describe(v, "memory_limit", "gauge", "bytes of messages in memory");
	buf_printf(v->out, "sallyport_memory_limit %" PRIu64 "\n", s->memory_budget);
	describe(v, "spool_limit", "gauge", "bytes of messages in spool files");
	buf_printf(v->out, "sallyport_spool_limit %" PRIu64 "\n", s->spool_budget);
}

static void
print_metrics(struct view *v)
{
	describe(v, "healthy", "gauge", "1 where nothing is degraded");
	buf_printf(v->out, "sallyport_healthy %d\n", health_of(v) == HEALTH_OK);
	describe(v, "info", "gauge", "version and configuration in force");
	buf_printf(v->out, "sallyport_info{version=\"%s\",revision=\"%s\"} 1\n",
	    SALLYPORT_VERSION, v->master->configuration->revision);
	describe(v, "configuration_since_seconds", "gauge", "when it came into force");
	buf_printf(v->out, "sallyport_configuration_since_seconds %" PRIu64 "\n",
	    v->master->configuration->since_ms / 1000);
	metrics_counters(v);
	metrics_processes(v);
	metrics_limits(v);
	metrics_scanners(v);
	metrics_rules(v);
}

enum health
status_print(const struct master *m, enum status_form form, struct buf *out)
{
	struct view v;

	look(&v, m, out);
	switch (form) {
	case STATUS_TEXT:
		print_text(&v);
		break;
	case STATUS_JSON:
		print_json(&v);
		break;
	case STATUS_PROMETHEUS:
		print_metrics(&v);
		break;
	}
	sums_free(&v.sums);
	return health_of(&v);
}
