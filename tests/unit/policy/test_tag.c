/*
 * test_tag.c - the fields of a tag, byte for byte, and addresses with an extension.
 */
#include "lib/policy/tag.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define VERSION "version=Sallyport-" SALLYPORT_VERSION "\r\n"
#define UNKNOWN INT64_MAX
#define ABSENT  INT64_MIN

struct bench { struct arena arena; struct findings findings; struct buf out; };

static void
add_symbol(struct bench *b, const char *name, int64_t score)
{
	struct item *i = findings_add(&b->findings, GROUP_SYMBOL, &b->arena);

	item_set_text(i, FACT_SYMBOL_NAME, span_text(name));
	if (score != ABSENT)
		item_set_number(i, FACT_SYMBOL_SCORE, score);
}

static void
set_score(struct bench *b, int64_t score)
{
	if (score == UNKNOWN)
		findings_set_unknown(&b->findings, FACT_SPAM_SCORE, "spamd: away");
	else if (score != ABSENT)
		findings_set_number(&b->findings, FACT_SPAM_SCORE, score);
}

static const char *
written(struct bench *b, const struct verdict *v, struct tag_source s)
{
	s.findings = &b->findings;
	buf_take(&b->out, buf_len(&b->out));
	tag_write(&b->out, v, &s);
	return buf_text(&b->out);
}

static void
finish(struct bench *b)
{
	buf_free(&b->out);
	arena_free(&b->arena);
	*b = (struct bench){ 0 };
}

static struct verdict
verdict(enum tag_kind kind, int64_t score, int64_t required)
{
	return (struct verdict){ .score = score, .tag = { .kind = kind,
	    .has_required = required != ABSENT,
	    .required = required != ABSENT ? required : 0 } };
}

static const struct { const char *name; enum tag_kind kind; int64_t said, added, required;
	const char *out; } fields[] = {
	{ "none", TAG_NONE, 6000, 0, 5000, "" },
	{ "spam", TAG_SPAM, 6310, 0, 5000, "X-Spam-Flag: YES\r\nX-Spam-Score: 6.31\r\n"
	  "X-Spam-Level: ******\r\nX-Spam-Status: Yes, score=6.31 required=5.0 tests=[] "
	  "autolearn=no\r\n " VERSION },
	{ "with rules", TAG_SPAM, 4500, 2500, 6310, "X-Spam-Flag: YES\r\nX-Spam-Score: 7\r\n"
	  "X-Spam-Level: *******\r\nX-Spam-Status: Yes, score=7 required=6.31 "
	  "tests=[SALLYPORT_RULES=2.5]\r\n autolearn=no " VERSION },
	{ "no scanner", TAG_SPAM, ABSENT, 999, ABSENT, "X-Spam-Flag: YES\r\n"
	  "X-Spam-Score: 0.999\r\nX-Spam-Status: Yes, score=0.999 "
	  "tests=[SALLYPORT_RULES=0.999] autolearn=no\r\n " VERSION },
	{ "not known", TAG_SPAM, UNKNOWN, 0, 5000, "X-Spam-Flag: YES\r\n"
	  "X-Spam-Status: Yes, score=x required=5.0 tests=[] autolearn=no\r\n " VERSION },
	{ "below zero", TAG_SPAM, -2500, 0, -3000, "X-Spam-Flag: YES\r\nX-Spam-Score: -2.5\r\n"
	  "X-Spam-Status: Yes, score=-2.5 required=-3.0 tests=[] autolearn=no\r\n " VERSION },
	{ "status", TAG_STATUS, 1200, 0, 5000, "X-Spam-Score: 1.2\r\n"
	  "X-Spam-Status: No, score=1.2 required=5.0 tests=[] autolearn=no\r\n " VERSION },
	{ "status, not known", TAG_STATUS, UNKNOWN, 0, ABSENT,
	  "X-Spam-Status: No, score=x tests=[] autolearn=no " VERSION },
};

static void
test_fields(void **state)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct verdict v = verdict(fields[i].kind, fields[i].added, fields[i].required);
		struct bench b = { 0 };

		print_message("# %s\n", fields[i].name);
		set_score(&b, fields[i].said);
		assert_string_equal(written(&b, &v, (struct tag_source){ 0 }), fields[i].out);
		finish(&b);
	}
}

