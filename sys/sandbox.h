/*
 * sandbox.h - what a process gives up before the first byte of input.
 *
 * The master changes the user (sandbox_become, between fork and exec); the process
 * itself closes what is left: capabilities, no_new_privs, limits, landlock (raw
 * calls; ABI 1 and up), seccomp.  What could not be done is gathered as text, for
 * READY and the log; in mode `required` it is an error.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H
#include "lib/base/base.h"
#include "lib/base/buf.h"
#include <sys/types.h>

/* setgroups, setgid, setuid and a check that there is no way back.  0: stay. */
enum status sandbox_become(uid_t uid, gid_t gid, struct error *);

enum sandbox_profile {
	SANDBOX_INSPECTOR = 0,  /* no file, socket, exec, new process: an allow-list */
	SANDBOX_GATEWAY,        /* sockets, the spool; no exec, no new process  */
	SANDBOX_STORE,          /* its directories; no socket, no exec          */
	SANDBOX_RUNNER,         /* starts programs, which cannot have more      */
	SANDBOX_COMMAND,        /* in the runner's: before a program is executed */
};

/* What stays reachable: reading, and writing where writable.  A directory, with all that is
   in it, or a file. */
struct sandbox_path { const char *path; bool writable, executable, file; };

struct sandbox {
	enum sandbox_profile profile;
	const struct sandbox_path *paths;
	size_t   path_count;
	uint64_t memory_limit;          /* RLIMIT_AS, bytes; 0 none */
	bool     network;               /* RUNNER, COMMAND: it may use the network, as far as
	                                   what was entered before lets it */
	bool     required;
};

/* ST_OK, with *missing naming what is not in force ("landlock: kernel has none"), or
   ST_PERM in mode required. */
enum status sandbox_enter(const struct sandbox *, struct buf *missing, struct error *);
#endif
