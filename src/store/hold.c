/*
 * hold.c - held mail: class "hold" of the quarantine, and when each is examined again.
 *
 * The file is the truth; its row in the table `hold` says when it is due.  A gateway asks
 * for one that is, examines it and says what became of each recipient.  Who is refused goes
 * to quarantine first, then the row says OVER on disk (and with it the journal's rows that
 * came before), then the file is removed, then the row: so nothing is lost at any moment,
 * and after DONE nothing is given out again.  A row that is still OUT when it is given out
 * has been tried without a word of the end: its recipients may get the mail twice.
 *
 *     WAITING -> OUT -> WAITING        row of a file in class hold
 *     OUT -> OVER -> no row
 *     WAITING, OUT -> EXPIRED -> no row (once the administrator was told)
 */
#include "src/store/store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAUSE_MOST_MS   3600000ull
#define ASK_AGAIN_MS    10000           /* other gateways may hold mail meanwhile */
#define COUNT_MS        2000            /* between counts for the gauges */
#define LOOKED_AT       64              /* rows an ask */
#define EXPIRED_AT_ONCE 10

enum hold_state { HOLD_IS_WAITING = 0, HOLD_IS_OUT, HOLD_IS_OVER, HOLD_IS_EXPIRED };

struct hold_row { uint64_t pause, tries; enum hold_state state; };

static sqlite3_stmt *
statement(struct store *s, enum sql which, struct span id)
{
	sqlite3_stmt *st = database_statement(&s->database, which);

	if (st != NULL)
		database_bind(st, 1, id);
	return st;
}

/* --- rows --- */

static void
change(struct store *s, sqlite3_stmt *st)
{
	s->hold_changed = true;
	if (st != NULL)
		database_run(&s->database, st);
}

static void
row_remove(struct store *s, struct span id)
{
	if (database_batch(&s->database, clock_mono_ms()))
		change(s, statement(s, SQL_HOLD_REMOVE, id));
}

static bool
row_get(struct store *s, struct span id, struct hold_row *row)
{
	sqlite3_stmt *st = statement(s, SQL_HOLD_GET, id);

	if (st == NULL || !database_row(&s->database, st))
		return false;
	row->pause = (uint64_t)sqlite3_column_int64(st, 0);
	row->tries = (uint64_t)sqlite3_column_int64(st, 1);
	row->state = (enum hold_state)sqlite3_column_int(st, 2);
	while (database_row(&s->database, st))
		;
	return true;
}

static void
row_set(struct store *s, struct span id, const struct hold_row *row)
{
	sqlite3_stmt *st;

	if (!database_batch(&s->database, clock_mono_ms()) ||
	    (st = statement(s, SQL_HOLD_SET, id)) == NULL)
		return;
	database_bind_number(st, 2, clock_unix_ms() + row->pause);
	database_bind_number(st, 3, row->pause);
	database_bind_number(st, 4, row->tries);
	database_bind_number(st, 5, row->state);
	change(s, st);
}

/* On disk, and with it every row that was written before. */
static void
row_settle(struct store *s, struct span id, enum hold_state state)
{
	bool ok = database_begin_durable(&s->database);
	sqlite3_stmt *st = ok ? statement(s, SQL_HOLD_STATE, id) : NULL;

	if (st != NULL) {
		database_bind_number(st, 2, state);
		ok = database_run(&s->database, st);
	}
	database_commit_durable(&s->database, ok && st != NULL);
	s->hold_changed = true;
}

static void
row_add(struct store *s, struct span id, uint64_t next_try)
{
	sqlite3_stmt *st;

	if (!database_batch(&s->database, clock_mono_ms()) ||
	    (st = statement(s, SQL_HOLD_ADD, id)) == NULL)
		return;
	database_bind_number(st, 2, record_id_time(id));
	database_bind_number(st, 3, next_try);
	change(s, st);
}

