/*
 * accounts.c - see accounts.h.
 */
#include "src/master/accounts.h"
#include "src/master/configuration.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_UID 61001

static struct account
find_account(uint64_t wanted, const char *name, uid_t otherwise)
{
	const struct passwd *pw = wanted != 0 ? getpwuid((uid_t)wanted) : getpwnam(name);

	if (pw != NULL)
		return (struct account){ pw->pw_uid, pw->pw_gid };
	uid_t uid = wanted != 0 ? (uid_t)wanted : otherwise;

	return (struct account){ uid, (gid_t)uid };
}

void
accounts_find(struct accounts *a, const struct settings *s)
{
	*a = (struct accounts){ .separate = geteuid() == 0 };
	for (size_t i = 0; i < PROCESS_KINDS; i++)
		a->of[i] = (struct account){ geteuid(), getegid() };
	if (!a->separate)
		return;
	a->of[PROCESS_GATEWAY] =
	    find_account(s->user_gateway, "sallyport-gateway", FIRST_UID);
	a->of[PROCESS_INSPECTOR] =
	    find_account(s->user_inspector, "sallyport-inspector", FIRST_UID + 1);
	a->of[PROCESS_STORE] =
	    find_account(s->user_store, "sallyport-store", FIRST_UID + 2);
	a->of[PROCESS_READER] = a->of[PROCESS_STORE];
	a->of[PROCESS_RUNNER] =
	    find_account(s->user_runner, "sallyport-runner", FIRST_UID + 3);
}

static bool
may_search(const struct stat *st, struct account who)
{
	if (st->st_uid == who.uid)
		return (st->st_mode & S_IXUSR) != 0;
	if (st->st_gid == who.gid)
		return (st->st_mode & S_IXGRP) != 0;
	return (st->st_mode & S_IXOTH) != 0;
}

/* Calls step for "/a", "/a/b" ... of "/a/b/c", not for the path itself. */
static enum status
each_parent(const char *path, struct account who,
    enum status (*step)(const char *, struct account, struct error *), struct error *e)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i] != '\0' && i < sizeof part; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (step(part, who, e) != ST_OK)
			return ST_PERM;
	}
	return ST_OK;
}

static enum status
make_parent(const char *path, struct account who, struct error *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return fail(e, ST_PERM, "directory", "cannot make %s: %s", path,
		    strerror(errno));
	return ST_OK;
}

static enum status
check_parent(const char *path, struct account who, struct error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail(e, ST_PERM, "directory", "%s: %s", path, strerror(errno));
	if (who.uid != 0 && !may_search(&st, who))
		return fail(e, ST_PERM, "directory",
		    "user %u cannot pass through %s: chmod o+x it, or choose another "
		    "place",
		    (unsigned)who.uid, path);
	return ST_OK;
}

static enum status
check_owner(int fd, const char *path, struct account who, bool made, mode_t mode,
    struct error *e)
{
	struct stat st;

	if (made && (fchown(fd, who.uid, who.gid) < 0 || fchmod(fd, mode) < 0))
		return fail(e, ST_PERM, "directory", "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return fail(e, ST_PERM, "directory", "%s: %s", path, strerror(errno));
	if (st.st_uid != who.uid)
		return fail(e, ST_PERM, "directory",
		    "%s belongs to user %u: chown -R %u:%u it", path, (unsigned)st.st_uid,
		    (unsigned)who.uid, (unsigned)who.gid);
	if ((st.st_mode & S_IWOTH) != 0)
		return fail(
		    e, ST_PERM, "directory", "%s is writable by all: chmod o-w it", path);
	return ST_OK;
}

/* A directory of one user; relative paths are where we were started. */
static enum status
own_directory(const char *path, struct account who, mode_t mode, struct error *e)
{
	if (each_parent(path, who, make_parent, e) != ST_OK)
		return ST_PERM;
	bool made = mkdir(path, 0700) == 0;

	if (!made && errno != EEXIST)
		return fail(e, ST_PERM, "directory", "cannot make %s: %s", path,
		    strerror(errno));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(e, ST_PERM, "directory", "%s: %s", path, strerror(errno));
	enum status status = check_owner(fd, path, who, made, mode, e);

	close(fd);
	return status == ST_OK ? each_parent(path, who, check_parent, e) : status;
}

static enum status
maildirs(const struct accounts *a, const struct settings *s, struct error *e)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct next_hop *hop = &s->listeners[i].next_hop;

		if (hop->kind == HOP_MAILDIR &&
		    own_directory(hop->path, a->of[PROCESS_STORE], 0750, e) != ST_OK)
			return ST_PERM;
	}
	return ST_OK;
}

enum status
accounts_directories(const struct accounts *a, const struct settings *s, struct error *e)
{
	struct account store = a->of[PROCESS_STORE], gateway = a->of[PROCESS_GATEWAY];

	/* The folder of the control socket is made as its parent. */
	if (own_directory(s->state_directory, store, 0750, e) != ST_OK ||
	    own_directory(s->quarantine_directory, store, 0750, e) != ST_OK ||
	    own_directory(s->spool_directory, gateway, 0700, e) != ST_OK ||
	    each_parent(s->control_socket, store, make_parent, e) != ST_OK)
		return ST_PERM;
	if (configuration_has_commands(s) &&
	    own_directory(s->runner_directory, a->of[PROCESS_RUNNER], 0700, e) != ST_OK)
		return ST_PERM;
	return maildirs(a, s, e);
}
