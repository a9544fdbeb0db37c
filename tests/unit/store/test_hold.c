/*
 * test_hold.c - held mail in the store: given out, settled, expired, found again.
 */
#include "tests/unit/store/site.h"
#include "lib/packet/kept.h"
#include <dirent.h>

#define T(s) SPAN_LIT(s)
#define MESSAGE "Subject: x\r\n\r\nbody\r\n.dot\r\n"
#define OTHER "0123456789abcdeg"
#define HOUR 3600000ull
#define DAY (24 * HOUR)

static uint8_t in[PACKET_LARGE_BYTES], out[PACKET_BYTES];
static char now_id[RECORD_ID_BYTES + 1];

static struct recipient people[] = {
	{ T("a@example.com"), SPAN_NONE, 0 }, { T("b@example.com"), SPAN_NONE, NOTIFY_NEVER },
	{ T("c@example.com"), SPAN_NONE, 0 },
};

static void
begin(struct site *p)
{
	site_make(p);
	p->settings.hold_lifetime = 5 * DAY;
	p->settings.hold_retry = 60000;
	p->settings.hold_rate = 10;
	record_id(now_id, clock_unix_ms(), 42);
}

static void
open_store(struct site *p)
{
	struct error err;

	assert_int_equal(site_open(p, &err), ST_OK);
}

/* The answer's body; `want` is its type. */
static struct unpack
ask(struct site *p, const struct pack *packet, int fd, enum packet_type want)
{
	struct unpack body;
	struct pack answer;
	uint32_t serial;

	assert_true(store_packet(&p->store, (struct span){ packet->ptr, packet->len }, &fd,
	    fd >= 0, out, &answer));
	assert_int_equal(packet_open((struct span){ answer.ptr, answer.len }, &serial, &body),
	    want);
	return body;
}

static enum status
stored(struct site *p, const struct pack *packet, int fd)
{
	struct unpack body = ask(p, packet, fd, PACKET_STORED);
	struct packet_stored s;

	assert_true(packet_take_stored(&body, &s));
	return s.status;
}

static void
hold(struct site *p, const char *id)
{
	struct packet_quarantine q = { .id = span_text(id), .class = T("hold"),
	    .listener = T("main"), .rule = T("otherwise"), .reason = T("451 clamd"),
	    .arrived = 1, .size = sizeof MESSAGE - 1, .with = T("ESMTP"), .envelope = {
	    .sender = T("s@y.example"), .recipients = people, .recipient_count = 3 } };
	struct pack packet = packet_begin_large(in, sizeof in, PACKET_QUARANTINE, 7);
	int fd = ipc_memory("message", T(MESSAGE));

	packet_put_quarantine(&packet, &q);
	assert_int_equal(stored(p, &packet, fd), ST_OK);
	close(fd);
}

static struct packet_held
next(struct site *p, bool wake, const char *busy)
{
	struct packet_held_ask a = { .wake = wake, .may_tell = true };
	struct pack packet = packet_begin_large(in, sizeof in, PACKET_HELD_ASK, 7);
	struct packet_held h;

	if (busy != NULL)
		a.busy[a.busy_count++] = span_text(busy);
	packet_put_held_ask(&packet, &a);
	struct unpack body = ask(p, &packet, -1, PACKET_HELD);

	assert_true(packet_take_held(&body, &h));
	assert_int_equal(p->store.answer_fd >= 0, h.kind == HELD_MAIL);
	return h;
}

/* Its file says what it is, and the message follows. */
static void
expect_mail(struct site *p, const char *id, bool wake)
{
	struct packet_held h = next(p, wake, NULL);
	struct packet_quarantine q;
	struct arena arena = { 0 };
	uint8_t bytes[4096];
	size_t head;

	assert_int_equal(h.kind, HELD_MAIL);
	assert_true(span_equal(h.ids[0], span_text(id)));
	ssize_t n = pread(p->store.answer_fd, bytes, sizeof bytes, 0);

	assert_int_equal(kept_read((struct span){ bytes, (size_t)n }, &q, &head, &arena), ST_OK);
	assert_int_equal((size_t)n - head, sizeof MESSAGE - 1);
	assert_memory_equal(bytes + head, MESSAGE, sizeof MESSAGE - 1);
	arena_free(&arena);
	close(p->store.answer_fd);
	p->store.answer_fd = -1;
}

