/*
 * test_command.c - exit status and output of a command, and what is made of them.
 */
#include "lib/scanner/command.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CLAM "^.*: (\\S+) FOUND$"

/* Status 0 and 10 are clean, 1 and 255 infected, 7 unscannable; flags of the pattern: m. */
static const struct row {
	const char *name, *pattern;
	enum command_how how;
	uint32_t number;
	const char *output;
	enum scan_result result;
	const char *viruses, *why;      /* names with commas */
} rows[] = {
	{ "clean", CLAM, COMMAND_EXITED, 0, "stdin: OK\n", SCAN_CLEAN, "", "" },
	{ "clean, silent", CLAM, COMMAND_EXITED, 0, "", SCAN_CLEAN, "", "" },
	{ "clean, no pattern", NULL, COMMAND_EXITED, 10, "x FOUND", SCAN_CLEAN, "", "" },
	{ "infected", CLAM, COMMAND_EXITED, 1, "stdin: Eicar-Test FOUND\n", SCAN_INFECTED,
	  "Eicar-Test", "" },
	{ "infected, 255", CLAM, COMMAND_EXITED, 255, "stdin: A FOUND", SCAN_INFECTED, "A", "" },
	{ "infected without a name", CLAM, COMMAND_EXITED, 1, "oh\n", SCAN_INFECTED, "unnamed",
	  "" },
	{ "infected, no pattern", NULL, COMMAND_EXITED, 1, "oh\n", SCAN_INFECTED, "unnamed", "" },
	{ "several, one twice", CLAM, COMMAND_EXITED, 1, "a: A FOUND\nb: OK\nc: B FOUND\nd: A FOUND\n",
	  SCAN_INFECTED, "A,B", "" },
	{ "clean is not clean where the pattern matches", CLAM, COMMAND_EXITED, 0,
	  "a: A FOUND\n", SCAN_INFECTED, "A", "" },
	{ "nor unscannable", CLAM, COMMAND_EXITED, 7, "a: A FOUND\n", SCAN_INFECTED, "A", "" },
	{ "the whole match without a group", "[A-Z]+-virus", COMMAND_EXITED, 1,
	  "has EVIL-virus in it", SCAN_INFECTED, "EVIL-virus", "" },
	{ "a group that has no part", "(x)?FOUND", COMMAND_EXITED, 1, "FOUND", SCAN_INFECTED,
	  "FOUND", "" },
	{ "an empty group", "()FOUND", COMMAND_EXITED, 1, "FOUND", SCAN_INFECTED, "unnamed", "" },
	{ "an empty match", "x*", COMMAND_EXITED, 0, "ab", SCAN_INFECTED, "unnamed", "" },
	{ "an empty match of nothing", "x*", COMMAND_EXITED, 0, "", SCAN_INFECTED, "unnamed", "" },
	{ "more groups than one", "(\\w)(\\w)(\\w)", COMMAND_EXITED, 1, "abcdef", SCAN_INFECTED,
	  "a,d", "" },
	{ "a name made fit", "name=(.*)", COMMAND_EXITED, 1, "name=a b\t\x01\xc3\xa4\x7f",
	  SCAN_INFECTED, "a_b_____", "" },
	{ "unscannable", CLAM, COMMAND_EXITED, 7, "it is\nencrypted\n", SCAN_UNSCANNABLE, "",
	  "encrypted" },
	{ "unscannable, silent", CLAM, COMMAND_EXITED, 7, "", SCAN_UNSCANNABLE, "",
	  "it cannot look at it" },
	{ "another status", CLAM, COMMAND_EXITED, 2, "ERROR: no\ndatabase  \r\n\n", SCAN_FAILED,
	  "", "exit status 2: database" },
	{ "another status, silent", CLAM, COMMAND_EXITED, 126, "", SCAN_FAILED, "",
	  "exit status 126" },
	{ "another status, whatever it prints", CLAM, COMMAND_EXITED, 2, "a: A FOUND",
	  SCAN_FAILED, "", "exit status 2: a: A FOUND" },
	{ "control characters", CLAM, COMMAND_EXITED, 2, "\x1b[2J\"x", SCAN_FAILED, "",
	  "exit status 2: \\x1b[2J\"x" },
	{ "killed", CLAM, COMMAND_KILLED, 9, "a: A FOUND\n", SCAN_FAILED, "", "ended by signal 9" },
	{ "killed by signal 0 is not clean", CLAM, COMMAND_KILLED, 0, "", SCAN_FAILED, "",
	  "ended by signal 0" },
	{ "too slow", CLAM, COMMAND_TIMED_OUT, 0, "", SCAN_FAILED, "", "no answer in time" },
	{ "not started", CLAM, COMMAND_NOT_STARTED, 0, "", SCAN_FAILED, "", "why\\x0a" },
	{ "a pattern that takes too long", "(a+)+[bc]", COMMAND_EXITED, 0,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SCAN_FAILED, "",
	  "the pattern took too long on its output" },
	{ "but infected is infected", "(a+)+[bc]", COMMAND_EXITED, 1,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SCAN_INFECTED, "unnamed", "" },
};

