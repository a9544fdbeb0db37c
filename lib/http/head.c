/*
 * head.c - see head.h.
 */
#include "lib/http/head.h"
#include "lib/base/text.h"

#define WHERE "http"

static struct span
at_place(const struct http_head *h, struct http_place p)
{
	return span_slice(buf_span(&h->bytes), p.at, p.at + p.len);
}

/* RFC 9110 section 5.6.2. */
static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) &&
		    (s.ptr[i] == 0 || strchr("!#$%&'*+-.^_`|~", s.ptr[i]) == NULL))
			return false;
	return s.len > 0;
}

/* RFC 9110 section 5.5; a lone CR is none of these. */
static bool
is_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
			return false;
	return true;
}

/* The trimmed rest of a line that begins at `line`, from its byte `from` on. */
static struct http_place
place_rest(size_t at, struct span line, size_t from)
{
	struct span value = span_trim(span_slice(line, from, line.len));

	if (value.len == 0)
		return (struct http_place){ (uint32_t)(at + line.len), 0 };
	return (struct http_place){ (uint32_t)(at + (size_t)(value.ptr - line.ptr)),
	    (uint32_t)value.len };
}

static enum status
head_fold(struct http_head *h, struct span line, struct error *err)
{
	if (!h->folds || h->count == 0)
		return fail(err, ST_PERM, WHERE, "a line begins with a blank");
	struct http_place *value = &h->fields[h->count - 1].value;
	struct http_place more = place_rest(h->line, line, 0);

	if (more.len > 0)
		value->len = more.at + more.len - value->at;
	return ST_MORE;
}

static enum status
head_field(struct http_head *h, struct span line, struct error *err)
{
	size_t colon = span_find(line, ':');

	if (is_blank(line.ptr[0]))
		return head_fold(h, line, err);
	if (colon == line.len || !is_token(span_slice(line, 0, colon)))
		return fail(err, ST_PERM, WHERE, "a line is no field");
	if (h->count == HTTP_FIELDS)
		return fail(err, ST_PERM, WHERE, "more than %u fields", HTTP_FIELDS);
	h->fields[h->count++] = (struct http_field){
	    .name = { (uint32_t)h->line, (uint32_t)colon },
	    .value = place_rest(h->line, line, colon + 1) };
	return ST_MORE;
}

static enum status
head_start(struct http_head *h, struct span line, struct error *err)
{
	if (line.len == 0 || is_blank(line.ptr[0]))
		return fail(err, ST_PERM, WHERE, "no start line");
	h->start = (struct http_place){ (uint32_t)h->line, (uint32_t)line.len };
	h->started = true;
	return ST_MORE;
}

/* The bytes from h->line on are one line with its end. */
static enum status
head_line(struct http_head *h, struct error *err)
{
	struct span line = span_slice(buf_span(&h->bytes), h->line, buf_len(&h->bytes));

	if (line.len < 2 || line.ptr[line.len - 2] != '\r')
		return fail(err, ST_PERM, WHERE, "a line without CR LF");
	line.len -= 2;
	if (!is_text(line))
		return fail(err, ST_PERM, WHERE, "control characters in a head");
	if (!h->started && !h->trailer)
		return head_start(h, line, err);
	return line.len == 0 ? ST_OK : head_field(h, line, err);
}

enum status
http_head_feed(struct http_head *h, struct span in, size_t *used, struct error *err)
{
	enum status st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.len) {
		struct span rest = span_slice(in, *used, in.len);
		size_t end = span_find(rest, '\n'), n = end < rest.len ? end + 1 : end;

		if (n > HTTP_HEAD_BYTES - buf_len(&h->bytes))
			return fail(err, ST_PERM, WHERE, "a head of more than %u bytes",
			    HTTP_HEAD_BYTES);
		buf_add(&h->bytes, span_slice(rest, 0, n));
		*used += n;
		if (end == rest.len)
			break;
		st = head_line(h, err);
		h->line = buf_len(&h->bytes);
	}
	return st;
}

void
http_head_clear(struct http_head *h)
{
	buf_take(&h->bytes, buf_len(&h->bytes));
	h->line = h->count = 0;
	h->start = (struct http_place){ 0 };
	h->started = false;
}

void
http_head_free(struct http_head *h)
{
	buf_free(&h->bytes);
}

struct span
http_head_start(const struct http_head *h)
{
	return at_place(h, h->start);
}

struct span
http_head_name(const struct http_head *h, size_t index)
{
	return at_place(h, h->fields[index].name);
}

struct span
http_head_value(const struct http_head *h, size_t index)
{
	return at_place(h, h->fields[index].value);
}

size_t
http_head_find(const struct http_head *h, const char *name, size_t from)
{
	while (from < h->count &&
	    !span_equal_nocase(http_head_name(h, from), span_text(name)))
		from++;
	return from;
}

bool
http_head_get(const struct http_head *h, const char *name, struct span *value)
{
	size_t i = http_head_find(h, name, 0);

	*value = i < h->count ? http_head_value(h, i) : SPAN_NONE;
	return i < h->count;
}

bool
http_list_next(struct span *list, struct span *element)
{
	size_t n = span_find(*list, ',');

	if (list->ptr == NULL)
		return false;
	*element = span_trim(span_slice(*list, 0, n));
	*list = n < list->len ? span_slice(*list, n + 1, list->len) : SPAN_NONE;
	return true;
}

bool
http_head_lists(const struct http_head *h, const char *name, const char *element)
{
	for (size_t i = http_head_find(h, name, 0); i < h->count;
	    i = http_head_find(h, name, i + 1)) {
		struct span list = http_head_value(h, i), one;

		while (http_list_next(&list, &one))
			if (span_equal_nocase(one, span_text(element)))
				return true;
	}
	return false;
}

/* "HTTP/1.1 200" at least, the protocol's name as it is (RFC 9112 section 2.3). */
bool
http_status_parse(struct span line, const char *protocol, struct http_status *s)
{
	size_t name = strlen(protocol), n = name + sizeof "/1.1 200" - 1;
	uint64_t code;

	if (line.len < n || memcmp(line.ptr, protocol, name) != 0 ||
	    memcmp(line.ptr + name, "/1.", 3) != 0 || !is_digit(line.ptr[name + 3]) ||
	    line.ptr[name + 4] != ' ' ||
	    !text_number(span_slice(line, name + 5, n), 599, &code) || code < 100 ||
	    (line.len > n && line.ptr[n] != ' '))
		return false;
	s->minor = (unsigned)(line.ptr[name + 3] - '0');
	s->code = (unsigned)code;
	s->reason = span_trim(span_slice(line, n, line.len));
	return true;
}
