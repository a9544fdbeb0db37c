/*
 * jobs.h - the two jobs of an inspector: examine, and rewrite.
 *
 * Plain functions from a message (by descriptor) to an answer; what they allocate is in
 * the job's arena.
 */
#ifndef SRC_INSPECTOR_JOBS_H
#define SRC_INSPECTOR_JOBS_H
#include "lib/packet/packet.h"
#include "src/inspector/dig.h"

/*
 * The facts of stage content, and the hops.  A field that is not there is absent; where
 * not the whole header section could be looked at, what was not found is unknown, and so
 * is the number of Received fields.  `room`: see section.h.
 */
void examine(int message, const struct packet_examine *, const struct dig_tools *,
    uint8_t *room, struct packet_examined *, struct arena *);

/*
 * A field by which filters say what they found, and which people and their rules believe:
 * X-Spam-Flag, -Score, -Level, -Status, -Report, -Checker-Version and -Bar, X-Virus-Scanned,
 * X-Virus-Status, X-Sallyport-*.
 */
bool field_is_mark(struct span name);

/*
 * Edits: all added fields at the beginning of the message in the order given, all fields
 * of a removed name gone, marks too if they are to go.  The caller frees the edits.  A header
 * section that cannot be looked at to its end makes a removal by name ST_PERM; of marks those
 * are removed that were seen.
 *
 * The text for the subject goes behind "Subject:" and its blank, in the first such field,
 * unless it stands there already; what is behind it stays byte for byte.  Without a Subject
 * (or when it is removed) one is added that has this text alone.
 */
void rewrite(int message, const struct packet_rewrite *, uint8_t *room,
    struct packet_rewritten *, struct arena *);
#endif
