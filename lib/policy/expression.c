/*
 * expression.c - infix to postfix (the shunting yard).
 */
#include "lib/policy/expression.h"
#include <assert.h>

/* At one level of parentheses an `or` waits, an `and` on top of it, then nots and the
   next parenthesis: the last two are what POLICY_DEPTH counts. */
#define WAITING         (3 * (POLICY_DEPTH + 1))

enum pending_kind { PENDING_PARENTHESIS = 0, PENDING_OR, PENDING_AND, PENDING_NOT };

struct parser {
	struct reader     *r;
	struct expression *e;
	struct pending { enum pending_kind kind; struct place place; } waiting[WAITING];
	size_t             count;
	unsigned           depth;       /* parentheses and nots that wait */
	bool               inside;      /* a quantifier's parentheses */
};

static const struct { const char *word; enum quantifier quantifier; } quantifiers[] = {
	{ "any", QUANTIFIER_ANY }, { "all", QUANTIFIER_ALL }, { "no", QUANTIFIER_NO },
	{ "count", QUANTIFIER_COUNT },
};

static const char *
quantifier_word(enum quantifier q)
{
	for (size_t i = 0; i < COUNT_OF(quantifiers); i++)
		if (quantifiers[i].quantifier == q)
			return quantifiers[i].word;
	return "";
}

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

/* QUANTIFIER_NONE if there is none; told by the word that follows, so that a fact could
   have the name. */
static enum quantifier
peek_quantifier(const struct reader *r)
{
	for (size_t i = 0; i < COUNT_OF(quantifiers) && r->at + 1 < r->count; i++)
		if (token_is(&r->tokens[r->at], quantifiers[i].word) &&
		    r->tokens[r->at + 1].kind == TOKEN_WORD)
			return quantifiers[i].quantifier;
	return QUANTIFIER_NONE;
}

static bool
read_group_name(struct parser *p, struct step *s)
{
	const struct token *t = reader_peek(p->r);
	struct nearest n = { .word = t->text };

	s->group = group_find(t->text);
	if (s->group != GROUP_COUNT) {
		p->r->at++;
		return reader_takes(p->r, "(") ||
		    reader_expected(p->r, "( and a condition");
	}
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		nearest_try(&n, group_row((enum fact_group)g)->name);
	complain(p->r->complaints, t->place, "unknown group %s%s", token_shown(t).text,
	    nearest_hint(&n).text);
	return false;
}

static bool read_condition(struct parser *);

/* QUANTIFIER GROUP ( CONDITION ) [ op NUMBER ].  Inside there is no other, so the parser
   calls itself no deeper than this. */
static bool
read_quantified(struct parser *p, enum quantifier q)
{
	size_t at = p->e->count++;
	struct step *s = &p->e->steps[at];
	struct parser inner = { .r = p->r, .e = p->e, .inside = true };

	if (p->inside) {
		complain(p->r->complaints, reader_place(p->r), "`%s' cannot stand in the "
		    "parentheses of another any, all, no or count", quantifier_word(q));
		return false;
	}
	*s = (struct step){ .kind = STEP_GROUP, .quantifier = q };
	p->r->at++;
	if (!read_group_name(p, s))
		return false;
	p->r->group = s->group;
	bool ok = read_condition(&inner);

	p->r->group = GROUP_NONE;
	s->length = p->e->count - at - 1;
	return ok && (q != QUANTIFIER_COUNT || comparison_parse_count(p->r, &s->comparison));
}

/* An item's fact outside of parentheses means that any item is so. */
static void
wrap_any(struct parser *p, enum fact_group g)
{
	struct step *s = &p->e->steps[p->e->count++];

	s[0] = s[-1];
	s[-1] = (struct step){ .kind = STEP_GROUP, .quantifier = QUANTIFIER_ANY,
		.group = g, .length = 1 };
}

static bool
read_fact(struct parser *p)
{
	enum quantifier q = peek_quantifier(p->r);

	if (q != QUANTIFIER_NONE)
		return read_quantified(p, q);
	struct step *s = &p->e->steps[p->e->count];

	if (!comparison_parse(p->r, &s->comparison))
		return false;
	enum fact_group g = fact_group(s->comparison.fact);

	p->e->count++;
	p->e->per_recipient |= fact_row(s->comparison.fact)->per_recipient;
	p->e->wishes |= fact_wishes(s->comparison.fact);
	fact_set_add(&p->e->facts, s->comparison.fact);
	if (g != GROUP_NONE && !p->inside)
		wrap_any(p, g);
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

static bool
has_parenthesis(const struct parser *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->waiting[i].kind == PENDING_PARENTHESIS)
			return true;
	return false;
}

/* Closing parentheses, then `and` or `or`: *more; else the condition's end. */
static bool
read_operator(struct parser *p, bool *more)
{
	while (reader_takes(p->r, ")")) {
		if (p->inside && !has_parenthesis(p)) {
			settle(p, PENDING_OR);
			*more = false;
			return true;
		}
		if (!close_parenthesis(p))
			return false;
	}
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
		return !p->inside || reader_expected(p->r, "and, or, or a )");
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
	bool stack[EXPRESSION_OPERANDS];
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++)
		switch (e->steps[i].kind) {
		case STEP_COMPARE:
			stack[n++] = is_own_client(&e->steps[i].comparison);
			break;
		case STEP_GROUP:
			stack[n++] = false;
			i += e->steps[i].length;
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

bool
expression_bound(const struct expression *e, int64_t *thousandths)
{
	bool found = false;

	for (size_t i = 0; i < e->count; i++) {
		const struct comparison *c = &e->steps[i].comparison;

		if (e->steps[i].kind != STEP_COMPARE || c->fact != FACT_SPAM_SCORE ||
		    (found && c->number >= *thousandths))
			continue;
		*thousandths = c->number;
		found = true;
	}
	return found;
}

static bool
read_condition(struct parser *p)
{
	bool more = true;

	while (more)
		if (!read_operand(p) || !read_operator(p, &more))
			return false;
	return true;
}

const struct expression *
expression_parse(struct reader *r)
{
	struct parser p = { .r = r, .e = arena_new(r->arena, struct expression) };

	/* A step comes from a token of its own, but an item's fact may give two. */
	p.e->steps = arena_array(r->arena, struct step, 2 * (r->count - r->at) + 1);
	if (!read_condition(&p))
		return NULL;
	p.e->needs_own_client = needs_own_client(p.e);
	return p.e;
}
