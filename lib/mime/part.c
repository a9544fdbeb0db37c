/*
 * part.c - what the Content- fields of one part say, by reading.  See structure.h.
 */
#include "lib/mime/structure.h"
#include "lib/mime/word.h"

#define AHEAD_BYTES 16384u              /* looked at for a boundary that nobody named */
#define FIELD_BYTES 16384u              /* of one Content- field                      */

enum content_field { CONTENT_TYPE = 0, CONTENT_ENCODING, CONTENT_DISPOSITION, CONTENT_ID,
	CONTENT_OTHER, CONTENT_FIELDS };

struct reader {
	struct parse *p;
	struct mime_part *part;
	uint32_t index;
	/* The field that counts, its list, and whether there are others that differ. */
	const struct header_field *fields[CONTENT_FIELDS];
	bool     conflict[CONTENT_FIELDS];
	struct parameter_list type, disposition;
	bool     multipart;
};

static struct span
trim(struct span s)
{
	while (s.len > 0 && s.ptr[0] <= ' ')
		s = span_slice(s, 1, s.len);
	while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
		s.len--;
	return s;
}

static struct span
field_value(const struct header_field *f)
{
	struct span s = trim(f->value);

	if (s.len > FIELD_BYTES)
		s.len = FIELD_BYTES;
	return s;
}

static enum content_field
field_kind(struct span name)
{
	static const struct span names[CONTENT_OTHER] = {
		SPAN_LIT("Content-Type"), SPAN_LIT("Content-Transfer-Encoding"),
		SPAN_LIT("Content-Disposition"), SPAN_LIT("Content-ID"),
	};

	for (enum content_field k = CONTENT_TYPE; k < CONTENT_OTHER; k++)
		if (span_equal_nocase(name, names[k]))
			return k;
	return CONTENT_OTHER;
}

static bool
is_content(const struct header_field *f)
{
	return f->name.len > 8 && span_starts_nocase(f->name, SPAN_LIT("Content-"));
}

static void
collect(struct reader *r)
{
	const struct header *h = &r->part->header;

	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];

		if (!is_content(f))
			continue;
		enum content_field k = field_kind(f->name);
		const struct header_field *old = r->fields[k];

		if (k == CONTENT_OTHER)
			continue;
		if (old != NULL) {
			r->conflict[k] |= !span_equal_nocase(field_value(old), field_value(f));
			parse_flaw(r->p, FLAW_FIELD_TWICE, r->index, f->at, f->name);
		}
		if (old == NULL || r->p->reading == MIME_LAST ||
		    (r->p->reading == MIME_LENIENT && field_value(old).len == 0))
			r->fields[k] = f;
	}
}

static void
flag(struct reader *r, unsigned ambiguity)
{
	r->part->ambiguities |= ambiguity;
}

static enum parameter_manner
manner_of(enum mime_reading reading)
{
	return reading == MIME_FIRST ? PARAMETER_RFC : PARAMETER_PLAIN;
}

/* Type. */

static bool
is_multipart(struct span word)
{
	return span_starts_nocase(word, SPAN_LIT("multipart"));
}

static void
set_type(struct reader *r, struct span word)
{
	size_t slash = span_find(word, '/');
	struct mime_part *part = r->part;

	part->typed = slash > 0 && slash + 1 < word.len;
	if (slash == word.len && word.len > 0 && !is_multipart(word))
		return;         /* "text", as before MIME */
	if (word.len == 0)
		return;
	part->type = trim(span_slice(word, 0, slash));
	part->subtype = slash < word.len ? trim(span_slice(word, slash + 1, word.len)) :
	    SPAN_NONE;
}

static void
check_type(struct reader *r, struct span value)
{
	struct parameter_list plain;

	if (!r->part->typed)
		parse_flaw(r->p, FLAW_TYPE, r->index, r->fields[CONTENT_TYPE]->at,
		    r->fields[CONTENT_TYPE]->name);
	if (!r->type.odd)
		return;
	parameter_parse(value, PARAMETER_PLAIN, &plain, r->p->arena);
	if (is_multipart(plain.word) != is_multipart(r->type.word))
		flag(r, MIME_ODD_TYPE);
}

