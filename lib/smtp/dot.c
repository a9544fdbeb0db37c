/*
 * dot.c - the decoder of dot.h, at the speed of memchr.
 *
 * Only the bytes around a line end go through the states one by one; the text
 * between is skipped, and goes out in runs as long as no dot is dropped.
 */
#include "lib/smtp/dot.h"

static size_t
find(struct span in, size_t from, size_t to, int c)
{
	const uint8_t *p = memchr(in.ptr + from, c, to - from);

	return p != NULL ? (size_t)(p - in.ptr) : to;
}

/*
 * The next CR or LF.  *lf is where the last search for LF ended: without it a
 * piece full of CRs would be searched to its end once for each of them.
 */
static size_t
text_end(struct span in, size_t at, size_t *lf)
{
	if (*lf <= at)
		*lf = find(in, at, in.len, '\n');
	return find(in, at, *lf, '\r');
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
		d->bare_cr++;
		break;
	case DOT_DOT:           /* all before this byte has been written */
		if (c == '\r') {
			d->state = DOT_DOT_CR;
			return DROP;
		}
		if (c == '.' && d->dotted_count++ < DOT_KEPT)
			d->dotted[d->dotted_count - 1] = d->size;
		break;
	case DOT_DOT_CR:
		if (c == '\n') {
			d->state = DOT_END;
			return DROP;
		}
		d->bare_cr++;
		verb = KEEP_AFTER_CR;
		break;
	case DOT_END:
		abort();
	}
	d->state = c == '\r' ? DOT_CR : DOT_TEXT;
	d->bare_lf += c == '\n';
	return verb;
}

static enum status
put(struct dot_decoder *d, struct span s, struct sink *out, struct error *err)
{
	d->size += s.len;
	return sink_write(out, s, err);
}

enum status
dot_decode(struct dot_decoder *d, struct span in, size_t *used,
    struct sink *out, struct error *err)
{
	size_t i, run = 0, lf = 0;
	enum status st;

	for (i = 0; i < in.len && d->state != DOT_END; i++) {
		if (d->state == DOT_TEXT && (i = text_end(in, i, &lf)) == in.len)
			break;
		enum verb verb = dot_step(d, in.ptr[i]);

		if (verb == KEEP)
			continue;
		if ((st = put(d, span_slice(in, run, i), out, err)) != ST_OK)
			return st;
		run = verb == DROP ? i + 1 : i;
		if (verb == KEEP_AFTER_CR &&
		    (st = put(d, SPAN_LIT("\r"), out, err)) != ST_OK)
			return st;
	}
	*used = i;
	if ((st = put(d, span_slice(in, run, i), out, err)) != ST_OK)
		return st;
	return d->state == DOT_END ? ST_OK : ST_MORE;
}
