/*
 * draft.c - see draft.h.
 */
#include "src/store/draft.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE     0750
#define FILE_MODE       0640
#define CHUNK_BYTES     65536
#define SEND_BYTES      (1u << 30)      /* a turn of sendfile */

static enum status
failed(struct error *err, const char *doing, const char *name)
{
	int why = errno;

	if (why == ENOSPC || why == EDQUOT)
		return fail(err, ST_TEMP, "store", "the disk is full (%s %s: %s)", doing,
		    name, strerror(why));
	return fail(err, ST_TEMP, "store", "%s %s: %s", doing, name, strerror(why));
}

static int
close_with(int fd)
{
	int why = errno;

	if (fd >= 0)
		close(fd);
	errno = why;
	return -1;
}

/* Its parent is synced also if another made it, who perhaps died before he could. */
int
folder_open(int parent, const char *name, struct error *err)
{
	if (mkdirat(parent, name, FOLDER_MODE) < 0 && errno != EEXIST) {
		failed(err, "making directory", name);
		return -1;
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fsync(parent) < 0)
		fd = close_with(fd);
	if (fd < 0)
		failed(err, "opening directory", name);
	return fd;
}

enum status
draft_begin(struct draft *d, int folder, const char *name, struct error *err)
{
	*d = (struct draft){ .fd = -1, .folder = folder };
	int n = snprintf(d->name, sizeof d->name, "%s", name);

	if (n < 0 || (size_t)n >= sizeof d->name)
		return fail(
		    err, ST_TEMP, "store", "the file name is too long: %.100s", name);
	/* An earlier try may have died and left its own. */
	unlinkat(folder, name, 0);
	d->fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    FILE_MODE);
	return d->fd >= 0 ? ST_OK : failed(err, "making", name);
}

enum status
draft_write(struct draft *d, struct span bytes, struct error *err)
{
	while (bytes.len > 0) {
		ssize_t n = write(d->fd, bytes.ptr, bytes.len);

		if (n < 0 && errno != EINTR)
			return failed(err, "writing", d->name);
		if (n > 0)
			bytes = span_slice(bytes, (size_t)n, bytes.len);
	}
	return ST_OK;
}

enum status
draft_copy(struct draft *d, int from_fd, uint64_t from, uint64_t len, struct error *err)
{
	off_t at = (off_t)from;

	while (len > 0) {
		ssize_t n =
		    sendfile(d->fd, from_fd, &at, len < SEND_BYTES ? len : SEND_BYTES);

		if (n < 0 && errno != EINTR)
			return failed(err, "writing", d->name);
		if (n == 0)
			return fail(err, ST_TEMP, "store", "the message ended early");
		if (n > 0)
			len -= (uint64_t)n;
	}
	return ST_OK;
}

/* CR LF becomes LF; a CR at the end of a piece waits for the next one. */
struct lines { struct draft *draft; bool cr; };

static enum status
lines_write(struct lines *l, struct span in, struct error *err)
{
	uint8_t out[CHUNK_BYTES + 1];
	size_t n = 0;

	assert(in.len <= CHUNK_BYTES);
	for (size_t i = 0; i < in.len; i++) {
		if (l->cr && in.ptr[i] != '\n')
			out[n++] = '\r';
		l->cr = in.ptr[i] == '\r';
		if (!l->cr)
			out[n++] = in.ptr[i];
	}
	return draft_write(l->draft, (struct span){ out, n }, err);
}

static enum status
lines_insert(struct lines *l, struct span in, struct error *err)
{
	enum status st = ST_OK;

	for (size_t at = 0, n; at < in.len && st == ST_OK; at += n) {
		n = in.len - at < CHUNK_BYTES ? in.len - at : CHUNK_BYTES;
		st = lines_write(l, span_slice(in, at, at + n), err);
	}
	return st;
}

static enum status
lines_copy(struct lines *l, int fd, uint64_t from, uint64_t len, struct error *err)
{
	uint8_t in[CHUNK_BYTES];
	enum status st = ST_OK;

	while (len > 0 && st == ST_OK) {
		ssize_t n = pread(fd, in, len < sizeof in ? len : sizeof in, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(err, "reading the message for", l->draft->name);
		if (n == 0)
			return fail(err, ST_TEMP, "store", "the message ended early");
		st = lines_write(l, (struct span){ in, (size_t)n }, err);
		from += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return st;
}

enum status
draft_copy_text(struct draft *d, int from_fd, uint64_t size,
    const struct edit_list *edits, struct error *err)
{
	struct lines l = { d, false };
	struct edit_walk walk = { 0 };
	struct edit_piece piece;
	enum status st = ST_OK;

	while (st == ST_OK && edit_next(edits, size, &walk, &piece))
		st = piece.bytes.len > 0 ? lines_insert(&l, piece.bytes, err)
		    : lines_copy(&l, from_fd, piece.from, piece.len, err);
	return st == ST_OK && l.cr ? draft_write(d, SPAN_LIT("\r"), err) : st;
}

enum status
draft_finish(struct draft *d, int folder, const char *name, struct error *err)
{
	if (fsync(d->fd) < 0)
		return failed(err, "syncing", d->name);
	if (renameat(d->folder, d->name, folder, name) < 0)
		return failed(err, "moving into place", name);
	close(d->fd);
	d->fd = -1;
	return fsync(folder) == 0 ? ST_OK : failed(err, "syncing the directory of", name);
}

void
draft_drop(struct draft *d)
{
	if (d->fd < 0)
		return;
	close(d->fd);
	unlinkat(d->folder, d->name, 0);
	d->fd = -1;
}

enum status
draft_source(int fd, uint64_t size, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(err, ST_TEMP, "store", "the message is not a file");
	if (st.st_size < 0 || (uint64_t)st.st_size < size)
		return fail(
		    err, ST_TEMP, "store", "the message is shorter than was told");
	return ST_OK;
}
