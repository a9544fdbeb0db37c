/*
 * run.c - one run of a command, as the runner sees it: a guard and two pipes.
 */
#include "src/runner/runner.h"
#include "sys/ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES   65536
#define DRAIN_READS  32         /* a pipe can be made to hold 1 MiB, and no more */
#define CLEAN_MS     60000      /* for a folder; the rest is for the next start */
#define SWEEP_MS     10000

/* --- the end ------------------------------------------------------------------------ */

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
run_over(struct run *run)
{
	close_end(&run->output);
	close_end(&run->report);
	buf_free(&run->kept);
	*run = (struct run){ .output = -1, .report = -1 };
}

static void
send_end(struct runner *r, uint32_t serial, const struct command_end *end)
{
	struct pack p = packet_begin(r->answer, PACKET_RAN, serial);

	packet_put_ran(&p, end);
	runner_send(r, &p);
}

static void
answer(struct runner *r, struct run *run)
{
	const struct command_end end = { .how = (enum command_how)run->end.how,
		.number = run->end.number, .why = span_text(run->end.why),
		.output = buf_span(&run->kept), .cut = run->cut };

	send_end(r, run->serial, &end);
	run->state = RUN_LEAVING;
	run->kill_ms = clock_ms() + CLEAN_MS;
	buf_free(&run->kept);
	close_end(&run->output);
}

static bool
has_room(const struct runner *r)
{
	return ipc_has_room(r->gateway);
}

void
runs_answer(struct runner *r)
{
	for (size_t i = 0; i < r->run_count && has_room(r); i++)
		if (r->runs[i].state == RUN_ANSWERED)
			answer(r, &r->runs[i]);
	/* those whose guard has gone in the meantime */
	for (size_t i = 0; i < r->run_count; i++)
		if (r->runs[i].state == RUN_LEAVING && r->runs[i].report < 0)
			run_over(&r->runs[i]);
}

/* --- output and report -------------------------------------------------------------- */

/* False: nothing more for now. */
static bool
read_output(struct run *run)
{
	static uint8_t bytes[READ_BYTES];       /* one at a time */
	ssize_t n = run->output >= 0 ? read(run->output, bytes, sizeof bytes) : -1;
	size_t room = COMMAND_OUTPUT_BYTES - buf_len(&run->kept);

	if (n == 0)
		close_end(&run->output);
	if (n <= 0)
		return false;
	run->cut |= (size_t)n > room;
	buf_add(&run->kept, (struct span){ bytes, (size_t)n < room ? (size_t)n : room });
	return true;
}

static void
reported(struct runner *r, struct run *run)
{
	for (unsigned i = 0; i < DRAIN_READS && read_output(run); i++)
		;
	close_end(&run->output);
	run->end.why[RUN_WHY_BYTES - 1] = '\0';
	run->state = RUN_ANSWERED;
}

/* Somebody killed it, we because it was late, or the system for its memory. */
static void
guard_died(struct runner *r, struct run *run)
{
	bool late = clock_ms() >= run->kill_ms;

	run->end.how = late ? COMMAND_TIMED_OUT : COMMAND_NOT_STARTED;
	snprintf(run->end.why, sizeof run->end.why, "%s", "the command's guard was killed");
	log_event(&r->log, EVENT_SCANNER, LOG_IS_WARNING, "scanner",
	    r->settings->scanners[run->scanner].name, "fault", late
	    ? "a command did not end" : run->end.why, NULL);
	r->sweep_ms = clock_ms() + SWEEP_MS;
	reported(r, run);
}

static void
guard_ended(struct runner *r, struct run *run)
{
	close_end(&run->report);
	waitpid(run->guard, NULL, 0);   /* it has closed all, so it is about to go */
	run->guard = 0;
	if (run->state == RUN_ACTIVE)
		guard_died(r, run);
	else if (run->state == RUN_LEAVING)
		run_over(run);
}

static void
read_report(struct runner *r, struct run *run)
{
	struct run_report report;
	ssize_t n = read(run->report, &report, sizeof report);

	if (n < 0)
		return;
	if (n == 0) {
		guard_ended(r, run);
		return;
	}
	if (run->state == RUN_ACTIVE && n == sizeof report) {
		run->end = report;
		reported(r, run);
	}
}

void
run_read(struct runner *r, struct run *run)
{
	if (run->state == RUN_ACTIVE)
		read_output(run);
	if (run->report >= 0)
		read_report(r, run);
}

/* --- the beginning ------------------------------------------------------------------ */

static void
refuse(struct runner *r, uint32_t serial, const char *why)
{
	const struct command_end end = { .how = COMMAND_NOT_STARTED, .why = span_text(why) };

	send_end(r, serial, &end);
}

