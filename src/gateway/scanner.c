/*
 * scanner.c - see scanner.h.
 */
#include "src/gateway/held.h"
#include "src/gateway/scanner_private.h"
#include "lib/base/text.h"
#include "sys/ipc.h"
#include "sys/net.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void dispatch(struct scanner_pool *);

/* --- the verdict cache --- */

/* All that was entered before is forgotten; nothing is entered until the version is known
   again. */
static void
era_end(struct server *v)
{
	v->era = 0;
	v->asked_us = 0;
}

/* clamd's version stands for its signatures only where it has their number: without the
   official daily database it does not change when they do. */
static bool
version_tells(const struct server *v, struct span version)
{
	return v->pool->type == SCANNER_TYPE_CLAMD ?
	    span_find(version, '/') < version.len : version.len > 0;
}

/* A probe was answered: `version` is that of its beginning or newer, and the same as
   v->version now. */
static void
era_goes_on(struct server *v, struct span version)
{
	if (v->pool->verdicts == NULL || !version_tells(v, version))
		return;
	if (v->era == 0)
		v->era = ++v->eras;
	v->asked_us = v->asking_us;
}

static struct verdict_source
source_of(const struct server *v)
{
	return (struct verdict_source){ (uint32_t)v->index, v->era };
}

/* For the clean answer of a server that is well. */
static void
remember(struct server *v, const struct scan *s)
{
	bool same = s->era != 0 && s->era == v->era;

	if (v->pool->verdicts == NULL || s->key == NULL || !s->key->known || !same ||
	    s->report.result != SCAN_CLEAN)
		return;
	verdicts_add(v->pool->verdicts, s->key, source_of(v), now_us());
	v->version_wanted = true;
}

/* Has this server called the same clean, and would do so again? */
static bool
is_remembered(const struct server *v, const struct scan *s)
{
	uint64_t now = now_us();
	uint64_t at = verdicts_find(v->pool->verdicts, s->key, source_of(v));

	return at != 0 && at < v->asked_us && now - at < v->pool->cache_time * 1000 &&
	    now - v->asked_us < VERSION_KNOWN_MS * 1000 && v->failures == 0 &&
	    v->health == SERVER_IS_UP;
}

/* --- servers: health --- */

static struct server_row *
server_row(const struct server *v)
{
	return &v->pool->row->servers[v->index];
}

static bool
is_out(const struct server *v)
{
	return v->open_until != 0;
}

/* Commands have no servers that could be so. */
static bool
all_out(const struct scanner_pool *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (!is_out(&p->servers[i]))
			return false;
	return p->server_count > 0;
}

static void
set_health(struct server *v, enum server_health h)
{
	if (v->health == h)
		return;
	v->health = h;
	v->since_unix = now_unix();
	server_row(v)->health = h;
	server_row(v)->since_ms = v->since_unix;
}

static void
log_server(struct server *v, enum log_priority priority, const char *state, const char *why)
{
	struct scanner_pool *p = v->pool;
	struct log_line line;

	log_begin(&line, &p->gateway->log, EVENT_SCANNER, priority);
	log_word(&line, "scanner", p->name);
	log_word(&line, "server", v->text);
	log_word(&line, "state", state);
	if (why[0] != '\0')
		log_text(&line, "problem", span_text(why));
	log_end(&line);
}

/* From the third failure in a row: out, for longer each time a probe fails as well. */
static void
put_out(struct server *v)
{
	v->pause = v->pause == 0 ? PAUSE_LEAST_MS :
	    v->pause * 2 < PAUSE_MOST_MS ? v->pause * 2 : PAUSE_MOST_MS;
	v->open_until = now_ms() + v->pause;
	if (v->health == SERVER_IS_DOWN)
		return;
	v->down_since = now_ms();
	log_server(v, LOG_IS_WARNING, "down", v->problem);
	set_health(v, SERVER_IS_DOWN);
}

