/*
 * charset.h - text in any character set to UTF-8.
 *
 * ASCII, UTF-8, UTF-16, UTF-32, UTF-7 and the single-byte sets of the tables are converted
 * here; those of a short allow-list by iconv, whose converters are opened by
 * charsets_create, before the sandbox.  What cannot be converted becomes U+FFFD; a name
 * that nobody knows is read as UTF-8 where the bytes are UTF-8, else as windows-1252.
 */
#ifndef LIB_MIME_CHARSET_H
#define LIB_MIME_CHARSET_H
#include "lib/base/buf.h"

struct charsets;                        /* open converters; one a process */

struct charsets *charsets_create(void);
void charsets_destroy(struct charsets **);

/* Is the name one that we convert?  Case, '-', '_' and a language ("utf-8*en") do not
   count.  Empty is ASCII.  `c` may be NULL: then without iconv. */
bool charset_known(const struct charsets *c, struct span name);
/* Appends at most max bytes (whole characters) of UTF-8 to out.  False if a byte could
   not be converted, if the name is unknown, or if max cut it. */
bool charset_convert(struct charsets *c, struct span name, struct span bytes, size_t max,
    struct buf *out);
/* Well-formed UTF-8 (RFC 3629), as far as it goes: the length of the good beginning. */
size_t utf8_valid(struct span);
/* One character; false if it is none (surrogates, above 10FFFF). */
bool utf8_put(struct buf *, uint32_t);
#endif