static void
read_type(struct reader *r, bool digest)
{
	struct mime_part *part = r->part;

	part->type = digest ? SPAN_LIT("message") : SPAN_LIT("text");
	part->subtype = digest ? SPAN_LIT("rfc822") : SPAN_LIT("plain");
	if (r->fields[CONTENT_TYPE] != NULL) {
		struct span value = field_value(r->fields[CONTENT_TYPE]);

		parameter_parse(value, manner_of(r->p->reading), &r->type, r->p->arena);
		set_type(r, r->type.word);
		check_type(r, value);
		part->charset = parameter_first(&r->type, SPAN_LIT("charset"),
		    r->p->options->charsets, r->p->arena);
	}
	r->multipart = is_multipart(part->type);
	if (!span_equal(part->type, SPAN_LIT("message")))
		return;
	part->is_message = span_equal(part->subtype, SPAN_LIT("rfc822")) ||
	    span_equal(part->subtype, SPAN_LIT("global")) ||
	    span_equal(part->subtype, SPAN_LIT("news"));
	part->is_partial = span_equal(part->subtype, SPAN_LIT("partial")) ||
	    span_equal(part->subtype, SPAN_LIT("external-body"));
}

/* Encoding. */

static void
read_encoding(struct reader *r)
{
	const struct header_field *f = r->fields[CONTENT_ENCODING];

	if (f == NULL)
		return;
	r->part->encoding_text = field_value(f);
	r->part->encoding = encoding_parse(r->part->encoding_text,
	    r->p->reading == MIME_LENIENT);
	if (r->part->encoding == ENCODING_UNKNOWN) {
		parse_flaw(r->p, FLAW_ENCODING, r->index, f->at, f->name);
		if (!r->multipart)
			flag(r, MIME_ODD_ENCODING);
	} else if (r->part->encoding != ENCODING_NONE && r->multipart)
		parse_flaw(r->p, FLAW_ENCODING, r->index, f->at, f->name);
	/* What is read under a name of his own by one is not read by the other. */
	if (r->part->encoding > ENCODING_QUOTED && !r->multipart)
		flag(r, MIME_ODD_ENCODING);
}

/* Boundaries. */

/* "\n--text" at a line's beginning, near the beginning of the body. */
static bool
comes_soon(struct reader *r, struct span text)
{
	struct span s = span_slice(r->p->bytes, (size_t)r->part->body, r->p->bytes.len);
	const uint8_t *at = s.ptr;

	if (s.len > AHEAD_BYTES)
		s.len = AHEAD_BYTES;
	while (text.len > 0 && (at = memmem(at, (size_t)(s.ptr + s.len - at), text.ptr,
	    text.len)) != NULL) {
		size_t i = (size_t)(at - s.ptr);

		if (i >= 2 && at[-1] == '-' && at[-2] == '-' &&
		    (i == 2 || at[-3] == '\n' || at[-3] == '\r'))
			return true;
		at++;
	}
	return false;
}

static bool
is_line_of_part(struct span s, size_t at)
{
	return at < s.len && span_starts_nocase(span_slice(s, at, s.len),
	    SPAN_LIT("Content-"));
}

/* The first line "--X" with "Content-" on the next one: nobody else writes that. */
static struct span
guess_boundary(struct reader *r)
{
	struct span s = span_slice(r->p->bytes, (size_t)r->part->body, r->p->bytes.len);

	if (s.len > AHEAD_BYTES)
		s.len = AHEAD_BYTES;
	for (size_t at = 0; at < s.len;) {
		struct span rest = span_slice(s, at, s.len);
		size_t n = span_find(rest, '\n'), cr = span_find(span_slice(rest, 0, n), '\r');
		size_t skip = rest.len > 0 && rest.ptr[0] == '\r';

		if (skip > 0)
			cr = 1 + span_find(span_slice(rest, 1, n > 1 ? n : 1), '\r');
		if (span_starts_nocase(span_slice(rest, skip, rest.len), SPAN_LIT("--")) &&
		    (is_line_of_part(s, at + n + 1) || is_line_of_part(s, at + cr + 1))) {
			struct span text = span_slice(rest, 2 + skip, cr < n ? cr : n);

			while (text.len > 0 && text.ptr[text.len - 1] <= ' ')
				text.len--;
			return text;
		}
		at += n + 1;
	}
	return SPAN_NONE;
}

static size_t
add_text(struct span *texts, size_t n, struct span s)
{
	while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
		s.len--;
	for (size_t i = 0; i < n; i++)
		if (span_equal(texts[i], s))
			return n;
	if (n < BOUNDARIES)
		texts[n++] = s.ptr != NULL ? s : (struct span){ (const uint8_t *)"", 0 };
	return n;
}

