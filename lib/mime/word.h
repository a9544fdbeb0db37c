/*
 * word.h - encoded words in header fields (RFC 2047, RFC 2231 section 5).
 *
 * Lenient as mail clients are: inside quotes, with blanks or no padding inside, next to
 * other text.  Adjacent words of one charset are decoded as one text, since senders split
 * characters between them.
 */
#ifndef LIB_MIME_WORD_H
#define LIB_MIME_WORD_H
#include "lib/base/arena.h"
#include "lib/mime/charset.h"

/* The whole text as UTF-8, at most max bytes of it; text outside words that is not UTF-8
   is read as windows-1252.  The value should be unfolded. */
struct span word_decode(struct span value, size_t max, struct charsets *, struct arena *);
/* Is there anything that looks like an encoded word? */
bool word_present(struct span);
#endif
