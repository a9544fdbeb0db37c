/*
 * examine.c - the stage that asks the inspector what is in the message.
 */
#include "src/gateway/transaction.h"

#define HEADER_LIMIT    (1u << 20)
#define REQUEST_BYTES   64

/* The second time a message has killed two inspectors, the policy may judge it. */
static void
crashed(struct transaction *t)
{
	if (t->hashed && poison_known(t->gateway, t->hash)) {
		t->unscannable = true;
		transaction_next(t);
		return;
	}
	if (t->hashed)
		poison_remember(t->gateway, t->hash);
	transaction_defer(t, "451 4.3.0 The message could not be examined");
}

static void
examined(struct job *j, enum status st, enum packet_type type, struct unpack body,
    struct error *err)
{
	struct transaction *t = container_of(j, struct transaction, job);

	if (st == ST_OK && type == PACKET_EXAMINED) {
		/* Spans point into the packet: keep what they point to. */
		struct unpack kept = { arena_span(t->arena, body.rest), false };

		if (packet_take_examined(&kept, &t->examined, t->arena) &&
		    t->examined.status == ST_OK) {
			transaction_next(t);
			return;
		}
	}
	log_event(&t->gateway->log, EVENT_INSPECTOR, LOG_IS_WARNING, "id", t->id, "problem",
	    st != ST_OK ? err->text : "no usable findings", NULL);
	if (j->crashed)
		hash_begin(t, crashed);
	else
		transaction_defer(t, "451 4.3.0 The message could not be examined");
}

void
begin_examine(struct transaction *t)
{
	struct packet_examine request = { t->message.size, HEADER_LIMIT, t->door->wishes,
		t->envelope->smtputf8 };
	struct pack p;
	struct error err;

	t->job = (struct job){ .message = t->message.fd, .done = examined };
	if (t->session->has_peer)
		t->job.client = t->session->peer;
	if (t->envelope->xforward.addr.len > 0)
		address_parse(t->envelope->xforward.addr, &t->job.client);
	t->job.packet = arena_alloc(t->arena, REQUEST_BYTES);
	p = packet_begin_large(t->job.packet, REQUEST_BYTES, PACKET_EXAMINE, 0);
	packet_put_examine(&p, &request);
	t->job.packet_len = p.len;
	if (inspect_begin(t->gateway->inspectors, &t->job, &err) != ST_OK) {
		count(t->gateway, COUNTER_PRESSURE);
		transaction_defer(t, "451 4.3.2 Too busy, try again later");
	}
}
