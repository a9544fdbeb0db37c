/*
 * parameter.h - values of Content-Type and Content-Disposition (RFC 2045 section 5.1,
 * RFC 2231).
 *
 * The same field means different things to different mail clients, so it is taken apart
 * in fixed manners.  Bytes are copied into the arena only where they have to change.
 */
#ifndef LIB_MIME_PARAMETER_H
#define LIB_MIME_PARAMETER_H
#include "lib/base/arena.h"
#include "lib/mime/charset.h"

#define PARAMETERS 100                  /* of one field; further ones are not listed */
#define PARAMETER_BYTES 4096            /* of one value that is put together         */

enum parameter_manner {
	PARAMETER_RFC = 0,      /* quotes, comments and backslashes as in RFC 5322     */
	PARAMETER_PLAIN,        /* divided at ';' outside of double quotes, both kinds of
	                           quotes stripped, comments and backslashes are text  */
	PARAMETER_SEARCH,       /* "name=" looked for anywhere, as by strcasestr        */
	PARAMETER_MANNERS,
};

struct parameter {
	struct span name;       /* lower case, without *, *0, *0*        */
	struct span value;      /* without quotes                        */
	int         section;    /* N of name*N, -1 without               */
	bool        extended;   /* name*, name*N*: percent-encoded       */
};

struct parameter_list {
	struct span word;       /* what stands before the first ';', lower case:
	                           "text/plain", "attachment"            */
	struct parameter *items;
	size_t count;
	bool   cut;             /* more than PARAMETERS                   */
	bool   odd;             /* the manners may give different results */
	bool   gap;             /* ";;" before a parameter               */
};

/* The value of the field, folded or not.  PARAMETER_SEARCH finds what starts with one of
   boundary, name, filename, charset. */
void parameter_parse(struct span value, enum parameter_manner, struct parameter_list *,
    struct arena *);

/* Every value a client might take for `name`, as UTF-8 and without doubles: plain ones,
   continuations in the order of their numbers and in that of their appearance,
   percent-encoded or not, encoded words decoded and as they stand.  Appended to out,
   which has room for max; the new count is returned. */
size_t parameter_values(const struct parameter_list *, struct span name,
    struct charsets *, struct span *out, size_t count, size_t max, struct arena *);
/* The first value for name (or the last); empty, ptr NULL: none.  Continuations are put
   together, percent-encoding is undone. */
struct span parameter_first(const struct parameter_list *, struct span name,
    struct charsets *, struct arena *);
struct span parameter_last(const struct parameter_list *, struct span name,
    struct charsets *, struct arena *);
#endif
