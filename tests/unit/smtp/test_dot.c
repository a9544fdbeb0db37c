/*
 * test_dot.c - a table of messages at every cut, and all short ones against a reference.
 */
#include "lib/smtp/dot.h"
#include "tests/unit/smtp/memsink.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct { const char *name, *in, *out, *rest; enum status st; } cases[] = {
	{ "empty message", ".\r\n", "", "", ST_OK },
	{ "dot unstuffed", "..a\r\n.b\r\n.\r\n", ".a\r\nb\r\n", "", ST_OK },
	{ "pipelined rest kept", "a\r\n.\r\nQUIT\r\n", "a\r\n", "QUIT\r\n", ST_OK },
	{ "LF.LF is not the end", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "", ST_OK },
	{ "LF.CRLF neither", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "", ST_OK },
	{ "CR.CR neither", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", "", ST_OK },
	{ "CRCR.CRLF neither", "a\r\r.\r\nb\r\n.\r\n", "a\r\r.\r\nb\r\n", "", ST_OK },
	{ "CRLF.CR then text", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "", ST_OK },
	{ "CRLF.CR CRLF", "a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", "", ST_OK },
	{ "CRLF.LF is text", "a\r\n.\n..\r\n.\r\n", "a\r\n\n..\r\n", "", ST_OK },
	{ "two dotted lines", "a\r\n..\r\nb.\r\n...c\r\n.\r\n", "a\r\n.\r\nb.\r\n..c\r\n",
	  "",
	  ST_OK },
	{ "unfinished", "a\r\n.", "a\r\n", "", ST_MORE },
	{ "dots behind more than a block",
	  "0123456789012345678901234567890123456789012345678901234567890\r\n..\r\n"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n."
	  "a\r\n0123456789012345678901234567890123456789012345678901234567890123456\r\n"
	  ".\r\n.",
	  "0123456789012345678901234567890123456789012345678901234567890\r\n.\r\n"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n"
	  "a\r\n0123456789012345678901234567890123456789012345678901234567890123456\r\n",
	  ".",
	  ST_OK },
};

/* In pieces of `step` bytes, on the heap and exactly as long (for the sanitizer). */
static enum status
decode(struct span in, size_t step, struct memsink *got, size_t *eaten)
{
	struct dot_decoder d = { 0 };
	struct error err = { 0 };
	enum status st = ST_MORE;
	size_t used = 0;

	for (*eaten = 0; st == ST_MORE && *eaten < in.len; *eaten += used) {
		size_t n = in.len - *eaten < step ? in.len - *eaten : step;
		uint8_t *piece = malloc(n);

		memcpy(piece, in.ptr + *eaten, n);
		st = dot_decode(&d, (struct span){ piece, n }, &used, &got->sink, &err);
		free(piece);
		assert_true(st == ST_TEMP || used <= n);
	}
	return st;
}

static void
test_table(void **state)
{
	for (size_t c = 0; c < COUNT_OF(cases); c++) {
		print_message("# %s\n", cases[c].name);
		for (size_t step = 1; step <= strlen(cases[c].in); step++) {
			struct memsink got = memsink();
			size_t eaten;

			assert_int_equal(decode(span_text(cases[c].in), step, &got,
			    &eaten),
			    cases[c].st);
			assert_string_equal(buf_text(&got.bytes), cases[c].out);
			assert_string_equal(cases[c].in + eaten, cases[c].rest);
			buf_free(&got.bytes);
		}
	}
}

#define MAX_LEN 8

struct result {
	enum status st;
	char        out[MAX_LEN + 1];
	size_t      used;
};

/* The whole message is at hand: find the end line, then drop leading dots. */
static struct result
reference(const char *in, size_t n)
{
	struct result r = { .st = ST_MORE, .used = n };
	size_t len = 0;
	bool bol = true;

	for (size_t i = 0; i < n; i++) {
		if (bol && n - i >= 3 && memcmp(in + i, ".\r\n", 3) == 0) {
			r.st = ST_OK;
			r.used = i + 3;
			return r;
		}
		if (bol && i + 2 == n && memcmp(in + i, ".\r", 2) == 0)
			break;          /* perhaps the end */
		if (!(bol && in[i] == '.'))
			r.out[len++] = in[i];
		bol = i > 0 && in[i - 1] == '\r' && in[i] == '\n';
	}
	return r;
}

static void
test_exhaustive(void **state)
{
	struct memsink got = memsink();
	char in[MAX_LEN];
	size_t eaten;

	for (size_t n = 1; n <= MAX_LEN; n++)
		for (unsigned long code = 0; code < 1ul << (2 * n); code++) {
			for (size_t i = 0; i < n; i++)
				in[i] = ".\r\na"[code >> (2 * i) & 3];
			struct result want = reference(in, n);

			for (size_t step = 1; step <= n; step++) {
				struct span all = { (const uint8_t *)in, n };
				enum status st = decode(all, step, &got, &eaten);

				if (st != want.st || eaten != want.used ||
				    strcmp(buf_text(&got.bytes), want.out) != 0)
					fail_msg("length %zu code %lu step %zu", n, code,
					    step);
				buf_take(&got.bytes, buf_len(&got.bytes));
			}
		}
	buf_free(&got.bytes);
}

/* Ordinary text leaves in one write, however long. */
static void
test_one_write(void **state)
{
	struct memsink got = memsink();
	struct buf in = { 0 };
	size_t eaten;

	for (int i = 0; i < 1000; i++)
		buf_printf(&in, "Line %d of a letter. And more.\r\n", i);
	assert_int_equal(decode(buf_span(&in), buf_len(&in), &got, &eaten), ST_MORE);
	assert_int_equal(got.writes, 1);
	assert_string_equal(buf_text(&got.bytes), buf_text(&in));
	buf_free(&got.bytes);
	buf_free(&in);
}

static void
test_sink_fails(void **state)
{
	struct memsink got = memsink();
	size_t eaten;

	got.room = 2;
	got.failure = ST_TEMP;
	assert_int_equal(decode(SPAN_LIT("abc\r\n.\r\n"), 8, &got, &eaten), ST_TEMP);
	buf_free(&got.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_one_write),
		cmocka_unit_test(test_sink_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
