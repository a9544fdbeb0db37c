/*
 * test_store.c - the store without its sockets: bodies, journal, ledger, and trouble.
 */
#include "tests/unit/store/site.h"
#include "lib/packet/kept.h"
#include <signal.h>
#include <sys/resource.h>

#define T(s) SPAN_LIT(s)
#define MESSAGE "Subject: x\r\nFrom: a@b\r\n\r\nbody\r\n.dot\r\n\0end\r\n"

static uint8_t in[PACKET_LARGE_BYTES], out[PACKET_BYTES];

/* One request; its answer must be a STORED with that status.  The text is in `out`. */
static struct span
request(struct site *p, const struct pack *packet, int fd, enum status want)
{
	struct packet_stored stored;
	struct unpack body;
	struct pack answer;
	uint32_t serial;

	assert_false(packet->full);
	assert_true(store_packet(&p->store, (struct span){ packet->ptr, packet->len }, &fd,
	    fd >= 0 ? 1 : 0, out, &answer));
	assert_int_equal(packet_open((struct span){ answer.ptr, answer.len }, &serial, &body),
	    PACKET_STORED);
	assert_int_equal(serial, 7);
	assert_true(packet_take_stored(&body, &stored));
	if (stored.status != want)
		fail_msg("status %d: %.*s", stored.status, (int)stored.text.len,
		    (const char *)stored.text.ptr);
	return stored.text;
}

static struct recipient people[] = {
	{ T("a+x@example.com"), T("rfc822;orig+2Ba@example.com"),
	    NOTIFY_SUCCESS | NOTIFY_FAILURE },
	{ T("\"b\nc\"@example.com"), SPAN_NONE, NOTIFY_NEVER },
};

static struct packet_quarantine
quarantine_sample(struct span message)
{
	return (struct packet_quarantine){ .id = T(ID), .class = T("spam"), .listener = T("in"),
		.rule = T("big"), .reason = T("spam.score\n= 9"), .client = T("192.0.2.1"),
		.arrived = 1795299477123, .size = message.len, .envelope = {
		.sender = T("s@y.example"), .body = BODY_8BITMIME, .smtputf8 = true,
		.ret = RETURN_HEADERS, .envid = T("QQ+2B"), .recipients = people,
		.recipient_count = 2, .xforward = { .given = true, .name = T("a b") } } };
}

static struct pack
put_quarantine(const struct packet_quarantine *q)
{
	struct pack p = packet_begin_large(in, sizeof in, PACKET_QUARANTINE, 7);

	packet_put_quarantine(&p, q);
	return p;
}

static void
test_quarantine(void **state)
{
	static const char want[] = "X-Sallyport-Id: " ID "\n"
	    "X-Envelope-From: <s@y.example> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B\n"
	    "X-Envelope-To: <a+x@example.com> NOTIFY=SUCCESS,FAILURE "
	    "ORCPT=rfc822;orig+2Ba@example.com\n"
	    "X-Envelope-To: <\"b\\x0ac\"@example.com> NOTIFY=NEVER\n"
	    "X-Sallyport-Class: spam\nX-Sallyport-Rule: big\n"
	    "X-Sallyport-Reason: spam.score\\x0a= 9\nX-Sallyport-Listener: in\n"
	    "X-Sallyport-Client: 192.0.2.1\n"
	    "X-Sallyport-Xforward: NAME=\"a b\" ADDR=\"\" PORT=\"\" PROTO=\"\" HELO=\"\" "
	    "IDENT=\"\" SOURCE=\"\"\n"
	    "X-Sallyport-Arrival: 2026-11-21T22:17:57.123Z\nX-Sallyport-Size: 43\n\n" MESSAGE;
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	int fd = ipc_memory("message", T(MESSAGE));
	char path[256], ends[64];
	size_t len;

	site_start(&p);
	struct pack packet = put_quarantine(&q);
	struct span text = request(&p, &packet, fd, ST_OK);

	snprintf(path, sizeof path, "%.*s", (int)text.len, (const char *)text.ptr);
	snprintf(ends, sizeof ends, "/%s.eml", ID);
	assert_memory_equal(path, p.quarantine, strlen(p.quarantine));
	assert_string_equal(path + strlen(path) - strlen(ends), ends);
	char *got = file_read(path, &len);

	assert_non_null(got);
	assert_int_equal(len, sizeof want - 1);
	assert_memory_equal(got, want, len);
	free(got);
	/* A gateway that did not hear the answer asks again, perhaps in capitals. */
	q.id = T("0123456789ABCDEF");
	packet = put_quarantine(&q);
	text = request(&p, &packet, fd, ST_OK);
	assert_int_equal(text.len, strlen(path));
	assert_memory_equal(text.ptr, path, text.len);
	assert_int_equal(count_lines("find %s -type f", p.quarantine), 1);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM quarantine"), 1);
	assert_int_equal(ask_number(&p, "SELECT size FROM quarantine WHERE class = 'spam' "
	    "AND id = '" ID "' AND recipients = 2"), sizeof MESSAGE - 1);
	/* Another class of the same mail is another file. */
	q.class = T("virus");
	packet = put_quarantine(&q);
	request(&p, &packet, fd, ST_OK);
	assert_int_equal(count_lines("find %s -type f", p.quarantine), 2);
	assert_int_equal(p.counters->values[COUNTER_STORED], 3);
	close(fd);
	site_end(&p);
}

