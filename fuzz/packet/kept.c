/*
 * kept.c - a quarantined file's fields that can be read are written and read again alike.
 */
#include "lib/packet/kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct packet_quarantine one, two;
	struct arena arena = { 0 };
	struct buf first = { 0 }, second = { 0 };
	size_t head = 0, again = 0;

	if (kept_read((struct span){ bytes, n }, &one, &head, &arena) == ST_OK) {
		if (head > n)
			abort();
		kept_write(&first, &one);
		if (kept_read(buf_span(&first), &two, &again, &arena) != ST_OK ||
		    again != buf_len(&first))
			abort();
		kept_write(&second, &two);
		if (!span_equal(buf_span(&first), buf_span(&second)))
			abort();
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(&arena);
	return 0;
}
