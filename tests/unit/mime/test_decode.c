/*
 * test_decode.c - transfer encodings: tables at every cut, base64 and quoted-printable
 * exhaustively against naive references.
 */
#include "lib/mime/base64.h"
#include "lib/mime/decode.h"
#include "lib/mime/lane.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define B ENCODING_BASE64
#define Q ENCODING_QUOTED
#define U ENCODING_UU
#define Y ENCODING_YENC
#define X ENCODING_BINHEX

static const struct { const char *name; enum encoding e; enum decode_manner m;
	const char *in, *out; unsigned flaws; } decodes[] = {
	{ "base64", B, 0, "YWJj\r\nZA==\r\n", "abcd", 0 },
	{ "base64, one pad", B, 0, "YWI=", "ab", 0 },
	{ "base64, no padding", B, 0, "YWI", "ab", DECODE_UNPADDED },
	{ "base64, one character left", B, 0, "YWJjZ", "abc", DECODE_UNPADDED },
	{ "base64, junk", B, 0, "YW-Jj\n!", "abc", DECODE_JUNK | DECODE_INSIDE },
	{ "base64, junk behind", B, 0, "YWJj!\n", "abc", DECODE_JUNK },
	{ "base64, eight bits", B, 0, "YWJj\xff", "abc", DECODE_JUNK | DECODE_EIGHT_BIT },
	{ "base64, line of junk", B, DECODE_LINE_JUNK, "YWJj#YWJj\nZGVm", "abcdef",
	    DECODE_JUNK | DECODE_INSIDE },
	{ "base64, concatenated", B, 0, "YQ==YQ==", "aa", DECODE_PADDING },
	{ "base64, stop", B, DECODE_STOP, "YQ==YQ==", "a", DECODE_PADDING },
	{ "base64, skip", B, DECODE_SKIP, "YW=Jj", "abc", DECODE_PADDING },
	{ "base64, zero", B, DECODE_ZERO, "YWJ=", "ab@", 0 },
	{ "base64, group", B, DECODE_GROUP, "Y=W=YW=I", "aab", DECODE_PADDING },
	{ "base64, lines inside groups", B, 0, "Y\nW\n\nJj", "abc", DECODE_BROKEN },
	{ "base64, reset", B, DECODE_RESET, "YWJjY\nZGVm", "abcdef", DECODE_BROKEN },
	{ "base64, nothing", B, 0, "\r\n \t", "", 0 },
	{ "quoted", Q, 0, "a=3Db=\r\nc\r\n", "a=bc\r\n", 0 },
	{ "quoted, small digits", Q, 0, "=c3=a4", "\xc3\xa4", 0 },
	{ "quoted, blanks at the end", Q, 0, "a \t\r\nb \nc  ", "a\r\nb\nc", 0 },
	{ "quoted, blanks inside", Q, 0, "a  b =20\n", "a  b  \n", 0 },
	{ "quoted, soft with blanks", Q, 0, "a= \t\nb=\nc", "abc", 0 },
	{ "quoted, bad escape", Q, 0, "a=zb=4", "a=zb=4", DECODE_ESCAPE },
	{ "quoted, bad second digit", Q, 0, "=4z==41", "=4z=A", DECODE_ESCAPE },
	{ "quoted, dropped", Q, DECODE_SKIP, "==41= =42", "AB", DECODE_ESCAPE },
	{ "quoted, bare CR", Q, 0, "a\rb", "a\rb", 0 },
	{ "quoted, eight bits", Q, 0, "\xe4", "\xe4", DECODE_EIGHT_BIT },
	{ "quoted, at the end", Q, 0, "a=", "a", 0 },
	{ "uu", U, 0, "begin 644 x\n#0V%T\n`\nend\n", "Cat", 0 },
	{ "uu, no begin", U, 0, "#0V%T\n`\nend\n", "Cat", DECODE_NO_BEGIN },
	{ "uu, no end", U, 0, "begin 644 x\r\n#0V%T\r\n", "Cat", DECODE_NO_END },
	{ "uu, no newline", U, 0, "begin 644 x\n#0V%T", "Cat", DECODE_NO_END },
	{ "uu, blanks cut off", U, 0, "begin 644 x\n#\n`\nend\n",
	    "\0\0\0", DECODE_LINE },
	{ "yenc", Y, 0, "=ybegin line=128 size=3 name=x\nm\x8b\x9e\n=yend size=3\n", "Cat", 0 },
	{ "yenc, escape", Y, 0, "=ybegin line=128 size=2 name=x\n=n=}\n=yend size=2\n",
	    "\x04\x13", 0 },
	{ "yenc, size", Y, 0, "=ybegin line=128 size=4 name=x\nm\x8b\x9e\n=yend size=3\n", "Cat",
	    DECODE_SUM },
	{ "binhex", X, 0, "(This file must be converted with BinHex 4.0)\n\n"
	    ":!AJ!9%9B9(4dH(3!N!81\n!*!%U!j$BA53!''3#PRN!!!:\n",
	    "Cat\x90" "aaaaaaaaaa", 0 },
	{ "binhex, cut", X, 0, ":!AJ!9%9B9(4dH(3!N!81!*!%U!j$BA3", "Cat",
	    DECODE_NO_END },
	{ "binhex, nothing", X, 0, "text", "", DECODE_NO_BEGIN | DECODE_NO_END },
	{ "none", ENCODING_NONE, 0, "a=3D\n", "a=3D\n", 0 },
};

