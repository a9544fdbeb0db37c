/*
 * archive_rar5.c - a rar of version 5 as blocks, to list what is encrypted.
 *
 * libarchive gives up at the first encrypted member, names and all.  Here the blocks are
 * walked over; encrypted members are listed by their headers, and libarchive is given the
 * archive without them.
 */
#include "lib/content/archive_private.h"

enum block_type { BLOCK_MAIN = 1, BLOCK_FILE, BLOCK_SERVICE, BLOCK_ENCRYPTION, BLOCK_END };

struct block {
	uint64_t    type;
	size_t      len;        /* header and data             */
	struct span body;       /* the header behind its flags */
	struct span extra;
	uint64_t    data;
};

static bool
take_vint(struct span *s, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 10 && s->len > 0; i++) {
		uint8_t c = s->ptr[0];

		*s = span_slice(*s, 1, s->len);
		*out |= (uint64_t)(c & 0x7f) << 7 * i;
		if ((c & 0x80) == 0)
			return true;
	}
	return false;
}

/* The block at the front of s; false where it is damaged. */
static bool
read_block(struct span s, struct block *b)
{
	struct span rest;
	uint64_t size, flags, extra = 0;

	*b = (struct block){ .type = 0 };
	if (s.len < 7)
		return false;
	rest = span_slice(s, 4, s.len);
	if (!take_vint(&rest, &size) || size == 0 || size > rest.len)
		return false;
	rest.len = (size_t)size;
	if (!take_vint(&rest, &b->type) || !take_vint(&rest, &flags))
		return false;
	if ((flags & 1) != 0 && !take_vint(&rest, &extra))
		return false;
	if ((flags & 2) != 0 && !take_vint(&rest, &b->data))
		return false;
	size_t header = (size_t)(rest.ptr - s.ptr) + rest.len;

	if (extra > rest.len || b->data > s.len - header)
		return false;
	b->extra = span_slice(rest, rest.len - (size_t)extra, rest.len);
	b->body = span_slice(rest, 0, rest.len - (size_t)extra);
	b->len = header + (size_t)b->data;
	return true;
}

/* Is there a record of encryption (type 1) among the extra ones? */
static bool
is_encrypted(struct span extra)
{
	uint64_t size, type;

	while (take_vint(&extra, &size) && size > 0 && size <= extra.len) {
		struct span record = span_slice(extra, 0, (size_t)size);

		if (take_vint(&record, &type) && type == 1)
			return true;
		extra = span_slice(extra, (size_t)size, extra.len);
	}
	return false;
}

/* File flags, size, attributes, time, check sum, method, system, name. */
static bool
read_file(struct span s, struct archive_member *m)
{
	uint64_t flags, value, len;

	if (!take_vint(&s, &flags) || !take_vint(&s, &m->size) || !take_vint(&s, &value))
		return false;
	size_t fixed = ((flags & 2) != 0 ? 4u : 0) + ((flags & 4) != 0 ? 4u : 0);

	if (s.len < fixed)
		return false;
	s = span_slice(s, fixed, s.len);
	if (!take_vint(&s, &value) || !take_vint(&s, &value) ||
	    !take_vint(&s, &len) || len > s.len)
		return false;
	m->sized = (flags & 8) == 0;
	m->type = (flags & 1) != 0 ? ARCHIVE_TYPE_DIRECTORY : ARCHIVE_TYPE_FILE;
	m->path = span_slice(s, 0, (size_t)len);
	m->encrypted = true;
	return true;
}

/* One more span for libarchive; spans that touch become one. */
static void
keep(struct archive_state *s, struct span block)
{
	struct span *last = s->span_count > 0 ? &s->spans[s->span_count - 1] : NULL;

	if (last != NULL && last->ptr + last->len == block.ptr)
		last->len += block.len;
	else
		s->spans[s->span_count++] = block;
}

static void
list_block(struct archive_walk *w, const struct block *b, struct span whole)
{
	struct archive_state *s = w->state;
	struct archive_member m = { .flaws = 0 };

	if (b->type == BLOCK_FILE && is_encrypted(b->extra) && read_file(b->body, &m)) {
		s->listed[s->listed_count++] = m;
		return;
	}
	if (b->type == BLOCK_ENCRYPTION)
		w->encrypted = true;
	if (b->type == BLOCK_MAIN && b->body.len > 0 && (b->body.ptr[0] & 1) != 0)
		w->flaws |= ARCHIVE_FLAW_VOLUME;
	/* What serves an encrypted member is encrypted as well, and of no use here. */
	if (b->type != BLOCK_SERVICE || !is_encrypted(b->extra))
		keep(s, whole);
}

/* At most as many blocks as there may be members, twice: services come between. */
void
rar5_list(struct archive_walk *w)
{
	struct archive_state *s = w->state;
	size_t room = (size_t)(s->gate.members < s->bytes.len / 7 ? s->gate.members :
	    s->bytes.len / 7) + 1, at = 8;
	struct block b;

	if (s->bytes.len < 8)
		return;
	s->listed = must_alloc(room * sizeof *s->listed);
	s->spans = must_alloc((2 * room + 2) * sizeof *s->spans);
	keep(s, span_slice(s->bytes, 0, 8));
	for (size_t i = 0; i < 2 * room && s->listed_count < room && at < s->bytes.len; i++) {
		struct span rest = span_slice(s->bytes, at, s->bytes.len);

		if (!read_block(rest, &b) || w->encrypted)
			break;
		list_block(w, &b, span_slice(rest, 0, b.len));
		at += b.len;
		if (b.type == BLOCK_END)
			break;
	}
	if (at < s->bytes.len)
		keep(s, span_slice(s->bytes, at, s->bytes.len));
}
