/*
 * transaction.c - the order of things; see transaction.h.
 */
#include "src/gateway/transaction.h"
#include <assert.h>
#include <stdio.h>

static const struct step {
	const char *name;
	void      (*begin)(struct transaction *);
} steps[STAGES] = {
	[STAGE_IS_COLLECT] = { "receiving the message", NULL },
	[STAGE_IS_EXAMINE] = { "examining", begin_examine },
	[STAGE_IS_LEDGER]  = { "asking the delivered ledger", begin_ledger },
	[STAGE_IS_SCAN]    = { "asking scanners", begin_scan },
	[STAGE_IS_DECIDE]  = { "deciding", begin_decide },
	[STAGE_IS_REWRITE] = { "rewriting the header", begin_rewrite },
	[STAGE_IS_PREPARE] = { "sending to the next hop", begin_prepare },
	[STAGE_IS_KEEP]    = { "keeping in quarantine", begin_keep },
	[STAGE_IS_NOTIFY]  = { "notifying the sender", begin_notify },
	[STAGE_IS_COMMIT]  = { "ending the delivery", begin_commit },
	[STAGE_IS_NOTE]    = { "noting in the delivered ledger", begin_note },
	[STAGE_IS_OVER]    = { "answering", begin_over },
};

/* The record's stages are fewer: what began before belongs to the one that ends here. */
static const enum record_stage times[STAGES] = {
	[STAGE_IS_COLLECT] = RECORD_COLLECT,
	[STAGE_IS_EXAMINE] = RECORD_EXAMINE,
	[STAGE_IS_LEDGER]  = RECORD_DECIDE,
	[STAGE_IS_SCAN]    = RECORD_SCAN,
	[STAGE_IS_DECIDE]  = RECORD_DECIDE,
	[STAGE_IS_REWRITE] = RECORD_DECIDE,
	[STAGE_IS_PREPARE] = RECORD_DELIVER,
	[STAGE_IS_KEEP]    = RECORD_DELIVER,
	[STAGE_IS_NOTIFY]  = RECORD_DELIVER,
	[STAGE_IS_COMMIT]  = RECORD_DELIVER,
	[STAGE_IS_NOTE]    = RECORD_DELIVER,
	[STAGE_IS_OVER]    = RECORD_DELIVER,
};

/* The only place where the stage changes. */
void
transaction_go(struct transaction *t, enum stage next)
{
	uint64_t now = now_us();

	assert(t->stage != STAGE_IS_OVER);
	t->stage_us[times[t->stage]] += now - t->mark_us;
	t->mark_us = now;
	t->stage = next;
	steps[next].begin(t);
}

void
transaction_next(struct transaction *t)
{
	transaction_go(t, (enum stage)(t->stage + 1));
}

struct transaction *
transaction_create(struct session *s)
{
	struct transaction *t = must_alloc(sizeof *t);
	struct gateway *g = s->gateway;

	link_init(&t->link);
	t->session = s;
	t->gateway = g;
	t->snapshot = snapshot_hold(s->snapshot);
	t->door = session_door(s);
	t->envelope = smtp_server_envelope(s->server);
	t->arena = smtp_server_arena(s->server);
	t->lmtp = smtp_server_is_lmtp(s->server);
	t->message.fd = t->notice_message.fd = -1;
	t->arrived = now_unix();
	t->started_us = t->mark_us = now_us();
	record_id(t->id, t->arrived, g->id_unique++);
	g->transaction_count++;
	g->counters->values[GAUGE_TRANSACTIONS] = g->transaction_count;
	return t;
}

enum status
transaction_collect(struct transaction *t, struct error *err)
{
	return message_begin(&t->message, t->gateway, t->snapshot->settings,
	    t->envelope->size, err);
}

struct sink *
transaction_sink(struct transaction *t)
{
	return &t->message.sink;
}

static void
make_rows(struct transaction *t)
{
	size_t n = t->envelope->recipient_count;

	t->rows = arena_array(t->arena, struct fate_row, n);
	for (size_t i = 0; i < n; i++)
		t->rows[i].recipient = &t->envelope->recipients[i];
}

