/*
 * section.c - where a part's header ends and what its fields are, by reading.
 * See structure.h.
 */
#include "lib/mime/structure.h"

static bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static bool
is_boundary(struct parse *p, size_t at, unsigned *ambiguities)
{
	struct span b = p->bytes;

	if (b.len - at < 2 || b.ptr[at] != '-' || b.ptr[at + 1] != '-')
		return false;
	struct match m = boundary_match(&p->table, b, at, p->reading);

	*ambiguities |= m.ambiguities;
	return m.kind != MATCH_NONE;
}

/* The line at `at` with its newline. */
static size_t
line_end(struct span b, size_t at)
{
	size_t n = span_find(span_slice(b, at, b.len), '\n');

	return at + n < b.len ? at + n + 1 : b.len;
}

static bool
all_space(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_space(s.ptr[i]))
			return false;
	return true;
}

/* Does a line that is no field, or continues one, look as if it were a field to some?
   The names alone stand in signatures. */
static bool
hides_field(struct span line)
{
	static const struct span names[] = {
		SPAN_LIT("Content-Type"), SPAN_LIT("Content-Transfer-Encoding"),
		SPAN_LIT("Content-Disposition"),
	};

	while (line.len > 0 && is_space(line.ptr[0]))
		line = span_slice(line, 1, line.len);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		size_t n = names[i].len;

		if (!span_starts_nocase(line, names[i]) || n + 1 >= line.len ||
		    line.ptr[n] != ':')
			continue;
		struct span value = span_slice(line, n + 1, line.len);

		if (is_space(value.ptr[0]) || span_find(value, '/') < span_find(value, ';'))
			return true;
	}
	return false;
}

/* Lines that continue a field. */
static void
judge_continuation(struct span line, unsigned *ambiguities)
{
	if (all_space(line) || hides_field(line))
		*ambiguities |= MIME_ODD_HEADER;
}

/* A line that is no field; an mbox mark is not odd, nor is a name that nobody knows. */
static void
judge_nameless(struct span line, unsigned *ambiguities)
{
	if (span_starts_nocase(line, SPAN_LIT("From ")) ||
	    span_starts_nocase(line, SPAN_LIT(">From ")))
		return;
	if (span_find(line, ':') == line.len || line.ptr[0] < ' ' || hides_field(line))
		*ambiguities |= MIME_ODD_HEADER;
}