static void
test_classes(void **state)
{
	static const struct { struct span in; bool ok; } table[] = {
		{ T("spam"), true }, { T("a-b_C9"), true }, { T(""), false }, { T("."), false },
		{ T(".."), false }, { T("a/b"), false }, { T("/etc"), false }, { T("a\0b"), false },
		{ T("a b"), false }, { T("caf\xc3\xa9"), false },
		{ T("0123456789012345678901234567890123456789012345678901234567890123"), true },
		{ T("01234567890123456789012345678901234567890123456789012345678901234"), false },
	};
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	int fd = ipc_memory("message", T(MESSAGE));

	site_start(&p);
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		q.class = table[i].in;
		struct pack packet = put_quarantine(&q);

		assert_int_equal(kept_class_is(table[i].in), table[i].ok);
		request(&p, &packet, fd, table[i].ok ? ST_OK : ST_TEMP);
	}
	assert_int_equal(count_lines("find %s -name '*.eml'", p.root), 3);
	close(fd);
	site_end(&p);
}

/* A class that is a symbolic link leads nowhere. */
static void
test_symbolic_link(void **state)
{
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	int fd = ipc_memory("message", T(MESSAGE));
	char path[128];

	site_start(&p);
	snprintf(path, sizeof path, "%s/spam", p.quarantine);
	assert_int_equal(symlink("/tmp", path), 0);
	struct pack packet = put_quarantine(&q);

	request(&p, &packet, fd, ST_TEMP);
	close(fd);
	site_end(&p);
}

/* Whatever is wrong with the message: ST_TEMP, and nothing is left. */
static void
test_bad_messages(void **state)
{
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	int pipes[2], fd = ipc_memory("message", T(MESSAGE));

	site_start(&p);
	q.size++;
	struct pack packet = put_quarantine(&q);

	request(&p, &packet, fd, ST_TEMP);
	assert_int_equal(pipe(pipes), 0);
	request(&p, &packet, pipes[0], ST_TEMP);
	q.size = UINT64_MAX;
	packet = put_quarantine(&q);
	request(&p, &packet, fd, ST_TEMP);
	assert_int_equal(count_lines("find %s -type f", p.quarantine), 0);
	assert_int_equal(p.counters->values[COUNTER_STORE_FAILURES], 3);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	site_end(&p);
}

