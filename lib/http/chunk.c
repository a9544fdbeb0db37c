/*
 * chunk.c - see chunk.h.
 *
 *     SIZE -> [BLANK] -> [EXTENSION] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                                          +-> TRAILER -> END
 */
#include "lib/http/chunk.h"

#define WHERE  "http"
#define DIGITS 15u              /* of a size: less than 2^60 */

static int
hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What may follow the digits of a size. */
static enum http_chunk_state
behind_size(uint8_t c)
{
	if (c == '\r')
		return CHUNK_SIZE_LF;
	if (c == ';')
		return CHUNK_EXTENSION;
	return is_blank(c) ? CHUNK_BLANK : CHUNK_END;
}

static enum status
chunk_size(struct http_chunks *c, uint8_t byte, struct error *err)
{
	int value = hex_value(byte);

	if (value >= 0 && c->digits < DIGITS) {
		c->left = c->left << 4 | (uint64_t)value;
		c->digits++;
		return ST_MORE;
	}
	c->state = behind_size(byte);
	if (value >= 0 || c->digits == 0 || c->state == CHUNK_END)
		return fail(err, ST_PERM, WHERE, "a bad chunk size");
	c->digits = 0;
	return ST_MORE;
}

static enum status
chunk_extension(struct http_chunks *c, uint8_t byte, struct error *err)
{
	if (++c->extra > HTTP_CHUNK_EXTRA)
		return fail(err, ST_PERM, WHERE, "more than %u bytes of chunk extensions",
		    HTTP_CHUNK_EXTRA);
	if (byte == '\r')
		c->state = CHUNK_SIZE_LF;
	else if (c->state == CHUNK_BLANK && byte == ';')
		c->state = CHUNK_EXTENSION;
	else if ((c->state == CHUNK_BLANK && !is_blank(byte)) || byte == 0x7f ||
	    (byte < 0x20 && byte != '\t'))
		return fail(err, ST_PERM, WHERE, "a bad chunk extension");
	return ST_MORE;
}

static enum status
chunk_expect(struct http_chunks *c, uint8_t byte, uint8_t wanted,
    enum http_chunk_state next, struct error *err)
{
	if (byte != wanted)
		return fail(err, ST_PERM, WHERE, "a chunk does not end where it should");
	c->state = next;
	return ST_MORE;
}

/* One byte that is not body. */
static enum status
chunk_byte(struct http_chunks *c, uint8_t byte, struct error *err)
{
	switch (c->state) {
	case CHUNK_SIZE:
		return chunk_size(c, byte, err);
	case CHUNK_BLANK:
	case CHUNK_EXTENSION:
		return chunk_extension(c, byte, err);
	case CHUNK_SIZE_LF:
		return chunk_expect(c, byte, '\n',
		    c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER, err);
	case CHUNK_DATA_CR:
		return chunk_expect(c, byte, '\r', CHUNK_DATA_LF, err);
	case CHUNK_DATA_LF:
		return chunk_expect(c, byte, '\n', CHUNK_SIZE, err);
	case CHUNK_DATA:
	case CHUNK_TRAILER:
	case CHUNK_END:
		break;
	}
	return fail(err, ST_PERM, WHERE, "bytes behind the last chunk");
}

static enum status
chunk_trailer(struct http_chunks *c, struct span in, size_t *used, struct error *err)
{
	size_t n;

	c->trailer.trailer = true;
	enum status st = http_head_feed(&c->trailer, in, &n, err);

	*used += n;
	if (st == ST_OK)
		c->state = CHUNK_END;
	return st;
}

static enum status
chunk_data(struct http_chunks *c, struct span in, size_t *used, struct span *data)
{
	size_t n = c->left < in.len ? (size_t)c->left : in.len;

	*data = span_slice(in, 0, n);
	*used += n;
	c->left -= n;
	if (c->left == 0)
		c->state = CHUNK_DATA_CR;
	return ST_MORE;
}

enum status
http_chunks_feed(struct http_chunks *c, struct span in, size_t *used, struct span *data,
    struct error *err)
{
	enum status st = ST_MORE;

	*used = 0;
	*data = SPAN_NONE;
	while (st == ST_MORE && *used < in.len) {
		struct span rest = span_slice(in, *used, in.len);

		if (c->state == CHUNK_DATA)
			return chunk_data(c, rest, used, data);
		if (c->state == CHUNK_TRAILER)
			return chunk_trailer(c, rest, used, err);
		st = chunk_byte(c, in.ptr[(*used)++], err);
	}
	return st;
}

void
http_chunks_clear(struct http_chunks *c)
{
	struct http_head trailer = c->trailer;

	http_head_clear(&trailer);
	*c = (struct http_chunks){ .trailer = trailer };
}

void
http_chunks_free(struct http_chunks *c)
{
	http_head_free(&c->trailer);
}
