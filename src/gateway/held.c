/*
 * held.c - see held.h.
 */
#include "src/gateway/held.h"
#include "lib/base/text.h"
#include "lib/packet/kept.h"
#include "src/gateway/transaction.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS           4               /* held mails examined at the same time */
#define ASK_AGAIN_MS    1000            /* after an answer that was none        */
#define WAKE_MS         5000            /* at most once in that time            */
#define REPORT_MS       5000            /* until it is told again               */
#define ASK_MOST_MS     10000
#define HEAD_BYTES      16384u
#define TRIES_RECORDED  10              /* that changed nothing: then only those that do */
#define PATIENCE_MS     (24ull * 3600 * 1000)   /* the session's own time-outs rule */

enum held_state { HELD_FREE = 0, HELD_EXAMINING, HELD_REPORTING };

struct held_mail {
	enum held_state state;
	struct held    *all;
	char            id[RECORD_ID_BYTES + 1], as[RECORD_ID_BYTES + 1];
	uint64_t        tries;
	struct arena    arena;
	struct packet_quarantine q;
	size_t          head;
	struct message  file;
	struct origin   origin;
	struct listener listener;       /* time-outs of our end */
	struct delivery delivery;
	bool            session_over, delivery_over;
	struct packet_held_done done;
	const char     *why;            /* it stays */
	struct store_request report;
	uint64_t        report_at;
};

struct held {
	struct gateway  *gateway;
	struct event     turn;
	bool             wake, asking;
	uint64_t         next_ask, next_wake;
	struct store_request ask;
	struct held_mail mails[SLOTS];
	struct notice    notice;
};

static void look(struct held *);

static struct held_mail *
free_slot(struct held *h)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (h->mails[i].state == HELD_FREE)
			return &h->mails[i];
	return NULL;
}

/* --- reporting --- */

static void
log_reported(struct held_mail *m)
{
	struct log_line line;
	size_t stay = 0, n = m->done.count;

	for (size_t i = 0; i < n; i++)
		stay += m->done.rows[i].result == HELD_STAYS;
	bool released = n > 0 && stay == 0;

	log_begin(&line, &m->all->gateway->log, released ? EVENT_HELD_RELEASED : EVENT_HELD,
	    LOG_IS_NOTICE);
	log_word(&line, "id", m->id);
	if (m->as[0] != '\0')
		log_word(&line, "as", m->as);
	log_number(&line, "tries", m->tries);
	if (!released) {
		log_word(&line, "did", stay < n ? "stays in part" : "stays");
		log_text(&line, "problem", span_text(m->why != NULL ? m->why : "unknown"));
	}
	log_end(&line);
}

static void
mail_free(struct held_mail *m)
{
	struct held *h = m->all;

	if (m->file.fd >= 0)
		close(m->file.fd);
	edit_free(&m->delivery.edits);
	arena_free(&m->arena);
	*m = (struct held_mail){ .all = h, .file.fd = -1 };
	if (h->next_ask > now_ms() + ASK_AGAIN_MS)
		h->next_ask = now_ms();         /* the store knows when it is due again */
	look(h);
	gateway_check_drained(h->gateway);
}

static void
reported(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct held_mail *m = container_of(r, struct held_mail, report);
	struct packet_stored answer = { .status = ST_TEMP };

	if (st == ST_OK && packet_take_stored(&body, &answer) && answer.status == ST_OK) {
		log_reported(m);
		mail_free(m);
		return;
	}
	m->report_at = now_ms() + REPORT_MS;
}

/* Behind the journal's rows, so that the mail's end is told before its file goes. */
static void
report(struct held_mail *m)
{
	struct storelink *store = m->all->gateway->store;
	struct error err;

	m->report_at = now_ms() + REPORT_MS;
	if (m->report.pending || !storelink_flush(store))
		return;
	struct pack p = storelink_begin(store, PACKET_HELD_DONE);

	packet_put_held_done(&p, &m->done);
	m->report.done = reported;
	storelink_send(store, &p, -1, &m->report, &err);
}

static void
check_over(struct held_mail *m)
{
	if (m->state != HELD_EXAMINING || !m->session_over || !m->delivery_over)
		return;
	m->state = HELD_REPORTING;
	report(m);
}

/* It was not even tried. */
static void
give_up(struct held_mail *m, const char *why)
{
	m->why = arena_text(&m->arena, span_text(why));
	m->session_over = m->delivery_over = true;
	check_over(m);
}

/* --- what became of it --- */

/* Nobody is there to hear a refusal, and the sender heard 250: it is quarantine. */
static void
settle_refused(struct held_mail *m, struct fate_row *row, struct held_row *out)
{
	struct span rule = row->verdict.rule != NULL ? row->verdict.rule->name : SPAN_NONE;
	bool by_rule = !row->by_next_hop && kept_class_is(rule) &&
	    !span_equal(rule, SPAN_LIT("hold"));

	out->result = HELD_REFUSED;
	out->class = by_rule ? arena_span(&m->arena, rule) : SPAN_LIT("refused");
	out->rule = arena_span(&m->arena, rule);
	row->outcome = OUTCOME_QUARANTINED;
	row->quarantine = out->class;
}

