/*
 * response.h - one HTTP/1.1 response, read in pieces (RFC 9112 sections 4, 6, 7 and 9).
 *
 *     HEAD -> [HEAD again behind 1xx] -> WHOLE              no body: to HEAD, 204, 304
 *                                     -> SIZED -> WHOLE     Content-Length
 *                                     -> CHUNKED -> WHOLE
 *                                     -> UNTIL_CLOSE        only lost() ends it
 *     all -> BAD
 *
 * Where a body ends is never guessed: Content-Length twice with two numbers, or together
 * with Transfer-Encoding, or any other coding than chunked is an error (section 6.3), so
 * is a body beyond the limit.
 */
#ifndef LIB_HTTP_RESPONSE_H
#define LIB_HTTP_RESPONSE_H
#include "lib/http/chunk.h"

#define HTTP_INTERIM 8u                 /* responses 1xx before the real one */

enum http_part {
	HTTP_HEAD = 0, HTTP_SIZED, HTTP_CHUNKED, HTTP_UNTIL_CLOSE, HTTP_WHOLE, HTTP_BAD,
};

/* Zeroed but for the first group. */
struct http_response {
	size_t             body_limit;
	bool               to_head;             /* the request was HEAD */
	bool               may_end_by_close;    /* else the length must be told */

	enum http_part     part;
	struct http_head   head;
	struct http_status status;              /* borrows of head, once that is read */
	struct buf         body;
	uint64_t           left;
	unsigned           interim;
	struct http_chunks chunks;
};

/* ST_OK: whole, and nothing behind it was used; ST_MORE; ST_PERM: no response, and so for
   each further call. */
enum status http_response_feed(struct http_response *, struct span in, size_t *used,
    struct error *);
/* The peer closed: ST_OK where that ends the body or it had ended, else ST_PERM. */
enum status http_response_lost(struct http_response *, struct error *);
/* Of a whole one: may the connection be used again (RFC 9112 section 9.3)? */
bool http_response_keeps(const struct http_response *);
/* Ready for the next response; the first group stays. */
void http_response_clear(struct http_response *);
void http_response_free(struct http_response *);
#endif
