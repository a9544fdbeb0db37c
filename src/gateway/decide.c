/*
 * decide.c - facts together, rules walked for each recipient, variants made of the verdicts.
 */
#include "src/gateway/transaction.h"
#include "lib/base/text.h"
#include <stdio.h>

/* --- facts --- */

static void
content_unknown(struct findings *f)
{
	for (int i = 0; i < FACT_COUNT; i++)
		if (fact_row((enum fact)i)->stage == STAGE_CONTENT)
			findings_set_unknown(f, (enum fact)i, "the inspector fails on this message");
}

static void
message_facts(struct transaction *t)
{
	struct findings *f = &t->findings;

	findings_set_text(f, FACT_LISTENER, span_text(t->door->listener->name));
	envelope_facts_sender(f, t->envelope->sender, t->arena);
	findings_set_number(f, FACT_RECIPIENT_COUNT, (int64_t)t->envelope->recipient_count);
	findings_set_number(f, FACT_MESSAGE_SIZE, (int64_t)t->message.size);
	findings_set_truth(f, FACT_MESSAGE_UNSCANNABLE, t->unscannable);
	if (t->unscannable)
		content_unknown(f);
	else
		findings_take_stage(f, &t->examined.findings, STAGE_CONTENT);
	envelope_facts_client(f, &t->client);
}

/* --- loops --- */

/* How often this very listener has had the mail, by the token in our Received. */
static unsigned
passes(const struct transaction *t)
{
	char token[300];
	unsigned n = 0;

	snprintf(token, sizeof token, "Sallyport %s", t->door->listener->name);
	for (size_t i = 0; i < t->examined.hop_count; i++)
		n += span_equal(t->examined.hops[i].by_comment, span_text(token)) &&
		    span_equal_nocase(t->examined.hops[i].by, span_text(t->gateway->hostname));
	return n;
}

static bool
is_looping(const struct transaction *t)
{
	return t->examined.received_count > RECEIVED_LIMIT || passes(t) > LOOP_LIMIT;
}

/* --- verdicts --- */

static void
count_rules(struct transaction *t, const struct verdict *v)
{
	struct counters *c = t->snapshot->counters;

	for (size_t i = 0; i < t->door->policy->rule_count; i++) {
		unsigned slot = t->door->policy->rules[i].slot;

		if (slot >= c->rule_count)
			continue;
		c->rules[slot][RULE_HITS] += v->traces[i].result == TRACE_FIRED;
		c->rules[slot][RULE_UNKNOWNS] += v->traces[i].result == TRACE_UNKNOWN;
	}
}

static bool
same_walk(const struct transaction *t, const struct verdict *a, const struct verdict *b)
{
	for (size_t i = 0; i < t->door->policy->rule_count; i++)
		if (a->traces[i].result != b->traces[i].result ||
		    a->traces[i].fact != b->traces[i].fact)
			return false;
	return true;
}

/* Recipients with the same trace share it in the record; a few distinct ones are told
   apart, looking back over no more than the last of each.  One that was taken in an
   earlier try has none. */
static void
number_walk(struct transaction *t, size_t i)
{
	size_t highest = 0;

	for (size_t back = i; back > 0 && i - back < 16; back--) {
		const struct fate_row *other = &t->rows[back - 1];

		if (other->verdict.traces == NULL)
			continue;
		if (same_walk(t, &t->rows[i].verdict, &other->verdict)) {
			t->rows[i].walk = other->walk;
			return;
		}
		highest = other->walk + 1 > highest ? other->walk + 1 : highest;
	}
	t->rows[i].walk = i == 0 ? 0 : highest;
}

/* A rule may leave the code to us: "5.7.1 text". */
static struct span
rejection(struct transaction *t, struct span reply)
{
	if (reply.len > 1 && reply.ptr[1] != '.')
		return reply;
	return span_text(arena_printf(t->arena, "554 %.*s", (int)reply.len,
	    (const char *)reply.ptr));
}

