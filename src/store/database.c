/*
 * database.c - see database.h.
 */
#include "src/store/database.h"
#include "lib/base/text.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BUSY_MS         2000
#define CHECKPOINT_MS   100
#define QUIET_SECONDS   5               /* a full disk is not told once a row */
#define WAL_BYTES       "16777216"      /* the log's file is cut back to this       */
#define WAL_PAGES       4000            /* more in the log: it is started over      */

/* From version N to N + 1.  Never changed once released, only added to. */
static const char *const migrations[DATABASE_VERSION] = {
	"CREATE TABLE mail ("
	"	number INTEGER PRIMARY KEY,"
	"	id TEXT NOT NULL UNIQUE,"
	"	time INTEGER NOT NULL,"         /* Unix ms */
	"	listener TEXT NOT NULL,"
	"	client TEXT NOT NULL,"
	"	queue_id TEXT NOT NULL,"        /* the client's */
	"	sender TEXT NOT NULL COLLATE NOCASE,"
	"	message_id TEXT NOT NULL,"      /* without angle brackets */
	"	subject TEXT NOT NULL,"
	"	size INTEGER NOT NULL,"
	"	outcomes INTEGER NOT NULL,"     /* 1 << outcome, of all that occur */
	"	record BLOB NOT NULL);"
	"CREATE INDEX mail_time ON mail (time);"
	"CREATE INDEX mail_queue_id ON mail (queue_id);"
	"CREATE INDEX mail_sender ON mail (sender, time);"
	"CREATE INDEX mail_message_id ON mail (message_id);"
	"CREATE TABLE recipient ("
	"	mail INTEGER NOT NULL,"         /* mail.number */
	"	address TEXT NOT NULL COLLATE NOCASE,"
	"	outcome INTEGER NOT NULL,"
	"	rule TEXT NOT NULL,"
	"	queue_id TEXT NOT NULL,"        /* the next hop's */
	"	quarantine TEXT NOT NULL);"     /* class */
	"CREATE INDEX recipient_mail ON recipient (mail);"
	"CREATE INDEX recipient_address ON recipient (address, mail);"
	"CREATE INDEX recipient_queue_id ON recipient (queue_id) WHERE queue_id <> '';"
	"CREATE TABLE ledger ("
	"	key TEXT NOT NULL,"
	"	sender TEXT NOT NULL,"
	"	recipient TEXT NOT NULL,"
	"	hash BLOB NOT NULL,"
	"	added INTEGER NOT NULL,"        /* Unix ms */
	"	PRIMARY KEY (key, sender, recipient, hash)) WITHOUT ROWID;"
	"CREATE INDEX ledger_added ON ledger (added);"
	"CREATE TABLE quarantine ("
	"	id TEXT NOT NULL,"
	"	class TEXT NOT NULL,"
	"	path TEXT NOT NULL,"
	"	time INTEGER NOT NULL,"
	"	size INTEGER NOT NULL,"
	"	sender TEXT NOT NULL COLLATE NOCASE,"
	"	recipients INTEGER NOT NULL,"
	"	listener TEXT NOT NULL,"
	"	client TEXT NOT NULL,"
	"	rule TEXT NOT NULL,"
	"	reason TEXT NOT NULL,"
	"	PRIMARY KEY (id, class));"
	"CREATE INDEX quarantine_class ON quarantine (class, time);"
	"CREATE INDEX quarantine_time ON quarantine (time);",

	"CREATE TABLE hold ("                   /* class hold: when to try again */
	"	id TEXT PRIMARY KEY,"
	"	since INTEGER NOT NULL,"        /* times: Unix ms */
	"	next_try INTEGER NOT NULL,"
	"	pause INTEGER NOT NULL,"        /* ms that it last waited */
	"	tries INTEGER NOT NULL,"
	"	state INTEGER NOT NULL"         /* enum hold_state of hold.c */
	") WITHOUT ROWID;"
	"CREATE INDEX hold_next ON hold (next_try) WHERE state < 2;"
	"CREATE INDEX hold_since ON hold (since) WHERE state < 2;"
	"CREATE INDEX hold_state ON hold (state, since) WHERE state >= 2;"
	"ALTER TABLE mail ADD COLUMN held_as TEXT NOT NULL DEFAULT '';" /* id of the first try */
	"CREATE INDEX mail_held_as ON mail (held_as) WHERE held_as <> '';",
};

