/*
 * bundle.c - hostile bytes as a bundle: what is taken is read, and packs to the same.
 */
#include "lib/config/settings.h"

static void
check_same(struct config_source *source, struct span bytes)
{
	const char *path = bundle_first(source);
	struct bundle_item item = { path, SPAN_NONE };
	struct error why;
	uint8_t *copy = must_alloc(bytes.len);
	struct pack p = { .ptr = copy, .cap = bytes.len };

	if (!source->read(source, path, &item.bytes, &why))
		abort();
	bundle_pack(&p, &item, 1);
	/* With one file it is all of the bytes, else their beginning but for the count. */
	if (p.full || memcmp(copy, bytes.ptr, 12) != 0 ||
	    memcmp(copy + 16, bytes.ptr + 16, p.len - 16) != 0)
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = { 0 };
	struct config_source *source = bundle_source((struct span){ bytes, n }, &arena);

	if (source != NULL)
		check_same(source, (struct span){ bytes, n });
	arena_free(&arena);
	return 0;
}
