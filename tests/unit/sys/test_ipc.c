/*
 * test_ipc.c - packets arrive whole with their descriptors, or not at all.
 */
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

struct pair { int fds[2]; size_t before; };

static void
pair_init(struct pair *p)
{
	struct error err;

	p->before = open_descriptors();
	assert_int_equal(ipc_pair(p->fds, &err), ST_OK);
}

/* Whatever was sent or dropped, no descriptor is left open. */
static void
pair_finish(struct pair *p)
{
	close(p->fds[0]);
	close(p->fds[1]);
	assert_int_equal(open_descriptors(), p->before);
}

static const struct { const char *name; size_t sent, room, descriptors, max;
	enum ipc_result result; } packets[] = {
	{ "one byte",                   1,     10,    0, 0,  IPC_OK },
	{ "exactly the room",           10,    10,    0, 4,  IPC_OK },
	{ "a byte more than the room",  11,    10,    0, 4,  IPC_CLOSED },
	{ "64 KiB",                     65536, 65536, 0, 4,  IPC_OK },
	{ "one descriptor",             5,     10,    1, 4,  IPC_OK },
	{ "as many as taken",           5,     10,    4, 4,  IPC_OK },
	{ "one more than taken",        5,     10,    5, 4,  IPC_CLOSED },
	{ "one, none taken",            5,     10,    1, 0,  IPC_CLOSED },
	{ "cut, with descriptors",      11,    10,    3, 4,  IPC_CLOSED },
	{ "most descriptors",           1,     1,     16, 16, IPC_OK },
};

static void
check_packet(size_t i)
{
	static uint8_t out[65536], in[65536];
	int sent[16], taken[16];
	size_t len, count;
	struct pair p;

	pair_init(&p);
	for (size_t k = 0; k < sizeof out; k++)
		out[k] = (uint8_t)(k * 7 + k / 256);
	for (size_t k = 0; k < packets[i].descriptors; k++)
		sent[k] = p.fds[0];
	assert_int_equal(ipc_send(p.fds[0], (struct span){ out, packets[i].sent }, sent,
	    packets[i].descriptors), IPC_OK);
	assert_int_equal(ipc_receive(p.fds[1], in, packets[i].room, &len, taken,
	    packets[i].max, &count), packets[i].result);
	if (packets[i].result == IPC_OK) {
		assert_int_equal(len, packets[i].sent);
		assert_memory_equal(in, out, len);
		assert_int_equal(count, packets[i].descriptors);
	} else {
		assert_int_equal(count, 0);
	}
	for (size_t k = 0; k < count; k++) {
		assert_true(fcntl(taken[k], F_GETFD) & FD_CLOEXEC);
		close(taken[k]);
	}
	pair_finish(&p);
}

static void
test_packets(void **state)
{
	for (size_t i = 0; i < COUNT_OF(packets); i++) {
		print_message("# %s\n", packets[i].name);
		check_packet(i);
	}
}

/* Another process need not keep to our own limit of descriptors. */
static void
test_too_many_descriptors(void **state)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int) * 40)]; } control = { 0 };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int all[40], taken[16];
	size_t len, count;
	uint8_t byte;
	struct pair p;

	pair_init(&p);
	for (size_t i = 0; i < 40; i++)
		all[i] = p.fds[0];
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof all), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), all, sizeof all);
	assert_int_equal(sendmsg(p.fds[0], &msg, 0), 1);
	assert_int_equal(ipc_receive(p.fds[1], &byte, 1, &len, taken, 16, &count), IPC_CLOSED);
	pair_finish(&p);
}

static void
test_full_and_closed(void **state)
{
	static const uint8_t packet[65536];
	uint8_t in[16];
	size_t len, count, sent = 0;
	enum ipc_result r;
	struct pair p;

	pair_init(&p);
	assert_int_equal(ipc_receive(p.fds[1], in, sizeof in, &len, NULL, 0, &count),
	    IPC_AGAIN);
	assert_false(ipc_wait(p.fds[1], 1));
	while ((r = ipc_send(p.fds[0], (struct span){ packet, sizeof packet }, NULL, 0)) == IPC_OK)
		assert_true(++sent < 1000);
	assert_int_equal(r, IPC_AGAIN);
	assert_true(sent > 0);
	assert_true(ipc_wait(p.fds[1], -1));
	close(p.fds[1]);
	p.fds[1] = dup(p.fds[0]);
	assert_int_equal(ipc_send(p.fds[0], SPAN_LIT("x"), NULL, 0), IPC_CLOSED);
	pair_finish(&p);
}

static void
test_end(void **state)
{
	uint8_t in[16];
	size_t len, count;
	struct pair p;

	pair_init(&p);
	assert_int_equal(ipc_send(p.fds[0], SPAN_LIT("last"), NULL, 0), IPC_OK);
	close(p.fds[0]);
	p.fds[0] = dup(p.fds[1]);
	assert_true(ipc_wait(p.fds[1], 0));
	assert_int_equal(ipc_receive(p.fds[1], in, sizeof in, &len, NULL, 0, &count), IPC_OK);
	assert_int_equal(len, 4);
	assert_int_equal(ipc_receive(p.fds[1], in, sizeof in, &len, NULL, 0, &count),
	    IPC_CLOSED);
	pair_finish(&p);
}

static void
test_memory(void **state)
{
	char in[8];
	int fd = ipc_memory("test", SPAN_LIT("bytes"));

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(pwrite(fd, "x", 1, 5), -1);
	assert_int_equal(ftruncate(fd, 4), -1);
	assert_int_equal(ftruncate(fd, 6), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_int_equal(pread(fd, in, sizeof in, 0), 5);
	assert_memory_equal(in, "bytes", 5);
	close(fd);
	fd = ipc_memory("empty", SPAN_NONE);
	assert_true(fd >= 0);
	assert_null(ipc_map(fd, &(size_t){ 0 }, false));
	close(fd);
}

static void
test_reopen(void **state)
{
	char in[8];
	int fd = ipc_memory("test", SPAN_LIT("bytes"));
	int other = ipc_reopen(fd);

	assert_true(other >= 0);
	assert_true(fcntl(other, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fcntl(other, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	assert_int_equal(read(other, in, sizeof in), 5);
	assert_int_equal(read(fd, in, sizeof in), 2);
	close(fd);
	close(other);
	assert_int_equal(ipc_reopen(-1), -1);
}

static void
test_shared(void **state)
{
	size_t size = 0;
	int fd = ipc_shared("page", 5000);
	uint8_t *a = ipc_map(fd, &size, true);

	assert_non_null(a);
	assert_int_equal(size, 5000);
	const uint8_t *b = ipc_map(fd, &size, false);

	assert_non_null(b);
	a[4999] = 7;
	assert_int_equal(b[4999], 7);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 9000), -1);
	munmap(a, size);
	munmap((void *)(uintptr_t)b, size);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_too_many_descriptors),
		cmocka_unit_test(test_full_and_closed),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