#define EXPIRED "(SELECT number FROM mail WHERE time < ?1 ORDER BY time LIMIT ?2)"

static const char *const sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_MAIL_ADD] = "INSERT OR IGNORE INTO mail (id, time, listener, client,"
	    " queue_id, sender, message_id, subject, size, outcomes, record, held_as)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_RECIPIENT_ADD] = "INSERT INTO recipient (mail, address, outcome, rule,"
	    " queue_id, quarantine) VALUES (?, ?, ?, ?, ?, ?)",
	[SQL_EXPIRE_RECIPIENTS] = "DELETE FROM recipient WHERE mail IN " EXPIRED,
	[SQL_EXPIRE_MAIL] = "DELETE FROM mail WHERE number IN " EXPIRED,
	[SQL_LEDGER_ASK] = "SELECT recipient, hash FROM ledger WHERE key = ?"
	    " AND sender = ? AND added >= ?",
	[SQL_LEDGER_ADD] = "INSERT OR REPLACE INTO ledger (key, sender, recipient, hash,"
	    " added) VALUES (?, ?, ?, ?, ?)",
	[SQL_LEDGER_REMOVE] = "DELETE FROM ledger WHERE key = ? AND sender = ?"
	    " AND recipient = ? AND hash = ?",
	[SQL_LEDGER_EXPIRE] = "DELETE FROM ledger WHERE added < ?",
	[SQL_LEDGER_KEYS] = "SELECT DISTINCT key FROM ledger",
	[SQL_QUARANTINE_ADD] = "INSERT OR REPLACE INTO quarantine (id, class, path, time,"
	    " size, sender, recipients, listener, client, rule, reason)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_QUARANTINE_REMOVE] = "DELETE FROM quarantine WHERE id = ? AND class = ?",
	[SQL_HOLD_ADD] = "INSERT OR IGNORE INTO hold (id, since, next_try, pause, tries,"
	    " state) VALUES (?, ?, ?, 0, 0, 0)",
	[SQL_HOLD_REMOVE] = "DELETE FROM hold WHERE id = ?",
	[SQL_HOLD_GET] = "SELECT pause, tries, state FROM hold WHERE id = ?",
	[SQL_HOLD_SET] = "UPDATE hold SET next_try = ?2, pause = ?3, tries = ?4, state = ?5"
	    " WHERE id = ?1",
	[SQL_HOLD_STATE] = "UPDATE hold SET state = ?2 WHERE id = ?1",
	[SQL_HOLD_WAKE] = "UPDATE hold SET next_try = ?1, pause = 0 WHERE state = 0"
	    " AND next_try > ?1",
	[SQL_HOLD_DUE] = "SELECT id, next_try FROM hold WHERE state < 2"
	    " ORDER BY next_try LIMIT ?",
	[SQL_HOLD_OLD] = "SELECT id FROM hold WHERE state < 2 AND since < ?"
	    " ORDER BY since LIMIT ?",
	[SQL_HOLD_OVER] = "SELECT id FROM hold WHERE state >= 2 AND state = 2"
	    " ORDER BY since LIMIT ?",
	[SQL_HOLD_EXPIRED] = "SELECT id FROM hold WHERE state >= 2 AND state = 3"
	    " ORDER BY since LIMIT ?",
	[SQL_HOLD_COUNT] = "SELECT count(*), min(since) FROM hold WHERE state < 2",
};

