/*
 * binhex.c - see binhex.h.
 *
 * Six bits a character, from the first ':' at the beginning of a line to the next ':';
 * then runs (0x90, count); then a header with the lengths of two forks.
 */
#include "lib/mime/binhex.h"

enum { OUTSIDE = 0, LINE, INSIDE };
enum { RUN = 0x90 };

/* Header behind the name: version, type, creator, flags, lengths, checksum. */
#define HEAD_REST (1u + 4 + 4 + 2 + 4 + 4 + 2)

static int
value(uint8_t c)
{
	static const char alphabet[] =
	    "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
	const char *p = c == '\0' ? NULL : strchr(alphabet, c);

	return p == NULL ? -1 : (int)(p - alphabet);
}

static void
header_byte(struct decoder *d, uint8_t c)
{
	size_t want = d->head_len == 0 ? 1 : d->head[0] + 1u + HEAD_REST;

	if (d->head_len < sizeof d->head)
		d->head[d->head_len] = c;
	d->head_len++;
	if (d->head_len == 1)
		want = c + 1u + HEAD_REST;
	if (d->head_len < want)
		return;
	d->begun = true;
	/* A name is at most 63 characters; with a longer one the lengths are not kept. */
	if (want > sizeof d->head) {
		d->left = UINT64_MAX;
		d->flaws |= DECODE_SUM;
		return;
	}
	const uint8_t *p = d->head + d->head[0] + 1 + 11;

	d->left = (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

/* One byte behind the runs. */
static void
fork_byte(struct decoder *d, uint8_t c)
{
	if (!d->begun)
		header_byte(d, c);
	else if (d->left > 0) {
		d->left--;
		decoder_put(d, c);
	}
}

static void
run_byte(struct decoder *d, uint8_t c)
{
	if (!d->junk) {
		d->junk = c == RUN;
		if (!d->junk)
			fork_byte(d, d->repeat = c);
		return;
	}
	d->junk = false;
	if (c == 0)
		fork_byte(d, d->repeat = RUN);
	for (unsigned i = 1; i < c; i++)
		fork_byte(d, d->repeat);
}

static void
end(struct decoder *d)
{
	d->ended = true;
	d->state = OUTSIDE;
	if (d->left > 0)
		d->flaws |= DECODE_SUM;
}

void
binhex_byte(struct decoder *d, uint8_t c)
{
	int v = value(c);

	if (d->state != INSIDE) {
		if (c == ':' && !d->ended && (d->state == LINE || d->out + d->size == 0))
			d->state = INSIDE;
		else
			d->state = c == '\n' || c == '\r' ? LINE : OUTSIDE;
		d->size = 1;
	} else if (c == ':')
		end(d);
	else if (v < 0)
		d->flaws |= c > ' ' ? DECODE_JUNK : 0;
	else {
		d->bits = (d->bits << 6 | (unsigned)v) & 0xffff;
		d->held += 6;
		if (d->held >= 8) {
			d->held -= 8;
			run_byte(d, (uint8_t)(d->bits >> d->held));
		}
	}
}
