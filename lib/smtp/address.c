/*
 * address.c - see address.h; one small reader a part of the grammar.
 *
 * Each reader takes its part at the start of `in` and returns its length, 0 if there
 * is none.
 */
#include "lib/smtp/address.h"
#include <assert.h>

/* Bytes of a well-formed UTF-8 character (RFC 3629 section 4) that is not ASCII, or 0. */
static size_t
utf8_length(struct span in)
{
	static const struct { uint8_t first, last, low, high; } rows[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf }, { 0xe0, 0xe0, 0xa0, 0xbf },
		{ 0xe1, 0xec, 0x80, 0xbf }, { 0xed, 0xed, 0x80, 0x9f },
		{ 0xee, 0xef, 0x80, 0xbf }, { 0xf0, 0xf0, 0x90, 0xbf },
		{ 0xf1, 0xf3, 0x80, 0xbf }, { 0xf4, 0xf4, 0x80, 0x8f },
	};
	uint8_t c = in.ptr[0];
	size_t r = 0, n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	while (r < COUNT_OF(rows) && (c < rows[r].first || c > rows[r].last))
		r++;
	if (r == COUNT_OF(rows) || in.len < n)
		return 0;
	if (in.ptr[1] < rows[r].low || in.ptr[1] > rows[r].high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((in.ptr[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Dots are taken wherever they stand: some providers gave such addresses out. */
static bool
is_local_char(uint8_t c)
{
	return c > ' ' && c < 0x7f && strchr("<>()[]\\,;:\"@", c) == NULL;
}

static bool
is_label_char(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
}

static bool
is_literal_char(uint8_t c)
{
	return is_label_char(c) || c == '.' || c == ':';
}

/* A run of characters that `is` takes, and of UTF-8 ones. */
static size_t
run_length(struct span in, bool (*is)(uint8_t))
{
	size_t i = 0, n = 1;

	for (; i < in.len && n > 0; i += n)
		n = is(in.ptr[i]) ? 1 :
		    in.ptr[i] >= 0x80 ? utf8_length(span_slice(in, i, in.len)) : 0;
	return i;
}

static size_t
quoted_length(struct span in)
{
	if (in.len == 0 || in.ptr[0] != '"')
		return 0;
	for (size_t i = 1, n; i < in.len; i += n) {
		uint8_t c = in.ptr[i];

		if (c == '"')
			return i + 1;
		if (c == '\\') {
			if (++i == in.len)
				return 0;
			c = in.ptr[i];
		}
		n = c >= ' ' && c < 0x7f;
		if (c >= 0x80)
			n = utf8_length(span_slice(in, i, in.len));
		if (n == 0)
			return 0;
	}
	return 0;
}

/* [192.0.2.1], [IPv6:2001:db8::1], [tag:content]: not judged any further. */
static size_t
literal_length(struct span in)
{
	size_t i = 1;

	if (in.len == 0 || in.ptr[0] != '[')
		return 0;
	while (i < in.len && is_literal_char(in.ptr[i]))
		i++;
	return i > 1 && i < in.len && in.ptr[i] == ']' ? i + 1 : 0;
}

/* Labels with single dots between them; one dot may stand at the end. */
static size_t
domain_length(struct span in)
{
	size_t i = literal_length(in), n;

	if (i > 0)
		return i;
	while ((n = run_length(span_slice(in, i, in.len), is_label_char)) > 0) {
		i += n;
		if (i == in.len || in.ptr[i] != '.')
			return i;
		i++;
	}
	return i;
}

/* "@a,@b:" is of no use to anybody (RFC 5321 section 4.1.1.3) and is skipped. */
static size_t
route_length(struct span in)
{
	size_t i = 0, n;

	while (i < in.len && in.ptr[i] == '@') {
		if ((n = domain_length(span_slice(in, i + 1, in.len))) == 0)
			return 0;
		i += 1 + n;
		if (i < in.len && in.ptr[i] == ':')
			return i + 1;
		if (i == in.len || in.ptr[i] != ',')
			return 0;
		i++;
	}
	return 0;
}

/* local, or local@domain. */
static size_t
mailbox_length(struct span in)
{
	size_t i = quoted_length(in), n;

	if (i == 0)
		i = run_length(in, is_local_char);
	if (i == 0 || i == in.len || in.ptr[i] != '@')
		return i;
	n = domain_length(span_slice(in, i + 1, in.len));
	return n > 0 ? i + 1 + n : 0;
}

static bool
has_utf8(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 0x80)
			return true;
	return false;
}

enum status
path_parse(struct span in, bool null_allowed, struct span *address, bool *utf8,
    size_t *used, struct error *err)
{
	size_t at = 0, end;

	while (at < in.len && is_blank(in.ptr[at]))
		at++;
	bool bracket = at < in.len && in.ptr[at] == '<';

	at += bracket;
	end = at + route_length(span_slice(in, at, in.len));
	bool route = end > at;
	size_t n = mailbox_length(span_slice(in, end, in.len));

	*address = span_slice(in, end, end + n);
	*utf8 = has_utf8(*address);
	if (n == 0 && (!bracket || route || !null_allowed))
		return fail(err, ST_PERM, "address", "not an address");
	if (end + n - at > ADDRESS_BYTES)
		return fail(err, ST_PERM, "address", "more than %d bytes", ADDRESS_BYTES);
	end += n;
	if (bracket && (end == in.len || in.ptr[end++] != '>'))
		return fail(err, ST_PERM, "address", "no > where the address should end");
	*used = end;
	return ST_OK;
}

/* Index of the last @ outside quotes, or the length. */
static size_t
find_at(struct span a)
{
	size_t at = a.len, i = quoted_length(a);

	for (; i < a.len; i++)
		if (a.ptr[i] == '@')
			at = i;
	return at;
}

struct span
address_domain(struct span a)
{
	size_t at = find_at(a);

	return at < a.len ? span_slice(a, at + 1, a.len) : SPAN_NONE;
}

/* Without its quotes where what they hold could stand alone, else in quotes, escaped
   only as much as needed.  Writes at most local.len bytes. */
static size_t
local_normal(struct span local, uint8_t *out)
{
	size_t n = 0, w = 0;

	if (local.len < 2 || quoted_length(local) != local.len) {
		if (local.len > 0)
			memcpy(out, local.ptr, local.len);
		return local.len;
	}
	for (size_t i = 1; i + 1 < local.len; i++) {
		i += local.ptr[i] == '\\';
		out[n++] = local.ptr[i];
	}
	if (n > 0 && run_length((struct span){ out, n }, is_local_char) == n)
		return n;
	out[w++] = '"';
	for (size_t i = 1; i + 1 < local.len; i++) {
		i += local.ptr[i] == '\\';
		if (local.ptr[i] == '"' || local.ptr[i] == '\\')
			out[w++] = '\\';
		out[w++] = local.ptr[i];
	}
	out[w++] = '"';
	return w;
}

struct span
address_normal(struct span address, struct arena *arena)
{
	size_t at = find_at(address);
	uint8_t *out = arena_alloc(arena, address.len + 1);
	size_t n = local_normal(span_slice(address, 0, at), out);
	size_t end = address.len;

	while (at + 2 < end && address.ptr[end - 1] == '.')
		end--;
	for (size_t i = at; i < end; i++)
		out[n++] = to_lower(address.ptr[i]);
	assert(n <= address.len);
	return (struct span){ out, n };
}

static int
hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
xtext_decode(struct span in, struct arena *arena, struct span *out)
{
	uint8_t *to = arena_alloc(arena, in.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c == '+') {
			int high = in.len - i > 2 ? hex_value(in.ptr[i + 1]) : -1;
			int low = high >= 0 ? hex_value(in.ptr[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || c == '\r' || c == '\n')
			return false;
		to[n++] = c;
	}
	*out = (struct span){ to, n };
	return true;
}

struct span
xtext_encode(struct span in, struct arena *arena)
{
	static const char hex[] = "0123456789ABCDEF";
	uint8_t *to = arena_alloc(arena, 3 * in.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c > ' ' && c < 0x7f && c != '+' && c != '=') {
			to[n++] = c;
			continue;
		}
		to[n++] = '+';
		to[n++] = (uint8_t)hex[c >> 4];
		to[n++] = (uint8_t)hex[c & 15];
	}
	return (struct span){ to, n };
}
