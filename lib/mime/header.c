/*
 * header.c - fields found, read and written.  See header.h; received.c has Received.
 */
#include "lib/mime/header.h"
#include "lib/mime/block.h"
#include "lib/mime/comment.h"

#define FOLD_COLUMN 78u

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of the line at the front, its newline included. */
static size_t
line_length(struct span s)
{
	size_t n = span_find(s, '\n');

	return n < s.len ? n + 1 : n;
}

static struct span
without_newline(struct span s)
{
	if (s.len == 0 || s.ptr[s.len - 1] != '\n')
		return s;
	s.len--;
	if (s.len > 0 && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

static bool
is_empty_line(struct span line)
{
	return line.len > 0 && line.ptr[line.len - 1] == '\n' &&
	    without_newline(line).len == 0;
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	return s.len > 0;
}

/* A line that begins with a blank belongs to the field before it, if there is one. */
static bool
is_continuation(struct span line)
{
	return line.len > 0 && is_blank(line.ptr[0]);
}

/* Where the field at `at` ends: the lines that continue it are part of it. */
static size_t
field_end(struct span bytes, size_t at)
{
	do
		at += line_length(span_slice(bytes, at, bytes.len));
	while (is_continuation(span_slice(bytes, at, bytes.len)));
	return at;
}

static struct header_field
field_make(struct span bytes, size_t from, size_t to)
{
	struct span field = without_newline(span_slice(bytes, from, to));
	struct header_field f = { .value = field, .at = from, .len = to - from };
	/* A colon further down would be inside a value. */
	struct span first = span_slice(bytes, from,
	    from + line_length(span_slice(bytes, from, to)));
	size_t colon = span_find(first, ':');

	if (colon == first.len || is_blank(first.ptr[0]))
		return f;
	struct span name = span_trim(span_slice(first, 0, colon));

	if (is_name(name)) {
		f.name = name;
		f.value = span_slice(field, colon + 1, field.len);
	}
	return f;
}

/* The section without its empty line; sets how many fields there are. */
static struct span
header_measure(struct span bytes, struct header *h, size_t *fields)
{
	size_t at = 0;

	*fields = 0;
	h->end = h->body = bytes.len;
	while (at < bytes.len) {
		struct span rest = span_slice(bytes, at, bytes.len);
		size_t n = line_length(rest);

		if (is_empty_line(span_slice(rest, 0, n))) {
			h->ended = true;
			h->end = at;
			h->body = at + n;
			break;
		}
		if (*fields == 0 || !is_continuation(rest))
			++*fields;
		at += n;
	}
	return span_slice(bytes, 0, h->end);
}

void
header_parse(struct span bytes, struct header *h, struct arena *arena)
{
	size_t fields, at = 0;

	*h = (struct header){ 0 };
	struct span section = header_measure(bytes, h, &fields);

	h->cut = fields > HEADER_FIELDS;
	h->count = h->cut ? HEADER_FIELDS : fields;
	h->fields = arena_array(arena, struct header_field, h->count);
	h->eight_bit = block_eight_bit(section);
	for (size_t i = 0; i < h->count; i++) {
		size_t end = field_end(section, at);

		h->fields[i] = field_make(section, at, end);
		h->flaws += h->fields[i].name.len == 0;
		at = end;
	}
}

const struct header_field *
header_find(const struct header *h, struct span name, size_t nth)
{
	for (size_t i = 0; i < h->count; i++)
		if (name.len > 0 && span_equal_nocase(h->fields[i].name, name) &&
		    nth-- == 0)
			return &h->fields[i];
	return NULL;
}

size_t
header_count(const struct header *h, struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		n += name.len > 0 && span_equal_nocase(h->fields[i].name, name);
	return n;
}

static struct span
trim_space(struct span s)
{
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_space(s.ptr[0]))
		s = span_slice(s, 1, s.len);
	return s;
}

/* The first line of s without its newline, and s behind it. */
static struct span
take_line(struct span *s)
{
	size_t n = line_length(*s);
	struct span line = without_newline(span_slice(*s, 0, n));

	*s = span_slice(*s, n, s->len);
	return line;
}

struct span
header_unfold(struct span value, size_t max, struct arena *arena)
{
	value = trim_space(value);
	size_t n = 0, room = value.len < max ? value.len : max;
	uint8_t *out = arena_alloc(arena, room + 1);

	while (value.len > 0 && n < room) {
		struct span line = take_line(&value);
		size_t take = line.len < room - n ? line.len : room - n;

		memcpy(out + n, line.ptr, take);
		n += take;
	}
	return trim_space((struct span){ out, n });
}

/* Addresses. */

#define MAILBOX_BYTES 1000

/* One address as it is put together: without blanks and comments, quotes as they are. */
struct mailbox {
	uint8_t text[MAILBOX_BYTES];
	size_t  len;
	bool    at;             /* an @ outside quotes                        */
	bool    angle;          /* between < and >                            */
	bool    gap;            /* a blank or a comment came after the text   */
	bool    over;           /* whole: more words do not belong to it      */
	bool    bad;            /* too long                                   */
};

static void
mailbox_restart(struct mailbox *m, bool angle)
{
	m->len = 0;
	m->at = m->gap = m->over = m->bad = false;
	m->angle = angle;
}

static bool
joins(uint8_t c)
{
	return c == '@' || c == '.';
}

/*
 * After a gap only '@' and '.' go on with the same address: in "John a@b" John was a
 * name, and in "a@b John" it is none of ours.
 */
static void
mailbox_token(struct mailbox *m, struct span token)
{
	if (m->gap && m->len > 0 && !joins(token.ptr[0]) && !joins(m->text[m->len - 1])) {
		if (m->at)
			m->over = true;
		else
			mailbox_restart(m, m->angle);
	}
	m->gap = false;
	if (m->over)
		return;
	if (token.len > sizeof m->text - m->len) {
		m->bad = true;
		return;
	}
	memcpy(m->text + m->len, token.ptr, token.len);
	m->len += token.len;
	m->at |= token.ptr[0] == '@';
}

/* local@domain, both there. */
static bool
mailbox_is_whole(const struct mailbox *m)
{
	return m->at && !m->bad && m->text[0] != '@' && m->text[m->len - 1] != '@';
}

static bool
is_special(uint8_t c)
{
	return c <= ' ' || strchr("()<>@,;:\"[].", c) != NULL;
}

static size_t
token_length(struct span s)
{
	size_t i = 1;

	if (s.ptr[0] == '"')
		return quoted_length(s, '"');
	if (s.ptr[0] == '[')
		return quoted_length(s, ']');
	if (is_special(s.ptr[0]))
		return 1;
	while (i < s.len && !is_special(s.ptr[i]))
		i++;
	return i;
}

/* Takes what is at the front; true at the end of an address. */
static bool
mailbox_step(struct mailbox *m, struct span s, size_t *used)
{
	uint8_t c = s.ptr[0];

	*used = 1;
	if (c == '(')
		*used = comment_length(s);
	if (c <= ' ' || c == '(' || c == ')')
		m->gap = true;
	else if (c == '<')
		mailbox_restart(m, true);
	else if (c == ':')
		mailbox_restart(m, m->angle);   /* a source route, or a group's name */
	else if (c == '>' || (!m->angle && (c == ',' || c == ';')))
		return true;
	else if (c != ',' || !m->angle) {
		*used = token_length(s);
		mailbox_token(m, span_slice(s, 0, *used));
	}
	return false;
}

struct span
header_mailbox(struct span value, struct arena *arena)
{
	struct mailbox m = { .len = 0 };
	size_t used;

	for (size_t i = 0; i < value.len; i += used) {
		if (!mailbox_step(&m, span_slice(value, i, value.len), &used))
			continue;
		if (mailbox_is_whole(&m))
			break;
		mailbox_restart(&m, false);
	}
	return mailbox_is_whole(&m) ? arena_span(arena, (struct span){ m.text, m.len }) :
	    SPAN_NONE;
}

/* Writing. */

static uint8_t
clean(uint8_t c)
{
	return c < ' ' || c == 0x7f ? ' ' : c;
}

static size_t
blanks_length(struct span s)
{
	size_t i = 0;

	while (i < s.len && clean(s.ptr[i]) == ' ')
		i++;
	return i;
}

static size_t
word_length(struct span s)
{
	size_t i = 0;

	while (i < s.len && clean(s.ptr[i]) != ' ')
		i++;
	return i;
}

void
header_write(struct buf *out, struct span name, struct span value)
{
	size_t column = name.len + 1;

	buf_add(out, name);
	buf_byte(out, ':');
	for (size_t i = blanks_length(value), blanks = 1; i < value.len;) {
		size_t word = word_length(span_slice(value, i, value.len));

		if (column + blanks + word > FOLD_COLUMN && column > name.len + 1) {
			buf_add(out, SPAN_LIT("\r\n"));
			column = 0;
		}
		for (size_t k = 0; k < blanks; k++)
			buf_byte(out, ' ');
		buf_add(out, span_slice(value, i, i + word));
		column += blanks + word;
		i += word;
		blanks = blanks_length(span_slice(value, i, value.len));
		i += blanks;
	}
	buf_add(out, SPAN_LIT("\r\n"));
}
