/*
 * buf.h - bytes that grow at the end and are taken from the front.
 *
 * The owner bounds what goes in; growing does not fail (see arena.h).  A buffer
 * that has been emptied keeps its memory until buf_free.
 */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H
#include "lib/base/base.h"

struct buf { uint8_t *ptr; size_t from, to, cap; };

static inline size_t buf_len(const struct buf *b) { return b->to - b->from; }
static inline struct span
buf_span(const struct buf *b)
{
	return b->ptr == NULL ? SPAN_NONE :
	    (struct span){ b->ptr + b->from, b->to - b->from };
}

void buf_add(struct buf *, struct span);
void buf_byte(struct buf *, uint8_t);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* At least n bytes of room at the end; buf_added says how many were used. */
uint8_t *buf_room(struct buf *, size_t n);
static inline void buf_added(struct buf *b, size_t n) { b->to += n; }
/* Drop n bytes at the front. */
void buf_take(struct buf *, size_t n);
/* NUL-terminated view of all of it; borrowed until the next change. */
char *buf_text(struct buf *);
void buf_free(struct buf *);
#endif
