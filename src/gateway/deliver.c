/*
 * deliver.c - the variants on their way: up to their end (PREPARE), then the final dots
 * (COMMIT).
 *
 * With SMTP's single reply every variant is sent up to its end before the first final
 * dot; a failure before that defers all.  The common case - one variant, all recipients
 * taken, nothing to keep or to notify - sends body and end in one go.  With LMTP each
 * recipient hears its own outcome, so every variant goes through on its own.
 */
#include "src/gateway/tag.h"
#include "lib/base/text.h"
#include "lib/notice/dsn.h"
#include "sys/net.h"
#include <stdio.h>

/* --- replies --- */

/* An IPv4 address in brackets, as MTAs write it in replies: [127.0.0.1]:10025. */
static const char *
bracketed(struct transaction *t, const char *endpoint)
{
	const char *colon = strrchr(endpoint, ':');

	if (!is_digit((uint8_t)endpoint[0]) || colon == NULL)
		return endpoint;
	return arena_printf(t->arena, "[%.*s]%s", (int)(colon - endpoint), endpoint, colon);
}

struct span
hop_reply(struct transaction *t, const struct delivery *d, int code, struct span text)
{
	char enhanced[16], line[REPLY_BYTES], both[REPLY_BYTES];
	int mine = code;

	if (code == 421 || code < 200 || (code >= 300 && code < 400))
		mine = 451;
	snprintf(both, sizeof both, "%d %.*s", code, (int)(text.len < 300 ? text.len : 300),
	    (const char *)text.ptr);
	dsn_status(span_text(both), enhanced);
	if (enhanced[0] - '0' != mine / 100)
		snprintf(enhanced, sizeof enhanced, "%d.0.0", mine / 100);
	snprintf(line, sizeof line, "%d %s from MTA(%s:%s): %s", mine, enhanced,
	    t->door->listener->next_hop.kind == HOP_LMTP ? "lmtp" : "smtp",
	    bracketed(t, d->endpoint), both);
	return span_text(arena_text(t->arena, span_text(line)));
}

const char *
hop_failure(struct transaction *t, const struct delivery *d)
{
	bool own_code = strlen(d->failure) > 4 && d->failure[0] == '4' && d->failure[3] == ' ';

	return arena_printf(t->arena, "451 %s Next hop %s%s: %.300s",
	    d->in_doubt ? "4.4.2" : "4.4.1", d->endpoint, own_code ? " said" : "",
	    d->failure);
}

/* The queue id in what MTAs say: "queued as X", "OK id=X", "2.0.0 X Message accepted". */
static struct span
find_queue_id(struct span reply)
{
	static const char *const marks[] = { "queued as ", "id=", "Queued mail for delivery, id " };
	size_t from = 0, to;

	for (size_t i = 0; i < COUNT_OF(marks) && from == 0; i++) {
		const uint8_t *at = memmem(reply.ptr, reply.len, marks[i], strlen(marks[i]));

		if (at != NULL)
			from = (size_t)(at - reply.ptr) + strlen(marks[i]);
	}
	if (from == 0) {
		const uint8_t *at = memmem(reply.ptr, reply.len, " Message accepted", 17);

		for (from = at != NULL ? (size_t)(at - reply.ptr) : 0;
		    from > 0 && reply.ptr[from - 1] != ' ';)
			from--;
	}
	for (to = from; from > 0 && to < reply.len && to - from < 64 &&
	    (is_alpha(reply.ptr[to]) || is_digit(reply.ptr[to]) || reply.ptr[to] == '-');)
		to++;
	return span_slice(reply, from, to);
}

/* --- what became of the recipients --- */