/* A file that may not grow stands for a disk that is full. */
static void
test_no_room(void **state)
{
	struct rlimit old, small = { 50000, RLIM_INFINITY };
	struct packet_quarantine q;
	struct packet_maildir m = { .id = T(ID) };
	struct site p;
	uint8_t *bytes = must_alloc(100000);
	struct span message = { bytes, 100000 };
	int fd = ipc_memory("message", message);

	site_start(&p);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	q = quarantine_sample(message);
	struct pack packet = put_quarantine(&q);

	request(&p, &packet, fd, ST_TEMP);
	m.path = span_text(p.maildir);
	m.size = message.len;
	packet = packet_begin(in, PACKET_MAILDIR, 7);
	packet_put_maildir(&packet, &m);
	request(&p, &packet, fd, ST_TEMP);
	assert_int_equal(count_lines("find %s -type f", p.quarantine), 0);
	assert_int_equal(count_lines("find %s -type f", p.maildir), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	packet = put_quarantine(&q);
	request(&p, &packet, fd, ST_OK);
	close(fd);
	free(bytes);
	site_end(&p);
}

/* More recipients than a packet holds: the packet comes as a memfd. */
static void
test_large(void **state)
{
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	uint8_t head[16];
	struct pack large = packet_begin_large(head, sizeof head, PACKET_LARGE, 7), answer;
	struct recipient *many = must_alloc(5000 * sizeof *many);
	int message = ipc_memory("message", T(MESSAGE));

	site_start(&p);
	for (size_t i = 0; i < 5000; i++)
		many[i].address = T("somebody@example.com");
	q.envelope.recipients = many;
	q.envelope.recipient_count = 5000;
	struct pack packet = put_quarantine(&q);

	assert_true(packet.len > PACKET_BYTES && !packet.full);
	int fds[] = { message, ipc_memory("packet", (struct span){ packet.ptr, packet.len }) };

	assert_true(store_packet(&p.store, (struct span){ head, large.len }, fds, 2, out,
	    &answer));
	assert_int_equal(ask_number(&p, "SELECT recipients FROM quarantine"), 5000);
	assert_int_equal(count_lines("grep -arh X-Envelope-To %s", p.quarantine), 5000);
	/* Memory that may still change is not read; nor a large packet in a large packet. */
	int open_memory = ipc_shared("packet", packet.len);

	fds[1] = open_memory;
	assert_false(store_packet(&p.store, (struct span){ head, large.len }, fds, 2, out,
	    &answer));
	fds[1] = ipc_memory("packet", (struct span){ head, large.len });
	assert_false(store_packet(&p.store, (struct span){ head, large.len }, fds, 2, out,
	    &answer));
	assert_false(store_packet(&p.store, (struct span){ head, large.len }, fds, 0, out,
	    &answer));
	free(many);
	site_end(&p);
}

static void
test_not_requests(void **state)
{
	struct site p;
	struct pack answer;
	uint8_t bytes[16] = { 0 };

	site_start(&p);
	for (unsigned type = 0; type < 256; type++) {
		bytes[0] = (uint8_t)type;
		assert_false(store_packet(&p.store, (struct span){ bytes, 6 }, NULL, 0, out,
		    &answer));
	}
	/* A row that is no record is counted, and the next one is looked at. */
	bytes[0] = PACKET_JOURNAL;
	assert_true(store_packet(&p.store, (struct span){ bytes, 13 }, NULL, 0, out, &answer));
	assert_false(store_packet(&p.store, SPAN_NONE, NULL, 0, out, &answer));
	assert_int_equal(p.store.broken_records, 2);
	site_end(&p);
}

static void
check_mail(struct site *p, const char *path, const char *want)
{
	size_t len;
	char *got = file_read(path, &len);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void
test_maildir(void **state)
{
	static const char message[] = "A: 1\r\nB: 2\r\n\r\nx\r\ry\r\n\r";
	struct packet_maildir m = { .id = T(ID), .size = sizeof message - 1, .variant = 2,
		.envelope = { .sender = T("s@y.example"), .recipients = people,
		.recipient_count = 2 } };
	struct site p;
	int fd = ipc_memory("message", T(message));
	char path[256];

	site_start(&p);
	m.path = span_text(p.maildir);
	edit_add(&m.edits, 0, 0, T("X-Top: y\r\n"));
	edit_add(&m.edits, 6, 6, SPAN_NONE);
	edit_add(&m.edits, 12, 0, T("C: 3\r"));
	edit_add(&m.edits, 12, 0, T("\n"));
	for (int i = 0; i < 2; i++) {
		struct pack packet = packet_begin(in, PACKET_MAILDIR, 7);

		packet_put_maildir(&packet, &m);
		struct span text = request(&p, &packet, fd, ST_OK);

		snprintf(path, sizeof path, "%.*s", (int)text.len, (const char *)text.ptr);
		check_mail(&p, path, "Return-Path: <s@y.example>\n"
		    "X-Original-To: orig+a@example.com\nDelivered-To: a+x@example.com\n"
		    "X-Original-To: \"b?c\"@example.com\nDelivered-To: \"b?c\"@example.com\n"
		    "X-Top: y\nA: 1\nC: 3\n\nx\r\ry\n\r");
		assert_int_equal(count_lines("find %s -type f", p.maildir), 1);
		assert_int_equal(count_lines("find %s -maxdepth 1 -name tmp -o -name cur",
		    p.maildir), 2);
	}
	edit_free(&m.edits);
	m.variant = 3;
	struct pack packet = packet_begin(in, PACKET_MAILDIR, 7);

	packet_put_maildir(&packet, &m);
	request(&p, &packet, fd, ST_OK);
	assert_int_equal(count_lines("find %s/new -type f", p.maildir), 2);
	close(fd);
	site_end(&p);
}

static void
test_maildir_paths(void **state)
{
	struct packet_maildir m = { .id = T(ID) };
	struct site p;
	char other[160];
	int fd = ipc_memory("message", T("x"));

	site_start(&p);
	snprintf(other, sizeof other, "%s/../other", p.maildir);
	m.path = span_text(other);
	struct pack packet = packet_begin(in, PACKET_MAILDIR, 7);

	packet_put_maildir(&packet, &m);
	request(&p, &packet, fd, ST_TEMP);
	assert_int_equal(count_lines("find %s -name other", p.root), 0);
	close(fd);
	site_end(&p);
}

/* Longer than the pieces it is copied in, with a CR LF across each cut in turn. */
static void
test_maildir_long(void **state)
{
	struct site p;
	int cuts[] = { 65534, 65535, 65536, 131071 };

	site_start(&p);
	for (size_t c = 0; c < COUNT_OF(cuts); c++) {
		struct packet_maildir m = { .id = T(ID), .variant = (uint32_t)c };
		uint8_t *bytes = must_alloc(200000);
		char path[256];
		size_t len;

		memset(bytes, 'a', 200000);
		memcpy(bytes + cuts[c], "\r\n", 2);
		struct span message = { bytes, 200000 };
		int fd = ipc_memory("message", message);

		m.path = span_text(p.maildir);
		m.size = message.len;
		struct pack packet = packet_begin(in, PACKET_MAILDIR, 7);

		packet_put_maildir(&packet, &m);
		struct span text = request(&p, &packet, fd, ST_OK);

		snprintf(path, sizeof path, "%.*s", (int)text.len, (const char *)text.ptr);
		char *got = file_read(path, &len);

		assert_int_equal(len, strlen("Return-Path: <>\n") + 199999);
		assert_int_equal(got[strlen("Return-Path: <>\n") + (size_t)cuts[c]], '\n');
		free(got);
		free(bytes);
		close(fd);
	}
	site_end(&p);
}

/* --- journal ------------------------------------------------------------------------- */

static void
add_record(struct site *p, unsigned n, uint64_t arrived)
{
	struct record_recipient r = { .address = T("r@example.com"),
		.outcome = OUTCOME_DELIVERED, .rule = T("otherwise") };
	struct record record = { .arrived = arrived, .sender = T("s@y.example"),
		.recipients = &r, .recipient_count = 1 };
	char id[RECORD_ID_BYTES + 1];
	struct pack packet = packet_begin(in, PACKET_JOURNAL, 0), answer;

	record_id(id, arrived, n);
	record.id = span_text(id);
	uint8_t bytes[1024];
	struct pack row = { bytes, 0, sizeof bytes, false };

	record_pack(&row, &record);
	pack_span(&packet, (struct span){ bytes, row.len });
	assert_true(store_packet(&p->store, (struct span){ packet.ptr, packet.len }, NULL, 0,
	    out, &answer));
	assert_int_equal(answer.len, 0);
}

/* What another connection sees. */
static int64_t
committed(struct site *p)
{
	char path[128];
	sqlite3_stmt *st;
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/%s", p->root, DATABASE_FILE);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM mail, recipient WHERE "
	    "mail = number", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);

	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static void
test_batches(void **state)
{
	struct site p;

	site_start(&p);
	add_record(&p, 1, 1000);
	assert_int_equal(committed(&p), 0);
	assert_true(store_wait(&p.store, clock_mono_ms()) <= DATABASE_BATCH_MS);
	store_tick(&p.store, clock_mono_ms() + DATABASE_BATCH_MS, false);
	assert_int_equal(committed(&p), 1);
	for (unsigned i = 0; i < DATABASE_BATCH_ROWS; i++)
		add_record(&p, 2 + i, 1000);
	assert_int_equal(committed(&p), 1 + DATABASE_BATCH_ROWS);
	/* The same record again changes nothing. */
	add_record(&p, 1, 1000);
	store_close(&p.store);
	assert_int_equal(committed(&p), 1 + DATABASE_BATCH_ROWS);
	assert_int_equal(p.counters->values[COUNTER_RECORDS], 2 + DATABASE_BATCH_ROWS);
	site_remove(&p);
}

static void
test_expiry(void **state)
{
	struct site p;

	site_start(&p);
	p.settings.journal_keep = 1000;
	for (unsigned i = 0; i < 100; i++)
		add_record(&p, i, 10000 + i);
	assert_false(journal_expire(&p.store, 11000, 10));
	assert_true(journal_expire(&p.store, 11050, 20));
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 80);
	assert_int_equal(ask_number(&p, "SELECT min(time) FROM mail"), 10020);
	assert_true(journal_expire(&p.store, 11050, 1000));
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 50);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM recipient"), 50);
	assert_false(journal_expire(&p.store, 11050, 1000));
	p.settings.journal_keep = 0;
	assert_false(journal_expire(&p.store, 99999, 1000));
	/* By the clock: all of them are of 1970. */
	p.settings.journal_keep = 1000;
	store_tick(&p.store, clock_mono_ms(), true);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 0);
	site_end(&p);
}

