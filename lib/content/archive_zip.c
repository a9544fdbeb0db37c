/*
 * archive_zip.c - a zip's members by its directory and by its local headers.
 *
 * The directory at the end is what most readers go by, the headers before the data are what
 * those go by that read from the front; nothing but good will makes them agree (PKWARE
 * APPNOTE sections 4.3.7, 4.3.12, 4.3.16).  All end records near the end are followed,
 * gaps between the data that the directories name are searched for headers, and where a
 * header tells its member's data otherwise the member is given in both ways.
 *
 * Data are decoded one member at a time: by libdeflate, where everything that was told of
 * them proves true; else by libarchive, behind a local header made here, which also says
 * what is wrong.
 */
#include "lib/content/archive_private.h"
#include <archive.h>
#include <libdeflate.h>

#define TAIL_BYTES   65557u     /* an end record and the longest comment      */
#define END_BYTES    22u
#define ENTRY_BYTES  46u
#define LOCAL_BYTES  30u
#define ENDS         4u         /* end records that are followed              */
#define SCANS        8u         /* times the archive's length to search gaps  */
#define FIRST_ITEMS  32u        /* a zip of mail has as many at most, as a rule */

enum method { METHOD_STORED = 0, METHOD_DEFLATED = 8 };

/* One story of a member. */
struct view {
	uint64_t    packed, size;
	uint32_t    crc;
	uint16_t    method, flags;
	bool        open;               /* sizes are not told: "behind the data" */
	struct span path, unicode;
};

struct item {
	struct view central, local;
	uint64_t    header, data;       /* offsets                       */
	uint64_t    end;                /* of the data, by the directory */
	bool        named;              /* by a directory                */
	bool        found;              /* the local header is there     */
	bool        twin;               /* give the local story          */
	bool        dropped;            /* the same as another one       */
	uint32_t    attributes;
	uint8_t     system;
	unsigned    flaws;
};

struct archive_zip {
	struct item **items;            /* in the arena; the list is owned */
	struct item **order;            /* by header, then path            */
	size_t       count, sorted, room, most, at;
	size_t       ends[ENDS];
	size_t       end_count;
	size_t       first_directory;   /* where the lowest one begins   */
	size_t       last_end;          /* behind the last end record    */
	uint64_t     scan;              /* bytes that may be searched    */
	bool         full;
	uint8_t      head[64];
	struct span  spans[2];
};

static bool
is_mark(struct span s, uint64_t at, const char *mark)
{
	return s.len >= 4 && at <= s.len - 4 && memcmp(s.ptr + at, mark, 4) == 0;
}

/* Items stay where they are. */
static struct item *
add_item(struct archive_walk *w)
{
	struct archive_zip *z = w->state->zip;

	if (z->count == z->most) {
		z->full = true;
		return NULL;
	}
	if (z->count == z->room) {
		z->room = z->room > 0 ? 2 * z->room : FIRST_ITEMS;
		z->items = must_realloc(z->items, z->room * sizeof(struct item *));
	}
	return z->items[z->count++] = arena_new(w->state->arena, struct item);
}

/* Sizes and offset that do not fit 32 bits (section 4.5.3), in this order, as needed. */
static void
read_zip64(struct span s, struct view *v, uint64_t *header)
{
	uint64_t *const wanted[] = { v->size == UINT32_MAX ? &v->size : NULL,
		v->packed == UINT32_MAX ? &v->packed : NULL,
		header != NULL && *header == UINT32_MAX ? header : NULL };

	for (size_t i = 0, at = 0; i < COUNT_OF(wanted); i++)
		if (wanted[i] != NULL && s.len - at >= 8) {
			*wanted[i] = le64(s.ptr + at);
			at += 8;
		}
}

static void
read_extra(struct span s, struct view *v, uint64_t *header)
{
	while (s.len >= 4) {
		uint16_t id = le16(s.ptr);
		size_t n = le16(s.ptr + 2);

		s = span_slice(s, 4, s.len);
		if (n > s.len)
			return;
		if (id == 1)
			read_zip64(span_slice(s, 0, n), v, header);
		else if (id == 0x7075 && n > 5 && s.ptr[0] == 1 &&
		    le32(s.ptr + 1) == archive_crc32(v->path))
			v->unicode = span_slice(s, 5, n);
		s = span_slice(s, n, s.len);
	}
}