struct tail { struct sink sink; struct buf b; bool finished; };

static enum status
tail_write(struct sink *s, struct span in, struct error *e)
{
	buf_add(&container_of(s, struct tail, sink)->b, in);
	return ST_OK;
}

static enum status
tail_finish(struct sink *s, struct error *e)
{
	container_of(s, struct tail, sink)->finished = true;
	return ST_OK;
}

static unsigned
cut_at(struct decode_way way, struct span in, size_t a, size_t b, struct tail *t)
{
	struct decoder d;
	struct error e;

	*t = (struct tail){ .sink = { tail_write, tail_finish } };
	decoder_init(&d, way, 10000, &t->sink);
	sink_write(&d.sink, span_slice(in, 0, a), &e);
	sink_write(&d.sink, span_slice(in, a, b), &e);
	sink_write(&d.sink, span_slice(in, b, in.len), &e);
	assert_int_equal(sink_finish(&d.sink, &e), ST_OK);
	assert_true(t->finished);
	return d.flaws;
}

static size_t
expected_length(size_t i)
{
	return strcmp(decodes[i].name, "uu, blanks cut off") == 0 ? 3 : strlen(decodes[i].out);
}

static void
test_table(void **state)
{
	for (size_t i = 0; i < COUNT_OF(decodes); i++) {
		struct span in = span_text(decodes[i].in);
		struct span want = { (const uint8_t *)decodes[i].out, expected_length(i) };
		struct tail t;

		for (size_t a = 0; a <= in.len; a++) {
			for (size_t b = a; b <= in.len; b++) {
				unsigned flaws = cut_at((struct decode_way){ decodes[i].e,
				    decodes[i].m }, in, a, b, &t);

				if (flaws != decodes[i].flaws || !span_equal(buf_span(&t.b), want))
					fail_msg("%s: '%.*s', flaws %x", decodes[i].name,
					    (int)buf_len(&t.b), (const char *)t.b.ptr, flaws);
				buf_free(&t.b);
			}
		}
	}
}

/* Base64 by the book: drop what is no letter, take bits in eights; '=' ends a group. */
static size_t
naive_base64(const char *in, char *out)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0;
	size_t n = 0;

	for (; *in != '\0'; in++) {
		const char *p = strchr(letters, *in);

		if (*in == '=' && count % 24 >= 12)
			bits = count = 0;
		if (p == NULL)
			continue;
		bits = (bits << 6 | (unsigned)(p - letters)) & 0xffffff;
		count += 6;
		if (count % 24 % 8 == 4 && count % 24 == 12)
			out[n++] = (char)(bits >> 4);
		else if (count % 24 == 18)
			out[n++] = (char)(bits >> 2);
		else if (count % 24 == 0)
			out[n++] = (char)bits;
	}
	return n;
}

