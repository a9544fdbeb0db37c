/*
 * notify.c - see notify.h.
 */
#include "src/master/notify.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void
notify_init(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path != NULL ? strlen(path) : 0;

	*n = (struct notify){ .fd = -1, .to.sun_family = AF_UNIX };
	if (len > 1 && len < sizeof n->to.sun_path && (*path == '/' || *path == '@')) {
		memcpy(n->to.sun_path, path, len);
		if (*path == '@')
			n->to.sun_path[0] = '\0';
		n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	int len = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof text)
		sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL,
		    (const struct sockaddr *)&n->to, n->to_bytes);
}

void
notify_reloading(const struct notify *n)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}
