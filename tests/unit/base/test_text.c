/*
 * test_text.c - tables for text, address, buf and pack.
 */
#include "lib/base/address.h"
#include "lib/base/buf.h"
#include "lib/base/pack.h"
#include "lib/base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_escape(void **state)
{
	static const struct { const char *in, *plain, *value, *json; } cases[] = {
		{ "abc", "abc", "abc", "\"abc\"" },
		{ "", "", "\"\"", "\"\"" },
		{ "a b", "a b", "\"a b\"", "\"a b\"" },
		{ "a=b", "a=b", "\"a=b\"", "\"a=b\"" },
		{ "a\"b", "a\"b", "\"a\\\"b\"", "\"a\\\"b\"" },
		{ "a\\b", "a\\\\b", "a\\\\b", "\"a\\\\b\"" },
		{ "\x1b[2J", "\\x1b[2J", "\\x1b[2J", "\"\\u001b[2J\"" },
		{ "a\r\nb", "a\\x0d\\x0ab", "a\\x0d\\x0ab", "\"a\\u000d\\u000ab\"" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f",
		    "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xc3", "\\xc3", "\\xc3", "\"\\ufffd\"" },
		{ "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80",
		    "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", "\\xe2\\x80\\xae",
		    "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xc2\x9b", "\\xc2\\x9b", "\\xc2\\x9b", "\"\\ufffd\\ufffd\"" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf b = { 0 };

		text_escape(&b, span_text(cases[i].in), 100, true);
		assert_string_equal(buf_text(&b), cases[i].plain);
		buf_take(&b, buf_len(&b));
		text_value(&b, span_text(cases[i].in), 100);
		assert_string_equal(buf_text(&b), cases[i].value);
		buf_take(&b, buf_len(&b));
		text_json(&b, span_text(cases[i].in));
		assert_string_equal(buf_text(&b), cases[i].json);
		buf_free(&b);
	}
}

/* Escaping what is escaped changes nothing; what is not, is. */
static void
test_printed(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "", "" }, { "a b", "a b" }, { "\\", "\\" }, { "a\\x1bb", "a\\x1bb" },
		{ "a\x1b\\x1b\\", "a\\x1b\\x1b\\" }, { "\\\\\n", "\\\\\\x0a" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf b = { 0 };

		text_printed(&b, span_text(cases[i].in), 100);
		assert_string_equal(buf_text(&b), cases[i].out);
		buf_free(&b);
	}
}

static void
test_cut(void **state)
{
	struct buf b = { 0 };

	text_escape(&b, SPAN_LIT("abcdef"), 3, false);
	assert_string_equal(buf_text(&b), "abc...");
	buf_free(&b);
}

static void
test_times(void **state)
{
	char time[TEXT_TIME_BYTES], date[TEXT_DATE_BYTES];

	text_time(time, 1795299477123);
	assert_string_equal(time, "2026-11-21T22:17:57.123Z");
	text_date(date, 1795299477123);
	assert_string_equal(date, "Sat, 21 Nov 2026 22:17:57 +0000");
	text_date(date, 0);
	assert_string_equal(date, "Thu, 1 Jan 1970 00:00:00 +0000");
}

