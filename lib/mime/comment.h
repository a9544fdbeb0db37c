/*
 * comment.h - comments and quoted text of header fields (RFC 5322 section 3.2).
 *
 * Without recursion; what is not closed goes on to the end.
 */
#ifndef LIB_MIME_COMMENT_H
#define LIB_MIME_COMMENT_H
#include "lib/base/base.h"

/* Bytes of the comment at the front, which begins with '(', with those in it. */
static inline size_t
comment_length(struct span s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '(')
			depth++;
		else if (s.ptr[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* Bytes of the text at the front, up to `end`: a quoted string, a domain literal. */
static inline size_t
quoted_length(struct span s, uint8_t end)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == end)
			return i + 1;
	}
	return s.len;
}
#endif
