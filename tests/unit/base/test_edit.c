/*
 * test_edit.c - every list of up to three edits over a short message, against a naive
 * rewriting.
 */
#include "lib/base/edit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SIZE 4

static const char message[] = "abcd";

struct choice { uint64_t at, removed; const char *insert; };

/* Byte by byte: what stands before each offset, then the byte unless it is removed. */
static void
reference(const struct choice *c, size_t n, char *out)
{
	*out = '\0';
	for (uint64_t at = 0; at <= SIZE; at++) {
		bool gone = at == SIZE;

		for (size_t i = 0; i < n; i++)
			if (c[i].at == at)
				strcat(out, c[i].insert);
		for (size_t i = 0; i < n; i++)
			gone |= at >= c[i].at && at < c[i].at + c[i].removed;
		if (!gone)
			strncat(out, message + at, 1);
	}
}

static void
walk(const struct edit_list *l, char *out)
{
	struct edit_walk w = { 0 };
	struct edit_piece p;

	*out = '\0';
	while (edit_next(l, SIZE, &w, &p)) {
		if (p.bytes.len > 0)
			strncat(out, (const char *)p.bytes.ptr, p.bytes.len);
		strncat(out, message + p.from, p.len);
	}
}

static unsigned long
try_list(const struct choice *c, size_t n)
{
	struct edit_list l = { 0 };
	char want[64], got[64];

	for (size_t i = 0; i < n; i++) {
		if (!edit_fits(&l, c[i].at, c[i].removed, SIZE)) {
			edit_free(&l);
			return 0;
		}
		edit_add(&l, c[i].at, c[i].removed, span_text(c[i].insert));
	}
	reference(c, n, want);
	walk(&l, got);
	assert_string_equal(got, want);
	assert_int_equal(edit_size(&l, SIZE), strlen(want));
	edit_free(&l);
	return 1;
}

static struct choice
nth(unsigned i)
{
	static const char *const inserts[] = { "", "1", "22" };

	return (struct choice){ i % 6, i / 6 % 4, inserts[i / 24 % 3] };
}

static void
test_exhaustive(void **state)
{
	unsigned long tried = 0;
	struct choice c[3];

	for (unsigned i = 0; i < 72; i++)
		for (unsigned j = 0; j < 72; j++)
			for (unsigned k = 0; k < 72; k++) {
				c[0] = nth(i);
				c[1] = nth(j);
				c[2] = nth(k);
				for (size_t n = j || k ? 3 : 1; n <= 3; n += 2)
					tried += try_list(c, n);
			}
	assert_true(tried > 10000);
}

/* Beyond the end, and inside another deletion. */
static void
test_fits(void **state)
{
	struct edit_list l = { 0 };

	assert_false(edit_fits(&l, 5, 0, SIZE));
	assert_false(edit_fits(&l, 3, 2, SIZE));
	assert_false(edit_fits(&l, UINT64_MAX, 1, SIZE));
	assert_false(edit_fits(&l, 1, UINT64_MAX, SIZE));
	edit_add(&l, 1, 2, SPAN_NONE);
	assert_false(edit_fits(&l, 2, 0, SIZE));
	assert_false(edit_fits(&l, 0, 2, SIZE));
	assert_true(edit_fits(&l, 3, 1, SIZE));
	assert_true(edit_fits(&l, 0, 1, SIZE));
	edit_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