/* The fields that both headers have in the same order, from "flags" on. */
static void
read_common(const uint8_t *p, struct view *v)
{
	v->flags = le16(p);
	v->method = le16(p + 2);
	v->crc = le32(p + 8);
	v->packed = le32(p + 12);
	v->size = le32(p + 16);
}

/* False where there is none, or it does not fit. */
static bool
read_local(struct span s, uint64_t at, struct view *v, uint64_t *data)
{
	if (!is_mark(s, at, "PK\3\4") || s.len - at < LOCAL_BYTES)
		return false;
	const uint8_t *p = s.ptr + at;
	size_t name = le16(p + 26), extra = le16(p + 28);

	if (s.len - at - LOCAL_BYTES < name + extra)
		return false;
	*v = (struct view){ .path = { p + LOCAL_BYTES, name } };
	read_common(p + 6, v);
	read_extra((struct span){ p + LOCAL_BYTES + name, extra }, v, NULL);
	v->open = (v->flags & 8) != 0 && v->packed == 0;
	*data = at + LOCAL_BYTES + name + extra;
	return true;
}

static bool
same_story(const struct view *a, const struct view *b)
{
	return a->method == b->method && ((a->flags ^ b->flags) & 1) == 0 &&
	    (b->open || a->packed == b->packed);
}

/* The header that the entry points to, and whether it tells the same. */
static void
match_local(struct archive_walk *w, struct span s, struct item *item)
{
	const struct view *c = &item->central, *l = &item->local;

	if (!item->found) {
		item->flaws |= ARCHIVE_FLAW_ASTRAY;
		return;
	}
	item->end = c->packed < s.len - item->data ? item->data + c->packed : s.len;
	if (c->packed > s.len - item->data)
		item->flaws |= ARCHIVE_FLAW_BROKEN;
	/* Bit 13: the header is masked on purpose. */
	if ((l->flags & 0x2000) != 0)
		return;
	if (!span_equal(c->path, l->path) || !same_story(c, l) ||
	    (!l->open && (l->flags & 8) == 0 && (c->size != l->size || c->crc != l->crc)))
		item->flaws |= ARCHIVE_FLAW_DIFFERS;
	if (!same_story(c, l)) {
		struct item *twin = add_item(w);

		if (twin != NULL) {
			*twin = *item;
			twin->twin = true;
			if (l->open)
				twin->local.packed = c->packed;
		}
	}
}

/* One entry of a directory at `at`; 0: there is none, else its length. */
static size_t
read_entry(struct archive_walk *w, struct span s, size_t at, uint64_t base)
{
	if (!is_mark(s, at, "PK\1\2") || s.len - at < ENTRY_BYTES)
		return 0;
	const uint8_t *p = s.ptr + at;
	size_t name = le16(p + 28), extra = le16(p + 30);
	size_t len = ENTRY_BYTES + name + extra + le16(p + 32);

	if (s.len - at < ENTRY_BYTES + name + extra)
		return 0;
	struct item *item = add_item(w);

	if (item == NULL)
		return 0;
	*item = (struct item){ .named = true, .system = p[5], .attributes = le32(p + 38) };
	item->central.path = (struct span){ p + ENTRY_BYTES, name };
	item->header = le32(p + 42);
	read_common(p + 8, &item->central);
	read_extra((struct span){ p + ENTRY_BYTES + name, extra },
	    &item->central, &item->header);
	item->found = read_local(s, item->header + base, &item->local, &item->data);
	if (item->found)
		item->header += base;
	else
		item->found = read_local(s, item->header, &item->local, &item->data);
	match_local(w, s, item);
	return len < s.len - at ? len : s.len - at;
}

/* What an end record says of its directory. */
struct claim { uint64_t count, size, offset, behind; };

/* False if no directory stands at `start`. */
static bool
read_directory(struct archive_walk *w, const struct claim *c, uint64_t start)
{
	struct archive_zip *z = w->state->zip;
	struct span s = w->state->bytes;
	uint64_t count = 0, at = start;
	size_t n;

	if (!is_mark(s, start, "PK\1\2"))
		return false;
	if (start < z->first_directory)
		z->first_directory = (size_t)start;
	while (at < c->behind && gate_time(&w->state->gate) &&
	    (n = read_entry(w, s, (size_t)at, start - c->offset)) > 0) {
		at += n;
		count++;
	}
	if (!z->full && (count != c->count || at != start + c->size))
		w->flaws |= ARCHIVE_FLAW_COUNT;
	return true;
}