void
transaction_begin(struct transaction *t)
{
	struct gateway *g = t->gateway;

	t->data = *smtp_server_data(t->session->server);
	t->deadline = now_ms() + t->door->listener->deadline;
	if (t->session->held == NULL) {
		count(g, COUNTER_MESSAGES);
		g->counters->values[COUNTER_BYTES] += t->message.size;
	}
	if (t->data.bare_cr + t->data.bare_lf > 0)
		count(g, COUNTER_SMUGGLING);
	g->counters->values[GAUGE_MEMORY] = g->memory_used;
	g->counters->values[GAUGE_SPOOL] = g->spool_used;
	make_rows(t);
	transaction_next(t);
}

bool
transaction_is_working(const struct transaction *t)
{
	return t->stage != STAGE_IS_COLLECT;
}

/* Whatever runs for this transaction elsewhere is called off. */
static void
stop_all(struct transaction *t)
{
	inspect_cancel(t->gateway->inspectors, &t->job);
	scan_stop(t);
	storelink_cancel(t->gateway->store, &t->request);
	hash_stop(t);
	deliver_abort(t);
}

void
transaction_end(struct transaction *t, enum outcome outcome, const char *reply)
{
	stop_all(t);
	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		struct fate_row *row = &t->rows[i];

		if (row->outcome != OUTCOME_NONE)
			continue;
		row->outcome = outcome;
		/* Its own reply, unless that says another fate than it has now. */
		if (row->reply.len == 0 || row->reply.ptr[0] != (uint8_t)reply[0])
			row->reply = span_text(reply);
	}
	t->reply = reply;
	/* Who will try again must not get twice what was taken now. */
	transaction_go(t, outcome == OUTCOME_REJECTED ? STAGE_IS_OVER : STAGE_IS_NOTE);
}

void
transaction_defer(struct transaction *t, const char *reply)
{
	transaction_end(t, OUTCOME_DEFERRED, reply);
}

void
transaction_drop(struct transaction *t)
{
	count(t->gateway, COUNTER_CLIENT_GONE);
	transaction_end(t, OUTCOME_NONE, "the client left before the end");
}

void
transaction_tick(struct transaction *t)
{
	char late[120];

	if (now_ms() < t->deadline || t->stage >= STAGE_IS_NOTE)
		return;
	snprintf(late, sizeof late, "451 4.4.7 Not done in time, while %s",
	    steps[t->stage].name);
	transaction_defer(t, arena_text(t->arena, span_text(late)));
}

void
transaction_leave(struct transaction *t)
{
	if (t->stage == STAGE_IS_SCAN)
		transaction_drop(t);
}

static void
free_variants(struct transaction *t)
{
	for (size_t i = 0; i < t->variant_count; i++) {
		edit_free(&t->variants[i].delivery.edits);
		edit_free(&t->variants[i].changes);
		storelink_cancel(t->gateway->store, &t->variants[i].stored);
	}
	edit_free(&t->notice_delivery.edits);
}

void
transaction_destroy(struct transaction **tp)
{
	struct transaction *t = *tp;

	if (t == NULL)
		return;
	stop_all(t);
	free_variants(t);
	message_finish(&t->message);
	message_finish(&t->notice_message);
	buf_free(&t->notice);
	t->gateway->transaction_count--;
	t->gateway->counters->values[GAUGE_TRANSACTIONS] = t->gateway->transaction_count;
	t->gateway->counters->values[GAUGE_MEMORY] = t->gateway->memory_used;
	t->gateway->counters->values[GAUGE_SPOOL] = t->gateway->spool_used;
	snapshot_drop(t->snapshot);
	link_add(&t->gateway->dead_transactions, &t->link);
	gateway_bury_soon(t->gateway);
	*tp = NULL;
}

void
transaction_bury(struct gateway *g)
{
	while (!link_empty(&g->dead_transactions)) {
		struct transaction *t = container_of(g->dead_transactions.next,
		    struct transaction, link);

		link_remove(&t->link);
		free(t);
	}
}