/* The log does not grow without end. */
static void
test_checkpoint(void **state)
{
	struct site p;
	char wal[128];
	struct stat st;

	site_start(&p);
	snprintf(wal, sizeof wal, "%s/%s-wal", p.root, DATABASE_FILE);
	for (unsigned i = 0; i < 40000; i++)
		add_record(&p, i, 1000);
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size > 20 << 20);
	database_checkpoint(&p.store.database);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(committed(&p), 40000);
	site_end(&p);
}

/* --- trouble with the database -------------------------------------------------------- */

static void
test_newer_version(void **state)
{
	struct site p;
	struct error err;

	site_start(&p);
	assert_int_equal(sqlite3_exec(p.store.database.db, "PRAGMA user_version = 99", NULL, NULL,
	    NULL), SQLITE_OK);
	store_close(&p.store);
	assert_int_equal(site_open(&p, &err), ST_PERM);
	assert_non_null(strstr(err.text, "version 99"));
	assert_int_equal(count_lines("find %s -name '*corrupt*'", p.root), 0);
	site_end(&p);
}

static void
damage(struct site *p, long from, size_t len)
{
	char path[128];
	uint8_t *bytes = must_alloc(len);

	snprintf(path, sizeof path, "%s/%s", p->root, DATABASE_FILE);
	int fd = open(path, O_WRONLY);

	memset(bytes, 0x55, len);
	assert_true(pwrite(fd, bytes, len, from) == (ssize_t)len);
	close(fd);
	free(bytes);
}

