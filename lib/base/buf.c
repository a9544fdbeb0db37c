/*
 * buf.c - see buf.h.
 */
#include "lib/base/buf.h"
#include "lib/base/arena.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

uint8_t *
buf_room(struct buf *b, size_t n)
{
	if (b->ptr != NULL && b->cap - b->to >= n)
		return b->ptr + b->to;
	if (b->from > 0) {
		memmove(b->ptr, b->ptr + b->from, b->to - b->from);
		b->to -= b->from;
		b->from = 0;
	}
	if (b->cap - b->to < n) {
		size_t cap = b->cap > 0 ? b->cap : 256;

		while (cap - b->to < n)
			cap *= 2;
		b->ptr = must_realloc(b->ptr, cap);
		b->cap = cap;
	}
	return b->ptr + b->to;
}

void
buf_add(struct buf *b, struct span s)
{
	if (s.len == 0)
		return;
	memcpy(buf_room(b, s.len), s.ptr, s.len);
	b->to += s.len;
}

void
buf_byte(struct buf *b, uint8_t c)
{
	buf_add(b, (struct span){ &c, 1 });
}

/* Most texts fit the room there is; only a longer one is printed twice. */
void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->to;
	va_list ap;

	if (room < 64) {
		buf_room(b, 64);
		room = b->cap - b->to;
	}
	va_start(ap, fmt);
	int n = vsnprintf((char *)b->ptr + b->to, room, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		buf_room(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf((char *)b->ptr + b->to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->to += (size_t)n;
}

void
buf_take(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->from += n;
	if (b->from == b->to)
		b->from = b->to = 0;
}

char *
buf_text(struct buf *b)
{
	*buf_room(b, 1) = '\0';
	return (char *)b->ptr + b->from;
}

void
buf_free(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){ 0 };
}