static void
settle_row(struct held_mail *m, struct fate_row *row, struct held_row *out)
{
	out->address = arena_span(&m->arena, row->recipient->address);
	out->reason = arena_span(&m->arena, row->reply);
	switch (row->outcome) {
	case OUTCOME_DELIVERED:
	case OUTCOME_QUARANTINED:
	case OUTCOME_DISCARDED:
	case OUTCOME_NOTIFIED:
	case OUTCOME_ALREADY:
		out->result = HELD_OVER;
		break;
	case OUTCOME_REJECTED:
		settle_refused(m, row, out);
		break;
	case OUTCOME_DEFERRED:
	case OUTCOME_NONE:
	case OUTCOME_COUNT:
		m->why = arena_text(&m->arena, row->reply);
		break;
	}
}

void
held_settle(struct transaction *t)
{
	struct held_mail *m = container_of(t->session->held, struct held_mail, origin);
	size_t n = t->envelope->recipient_count;

	memcpy(m->as, t->id, sizeof m->as);
	m->done.rows = arena_array(&m->arena, struct held_row, n);
	m->done.count = n;
	for (size_t i = 0; i < n; i++)
		settle_row(m, &t->rows[i], &m->done.rows[i]);
}

bool
held_is_news(const struct transaction *t)
{
	const struct origin *o = t->session->held;
	const struct held_mail *m = container_of(o, struct held_mail, origin);
	size_t stay = 0;

	for (size_t i = 0; i < m->done.count; i++)
		stay += m->done.rows[i].result == HELD_STAYS;
	return stay < m->done.count || m->tries <= TRIES_RECORDED;
}

static void
session_over(struct origin *o)
{
	struct held_mail *m = container_of(o, struct held_mail, origin);

	m->session_over = true;
	check_over(m);
}

/* Where the session never came to a transaction's end, its replies say why. */
static void
delivery_over(struct delivery *d)
{
	struct held_mail *m = container_of(d, struct held_mail, delivery);
	const struct client_recipient *r = d->transaction.recipients;

	m->delivery_over = true;
	if (m->why == NULL && m->done.count == 0)
		m->why = d->failed ? d->failure :
		    arena_printf(&m->arena, "%d %.*s", r->code, (int)r->text.len,
		        r->text.len > 0 ? (const char *)r->text.ptr : "");
	check_over(m);
}

/* --- examining --- */

static void
on_body(struct delivery *d)
{
	delivery_send(d, true);
}

/* As much of the file as holds its fields. */
static bool
read_head(struct held_mail *m)
{
	enum status st = ST_MORE;
	struct stat file;

	for (size_t room = HEAD_BYTES; st == ST_MORE && room <= 2 * KEPT_BYTES; room *= 8) {
		uint8_t *bytes = arena_alloc(&m->arena, room);
		ssize_t n = pread(m->file.fd, bytes, room, 0);

		if (n <= 0)
			return false;
		st = kept_read((struct span){ bytes, (size_t)n }, &m->q, &m->head,
		    &m->arena);
	}
	m->file.size = m->head + m->q.size;
	return st == ST_OK && fstat(m->file.fd, &file) == 0 &&
	    (uint64_t)file.st_size >= m->file.size;
}

static bool
find_listener(const struct held_mail *m, unsigned *listener)
{
	const struct settings *s = m->all->gateway->snapshot->settings;

	for (size_t i = 0; i < s->listener_count; i++)
		if (span_equal(span_text(s->listeners[i].name), m->q.listener)) {
			*listener = (unsigned)i;
			return true;
		}
	return false;
}

static void
fill_origin(struct held_mail *m)
{
	struct address peer = { 0 };
	bool has_peer = m->q.peer.len > 0 && address_parse(m->q.peer, &peer);
	uint64_t port = 0;

	text_number(m->q.port, UINT16_MAX, &port);
	m->origin = (struct origin){ .id = m->id, .arrived = m->q.arrived,
	    .helo = m->q.helo, .with = m->q.with.len > 0 ? m->q.with : SPAN_LIT("SMTP"),
	    .has_peer = has_peer, .peer = peer, .peer_port = (uint16_t)port,
	    .over = session_over };
}

static void
fill_delivery(struct held_mail *m)
{
	struct delivery *d = &m->delivery;
	size_t n = m->q.envelope.recipient_count;

	m->listener.command_timeout = m->listener.data_timeout = PATIENCE_MS;
	m->listener.end_timeout = PATIENCE_MS;
	*d = (struct delivery){ .gateway = m->all->gateway, .listener = &m->listener,
	    .message = &m->file, .on_body = on_body, .over = delivery_over,
	    .transaction = { .envelope = &m->q.envelope, .recipient_count = n,
	        .recipients = arena_array(&m->arena, struct client_recipient, n),
	        .size = m->q.size, .smtputf8 = m->q.envelope.smtputf8,
	        .xforward = m->q.envelope.xforward, .arena = &m->arena } };
	for (size_t i = 0; i < n; i++)
		d->transaction.recipients[i].index = i;
	edit_add(&d->edits, 0, m->head, SPAN_NONE);
}