/* A rule's own bound goes before that of a scanner. */
static void
test_required(void **state)
{
	struct verdict without = verdict(TAG_STATUS, 0, ABSENT), with = verdict(TAG_STATUS, 0, 0);
	const struct tag_source s = { .has_required = true, .required = 15000 };
	struct bench b = { 0 };

	assert_non_null(strstr(written(&b, &without, s), " required=15.0 "));
	assert_non_null(strstr(written(&b, &with, s), " required=0.0 "));
	finish(&b);
}

static void
test_stars(void **state)
{
	static const struct { int64_t score; size_t stars; } rows[] = {
		{ 0, 0 }, { 999, 0 }, { 1000, 1 }, { 1999, 1 }, { 63999, 63 }, { 64000, 64 },
		{ 65000, 64 }, { 1000000000000, 64 }, { -64000, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v = verdict(TAG_SPAM, 0, 5000);
		struct bench b = { 0 };

		set_score(&b, rows[i].score);
		const char *at = strstr(written(&b, &v, (struct tag_source){ 0 }), "Level: ");

		assert_int_equal(at == NULL ? 0 : strspn(at + 7, "*"), rows[i].stars);
		assert_int_equal(at == NULL, rows[i].stars == 0);
		finish(&b);
	}
}

static void
test_tests(void **state)
{
	struct verdict v = verdict(TAG_STATUS, 1000, 5000);
	struct bench b = { 0 };

	set_score(&b, 0);
	add_symbol(&b, "BAYES_99", 3500);
	add_symbol(&b, "A B,C=[x]\r\nX-Evil: 1\x7f\xc3\xa4", -100);
	add_symbol(&b, "NO_SCORE", ABSENT);
	assert_string_equal(written(&b, &v, (struct tag_source){ 0 }), "X-Spam-Score: 1\r\n"
	    "X-Spam-Status: No, score=1 required=5.0 tests=[BAYES_99=3.5,\r\n"
	    " A?B?C??x???X-Evil:?1??" "?=-0.1, NO_SCORE, SALLYPORT_RULES=1] autolearn=no\r\n "
	    VERSION);
	finish(&b);
}

/* Every line of 998 bytes at most, no blank one, each but the first of a field folded;
   printable.  Returns how many fields there are. */
static size_t
check_lines(const char *text)
{
	size_t fields_seen = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, "\r\n");

		assert_in_range(n, 2, 998);
		assert_int_equal(strncmp(text + n, "\r\n", 2), 0);
		fields_seen += *text != ' ' && *text != '\t';
		assert_true(strspn(text, " \t") < n);
		for (size_t i = text[0] == '\t'; i < n; i++)
			assert_in_range(text[i], 0x20, 0x7e);
		text += n + 2;
	}
	return fields_seen;
}

/* As many as there may be, with the longest names. */
static void
test_many_tests(void **state)
{
	struct verdict v = verdict(TAG_SPAM, 0, 5000);
	struct bench b = { 0 };
	char name[201];

	set_score(&b, 1000000);
	memset(name, 'N', 200);
	name[200] = '\0';
	for (size_t i = 0; i < group_row(GROUP_SYMBOL)->limit; i++)
		add_symbol(&b, i % 2 ? name : "SHORT", -1000000 - (int64_t)i);
	const char *text = written(&b, &v, (struct tag_source){ 0 });

	assert_int_equal(check_lines(text), 4);
	assert_non_null(strstr(text, ", ...]"));
	assert_true(strlen(text) < TAG_TESTS_BYTES + 600);
	for (const char *at = text; (at = strstr(at, "\r\n")) != NULL; at += 2)
		assert_true(strcspn(at + 2, "\r") <= 78);
	finish(&b);
}

static const struct { const char *report, *out; } reports[] = {
	{ "", "" }, { "\n\r\n \t \r\n", "" },
	{ "one", "X-Spam-Report: one\r\n" },
	{ "one\r\n\r\n two\t2 \r\n\t\r\nthree", "X-Spam-Report: one\r\n\t two 2\r\n\tthree\r\n" },
	{ "\n\nX-Evil: 1\r\n\r\nbody", "X-Spam-Report: X-Evil: 1\r\n\tbody\r\n" },
	{ "a\rb\v\x1b[0m\xc3\xa4\x7f" "c\n", "X-Spam-Report: a?b??[0m???c\r\n" },
};

static void
test_reports(void **state)
{
	for (size_t i = 0; i < COUNT_OF(reports); i++) {
		const struct tag_source s = { .report = span_text(reports[i].report) };
		struct verdict v = verdict(TAG_SPAM, 0, ABSENT), no = verdict(TAG_STATUS, 0, 0);
		struct bench b = { 0 };
		const char *text = written(&b, &v, s);
		const char *at = strstr(text, "X-Spam-Report");

		assert_string_equal(at == NULL ? "" : at, reports[i].out);
		check_lines(text);
		assert_null(strstr(written(&b, &no, s), "Report"));
		finish(&b);
	}
}