static void
row_result(struct variant *v, const struct client_recipient *r)
{
	struct transaction *t = v->transaction;
	struct fate_row *row = &t->rows[r->index];

	row->reply = hop_reply(t, &v->delivery, r->code, r->text);
	row->by_next_hop = true;
	if (r->code >= 200 && r->code < 300) {
		row->outcome = OUTCOME_DELIVERED;
		row->queue_id = find_queue_id(r->text);
	} else if (row->reply.ptr[0] == '4')
		row->outcome = OUTCOME_DEFERRED;
	else if (t->lmtp)
		row->outcome = OUTCOME_REJECTED;
	/* else: refused; whether that is a rejection, a DSN or quarantine, keep.c decides */
}

/* The connection broke: who had its reply before keeps it. */
static void
variant_failed(struct variant *v)
{
	struct transaction *t = v->transaction;
	const char *why = hop_failure(t, &v->delivery);

	for (size_t i = 0; i < v->row_count; i++) {
		const struct client_recipient *r = &v->delivery.transaction.recipients[i];
		struct fate_row *row = &t->rows[v->rows[i]];

		if (r->code != 0) {
			row_result(v, r);
			continue;
		}
		row->outcome = OUTCOME_DEFERRED;
		row->reply = span_text(why);
	}
}

static const struct fate_row *
deferred_in(const struct variant *v)
{
	for (size_t i = 0; i < v->row_count; i++)
		if (v->transaction->rows[v->rows[i]].outcome == OUTCOME_DEFERRED)
			return &v->transaction->rows[v->rows[i]];
	return NULL;
}

/* --- PREPARE --- */

static bool
all_settled(const struct transaction *t, bool held_too)
{
	for (size_t i = 0; i < t->variant_count; i++)
		if (!t->variants[i].over && !(held_too && t->variants[i].held))
			return false;
	return true;
}

static void
check_settled(struct transaction *t)
{
	if (t->stage == STAGE_IS_PREPARE && all_settled(t, true))
		transaction_next(t);
	else if (t->stage == STAGE_IS_COMMIT && all_settled(t, false))
		begin_commit(t);
}

/* Nothing but this one variant has to succeed. */
static bool
is_simple(const struct variant *v)
{
	const struct transaction *t = v->transaction;

	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];

		if (row->outcome == OUTCOME_NONE &&
		    (row->verdict.fate != FATE_ACCEPT || row->by_next_hop))
			return false;
	}
	return t->variant_count == 1;
}

/* The recipients that RCPT did not take. */
static void
note_refused(struct variant *v)
{
	for (size_t i = 0; i < v->row_count; i++)
		if (!v->delivery.transaction.recipients[i].taken)
			row_result(v, &v->delivery.transaction.recipients[i]);
}

/* The one recipient of the one variant: all or nothing, whatever the next hop says. */
static bool
variant_may_go_ahead(struct delivery *d)
{
	struct variant *v = container_of(d, struct variant, delivery);
	struct transaction *t = v->transaction;

	return !t->session->gone && v->row_count == 1 && (t->lmtp || is_simple(v));
}

static void
variant_on_body(struct delivery *d)
{
	struct variant *v = container_of(d, struct variant, delivery);
	struct transaction *t = v->transaction;
	const struct fate_row *deferred;

	note_refused(v);
	if (t->session->gone)
		transaction_drop(t);
	else if (!t->lmtp && (deferred = deferred_in(v)) != NULL)
		transaction_defer(t, arena_text(t->arena, deferred->reply));
	else
		delivery_send(d, t->lmtp || is_simple(v));
}

static void
variant_held(struct delivery *d)
{
	struct variant *v = container_of(d, struct variant, delivery);

	v->held = true;
	check_settled(v->transaction);
}

static void
variant_over(struct delivery *d)
{
	struct variant *v = container_of(d, struct variant, delivery);
	struct transaction *t = v->transaction;
	const struct fate_row *deferred;

	v->over = true;
	if (d->failed)
		variant_failed(v);
	else
		for (size_t i = 0; i < v->row_count; i++)
			row_result(v, &d->transaction.recipients[i]);
	if (!t->lmtp && t->stage == STAGE_IS_PREPARE && (deferred = deferred_in(v)) != NULL)
		transaction_defer(t, arena_text(t->arena, deferred->reply));
	else
		check_settled(t);
}

