/*
 * verdicts.c - see verdicts.h.
 */
#include "src/gateway/verdicts.h"
#include <assert.h>

struct verdict {
	uint8_t  key[CONTENT_KEY_BYTES];
	uint64_t at;                    /* 0: free */
	struct verdict_source source;
};

struct verdicts {
	uint64_t       sets;
	unsigned       ways;
	struct verdict list[];          /* set by set */
};

/* Fewer than a set has places for make one set that is smaller. */
struct verdicts *
verdicts_create(uint64_t entries)
{
	unsigned ways = entries < VERDICT_WAYS ? (unsigned)entries : VERDICT_WAYS;
	struct verdicts *v;

	if (entries == 0)
		return NULL;
	v = must_alloc(sizeof *v + (size_t)(entries / ways * ways) * sizeof *v->list);
	v->ways = ways;
	v->sets = entries / ways;
	return v;
}

void
verdicts_destroy(struct verdicts **v)
{
	free(*v);
	*v = NULL;
}

uint64_t
verdicts_capacity(const struct verdicts *v)
{
	return v != NULL ? v->sets * v->ways : 0;
}

static size_t
set_of(const struct verdicts *v, const struct content_key *key)
{
	uint64_t hash;

	memcpy(&hash, key->bytes, sizeof hash);
	return (size_t)(hash % v->sets) * v->ways;
}

static bool
has_key(const struct verdict *e, const struct content_key *key)
{
	return e->at != 0 && memcmp(e->key, key->bytes, sizeof e->key) == 0;
}

uint64_t
verdicts_find(const struct verdicts *v, const struct content_key *key,
    struct verdict_source from)
{
	if (v == NULL || !key->known || from.era == 0)
		return 0;
	const struct verdict *set = v->list + set_of(v, key);

	for (unsigned i = 0; i < v->ways; i++)
		if (has_key(&set[i], key))
			return set[i].source.era == from.era &&
			    set[i].source.server == from.server ? set[i].at : 0;
	return 0;
}

void
verdicts_add(struct verdicts *v, const struct content_key *key, struct verdict_source from,
    uint64_t now)
{
	if (v == NULL || !key->known || from.era == 0)
		return;
	struct verdict *set = v->list + set_of(v, key), *to = set;

	assert(now != 0);
	for (unsigned i = 0; i < v->ways; i++) {
		if (has_key(&set[i], key)) {
			to = &set[i];
			break;
		}
		if (set[i].at < to->at)
			to = &set[i];
	}
	memcpy(to->key, key->bytes, sizeof to->key);
	to->at = now;
	to->source = from;
}
