/*
 * notify.h - tell systemd how we are (sd_notify(3)), without its library.
 *
 * Nothing happens where NOTIFY_SOCKET is not set.
 */
#ifndef SRC_MASTER_NOTIFY_H
#define SRC_MASTER_NOTIFY_H
#include "lib/base/base.h"
#include <sys/socket.h>
#include <sys/un.h>

struct notify { int fd; struct sockaddr_un to; socklen_t to_bytes; };

/* Reads NOTIFY_SOCKET and takes it out of the environment: it is not for children. */
void notify_init(struct notify *);
/* One or more lines NAME=VALUE. */
void notify_send(const struct notify *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* RELOADING=1 with the time that systemd wants beside it. */
void notify_reloading(const struct notify *);
#endif
