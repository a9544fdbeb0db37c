/*
 * decide.c - rules walked for each recipient, variants made of the verdicts.
 */
#include "src/gateway/tag.h"
#include "lib/base/text.h"
#include <stdio.h>

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

/* "451 4.7.1 clamd: no answer within 30 s, try again later", or what is not the fault of a
   scanner. */
static struct span
deferral(struct transaction *t, const struct fate_row *row)
{
	const struct settings *s = t->snapshot->settings;
	const char *who = "the message";
	struct span why = SPAN_LIT("could not be examined");

	if (row->blamed == BLAMES_RULE)
		return span_text(arena_printf(t->arena,
		    "451 4.7.1 Deferred by rule %.*s, try again later",
		    (int)row->verdict.rule->name.len,
		    (const char *)row->verdict.rule->name.ptr));
	if (row->blamed < s->scanner_count) {
		who = s->scanners[row->blamed].name;
		why = scan_failure(t, row->blamed);
	}
	return span_text(arena_printf(t->arena, "451 4.7.1 %s: %.*s, try again later", who,
	    (int)(why.len < 200 ? why.len : 200), (const char *)why.ptr));
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
	case FATE_HOLD:
		row->quarantine = SPAN_LIT("hold");
		row->reply = deferral(t, row);
		break;
	case FATE_DEFER:
		row->reply = deferral(t, row);
		break;
	case FATE_REJECT:
		row->reply = rejection(t, v->reply);
		break;
	}
}

/* An accept is replaced where a check has failed that could have prevented it. */
static void
judge_failures(struct transaction *t, struct fate_row *row)
{
	struct on_failure_verdict o = policy_on_failure(&row->verdict, t->snapshot->settings,
	    &t->failures);

	row->blamed = o.fate == row->verdict.fate ? BLAMES_RULE : o.scanner;
	row->missing = o.missing;
	row->verdict.fate = o.fate;
	if (o.fate == FATE_HOLD && t->session->held != NULL)
		row->verdict.fate = FATE_DEFER;         /* as it is: it stays held */
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
	judge_failures(t, row);
	row->extended = tag_recipient(t, row);
	count_rules(t, &row->verdict);
	number_walk(t, i);
	apply_verdict(t, row);
}

/* --- variants --- */

static struct variant *
variant_for(struct transaction *t, const struct verdict *v, uint64_t missing)
{
	struct variant *strictest = NULL;

	for (size_t i = 0; i < t->variant_count; i++) {
		struct variant *have = &t->variants[i];

		if (have->missing == missing && verdict_same_changes(have->verdict, v))
			return have;
		if (strictest == NULL || tag_is_stricter(have->verdict, strictest->verdict))
			strictest = have;
	}
	if (t->variant_count == VARIANTS) {
		/* Nobody who is to be marked goes without: the strictest of all. */
		if (tag_is_stricter(v, strictest->verdict))
			strictest->verdict = v;
		return strictest;
	}
	struct variant *new = &t->variants[t->variant_count++];

	new->transaction = t;
	new->verdict = v;
	new->missing = missing;
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
			struct variant *v = variant_for(t, &t->rows[i].verdict,
			    t->rows[i].missing);

			v->missing |= t->rows[i].missing;
			v->rows[v->row_count++] = i;
		}
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
	struct packet_rewrite request = { .size = t->message.size, .header_limit = 1u << 20 };
	struct pack p;

	tag_fill_request(t, v, &request);
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

/* One variant after the other; those that only get fields on top need none. */
void
begin_rewrite(struct transaction *t)
{
	struct error err;

	while (t->current < t->variant_count &&
	    !tag_needs_edits(t, t->variants[t->current].verdict))
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