struct xforward
transaction_xforward(const struct transaction *t)
{
	const struct session *s = t->session;
	struct xforward x = t->envelope->xforward;
	char text[ADDRESS_TEXT_BYTES];

	if (x.given || !s->has_peer)
		return x;
	address_text(text, &s->peer);
	return (struct xforward){ .given = true,
	    .addr = span_text(arena_text(t->arena, span_text(text))),
	    .port = span_text(arena_printf(t->arena, "%u", s->peer_port)),
	    .proto = session_with(s), .helo = session_helo(s) };
}

static bool
needs_utf8(const struct transaction *t)
{
	return t->envelope->smtputf8 &&
	    (envelope_needs_utf8(t->envelope) || t->examined.header_eight_bit);
}

static void
fill_delivery(struct variant *v)
{
	struct transaction *t = v->transaction;
	struct delivery *d = &v->delivery;
	struct client_recipient *list = arena_array(t->arena, struct client_recipient,
	    v->row_count);

	for (size_t i = 0; i < v->row_count; i++)
		list[i].index = v->rows[i];
	d->gateway = t->gateway;
	d->listener = t->door->listener;
	d->message = &t->message;
	d->data = &t->data;
	d->transaction = (struct client_transaction){ .envelope = tag_envelope(v),
	    .recipients = list, .recipient_count = v->row_count,
	    .smtputf8 = needs_utf8(t), .xforward = transaction_xforward(t),
	    .arena = t->arena };
	edit_add(&d->edits, 0, 0, received_field(t, v));
	struct span scanned = scanned_fields(t, v), added = tag_fields(t, v->verdict);

	if (scanned.len > 0)
		edit_add(&d->edits, 0, 0, scanned);
	if (added.len > 0)
		edit_add(&d->edits, 0, 0, added);
	for (size_t i = 0; i < v->changes.count; i++) {
		const struct edit *e = &v->changes.items[i];

		edit_add(&d->edits, e->at, e->removed, e->insert);
	}
	d->transaction.size = edit_size(&d->edits, t->message.size);
	d->may_go_ahead = variant_may_go_ahead;
	d->on_body = variant_on_body;
	d->held = variant_held;
	d->over = variant_over;
}

struct hop_pool *
transaction_pool(const struct transaction *t, struct error *err)
{
	const struct listener *l = t->door->listener;
	struct endpoint peer = { .address = t->session->peer, .port = l->next_hop.port };

	if (l->next_hop.kind != HOP_PEER)
		return t->door->pool;
	if (!t->session->has_peer) {
		fail(err, ST_TEMP, "deliver", "the client has no address to deliver to");
		return NULL;
	}
	return hop_pool_get(t->gateway, l, &peer);
}

void
begin_prepare(struct transaction *t)
{
	bool maildir = t->door->listener->next_hop.kind == HOP_MAILDIR;
	struct error err;

	for (size_t i = 0; i < t->variant_count; i++) {
		struct variant *v = &t->variants[i];

		fill_delivery(v);
		v->held = maildir;
		if (maildir)
			continue;
		if ((v->delivery.pool = transaction_pool(t, &err)) == NULL) {
			transaction_defer(t, "451 4.4.1 The client has no address to deliver to");
			return;
		}
	}
	for (size_t i = 0; i < t->variant_count && !maildir; i++) {
		delivery_begin(&t->variants[i].delivery);
		if (t->stage != STAGE_IS_PREPARE)
			return;         /* it ended at once, and with it all of this */
	}
	if (t->variant_count == 0 || maildir)
		transaction_next(t);
}

/* --- COMMIT --- */

