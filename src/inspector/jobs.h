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
 * Edits: all added fields at the beginning of the message in the order given, all fields
 * of a removed name gone.  The caller frees the edits.  A header section that cannot be
 * looked at to its end makes a removal ST_PERM.
 */
void rewrite(int message, const struct packet_rewrite *, uint8_t *room,
    struct packet_rewritten *, struct arena *);
#endif
