/*
 * test_expression.c - conditions against a naive reading of them, exhaustively.
 *
 * Every string of up to TOKENS tokens over F not and or ( ), where the n-th F is the
 * n-th fact, is read by a plain recursive descent and by expression_parse; where both
 * take it, every state of every fact is tried.  The reference does not know Kleene's
 * tables: as no fact stands twice, a value is unknown exactly when the unknown facts
 * could still make it yes and no.
 */
#include "lib/policy/expression.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define TOKENS 7
#define FACTS  4

static const enum fact facts[FACTS] = { FACT_CLIENT_TRUSTED, FACT_CLIENT_LOCAL,
	FACT_CLIENT_AUTHENTICATED, FACT_RECIPIENT_LOCAL };
static const char *const names[FACTS] = { "client.trusted", "client.local",
	"client.authenticated", "recipient.local" };

struct text { const char *s; size_t at, facts; bool bad; };

/* Recursive descent that evaluates while it reads; only for the tests' short strings. */
static bool naive_or(struct text *, const bool *values);

static bool
naive_term(struct text *t, const bool *values)
{
	bool v;

	switch (t->s[t->at]) {
	case 'n':
		t->at++;
		return !naive_term(t, values);
	case '(':
		t->at++;
		v = naive_or(t, values);
		if (t->s[t->at] != ')')
			t->bad = true;
		else
			t->at++;
		return v;
	case 'F':
		t->at++;
		return values[t->facts++];
	default:
		t->bad = true;
		return false;
	}
}

static bool
naive_and(struct text *t, const bool *values)
{
	bool v = naive_term(t, values);

	while (!t->bad && t->s[t->at] == 'a') {
		t->at++;
		bool right = naive_term(t, values);

		v = v && right;
	}
	return v;
}

static bool
naive_or(struct text *t, const bool *values)
{
	bool v = naive_and(t, values);

	while (!t->bad && t->s[t->at] == 'o') {
		t->at++;
		bool right = naive_and(t, values);

		v = v || right;
	}
	return v;
}

static bool
naive(const char *s, const bool *values, bool *bad)
{
	struct text t = { .s = s };
	bool v = naive_or(&t, values);

	*bad = t.bad || s[t.at] != '\0';
	return v;
}

/* All ways that the unknown ones could turn out. */
static enum truth
naive_truth(const char *s, const enum truth *states, size_t n)
{
	bool can[2] = { false, false }, bad;

	for (unsigned world = 0; world < 1u << n; world++) {
		bool values[FACTS + 1] = { false }, fits = true;

		for (size_t i = 0; i < n; i++) {
			values[i] = world >> i & 1;
			fits &= states[i] == TRUTH_UNKNOWN || values[i] == (states[i] == TRUTH_YES);
		}
		if (fits)
			can[naive(s, values, &bad)] = true;
	}
	return can[0] && can[1] ? TRUTH_UNKNOWN : can[1] ? TRUTH_YES : TRUTH_NO;
}

/* Certain: the fact with which it became so.  Unknown: the first that could change it. */
static size_t
naive_decided(const char *s, const enum truth *states, size_t n, enum truth value)
{
	enum truth some[FACTS] = { 0 };

	for (size_t i = 0; i < n; i++)
		some[i] = value == TRUTH_UNKNOWN ? states[i] : TRUTH_UNKNOWN;
	if (value != TRUTH_UNKNOWN) {
		for (size_t i = 0; i < n; i++) {
			some[i] = states[i];
			if (naive_truth(s, some, n) != TRUTH_UNKNOWN)
				return i;
		}
		return n;
	}
	/* It matters if some turn of the others makes it decide. */
	for (size_t i = 0; i < n; i++) {
		if (states[i] != TRUTH_UNKNOWN)
			continue;
		for (unsigned world = 0; world < 1u << n; world++) {
			for (size_t j = 0; j < n; j++) {
				some[j] = world >> j & 1 ? TRUTH_YES : TRUTH_NO;
				if (states[j] != TRUTH_UNKNOWN)
					some[j] = states[j];
			}
			some[i] = TRUTH_NO;
			enum truth without = naive_truth(s, some, n);

			some[i] = TRUTH_YES;
			if (naive_truth(s, some, n) != without)
				return i;
		}
	}
	return n;
}

