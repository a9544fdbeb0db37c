/*
 * mime.c - the pass over the bytes: boundary lines, parts, what is between.  See mime.h.
 *
 * Only a '-' can begin a boundary line, and encoded text has none: so memchr does most
 * of the work.  Parts end where a line of an enclosing multipart comes; each part is
 * ended once, so closing many at once is still linear.
 */
#include "lib/mime/structure.h"

#define FEED_BYTES 32768u       /* given to the body's sink while still in the cache */

const char *
mime_ambiguity_name(enum mime_ambiguity a)
{
	static const char *const names[MIME_AMBIGUITIES] = {
		"two-types", "two-encodings", "two-dispositions", "two-ids", "two-parameters",
		"two-boundaries", "no-boundary", "boundary-clash", "boundary-line",
		"after-close", "missing-close", "bare-cr", "nul", "odd-syntax", "odd-header",
		"odd-encoding", "odd-type", "decoded",
	};

	for (unsigned i = 0; i < MIME_AMBIGUITIES; i++)
		if ((unsigned)a == 1u << i)
			return names[i];
	return "several";
}

void
parse_flaw(struct parse *p, enum mime_flaw_kind kind, uint32_t part, uint64_t at,
    struct span field)
{
	struct mime *m = p->m;

	m->flaw_kinds |= 1u << kind;
	m->flaws_seen++;
	if (m->flaw_count == p->options->max_flaws)
		return;
	if (m->flaws == NULL)
		m->flaws = arena_array(p->arena, struct mime_flaw, p->options->max_flaws);
	m->flaws[m->flaw_count++] = (struct mime_flaw){ kind, part, at, field };
}

/* The next part; MIME_NO_PART beyond the limit. */
static uint32_t
add_part(struct parse *p, enum mime_kind kind, uint32_t parent, uint32_t depth, size_t at)
{
	struct mime *m = p->m;

	m->seen++;
	if (m->count >= p->options->max_parts) {
		if (m->seen == m->count + 1ull)
			parse_flaw(p, FLAW_TOO_MANY, MIME_NO_PART, at, SPAN_NONE);
		return MIME_NO_PART;
	}
	if (m->count == p->room) {
		size_t room = p->room > 0 ? p->room * 2 : 8;
		struct mime_part *more = arena_array(p->arena, struct mime_part, room);

		if (m->count > 0)
			memcpy(more, m->parts, m->count * sizeof *more);
		m->parts = more;
		p->room = room;
	}
	m->parts[m->count] = (struct mime_part){ .kind = kind, .parent = parent,
		.depth = depth, .at = at, .body = at, .end = UINT64_MAX };
	return m->count++;
}

/* Files in text. */

static bool
is_text(const struct mime_part *part)
{
	return part->kind != MIME_LEAF || (part->encoding == ENCODING_NONE &&
	    span_equal(part->type, SPAN_LIT("text")));
}

static void
find_embedded(struct parse *p, uint32_t index)
{
	struct span text = mime_body(p->m, &p->m->parts[index]);
	uint64_t base = p->m->parts[index].body;
	uint32_t depth = p->m->parts[index].depth + 1;
	struct embedded e;

	for (size_t at = 0; embedded_next(text, &at, &e);) {
		uint32_t i = add_part(p, MIME_EMBEDDED, index, depth, (size_t)base + e.from);

		if (i == MIME_NO_PART)
			return;
		struct mime_part *part = &p->m->parts[i];

		part->end = base + e.to;
		part->encoding = e.encoding;
		part->type = SPAN_LIT("application");
		part->subtype = SPAN_LIT("octet-stream");
		if (e.name.len == 0)
			continue;
		part->names = arena_new(p->arena, struct mime_name);
		part->names[0] = (struct mime_name){ e.name, MIME_FROM_EMBEDDED };
		part->name_count = 1;
	}
}

/* Segments. */

static bool
is_blank_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] > ' ')
			return false;
	return true;
}

static void
end_text(struct parse *p, enum mime_kind kind, size_t end)
{
	const struct mime_part *of = &p->m->parts[p->part];

	if (end <= p->from || is_blank_text(span_slice(p->bytes, p->from, end)))
		return;
	uint32_t i = add_part(p, kind, p->part, of->depth + 1, p->from);

	if (i == MIME_NO_PART)
		return;
	p->m->parts[i].end = end;
	p->m->parts[i].type = SPAN_LIT("text");
	p->m->parts[i].subtype = SPAN_LIT("plain");
	find_embedded(p, i);
}

/* A multipart that never began is one piece of content. */
static void
end_unbegun(struct parse *p, size_t end)
{
	struct mime_part *part = &p->m->parts[p->part];

	part->kind = MIME_LEAF;
	part->end = end;
	part->ambiguities |= MIME_NO_BOUNDARY;
	part->truncated = true;
	parse_flaw(p, FLAW_NO_BOUNDARY, p->part, part->at, SPAN_NONE);
	if (part->encoding == ENCODING_NONE)
		find_embedded(p, p->part);
}

