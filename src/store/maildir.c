/*
 * maildir.c - delivery into a Maildir: written in tmp, moved to new, synced.
 *
 * One file a variant of the message, with Return-Path, and X-Original-To and Delivered-To
 * for each recipient, on top; lines end with LF, as local mail does.  The file's name is
 * made of id and variant: delivering the same again replaces it, as long as no reader
 * has moved it on.
 */
#include "src/store/store.h"
#include "src/store/draft.h"
#include "lib/smtp/address.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750

/* Addresses are written as they are, but never as another line. */
static void
add_clean(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_byte(b, s.ptr[i] < ' ' || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
}

static void
add_line(struct buf *b, const char *before, struct span value, const char *after)
{
	buf_add(b, span_text(before));
	add_clean(b, value);
	buf_add(b, span_text(after));
}

/* What the sender wrote, if ORCPT tells; else the address itself. */
static struct span
original_address(const struct recipient *r, struct arena *a)
{
	struct span kind = SPAN_LIT("rfc822;"), out;

	if (span_starts_nocase(r->orcpt, kind) &&
	    xtext_decode(span_slice(r->orcpt, kind.len, r->orcpt.len), a, &out))
		return out;
	return r->address;
}

static void
top_lines(struct buf *b, const struct envelope *e, struct arena *a)
{
	add_line(b, "Return-Path: <", e->sender, ">\n");
	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct recipient *r = &e->recipients[i];

		add_line(b, "X-Original-To: ", original_address(r, a), "\n");
		add_line(b, "Delivered-To: ", r->address, "\n");
	}
}

/* TIME.unique.host; slash and colon mean something else in it. */
static const char *
file_name(struct store *s, const struct packet_maildir *m)
{
	char id[RECORD_ID_BYTES + 1] = "";
	struct buf b = { 0 };
	char *name;

	for (size_t i = 0; i < RECORD_ID_BYTES; i++)
		id[i] = (char)to_lower(m->id.ptr[i]);
	buf_printf(&b, "%llu.%sV%u.", (unsigned long long)record_id_time(m->id) / 1000,
	    id, (unsigned)m->variant);
	for (const char *p = s->hostname; *p != '\0' && p - s->hostname < 100; p++)
		buf_byte(&b, *p == '/' || *p == ':' || *p < '!' ? '_' : (uint8_t)*p);
	name = arena_text(&s->arena, buf_span(&b));
	buf_free(&b);
	return name;
}

struct delivery { int message_fd; const struct packet_maildir *m; struct span top; };

static enum status
deliver(const struct delivery *d, int temp, int new, const char *name, struct error *err)
{
	struct draft draft = { .fd = -1 };
	enum status st = draft_begin(&draft, temp, name, err);

	if (st == ST_OK)
		st = draft_write(&draft, d->top, err);
	if (st == ST_OK)
		st = draft_copy_text(&draft, d->message_fd, d->m->size, &d->m->edits,
		    err);
	if (st == ST_OK)
		st = draft_finish(&draft, new, name, err);
	draft_drop(&draft);
	return st;
}

static enum status
deliver_in(const struct delivery *d, int box, const char *name, struct error *err)
{
	static const char *const names[] = { "tmp", "new", "cur" };
	int fds[COUNT_OF(names)] = { -1, -1, -1 };
	enum status st = ST_OK;

	for (size_t i = 0; i < COUNT_OF(names) && st == ST_OK; i++) {
		fds[i] = folder_open(box, names[i], err);
		st = fds[i] >= 0 ? ST_OK : ST_TEMP;
	}
	if (st == ST_OK)
		st = deliver(d, fds[0], fds[1], name, err);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return st;
}

/* A path that no listener names is not written to, whoever asks. */
static const char *
known_path(const struct settings *c, struct span path)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct next_hop *hop = &c->listeners[i].next_hop;

		if (hop->kind == HOP_MAILDIR && span_equal(span_text(hop->path), path))
			return hop->path;
	}
	return NULL;
}

enum status
maildir_add(struct store *s, const struct packet_maildir *m, int message_fd,
    struct span *path, struct error *err)
{
	const char *root = known_path(s->settings, m->path), *name;
	struct buf top = { 0 };
	enum status st;

	if (root == NULL)
		return fail(err, ST_TEMP, "store", "no listener has this Maildir");
	if (draft_source(message_fd, m->size, err) != ST_OK ||
	    maildir_prepare(root, err) != ST_OK)
		return ST_TEMP;
	int box = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (box < 0)
		return fail(
		    err, ST_TEMP, "store", "opening %s: %s", root, strerror(errno));
	name = file_name(s, m);
	top_lines(&top, &m->envelope, &s->arena);
	struct delivery d = { message_fd, m, buf_span(&top) };

	st = deliver_in(&d, box, name, err);
	close(box);
	buf_free(&top);
	*path = span_text(arena_printf(&s->arena, "%s/new/%s", root, name));
	return st;
}

static void
sync_parent(char *path)
{
	char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL)
		return;
	*slash = '\0';
	fd = open(*path != '\0' ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

/* What cannot be made above is told by the last one. */
enum status
maildir_prepare(const char *path, struct error *err)
{
	char copy[4096];
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return ST_OK;
	if (strlen(path) >= sizeof copy)
		return fail(err, ST_TEMP, "store", "the path is too long");
	memcpy(copy, path, strlen(path) + 1);
	for (char *p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, FOLDER_MODE) == 0)
			sync_parent(copy);
		*p = '/';
	}
	if (mkdir(copy, FOLDER_MODE) < 0 && errno != EEXIST)
		return fail(
		    err, ST_TEMP, "store", "making %s: %s", path, strerror(errno));
	sync_parent(copy);
	return ST_OK;
}
