/*
 * test_wanted.c - which pending facts are asked for: small policies, every assignment of
 * their facts, against a walk that knows all of them.
 */
#include "compiled.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SCANNERS_TEXT "scanner c { type clamd; at unix:/c; } scanner s { type spamd; at unix:/s; }\n"

/* What a fact that is pending may turn out to be. */
enum answer { ANSWER_ONE = 0, ANSWER_OTHER, ANSWER_UNKNOWN, ANSWERS };

static const enum fact asked[] = { FACT_VIRUS_FOUND, FACT_VIRUS_UNSCANNABLE, FACT_SPAM_SCORE,
	FACT_SYMBOL_NAME };
#define ASKED COUNT_OF(asked)

static void
set_answer(struct findings *f, enum fact fact, enum answer a, struct arena *arena)
{
	if (fact == FACT_SYMBOL_NAME) {
		findings_empty_group(f, GROUP_SYMBOL);
		if (a == ANSWER_ONE)
			item_set_text(findings_add(f, GROUP_SYMBOL, arena), fact,
			    SPAN_LIT("a"));
	} else if (fact == FACT_SPAM_SCORE)
		findings_set_number(f, fact, a == ANSWER_ONE ? 6000 : -500);
	else
		findings_set_truth(f, fact, a == ANSWER_ONE);
	if (a == ANSWER_UNKNOWN)
		findings_set_unknown(f, fact, "test");
}

/* client.local yes, client.trusted no, client.authenticated and sender unknown, and none of
   those asked for. */
static void
start(struct findings *f, struct arena *a)
{
	findings_read(f, "client.local=yes;client.trusted=no;client.authenticated=?;sender=?", a);
	findings_set_stage_pending(f, STAGE_SCANNER);
}

static void
answers_of(unsigned number, enum answer answers[ASKED])
{
	for (size_t i = 0; i < ASKED; i++, number /= ANSWERS)
		answers[i] = (enum answer)(number % ANSWERS);
}

static unsigned
assignments(void)
{
	unsigned n = 1;

	for (size_t i = 0; i < ASKED; i++)
		n *= ANSWERS;
	return n;
}

static bool
same_verdict(const struct verdict *a, const struct verdict *b, size_t rules)
{
	for (size_t i = 0; i < rules; i++)
		if (a->traces[i].result != b->traces[i].result)
			return false;
	return a->fate == b->fate && a->rule == b->rule && a->score == b->score &&
	    a->unknown_met == b->unknown_met && a->change_count == b->change_count &&
	    a->tag.kind == b->tag.kind &&
	    a->decided_by_unscannable == b->decided_by_unscannable &&
	    memcmp(&a->unknown_facts, &b->unknown_facts, sizeof a->unknown_facts) == 0;
}

static struct fact_set
wanted_of(const struct policy *p, const struct findings *f, struct arena *a)
{
	struct fact_set wanted = { 0 };
	struct policy_walk w;

	policy_walk_begin(&w, p, f, a);
	policy_wanted(&w, &wanted);
	return wanted;
}

/* Asks for what is wanted, one fact a round, until nothing is: then the verdict is that of
   full knowledge.  Which one goes first must not matter. */
static unsigned
ask(const struct policy *p, const enum answer answers[ASKED], bool backwards,
    struct findings *f, struct arena *a)
{
	unsigned rounds = 0;

	start(f, a);
	for (bool any = true; any; rounds++) {
		struct fact_set wanted = wanted_of(p, f, a);

		any = false;
		for (size_t i = 0; i < ASKED && !any; i++) {
			size_t at = backwards ? ASKED - 1 - i : i;

			if (!fact_set_has(&wanted, asked[at]))
				continue;
			set_answer(f, asked[at], answers[at], a);
			fact_set_take(&wanted, &wanted);
			any = true;
		}
		assert_true(fact_set_is_empty(&wanted));
	}
	return rounds - 1;
}

struct known { struct findings f; struct verdict v; };

static void
know_all(struct known *k, const struct policy *p, unsigned number, struct arena *a)
{
	enum answer answers[ASKED];

	answers_of(number, answers);
	start(&k->f, a);
	for (size_t i = 0; i < ASKED; i++)
		set_answer(&k->f, asked[i], answers[i], a);
	policy_evaluate(p, &k->f, a, &k->v);
}

static void
check_assignments(const char *text, const struct policy *p, const struct known *all)
{
	for (unsigned number = 0; number < assignments(); number++)
		for (int backwards = 0; backwards < 2; backwards++) {
			enum answer answers[ASKED];
			struct arena arena = { 0 };
			struct findings f;
			struct verdict v;

			answers_of(number, answers);
			ask(p, answers, backwards, &f, &arena);
			policy_evaluate(p, &f, &arena, &v);
			if (!same_verdict(&v, &all[number].v, p->rule_count))
				fail_msg("%s\nassignment %u gives %s, not %s", text, number,
				    fate_name(v.fate), fate_name(all[number].v.fate));
			arena_free(&arena);
		}
}