static void
end_segment(struct parse *p, size_t end)
{
	struct mime_part *part = p->segment != SEGMENT_LOST ? &p->m->parts[p->part] : NULL;

	switch (p->segment) {
	case SEGMENT_LEAF:
		part->end = end < part->body ? part->body : end;
		if (is_text(part))
			find_embedded(p, p->part);
		break;
	case SEGMENT_PREAMBLE:
		if (p->table.opens[p->table.open_count - 1].seen)
			end_text(p, MIME_PREAMBLE, end);
		else
			end_unbegun(p, end);
		break;
	case SEGMENT_EPILOGUE:
		end_text(p, MIME_EPILOGUE, end);
		break;
	case SEGMENT_LOST:
		break;
	}
}

/* The last open multipart and what encloses it up to the one before ends here. */
static void
end_multipart(struct parse *p, size_t end)
{
	const struct open *o = &p->table.opens[p->table.open_count - 1];
	struct mime_part *part = &p->m->parts[o->part];

	if (!o->closed) {
		part->truncated = true;
		parse_flaw(p, FLAW_TRUNCATED, o->part, end, SPAN_NONE);
	}
	part->end = end < part->body ? part->body : end;
	boundary_pop(&p->table);
}

/* Messages between a part and the multipart that it belongs to end with it. */
static void
end_messages(struct parse *p, uint32_t index, uint32_t until, size_t end)
{
	while (index != until && index != MIME_NO_PART) {
		struct mime_part *part = &p->m->parts[index];

		if (part->end == UINT64_MAX)
			part->end = end < part->body ? part->body : end;
		index = part->parent;
	}
}

static void
end_inner(struct parse *p, uint32_t open, size_t end)
{
	while (p->table.open_count > open + 1u) {
		const struct open *o = &p->table.opens[p->table.open_count - 1];
		uint32_t part = o->part;

		if (!o->closed)
			p->m->parts[part].ambiguities |= MIME_MISSING_CLOSE;
		end_multipart(p, end);
		end_messages(p, part, p->table.open_count > 0 ?
		    p->table.opens[p->table.open_count - 1].part : MIME_NO_PART, end);
	}
}

/* Parts. */

static size_t
read_part(struct parse *p, uint32_t index, size_t at, bool digest, struct span *texts)
{
	struct mime_part *part = &p->m->parts[index];
	size_t body = section_read(p, at, &part->header, &part->ambiguities);

	part->body = body;
	if (part->header.cut)
		parse_flaw(p, FLAW_HEADER_CUT, index, at, SPAN_NONE);
	if (!part->header.ended && part->header.count > 0)
		parse_flaw(p, FLAW_NO_END, index, body, SPAN_NONE);
	if (part->ambiguities & MIME_NUL)
		parse_flaw(p, FLAW_NUL, index, at, SPAN_NONE);
	if (index == 0)
		p->versioned = header_find(&part->header, SPAN_LIT("MIME-Version"), 0) != NULL;
	return part_read(p, index, digest, texts);
}

static bool
too_deep(struct parse *p, uint32_t index)
{
	struct mime_part *part = &p->m->parts[index];

	if (part->depth < p->options->max_depth)
		return false;
	part->kind = MIME_LEAF;
	parse_flaw(p, FLAW_TOO_DEEP, index, part->at, SPAN_NONE);
	return true;
}

/* What the part that begins is: its segment, or the message inside it, which begins too. */
static bool
enter_part(struct parse *p, uint32_t index, const struct span *texts, size_t count)
{
	struct mime_part *part = &p->m->parts[index];
	bool composite = part->kind == MIME_MULTIPART ||
	    (part->is_message && part->encoding == ENCODING_NONE);

	p->part = index;
	p->from = (size_t)part->body;
	p->segment = SEGMENT_LEAF;
	if (!composite || too_deep(p, index))
		return false;
	if (part->kind != MIME_MULTIPART) {
		part->kind = MIME_MESSAGE;
		return true;
	}
	p->segment = SEGMENT_PREAMBLE;
	boundary_open(&p->table, index, part->depth, texts, count, &part->ambiguities,
	    p->arena);
	p->table.opens[p->table.open_count - 1].digest =
	    span_equal(part->subtype, SPAN_LIT("digest"));
	return false;
}

/* Returns where to go on. */
static size_t
begin_part(struct parse *p, uint32_t parent, uint32_t depth, bool digest, size_t at)
{
	struct span texts[BOUNDARIES];

	for (;; depth++, digest = false) {
		uint32_t index = add_part(p, MIME_LEAF, parent, depth, at);

		if (index == MIME_NO_PART) {
			p->segment = SEGMENT_LOST;
			p->part = parent;
			return at;
		}
		size_t count = read_part(p, index, at, digest, texts);

		at = (size_t)p->m->parts[index].body;
		if (!enter_part(p, index, texts, count))
			return at;
		parent = index;
	}
}

