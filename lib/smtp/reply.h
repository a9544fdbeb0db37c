/*
 * reply.h - replies of a next hop, read in pieces (RFC 5321 section 4.2).
 */
#ifndef LIB_SMTP_REPLY_H
#define LIB_SMTP_REPLY_H
#include "lib/base/base.h"

#define REPLY_LINE_BYTES 2048           /* what is longer is cut                */
#define REPLY_SKIP_BYTES 65536          /* cut off a line; more is a protocol error */
#define REPLY_LINES      200            /* more lines are a protocol error      */
#define REPLY_TEXT_BYTES 900            /* kept of all lines together           */

/* Lines of a multi-line reply are joined by one blank (enhanced codes of the further
   lines dropped); EHLO keywords are seen line by line through on_line. */
struct smtp_reply {
	int  code;                      /* 200 to 599 */
	char text[REPLY_TEXT_BYTES + 1];/* "2.0.0 Ok: queued as 4XYZ": escaped, printable */
};

struct reply_reader {
	char     line[REPLY_LINE_BYTES];
	size_t   line_len, skipped;     /* skipped: of this line, beyond the room */
	unsigned lines;
	struct smtp_reply reply;
	void   (*on_line)(void *, struct span text);    /* may be NULL */
	void    *on_line_arg;
};

/* ST_OK: a whole reply stands in r->reply (taken anew by the next call); ST_MORE: feed
   more; ST_PERM: not a reply at all. */
enum status reply_read(struct reply_reader *, struct span in, size_t *used, struct error *);
#endif
