/*
 * child.c - see child.h.
 */
#include "src/store/child.h"
#include "src/store/store.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <stdio.h>
#include <unistd.h>

#define MEMORY_LIMIT (2ull << 30)

struct settings *
settings_of_bundle(int fd, struct arena *a)
{
	struct complaints complaints = { 0 };
	struct settings *s = NULL;
	size_t len;
	bool ok = false;
	/* Mapped as long as the settings live, which may point into it. */
	const uint8_t *map = ipc_map(fd, &len, false);

	close(fd);
	if (map == NULL)
		return NULL;
	struct config_source *source = bundle_source((struct span){ map, len }, a);
	struct node *tree = source == NULL ? NULL :
	    tree_parse(source, bundle_first(source), a, &complaints, &ok);

	if (ok)
		s = settings_load(tree, a, &complaints);
	buf_free(&complaints.text);
	return s;
}

/* Those that exist or can be made; what is missing shows when it is used. */
static size_t
add_maildirs(const struct settings *s, struct sandbox_path *paths, struct log *log)
{
	struct error err;
	size_t n = 0;

	for (size_t i = 0; i < s->listener_count; i++) {
		const struct next_hop *hop = &s->listeners[i].next_hop;

		if (hop->kind != HOP_MAILDIR)
			continue;
		if (maildir_prepare(hop->path, &err) == ST_OK)
			paths[n++] = (struct sandbox_path){ .path = hop->path,
				.writable = true };
		else
			log_event(
			    log, EVENT_STORE, LOG_IS_ERROR, "error", err.text, NULL);
	}
	return n;
}

/* The reader writes too: to the shared memory by which SQLite knows its readers. */
enum status
child_enter(struct child *c, struct error *err)
{
	const struct settings *s = c->settings;
	struct sandbox_path *paths = must_alloc((s->listener_count + 2) * sizeof *paths);
	struct sandbox box = { .profile = SANDBOX_STORE, .paths = paths, .path_count = 1,
		.memory_limit = MEMORY_LIMIT, .required = c->required };

	paths[0] = (struct sandbox_path){ .path = s->state_directory, .writable = true };
	if (!c->reader) {
		paths[box.path_count++] =
		    (struct sandbox_path){ .path = s->quarantine_directory,
			.writable = true };
		box.path_count += add_maildirs(s, paths + box.path_count, &c->log);
	}
	enum status st = sandbox_enter(&box, &c->missing, err);

	free(paths);
	return st;
}

void
child_tell(enum packet_type type, uint32_t serial, const char *text)
{
	uint8_t bytes[4096];
	struct pack p = packet_begin_large(bytes, sizeof bytes, type, serial);

	if (text != NULL)
		pack_span_cut(&p, span_text(text), 2000);
	/* A master that does not listen finds out by its own clock. */
	ipc_send(MASTER_FD, (struct span){ bytes, p.len }, NULL, 0);
}
