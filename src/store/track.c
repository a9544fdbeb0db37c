/*
 * track.c - lists of mails; see track.h.
 */
#include "src/store/track.h"
#include "lib/base/text.h"

#define SHOWN_RECIPIENTS 3              /* on a line of text */
#define SHOWN_BYTES      200
#define BINDS_MAX        24

/* A condition a field, with how often the value is bound in it. */
struct query { struct buf sql; struct span texts[BINDS_MAX]; size_t count; };

static void
condition(struct query *q, const char *sql, struct span value, unsigned times)
{
	buf_printf(&q->sql, " AND (%s)", sql);
	while (times-- > 0)
		q->texts[q->count++] = value;
}

/* @example.com is every address of that domain. */
static bool
is_domain(struct span s)
{
	return s.len > 1 && s.ptr[0] == '@';
}

static void
address_conditions(struct query *q, const struct question *a)
{
	if (a->sender.ptr != NULL && is_domain(a->sender))
		condition(q, "lower(substr(sender, -length(?))) = lower(?)",
		    a->sender, 2);
	else if (a->sender.ptr != NULL)
		condition(q, "sender = ?", a->sender, 1);
	if (a->recipient.ptr != NULL && is_domain(a->recipient))
		condition(q, "number IN (SELECT mail FROM recipient WHERE "
		    "lower(substr(address, -length(?))) = lower(?))", a->recipient, 2);
	else if (a->recipient.ptr != NULL)
		condition(q, "number IN (SELECT mail FROM recipient WHERE address = ?)",
		    a->recipient, 1);
}

static void
conditions(struct query *q, const struct question *a)
{
	address_conditions(q, a);
	if (a->id.ptr != NULL)
		condition(q, "id = ? OR held_as <> '' AND held_as = ?", a->id, 2);
	if (a->queue_id.ptr != NULL)
		condition(q, "queue_id = ? OR number IN (SELECT mail FROM recipient "
		    "WHERE queue_id <> '' AND queue_id = ?)", a->queue_id, 2);
	if (a->message_id.ptr != NULL)
		condition(q, "message_id = ?", a->message_id, 1);
	if (a->any.ptr != NULL)
		condition(q, "id = lower(?) OR held_as <> '' AND held_as = lower(?) OR "
		    "queue_id = ? OR message_id = ? OR "
		    "sender = ? OR number IN (SELECT mail FROM recipient "
		    "WHERE address = ? OR queue_id <> '' AND queue_id = ?)", a->any, 7);
	if (a->since > 0)
		buf_printf(&q->sql, " AND time >= %llu", (unsigned long long)a->since);
	if (a->outcomes != 0)
		buf_printf(&q->sql, " AND outcomes & %llu",
		    (unsigned long long)a->outcomes);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const struct question *a, struct error *err)
{
	struct query q = { 0 };
	sqlite3_stmt *st = NULL;

	buf_printf(&q.sql, "SELECT number, time, id, outcomes, sender, client, queue_id, "
	    "message_id, subject, size, listener, held_as FROM mail WHERE 1");
	conditions(&q, a);
	buf_printf(&q.sql, " ORDER BY time DESC, number DESC LIMIT %llu",
	    (unsigned long long)a->limit);
	if (sqlite3_prepare_v2(db, buf_text(&q.sql), -1, &st, NULL) != SQLITE_OK)
		fail(err, ST_TEMP, "track", "%s", sqlite3_errmsg(db));
	for (size_t i = 0; i < q.count && st != NULL; i++)
		sqlite3_bind_text(st, (int)i + 1, (const char *)q.texts[i].ptr,
		    (int)q.texts[i].len, SQLITE_TRANSIENT);
	buf_free(&q.sql);
	return st;
}

enum column { C_NUMBER = 0, C_TIME, C_ID, C_OUTCOMES, C_SENDER, C_CLIENT, C_QUEUE_ID,
	C_MESSAGE_ID, C_SUBJECT, C_SIZE, C_LISTENER, C_HELD_AS };