/* Whatever any reader takes for the boundary of this field. */
static size_t
all_boundaries(struct reader *r, struct span value, struct span *texts, size_t n)
{
	struct span found[BOUNDARIES];
	struct parameter_list l;

	for (enum parameter_manner m = PARAMETER_RFC; m < PARAMETER_MANNERS; m++) {
		parameter_parse(value, m, &l, r->p->arena);
		size_t count = parameter_values(&l, SPAN_LIT("boundary"),
		    r->p->options->charsets, found, 0, BOUNDARIES, r->p->arena);

		for (size_t i = 0; i < count; i++)
			n = add_text(texts, n, found[i]);
	}
	return n;
}

static size_t
lenient_boundaries(struct reader *r, struct span *texts)
{
	const struct header *h = &r->part->header;
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		if (is_content(&h->fields[i]) &&
		    field_kind(h->fields[i].name) == CONTENT_TYPE)
			n = all_boundaries(r, field_value(&h->fields[i]), texts, n);
	bool soon = false;

	for (size_t i = 0; i < n; i++)
		soon |= comes_soon(r, texts[i]);
	/* Only what is, or might be, a multipart is worth a guess. */
	bool container = r->part->at == 0 && r->part->encoding == ENCODING_NONE &&
	    r->fields[CONTENT_TYPE] == NULL;
	struct span guess = r->multipart || n > 0 || container ? guess_boundary(r) : SPAN_NONE;

	if (guess.ptr != NULL) {
		n = add_text(texts, n, guess);
		soon = true;
	}
	if (!r->multipart && !soon)
		return 0;
	r->multipart = true;
	return n;
}

static void
check_boundary(struct reader *r, struct span value, struct span text)
{
	struct span texts[BOUNDARIES];
	size_t n = r->type.odd ? all_boundaries(r, value, texts, add_text(texts, 0, text)) : 1;

	if (n > 1)
		flag(r, MIME_TWO_BOUNDARIES);
	if (text.ptr == NULL || text.len == 0) {
		flag(r, MIME_NO_BOUNDARY);
		parse_flaw(r->p, FLAW_NO_BOUNDARY, r->index, r->part->at, SPAN_NONE);
	} else if (text.len > 70 || text.ptr[text.len - 1] == ' ')
		parse_flaw(r->p, FLAW_BOUNDARY, r->index, r->part->at, SPAN_NONE);
}

static size_t
strict_boundaries(struct reader *r, struct span *texts)
{
	struct span value = r->fields[CONTENT_TYPE] != NULL ?
	    field_value(r->fields[CONTENT_TYPE]) : SPAN_NONE;
	struct charsets *c = r->p->options->charsets;
	struct span text = r->p->reading == MIME_LAST ?
	    parameter_last(&r->type, SPAN_LIT("boundary"), c, r->p->arena) :
	    parameter_first(&r->type, SPAN_LIT("boundary"), c, r->p->arena);

	if (r->multipart) {
		if (r->type.gap)
			flag(r, MIME_ODD_SYNTAX);
		check_boundary(r, value, text);
		return text.ptr != NULL && text.len > 0 ? add_text(texts, 0, text) : 0;
	}
	/* A boundary without a multipart is nothing, if it does not come. */
	if (text.len > 0 && comes_soon(r, text))
		flag(r, MIME_ODD_TYPE);
	if (r->part->at == 0 && r->p->versioned && r->fields[CONTENT_TYPE] == NULL &&
	    guess_boundary(r).ptr != NULL)
		flag(r, MIME_ODD_TYPE | MIME_NO_BOUNDARY);
	return 0;
}

/* Names. */

static void
add_name(struct reader *r, struct span text, enum mime_name_source source)
{
	struct mime_part *part = r->part;

	if (text.len == 0)
		return;
	for (size_t i = 0; i < part->name_count; i++)
		if (span_equal(part->names[i].text, text))
			return;
	if (part->name_count == MIME_NAMES) {
		parse_flaw(r->p, FLAW_TOO_MANY_NAMES, r->index, part->at, SPAN_NONE);
		return;
	}
	if (part->names == NULL)
		part->names = arena_array(r->p->arena, struct mime_name, MIME_NAMES);
	part->names[part->name_count++] = (struct mime_name){ text, source };
}

