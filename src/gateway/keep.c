/*
 * keep.c - what is not delivered and not refused to the client's face: quarantine, and
 * notices to the sender.
 *
 * With SMTP's single reply, a recipient that was refused while others were not gets a
 * DSN if the sender is authenticated or local, or if the next hop refused an address
 * that we had accepted from a queue; never to the null sender; else its copy is
 * quarantined in the class "refused".
 */
#include "src/gateway/transaction.h"
#include "lib/notice/dsn.h"
#include <stdio.h>
#include <unistd.h>

#define NOTICE_HEADER_BYTES     65536

static bool
is_refused(const struct fate_row *row)
{
	return row->outcome == OUTCOME_NONE && row->quarantine.len == 0 &&
	    row->verdict.rule != NULL && (row->verdict.fate == FATE_REJECT || row->by_next_hop);
}

static size_t
count_refused(const struct transaction *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		n += is_refused(&t->rows[i]);
	return n;
}

static bool
may_notify(const struct transaction *t, const struct fate_row *row)
{
	bool ours = t->client.authenticated || t->client.local;
	bool from_queue = row->by_next_hop && t->door->listener->queue == QUEUE_AFTER;

	return t->envelope->sender.len > 0 && dsn_wanted(row->recipient) &&
	    (ours || from_queue);
}

/* Refused recipients beside others: those that get no DSN are kept. */
static void
settle_refused(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (is_refused(&t->rows[i]) && !may_notify(t, &t->rows[i]))
			t->rows[i].quarantine = SPAN_LIT("refused");
}

static const struct fate_row *
first_refused(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (is_refused(&t->rows[i]))
			return &t->rows[i];
	return NULL;
}

/* --- quarantine --- */

static bool
waits_for_class(const struct fate_row *row)
{
	return row->outcome == OUTCOME_NONE && row->quarantine.len > 0;
}

static struct fate_row *
next_kept(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (waits_for_class(&t->rows[i]))
			return &t->rows[i];
	return NULL;
}

static void
class_done(struct transaction *t, struct span class, enum outcome outcome, const char *reply)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (waits_for_class(&t->rows[i]) && span_equal(t->rows[i].quarantine, class)) {
			t->rows[i].outcome = outcome;
			t->rows[i].reply = span_text(reply);
		}
}

static void
keep_failed(struct transaction *t, struct span why)
{
	const char *reply = arena_printf(t->arena,
	    "451 4.3.0 The quarantine cannot be written: %.*s", (int)why.len,
	    (const char *)why.ptr);

	if (!t->lmtp) {
		transaction_defer(t, reply);
		return;
	}
	class_done(t, next_kept(t)->quarantine, OUTCOME_DEFERRED, reply);
	begin_keep(t);
}

/* "451 4.7.1 clamd: no answer, try again later" is what it would have been; the reply has
   why, for the record's sake. */
static const char *
hold(struct transaction *t, const struct fate_row *row)
{
	struct span why = row->reply, later = SPAN_LIT(", try again later");
	struct span before = SPAN_LIT("451 4.7.1 ");

	if (span_starts_nocase(why, before))
		why = span_slice(why, before.len, why.len);
	if (why.len > later.len &&
	    span_equal(span_slice(why, why.len - later.len, why.len), later))
		why.len -= later.len;
	log_event(&t->gateway->log, EVENT_HELD, LOG_IS_NOTICE, "id", t->id, "did", "held",
	    "problem", arena_text(t->arena, why), NULL);
	return arena_printf(t->arena, "250 2.0.0 Ok, held for later examination: %.*s",
	    (int)why.len, (const char *)why.ptr);
}

static void
kept(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct transaction *t = container_of(r, struct transaction, request);
	struct packet_stored answer = { .status = ST_TEMP };

	if (st != ST_OK || !packet_take_stored(&body, &answer)) {
		keep_failed(t, span_text(st != ST_OK ? err->text : "bad answer"));
		return;
	}
	if (answer.status != ST_OK) {
		keep_failed(t, answer.text);
		return;
	}
	const struct fate_row *row = next_kept(t);

	class_done(t, row->quarantine, OUTCOME_QUARANTINED,
	    row->verdict.fate == FATE_HOLD ? hold(t, row) :
	    t->door->listener->queue == QUEUE_AFTER ? "250 2.7.0 Ok, quarantined" :
	    "250 2.0.0 Ok");
	begin_keep(t);
}

