/*
 * landlock.c - see landlock.h.
 *
 * The numbers stand here and not in the system's header, which may be older than the
 * kernel.  A kernel takes a longer structure than it knows if the rest is zero.
 */
#include "sys/landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILE_EXECUTE = 1 << 0, FILE_WRITE = 1 << 1, FILE_READ = 1 << 2, DIR_READ = 1 << 3,
	DIR_REMOVE = 1 << 4, FILE_REMOVE = 1 << 5, MAKE_CHAR = 1 << 6, MAKE_DIR = 1 << 7,
	MAKE_FILE = 1 << 8, MAKE_SOCKET = 1 << 9, MAKE_FIFO = 1 << 10,
	MAKE_BLOCK = 1 << 11,
	MAKE_LINK = 1 << 12,    /* symbolic */
	REFER = 1 << 13,        /* ABI 2: rename and link between folders */
	TRUNCATE = 1 << 14,     /* ABI 3 */
	DEVICE_IOCTL = 1 << 15, /* ABI 5 */
};
#define READING (FILE_READ | DIR_READ)
#define WRITING (FILE_WRITE | DIR_REMOVE | FILE_REMOVE | MAKE_DIR | MAKE_FILE | REFER \
	| TRUNCATE)
#define MAKING  (MAKE_LINK | MAKE_FIFO | MAKE_SOCKET)   /* by programs, in their own folder */
#define OF_FILE (FILE_EXECUTE | FILE_WRITE | FILE_READ | TRUNCATE)
#define TCP_BIND_AND_CONNECT 3u         /* ABI 4 */
#define ABSTRACT_AND_SIGNALS 3u         /* ABI 6 */

struct ruleset { uint64_t files, tcp, scopes; };
struct path_rule { uint64_t allowed; int32_t parent; } __attribute__((packed));

static long
ruleset_create(const struct ruleset *r, size_t size, uint32_t flags)
{
	return syscall(SYS_landlock_create_ruleset, r, size, flags);
}

static struct ruleset
rights_of(long abi, const struct sandbox *s)
{
	struct ruleset r = { .files = (MAKE_LINK << 1) - 1 };

	if (abi >= 2)
		r.files |= REFER;
	if (abi >= 3)
		r.files |= TRUNCATE;
	if (abi >= 5)
		r.files |= DEVICE_IOCTL;
	if (abi >= 4 && s->profile != SANDBOX_GATEWAY && !s->network)
		r.tcp = TCP_BIND_AND_CONNECT;
	if (abi >= 6)
		r.scopes = ABSTRACT_AND_SIGNALS;
	return r;
}

static uint64_t
rights_on(const struct sandbox_path *p, enum sandbox_profile profile)
{
	bool programs = profile == SANDBOX_RUNNER || profile == SANDBOX_COMMAND;
	uint64_t rights = READING;

	if (p->executable)
		rights |= FILE_EXECUTE;
	if (p->writable)
		rights |= programs ? WRITING | MAKING : WRITING;
	return p->file ? rights & OF_FILE : rights;
}

static void
allow_path(int ruleset, const struct sandbox_path *p, uint64_t rights, struct buf *missing)
{
	int flags = O_PATH | O_CLOEXEC | (p->file ? 0 : O_DIRECTORY);
	struct path_rule rule = { .allowed = rights, .parent = open(p->path, flags) };

	if (rule.parent < 0 || syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0) < 0)
		buf_printf(missing, "%slandlock: %s: %s",
		    buf_len(missing) > 0 ? "; " : "", p->path, strerror(errno));
	if (rule.parent >= 0)
		close(rule.parent);
}

int
landlock_build(const struct sandbox *s, struct buf *missing, struct error *err)
{
	long abi = ruleset_create(NULL, 0, 1);

	if (abi < 1) {
		fail(err, ST_TEMP, "landlock", "kernel has none");
		return -1;
	}
	/* ABI 1 forbids every rename between two folders: the store cannot do without */
	if (abi == 1 && s->profile == SANDBOX_STORE) {
		fail(err, ST_TEMP, "landlock", "kernel's is too old");
		return -1;
	}
	struct ruleset rights = rights_of(abi, s);
	int ruleset = (int)ruleset_create(&rights, sizeof rights, 0);

	if (ruleset < 0) {
		fail(err, ST_TEMP, "landlock", "%s", strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < s->path_count; i++)
		allow_path(ruleset, &s->paths[i],
		    rights_on(&s->paths[i], s->profile) & rights.files, missing);
	return ruleset;
}

enum status
landlock_load(int ruleset, struct error *err)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? ST_OK
	    : fail(err, ST_TEMP, "landlock", "%s", strerror(errno));
}
