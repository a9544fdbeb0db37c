/*
 * test_reply.c - replies, each at every cut; limits; small alphabets exhaustively.
 */
#include "lib/smtp/reply.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* "250 text" of each whole reply, with a newline; "!" where it is none. */
struct outcome { char text[4096]; size_t used; };

static const struct { const char *name, *in, *out; } cases[] = {
	{ "one line", "250 2.0.0 Ok\r\n", "250 2.0.0 Ok\n" },
	{ "bare LF", "250 2.0.0 Ok\n", "250 2.0.0 Ok\n" },
	{ "no text", "250\r\n", "250 \n" },
	{ "blank only", "250 \r\n", "250 \n" },
	{ "no newline yet", "250 2.0.0 Ok\r", "" },
	{ "three lines", "250-a\r\n250-b\r\n250 c\r\n", "250 a b c\n" },
	{ "last line empty", "250-a\r\n250\r\n", "250 a\n" },
	{ "middle line empty", "250-a\r\n250-\r\n250 c\r\n", "250 a c\n" },
	{ "enhanced codes of further lines", "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n",
	    "550 5.1.1 no such user\n" },
	{ "an address is no enhanced code", "550-a\r\n550 1.2.3.4 is listed\r\n",
	    "550 a 1.2.3.4 is listed\n" },
	{ "a version is no enhanced code", "550-a\r\n550 10.0.0 b\r\n", "550 a 10.0.0 b\n" },
	{ "nor is one without its blank", "550-a\r\n550 5.1.1: b\r\n", "550 a 5.1.1: b\n" },
	{ "nor an empty number", "550-a\r\n550 5..1 b\r\n", "550 a 5..1 b\n" },
	{ "enhanced code alone", "550-a\r\n550 5.1.1\r\n", "550 a\n" },
	{ "two replies", "250 a\r\n354 b\r\n", "250 a\n354 b\n" },
	{ "controls", "250 a\tb\x01\x7f\\\r\r\n", "250 a\\x09b\\x01\\x7f\\\\\\x0d\n" },
	{ "not ASCII", "250 \xc3\xa9\xff\r\n", "250 \\xc3\\xa9\\xff\n" },
	{ "code below", "199 a\r\n", "!" }, { "code above", "600 a\r\n", "!" },
	{ "two digits", "25 a\r\n", "!" }, { "letters", "2xx a\r\n", "!" },
	{ "no blank", "250a\r\n", "!" }, { "four digits", "2500 a\r\n", "!" },
	{ "empty line", "\r\n", "!" }, { "codes differ", "250-a\r\n550 b\r\n", "!" },
	{ "blank first", " 250 a\r\n", "!" },
	{ "good, then bad", "250 a\r\nx\r\n250 b\r\n", "250 a\n!" },
	{ "tab after the code", "250\ta\r\n", "!" },
};

static void
add(struct outcome *o, const char *fmt, ...)
{
	size_t len = strlen(o->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->text + len, sizeof o->text - len, fmt, ap);
	va_end(ap);
}

static void
run(struct span in, size_t step, struct outcome *o)
{
	struct reply_reader r = { .line_len = 0 };
	enum status st = ST_MORE;
	struct error err;
	size_t used, to = 0;

	*o = (struct outcome){ .used = 0 };
	while (to < in.len && st != ST_PERM) {
		to = in.len - to < step ? in.len : to + step;
		for (; o->used < to && st != ST_PERM; o->used += used) {
			st = reply_read(&r, span_slice(in, o->used, to), &used, &err);
			if (st == ST_OK)
				add(o, "%d %s\n", r.reply.code, r.reply.text);
			else if (st == ST_PERM)
				add(o, "!");
			assert_true(used <= to - o->used && (used > 0 || st == ST_PERM));
		}
	}
}

static void
test_table(void **state)
{
	struct outcome o;

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (size_t step = 1; step <= strlen(cases[i].in); step++) {
			run(span_text(cases[i].in), step, &o);
			if (strcmp(o.text, cases[i].out) != 0)
				fail_msg("%s, pieces of %zu: '%s'", cases[i].name, step, o.text);
		}
}

/*
 * The naive reference: the whole input at once, line by line, texts joined.
 */
static void
reference(const char *in, struct outcome *o)
{
	char text[64] = "", code[4] = "";

	*o = (struct outcome){ .used = 0 };
	for (const char *end; (end = strchr(in, '\n')) != NULL; in = end + 1) {
		char line[32] = "";

		memcpy(line, in, (size_t)(end - in));
		if (end > in && end[-1] == '\r')
			line[end - in - 1] = '\0';
		if (strncmp(line, "22", 2) != 0 || !is_digit((uint8_t)line[2]) ||
		    (line[3] != '\0' && line[3] != ' ' && line[3] != '-') ||
		    (code[0] != '\0' && strncmp(code, line, 3) != 0)) {
			strcat(o->text, "!");
			return;
		}
		memcpy(code, line, 3);
		for (const char *p = line[3] == '\0' ? "" : line + 4; *p != '\0'; p++) {
			static const char *const shown[] = { " ", "\\x0d", "-", "2" };

			strcat(text, shown[strchr(" \r-2", *p) - " \r-2"]);
		}
		if (line[3] == '-')
			continue;
		add(o, "%s %s\n", code, text);
		code[0] = text[0] = '\0';
	}
}

