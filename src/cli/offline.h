/*
 * offline.h - one message and an inspector of its own, without a daemon.
 *
 * The inspector is the one that mail meets, locked down as there: we play its master and its
 * gateway, and end it when it has answered.
 */
#ifndef SRC_CLI_OFFLINE_H
#define SRC_CLI_OFFLINE_H
#include "lib/packet/packet.h"
#include "src/master/configuration.h"

/* A sealed descriptor with all of the file ("-": standard input), which has at most `limit`
   bytes; -1 and the error. */
int offline_read(const char *path, uint64_t limit, uint64_t *size, struct error *);

/* `wishes`: of enum wish.  ST_OK: the findings are in *out, their texts in the arena.
   *missing: what the inspector has not locked down, or empty. */
enum status offline_examine(struct configuration *, int message, uint64_t size,
    unsigned wishes, struct packet_examined *out, struct span *missing, struct arena *,
    struct error *);
#endif
