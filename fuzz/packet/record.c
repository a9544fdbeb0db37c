/*
 * record.c - a record that is read and packed twice stays as it was packed the first time.
 *
 * Twice, as the first packing may shorten texts to what is then alike.
 */
#include "lib/finding/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static size_t
pack_again(struct span in, uint8_t *out)
{
	struct arena arena = { 0 };
	struct pack p = { out, 0, RECORD_BYTES, false };
	struct record r;
	bool ok = record_unpack(in, &r, &arena);

	if (ok)
		record_pack(&p, &r);
	arena_free(&arena);
	if (ok && p.full)
		abort();
	return ok ? p.len : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *one = must_alloc(RECORD_BYTES), *two = must_alloc(RECORD_BYTES);
	size_t first = pack_again((struct span){ bytes, n }, one);
	size_t second = first > 0 ? pack_again((struct span){ one, first }, two) : 0;

	if (first > 0 && (second == 0 ||
	    pack_again((struct span){ two, second }, one) != second ||
	    memcmp(one, two, second) != 0))
		abort();
	free(one);
	free(two);
	return 0;
}
