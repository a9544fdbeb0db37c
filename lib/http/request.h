/*
 * request.h - the head of an HTTP or ICAP request, line by line into a buffer.
 *
 * Nobody's bytes begin a line of their own: control characters in a value are written as
 * `?`, what may not stand in a target as %XX.
 */
#ifndef LIB_HTTP_REQUEST_H
#define LIB_HTTP_REQUEST_H
#include "lib/base/buf.h"

/* "POST /checkv2 HTTP/1.1"; an empty target is written as "/". */
void http_put_start(struct buf *, const char *method, struct span target,
    const char *version);
void http_put_field(struct buf *, const char *name, struct span value);
void http_put_number(struct buf *, const char *name, uint64_t value);
/* The empty line. */
void http_put_end(struct buf *);
#endif