/* Questions that were under way when it was put out say nothing new; probes do. */
static void
server_failed(struct server *v, const char *why, bool probe)
{
	snprintf(v->problem, sizeof v->problem, "%s", why);
	counter_text_set(&server_row(v)->problem, span_text(v->problem));
	v->canary = 0;
	era_end(v);
	if (is_out(v) && !probe)
		return;
	v->failures++;
	v->probe_at = now_ms() + PAUSE_LEAST_MS;
	if (v->failures >= BREAK_AFTER)
		put_out(v);
	else if (v->failures == 1)
		log_server(v, LOG_IS_NOTICE, "failing", v->problem);
	if (is_out(v))
		dispatch(v->pool);
}

static void
server_is_up(struct server *v)
{
	if (v->health == SERVER_IS_DOWN)
		log_server(v, LOG_IS_NOTICE, "up", "");
	bool again = v->health == SERVER_IS_DOWN;

	v->open_until = 0;
	set_health(v, SERVER_IS_UP);
	if (again)
		held_wake(v->pool->gateway->held);
}

/* "ClamAV 1.4.3/27500/Sat Nov 21 09:30:00 2026": the time is the scanner's local one, which
   is taken for UTC; what matters is days. */
static uint64_t
signature_time(const char *version)
{
	const char *slash = strrchr(version, '/');
	struct tm tm = { 0 };
	time_t t;

	if (slash == NULL || strptime(slash + 1, "%a %b %d %H:%M:%S %Y", &tm) == NULL)
		return 0;
	t = timegm(&tm);
	return t > 0 ? (uint64_t)t * 1000 : 0;
}

static void
note_version(struct server *v, struct span version)
{
	size_t n = version.len < sizeof v->version - 1 ? version.len : sizeof v->version - 1;

	if (n == 0 || (strlen(v->version) == n && memcmp(v->version, version.ptr, n) == 0))
		return;
	era_end(v);
	memcpy(v->version, version.ptr, n);
	v->version[n] = '\0';
	v->signatures = signature_time(v->version);
	counter_text_set(&server_row(v)->version, span_text(v->version));
	server_row(v)->signatures_ms = v->signatures;
}

static void
show_servers(struct scanner_pool *p)
{
	for (size_t i = 0; i < p->server_count; i++) {
		struct server *v = &p->servers[i];

		server_row(v)->health = v->health;
		server_row(v)->since_ms = v->since_unix;
		server_row(v)->signatures_ms = v->signatures;
		counter_text_set(&server_row(v)->version, span_text(v->version));
		counter_text_set(&server_row(v)->problem, span_text(v->problem));
	}
}

static void
show_load(struct scanner_pool *p)
{
	p->row->values[SCANNER_RUNNING] = p->running;
	p->row->values[SCANNER_WAITING] = p->waiting;
}

/* --- answers --- */

static void
scan_over(struct scan *s)
{
	struct scanners *all = s->pool->all;

	s->time_us = now_us() - s->began_us;
	s->step = SCAN_IS_ANSWERED;
	link_add(&all->answered, &s->link);
	event_active(&all->turn, EV_TIMEOUT, 0);
}

static void versions_tick(struct scanners *);

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct scanners *all = arg;

	while (!link_empty(&all->answered)) {
		struct scan *s = container_of(all->answered.next, struct scan, link);

		link_remove(&s->link);
		s->step = SCAN_IS_IDLE;
		s->done(s);
	}
	versions_tick(all);
}

static void
count_result(struct scan *s)
{
	static const enum scanner_counter counters[SCAN_RESULTS] = {
		[SCAN_FAILED] = SCANNER_FAILED, [SCAN_CLEAN] = SCANNER_CLEAN,
		[SCAN_INFECTED] = SCANNER_INFECTED, [SCAN_SCORED] = SCANNER_SCORED,
		[SCAN_UNSCANNABLE] = SCANNER_UNSCANNABLE,
	};
	uint64_t *values = s->pool->row->values;

	values[counters[s->report.result]]++;
	if (s->report.result == SCAN_FAILED)
		return;
	values[SCANNER_BYTES] += s->message->size;
	values[SCANNER_TIME] += now_us() - s->began_us;
}

static void
scan_without_answer(struct scan *s, enum scan_result result, const char *why)
{
	s->report = (struct scan_report){ .result = result,
	    .why = span_text(arena_text(s->request.arena, span_text(why))) };
	count_result(s);
	scan_over(s);
}

