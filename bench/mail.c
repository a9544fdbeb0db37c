/*
 * mail.c - see mail.h.
 */
#include "mail.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- tokens ------------------------------------------------------------------------ */

void
token_make(struct token *t, uint32_t number)
{
	static const char digits[] =
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t mixed = number * UINT32_C(2654435761);  /* odd: one to one */
	unsigned char six[6];

	for (int i = 0; i < MARK_BYTES; i++)
		t->of[MARK_TEXT][i] = digits[mixed >> (4 * i) & 15];
	for (int i = 0; i < 6; i++)
		six[i] = (unsigned char)digits[(uint64_t)mixed >> (6 * i) & 63];
	for (int i = 0; i < 2; i++) {
		unsigned three = (unsigned)six[3 * i] << 16 | (unsigned)six[3 * i + 1] << 8 |
		    six[3 * i + 2];

		for (int j = 0; j < 4; j++)
			t->of[MARK_BASE64][4 * i + j] = base64[three >> (18 - 6 * j) & 63];
	}
}

static void
add_piece(struct iovec *v, size_t *n, const char *p, size_t len)
{
	if (len > 0)
		v[(*n)++] = (struct iovec){ (void *)(uintptr_t)p, len };
}

size_t
mail_pieces(const struct mail *m, const struct token *t, size_t from, struct iovec *v,
    size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->mark_count && n + 3 <= max; i++) {
		size_t at = m->marks[i].at, end = at + MARK_BYTES;

		if (end <= from)
			continue;
		if (from < at) {
			add_piece(v, &n, m->data + from, at - from);
			from = at;
		}
		add_piece(v, &n, t->of[m->marks[i].kind] + (from - at), end - from);
		from = end;
		if (n + 3 > max)
			return n;
	}
	add_piece(v, &n, m->data + from, m->len - from);
	return n;
}

/* -- loading ----------------------------------------------------------------------- */

/* Where in a message we are, while it is turned into wire form line by line. */
struct writer {
	struct mail m;
	size_t      room;
	bool        vary;
	bool        in_header, is_first_header, has_parts;
	bool        is_text, is_base64, is_message;     /* the part at hand */
	bool        text_is_marked;
	size_t      tail_end;                   /* of the last full base64 line, or 0 */
};

static void *
grow(void *old, size_t bytes)
{
	void *p = realloc(old, bytes);

	if (p == NULL)
		abort();
	return p;
}

static void
put(struct writer *w, const char *p, size_t n)
{
	if (w->m.len + n > w->room) {
		w->room = (w->m.len + n) * 2 + 4096;
		w->m.data = grow(w->m.data, w->room);
	}
	memcpy(w->m.data + w->m.len, p, n);
	w->m.len += n;
}

static void
put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void
mark(struct writer *w, size_t at, enum mark_kind kind)
{
	struct mail *m = &w->m;

	m->marks = grow(m->marks, (m->mark_count + 1) * sizeof *m->marks);
	m->marks[m->mark_count++] = (struct mark){ at, kind };
}

static void
put_mark(struct writer *w, enum mark_kind kind)
{
	mark(w, w->m.len, kind);
	put_text(w, "AAAAAAAA");
}

static bool
starts(const char *p, size_t n, const char *with)
{
	size_t k = strlen(with);

	return n >= k && strncasecmp(p, with, k) == 0;
}

static void
header_begin(struct writer *w, bool is_first)
{
	w->in_header = true;
	w->is_first_header = is_first;
	w->is_text = true;
	w->is_base64 = w->is_message = false;
}