static void
test_corrupt_at_start(void **state)
{
	struct site p;
	struct error err;

	site_start(&p);
	add_record(&p, 1, 1000);
	store_close(&p.store);
	damage(&p, 0, 4096);
	assert_int_equal(site_open(&p, &err), ST_OK);
	assert_int_equal(count_lines("find %s -name 'store.db.corrupt-*'", p.root), 1);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 0);
	add_record(&p, 2, 1000);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 1);
	site_end(&p);
}

/* Found out while writing: the row that found it out goes into the new file. */
static void
test_corrupt_later(void **state)
{
	struct site p;
	struct error err;

	site_start(&p);
	for (unsigned i = 0; i < 1000; i++)
		add_record(&p, i, 1000);
	store_close(&p.store);
	damage(&p, 4096, 40 * 4096);
	assert_int_equal(site_open(&p, &err), ST_OK);
	add_record(&p, 5000, 1000);
	assert_int_equal(p.store.database.lost, 0);
	assert_int_equal(count_lines("find %s -name 'store.db.corrupt-*'", p.root), 1);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 1);
	site_end(&p);
}

/* No database at all: mail goes on, and when it can be had again it is used. */
static void
test_database_away(void **state)
{
	struct packet_quarantine q = quarantine_sample(T(MESSAGE));
	struct site p;
	struct error err;
	char away[128];
	int fd = ipc_memory("message", T(MESSAGE));

	site_make(&p);
	snprintf(away, sizeof away, "%s/state", p.root);
	p.settings.state_directory = away;
	assert_int_equal(site_open(&p, &err), ST_OK);
	struct pack packet = put_quarantine(&q);

	request(&p, &packet, fd, ST_OK);
	add_record(&p, 1, 1000);
	store_tick(&p.store, clock_mono_ms(), true);
	assert_true(p.counters->values[COUNTER_STORE_FAILURES] >= 2);
	assert_int_equal(mkdir(away, 0700), 0);
	store_tick(&p.store, clock_mono_ms() + 20000, true);
	add_record(&p, 2, 1000);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM mail"), 1);
	close(fd);
	site_end(&p);
}