/* Where the line before `at` ends, without its newline. */
static size_t
before_newline(struct span b, size_t at, size_t from)
{
	if (at > from && b.ptr[at - 1] == '\n')
		at--;
	if (at > from && b.ptr[at - 1] == '\r')
		at--;
	return at;
}

/* A line of an open multipart; returns where to go on. */
static size_t
take_boundary(struct parse *p, size_t at, const struct match *match)
{
	size_t end = before_newline(p->bytes, at, p->from);
	uint32_t index = p->part;

	if (p->segment == SEGMENT_PREAMBLE && match->open + 1u == p->table.open_count)
		p->table.opens[match->open].seen = true;
	end_segment(p, end);
	end_messages(p, index, p->table.opens[p->table.open_count - 1].part, end);
	end_inner(p, match->open, end);

	struct open *o = &p->table.opens[match->open];

	o->seen = true;
	o->closed = match->kind == MATCH_CLOSE;
	if (!o->closed)
		return begin_part(p, o->part, o->depth + 1, o->digest, match->end);
	p->segment = SEGMENT_EPILOGUE;
	p->part = o->part;
	p->from = match->end;
	return match->end;
}

/* The pass. */

static void
feed(struct parse *p, size_t to)
{
	struct error err;

	if (p->options->body == NULL || to <= p->fed)
		return;
	sink_write(p->options->body, span_slice(p->bytes, p->fed, to), &err);
	p->fed = to;
}

/* The next '-' from `at`, or the end; what is passed goes to the body's sink. */
static size_t
next_dash(struct parse *p, size_t at)
{
	if (p->options->body == NULL)
		return at + span_find(span_slice(p->bytes, at, p->bytes.len), '-');
	while (at < p->bytes.len) {
		size_t window = p->bytes.len - at < FEED_BYTES ? p->bytes.len - at : FEED_BYTES;
		size_t n = span_find(span_slice(p->bytes, at, at + window), '-');

		feed(p, at + n);
		at += n;
		if (n < window)
			break;
	}
	return at;
}

static void
scan(struct parse *p, size_t at)
{
	struct span b = p->bytes;

	while (p->table.open_count > 0 && (at = next_dash(p, at)) < b.len) {
		bool cr = at > 0 && b.ptr[at - 1] == '\r';

		if (at + 1 == b.len || b.ptr[at + 1] != '-' ||
		    (at > 0 && b.ptr[at - 1] != '\n' && !cr && at != p->from)) {
			at++;
			continue;
		}
		struct match m = boundary_match(&p->table, b, at, p->reading);

		if (cr && (m.kind != MATCH_NONE || m.ambiguities != 0)) {
			m.ambiguities |= MIME_BARE_CR;
			if (p->reading != MIME_LENIENT)
				m.kind = MATCH_NONE;
		}
		p->m->ambiguities |= m.ambiguities;
		at = m.kind != MATCH_NONE ? take_boundary(p, at, &m) : at + 2;
	}
	next_dash(p, b.len);
}

static void
end_all(struct parse *p)
{
	size_t end = p->bytes.len;
	uint32_t index = p->part;

	end_segment(p, end);
	while (p->table.open_count > 0) {
		uint32_t part = p->table.opens[p->table.open_count - 1].part;

		end_messages(p, index, part, end);
		end_multipart(p, end);
		index = part;
	}
	end_messages(p, index, MIME_NO_PART, end);
}

struct flaw_adder { struct flaw_sink sink; struct parse *p; };

static void
add_flaw(struct flaw_sink *sink, const struct mime_flaw *f)
{
	struct flaw_adder *a = container_of(sink, struct flaw_adder, sink);

	parse_flaw(a->p, f->kind, 0, f->at, f->field);
}

void
mime_parse(struct span bytes, enum mime_reading reading, const struct mime_options *options,
    struct mime *m, struct arena *arena)
{
	struct parse p = { .bytes = bytes, .reading = reading, .options = options, .m = m,
		.arena = arena };

	*m = (struct mime){ .bytes = bytes };
	if (options->max_parts == 0)
		return;
	size_t at = begin_part(&p, MIME_NO_PART, options->depth, false, 0);
	struct flaw_adder adder = { { add_flaw }, &p };

	if (reading != MIME_LENIENT)
		flaw_check_header(bytes, &m->parts[0].header, options->depth == 0,
		    options->eai, &adder.sink);
	p.fed = (size_t)m->parts[0].body;
	feed(&p, at);
	scan(&p, at);
	feed(&p, bytes.len);
	end_all(&p);
	for (uint32_t i = 0; i < m->count; i++)
		m->ambiguities |= m->parts[i].ambiguities;
}
