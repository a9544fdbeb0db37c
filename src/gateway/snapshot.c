/*
 * snapshot.c - one configuration, read from the master's bundle.
 */
#include "src/gateway/gateway.h"
#include "src/gateway/hop.h"
#include "src/gateway/runlink.h"
#include "src/gateway/scanner.h"
#include "sys/ipc.h"
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

struct snapshot *
snapshot_hold(struct snapshot *s)
{
	s->refs++;
	return s;
}

static struct scanner_row *
scanner_row(const struct snapshot *s, size_t i)
{
	return counters_scanner(s->counters, s->policies->slots, i);
}

static void
drop_pools(struct snapshot *s)
{
	for (size_t i = 0; s->pools != NULL && i < s->settings->scanner_count; i++) {
		scanner_pool_drop(s->pools[i], scanner_row(s, i));
		if (s->commands[i].pattern != NULL)
			regex_release((struct regex *)(uintptr_t)s->commands[i].pattern);
	}
}

void
snapshot_drop(struct snapshot *s)
{
	if (--s->refs > 0)
		return;
	drop_pools(s);
	runners_forget(s->gateway->runners, s->generation);
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

static uint64_t
scanners_of(const struct settings *s, const struct policy *p)
{
	uint64_t scanners = 0;

	for (size_t i = 0; i < s->scanner_count; i++) {
		struct fact_set gives = scanner_type_gives(s->scanners[i].type);

		if (fact_set_meets(&p->facts, &gives))
			scanners |= UINT64_C(1) << i;
	}
	return scanners;
}

/* A verdict cache needs the content's key, whatever the rules ask for. */
static unsigned
wishes_of(const struct settings *s, const struct policy *p, uint64_t scanners)
{
	unsigned wishes = policy_wishes(p);

	for (size_t i = 0; i < s->scanner_count; i++)
		if ((scanners >> i & 1) != 0 && s->scanners[i].cache > 0)
			wishes |= WISH_STRUCTURE | WISH_PARTS | WISH_KEY;
	return wishes;
}

static bool
differs_per_recipient(const struct policy *p)
{
	for (size_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].per_recipient)
			return true;
	return false;
}

static void
make_rules(const struct scanner *c, struct command_rules *rules, struct arena *arena)
{
	const struct regex_text *text = &c->infected_pattern;
	struct regex *pattern = NULL;
	struct regex_fault fault;

	if (text->text.len > 0)
		pattern = regex_compile(text->text, text->flags, arena, &fault);
	assert(pattern != NULL || text->text.len == 0);        /* policy_compile checked it */
	if (pattern != NULL)
		regex_speed_up(pattern);
	*rules = (struct command_rules){ c->clean_status, c->infected_status,
		c->unscannable_status, pattern };
}

static void
make_pools(struct gateway *g, struct snapshot *s)
{
	size_t n = s->settings->scanner_count;

	s->pools = arena_array(&s->arena, struct scanner_pool *, n > 0 ? n : 1);
	s->commands = arena_array(&s->arena, struct command_rules, n > 0 ? n : 1);
	for (size_t i = 0; i < n; i++) {
		const struct scanner *c = &s->settings->scanners[i];

		s->pools[i] = scanner_pool_hold(g->scanners, c, scanner_row(s, i));
		if (c->type == SCANNER_TYPE_COMMAND)
			make_rules(c, &s->commands[i], &s->arena);
	}
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
		s->doors[i].scanners = scanners_of(s->settings, s->doors[i].policy);
		s->doors[i].wishes = wishes_of(s->settings, s->doors[i].policy,
		    s->doors[i].scanners);
		s->doors[i].per_recipient = differs_per_recipient(s->doors[i].policy);
		if (kind == HOP_SMTP || kind == HOP_LMTP)
			s->doors[i].pool = hop_pool_get(g, l, NULL);
	}
}

static enum status
map_counters(struct snapshot *s, int fd, struct error *err)
{
	s->counters = ipc_map(fd, &s->counters_bytes, true);
	if (s->counters == NULL || s->counters_bytes < counters_bytes(0, 0))
		return fail(err, ST_PERM, "gateway", "no counters page");
	return ST_OK;
}

static enum status
check_counters(const struct snapshot *s, struct error *err)
{
	if (s->counters_bytes < counters_bytes(s->policies->slots, s->settings->scanner_count))
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
	s->gateway = g;
	s->revision = arena_text(&s->arena, revision);
	s->bundle = ipc_map(bundle, &s->bundle_bytes, false);
	st = s->bundle == NULL ? fail(err, ST_PERM, "gateway", "no configuration bundle") :
	    map_counters(s, counters, err);
	if (st == ST_OK)
		st = read_bundle(g, s, err);
	if (st == ST_OK)
		st = check_counters(s, err);
	close(bundle);
	close(counters);
	if (st != ST_OK) {
		snapshot_drop(s);
		return NULL;
	}
	make_doors(g, s);
	make_pools(g, s);
	return s;
}
