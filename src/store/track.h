/*
 * track.h - answers from the journal, as text or JSON: which mails, and why one fared so.
 *
 * All values that came from the net are escaped.  The database is open for reading.
 */
#ifndef SRC_STORE_TRACK_H
#define SRC_STORE_TRACK_H
#include "lib/base/buf.h"
#include "lib/finding/record.h"
#include "src/store/question.h"
#include <sqlite3.h>

#define ANSWER_BYTES    (64u << 20)     /* a list that grows beyond is cut */

/* A line a mail, newest first: time id outcome sender -> recipients rule. */
enum status track_answer(sqlite3 *, const struct question *, struct buf *,
    struct error *);
/* Everything that is known of one mail.  ST_PERM: there is none with that id. */
enum status explain_answer(sqlite3 *, const struct question *, struct buf *,
    struct arena *, struct error *);

/* One record as text or as JSON. */
void explain_text(struct buf *, const struct record *);
void explain_json(struct buf *, const struct record *);

/* "key": before a value, with a comma where it is not the first. */
void json_key(struct buf *, const char *key, bool first);
void json_text(struct buf *, const char *key, struct span value, bool first);
void json_number(struct buf *, const char *key, uint64_t value, bool first);
#endif