static bool
has_bare_cr(struct span s)
{
	const uint8_t *p = s.ptr, *end = s.ptr + s.len;

	for (; s.len > 0 && (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++)
		if (p + 1 < end && p[1] != '\n')
			return true;
	return false;
}

/* Strict: up to an empty line or a boundary. */
static size_t
extent(struct parse *p, size_t from, unsigned *ambiguities)
{
	struct span b = p->bytes;
	size_t at = from;

	while (at < b.len) {
		size_t next = line_end(b, at);
		struct span line = span_slice(b, at, next);

		if ((line.len == 1 && line.ptr[0] == '\n') ||
		    (line.len == 2 && line.ptr[0] == '\r' && line.ptr[1] == '\n'))
			return next;
		if (is_boundary(p, at, ambiguities))
			return at;
		if (is_space(line.ptr[0]))
			judge_continuation(line, ambiguities);
		at = next;
	}
	return at;
}

static void
shift(struct header *h, size_t from)
{
	for (size_t i = 0; i < h->count; i++)
		h->fields[i].at += from;
	h->end += from;
	h->body += from;
}

static size_t
strict_section(struct parse *p, size_t from, struct header *h, unsigned *ambiguities)
{
	size_t body = extent(p, from, ambiguities), end = body;
	size_t max = p->options->max_header;

	if (end - from > max)
		end = from + max;
	struct span section = span_slice(p->bytes, from, end);

	header_parse(section, h, p->arena);
	if (h->count > p->options->max_fields) {
		h->count = p->options->max_fields;
		h->cut = true;
	}
	h->cut |= end < body;
	if (section.len > 0 && memchr(section.ptr, '\0', section.len) != NULL)
		*ambiguities |= MIME_NUL;
	if (has_bare_cr(section))
		*ambiguities |= MIME_BARE_CR;
	for (size_t i = 0; h->flaws > 0 && i < h->count; i++)
		if (h->fields[i].name.len == 0)
			judge_nameless(h->fields[i].value, ambiguities);
	shift(h, from);
	return body;
}

/* Lenient: lines end at CR too, and what is odd is taken as it may be meant. */

struct lines {
	struct parse *p;
	struct header *h;
	size_t at, room, end;
	unsigned *ambiguities;
};

static size_t
lenient_line_end(struct span b, size_t at)
{
	while (at < b.len && b.ptr[at] != '\n' && b.ptr[at] != '\r')
		at++;
	if (at + 1 < b.len && b.ptr[at] == '\r' && b.ptr[at + 1] == '\n')
		at++;
	return at < b.len ? at + 1 : at;
}

static struct span
trim(struct span s)
{
	while (s.len > 0 && is_space(s.ptr[0]))
		s = span_slice(s, 1, s.len);
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* "Name:", "Name :", "Content-X value": the length of the name, 0: no field. */
static size_t
field_name(struct span s, size_t *value)
{
	size_t n = 0, i;

	while (n < s.len && s.ptr[n] > ' ' && s.ptr[n] < 0x7f && s.ptr[n] != ':')
		n++;
	for (i = n; i < s.len && is_space(s.ptr[i]);)
		i++;
	bool content = n > 8 && span_starts_nocase(s, SPAN_LIT("Content-"));

	*value = i;
	if (n == 0 || i == s.len || (s.ptr[i] != ':' && !content))
		return 0;
	while (*value < s.len && s.ptr[*value] == ':')
		++*value;
	return n;
}

static bool
looks_like_field(struct span b, size_t at)
{
	size_t value;

	return at < b.len && (is_blank(b.ptr[at]) ||
	    field_name(trim(span_slice(b, at, lenient_line_end(b, at))), &value) > 0) &&
	    !all_space(span_slice(b, at, lenient_line_end(b, at)));
}

static void
add_field(struct lines *l, struct span line, size_t name, size_t value, size_t at, size_t end)
{
	struct header *h = l->h;

	if (h->count == l->p->options->max_fields || h->count == HEADER_FIELDS) {
		h->cut = true;
		return;
	}
	if (h->count == l->room) {
		size_t room = l->room > 0 ? l->room * 2 : 16;
		struct header_field *more = arena_array(l->p->arena, struct header_field, room);

		if (h->count > 0)
			memcpy(more, h->fields, h->count * sizeof *more);
		h->fields = more;
		l->room = room;
	}
	h->fields[h->count++] = (struct header_field){ .name = span_slice(line, 0, name),
		.value = span_slice(line, value, line.len), .at = at, .len = end - at };
}

static void
continue_field(struct lines *l, size_t end)
{
	struct header_field *f;

	if (l->h->count == 0 || l->h->cut)
		return;
	f = &l->h->fields[l->h->count - 1];
	f->len = end - f->at;
	f->value.len = (size_t)(l->p->bytes.ptr + end - f->value.ptr);
	f->value = trim(f->value);
}

/* One line; true if the header ends before it (or with it: an empty one). */
static bool
lenient_line(struct lines *l)
{
	struct span b = l->p->bytes;
	size_t at = l->at, next = lenient_line_end(b, at), name, value;
	struct span whole = span_slice(b, at, next), line = trim(whole);
	bool first = l->h->count == 0;

	if (line.len == 0) {
		bool empty = whole.ptr[0] == '\n' || (whole.ptr[0] == '\r' && next < b.len + 1 &&
		    whole.ptr[whole.len - 1] == '\n');

		l->at = next;
		if (empty)
			return true;
		return !looks_like_field(b, next);
	}
	if (is_boundary(l->p, at, l->ambiguities))
		return true;
	name = field_name(line, &value);
	if (name > 0 && (!is_blank(whole.ptr[0]) || first ||
	    span_starts_nocase(line, SPAN_LIT("Content-"))))
		add_field(l, line, name, value, at, next);
	else if (is_blank(whole.ptr[0]))
		continue_field(l, next);
	else if (!looks_like_field(b, next) &&
	    !span_starts_nocase(line, SPAN_LIT("From ")))
		return true;            /* no field at all: the body, without an empty line */
	l->at = next;
	return false;
}

static size_t
lenient_section(struct parse *p, size_t from, struct header *h, unsigned *ambiguities)
{
	size_t max = p->options->max_header;
	struct lines l = { .p = p, .h = h, .at = from, .ambiguities = ambiguities };
	bool ended = false;

	*h = (struct header){ .end = from };
	while (!ended && l.at < p->bytes.len && l.at - from < max) {
		h->end = l.at;
		ended = lenient_line(&l);
	}
	h->ended = ended;
	h->body = l.at;
	if (!ended)
		h->end = l.at;
	h->cut |= !ended && l.at < p->bytes.len;
	return l.at;
}

size_t
section_read(struct parse *p, size_t from, struct header *h, unsigned *ambiguities)
{
	return p->reading == MIME_LENIENT ? lenient_section(p, from, h, ambiguities) :
	    strict_section(p, from, h, ambiguities);
}