/* The condition as tokens; hand-built, so that the lexer has no part in it. */
static size_t
tokens_of(const char *s, struct token *tokens)
{
	size_t n = 0, f = 0;

	for (; s[n] != '\0'; n++) {
		const char *text = s[n] == 'F' ? names[f++] : s[n] == 'n' ? "not" :
		    s[n] == 'a' ? "and" : s[n] == 'o' ? "or" : s[n] == '(' ? "(" : ")";

		tokens[n] = (struct token){ .text = span_text(text),
			.kind = s[n] == '(' || s[n] == ')' ? TOKEN_OPERATOR : TOKEN_WORD,
			.place = { "t", 1, 1 } };
	}
	return n;
}

static void
check_states(const char *s, const struct expression *e, size_t n)
{
	for (unsigned all = 0; all < 1u << 2 * n; all++) {
		struct findings f = { 0 };
		enum truth states[FACTS] = { 0 };
		struct trace decided;

		for (size_t i = 0; i < n; i++) {
			unsigned state = all >> 2 * i & 3;

			states[i] = state == 3 ? TRUTH_UNKNOWN : state == 2 ? TRUTH_YES : TRUTH_NO;
			if (state == 3)
				findings_set_unknown(&f, facts[i], "test");
			else if (state != 0)
				findings_set_truth(&f, facts[i], state == 2);
		}
		enum truth want = naive_truth(s, states, n);

		if (expression_value(e, &f, &decided) != want)
			fail_msg("%s with states %x: not %d", s, all, want);
		if (decided.fact != facts[naive_decided(s, states, n, want)])
			fail_msg("%s with states %x: decided by %s", s, all,
			    fact_row(decided.fact)->name);
	}
}

/* True only where client.local or client.authenticated is: whatever its form shows must
   be so.  That the form shows enough is in test_policy's table. */
static void
check_own_client(const char *s, const struct expression *e, size_t n)
{
	for (unsigned world = 0; e->needs_own_client && world < 1u << n; world++) {
		bool values[FACTS + 1] = { false }, bad;

		for (size_t i = 0; i < n; i++)
			values[i] = world >> i & 1;
		if (naive(s, values, &bad) && !values[1] && !values[2])
			fail_msg("%s does not need an own client", s);
	}
}

/* Returns whether it is a condition. */
static bool
check(const char *s)
{
	const bool none[FACTS + 1] = { false };
	struct token tokens[TOKENS];
	struct lists lists = { 0 };
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	size_t count = tokens_of(s, tokens), n = 0;
	struct reader r = { .tokens = tokens, .count = count, .end = { "t", 1, 99 },
		.lists = &lists, .arena = &arena, .complaints = &c };
	bool bad;

	for (size_t i = 0; s[i] != '\0'; i++)
		n += s[i] == 'F';
	naive(s, none, &bad);
	const struct expression *e = expression_parse(&r);

	if (bad == (e != NULL && r.at == r.count))
		fail_msg("%s is %s", s, bad ? "no condition" : "a condition");
	if (e == NULL && c.count != 1)
		fail_msg("%s: %u complaints", s, c.count);
	if (!bad) {
		check_states(s, e, n);
		check_own_client(s, e, n);
	}
	buf_free(&c.text);
	arena_free(&arena);
	return !bad;
}

static void
test_exhaustive(void **state)
{
	const char letters[] = { 'F', 'n', 'a', 'o', '(', ')' };
	size_t taken = 0;

	for (size_t length = 0; length <= TOKENS; length++) {
		size_t all = 1;

		for (size_t i = 0; i < length; i++)
			all *= sizeof letters;
		for (size_t number = 0; number < all; number++) {
			char s[TOKENS + 1] = { 0 };
			size_t rest = number, n = 0;

			for (size_t i = 0; i < length; i++, rest /= sizeof letters) {
				s[i] = letters[rest % sizeof letters];
				n += s[i] == 'F';
			}
			/* A fifth fact cannot be part of a condition of seven tokens. */
			if (n <= FACTS)
				taken += check(s);
		}
	}
	assert_true(taken > 100);
}