static struct span
text_of(sqlite3_stmt *st, int column)
{
	const void *bytes = sqlite3_column_blob(st, column);

	return (struct span){ bytes, (size_t)sqlite3_column_bytes(st, column) };
}

static uint64_t
number_of(sqlite3_stmt *st, int column)
{
	int64_t n = sqlite3_column_int64(st, column);

	return n > 0 ? (uint64_t)n : 0;
}

static void
outcome_words(struct buf *b, uint64_t outcomes)
{
	const char *between = "";

	for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
		if ((outcomes >> i & 1) == 0)
			continue;
		buf_printf(b, "%s%s", between, outcome_name((enum outcome)i));
		between = ",";
	}
}

static sqlite3_stmt *
recipients_of(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(db, "SELECT address, outcome, rule, queue_id, quarantine "
	    "FROM recipient WHERE mail = ? ORDER BY rowid", -1, &st, NULL);
	return st;
}

enum recipient_column { R_ADDRESS = 0, R_OUTCOME, R_RULE, R_QUEUE_ID, R_QUARANTINE };

/* The rules that gave the fates; each once, as long as they come in a row. */
struct rules { struct buf text; struct buf last; };

static void
rules_add(struct rules *r, struct span rule)
{
	if (rule.len == 0 ||
	    (buf_len(&r->text) > 0 && span_equal(buf_span(&r->last), rule)))
		return;
	if (buf_len(&r->text) > 0)
		buf_byte(&r->text, ',');
	text_escape(&r->text, rule, SHOWN_BYTES, true);
	buf_take(&r->last, buf_len(&r->last));
	buf_add(&r->last, rule);
}

static void
line_recipients(struct buf *b, sqlite3_stmt *st, int64_t mail)
{
	struct rules rules = { 0 };
	unsigned n = 0;

	sqlite3_bind_int64(st, 1, mail);
	for (; sqlite3_step(st) == SQLITE_ROW; n++) {
		if (n < SHOWN_RECIPIENTS) {
			buf_byte(b, n > 0 ? ',' : ' ');
			text_escape(b, text_of(st, R_ADDRESS), SHOWN_BYTES, true);
			rules_add(&rules, text_of(st, R_RULE));
		}
	}
	sqlite3_reset(st);
	if (n > SHOWN_RECIPIENTS)
		buf_printf(b, " and %u more", n - SHOWN_RECIPIENTS);
	if (buf_len(&rules.text) > 0) {
		buf_printf(b, " rule ");
		buf_add(b, buf_span(&rules.text));
	}
	buf_free(&rules.text);
	buf_free(&rules.last);
}

static void
line(struct buf *b, sqlite3_stmt *mail, sqlite3_stmt *recipients)
{
	char time[TEXT_TIME_BYTES];

	text_time(time, number_of(mail, C_TIME));
	buf_printf(b, "%s ", time);
	text_escape(b, text_of(mail, C_ID), SHOWN_BYTES, true);
	buf_byte(b, ' ');
	outcome_words(b, number_of(mail, C_OUTCOMES));
	buf_printf(b, " <");
	text_escape(b, text_of(mail, C_SENDER), SHOWN_BYTES, true);
	buf_printf(b, "> ->");
	line_recipients(b, recipients, sqlite3_column_int64(mail, C_NUMBER));
	if (text_of(mail, C_HELD_AS).len > 0) {
		buf_printf(b, " held-as ");
		text_escape(b, text_of(mail, C_HELD_AS), SHOWN_BYTES, true);
	}
	buf_byte(b, '\n');
}

void
json_key(struct buf *b, const char *key, bool first)
{
	buf_printf(b, "%s\"%s\": ", first ? "" : ", ", key);
}

void
json_text(struct buf *b, const char *key, struct span value, bool first)
{
	json_key(b, key, first);
	text_json(b, value);
}

