/*
 * head.h - the head of an HTTP or ICAP message, read in pieces: a start line and fields
 * (RFC 9112 sections 2 to 5, RFC 3507 section 4.3).
 *
 * Strict: lines end in CR LF, a name is a token with its colon directly behind it,
 * control characters stand nowhere.  A folded field (obs-fold) is refused unless `folds`
 * is set; then its value keeps the line ends that were in it (ICAP's X-Violations-Found
 * lives by that).  What the start line and the fields mean is the caller's affair.
 */
#ifndef LIB_HTTP_HEAD_H
#define LIB_HTTP_HEAD_H
#include "lib/base/buf.h"

#define HTTP_HEAD_BYTES 65536u          /* of all lines with their ends */
#define HTTP_FIELDS     100u

struct http_place { uint32_t at, len; };
struct http_field { struct http_place name, value; };

/* Zeroed: nothing read yet. */
struct http_head {
	struct buf        bytes;
	size_t            line;         /* where the line begins that is being read */
	struct http_place start;
	struct http_field fields[HTTP_FIELDS];
	size_t            count;
	bool              started;
	bool              trailer;      /* set by the caller: no start line        */
	bool              folds;        /* set by the caller: see above            */
};

/* ST_OK: the empty line was read, and nothing behind it; ST_MORE; ST_PERM. */
enum status http_head_feed(struct http_head *, struct span in, size_t *used,
    struct error *);
/* Ready for the next head; trailer and folds stay. */
void http_head_clear(struct http_head *);
void http_head_free(struct http_head *);

/* Borrowed until clear. */
struct span http_head_start(const struct http_head *);
struct span http_head_name(const struct http_head *, size_t index);
struct span http_head_value(const struct http_head *, size_t index);
/* The first field of that name (in any case) from `from` on, or count. */
size_t http_head_find(const struct http_head *, const char *name, size_t from);
/* Its first value; false, and an empty one, where there is none. */
bool http_head_get(const struct http_head *, const char *name, struct span *value);
/* Is it an element of that field's comma-separated list, in any case? */
bool http_head_lists(const struct http_head *, const char *name, const char *element);
/* Takes the first element off *list, without the blanks around it; empty elements too.
   False at the end. */
bool http_list_next(struct span *list, struct span *element);

/* "HTTP/1.1 200 OK" with HTTP, "ICAP/1.0 204 No Content" with ICAP. */
struct http_status { unsigned minor, code; struct span reason; };
/* Major version 1, a code of 100 to 599; the blank before an empty reason may be
   missing. */
bool http_status_parse(struct span line, const char *protocol, struct http_status *);
#endif
