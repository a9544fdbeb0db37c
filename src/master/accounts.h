/*
 * accounts.h - which user each process becomes, and the directories made for them.
 *
 * Started as root: the users of the settings, else sallyport-gateway,
 * sallyport-inspector, sallyport-store and sallyport-runner, else 61001 to 61004, which
 * need no entry in passwd.  Started as another user: all stay that one.
 */
#ifndef SRC_MASTER_ACCOUNTS_H
#define SRC_MASTER_ACCOUNTS_H
#include "lib/config/settings.h"
#include "lib/packet/packet.h"
#include <sys/types.h>

struct account { uid_t uid; gid_t gid; };
struct accounts {
	bool           separate;        /* started as root */
	struct account of[PROCESS_KINDS];
};

void accounts_find(struct accounts *, const struct settings *);

/* Makes what is missing: state, quarantine, spool, the control socket's folder, Maildirs;
   the runners' directory where there are commands.
   Those that are there must belong to the right user, and he must be able to reach
   them: the error says what to do. */
enum status accounts_directories(const struct accounts *, const struct settings *,
    struct error *);
#endif