static void
slot_free(struct scan *s)
{
	struct scanner_pool *p = s->pool;

	if (s->has_client)
		clients_leave(p->clients, &s->client);
	p->running--;
	dispatch(p);
	show_load(p);
}

static void
scan_failed(struct scan *s, const char *why)
{
	scan_without_answer(s, SCAN_FAILED, why);
	slot_free(s);
}

/* "not asked, down for 12 s (Connection refused)", of the server that is so longest. */
static void
scan_not_asked(struct scan *s)
{
	const struct scanner_pool *p = s->pool;
	const struct server *v = &p->servers[0];
	char why[300];

	for (size_t i = 1; i < p->server_count; i++)
		if (p->servers[i].down_since < v->down_since)
			v = &p->servers[i];
	snprintf(why, sizeof why, "not asked, down for %" PRIu64 " s (%s)",
	    (now_ms() - v->down_since) / 1000, v->problem);
	p->row->values[SCANNER_SHUN]++;
	scan_without_answer(s, SCAN_FAILED, why);
}

/* --- who is asked --- */

static struct server *
choose_server(struct scan *s)
{
	struct scanner_pool *p = s->pool;

	for (size_t i = 0; i < p->server_count; i++)
		if ((s->tried >> i & 1) == 0 && !is_out(&p->servers[i]))
			return &p->servers[i];
	return NULL;
}

static struct scan_link *
idle_link(struct server *v)
{
	return link_empty(&v->idle) ? NULL :
	    container_of(v->idle.prev, struct scan_link, idle);
}

/* What follows the last colon is the reason; the rest says what we tried. */
static void
say_unreached(struct scan *s, struct server *v, const char *text)
{
	const char *colon = strrchr(text, ':');
	char why[200];

	snprintf(why, sizeof why, "cannot connect: %s",
	    colon != NULL && colon[1] == ' ' ? colon + 2 : text);
	if (s != NULL)
		snprintf(s->problem, sizeof s->problem, "%s", why);
	server_failed(v, why, s == NULL);
}

static bool
ask_server(struct scan *s, struct server *v)
{
	struct scan_link *k = s->fresh ? NULL : idle_link(v);
	bool descriptors = v->endpoint.path != NULL &&
	    v->pool->transfer != TRANSFER_INSTREAM && v->denied_until <= now_ms() &&
	    !s->by_stream;
	struct error err;

	s->era = v->era;
	v->options.no_descriptor = !descriptors;
	s->request.may_descriptor = descriptors;
	s->tried |= UINT32_C(1) << v->index;
	if (k == NULL)
		k = link_open(v, &err);
	if (k == NULL) {
		say_unreached(s, v, err.text);
		return false;
	}
	link_ask(k, s);
	return true;
}

/* Each server once, in their order.  Bounded: each call sets a bit. */
static void
ask_next(struct scan *s)
{
	struct server *v;

	while (now_ms() < s->deadline && (v = choose_server(s)) != NULL)
		if (ask_server(s, v))
			return;
	scan_failed(s, s->problem[0] != '\0' ? s->problem : "no server could be asked");
}

static void
command_ended(struct run_job *j, enum status st, const struct command_end *end,
    struct error *err)
{
	struct scan *s = container_of(j, struct scan, job);

	if (st != ST_OK) {
		scan_failed(s, err->text);
		return;
	}
	command_report(s->rules, end, s->request.arena, &s->report);
	count_result(s);
	scan_over(s);
	slot_free(s);
}

static void
run(struct scan *s)
{
	uint64_t now = now_ms();
	struct error err;

	s->job = (struct run_job){ .generation = s->generation, .scanner = s->index,
	    .timeout = s->deadline > now ? s->deadline - now : 1,
	    .message = s->message->fd, .id = s->request.queue_id,
	    .sender = s->request.sender, .client = s->request.client_address,
	    .done = command_ended };
	if (run_begin(s->pool->gateway->runners, &s->job, &err) != ST_OK)
		scan_failed(s, err.text);
}

