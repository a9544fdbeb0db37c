/*
 * clients.c - chains in a fixed table; an address that has none has no entry.
 */
#include "src/gateway/clients.h"
#include "lib/base/arena.h"

#define BUCKETS 4096u

struct entry { struct entry *next; struct address address; unsigned count; };

struct client_table { uint64_t seed; struct entry *buckets[BUCKETS]; };

struct client_table *
clients_create(uint64_t seed)
{
	struct client_table *t = must_alloc(sizeof *t);

	t->seed = seed | 1;
	return t;
}

void
clients_destroy(struct client_table **t)
{
	free(*t);
	*t = NULL;
}

static size_t
bucket(const struct client_table *t, const struct address *a)
{
	uint64_t half[2], h = t->seed;

	memcpy(half, a->bytes, sizeof half);
	for (size_t i = 0; i < 2; i++) {
		h = (h ^ half[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
		h *= t->seed;
	}
	return (h >> 40) % BUCKETS;
}

static struct entry **
place(struct client_table *t, const struct address *a)
{
	struct entry **e = &t->buckets[bucket(t, a)];

	while (*e != NULL && !address_equal(&(*e)->address, a))
		e = &(*e)->next;
	return e;
}

void
clients_enter(struct client_table *t, const struct address *a)
{
	struct entry **e = place(t, a);

	if (*e == NULL) {
		*e = must_alloc(sizeof **e);
		(*e)->address = *a;
	}
	(*e)->count++;
}

void
clients_leave(struct client_table *t, const struct address *a)
{
	struct entry **e = place(t, a);
	struct entry *gone = *e;

	if (gone == NULL || --gone->count > 0)
		return;
	*e = gone->next;
	free(gone);
}

unsigned
clients_count(const struct client_table *t, const struct address *a)
{
	const struct entry *e = t->buckets[bucket(t, a)];

	while (e != NULL && !address_equal(&e->address, a))
		e = e->next;
	return e != NULL ? e->count : 0;
}
