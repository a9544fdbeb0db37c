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
	int fd = ipc_shared("counters", counters_bytes(slots));
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

void
page_clear_gauges(struct page *page)
{
	for (size_t i = COUNTER_FIRST_GAUGE; i < COUNTER_COUNT; i++)
		page->counters->values[i] = 0;
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

void
sums_begin(struct sums *s, const struct configuration *c)
{
	const struct policy_set *set = c->policies;

	*s = (struct sums){ .configuration = c };
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
