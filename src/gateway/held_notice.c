/*
 * held_notice.c - one mail to the administrator for all held mails that have expired.
 *
 * It goes straight to a next hop, past the checks, which are what has failed: that of the
 * listener that took the first of them, or of any other that has one.  The store forgets
 * what was told when the next hop has taken it, or will never take it.
 */
#include "lib/notice/expired.h"
#include "src/gateway/held.h"
#include "src/gateway/transaction.h"
#include <stdio.h>

#define RETRY_MS 60000

static const struct smtp_data plain_data = { .ends_with_crlf = true };

static void
notice_end(struct notice *n, uint64_t pause)
{
	message_finish(&n->message);
	edit_free(&n->delivery.edits);
	if (n->snapshot != NULL)
		snapshot_drop(n->snapshot);
	arena_free(&n->arena);
	*n = (struct notice){ .gateway = n->gateway, .not_before = now_ms() + pause,
	    .message.fd = -1 };
}

static void
told(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct notice *n = container_of(r, struct notice, request);

	notice_end(n, st == ST_OK ? 0 : RETRY_MS);
}

static void
notice_settle(struct notice *n, const char *did, const char *problem)
{
	struct packet_held_told t = { .id_count = n->what.id_count };
	struct pack p = storelink_begin(n->gateway->store, PACKET_HELD_TOLD);
	struct error err;

	memcpy(t.ids, n->what.ids, sizeof t.ids);
	log_event(&n->gateway->log, EVENT_HELD, LOG_IS_WARNING, "did", did, "problem",
	    problem, NULL);
	packet_put_held_told(&p, &t);
	n->request.done = told;
	if (storelink_send(n->gateway->store, &p, -1, &n->request, &err) != ST_OK)
		notice_end(n, RETRY_MS);
}

static void
put_off(struct notice *n, const char *why)
{
	log_event(&n->gateway->log, EVENT_HELD, LOG_IS_WARNING, "did",
	    "the postmaster cannot be told yet", "problem", why, NULL);
	notice_end(n, RETRY_MS);
}

static void
on_body(struct delivery *d)
{
	delivery_send(d, true);
}

static void
delivered(struct delivery *d)
{
	struct notice *n = container_of(d, struct notice, delivery);
	int code = n->recipient.code;
	const char *text = arena_text(&n->arena, n->recipient.text);

	if (d->failed)
		put_off(n, arena_text(&n->arena, span_text(d->failure)));
	else if (code >= 400 && code < 500)
		put_off(n, text);
	else if (code >= 500)
		notice_settle(n, "the postmaster cannot be told", text);
	else
		notice_settle(n, "the postmaster was told", "held mail has expired");
}

static void
stored(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct notice *n = container_of(r, struct notice, request);
	struct packet_stored answer = { .status = ST_TEMP };

	if (st == ST_OK && packet_take_stored(&body, &answer) && answer.status == ST_OK)
		notice_settle(n, "the postmaster was told", "held mail has expired");
	else
		put_off(n, st != ST_OK ? err->text : "the store failed");
}

static void
store_it(struct notice *n, const struct door *door, struct span id)
{
	struct packet_maildir request = { .id = id, .size = n->message.size,
	    .path = span_text(door->listener->next_hop.path), .variant = VARIANTS,
	    .envelope = n->envelope };
	struct pack p = storelink_begin(n->gateway->store, PACKET_MAILDIR);
	struct error err;

	packet_put_maildir(&p, &request);
	n->request.done = stored;
	if (storelink_send(n->gateway->store, &p, n->message.fd, &n->request, &err) != ST_OK)
		put_off(n, err.text);
}

static void
send_it(struct notice *n, const struct door *door)
{
	n->delivery = (struct delivery){ .gateway = n->gateway, .pool = door->pool,
	    .listener = door->listener, .message = &n->message, .data = &plain_data,
	    .on_body = on_body, .over = delivered,
	    .transaction = { .envelope = &n->envelope, .recipients = &n->recipient,
	        .recipient_count = 1, .size = n->message.size,
	        .smtputf8 = envelope_needs_utf8(&n->envelope), .arena = &n->arena } };
	delivery_begin(&n->delivery);
}

static bool
takes_mail(const struct door *d)
{
	return d->pool != NULL || d->listener->next_hop.kind == HOP_MAILDIR;
}

static const struct door *
find_door(const struct snapshot *s, struct span name)
{
	const struct door *any = NULL;

	for (size_t i = 0; i < s->settings->listener_count; i++) {
		const struct door *d = &s->doors[i];

		if (takes_mail(d) && span_equal(span_text(d->listener->name), name))
			return d;
		if (takes_mail(d) && any == NULL)
			any = d;
	}
	return any;
}

static enum status
write_it(struct notice *n, struct span id, struct error *err)
{
	const struct settings *s = n->snapshot->settings;
	struct buf text = { 0 };
	enum status st;

	expired_write(&text, &(struct expired_notice){ .hostname = n->gateway->hostname,
	    .postmaster = s->postmaster, .id = id, .now = now_unix(), .ids = n->what.ids,
	    .folder = arena_printf(&n->arena, "%s/hold-expired", s->quarantine_directory),
	    .count = n->what.id_count });
	st = message_begin(&n->message, n->gateway, s, 0, err);
	if (st == ST_OK)
		st = sink_write(&n->message.sink, buf_span(&text), err);
	if (st == ST_OK)
		st = sink_finish(&n->message.sink, err);
	buf_free(&text);
	return st;
}

static void
fill_envelope(struct notice *n)
{
	struct recipient *to = arena_new(&n->arena, struct recipient);

	to->address = span_text(n->snapshot->settings->postmaster);
	to->notify = NOTIFY_NEVER;
	n->envelope = (struct envelope){ .recipients = to, .recipient_count = 1,
	    .recipient_cap = 1, .body = BODY_8BITMIME };
	n->envelope.smtputf8 = envelope_needs_utf8(&n->envelope);
}

static void
keep_ids(struct notice *n, const struct packet_held *what)
{
	n->what = *what;
	for (size_t i = 0; i < what->id_count; i++)
		n->what.ids[i] = arena_span(&n->arena, what->ids[i]);
	n->what.listener = arena_span(&n->arena, what->listener);
}

void
notice_begin(struct notice *n, const struct packet_held *what)
{
	struct gateway *g = n->gateway;
	char *id = arena_alloc(&n->arena, RECORD_ID_BYTES + 1);
	const struct door *door;
	struct error err;

	n->busy = true;
	n->message.fd = -1;
	n->snapshot = snapshot_hold(g->snapshot);
	keep_ids(n, what);
	fill_envelope(n);
	record_id(id, now_unix(), g->id_unique++);
	door = find_door(n->snapshot, n->what.listener);
	if (door == NULL)
		notice_settle(n, "the postmaster cannot be told", "no next hop takes mail");
	else if (write_it(n, span_text(id), &err) != ST_OK)
		put_off(n, err.text);
	else if (door->pool != NULL)
		send_it(n, door);
	else
		store_it(n, door, span_text(id));
}
