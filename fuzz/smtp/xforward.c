/*
 * xforward.c - fuzzes XFORWARD's arguments: bounds, and print and parse again.
 */
#include "lib/smtp/address.h"
#include "lib/smtp/xforward.h"
#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check(struct span v)
{
	if (v.len > XFORWARD_BYTES)
		abort();
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] >= 0x7f)
			abort();
}

static void
print(struct buf *b, const char *name, struct span v, struct arena *arena)
{
	struct span coded = xtext_encode(v.len > 0 ? v : SPAN_LIT("[UNAVAILABLE]"),
	    arena);
	bool six = strcmp(name, "ADDR") == 0 && span_find(v, ':') < v.len;

	check(v);
	buf_printf(b, " %s=%s%.*s", name, six ? "IPV6:" : "", (int)coded.len,
	    (const char *)coded.ptr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = { 0 };
	struct xforward x = { 0 }, y = { .name = SPAN_LIT("old") };
	struct buf text = { 0 };

	if (xforward_parse((struct span){ bytes, n }, &x, &arena) == NULL) {
		print(&text, "NAME", x.name, &arena);
		print(&text, "ADDR", x.addr, &arena);
		print(&text, "PORT", x.port, &arena);
		print(&text, "PROTO", x.proto, &arena);
		print(&text, "HELO", x.helo, &arena);
		print(&text, "IDENT", x.ident, &arena);
		print(&text, "SOURCE", x.source, &arena);
		if (xforward_parse(buf_span(&text), &y, &arena) != NULL || !x.given)
			abort();
		if (!span_equal(x.name, y.name) || !span_equal(x.addr, y.addr) ||
		    !span_equal(x.port, y.port) || !span_equal(x.proto, y.proto) ||
		    !span_equal(x.helo, y.helo) || !span_equal(x.ident, y.ident) ||
		    !span_equal(x.source, y.source))
			abort();
	} else if (x.given || x.name.len + x.addr.len + x.helo.len > 0)
		abort();
	buf_free(&text);
	arena_free(&arena);
	return 0;
}