static void
start(struct scan *s)
{
	if (s->has_client)
		clients_enter(s->pool->clients, &s->client);
	s->pool->running++;
	s->step = SCAN_IS_ASKING;
	s->started = now_ms();
	if (s->pool->type == SCANNER_TYPE_COMMAND)
		run(s);
	else
		ask_next(s);
}

static const char *
late_text(const struct scan *s, char out[120], const char *what)
{
	uint64_t ms = s->deadline - s->began;

	if (ms % 1000 == 0)
		snprintf(out, 120, "%s within %" PRIu64 " s", what, ms / 1000);
	else
		snprintf(out, 120, "%s within %" PRIu64 ".%" PRIu64 " s", what, ms / 1000,
		    ms % 1000 / 100);
	return out;
}

static void
scan_too_busy(struct scan *s, const char *why)
{
	s->pool->row->values[SCANNER_BUSY]++;
	scan_without_answer(s, SCAN_FAILED, why);
}

/* With less time left than an answer takes lately, and than a tenth of all its time, it is
   not begun: it would take a slot for nothing, and the server would look as if it hung. */
static bool
is_too_late(const struct scan *s)
{
	uint64_t tenth = (s->deadline - s->began) / 10, takes = s->pool->takes;

	return now_ms() + (takes > tenth ? takes : tenth) >= s->deadline;
}

static void
note_time(struct scanner_pool *p, uint64_t ms)
{
	p->takes = (3 * p->takes + ms) / 4;
}

static void
scan_waited_in_vain(struct scan *s)
{
	char why[120];

	scan_too_busy(s, late_text(s, why, "no free slot"));
}

static bool
may_start(const struct scan *s)
{
	const struct scanner_pool *p = s->pool;

	return p->running < p->slots && (!s->has_client ||
	    clients_count(p->clients, &s->client) < (p->slots + 1) / 2);
}

/* The first that may start.  Where nobody is to be asked, all of them hear so. */
static struct scan *
next_waiting(const struct scanner_pool *p)
{
	bool out = all_out(p);

	for (struct link *l = p->queue.next; l != &p->queue; l = l->next) {
		struct scan *s = container_of(l, struct scan, link);

		if (out || may_start(s))
			return s;
	}
	return NULL;
}

/* Not entered twice: what fails at once would call it again from inside. */
static void
dispatch(struct scanner_pool *p)
{
	struct scan *s;

	if (p->dispatching)
		return;
	p->dispatching = true;
	while ((s = next_waiting(p)) != NULL) {
		link_remove(&s->link);
		p->waiting--;
		if (all_out(p))
			scan_not_asked(s);
		else if (is_too_late(s))
			scan_waited_in_vain(s);
		else
			start(s);
	}
	p->dispatching = false;
	show_load(p);
}

/* --- what connections tell --- */

void
scan_unanswered(struct scan *s, struct server *v, const char *why)
{
	say_unreached(s, v, why);
	ask_next(s);
}

void
scan_again(struct scan *s, struct server *v)
{
	s->fresh = true;
	if (!ask_server(s, v))
		ask_next(s);
}

static void
answer_failed(struct server *v, struct scan *s, const struct scan_report *r)
{
	snprintf(s->problem, sizeof s->problem, "%.*s", (int)r->why.len,
	    (const char *)r->why.ptr);
	server_failed(v, s->problem, false);
	ask_next(s);
}

void
scan_denied(struct scan *s, struct server *v, const struct scan_report *r)
{
	if (v->pool->transfer != TRANSFER_AUTO || s->by_stream) {
		answer_failed(v, s, r);
		return;
	}
	s->by_stream = true;
	if (!ask_server(s, v))
		ask_next(s);
}

/* It is so only where the same message could be sent otherwise: else the server is ill. */
static void
note_denied(struct server *v)
{
	if (!v->told_denied)
		log_server(v, LOG_IS_NOTICE, "up", "it may not read the descriptors of "
		    "messages: they are sent instead");
	v->told_denied = true;
	v->denied_until = now_ms() + DENIED_MS;
}

