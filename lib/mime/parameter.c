/*
 * parameter.c - see parameter.h.
 */
#include "lib/mime/parameter.h"
#include "lib/mime/comment.h"
#include "lib/mime/word.h"

struct reader { struct span s; size_t at; };

static bool
is_space(uint8_t c)
{
	return is_blank(c) || (c >= '\n' && c <= '\r') || c == '\0';
}

static bool
is_token(uint8_t c)
{
	static const bool other[128] = {
		['('] = true, [')'] = true, ['<'] = true, ['>'] = true, ['@'] = true,
		[','] = true, [';'] = true, [':'] = true, ['\\'] = true, ['"'] = true,
		['/'] = true, ['['] = true, [']'] = true, ['?'] = true, ['='] = true,
		['*'] = true, ['\''] = true, ['%'] = true,
	};

	return c > ' ' && c < 0x7f && !other[c];
}

static struct span
rest_of(const struct reader *r)
{
	return span_slice(r->s, r->at, r->s.len);
}

static void
skip_space(struct reader *r, bool comments)
{
	while (r->at < r->s.len) {
		uint8_t c = r->s.ptr[r->at];

		if (is_space(c))
			r->at++;
		else if (comments && c == '(')
			r->at += comment_length(rest_of(r));
		else
			break;
	}
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

static struct span
lower(struct span s, struct arena *arena)
{
	bool any = false;

	for (size_t i = 0; i < s.len; i++)
		any |= s.ptr[i] >= 'A' && s.ptr[i] <= 'Z';
	if (!any)
		return s;
	uint8_t *to = arena_alloc(arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		to[i] = to_lower(s.ptr[i]);
	return (struct span){ to, s.len };
}

/* Without what `drop` says; a copy only if there is any of it. */
static struct span
without(struct span s, bool (*drop)(uint8_t), struct arena *arena)
{
	size_t n = 0, i = 0;

	while (i < s.len && !drop(s.ptr[i]))
		i++;
	if (i == s.len)
		return s;
	uint8_t *to = arena_alloc(arena, s.len);

	for (i = 0; i < s.len; i++)
		if (!drop(s.ptr[i]))
			to[n++] = s.ptr[i];
	return (struct span){ to, n };
}

static bool is_newline(uint8_t c) { return c == '\r' || c == '\n'; }
static bool is_quote(uint8_t c) { return c == '"'; }
static bool is_backslash(uint8_t c) { return c == '\\' || is_newline(c); }

/* name*N* taken apart. */
static void
set_name(struct parameter *p, struct span name, struct arena *arena)
{
	size_t star = span_find(name, '*');
	struct span rest = span_slice(name, star, name.len);

	p->name = lower(trim(span_slice(name, 0, star)), arena);
	p->section = -1;
	if (rest.len == 0)
		return;
	p->extended = rest.ptr[rest.len - 1] == '*';
	for (size_t i = 1; i < rest.len && is_digit(rest.ptr[i]); i++)
		if (p->section < 1000000)
			p->section = (p->section < 0 ? 0 : p->section * 10) +
			    (rest.ptr[i] - '0');
}

static void
add(struct parameter_list *l, struct span name, struct span value, struct arena *arena)
{
	struct parameter p = { .value = value.len > PARAMETER_BYTES ?
		span_slice(value, 0, PARAMETER_BYTES) : value };

	set_name(&p, name, arena);
	if (p.name.len == 0)
		return;
	if (l->count == PARAMETERS)
		l->cut = true;
	else {
		if (l->count % 8 == 0) {
			struct parameter *items = arena_array(arena, struct parameter,
			    l->count + 8);

			if (l->count > 0)
				memcpy(items, l->items, l->count * sizeof *items);
			l->items = items;
		}
		l->items[l->count++] = p;
	}
}

/* RFC 2045: token or quoted string; what follows it up to ';' is nothing. */

static struct span
unescape(struct span s, struct arena *arena)
{
	size_t n = 0;

	if (span_find(s, '\\') == s.len && span_find(s, '\n') == s.len &&
	    span_find(s, '\r') == s.len)
		return s;
	uint8_t *to = arena_alloc(arena, s.len);

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len)
			i++;
		else if (is_newline(s.ptr[i]))
			continue;
		to[n++] = s.ptr[i];
	}
	return (struct span){ to, n };
}

