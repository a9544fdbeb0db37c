/*
 * inspect.h - the inspectors of this gateway: slots, one job each, and a queue.
 *
 * One job runs beside each demoted one (contract 6 of the design: a job that has used
 * 250 ms of CPU is demoted and a spare takes its place), so one slow message does not
 * hold up the others, and a burst does not take all cores.  One client has at most half
 * of the slots.  A job whose inspector dies is tried once more in another; then it is
 * over with ST_TEMP and crashed set.
 *
 *     job:  QUEUED -> RUNNING -> over        RUNNING -> QUEUED (its inspector died, once)
 */
#ifndef SRC_GATEWAY_INSPECT_H
#define SRC_GATEWAY_INSPECT_H
#include "src/gateway/gateway.h"

#define INSPECT_QUEUE   1000            /* jobs waiting; more: refused at once */
#define INSPECT_DEMOTE  250             /* ms of CPU */
#define INSPECT_SLOW    1000            /* ms of wall time that demote as well: it may
                                           wait for a disk, or stand still */
#define INSPECT_PATIENCE 60000          /* ms of wall time for a job, then it counts as dead */

enum job_state { JOB_IDLE = 0, JOB_QUEUED, JOB_RUNNING };

/* Owned by the transaction; zeroed when idle. */
struct job {
	struct link     link;
	enum job_state  state;
	bool            demoted, crashed;
	unsigned        tries;
	int             message;        /* borrowed descriptor */
	struct address  client;
	uint8_t        *packet;         /* the request; in the caller's arena */
	size_t          packet_len;
	struct inspector *inspector;
	/* Exactly once.  body is borrowed; type is PACKET_NONE with ST_TEMP. */
	void          (*done)(struct job *, enum status, enum packet_type, struct unpack body,
	    struct error *);
};

struct inspectors *inspectors_create(struct gateway *);
/* A new link from the master; takes the descriptor. */
void inspectors_link(struct inspectors *, const struct packet_link *, int fd);
/* ST_TEMP when the queue is full: nothing was begun. */
enum status inspect_begin(struct inspectors *, struct job *, struct error *);
void inspect_cancel(struct inspectors *, struct job *);
size_t inspectors_waiting(const struct inspectors *);
#endif
