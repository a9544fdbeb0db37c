/*
 * command.c - the last steps before the program: folder, environment, limits, sandbox.
 *
 * What the mail says (its sender) reaches the program in its environment only, never in
 * its arguments: those are the configuration's.
 */
#include "src/runner/runner.h"
#include "sys/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GIB             (UINT64_C(1) << 30)
#define MEMORY_BYTES    (4 * GIB)       /* address space of each process */
#define FILE_BYTES      GIB
#define PROCESSES       1024            /* of all commands together, threads too */
#define FILES           1024
#define CPU_MORE_S      2
#define SEARCH_PATH     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* NAME=value; what is no printable text becomes `?', so that a line stays a line. */
static char *
variable(struct arena *arena, const char *name, struct span value)
{
	char *text = arena_printf(arena, "%s=%.*s", name, (int)value.len,
	    value.len > 0 ? (const char *)value.ptr : "");

	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return text;
}

static char **
environment(const struct guard_order *o, struct arena *arena)
{
	char **all = arena_array(arena, char *, 8);
	struct span folder = span_text(o->folder);
	size_t n = 0;

	all[n++] = variable(arena, "PATH", span_text(SEARCH_PATH));
	all[n++] = variable(arena, "LANG", span_text("C"));
	all[n++] = variable(arena, "TMPDIR", folder);
	all[n++] = variable(arena, "HOME", folder);
	all[n++] = variable(arena, "SALLYPORT_ID", o->run->id);
	all[n++] = variable(arena, "SALLYPORT_SENDER", o->run->sender);
	all[n++] = variable(arena, "SALLYPORT_CLIENT", o->run->client);
	return all;
}

static char **
arguments(const struct scanner *s, struct arena *arena)
{
	char **all = arena_array(arena, char *, s->command.count + 1);

	for (size_t i = 0; i < s->command.count; i++)
		all[i] = arena_text(arena, s->command.items[i]);
	return all;
}

static void
limit(__rlimit_resource_t what, uint64_t soft, uint64_t hard)
{
	struct rlimit now;

	if (getrlimit(what, &now) < 0)
		return;
	if (hard > now.rlim_max)
		hard = now.rlim_max;
	setrlimit(what, &(struct rlimit){ soft < hard ? soft : hard, hard });
}

/* The number of processes counts all of one user: a limit only where that is ours alone. */
static void
set_limits(const struct guard_order *o)
{
	uint64_t cpu = o->scanner->timeout / 1000 + CPU_MORE_S;

	limit(RLIMIT_CPU, cpu, cpu + 1);
	limit(RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES);
	limit(RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES);
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_NOFILE, FILES, FILES);
	if (o->own_user)
		limit(RLIMIT_NPROC, PROCESSES, PROCESSES);
}

static void
plain_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The runner has said at its start what is missing on this machine. */
static enum status
lock_in(const struct guard_order *o, struct error *err)
{
	const struct sandbox_path paths[] = {
		{ .path = "/", .executable = true },
		{ .path = o->folder, .writable = true },
		{ .path = "/dev/null", .writable = true, .file = true },
	};
	struct sandbox sandbox = { .profile = SANDBOX_COMMAND, .paths = paths,
		.path_count = COUNT_OF(paths), .network = o->scanner->network,
		.required = o->required };
	struct buf missing = { 0 };
	enum status st = sandbox_enter(&sandbox, &missing, err);

	buf_free(&missing);
	return st;
}

void
command_execute(const struct guard_order *o, char why[RUN_WHY_BYTES])
{
	struct arena arena = { 0 };
	char **argv = arguments(o->scanner, &arena), **envp = environment(o, &arena);
	struct error err;

	setsid();
	umask(077);
	if (chdir(o->folder) < 0 || dup2(o->message, 0) < 0 || dup2(o->output, 1) < 0 ||
	    dup2(o->output, 2) < 0) {
		snprintf(why, RUN_WHY_BYTES, "cannot prepare: %s", strerror(errno));
		return;
	}
	if (lock_in(o, &err) != ST_OK) {
		snprintf(why, RUN_WHY_BYTES, "sandbox: %s", err.text);
		return;
	}
	set_limits(o);
	plain_signals();
	execve(argv[0], argv, envp);
	snprintf(why, RUN_WHY_BYTES, "cannot execute %.300s: %s", argv[0], strerror(errno));
}
