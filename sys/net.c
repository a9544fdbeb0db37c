/*
 * net.c - see net.h.
 */
#include "sys/net.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  1024   /* the kernel cuts it to net.core.somaxconn */
#define V4_AT    12     /* where an IPv4 address stands in its mapped form */
#define V4_BYTES 4

union name {
	struct sockaddr         any;
	struct sockaddr_in      v4;
	struct sockaddr_in6     v6;
	struct sockaddr_un      path;
	struct sockaddr_storage room;
};

static socklen_t
name_of_path(union name *name, const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof name->path.sun_path)
		return 0;
	name->path.sun_family = AF_UNIX;
	memcpy(name->path.sun_path, path, len + 1);
	return sizeof name->path;
}

/* 0: the path is too long. */
static socklen_t
name_of(union name *name, const struct endpoint *to)
{
	memset(name, 0, sizeof *name);
	if (to->path != NULL)
		return name_of_path(name, to->path);
	if (address_is_v4(&to->address)) {
		name->v4.sin_family = AF_INET;
		name->v4.sin_port = htons(to->port);
		memcpy(&name->v4.sin_addr, to->address.bytes + V4_AT, V4_BYTES);
		return sizeof name->v4;
	}
	name->v6.sin6_family = AF_INET6;
	name->v6.sin6_port = htons(to->port);
	memcpy(&name->v6.sin6_addr, to->address.bytes, sizeof name->v6.sin6_addr);
	return sizeof name->v6;
}

static bool
name_read(const union name *name, struct address *address, uint16_t *port)
{
	static const struct address mapped = { { [10] = 0xff, [11] = 0xff } };

	if (name->any.sa_family == AF_INET) {
		*address = mapped;
		memcpy(address->bytes + V4_AT, &name->v4.sin_addr, V4_BYTES);
		*port = ntohs(name->v4.sin_port);
		return true;
	}
	if (name->any.sa_family != AF_INET6)
		return false;
	memcpy(address->bytes, &name->v6.sin6_addr, sizeof address->bytes);
	*port = ntohs(name->v6.sin6_port);
	return true;
}

static void
set_option(int fd, int level, int option)
{
	setsockopt(fd, level, option, &(int){ 1 }, sizeof(int));
}

static enum status
net_fail(struct error *err, const struct endpoint *to, const char *what)
{
	int why = errno;
	char text[128];

	net_endpoint_text(text, to);
	return fail(err, ST_TEMP, "net", "%s %s: %s", what, text, strerror(why));
}

static enum status
net_open(const struct endpoint *to, union name *name, socklen_t *len, int *fd,
    struct error *err)
{
	*fd = -1;
	*len = name_of(name, to);
	if (*len == 0)
		return fail(err, ST_PERM, "net", "path of a unix socket is empty or too long: "
		    "%.100s", to->path);
	*fd = socket(name->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd >= 0 ? ST_OK : net_fail(err, to, "socket for");
}

/* What a process that ended left behind; not the socket of one that is still there. */
static void
remove_old_socket(const union name *name, socklen_t len)
{
	struct stat st;

	if (lstat(name->path.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (connect(fd, &name->any, len) < 0 && errno == ECONNREFUSED)
		unlink(name->path.sun_path);
	close(fd);
}

static bool
bind_and_listen(int fd, const union name *name, socklen_t len, bool reuse_port)
{
	bool is_path = name->any.sa_family == AF_UNIX;

	if (is_path) {
		remove_old_socket(name, len);
	} else {
		set_option(fd, SOL_SOCKET, SO_REUSEADDR);
		if (reuse_port)
			set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	}
	if (name->any.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	return bind(fd, &name->any, len) == 0 &&
	    (!is_path || chmod(name->path.sun_path, 0666) == 0) &&
	    listen(fd, BACKLOG) == 0;
}

enum status
net_listen(const struct endpoint *at, bool reuse_port, int *fd, struct error *err)
{
	union name name;
	socklen_t len;
	enum status st = net_open(at, &name, &len, fd, err);

	if (st != ST_OK || bind_and_listen(*fd, &name, len, reuse_port))
		return st;
	st = net_fail(err, at, "listen on");
	close(*fd);
	*fd = -1;
	return st;
}

enum status
net_connect(const struct endpoint *to, int *fd, struct error *err)
{
	union name name;
	socklen_t len;
	enum status st = net_open(to, &name, &len, fd, err);

	if (st != ST_OK)
		return st;
	if (to->path == NULL)
		set_option(*fd, IPPROTO_TCP, TCP_NODELAY);
	if (connect(*fd, &name.any, len) == 0)
		return ST_OK;
	if (errno == EINPROGRESS || errno == EINTR)
		return ST_MORE;
	st = net_fail(err, to, "connect to");
	close(*fd);
	*fd = -1;
	return st;
}

enum status
net_connected(int fd, struct error *err)
{
	int why = 0;
	socklen_t len = sizeof why;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		why = errno;
	return why == 0 ? ST_OK : fail(err, ST_TEMP, "net", "connect: %s", strerror(why));
}

int
net_accept(int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* a unix socket refuses this, which does no harm */
	if (conn >= 0)
		set_option(conn, IPPROTO_TCP, TCP_NODELAY);
	return conn;
}

bool
net_peer(int fd, struct address *address, uint16_t *port)
{
	union name name = { 0 };
	socklen_t len = sizeof name;

	return getpeername(fd, &name.any, &len) == 0 && name_read(&name, address, port);
}

bool
net_local(int fd, struct address *address, uint16_t *port)
{
	union name name = { 0 };
	socklen_t len = sizeof name;

	return getsockname(fd, &name.any, &len) == 0 && name_read(&name, address, port);
}

bool
net_is_gone(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void
net_endpoint_text(char out[128], const struct endpoint *at)
{
	if (at->path != NULL)
		snprintf(out, 128, "unix:%s", at->path);
	else
		endpoint_text(out, &at->address, at->port);
}
