/*
 * sockets.h - the listening sockets, held open over reloads and crashes.
 *
 * A TCP address has one socket a gateway (SO_REUSEPORT); a unix socket is one, shared.
 * The connections that wait in one are not lost when its gateway dies: the next one
 * gets the same socket.
 */
#ifndef SRC_MASTER_SOCKETS_H
#define SRC_MASTER_SOCKETS_H
#include "lib/base/address.h"
#include "lib/config/settings.h"

struct socket_set {
	struct socket_set *next;
	char  text[128];        /* the address, for comparing and for people */
	char *path;             /* unix: to be unlinked */
	int  *fds;              /* one a gateway; unix: one */
	size_t count;
	bool  wanted;           /* by the configuration in force */
};
struct sockets { struct socket_set *sets; size_t gateways; };

/* Opens what is not open yet.  On failure nothing has changed. */
enum status sockets_open(struct sockets *, const struct settings *, struct error *);
/* Closes what this configuration does not name. */
void sockets_close_others(struct sockets *, const struct settings *);
void sockets_close(struct sockets *);
/* The socket of a gateway for an address; it is open. */
int sockets_for(const struct sockets *, const struct endpoint *, size_t gateway);
#endif
