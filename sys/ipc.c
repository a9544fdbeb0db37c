/*
 * ipc.c - see ipc.h.
 */
#include "sys/ipc.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IPC_FDS 16      /* the kernel closes what a packet brings beyond */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS)];
};

enum status
ipc_pair(int fds[2], struct error *err)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	return socketpair(AF_UNIX, type, 0, fds) == 0 ? ST_OK
	    : fail(err, ST_TEMP, "ipc", "socketpair: %s", strerror(errno));
}

static void
put_descriptors(struct msghdr *msg, union control *control, const int *fds, size_t count)
{
	memset(control, 0, sizeof *control);
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(sizeof *fds * count);
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof *fds * count);
	memcpy(CMSG_DATA(c), fds, sizeof *fds * count);
}

enum ipc_result
ipc_send(int fd, struct span packet, const int *fds, size_t fd_count)
{
	struct iovec iov = { (void *)(uintptr_t)packet.ptr, packet.len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	assert(packet.len > 0 && fd_count <= IPC_FDS);
	if (fd_count > 0)
		put_descriptors(&msg, &control, fds, fd_count);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return IPC_OK;
	/* ETOOMANYREFS: the other side has not taken the descriptors of earlier packets */
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
		return IPC_AGAIN;
	return IPC_CLOSED;
}

static size_t
take_descriptors(struct msghdr *msg, int fds[IPC_FDS])
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;

		assert(n <= IPC_FDS - count);
		memcpy(fds + count, CMSG_DATA(c), n * sizeof *fds);
		count += n;
	}
	return count;
}

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

enum ipc_result
ipc_receive(int fd, uint8_t *bytes, size_t cap, size_t *len, int *fds, size_t max,
    size_t *fd_count)
{
	struct iovec iov = { bytes, cap };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	int taken[IPC_FDS];
	ssize_t n;

	*len = *fd_count = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? IPC_AGAIN : IPC_CLOSED;
	size_t count = take_descriptors(&msg, taken);

	if (n == 0 || count > max || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		close_all(taken, count);
		return IPC_CLOSED;
	}
	if (count > 0)
		memcpy(fds, taken, count * sizeof *fds);
	*fd_count = count;
	*len = (size_t)n;
	return IPC_OK;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
ipc_wait(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;
	int left = timeout_ms, n;

	while ((n = poll(&p, 1, left)) < 0 && errno == EINTR)
		if (timeout_ms >= 0) {
			int64_t rest = end - now_ms();

			left = rest > 0 ? (int)rest : 0;
		}
	return n > 0;
}

bool
ipc_has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

static int
memory_create(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* kernels before 6.3 do not know the third flag */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static bool
write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			bytes = span_slice(bytes, (size_t)n, bytes.len);
	}
	return true;
}

static int
close_failed(int fd)
{
	int why = errno;

	close(fd);
	errno = why;
	return -1;
}

int
ipc_memory(const char *name, struct span bytes)
{
	int fd = memory_create(name);

	if (fd < 0)
		return -1;
	if (!write_all(fd, bytes) || fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return close_failed(fd);
	return fd;
}

int
ipc_shared(const char *name, size_t bytes)
{
	int fd = memory_create(name);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return close_failed(fd);
	return fd;
}

int
ipc_reopen(int fd)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void *
ipc_map(int fd, size_t *bytes, bool writable)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size <= 0) {
		errno = EINVAL;
		return NULL;
	}
	*bytes = (size_t)st.st_size;
	void *map = mmap(NULL, *bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
	    MAP_SHARED, fd, 0);

	/* Before Linux 6.7 a write-sealed memfd is not shared, not even for reading. */
	if (map == MAP_FAILED && errno == EPERM && !writable)
		map = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}
