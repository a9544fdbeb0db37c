/*
 * setup.c - from SETUP to READY.
 */
#include "src/inspector/inspector.h"
#include "lib/config/settings.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS 32  /* the sockets, a message, an answer, and what libraries opened */

enum { FD_BUNDLE = 0, FD_COUNTERS, FD_LOG, FD_LEDGER, FD_COUNT };

/* The master has checked it: that it cannot be read here is a broken promise.  The tree
   stays, for the patterns. */
static const struct settings *
load(struct span bytes, struct pattern_set **patterns, struct arena *arena)
{
	struct complaints complaints = { 0 };
	struct config_source *source = bundle_source(bytes, arena);
	const struct settings *settings = NULL;
	bool ok = false;

	if (source != NULL) {
		const struct node *tree = tree_parse(source, bundle_first(source), arena,
		    &complaints, &ok);

		settings = ok ? settings_load(tree, arena, &complaints) : NULL;
		*patterns = ok ? patterns_compile(tree, arena, &complaints) : NULL;
	}
	buf_free(&complaints.text);
	return settings;
}

/* Whatever has to be opened to look into messages is opened now. */
static void
open_tools(struct inspector *i, struct pattern_set *patterns)
{
	dig_keep_memory();
	dig_tools_open(&i->tools);
	if (patterns->count == 0)
		return;
	patterns_prepare(patterns, &i->kept);
	i->tools.patterns = patterns;
}

static void
configure(struct inspector *i, int bundle)
{
	struct pattern_set *patterns = NULL;
	struct span bytes = { 0 };
	const struct settings *s = NULL;

	bytes.ptr = ipc_map(bundle, &bytes.len, false);
	if (bytes.ptr != NULL)
		s = load(arena_span(&i->kept, bytes), &patterns, &i->kept);
	if (s == NULL || patterns == NULL)
		end(i, END_BROKEN, "the configuration cannot be read");
	i->memory = s->inspector_memory;
	i->cpu_ms = s->inspector_cpu;
	i->jobs_left = s->inspector_jobs;
	open_tools(i, patterns);
	i->configured = true;
	munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
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

/* Memory in a descriptor is not counted as this process's: so few, and none is larger
   than an answer. */
static void
limit_descriptors(void)
{
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ PACKET_LARGE_BYTES, PACKET_LARGE_BYTES });
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ DESCRIPTORS, DESCRIPTORS });
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
	limit_descriptors();
	if (sandbox_enter(&sandbox, &missing, &err) != ST_OK)
		end(i, END_SANDBOX, err.text);
	close(i->log.fd);
	i->log.fd = -1;
	i->started = true;
	pack_span(&ready, buf_span(&missing));
	buf_free(&missing);
	answer_send(i, i->master, &ready);
}
