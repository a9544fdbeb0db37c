/*
 * chunk.h - the chunked transfer coding, decoded in pieces (RFC 9112 section 7.1).
 *
 * Extensions and trailer are read and dropped, within limits.  ICAP bodies have the same
 * form.
 */
#ifndef LIB_HTTP_CHUNK_H
#define LIB_HTTP_CHUNK_H
#include "lib/http/head.h"

#define HTTP_CHUNK_EXTRA 65536u         /* bytes of all extensions together */

enum http_chunk_state {
	CHUNK_SIZE = 0, CHUNK_BLANK, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA,
	CHUNK_DATA_CR, CHUNK_DATA_LF, CHUNK_TRAILER, CHUNK_END,
};

/* Zeroed: at the begin. */
struct http_chunks {
	enum http_chunk_state state;
	uint64_t         left;          /* of this chunk; its size while that is read */
	unsigned         digits;
	size_t           extra;
	struct http_head trailer;
};

/* Takes bytes up to the end of a chunk's data, or of all: *data is what of them is body.
   ST_OK: the end was read, and nothing behind it; ST_MORE: call again with what is left,
   or more; ST_PERM. */
enum status http_chunks_feed(struct http_chunks *, struct span in, size_t *used,
    struct span *data, struct error *);
void http_chunks_clear(struct http_chunks *);
void http_chunks_free(struct http_chunks *);
#endif
