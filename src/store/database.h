/*
 * database.h - the store's SQLite file: opening, migrations, statements, batches.
 *
 * One writer.  Write-ahead log, synchronous NORMAL: a power cut may take the newest rows
 * of the journal, never the file.  Rows gather in a batch that is committed after
 * DATABASE_BATCH_MS or DATABASE_BATCH_ROWS; what must be durable (the ledger) has its own
 * transaction with synchronous FULL.
 *
 * Trouble with the file never stops mail: a corrupt file is moved aside and a new one
 * begun; when the disk is full rows are lost, counted and logged.  Functions say false
 * and the caller goes on.
 */
#ifndef SRC_STORE_DATABASE_H
#define SRC_STORE_DATABASE_H
#include "lib/base/base.h"
#include "sys/log.h"
#include <sqlite3.h>
#include <time.h>

#define DATABASE_FILE           "store.db"
#define DATABASE_VERSION        2       /* what this program writes */
#define DATABASE_BATCH_MS       100
#define DATABASE_BATCH_ROWS     500

enum sql {
	SQL_BEGIN = 0, SQL_COMMIT, SQL_ROLLBACK,
	SQL_MAIL_ADD, SQL_RECIPIENT_ADD, SQL_EXPIRE_RECIPIENTS, SQL_EXPIRE_MAIL,
	SQL_LEDGER_ASK, SQL_LEDGER_ADD, SQL_LEDGER_REMOVE, SQL_LEDGER_EXPIRE,
	SQL_LEDGER_KEYS,
	SQL_QUARANTINE_ADD, SQL_QUARANTINE_REMOVE,
	SQL_HOLD_ADD, SQL_HOLD_REMOVE, SQL_HOLD_GET, SQL_HOLD_SET, SQL_HOLD_STATE,
	SQL_HOLD_WAKE, SQL_HOLD_DUE, SQL_HOLD_OLD, SQL_HOLD_OVER, SQL_HOLD_EXPIRED,
	SQL_HOLD_COUNT,
	SQL_COUNT,
};

struct database {
	sqlite3      *db;               /* NULL: not open, try again later */
	sqlite3_stmt *statements[SQL_COUNT];
	char          path[4096];
	struct log   *log;              /* borrowed */
	bool          in_batch, corrupt;
	unsigned      batch_rows;
	uint64_t      batch_began;      /* monotonic ms */
	uint64_t      lost;             /* rows, since the start */
	time_t        quiet_until;      /* no line about trouble before */
};

/* Opens or makes the file in the directory.  ST_PERM: a newer version of the program
   has written it; ST_TEMP: it cannot be opened now. */
enum status database_open(struct database *, const char *directory, struct log *,
    struct error *);
void database_close(struct database *);

/* A statement, ready for binding; NULL if the database is not to be had. */
sqlite3_stmt *database_statement(struct database *, enum sql);
void database_bind(sqlite3_stmt *, int at, struct span);
void database_bind_number(sqlite3_stmt *, int at, uint64_t);
/* Is there another row?  False at the end and on trouble. */
bool database_row(struct database *, sqlite3_stmt *);
/* Runs to the end; false on trouble, which has been logged. */
bool database_run(struct database *, sqlite3_stmt *);
/* The text of a column, borrowed until the next step. */
struct span database_text(sqlite3_stmt *, int column);

/* Joins the open batch, or begins one. */
bool database_batch(struct database *, uint64_t mono_ms);
/* Commits the batch; false: its rows are lost. */
bool database_commit(struct database *);
/* After a statement of the batch has failed: rows half written would be worse than none.
   (SQLite may have rolled back on its own, as it does when the disk is full.) */
void database_abandon(struct database *);
/* A transaction of its own that is on disk when commit says true. */
bool database_begin_durable(struct database *);
bool database_commit_durable(struct database *, bool keep);

/* Moves a file that turned out corrupt aside and begins a new one.  True: it did. */
bool database_renew(struct database *);
/* Brings the write-ahead log into the file; once in a while. */
void database_checkpoint(struct database *);
#endif