/* Is there an assignment of the others for which this fact makes a difference? */
static bool
is_needed(const struct policy *p, const struct known *all, size_t fact)
{
	unsigned step = 1;

	for (size_t i = 0; i < fact; i++)
		step *= ANSWERS;
	for (unsigned n = 0; n < assignments(); n++)
		if (n / step % ANSWERS == 0 &&
		    !(same_verdict(&all[n].v, &all[n + step].v, p->rule_count) &&
		    same_verdict(&all[n].v, &all[n + 2 * step].v, p->rule_count)))
			return true;
	return false;
}

static unsigned
check_policy(const char *rules, bool exact)
{
	static struct known all[ANSWERS * ANSWERS * ANSWERS * ANSWERS];
	char text[1000];
	struct compiled c;
	struct arena arena = { 0 };
	struct findings f;

	snprintf(text, sizeof text, SCANNERS_TEXT "policy p { %s otherwise accept; }", rules);
	compiled_init(&c, text, NULL);
	if (c.set == NULL)
		fail_msg("%s\n%s", text, buf_text(&c.complaints.text));
	const struct policy *p = &c.set->policies[0];

	for (unsigned n = 0; n < assignments(); n++)
		know_all(&all[n], p, n, &arena);
	check_assignments(text, p, all);
	start(&f, &arena);
	struct fact_set first = wanted_of(p, &f, &arena);
	unsigned count = 0;

	for (size_t i = 0; i < ASKED; i++) {
		count += fact_set_has(&first, asked[i]);
		if (exact && fact_set_has(&first, asked[i]) && !is_needed(p, all, i))
			fail_msg("%s\n%s is not needed", text, fact_row(asked[i])->name);
	}
	arena_free(&arena);
	compiled_finish(&c);
	return count;
}

/* Conditions of every form over three pending facts and three that are there. */
static const char *const terms[] = { "virus.found", "spam.score >= 5", "any symbol (name = a)",
	"client.local", "client.trusted", "client.authenticated", "sender = x@y" };

static void
test_conditions(void **state)
{
	unsigned wanted = 0;

	for (size_t a = 0; a < COUNT_OF(terms); a++)
		for (size_t b = 0; b < COUNT_OF(terms); b++)
			for (size_t c = 0; c < COUNT_OF(terms); c++)
				for (unsigned form = 0; form < 8; form++) {
					char rules[300];

					snprintf(rules, sizeof rules, "rule r when %s(%s %s %s) "
					    "%s %s then quarantine q;", form & 4 ? "not " : "",
					    terms[a], form & 1 ? "and" : "or", terms[b],
					    form & 2 ? "and" : "or", terms[c]);
					wanted += check_policy(rules, a != b && b != c && a != c);
				}
	assert_true(wanted > 1000);
}

/* Rules of every sort, three in a row. */
static const char *const conditions[] = { "virus.found", "spam.score >= 5",
	"spam.score < -2 or client.trusted", "no symbol (name = a)", "client.local",
	"client.authenticated and virus.found" };
static const char *const actions[] = { "discard", "score 5", "score -5.5", "tag", "hold" };
#define RULES (COUNT_OF(conditions) * COUNT_OF(actions) * 2)

static void
put_rule(char *text, size_t room, unsigned kind, int number)
{
	snprintf(text, room, "%srule r%d when %s then %s; ", kind % 2 ? "monitor " : "", number,
	    conditions[kind / 2 % COUNT_OF(conditions)],
	    actions[kind / 2 / COUNT_OF(conditions)]);
}

static void
test_walks(void **state)
{
	char one[100], two[100], three[100], all[310];

	for (unsigned i = 0; i < RULES; i++)
		for (unsigned j = 0; j < RULES; j++) {
			put_rule(one, sizeof one, i, 1);
			put_rule(two, sizeof two, j, 2);
			put_rule(three, sizeof three, (i * 7 + j * 13) % RULES, 3);
			snprintf(all, sizeof all, "%s%s%s", one, two, three);
			check_policy(all, false);
		}
}

static const struct { const char *rules; const char *wanted; } table[] = {
	{ "", "" },
	{ "rule a when client.local then discard; rule v when virus.found then discard;", "" },
	{ "rule a when client.local then tag; rule v when virus.found then discard;",
	  "virus.found" },
	{ "monitor rule a when client.local then discard; rule v when virus.found then defer;",
	  "virus.found" },
	{ "rule v when virus.found then discard; rule s when spam.score > 5 then discard;",
	  "virus.found spam.score" },
	{ "monitor rule v when virus.found then discard;", "virus.found" },
	{ "rule v when virus.found and client.trusted then discard;", "" },
	{ "rule v when virus.found or client.local then discard;", "" },
	{ "rule v when virus.found and virus.unscannable then discard;",
	  "virus.found virus.unscannable" },
	/* What is not known anyhow hides nothing. */
	{ "rule v when client.authenticated and virus.found then discard;", "virus.found" },
	{ "rule v when client.authenticated then discard; rule s when spam.score > 5 then tag;",
	  "spam.score" },
	/* Of a final rule that may fire the rest is still walked. */
	{ "rule v when virus.found then discard; rule l when client.local then discard; "
	  "rule s when spam.score > 5 then tag;", "virus.found" },
	{ "rule v when any symbol (name = a and score > 1) then discard;",
	  "symbol.name symbol.score" },
	{ "rule v when count scanner (result = failed) > 0 then tag;", "scanner.result" },
};