void
server_answered(struct server *v, struct scan *s, const struct scan_report *r)
{
	if (r->result == SCAN_FAILED) {
		answer_failed(v, s, r);
		return;
	}
	v->failures = 0;
	v->pause = 0;
	v->answered = now_ms();
	note_time(v->pool, v->answered - s->started);
	note_version(v, r->version);
	server_is_up(v);
	if (s->by_stream && v->denied_until <= now_ms())
		note_denied(v);
	s->report = *r;
	s->version = span_text(arena_text(s->request.arena, span_text(v->version)));
	remember(v, s);
	count_result(s);
	scan_over(s);
	slot_free(s);
}

bool
server_wants_canary(const struct server *v)
{
	return v->pool->type == SCANNER_TYPE_CLAMD && v->pool->canary > 0 &&
	    (v->canary == 0 || now_ms() - v->canary >= v->pool->canary);
}

void
server_found_canary(struct server *v)
{
	v->canary = now_ms();
}

/* At the next tick. */
void
server_probe_again(struct server *v)
{
	v->probe = NULL;
	v->probe_at = now_ms();
}

/* After a pause it gets one more chance: the next failure puts it out again. */
void
server_probed(struct server *v, const struct scan_report *r, const char *why)
{
	bool was_out = is_out(v);

	v->probe = NULL;
	if (r == NULL) {
		say_unreached(NULL, v, why);
		return;
	}
	if (r->result == SCAN_FAILED) {
		char text[200];

		snprintf(text, sizeof text, "%.*s", (int)r->why.len,
		    (const char *)r->why.ptr);
		server_failed(v, text, true);
		return;
	}
	v->probe_at = now_ms() + PROBE_MS;
	if (was_out)
		v->failures = BREAK_AFTER - 1;
	note_version(v, r->version);
	server_is_up(v);
	era_goes_on(v, r->version);
	dispatch(v->pool);
}

/* --- scans --- */

static void
scan_too_large(struct scan *s)
{
	char limit[TEXT_SIZE_BYTES], why[100];

	text_size(limit, s->scanner->size_limit);
	snprintf(why, sizeof why, "larger than its size-limit of %s", limit);
	scan_without_answer(s, SCAN_UNSCANNABLE, why);
}

static bool
scan_from_cache(struct scan *s)
{
	struct scanner_pool *p = s->pool;
	const struct server *v = choose_server(s);

	if (p->verdicts == NULL || s->key == NULL || !s->key->known || v == NULL)
		return false;
	p->cache_used = s->began;
	if (!is_remembered(v, s)) {
		p->row->values[SCANNER_CACHE_MISSED]++;
		return false;
	}
	p->row->values[SCANNER_CACHED]++;
	s->cached = true;
	s->report = (struct scan_report){ .result = SCAN_CLEAN,
	    .answer = SPAN_LIT("from the cache") };
	s->version = span_text(arena_text(s->request.arena, span_text(v->version)));
	scan_over(s);
	return true;
}

static void
start_beating(struct scanners *all)
{
	struct timeval soon = { 0, BEAT_MS * 1000 };

	if (!all->beating)
		event_add(&all->beat, &soon);
	all->beating = true;
}

static size_t
waiting_with(const struct scan *s)
{
	const struct link *queue = &s->pool->queue;
	size_t n = 0;

	for (const struct link *l = queue->next; l != queue && s->has_client; l = l->next) {
		const struct scan *o = container_of(l, struct scan, link);

		n += o->has_client && address_equal(&o->client, &s->client);
	}
	return n;
}

static void
scan_queue(struct scan *s)
{
	struct scanner_pool *p = s->pool;

	if (p->waiting >= p->queue_limit) {
		scan_too_busy(s, "too busy");
	} else if (s->has_client && waiting_with(s) >= (p->queue_limit + 1) / 2) {
		scan_too_busy(s, "too busy with mails of this client");
	} else {
		s->step = SCAN_IS_QUEUED;
		link_add(&p->queue, &s->link);
		p->waiting++;
	}
}