/* The ids that a statement with these bounds gives; in the arena. */
static size_t
row_ids(struct store *s, enum sql which, uint64_t bound, struct span *ids, size_t most)
{
	sqlite3_stmt *st = database_statement(&s->database, which);
	int at = 1;
	size_t n = 0;

	if (st == NULL)
		return 0;
	if (bound > 0)
		database_bind_number(st, at++, bound);
	database_bind_number(st, at, most);
	while (database_row(&s->database, st))
		if (n < most)
			ids[n++] = arena_span(&s->arena, database_text(st, 0));
	return n;
}

static struct span
lowered(struct store *s, struct span id)
{
	uint8_t *out = arena_alloc(&s->arena, id.len + 1);

	for (size_t i = 0; i < id.len; i++)
		out[i] = to_lower(id.ptr[i]);
	return (struct span){ out, id.len };
}

void
hold_enter(struct store *s, struct span id)
{
	row_add(s, lowered(s, id), clock_unix_ms() + s->settings->hold_retry);
	database_commit(&s->database);
}

/* --- log --- */

static void
log_held(struct store *s, enum log_priority priority, struct span id, const char *what,
    struct span more)
{
	struct log_line line;

	log_begin(&line, s->log, EVENT_HELD, priority);
	log_text(&line, "id", id);
	log_word(&line, "did", what);
	if (more.len > 0)
		log_text(&line, "problem", more);
	log_end(&line);
}

/* --- files --- */

/* The fields of a held mail and its open file; -1: with errno ENOENT it is gone. */
static int
open_held(struct store *s, struct span id, struct packet_quarantine *q, size_t *head,
    struct error *err)
{
	int fd = quarantine_open(s, SPAN_LIT(HOLD_CLASS), id);

