/*
 * programs.c - see programs.h.
 */
#include "src/master/programs.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const char *const names[PROCESS_KINDS] = {
	[PROCESS_GATEWAY] = "sallyport-gateway",
	[PROCESS_INSPECTOR] = "sallyport-inspector",
	[PROCESS_STORE] = "sallyport-store",
	[PROCESS_READER] = "sallyport-store",
	[PROCESS_RUNNER] = "sallyport-runner",
};

static bool
try_open(struct program *p, const char *folder, const char *middle, const char *name)
{
	int n = snprintf(p->path, sizeof p->path, "%s%s/%s", folder, middle, name);

	if (n < 0 || (size_t)n >= sizeof p->path)
		return false;
	p->fd = open(p->path, O_PATH | O_CLOEXEC);
	return p->fd >= 0;
}

/* The folder above that of our own executable, or "". */
static void
find_tree(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(out, '/');

		if (slash != NULL)
			*slash = '\0';
	}
}

static bool
find_program(struct program *p, const char *name, const char *tree)
{
	const char *told = secure_getenv("SALLYPORT_LIBEXEC");
	char middle[64];

	p->name = name;
	snprintf(middle, sizeof middle, "/%s", strchr(name, '-') + 1);
	if (told != NULL)
		return try_open(p, told, "", name);
	return try_open(p, tree, middle, name) || try_open(p, LIBEXECDIR, "", name);
}

enum status
programs_find(struct programs *programs, struct error *e)
{
	char tree[PATH_MAX];

	find_tree(tree);
	*programs = (struct programs){ 0 };
	for (size_t i = 0; i < PROCESS_KINDS; i++)
		if (names[i] != NULL && !find_program(&programs->of[i], names[i], tree))
			return fail(e, ST_PERM, "start", "%s: %s", programs->of[i].path,
			    strerror(errno));
	return ST_OK;
}

void
programs_close(struct programs *programs)
{
	for (size_t i = 0; i < PROCESS_KINDS; i++)
		if (programs->of[i].fd > 0)
			close(programs->of[i].fd);
}