/* Quoted-printable line by line. */
static size_t
naive_quoted(const char *in, char *out)
{
	size_t n = 0;

	while (*in != '\0') {
		const char *lf = strchr(in, '\n'), *end = lf != NULL ? lf : in + strlen(in);
		const char *next = lf != NULL ? lf + 1 : end;
		bool soft;

		while (end > in && end[-1] == ' ')
			end--;
		soft = end > in && end[-1] == '=';
		for (; in < end; in++) {
			if (*in == '=' && in + 1 == end)
				break;
			if (*in == '=' && end - in > 2 && in[1] == '4' && in[2] == '4') {
				out[n++] = 'D';
				in += 2;
			} else
				out[n++] = *in;
		}
		if (lf != NULL && !soft)
			out[n++] = '\n';
		in = next;
	}
	return n;
}

static void
exhaust(const char *alphabet, size_t max, enum encoding e,
    size_t (*naive)(const char *, char *))
{
	size_t letters = strlen(alphabet);
	char in[12], want[64];

	for (size_t len = 0; len <= max; len++) {
		size_t all = 1;

		for (size_t i = 0; i < len; i++)
			all *= letters;
		for (size_t n = 0; n < all; n++) {
			struct buf out = { 0 };
			size_t v = n;

			for (size_t i = 0; i < len; i++, v /= letters)
				in[i] = alphabet[v % letters];
			in[len] = '\0';
			decode_all((struct decode_way){ e, 0 }, span_text(in), 1000, &out);
			struct span w = { (uint8_t *)want, naive(in, want) };

			if (!span_equal(buf_span(&out), w))
				fail_msg("'%s': '%.*s', not '%.*s'", in, (int)buf_len(&out),
				    (const char *)out.ptr, (int)w.len, want);
			buf_free(&out);
		}
	}
}

static void
test_exhaustive(void **state)
{
	exhaust("aB=\n!", 8, ENCODING_BASE64, naive_base64);
	exhaust("=4x\n", 8, ENCODING_QUOTED, naive_quoted);
	exhaust(" a\n", 9, ENCODING_QUOTED, naive_quoted);
}

static void
test_limit(void **state)
{
	for (enum encoding e = ENCODING_NONE; e <= ENCODING_UU; e++) {
		struct buf out = { 0 };
		const char *in[] = { "abcdef", "YWJjZGVm", "abcdef", "begin 6 x\n&86)C9&5F\n" };
		unsigned flaws = decode_all((struct decode_way){ e, 0 }, span_text(in[e]), 4, &out);

		assert_true(flaws & DECODE_CUT);
		assert_true(span_equal(buf_span(&out), SPAN_LIT("abcd")));
		buf_free(&out);
	}
}

static const struct { const char *in; enum encoding strict, lenient; } labels[] = {
	{ "", 0, 0 }, { "7bit", 0, 0 }, { " BASE64 ", B, B }, { "base64 (x)", B, B },
	{ "(x)base64", B, B }, { "bas()e64", B, B }, { "Quoted-Printable", Q, Q },
	{ "x-uuencode", U, U }, { "uue", U, U }, { "x-yencode", Y, Y }, { "mac-binhex40", X, X },
	{ "base64;", ENCODING_UNKNOWN, B }, { "base 64", ENCODING_UNKNOWN, B },
	{ "xbase64", ENCODING_UNKNOWN, B }, { "quoted", ENCODING_UNKNOWN, Q },
	{ "base64,quoted-printable", ENCODING_UNKNOWN, ENCODING_UNKNOWN },
	{ "8-bit", ENCODING_UNKNOWN, ENCODING_NONE }, { "xxx", ENCODING_UNKNOWN, ENCODING_UNKNOWN },
};

static void
test_labels(void **state)
{
	for (size_t i = 0; i < COUNT_OF(labels); i++) {
		struct span s = span_text(labels[i].in);

		if (encoding_parse(s, false) != labels[i].strict ||
		    encoding_parse(s, true) != labels[i].lenient)
			fail_msg("'%s'", labels[i].in);
	}
}

