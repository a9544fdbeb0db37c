/*
 * text.c - see text.h.
 */
#include "lib/base/text.h"
#include <stdio.h>

/* Bytes of one well-formed, printable UTF-8 character at s, or 0 (RFC 3629). */
static size_t
utf8_length(struct span s)
{
	uint8_t c = s.ptr[0];
	size_t n = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
	uint32_t v;

	if (c < 0x80 || c >= 0xf5 || n == 0 || s.len < n)
		return 0;
	v = c & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.ptr[i] & 0x3fu);
	}
	if ((n == 3 && v < 0x800) || (n == 4 && (v < 0x10000 || v > 0x10ffff)) ||
	    (v >= 0xd800 && v <= 0xdfff) || v < 0xa0)
		return 0;
	/* What turns text around on a terminal is not printable. */
	if ((v >= 0x200b && v <= 0x200f) || (v >= 0x2028 && v <= 0x202e) ||
	    (v >= 0x2060 && v <= 0x206f) || v == 0xfeff)
		return 0;
	return n;
}

static void
escape_byte(struct buf *b, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t out[4] = { '\\', 'x', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15] };

	buf_add(b, (struct span){ out, sizeof out });
}

/* Bytes at the start of s that need no escape; `quote` is one that does. */
static size_t
plain_run(struct span s, uint8_t quote)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= 0x20 && s.ptr[n] < 0x7f && s.ptr[n] != '\\' &&
	    s.ptr[n] != quote)
		n++;
	return n;
}

static size_t
escape_one(struct buf *b, struct span s, bool utf8)
{
	size_t n = utf8 ? utf8_length(s) : 0;
	uint8_t c = s.ptr[0];

	if (n > 0)
		buf_add(b, span_slice(s, 0, n));
	else if (c >= 0x20 && c < 0x7f) {
		buf_byte(b, '\\');
		buf_byte(b, c);
	} else
		escape_byte(b, c);
	return n > 0 ? n : 1;
}

static void
escape(struct buf *b, struct span s, size_t max, bool utf8, uint8_t quote)
{
	bool cut = s.len > max;
	size_t n;

	if (cut)
		s.len = max;
	for (; s.len > 0; s = span_slice(s, n, s.len)) {
		n = plain_run(s, quote);
		buf_add(b, span_slice(s, 0, n));
		if (n == 0)
			n = escape_one(b, s, utf8);
	}
	if (cut)
		buf_add(b, SPAN_LIT("..."));
}

void
text_escape(struct buf *b, struct span s, size_t max, bool utf8)
{
	escape(b, s, max, utf8, 0);
}

void
text_printed(struct buf *b, struct span s, size_t max)
{
	for (size_t n; s.len > 0; s = span_slice(s, n, s.len)) {
		n = span_find(s, '\\');
		text_escape(b, span_slice(s, 0, n), max, true);
		if (n < s.len)
			buf_byte(b, s.ptr[n++]);
	}
}

void
text_value(struct buf *b, struct span s, size_t max)
{
	bool quote = s.len == 0;

	for (size_t i = 0; i < s.len && !quote; i++)
		quote = s.ptr[i] == ' ' || s.ptr[i] == '"' || s.ptr[i] == '=';
	if (quote)
		buf_byte(b, '"');
	escape(b, s, max, true, quote ? '"' : 0);
	if (quote)
		buf_byte(b, '"');
}

void
text_json(struct buf *b, struct span s)
{
	buf_byte(b, '"');
	for (size_t i = 0, n; i < s.len; i += n) {
		uint8_t c = s.ptr[i];

		n = 1;
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\u%04x", c);
		else if (c < 0x80)
			buf_byte(b, c);
		else if ((n = utf8_length(span_slice(s, i, s.len))) > 0)
			buf_add(b, span_slice(s, i, i + n));
		else {
			n = 1;
			buf_add(b, SPAN_LIT("\\ufffd"));
		}
	}
	buf_byte(b, '"');
}

static struct tm
utc(uint64_t unix_ms)
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	return tm;
}

void
text_time(char out[TEXT_TIME_BYTES], uint64_t unix_ms)
{
	struct tm tm = utc(unix_ms);

	snprintf(out, TEXT_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
	    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100,
	    tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100, (unsigned)(unix_ms % 1000));
}

void
text_date(char out[TEXT_DATE_BYTES], uint64_t unix_ms)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
	    "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = utc(unix_ms);

	snprintf(out, TEXT_DATE_BYTES, "%s, %d %s %04d %02d:%02d:%02d +0000",
	    days[tm.tm_wday % 7], tm.tm_mday % 100, months[tm.tm_mon % 12],
	    (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
	    tm.tm_sec % 100);
}

void
text_size(char out[TEXT_SIZE_BYTES], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	if (bytes < 1024) {
		snprintf(out, TEXT_SIZE_BYTES, "%u", (unsigned)bytes);
		return;
	}
	for (v /= 1024; v >= 1024 && u + 1 < COUNT_OF(units); u++)
		v /= 1024;
	snprintf(out, TEXT_SIZE_BYTES, "%.1f %s", v, units[u]);
}

bool
text_number(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]))
			return false;
		uint64_t d = (uint64_t)(s.ptr[i] - '0');

		if (d > max || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

/* Two rows of the usual table; long words are far from everything. */
unsigned
text_distance(struct span a, struct span b)
{
	unsigned row[2][64];

	if (a.len > 63 || b.len > 63)
		return 64;
	for (size_t j = 0; j <= b.len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *was = row[(i - 1) & 1], *is = row[i & 1];

		is[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned d = was[j - 1] + (to_lower(a.ptr[i - 1]) != to_lower(b.ptr[j - 1]));

			d = was[j] + 1 < d ? was[j] + 1 : d;
			is[j] = is[j - 1] + 1 < d ? is[j - 1] + 1 : d;
		}
	}
	return row[a.len & 1][b.len];
}
