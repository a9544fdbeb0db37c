/*
 * runner.h - one runner: executes the commands of scanners for one gateway.
 *
 * Three processes to a run:
 *
 *     runner   this one: packets, output and time, one poll loop, never blocked
 *     guard    a fork of it: starts the command, waits, ends all that came of it, empties
 *              the folder (guard.c)
 *     command  the program of the configuration, locked in (command.c)
 *
 * The runner has no network but where a command may have it, and can write nowhere but in
 * runner-directory; a command likewise, in a folder of its own there.  It ends when its
 * gateway does, or DRAIN came before there was one; and with it the commands.
 */
#ifndef SRC_RUNNER_RUNNER_H
#define SRC_RUNNER_RUNNER_H
#include "lib/config/settings.h"
#include "lib/packet/packet.h"
#include "sys/log.h"
#include <sys/types.h>

/* How it ends; the master logs it. */
enum runner_end {
	END_OK          = 0,
	END_BROKEN      = 70,   /* another process broke a promise         */
	END_SANDBOX     = 77,   /* not locked down, and `sandbox required` */
};

#define RUN_GRACE_MS    2000    /* from SIGTERM to SIGKILL                         */
#define RUN_END_MS      1500    /* then, until what does not end is left alone     */
#define RUN_GUARD_MS    4000    /* beyond the time-out: the guard itself is ended  */
#define RUN_WHY_BYTES   400
#define RUNS_MAX        4096    /* of all scanners, those that clean up included   */

/* What a guard tells before it cleans up; it fits into a pipe at once. */
struct run_report { uint32_t how, number; char why[RUN_WHY_BYTES]; };

/*
 *     FREE -> ACTIVE -> ANSWERED -> LEAVING -> FREE       ACTIVE -> LEAVING (CEASE)
 *
 * ANSWERED: the answer waits for room in the gateway's socket; LEAVING: the guard cleans up.
 */
enum run_state { RUN_FREE = 0, RUN_ACTIVE, RUN_ANSWERED, RUN_LEAVING };
struct run {
	enum run_state state;
	uint32_t       serial, scanner;
	pid_t          guard;
	int            output, report;  /* ends to read; -1: at its end */
	uint64_t       kill_ms;         /* when the guard is ended, if it is still there */
	struct run_report end;
	struct buf     kept;            /* output */
	bool           cut;
};

struct runner {
	int      master, gateway;       /* gateway: -1 before LINK */
	struct packet_setup setup;      /* its spans are not kept  */
	struct log          log;
	char                name[32];
	bool     configured, started, leaving;
	bool     own_user;              /* no other process has it but runners and theirs */
	const struct settings *settings;
	struct run         *runs;
	size_t              run_count;
	uint64_t            unique;     /* for names of folders */
	uint64_t            sweep_ms;   /* until when to look for orphans */
	struct arena        kept;
	uint8_t  packet[PACKET_BYTES], answer[PACKET_BYTES];
};

uint64_t clock_ms(void);

/* setup.c: what comes from the master before START; ends the process on failure. */
void setup_take(struct runner *, struct unpack *, const int *fds, size_t fd_count);
/* The doors close; READY. */
void setup_finish(struct runner *);

/* serve.c: packets, until the end. */
void serve(struct runner *) __attribute__((noreturn));
void runner_send(struct runner *, const struct pack *);
void runner_stop(struct runner *, enum runner_end, const char *why) __attribute__((noreturn));

/* run.c */
void run_start(struct runner *, uint32_t serial, const struct packet_run *, int message);
void run_cease(struct runner *, uint32_t serial);
/* There is output, or the guard's report, or its end. */
void run_read(struct runner *, struct run *);
/* Answers that could not be sent. */
void runs_answer(struct runner *);
/* Time: guards that are late, orphans of guards that were killed. */
void runs_tick(struct runner *);
/* Ends them all and waits for it, a few seconds at most. */
void runs_end(struct runner *);

/* guard.c: in the fork.  Its descriptors are closed but for these. */
struct guard_order {
	const struct scanner *scanner;
	const struct packet_run *run;
	const char *folder;             /* to be made */
	int         message, output, report;
	pid_t       runner;
	bool        own_user, required;
};
/* ms that it may run. */
static inline uint64_t
run_time(const struct scanner *s, const struct packet_run *run)
{
	return run->timeout < s->timeout ? run->timeout : s->timeout;
}
void guard(const struct guard_order *) __attribute__((noreturn));

/* command.c: in the fork of the fork: returns only where the program could not be executed,
   and says why. */
void command_execute(const struct guard_order *, char why[RUN_WHY_BYTES]);
#endif
