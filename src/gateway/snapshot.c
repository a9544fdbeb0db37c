/*
 * snapshot.c - one configuration, read from the master's bundle.
 */
#include "src/gateway/gateway.h"
#include "src/gateway/hop.h"
#include "sys/ipc.h"
#include <sys/mman.h>
#include <unistd.h>

struct snapshot *
snapshot_hold(struct snapshot *s)
{
	s->refs++;
	return s;
}

void
snapshot_drop(struct snapshot *s)
{
	if (--s->refs > 0)
		return;
	if (s->counters != NULL)
		munmap(s->counters, s->counters_bytes);
	if (s->bundle != NULL)
		munmap(s->bundle, s->bundle_bytes);
	policy_release(s->policies);
	arena_free(&s->arena);
	free(s);
}

/* The same reading as the master's, who has checked it: what fails here is our bug. */
static enum status
read_bundle(struct gateway *g, struct snapshot *s, struct error *err)
{
	struct complaints complaints = { 0 };
	struct config_source *source;
	struct settings *settings = NULL;
	struct node *tree = NULL;
	bool ok = false;

	source = bundle_source((struct span){ s->bundle, s->bundle_bytes }, &s->arena);
	if (source != NULL)
		tree = tree_parse(source, bundle_first(source), &s->arena, &complaints, &ok);
	if (ok)
		settings = settings_load(tree, &s->arena, &complaints);
	if (settings != NULL) {
		settings_host(settings, g->hostname, &s->arena);
		s->policies = policy_compile(settings, &s->arena, &complaints);
	}
	s->settings = settings;
	if (s->policies != NULL)
		return ST_OK;
	fail(err, ST_PERM, "gateway", "the configuration cannot be read: %.150s",
	    buf_text(&complaints.text));
	buf_free(&complaints.text);
	return ST_PERM;
}

static void
make_doors(struct gateway *g, struct snapshot *s)
{
	size_t n = s->settings->listener_count;

	s->doors = arena_array(&s->arena, struct door, n > 0 ? n : 1);
	for (size_t i = 0; i < n; i++) {
		const struct listener *l = &s->settings->listeners[i];
		enum hop_kind kind = l->next_hop.kind;

		s->doors[i].listener = l;
		s->doors[i].policy = policy_find(s->policies, span_text(l->policy));
		s->doors[i].digs = policy_digs(s->doors[i].policy);
		if (kind == HOP_SMTP || kind == HOP_LMTP)
			s->doors[i].pool = hop_pool_get(g, l, NULL);
	}
}

static enum status
map_counters(struct snapshot *s, int fd, struct error *err)
{
	s->counters = ipc_map(fd, &s->counters_bytes, true);
	if (s->counters == NULL || s->counters_bytes < counters_bytes(0))
		return fail(err, ST_PERM, "gateway", "no counters page");
	if (s->counters->rule_count >
	    (s->counters_bytes - counters_bytes(0)) / sizeof s->counters->rules[0])
		return fail(err, ST_PERM, "gateway", "the counters page is too small");
	return ST_OK;
}

struct snapshot *
snapshot_load(struct gateway *g, struct span revision, int bundle, int counters,
    struct error *err)
{
	struct snapshot *s = must_alloc(sizeof *s);
	enum status st;

	s->refs = 1;
	s->generation = g->generation;
	s->revision = arena_text(&s->arena, revision);
	s->bundle = ipc_map(bundle, &s->bundle_bytes, false);
	st = s->bundle == NULL ? fail(err, ST_PERM, "gateway", "no configuration bundle") :
	    map_counters(s, counters, err);
	if (st == ST_OK)
		st = read_bundle(g, s, err);
	close(bundle);
	close(counters);
	if (st != ST_OK) {
		snapshot_drop(s);
		return NULL;
	}
	make_doors(g, s);
	return s;
}
