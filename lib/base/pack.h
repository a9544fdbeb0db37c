/*
 * pack.h - flat, positional encoding for packets between processes and records.
 *
 * Integers are little-endian; a span is a 32-bit length and the bytes.  The
 * writer appends to a buffer of the caller's; once it is full it stays full and
 * writes nothing more.  The reader never reads past its end: once it is bad it
 * stays bad and gives zeros, so a caller checks `bad` once, at the end.  What an
 * unpacked number means is for the caller to check: it may come from a process
 * that has been taken over.
 */
#ifndef LIB_BASE_PACK_H
#define LIB_BASE_PACK_H
#include "lib/base/base.h"

struct pack { uint8_t *ptr; size_t len, cap; bool full; };

void pack_u8(struct pack *, uint8_t);
void pack_u16(struct pack *, uint16_t);
void pack_u32(struct pack *, uint32_t);
void pack_u64(struct pack *, uint64_t);
void pack_span(struct pack *, struct span);
/* At most max bytes of it. */
void pack_span_cut(struct pack *, struct span, size_t max);
static inline void
pack_text(struct pack *p, const char *text)
{
	pack_span(p, text != NULL ? span_text(text) : SPAN_NONE);
}

struct unpack { struct span rest; bool bad; };

uint8_t  unpack_u8(struct unpack *);
uint16_t unpack_u16(struct unpack *);
uint32_t unpack_u32(struct unpack *);
uint64_t unpack_u64(struct unpack *);
struct span unpack_span(struct unpack *);       /* borrowed from the input */
/* A count of items of at least `least` bytes each: more than could follow is bad. */
size_t unpack_count(struct unpack *, size_t least);
/* Nothing bad, and nothing left over. */
static inline bool
unpack_whole(const struct unpack *u)
{
	return !u->bad && u->rest.len == 0;
}
#endif