/* One header line, of which the end is not written yet. */
static void
header_line(struct writer *w, const char *p, size_t n)
{
	const char *id = w->is_first_header && starts(p, n, "Message-ID:") ?
	    memchr(p, '<', n) : NULL;

	if (starts(p, n, "Content-Type:")) {
		w->is_text = memmem(p, n, "text/", 5) != NULL;
		w->is_message = memmem(p, n, "message/rfc822", 14) != NULL;
		w->has_parts |= memmem(p, n, "multipart/", 10) != NULL;
	} else if (starts(p, n, "Content-Transfer-Encoding:")) {
		w->is_base64 = memmem(p, n, "base64", 6) != NULL;
	}
	if (id != NULL) {
		put(w, p, (size_t)(id + 1 - p));
		put_mark(w, MARK_TEXT);
		put(w, id + 1, n - (size_t)(id + 1 - p));
		return;
	}
	put(w, p, n);
	if (w->is_first_header && starts(p, n, "Subject:")) {
		put_text(w, " ");
		put_mark(w, MARK_TEXT);
	}
}

/* The empty line is written; what follows is a body, or the next header. */
static void
header_end(struct writer *w)
{
	w->in_header = false;
	w->tail_end = 0;
	if (w->is_message) {
		header_begin(w, false);
	} else if (w->is_text && !w->text_is_marked) {
		w->text_is_marked = true;
		if (!w->is_base64)
			put_text(w, "Ref: ");
		put_mark(w, w->is_base64 ? MARK_BASE64 : MARK_TEXT);
		put_text(w, "\r\n");
	}
}

static void
body_end(struct writer *w)
{
	if (w->tail_end > 0)
		mark(w, w->tail_end - MARK_BYTES, MARK_BASE64);
	w->tail_end = 0;
}

static void
body_line(struct writer *w, const char *p, size_t n)
{
	bool is_boundary = w->has_parts && n > 2 && starts(p, n, "--");

	if (is_boundary)
		body_end(w);
	put(w, p, n);
	if (is_boundary && !(p[n - 1] == '-' && p[n - 2] == '-'))
		header_begin(w, false);
	else if (w->is_base64 && !w->is_text && n >= MARK_BYTES && n % 4 == 0 && p[n - 1] != '=')
		w->tail_end = w->m.len;
}

static void
line(struct writer *w, const char *p, size_t n)
{
	if (n > 0 && *p == '.')
		put_text(w, ".");
	if (!w->vary)
		put(w, p, n);
	else if (w->in_header)
		header_line(w, p, n);
	else
		body_line(w, p, n);
	put_text(w, "\r\n");
	if (w->vary && w->in_header && n == 0)
		header_end(w);
}

static struct mail
to_wire(const char *p, size_t n, bool vary)
{
	struct writer w = { .vary = vary };
	const char *end = p + n;

	header_begin(&w, true);
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline != NULL ? newline : end;
		bool has_cr = stop > p && stop[-1] == '\r';

		line(&w, p, (size_t)(stop - p) - has_cr);
		p = newline != NULL ? newline + 1 : end;
	}
	body_end(&w);
	put_text(&w, ".\r\n");
	return w.m;
}

static bool
load_file(struct mails *all, const char *path, bool vary)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat s;
	char *octets;
	ssize_t n;

	if (fd < 0 || fstat(fd, &s) != 0)
		return false;
	octets = grow(NULL, (size_t)s.st_size + 1);
	n = read(fd, octets, (size_t)s.st_size);
	close(fd);
	if (n == s.st_size) {
		all->of = grow(all->of, (all->count + 1) * sizeof *all->of);
		all->of[all->count++] = to_wire(octets, (size_t)n, vary);
	}
	free(octets);
	return n == s.st_size;
}

static int
is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

bool
mails_load(struct mails *all, const char *path, bool vary)
{
	struct dirent **names;
	int n = scandir(path, &names, is_visible, alphasort);
	bool ok = true;
	char name[4096];

	if (n < 0)
		return errno == ENOTDIR && load_file(all, path, vary);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
		ok = ok && load_file(all, name, vary);
		free(names[i]);
	}
	free(names);
	return ok;
}

void
mails_free(struct mails *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->of[i].data);
		free(all->of[i].marks);
	}
	free(all->of);
	*all = (struct mails){ 0 };
}
