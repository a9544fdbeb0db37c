/*
 * test_inspector.c - the executable, driven as the master and a gateway do.
 */
#include "lib/config/settings.h"
#include "lib/packet/packet.h"
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
program(const char *set)
{
	static const char *path;

	if (set != NULL)
		path = set;
	return path;
}

struct run { int master, gateway; pid_t pid; uint32_t serial; struct buf missing; };

static int
make_bundle(const char *settings)
{
	struct buf text = { 0 };
	uint8_t bytes[4096];
	struct pack p = { bytes, 0, sizeof bytes, false };

	buf_printf(&text, "hostname mx.example.com;\n%s\n"
	    "listener in { address 127.0.0.1:10024; queue after; policy p; "
	    "next-hop 127.0.0.1:10025; }\npolicy p { otherwise accept; }\n", settings);
	bundle_pack(&p, &(struct bundle_item){ "/etc/sallyport.conf", buf_span(&text) }, 1);
	buf_free(&text);
	assert_false(p.full);
	return ipc_memory("bundle", (struct span){ bytes, p.len });
}

static void
send_packet(int to, const struct pack *p, const int *fds, size_t count)
{
	assert_false(p->full);
	assert_int_equal(ipc_send(to, (struct span){ p->ptr, p->len }, fds, count), IPC_OK);
}

static void
send_setup(struct run *r, const char *settings)
{
	static uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_SETUP, 0);
	const struct packet_setup setup = { .index = 3, .log_target = LOG_STDERR,
		.hostname = SPAN_LIT("mx.example.com") };
	int fds[] = { make_bundle(settings), ipc_shared("counters", 4096), dup(2),
		ipc_shared("ledger", 4096) };

	packet_put_setup(&p, &setup);
	send_packet(r->master, &p, fds, COUNT_OF(fds));
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void
send_empty(int to, enum packet_type type, uint32_t serial)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, type, serial);

	send_packet(to, &p, NULL, 0);
}

static void
send_link(struct run *r)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_LINK, 0);
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	packet_put_link(&p, &(struct packet_link){ .kind = PROCESS_GATEWAY });
	send_packet(r->master, &p, &ends[1], 1);
	close(ends[1]);
	r->gateway = ends[0];
}

static void
receive(int from, enum packet_type want, uint32_t serial, struct unpack *body)
{
	static uint8_t bytes[PACKET_BYTES];
	size_t len, count;
	uint32_t got;

	assert_true(ipc_wait(from, 10000));
	assert_int_equal(ipc_receive(from, bytes, sizeof bytes, &len, NULL, 0, &count), IPC_OK);
	assert_int_equal(packet_open((struct span){ bytes, len }, &got, body), want);
	assert_int_equal(got, serial);
}

static void
run_program(struct run *r)
{
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	*r = (struct run){ .master = ends[0] };
	r->pid = fork();
	if (r->pid == 0) {
		if (ends[1] != 3)
			dup2(ends[1], 3);
		fcntl(3, F_SETFD, 0);
		execl(program(NULL), "sallyport-inspector", "3", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
}

static void
run_start(struct run *r, const char *settings)
{
	struct unpack body;

	run_program(r);
	send_setup(r, settings);
	send_link(r);
	send_empty(r->master, PACKET_START, 0);
	receive(r->master, PACKET_READY, 0, &body);
	buf_add(&r->missing, unpack_span(&body));
	assert_true(unpack_whole(&body));
}

/* Exit status, or minus the signal; 999 if it does not end. */
static int
run_end(struct run *r)
{
	int status, tries = 0;

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (++tries > 1000) {
			kill(r->pid, SIGKILL);
			waitpid(r->pid, &status, 0);
			return 999;
		}
		usleep(10000);
	}
	close(r->master);
	if (r->gateway > 0)
		close(r->gateway);
	buf_free(&r->missing);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
ask_examine(struct run *r, struct span message)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_EXAMINE, ++r->serial);
	int fd = ipc_memory("message", message);

	packet_put_examine(&p, &(struct packet_examine){ message.len, 1u << 20, WISH_ALL,
	    false });
	send_packet(r->gateway, &p, &fd, 1);
	close(fd);
}

static void
examine_one(struct run *r, const char *subject)
{
	struct arena arena = { 0 };
	struct packet_examined e;
	struct unpack body;
	char message[100];

	snprintf(message, sizeof message, "Subject: %s\r\n\r\nbody", subject);
	ask_examine(r, span_text(message));
	receive(r->gateway, PACKET_EXAMINED, r->serial, &body);
	assert_true(packet_take_examined(&body, &e, &arena));
	assert_int_equal(e.status, ST_OK);
	assert_true(span_equal(e.findings.values[FACT_HEADER_SUBJECT].text, span_text(subject)));
	arena_free(&arena);
}

static void
test_life(void **state)
{
	struct unpack body;
	struct run r;

	run_start(&r, "");
	for (int i = 0; i < 50; i++)
		examine_one(&r, i % 2 == 0 ? "hello" : "again");
	send_empty(r.master, PACKET_PING, 77);
	receive(r.master, PACKET_PONG, 77, &body);
	examine_one(&r, "after");
	send_empty(r.master, PACKET_DRAIN, 0);
	assert_int_equal(run_end(&r), 0);
}

