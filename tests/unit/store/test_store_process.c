/*
 * test_store_process.c - the executable, driven as the master and a gateway do.
 */
#include "lib/config/settings.h"
#include "lib/packet/counters.h"
#include "lib/packet/packet.h"
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T(s) SPAN_LIT(s)
#define BODY_BYTES 30000

static const char *
program(const char *set)
{
	static const char *path;

	if (set != NULL)
		path = set;
	return path;
}

struct run { char root[64]; int master, gateway; pid_t pid; };

static void
send_packet(int to, const struct pack *p, const int *fds, size_t count)
{
	assert_false(p->full);
	assert_int_equal(ipc_send(to, (struct span){ p->ptr, p->len }, fds, count), IPC_OK);
}

static void
send_empty(int to, enum packet_type type, uint32_t serial)
{
	uint8_t bytes[16];
	struct pack p = packet_begin_large(bytes, sizeof bytes, type, serial);

	send_packet(to, &p, NULL, 0);
}

static int
make_bundle(const char *root)
{
	struct buf text = { 0 };
	uint8_t bytes[4096];
	struct pack p = { bytes, 0, sizeof bytes, false };

	buf_printf(&text, "hostname mx.example.com;\nstate-directory %s;\n"
	    "listener in { address 127.0.0.1:10024; queue after; policy p; "
	    "next-hop maildir:%s/box; }\npolicy p { otherwise accept; }\n", root, root);
	bundle_pack(&p, &(struct bundle_item){ "/etc/sallyport.conf", buf_span(&text) }, 1);
	buf_free(&text);
	return ipc_memory("bundle", (struct span){ bytes, p.len });
}

