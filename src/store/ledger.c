/*
 * ledger.c - recipients that had a mail before its client was told to try again.
 */
#include "src/store/store.h"

#define ENTRY_BYTES(recipient) (4 + (recipient).len + 4 + LEDGER_HASH_BYTES)

/* Entries that an answer has no room for are left out: those recipients get the mail
   twice rather than not at all. */
static bool
take_row(sqlite3_stmt *st, struct arena *a, struct ledger_entry *e, size_t *room)
{
	struct span hash = database_text(st, 1);

	e->recipient = arena_span(a, database_text(st, 0));
	if (hash.len != LEDGER_HASH_BYTES || ENTRY_BYTES(e->recipient) > *room)
		return false;
	memcpy(e->hash, hash.ptr, LEDGER_HASH_BYTES);
	*room -= ENTRY_BYTES(e->recipient);
	return true;
}

#define ENTRIES_MOST (PACKET_BYTES / (8 + LEDGER_HASH_BYTES))

static void
find_entries(struct store *s, struct packet_ledger *answer, size_t room)
{
	sqlite3_stmt *st = database_statement(&s->database, SQL_LEDGER_ASK);
	uint64_t now = clock_unix_ms();

	if (st == NULL)
		return;
	database_bind(st, 1, answer->key);
	database_bind(st, 2, answer->sender);
	database_bind_number(st, 3, now > LEDGER_KEEP_MS ? now - LEDGER_KEEP_MS : 0);
	while (database_row(&s->database, st))
		if (answer->count < ENTRIES_MOST &&
		    take_row(st, &s->arena, &answer->entries[answer->count], &room))
			answer->count++;
}

void
ledger_ask(struct store *s, const struct packet_ledger *ask, struct pack *p)
{
	struct packet_ledger answer = { .key = ask->key, .sender = ask->sender };
	size_t head = 8 + ask->key.len + ask->sender.len + 4;

	answer.entries = arena_array(&s->arena, struct ledger_entry, ENTRIES_MOST);
	if (p->cap - p->len > head)
		find_entries(s, &answer, p->cap - p->len - head);
	packet_put_ledger(p, &answer);
}

static void
bind_entry(sqlite3_stmt *st, const struct packet_ledger *l, const struct ledger_entry *e)
{
	database_bind(st, 1, l->key);
	database_bind(st, 2, l->sender);
	database_bind(st, 3, e->recipient);
	sqlite3_bind_blob(st, 4, e->hash, LEDGER_HASH_BYTES, SQLITE_STATIC);
}

static bool
change_all(struct store *s, const struct packet_ledger *l, enum sql which)
{
	sqlite3_stmt *st = database_statement(&s->database, which);
	bool ok = st != NULL;

	for (size_t i = 0; i < l->count && ok; i++) {
		bind_entry(st, l, &l->entries[i]);
		if (which == SQL_LEDGER_ADD)
			database_bind_number(st, 5, clock_unix_ms());
		ok = database_run(&s->database, st);
	}
	return ok;
}

bool
ledger_add(struct store *s, const struct packet_ledger *l)
{
	bool ok =
	    database_begin_durable(&s->database) && change_all(s, l, SQL_LEDGER_ADD);

	ok = database_commit_durable(&s->database, ok);
	if (ok)
		ledger_page_set(s->page, l->key);
	return ok;
}

bool
ledger_remove(struct store *s, const struct packet_ledger *l)
{
	bool ok =
	    database_begin_durable(&s->database) && change_all(s, l, SQL_LEDGER_REMOVE);

	s->stale++;
	return database_commit_durable(&s->database, ok);
}

void
ledger_rebuild(struct store *s)
{
	sqlite3_stmt *st = database_statement(&s->database, SQL_LEDGER_KEYS);
	struct ledger_page page = { 0 };

	if (st == NULL)
		return;
	while (database_row(&s->database, st))
		ledger_page_set(&page, database_text(st, 0));
	for (size_t i = 0; i < COUNT_OF(page.bits); i++)
		__atomic_store_n(&s->page->bits[i], page.bits[i], __ATOMIC_RELAXED);
	s->stale = 0;
}

void
ledger_expire(struct store *s, uint64_t unix_ms)
{
	sqlite3_stmt *st = database_statement(&s->database, SQL_LEDGER_EXPIRE);

	if (st == NULL || unix_ms < LEDGER_KEEP_MS)
		return;
	database_bind_number(st, 1, unix_ms - LEDGER_KEEP_MS);
	database_run(&s->database, st);
}
