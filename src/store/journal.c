/*
 * journal.c - records as rows: what track looks for stands in columns, the whole record
 * beside them.
 */
#include "src/store/store.h"

static struct span
without_brackets(struct span s)
{
	return s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>'
	    ? span_slice(s, 1, s.len - 1) : s;
}

static uint64_t
outcomes(const struct record *r)
{
	uint64_t bits = r->recipient_count == 0 ? 1u << OUTCOME_NONE : 0;

	for (size_t i = 0; i < r->recipient_count; i++)
		if (r->recipients[i].outcome < OUTCOME_COUNT)
			bits |= 1u << r->recipients[i].outcome;
	return bits;
}

/* The id under which the mail was held, where this was a later try. */
static struct span
held_as(const struct record *r)
{
	for (size_t i = 0; i < r->finding_count; i++)
		if (span_equal(r->findings[i].name, SPAN_LIT(RECORD_HELD_AS)))
			return r->findings[i].value;
	return SPAN_NONE;
}

static void
bind_mail(sqlite3_stmt *st, const struct record *r, struct span id, struct span packed)
{
	database_bind(st, 1, id);
	database_bind_number(st, 2, r->arrived);
	database_bind(st, 3, r->listener);
	database_bind(st, 4, r->client_address);
	database_bind(st, 5, r->client_queue_id);
	database_bind(st, 6, r->sender);
	database_bind(st, 7, without_brackets(r->message_id));
	database_bind(st, 8, r->subject);
	database_bind_number(st, 9, r->size);
	database_bind_number(st, 10, outcomes(r));
	sqlite3_bind_blob(st, 11, packed.ptr, (int)packed.len, SQLITE_STATIC);
	database_bind(st, 12, held_as(r));
}

static bool
add_recipient(struct database *d, int64_t mail, const struct record_recipient *r)
{
	sqlite3_stmt *st = database_statement(d, SQL_RECIPIENT_ADD);

	if (st == NULL)
		return false;
	database_bind_number(st, 1, (uint64_t)mail);
	database_bind(st, 2, r->address);
	database_bind_number(st, 3, r->outcome);
	database_bind(st, 4, r->rule);
	database_bind(st, 5, r->queue_id);
	database_bind(st, 6, r->quarantine);
	return database_run(d, st);
}

static bool
add_rows(struct database *d, const struct record *r, struct span packed, uint64_t mono_ms)
{
	char id[RECORD_ID_BYTES];
	sqlite3_stmt *st =
	    database_batch(d, mono_ms) ? database_statement(d, SQL_MAIL_ADD) : NULL;

	if (st == NULL)
		return false;
	for (size_t i = 0; i < RECORD_ID_BYTES; i++)
		id[i] = (char)to_lower(r->id.ptr[i]);
	bind_mail(st, r, (struct span){ (const uint8_t *)id, sizeof id }, packed);
	if (!database_run(d, st))
		return false;
	/* A record that came twice is there already, recipients and all. */
	if (sqlite3_changes(d->db) == 0)
		return true;
	int64_t mail = sqlite3_last_insert_rowid(d->db);
	bool ok = true;

	for (size_t i = 0; i < r->recipient_count && ok; i++)
		ok = add_recipient(d, mail, &r->recipients[i]);
	return ok;
}

static void
broken_record(struct store *s)
{
	store_count(s, COUNTER_STORE_FAILURES, 1);
	if (s->broken_records++ == 0)
		log_event(s->log, EVENT_STORE, LOG_IS_WARNING, "journal",
		    "a record that cannot be read was dropped; further ones are only "
		    "counted",
		    NULL);
}

/* A corrupt file is found out by writing to it: the row goes into the new one. */
static bool
add_to_new(
    struct database *d, const struct record *r, struct span packed, uint64_t mono_ms)
{
	if (d->in_batch)
		d->batch_rows--;
	return database_renew(d) && add_rows(d, r, packed, mono_ms);
}

bool
journal_add(struct store *s, struct span packed, uint64_t mono_ms)
{
	struct database *d = &s->database;
	struct record r;

	if (!record_unpack(packed, &r, &s->arena) || !record_id_is(r.id)) {
		broken_record(s);
		return false;
	}
	bool ok = add_rows(d, &r, packed, mono_ms);

	if (!ok && d->corrupt)
		ok = add_to_new(d, &r, packed, mono_ms);
	if (ok)
		store_count(s, COUNTER_RECORDS, 1);
	else if (d->in_batch)
		database_abandon(d);
	else
		d->lost++;
	if (d->batch_rows >= DATABASE_BATCH_ROWS)
		database_commit(d);
	return ok;
}

static bool
expire_from(struct database *d, enum sql which, uint64_t before, uint64_t most)
{
	sqlite3_stmt *st = database_statement(d, which);

	if (st == NULL)
		return false;
	database_bind_number(st, 1, before);
	database_bind_number(st, 2, most);
	return database_run(d, st);
}

bool
journal_expire(struct store *s, uint64_t unix_ms, uint64_t most)
{
	uint64_t keep = s->settings->journal_keep;
	struct database *d = &s->database;

	if (keep == 0 || unix_ms < keep || !database_batch(d, clock_mono_ms()))
		return false;
	if (expire_from(d, SQL_EXPIRE_RECIPIENTS, unix_ms - keep, most) &&
	    expire_from(d, SQL_EXPIRE_MAIL, unix_ms - keep, most))
		return sqlite3_changes(d->db) > 0;
	database_abandon(d);
	return false;
}
