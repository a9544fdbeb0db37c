/*
 * process.h - one child process: started, spoken to, and seen to end.
 *
 * The table outlives the process: after a crash the same one is started again, with the
 * same page of counters.
 *
 *     DOWN --> STARTING --> RUNNING          (READY)
 *       ^          |            |
 *       +----------+------------+            (it ended)
 *                  |            |
 *                  +-> LEAVING <+            (it is not needed any more)
 */
#ifndef SRC_MASTER_PROCESS_H
#define SRC_MASTER_PROCESS_H
#include "lib/packet/packet.h"
#include "src/master/accounts.h"
#include "src/master/page.h"
#include "src/master/programs.h"
#include <event2/event.h>

enum process_state { STATE_DOWN = 0, STATE_STARTING, STATE_RUNNING, STATE_LEAVING };
const char *process_state_name(enum process_state);

struct master;
struct outgoing;
struct process;

/* A packet came from the process; it may not be destroyed in here. */
typedef void process_heard(struct process *, enum packet_type, struct unpack *);

struct process {
	struct process      *next;      /* in master.processes */
	struct master       *master;    /* borrowed */
	enum process_kind    kind;
	enum process_state   state;
	uint32_t             index;
	uint32_t             generation;
	struct process      *gateway;   /* inspector, runner: the one it works for */
	bool                 on_one_cpu;        /* there is a gateway for each */
	struct page         *page;      /* counters; owned */
	struct page         *old_pages; /* of earlier generations; owned */

	pid_t                pid;       /* 0: none */
	int                  fd;        /* to the process; -1: none */
	process_heard       *heard;
	struct event        *readable, *writable;
	struct outgoing     *first, *last;      /* waiting for room in the socket */
	size_t               waiting;
	struct event        *again;     /* starts it after its back-off */

	uint64_t             started_ms;        /* monotonic */
	uint64_t             closed_ms;         /* it closed its end; 0: not */
	uint64_t             pong_ms;           /* heard of last */
	uint64_t             leaving_ms;        /* since when LEAVING */
	bool                 renew;             /* its next end is ours, and no fault */
	unsigned             restarts, fast_deaths;
	char                 missing[160];      /* what READY said is not locked down */
};

/* CPUs that we may use, at least 1. */
size_t process_cpus(void);

/* Forks and executes: sets pid and fd.  For who has no loop; `kind`, `index` and `gateway`
   say what is started. */
enum status process_fork(struct process *, const struct programs *,
    const struct account *become, struct error *);
/* The same, watched by the loop.  Bytes of input reach the process only by its socket. */
enum status process_start(struct process *, struct event_base *, const struct programs *,
    const struct account *become, struct error *);

/* Sends, now or when there is room; the descriptors are copied.  Nothing happens where
   the process is not there. */
void process_send(struct process *, const struct pack *, const int *fds, size_t fd_count);

/* After the process has ended: closes what led to it. */
void process_ended(struct process *);
/* Frees it all; the process, if there is one, is not ended by this. */
void process_destroy(struct process **);
#endif
