/*
 * filename.c - a name read is clean, and reading it again finds the same in it.
 */
#include "lib/content/name.h"

/* What a name that has been read has no more. */
#define GONE (NAME_BIDI | NAME_INVISIBLE | NAME_CONTROL | NAME_NUL | NAME_BAD_UTF8)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static bool
inside(struct span part, struct span whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void
check_name(const struct name *name)
{
	for (size_t i = 0; i < name->base.len; i++) {
		uint8_t c = name->base.ptr[i];

		must(c >= ' ' && c != 0x7f && c != '/' && c != '\\' &&
		    !(c >= 'A' && c <= 'Z'));
	}
	must(name->extension_count <= NAME_EXTENSIONS);
	for (unsigned i = 0; i < name->extension_count; i++) {
		struct span e = name->extensions[i];

		must(e.len > 0 && span_find(e, '.') == e.len &&
		    span_equal(span_trim(e), e));
		must(inside(e, name->base) || (name->flags & NAME_LOOKALIKE) != 0);
	}
	must(name->flags >> 18 == 0 && name_flag(17) != NULL && name_flag(18) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena = { 0 };
	struct name first, again;

	name_read(&first, (struct span){ p, n }, &arena);
	check_name(&first);
	name_read(&again, first.base, &arena);
	check_name(&again);
	/* a percent sign may find its digits only when what stood between is gone */
	must(first.base.len > NAME_BYTES || (again.flags & NAME_PERCENT) != 0 ||
	    (again.flags & GONE) == 0);
	must(first.extension_count > 0 || first.claim == FILE_UNKNOWN);
	if (n <= NAME_BYTES && (again.flags & ~first.flags) == 0 &&
	    span_equal(again.base, first.base)) {
		must(again.extension_count == first.extension_count);
		for (unsigned i = 0; i < first.extension_count; i++)
			must(span_equal(first.extensions[i], again.extensions[i]));
	}
	arena_free(&arena);
	return 0;
}
