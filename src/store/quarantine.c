/*
 * quarantine.c - messages kept back, as files that say themselves what they are.
 *
 * CLASS/YYYYMMDD/ID.eml below the quarantine directory, the day being that of the id, so
 * that the same id is always the same file.  It begins with the fields of kept.h, then
 * comes the message, byte for byte.
 */
#include "src/store/store.h"
#include "lib/packet/kept.h"
#include "src/store/draft.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define HEAD_BYTES      16384u          /* of most files' fields */

/* The directory of that class and day in the root; made if missing. */
static int
walk_down(int root, const char *class, const char *day, struct error *err)
{
	int upper = folder_open(root, class, err);
	int lower = upper >= 0 ? folder_open(upper, day, err) : -1;

	if (upper >= 0)
		close(upper);
	return lower;
}

/* The last one is kept open: its parents need not be synced again. */
static int
day_folder(struct store *s, const char *class, const char *day, struct error *err)
{
	struct folder_cache *c = &s->folder;
	const char *root = s->settings->quarantine_directory;

	if (c->fd >= 0 && strcmp(c->root, root) == 0 && strcmp(c->class, class) == 0 &&
	    strcmp(c->day, day) == 0 && faccessat(c->fd, ".", W_OK, 0) == 0)
		return c->fd;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		fail(err, ST_TEMP, "store", "opening %s: %s", root, strerror(errno));
		return -1;
	}
	c->fd = walk_down(fd, class, day, err);
	close(fd);
	snprintf(c->root, sizeof c->root, "%s", root);
	snprintf(c->class, sizeof c->class, "%s", class);
	snprintf(c->day, sizeof c->day, "%s", day);
	return c->fd;
}

static void
day_of(char day[9], struct span id)
{
	time_t t = (time_t)(record_id_time(id) / 1000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(day, 9, "%Y%m%d", &tm) == 0)
		memcpy(day, "00000000", 9);
}

/* The message is at `from` in its file. */
static enum status
write_body(int folder, const struct packet_quarantine *q, const char *id, int message_fd,
    uint64_t from, struct error *err)
{
	struct buf head = { 0 };
	struct draft d = { .fd = -1 };
	char temp[64], name[64];
	enum status st;

	kept_write(&head, q);
	snprintf(temp, sizeof temp, ".%s.tmp", id);
	snprintf(name, sizeof name, "%s.eml", id);
	st = buf_len(&head) <= KEPT_BYTES ? draft_begin(&d, folder, temp, err)
	    : fail(err, ST_TEMP, "store", "the envelope is too large");
	if (st == ST_OK)
		st = draft_write(&d, buf_span(&head), err);
	if (st == ST_OK)
		st = draft_copy(&d, message_fd, from, q->size, err);
	if (st == ST_OK)
		st = draft_finish(&d, folder, name, err);
	draft_drop(&d);
	buf_free(&head);
	return st;
}

/* An id as files and rows have it. */
static struct span
lowered(struct store *s, struct span id)
{
	struct span out = arena_span(&s->arena, id);

	for (size_t i = 0; i < out.len; i++)
		((uint8_t *)(uintptr_t)out.ptr)[i] = to_lower(out.ptr[i]);
	return out;
}

/* The row is committed before the answer, though not synced: the file is the truth. */
void
quarantine_row(struct store *s, const struct packet_quarantine *q, struct span path)
{
	struct database *d = &s->database;
	sqlite3_stmt *st = database_batch(d, clock_mono_ms())
	    ? database_statement(d, SQL_QUARANTINE_ADD) : NULL;

	if (st == NULL) {
		d->lost++;
		return;
	}
	database_bind(st, 1, lowered(s, q->id));
	database_bind(st, 2, q->class);
	database_bind(st, 3, path);
	database_bind_number(st, 4, q->arrived);
	database_bind_number(st, 5, q->size);
	database_bind(st, 6, q->envelope.sender);
	database_bind_number(st, 7, q->envelope.recipient_count);
	database_bind(st, 8, q->listener);
	database_bind(st, 9, q->client);
	database_bind(st, 10, q->rule);
	database_bind(st, 11, q->reason);
	if (database_run(d, st))
		database_commit(d);
	else
		database_abandon(d);
}

struct span
quarantine_path(struct store *s, struct span class, struct span id)
{
	char day[9];

	day_of(day, id);
	return span_text(arena_printf(&s->arena, "%s/%.*s/%s/%.*s.eml",
	    s->settings->quarantine_directory, (int)class.len, (const char *)class.ptr, day,
	    (int)id.len, (const char *)lowered(s, id).ptr));
}

