/*
 * runlink.h - the gateway's side of its conversation with its runners.
 *
 * A runner executes the commands of the scanners of one configuration.  A job goes to the
 * runner of its own snapshot's generation: so after a reload there may be several, and the
 * older ones are let go with their snapshots (runners_forget).  Whoever begins jobs keeps
 * to the scanner's `slots'; a runner that has more refuses (COMMAND_NOT_STARTED).
 *
 *     job:  idle -> pending -> done, exactly once, or run_cancel
 */
#ifndef SRC_GATEWAY_RUNLINK_H
#define SRC_GATEWAY_RUNLINK_H
#include "src/gateway/gateway.h"

#define RUN_PATIENCE_MS 5000    /* beyond the command's time-out: it is ended in this time */

struct runner;

/* Owned by who asks; zeroed when idle. */
struct run_job {
	struct link  link;
	bool         pending;
	uint32_t     serial;
	struct runner *runner;
	struct event expiry;
	/* What is asked; borrowed until run_begin returns. */
	uint32_t     generation;        /* of the snapshot         */
	uint32_t     scanner;           /* index in its settings   */
	uint64_t     timeout;           /* ms that are left; the scanner's counts besides */
	int          message;           /* the runner gets an open file of its own */
	struct span  id, sender, client;
	/* Exactly once, never from inside run_begin, unless cancelled.  ST_OK: `end' is how
	   the command ended, borrowed (lib/scanner/command.h makes a report of it).  ST_TEMP:
	   end is NULL, and the error says why: the runner is gone, or silent.  The job is
	   idle: it may be begun again, or freed. */
	void       (*done)(struct run_job *, enum status, const struct command_end *end,
	    struct error *);
};

struct runners *runners_create(struct gateway *);
/* A new link from the master; takes the descriptor. */
void runners_link(struct runners *, const struct packet_link *, int fd);
/* ST_TEMP: nothing was begun, done does not come; ST_PERM: the message cannot be opened
   anew (no more descriptors). */
enum status run_begin(struct runners *, struct run_job *, struct error *);
/* The command is ended; nothing happens where the job is idle. */
void run_cancel(struct runners *, struct run_job *);
/* No snapshot of this generation is left: its runner may go. */
void runners_forget(struct runners *, uint32_t generation);
/* Is there one for this generation? */
bool runners_are_up(const struct runners *, uint32_t generation);
#endif
