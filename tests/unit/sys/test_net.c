/*
 * test_net.c - both ends of real sockets on this host.
 */
#include "sys/net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct endpoint
at(const char *address, uint16_t port)
{
	struct endpoint e = { .port = port };

	assert_true(address_parse(span_text(address), &e.address));
	return e;
}

static bool
flag(int fd, int level, int option)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, level, option, &value, &len) == 0 && value != 0;
}

static void
assert_ours(int fd)
{
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void
await(int fd, short events)
{
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = events }, 1, 5000), 1);
}

/* Connects and accepts; the connection's two ends. */
static void
join(const struct endpoint *to, int listening, int *client, int *server)
{
	struct error err;
	enum status st = net_connect(to, client, &err);

	assert_true(st == ST_OK || st == ST_MORE);
	await(*client, POLLOUT);
	assert_int_equal(net_connected(*client, &err), ST_OK);
	await(listening, POLLIN);
	*server = net_accept(listening);
	assert_true(*server >= 0);
	assert_ours(*client);
	assert_ours(*server);
}

static void
check_tcp(const char *address)
{
	struct endpoint e = at(address, 0);
	struct address own, peer;
	struct error err;
	int listening, client, server;
	uint16_t port;

	assert_int_equal(net_listen(&e, true, &listening, &err), ST_OK);
	assert_ours(listening);
	assert_true(flag(listening, SOL_SOCKET, SO_REUSEPORT));
	assert_true(net_local(listening, &own, &e.port));
	assert_true(address_equal(&own, &e.address) && e.port != 0);
	join(&e, listening, &client, &server);
	assert_true(flag(client, IPPROTO_TCP, TCP_NODELAY));
	assert_true(flag(server, IPPROTO_TCP, TCP_NODELAY));
	assert_true(net_peer(client, &peer, &port));
	assert_true(address_equal(&peer, &e.address) && port == e.port);
	assert_true(net_local(client, &own, &port) && net_peer(server, &peer, &e.port));
	assert_true(address_equal(&peer, &own) && port == e.port);
	close(client);
	close(server);
	close(listening);
}

static void
test_tcp(void **state)
{
	check_tcp("127.0.0.1");
	if (access("/proc/net/if_inet6", R_OK) == 0)
		check_tcp("::1");
}

static void
test_refused(void **state)
{
	struct endpoint e = at("127.0.0.1", 0);
	struct address own;
	struct error err;
	int fd, client;

	assert_int_equal(net_listen(&e, false, &fd, &err), ST_OK);
	assert_false(flag(fd, SOL_SOCKET, SO_REUSEPORT));
	assert_true(net_local(fd, &own, &e.port));
	assert_int_equal(net_listen(&e, false, &client, &err), ST_TEMP);
	assert_int_equal(client, -1);
	assert_non_null(strstr(err.text, "127.0.0.1"));
	close(fd);
	enum status st = net_connect(&e, &client, &err);

	if (st == ST_MORE) {
		await(client, POLLOUT);
		st = net_connected(client, &err);
		close(client);
	}
	assert_int_equal(st, ST_TEMP);
	assert_non_null(strstr(err.text, "refused"));
}

static void
test_unix(void **state)
{
	char path[100];
	struct endpoint e = { .path = path };
	struct address any;
	struct error err;
	struct stat st;
	int old, listening, client, server, second;
	uint16_t port;

	snprintf(path, sizeof path, "/tmp/sallyport-test-net-%d", (int)getpid());
	assert_int_equal(net_listen(&e, false, &old, &err), ST_OK);
	assert_int_equal(net_listen(&e, false, &second, &err), ST_TEMP);   /* still there */
	close(old);
	assert_int_equal(net_listen(&e, false, &listening, &err), ST_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	join(&e, listening, &client, &server);
	assert_false(net_peer(client, &any, &port));
	assert_false(net_local(server, &any, &port));
	close(client);
	close(server);
	close(listening);
	unlink(path);
	assert_int_equal(net_connect(&e, &client, &err), ST_TEMP);
	assert_int_equal(client, -1);
}

/* One whose queue is full cannot be connected to, but is there. */
static void
test_unix_busy(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct endpoint e = { .path = sun.sun_path };
	struct error err;
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[3];

	snprintf(sun.sun_path, sizeof sun.sun_path, "/tmp/sallyport-test-busy-%d",
	    (int)getpid());
	assert_int_equal(bind(listening, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(listening, 0), 0);
	assert_int_equal(net_connect(&e, &fds[0], &err), ST_OK);
	assert_int_equal(net_connect(&e, &fds[1], &err), ST_TEMP);
	assert_int_equal(net_listen(&e, false, &fds[2], &err), ST_TEMP);
	assert_int_equal(access(sun.sun_path, F_OK), 0);
	unlink(sun.sun_path);
	close(fds[0]);
	close(listening);
}

/* A file that is no socket is not ours to remove. */
static void
test_unix_other_file(void **state)
{
	char path[100];
	struct endpoint e = { .path = path };
	struct error err;
	int fd;

	snprintf(path, sizeof path, "/tmp/sallyport-test-file-%d", (int)getpid());
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(net_listen(&e, false, &fd, &err), ST_TEMP);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void
test_path_length(void **state)
{
	char path[200];
	struct endpoint e = { .path = path };
	struct error err;
	int fd;

	memset(path, 'a', sizeof path);
	path[108] = '\0';
	assert_int_equal(net_connect(&e, &fd, &err), ST_PERM);
	path[107] = '\0';
	assert_int_equal(net_connect(&e, &fd, &err), ST_TEMP);
	path[0] = '\0';
	assert_int_equal(net_listen(&e, false, &fd, &err), ST_PERM);
}

static void
test_is_gone(void **state)
{
	struct endpoint e = at("127.0.0.1", 0);
	struct address own;
	struct error err;
	int listening, client, server;
	char byte;

	assert_int_equal(net_listen(&e, false, &listening, &err), ST_OK);
	assert_true(net_local(listening, &own, &e.port));
	join(&e, listening, &client, &server);
	assert_false(net_is_gone(server));
	assert_int_equal(write(client, "x", 1), 1);
	close(client);
	await(server, POLLIN);
	assert_false(net_is_gone(server));      /* a byte is left */
	assert_int_equal(read(server, &byte, 1), 1);
	await(server, POLLIN);
	assert_true(net_is_gone(server));
	close(server);
	join(&e, listening, &client, &server);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
	    sizeof(struct linger));
	close(client);
	await(server, POLLIN);
	assert_true(net_is_gone(server));       /* reset */
	close(server);
	close(listening);
}

static void
test_text(void **state)
{
	struct endpoint v4 = at("192.0.2.1", 25), v6 = at("2001:db8::1", 10025);
	char text[128], path[300];

	net_endpoint_text(text, &v4);
	assert_string_equal(text, "192.0.2.1:25");
	net_endpoint_text(text, &v6);
	assert_string_equal(text, "[2001:db8::1]:10025");
	net_endpoint_text(text, &(struct endpoint){ .path = "/run/x" });
	assert_string_equal(text, "unix:/run/x");
	memset(path, 'a', sizeof path);
	path[299] = '\0';
	net_endpoint_text(text, &(struct endpoint){ .path = path });
	assert_int_equal(strlen(text), 127);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_unix_busy),
		cmocka_unit_test(test_unix_other_file),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_is_gone),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
