/*
 * filter.h - the system calls a process keeps (seccomp).
 *
 * Inspector: a list of what may be done; all else is EPERM, and what only an intruder
 * would try ends the process.  Gateway and store: a list of what may not be done; runner
 * and commands likewise, a short one, for no program can be known before.
 * Only the native calling convention exists: i386 and x32 calls end the process.
 */
#ifndef SYS_FILTER_H
#define SYS_FILTER_H
#include "sys/sandbox.h"

struct filter { void *rules; };         /* libseccomp's */

/* Builds it for this process (its id is part of the rules). */
enum status filter_build(struct filter *, const struct sandbox *, struct error *);
/* Puts it in force for good; sets no_new_privs. */
enum status filter_load(struct filter *, struct error *);
void filter_free(struct filter *);
#endif
