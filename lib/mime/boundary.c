/*
 * boundary.c - open boundaries, found by hash.  See structure.h.
 *
 * The beginnings of a line are hashed one after the other, and looked up at the lengths
 * that open boundaries have.  So a line costs its length, however many are open.
 */
#include "lib/mime/structure.h"

#define HASH_START 0xcbf29ce484222325u

static uint64_t
hash_byte(uint64_t h, uint8_t c)
{
	return (h ^ c) * 0x100000001b3u;
}

static uint64_t
hash_text(struct span s)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < s.len; i++)
		h = hash_byte(h, s.ptr[i]);
	return h;
}

static void *
grow(struct arena *arena, const void *old, size_t size, size_t count, size_t *room)
{
	*room = *room > 0 ? *room * 2 : 16;
	void *more = arena_alloc(arena, size * *room);

	if (count > 0)
		memcpy(more, old, size * count);
	return more;
}

static size_t
head_of(uint64_t hash)
{
	return (hash ^ hash >> 32) % BOUNDARY_HEADS;
}

static void
add(struct boundary_table *t, struct span text, struct arena *arena)
{
	if (t->count == t->room)
		t->items = grow(arena, t->items, sizeof *t->items, t->count, &t->room);
	struct boundary *b = &t->items[t->count++];

	*b = (struct boundary){ .text = text, .hash = hash_text(text),
		.open = (uint32_t)t->open_count - 1 };
	int32_t *head = &t->heads[head_of(b->hash)];

	b->next = *head;
	*head = (int32_t)t->count;
	t->lengths[text.len]++;
	if (text.len > t->longest)
		t->longest = text.len;
}

static bool
clashes(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	return memcmp(a.ptr, b.ptr, n) == 0;
}

/* Is the new one's beginning that of another, or the other way round?  Only the nearest
   few are looked at: it is the depth that real mail has. */
static bool
clashes_with_open(const struct boundary_table *t, struct span text)
{
	for (size_t i = t->count, n = 0; i > 0 && n < 16; i--, n++)
		if (clashes(t->items[i - 1].text, text))
			return true;
	return false;
}

void
boundary_open(struct boundary_table *t, uint32_t part, uint32_t depth,
    const struct span *texts, size_t count, unsigned *ambiguities, struct arena *arena)
{
	if (t->open_count == t->open_room)
		t->opens = grow(arena, t->opens, sizeof *t->opens, t->open_count,
		    &t->open_room);
	struct open *o = &t->opens[t->open_count++];
	size_t before = t->count;

	*o = (struct open){ .part = part, .depth = depth, .boundaries = before };
	for (size_t i = 0; i < count; i++) {
		struct span text = texts[i];

		if (text.len > BOUNDARY_BYTES)
			text.len = BOUNDARY_BYTES;
		if (i == 0 && clashes_with_open(t, text))
			*ambiguities |= MIME_BOUNDARY_CLASH;
		add(t, text, arena);
	}
}

void
boundary_pop(struct boundary_table *t)
{
	size_t keep = t->opens[--t->open_count].boundaries;

	while (t->count > keep) {
		const struct boundary *b = &t->items[--t->count];

		t->heads[head_of(b->hash)] = b->next;
		t->lengths[b->text.len]--;
	}
	while (t->longest > 0 && t->lengths[t->longest] == 0)
		t->longest--;
}

/* The innermost with that text; one that is not closed rather than one that is. */
static const struct boundary *
look_up(const struct boundary_table *t, uint64_t hash, struct span text)
{
	const struct boundary *closed = NULL;

	for (int32_t i = t->heads[head_of(hash)]; i > 0; i = t->items[i - 1].next) {
		const struct boundary *b = &t->items[i - 1];

		if (b->hash != hash || !span_equal(b->text, text))
			continue;
		if (!t->opens[b->open].closed)
			return b;
		if (closed == NULL)
			closed = b;
	}
	return closed;
}

/* Blanks up to a newline or the end; where the next line begins. */
static bool
ends_line(struct span bytes, size_t at, size_t *next)
{
	while (at < bytes.len && is_blank(bytes.ptr[at]))
		at++;
	if (at < bytes.len && bytes.ptr[at] == '\r' &&
	    (at + 1 == bytes.len || bytes.ptr[at + 1] == '\n'))
		at++;
	*next = at < bytes.len ? at + 1 : at;
	return at == bytes.len || bytes.ptr[at] == '\n';
}

/* What stands behind the boundary.  Not exact: a line that begins so. */
static enum match_kind
classify(struct span bytes, size_t at, bool *exact, size_t *next)
{
	bool dashes = at + 1 < bytes.len && bytes.ptr[at] == '-' && bytes.ptr[at + 1] == '-';

	*exact = ends_line(bytes, at, next);
	if (*exact)
		return MATCH_DELIMITER;
	if (dashes)
		at += 2;
	*exact = dashes && ends_line(bytes, at, next);
	if (!*exact) {
		struct span rest = span_slice(bytes, at, bytes.len);
		size_t lf = span_find(rest, '\n'), cr = span_find(span_slice(rest, 0, lf), '\r');

		*next = at + (cr < lf ? cr + 1 : lf < rest.len ? lf + 1 : lf);
	}
	return dashes ? MATCH_CLOSE : MATCH_DELIMITER;
}

struct found { struct match match; bool exact; size_t length; };

/* Keeps the better of two: an exact one, then the longer, which comes later. */
static void
keep_better(struct found *best, const struct boundary *b, struct span bytes, size_t at,
    enum mime_reading reading)
{
	struct found f = { .length = b->text.len, .match.open = b->open };
	bool twice = best->match.kind != MATCH_NONE;

	f.match.kind = classify(bytes, at, &f.exact, &f.match.end);
	f.match.ambiguities = best->match.ambiguities;
	if (twice && f.exact && best->exact)
		f.match.ambiguities |= MIME_BOUNDARY_CLASH;
	bool better = !twice || f.exact > best->exact ||
	    (f.exact == best->exact && reading != MIME_LAST);

	if (better)
		*best = f;
	else
		best->match.ambiguities = f.match.ambiguities;
}

struct match
boundary_match(const struct boundary_table *t, struct span bytes, size_t at,
    enum mime_reading reading)
{
	struct found best = { .exact = false };
	uint64_t hash = HASH_START;
	size_t from = at + 2;

	if (t->count == 0)
		return best.match;
	for (size_t n = 0;; n++) {
		if (t->lengths[n] > 0) {
			const struct boundary *b = look_up(t, hash,
			    span_slice(bytes, from, from + n));

			if (b != NULL)
				keep_better(&best, b, bytes, from + n, reading);
		}
		if (n == t->longest || from + n == bytes.len || bytes.ptr[from + n] == '\n')
			break;
		hash = hash_byte(hash, bytes.ptr[from + n]);
	}
	struct match m = best.match;

	if (m.kind == MATCH_NONE)
		return m;
	if (!best.exact && best.length > 0)
		m.ambiguities |= MIME_BOUNDARY_LINE;
	if (t->opens[m.open].closed && m.kind == MATCH_DELIMITER)
		m.ambiguities |= MIME_AFTER_CLOSE;
	if ((!best.exact && (reading != MIME_LENIENT || best.length == 0)) ||
	    (t->opens[m.open].closed && reading == MIME_FIRST))
		m.kind = MATCH_NONE;
	return m;
}