/* Every input of six bytes after "22".  Left out: further lines and blanks at the ends,
   since joining and trimming have rules of their own (see the table). */
static void
test_exhaustive(void **state)
{
	static const char alphabet[] = "2 \r\n-";
	char in[16] = "22";
	struct outcome got, want;

	for (size_t n = 0; n < 5u * 5 * 5 * 5 * 5 * 5; n++) {
		size_t v = n, newlines = 0;

		for (size_t i = 2; i < 8; i++, v /= 5) {
			in[i] = alphabet[v % 5];
			newlines += in[i] == '\n';
		}
		reference(in, &want);
		if (newlines > 1 || strstr(want.text, "  ") != NULL ||
		    strstr(want.text, " \n") != NULL)
			continue;
		for (size_t step = 1; step <= 8; step++) {
			run(span_text(in), step, &got);
			if (strcmp(got.text, want.text) != 0)
				fail_msg("%s: '%s', not '%s'", in, got.text, want.text);
		}
	}
}

static enum status
read_lines(const char *first, char fill, size_t len, unsigned lines, struct reply_reader *r)
{
	struct error err;
	enum status st = ST_MORE;
	char *line = malloc(strlen(first) + len + 3);
	size_t n = strlen(first), used;

	memcpy(line, first, n);
	memset(line + n, fill, len);
	memcpy(line + n + len, "\r\n", 3);
	for (; lines > 0 && st == ST_MORE; lines--)
		st = reply_read(r, span_text(line), &used, &err);
	free(line);
	return lines > 0 ? ST_PERM : st;
}

static void
test_limits(void **state)
{
	struct reply_reader r = { .line_len = 0 };

	assert_int_equal(read_lines("250 ", 'a', REPLY_LINE_BYTES - 6, 1, &r), ST_OK);
	assert_true(strlen(r.reply.text) <= REPLY_TEXT_BYTES);
	assert_int_equal(read_lines("250 ", '\xff', REPLY_LINE_BYTES - 6, 1, &r), ST_OK);
	assert_true(strlen(r.reply.text) <= REPLY_TEXT_BYTES);
	/* A longer line is cut, at every length around the room there is, up to a limit. */
	for (size_t more = 0; more < 12; more++) {
		assert_int_equal(read_lines("250 ", 'a', REPLY_LINE_BYTES - 10 + more, 1, &r),
		    ST_OK);
		assert_int_equal(r.reply.code, 250);
		assert_int_equal(strlen(r.reply.text), REPLY_TEXT_BYTES);
	}
	assert_int_equal(read_lines("250 ", 'a', REPLY_SKIP_BYTES, 1, &r), ST_OK);
	assert_int_equal(read_lines("250 ", 'a', REPLY_SKIP_BYTES + REPLY_LINE_BYTES, 1, &r),
	    ST_PERM);
	r = (struct reply_reader){ .line_len = 0 };
	assert_int_equal(read_lines("250-", 'a', 600, REPLY_LINES - 1, &r), ST_MORE);
	assert_int_equal(read_lines("250 ", 'b', 600, 1, &r), ST_OK);
	assert_int_equal(strlen(r.reply.text), REPLY_TEXT_BYTES);
	assert_int_equal(read_lines("250-", 'a', 1, REPLY_LINES, &r), ST_PERM);
	/* A line without end comes to its own. */
	r = (struct reply_reader){ .line_len = 0 };
	for (size_t i = 0; i < REPLY_LINE_BYTES + REPLY_SKIP_BYTES; i++) {
		struct error err;
		size_t used;

		assert_int_equal(reply_read(&r, SPAN_LIT("2"), &used, &err), ST_MORE);
	}
	assert_int_equal(read_lines("", '2', 1, 1, &r), ST_PERM);
}

static void
collect(void *arg, struct span text)
{
	strncat(arg, (const char *)text.ptr, text.len);
	strcat(arg, "|");
}

static void
test_on_line(void **state)
{
	char seen[100] = "";
	struct reply_reader r = { .on_line = collect, .on_line_arg = seen };
	struct error err;
	size_t used;

	assert_int_equal(reply_read(&r, SPAN_LIT("250-mx\r\n250-SIZE 10\r\n250 5.0.0 x\r\n"),
	    &used, &err), ST_OK);
	assert_string_equal(seen, "mx|SIZE 10|5.0.0 x|");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_on_line),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
