/*
 * test_word.c - character sets, encoded words, parameters in their three manners.
 */
#include "lib/mime/parameter.h"
#include "lib/mime/word.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"
#define AE "\xc3\xa4"

static const struct { const char *name, *in; size_t len; const char *out; bool good; } sets[] = {
	{ "", "abc", 3, "abc", true }, { "us-ascii", AE, 2, AE, true },
	{ "us-ascii", "\xe4", 1, AE, false }, { "UTF-8", "a" AE, 3, "a" AE, true },
	{ "utf8", "\xc3(", 2, FFFD "(", false }, { "utf-8", "\xed\xa0\x80", 3, FFFD FFFD FFFD, false },
	{ "utf-8", "\xc0\x80", 2, FFFD FFFD, false }, { "iso-8859-1", "\xe4", 1, AE, true },
	{ "ISO_8859-15", "\xa4", 1, "\xe2\x82\xac", true }, { "latin1", "\xe4", 1, AE, true },
	{ "windows-1252", "\x80", 1, "\xe2\x82\xac", true }, { "cp1251", "\xe4", 1, "\xd0\xb4", true },
	{ "koi8-r", "\xc4", 1, "\xd0\xb4", true }, { "iso-8859-1*en", "\xe4", 1, AE, true },
	{ "utf-16", "\0a\0b", 4, "ab", true }, { "utf-16", "a\0b\0", 4, "ab", true },
	{ "utf-16", "\xff\xfe\x61\0", 4, "a", true }, { "utf-16le", "\x3d\xd8\x00\xde", 4,
	    "\xf0\x9f\x98\x80", true }, { "utf-16be", "\xd8\x3d\0a", 4, FFFD "a", false },
	{ "utf-16be", "\0ab", 3, "a", false }, { "utf-32be", "\0\0\0a", 4, "a", true },
	{ "shift_jis", "\x82\xa0", 2, "\xe3\x81\x82", true }, { "gb2312", "\xb0\xa1", 2,
	    "\xe5\x95\x8a", true }, { "big5", "\xa4\x40", 2, "\xe4\xb8\x80", true },
	{ "euc-kr", "\xb0\xa1", 2, "\xea\xb0\x80", true },
	{ "iso-2022-jp", "\x1b$B$\"\x1b(B", 8, "\xe3\x81\x82", true },
	{ "utf-7", "+AOQ-", 5, AE, true }, { "shift_jis", "\x82", 1, FFFD, false },
	{ "nobody-knows", AE, 2, AE, false }, { "nobody-knows", "\xe4", 1, AE, false },
	{ "iso-2022-cn-ext", "abc", 3, "abc", false },
};

static void
test_charsets(void **state)
{
	struct charsets *c = charsets_create();

	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		struct span in = { (const uint8_t *)sets[i].in, sets[i].len };
		struct buf out = { 0 };
		bool good = charset_convert(c, span_text(sets[i].name), in, 1000, &out);

		if (good != sets[i].good || strcmp(buf_text(&out), sets[i].out) != 0)
			fail_msg("%zu %s: '%s' %d", i, sets[i].name, buf_text(&out), good);
		/* No limit gives more than it says, or half a character. */
		for (size_t max = 0; max < 12; max++) {
			buf_take(&out, buf_len(&out));
			charset_convert(c, span_text(sets[i].name), in, max, &out);
			assert_true(buf_len(&out) <= max);
			assert_int_equal(utf8_valid(buf_span(&out)), buf_len(&out));
		}
		buf_free(&out);
	}
	assert_true(charset_known(c, SPAN_LIT("EUC_JP")));
	assert_false(charset_known(NULL, SPAN_LIT("EUC_JP")));
	assert_false(charset_known(c, SPAN_LIT("iso-2022-cn-ext")));
	charsets_destroy(&c);
	charsets_destroy(&c);
}

/* All of three bytes, by the table of RFC 3629. */
static bool
naive_valid(uint32_t a, uint32_t b, uint32_t c)
{
	bool b_goes_on = b >= 0x80 && b < 0xc0, c_goes_on = c >= 0x80 && c < 0xc0;

	if (a < 0x80 && b < 0x80 && c < 0x80)
		return true;
	if (a < 0x80)
		return b >= 0xc2 && b <= 0xdf && c_goes_on;
	if (a >= 0xc2 && a <= 0xdf)
		return b_goes_on && c < 0x80;
	if (a < 0xe0 || a > 0xef || !b_goes_on || !c_goes_on)
		return false;
	uint32_t v = (a & 15) << 12 | (b & 63) << 6 | (c & 63);

	return v >= 0x800 && !(v >= 0xd800 && v < 0xe000);
}