static bool
is_corrupt(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

static void
trouble(struct database *d, int rc, const char *doing)
{
	time_t now = time(NULL);

	d->corrupt |= is_corrupt(rc);
	if (now < d->quiet_until)
		return;
	d->quiet_until = now + QUIET_SECONDS;
	log_event(d->log, EVENT_STORE, LOG_IS_ERROR, "database", d->path, "doing", doing,
	    "error", d->db != NULL ? sqlite3_errmsg(d->db) : sqlite3_errstr(rc), NULL);
}

static int
version_get(sqlite3 *db, int *version)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	*version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int
migrate_one(sqlite3 *db, int from)
{
	char version[64];
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	snprintf(version, sizeof version, "PRAGMA user_version = %d", from + 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, migrations[from], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, version, NULL, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

static enum status
migrate(sqlite3 *db, const char *path, int *rc, struct error *err)
{
	int version = 0;

	*rc = version_get(db, &version);
	if (*rc == SQLITE_OK && version > DATABASE_VERSION)
		return fail(err, ST_PERM, "database", "%s has version %d, but this "
		    "program knows versions up to %d only: start the newer program, or "
		    "move the file away", path, version, DATABASE_VERSION);
	for (; *rc == SQLITE_OK && version < DATABASE_VERSION; version++)
		*rc = migrate_one(db, version);
	return *rc == SQLITE_OK ? ST_OK : fail(err, ST_TEMP, "database", "%s: %s", path,
	    sqlite3_errmsg(db));
}

/* The log is brought in by database_checkpoint: left to itself it would be done within a
   commit, and never under readers. */
static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = " WAL_BYTES ";"
    "PRAGMA temp_store = MEMORY;"
    "SELECT count(*) FROM sqlite_master;";

static enum status
try_open(struct database *d, int *rc, struct error *err)
{
	*rc = sqlite3_open_v2(d->path, &d->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (*rc == SQLITE_OK) {
		sqlite3_busy_timeout(d->db, BUSY_MS);
		*rc = sqlite3_exec(d->db, settings, NULL, NULL, NULL);
	}
	if (*rc == SQLITE_OK)
		return migrate(d->db, d->path, rc, err);
	return fail(err, ST_TEMP, "database", "%s: %s", d->path,
	    d->db != NULL ? sqlite3_errmsg(d->db) : sqlite3_errstr(*rc));
}

void
database_close(struct database *d)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(d->statements[i]);
		d->statements[i] = NULL;
	}
	sqlite3_close_v2(d->db);
	d->db = NULL;
	d->in_batch = false;
	d->batch_rows = 0;
}

/* The log beside it goes along, for whoever wants to rescue rows. */
static bool
move_aside(struct database *d)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char from[sizeof d->path + 8], to[sizeof d->path + 64];
	bool moved = false;

	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		snprintf(from, sizeof from, "%s%s", d->path, parts[i]);
		snprintf(to, sizeof to, "%s.corrupt-%lld%s", d->path, 
		    (long long)time(NULL), parts[i]);
		moved |= rename(from, to) == 0;
		if (i == 0)
			log_event(d->log, EVENT_STORE, LOG_IS_ERROR, "database", d->path,
			    "error", "the file is corrupt; a new one is begun",
			    "moved-to", moved ? to : "nowhere", NULL);
	}
	return moved;
}

static enum status
open_or_renew(struct database *d, struct error *err)
{
	int rc;
	enum status st = try_open(d, &rc, err);

	if (st == ST_TEMP && is_corrupt(rc)) {
		database_close(d);
		if (move_aside(d))
			st = try_open(d, &rc, err);
	}
	if (st != ST_OK)
		database_close(d);
	return st;
}

enum status
database_open(struct database *d, const char *directory, struct log *log,
    struct error *err)
{
	*d = (struct database){ .log = log };
	int n = snprintf(d->path, sizeof d->path, "%s/%s", directory, DATABASE_FILE);

	if (n < 0 || (size_t)n >= sizeof d->path)
		return fail(err, ST_PERM, "database", "the path is too long: %s",
		    directory);
	return open_or_renew(d, err);
}

bool
database_renew(struct database *d)
{
	struct error err;

	if (d->db != NULL && !d->corrupt)
		return false;
	if (d->corrupt) {
		d->lost += d->batch_rows;
		database_close(d);
		move_aside(d);
		d->corrupt = false;
	}
	if (open_or_renew(d, &err) == ST_OK)
		return true;
	log_event(d->log, EVENT_STORE, LOG_IS_ERROR, "database", d->path, "error",
	    err.text, NULL);
	return false;
}