static enum status
done(struct site *p, const char *id, struct held_row *rows, size_t n)
{
	struct pack packet = packet_begin_large(in, sizeof in, PACKET_HELD_DONE, 7);

	packet_put_held_done(&packet, &(struct packet_held_done){ span_text(id), rows, n });
	return stored(p, &packet, -1);
}

#define ROW(who, what) { T(who), T("virus"), T("rule"), T("554 5.7.1 no"), what }

static unsigned
files(struct site *p, const char *class)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", p->quarantine, class);
	return count_lines("find %s -name '*.eml' 2>/dev/null", path);
}

/* Not before its time; then again and again, each time later. */
static void
test_pauses(void **state)
{
	struct site p;

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	struct packet_held h = next(&p, false, NULL);

	assert_int_equal(h.kind, HELD_NONE);
	assert_true(h.wait_ms <= 10000);
	expect_mail(&p, now_id, true);
	assert_int_equal(next(&p, true, now_id).kind, HELD_NONE);
	for (unsigned i = 0; i < 8; i++) {
		static const int64_t want[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };

		assert_int_equal(ask_number(&p, "SELECT pause FROM hold") / 1000, want[i]);
		assert_int_equal(done(&p, now_id, NULL, 0), ST_OK);
		assert_int_equal(next(&p, false, NULL).kind, HELD_NONE);
		assert_int_equal(sqlite3_exec(p.store.database.db,
		    "UPDATE hold SET next_try = 1", NULL, NULL, NULL), SQLITE_OK);
		expect_mail(&p, now_id, false);
	}
	/* Whatever its time: not while the gateway works on it. */
	assert_int_equal(sqlite3_exec(p.store.database.db, "UPDATE hold SET next_try = 1",
	    NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(next(&p, false, now_id).kind, HELD_NONE);
	assert_int_equal(sqlite3_exec(p.store.database.db,
	    "UPDATE hold SET next_try = 1 << 60", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(ask_number(&p, "SELECT tries FROM hold"), 9);
	/* One that did not come back is not given out at once, also when all are. */
	assert_int_equal(next(&p, true, NULL).kind, HELD_NONE);
	site_end(&p);
}

static void
test_over(void **state)
{
	struct held_row rows[] = { ROW("a@example.com", HELD_OVER),
		ROW("b@example.com", HELD_OVER), ROW("c@example.com", HELD_OVER) };
	struct site p;

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	expect_mail(&p, now_id, true);
	assert_int_equal(done(&p, now_id, rows, 3), ST_OK);
	assert_int_equal(files(&p, "hold"), 0);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM hold"), 0);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM quarantine"), 0);
	/* The gateway did not hear it, and says it again. */
	assert_int_equal(done(&p, now_id, rows, 3), ST_OK);
	assert_int_equal(next(&p, true, NULL).kind, HELD_NONE);
	site_end(&p);
}

/* One over, one refused, one stays: three ends. */
static void
test_parts(void **state)
{
	struct held_row rows[] = { ROW("c@example.com", HELD_REFUSED),
		ROW("a@example.com", HELD_OVER), ROW("b@example.com", HELD_STAYS) };
	struct held_row rest[] = { ROW("b@example.com", HELD_REFUSED) };
	struct site p;

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	expect_mail(&p, now_id, true);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(done(&p, now_id, rows, 3), ST_OK);
		assert_int_equal(files(&p, "hold"), 1);
		assert_int_equal(files(&p, "virus"), 1);
		assert_int_equal(count_lines("grep -rh '^X-Envelope-To: <b@' %s/hold",
		    p.quarantine), 1);
		assert_int_equal(count_lines("grep -rh '^X-Envelope-To: ' %s/hold",
		    p.quarantine), 1);
		assert_int_equal(count_lines("grep -rh '^X-Envelope-To: <c@' %s/virus",
		    p.quarantine), 1);
		assert_int_equal(count_lines("grep -rh '^X-Sallyport-Rule: rule' %s/virus",
		    p.quarantine), 1);
	}
	expect_mail(&p, now_id, true);
	assert_int_equal(done(&p, now_id, rest, 1), ST_OK);
	assert_int_equal(files(&p, "hold"), 0);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM quarantine"), 1);
	site_end(&p);
}

/* Refused, and the quarantine cannot be written: it stays. */
static void
test_no_place(void **state)
{
	struct held_row rows[] = { ROW("a@example.com", HELD_REFUSED),
		ROW("b@example.com", HELD_OVER), ROW("c@example.com", HELD_OVER) };
	struct site p;
	char path[160];

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	expect_mail(&p, now_id, true);
	snprintf(path, sizeof path, "%s/virus", p.quarantine);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	assert_int_equal(done(&p, now_id, rows, 3), ST_TEMP);
	assert_int_equal(files(&p, "hold"), 1);
	unlink(path);
	assert_int_equal(done(&p, now_id, rows, 3), ST_OK);
	assert_int_equal(files(&p, "hold"), 0);
	site_end(&p);
}

static void
test_expiry(void **state)
{
	char old[RECORD_ID_BYTES + 1];
	struct site p;

	begin(&p);
	open_store(&p);
	record_id(old, clock_unix_ms() - 6 * DAY, 1);
	hold(&p, old);
	hold(&p, now_id);
	/* Not what a gateway is working on. */
	assert_int_equal(next(&p, false, old).kind, HELD_NONE);
	struct packet_held h = next(&p, false, NULL);

	assert_int_equal(h.kind, HELD_EXPIRED);
	assert_int_equal(h.id_count, 1);
	assert_true(span_equal(h.ids[0], span_text(old)));
	assert_true(span_equal(h.listener, T("main")));
	assert_int_equal(files(&p, "hold"), 1);
	assert_int_equal(files(&p, "hold-expired"), 1);
	assert_int_equal(count_lines("grep -rh '^X-Sallyport-Class: hold-expired' %s",
	    p.quarantine), 1);
	/* Until it was told; then never again, also after a new start. */
	assert_int_equal(next(&p, false, NULL).kind, HELD_EXPIRED);
	struct pack packet = packet_begin_large(in, sizeof in, PACKET_HELD_TOLD, 7);

	packet_put_held_told(&packet, &(struct packet_held_told){ { span_text(old) }, 1 });
	assert_int_equal(stored(&p, &packet, -1), ST_OK);
	store_close(&p.store);
	open_store(&p);
	expect_mail(&p, now_id, true);
	assert_int_equal(next(&p, true, now_id).kind, HELD_NONE);
	site_end(&p);
}

/* Rows for files without one, and none for files that are gone. */
static void
test_files_are_the_truth(void **state)
{
	struct site p;
	char path[160];

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	hold(&p, OTHER);
	store_close(&p.store);
	snprintf(path, sizeof path, "%s/store.db", p.root);
	unlink(path);
	open_store(&p);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM hold"), 2);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM quarantine"), 2);
	count_lines("find %s -name '" OTHER ".eml' -delete", p.quarantine);
	p.settings.hold_lifetime = 100 * 365 * DAY;
	expect_mail(&p, now_id, true);
	assert_int_equal(next(&p, true, now_id).kind, HELD_NONE);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM hold"), 1);
	hold_tick(&p.store, clock_mono_ms());
	assert_int_equal(p.counters->values[GAUGE_HELD], 1);
	site_end(&p);
}

