/*
 * tag.h - what a variant has that the message as received has not: fields on top, edits in
 * its header, recipients with an extension.
 *
 * Fields on top are made here and need no inspector.  What has to be found in the header
 * first - fields to remove, the subject - is asked of it in REWRITE.
 */
#ifndef SRC_GATEWAY_TAG_H
#define SRC_GATEWAY_TAG_H
#include "src/gateway/transaction.h"

/* Of a tag, then what rules add, in their order; or nothing.  To stand below Received. */
struct span tag_fields(const struct transaction *, const struct verdict *);

/* Has the inspector to make edits for it?  Then what they are: the request's changes, unmark
   and subject. */
bool tag_needs_edits(const struct transaction *, const struct verdict *);
void tag_fill_request(struct transaction *, const struct verdict *, struct packet_rewrite *);

/* The order of "the rest get the strictest edits", where there are too many variants. */
bool tag_is_stricter(const struct verdict *, const struct verdict *than);

/* The address for RCPT of this recipient, whose facts are those in the findings: empty where
   it stays as it is. */
struct span tag_recipient(struct transaction *, const struct fate_row *);
/* The envelope as the next hop gets it: t's own where no address of the variant is changed,
   else a copy, in which the recipients have the same indices.  One that had no ORCPT has its
   first address there (RFC 3461 section 4.2). */
const struct envelope *tag_envelope(const struct variant *);

/* The rows of the record. */
void tag_record(struct transaction *, struct record *);
#endif
