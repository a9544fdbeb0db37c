/*
 * base.c - the functions of base.h that are too long for a header.
 */
#include "lib/base/base.h"
#include <stdarg.h>
#include <stdio.h>

enum status
fail(struct error *err, enum status st, const char *where, const char *fmt, ...)
{
	va_list ap;

	err->where = where;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	return st;
}

bool
span_equal_nocase(struct span a, struct span b)
{
	return a.len == b.len && span_starts_nocase(a, b);
}

bool
span_starts_nocase(struct span s, struct span start)
{
	if (s.len < start.len)
		return false;
	for (size_t i = 0; i < start.len; i++)
		if (to_lower(s.ptr[i]) != to_lower(start.ptr[i]))
			return false;
	return true;
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = span_slice(s, 1, s.len);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

size_t
span_find(struct span s, uint8_t c)
{
	const uint8_t *p = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

	return p != NULL ? (size_t)(p - s.ptr) : s.len;
}
