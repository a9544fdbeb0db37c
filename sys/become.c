/*
 * become.c - the change of user; see sandbox.h.
 *
 * A file of its own, so that the master, which calls nothing else of the sandbox, is not
 * linked with the libraries of the rest.
 */
#include "sys/sandbox.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool
drop_ids(uid_t uid, gid_t gid)
{
	return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	    setresuid(uid, uid, uid) == 0;
}

static bool
has_ids(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
	    u[0] == uid && u[1] == uid && u[2] == uid &&
	    g[0] == gid && g[1] == gid && g[2] == gid;
}

enum status
sandbox_become(uid_t uid, gid_t gid, struct error *err)
{
	if (uid == 0 || (geteuid() != 0 && has_ids(uid, gid)))
		return ST_OK;
	/* while it still may: no program that is executed later can have them */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap);
	if (!drop_ids(uid, gid))
		return fail(err, ST_TEMP, "sandbox", "cannot be user %u, group %u: %s",
		    (unsigned)uid, (unsigned)gid, strerror(errno));
	if (!has_ids(uid, gid) || setuid(0) == 0 || setgid(0) == 0)
		return fail(err, ST_PERM, "sandbox", "user %u could become root again",
		    (unsigned)uid);
	return ST_OK;
}
