/*
 * clock.c - see clock.h.
 */
#include "src/inspector/clock.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#define QUARTERS 4u

static void
on_quarter(int number, siginfo_t *info, void *context)
{
	struct job_clock *c = info->si_value.sival_ptr;

	/* a signal of that number that is not the timer's brings no clock */
	if (info->si_code != SI_TIMER)
		return;
	if (c->seen != c->job) {
		c->seen = c->job;
		c->quarters = 0;
	} else if (c->job % 2 == 1 && ++c->quarters >= (sig_atomic_t)QUARTERS) {
		_exit(c->status);
	}
}

enum status
clock_start(struct job_clock *c, uint64_t limit_ms, int status, struct error *err)
{
	struct sigaction action = { .sa_sigaction = on_quarter,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU,
		.sigev_value.sival_ptr = c };
	uint64_t us = limit_ms * 1000 / QUARTERS;
	struct timespec quarter = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
	struct itimerspec every = { quarter, quarter };
	timer_t timer;

	c->status = status;
	if (us == 0)
		return ST_OK;
	if (sigaction(SIGXCPU, &action, NULL) < 0 ||
	    timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer) < 0 ||
	    timer_settime(timer, 0, &every, NULL) < 0)
		return fail(err, ST_TEMP, "inspector", "CPU timer: %s", strerror(errno));
	return ST_OK;
}
