/*
 * page.c - see page.h.
 */
#include "src/master/page.h"
#include "sys/ipc.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

struct page *
page_create(struct configuration *configuration, struct error *e)
{
	size_t slots = configuration->policies->slots;
	size_t scanners = configuration->settings->scanner_count;
	int fd = ipc_shared("counters", counters_bytes(slots, scanners));
	struct page *page = must_alloc(sizeof *page);

	page->fd = fd;
	page->configuration = configuration_hold(configuration);
	if (fd >= 0)
		page->counters = ipc_map(fd, &page->bytes, true);
	if (page->counters == NULL) {
		fail(e, ST_TEMP, "counters", "no memory: %s", strerror(errno));
		page_destroy(&page);
		return NULL;
	}
	page->counters->rule_count = slots;
	page->counters->scanner_count = scanners;
	return page;
}

void
page_destroy(struct page **pp)
{
	struct page *page = *pp;

	*pp = NULL;
	if (page == NULL)
		return;
	if (page->counters != NULL)
		munmap((void *)(uintptr_t)page->counters, page->bytes);
	if (page->fd >= 0)
		close(page->fd);
	configuration_drop(&page->configuration);
	free(page);
}

const volatile struct scanner_row *
page_scanner(const struct page *page, size_t index)
{
	struct counters *c = (struct counters *)(uintptr_t)page->counters;

	return counters_scanner(c, page->configuration->policies->slots, index);
}

static void
clear_scanner(volatile struct scanner_row *row)
{
	for (size_t i = SCANNER_FIRST_GAUGE; i < SCANNER_COUNTERS; i++)
		row->values[i] = 0;
	for (size_t i = 0; i < SCANNER_SERVERS; i++)
		row->servers[i].health = SERVER_IS_UNASKED;
}

void
page_clear_gauges(struct page *page)
{
	size_t scanners = page->configuration->settings->scanner_count;

	for (size_t i = COUNTER_FIRST_GAUGE; i < COUNTER_COUNT; i++)
		page->counters->values[i] = 0;
	for (size_t i = 0; i < scanners; i++)
		clear_scanner((volatile struct scanner_row *)(uintptr_t)page_scanner(page, i));
}

static struct rule_sum *
append_rule(struct sums *s, struct span policy, struct span rule, bool monitor)
{
	if (s->rule_count == s->rule_room) {
		s->rule_room = s->rule_room * 2 + 16;
		s->rules = must_realloc(s->rules, s->rule_room * sizeof *s->rules);
	}
	s->rules[s->rule_count] = (struct rule_sum){
		.policy = arena_text(&s->arena, policy),
		.rule = arena_text(&s->arena, rule),
		.monitor = monitor,
	};
	return &s->rules[s->rule_count++];
}

/* `likely` is where it stands if both are of one configuration. */
static struct rule_sum *
find_rule(struct sums *s, size_t likely, struct span policy, struct span rule)
{
	for (size_t i = 0; i < s->rule_count; i++) {
		struct rule_sum *sum = &s->rules[(likely + i) % s->rule_count];

		if (span_equal(span_text(sum->rule), rule) &&
		    span_equal(span_text(sum->policy), policy))
			return sum;
	}
	return NULL;
}

static void
add_rule(struct sums *s, size_t likely, const struct rule_sum *from)
{
	struct span policy = span_text(from->policy), rule = span_text(from->rule);
	struct rule_sum *sum = find_rule(s, likely, policy, rule);

	if (sum == NULL && s->configuration == NULL)
		sum = append_rule(s, policy, rule, from->monitor);
	for (size_t i = 0; i < RULE_COUNTERS && sum != NULL; i++)
		sum->values[i] += from->values[i];
}

/* Scanners are few: by name and type, as rules are by name. */
static void
add_scanner(struct sums *s, const struct scanner_sum *from)
{
	struct scanner_sum *to = NULL;

	for (size_t i = 0; i < s->scanner_count && to == NULL; i++)
		if (s->scanners[i].type == from->type &&
		    strcmp(s->scanners[i].name, from->name) == 0)
			to = &s->scanners[i];
	if (to == NULL && s->configuration == NULL && s->scanner_count < SCANNERS) {
		to = &s->scanners[s->scanner_count++];
		*to = (struct scanner_sum){ .type = from->type,
		    .name = arena_text(&s->arena, span_text(from->name)) };
	}
	for (size_t i = 0; i < SCANNER_COUNTERS && to != NULL; i++)
		to->values[i] += from->values[i];
}

void
sums_begin(struct sums *s, const struct configuration *c)
{
	const struct policy_set *set = c->policies;

	*s = (struct sums){ .configuration = c };
	for (; s->scanner_count < c->settings->scanner_count; s->scanner_count++)
		s->scanners[s->scanner_count] = (struct scanner_sum){
		    .name = c->settings->scanners[s->scanner_count].name,
		    .type = c->settings->scanners[s->scanner_count].type };
	for (size_t i = 0; i < set->policy_count; i++)
		for (size_t k = 0; k < set->policies[i].rule_count; k++)
			append_rule(s, set->policies[i].name,
			    set->policies[i].rules[k].name,
			    set->policies[i].rules[k].monitor);
}

void
sums_add(struct sums *s, const struct sums *from)
{
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		s->values[i] += from->values[i];
	for (size_t i = 0; i < from->rule_count; i++)
		add_rule(s, i, &from->rules[i]);
	for (size_t i = 0; i < from->scanner_count; i++)
		add_scanner(s, &from->scanners[i]);
}

static void
take_policy(
    struct sums *s, size_t *at, const struct page *page, const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct rule_sum *sum = &s->rules[(*at)++];
		unsigned slot = policy->rules[i].slot;

		for (size_t k = 0; k < RULE_COUNTERS; k++)
			sum->values[k] = page->counters->rules[slot][k];
	}
}

void
sums_add_page(struct sums *s, const struct page *page, bool current)
{
	const struct policy_set *set = page->configuration->policies;
	struct sums one;
	size_t at = 0;

	sums_begin(&one, page->configuration);
	for (size_t i = 0; i < (current ? COUNTER_COUNT : COUNTER_FIRST_GAUGE); i++)
		one.values[i] = page->counters->values[i];
	for (size_t i = 0; i < set->policy_count; i++)
		take_policy(&one, &at, page, &set->policies[i]);
	for (size_t i = 0; i < one.scanner_count; i++)
		for (size_t k = 0; k < (current ? SCANNER_COUNTERS : SCANNER_FIRST_GAUGE); k++)
			one.scanners[i].values[k] = page_scanner(page, i)->values[k];
	sums_add(s, &one);
	sums_free(&one);
}

void
sums_free(struct sums *s)
{
	arena_free(&s->arena);
	free(s->rules);
	*s = (struct sums){ 0 };
}
