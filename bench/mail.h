/*
 * mail.h - messages in wire form, and variants of them that cost next to nothing.
 *
 * A message is held once: CR LF, dots doubled, ending in CR LF . CR LF.  To be varied, it
 * gets marks when it is loaded: in Message-ID and Subject, in a line of its first text,
 * and in the tail of each attachment.  Each is MARK_BYTES long and is replaced, when the
 * message is sent, by something made of the mail's number.
 */
#ifndef BENCH_MAIL_H
#define BENCH_MAIL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define MARK_BYTES 8

enum mark_kind { MARK_TEXT = 0, MARK_BASE64, MARK_KINDS };

struct mark { size_t at; enum mark_kind kind; };

struct mail {
	char        *data;
	size_t       len;
	struct mark *marks;
	size_t       mark_count;
};

struct mails { struct mail *of; size_t count; };

/* What stands in the marks of one mail sent. */
struct token { char of[MARK_KINDS][MARK_BYTES]; };

/* Adds a file, or all files of a folder in the order of their names; false with errno. */
bool mails_load(struct mails *, const char *path, bool vary);
void mails_free(struct mails *);

/* No two numbers have the same token. */
void token_make(struct token *, uint32_t number);

/* The mail from an offset on, as at most max pieces; how many. */
size_t mail_pieces(const struct mail *, const struct token *, size_t from, struct iovec *,
    size_t max);
#endif
