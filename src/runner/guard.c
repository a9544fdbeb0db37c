/*
 * guard.c - the process between the runner and one command.
 *
 * It waits for three things at once, by their signals: the end of the command, the end of
 * its time, and word from the runner, or its death (SIGTERM).  Then nothing of the command
 * may go on: its process group is killed, and as processes that have left the group become
 * children of the guard when their parents die (it is their subreaper), it kills what it
 * finds as its children until there is none.  Only then it reports, so that by then all
 * output is written; and cleans up after that.
 *
 * What can escape: a process that is stuck in the kernel (a dead network file system), for
 * as long as it is; and where the guard itself is killed, what has left the command's
 * group by then, until the runner has found it.
 */
#include "src/runner/folder.h"
#include "src/runner/runner.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_FD   3            /* message, output, report; behind them nothing */
#define LOOK_MS    20

struct guard {
	struct guard_order order;
	pid_t              command;     /* 0: none, or reaped */
	int                folder, children;
	sigset_t           signals;
	struct run_report  report;
};

static void
guard_failed(struct guard *g, const char *what)
{
	g->report.how = COMMAND_NOT_STARTED;
	snprintf(g->report.why, sizeof g->report.why, "%s: %s", what, strerror(errno));
}

/* The descriptors of other runs and of the runner's sockets are not for here. */
static bool
arrange_descriptors(struct guard_order *o)
{
	int *const fds[] = { &o->message, &o->output, &o->report };

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		if ((*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 64)) < 0)
			return false;
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		if (dup3(*fds[i], FIRST_FD + (int)i, O_CLOEXEC) < 0)
			return false;
		*fds[i] = FIRST_FD + (int)i;
	}
	return close_range(FIRST_FD + COUNT_OF(fds), ~0u, 0) == 0;
}

static void
arrange_signals(struct guard *g)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&g->signals);
	sigaddset(&g->signals, SIGCHLD);
	sigaddset(&g->signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &g->signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != g->order.runner)
		_exit(0);
}

/* In the child; a program that is executed closes `failure'. */
static void __attribute__((noreturn))
be_command(const struct guard *g, int failure)
{
	char why[RUN_WHY_BYTES] = "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	command_execute(&g->order, why);
	if (write(failure, why, sizeof why) < 0)
		_exit(126);
	_exit(127);
}

static bool
start(struct guard *g)
{
	int failure[2];

	if (pipe2(failure, O_CLOEXEC) < 0 || (g->command = fork()) < 0) {
		g->command = 0;
		guard_failed(g, "cannot fork");
		return false;
	}
	if (g->command == 0)
		be_command(g, failure[1]);
	close(failure[1]);
	bool failed = read(failure[0], g->report.why, sizeof g->report.why) > 0;

	close(failure[0]);
	if (failed)
		g->report.how = COMMAND_NOT_STARTED;
	return !failed;
}

/* The next signal; 0 when the time has come. */
static int
wait_signal(const struct guard *g, uint64_t until_ms)
{
	uint64_t now = clock_ms(), left = until_ms > now ? until_ms - now : 0;
	struct timespec wait = { (time_t)(left / 1000), (long)(left % 1000 * 1000000) };
	int sig = sigtimedwait(&g->signals, NULL, &wait);

	return sig > 0 ? sig : 0;
}

/* Not taken away yet: so its number stays that of its group. */
static bool
has_ended(const struct guard *g)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)g->command, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == g->command;
}

/* Orphans that came to us. */
static void
reap_others(const struct guard *g)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || info.si_pid == g->command)
			return;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* False: it is to be ended, as its time is over or nobody wants it. */
static bool
wait_command(struct guard *g, uint64_t until_ms)
{
	while (!has_ended(g)) {
		int sig = wait_signal(g, until_ms);

		if (sig == SIGTERM || (sig == 0 && clock_ms() >= until_ms))
			return false;
		reap_others(g);
	}
	return true;
}

static void
take_time(struct guard *g)
{
	uint64_t now = clock_ms();

	g->report = (struct run_report){ COMMAND_TIMED_OUT, 0, "" };
	kill(-g->command, SIGTERM);
	wait_command(g, now + RUN_GRACE_MS);
}

static void
kill_children(int children)
{
	char text[4096], *at = text, *end;
	ssize_t n = pread(children, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (;;) {
		long pid = strtol(at, &end, 10);

		if (end == at || *end == '\0')
			return;         /* each is followed by a blank, if it is whole */
		kill((pid_t)pid, SIGKILL);
		at = end;
	}
}

static void
note_end(struct guard *g, int status)
{
	g->command = 0;
	if (g->report.how == COMMAND_TIMED_OUT || g->report.how == COMMAND_NOT_STARTED)
		return;
	g->report.how = WIFSIGNALED(status) ? COMMAND_KILLED : COMMAND_EXITED;
	g->report.number = (uint32_t)(WIFSIGNALED(status) ? WTERMSIG(status)
							  : WEXITSTATUS(status));
}

/* Everything that came of the command. */
static void
end_all(struct guard *g)
{
	uint64_t until_ms = clock_ms() + RUN_END_MS;
	int status;

	if (g->command > 0)
		kill(-g->command, SIGKILL);
	while (clock_ms() < until_ms) {
		kill_children(g->children);
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0 && pid == g->command)
			note_end(g, status);
		if (pid == 0)
			wait_signal(g, clock_ms() + LOOK_MS);
	}
}

static void
run_command(struct guard *g)
{
	uint64_t until_ms = clock_ms() + run_time(g->order.scanner, g->order.run);

	if (start(g) && !wait_command(g, until_ms) && clock_ms() >= until_ms)
		take_time(g);
}

static int
open_children(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	return open(path, O_RDONLY | O_CLOEXEC);
}

void
guard(const struct guard_order *order)
{
	/* what is left to be said of one that does not end */
	struct guard g = { .order = *order, .report = { COMMAND_KILLED, SIGKILL, "" } };

	arrange_signals(&g);
	if (!arrange_descriptors(&g.order))
		_exit(1);
	g.folder = folder_make(order->folder);
	g.children = open_children();
	if (g.folder < 0)
		guard_failed(&g, "cannot make its folder");
	else
		run_command(&g);
	end_all(&g);
	ssize_t n = write(g.order.report, &g.report, sizeof g.report);

	if (g.folder >= 0)
		folder_remove(g.folder, order->folder);
	_exit(n == sizeof g.report ? 0 : 1);
}
