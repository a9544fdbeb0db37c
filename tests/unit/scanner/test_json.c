/*
 * test_json.c - the JSON reader: every short text over two alphabets against a naive
 * recursive reader, strings and numbers by tables.
 */
#include "lib/scanner/json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* The naive reader: takes one value from *s, true if it is one. */

static bool reference_value(const char **s, unsigned depth);

static void
blanks(const char **s)
{
	*s += strspn(*s, " \t\r\n");
}

static bool
reference_string(const char **s)
{
	if (**s != '"')
		return false;
	for (++*s; **s != '"'; ++*s)
		if (**s == '\0' || (**s == '\\' && *++*s != '"' && **s != '\\'))
			return false;
	++*s;
	return true;
}

static bool
reference_digits(const char **s)
{
	size_t n = strspn(*s, "0123456789");

	*s += n;
	return n > 0;
}

static bool
reference_number(const char **s)
{
	if (**s == '-')
		++*s;
	if (**s == '0')
		++*s;
	else if (!reference_digits(s))
		return false;
	if (**s == '.') {
		++*s;
		if (!reference_digits(s))
			return false;
	}
	if (**s == 'e' || **s == 'E') {
		++*s;
		if (**s == '+' || **s == '-')
			++*s;
		return reference_digits(s);
	}
	return true;
}

static bool
reference_items(const char **s, char close, unsigned depth)
{
	++*s;
	blanks(s);
	for (bool first = true; **s != close; first = false) {
		if (!first && *(*s)++ != ',')
			return false;
		blanks(s);
		if (close == '}') {
			if (!reference_string(s))
				return false;
			blanks(s);
			if (*(*s)++ != ':')
				return false;
			blanks(s);
		}
		if (!reference_value(s, depth + 1))
			return false;
		blanks(s);
	}
	++*s;
	return true;
}

static bool
reference_value(const char **s, unsigned depth)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strncmp(*s, words[i], strlen(words[i])) == 0) {
			*s += strlen(words[i]);
			return true;
		}
	if (**s == '{' || **s == '[')
		return depth < JSON_DEPTH && reference_items(s, **s == '{' ? '}' : ']', depth);
	return **s == '"' ? reference_string(s) : reference_number(s);
}

static bool
reference(const char *s)
{
	blanks(&s);
	if (!reference_value(&s, 0))
		return false;
	blanks(&s);
	return *s == '\0';
}

static bool
is_json(struct span text)
{
	struct json j;
	enum json_token t;

	json_begin(&j, text);
	for (size_t n = 0; (t = json_next(&j)) != JSON_END && t != JSON_BAD; n++)
		assert_true(n <= text.len);
	assert_int_equal(json_next(&j), t);
	return t == JSON_END;
}

static void
compare(const char *text)
{
	/* A copy of the exact size: reading past it is seen by the sanitizer. */
	size_t n = strlen(text);
	uint8_t *copy = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = (uint8_t)text[i];
	if (is_json((struct span){ copy, n }) != reference(text))
		fail_msg("'%s': the reference says %d", text, reference(text));
	free(copy);
}

/* All texts of up to `longest` of these pieces. */
static void
compare_all(const char *const *pieces, unsigned count, unsigned longest)
{
	unsigned long all = 1;

	for (unsigned n = 0; n <= longest; n++, all *= count)
		for (unsigned long k = 0; k < all; k++) {
			char text[64] = "";
			unsigned long rest = k;

			for (unsigned i = 0; i < n; i++, rest /= count)
				strcat(text, pieces[rest % count]);
			compare(text);
		}
}

static void
test_all_structures(void **state)
{
	static const char *const pieces[] = { "{", "}", "[", "]", ",", ":", "\"a\"", "1",
	    " null" };

	compare_all(pieces, COUNT_OF(pieces), 6);
}

static void
test_all_letters(void **state)
{
	static const char *const pieces[] = { "-", "0", "1", ".", "e", "+", "\"", "\\", " " };

	compare_all(pieces, COUNT_OF(pieces), 6);
}

static void
test_depth(void **state)
{
	char text[2 * JSON_DEPTH + 8];

	for (size_t depth = JSON_DEPTH - 1; depth <= JSON_DEPTH + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(is_json((struct span){ (uint8_t *)text, 2 * depth }),
		    depth <= JSON_DEPTH);
		assert_false(is_json((struct span){ (uint8_t *)text, 2 * depth - 1 }));
	}
}