static void
test_utf8(void **state)
{
	for (uint32_t v = 0; v < 1u << 24; v += 3) {
		uint8_t s[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

		/* Two short characters in a row are told by the table below. */
		if (s[0] < 0x80 && s[1] < 0x80 && s[2] >= 0x80)
			continue;
		if ((utf8_valid((struct span){ s, 3 }) == 3) != naive_valid(s[0], s[1], s[2]))
			fail_msg("%06x", v);
	}
}

/* A character at every place of a long text; then its first byte alone, or its last. */
static void
test_long_utf8(void **state)
{
	static const char *const characters[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
	uint8_t s[200];

	for (size_t i = 0; i < COUNT_OF(characters); i++) {
		size_t n = strlen(characters[i]);

		for (size_t len = n; len <= sizeof s; len++)
			for (size_t at = 0; at + n <= len; at++) {
				memset(s, '1', sizeof s);
				memcpy(s + at, characters[i], n);
				assert_int_equal(utf8_valid((struct span){ s, len }), len);
				s[at + 1] = '1';
				assert_int_equal(utf8_valid((struct span){ s, len }), at);
				s[at] = '1';
				s[at + 1] = 0x80;
				assert_int_equal(utf8_valid((struct span){ s, len }), at + 1);
			}
	}
}

/* In a long text, which goes by in blocks, a character is what it is in a short one. */
static void
check_blocks(const uint8_t bytes[4], size_t at)
{
	uint8_t s[192];

	memset(s, '1', sizeof s);
	memcpy(s + at, bytes, 4);
	assert_int_equal(utf8_valid((struct span){ s, sizeof s }),
	    utf8_valid((struct span){ s + at, 60 }) == 60 ? sizeof s :
	    at + utf8_valid((struct span){ s + at, 60 }));
}

static void
test_utf8_blocks(void **state)
{
	static const uint8_t later[] = { '1', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
		0xc2, 0xe1, 0xff };

	for (unsigned a = 0x7f; a < 256; a++)
		for (unsigned b = 0x7f; b < 256; b++)
			for (size_t k = 0; k < COUNT_OF(later) * COUNT_OF(later); k++) {
				const uint8_t bytes[4] = { (uint8_t)a, (uint8_t)b,
					later[k % COUNT_OF(later)], later[k / COUNT_OF(later)] };

				check_blocks(bytes, 60 + k % 5);
			}
}

static const struct { const char *in, *out; } words[] = {
	{ "", "" }, { "plain", "plain" }, { "=?utf-8?q?a=C3=A4_b?=", "a" AE " b" },
	{ "=?utf-8?B?YcOk?=", "a" AE }, { "x =?iso-8859-1?q?=E4?= y", "x " AE " y" },
	{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" }, { "=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?=C3?= =?UTF-8?q?=A4?=", AE }, { "=?utf-8?b?ww==?= =?utf-8?b?pA==?=", AE },
	{ "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b" }, { "=?utf-8?q?a?==?utf-8?q?b?=", "ab" },
	{ "=?iso-8859-1?q?=E4?= =?utf-8?q?=C3=A4?=", AE AE }, { "=?utf-8?q?a b?=", "a b" },
	{ "=?utf-8?q?a=5Fb?=", "a_b" }, { "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" }, { "=?" "?q?a?=", "=?" "?q?a?=" }, { "=?=?=", "=?=?=" },
	{ "\"=?utf-8?q?a?=\"", "\"a\"" }, { "\xe4 =?utf-8?q?a?=", AE " a" },
	{ "=?utf-8?b?YQ?=", "a" }, { "=?utf-16?B?AGEAYg==?=", "ab" },
	{ "=?nobody?q?=C3=A4?=", AE }, { "= =? ?=", "= =? ?=" }, { "=?utf-8?q?" "?=", "" },
};

static void
test_words(void **state)
{
	struct charsets *c = charsets_create();

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		struct arena arena = { 0 };
		struct span got = word_decode(span_text(words[i].in), 1000, c, &arena);

		if (!span_equal(got, span_text(words[i].out)))
			fail_msg("'%s': '%.*s'", words[i].in, (int)got.len, (const char *)got.ptr);
		for (size_t max = 0; max < 10; max++)
			assert_true(word_decode(span_text(words[i].in), max, c, &arena).len <= max);
		arena_free(&arena);
	}
	charsets_destroy(&c);
}

/* word, then name[*section][*]=value; "!" where the manners may differ. */
static const struct { const char *in, *rfc, *plain; } parameters[] = {
	{ "text/plain", "text/plain;", "text/plain;" },
	{ "Text/HTML; Charset=UTF-8", "text/html;charset=UTF-8;", "text/html;charset=UTF-8;" },
	{ "a/b; x=\"y z\"; c=d", "a/b;x=y z;c=d;", "a/b;x=y z;c=d;" },
	{ "a/b;x=\"y;z\";;", "a/b;x=y;z;", "a/b;x=y;z;" },
	{ "a/b; x=y z", "!a/b;x=y;", "!a/b;x=y z;" },
	{ "a/b; x=\"y\\\"z\"", "!a/b;x=y\"z;", "!a/b;x=y\\z;" },
	{ "a/b (c); x(c)=(c)y(c)", "!a/b;x=y;", "!a/b (c);x(c)=(c)y(c);" },
	{ "a/b; x*0=y; x*1*=z", "!a/b;x*0=y;x*1*=z;", "!a/b;x*0=y;x*1*=z;" },
	{ "a/b; x='y'", "!a/b;x='y';", "!a/b;x=y;" }, { "a/b; x", "!a/b;", "!a/b;" },
	{ "a/b; x=1; x=2", "!a/b;x=1;x=2;", "!a/b;x=1;x=2;" }, { "", ";", ";" },
	{ "a/b; x=\"y", "!a/b;x=y;", "!a/b;x=y;" }, { "a/b; x=\"y\"z", "!a/b;x=y;", "!a/b;x=yz;" },
	{ "a/b;\r\n\tx=\r\n y", "!a/b;x=y;", "!a/b;x=y;" }, { "a/b;\r\n\tx=y", "a/b;x=y;",
	    "a/b;x=y;" },
	{ "a/b; (x=1; y=2", "!a/b;", "!a/b;(x=1;y=2;" },
};

static void
describe(const char *in, enum parameter_manner manner, char out[512])
{
	struct arena arena = { 0 };
	struct parameter_list l;
	int n;

	parameter_parse(span_text(in), manner, &l, &arena);
	n = sprintf(out, "%s%.*s;", l.odd ? "!" : "", (int)l.word.len, (const char *)l.word.ptr);
	for (size_t i = 0; i < l.count; i++) {
		const struct parameter *p = &l.items[i];

		n += sprintf(out + n, "%.*s", (int)p->name.len, (const char *)p->name.ptr);
		if (p->section >= 0)
			n += sprintf(out + n, "*%d", p->section);
		n += sprintf(out + n, "%s=%.*s;", p->extended ? "*" : "", (int)p->value.len,
		    (const char *)p->value.ptr);
	}
	arena_free(&arena);
}

static void
test_parameters(void **state)
{
	char got[512];

	for (size_t i = 0; i < COUNT_OF(parameters); i++) {
		describe(parameters[i].in, PARAMETER_RFC, got);
		if (strcmp(got, parameters[i].rfc) != 0)
			fail_msg("'%s': '%s'", parameters[i].in, got);
		describe(parameters[i].in, PARAMETER_PLAIN, got);
		if (strcmp(got, parameters[i].plain) != 0)
			fail_msg("'%s' plain: '%s'", parameters[i].in, got);
	}
}

/* A value that is not odd is the same in every manner that divides at semicolons. */
static void
test_not_odd(void **state)
{
	static const char alphabet[] = "a;=\"\\( '";
	char text[24] = "x/y;", rfc[512], plain[512];

	for (size_t len = 0; len <= 6; len++) {
		size_t all = 1;

		for (size_t i = 0; i < len; i++)
			all *= 8;
		for (size_t n = 0; n < all; n++) {
			size_t v = n;

			for (size_t i = 0; i < len; i++, v /= 8)
				text[4 + i] = alphabet[v % 8];
			text[4 + len] = '\0';
			describe(text, PARAMETER_RFC, rfc);
			if (rfc[0] == '!')
				continue;
			describe(text, PARAMETER_PLAIN, plain);
			if (strcmp(rfc, plain) != 0)
				fail_msg("'%s': '%s', '%s'", text, rfc, plain);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charsets), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_long_utf8),
		cmocka_unit_test(test_utf8_blocks),
		cmocka_unit_test(test_words), cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_not_odd),
	};

	return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
