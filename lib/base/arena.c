/*
 * arena.c - a list of blocks, the newest first; only that one has room.
 */
#include "lib/base/arena.h"
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#define BLOCK_BYTES 4000u       /* with malloc's own words, a page */

struct block {
	struct block *next;
	size_t        size;
	alignas(max_align_t) uint8_t mem[];
};

static void
out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

void *
must_alloc(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
must_realloc(void *old, size_t n)
{
	void *p = realloc(old, n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

static void
arena_grow(struct arena *a, size_t size)
{
	struct block *b = must_alloc(sizeof *b + size);

	b->next = a->blocks;
	b->size = size;
	a->blocks = b;
	a->used = 0;
	a->total += size;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (a->blocks == NULL || a->blocks->size - a->used < n)
		arena_grow(a, n > BLOCK_BYTES ? n : BLOCK_BYTES);
	void *p = a->blocks->mem + a->used;
	a->used += n;
	return p;
}

char *
arena_text(struct arena *a, struct span s)
{
	char *t = arena_alloc(a, s.len + 1);

	if (s.len > 0)
		memcpy(t, s.ptr, s.len);
	return t;
}

struct span
arena_span(struct arena *a, struct span s)
{
	return (struct span){ (const uint8_t *)arena_text(a, s), s.len };
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	char *t = arena_alloc(a, (size_t)n + 1);

	if ((size_t)n < sizeof small)
		return memcpy(t, small, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(t, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return t;
}

void
arena_free(struct arena *a)
{
	for (struct block *b = a->blocks, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){ 0 };
}