/* As many as there are slots may work, and as many clean up. */
static struct run *
find_free(struct runner *r, uint32_t scanner)
{
	uint64_t slots = r->settings->scanners[scanner].slots, working = 0, leaving = 0;
	struct run *found = NULL;

	for (size_t i = 0; i < r->run_count; i++) {
		struct run *run = &r->runs[i];

		if (run->state == RUN_FREE)
			found = run;
		else if (run->scanner == scanner && run->state == RUN_LEAVING)
			leaving++;
		else if (run->scanner == scanner)
			working++;
	}
	return working < slots && leaving < slots ? found : NULL;
}

static bool
make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0)
		return true;
	close(fds[0]);
	close(fds[1]);
	return false;
}

static bool
make_pipes(int output[2], int report[2])
{
	if (!make_pipe(output))
		return false;
	if (make_pipe(report))
		return true;
	close(output[0]);
	close(output[1]);
	return false;
}

/* The pid of the guard, or -1. */
static pid_t
fork_guard(struct runner *r, const struct packet_run *what, int message, int output,
    int report)
{
	char folder[PATH_MAX];
	const struct guard_order order = { .scanner = &r->settings->scanners[what->scanner],
		.run = what, .folder = folder, .message = message, .output = output,
		.report = report, .runner = getpid(), .own_user = r->own_user,
		.required = r->setup.sandbox == SANDBOX_REQUIRED };
	int n = snprintf(folder, sizeof folder, "%s/%u-%d-%ju", r->settings->runner_directory,
	    (unsigned)r->setup.index, (int)getpid(), (uintmax_t)++r->unique);
	pid_t pid = n > 0 && (size_t)n < sizeof folder ? fork() : -1;

	if (pid == 0)
		guard(&order);
	return pid;
}

void
run_start(struct runner *r, uint32_t serial, const struct packet_run *what, int message)
{
	struct run *run = find_free(r, what->scanner);
	int output[2], report[2];

	if (run == NULL) {
		refuse(r, serial, "too many commands run at once");
		return;
	}
	if (!make_pipes(output, report)) {
		refuse(r, serial, "no more descriptors");
		return;
	}
	pid_t pid = fork_guard(r, what, message, output[1], report[1]);

	close(output[1]);
	close(report[1]);
	*run = (struct run){ .state = RUN_ACTIVE, .serial = serial, .guard = pid,
		.scanner = what->scanner, .output = output[0], .report = report[0],
		.kill_ms = clock_ms() + RUN_GUARD_MS +
		    run_time(&r->settings->scanners[what->scanner], what) };
	if (pid < 0) {
		run_over(run);
		refuse(r, serial, "no process can be made");
	}
}

void
run_cease(struct runner *r, uint32_t serial)
{
	for (size_t i = 0; i < r->run_count; i++) {
		struct run *run = &r->runs[i];

		if (run->serial != serial ||
		    (run->state != RUN_ACTIVE && run->state != RUN_ANSWERED))
			continue;
		if (run->guard > 0)
			kill(run->guard, SIGTERM);
		run->state = RUN_LEAVING;
		run->kill_ms = clock_ms() + CLEAN_MS;
		buf_free(&run->kept);
		close_end(&run->output);
		return;
	}
}

/* --- time --------------------------------------------------------------------------- */

static bool
is_guard(const struct runner *r, pid_t pid)
{
	for (size_t i = 0; i < r->run_count; i++)
		if (r->runs[i].state != RUN_FREE && r->runs[i].guard == pid)
			return true;
	return false;
}

/* What a guard that was killed left behind has become ours. */
static void
sweep(const struct runner *r)
{
	char path[64];
	long pid;
	siginfo_t info;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "re");

	while (file != NULL && fscanf(file, "%ld", &pid) == 1)
		if (!is_guard(r, (pid_t)pid))
			kill((pid_t)pid, SIGKILL);
	if (file != NULL)
		fclose(file);
	for (size_t i = 0; i < r->run_count; i++) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || is_guard(r, info.si_pid))
			break;
		waitpid(info.si_pid, NULL, 0);
	}
}

void
runs_tick(struct runner *r)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < r->run_count; i++)
		if (r->runs[i].state != RUN_FREE && r->runs[i].guard > 0 &&
		    now >= r->runs[i].kill_ms)
			kill(r->runs[i].guard, SIGKILL);
	if (now < r->sweep_ms)
		sweep(r);
}

void
runs_end(struct runner *r)
{
	uint64_t until_ms = clock_ms() + RUN_END_MS + 500;

	for (size_t i = 0; i < r->run_count; i++)
		if (r->runs[i].state != RUN_FREE && r->runs[i].guard > 0)
			kill(r->runs[i].guard, SIGTERM);
	while (clock_ms() < until_ms && (waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR))
		usleep(5000);
}
