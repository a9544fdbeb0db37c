/*
 * evaluate.c - the value of a condition, and the term that decided it.
 */
#include "lib/policy/expression.h"

/* A value, and where it was certain, read from the left. */
struct operand { enum truth truth; struct trace by; };

static enum truth
opposite(enum truth t)
{
	switch (t) {
	case TRUTH_NO:      return TRUTH_YES;
	case TRUTH_YES:     return TRUTH_NO;
	case TRUTH_UNKNOWN: return TRUTH_UNKNOWN;
	}
	return TRUTH_UNKNOWN;
}

/* `strong` decides alone: no for `and`, yes for `or`; else an unknown one decides, else
   the last one read. */
static struct operand
join(struct operand a, struct operand b, enum truth strong)
{
	if (a.truth == strong)
		return a;
	if (b.truth == strong)
		return b;
	return a.truth == TRUTH_UNKNOWN ? a : b;
}

/* --- quantifiers --- */

/* How many items are so, and the first of each value; `first` by enum truth. */
struct tally { uint32_t counts[3]; struct operand first[3]; };

static struct operand steps_value(const struct step *, size_t count, struct subject *);

/* The value that decides `any`, `all` or `no` as soon as one item has it. */
static enum truth
strong_of(enum quantifier q)
{
	return q == QUANTIFIER_ALL ? TRUTH_NO : TRUTH_YES;
}

static void
take_tally(const struct step *s, struct subject *subject, struct tally *t)
{
	const struct items *all = &subject->findings->groups[s->group];

	for (size_t i = 0; i < all->count; i++) {
		subject->item = all->list[i];
		struct operand o = steps_value(s + 1, s->length, subject);

		o.by.item = (uint32_t)i;
		if (t->counts[o.truth]++ == 0)
			t->first[o.truth] = o;
		if (s->quantifier != QUANTIFIER_COUNT && o.truth == strong_of(s->quantifier))
			break;
	}
	subject->item = NULL;
}

bool
number_could_be(enum comparison_op op, int64_t least, int64_t most, int64_t n)
{
	switch (op) {
	case OP_EQ: return least <= n && n <= most;
	case OP_NE: return least != n || most != n;
	case OP_LT: return least < n;
	case OP_LE: return least <= n;
	case OP_GT: return most > n;
	case OP_GE: return most >= n;
	case OP_IN:
	case OP_MATCHES:
		break;
	}
	return false;
}

enum comparison_op
number_opposite(enum comparison_op op)
{
	static const enum comparison_op opposites[] = {
		[OP_EQ] = OP_NE, [OP_NE] = OP_EQ, [OP_LT] = OP_GE, [OP_GE] = OP_LT,
		[OP_GT] = OP_LE, [OP_LE] = OP_GT,
	};

	return opposites[op];
}

static enum truth
count_truth(const struct comparison *c, const struct tally *t, bool cut)
{
	int64_t least = t->counts[TRUTH_YES];
	int64_t most = cut ? INT64_MAX : least + t->counts[TRUTH_UNKNOWN];

	if (!number_could_be(number_opposite(c->op), least, most, c->number))
		return TRUTH_YES;
	return number_could_be(c->op, least, most, c->number) ? TRUTH_UNKNOWN : TRUTH_NO;
}

/* Is there an item with the strong value? */
static enum truth
found(const struct tally *t, enum truth strong, bool cut)
{
	if (t->counts[strong] > 0)
		return TRUTH_YES;
	return t->counts[TRUTH_UNKNOWN] > 0 || cut ? TRUTH_UNKNOWN : TRUTH_NO;
}

static enum truth
tally_truth(const struct step *s, const struct tally *t, bool cut)
{
	enum truth is_there = found(t, strong_of(s->quantifier), cut);

	if (s->quantifier == QUANTIFIER_COUNT)
		return count_truth(&s->comparison, t, cut);
	return s->quantifier == QUANTIFIER_ANY ? is_there : opposite(is_there);
}

static enum fact
first_fact(const struct step *s)
{
	while (s->kind != STEP_COMPARE)
		s++;
	return s->comparison.fact;
}

static struct operand
group_value(const struct step *s, struct subject *subject)
{
	struct tally t = { 0 };

	take_tally(s, subject, &t);
	struct operand o = {
		.truth = tally_truth(s, &t, subject->findings->groups[s->group].cut),
		.by = { .fact = first_fact(s + 1), .item = TRACE_NO_ITEM },
	};
	enum truth named = o.truth == TRUTH_UNKNOWN ? TRUTH_UNKNOWN :
	    strong_of(s->quantifier);

	if (t.counts[named] > 0)
		o.by = t.first[named].by;
	o.by.quantifier = s->quantifier;
	if (s->quantifier == QUANTIFIER_COUNT)
		o.by.matched = t.counts[TRUTH_YES];
	return o;
}

enum truth
group_truth(const struct step *s, struct subject *subject)
{
	return group_value(s, subject).truth;
}

/* --- conditions --- */

static struct operand
compare(const struct comparison *c, struct subject *s)
{
	return (struct operand){ comparison_value(c, s), { .fact = c->fact,
		.item = c->fact == FACT_PATTERN ? c->pattern.index : TRACE_NO_ITEM } };
}

static struct operand
steps_value(const struct step *steps, size_t count, struct subject *subject)
{
	struct operand stack[EXPRESSION_OPERANDS];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct step *s = &steps[i];

		switch (s->kind) {
		case STEP_COMPARE:
			stack[n++] = compare(&s->comparison, subject);
			break;
		case STEP_GROUP:
			stack[n++] = group_value(s, subject);
			i += s->length;
			break;
		case STEP_NOT:
			stack[n - 1].truth = opposite(stack[n - 1].truth);
			break;
		case STEP_AND:
			n--;
			stack[n - 1] = join(stack[n - 1], stack[n], TRUTH_NO);
			break;
		case STEP_OR:
			n--;
			stack[n - 1] = join(stack[n - 1], stack[n], TRUTH_YES);
			break;
		}
	}
	return stack[0];
}

enum truth
expression_value_if(const struct expression *e, const struct findings *f, int64_t score,
    const struct fact_set *denied, struct trace *decided)
{
	struct subject subject = { .findings = f, .score = score, .denied = denied };
	struct operand o = steps_value(e->steps, e->count, &subject);

	*decided = o.by;
	return o.truth;
}

enum truth
expression_value(const struct expression *e, const struct findings *f, struct trace *decided)
{
	return expression_value_if(e, f, 0, NULL, decided);
}