static struct span
rfc_value(struct reader *r, struct arena *arena)
{
	struct span rest;
	size_t n = 0;

	skip_space(r, true);
	rest = rest_of(r);
	if (rest.len > 0 && rest.ptr[0] == '"') {
		n = quoted_length(rest, '"');
		r->at += n;
		bool closed = n > 1 && rest.ptr[n - 1] == '"';

		return unescape(span_slice(rest, 1, n - closed), arena);
	}
	while (n < rest.len && !is_space(rest.ptr[n]) && rest.ptr[n] != ';' &&
	    rest.ptr[n] != '"' && rest.ptr[n] != '(')
		n += rest.ptr[n] == '\\' && n + 1 < rest.len ? 2 : 1;
	r->at += n;
	return unescape(span_slice(rest, 0, n), arena);
}

/* Up to ';' outside quotes and comments. */
static void
rfc_skip(struct reader *r)
{
	while (r->at < r->s.len && r->s.ptr[r->at] != ';') {
		uint8_t c = r->s.ptr[r->at];

		r->at += c == '"' ? quoted_length(rest_of(r), '"') :
		    c == '(' ? comment_length(rest_of(r)) : c == '\\' ? 2 : 1;
	}
	if (r->at > r->s.len)
		r->at = r->s.len;
}

/* Everything up to `last` or ';', without comments, blanks and backslashes. */
static struct span
rfc_word(struct reader *r, uint8_t last, struct arena *arena)
{
	size_t from = r->at, n = 0, end;
	bool copy = false;

	while (r->at < r->s.len && r->s.ptr[r->at] != last && r->s.ptr[r->at] != ';') {
		uint8_t c = r->s.ptr[r->at];

		copy |= c == '(' || c == '\\' || is_space(c);
		r->at += c == '(' ? comment_length(rest_of(r)) : 1;
	}
	end = r->at;
	if (!copy)
		return span_slice(r->s, from, end);
	struct span raw = span_slice(r->s, from, end);
	uint8_t *to = arena_alloc(arena, raw.len);

	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.ptr[i];

		if (c == '(')
			i += comment_length(span_slice(raw, i, raw.len)) - 1;
		else if (c != '\\' && !is_space(c))
			to[n++] = c;
	}
	return (struct span){ to, n };
}

static void
parse_rfc(struct parameter_list *l, struct reader *r, struct arena *arena)
{
	l->word = lower(rfc_word(r, ';', arena), arena);
	for (bool empty = false; r->at < r->s.len && !l->cut;) {
		if (r->s.ptr[r->at] == ';')
			r->at++;
		struct span name = rfc_word(r, '=', arena);

		if (r->at == r->s.len || r->s.ptr[r->at] == ';') {
			empty |= name.len == 0;
			continue;
		}
		l->gap |= empty;
		r->at++;
		add(l, name, rfc_value(r, arena), arena);
		rfc_skip(r);
	}
}

/* Plain. */

static size_t
plain_length(struct span s)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s.len && (quoted || s.ptr[i] != ';'); i++)
		quoted ^= s.ptr[i] == '"';
	return quoted ? span_find(s, ';') : i;
}

static struct span
strip_quotes(struct span s, struct arena *arena)
{
	if (s.len >= 2 && s.ptr[0] == '\'' && s.ptr[s.len - 1] == '\'')
		return span_slice(s, 1, s.len - 1);
	return without(s, is_quote, arena);
}

static void
parse_plain(struct parameter_list *l, struct reader *r, struct arena *arena)
{
	bool first = true;

	for (; r->at < r->s.len && !l->cut; r->at++, first = false) {
		size_t n = plain_length(rest_of(r));
		struct span piece = span_slice(r->s, r->at, r->at + n);
		size_t equals = span_find(piece, '=');

		r->at += n;
		if (first)
			l->word = lower(without(trim(piece), is_backslash, arena), arena);
		else if (equals < piece.len)
			add(l, trim(span_slice(piece, 0, equals)),
			    strip_quotes(without(trim(span_slice(piece, equals + 1, piece.len)),
			    is_newline, arena), arena), arena);
	}
}

/* Search. */

static size_t
search_length(struct span s, const char *ends)
{
	size_t n = 0;

	while (n < s.len && !is_space(s.ptr[n]) && strchr(ends, s.ptr[n]) == NULL)
		n++;
	return n;
}

static void
search_values(struct parameter_list *l, struct span name, struct span s, struct arena *arena)
{
	size_t quote;

	s = trim(s);
	size_t all = search_length(s, "");
	bool star = span_find(name, '*') < name.len;

	if (s.len > 1 && (s.ptr[0] == '"' || (s.ptr[0] == '\'' && !star))) {
		struct span in = span_slice(s, 1, s.len);

		add(l, name, span_slice(in, 0, span_find(in, s.ptr[0])), arena);
		return;
	}
	add(l, name, span_slice(s, 0, search_length(s, ";\"")), arena);
	if (star)
		return;         /* sections are put together: each of them once */
	add(l, name, without(span_slice(s, 0, all), is_quote, arena), arena);
	quote = span_find(span_slice(s, 0, all), '"');
	if (quote < all) {
		struct span in = span_slice(s, quote + 1, all);

		add(l, name, span_slice(in, 0, search_length(in, "\"\\")), arena);
	}
}