void
json_number(struct buf *b, const char *key, uint64_t value, bool first)
{
	json_key(b, key, first);
	buf_printf(b, "%llu", (unsigned long long)value);
}

static void
object_recipients(struct buf *b, sqlite3_stmt *st, int64_t mail)
{
	bool first = true;

	sqlite3_bind_int64(st, 1, mail);
	for (; sqlite3_step(st) == SQLITE_ROW; first = false) {
		buf_printf(b, "%s{", first ? "" : ", ");
		json_text(b, "address", text_of(st, R_ADDRESS), true);
		json_text(b, "outcome", span_text(outcome_name(
		    (enum outcome)sqlite3_column_int(st, R_OUTCOME))), false);
		json_text(b, "rule", text_of(st, R_RULE), false);
		json_text(b, "queue_id", text_of(st, R_QUEUE_ID), false);
		json_text(b, "quarantine", text_of(st, R_QUARANTINE), false);
		buf_byte(b, '}');
	}
	sqlite3_reset(st);
}

static void
object(struct buf *b, sqlite3_stmt *mail, sqlite3_stmt *recipients)
{
	static const struct { const char *key; enum column column; } texts[] = {
		{ "listener", C_LISTENER }, { "client_address", C_CLIENT },
		{ "client_queue_id", C_QUEUE_ID }, { "sender", C_SENDER },
		{ "message_id", C_MESSAGE_ID }, { "subject", C_SUBJECT },
		{ "held_as", C_HELD_AS },
	};
	char time[TEXT_TIME_BYTES];
	struct buf words = { 0 };

	text_time(time, number_of(mail, C_TIME));
	outcome_words(&words, number_of(mail, C_OUTCOMES));
	buf_byte(b, '{');
	json_text(b, "time", span_text(time), true);
	json_text(b, "id", text_of(mail, C_ID), false);
	json_text(b, "outcome", buf_span(&words), false);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		json_text(b, texts[i].key, text_of(mail, (int)texts[i].column), false);
	json_number(b, "size", number_of(mail, C_SIZE), false);
	json_key(b, "recipients", false);
	buf_byte(b, '[');
	object_recipients(b, recipients, sqlite3_column_int64(mail, C_NUMBER));
	buf_printf(b, "]}");
	buf_free(&words);
}

/* All rows; SQLITE_DONE, or why not. */
static int
list(struct buf *b, bool json, sqlite3_stmt *mail, sqlite3_stmt *recipients)
{
	unsigned n = 0;
	int rc;

	buf_printf(b, json ? "[" : "");
	while ((rc = sqlite3_step(mail)) == SQLITE_ROW && buf_len(b) < ANSWER_BYTES) {
		if (json)
			buf_printf(b, n > 0 ? ",\n" : "\n");
		(json ? object : line)(b, mail, recipients);
		n++;
	}
	if (json)
		buf_printf(b, "\n]\n");
	else if (n == 0 && rc == SQLITE_DONE)
		buf_printf(b, "nothing found\n");
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

enum status
track_answer(sqlite3 *db, const struct question *q, struct buf *b, struct error *err)
{
	sqlite3_stmt *mail = prepare(db, q, err);
	sqlite3_stmt *recipients = mail != NULL ? recipients_of(db) : NULL;
	enum status st = ST_TEMP;

	if (mail != NULL && recipients == NULL)
		fail(err, ST_TEMP, "track", "%s", sqlite3_errmsg(db));
	else if (mail != NULL) {
		int rc = list(b, q->json, mail, recipients);

		st = rc == SQLITE_DONE ? ST_OK : rc == SQLITE_INTERRUPT
		    ? fail(err, ST_TEMP, "track", "this takes too long: ask for less")
		    : fail(err, ST_TEMP, "track", "%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(recipients);
	sqlite3_finalize(mail);
	return st;
}
