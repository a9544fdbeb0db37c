/*
 * setup.c - from SETUP to READY.
 */
#include "src/runner/runner.h"
#include "src/runner/folder.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FD_BUNDLE = 0, FD_COUNTERS, FD_LOG, FD_LEDGER, FD_COUNT };

/* The master has checked it: that it cannot be read here is a broken promise. */
static const struct settings *
load(struct span bytes, struct arena *arena)
{
	struct complaints complaints = { 0 };
	struct config_source *source = bundle_source(bytes, arena);
	const struct settings *settings = NULL;
	const struct node *tree = NULL;
	bool ok = false;

	if (source != NULL)
		tree = tree_parse(source, bundle_first(source), arena, &complaints, &ok);
	if (ok)
		settings = settings_load(tree, arena, &complaints);
	buf_free(&complaints.text);
	return settings;
}

/* Each slot can hold a run, and the cleaning up after the one before. */
static void
make_runs(struct runner *r)
{
	uint64_t slots = 0;

	for (size_t i = 0; i < r->settings->scanner_count; i++)
		if (r->settings->scanners[i].type == SCANNER_TYPE_COMMAND)
			slots += r->settings->scanners[i].slots;
	r->run_count = slots < RUNS_MAX / 2 ? 2 * (size_t)slots : RUNS_MAX;
	r->runs = arena_array(&r->kept, struct run, r->run_count);
}

static void
configure(struct runner *r, int bundle)
{
	struct span bytes = { 0 };

	bytes.ptr = ipc_map(bundle, &bytes.len, false);
	if (bytes.ptr != NULL)
		r->settings = load(arena_span(&r->kept, bytes), &r->kept);
	if (r->settings == NULL)
		runner_stop(r, END_BROKEN, "the configuration cannot be read");
	make_runs(r);
	r->configured = true;
	munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
}

void
setup_take(struct runner *r, struct unpack *body, const int *fds, size_t fd_count)
{
	if (r->configured || !packet_take_setup(body, &r->setup) || fd_count != FD_COUNT)
		runner_stop(r, END_BROKEN, "SETUP is not as it should be");
	snprintf(r->name, sizeof r->name, "%s/%u", process_name(PROCESS_RUNNER),
	    (unsigned)r->setup.index);
	r->log = (struct log){ .fd = fds[FD_LOG], .target = r->setup.log_target,
		.name = r->name };
	configure(r, fds[FD_BUNDLE]);
	close(fds[FD_BUNDLE]);
	close(fds[FD_COUNTERS]);
	close(fds[FD_LEDGER]);
}

static bool
any_network(const struct settings *s)
{
	for (size_t i = 0; i < s->scanner_count; i++)
		if (s->scanners[i].type == SCANNER_TYPE_COMMAND && s->scanners[i].network)
			return true;
	return false;
}

/* The master is root, and we are not. */
static bool
has_own_user(void)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d", (int)getppid());
	return stat(path, &st) == 0 && st.st_uid != geteuid();
}

/* The log stays: it tells of guards that were killed. */
void
setup_finish(struct runner *r)
{
	if (!r->configured)
		runner_stop(r, END_BROKEN, "START came before SETUP");
	const char *directory = r->settings->runner_directory;
	const struct sandbox_path paths[] = {
		{ .path = "/", .executable = true },
		{ .path = directory, .writable = true },
		{ .path = "/dev/null", .writable = true, .file = true },
	};
	struct sandbox sandbox = { .profile = SANDBOX_RUNNER, .paths = paths,
		.path_count = COUNT_OF(paths), .network = any_network(r->settings),
		.required = r->setup.sandbox == SANDBOX_REQUIRED };
	struct pack ready = packet_begin(r->answer, PACKET_READY, 0);
	struct buf missing = { 0 };
	struct error err;

	r->own_user = has_own_user();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	folder_remove_old(directory);
	if (sandbox_enter(&sandbox, &missing, &err) != ST_OK)
		runner_stop(r, END_SANDBOX, err.text);
	r->started = true;
	pack_span(&ready, buf_span(&missing));
	buf_free(&missing);
	ipc_send(r->master, (struct span){ ready.ptr, ready.len }, NULL, 0);
}