static struct command_rules
rules_of(const char *pattern, struct arena *arena)
{
	struct regex_fault fault;

	return (struct command_rules){
		.clean.bits = { 1u << 0 | 1u << 10 },
		.infected.bits = { 1u << 1, 0, 0, UINT64_C(1) << 63 },
		.unscannable.bits = { 1u << 7 },
		.pattern = pattern != NULL
		    ? regex_compile(span_text(pattern), SPAN_LIT("m"), arena, &fault) : NULL,
	};
}

static void
join(const struct scan_report *r, char out[1000])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < r->virus_count; i++)
		n += (size_t)snprintf(out + n, 1000 - n, "%s%.*s", i > 0 ? "," : "",
		    (int)r->viruses[i].len, (const char *)r->viruses[i].ptr);
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];
		struct arena arena = { 0 };
		struct command_rules rules = rules_of(row->pattern, &arena);
		/* an own copy, of its exact length: reading beyond it would be seen */
		size_t len = strlen(row->output);
		uint8_t *copy = len > 0 ? must_alloc(len) : NULL;
		const struct command_end end = { row->how, row->number, SPAN_LIT("why\n"),
			{ copy, len }, false };
		struct scan_report r;
		char names[1000];

		if (len > 0)
			memcpy(copy, row->output, len);
		command_report(&rules, &end, &arena, &r);
		free(copy);
		join(&r, names);
		if (r.result != row->result || strcmp(names, row->viruses) != 0 ||
		    !span_equal(r.why, span_text(row->why)))
			fail_msg("%s: result %d, names %s, why %.*s", row->name, r.result,
			    names, (int)r.why.len, (const char *)r.why.ptr);
		regex_release((struct regex *)(uintptr_t)rules.pattern);
		arena_free(&arena);
	}
}

/* Every status, against the three sets; and whatever is not EXITED is never clean. */
static void
test_statuses(void **state)
{
	struct arena arena = { 0 };
	struct command_rules rules = rules_of(NULL, &arena);

	for (unsigned how = 0; how < COMMAND_HOWS; how++)
		for (unsigned status = 0; status < 256; status++) {
			const struct command_end end = { (enum command_how)how, status,
				SPAN_NONE, SPAN_NONE, false };
			struct scan_report r;
			enum scan_result want = how != COMMAND_EXITED ? SCAN_FAILED
			    : status == 0 || status == 10 ? SCAN_CLEAN
			    : status == 1 || status == 255 ? SCAN_INFECTED
			    : status == 7 ? SCAN_UNSCANNABLE : SCAN_FAILED;

			command_report(&rules, &end, &arena, &r);
			assert_int_equal(r.result, want);
		}
	arena_free(&arena);
}

/* What was cut off may have said more. */
static void
test_cut(void **state)
{
	struct arena arena = { 0 };
	struct command_rules rules = rules_of(CLAM, &arena);
	struct command_end end = { COMMAND_EXITED, 0, SPAN_NONE, SPAN_LIT("a: OK\n"), true };
	struct scan_report r;

	command_report(&rules, &end, &arena, &r);
	assert_int_equal(r.result, SCAN_FAILED);
	regex_release((struct regex *)(uintptr_t)rules.pattern);
	rules.pattern = NULL;
	command_report(&rules, &end, &arena, &r);
	assert_int_equal(r.result, SCAN_CLEAN);
	arena_free(&arena);
}

static void
test_many_names(void **state)
{
	struct arena arena = { 0 };
	struct command_rules rules = rules_of("(\\S+)", &arena);
	struct buf output = { 0 };
	struct scan_report r;

	for (int i = 0; i < 1000; i++)
		buf_printf(&output, "%0300d-%d\n", 0, i);
	for (int i = 0; i < 1000; i++)
		buf_printf(&output, "name%d\n", i);
	const struct command_end end = { COMMAND_EXITED, 0, SPAN_NONE, buf_span(&output), false };

	command_report(&rules, &end, &arena, &r);
	assert_int_equal(r.result, SCAN_INFECTED);
	assert_int_equal(r.virus_count, 1);     /* all alike as far as they are kept */
	assert_int_equal(r.viruses[0].len, SCAN_VIRUS_BYTES);
	buf_take(&output, 1000 * 302 + 2890);
	const struct command_end names = { COMMAND_EXITED, 0, SPAN_NONE, buf_span(&output), false };

	command_report(&rules, &names, &arena, &r);
	assert_int_equal(r.virus_count, SCAN_VIRUSES);
	buf_free(&output);
	regex_release((struct regex *)(uintptr_t)rules.pattern);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_cut), cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
