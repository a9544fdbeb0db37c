/*
 * received.c - what is read of a Received field lies inside it, before its date.
 */
#include "lib/mime/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
inside(struct span part, struct span whole)
{
	if (part.len > 0 && (part.ptr < whole.ptr ||
	    part.ptr + part.len > whole.ptr + whole.len))
		abort();
}

static void
same(struct span a, struct span b)
{
	if (!span_equal(a, b))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct received r, again;
	struct buf longer = { 0 };

	received_parse(in, &r);
	const struct span parts[] = { r.helo, r.name, r.by, r.by_comment, r.with, r.id, r.user };

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		inside(parts[i], in);
	if (r.user.len > 0 && !r.authenticated)
		abort();
	/* A clause that comes once more does not change what was found. */
	if (memchr(p, '(', n) == NULL && memchr(p, '"', n) == NULL && memchr(p, ';', n) == NULL &&
	    r.with.len > 0 && r.by.len > 0 && r.id.len > 0) {
		buf_add(&longer, in);
		buf_add(&longer, SPAN_LIT(" by x with y by z"));
		received_parse(buf_span(&longer), &again);
		same(again.by, r.by);
		same(again.id, r.id);
		buf_free(&longer);
	}
	return 0;
}
