/*
 * clock.h - ends a process whose job has used too much CPU time.
 *
 * One timer runs for good over the CPU time of the process, so that a job costs no system
 * call for it: the signal comes every quarter of the limit, and four full quarters
 * within one job are the limit.  What a job may use is thus 1 to 1.25 times the limit.
 */
#ifndef SRC_INSPECTOR_CLOCK_H
#define SRC_INSPECTOR_CLOCK_H
#include "lib/base/base.h"
#include <signal.h>

struct job_clock {
	volatile sig_atomic_t job;      /* counts jobs; odd while one is done   */
	sig_atomic_t          seen;     /* at the last signal                   */
	sig_atomic_t          quarters; /* this job has used, at least          */
	int                   status;   /* to end with                          */
};

/* The clock stays where it is for the life of the process.  0: no limit. */
enum status clock_start(struct job_clock *, uint64_t limit_ms, int status,
    struct error *);
static inline void clock_begin(struct job_clock *c) { c->job |= 1; }
static inline void
clock_end(struct job_clock *c)
{
	c->job = c->job < 1000000000 ? c->job + 1 : 0;
}
#endif