static void
examine(struct held_mail *m)
{
	struct gateway *g = m->all->gateway;
	unsigned listener;
	int ends[2];

	if (!read_head(m)) {
		give_up(m, "the file cannot be read");
		return;
	}
	if (!find_listener(m, &listener)) {
		give_up(m, "the configuration has no such listener any more");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		give_up(m, strerror(errno));
		return;
	}
	count(g, COUNTER_HELD_TRIES);
	fill_origin(m);
	fill_delivery(m);
	delivery_begin_on(&m->delivery, ends[1], g->hostname);
	session_begin_held(g, ends[0], listener, &m->origin);
}

/* --- asking --- */

static void
take_mail(struct held *h, const struct packet_held *what, int fd)
{
	struct held_mail *m = free_slot(h);
	struct span id = what->ids[0];

	if (m == NULL || fd < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	m->state = HELD_EXAMINING;
	m->file.fd = fd;
	m->tries = what->tries;
	memcpy(m->id, id.ptr, RECORD_ID_BYTES);
	m->done.id = span_text(m->id);
	examine(m);
}

static void
answered(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct held *h = container_of(r, struct held, ask);
	struct packet_held what;
	uint64_t now = now_ms();
	int fd = st == ST_OK ? storelink_descriptor(h->gateway->store) : -1;

	h->asking = false;
	if (st != ST_OK || !packet_take_held(&body, &what))
		h->next_ask = now + ASK_AGAIN_MS;
	else if (what.kind == HELD_NONE)
		h->next_ask = now + (what.wait_ms < ASK_MOST_MS ? what.wait_ms : ASK_MOST_MS);
	else
		h->next_ask = now + 1000 / h->gateway->snapshot->settings->hold_rate;
	if (st == ST_OK && what.kind == HELD_MAIL)
		take_mail(h, &what, fd);
	else if (fd >= 0)
		close(fd);
	if (st == ST_OK && what.kind == HELD_EXPIRED)
		notice_begin(&h->notice, &what);
	look(h);
}

static void
ask(struct held *h)
{
	struct packet_held_ask question = { .wake = h->wake,
	    .may_tell = !h->notice.busy && now_ms() >= h->notice.not_before };
	struct pack p = storelink_begin(h->gateway->store, PACKET_HELD_ASK);
	struct error err;

	for (size_t i = 0; i < SLOTS; i++)
		if (h->mails[i].state != HELD_FREE)
			question.busy[question.busy_count++] = span_text(h->mails[i].id);
	packet_put_held_ask(&p, &question);
	h->ask.done = answered;
	h->next_ask = now_ms() + ASK_AGAIN_MS;
	if (storelink_send(h->gateway->store, &p, -1, &h->ask, &err) != ST_OK)
		return;
	h->asking = true;
	h->wake = false;
	if (question.wake)
		h->next_wake = now_ms() + WAKE_MS;
}

/* One gateway asks, so that nothing is given out twice; ordinary mail goes first. */
static bool
may_ask(struct held *h)
{
	const struct gateway *g = h->gateway;

	return g->index == 0 && g->started && !g->draining && !h->asking &&
	    free_slot(h) != NULL && storelink_is_up(g->store) && !gateway_under_pressure(g);
}

static void
look(struct held *h)
{
	uint64_t now = now_ms(), next = h->next_ask;

	if (!may_ask(h))
		return;
	if (h->wake && h->next_wake < next)
		next = h->next_wake;
	if (next <= now) {
		ask(h);
		return;
	}
	struct timeval pause = { (time_t)((next - now) / 1000),
	    (suseconds_t)((next - now) % 1000 * 1000) };

	event_add(&h->turn, &pause);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	look(arg);
}

void
held_wake(struct held *h)
{
	h->wake = true;
	look(h);
}

void
held_tick(struct held *h)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct held_mail *m = &h->mails[i];

		if (m->state == HELD_REPORTING && now_ms() >= m->report_at)
			report(m);
	}
	look(h);
}

bool
held_is_idle(const struct held *h)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (h->mails[i].state != HELD_FREE)
			return false;
	return true;
}

struct held *
held_create(struct gateway *g)
{
	struct held *h = must_alloc(sizeof *h);

	h->gateway = h->notice.gateway = g;
	for (size_t i = 0; i < SLOTS; i++)
		h->mails[i] = (struct held_mail){ .all = h, .file.fd = -1 };
	evtimer_assign(&h->turn, g->base, on_turn, h);
	return h;
}