/* Every text of up to six of these bytes: nothing gets out of the field. */
static void
test_all_reports(void **state)
{
	static const uint8_t alphabet[] = { 'a', ' ', '\t', '\r', '\n', 0, 0xff };
	struct verdict v = verdict(TAG_SPAM, 0, ABSENT);
	struct bench b = { 0 };
	uint8_t text[6];

	for (size_t len = 1, all = 7; len <= sizeof text; len++, all *= 7)
		for (size_t n = 0; n < all; n++) {
			for (size_t i = 0, rest = n; i < len; i++, rest /= 7)
				text[i] = alphabet[rest % 7];
			const struct tag_source s = { .report = { text, len } };
			bool empty = memchr(text, 'a', len) == NULL &&
			    memchr(text, 0xff, len) == NULL;

			assert_int_equal(check_lines(written(&b, &v, s)), empty ? 3 : 4);
		}
	finish(&b);
}

static void
test_long_reports(void **state)
{
	struct verdict v = verdict(TAG_SPAM, 0, ABSENT);
	struct bench b = { 0 };
	struct buf text = { 0 };

	for (int i = 0; i < 3000; i++)
		buf_printf(&text, i % 2 ? "%0*d\n" : "%*d\n", 1500 - i % 1500, i);
	const char *out = written(&b, &v, (struct tag_source){ .report = buf_span(&text) });
	const char *at = strstr(out, "X-Spam-Report");

	assert_int_equal(check_lines(out), 4);
	assert_int_equal(strcspn(at, "\r"), strlen("X-Spam-Report: ") + TAG_LINE_BYTES);
	assert_in_range(strlen(at), TAG_REPORT_BYTES - TAG_LINE_BYTES - 40, TAG_REPORT_BYTES);
	buf_free(&text);
	finish(&b);
}

#define L60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static const struct { const char *in, *out; } addresses[] = {
	{ "user@example.com", "user+spam@example.com" },
	{ "user+x@example.com", "user+spam@example.com" },
	{ "user+@example.com", "user+spam@example.com" },
	{ "user+x+y@example.com", "user+spam@example.com" },
	{ "user+spam@example.com", "user+spam@example.com" },
	{ "+x@example.com", "+x@example.com" },
	{ "postmaster", "postmaster" }, { "", "" }, { "@example.com", "@example.com" },
	{ "user@[192.0.2.1]", "user+spam@[192.0.2.1]" },
	{ "\"a b\"@example.com", "\"a b+spam\"@example.com" },
	{ "\"a b+c d\"@example.com", "\"a b+spam\"@example.com" },
	{ "\"a\\+c\"@example.com", "\"a+spam\"@example.com" },
	{ "\"a\\\\+c\"@example.com", "\"a\\\\+spam\"@example.com" },
	{ "\"a\\\"+c\"@example.com", "\"a\\\"+spam\"@example.com" },
	{ "\"a@b\"@example.com", "\"a@b+spam\"@example.com" },
	{ "\"\"@example.com", "\"\"@example.com" },
	{ "\"+x\"@example.com", "\"+x\"@example.com" },
	{ "\xc3\xa4@example.com", "\xc3\xa4+spam@example.com" },
	{ L60 "@example.com", L60 "@example.com" },     /* 65 bytes */
	{ L60 "+x@example.com", L60 "+x@example.com" },
};

static void
test_addresses(void **state)
{
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		struct span in = span_text(addresses[i].in);
		struct span out = tag_address(in, SPAN_LIT("spam"), &arena);

		print_message("# %s\n", addresses[i].in);
		assert_string_equal(arena_text(&arena, out), addresses[i].out);
		assert_true(span_equal(tag_address(in, SPAN_NONE, &arena), in));
		assert_true(span_equal(tag_address(out, SPAN_LIT("spam"), &arena), out));
	}
	struct span fits = tag_address(SPAN_LIT(L60 "@x"), SPAN_LIT("abc"), &arena);

	assert_string_equal(arena_text(&arena, fits), L60 "+abc@x");
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_stars),
		cmocka_unit_test(test_tests),
		cmocka_unit_test(test_many_tests),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_all_reports),
		cmocka_unit_test(test_long_reports),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