static void
apply_verdict(struct transaction *t, struct fate_row *row)
{
	const struct verdict *v = &row->verdict;

	switch (v->fate) {
	case FATE_ACCEPT:
		break;
	case FATE_QUARANTINE:
		row->quarantine = v->quarantine;
		break;
	case FATE_DISCARD:
		row->outcome = OUTCOME_DISCARDED;
		row->reply = SPAN_LIT("250 2.7.0 Ok, discarded");
		break;
	case FATE_DEFER:
		row->reply = span_text(arena_printf(t->arena,
		    "451 4.7.1 Deferred by rule %.*s, try again later",
		    (int)v->rule->name.len, (const char *)v->rule->name.ptr));
		break;
	case FATE_REJECT:
		row->reply = rejection(t, v->reply);
		break;
	}
}

/* A check failed, and no rule that fired says what then: not accepted. */
static bool
unseen(const struct transaction *t, const struct verdict *v)
{
	return v->unknown_met || (t->unscannable && v->fact != FACT_MESSAGE_UNSCANNABLE);
}

static void
evaluate(struct transaction *t, struct policy_walk *walk, size_t i)
{
	struct fate_row *row = &t->rows[i];

	if (row->outcome == OUTCOME_ALREADY)
		return;
	envelope_facts_recipient(&t->findings, t->snapshot->settings, row->recipient->address,
	    t->arena);
	policy_walk_recipient(walk, t->arena, &row->verdict);
	if (row->verdict.fate == FATE_ACCEPT && unseen(t, &row->verdict))
		row->verdict.fate = FATE_DEFER;
	count_rules(t, &row->verdict);
	number_walk(t, i);
	apply_verdict(t, row);
}

/* --- variants --- */

static struct variant *
variant_for(struct transaction *t, const struct verdict *v)
{
	struct variant *strictest = NULL;

	for (size_t i = 0; i < t->variant_count; i++) {
		struct variant *have = &t->variants[i];

		if (verdict_same_changes(have->verdict, v))
			return have;
		if (strictest == NULL ||
		    have->verdict->change_count > strictest->verdict->change_count)
			strictest = have;
	}
	if (t->variant_count == VARIANTS)
		return strictest;
	struct variant *new = &t->variants[t->variant_count++];

	new->transaction = t;
	new->verdict = v;
	new->rows = arena_array(t->arena, size_t, t->envelope->recipient_count);
	return new;
}

static bool
wants_delivery(const struct fate_row *row)
{
	return row->outcome == OUTCOME_NONE && row->verdict.rule != NULL &&
	    row->verdict.fate == FATE_ACCEPT;
}

static void
make_variants(struct transaction *t)
{
	t->variants = arena_array(t->arena, struct variant, VARIANTS);
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (wants_delivery(&t->rows[i])) {
			struct variant *v = variant_for(t, &t->rows[i].verdict);

			v->rows[v->row_count++] = i;
		}
}

static void
find_client(struct transaction *t)
{
	mail_client_find(&t->client, t->session, t->envelope, t->examined.hops,
	    t->examined.hop_count);
}

/* SMTP has one reply: a recipient to be deferred defers all of them. */
static const struct fate_row *
deferred_row(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_NONE && t->rows[i].verdict.rule != NULL &&
		    t->rows[i].verdict.fate == FATE_DEFER)
			return &t->rows[i];
	return NULL;
}

static bool
all_rejected(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].verdict.rule == NULL ||
		    t->rows[i].verdict.fate != FATE_REJECT)
			return false;
	return true;
}

/* LMTP: each recipient hears its own. */
static void
settle_lmtp(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		struct fate_row *row = &t->rows[i];

		if (row->outcome != OUTCOME_NONE)
			continue;
		if (row->verdict.fate == FATE_DEFER)
			row->outcome = OUTCOME_DEFERRED;
		if (row->verdict.fate == FATE_REJECT)
			row->outcome = OUTCOME_REJECTED;
	}
}

