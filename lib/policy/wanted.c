/*
 * wanted.c - which facts that nobody was asked for yet may still change a verdict.
 *
 * A condition is evaluated over sets: each operand has the truths that it may still come
 * to.  That a fact which stands in it twice is the same each time is not used: then more
 * may be wanted than is needed, never less.
 */
#include "lib/policy/expression.h"
#include "lib/finding/score.h"

#define CAN_ANY (CAN(TRUTH_NO) | CAN(TRUTH_YES) | CAN(TRUTH_UNKNOWN))

struct outlook_cache { bool known; struct outlook outlook; };

static enum truth
join_truth(enum truth a, enum truth b, enum truth strong)
{
	if (a == strong || b == strong)
		return strong;
	return a == TRUTH_UNKNOWN ? a : b;
}

static struct outlook
join(const struct outlook *a, const struct outlook *b, enum truth strong)
{
	struct outlook o = { 0 };

	for (unsigned x = TRUTH_NO; x <= TRUTH_UNKNOWN; x++)
		for (unsigned y = TRUTH_NO; y <= TRUTH_UNKNOWN; y++)
			if ((a->can & CAN(x)) != 0 && (b->can & CAN(y)) != 0)
				o.can |= CAN(join_truth((enum truth)x, (enum truth)y, strong));
	if (o.can == CAN(TRUTH_NO) || o.can == CAN(TRUTH_YES))
		return o;
	o.pending = a->pending;
	o.unknown = a->unknown;
	fact_set_join(&o.pending, &b->pending);
	fact_set_join(&o.unknown, &b->unknown);
	return o;
}

static unsigned
opposite(unsigned can)
{
	return (can & CAN(TRUTH_UNKNOWN)) | (can & CAN(TRUTH_NO) ? CAN(TRUTH_YES) : 0) |
	    (can & CAN(TRUTH_YES) ? CAN(TRUTH_NO) : 0);
}

static struct outlook
certain(enum truth t, enum fact fact)
{
	struct outlook o = { .can = CAN(t) };

	if (t == TRUTH_UNKNOWN)
		fact_set_add(&o.unknown, fact);
	return o;
}

static struct outlook
score_outlook(const struct comparison *c, const struct subject *s, struct score_range range)
{
	struct value v = subject_score(s);
	struct outlook o = { 0 };

	if (v.state != FACT_KNOWN)
		return certain(TRUTH_UNKNOWN, c->fact);
	int64_t least = score_bounded(v.number + range.least);
	int64_t most = score_bounded(v.number + range.most);

	if (number_could_be(c->op, least, most, c->number))
		o.can |= CAN(TRUTH_YES);
	if (number_could_be(number_opposite(c->op), least, most, c->number))
		o.can |= CAN(TRUTH_NO);
	return o;
}

static struct outlook
compare(const struct comparison *c, struct subject *s, struct score_range range)
{
	if (c->fact != FACT_PATTERN && s->findings->values[c->fact].pending) {
		struct outlook o = { .can = CAN_ANY };

		fact_set_add(&o.pending, c->fact);
		return o;
	}
	return c->fact == FACT_SPAM_SCORE ? score_outlook(c, s, range) :
	    certain(comparison_value(c, s), c->fact);
}

/* A group that more items may come to is decided only by those it has. */
static struct outlook
group_outlook(const struct step *s, struct subject *subject)
{
	bool pending = subject->findings->groups[s->group].pending;
	struct outlook o = { .can = CAN(group_truth(s, subject)) };

	if (o.can != CAN(TRUTH_UNKNOWN))
		return o;
	if (pending)
		o.can = CAN_ANY;
	for (size_t i = 1; i <= s->length; i++)
		if (s[i].kind == STEP_COMPARE)
			fact_set_add(pending ? &o.pending : &o.unknown, s[i].comparison.fact);
	return o;
}

struct outlook
expression_outlook(const struct expression *e, const struct findings *f,
    struct score_range range)
{
	struct subject subject = { .findings = f };
	struct outlook stack[EXPRESSION_OPERANDS];
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct step *s = &e->steps[i];

		switch (s->kind) {
		case STEP_COMPARE:
			stack[n++] = compare(&s->comparison, &subject, range);
			break;
		case STEP_GROUP:
			stack[n++] = group_outlook(s, &subject);
			i += s->length;
			break;
		case STEP_NOT:
			stack[n - 1].can = opposite(stack[n - 1].can);
			break;
		case STEP_AND:
			n--;
			stack[n - 1] = join(&stack[n - 1], &stack[n], TRUTH_NO);
			break;
		case STEP_OR:
			n--;
			stack[n - 1] = join(&stack[n - 1], &stack[n], TRUTH_YES);
			break;
		}
	}
	return stack[0];
}

/* --- walks --- */

static bool
anything_pending(const struct policy *p, const struct findings *f)
{
	for (size_t i = 0; i < COUNT_OF(p->facts.bits); i++)
		for (uint64_t bits = p->facts.bits[i]; bits != 0; bits &= bits - 1) {
			enum fact fact = (enum fact)(64 * i + (size_t)__builtin_ctzll(bits));
			enum fact_group g = fact_group(fact);

			if (g == GROUP_NONE ? f->values[fact].pending : f->groups[g].pending)
				return true;
		}
	return false;
}

static struct outlook
rule_outlook(struct policy_walk *w, size_t index, struct score_range range)
{
	const struct rule *r = &w->policy->rules[index];
	struct outlook_cache *cache = &w->outlooks[index];

	if (r->when == NULL)
		return (struct outlook){ .can = CAN(TRUTH_YES) };
	if (!cache->known)
		*cache = (struct outlook_cache){ !r->per_recipient,
		    expression_outlook(r->when, w->findings, range) };
	return cache->outlook;
}

static void
widen(struct score_range *range, int64_t score, bool for_certain)
{
	if (for_certain || score < 0)
		range->least = score_bounded(range->least + score);
	if (for_certain || score > 0)
		range->most = score_bounded(range->most + score);
}

void
policy_wanted(struct policy_walk *w, struct fact_set *wanted)
{
	const struct policy *p = w->policy;
	struct score_range range = { 0 };

	if (!anything_pending(p, w->findings))
		return;
	if (w->outlooks == NULL)
		w->outlooks = arena_array(w->arena, struct outlook_cache, p->rule_count);
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *r = &p->rules[i];
		struct outlook o = rule_outlook(w, i, range);
		bool fires = o.can == CAN(TRUTH_YES);

		fact_set_join(wanted, &o.pending);
		if (r->monitor || (o.can & CAN(TRUTH_YES)) == 0)
			continue;
		if (r->has_fate && fires)
			return;
		/* Behind a final rule there is only the mail for which it did not fire. */
		if (!r->has_fate)
			widen(&range, r->score, fires);
	}
}