	if (fd < 0) {
		int why = errno;

		fail(err, ST_TEMP, "store", "opening it: %s", strerror(why));
		errno = why;
		return -1;
	}
	if (quarantine_head(s, fd, q, head, err) == ST_OK)
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static void
forget(struct store *s, struct span id)
{
	struct error err;

	row_remove(s, id);
	quarantine_remove(s, SPAN_LIT(HOLD_CLASS), id, &err);
}

/* --- expiry --- */

/* What cannot be read is moved as it is. */
static enum status
move_expired(struct store *s, struct span id, struct packet_quarantine *q, struct error *err)
{
	struct span path;
	size_t head;
	int fd = open_held(s, id, q, &head, err);

	if (fd < 0 && errno == EINVAL)
		return quarantine_move(s, SPAN_LIT(HOLD_CLASS), HOLD_EXPIRED, id, err);
	if (fd < 0)
		return errno == ENOENT ? ST_PERM : ST_TEMP;
	q->class = SPAN_LIT(HOLD_EXPIRED);
	enum status st = quarantine_copy(s, q, fd, head, &path, err);

	close(fd);
	return st;
}

static enum status
expire(struct store *s, struct span id, struct error *err)
{
	struct packet_quarantine q = { 0 };
	enum status st = move_expired(s, id, &q, err);

	if (st == ST_TEMP)
		return ST_TEMP;
	if (st == ST_PERM) {
		forget(s, id);
		return ST_OK;
	}
	row_settle(s, id, HOLD_IS_EXPIRED);
	log_held(s, LOG_IS_WARNING, id, "expired", q.reason);
	return quarantine_remove(s, SPAN_LIT(HOLD_CLASS), id, err);
}

static bool
is_busy(const struct packet_held_ask *ask, struct span id)
{
	for (size_t i = 0; i < ask->busy_count; i++)
		if (span_equal_nocase(ask->busy[i], id))
			return true;
	return false;
}

static void
expire_some(struct store *s, const struct packet_held_ask *ask)
{
	struct span ids[EXPIRED_AT_ONCE];
	uint64_t now = clock_unix_ms(), keep = s->settings->hold_lifetime;
	struct error err;
	size_t n = now > keep ? row_ids(s, SQL_HOLD_OLD, now - keep, ids, COUNT_OF(ids)) : 0;

	for (size_t i = 0; i < n; i++)
		if (!is_busy(ask, ids[i]) && expire(s, ids[i], &err) != ST_OK) {
			log_held(s, LOG_IS_ERROR, ids[i], "cannot expire",
			    span_text(err.text));
			return;
		}
}

/* The listener whose next hop can take a notice about it. */
static struct span
listener_of(struct store *s, struct span id)
{
	int fd = quarantine_open(s, SPAN_LIT(HOLD_EXPIRED), id);
	struct packet_quarantine q = { 0 };
	struct error err;
	size_t head;

	if (fd < 0)
		return SPAN_NONE;
	if (quarantine_head(s, fd, &q, &head, &err) != ST_OK)
		q.listener = SPAN_NONE;
	close(fd);
	return q.listener;
}

static bool
tell_expired(struct store *s, struct packet_held *answer)
{
	answer->id_count = row_ids(s, SQL_HOLD_EXPIRED, 0, answer->ids, HELD_LISTED);
	if (answer->id_count == 0)
		return false;
	answer->kind = HELD_EXPIRED;
	answer->listener = listener_of(s, answer->ids[0]);
	return true;
}

void
hold_told(struct store *s, const struct packet_held_told *t)
{
	for (size_t i = 0; i < t->id_count; i++)
		row_remove(s, lowered(s, t->ids[i]));
	database_commit(&s->database);
}

/* --- giving out --- */

static uint64_t
longer(const struct store *s, uint64_t pause)
{
	uint64_t least = s->settings->hold_retry;

	pause = pause * 2 < least ? least : pause * 2;
	return pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS;
}

/* Whatever happens to the gateway: not at once again. */
static bool
give_out(struct store *s, struct span id, struct packet_held *answer)
{
	struct packet_quarantine q;
	struct hold_row row;
	struct error err;
	size_t head;
	int fd = open_held(s, id, &q, &head, &err);
	bool gone = fd < 0 && errno == ENOENT;

	if (gone) {
		log_held(s, LOG_IS_WARNING, id, "forgotten", SPAN_LIT("its file is gone"));
		forget(s, id);
		return false;
	}
	if (!row_get(s, id, &row))
		row = (struct hold_row){ 0 };
	if (row.state == HOLD_IS_OUT)
		log_held(s, LOG_IS_WARNING, id, "tried again",
		    SPAN_LIT("the last try did not tell its end: "
		    "recipients may get the mail twice"));
	row.pause = longer(s, row.pause);
	row.tries++;
	row.state = fd < 0 ? row.state : HOLD_IS_OUT;
	row_set(s, id, &row);
	if (fd < 0) {
		log_held(s, LOG_IS_ERROR, id, "stays", span_text(err.text));
		return false;
	}
	*answer = (struct packet_held){ .kind = HELD_MAIL, .tries = row.tries,
	    .ids = { id }, .id_count = 1 };
	s->answer_fd = fd;
	return true;
}

/* Those due first; answer->wait_ms is for when none is. */
static void
look_for_due(struct store *s, const struct packet_held_ask *ask, struct packet_held *answer)
{
	sqlite3_stmt *st = database_statement(&s->database, SQL_HOLD_DUE);
	struct span ids[LOOKED_AT];
	uint64_t now = clock_unix_ms(), due;
	size_t n = 0;

	if (st == NULL)
		return;
	database_bind_number(st, 1, LOOKED_AT);
	while (database_row(&s->database, st)) {
		struct span id = database_text(st, 0);

		due = (uint64_t)sqlite3_column_int64(st, 1);
		if (is_busy(ask, id))
			continue;
		if (due <= now)
			ids[n++] = arena_span(&s->arena, id);
		else if (due - now < answer->wait_ms)
			answer->wait_ms = due - now;
	}
	for (size_t i = 0; i < n; i++)
		if (give_out(s, ids[i], answer))
			return;
}

static void
wake(struct store *s)
{
	sqlite3_stmt *st = NULL;

	if (database_batch(&s->database, clock_mono_ms()))
		st = database_statement(&s->database, SQL_HOLD_WAKE);
	if (st == NULL)
		return;
	database_bind_number(st, 1, clock_unix_ms());
	change(s, st);
}

void
hold_ask(struct store *s, const struct packet_held_ask *ask, struct pack *p)
{
	struct packet_held answer = { .wait_ms = ASK_AGAIN_MS };

	if (ask->wake)
		wake(s);
	expire_some(s, ask);
	if (!ask->may_tell || !tell_expired(s, &answer))
		look_for_due(s, ask, &answer);
	database_commit(&s->database);
	packet_put_held(p, &answer);
}

/* --- what became of it --- */

static const struct held_row *
row_of(const struct packet_held_done *d, struct span address, size_t likely)
{
	if (likely < d->count && span_equal(d->rows[likely].address, address))
		return &d->rows[likely];
	for (size_t i = 0; i < d->count; i++)
		if (span_equal(d->rows[i].address, address))
			return &d->rows[i];
	return NULL;
}

/* A mail that is being settled: its recipients, and what became of each. */
struct settling {
	struct store *store;
	struct packet_quarantine q;
	const struct held_row **rows;   /* one a recipient; NULL: it stays */
	struct recipient *some;         /* room for as many */
	int      fd;
	size_t   head;
};

static void
find_rows(struct settling *g, const struct packet_held_done *d)
{
	const struct envelope *e = &g->q.envelope;
	struct arena *a = &g->store->arena;

	g->rows = arena_array(a, const struct held_row *, e->recipient_count);
	g->some = arena_array(a, struct recipient, e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		g->rows[i] = row_of(d, e->recipients[i].address, i);
		if (g->rows[i] != NULL && g->rows[i]->result == HELD_STAYS)
			g->rows[i] = NULL;
	}
}

/* Its file once more, for the recipients that `like` has: in that class, or (NULL) those
   that stay. */
static enum status
keep_some(struct settling *g, const struct held_row *like, struct error *err)
{
	struct packet_quarantine q = g->q;
	struct span path;
	size_t n = 0;

	for (size_t i = 0; i < g->q.envelope.recipient_count; i++) {
		const struct held_row *row = g->rows[i];

		if (like == NULL ? row == NULL : row != NULL &&
		    row->result == HELD_REFUSED && span_equal(row->class, like->class))
			g->some[n++] = g->q.envelope.recipients[i];
	}
	q.envelope.recipients = g->some;
	q.envelope.recipient_count = q.envelope.recipient_cap = n;
	if (like != NULL) {
		q.class = like->class;
		q.rule = like->rule;
		q.reason = like->reason;
	}
	return quarantine_copy(g->store, &q, g->fd, g->head, &path, err);
}

static bool
class_came_before(const struct settling *g, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (g->rows[i] != NULL && g->rows[i]->result == HELD_REFUSED &&
		    span_equal(g->rows[i]->class, g->rows[at]->class))
			return true;
	return false;
}

static enum status
keep_refused(struct settling *g, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < g->q.envelope.recipient_count && st == ST_OK; i++)
		if (g->rows[i] != NULL && g->rows[i]->result == HELD_REFUSED &&
		    !class_came_before(g, i))
			st = keep_some(g, g->rows[i], err);
	return st;
}

