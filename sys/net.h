/*
 * net.h - sockets: listen, connect, names of both ends.
 */
#ifndef SYS_NET_H
#define SYS_NET_H
#include "lib/base/address.h"

/* A listening socket, non-blocking, close-on-exec; TCP: SO_REUSEADDR, SO_REUSEPORT as
   asked; unix: an old socket file is replaced, mode 0666 (the folder guards it). */
enum status net_listen(const struct endpoint *, bool reuse_port, int *fd, struct error *);
/* Begins to connect: non-blocking, TCP_NODELAY.  ST_OK connected, ST_MORE in progress. */
enum status net_connect(const struct endpoint *, int *fd, struct error *);
/* After ST_MORE and writable: did it work? */
enum status net_connected(int fd, struct error *);
/* Accepts: non-blocking, close-on-exec, TCP_NODELAY.  -1 with errno. */
int net_accept(int fd);
/* Peer and own end; a unix socket has neither: false. */
bool net_peer(int fd, struct address *, uint16_t *port);
bool net_local(int fd, struct address *, uint16_t *port);
/* Has the peer closed (or reset) the connection, with nothing left to read?  */
bool net_is_gone(int fd);
void net_endpoint_text(char out[128], const struct endpoint *);
#endif