static void
send_setup(struct run *r, bool reader)
{
	uint8_t bytes[1024];
	struct pack p = packet_begin_large(bytes, sizeof bytes, PACKET_SETUP, 0);
	const struct packet_setup setup = { .log_target = LOG_STDERR, .reader = reader,
		.hostname = T("mx.example.com") };
	int fds[] = { make_bundle(r->root), ipc_shared("counters", 4096),
		open("/dev/null", O_WRONLY), ipc_shared("ledger", sizeof(struct ledger_page)) };

	packet_put_setup(&p, &setup);
	send_packet(r->master, &p, fds, COUNT_OF(fds));
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

/* Returns the gateway's end. */
static int
send_link(struct run *r, uint32_t index)
{
	uint8_t bytes[64];
	struct pack p = packet_begin_large(bytes, sizeof bytes, PACKET_LINK, 0);
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	packet_put_link(&p, &(struct packet_link){ .kind = PROCESS_GATEWAY, .index = index });
	send_packet(r->master, &p, &ends[1], 1);
	close(ends[1]);
	return ends[0];
}

static bool
receive(int from, enum packet_type *type, uint32_t *serial, struct unpack *body)
{
	static uint8_t bytes[PACKET_BYTES];
	size_t len, count;

	if (!ipc_wait(from, 20000) ||
	    ipc_receive(from, bytes, sizeof bytes, &len, NULL, 0, &count) != IPC_OK)
		return false;
	*type = packet_open((struct span){ bytes, len }, serial, body);
	return true;
}

static struct unpack
expect(int from, enum packet_type want, uint32_t want_serial)
{
	enum packet_type type;
	struct unpack body;
	uint32_t serial;

	assert_true(receive(from, &type, &serial, &body));
	assert_int_equal(type, want);
	assert_int_equal(serial, want_serial);
	return body;
}

static void
run_begin(struct run *r, bool reader)
{
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	r->master = ends[0];
	r->pid = fork();
	if (r->pid == 0) {
		if (ends[1] != 3)
			dup2(ends[1], 3);
		fcntl(3, F_SETFD, 0);
		execl(program(NULL), "sallyport-store", "0", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	send_setup(r, reader);
	r->gateway = reader ? -1 : send_link(r, 0);
	send_empty(r->master, PACKET_START, 0);
}

static void
run_start(struct run *r, bool reader)
{
	run_begin(r, reader);
	struct unpack body = expect(r->master, PACKET_READY, 0);

	struct span missing = unpack_span(&body);

	assert_true(unpack_whole(&body));
	print_message("# not locked down: %.*s\n", (int)missing.len, (const char *)missing.ptr);
}

/* Exit status, or minus the signal. */
static int
run_wait(struct run *r)
{
	int status, tries = 0;

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (++tries > 2000) {
			kill(r->pid, SIGKILL);
			fail_msg("it does not end");
		}
		usleep(10000);
	}
	close(r->master);
	if (r->gateway >= 0)
		close(r->gateway);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
site_make(struct run *r)
{
	char path[128];

	*r = (struct run){ .root = "/tmp/test-store-XXXXXX" };
	assert_non_null(mkdtemp(r->root));
	snprintf(path, sizeof path, "%s/quarantine", r->root);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
site_remove(struct run *r)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", r->root);
	assert_int_equal(system(command), 0);
}

static struct recipient one_recipient = { .address = T("r@example.com") };

/* A message whose every byte is known from its number. */
static void
fill_body(uint8_t body[BODY_BYTES], unsigned number)
{
	for (unsigned i = 0; i < BODY_BYTES; i++)
		body[i] = (uint8_t)('a' + (number + i) % 26);
}

static bool
send_quarantine(struct run *r, unsigned number)
{
	static uint8_t bytes[PACKET_BYTES];
	uint8_t body[BODY_BYTES];
	char id[RECORD_ID_BYTES + 1];
	struct pack p = packet_begin(bytes, PACKET_QUARANTINE, number);
	struct packet_quarantine q = { .class = number % 2 != 0 ? T("odd") : T("even"),
		.size = BODY_BYTES, .envelope = { .recipients = &one_recipient,
		.recipient_count = 1 } };

	record_id(id, 1795299477123u + (uint64_t)number * 3600000, number);
	q.id = span_text(id);
	packet_put_quarantine(&p, &q);
	fill_body(body, number);
	int fd = ipc_memory("message", (struct span){ body, sizeof body });
	enum ipc_result result = ipc_send(r->gateway, (struct span){ bytes, p.len }, &fd, 1);

	close(fd);
	return result == IPC_OK;
}

/* The file that an answer named: all of it. */
static void
check_file(const char *path, unsigned number)
{
	static uint8_t got[BODY_BYTES + 4096];
	uint8_t body[BODY_BYTES];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fail_msg("%u was answered, but there is no %s", number, path);
	ssize_t n = read(fd, got, sizeof got);

	close(fd);
	fill_body(body, number);
	assert_true(n > BODY_BYTES);
	assert_memory_equal(got + n - BODY_BYTES, body, BODY_BYTES);
	assert_memory_equal(got + n - BODY_BYTES - 2, "\n\n", 2);
	assert_memory_equal(got, "X-Sallyport-Id: ", 16);
}

#define FLOOD 400

struct answered { char path[256]; };

/* Takes what answers there are; false: the store has gone. */
static bool
take_answers(struct run *r, struct answered *answered, unsigned *count, int wait_ms)
{
	enum packet_type type;
	struct packet_stored stored;
	struct unpack body;
	uint32_t serial;

	while (ipc_wait(r->gateway, wait_ms)) {
		if (!receive(r->gateway, &type, &serial, &body))
			return false;
		assert_int_equal(type, PACKET_STORED);
		assert_true(packet_take_stored(&body, &stored) && serial < FLOOD);
		assert_int_equal(stored.status, ST_OK);
		snprintf(answered[serial].path, sizeof answered[serial].path, "%.*s",
		    (int)stored.text.len, (const char *)stored.text.ptr);
		++*count;
	}
	return true;
}

static int64_t
rows(struct run *r, const char *sql)
{
	char path[128];
	FILE *f;
	long long n = -1;

	snprintf(path, sizeof path, "sqlite3 %s/store.db '%s'", r->root, sql);
	f = popen(path, "r");
	if (fscanf(f, "%lld", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

/* Killed in the middle of many: every answered one is there whole, and the next process
   goes on, with the rest sent once more. */
static void
test_killed(void **state)
{
	struct answered *answered = calloc(FLOOD, sizeof *answered);
	unsigned count = 0, sent = 0, before;
	struct run r;

	site_make(&r);
	run_start(&r, false);
	while (count < FLOOD / 4) {
		if (sent < FLOOD && send_quarantine(&r, sent))
			sent++;
		assert_true(take_answers(&r, answered, &count, 0));
	}
	kill(r.pid, SIGKILL);
	take_answers(&r, answered, &count, 1000);
	assert_int_equal(run_wait(&r), -SIGKILL);
	assert_true(count < FLOOD);
	before = count;
	for (unsigned i = 0; i < FLOOD; i++)
		if (answered[i].path[0] != '\0')
			check_file(answered[i].path, i);
	run_start(&r, false);
	for (unsigned i = 0; i < FLOOD; i++) {
		if (answered[i].path[0] != '\0')
			continue;
		while (!send_quarantine(&r, i))
			assert_true(take_answers(&r, answered, &count, 10));
	}
	while (count < FLOOD)
		assert_true(take_answers(&r, answered, &count, 100));
	for (unsigned i = 0; i < FLOOD; i++)
		check_file(answered[i].path, i);
	send_empty(r.master, PACKET_DRAIN, 0);
	expect(r.master, PACKET_DRAINED, 0);
	assert_int_equal(run_wait(&r), 0);
	assert_true(before > 0);
	int64_t n = rows(&r, "SELECT count(*) FROM quarantine");

	assert_true(n == FLOOD || n == -1);     /* -1: this machine has no sqlite3(1) */
	free(answered);
	site_remove(&r);
}

static void
send_record(int to, unsigned number)
{
	static uint8_t bytes[PACKET_BYTES], row[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_JOURNAL, 0), packed = { row, 0, sizeof row, 0 };
	struct record_recipient to_one = { .address = T("r@example.com"),
		.outcome = OUTCOME_DELIVERED, .rule = T("otherwise") };
	char id[RECORD_ID_BYTES + 1];

	record_id(id, 1795299477123u + number, number);
	record_pack(&packed, &(struct record){ .id = span_text(id),
	    .arrived = 1795299477123u + number, .sender = T("s@y.example"),
	    .recipients = &to_one, .recipient_count = 1 });
	pack_span(&p, (struct span){ row, packed.len });
	send_packet(to, &p, NULL, 0);
}

/* What the reader answers to a command line. */
static void
ask(struct run *reader, const char *line, struct buf *answer)
{
	uint8_t bytes[1024];
	struct pack p = packet_begin_large(bytes, sizeof bytes, PACKET_CONTROL, 0);
	int ends[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pack_text(&p, line);
	send_packet(reader->master, &p, &ends[1], 1);
	close(ends[1]);
	while ((n = read(ends[0], buf_room(answer, 4096), 4096)) > 0)
		buf_added(answer, (size_t)n);
	close(ends[0]);
}

/* Rows sent just before DRAIN are in the journal, for a reader that runs beside. */
static void
test_drain_and_read(void **state)
{
	struct run w, reader;
	struct buf answer = { 0 };

	site_make(&w);
	run_start(&w, false);
	memcpy(reader.root, w.root, sizeof w.root);
	run_start(&reader, true);
	for (unsigned i = 0; i < 50; i++)
		send_record(w.gateway, i);
	send_empty(w.master, PACKET_PING, 77);
	expect(w.master, PACKET_PONG, 77);
	usleep(300000);
	ask(&reader, "track --limit 1", &answer);
	assert_string_equal(buf_text(&answer), "ok\n2026-11-21T22:17:57.172Z 1m80301nm000001h "
	    "delivered <s@y.example> -> r@example.com rule otherwise\n");
	/* More than one gateway's turn. */
	for (unsigned i = 50; i < 200; i++)
		send_record(w.gateway, i);
	send_empty(w.master, PACKET_DRAIN, 0);
	expect(w.master, PACKET_DRAINED, 0);
	assert_int_equal(run_wait(&w), 0);
	buf_free(&answer);
	ask(&reader, "track --limit 1 --since 2026-11-21T22:17:57Z", &answer);
	assert_memory_equal(buf_text(&answer), "ok\n2026-11-21T22:17:57.322Z", 27);
	buf_free(&answer);
	ask(&reader, "nonsense", &answer);
	assert_string_equal(buf_text(&answer), "error\ntrack or explain expected\n");
	buf_free(&answer);
	close(reader.master);
	reader.master = -1;
	assert_int_equal(run_wait(&reader), 0);
	site_remove(&w);
}

/* A gateway that breaks the protocol loses its link; another is served on. */
static void
test_bad_gateway(void **state)
{
	struct run r;
	uint8_t byte = 200;

	site_make(&r);
	run_start(&r, false);
	int other = send_link(&r, 1);

	assert_int_equal(ipc_send(r.gateway, (struct span){ &byte, 1 }, NULL, 0), IPC_OK);
	assert_true(ipc_wait(r.gateway, 5000));
	size_t len, count;
	uint8_t bytes[16];

	assert_int_equal(ipc_receive(r.gateway, bytes, sizeof bytes, &len, NULL, 0, &count),
	    IPC_CLOSED);
	close(r.gateway);
	r.gateway = other;
	assert_true(send_quarantine(&r, 3));
	expect(r.gateway, PACKET_STORED, 3);
	/* The same index again replaces the link, and what it was sent before is kept. */
	assert_true(send_quarantine(&r, 4));
	int again = send_link(&r, 1);

	expect(r.gateway, PACKET_STORED, 4);
	close(r.gateway);
	r.gateway = again;
	assert_true(send_quarantine(&r, 5));
	expect(r.gateway, PACKET_STORED, 5);
	/* Without a master it serves until the last gateway has gone. */
	close(r.master);
	assert_true(send_quarantine(&r, 6));
	expect(r.gateway, PACKET_STORED, 6);
	close(r.gateway);
	r.master = r.gateway = -1;
	assert_int_equal(run_wait(&r), 0);
	site_remove(&r);
}

static void
test_newer_database(void **state)
{
	struct run r;
	char path[128];
	struct stat st;

	site_make(&r);
	run_start(&r, false);
	send_empty(r.master, PACKET_DRAIN, 0);
	assert_int_equal(run_wait(&r), 0);
	/* user_version stands at offset 60, big-endian. */
	snprintf(path, sizeof path, "%s/store.db", r.root);
	int fd = open(path, O_WRONLY);

	assert_true(pwrite(fd, "\0\0\0\x63", 4, 60) == 4);
	close(fd);
	run_begin(&r, false);
	assert_int_equal(run_wait(&r), 78);
	assert_int_equal(stat(path, &st), 0);
	site_remove(&r);
}

/* Started by hand there is no descriptor 3. */
static void
test_by_hand(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(3);
		dup2(open("/dev/null", O_WRONLY), 2);
		execl(program(NULL), "sallyport-store", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed), cmocka_unit_test(test_drain_and_read),
		cmocka_unit_test(test_bad_gateway), cmocka_unit_test(test_newer_database),
		cmocka_unit_test(test_by_hand),
	};

	program(argc > 1 ? argv[1] : "sallyport-store");
	return cmocka_run_group_tests_name("store process", tests, NULL, NULL);
}
