/*
 * link.c - an address read again from what was read of it is the same; addresses found in
 * text lie in it, one behind the other, and are those of its words.
 */
#include "lib/base/address.h"
#include "lib/base/buf.h"
#include "lib/content/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
inside(struct span part, struct span whole)
{
	if (part.len > 0 && (part.ptr < whole.ptr ||
	    part.ptr + part.len > whole.ptr + whole.len))
		abort();
}

/* The canonical form of a host is canonical. */
static void
check_again(const struct link *l, struct arena *arena)
{
	struct link again = { 0 };
	bool colon = span_find(l->host, ':') < l->host.len;
	const char *url = arena_printf(arena, "http://%s%.*s%s/", colon ? "[" : "",
	    (int)l->host.len, (const char *)l->host.ptr, colon ? "]" : "");

	link_read(&again, span_text(url), 1024, NULL, NULL, arena);
	if (!span_equal(again.host, l->host) || !span_equal(again.domain, l->domain))
		abort();
}

static void
check_address(struct span in, const struct link *base)
{
	struct arena arena = { 0 };
	struct link l = { 0 };
	struct address a;

	link_read(&l, in, 1024, base, NULL, &arena);
	if (l.url.len > 1024 || l.host.len > LINK_HOST_BYTES)
		abort();
	inside(l.domain, l.host);
	for (size_t i = 0; i < l.scheme.len; i++)
		if (l.scheme.ptr[i] != to_lower(l.scheme.ptr[i]))
			abort();
	if ((l.flags & LINK_IP_HOST) && !address_parse(l.host, &a))
		abort();
	if (l.host.len > 0 && !(l.flags & LINK_BAD_HOST))
		check_again(&l, &arena);
	l.text = in;
	link_compare(&l, NULL, &arena);
	if (base == NULL)
		check_address(SPAN_LIT("a/b"), &l);
	arena_free(&arena);
}

static void
check_text(struct span in)
{
	struct link_find f = { .text = in };
	size_t last = 0;

	while (link_next(&f, NULL)) {
		if (f.from < last || f.from >= f.to || f.to > in.len || f.at < f.to)
			abort();
		last = f.to;
	}
}

/* A text has what its words have. */
static void
check_words(struct span in)
{
	struct link_find f = { .text = in };
	size_t to;

	for (size_t from = 0; from < in.len; from = to + 1) {
		for (to = from; to < in.len && in.ptr[to] > ' ' &&
		    memchr("<>\"`", in.ptr[to], 4) == NULL; to++)
			;
		struct link_find one = { .text = span_slice(in, from, to) };

		if (link_next(&one, NULL) && (!link_next(&f, NULL) ||
		    f.from != from + one.from || f.to != from + one.to))
			abort();
	}
	if (link_next(&f, NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 4096)
		return 0;
	check_address((struct span){ p, n }, NULL);
	check_text((struct span){ p, n });
	check_words((struct span){ p, n });
	return 0;
}