static const struct { const char *in, *out; } texts[] = {
	{ "", "" }, { "begin to see\nthe light\n", "" }, { "begin 644 a.b\nno\n", "" },
	{ "x\nbegin 644 a b\n#0V%T\n`\nend\ny\n", "uuencode 'a b' 2-28 ended;" },
	{ "begin 644 a\n#0V%T\ntext!!!\n", "uuencode 'a' 0-18;" },
	{ "=ybegin line=1 size=1 name=n.z\nk\n=yend size=1\n", "yenc 'n.z' 0-46 ended;" },
	{ "begin-base64 644 n\nYWJj\n====\n", "base64 'n' 19-29 ended;" },
	{ "a\n(This file must be converted with BinHex 4.0)\n:abc:\n", "binhex '' 2-53 ended;" },
	{ "begin 644 a\n#0V%T\n`\nend\nbegin 600 b\n#0V%T\n`\nend\n",
	    "uuencode 'a' 0-24 ended;uuencode 'b' 24-48 ended;" },
};

static void
test_embedded(void **state)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct span s = span_text(texts[i].in);
		struct embedded e;
		char got[256] = "";
		int n = 0;

		for (size_t at = 0; embedded_next(s, &at, &e);)
			n += sprintf(got + n, "%s '%.*s' %zu-%zu%s;", encoding_name(e.encoding),
			    (int)e.name.len,
			    (const char *)e.name.ptr, e.from, e.to, e.ended ? " ended" : "");
		if (strcmp(got, texts[i].out) != 0)
			fail_msg("%zu: '%s'", i, got);
	}
}

/* A file begins at any distance from the blocks of the fast search. */
static void
test_embedded_anywhere(void **state)
{
	static const char file[] = "\nbegin 644 a\n#0V%T\n`\nend\n";
	char text[400];

	for (size_t before = 0; before < 300; before++) {
		size_t at = 0;
		struct embedded e;

		memset(text, 'x', sizeof text);
		memcpy(text + before, file, sizeof file - 1);
		assert_true(embedded_next((struct span){ (uint8_t *)text, sizeof text }, &at, &e));
		assert_int_equal(e.from, before + 1);
		assert_int_equal(e.to, before + sizeof file - 1);
	}
}

static void
test_ways(void **state)
{
	struct decode_way ways[DECODE_OTHERS];
	struct span qp = SPAN_LIT("=50=\n=4B=\n"), b = SPAN_LIT("UEsDBBQAAgAI\n");

	assert_int_equal(decode_others(B, 0, b, ways), 0);
	assert_int_equal(decode_others(B, DECODE_PADDING, b, ways), 4);
	assert_true(decode_others(B, ~0u, b, ways) <= DECODE_OTHERS);
	assert_int_equal(decode_first(B, qp).encoding, B);
	assert_int_equal(decode_first(ENCODING_UNKNOWN, b).encoding, B);
	assert_int_equal(decode_others(ENCODING_UNKNOWN, 0, b, ways), 2);
	assert_int_equal(decode_others(ENCODING_UNKNOWN, 0, qp, ways), 2);
}

static void
test_lane(void **state)
{
	for (size_t at = 0; at <= LANE_BYTES; at++)
		for (unsigned c = 1; c < 256; c++) {
			uint8_t bytes[LANE_BYTES] = { 0 };

			for (size_t i = at; i < LANE_BYTES; i += 3)
				bytes[i] = (uint8_t)c;
			assert_int_equal(lane_first(lane_load(bytes)), at);
			assert_int_equal(lane_any(lane_load(bytes)), at < LANE_BYTES);
		}
}

/* Many groups at a time are the same as one, with any byte at any place, whatever stands
   around them; nothing is written behind the slack. */