static void
test_refused(void **state)
{
	static const struct { const char *text; size_t len; } texts[] = {
		{ "\"a\0b\"", 5 }, { "\"a\nb\"", 5 }, { "\"\\x41\"", 6 }, { "\"\\u12\"", 6 },
		{ "\"\\u12g4\"", 8 }, { "\"\\\0\"", 4 }, { "nan", 3 }, { "NaN", 3 },
		{ "Infinity", 8 }, { "-Infinity", 9 }, { "nul", 3 }, { "True", 4 },
		{ "'a'", 3 }, { "{a:1}", 5 }, { "[1]//", 5 }, { "\xef\xbb\xbf" "1", 4 },
		{ "0x10", 4 }, { "1 2", 3 }, { "", 0 }, { "\v1", 2 }, { "\"a", 2 },
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (is_json((struct span){ (const uint8_t *)texts[i].text, texts[i].len }))
			fail_msg("'%s' was taken", texts[i].text);
}

static void
test_strings(void **state)
{
	static const struct { const char *raw; struct span text; } rows[] = {
		{ "plain", SPAN_LIT("plain") }, { "", SPAN_LIT("") },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", SPAN_LIT("\"\\/\b\f\n\r\t") },
		{ "\\u0041\\u00e9\\u20AC", SPAN_LIT("A\xc3\xa9\xe2\x82\xac") },
		{ "\\u0000x", SPAN_LIT("\0x") },
		{ "\\ud83d\\ude00!", SPAN_LIT("\xf0\x9f\x98\x80!") },
		{ "\\ud83d", SPAN_LIT("\xef\xbf\xbd") },
		{ "\\ud83dx", SPAN_LIT("\xef\xbf\xbdx") },
		{ "\\ud83d\\u0041", SPAN_LIT("\xef\xbf\xbd" "A") },
		{ "\\ude00\\ud83d", SPAN_LIT("\xef\xbf\xbd\xef\xbf\xbd") },
		{ "\\ud83d\\ud83d\\ude00", SPAN_LIT("\xef\xbf\xbd\xf0\x9f\x98\x80") },
		{ "\\ud83d\\uf000", SPAN_LIT("\xef\xbf\xbd\xef\x80\x80") },
		{ "\\uffff", SPAN_LIT("\xef\xbf\xbf") }, { "bad \xff\xfe", SPAN_LIT("bad \xff\xfe") },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b = { 0 };

		json_text(&b, span_text(rows[i].raw), 100);
		if (!span_equal(buf_span(&b), rows[i].text))
			fail_msg("%s", rows[i].raw);
		buf_free(&b);
	}
}

static void
test_string_cut(void **state)
{
	struct buf b = { 0 };

	json_text(&b, SPAN_LIT("a\\u0062cdefgh"), 3);
	assert_true(span_equal(buf_span(&b), SPAN_LIT("abcd")));
	buf_free(&b);
}

static void
test_same(void **state)
{
	assert_true(json_is(SPAN_LIT("score"), "score"));
	assert_true(json_is(SPAN_LIT("\\u0073core"), "score"));
	assert_true(json_is(SPAN_NONE, ""));
	assert_false(json_is(SPAN_LIT("scor"), "score"));
	assert_false(json_is(SPAN_LIT("scores"), "score"));
	assert_false(json_is(SPAN_LIT("Score"), "score"));
	assert_false(json_is(SPAN_LIT("score\\u0000"), "score"));
}

#define MOST 1000000000

static void
test_thousandths(void **state)
{
	static const struct { const char *text; int64_t value; } rows[] = {
		{ "0", 0 }, { "-0", 0 }, { "6.31", 6310 }, { "-2.5", -2500 }, { "15.0", 15000 },
		{ "0.0005", 1 }, { "0.00049999", 0 }, { "-0.0005", -1 }, { "1.2345", 1235 },
		{ "1.2344999999", 1234 }, { "5e-4", 1 }, { "4e-4", 0 }, { "5e-5", 0 },
		{ "1e-05", 0 }, { "1.5E1", 15000 }, { "1e+2", 100000 }, { "1e5", 100000000 },
		{ "1000000", MOST }, { "-1e6", -MOST }, { "999999.9994", MOST - 1 },
		{ "0e999999999999", 0 }, { "1e-999999999999", 0 }, { "0.000e9", 0 },
		{ "0.00000000000000000001e21", 10000 },
		{ "100000000000000000000e-20", 1000 },
	};
	static const char *const beyond[] = { "1000000.001", "1000000.0005", "1e7", "-1e7",
	    "1e300", "1e999999999999", "99999999999999999999999", "0.1e8" };
	int64_t v;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_true(json_thousandths(span_text(rows[i].text), MOST, &v));
		if (v != rows[i].value)
			fail_msg("%s: %lld", rows[i].text, (long long)v);
	}
	for (size_t i = 0; i < COUNT_OF(beyond); i++)
		if (json_thousandths(span_text(beyond[i]), MOST, &v))
			fail_msg("%s: %lld", beyond[i], (long long)v);
}

/* Against the C library, which is exact enough to be half a thousandth off at most. */
static void
test_all_numbers(void **state)
{
	static const char letters[] = "-059.e";
	unsigned long all = 1, numbers = 0;

	for (unsigned n = 0; n <= 7; n++, all *= 6)
		for (unsigned long k = 0; k < all; k++) {
			char text[8] = "";
			unsigned long rest = k;
			int64_t v = 0;

			for (unsigned i = 0; i < n; i++, rest /= 6)
				text[i] = letters[rest % 6];
			if (!reference(text))
				continue;
			long double want = strtold(text, NULL) * 1000;
			bool fits = json_thousandths(span_text(text), MOST, &v);

			numbers++;
			if (fits ? fabsl((long double)v - want) > 0.5000001L :
			    fabsl(want) < MOST)
				fail_msg("%s: %lld", text, (long long)v);
		}
	assert_true(numbers > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_structures),
		cmocka_unit_test(test_all_letters),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_string_cut),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_thousandths),
		cmocka_unit_test(test_all_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
