/*
 * sieve.c - see sieve.h.
 */
#include "lib/pattern/sieve.h"
#include "lib/pattern/literal.h"

#define HASH_BITS   17          /* the bits fit into a first-level cache */
#define HEAD_BITS   12
#define GRAM        LITERAL_LEAST

/* A literal and the patterns that have it: users[first] up to users[first + count]. */
struct entry {
	struct span text;
	uint32_t    gram;       /* the three bytes that stand for it */
	uint32_t    offset;     /* where they stand in it */
	uint32_t    first, count;
	uint16_t    next;       /* with the same head, counted from 1; 0: none */
};

struct sieve {
	uint64_t      bits[(1u << HASH_BITS) / 64];
	uint16_t      heads[1u << HEAD_BITS];
	struct entry *entries;
	size_t        entry_count;
	uint16_t     *users;
	uint16_t     *always;   /* patterns without a literal */
	size_t        always_count, pattern_count;
};

/* While it is built. */
struct pair { struct span text; uint16_t pattern; };

static uint32_t
gram_hash(uint32_t gram)
{
	return gram * 0x9e3779b1u >> (32 - HASH_BITS);
}

static uint32_t
gram_at(struct span s, size_t i)
{
	return (uint32_t)s.ptr[i] << 16 | (uint32_t)s.ptr[i + 1] << 8 | s.ptr[i + 2];
}

static int
pair_order(const void *va, const void *vb)
{
	const struct pair *a = va, *b = vb;
	size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
	int d = memcmp(a->text.ptr, b->text.ptr, n);

	if (d == 0)
		d = (a->text.len > b->text.len) - (a->text.len < b->text.len);
	return d != 0 ? d : a->pattern - b->pattern;
}

/* Three bytes that few other literals have and that are rare in what people write. */
static uint32_t
choose_gram(const struct entry *e, const uint16_t *used)
{
	uint32_t best = 0, least = UINT32_MAX;

	for (uint32_t i = 0; i + GRAM <= e->text.len; i++) {
		uint32_t cost = 4u * used[gram_hash(gram_at(e->text, i))];

		for (uint32_t k = i; k < i + GRAM; k++)
			cost += e->text.ptr[k] != 0 &&
			    strchr(" etaoinsr", e->text.ptr[k]) != NULL;
		if (cost < least) {
			least = cost;
			best = i;
		}
	}
	return best;
}

static void
index_entries(struct sieve *f)
{
	uint16_t *used = must_alloc(sizeof *used << HASH_BITS);

	for (size_t i = 0; i < f->entry_count; i++) {
		struct entry *e = &f->entries[i];

		e->offset = choose_gram(e, used);
		e->gram = gram_at(e->text, e->offset);
		uint32_t h = gram_hash(e->gram);
		uint16_t *head = &f->heads[h >> (HASH_BITS - HEAD_BITS)];

		used[h]++;
		f->bits[h / 64] |= (uint64_t)1 << h % 64;
		e->next = *head;
		*head = (uint16_t)(i + 1);
	}
	free(used);
}

/* Sorted pairs: those with the same text are one entry. */
static void
make_entries(struct sieve *f, const struct pair *pairs, size_t count, struct arena *a)
{
	f->entries = arena_array(a, struct entry, count);
	f->users = arena_array(a, uint16_t, count);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !span_equal(pairs[i].text, pairs[i - 1].text))
			f->entries[f->entry_count++] = (struct entry){
			    .text = pairs[i].text, .first = (uint32_t)i };
		f->entries[f->entry_count - 1].count++;
		f->users[i] = pairs[i].pattern;
	}
}

struct sieve *
sieve_build(const struct pattern_set *set, enum pattern_subject subject, struct arena *a)
{
	struct sieve *f = arena_new(a, struct sieve);
	struct pair *pairs = must_alloc(sizeof *pairs * (set->count * LITERALS + 1));
	struct span found[LITERALS];
	size_t count = 0;

	f->pattern_count = set->count;
	f->always = arena_array(a, uint16_t, set->count);
	for (size_t i = 0; i < set->count; i++) {
		const struct pattern *p = &set->list[i];

		if (p->subject != subject)
			continue;
		size_t n = literals_find(p->text, p->flags, a, found);

		if (n == 0)
			f->always[f->always_count++] = (uint16_t)i;
		for (size_t k = 0; k < n; k++)
			pairs[count++] = (struct pair){ found[k], (uint16_t)i };
	}
	if (count > 0)
		qsort(pairs, count, sizeof *pairs, pair_order);
	make_entries(f, pairs, count, a);
	index_entries(f);
	free(pairs);
	return f;
}

size_t
sieve_literals(const struct sieve *f)
{
	return f->entry_count;
}

struct run {
	const struct sieve *f;
	struct span          text;
	uint8_t             *seen, *tried;
	uint16_t            *out;
	size_t               count;
};

static void
take_users(struct run *r, const struct entry *e)
{
	for (uint32_t i = e->first; i < e->first + e->count; i++) {
		uint16_t pattern = r->f->users[i];

		if (!r->tried[pattern])
			r->out[r->count++] = pattern;
		r->tried[pattern] = 1;
	}
}

static bool
stands_at(const struct run *r, const struct entry *e, size_t at)
{
	if (at < e->offset || e->text.len > r->text.len - (at - e->offset))
		return false;
	at -= e->offset;
	return span_equal_nocase(e->text, span_slice(r->text, at, at + e->text.len));
}

/* The three bytes at `at` have a hash that some literal's have. */
static void
look_closer(struct run *r, uint32_t hash, uint32_t gram, size_t at)
{
	uint16_t i = r->f->heads[hash >> (HASH_BITS - HEAD_BITS)];

	while (i > 0) {
		const struct entry *e = &r->f->entries[i - 1];

		if (e->gram == gram && !r->seen[i - 1] && stands_at(r, e, at)) {
			r->seen[i - 1] = 1;
			take_users(r, e);
		}
		i = e->next;
	}
}

size_t
sieve_run(const struct sieve *f, struct span text, uint8_t *seen, uint8_t *tried,
    uint16_t *out)
{
	struct run r = { f, text, seen, tried, out, 0 };
	uint32_t gram = 0;

	memset(seen, 0, f->entry_count);
	memset(tried, 0, f->pattern_count);
	for (size_t i = 0; i < f->always_count; i++)
		out[r.count++] = f->always[i];
	for (size_t i = 0; f->entry_count > 0 && i < text.len; i++) {
		gram = (gram << 8 | to_lower(text.ptr[i])) & 0xffffff;
		uint32_t h = gram_hash(gram);

		if ((f->bits[h / 64] >> h % 64 & 1) != 0 && i >= GRAM - 1)
			look_closer(&r, h, gram, i - (GRAM - 1));
	}
	return r.count;
}
