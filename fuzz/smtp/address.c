/*
 * address.c - fuzzes paths, normal forms and xtext: what is read is read again the same.
 */
#include "lib/smtp/address.h"
#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_path(struct span in, struct arena *arena)
{
	struct span address, again;
	struct error err;
	struct buf path = { 0 };
	bool utf8, utf8_again;
	size_t used;

	if (path_parse(in, true, &address, &utf8, &used, &err) != ST_OK)
		return;
	if (used > in.len || address.len > ADDRESS_BYTES)
		abort();
	buf_byte(&path, '<');
	buf_add(&path, address);
	buf_byte(&path, '>');
	if (path_parse(buf_span(&path), true, &again, &utf8_again, &used, &err) != ST_OK
	    ||
	    !span_equal(again, address) || utf8_again != utf8 || used != buf_len(&path))
		abort();
	for (size_t i = 0; i < address.len; i++)
		if (address.ptr[i] < ' ' || address.ptr[i] == 0x7f)
			abort();
	struct span normal = address_normal(address, arena);

	/* The normal form is an address, its own normal form, and has the same domain. */
	buf_take(&path, buf_len(&path));
	buf_byte(&path, '<');
	buf_add(&path, normal);
	buf_byte(&path, '>');
	if (path_parse(buf_span(&path), true, &again, &utf8, &used, &err) != ST_OK ||
	    !span_equal(again, normal))
		abort();
	if (!span_starts_nocase(address_domain(address), address_domain(normal)))
		abort();
	buf_free(&path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = { 0 };
	struct span in = { bytes, n }, out;

	check_path(in, &arena);
	struct span normal = address_normal(in, &arena);

	if (!span_equal(address_normal(normal, &arena), normal))
		abort();
	if (xtext_decode(in, &arena, &out) &&
	    (!xtext_decode(xtext_encode(out, &arena), &arena, &normal) ||
	    !span_equal(normal, out)))
		abort();
	arena_free(&arena);
	return 0;
}