/* OPEN times depth, one fact, CLOSE times depth. */
static bool
takes_depth(const char *open, const char *close, unsigned depth, enum truth *value)
{
	struct token tokens[4 * POLICY_DEPTH + 4];
	struct lists lists = { 0 };
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	struct findings f = { 0 };
	struct trace decided;
	size_t n = 0;

	for (unsigned i = 0; i <= depth; i++)
		for (const char *s = i < depth ? open : "F"; *s != '\0'; s++)
			tokens[n++].text = *s == 'F' ? SPAN_LIT("client.local") :
			    *s == 'n' ? SPAN_LIT("not") : SPAN_LIT("(");
	for (unsigned i = 0; i < depth && *close != '\0'; i++)
		tokens[n++].text = SPAN_LIT(")");
	assert_true(n <= COUNT_OF(tokens));
	for (size_t i = 0; i < n; i++) {
		bool op = span_equal(tokens[i].text, SPAN_LIT("(")) ||
		    span_equal(tokens[i].text, SPAN_LIT(")"));

		tokens[i].kind = op ? TOKEN_OPERATOR : TOKEN_WORD;
		tokens[i].place = (struct place){ "t", 1, 1 };
	}
	struct reader r = { .tokens = tokens, .count = n, .end = { "t", 1, 99 },
		.lists = &lists, .arena = &arena, .complaints = &c };
	const struct expression *e = expression_parse(&r);

	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	if (e != NULL)
		*value = expression_value(e, &f, &decided);
	buf_free(&c.text);
	arena_free(&arena);
	return e != NULL;
}

static void
test_depth(void **state)
{
	enum truth v;

	assert_true(takes_depth("(", ")", POLICY_DEPTH, &v));
	assert_int_equal(v, TRUTH_YES);
	assert_false(takes_depth("(", ")", POLICY_DEPTH + 1, &v));
	assert_true(takes_depth("n", "", POLICY_DEPTH, &v));
	assert_int_equal(v, TRUTH_YES);
	assert_true(takes_depth("n", "", POLICY_DEPTH - 1, &v));
	assert_int_equal(v, TRUTH_NO);
	assert_false(takes_depth("n", "", POLICY_DEPTH + 1, &v));
}

/* F or F and ( F or F and ( ... F ) ): all that can wait on the stacks does. */
static void
test_widest(void **state)
{
	struct token tokens[8 * POLICY_DEPTH];
	struct lists lists = { 0 };
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	struct findings f = { 0 };
	struct trace decided;
	size_t n = 0;

	for (unsigned i = 0; i <= POLICY_DEPTH; i++) {
		const char *const words[] = { "client.local", "or", "client.local", "and", "(" };

		for (size_t j = 0; j < (i < POLICY_DEPTH ? 5 : 1); j++)
			tokens[n++] = (struct token){ .text = span_text(words[j]),
				.kind = j == 4 ? TOKEN_OPERATOR : TOKEN_WORD };
	}
	for (unsigned i = 0; i < POLICY_DEPTH; i++)
		tokens[n++] = (struct token){ .text = SPAN_LIT(")"), .kind = TOKEN_OPERATOR };
	struct reader r = { .tokens = tokens, .count = n, .end = { "t", 1, 99 },
		.lists = &lists, .arena = &arena, .complaints = &c };
	const struct expression *e = expression_parse(&r);

	assert_non_null(e);
	assert_int_equal(expression_value(e, &f, &decided), TRUTH_NO);
	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	assert_int_equal(expression_value(e, &f, &decided), TRUTH_YES);
	arena_free(&arena);
}

/* What has been closed does not count: many nots and parentheses side by side. */
static void
test_side_by_side(void **state)
{
	static const char *const words[] = { "not", "(", "not", "client.local", ")", "and" };
	struct token tokens[2 * POLICY_DEPTH * COUNT_OF(words)];
	struct lists lists = { 0 };
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	struct findings f = { 0 };
	struct trace decided;

	for (size_t i = 0; i < COUNT_OF(tokens); i++)
		tokens[i] = (struct token){ .text = span_text(words[i % COUNT_OF(words)]),
			.kind = strchr("()", words[i % COUNT_OF(words)][0]) != NULL ?
			    TOKEN_OPERATOR : TOKEN_WORD };
	struct reader r = { .tokens = tokens, .count = COUNT_OF(tokens) - 1, .end = { "t", 1, 99 },
		.lists = &lists, .arena = &arena, .complaints = &c };
	const struct expression *e = expression_parse(&r);

	assert_non_null(e);
	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	assert_int_equal(expression_value(e, &f, &decided), TRUTH_YES);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_widest),
		cmocka_unit_test(test_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