static void
maildir_done(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct variant *v = container_of(r, struct variant, stored);
	struct transaction *t = v->transaction;
	struct packet_stored answer = { .status = ST_TEMP };
	bool ok = st == ST_OK && packet_take_stored(&body, &answer) && answer.status == ST_OK;
	const char *text = ok ?
	    arena_printf(t->arena, "250 2.0.0 Ok, saved as %.*s", (int)answer.text.len,
	        (const char *)answer.text.ptr) :
	    arena_printf(t->arena, "451 4.3.0 The Maildir cannot be written: %.*s",
	        (int)(st == ST_OK ? answer.text.len : strlen(err->text)),
	        st == ST_OK ? (const char *)answer.text.ptr : err->text);

	v->over = true;
	for (size_t i = 0; i < v->row_count; i++) {
		t->rows[v->rows[i]].outcome = ok ? OUTCOME_DELIVERED : OUTCOME_DEFERRED;
		t->rows[v->rows[i]].reply = span_text(text);
	}
	check_settled(t);
}

/* The envelope of a variant: its recipients only. */
static struct envelope
variant_envelope(const struct variant *v)
{
	struct transaction *t = v->transaction;
	struct envelope e = *t->envelope;

	e.recipients = arena_array(t->arena, struct recipient, v->row_count);
	e.recipient_count = e.recipient_cap = v->row_count;
	for (size_t i = 0; i < v->row_count; i++)
		e.recipients[i] =
		    v->delivery.transaction.envelope->recipients[v->rows[i]];
	return e;
}

static void
maildir_commit(struct variant *v)
{
	struct transaction *t = v->transaction;
	struct packet_maildir request = { .id = span_text(t->id),
	    .path = span_text(t->door->listener->next_hop.path), .size = t->message.size,
	    .variant = (uint32_t)(v - t->variants), .envelope = variant_envelope(v),
	    .edits = v->delivery.edits };
	struct pack p = storelink_begin(t->gateway->store, PACKET_MAILDIR);
	struct error err;

	packet_put_maildir(&p, &request);
	v->stored.done = maildir_done;
	if (storelink_send(t->gateway->store, &p, t->message.fd, &v->stored, &err) == ST_OK)
		return;
	snprintf(v->delivery.endpoint, sizeof v->delivery.endpoint, "maildir");
	snprintf(v->delivery.failure, sizeof v->delivery.failure, "%s", err.text);
	v->over = true;
	variant_failed(v);
}

static bool
commit_one(struct transaction *t, struct variant *v)
{
	v->held = false;
	if (t->door->listener->next_hop.kind == HOP_MAILDIR)
		maildir_commit(v);
	else
		delivery_commit(&v->delivery);
	return t->stage == STAGE_IS_COMMIT;
}

/* A 5xx to a final dot, when others were taken: their fate is decided late. */
static bool
late_refusals(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_NONE)
			return true;
	return false;
}

static bool
any_deferred(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_DEFERRED)
			return true;
	return false;
}

/* Again after each variant that is over, until all are. */
void
begin_commit(struct transaction *t)
{
	bool held = false;

	for (size_t i = 0; i < t->variant_count; i++)
		held |= t->variants[i].held;
	if (held && t->session->gone) {
		transaction_drop(t);
		return;
	}
	for (size_t i = 0; i < t->variant_count; i++)
		if (t->variants[i].held && !commit_one(t, &t->variants[i]))
			return;
	if (!all_settled(t, false))
		return;
	if (late_refusals(t) && !any_deferred(t))
		transaction_go(t, STAGE_IS_KEEP);
	else
		transaction_next(t);
}

void
deliver_abort(struct transaction *t)
{
	for (size_t i = 0; i < t->variant_count; i++) {
		struct variant *v = &t->variants[i];

		if (v->delivery.state != DELIVERY_IDLE && v->delivery.state != DELIVERY_OVER)
			delivery_abort(&v->delivery);
		storelink_cancel(t->gateway->store, &v->stored);
	}
	if (t->notice_delivery.state != DELIVERY_IDLE &&
	    t->notice_delivery.state != DELIVERY_OVER)
		delivery_abort(&t->notice_delivery);
}