/* No room in the database: rows are lost and counted, each once, until there is. */
static void
test_database_full(void **state)
{
	struct site p;
	char full[64];
	unsigned n = 0;

	site_start(&p);
	snprintf(full, sizeof full, "PRAGMA max_page_count = %d",
	    (int)ask_number(&p, "PRAGMA page_count"));
	assert_int_equal(sqlite3_exec(p.store.database.db, full, NULL, NULL, NULL), SQLITE_OK);
	for (; n < 2000; n++)
		add_record(&p, n, 1000);
	database_commit(&p.store.database);
	int64_t kept = committed(&p);

	assert_true(kept < 2000);
	store_tick(&p.store, clock_mono_ms(), false);
	assert_int_equal(p.counters->values[COUNTER_STORE_FAILURES] + (uint64_t)kept, 2000);
	assert_int_equal(sqlite3_exec(p.store.database.db, "PRAGMA max_page_count = 100000", NULL,
	    NULL, NULL), SQLITE_OK);
	for (; n < 2100; n++)
		add_record(&p, n, 1000);
	database_commit(&p.store.database);
	assert_int_equal(committed(&p), kept + 100);
	site_end(&p);
}

/* --- ledger -------------------------------------------------------------------------- */

static struct packet_ledger
ask_ledger(struct site *p, const char *key, struct arena *a)
{
	struct pack packet = packet_begin(in, PACKET_LEDGER_ASK, 7), answer;
	struct packet_ledger l = { .key = span_text(key), .sender = T("s@y") };
	struct unpack body;
	uint32_t serial;

	packet_put_ledger(&packet, &l);
	assert_true(store_packet(&p->store, (struct span){ packet.ptr, packet.len }, NULL, 0, out,
	    &answer));
	assert_false(answer.full);
	assert_int_equal(packet_open((struct span){ answer.ptr, answer.len }, &serial, &body),
	    PACKET_LEDGER);
	assert_true(packet_take_ledger(&body, &l, a));
	return l;
}

static void
change_ledger(struct site *p, enum packet_type type, const char *key,
    struct ledger_entry *entries, size_t count)
{
	struct pack packet = packet_begin_large(in, sizeof in, type, 7);

	packet_put_ledger(&packet, &(struct packet_ledger){ span_text(key), T("s@y"), entries,
	    count });
	request(p, &packet, -1, ST_OK);
}

