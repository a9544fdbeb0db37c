/*
 * reader.c - the reading process: one command at a time, from a connection the master has
 * accepted.
 *
 * The first line of an answer is ok or error.  The database is opened for each command,
 * so that one that was begun anew is found; a question has a deadline, for a reader that
 * does not end holds back the writer's log.
 */
#include "src/store/child.h"
#include "src/store/store.h"
#include "src/store/track.h"
#include "sys/ipc.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUESTION_MS     10000
#define SEND_MS         10000           /* without the client taking anything */
#define BUSY_MS         2000
#define STEPS           10000           /* of SQLite's between looks at the clock */

static int
is_late(void *arg)
{
	return clock_mono_ms() >= *(const uint64_t *)arg;
}

static enum status
check_version(sqlite3 *db, struct error *err)
{
	sqlite3_stmt *st;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	if (version < 0)
		return fail(err, ST_TEMP, "reader", "%s", sqlite3_errmsg(db));
	return version == DATABASE_VERSION ? ST_OK :
	    fail(err, ST_TEMP, "reader", "the journal is not ready yet, try again");
}

static enum status
open_reading(const char *directory, sqlite3 **db, struct error *err)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/%s", directory, DATABASE_FILE);
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return fail(err, ST_TEMP, "reader", "the journal cannot be opened: %s",
		    *db != NULL ? sqlite3_errmsg(*db) : "no memory");
	sqlite3_busy_timeout(*db, BUSY_MS);
	sqlite3_exec(*db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	return check_version(*db, err);
}

static enum status
answer(const char *directory, struct span line, struct buf *b, struct arena *a,
    struct error *err)
{
	uint64_t deadline = clock_mono_ms() + QUESTION_MS;
	struct question q;
	sqlite3 *db = NULL;
	enum status st = question_parse(line, clock_unix_ms(), &q, a, err);

	if (st == ST_OK)
		st = open_reading(directory, &db, err);
	if (st == ST_OK) {
		sqlite3_progress_handler(db, STEPS, is_late, &deadline);
		st = q.kind == QUESTION_TRACK ? track_answer(db, &q, b, err)
		    : explain_answer(db, &q, b, a, err);
	}
	sqlite3_close_v2(db);
	return st;
}

void
reader_answer(const char *directory, struct span line, struct buf *out)
{
	struct arena arena = { 0 };
	struct buf body = { 0 };
	struct error err = { 0 };

	if (answer(directory, line, &body, &arena, &err) == ST_OK) {
		buf_printf(out, "ok\n");
		buf_add(out, buf_span(&body));
	} else
		buf_printf(out, "error\n%s\n", err.text);
	buf_free(&body);
	arena_free(&arena);
}

static void
send_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			bytes = span_slice(bytes, (size_t)n, bytes.len);
		else if (errno != EAGAIN && errno != EINTR)
			return;
		else if (poll(&p, 1, SEND_MS) == 0)
			return;
	}
}

static bool
do_control(struct child *c, struct unpack *body, const int *fds, size_t fd_count)
{
	struct span line = unpack_span(body);
	struct buf b = { 0 };

	if (!unpack_whole(body) || fd_count != 1)
		return false;
	reader_answer(c->settings->state_directory, line, &b);
	send_all(fds[0], buf_span(&b));
	/* The master may hold the connection a moment longer. */
	shutdown(fds[0], SHUT_WR);
	buf_free(&b);
	return true;
}

/* False: it is over, with *end. */
static bool
start(struct child *c, int *end)
{
	struct error err;

	if (child_enter(c, &err) == ST_OK) {
		child_tell(PACKET_READY, 0, buf_text(&c->missing));
		return true;
	}
	log_event(&c->log, EVENT_STORE, LOG_IS_ERROR, "error", err.text, NULL);
	*end = EXIT_REFUSED;
	return false;
}

static bool
obey(struct child *c, struct span packet, const int *fds, size_t fd_count, int *end)
{
	struct unpack body;
	uint32_t serial;
	enum packet_type type = packet_open(packet, &serial, &body);

	if (type == PACKET_START)
		return start(c, end);
	if (type == PACKET_PING) {
		child_tell(PACKET_PONG, serial, NULL);
		return true;
	}
	if (type == PACKET_DRAIN) {
		child_tell(PACKET_DRAINED, 0, NULL);
		return false;
	}
	if (type == PACKET_RELOAD || (type == PACKET_CONTROL &&
	    do_control(c, &body, fds, fd_count)))
		return true;
	*end = EXIT_PROMISE;
	return false;
}

int
reader_run(struct child *c)
{
	uint8_t *bytes = must_alloc(PACKET_BYTES);
	int fds[PACKET_FDS], end = 0;
	size_t len, fd_count;
	bool goes_on = true;

	while (goes_on && ipc_wait(MASTER_FD, -1)) {
		enum ipc_result result = ipc_receive(
		    MASTER_FD, bytes, PACKET_BYTES, &len, fds, PACKET_FDS, &fd_count);

		if (result == IPC_CLOSED)
			break;
		if (result == IPC_AGAIN)
			continue;
		goes_on = obey(c, (struct span){ bytes, len }, fds, fd_count, &end);
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
	}
	free(bytes);
	return end;
}
