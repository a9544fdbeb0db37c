/*
 * sandbox.c - see sandbox.h.
 *
 * What needs memory, files or rights comes first (filter and ruleset are built), then
 * the doors are closed one after the other; the filter is the last.
 */
#include "sys/sandbox.h"
#include "sys/filter.h"
#include "sys/landlock.h"
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
int __lsan_is_turned_off(void);

/* The search for leaks at exit needs a new process and ptrace.  In a sandbox this
   question is refused, or answered with "filtered": both are not zero. */
int
__lsan_is_turned_off(void)
{
	return prctl(PR_GET_SECCOMP) != 0;
}
#endif

static void
note(struct buf *missing, const char *step, const char *why)
{
	buf_printf(missing, "%s%s: %s", buf_len(missing) > 0 ? "; " : "", step, why);
}

static bool
drop_ids(uid_t uid, gid_t gid)
{
	return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0
	    && setresuid(uid, uid, uid) == 0;
}

static bool
has_ids(uid_t uid, gid_t gid)
{
	uid_t u[3];
	gid_t g[3];

	return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0
	    && u[0] == uid && u[1] == uid && u[2] == uid
	    && g[0] == gid && g[1] == gid && g[2] == gid;
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
		return fail(err, ST_TEMP, "sandbox", "cannot become user %u, group %u: %s",
		    (unsigned)uid, (unsigned)gid, strerror(errno));
	if (!has_ids(uid, gid) || setuid(0) == 0 || setgid(0) == 0)
		return fail(err, ST_PERM, "sandbox", "user %u could become root again",
		    (unsigned)uid);
	return ST_OK;
}

static void
limit(int what, uint64_t value, const char *step, struct buf *missing)
{
	if (setrlimit((__rlimit_resource_t)what, &(struct rlimit){ value, value }) < 0)
		note(missing, step, strerror(errno));
}

static void
set_limits(const struct sandbox *s, struct buf *missing)
{
	limit(RLIMIT_CORE, 0, "core limit", missing);
#ifndef SANITIZED
	if (s->memory_limit > 0)
		limit(RLIMIT_AS, s->memory_limit, "memory limit", missing);
#endif
}

static void
drop_capabilities(struct buf *missing)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_ALL) != 0 || capng_get_caps_process() != 0
	    || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		note(missing, "capabilities", "cannot drop them all");
	if (geteuid() == 0)
		note(missing, "user", "runs as root");
}

static void
set_flags(struct buf *missing)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		note(missing, "dumpable", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		note(missing, "no_new_privs", strerror(errno));
}

static void
lock_files(int ruleset, const struct error *built, struct buf *missing)
{
	struct error err = *built;

	if (ruleset < 0 || landlock_load(ruleset, &err) != ST_OK)
		note(missing, "landlock", err.text);
	if (ruleset >= 0)
		close(ruleset);
}

static void
lock_calls(struct filter *filter, const struct error *built, struct buf *missing)
{
	struct error err = *built;

	if (filter->rules == NULL || filter_load(filter, &err) != ST_OK)
		note(missing, "seccomp", err.text);
	filter_free(filter);
}

/* What libraries would otherwise read from files when it is too late. */
static void
prepare(struct buf *missing)
{
	tzset();
#ifdef SANITIZED
	__sanitizer_sandbox_on_notify(&(__sanitizer_sandbox_arguments){ 0 });
	note(missing, "memory limit", "none in a build with a sanitizer");
#endif
}

enum status
sandbox_enter(const struct sandbox *s, struct buf *missing, struct error *err)
{
	struct error no_rules = { 0 }, no_filter = { 0 };
	struct filter filter;

	prepare(missing);
	filter_build(&filter, s->profile, &no_filter);
	int ruleset = landlock_build(s, missing, &no_rules);

	set_limits(s, missing);
	set_flags(missing);
	drop_capabilities(missing);
	lock_files(ruleset, &no_rules, missing);
	lock_calls(&filter, &no_filter, missing);
	if (s->required && buf_len(missing) > 0)
		return fail(err, ST_PERM, "sandbox", "%s", buf_text(missing));
	return ST_OK;
}