/* The directory ends where the record begins, or begins where it says; both are tried. */
static bool
follow_claim(struct archive_walk *w, const struct claim *c)
{
	uint64_t near = c->size <= c->behind ? c->behind - c->size : c->behind;
	bool good;

	if (c->count == 0 && c->size == 0)
		return true;
	good = read_directory(w, c, near);
	if (c->offset != near && read_directory(w, c, c->offset)) {
		w->flaws |= good ? ARCHIVE_FLAW_COUNT : 0;
		good = true;
	}
	return good;
}

/* The record of 64 bits (section 4.3.14) that belongs to the end record at `end`. */
static bool
read_claim64(struct span s, size_t end, struct claim *c)
{
	uint64_t at;

	if (end < 20 + 56 || !is_mark(s, end - 20, "PK\6\7"))
		return false;
	at = end - 20 - 56;
	if (!is_mark(s, at, "PK\6\6"))
		at = le64(s.ptr + end - 12);
	if (!is_mark(s, at, "PK\6\6") || s.len - at < 56)
		return false;
	const uint8_t *p = s.ptr + at;

	*c = (struct claim){ le64(p + 32), le64(p + 40), le64(p + 48), at };
	return true;
}

static void
follow_end(struct archive_walk *w, size_t end)
{
	struct span s = w->state->bytes;
	const uint8_t *p = s.ptr + end;
	struct claim c = { le16(p + 10), le32(p + 12), le32(p + 16), end }, c64;
	bool wide = read_claim64(s, end, &c64), good = false;

	if (le16(p + 4) != 0 && le16(p + 4) != UINT16_MAX)
		w->flaws |= ARCHIVE_FLAW_VOLUME;
	if (wide)
		good = follow_claim(w, &c64);
	/* Readers that know no 64 bits go by the other one. */
	if (wide && (c.size == UINT32_MAX || c.offset == UINT32_MAX || c.size == c64.size))
		c.count = c.size = 0;
	else if (wide)
		w->flaws |= ARCHIVE_FLAW_COUNT;
	if ((c.count > 0 || c.size > 0) && !follow_claim(w, &c))
		w->flaws |= good ? ARCHIVE_FLAW_COUNT : ARCHIVE_FLAW_BROKEN;
}

/* The last few end records whose comment fits. */
static void
find_ends(struct archive_zip *z, struct span s)
{
	size_t at = s.len > TAIL_BYTES ? s.len - TAIL_BYTES : 0;

	for (at = archive_search(s, at, SPAN_LIT("PK\5\6")); at < s.len;
	    at = archive_search(s, at + 4, SPAN_LIT("PK\5\6"))) {
		if (s.len - at < END_BYTES)
			return;
		if (z->end_count == ENDS)
			memmove(z->ends, z->ends + 1, sizeof z->ends - sizeof *z->ends);
		else
			z->end_count++;
		z->ends[z->end_count - 1] = at;
	}
}

static bool
inside_data(const struct archive_zip *z, uint64_t at)
{
	for (size_t i = 0; i < z->count; i++)
		if (z->items[i]->found && at >= z->items[i]->data && at < z->items[i]->end)
			return true;
	return false;
}

/* Is it the end record's own comment that reaches the end? */
static size_t
behind_end(struct span s, size_t end)
{
	size_t behind = end + END_BYTES + le16(s.ptr + end + 20);

	return behind < s.len ? behind : s.len;
}

static void
follow_ends(struct archive_walk *w)
{
	struct archive_zip *z = w->state->zip;
	struct span s = w->state->bytes;
	bool first = true;

	/* The last one counts; others may be those of zips that are stored inside. */
	for (size_t i = z->end_count; i-- > 0; first = false) {
		if (!first && inside_data(z, z->ends[i]))
			continue;
		if (!first)
			w->flaws |= ARCHIVE_FLAW_ENDS;
		else
			z->last_end = behind_end(s, z->ends[i]);
		follow_end(w, z->ends[i]);
	}
	if (z->end_count == 0)
		w->flaws |= ARCHIVE_FLAW_BROKEN;
	else if (z->last_end < s.len)
		w->flaws |= ARCHIVE_FLAW_SUFFIX;
}