static void
test_rewrite(void **state)
{
	struct packet_change change = { false, SPAN_LIT("X-A"), SPAN_LIT("b") };
	struct packet_rewrite job = { .size = 12, .header_limit = 1000,
		.changes = &change, .change_count = 1 };
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_REWRITE, 9);
	struct packet_rewritten out;
	struct unpack body;
	struct run r;

	run_start(&r, "");
	int fd = ipc_memory("message", SPAN_LIT("A: 1\r\n\r\nbody"));

	packet_put_rewrite(&p, &job);
	send_packet(r.gateway, &p, &fd, 1);
	close(fd);
	receive(r.gateway, PACKET_REWRITTEN, 9, &body);
	assert_true(packet_take_rewritten(&body, &out, 12));
	assert_int_equal(out.status, ST_OK);
	assert_int_equal(out.edits.count, 1);
	assert_true(span_equal(out.edits.items[0].insert, SPAN_LIT("X-A: b\r\n")));
	edit_free(&out.edits);
	close(r.gateway);       /* the gateway has gone */
	r.gateway = 0;
	assert_int_equal(run_end(&r), 0);
}

/* Fields that grow by being folded, beyond what a packet takes. */
static void
test_too_long_answer(void **state)
{
	struct packet_change changes[59];
	struct packet_rewrite job = { .size = 2, .header_limit = 1000, .changes = changes,
		.change_count = COUNT_OF(changes) };
	uint8_t bytes[PACKET_BYTES];
	static char value[1080];
	struct pack p = packet_begin(bytes, PACKET_REWRITE, 9);
	struct packet_rewritten out;
	struct unpack body;
	struct run r;

	for (size_t i = 0; i < sizeof value; i++)
		value[i] = i % 60 == 59 ? ' ' : 'x';
	for (size_t i = 0; i < COUNT_OF(changes); i++)
		changes[i] = (struct packet_change){ false, SPAN_LIT("X-A"),
			{ (const uint8_t *)value, sizeof value } };
	run_start(&r, "");
	int fd = ipc_memory("message", SPAN_LIT("\r\n"));

	packet_put_rewrite(&p, &job);
	send_packet(r.gateway, &p, &fd, 1);
	close(fd);
	receive(r.gateway, PACKET_REWRITTEN, 9, &body);
	assert_true(packet_take_rewritten(&body, &out, 2));
	assert_int_equal(out.status, ST_TEMP);
	assert_true(out.why.len > 0);
	edit_free(&out.edits);
	close(r.master);        /* the master has gone */
	r.master = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(run_end(&r), 0);
}

/* More links than a packet takes: in sealed memory, and none is lost. */
static void
test_large_answer(void **state)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct buf message = { 0 };
	struct arena arena = { 0 };
	static uint8_t bytes[PACKET_BYTES];
	struct packet_examined e;
	struct unpack body;
	size_t len, count, size = 0;
	struct run r;
	uint32_t serial;
	int fd = -1;

	buf_printf(&message, "Content-Type: text/html\r\n\r\n");
	for (int i = 0; i < 900; i++)
		buf_printf(&message, "<a href=\"http://host%d.example/%0100d\">x</a>\r\n", i, i);
	run_start(&r, "");
	ask_examine(&r, buf_span(&message));
	assert_true(ipc_wait(r.gateway, 10000));
	assert_int_equal(ipc_receive(r.gateway, bytes, sizeof bytes, &len, &fd, 1, &count), IPC_OK);
	assert_int_equal(packet_open((struct span){ bytes, len }, &serial, &body), PACKET_LARGE);
	assert_int_equal(serial, r.serial);
	assert_int_equal(count, 1);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & seals, seals);
	uint8_t *map = ipc_map(fd, &size, false);

	assert_non_null(map);
	assert_int_equal(packet_open((struct span){ map, size }, &serial, &body), PACKET_EXAMINED);
	assert_int_equal(serial, r.serial);
	assert_true(packet_take_examined(&body, &e, &arena));
	assert_int_equal(e.findings.groups[GROUP_LINK].count, 900);
	assert_false(e.findings.groups[GROUP_LINK].cut);
	munmap(map, size);
	close(fd);
	arena_free(&arena);
	buf_free(&message);
	examine_one(&r, "and on");
	close(r.gateway);
	r.gateway = 0;
	assert_int_equal(run_end(&r), 0);
}

static void
test_renewed(void **state)
{
	struct run r;

	run_start(&r, "inspector-jobs 3;");
	for (int i = 0; i < 3; i++)
		examine_one(&r, "hello");
	assert_int_equal(run_end(&r), 0);
}

static const struct { const char *name, *settings; enum packet_type type; int end; } broken[] = {
	{ "START before SETUP", NULL, PACKET_START, 70 },
	{ "a setting that is none", "no-such-setting 1;", PACKET_START, 70 },
};

static void
test_broken(void **state)
{
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct run r;

		print_message("# %s\n", broken[i].name);
		run_program(&r);
		if (broken[i].settings != NULL)
			send_setup(&r, broken[i].settings);
		send_empty(r.master, broken[i].type, 0);
		assert_int_equal(run_end(&r), broken[i].end);
	}
}

/* A gateway that does not keep to the contract ends this process, no other. */
static void
test_bad_request(void **state)
{
	struct run r;

	run_start(&r, "");
	send_empty(r.gateway, PACKET_EXAMINE, 1);
	assert_int_equal(run_end(&r), 70);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_too_long_answer),
		cmocka_unit_test(test_large_answer),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bad_request),
	};

	if (argc != 2)
		return 2;
	program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
