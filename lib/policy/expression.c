/*
 * expression.c - infix to postfix (the shunting yard), and the walk over the postfix.
 */
#include "lib/policy/expression.h"
#include <assert.h>

/* At one level of parentheses an `or` waits, an `and` on top of it, then nots and the
   next parenthesis: the last two are what POLICY_DEPTH counts. */
#define WAITING         (3 * (POLICY_DEPTH + 1))
/* Operands that wait for those operators, and the one just read. */
#define OPERANDS        (2 * (POLICY_DEPTH + 1) + 1)

enum pending_kind { PENDING_PARENTHESIS = 0, PENDING_OR, PENDING_AND, PENDING_NOT };

struct parser {
	struct reader     *r;
	struct expression *e;
	struct pending { enum pending_kind kind; struct place place; } waiting[WAITING];
	size_t             count;
	unsigned           depth;       /* parentheses and nots that wait */
};

static const char *const groups[] = { "any", "all", "no", "count" };

static void
emit(struct parser *p, enum pending_kind kind)
{
	static const enum step_kind steps[] = {
	    [PENDING_OR] = STEP_OR,
	    [PENDING_AND] = STEP_AND,
	    [PENDING_NOT] = STEP_NOT,
	};

	p->e->steps[p->e->count++].kind = steps[kind];
}

/* Operators that bind at least as tightly as `kind` have all their operands. */
static void
settle(struct parser *p, enum pending_kind kind)
{
	while (p->count > 0 && p->waiting[p->count - 1].kind >= kind) {
		p->depth -= p->waiting[--p->count].kind == PENDING_NOT;
		emit(p, p->waiting[p->count].kind);
	}
}

static bool
wait_for(struct parser *p, enum pending_kind kind, struct place place)
{
	bool deeper = kind == PENDING_PARENTHESIS || kind == PENDING_NOT;

	if (deeper && p->depth == POLICY_DEPTH) {
		complain(p->r->complaints, place,
		    "expected at most %u parentheses and nots "
		    "inside one another",
		    POLICY_DEPTH);
		return false;
	}
	p->depth += deeper;
	assert(p->count < WAITING);
	p->waiting[p->count++] = (struct pending){ kind, place };
	return true;
}

/* A group is told by what follows, so that a fact could have the name. */
static bool
is_group(const struct reader *r)
{
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		if (token_is(&r->tokens[r->at], groups[i]) && r->at + 1 < r->count &&
		    r->tokens[r->at + 1].kind == TOKEN_WORD)
			return true;
	return false;
}

static bool
read_fact(struct parser *p)
{
	const struct token *t = reader_peek(p->r);

	if (t != NULL && is_group(p->r)) {
		complain(p->r->complaints, t->place,
		    "%s needs groups of facts, which this "
		    "version does not have",
		    token_shown(t).text);
		return false;
	}
	struct step *s = &p->e->steps[p->e->count];

	if (!comparison_parse(p->r, &s->comparison))
		return false;
	p->e->count++;
	p->e->per_recipient |= fact_row(s->comparison.fact)->per_recipient;
	return true;
}

/* Nots and opening parentheses, up to a fact. */
static bool
read_operand(struct parser *p)
{
	for (;;) {
		struct place at = reader_place(p->r);

		if (reader_takes(p->r, "not")) {
			if (!wait_for(p, PENDING_NOT, at))
				return false;
		} else if (reader_takes(p->r, "(")) {
			if (!wait_for(p, PENDING_PARENTHESIS, at))
				return false;
		} else
			break;
	}
	if (!read_fact(p))
		return false;
	settle(p, PENDING_NOT);
	return true;
}

static bool
close_parenthesis(struct parser *p)
{
	settle(p, PENDING_OR);
	if (p->count == 0) {
		p->r->at--;
		return reader_expected(p->r, "and, or, or the condition's end");
	}
	p->count--;
	p->depth--;
	settle(p, PENDING_NOT);
	return true;
}

/* Closing parentheses, then `and` or `or`: *more; else the condition's end. */
static bool
read_operator(struct parser *p, bool *more)
{
	while (reader_takes(p->r, ")"))
		if (!close_parenthesis(p))
			return false;
	struct place at = reader_place(p->r);

	*more = true;
	if (reader_takes(p->r, "and")) {
		settle(p, PENDING_AND);
		return wait_for(p, PENDING_AND, at);
	}
	if (reader_takes(p->r, "or")) {
		settle(p, PENDING_OR);
		return wait_for(p, PENDING_OR, at);
	}
	*more = false;
	settle(p, PENDING_OR);
	if (p->count == 0)
		return true;
	return reader_expected(p->r, arena_printf(p->r->arena,
					 "and, or, or a ) for the ( "
					 "of line %u, column %u",
					 p->waiting[p->count - 1].place.line,
					 p->waiting[p->count - 1].place.column));
}

static bool
is_own_client(const struct comparison *c)
{
	return (c->fact == FACT_CLIENT_LOCAL || c->fact == FACT_CLIENT_AUTHENTICATED) &&
	    (c->op == OP_EQ) == (c->number == 1);
}

/* `not (client.local = no)` holds for an absent fact too: a term under a not never
 * counts. */
static bool
needs_own_client(const struct expression *e)
{
	bool stack[OPERANDS];
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++)
		switch (e->steps[i].kind) {
		case STEP_COMPARE:
			stack[n++] = is_own_client(&e->steps[i].comparison);
			break;
		case STEP_NOT:
			stack[n - 1] = false;
			break;
		case STEP_AND:
			n--;
			stack[n - 1] = stack[n - 1] || stack[n];
			break;
		case STEP_OR:
			n--;
			stack[n - 1] = stack[n - 1] && stack[n];
			break;
		}
	return stack[0];
}

const struct expression *
expression_parse(struct reader *r)
{
	struct parser p = { .r = r, .e = arena_new(r->arena, struct expression) };
	bool more = true;

	/* Every step comes from a token of its own. */
	p.e->steps = arena_array(r->arena, struct step, r->count - r->at);
	while (more)
		if (!read_operand(&p) || !read_operator(&p, &more))
			return NULL;
	p.e->needs_own_client = needs_own_client(p.e);
	return p.e;
}

/* A value, and the fact of the term at which it was certain, read from the left. */
struct operand { enum truth truth; enum fact fact; };

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

enum truth
expression_value(const struct expression *e, const struct findings *f, enum fact *decided)
{
	struct operand stack[OPERANDS];
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct step *s = &e->steps[i];

		switch (s->kind) {
		case STEP_COMPARE:
			stack[n++] = (struct operand){
			    comparison_value(&s->comparison, f), s->comparison.fact};
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
	*decided = stack[0].fact;
	return stack[0].truth;
}
