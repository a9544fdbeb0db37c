/*
 * test_newline.c - the newline stage, alone and behind the dot decoder.
 */
#include "lib/smtp/dot.h"
#include "lib/smtp/newline.h"
#include "tests/unit/smtp/memsink.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define X64 "0123456789012345678901234567890123456789012345678901234567890123"

/* `dots`: where lines of `out` begin with a dot; -1 ends. */
static const struct {
	const char *name, *in, *out;
	unsigned    bare_cr, bare_lf;
	bool        ends;
	int         dots[4];
} cases[] = {
	{ "nothing", "", "", 0, 0, false, { -1 } },
	{ "ordinary", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n", 0, 0, true, { -1 } },
	{ "no newline at the end", "a\r\nb", "a\r\nb", 0, 0, false, { -1 } },
	{ "bare LF", "a\nb\n\nc", "a\r\nb\r\n\r\nc", 0, 3, false, { -1 } },
	{ "bare LF first", "\na\n", "\r\na\r\n", 0, 2, true, { -1 } },
	{ "bare CR", "a\rb\r\rc\r\n", "a b  c\r\n", 3, 0, true, { -1 } },
	{ "CR CR LF", "a\r\r\n", "a \r\n", 1, 0, true, { -1 } },
	{ "CR at the end", "a\r\nb\r", "a\r\nb ", 1, 0, false, { -1 } },
	{ "CR LF LF", "a\r\n\nb", "a\r\n\r\nb", 0, 1, false, { -1 } },
	{ "dots", ".\r\n.a\r\nb.\r\n..", ".\r\n.a\r\nb.\r\n..", 0, 0, false, { 0, 3, 11,
	  -1 } },
	{ "a dot behind a bare LF begins a line", "a\n.\nb", "a\r\n.\r\nb", 0, 2, false,
	  { 3, -1 } },
	{ "behind a bare CR not", "a\r.\r\n", "a .\r\n", 1, 0, true, { -1 } },
	{ "the offsets count repairs", "\n\n.\r.\n.", "\r\n\r\n. .\r\n.", 1, 3, false,
	  { 4, 9, -1 } },
	{ "after a block", X64 "\n" X64 "\r\n.\r" X64, X64 "\r\n" X64 "\r\n. " X64, 1, 1,
	  false,
	  { 132, -1 } },
	{ "at a block's end", X64 X64 "\r\n." X64 "\r" X64 "\r\n", X64 X64 "\r\n." X64 " "
	  X64 "\r\n",
	  1, 0, true, { 130, -1 } },
};

/* In pieces of `step` bytes, on the heap and exactly as long (for the sanitizer). */
static void
feed(struct newline *n, struct span in, size_t step, struct sink *out)
{
	struct error err;

	for (size_t i = 0; i < in.len; i += step) {
		size_t len = in.len - i < step ? in.len - i : step;
		uint8_t *piece = malloc(len);

		memcpy(piece, in.ptr + i, len);
		assert_int_equal(newline_write(n, (struct span){ piece, len }, out, &err),
		    ST_OK);
		free(piece);
	}
	assert_int_equal(newline_finish(n, out, &err), ST_OK);
}

static bool
same_dots(const struct smtp_data *d, const int *want)
{
	size_t n = 0;

	for (; want[n] >= 0; n++)
		if (d->dotted[n] != (uint64_t)want[n])
			return false;
	return d->dotted_count == n;
}

static void
test_table(void **state)
{
	for (size_t c = 0; c < COUNT_OF(cases); c++) {
		print_message("# %s\n", cases[c].name);
		for (size_t step = 1; step <= strlen(cases[c].in) + 1; step++) {
			struct memsink got = memsink();
			struct newline n = { .repair = true };

			feed(&n, span_text(cases[c].in), step, &got.sink);
			assert_string_equal(buf_text(&got.bytes), cases[c].out);
			assert_int_equal(n.data.size, strlen(cases[c].out));
			assert_int_equal(n.data.bare_cr, cases[c].bare_cr);
			assert_int_equal(n.data.bare_lf, cases[c].bare_lf);
			assert_int_equal(n.data.ends_with_crlf, cases[c].ends);
			assert_true(same_dots(&n.data, cases[c].dots));
			assert_false(newline_refuses(&n));
			buf_free(&got.bytes);
		}
	}
}

/* Without repair: the same counts, refused if any, and nothing behind the first. */
static void
test_no_repair(void **state)
{
	for (size_t c = 0; c < COUNT_OF(cases); c++) {
		print_message("# %s\n", cases[c].name);
		for (size_t step = 1; step <= strlen(cases[c].in) + 1; step++) {
			struct memsink got = memsink();
			struct newline n = { 0 };
			bool bare = cases[c].bare_cr + cases[c].bare_lf > 0;

			feed(&n, span_text(cases[c].in), step, &got.sink);
			assert_int_equal(newline_refuses(&n), bare);
			assert_int_equal(n.data.bare_cr, cases[c].bare_cr);
			assert_int_equal(n.data.bare_lf, cases[c].bare_lf);
			if (bare)
				assert_memory_equal(buf_text(&got.bytes), cases[c].in,
				    buf_len(&got.bytes));
			else
				assert_string_equal(buf_text(&got.bytes), cases[c].in);
			buf_free(&got.bytes);
		}
	}
}

static const struct {
	const char *name, *in;
	uint64_t    size, line;
	bool        too_big, too_long;
} limited[] = {
	{ "just small enough", "123456\r\n", 8, 0, false, false },
	{ "too big", "1234567\r\n", 8, 0, true, false },
	{ "too big by a repair", "1234567\n", 8, 0, true, false },
	{ "just short enough", "a\r\n1234\r\n1234\r\n\r\n1234", 0, 4, false, false },
	{ "first line too long", "12345\r\na\r\n", 0, 4, false, true },
	{ "line too long", "1234\r\n\r\na\r\n12345\r\na\r\n", 0, 4, false, true },
	{ "last line too long", "1234\r\n12345", 0, 4, false, true },
	{ "just short enough when repaired", "1234\n123\r\n", 0, 4, false, false },
	{ "a bare CR makes it too long", "1234\r", 0, 4, false, true },
	{ "far too long", "1234567890123456789", 30, 4, false, true },
	{ "both", "1234567890123456789", 10, 4, true, true },
};

static void
test_limits(void **state)
{
	for (size_t c = 0; c < COUNT_OF(limited); c++) {
		print_message("# %s\n", limited[c].name);
		for (size_t step = 1; step <= strlen(limited[c].in); step++) {
			struct memsink got = memsink();
			struct newline n = { .repair = true, .size_limit =
			    limited[c].size,
			    .line_limit = limited[c].line };

			feed(&n, span_text(limited[c].in), step, &got.sink);
			assert_int_equal(n.too_big, limited[c].too_big);
			assert_int_equal(n.too_long, limited[c].too_long);
			if (limited[c].size > 0)
				assert_true(buf_len(&got.bytes) <= limited[c].size);
			buf_free(&got.bytes);
		}
	}
}

/* More dotted lines than are held: the first stay, all are counted. */
static void
test_many_dots(void **state)
{
	struct memsink got = memsink();
	struct newline n = { .repair = true };
	struct error err;

	for (size_t i = 0; i < DOT_KEPT + 5; i++)
		newline_write(&n, SPAN_LIT(".\r\n"), &got.sink, &err);
	assert_int_equal(n.data.dotted_count, DOT_KEPT + 5);
	for (size_t i = 0; i < DOT_KEPT; i++)
		assert_int_equal(n.data.dotted[i], 3 * i);
	buf_free(&got.bytes);
}

#define MAX_LEN 8

/* What should have come out, made byte by byte from the whole message. */
struct result {
	char     out[2 * MAX_LEN + 1];
	size_t   len, dotted_count;
	uint64_t dotted[2 * MAX_LEN];
	unsigned bare_cr, bare_lf;
};

static void
reference_repair(const char *in, size_t n, struct result *r)
{
	*r = (struct result){ 0 };
	for (size_t i = 0; i < n; i++) {
		bool cr_before = i > 0 && in[i - 1] == '\r';
		bool lf_behind = i + 1 < n && in[i + 1] == '\n';

		if (in[i] == '\n' && !cr_before) {
			r->out[r->len++] = '\r';
			r->bare_lf++;
		}
		r->bare_cr += in[i] == '\r' && !lf_behind;
		r->out[r->len++] = in[i] == '\r' && !lf_behind ? ' ' : in[i];
	}
	for (size_t i = 0; i < r->len; i++)
		if (r->out[i] == '.' && (i == 0 || r->out[i - 1] == '\n'))
			r->dotted[r->dotted_count++] = i;
}

/* The text of DATA up to its end mark without the dots of the wire; false: no end. */
static bool
reference_undot(const char *in, size_t n, char *out, size_t *len)
{
	bool bol = true;

	*len = 0;
	for (size_t i = 0; i < n; i++) {
		if (bol && n - i >= 3 && memcmp(in + i, ".\r\n", 3) == 0)
			return true;
		if (!(bol && in[i] == '.'))
			out[(*len)++] = in[i];
		bol = i > 0 && in[i - 1] == '\r' && in[i] == '\n';
	}
	return false;
}

struct stages { struct sink head; struct newline newline; struct sink *out; };

static enum status
stages_write(struct sink *self, struct span s, struct error *err)
{
	struct stages *p = container_of(self, struct stages, head);

	return newline_write(&p->newline, s, p->out, err);
}

static bool
same(struct newline *n, struct memsink *got, const struct result *want)
{
	bool same = buf_len(&got->bytes) == want->len &&
	    (want->len == 0 || memcmp(got->bytes.ptr, want->out, want->len) == 0) &&
	    n->data.bare_cr == want->bare_cr && n->data.bare_lf == want->bare_lf &&
	    n->data.dotted_count == want->dotted_count &&
	    memcmp(n->data.dotted, want->dotted, sizeof want->dotted) == 0;

	buf_take(&got->bytes, buf_len(&got->bytes));
	return same;
}

/* As BDAT gives it: no dots of the wire. */
static void
one_chunked(const char *in, size_t n, struct memsink *got, const struct result *want)
{
	struct error err;

	for (size_t step = 1; step <= n; step++) {
		struct newline stage = { .repair = true };

		for (size_t i = 0; i < n; i += step)
			newline_write(&stage, (struct span){ (const uint8_t *)in + i,
			    n - i < step ? n - i : step }, &got->sink, &err);
		newline_finish(&stage, &got->sink, &err);
		if (!same(&stage, got, want))
			fail_msg("step %zu", step);
	}
}

static void
one_dotted(const char *in, size_t n, struct memsink *got, const struct result *want)
{
	struct error err;

	for (size_t step = 1; step <= n; step++) {
		struct stages p = { { .write = stages_write }, { .repair = true },
		    &got->sink };
		struct dot_decoder d = { 0 };
		enum status st = ST_MORE;
		size_t used;

		for (size_t i = 0; st == ST_MORE && i < n; i += step)
			st = dot_decode(&d, (struct span){ (const uint8_t *)in + i,
			    n - i < step ? n - i : step }, &used, &p.head, &err);
		assert_int_equal(st, ST_OK);
		newline_finish(&p.newline, &got->sink, &err);
		if (!same(&p.newline, got, want))
			fail_msg("step %zu", step);
	}
}

static void
test_exhaustive(void **state)
{
	struct memsink got = memsink();
	char in[MAX_LEN + 5], text[MAX_LEN + 5];
	struct result want;
	size_t len;

	for (size_t n = 1; n <= MAX_LEN; n++)
		for (unsigned long code = 0; code < 1ul << (2 * n); code++) {
			for (size_t i = 0; i < n; i++)
				in[i] = ".\r\na"[code >> (2 * i) & 3];
			reference_repair(in, n, &want);
			one_chunked(in, n, &got, &want);
			if (!reference_undot(in, n, text, &len))
				continue;
			reference_repair(text, len, &want);
			one_dotted(in, n, &got, &want);
		}
	buf_free(&got.bytes);
}

/* What is written has no bare newline and can be repaired again without a change. */
static void
test_idempotent(void **state)
{
	struct memsink got = memsink(), again = memsink();
	struct newline n = { .repair = true }, m = { .repair = true };

	feed(&n, SPAN_LIT("\r\r\n\n\n\r.\r\n\r\r\n.\n\r"), 3, &got.sink);
	feed(&m, buf_span(&got.bytes), 2, &again.sink);
	assert_string_equal(buf_text(&again.bytes), buf_text(&got.bytes));
	assert_int_equal(m.data.bare_cr + m.data.bare_lf, 0);
	assert_memory_equal(m.data.dotted, n.data.dotted, sizeof n.data.dotted);
	buf_free(&got.bytes);
	buf_free(&again.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_no_repair),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_dots),
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_idempotent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
