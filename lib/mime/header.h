/*
 * header.h - a message's header section as fields, zero-copy (RFC 5322 section 2.2).
 *
 * Iterative, linear, bounded; lenient: what is not a field (no colon, a stray first
 * continuation) is kept as a field without a name and counted as a flaw.  Lines end
 * at LF, with or without a CR before it.  The section ends at the first empty line, or at the end
 * of the bytes.
 */
#ifndef LIB_MIME_HEADER_H
#define LIB_MIME_HEADER_H
#include "lib/base/address.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define HEADER_FIELDS 2000              /* further ones are not listed        */

struct header_field {
	struct span name;               /* without blanks before the colon; empty: no field */
	struct span value;              /* raw, folded, without the colon and the last newline */
	uint64_t    at, len;            /* the whole field in the message, newline included */
};

struct header {
	struct header_field *fields;
	size_t   count;
	uint64_t end;                   /* where the empty line begins               */
	uint64_t body;                  /* where the body begins                     */
	bool     ended;                 /* the empty line was there                  */
	bool     cut;                   /* more than HEADER_FIELDS                   */
	bool     eight_bit;             /* some byte outside ASCII                   */
	unsigned flaws;                 /* lines that are no field                   */
};

/* `bytes`: the message, or as much of its beginning as the caller's limit allows. */
void header_parse(struct span bytes, struct header *, struct arena *);
/* The nth (from 0) field of that name, from the top; NULL if there is none. */
const struct header_field *header_find(const struct header *, struct span name, size_t nth);
size_t header_count(const struct header *, struct span name);
/* Value with folding undone and blanks at the ends gone, at most max bytes. */
struct span header_unfold(struct span value, size_t max, struct arena *);
/* First address of From or the like: local@domain, without comments, display name and
   group syntax, quoted local parts as they are; empty if there is none, or if it has
   more than 1000 bytes.  The value may be folded. */
struct span header_mailbox(struct span value, struct arena *);
/* A field to insert: "Name: value\r\n", folded at 78 where blanks allow; newlines and
   controls in value become blanks. */
void header_write(struct buf *, struct span name, struct span value);

/* One Received field (RFC 5321 section 4.4), as MTAs write it. */
struct received {
	struct span    helo;            /* after "from"                               */
	struct span    name;            /* reverse name in the comment, if any        */
	bool           has_address;
	struct address address;         /* from the comment: [192.0.2.1]              */
	struct span    by;              /* host after "by"                            */
	struct span    by_comment;      /* "(Postfix)", "(Sallyport inbound)": inside */
	struct span    with, id;
	bool           authenticated;   /* "(Authenticated sender: x)"                */
	struct span    user;            /* x                                          */
};
/* Of an unfolded value; what is not found stays empty. */
void received_parse(struct span unfolded, struct received *);
#endif