static void
list_names(struct reader *r, const struct parameter_list *l, enum mime_name_source source)
{
	static const struct span keys[] = { SPAN_LIT("filename"), SPAN_LIT("name") };
	struct span found[MIME_NAMES];

	if (l->count == 0)
		return;
	for (size_t k = 0; k < COUNT_OF(keys); k++) {
		size_t n = parameter_values(l, keys[k], r->p->options->charsets, found, 0,
		    MIME_NAMES, r->p->arena);

		for (size_t i = 0; i < n; i++)
			add_name(r, found[i], source);
	}
}

static void
field_names(struct reader *r, const struct header_field *f, struct parameter_list *all)
{
	enum content_field k = field_kind(f->name);
	enum mime_name_source source = k == CONTENT_TYPE ? MIME_FROM_TYPE :
	    k == CONTENT_DISPOSITION ? MIME_FROM_DISPOSITION : MIME_FROM_OTHER;
	struct span value = field_value(f);
	struct parameter_list l;

	if (span_find(value, '=') == value.len)
		return;
	parameter_parse(value, PARAMETER_RFC, &l, r->p->arena);
	list_names(r, &l, source);
	for (size_t i = 0; i < l.count && all->count < PARAMETERS; i++)
		if (l.items[i].section >= 0)
			all->items[all->count++] = l.items[i];
	if (!l.odd)
		return;
	for (enum parameter_manner m = PARAMETER_PLAIN; m < PARAMETER_MANNERS; m++) {
		parameter_parse(value, m, &l, r->p->arena);
		list_names(r, &l, source);
	}
}

/* Continuations may even be spread over two fields. */
static void
read_names(struct reader *r)
{
	const struct header *h = &r->part->header;
	struct parameter sections[PARAMETERS];
	struct parameter_list all = { .items = sections };

	for (size_t i = 0; i < h->count; i++)
		if (is_content(&h->fields[i]) && field_kind(h->fields[i].name) !=
		    CONTENT_ENCODING)
			field_names(r, &h->fields[i], &all);
	list_names(r, &all, MIME_FROM_OTHER);
}

static void
read_disposition(struct reader *r)
{
	const struct header_field *f = r->fields[CONTENT_DISPOSITION];
	struct span id = r->fields[CONTENT_ID] != NULL ?
	    field_value(r->fields[CONTENT_ID]) : SPAN_NONE;

	if (f != NULL) {
		parameter_parse(field_value(f), manner_of(r->p->reading), &r->disposition,
		    r->p->arena);
		r->part->disposition = r->disposition.word;
	}
	if (id.len >= 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
		id = span_slice(id, 1, id.len - 1);
	r->part->content_id = id;
}

/* Two parameters of one name that differ, in a field without continuations. */
static bool
parameters_differ(const struct parameter_list *l)
{
	for (size_t i = 1; i < l->count; i++)
		for (size_t k = 0; k < i; k++)
			if (span_equal(l->items[i].name, l->items[k].name) &&
			    l->items[i].section == l->items[k].section &&
			    l->items[i].extended == l->items[k].extended &&
			    !span_equal(l->items[i].value, l->items[k].value))
				return true;
	return false;
}

static void
flag_conflicts(struct reader *r)
{
	static const unsigned bits[CONTENT_OTHER] = {
		MIME_TWO_TYPES, MIME_TWO_ENCODINGS, MIME_TWO_DISPOSITIONS, MIME_TWO_IDS,
	};

	for (enum content_field k = CONTENT_TYPE; k < CONTENT_OTHER; k++)
		if (r->conflict[k])
			flag(r, bits[k]);
	if (parameters_differ(&r->type) || parameters_differ(&r->disposition))
		flag(r, MIME_TWO_PARAMETERS);
}

size_t
part_read(struct parse *p, uint32_t index, bool digest, struct span texts[BOUNDARIES])
{
	struct reader r = { .p = p, .part = &p->m->parts[index], .index = index };
	size_t n;

	collect(&r);
	read_type(&r, digest);
	read_encoding(&r);
	read_disposition(&r);
	flag_conflicts(&r);
	n = p->reading == MIME_LENIENT ? lenient_boundaries(&r, texts) :
	    strict_boundaries(&r, texts);
	if (r.multipart && n > 0)
		r.part->kind = MIME_MULTIPART;
	read_names(&r);
	return n;
}