sqlite3_stmt *
database_statement(struct database *d, enum sql which)
{
	sqlite3_stmt **s = &d->statements[which];

	if (d->db == NULL || d->corrupt)
		return NULL;
	if (*s == NULL) {
		int rc = sqlite3_prepare_v3(d->db, sql_texts[which], -1,
		    SQLITE_PREPARE_PERSISTENT, s, NULL);

		if (rc != SQLITE_OK)
			trouble(d, rc, sql_texts[which]);
	}
	return *s;
}

void
database_bind(sqlite3_stmt *s, int at, struct span text)
{
	/* an empty text, not NULL */
	sqlite3_bind_text(s, at, text.len > 0 ? (const char *)text.ptr : "",
	    (int)text.len, SQLITE_STATIC);
}

void
database_bind_number(sqlite3_stmt *s, int at, uint64_t n)
{
	sqlite3_bind_int64(s, at, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

struct span
database_text(sqlite3_stmt *s, int column)
{
	const void *bytes = sqlite3_column_blob(s, column);

	return (struct span){ bytes, (size_t)sqlite3_column_bytes(s, column) };
}

static void
statement_over(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

bool
database_row(struct database *d, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		trouble(d, rc, sqlite3_sql(s));
	statement_over(s);
	return false;
}

bool
database_run(struct database *d, sqlite3_stmt *s)
{
	int rc;

	if (s == NULL)
		return false;
	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		trouble(d, rc, sqlite3_sql(s));
	statement_over(s);
	return rc == SQLITE_DONE;
}

static bool
run(struct database *d, enum sql which)
{
	return database_run(d, database_statement(d, which));
}

bool
database_batch(struct database *d, uint64_t mono_ms)
{
	if (!d->in_batch) {
		d->in_batch = run(d, SQL_BEGIN);
		d->batch_began = mono_ms;
	}
	if (d->in_batch)
		d->batch_rows++;
	return d->in_batch;
}

void
database_abandon(struct database *d)
{
	if (!d->in_batch)
		return;
	if (!sqlite3_get_autocommit(d->db))
		run(d, SQL_ROLLBACK);
	d->lost += d->batch_rows;
	d->in_batch = false;
	d->batch_rows = 0;
}

bool
database_commit(struct database *d)
{
	if (!d->in_batch)
		return true;
	if (sqlite3_get_autocommit(d->db) || !run(d, SQL_COMMIT)) {
		database_abandon(d);
		return false;
	}
	d->in_batch = false;
	d->batch_rows = 0;
	return true;
}

/* Not a prepared statement: this pragma acts while it is compiled. */
static bool
synchronous(struct database *d, const char *pragma)
{
	return d->db != NULL &&
	    sqlite3_exec(d->db, pragma, NULL, NULL, NULL) == SQLITE_OK;
}

bool
database_begin_durable(struct database *d)
{
	database_commit(d);
	return synchronous(d, "PRAGMA synchronous = FULL") && run(d, SQL_BEGIN);
}

bool
database_commit_durable(struct database *d, bool keep)
{
	bool ok = keep && run(d, SQL_COMMIT);

	if (d->db != NULL && !ok && !sqlite3_get_autocommit(d->db))
		run(d, SQL_ROLLBACK);
	synchronous(d, "PRAGMA synchronous = NORMAL");
	return ok;
}

void
database_checkpoint(struct database *d)
{
	int pages = 0, done = 0;

	if (d->db == NULL || d->corrupt)
		return;
	database_commit(d);
	int rc = sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages,
	    &done);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		trouble(d, rc, "checkpoint");
	/* A reader may hold it back; it has a deadline, the next time will do. */
	if (rc == SQLITE_OK && pages > WAL_PAGES && pages == done) {
		sqlite3_busy_timeout(d->db, CHECKPOINT_MS);
		sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
		    NULL);
		sqlite3_busy_timeout(d->db, BUSY_MS);
	}
}
