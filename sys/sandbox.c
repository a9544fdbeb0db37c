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
	if (capng_apply(CAPNG_SELECT_ALL) != 0 || capng_get_caps_process() != 0 ||
	    capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
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
	filter_build(&filter, s, &no_filter);
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