static void
check_groups(struct span in, size_t most)
{
	uint8_t fast[112], plain[112];
	size_t groups, want;

	memset(fast, 0xee, sizeof fast);
	memset(plain, 0xee, sizeof plain);
	size_t used = base64_lines(in, most, fast, &groups);

	assert_int_equal(base64_lines_plain(in, most, plain, &want), used);
	assert_int_equal(groups, want);
	assert_true(groups <= most && 4 * groups <= used && used <= in.len);
	assert_memory_equal(fast, plain, 3 * groups);
	for (size_t i = 3 * most + BASE64_SLACK; i < sizeof fast; i++)
		assert_int_equal(fast[i], 0xee);
}

static void
test_groups(void **state)
{
	static const char letters[] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY+/Zx0129abyzKLMN"
	    "+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
	uint8_t in[100];

	for (size_t groups = 0; groups <= sizeof in / 4; groups++)
		for (size_t at = 0; at < sizeof in; at++)
			for (unsigned c = 0; c < 256; c++) {
				memcpy(in, letters, sizeof in);
				in[at] = (uint8_t)c;
				check_groups((struct span){ in, sizeof in }, groups);
				check_groups((struct span){ in, 4 * groups }, COUNT_OF(in) / 4);
				memcpy(in + 40, "\r\n", 2);
				memcpy(in + 78, "\n\r\n", 3);
				check_groups((struct span){ in, sizeof in }, groups);
			}
}

/* Long lines with something odd at each place: all at once is what byte by byte gives. */
static void
check_line(struct decode_way way, struct span in, uint64_t limit)
{
	struct tail t = { .sink = { tail_write, tail_finish } };
	struct buf whole = { 0 };
	struct decoder d;
	struct error e;

	decoder_init(&d, way, limit, &t.sink);
	for (size_t i = 0; i < in.len; i++)
		sink_write(&d.sink, span_slice(in, i, i + 1), &e);
	sink_finish(&d.sink, &e);
	assert_int_equal(decode_all(way, in, limit, &whole), d.flaws);
	assert_true(span_equal(buf_span(&whole), buf_span(&t.b)));
	buf_free(&whole);
	buf_free(&t.b);
}

static void
fill_lines(uint8_t *in, size_t len, size_t width)
{
	for (size_t i = 0; i < len; i++)
		in[i] = i % (width + 2) == width ? '\r' : i % (width + 2) == width + 1 ? '\n' :
		    (uint8_t)("abcd efgh  "[i % 11] & ~(width % 4 == 0 ? 0x20 : 0)) | 0x40;
}

static void
test_lines(void **state)
{
	static const char odd[] = "= \t\r\n!\0\xe4Z", *const pairs[] = { "==", "=3", "=\r", " \r",
		"\n\n", "  ", "\r\r", "=\n" };
	uint8_t in[1500];

	for (enum decode_manner m = 0; m < DECODE_MANNERS; m++)
		for (size_t at = 0; at < 180; at++)
			for (size_t k = 0; k < sizeof odd + COUNT_OF(pairs); k++) {
				fill_lines(in, sizeof in, 60 + at % 17);
				if (k < sizeof odd)
					in[at] = (uint8_t)odd[k];
				else
					memcpy(in + at, pairs[k - sizeof odd], 2);
				struct span s = { in, at % 5 == 0 ? sizeof in : 200 };

				check_line((struct decode_way){ B, m }, s, at % 3 == 0 ? at : 5000);
				check_line((struct decode_way){ Q, m }, s, at % 3 == 0 ? at : 5000);
			}
}

/* More blanks than are held back. */
static void
test_blanks(void **state)
{
	uint8_t in[1400];

	for (size_t blanks = 150; blanks < 1300; blanks += 19)
		for (size_t before = 0; before < 40; before++) {
			memset(in, 'x', sizeof in);
			memset(in + before, ' ', blanks);
			for (unsigned end = 0; end < 3; end++) {
				in[before + blanks] = (uint8_t)"\nx="[end];
				for (uint64_t limit = 100; limit < 6000; limit *= 7)
					check_line((struct decode_way){ Q, 0 },
					    (struct span){ in, before + blanks + 10 }, limit);
			}
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_labels),
		cmocka_unit_test(test_embedded), cmocka_unit_test(test_embedded_anywhere),
		cmocka_unit_test(test_ways), cmocka_unit_test(test_lane),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_lines), cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