enum status
quarantine_copy(struct store *s, const struct packet_quarantine *q, int fd, uint64_t from,
    struct span *path, struct error *err)
{
	const char *class, *id;
	char day[9];
	int folder;

	if (!kept_class_is(q->class) || !record_id_is(q->id))
		return fail(err, ST_TEMP, "store", "not a name for a quarantine");
	id = arena_text(&s->arena, lowered(s, q->id));
	class = arena_text(&s->arena, q->class);
	day_of(day, q->id);
	if (draft_source(fd, from + q->size, err) != ST_OK ||
	    (folder = day_folder(s, class, day, err)) < 0 ||
	    write_body(folder, q, id, fd, from, err) != ST_OK)
		return ST_TEMP;
	*path = quarantine_path(s, q->class, q->id);
	quarantine_row(s, q, *path);
	return ST_OK;
}

enum status
quarantine_add(struct store *s, const struct packet_quarantine *q, int message_fd,
    struct span *path, struct error *err)
{
	enum status st = quarantine_copy(s, q, message_fd, 0, path, err);

	if (st == ST_OK && span_equal(q->class, SPAN_LIT(HOLD_CLASS)))
		hold_enter(s, q->id);
	return st;
}

/* The folder of that class and day, if there is one; -1 and errno. */
static int
folder_of(struct store *s, struct span class, struct span id)
{
	char day[9];

	day_of(day, id);
	return open(arena_printf(&s->arena, "%s/%.*s/%s", s->settings->quarantine_directory,
	    (int)class.len, (const char *)class.ptr, day), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static const char *
name_of(struct store *s, struct span id)
{
	return arena_printf(&s->arena, "%.*s.eml", (int)id.len,
	    (const char *)lowered(s, id).ptr);
}

int
quarantine_open(struct store *s, struct span class, struct span id)
{
	int folder = folder_of(s, class, id);

	if (folder < 0)
		return -1;
	int fd = openat(folder, name_of(s, id), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int why = errno;

	close(folder);
	errno = why;
	return fd;
}

/* The name is gone, on disk. */
static bool
remove_file(struct store *s, struct span class, struct span id)
{
	int folder = folder_of(s, class, id);

	if (folder < 0)
		return errno == ENOENT;
	bool ok = (unlinkat(folder, name_of(s, id), 0) == 0 || errno == ENOENT) &&
	    fsync(folder) == 0;

	close(folder);
	return ok;
}

enum status
quarantine_remove(struct store *s, struct span class, struct span id, struct error *err)
{
	sqlite3_stmt *st;

	if (!remove_file(s, class, id))
		return fail(err, ST_TEMP, "store", "removing %.*s: %s", (int)id.len,
		    (const char *)id.ptr, strerror(errno));
	if (!database_batch(&s->database, clock_mono_ms()))
		return ST_OK;
	if ((st = database_statement(&s->database, SQL_QUARANTINE_REMOVE)) != NULL) {
		database_bind(st, 1, lowered(s, id));
		database_bind(st, 2, class);
		database_run(&s->database, st);
	}
	return ST_OK;
}

enum status
quarantine_move(struct store *s, struct span from, const char *to, struct span id,
    struct error *err)
{
	char day[9];
	int old = folder_of(s, from, id), new;

	if (old < 0)
		return fail(err, ST_TEMP, "store", "moving a file: %s", strerror(errno));
	day_of(day, id);
	new = day_folder(s, to, day, err);
	bool ok = new >= 0 && renameat(old, name_of(s, id), new, name_of(s, id)) == 0 &&
	    fsync(new) == 0 && fsync(old) == 0;

	if (new >= 0 && !ok)
		fail(err, ST_TEMP, "store", "moving a file: %s", strerror(errno));
	close(old);
	return ok ? ST_OK : ST_TEMP;
}

/* As much of the file as holds its fields. */
enum status
quarantine_head(struct store *s, int fd, struct packet_quarantine *q, size_t *head,
    struct error *err)
{
	enum status st = ST_MORE;

	for (size_t room = HEAD_BYTES; st == ST_MORE && room <= 2 * KEPT_BYTES; room *= 8) {
		uint8_t *bytes = arena_alloc(&s->arena, room);
		ssize_t n = pread(fd, bytes, room, 0);

		if (n < 0)
			return fail(err, ST_TEMP, "store", "reading a held mail: %s",
			    strerror(errno));
		st = kept_read((struct span){ bytes, (size_t)n }, q, head, &s->arena);
		if ((size_t)n < room)
			break;
	}
	return st == ST_OK ? ST_OK :
	    fail(err, ST_PERM, "store", "the file's fields cannot be read");
}
