/*
 * folder.c - see folder.h.
 *
 * What is in the folder was made by a program that may have been taken over: links are not
 * followed, and folders in folders are not descended into but moved up to the top, one
 * level a turn, so that their depth does not matter.
 */
#include "src/runner/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OLD_S 60        /* younger ones may be about to be locked */

int
folder_make(const char *path)
{
	if (mkdir(path, 0700) < 0)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		flock(fd, LOCK_EX | LOCK_NB);
	return fd;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A stream with a descriptor of its own; rights that were taken away are given back. */
static DIR *
open_folder(int parent, const char *name)
{
	int fd = -1;

	if (fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (fd >= 0 && stream == NULL)
		close(fd);
	return stream;
}

/* The new name may be taken: by chance, or on purpose. */
static bool
move_up(int top, int in, const char *name, uint64_t *serial)
{
	char moved[40];
	bool again;
	int r;

	if (fchmodat(in, name, 0700, 0) < 0)    /* else its parent cannot be changed */
		return false;
	do {
		snprintf(moved, sizeof moved, ".moved-%ju", (uintmax_t)++*serial);
		r = renameat(in, name, top, moved);
		again = r < 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
	} while (again);
	return r == 0;
}

/* Empties a folder in `top': files are removed, folders moved beside it. */
static size_t
level(int top, const char *name, uint64_t *serial)
{
	DIR *stream = open_folder(top, name);
	const struct dirent *d;
	size_t gone = 0;

	while (stream != NULL && (d = readdir(stream)) != NULL)
		if (!is_dots(d->d_name))
			gone += unlinkat(dirfd(stream), d->d_name, 0) == 0 ||
			    move_up(top, dirfd(stream), d->d_name, serial);
	if (stream != NULL)
		closedir(stream);
	return gone;
}

/* One turn over the top: how much has gone, or come up. */
static size_t
turn(int top, uint64_t *serial)
{
	DIR *stream = open_folder(top, ".");
	const struct dirent *d;
	size_t gone = 0;

	while (stream != NULL && (d = readdir(stream)) != NULL) {
		if (is_dots(d->d_name))
			continue;
		if (unlinkat(top, d->d_name, 0) == 0) {
			gone++;
			continue;
		}
		gone += level(top, d->d_name, serial);
		gone += unlinkat(top, d->d_name, AT_REMOVEDIR) == 0;
	}
	if (stream != NULL)
		closedir(stream);
	return gone;
}

bool
folder_remove(int fd, const char *path)
{
	uint64_t serial = 0;

	fchmod(fd, 0700);
	while (rmdir(path) < 0)
		if (errno != ENOTEMPTY || turn(fd, &serial) == 0)
			return errno == ENOENT;
	return true;
}

static void
remove_if_old(int directory, const char *parent, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", parent, name);

	if (fd < 0)
		return;
	if (n > 0 && (size_t)n < sizeof path && fstat(fd, &st) == 0 &&
	    time(NULL) - st.st_mtime > OLD_S && flock(fd, LOCK_EX | LOCK_NB) == 0)
		folder_remove(fd, path);
	close(fd);
}

void
folder_remove_old(const char *directory)
{
	DIR *stream = opendir(directory);
	const struct dirent *d;

	while (stream != NULL && (d = readdir(stream)) != NULL)
		if (!is_dots(d->d_name))
			remove_if_old(dirfd(stream), directory, d->d_name);
	if (stream != NULL)
		closedir(stream);
}