static struct envelope
class_envelope(struct transaction *t, struct span class)
{
	struct envelope e = *t->envelope;

	e.recipients = arena_array(t->arena, struct recipient, e.recipient_count);
	e.recipient_count = 0;
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (waits_for_class(&t->rows[i]) && span_equal(t->rows[i].quarantine, class))
			e.recipients[e.recipient_count++] = *t->rows[i].recipient;
	e.recipient_cap = e.recipient_count;
	return e;
}

/* For whoever lets it come again: so that it is as if the client did. */
static void
fill_session(struct transaction *t, struct packet_quarantine *q)
{
	const struct session *s = t->session;
	char peer[ADDRESS_TEXT_BYTES];

	q->helo = session_helo(s);
	q->with = session_with(s);
	if (!s->has_peer)
		return;
	address_text(peer, &s->peer);
	q->peer = span_text(arena_text(t->arena, span_text(peer)));
	q->port = span_text(arena_printf(t->arena, "%u", s->peer_port));
}

static void
keep_class(struct transaction *t, const struct fate_row *first)
{
	char client[ADDRESS_TEXT_BYTES] = "";
	struct packet_quarantine q = { .id = span_text(t->id), .class = first->quarantine,
	    .listener = span_text(t->door->listener->name),
	    .rule = first->verdict.rule->name, .reason = first->reply,
	    .arrived = t->arrived, .size = t->message.size,
	    .envelope = class_envelope(t, first->quarantine) };
	struct pack p = storelink_begin(t->gateway->store, PACKET_QUARANTINE);
	struct error err;

	if (t->client.has_address)
		address_text(client, &t->client.address);
	q.client = span_text(client);
	fill_session(t, &q);
	packet_put_quarantine(&p, &q);
	t->request.done = kept;
	if (storelink_send(t->gateway->store, &p, t->message.fd, &t->request, &err) != ST_OK)
		keep_failed(t, span_text(err.text));
}

/* Is every recipient refused, so that the client can be told so? */
static bool
only_refused(const struct transaction *t)
{
	size_t n = count_refused(t);

	return n > 0 && n == t->envelope->recipient_count;
}

void
begin_keep(struct transaction *t)
{
	const struct fate_row *first;

	if (only_refused(t)) {
		transaction_end(t, OUTCOME_REJECTED,
		    arena_text(t->arena, first_refused(t)->reply));
		return;
	}
	settle_refused(t);
	first = next_kept(t);
	if (first == NULL)
		transaction_next(t);
	else if (t->session->gone)
		transaction_drop(t);
	else
		keep_class(t, first);
}

/* --- notices --- */

static struct dsn_recipient *
notice_recipients(struct transaction *t, size_t n, size_t *count)
{
	struct dsn_recipient *list = arena_array(t->arena, struct dsn_recipient, n);

	*count = 0;
	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];

		if (!is_refused(row))
			continue;
		list[(*count)++] = (struct dsn_recipient){ .recipient = row->recipient,
		    .reply = row->reply,
		    .rule = row->by_next_hop ? SPAN_NONE : row->verdict.rule->name,
		    .remote = row->by_next_hop ?
		        span_text(t->door->listener->next_hop.text) : SPAN_NONE };
	}
	return list;
}

static struct span
read_header(struct transaction *t)
{
	uint64_t size = t->examined.header_size;
	uint8_t *bytes;
	ssize_t n;

	if (size > t->message.size)
		size = t->message.size;
	if (size > NOTICE_HEADER_BYTES)
		size = NOTICE_HEADER_BYTES;
	bytes = arena_alloc(t->arena, size + 1);
	n = pread(t->message.fd, bytes, size, 0);
	return (struct span){ bytes, n > 0 ? (size_t)n : 0 };
}

static enum status
write_notice(struct transaction *t, struct error *err)
{
	struct value *subject = &t->findings.values[FACT_HEADER_SUBJECT];
	struct dsn d = { .envelope = t->envelope, .hostname = t->gateway->hostname,
	    .postmaster = t->snapshot->settings->postmaster, .id = span_text(t->id),
	    .arrived = t->arrived, .now = now_unix(), .header = read_header(t),
	    .subject = subject->state == FACT_KNOWN ? subject->text : SPAN_NONE };
	enum status st;

	d.recipients = notice_recipients(t, count_refused(t), &d.recipient_count);
	dsn_write(&t->notice, &d);
	st = message_begin(&t->notice_message, t->gateway, t->snapshot->settings, 0, err);
	if (st == ST_OK)
		st = sink_write(&t->notice_message.sink, buf_span(&t->notice), err);
	if (st == ST_OK)
		st = sink_finish(&t->notice_message.sink, err);
	return st;
}