void
scan_begin(struct scan *s)
{
	struct scanner_pool *p = s->pool;

	assert(s->step == SCAN_IS_IDLE);
	link_init(&s->link);
	s->began_us = now_us();
	s->began = now_ms();
	if (s->deadline > s->began + s->scanner->timeout)
		s->deadline = s->began + s->scanner->timeout;
	p->row->values[SCANNER_ASKED]++;
	if (s->scanner->size_limit > 0 && s->message->size > s->scanner->size_limit)
		scan_too_large(s);
	else if (all_out(p))
		scan_not_asked(s);
	else if (scan_from_cache(s))
		return;
	else if (may_start(s))
		start(s);
	else
		scan_queue(s);
	start_beating(p->all);
	show_load(p);
}

void
scan_cancel(struct scan *s)
{
	struct scanner_pool *p = s->pool;
	enum scan_step was = s->step;

	s->step = SCAN_IS_IDLE;
	if (was == SCAN_IS_IDLE)
		return;
	link_remove(&s->link);
	if (was == SCAN_IS_ANSWERED)
		return;
	p->row->values[SCANNER_CALLED_OFF]++;
	if (was == SCAN_IS_QUEUED) {
		p->waiting--;
		show_load(p);
	} else {
		run_cancel(p->gateway->runners, &s->job);
		if (s->connection != NULL)
			link_close(s->connection);
		slot_free(s);
	}
}

/* --- time --- */

static void
queue_tick(struct scanner_pool *p)
{
	for (struct link *l = p->queue.next, *next; l != &p->queue; l = next) {
		struct scan *s = container_of(l, struct scan, link);

		next = l->next;
		if (now_ms() < s->deadline)
			continue;
		link_remove(&s->link);
		p->waiting--;
		scan_waited_in_vain(s);
	}
}

static void
scan_late(struct scan_link *k)
{
	struct scan *s = k->scan;
	struct server *v = k->server;
	char why[120];

	late_text(s, why, k->connecting ? "no connection" : "no answer");
	log_server(v, LOG_IS_NOTICE, "late", k->connecting ? "connecting" :
	    k->waits ? "waiting for the canary" : scan_client_doing(k->client));
	link_close(k);
	/* It has answered others meanwhile: this mail is too much for it, not every mail. */
	if (v->answered > s->began)
		v->failures = 0;
	server_failed(v, why, false);
	scan_failed(s, why);
}

static void
link_tick(struct scan_link *k)
{
	const struct scanner_pool *p = k->server->pool;
	uint64_t age = now_ms() - k->since;

	if (k->scan != NULL && now_ms() >= k->scan->deadline)
		scan_late(k);
	else if (k->connecting && age >= p->connect_timeout)
		link_lost(k, "no answer");
	else if (k->probing && age >= p->timeout)
		link_lost(k, "no answer to a probe");
	else if (k->resting && age >= IDLE_MS)
		link_close(k);
}

static void
links_tick(struct scanner_pool *p)
{
	for (struct link *l = p->links.next, *next; l != &p->links; l = next) {
		next = l->next;
		link_tick(container_of(l, struct scan_link, link));
		/* The neighbour may have ended as well: start over then. */
		if (next != &p->links && container_of(next, struct scan_link, link)->dead)
			next = p->links.next;
	}
}

static void
probe_begin(struct server *v)
{
	struct error err;
	struct scan_link *k = idle_link(v);

	if (k == NULL)
		k = link_open(v, &err);
	if (k == NULL) {
		say_unreached(NULL, v, err.text);
		return;
	}
	v->version_wanted = false;
	v->asking_us = now_us();
	v->probe = k;
	link_probe(k);
}

/* A server that answers is not asked besides, but clamd, which tells its version only so. */
static void
server_tick(struct server *v)
{
	uint64_t due = is_out(v) ? v->open_until : v->probe_at;
	bool talks = v->answered != 0 && now_ms() - v->answered < PROBE_MS && !is_out(v) &&
	    v->failures == 0 && v->pool->type != SCANNER_TYPE_CLAMD;

	if (v->probe == NULL && now_ms() >= due && !talks)
		probe_begin(v);
}