static bool
search_at(struct parameter_list *l, struct span s, const char *key, struct arena *arena)
{
	struct span word = span_text(key);
	size_t i = word.len, end;

	if (!span_starts_nocase(s, word))
		return false;
	while (i < s.len && (s.ptr[i] == '*' || is_digit(s.ptr[i])))
		i++;
	end = i;
	while (i < s.len && (is_space(s.ptr[i]) || s.ptr[i] == '\\'))
		i++;
	if (i < s.len && s.ptr[i] == '=')
		search_values(l, span_slice(s, 0, end), span_slice(s, i + 1, s.len), arena);
	return true;
}

static void
parse_search(struct parameter_list *l, struct reader *r, struct arena *arena)
{
	static const char *const keys[] = { "boundary", "name", "filename", "charset" };

	l->word = lower(span_slice(r->s, 0, search_length(r->s, ";")), arena);
	for (; r->at < r->s.len && !l->cut; r->at++) {
		uint8_t c = to_lower(r->s.ptr[r->at]);

		if (c != 'b' && c != 'n' && c != 'f' && c != 'c')
			continue;
		for (size_t i = 0; i < COUNT_OF(keys); i++)
			if (search_at(l, rest_of(r), keys[i], arena))
				break;
	}
}

/* word *( ";" token "=" ( token / quoted without backslash ) ), nothing else. */
static size_t
token_length(struct span s)
{
	size_t n = 0;

	while (n < s.len && is_token(s.ptr[n]))
		n++;
	return n;
}

static bool
is_harmless(uint8_t c)
{
	return c == '/' || c == ':' || c == '?' || c == '=' || c == '@' || c == '<' ||
	    c == '>' || c == '[' || c == ']';
}

static bool
regular_value(struct reader *r)
{
	struct span s = rest_of(r);
	size_t n;

	if (s.len == 0 || s.ptr[0] != '"') {
		/* What stands unquoted, against the rules, and yet means one thing. */
		for (n = 0; n < s.len && (is_token(s.ptr[n]) || is_harmless(s.ptr[n])); n++)
			;
		r->at += n;
		return n > 0;
	}
	n = 1 + span_find(span_slice(s, 1, s.len), '"');
	if (n == s.len || span_find(span_slice(s, 0, n), '\\') < n ||
	    span_find(span_slice(s, 0, n), '\n') < n)
		return false;
	r->at += n + 1;
	return true;
}

static bool
is_regular(struct span s)
{
	struct reader r = { trim(s), 0 };
	size_t n = 0;

	while (n < r.s.len && (is_token(r.s.ptr[n]) || r.s.ptr[n] == '/'))
		n++;
	for (r.at = n; r.at < r.s.len;) {
		skip_space(&r, false);
		if (r.at == r.s.len || r.s.ptr[r.at] != ';')
			return r.at == r.s.len;
		r.at++;
		skip_space(&r, false);
		if (r.at == r.s.len || r.s.ptr[r.at] == ';')
			continue;
		n = token_length(rest_of(&r));
		r.at += n;
		if (n == 0 || r.at == r.s.len || r.s.ptr[r.at++] != '=' || !regular_value(&r))
			return false;
	}
	return true;
}

static bool
has_doubles(const struct parameter_list *l)
{
	for (size_t i = 1; i < l->count; i++)
		for (size_t k = 0; k < i; k++)
			if (span_equal(l->items[i].name, l->items[k].name))
				return true;
	return false;
}

void
parameter_parse(struct span value, enum parameter_manner manner, struct parameter_list *l,
    struct arena *arena)
{
	struct reader r = { trim(value), 0 };

	*l = (struct parameter_list){ .count = 0 };
	switch (manner) {
	case PARAMETER_RFC:
		parse_rfc(l, &r, arena);
		break;
	case PARAMETER_PLAIN:
		parse_plain(l, &r, arena);
		break;
	case PARAMETER_SEARCH:
	case PARAMETER_MANNERS:
		parse_search(l, &r, arena);
		break;
	}
	l->odd = !is_regular(value) || has_doubles(l);
}

/* Values. */

struct values {
	struct span *out;
	size_t count, max;
	struct charsets *charsets;
	struct arena *arena;
};

static void
give(struct values *v, struct span s)
{
	if (s.len > PARAMETER_BYTES)
		s.len = PARAMETER_BYTES;
	for (size_t i = 0; i < v->count; i++)
		if (span_equal(v->out[i], s))
			return;
	if (v->count < v->max)
		v->out[v->count++] = s;
}

