/*
 * quarantine.c - messages kept back, as files that say themselves what they are.
 *
 * CLASS/YYYYMMDD/ID.eml below the quarantine directory, the day being that of the id, so
 * that the same id is always the same file.  A block of fields comes first, one a line,
 * ended by an empty line; then the message, byte for byte.  Texts in it are escaped
 * (\\ for a backslash, \xHH), so that all of the envelope can be read back:
 *
 *     X-Sallyport-Id: 0dkz...
 *     X-Envelope-From: <sender> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=xtext
 *     X-Envelope-To: <recipient> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;xtext
 *     X-Sallyport-Class, -Rule, -Reason, -Listener, -Client, -Arrival, -Size, -Xforward
 */
#include "src/store/store.h"
#include "lib/base/text.h"
#include "src/store/draft.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CLASS_BYTES     64
#define PREFIX_BYTES    (8u << 20)      /* more is not an envelope */

bool
quarantine_class_is(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '_')
			return false;
	return s.len > 0 && s.len <= CLASS_BYTES;
}

static void
field(struct buf *b, const char *name, struct span value)
{
	buf_printf(b, "%s: ", name);
	text_escape(b, value, value.len, true);
	buf_byte(b, '\n');
}

static void
parameter(struct buf *b, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	buf_printf(b, " %s=", name);
	text_escape(b, value, value.len, true);
}

static void
sender_field(struct buf *b, const struct envelope *e)
{
	static const char *const bodies[] = {
	    [BODY_NONE] = "",
	    [BODY_7BIT] = " BODY=7BIT",
	    [BODY_8BITMIME] = " BODY=8BITMIME",
	};
	static const char *const returns[] = {
	    [RETURN_NONE] = "",
	    [RETURN_FULL] = " RET=FULL",
	    [RETURN_HEADERS] = " RET=HDRS",
	};

	buf_printf(b, "X-Envelope-From: <");
	text_escape(b, e->sender, e->sender.len, true);
	buf_printf(b, ">%s%s%s", bodies[e->body], e->smtputf8 ? " SMTPUTF8" : "",
	    returns[e->ret]);
	parameter(b, "ENVID", e->envid);
	buf_byte(b, '\n');
}

static void
notify_parameter(struct buf *b, unsigned notify)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" },
	};
	const char *between = " NOTIFY=";

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		buf_printf(b, "%s%s", between, words[i].word);
		between = ",";
	}
}

static void
recipient_field(struct buf *b, const struct recipient *r)
{
	buf_printf(b, "X-Envelope-To: <");
	text_escape(b, r->address, r->address.len, true);
	buf_byte(b, '>');
	notify_parameter(b, r->notify);
	parameter(b, "ORCPT", r->orcpt);
	buf_byte(b, '\n');
}

static void
xforward_field(struct buf *b, const struct xforward *x)
{
	const struct { const char *name; struct span value; } rows[] = {
		{ "NAME", x->name }, { "ADDR", x->addr }, { "PORT", x->port },
		{ "PROTO", x->proto }, { "HELO", x->helo }, { "IDENT", x->ident },
		{ "SOURCE", x->source },
	};

	if (!x->given)
		return;
	buf_printf(b, "X-Sallyport-Xforward:");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		buf_printf(b, " %s=", rows[i].name);
		text_value(b, rows[i].value, rows[i].value.len);
	}
	buf_byte(b, '\n');
}

static void
prefix(struct buf *b, const struct packet_quarantine *q)
{
	char arrival[TEXT_TIME_BYTES];

	text_time(arrival, q->arrived);
	field(b, "X-Sallyport-Id", q->id);
	sender_field(b, &q->envelope);
	for (size_t i = 0; i < q->envelope.recipient_count; i++)
		recipient_field(b, &q->envelope.recipients[i]);
	field(b, "X-Sallyport-Class", q->class);
	field(b, "X-Sallyport-Rule", q->rule);
	field(b, "X-Sallyport-Reason", q->reason);
	field(b, "X-Sallyport-Listener", q->listener);
	field(b, "X-Sallyport-Client", q->client);
	xforward_field(b, &q->envelope.xforward);
	buf_printf(b, "X-Sallyport-Arrival: %s\nX-Sallyport-Size: %llu\n\n", arrival,
	    (unsigned long long)q->size);
}

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

static enum status
write_body(int folder, const struct packet_quarantine *q, const char *id, int message_fd,
    struct error *err)
{
	struct buf head = { 0 };
	struct draft d = { .fd = -1 };
	char temp[64], name[64];
	enum status st;

	prefix(&head, q);
	snprintf(temp, sizeof temp, ".%s.tmp", id);
	snprintf(name, sizeof name, "%s.eml", id);
	st = buf_len(&head) <= PREFIX_BYTES ? draft_begin(&d, folder, temp, err)
	    : fail(err, ST_TEMP, "store", "the envelope is too large");
	if (st == ST_OK)
		st = draft_write(&d, buf_span(&head), err);
	if (st == ST_OK)
		st = draft_copy(&d, message_fd, 0, q->size, err);
	if (st == ST_OK)
		st = draft_finish(&d, folder, name, err);
	draft_drop(&d);
	buf_free(&head);
	return st;
}

/* The row is committed before the answer, though not synced: the file is the truth. */
static void
add_row(
    struct store *s, const struct packet_quarantine *q, struct span id, struct span path)
{
	struct database *d = &s->database;
	sqlite3_stmt *st = database_batch(d, clock_mono_ms())
	    ? database_statement(d, SQL_QUARANTINE_ADD) : NULL;

	if (st == NULL) {
		d->lost++;
		return;
	}
	database_bind(st, 1, id);
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

enum status
quarantine_add(struct store *s, const struct packet_quarantine *q, int message_fd,
    struct span *path, struct error *err)
{
	char id[RECORD_ID_BYTES + 1] = "", day[9];
	const char *class;
	int folder;

	if (!quarantine_class_is(q->class) || !record_id_is(q->id))
		return fail(err, ST_TEMP, "store", "not a name for a quarantine");
	for (size_t i = 0; i < RECORD_ID_BYTES; i++)
		id[i] = (char)to_lower(q->id.ptr[i]);
	class = arena_text(&s->arena, q->class);
	day_of(day, q->id);
	if (draft_source(message_fd, q->size, err) != ST_OK ||
	    (folder = day_folder(s, class, day, err)) < 0 ||
	    write_body(folder, q, id, message_fd, err) != ST_OK)
		return ST_TEMP;
	*path = span_text(arena_printf(&s->arena, "%s/%s/%s/%s.eml",
	    s->settings->quarantine_directory, class, day, id));
	add_row(s, q, span_text(id), *path);
	return ST_OK;
}
