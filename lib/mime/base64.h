/*
 * base64.h - lines of whole groups of base64, as many as come without anything odd (RFC 4648).
 */
#ifndef LIB_MIME_BASE64_H
#define LIB_MIME_BASE64_H
#include "lib/base/base.h"

/* What may be written behind the bytes that count. */
#define BASE64_SLACK 8u

/*
 * Decodes up to `most` groups of four characters, with newlines anywhere between two of them,
 * to the first group that has another byte outside the alphabet ('=' too).  Returns how many
 * bytes of s those were; *groups is how many groups.  `to` has room for 3 bytes a group and
 * BASE64_SLACK.
 */
size_t base64_lines(struct span s, size_t most, uint8_t *to, size_t *groups);
/* The same, one group a step: what the fast one is held against. */
size_t base64_lines_plain(struct span s, size_t most, uint8_t *to, size_t *groups);
#endif
