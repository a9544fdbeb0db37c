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
};

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
}

static enum health
health_of(const struct view *v)
{
	bool good = v->missing == 0 && !v->trouble && v->master->state == MASTER_SERVING;

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
