/*
 * letter.h - small questions about bytes that HTML, styles and links share.
 */
#ifndef LIB_CONTENT_LETTER_H
#define LIB_CONTENT_LETTER_H
#include "lib/base/base.h"

/* What HTML and CSS call white space, and the vertical tab. */
static inline bool
is_white(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* 16 and more where c is no hexadecimal digit. */
static inline unsigned
hex_value(uint8_t c)
{
	if (is_digit(c))
		return (unsigned)c - '0';
	return is_alpha(c) ? (unsigned)(c | 0x20) - 'a' + 10 : 99;
}

/* Without blanks and controls at both ends. */
static inline struct span
trim_white(struct span s)
{
	while (s.len > 0 && s.ptr[0] <= ' ')
		s = span_slice(s, 1, s.len);
	while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
		s.len--;
	return s;
}
#endif
