/*
 * landlock.h - the files a process keeps (landlock, by raw calls).
 *
 * All rights on files that the kernel knows are taken, and given back for the paths
 * named.  TCP is taken from those that use no network, abstract unix sockets and signals
 * to processes outside from all, where the kernel can.  Descriptors that are
 * open, sockets with a path and memfds reopened by /proc/self/fd are not touched by it.
 */
#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H
#include "sys/sandbox.h"

/* A ruleset, ready to enter; -1 and the reason where the kernel has none.  Paths that
   cannot be opened are named in *missing and stay out of reach. */
int landlock_build(const struct sandbox *, struct buf *missing, struct error *);
/* Puts it in force for good (no_new_privs must be set). */
enum status landlock_load(int ruleset, struct error *);
#endif