static void
notice_failed(struct transaction *t, const char *why)
{
	transaction_defer(t, arena_printf(t->arena,
	    "451 4.3.0 The sender could not be notified: %.300s", why));
}

static void
notice_sent(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (is_refused(&t->rows[i]))
			t->rows[i].outcome = OUTCOME_NOTIFIED;
	transaction_next(t);
}

static void
notice_on_body(struct delivery *d)
{
	struct transaction *t = container_of(d, struct transaction, notice_delivery);

	if (t->session->gone)
		transaction_drop(t);
	else
		delivery_send(d, true);
}

static void
notice_over(struct delivery *d)
{
	struct transaction *t = container_of(d, struct transaction, notice_delivery);
	const struct client_recipient *r = &t->notice_recipient;

	if (d->failed)
		notice_failed(t, d->failure);
	else if (r->code >= 400 && r->code < 500)
		notice_failed(t, arena_text(t->arena, r->text));
	else
		notice_sent(t); /* also if the sender's address is refused: nobody to tell */
}

static void
notice_stored(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct transaction *t = container_of(r, struct transaction, request);
	struct packet_stored answer = { .status = ST_TEMP };

	if (st == ST_OK && packet_take_stored(&body, &answer) && answer.status == ST_OK)
		notice_sent(t);
	else
		notice_failed(t, st != ST_OK ? err->text : "the store failed");
}

/* The DSN's own envelope: from nobody, to the sender. */
static void
fill_notice_envelope(struct transaction *t)
{
	struct recipient *to = arena_new(t->arena, struct recipient);

	to->address = t->envelope->sender;
	to->notify = NOTIFY_NEVER;
	t->notice_envelope = (struct envelope){ .recipients = to, .recipient_count = 1,
	    .recipient_cap = 1, .body = BODY_8BITMIME,
	    .smtputf8 = t->envelope->smtputf8 };
}

static void
store_notice(struct transaction *t)
{
	struct packet_maildir request = { .id = span_text(t->id),
	    .path = span_text(t->door->listener->next_hop.path),
	    .size = t->notice_message.size, .variant = VARIANTS,
	    .envelope = t->notice_envelope };
	struct pack p = storelink_begin(t->gateway->store, PACKET_MAILDIR);
	struct error err;

	packet_put_maildir(&p, &request);
	t->request.done = notice_stored;
	if (storelink_send(t->gateway->store, &p, t->notice_message.fd, &t->request, &err) !=
	    ST_OK)
		notice_failed(t, err.text);
}

static const struct smtp_data plain_data = { .ends_with_crlf = true };

static void
send_notice(struct transaction *t, struct hop_pool *pool)
{
	t->notice_recipient = (struct client_recipient){ .index = 0 };
	t->notice_delivery = (struct delivery){ .gateway = t->gateway, .pool = pool,
	    .listener = t->door->listener, .message = &t->notice_message,
	    .data = &plain_data, .on_body = notice_on_body, .over = notice_over,
	    .transaction = { .envelope = &t->notice_envelope,
	        .recipients = &t->notice_recipient, .recipient_count = 1,
	        .size = t->notice_message.size,
	        .smtputf8 = envelope_needs_utf8(&t->notice_envelope), .arena = t->arena } };
	delivery_begin(&t->notice_delivery);
}

void
begin_notify(struct transaction *t)
{
	struct error err = { 0 };
	struct hop_pool *pool;

	if (count_refused(t) == 0) {
		transaction_next(t);
		return;
	}
	fill_notice_envelope(t);
	if (write_notice(t, &err) != ST_OK)
		notice_failed(t, err.text);
	else if (t->door->listener->next_hop.kind == HOP_MAILDIR)
		store_notice(t);
	else if ((pool = transaction_pool(t, &err)) == NULL)
		notice_failed(t, err.text);
	else
		send_notice(t, pool);
}
