/*
 * json.c - see json.h.
 */
#include "lib/scanner/json.h"

void
json_begin(struct json *j, struct span text)
{
	*j = (struct json){ .rest = text };
}

static enum json_token
json_bad(struct json *j)
{
	j->place = JSON_AT_FAULT;
	return JSON_BAD;
}

static void
advance(struct json *j, size_t n)
{
	j->rest = span_slice(j->rest, n, j->rest.len);
}

static void
skip_blanks(struct json *j)
{
	size_t n = 0;

	while (n < j->rest.len && (is_blank(j->rest.ptr[n]) || j->rest.ptr[n] == '\n' ||
	    j->rest.ptr[n] == '\r'))
		n++;
	advance(j, n);
}

/* Takes c if it comes next. */
static bool
take(struct json *j, uint8_t c)
{
	if (j->rest.len == 0 || j->rest.ptr[0] != c)
		return false;
	advance(j, 1);
	return true;
}

static int
hex_digit(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, s beginning with the backslash; -1 if it is none. */
static int
unicode(struct span s)
{
	int v = 0;

	if (s.len < 6 || s.ptr[0] != '\\' || s.ptr[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		if (hex_digit(s.ptr[i]) < 0)
			return -1;
		v = v * 16 + hex_digit(s.ptr[i]);
	}
	return v;
}

/* Bytes of the escape at the front of s, 0 if it is none. */
static size_t
escape_length(struct span s)
{
	if (s.len < 2)
		return 0;
	if (s.ptr[1] == 'u')
		return unicode(s) >= 0 ? 6 : 0;
	return s.ptr[1] != 0 && strchr("\"\\/bfnrt", s.ptr[1]) != NULL ? 2 : 0;
}

static bool
take_string(struct json *j, struct span *raw)
{
	struct span s = j->rest;
	size_t n, i = 1;

	if (s.len == 0 || s.ptr[0] != '"')
		return false;
	for (; i < s.len && s.ptr[i] != '"'; i += n) {
		n = s.ptr[i] == '\\' ? escape_length(span_slice(s, i, s.len)) : 1;
		if (n == 0 || s.ptr[i] < 0x20)
			return false;
	}
	if (i >= s.len)
		return false;
	*raw = span_slice(s, 1, i);
	advance(j, i + 1);
	return true;
}

static size_t
count_digits(struct span s, size_t from)
{
	size_t n = from;

	while (n < s.len && is_digit(s.ptr[n]))
		n++;
	return n - from;
}

/* RFC 8259 section 6: no plus, no leading zero, digits on both sides of the point. */
static enum json_token
take_number(struct json *j)
{
	struct span s = j->rest;
	size_t at = s.ptr[0] == '-', n = count_digits(s, at);

	if (n == 0 || (n > 1 && s.ptr[at] == '0'))
		return json_bad(j);
	at += n;
	if (at < s.len && s.ptr[at] == '.') {
		n = count_digits(s, at + 1);
		if (n == 0)
			return json_bad(j);
		at += 1 + n;
	}
	if (at < s.len && to_lower(s.ptr[at]) == 'e') {
		at++;
		at += at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-');
		n = count_digits(s, at);
		if (n == 0)
			return json_bad(j);
		at += n;
	}
	j->raw = span_slice(s, 0, at);
	advance(j, at);
	return JSON_NUMBER;
}

static enum json_token
take_word(struct json *j, struct span word, enum json_token t)
{
	if (j->rest.len < word.len || memcmp(j->rest.ptr, word.ptr, word.len) != 0)
		return json_bad(j);
	advance(j, word.len);
	return t;
}

static enum json_token
take_opening(struct json *j, bool object)
{
	if (j->depth == JSON_DEPTH)
		return json_bad(j);
	advance(j, 1);
	j->in_object[j->depth++] = object;
	j->place = JSON_AT_FIRST;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token
take_value(struct json *j)
{
	if (j->rest.len == 0)
		return json_bad(j);
	j->place = JSON_AT_NEXT;
	switch (j->rest.ptr[0]) {
	case '{':
	case '[':
		return take_opening(j, j->rest.ptr[0] == '{');
	case '"':
		return take_string(j, &j->raw) ? JSON_STRING : json_bad(j);
	case 't':
		return take_word(j, SPAN_LIT("true"), JSON_TRUE);
	case 'f':
		return take_word(j, SPAN_LIT("false"), JSON_FALSE);
	case 'n':
		return take_word(j, SPAN_LIT("null"), JSON_NULL);
	default:
		return take_number(j);
	}
}

static bool
take_key(struct json *j)
{
	if (!take_string(j, &j->key))
		return false;
	skip_blanks(j);
	if (!take(j, ':'))
		return false;
	skip_blanks(j);
	return true;
}

enum json_token
json_next(struct json *j)
{
	skip_blanks(j);
	j->key = j->raw = SPAN_NONE;
	if (j->place == JSON_AT_FAULT)
		return JSON_BAD;
	if (j->depth == 0 && j->place == JSON_AT_NEXT)
		return j->rest.len == 0 ? JSON_END : json_bad(j);
	if (j->depth > 0) {
		bool object = j->in_object[j->depth - 1];

		if (take(j, object ? '}' : ']')) {
			j->depth--;
			j->place = JSON_AT_NEXT;
			return JSON_CLOSE;
		}
		if (j->place == JSON_AT_NEXT && !take(j, ','))
			return json_bad(j);
		skip_blanks(j);
		if (object && !take_key(j))
			return json_bad(j);
	}
	return take_value(j);
}

bool
json_skip(struct json *j, enum json_token t)
{
	size_t inside = j->depth;

	if (t == JSON_OBJECT || t == JSON_ARRAY)
		while (t != JSON_BAD && j->depth >= inside)
			t = json_next(j);
	return t != JSON_BAD;
}

static size_t
put_utf8(uint8_t out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* \uXXXX at the front of s, or two of them that are a pair. */
static size_t
take_unicode(struct span *s, uint8_t out[4])
{
	int high = unicode(*s), low = -1;

	*s = span_slice(*s, 6, s->len);
	if (high >= 0xd800 && high < 0xdc00)
		low = unicode(*s);
	if (low >= 0xdc00 && low < 0xe000) {
		*s = span_slice(*s, 6, s->len);
		return put_utf8(out, 0x10000u + ((uint32_t)(high - 0xd800) << 10) +
		    (uint32_t)(low - 0xdc00));
	}
	return put_utf8(out, high >= 0xd800 && high < 0xe000 ? 0xfffd : (uint32_t)high);
}

/* The next character of a string that take_string found well formed. */
static size_t
take_character(struct span *s, uint8_t out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (s->ptr[0] != '\\') {
		out[0] = s->ptr[0];
		*s = span_slice(*s, 1, s->len);
		return 1;
	}
	if (s->ptr[1] == 'u')
		return take_unicode(s, out);
	out[0] = (uint8_t)to[strchr(from, s->ptr[1]) - from];
	*s = span_slice(*s, 2, s->len);
	return 1;
}

void
json_text(struct buf *b, struct span raw, size_t max)
{
	uint8_t c[4];

	for (size_t n, total = 0; raw.len > 0 && total <= max; total += n) {
		n = take_character(&raw, c);
		buf_add(b, (struct span){ c, n });
	}
}

bool
json_is(struct span raw, const char *text)
{
	struct span want = span_text(text);
	uint8_t c[4];

	while (raw.len > 0) {
		size_t n = take_character(&raw, c);

		if (n > want.len || memcmp(c, want.ptr, n) != 0)
			return false;
		want = span_slice(want, n, want.len);
	}
	return want.len == 0;
}

#define FAR 1000000     /* an exponent beyond this is as good as this one */

/* Where the point of a number stands: behind that many of its digits. */
static int64_t
point_of(struct span raw)
{
	size_t digits = count_digits(raw, 0), at = digits;
	int64_t exponent = 0;
	bool negative = false;

	while (at < raw.len && to_lower(raw.ptr[at]) != 'e')
		at++;
	if (at < raw.len && (raw.ptr[at + 1] == '-' || raw.ptr[at + 1] == '+'))
		negative = raw.ptr[++at] == '-';
	for (at++; at < raw.len; at++)
		if (exponent < FAR)
			exponent = exponent * 10 + raw.ptr[at] - '0';
	return (int64_t)digits + (negative ? -exponent : exponent);
}

/* Digits that count are those up to the third behind the point; the next one rounds. */
bool
json_thousandths(struct span raw, int64_t max, int64_t *out)
{
	bool negative = raw.ptr[0] == '-';
	int64_t v = 0, at;

	raw = span_slice(raw, negative, raw.len);
	at = point_of(raw) + 3;
	for (size_t i = 0; i < raw.len && to_lower(raw.ptr[i]) != 'e' && at >= 0; i++) {
		if (raw.ptr[i] == '.')
			continue;
		if (at-- == 0)
			v += raw.ptr[i] >= '5';
		else
			v = v * 10 + raw.ptr[i] - '0';
		if (v > max)
			return false;
	}
	for (; at > 0 && v > 0; at--) {
		v *= 10;
		if (v > max)
			return false;
	}
	*out = negative ? -v : v;
	return true;
}
