/*
 * edit.c - see edit.h.
 */
#include "lib/base/edit.h"
#include "lib/base/arena.h"
#include <assert.h>

/* Where an edit at `at` belongs: behind all that stand at or before it. */
static size_t
edit_place(const struct edit_list *l, uint64_t at)
{
	size_t i = l->count;

	while (i > 0 && l->items[i - 1].at > at)
		i--;
	return i;
}

bool
edit_fits(const struct edit_list *l, uint64_t at, uint64_t removed, uint64_t size)
{
	size_t i = edit_place(l, at);

	if (at > size || removed > size - at)
		return false;
	if (i > 0 && l->items[i - 1].at + l->items[i - 1].removed > at)
		return false;
	return i == l->count || l->items[i].at >= at + removed;
}

void
edit_add(struct edit_list *l, uint64_t at, uint64_t removed, struct span insert)
{
	size_t i = edit_place(l, at);

	assert(edit_fits(l, at, removed, UINT64_MAX));
	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 4;
		l->items = must_realloc(l->items, l->cap * sizeof *l->items);
	}
	memmove(l->items + i + 1, l->items + i, (l->count - i) * sizeof *l->items);
	l->items[i] = (struct edit){ at, removed, insert };
	l->count++;
}

void
edit_free(struct edit_list *l)
{
	free(l->items);
	*l = (struct edit_list){ 0 };
}

uint64_t
edit_size(const struct edit_list *l, uint64_t size)
{
	for (size_t i = 0; i < l->count; i++)
		size += l->items[i].insert.len;
	for (size_t i = 0; i < l->count; i++)
		size -= l->items[i].removed;
	return size;
}

bool
edit_next(const struct edit_list *l, uint64_t size, struct edit_walk *w,
    struct edit_piece *piece)
{
	for (; w->index < l->count; w->index++, w->inserted = false) {
		const struct edit *e = &l->items[w->index];

		if (w->at < e->at) {
			*piece = (struct edit_piece){ SPAN_NONE, w->at, e->at - w->at };
			w->at = e->at;
			return true;
		}
		if (!w->inserted && e->insert.len > 0) {
			*piece = (struct edit_piece){ e->insert, 0, 0 };
			w->inserted = true;
			return true;
		}
		w->at += e->removed;
	}
	if (w->at >= size)
		return false;
	*piece = (struct edit_piece){ SPAN_NONE, w->at, size - w->at };
	w->at = size;
	return true;
}