static void
test_ledger(void **state)
{
	struct ledger_entry entries[] = { { T("a@x"), { 1, 2 } }, { T("b@x"), { 3 } } };
	struct packet_ledger l;
	struct arena a = { 0 };
	struct site p;
	struct error err;

	site_start(&p);
	assert_int_equal(ask_ledger(&p, "mone", &a).count, 0);
	change_ledger(&p, PACKET_LEDGER_ADD, "mone", entries, 2);
	change_ledger(&p, PACKET_LEDGER_ADD, "mone", entries, 2);
	change_ledger(&p, PACKET_LEDGER_ADD, "mtwo", entries, 1);
	assert_true(ledger_page_has(&p.page, T("mone")));
	assert_false(ledger_page_has(&p.page, T("mthree")));
	l = ask_ledger(&p, "mone", &a);
	assert_int_equal(l.count, 2);
	assert_true(span_equal(l.entries[1].recipient, T("b@x")));
	assert_memory_equal(l.entries[1].hash, entries[1].hash, LEDGER_HASH_BYTES);
	change_ledger(&p, PACKET_LEDGER_REMOVE, "mone", entries + 1, 1);
	assert_int_equal(ask_ledger(&p, "mone", &a).count, 1);
	/* A new process finds all of it, and fills the page anew. */
	store_close(&p.store);
	memset(&p.page, 0x55, sizeof p.page);
	assert_int_equal(site_open(&p, &err), ST_OK);
	assert_true(ledger_page_has(&p.page, T("mone")) && ledger_page_has(&p.page, T("mtwo")));
	assert_false(ledger_page_has(&p.page, T("mthree")));
	change_ledger(&p, PACKET_LEDGER_REMOVE, "mone", entries, 1);
	assert_true(ledger_page_has(&p.page, T("mone")));
	ledger_rebuild(&p.store);
	assert_false(ledger_page_has(&p.page, T("mone")));
	assert_true(ledger_page_has(&p.page, T("mtwo")));
	ledger_expire(&p.store, clock_unix_ms() + LEDGER_KEEP_MS - 60000);
	assert_int_equal(ask_ledger(&p, "mtwo", &a).count, 1);
	ledger_expire(&p.store, clock_unix_ms() + LEDGER_KEEP_MS + 1);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM ledger"), 0);
	arena_free(&a);
	site_end(&p);
}

/* Is each entry on disk when it is answered, and is the journal not made as slow? */
static void
test_ledger_is_durable(void **state)
{
	struct ledger_entry entry = { T("a@x"), { 1 } };
	struct site p;

	site_start(&p);
	add_record(&p, 1, 1000);
	change_ledger(&p, PACKET_LEDGER_ADD, "mone", &entry, 1);
	assert_int_equal(committed(&p), 1);
	assert_int_equal(ask_number(&p, "PRAGMA synchronous"), 1);
	assert_true(database_begin_durable(&p.store.database));
	assert_int_equal(ask_number(&p, "PRAGMA synchronous"), 2);
	assert_true(database_commit_durable(&p.store.database, true));
	site_end(&p);
}

/* Entries that the answer has no room for are left out. */
static void
test_ledger_many(void **state)
{
	struct ledger_entry *entries = must_alloc(3000 * sizeof *entries);
	struct arena a = { 0 };
	struct site p;

	site_start(&p);
	for (unsigned i = 0; i < 3000; i++)
		entries[i].recipient = span_text(arena_printf(&a, "user%u@example.com", i));
	change_ledger(&p, PACKET_LEDGER_ADD, "mone", entries, 3000);
	size_t n = ask_ledger(&p, "mone", &a).count;

	assert_true(n > 1000 && n < 3000);
	free(entries);
	arena_free(&a);
	site_end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quarantine), cmocka_unit_test(test_classes),
		cmocka_unit_test(test_symbolic_link), cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_large),
		cmocka_unit_test(test_not_requests), cmocka_unit_test(test_maildir),
		cmocka_unit_test(test_maildir_paths), cmocka_unit_test(test_maildir_long),
		cmocka_unit_test(test_batches), cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_newer_version),
		cmocka_unit_test(test_corrupt_at_start), cmocka_unit_test(test_corrupt_later),
		cmocka_unit_test(test_database_away),
		cmocka_unit_test(test_database_full), cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_ledger_is_durable), cmocka_unit_test(test_ledger_many),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