/* The store died when it was over and the file still there: it is not given out. */
static void
test_died_when_over(void **state)
{
	struct site p;

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	assert_int_equal(sqlite3_exec(p.store.database.db, "UPDATE hold SET state = 2", NULL,
	    NULL, NULL), SQLITE_OK);
	assert_int_equal(next(&p, true, NULL).kind, HELD_NONE);
	store_close(&p.store);
	open_store(&p);
	assert_int_equal(files(&p, "hold"), 0);
	assert_int_equal(ask_number(&p, "SELECT count(*) FROM hold"), 0);
	site_end(&p);
}

/* A file that cannot be read stays, and leaves when its time has come. */
static void
test_damaged(void **state)
{
	struct site p;

	begin(&p);
	open_store(&p);
	hold(&p, now_id);
	count_lines("find %s/hold -name '*.eml' -exec sh -c 'echo hello > {}' \\;", p.quarantine);
	assert_int_equal(next(&p, true, NULL).kind, HELD_NONE);
	assert_int_equal(done(&p, now_id, NULL, 0), ST_TEMP);
	p.settings.hold_lifetime = 1;
	usleep(3000);
	assert_int_equal(next(&p, false, NULL).kind, HELD_EXPIRED);
	assert_int_equal(files(&p, "hold"), 0);
	assert_int_equal(files(&p, "hold-expired"), 1);
	site_end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses), cmocka_unit_test(test_over),
		cmocka_unit_test(test_parts), cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_expiry), cmocka_unit_test(test_files_are_the_truth),
		cmocka_unit_test(test_died_when_over), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
