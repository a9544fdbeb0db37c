/*
 * ipc.h - packets with descriptors between processes, and sealed memory.
 */
#ifndef SYS_IPC_H
#define SYS_IPC_H
#include "lib/base/base.h"
#include <sys/types.h>

enum ipc_result { IPC_OK = 0, IPC_AGAIN, IPC_CLOSED };

/* A pair of SOCK_SEQPACKET sockets, close-on-exec, non-blocking. */
enum status ipc_pair(int fds[2], struct error *);

/* Sends one packet and copies of the descriptors.  IPC_AGAIN: no room now.  Anything that
   is wrong with the other side is IPC_CLOSED. */
enum ipc_result ipc_send(int fd, struct span packet, const int *fds, size_t fd_count);

/* One packet into bytes (room of `cap`), received descriptors (close-on-exec) into fds;
   those beyond max, and packets that were cut, are closed and dropped: IPC_CLOSED.  Waits
   if the socket is blocking. */
enum ipc_result ipc_receive(int fd, uint8_t *bytes, size_t cap, size_t *len, int *fds,
    size_t max, size_t *fd_count);

/* A packet can be sent now. */
bool ipc_has_room(int fd);

/* Waits up to timeout_ms for the socket to become readable (for sequential processes). */
bool ipc_wait(int fd, int timeout_ms);

/* A memfd with these bytes, sealed against every change; -1 and errno on failure. */
int ipc_memory(const char *name, struct span bytes);
/* A memfd of that size, writable by all who hold it, sealed against resizing. */
int ipc_shared(const char *name, size_t bytes);
/* Another open file of the same file, read-only, with an own offset. */
int ipc_reopen(int fd);
/* Map all of a descriptor; read-only or shared writable.  NULL on failure. */
void *ipc_map(int fd, size_t *bytes, bool writable);
#endif