void
begin_decide(struct transaction *t)
{
	const struct fate_row *deferred;
	struct policy_walk walk;

	find_client(t);
	message_facts(t);
	if (is_looping(t)) {
		count(t->gateway, COUNTER_LOOPS);
		transaction_end(t, OUTCOME_REJECTED, "554 5.4.6 Mail loops: too many hops");
		return;
	}
	policy_walk_begin(&walk, t->door->policy, &t->findings, t->arena);
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		evaluate(t, &walk, i);
	if (t->lmtp)
		settle_lmtp(t);
	else if ((deferred = deferred_row(t)) != NULL) {
		transaction_defer(t, arena_text(t->arena, deferred->reply));
		return;
	} else if (all_rejected(t)) {
		transaction_end(t, OUTCOME_REJECTED, "554 5.7.1 Rejected");
		return;
	}
	make_variants(t);
	t->current = 0;
	transaction_next(t);
}

/* --- rewriting --- */

static size_t
put_request(struct transaction *t, const struct verdict *v)
{
	struct packet_rewrite request = { .size = t->message.size, .header_limit = 1u << 20,
	    .change_count = v->change_count };
	struct pack p;

	request.changes = arena_array(t->arena, struct packet_change, v->change_count);
	for (size_t i = 0; i < v->change_count; i++)
		request.changes[i] = (struct packet_change){
		    .remove = v->changes[i]->kind == CHANGE_REMOVE,
		    .name = v->changes[i]->name, .value = v->changes[i]->value };
	t->job.packet = arena_alloc(t->arena, PACKET_BYTES);
	p = packet_begin(t->job.packet, PACKET_REWRITE, 0);
	packet_put_rewrite(&p, &request);
	return p.full ? 0 : p.len;
}

/* It can never be rewritten - thousands of header fields, say: its recipients' copies are
   kept, and the variant is gone. */
static void
keep_variant(struct transaction *t)
{
	struct variant *v = &t->variants[t->current];

	for (size_t i = 0; i < v->row_count; i++) {
		t->rows[v->rows[i]].quarantine = SPAN_LIT("unscannable");
		t->rows[v->rows[i]].reply = SPAN_LIT("554 5.6.0 The header cannot be rewritten");
	}
	t->variants[t->current] = t->variants[--t->variant_count];
	begin_rewrite(t);
}

static void
rewritten(struct job *j, enum status st, enum packet_type type, struct unpack body,
    struct error *err)
{
	struct transaction *t = container_of(j, struct transaction, job);
	struct variant *v = &t->variants[t->current];
	struct packet_rewritten answer = { 0 };

	if (st == ST_OK && type == PACKET_REWRITTEN) {
		struct unpack kept = { arena_span(t->arena, body.rest), false };

		if (packet_take_rewritten(&kept, &answer, t->message.size) &&
		    answer.status == ST_OK) {
			v->changes = answer.edits;
			t->current++;
			begin_rewrite(t);
			return;
		}
		edit_free(&answer.edits);
	}
	log_event(&t->gateway->log, EVENT_INSPECTOR, LOG_IS_WARNING, "id", t->id, "problem",
	    st != ST_OK ? err->text : "no usable edits", NULL);
	if (answer.status == ST_PERM)
		keep_variant(t);
	else
		transaction_defer(t, "451 4.3.0 The message could not be rewritten");
}

/* One variant after the other; those without changes need none. */
void
begin_rewrite(struct transaction *t)
{
	struct error err;

	while (t->current < t->variant_count &&
	    t->variants[t->current].verdict->change_count == 0)
		t->current++;
	if (t->current == t->variant_count) {
		transaction_next(t);
		return;
	}
	t->job = (struct job){ .message = t->message.fd, .done = rewritten,
	    .client = t->job.client };
	t->job.packet_len = put_request(t, t->variants[t->current].verdict);
	if (t->job.packet_len == 0 ||
	    inspect_begin(t->gateway->inspectors, &t->job, &err) != ST_OK)
		transaction_defer(t, "451 4.3.2 Too busy, try again later");
}
