/*
 * bundle.c - the files of one configuration in one piece of bytes; see settings.h.
 *
 *     "SPCONF1\n"  u32 count  { path bytes }
 */
#include "lib/config/settings.h"

static const char magic[] = "SPCONF1\n";

struct bundle {
	struct config_source source;
	struct bundle_item  *items;
	size_t               count;
};

void
bundle_pack(struct pack *p, const struct bundle_item *items, size_t count)
{
	pack_text(p, magic);
	pack_u32(p, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_text(p, items[i].path);
		pack_span(p, items[i].bytes);
	}
}

static bool
bundle_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	struct bundle *b = container_of(source, struct bundle, source);

	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->items[i].path, path) == 0) {
			*bytes = b->items[i].bytes;
			return true;
		}
	fail(why, ST_TEMP, "config", "it is not part of the bundle");
	return false;
}

static bool
unpack_item(struct unpack *u, struct bundle_item *item, struct arena *arena)
{
	struct span path = unpack_span(u);

	item->bytes = unpack_span(u);
	if (u->bad || path.len == 0 || path.len > CONFIG_PATH ||
	    memchr(path.ptr, '\0', path.len) != NULL)
		return false;
	item->path = arena_text(arena, path);
	return true;
}

struct config_source *
bundle_source(struct span bytes, struct arena *arena)
{
	struct unpack u = { .rest = bytes };
	bool ours = span_equal(unpack_span(&u), span_text(magic));
	size_t count = unpack_count(&u, 8);

	if (!ours || count == 0 || count > CONFIG_FILES)
		return NULL;
	struct bundle *b = arena_new(arena, struct bundle);

	b->source.read = bundle_read;
	b->items = arena_array(arena, struct bundle_item, count);
	for (b->count = 0; b->count < count; b->count++)
		if (!unpack_item(&u, &b->items[b->count], arena))
			return NULL;
	return unpack_whole(&u) ? &b->source : NULL;
}

const char *
bundle_first(struct config_source *source)
{
	return container_of(source, struct bundle, source)->items[0].path;
}
