/*
 * store.c - packets to functions, and what is done by the clock; see store.h.
 */
#include "src/store/store.h"
#include "sys/ipc.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECKPOINT_MS   10000
#define RENEW_MS        10000
#define HOUR_MS         3600000ull
#define SLICE_IDLE_MS   1000            /* expiry: between slices while nothing waits  */
#define SLICE_BUSY_MS   5000            /* and while something does                    */
#define SLICE_REST_MS   60000           /* when there was nothing to remove            */
#define SLICE_RECORDS   500
#define STALE_KEYS      1000            /* removed from the ledger before a rebuild    */

static uint64_t
clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_unix_ms(void) { return clock_ms(CLOCK_REALTIME); }
uint64_t clock_mono_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

void
store_count(struct store *s, enum counter which, uint64_t n)
{
	s->counters->values[which] += n;
}

enum status
store_open(struct store *s, struct error *err)
{
	uint64_t now = clock_mono_ms();
	enum status st =
	    database_open(&s->database, s->settings->state_directory, s->log, err);

	s->folder.fd = s->answer_fd = -1;
	if (st == ST_PERM)
		return st;
	if (st != ST_OK)
		log_event(s->log, EVENT_STORE, LOG_IS_ERROR, "database", s->database.path,
		    "error", err->text, NULL);
	s->next_checkpoint = now + CHECKPOINT_MS;
	s->next_renew = now + RENEW_MS;
	s->next_rebuild = now + 24 * HOUR_MS;
	ledger_expire(s, clock_unix_ms());
	ledger_rebuild(s);
	hold_rebuild(s);
	return ST_OK;
}

void
store_close(struct store *s)
{
	database_commit(&s->database);
	database_checkpoint(&s->database);
	database_close(&s->database);
	if (s->folder.fd >= 0)
		close(s->folder.fd);
	s->folder.fd = -1;
	arena_free(&s->arena);
}

/* Everything that one request needs. */
struct request {
	struct store  *store;
	struct unpack  body;
	const int     *fds;
	size_t         fd_count;
	uint32_t       serial;
	uint8_t       *bytes;           /* room for the answer */
	struct pack   *answer;
};

static void
answer_stored(struct request *r, enum status st, struct span text)
{
	*r->answer = packet_begin(r->bytes, PACKET_STORED, r->serial);
	packet_put_stored(r->answer, &(struct packet_stored){ st, text });
}

/* A body was written, or not: say so, and count. */
static void
answer_body(struct request *r, enum status st, struct span path, const struct error *err)
{
	struct store *s = r->store;

	if (st == ST_OK) {
		store_count(s, COUNTER_STORED, 1);
		answer_stored(r, ST_OK, path);
		return;
	}
	store_count(s, COUNTER_STORE_FAILURES, 1);
	log_event(s->log, EVENT_STORE, LOG_IS_ERROR, "error", err->text, NULL);
	answer_stored(r, ST_TEMP, span_text(err->text));
}

static bool
do_journal(struct request *r)
{
	while (r->body.rest.len > 0 && !r->body.bad) {
		struct span record = unpack_span(&r->body);

		if (!r->body.bad)
			journal_add(r->store, record, clock_mono_ms());
	}
	return !r->body.bad;
}

static bool
do_quarantine(struct request *r)
{
	struct packet_quarantine q;
	struct span path = SPAN_NONE;
	struct error err = { 0 };

	if (r->fd_count != 1 || !packet_take_quarantine(&r->body, &q, &r->store->arena))
		return false;
	enum status st = quarantine_add(r->store, &q, r->fds[0], &path, &err);

	answer_body(r, st, path, &err);
	return true;
}

static bool
do_maildir(struct request *r)
{
	struct packet_maildir m;
	struct span path = SPAN_NONE;
	struct error err = { 0 };

	if (r->fd_count != 1 || !packet_take_maildir(&r->body, &m, &r->store->arena))
		return false;
	enum status st = maildir_add(r->store, &m, r->fds[0], &path, &err);

	answer_body(r, st, path, &err);
	edit_free(&m.edits);
	return true;
}

static bool
do_ledger_ask(struct request *r)
{
	struct packet_ledger l;

	if (!packet_take_ledger(&r->body, &l, &r->store->arena))
		return false;
	*r->answer = packet_begin(r->bytes, PACKET_LEDGER, r->serial);
	ledger_ask(r->store, &l, r->answer);
	return true;
}

static bool
do_ledger_change(struct request *r, bool (*change)(struct store *,
    const struct packet_ledger *))
{
	struct packet_ledger l;

	if (!packet_take_ledger(&r->body, &l, &r->store->arena))
		return false;
	if (change(r->store, &l))
		answer_stored(r, ST_OK, SPAN_NONE);
	else
		answer_stored(r, ST_TEMP, SPAN_LIT("the ledger could not be written"));
	return true;
}

static bool do_ledger_add(struct request *r) { return do_ledger_change(r, ledger_add); }
static bool
do_ledger_remove(struct request *r)
{
	return do_ledger_change(r, ledger_remove);
}

