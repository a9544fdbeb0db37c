/*
 * newline.c - the stage of newline.h, many bytes at a time.
 *
 * Ordinary text passes in blocks and leaves in one write.  A pair of neighbours is odd
 * where there is something to do: a CR without its LF, an LF without its CR, or a dot
 * at the beginning of a line.
 */
#include "lib/smtp/newline.h"

#define BLOCK 64u       /* bytes looked at together: a few vector registers */

static inline bool
is_odd(uint8_t before, uint8_t c)
{
	return ((before == '\r') ^ (c == '\n')) | ((before == '\n') & (c == '.'));
}

/* Of fixed length and without a branch, so that compilers make vector code of it. */
static bool
block_is_odd(const uint8_t *p)
{
	uint8_t any = 0;

	for (size_t i = 0; i < BLOCK; i++)
		any |= is_odd(p[i], p[i + 1]);
	return any;
}

/* The next byte, from i > 0 on, that is odd with the one before it; or the end. */
static size_t
find_odd(struct span in, size_t i)
{
	while (i + BLOCK <= in.len && !block_is_odd(in.ptr + i - 1))
		i += BLOCK;
	while (i < in.len && !is_odd(in.ptr[i - 1], in.ptr[i]))
		i++;
	return i;
}

/* A line may have line_limit bytes and CR LF: looks for the last LF in each window of
   that size, so that most lines are not looked at at all. */
static void
newline_measure(struct newline *n, struct span s)
{
	while (s.len > 0 && n->line_limit > 0 && !n->too_long) {
		uint64_t room = n->line_limit + 2 - n->line_bytes;
		size_t window = s.len < room ? s.len : (size_t)room;
		const uint8_t *lf = memrchr(s.ptr, '\n', window);

		if (lf != NULL) {
			n->line_bytes = 0;
			s = span_slice(s, (size_t)(lf - s.ptr) + 1, s.len);
		} else {
			n->line_bytes += window;
			n->too_long = window == room;
			s = span_slice(s, window, s.len);
		}
	}
}

bool
newline_refuses(const struct newline *n)
{
	return n->too_big || n->too_long ||
	    (!n->repair && n->data.bare_cr + n->data.bare_lf > 0);
}

static enum status
newline_put(struct newline *n, struct span s, struct sink *out, struct error *err)
{
	newline_measure(n, s);
	n->data.size += s.len;
	n->too_big |= n->size_limit > 0 && n->data.size > n->size_limit;
	return newline_refuses(n) ? ST_OK : sink_write(out, s, err);
}

static void
newline_note_dot(struct newline *n, uint64_t at)
{
	if (n->data.dotted_count < DOT_KEPT)
		n->data.dotted[n->data.dotted_count] = at;
	n->data.dotted_count++;
}

/* An odd pair inside a piece, its second byte at i.  Bytes from *run on wait. */
static enum status
newline_odd(struct newline *n, struct span in, size_t i, size_t *run,
    struct sink *out, struct error *err)
{
	bool cr = in.ptr[i - 1] == '\r';
	size_t from = *run;
	enum status st;

	if (!cr && in.ptr[i] == '.') {
		newline_note_dot(n, n->data.size + (i - from));
		return ST_OK;
	}
	*run = cr ? i : i + 1;
	st = newline_put(n, span_slice(in, from, cr ? i - 1 : i), out, err);
	n->data.bare_cr += cr;
	n->data.bare_lf += !cr;
	if (st != ST_OK)
		return st;
	return newline_put(n, cr ? SPAN_LIT(" ") : SPAN_LIT("\r\n"), out, err);
}

/* The first byte of a piece, after what the last piece ended with. */
static enum status
newline_first(struct newline *n, uint8_t c, size_t *run, struct sink *out,
    struct error *err)
{
	switch (n->state) {
	case NEWLINE_BOL:
		if (c == '.')
			newline_note_dot(n, n->data.size);
		break;
	case NEWLINE_TEXT:
		break;
	case NEWLINE_CR:
		if (c == '\n')
			return newline_put(n, SPAN_LIT("\r"), out, err);
		n->data.bare_cr++;
		return newline_put(n, SPAN_LIT(" "), out, err);
	}
	if (c != '\n')
		return ST_OK;
	*run = 1;
	n->data.bare_lf++;
	return newline_put(n, SPAN_LIT("\r\n"), out, err);
}

enum status
newline_write(struct newline *n, struct span in, struct sink *out, struct error *err)
{
	enum status st = ST_OK;
	size_t run = 0, i = 0;

	if (in.len == 0)
		return ST_OK;
	st = newline_first(n, in.ptr[0], &run, out, err);
	while (st == ST_OK && (i = find_odd(in, i + 1)) < in.len)
		st = newline_odd(n, in, i, &run, out, err);
	if (st != ST_OK)
		return st;
	uint8_t last = in.ptr[in.len - 1];

	n->state = last == '\r' ? NEWLINE_CR : last == '\n' ? NEWLINE_BOL : NEWLINE_TEXT;
	return newline_put(n, span_slice(in, run, in.len - (last == '\r')), out, err);
}

enum status
newline_finish(struct newline *n, struct sink *out, struct error *err)
{
	enum status st = ST_OK;

	if (n->state == NEWLINE_CR) {
		n->data.bare_cr++;
		n->state = NEWLINE_TEXT;
		st = newline_put(n, SPAN_LIT(" "), out, err);
	}
	n->too_long |= n->line_limit > 0 && n->line_bytes > n->line_limit;
	n->data.ends_with_crlf = n->state == NEWLINE_BOL && n->data.size > 0;
	return st;
}