static void
test_table(void **state)
{
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct compiled c;
		struct buf b = { 0 };
		struct findings f;

		buf_printf(&b, SCANNERS_TEXT "policy p { %s otherwise accept; }", table[i].rules);
		compiled_init(&c, buf_text(&b), NULL);
		assert_non_null(c.set);
		start(&f, &c.arena);
		struct fact_set wanted = wanted_of(&c.set->policies[0], &f, &c.arena);

		buf_take(&b, buf_len(&b));
		for (unsigned fact = 0; fact < FACT_COUNT; fact++)
			if (fact_set_has(&wanted, (enum fact)fact))
				buf_printf(&b, "%s%s", buf_len(&b) > 0 ? " " : "",
				    fact_row((enum fact)fact)->name);
		if (strcmp(buf_text(&b), table[i].wanted) != 0)
			fail_msg("%s\nwants '%s', not '%s'", table[i].rules, buf_text(&b),
			    table[i].wanted);
		buf_free(&b);
		compiled_finish(&c);
	}
}

/* Without a spam scanner the score is what rules add: known as far as they are decided, and
   what stands behind a rule that is not is asked for at once. */
static void
test_added_scores(void **state)
{
	static const struct { const char *rules; bool wanted; } rows[] = {
		{ "rule a when any scanner (cached) then score 5; rule s when spam.score >= 5 then "
		  "discard; rule v when virus.found then tag;", true },
		{ "rule a when any scanner (cached) then score 5; rule s when spam.score < 5 then "
		  "discard; rule v when virus.found then tag;", true },
		{ "rule a when any scanner (cached) then score -5; rule s when spam.score <= -5 "
		  "then discard; rule v when virus.found then tag;", true },
		{ "rule a when any scanner (cached) then score 5; rule s when spam.score < 6 then "
		  "discard; rule v when virus.found then tag;", false },
		{ "rule a when any scanner (cached) then score 5, defer; rule s when spam.score < 5 "
		  "then discard; rule v when virus.found then tag;", false },
		{ "rule s when spam.score >= 5 then discard;", false },
		{ "rule v when virus.found then score 3; rule s when spam.score >= 5 then discard;",
		  true },
		{ "rule l when client.local then score 5; rule s when spam.score >= 5 then discard;"
		  "rule v when virus.found then discard;", false },
		{ "rule l when client.trusted then score 5; rule s when spam.score >= 5 then "
		  "discard; rule v when virus.found then discard;", true },
		{ "monitor rule l when client.local then score 5; rule s when spam.score >= 5 then "
		  "discard; rule v when virus.found then discard;", true },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct compiled c;
		struct findings f;
		char text[400];

		snprintf(text, sizeof text, "scanner c { type clamd; at unix:/c; } policy p { %s "
		    "otherwise accept; }", rows[i].rules);
		compiled_init(&c, text, NULL);
		assert_non_null(c.set);
		start(&f, &c.arena);
		findings_set_absent(&f, FACT_SPAM_SCORE);
		struct fact_set wanted = wanted_of(&c.set->policies[0], &f, &c.arena);

		assert_int_equal(fact_set_has(&wanted, FACT_VIRUS_FOUND), rows[i].wanted);
		compiled_finish(&c);
	}
}

/* One walk for many recipients wants what each of them alone wants. */
static void
test_recipients(void **state)
{
	static const char *const recipients[] = { "a@x", "b@x", "c@x", "a@x" };
	struct compiled c;
	struct findings f;
	struct policy_walk w;

	compiled_init(&c, SCANNERS_TEXT "policy p {\n"
	    "rule a when recipient = a@x then accept;\n"
	    "rule b when recipient = b@x then score 9;\n"
	    "rule t when spam.score >= 5 and client.local then tag;\n"
	    "rule v when virus.found then discard; otherwise accept; }", NULL);
	assert_non_null(c.set);
	start(&f, &c.arena);
	findings_set_number(&f, FACT_SPAM_SCORE, 0);
	policy_walk_begin(&w, &c.set->policies[0], &f, &c.arena);
	for (size_t i = 0; i < COUNT_OF(recipients); i++) {
		struct fact_set wanted = { 0 };
		struct verdict v;

		findings_set_text(&f, FACT_RECIPIENT, span_text(recipients[i]));
		struct fact_set alone = wanted_of(&c.set->policies[0], &f, &c.arena);

		policy_wanted(&w, &wanted);
		assert_memory_equal(&wanted, &alone, sizeof wanted);
		assert_int_equal(fact_set_has(&wanted, FACT_VIRUS_FOUND), i == 1 || i == 2);
		policy_walk_recipient(&w, &c.arena, &v);
		assert_int_equal(v.tag.kind, i == 1 ? TAG_SPAM : TAG_NONE);
	}
	compiled_finish(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_added_scores),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