static int
path_order(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static const struct view *
view_of(const struct item *item)
{
	return item->named && !item->twin ? &item->central : &item->local;
}

static int
by_header(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	if (x->header != y->header)
		return x->header < y->header ? -1 : 1;
	if (x->twin != y->twin)
		return x->twin ? 1 : -1;
	return path_order(view_of(x)->path, view_of(y)->path);
}

static int
by_path(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return path_order(view_of(x)->path, view_of(y)->path);
}

static void
sort_items(struct archive_zip *z, int (*order)(const void *, const void *))
{
	z->order = must_realloc(z->order, z->count * sizeof(struct item *));
	z->sorted = z->count;
	if (z->count > 0)
		memcpy(z->order, z->items, z->count * sizeof(struct item *));
	if (z->count > 1)
		qsort(z->order, z->count, sizeof(struct item *), order);
}

/* The same entry in two directories is one; others that share bytes overlap. */
static void
compare_neighbours(struct archive_zip *z)
{
	struct item *widest = NULL, *last = NULL;

	for (size_t i = 0; i < z->sorted; i++) {
		struct item *item = z->order[i];

		if (last != NULL && last->header == item->header && last->twin == item->twin &&
		    last->named && item->named && span_equal(view_of(last)->path,
		    view_of(item)->path) && last->central.packed == item->central.packed &&
		    last->central.method == item->central.method) {
			item->dropped = true;
			continue;
		}
		last = item;
		if (!item->found || item->twin)
			continue;
		if (widest != NULL && item->header < widest->end) {
			item->flaws |= ARCHIVE_FLAW_OVERLAP;
			widest->flaws |= ARCHIVE_FLAW_OVERLAP;
		}
		if (widest == NULL || item->end > widest->end)
			widest = item;
	}
}

static void
find_doubles(struct archive_zip *z)
{
	struct item *last = NULL;

	sort_items(z, by_path);
	for (size_t i = 0; i < z->sorted; i++) {
		struct item *item = z->order[i];

		if (item->dropped || item->twin)
			continue;
		if (last != NULL && span_equal(view_of(last)->path, view_of(item)->path)) {
			last->flaws |= ARCHIVE_FLAW_DOUBLE;
			item->flaws |= ARCHIVE_FLAW_DOUBLE;
		}
		last = item;
	}
}

static bool
known_method(uint16_t method)
{
	return method <= 19 || (method >= 93 && method <= 99);
}

/* Searches at most `scan` bytes more in all. */
static uint64_t
search_gap(struct archive_zip *z, struct span s, uint64_t from, uint64_t to,
    struct span what)
{
	uint64_t most = to - from < z->scan ? to : from + z->scan;
	size_t at = archive_search(span_slice(s, 0, (size_t)most), (size_t)from, what);

	z->scan -= at - from;
	return at < most ? at : to;
}

/* The sizes behind the data (section 4.3.9): found by the one that must be right. */
static void
find_descriptor(struct archive_zip *z, struct span s, struct item *item, uint64_t to)
{
	uint64_t at = item->data;

	while ((at = search_gap(z, s, at, to, SPAN_LIT("PK\7\10"))) < to && to - at >= 16) {
		if (le32(s.ptr + at + 8) == at - item->data) {
			item->local.crc = le32(s.ptr + at + 4);
			item->local.packed = at - item->data;
			item->local.size = le32(s.ptr + at + 12);
			item->local.open = false;
			return;
		}
		at++;
	}
	item->local.packed = to - item->data;
}

/* A header that no directory names, with its data in the gap; where to go on. */
static uint64_t
add_hidden(struct archive_walk *w, uint64_t at, uint64_t to)
{
	struct archive_zip *z = w->state->zip;
	struct span s = span_slice(w->state->bytes, 0, (size_t)to);
	struct item found = { .header = at, .found = true, .end = to, .system = 3 };
	struct view *l = &found.local;
	struct item *item;

	/* At the very front, a mark is taken for what it says it is. */
	if (!read_local(s, at, l, &found.data) ||
	    (at > 0 && (!known_method(l->method) || l->path.len == 0)))
		return at + 4;
	item = add_item(w);
	if (item == NULL)
		return to;
	if (l->open)
		find_descriptor(z, s, &found, to);
	if (l->packed > to - found.data)
		found.flaws |= ARCHIVE_FLAW_BROKEN;
	else if (!l->open)
		found.end = found.data + l->packed;
	if ((w->flaws & ARCHIVE_FLAW_BROKEN) == 0)
		found.flaws |= ARCHIVE_FLAW_HIDDEN;
	*item = found;
	return l->open ? found.data : found.end;
}

static void
search_headers(struct archive_walk *w, uint64_t from, uint64_t to)
{
	struct archive_zip *z = w->state->zip;

	while (from + LOCAL_BYTES <= to && !z->full && gate_time(&w->state->gate)) {
		from = search_gap(z, w->state->bytes, from, to, SPAN_LIT("PK\3\4"));
		if (from < to)
			from = add_hidden(w, from, to);
	}
}

/* Between the data that directories name, and around it. */
static void
search_gaps(struct archive_walk *w)
{
	struct archive_zip *z = w->state->zip;
	struct span s = w->state->bytes;
	uint64_t at = 0, to = z->first_directory < s.len ? z->first_directory : s.len;

	for (size_t i = 0; i < z->sorted; i++) {
		const struct item *item = z->order[i];

		if (!item->found || item->dropped)
			continue;
		if (item->header > at)
			search_headers(w, at, item->header);
		if (item->end > at)
			at = item->end;
	}
	if (at < to)
		search_headers(w, at, to);
	if (z->last_end > 0 && z->last_end < s.len)
		search_headers(w, z->last_end, s.len);
}

/* Bytes before the first header, but for the mark of a set that became one file. */
static bool
has_prefix(const struct archive_zip *z, struct span s)
{
	uint64_t first = z->first_directory;

	for (size_t i = 0; i < z->count; i++)
		if (z->items[i]->found && z->items[i]->header < first)
			first = z->items[i]->header;
	return first > 0 && first < s.len &&
	    !(first == 4 && (is_mark(s, 0, "PK00") || is_mark(s, 0, "PK\7\10")));
}

void
zip_list(struct archive_walk *w)
{
	struct archive_state *state = w->state;
	struct span s = state->bytes;
	struct archive_zip *z = state->zip = must_alloc(sizeof *z);

	z->most = s.len / LOCAL_BYTES + 1;
	if (z->most > state->gate.members + 1)
		z->most = (size_t)state->gate.members + 1;
	z->first_directory = s.len;
	z->scan = (uint64_t)s.len * SCANS;
	find_ends(z, s);
	follow_ends(w);
	sort_items(z, by_header);
	compare_neighbours(z);
	search_gaps(w);
	find_doubles(z);
	if (has_prefix(z, s))
		w->flaws |= ARCHIVE_FLAW_PREFIX;
	if (z->full)
		w->flaws |= ARCHIVE_FLAW_MEMBERS;
	for (size_t i = 0; i < z->count; i++)
		w->flaws |= z->items[i]->dropped ? 0 : z->items[i]->flaws;
}

void
zip_free(struct archive_state *state)
{
	if (state->zip == NULL)
		return;
	free(state->zip->items);
	free(state->zip->order);
	free(state->zip);
	state->zip = NULL;
}

/* What the entry made by Unix says; a directory with data is a file for somebody. */
static enum archive_type
item_type(const struct item *item, const struct view *v)
{
	uint32_t mode = item->attributes >> 28;
	uint8_t last = v->path.len > 0 ? v->path.ptr[v->path.len - 1] : 0;
	bool empty = v->packed == 0 && v->size == 0 &&
	    (!item->found || item->local.packed == 0);

	if (item->named && item->system == 3 && mode == 012)
		return ARCHIVE_TYPE_LINK;
	return empty && (last == '/' || last == '\\') ? ARCHIVE_TYPE_DIRECTORY :
	    ARCHIVE_TYPE_FILE;
}

/* A field that says in UTF-8 what the old charset could not; but not something else. */
static void
add_unicode(struct archive_walk *w, const struct view *v)
{
	struct archive_member *m = &w->member;
	bool ascii = true;

	m->local_name = archive_name(v->unicode, true, w->state->arena);
	for (size_t i = 0; i < v->path.len; i++)
		ascii &= v->path.ptr[i] < 0x80 && v->path.ptr[i] != '?' && v->path.ptr[i] != '_';
	if (ascii && !span_equal(v->path, v->unicode))
		m->flaws |= ARCHIVE_FLAW_NAME;
}

static bool
zip_next(struct archive_walk *w)
{
	struct archive_zip *z = w->state->zip;
	struct archive_member *m = &w->member;

	while (z->at < z->count && z->items[z->at]->dropped)
		z->at++;
	if (z->at == z->count)
		return false;
	const struct item *item = z->items[z->at++];
	const struct view *v = view_of(item);

	m->type = item_type(item, v);
	m->encrypted = (v->flags & 1) != 0 || v->method == 99;
	m->sized = !v->open;
	m->size = v->open ? 0 : v->size;
	m->flaws = item->flaws;
	member_name(w, v->path, true);
	if (v->unicode.len > 0)
		add_unicode(w, v);
	if (item->named && item->found && !span_equal(item->central.path, item->local.path) &&
	    (item->local.flags & 0x2000) == 0)
		m->local_name = archive_name(item->twin ? item->central.path :
		    item->local.path, true, w->state->arena);
	return true;
}

static uint8_t *
put(uint8_t *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*to++ = (uint8_t)(value >> 8 * i);
	return to;
}

/* A local header with what we know, always with sizes of 64 bits. */
static struct span
make_header(struct archive_zip *z, const struct view *v, uint64_t packed)
{
	uint8_t *p = z->head;

	p = put(p, 0x04034b50, 4);
	p = put(p, 45, 2);
	p = put(p, v->flags & 6, 2);    /* how it was compressed; not: encrypted, sizes behind */
	p = put(p, v->method, 2);
	p = put(p, 0, 4);
	p = put(p, v->crc, 4);
	p = put(p, UINT32_MAX, 4);
	p = put(p, UINT32_MAX, 4);
	p = put(p, 1, 2);
	p = put(p, 20, 2);
	p = put(p, 'x', 1);
	p = put(p, 1, 2);
	p = put(p, 16, 2);
	p = put(p, v->method == 0 || v->open ? packed : v->size, 8);
	p = put(p, packed, 8);
	return (struct span){ z->head, (size_t)(p - z->head) };
}

static bool
zip_begin(struct archive_walk *w)
{
	struct archive_state *state = w->state;
	struct archive_zip *z = state->zip;
	const struct item *item = z->items[z->at - 1];
	const struct view *v = view_of(item);
	struct archive_form form = { ARCHIVE_KIND_ZIP, 0, 0 };
	struct span s = state->bytes;

	if (!item->found)
		return false;
	uint64_t left = s.len - item->data, packed = v->packed < left ? v->packed : left;

	z->spans[0] = make_header(z, v, packed);
	z->spans[1] = span_slice(s, (size_t)item->data, (size_t)(item->data + packed));
	if (!reader_open(&state->reader, &form, z->spans, 2, &state->gate) ||
	    !reader_next(&state->reader)) {
		w->member.flaws |= state->reader.flaws | ARCHIVE_FLAW_BROKEN;
		reader_close(&state->reader);
		return false;
	}
	return true;
}

/* Could it be what it says, and may all of it pass? */
static bool
is_plausible(const struct archive_gate *gate, const struct item *item, uint64_t len)
{
	const struct view *v = view_of(item);

	if (!item->found || v->open || v->packed > len - item->data ||
	    !gate_open(gate, v->size))
		return false;
	return v->method == METHOD_STORED ? v->packed == v->size :
	    v->method == METHOD_DEFLATED && v->size / DEFLATE_RATIO <= v->packed;
}

static bool
inflate_whole(struct archive_state *state, struct span packed, struct span *data)
{
	uint8_t *room = inflated_room(state, data->len);
	size_t used;

	data->ptr = room;
	return room != NULL && libdeflate_deflate_decompress_ex(inflater_of(state),
	    packed.ptr, packed.len, room, data->len, &used, NULL) == LIBDEFLATE_SUCCESS &&
	    used == packed.len;
}

static bool
zip_whole(struct archive_walk *w, struct span *data)
{
	struct archive_state *state = w->state;
	const struct item *item = state->zip->items[state->zip->at - 1];
	const struct view *v = view_of(item);

	if (inflater_of(state) == NULL || !is_plausible(&state->gate, item, state->bytes.len))
		return false;
	struct span packed = span_slice(state->bytes, (size_t)item->data,
	    (size_t)(item->data + v->packed));

	*data = (struct span){ packed.ptr, (size_t)v->size };
	return (v->method == METHOD_STORED || inflate_whole(state, packed, data)) &&
	    libdeflate_crc32(0, data->ptr, data->len) == v->crc;
}

static void
zip_end(struct archive_walk *w)
{
	struct archive_zip *z = w->state->zip;
	const struct view *v = view_of(z->items[z->at - 1]);

	/* Nothing was told that it could differ from. */
	if (v->open)
		w->member.flaws &= ~(unsigned)(ARCHIVE_FLAW_CHECKSUM | ARCHIVE_FLAW_SIZE);
	reader_close(&w->state->reader);
}

const struct archive_ops archive_zip_ops = { zip_next, zip_begin, zip_end, zip_whole };