/* For the verdict cache.  A server that is out is probed as ever. */
static void
version_tick(struct server *v)
{
	const struct scanner_pool *p = v->pool;
	uint64_t age = (now_us() - v->asking_us) / 1000;
	bool used = p->cache_used != 0 && now_ms() - p->cache_used < CACHE_BUSY_MS;
	bool due = (v->version_wanted && age >= VERSION_LEAST_MS) ||
	    (used && age >= VERSION_EVERY_MS);

	if (due && v->probe == NULL && v->failures == 0 && !is_out(v))
		probe_begin(v);
}

static void
versions_tick(struct scanners *all)
{
	for (struct link *l = all->pools.next; l != &all->pools; l = l->next) {
		struct scanner_pool *p = container_of(l, struct scanner_pool, link);
		bool on = p->verdicts != NULL && !all->gateway->draining;

		for (size_t i = 0; on && i < p->server_count; i++)
			version_tick(&p->servers[i]);
	}
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct scanners *all = arg;
	size_t busy = 0;

	all->beating = false;
	for (struct link *l = all->pools.next; l != &all->pools; l = l->next) {
		struct scanner_pool *p = container_of(l, struct scanner_pool, link);

		queue_tick(p);
		links_tick(p);
		busy += p->running + p->waiting;
	}
	versions_tick(all);
	if (busy > 0)
		start_beating(all);
}

void
scanners_tick(struct scanners *all)
{
	for (struct link *l = all->pools.next; l != &all->pools; l = l->next) {
		struct scanner_pool *p = container_of(l, struct scanner_pool, link);

		if (!all->beating)
			links_tick(p);
		for (size_t i = 0; i < p->server_count && !all->gateway->draining; i++)
			server_tick(&p->servers[i]);
		show_load(p);
	}
	versions_tick(all);
}

/* --- pools --- */

static void
key_word(struct buf *b, const char *word)
{
	if (word != NULL)
		text_value(b, span_text(word), SIZE_MAX);
	buf_byte(b, ' ');
}

static char *
pool_key(const struct scanner *c)
{
	struct buf b = { 0 };
	char text[128];

	buf_printf(&b, "%d %d ", (int)c->type, (int)c->transfer);
	key_word(&b, c->name);
	key_word(&b, c->path);
	key_word(&b, c->password);
	for (size_t i = 0; i < c->at.count; i++) {
		net_endpoint_text(text, &c->at.items[i]);
		key_word(&b, text);
	}
	char *key = strdup(buf_text(&b));

	buf_free(&b);
	return key;
}