static void
try_later(struct store *s, struct span id)
{
	struct hold_row row;

	if (!row_get(s, id, &row))
		return;
	row.state = HOLD_IS_WAITING;
	row_set(s, id, &row);
}

static enum status
settle(struct settling *g, struct span id, struct error *err)
{
	struct store *s = g->store;
	size_t n = g->q.envelope.recipient_count, stay = 0;
	enum status st;

	for (size_t i = 0; i < n; i++)
		stay += g->rows[i] == NULL;
	st = keep_refused(g, err);
	if (st == ST_OK && stay > 0 && stay < n)
		st = keep_some(g, NULL, err);
	if (st != ST_OK || stay > 0) {
		try_later(s, id);
		return st;
	}
	store_count(s, COUNTER_HELD_RELEASED, 1);
	row_settle(s, id, HOLD_IS_OVER);
	st = quarantine_remove(s, SPAN_LIT(HOLD_CLASS), id, err);
	if (st == ST_OK)
		row_remove(s, id);
	return st;
}

enum status
hold_done(struct store *s, const struct packet_held_done *d, struct error *err)
{
	struct settling g = { .store = s };
	struct span id = lowered(s, d->id);
	enum status st;

	g.fd = open_held(s, id, &g.q, &g.head, err);
	if (g.fd < 0 && errno != ENOENT)
		return ST_TEMP;
	if (g.fd < 0) {                 /* told once before, or removed by hand */
		row_remove(s, id);
		return ST_OK;
	}
	find_rows(&g, d);
	st = settle(&g, id, err);
	close(g.fd);
	return st;
}