static int
hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
percent_decode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '%' && i + 2 < s.len && hex_value(s.ptr[i + 1]) >= 0 &&
		    hex_value(s.ptr[i + 2]) >= 0) {
			buf_byte(out, (uint8_t)(hex_value(s.ptr[i + 1]) << 4 |
			    hex_value(s.ptr[i + 2])));
			i += 2;
		} else
			buf_byte(out, s.ptr[i]);
	}
}

/* charset'language'text: takes the first two off. */
static struct span
take_charset(struct span *s)
{
	size_t a = span_find(*s, '\'');
	struct span rest = a < s->len ? span_slice(*s, a + 1, s->len) : SPAN_NONE;
	size_t b = span_find(rest, '\'');
	struct span charset = span_slice(*s, 0, a);

	if (a == s->len || b == rest.len || a > 40)
		return SPAN_NONE;
	*s = span_slice(rest, b + 1, rest.len);
	return charset;
}

static struct span
to_utf8(struct values *v, struct span charset, struct span bytes)
{
	struct buf out = { 0 };

	charset_convert(v->charsets, charset, bytes, PARAMETER_BYTES, &out);
	struct span s = arena_span(v->arena, buf_span(&out));

	buf_free(&out);
	return s;
}

/* Sections put together, those of `order`; percent-encoding undone where it is said, or
   everywhere. */
static struct span
join(struct values *v, const struct parameter *const *order, size_t n, bool everywhere)
{
	struct buf bytes = { 0 };
	struct span charset = SPAN_NONE;

	for (size_t i = 0; i < n && buf_len(&bytes) < PARAMETER_BYTES; i++) {
		struct span s = order[i]->value;

		if (i == 0 && (order[i]->extended || everywhere))
			charset = take_charset(&s);
		if (order[i]->extended || everywhere)
			percent_decode(s, &bytes);
		else
			buf_add(&bytes, s);
	}
	struct span out = to_utf8(v, charset, buf_span(&bytes));

	buf_free(&bytes);
	return out;
}

static void
sort_sections(const struct parameter **order, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct parameter *p = order[i];
		size_t k = i;

		for (; k > 0 && order[k - 1]->section > p->section; k--)
			order[k] = order[k - 1];
		order[k] = p;
	}
}

static size_t
sections(const struct parameter_list *l, struct span name, const struct parameter **order)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].section >= 0 && span_equal(l->items[i].name, name))
			order[n++] = &l->items[i];
	return n;
}

static void
give_single(struct values *v, const struct parameter *p)
{
	if (p->extended)
		give(v, join(v, &p, 1, true));
	else if (word_present(p->value))
		give(v, word_decode(p->value, PARAMETER_BYTES, v->charsets, v->arena));
	give(v, to_utf8(v, SPAN_NONE, p->value));
}

size_t
parameter_values(const struct parameter_list *l, struct span name, struct charsets *charsets,
    struct span *out, size_t count, size_t max, struct arena *arena)
{
	struct values v = { out, count, max, charsets, arena };
	const struct parameter *order[PARAMETERS];
	size_t n = sections(l, name, order);

	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].section < 0 && span_equal(l->items[i].name, name))
			give_single(&v, &l->items[i]);
	if (n == 0)
		return v.count;
	give(&v, join(&v, order, n, false));
	give(&v, join(&v, order, n, true));
	sort_sections(order, n);
	give(&v, join(&v, order, n, false));
	give(&v, join(&v, order, n, true));
	return v.count;
}

static struct span
pick(const struct parameter_list *l, struct span name, bool last, struct charsets *charsets,
    struct arena *arena)
{
	struct values v = { .charsets = charsets, .arena = arena };
	const struct parameter *order[PARAMETERS], *found = NULL;

	for (size_t i = 0; i < l->count; i++)
		if (span_equal(l->items[i].name, name) && (found == NULL || last))
			found = &l->items[i];
	if (found == NULL)
		return SPAN_NONE;
	struct span s = found->value;

	if (found->section >= 0) {
		size_t n = sections(l, name, order);

		sort_sections(order, n);
		s = join(&v, order, n, false);
	} else if (found->extended)
		s = join(&v, &found, 1, false);
	return s.ptr != NULL ? s : (struct span){ (const uint8_t *)"", 0 };
}

struct span
parameter_first(const struct parameter_list *l, struct span name, struct charsets *charsets,
    struct arena *arena)
{
	return pick(l, name, false, charsets, arena);
}

struct span
parameter_last(const struct parameter_list *l, struct span name, struct charsets *charsets,
    struct arena *arena)
{
	return pick(l, name, true, charsets, arena);
}