static char *
copy(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static struct span
text_or_none(const char *text)
{
	return text != NULL ? span_text(text) : SPAN_NONE;
}

/* Host of HTTP is an address with its port; of a socket's path there is none. */
static void
server_init(struct server *v, struct scanner_pool *p, const struct endpoint *e)
{
	static const enum scanner_kind kinds[SCANNER_TYPES] = {
		[SCANNER_TYPE_CLAMD] = SCANNER_CLAMD, [SCANNER_TYPE_SPAMD] = SCANNER_SPAMD,
		[SCANNER_TYPE_RSPAMD] = SCANNER_RSPAMD, [SCANNER_TYPE_ICAP] = SCANNER_ICAP,
		[SCANNER_TYPE_COMMAND] = SCANNER_COMMAND,
	};

	*v = (struct server){ .pool = p, .index = p->server_count, .endpoint = *e };
	v->endpoint.path = copy(e->path);
	net_endpoint_text(v->text, e);
	snprintf(v->host, sizeof v->host, "%s", e->path != NULL ? "localhost" : v->text);
	link_init(&v->idle);
	link_init(&v->waiting);
	v->since_unix = now_unix();
	v->options = (struct scan_options){ .kind = kinds[p->type],
	    .host = span_text(v->host), .path = text_or_none(p->path),
	    .password = text_or_none(p->password) };
	p->server_count++;
}

static struct scanner_pool *
pool_create(struct scanners *all, const struct scanner *c, char *key)
{
	struct scanner_pool *p = must_alloc(sizeof *p);

	p->all = all;
	p->gateway = all->gateway;
	p->key = key;
	p->name = strdup(c->name);
	p->type = c->type;
	p->transfer = c->transfer;
	p->path = copy(c->path);
	p->password = copy(c->password);
	p->row = &p->nowhere;
	link_init(&p->links);
	link_init(&p->queue);
	p->clients = clients_create(all->gateway->id_unique);
	for (size_t i = 0; i < c->at.count; i++)
		server_init(&p->servers[i], p, &c->at.items[i]);
	link_add(&all->pools, &p->link);
	return p;
}

static struct scanner_pool *
pool_find(struct scanners *all, const char *key)
{
	for (struct link *l = all->pools.next; l != &all->pools; l = l->next) {
		struct scanner_pool *p = container_of(l, struct scanner_pool, link);

		if (strcmp(p->key, key) == 0)
			return p;
	}
	return NULL;
}

/* Another size: an empty one. */
static void
pool_cache(struct scanner_pool *p, const struct scanner *c)
{
	p->cache_time = c->cache_time;
	if (p->cache == c->cache)
		return;
	p->cache = c->cache;
	verdicts_destroy(&p->verdicts);
	p->verdicts = verdicts_create(c->cache);
}

struct scanner_pool *
scanner_pool_hold(struct scanners *all, const struct scanner *c, struct scanner_row *row)
{
	char *key = pool_key(c);
	struct scanner_pool *p = pool_find(all, key);

	if (p != NULL)
		free(key);
	else
		p = pool_create(all, c, key);
	p->refs++;
	p->slots = c->slots;
	p->queue_limit = c->queue;
	p->timeout = c->timeout;
	p->connect_timeout = c->connect_timeout;
	p->canary = c->canary;
	pool_cache(p, c);
	p->row = row;
	show_servers(p);
	show_load(p);
	return p;
}

/* Whoever asks holds a snapshot: there is no question left, at most a probe. */
static void
pool_end(struct scanner_pool *p)
{
	assert(p->running == 0 && p->waiting == 0);
	while (!link_empty(&p->links))
		link_close(container_of(p->links.next, struct scan_link, link));
	link_remove(&p->link);
	link_add(&p->all->dead_pools, &p->link);
	gateway_bury_soon(p->gateway);
}

void
scanner_pool_drop(struct scanner_pool *p, const struct scanner_row *row)
{
	if (p->row == row)
		p->row = &p->nowhere;
	if (--p->refs == 0)
		pool_end(p);
}

static void
pool_bury(struct scanner_pool *p)
{
	link_remove(&p->link);
	for (size_t i = 0; i < p->server_count; i++)
		free((void *)(uintptr_t)p->servers[i].endpoint.path);
	free(p->key);
	free(p->name);
	free(p->path);
	free(p->password);
	clients_destroy(&p->clients);
	verdicts_destroy(&p->verdicts);
	free(p);
}

/* Connections first: their clients know their servers' options. */
void
scanners_bury(struct scanners *all)
{
	while (!link_empty(&all->dead_links))
		link_bury(container_of(all->dead_links.next, struct scan_link, link));
	while (!link_empty(&all->dead_pools))
		pool_bury(container_of(all->dead_pools.next, struct scanner_pool, link));
}

void
scanners_close_idle(struct scanners *all)
{
	for (struct link *l = all->pools.next; l != &all->pools; l = l->next) {
		struct scanner_pool *p = container_of(l, struct scanner_pool, link);

		for (size_t i = 0; i < p->server_count; i++)
			while (!link_empty(&p->servers[i].idle))
				link_close(idle_link(&p->servers[i]));
	}
}

static int
canary_create(void)
{
	struct buf b = { 0 };

	scan_canary(&b);
	int fd = ipc_memory("canary", buf_span(&b));

	buf_free(&b);
	return fd;
}

struct scanners *
scanners_create(struct gateway *g)
{
	struct scanners *all = must_alloc(sizeof *all);

	all->gateway = g;
	all->canary = canary_create();
	link_init(&all->pools);
	link_init(&all->answered);
	link_init(&all->dead_links);
	link_init(&all->dead_pools);
	evtimer_assign(&all->turn, g->base, on_turn, all);
	evtimer_assign(&all->beat, g->base, on_beat, all);
	return all;
}
