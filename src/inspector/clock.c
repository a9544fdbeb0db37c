/*
 * clock.c - ends a process whose job has used too much CPU time.
 *
 * One timer runs for good over the CPU time of the process, so that a job costs no system
 * call for it: the signal comes every quarter of the limit, and four full quarters
 * within one job are the limit.  What a job may use is thus 1 to 1.25 times the limit.
 */
#include "src/inspector/inspector.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#define QUARTERS 4

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
	} else if (c->job % 2 == 1 && ++c->quarters >= QUARTERS) {
		_exit(END_CPU);
	}
}

void
clock_start(struct inspector *i)
{
	struct sigaction action = { .sa_sigaction = on_quarter,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU,
		.sigev_value.sival_ptr = &i->clock };
	uint64_t ms = i->cpu_ms / QUARTERS;
	struct timespec quarter = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	timer_t timer;

	if (ms == 0)
		return;
	if (sigaction(SIGXCPU, &action, NULL) < 0
	    || timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer) < 0
	    || timer_settime(timer, 0, &(struct itimerspec){ quarter, quarter }, NULL) < 0)
		end(i, END_BROKEN, strerror(errno));
}
