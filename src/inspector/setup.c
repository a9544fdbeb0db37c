/*
 * setup.c - from SETUP to READY.
 */
#include "src/inspector/inspector.h"
#include "lib/config/settings.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FD_BUNDLE = 0, FD_COUNTERS, FD_LOG, FD_LEDGER, FD_COUNT };

/* The master has checked it: that it cannot be read here is a broken promise. */
static const struct settings *
load(struct span bytes, struct arena *arena)
{
	struct complaints complaints = { 0 };
	struct config_source *source = bundle_source(bytes, arena);
	const struct settings *settings = NULL;
	bool ok = false;

	if (source != NULL) {
		const struct node *tree = tree_parse(source, bundle_first(source), arena,
		    &complaints, &ok);

		settings = ok ? settings_load(tree, arena, &complaints) : NULL;
	}
	buf_free(&complaints.text);
	return settings;
}

/* Only numbers are kept; what else is in the configuration is no business of ours. */
static void
configure(struct inspector *i, int bundle)
{
	struct arena arena = { 0 };
	size_t size = 0;
	void *map = ipc_map(bundle, &size, false);
	const struct settings *s = map == NULL ? NULL
	    : load((struct span){ map, size }, &arena);

	if (s == NULL)
		end(i, END_BROKEN, "the configuration cannot be read");
	i->memory = s->inspector_memory;
	i->cpu_ms = s->inspector_cpu;
	i->jobs_left = s->inspector_jobs;
	i->configured = true;
	arena_free(&arena);
	munmap(map, size);
}

void
setup_take(struct inspector *i, struct unpack *body, const int *fds, size_t fd_count)
{
	if (i->configured || !packet_take_setup(body, &i->setup) || fd_count != FD_COUNT)
		end(i, END_BROKEN, "SETUP is not as it should be");
	snprintf(i->name, sizeof i->name, "%s/%u", process_name(PROCESS_INSPECTOR),
	    (unsigned)i->setup.index);
	i->log = (struct log){ .fd = fds[FD_LOG], .target = i->setup.log_target,
		.name = i->name };
	configure(i, fds[FD_BUNDLE]);
	close(fds[FD_BUNDLE]);
	close(fds[FD_COUNTERS]);
	close(fds[FD_LEDGER]);
}

/* The log is given up too: faults of a job are for the gateway to tell. */
void
setup_finish(struct inspector *i)
{
	struct sandbox sandbox = { .profile = SANDBOX_INSPECTOR,
		.memory_limit = i->memory,
		.required = i->setup.sandbox == SANDBOX_REQUIRED };
	struct pack ready = packet_begin(i->answer, PACKET_READY, 0);
	struct buf missing = { 0 };
	struct error err;

	if (!i->configured)
		end(i, END_BROKEN, "START came before SETUP");
	if (clock_start(&i->clock, i->cpu_ms, END_CPU, &err) != ST_OK)
		end(i, END_BROKEN, err.text);
	if (sandbox_enter(&sandbox, &missing, &err) != ST_OK)
		end(i, END_SANDBOX, err.text);
	close(i->log.fd);
	i->log.fd = -1;
	i->started = true;
	pack_span(&ready, buf_span(&missing));
	buf_free(&missing);
	answer_send(i, i->master, &ready);
}