/* --- the clock --- */

static void
add_file(struct store *s, struct span name)
{
	struct span end = SPAN_LIT(".eml"), id = span_slice(name, 0, RECORD_ID_BYTES);
	struct packet_quarantine q;
	struct error err;
	size_t head;

	if (name.len != RECORD_ID_BYTES + end.len || !record_id_is(id) ||
	    !span_equal(span_slice(name, RECORD_ID_BYTES, name.len), end))
		return;
	row_add(s, id, clock_unix_ms());
	if (s->database.db == NULL || sqlite3_changes(s->database.db) == 0)
		return;
	int fd = open_held(s, id, &q, &head, &err);

	if (fd < 0)
		return;
	close(fd);
	quarantine_row(s, &q, quarantine_path(s, q.class, id));
}

static void
each_entry(struct store *s, int parent, const char *name,
    void (*each)(struct store *, int folder, const char *name))
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			each(s, dirfd(dir), e->d_name);
	closedir(dir);
}

static void
each_file(struct store *s, int folder, const char *name)
{
	add_file(s, span_text(name));
	arena_free(&s->arena);
}

static void
each_day(struct store *s, int folder, const char *name)
{
	each_entry(s, folder, name, each_file);
}

/* What was over when the last store died. */
static void
finish_over(struct store *s)
{
	struct span ids[LOOKED_AT];
	struct error err;
	size_t n = row_ids(s, SQL_HOLD_OVER, 0, ids, COUNT_OF(ids));

	for (size_t i = 0; i < n; i++)
		if (quarantine_remove(s, SPAN_LIT(HOLD_CLASS), ids[i], &err) == ST_OK)
			row_remove(s, ids[i]);
	n = row_ids(s, SQL_HOLD_EXPIRED, 0, ids, COUNT_OF(ids));
	for (size_t i = 0; i < n; i++)
		quarantine_remove(s, SPAN_LIT(HOLD_CLASS), ids[i], &err);
	arena_free(&s->arena);
}

void
hold_rebuild(struct store *s)
{
	int root = open(s->settings->quarantine_directory,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	finish_over(s);
	if (root < 0)
		return;
	each_entry(s, root, HOLD_CLASS, each_day);
	close(root);
	database_commit(&s->database);
	s->hold_changed = true;
}

void
hold_tick(struct store *s, uint64_t now)
{
	sqlite3_stmt *st;

	if (!s->hold_changed || now < s->next_hold_count)
		return;
	s->hold_changed = false;
	s->next_hold_count = now + COUNT_MS;
	st = database_statement(&s->database, SQL_HOLD_COUNT);
	while (st != NULL && database_row(&s->database, st)) {
		s->counters->values[GAUGE_HELD] = (uint64_t)sqlite3_column_int64(st, 0);
		s->counters->values[GAUGE_HELD_SINCE] =
		    (uint64_t)sqlite3_column_int64(st, 1) / 1000;
	}
}
