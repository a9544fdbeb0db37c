/*
 * test_fact.c - the registry of facts, printing, and the flat form.
 */
#include "lib/base/buf.h"
#include "lib/finding/fact.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_rows(void **state)
{
	for (unsigned i = 0; i < FACT_COUNT; i++) {
		const struct fact_row *row = fact_row((enum fact)i);

		assert_non_null(row->name);
		assert_int_equal(fact_find(span_text(row->name)), i);
		assert_true(strlen(row->sentence) > 20);
		assert_true(strchr(".?", row->sentence[strlen(row->sentence) - 1]) != NULL ||
		    strchr(row->sentence, ';') != NULL);
		assert_true((row->type == TYPE_ENUM) == (row->words != NULL));
		assert_int_equal(row->per_recipient, strncmp(row->name, "recipient", 9) == 0 &&
		    strcmp(row->name, "recipient.count") != 0);
	}
}

static void
test_names(void **state)
{
	static const struct { const char *in, *nearest; } table[] = {
		{ "client.adress", "client.address" },
		{ "client.addresses", "client.address" },
		{ "Sender", "sender" },
		{ "sender.domian", "sender.domain" },
		{ "recipients", "recipient" },
		{ "spam.score", NULL },
		{ "x", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *near = fact_nearest(span_text(table[i].in));

		assert_int_equal(fact_find(span_text(table[i].in)), FACT_COUNT);
		if (table[i].nearest == NULL)
			assert_null(near);
		else
			assert_string_equal(near, table[i].nearest);
	}
}

static void
test_manual(void **state)
{
	struct buf b = { 0 };

	facts_manual(&b);
	for (unsigned i = 0; i < FACT_COUNT; i++) {
		assert_non_null(strstr(buf_text(&b), fact_row((enum fact)i)->name));
		assert_non_null(strstr(buf_text(&b), fact_row((enum fact)i)->sentence));
	}
	assert_non_null(strstr(buf_text(&b), "\n|  _recipient.local_\n:  truth\n"
	    ":  envelope, each recipient\n"));
	buf_free(&b);
}

static void
check_print(const struct findings *f, enum fact fact, const char *want)
{
	struct buf b = { 0 };

	value_print(&b, fact, &f->values[fact]);
	assert_string_equal(buf_text(&b), want);
	buf_free(&b);
}

static void
test_print(void **state)
{
	struct findings f = { 0 };
	char longer[300], cut[300];
	struct address a;

	assert_true(address_parse(SPAN_LIT("192.0.2.1"), &a));
	memset(longer, 'x', sizeof longer);
	snprintf(cut, sizeof cut, "'%.200s...'", longer);
	findings_set_address(&f, FACT_CLIENT_ADDRESS, &a);
	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	findings_set_truth(&f, FACT_CLIENT_TRUSTED, false);
	findings_set_number(&f, FACT_RECIPIENT_COUNT, 12);
	findings_set_number(&f, FACT_MESSAGE_SIZE, INT64_MAX);
	findings_set_text(&f, FACT_SENDER, SPAN_LIT(""));
	findings_set_text(&f, FACT_HEADER_SUBJECT, SPAN_LIT("it's\n\xff\\"));
	findings_set_text(&f, FACT_HEADER_MESSAGE_ID, (struct span){ (uint8_t *)longer, 300 });
	findings_set_unknown(&f, FACT_HEADER_FROM, "inspector gave no answer");
	check_print(&f, FACT_CLIENT_ADDRESS, "192.0.2.1");
	check_print(&f, FACT_CLIENT_LOCAL, "true");
	check_print(&f, FACT_CLIENT_TRUSTED, "false");
	check_print(&f, FACT_RECIPIENT_COUNT, "12");
	check_print(&f, FACT_MESSAGE_SIZE, "9223372036854775807");
	check_print(&f, FACT_SENDER, "''");
	check_print(&f, FACT_HEADER_SUBJECT, "'it\\'s\\x0a\\xff\\\\'");
	check_print(&f, FACT_HEADER_MESSAGE_ID, cut);
	check_print(&f, FACT_HEADER_FROM, "unknown: inspector gave no answer");
	check_print(&f, FACT_CLIENT_NAME, "absent");
	findings_set_absent(&f, FACT_CLIENT_LOCAL);
	check_print(&f, FACT_CLIENT_LOCAL, "absent");
}

static void
test_take_stage(void **state)
{
	struct findings from = { 0 }, to = { 0 };

	findings_set_truth(&to, FACT_CLIENT_LOCAL, false);
	findings_set_number(&to, FACT_RECEIVED_COUNT, 1);
	findings_set_truth(&from, FACT_CLIENT_LOCAL, true);
	findings_set_truth(&from, FACT_CLIENT_AUTHENTICATED, true);
	findings_set_text(&from, FACT_HEADER_SUBJECT, SPAN_LIT("s"));
	findings_take_stage(&to, &from, STAGE_CONTENT);
	assert_int_equal(to.values[FACT_HEADER_SUBJECT].state, FACT_KNOWN);
	assert_int_equal(to.values[FACT_RECEIVED_COUNT].state, FACT_ABSENT);
	assert_int_equal(to.values[FACT_CLIENT_AUTHENTICATED].state, FACT_ABSENT);
	assert_false(to.values[FACT_CLIENT_LOCAL].truth);
}

/* One fact of each shape in the flat form. */
static void
fill(struct findings *f)
{
	struct address a;

	assert_true(address_parse(SPAN_LIT("2001:db8::1"), &a));
	*f = (struct findings){ 0 };
	findings_set_address(f, FACT_CLIENT_ADDRESS, &a);
	findings_set_truth(f, FACT_CLIENT_LOCAL, true);
	findings_set_unknown(f, FACT_CLIENT_AUTHENTICATED, "why");
	findings_set_text(f, FACT_SENDER, SPAN_LIT("a@b"));
	findings_set_text(f, FACT_HEADER_SUBJECT, SPAN_LIT(""));
	findings_set_number(f, FACT_RECEIVED_COUNT, 0x102030405060708);
}

static bool
same_value(const struct value *a, const struct value *b)
{
	return a->state == b->state && span_equal(a->text, b->text) &&
	    memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[500];
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct findings in, out;
	struct arena arena = { 0 };

	fill(&in);
	findings_pack(&p, &in);
	assert_false(p.full);
	memcpy(bytes + p.len, "rest", 4);
	struct unpack u = { { bytes, p.len + 4 }, false };

	assert_true(findings_unpack(&u, &out, &arena));
	assert_true(span_equal(u.rest, SPAN_LIT("rest")));
	for (size_t i = 0; i < FACT_COUNT; i++)
		assert_true(same_value(&in.values[i], &out.values[i]));
	arena_free(&arena);
}

/* Copied to its exact size, so that a read past the end is seen. */
static bool
unpacks(const uint8_t *bytes, size_t n, struct findings *f, struct arena *a, size_t *used)
{
	uint8_t *copy = must_alloc(n);

	memcpy(copy, bytes, n);
	struct unpack u = { { copy, n }, false };
	bool ok = findings_unpack(&u, f, a);

	*used = n - u.rest.len;
	free(copy);
	return ok;
}

static void
test_hostile(void **state)
{
	uint8_t bytes[500], again[500];
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct arena arena = { 0 };
	struct findings f, none = { 0 };
	size_t taken = 0, used;

	fill(&f);
	findings_pack(&p, &f);
	for (size_t n = 0; n < p.len; n++) {
		assert_false(unpacks(bytes, n, &f, &arena, &used));
		assert_memory_equal(&f, &none, sizeof f);
	}
	/* Any other byte anywhere: refused, or another set of findings in their one form. */
	for (size_t at = 0; at < p.len; at++)
		for (unsigned flip = 1; flip < 256; flip++) {
			struct pack q = { again, 0, sizeof again, false };

			bytes[at] ^= (uint8_t)flip;
			if (unpacks(bytes, p.len, &f, &arena, &used)) {
				findings_pack(&q, &f);
				assert_int_equal(q.len, used);
				assert_memory_equal(again, bytes, used);
				taken++;
			}
			bytes[at] ^= (uint8_t)flip;
		}
	assert_true(taken > 16 * 255);
	arena_free(&arena);
}

static void
test_refused(void **state)
{
	static const struct { const char *name; const char *bytes; size_t n; bool ok; } table[] = {
#define ROW(name, bytes, ok) { name, bytes, sizeof bytes - 1, ok }
		ROW("nothing known", "\0\0", true),
		ROW("a truth", "\1\0" "\5\0\1\1", true),
		ROW("a truth of 2", "\1\0" "\5\0\1\2", false),
		ROW("absent", "\1\0" "\5\0\0\1", false),
		ROW("state 3", "\1\0" "\5\0\3\0\0\0\0", false),
		ROW("no such fact", "\1\0" "\xff\0\2\0\0\0\0", false),
		ROW("twice", "\2\0" "\5\0\1\1" "\5\0\1\1", false),
		ROW("descending", "\2\0" "\6\0\1\1" "\5\0\1\1", false),
		ROW("ascending", "\2\0" "\5\0\1\1" "\6\0\1\1", true),
		ROW("short address", "\1\0" "\1\0\1\4\0\0\0abcd", false),
		ROW("negative size", "\1\0" "\15\0\1\0\0\0\0\0\0\0\x80", false),
		ROW("more than all", "\xff\xff", false),
#undef ROW
	};
	struct arena arena = { 0 };
	struct findings f;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (unpacks((const uint8_t *)table[i].bytes, table[i].n, &f, &arena, &used) !=
		    table[i].ok)
			fail_msg("%s", table[i].name);
	arena_free(&arena);
}

static void
test_cut(void **state)
{
	static uint8_t longer[2 * FINDINGS_TEXT_BYTES], bytes[4 * FINDINGS_TEXT_BYTES];
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct findings f = { 0 };
	struct arena arena = { 0 };

	memset(longer, 'x', sizeof longer);
	findings_set_text(&f, FACT_HEADER_SUBJECT, (struct span){ longer, sizeof longer });
	findings_pack(&p, &f);
	struct unpack u = { { bytes, p.len }, false };

	assert_true(findings_unpack(&u, &f, &arena));
	assert_int_equal(f.values[FACT_HEADER_SUBJECT].text.len, FINDINGS_TEXT_BYTES);
	/* The length of the text: a longer one than we write is refused. */
	bytes[5] = (FINDINGS_TEXT_BYTES + 1) & 0xff;
	bytes[6] = (FINDINGS_TEXT_BYTES + 1) >> 8;
	u = (struct unpack){ { bytes, sizeof bytes }, false };
	assert_false(findings_unpack(&u, &f, &arena));
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_take_stage),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
