/*
 * dot.c - the decoder of dot.h, many bytes at a time.
 *
 * Only the bytes around a line that begins with a dot, and those at the ends of
 * a piece, go through the states one by one; the text between is skipped in
 * blocks, and goes out in runs as long as no dot is dropped.
 */
#include "lib/smtp/dot.h"

#define BLOCK 64u       /* bytes looked at together: a few vector registers */

static inline bool
is_dot_line(const uint8_t *p)
{
	return (p[0] == '\r') & (p[1] == '\n') & (p[2] == '.');
}

/* Of fixed length and without a branch, so that compilers make vector code of it. */
static bool
block_has_dot_line(const uint8_t *p)
{
	uint8_t any = 0;

	for (size_t i = 0; i < BLOCK; i++)
		any |= is_dot_line(p + i);
	return any;
}

/* Where the next CR LF dot has its dot; the end if there is none. */
static size_t
find_dot_line(struct span in, size_t i)
{
	while (i + BLOCK + 2 <= in.len && !block_has_dot_line(in.ptr + i))
		i += BLOCK;
	for (; i + 2 < in.len; i++)
		if (is_dot_line(in.ptr + i))
			return i + 2;
	return in.len;
}

/* In TEXT: to the next line that begins with a dot, or the end of this piece. */
static size_t
dot_skip(struct dot_decoder *d, struct span in, size_t from)
{
	size_t to = find_dot_line(in, from);
	uint8_t last = in.ptr[to - 1];

	if (last == '\r')
		d->state = DOT_CR;
	else if (last == '\n' && to - from >= 2 && in.ptr[to - 2] == '\r')
		d->state = DOT_BOL;
	return to;
}

/* What becomes of a byte.  KEEP_AFTER_CR: the CR held back was text, too. */
enum verb { KEEP = 0, DROP, KEEP_AFTER_CR };

static enum verb
dot_step(struct dot_decoder *d, uint8_t c)
{
	enum verb verb = KEEP;

	switch (d->state) {
	case DOT_BOL:
		if (c == '.') {
			d->state = DOT_DOT;
			return DROP;
		}
		break;
	case DOT_TEXT:
		break;
	case DOT_CR:
		if (c == '\n') {
			d->state = DOT_BOL;
			return KEEP;
		}
		break;
	case DOT_DOT:
		if (c == '\r') {
			d->state = DOT_DOT_CR;
			return DROP;
		}
		break;
	case DOT_DOT_CR:
		if (c == '\n') {
			d->state = DOT_END;
			return DROP;
		}
		verb = KEEP_AFTER_CR;
		break;
	case DOT_END:
		abort();
	}
	d->state = c == '\r' ? DOT_CR : DOT_TEXT;
	return verb;
}

enum status
dot_decode(struct dot_decoder *d, struct span in, size_t *used,
    struct sink *out, struct error *err)
{
	size_t i = 0, run = 0;
	enum status st;

	while (i < in.len && d->state != DOT_END) {
		if (d->state == DOT_TEXT) {
			i = dot_skip(d, in, i);
			continue;
		}
		enum verb verb = dot_step(d, in.ptr[i++]);

		if (verb == KEEP)
			continue;
		if ((st = sink_write(out, span_slice(in, run, i - 1), err)) != ST_OK)
			return st;
		run = verb == DROP ? i : i - 1;
		if (verb == KEEP_AFTER_CR &&
		    (st = sink_write(out, SPAN_LIT("\r"), err)) != ST_OK)
			return st;
	}
	*used = i;
	if ((st = sink_write(out, span_slice(in, run, i), err)) != ST_OK)
		return st;
	return d->state == DOT_END ? ST_OK : ST_MORE;
}