static void
test_sizes(void **state)
{
	static const struct { uint64_t n; const char *text; } cases[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" },
		{ 50u << 20, "50.0 MiB" }, { UINT64_MAX, "16777216.0 TiB" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char out[TEXT_SIZE_BYTES];

		text_size(out, cases[i].n);
		assert_string_equal(out, cases[i].text);
	}
}

static void
test_numbers(void **state)
{
	static const struct { const char *in; uint64_t max; bool ok; uint64_t n; } cases[] = {
		{ "0", 10, true, 0 }, { "10", 10, true, 10 }, { "11", 10, false, 0 },
		{ "", 10, false, 0 }, { "-1", 10, false, 0 }, { "1a", 99, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "5", 3, false, 0 }, { "007", 9, true, 7 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t n = 0;

		assert_int_equal(text_number(span_text(cases[i].in), cases[i].max, &n),
		    cases[i].ok);
		assert_true(!cases[i].ok || n == cases[i].n);
	}
}

static void
test_distance(void **state)
{
	assert_int_equal(text_distance(SPAN_LIT("hostnmae"), SPAN_LIT("hostname")), 2);
	assert_int_equal(text_distance(SPAN_LIT("Queue"), SPAN_LIT("queue")), 0);
	assert_int_equal(text_distance(SPAN_LIT(""), SPAN_LIT("abc")), 3);
}

static void
test_addresses(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "192.0.2.1", "192.0.2.1" }, { "[192.0.2.1]", "192.0.2.1" },
		{ "2001:DB8::1", "2001:db8::1" }, { "IPv6:2001:db8::1", "2001:db8::1" },
		{ "[IPv6:::1]", "::1" }, { "::ffff:192.0.2.1", "192.0.2.1" },
		{ "192.0.2", NULL }, { "192.0.2.256", NULL }, { "", NULL }, { "[]", NULL },
		{ "example.com", NULL }, { "1::2::3", NULL }, { "192.0.2.1 ", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct address a;
		char out[ADDRESS_TEXT_BYTES];

		assert_int_equal(address_parse(span_text(cases[i].in), &a),
		    cases[i].out != NULL);
		if (cases[i].out == NULL)
			continue;
		address_text(out, &a);
		assert_string_equal(out, cases[i].out);
	}
}

static void
test_networks(void **state)
{
	static const struct { const char *network, *address; int holds; } cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", 1 }, { "192.0.2.0/24", "192.0.3.0", 0 },
		{ "192.0.2.0/23", "192.0.3.1", 1 }, { "0.0.0.0/0", "203.0.113.9", 1 },
		{ "0.0.0.0/0", "2001:db8::1", 0 }, { "2001:db8::/32", "2001:db8:ffff::", 1 },
		{ "2001:db8::/33", "2001:db8:8000::", 0 }, { "::/0", "192.0.2.1", 1 },
		{ "192.0.2.1", "192.0.2.1", 1 }, { "192.0.2.1", "192.0.2.2", 0 },
		{ "192.0.2.1/24", NULL, -1 }, { "192.0.2.0/33", NULL, -1 },
		{ "2001:db8::/129", NULL, -1 }, { "192.0.2.0/", NULL, -1 },
		{ "/8", NULL, -1 }, { "x/8", NULL, -1 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct network n;
		struct address a;

		assert_int_equal(network_parse(span_text(cases[i].network), &n),
		    cases[i].holds >= 0);
		if (cases[i].holds < 0)
			continue;
		assert_true(address_parse(span_text(cases[i].address), &a));
		assert_int_equal(network_holds(&n, &a), cases[i].holds);
	}
}

/* What goes in comes out, and every cut of it is bad, not read past. */
static void
test_pack(void **state)
{
	uint8_t bytes[64];
	struct pack p = { bytes, 0, sizeof bytes, false };

	pack_u8(&p, 0xfe);
	pack_u16(&p, 0xfedc);
	pack_u32(&p, 0xfedcba98);
	pack_u64(&p, 0xfedcba9876543210);
	pack_span(&p, SPAN_LIT("text"));
	assert_false(p.full);
	for (size_t n = 0; n <= p.len; n++) {
		struct unpack u = { { bytes, n }, false };
		bool right = unpack_u8(&u) == 0xfe && unpack_u16(&u) == 0xfedc &&
		    unpack_u32(&u) == 0xfedcba98 && unpack_u64(&u) == 0xfedcba9876543210 &&
		    span_equal(unpack_span(&u), SPAN_LIT("text"));

		assert_int_equal(right, n == p.len);
		assert_int_equal(unpack_whole(&u), n == p.len);
	}
}

static void
test_pack_full(void **state)
{
	uint8_t bytes[8];
	struct pack p = { bytes, 0, sizeof bytes, false };

	pack_span(&p, SPAN_LIT("12345"));
	assert_true(p.full);
	assert_int_equal(p.len, 0);
	pack_u8(&p, 1);
	assert_int_equal(p.len, 0);     /* full stays full: nothing is skipped over */

	struct unpack u = { SPAN_LIT("\xff\xff\xff\xff" "abc"), false };

	assert_int_equal(unpack_count(&u, 1), 0);
	assert_true(u.bad);
}

static void
test_buf(void **state)
{
	struct buf b = { 0 };
	char want[3000] = "";
	size_t taken = 0;

	for (int i = 0; i < 300; i++) {
		char piece[16];

		snprintf(piece, sizeof piece, "<%d>", i);
		strcat(want, piece);
		buf_printf(&b, "%s", piece);
		if (i % 3 == 0) {
			buf_take(&b, 2);
			taken += 2;
		}
		assert_string_equal(buf_text(&b), want + taken);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape), cmocka_unit_test(test_printed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_times), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_distance),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_networks),
		cmocka_unit_test(test_pack), cmocka_unit_test(test_pack_full),
		cmocka_unit_test(test_buf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