static bool
do_held_ask(struct request *r)
{
	struct packet_held_ask ask;

	if (!packet_take_held_ask(&r->body, &ask))
		return false;
	*r->answer = packet_begin(r->bytes, PACKET_HELD, r->serial);
	hold_ask(r->store, &ask, r->answer);
	return true;
}

static bool
do_held_done(struct request *r)
{
	struct packet_held_done d;
	struct error err = { 0 };

	if (!packet_take_held_done(&r->body, &d, &r->store->arena))
		return false;
	enum status st = hold_done(r->store, &d, &err);

	if (st == ST_OK)
		answer_stored(r, ST_OK, SPAN_NONE);
	else
		answer_body(r, st, SPAN_NONE, &err);
	return true;
}

static bool
do_held_told(struct request *r)
{
	struct packet_held_told t;

	if (!packet_take_held_told(&r->body, &t))
		return false;
	hold_told(r->store, &t);
	answer_stored(r, ST_OK, SPAN_NONE);
	return true;
}

static bool (*const requests[PACKET_TYPES])(struct request *) = {
	[PACKET_JOURNAL] = do_journal,
	[PACKET_QUARANTINE] = do_quarantine,
	[PACKET_MAILDIR] = do_maildir,
	[PACKET_LEDGER_ASK] = do_ledger_ask,
	[PACKET_LEDGER_ADD] = do_ledger_add,
	[PACKET_LEDGER_REMOVE] = do_ledger_remove,
	[PACKET_HELD_ASK] = do_held_ask,
	[PACKET_HELD_DONE] = do_held_done,
	[PACKET_HELD_TOLD] = do_held_told,
};

static bool
dispatch(struct request *r, struct span packet)
{
	enum packet_type type = packet_open(packet, &r->serial, &r->body);

	return requests[type] != NULL && requests[type](r);
}

/* Its memory is sealed, so that nobody can cut it off while it is read. */
static bool
dispatch_large(struct request *r)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	struct stat st;
	size_t len;

	if (r->fd_count == 0)
		return false;
	int fd = r->fds[--r->fd_count];

	int has = fcntl(fd, F_GET_SEALS);       /* -1 for what cannot be sealed */

	if (fstat(fd, &st) < 0 || st.st_size > PACKET_LARGE_BYTES || has < 0 ||
	    (has & seals) != seals)
		return false;
	uint8_t *map = ipc_map(fd, &len, false);

	if (map == NULL)
		return false;
	bool ok = dispatch(r, (struct span){ map, len });

	munmap(map, len);
	return ok;
}

bool
store_packet(struct store *s, struct span packet, const int *fds, size_t fd_count,
    uint8_t answer_bytes[PACKET_BYTES], struct pack *answer)
{
	struct request r = { .store = s, .fds = fds, .fd_count = fd_count,
		.bytes = answer_bytes, .answer = answer };
	*answer = (struct pack){ 0 };
	bool ok = packet_open(packet, &r.serial, &r.body) == PACKET_LARGE
	    ? dispatch_large(&r) : dispatch(&r, packet);

	arena_free(&s->arena);
	return ok;
}

static void
tick_database(struct store *s, uint64_t now)
{
	struct database *d = &s->database;

	if (d->in_batch && now - d->batch_began >= DATABASE_BATCH_MS)
		database_commit(d);
	if ((d->corrupt || d->db == NULL) && now >= s->next_renew) {
		s->next_renew = now + RENEW_MS;
		if (database_renew(d)) {
			ledger_rebuild(s);
			hold_rebuild(s);
		}
	}
	if (now >= s->next_checkpoint) {
		s->next_checkpoint = now + CHECKPOINT_MS;
		database_checkpoint(d);
	}
	store_count(s, COUNTER_STORE_FAILURES, d->lost - s->lost_told);
	s->lost_told = d->lost;
}

void
store_tick(struct store *s, uint64_t now, bool idle)
{
	tick_database(s, now);
	hold_tick(s, now);
	if (now >= s->next_slice + (idle ? 0 : SLICE_BUSY_MS - SLICE_IDLE_MS)) {
		bool more = journal_expire(s, clock_unix_ms(),
		    idle ? SLICE_RECORDS : 2 * SLICE_RECORDS);

		s->next_slice = now + (more ? SLICE_IDLE_MS : SLICE_REST_MS);
	}
	if (now >= s->next_hourly) {
		s->next_hourly = now + HOUR_MS;
		ledger_expire(s, clock_unix_ms());
		hold_rebuild(s);
	}
	if (now >= s->next_rebuild || s->stale >= STALE_KEYS) {
		s->next_rebuild = now + 24 * HOUR_MS;
		ledger_rebuild(s);
	}
}

int
store_wait(const struct store *s, uint64_t now)
{
	const struct database *d = &s->database;
	uint64_t end =
	    d->in_batch ? d->batch_began + DATABASE_BATCH_MS : now + SLICE_IDLE_MS;

	return end > now ? (int)(end - now) : 0;
}
