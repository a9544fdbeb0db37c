/*
 * reply.c - see reply.h.
 */
#include "lib/smtp/reply.h"
#include "lib/base/buf.h"
#include "lib/base/text.h"

/* Bytes of "5.1.1 " at the front (RFC 2034), or 0 where there is none. */
static size_t
enhanced_length(struct span s)
{
	size_t i = 0, dots = 0, digits = 0;

	for (; i < s.len && (is_digit(s.ptr[i]) || s.ptr[i] == '.'); i++) {
		if (s.ptr[i] != '.') {
			digits++;
			continue;
		}
		if (digits == 0)
			return 0;
		dots++;
		digits = 0;
	}
	if (dots != 2 || digits == 0 || i > 9 || s.ptr[1] != '.')
		return 0;
	return i == s.len ? i : is_blank(s.ptr[i]) ? i + 1 : 0;
}

/*
 * The buffer stands on the stack and is large enough for every byte as \xHH, so
 * nothing is allocated for a reply.
 */
static void
reply_append(struct smtp_reply *r, struct span text)
{
	uint8_t room[4 * REPLY_TEXT_BYTES + 64];
	struct buf escaped = { .ptr = room, .cap = sizeof room };
	size_t len = strlen(r->text), n;

	text = span_trim(text);
	if (len > 0 && len < REPLY_TEXT_BYTES && text.len > 0)
		r->text[len++] = ' ';
	text_escape(&escaped, text, REPLY_TEXT_BYTES, false);
	n = buf_len(&escaped);
	if (n > REPLY_TEXT_BYTES - len)
		n = REPLY_TEXT_BYTES - len;
	memcpy(r->text + len, room, n);
	r->text[len + n] = '\0';
}

/* "250", "250 text" or "250-text"; 0 for anything else. */
static int
line_code(struct span line)
{
	if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5' ||
	    !is_digit(line.ptr[1]) || !is_digit(line.ptr[2]))
		return 0;
	if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
		return 0;
	return (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + line.ptr[2] - '0';
}

static enum status
bad_line(struct span line, struct error *err)
{
	uint8_t room[4 * 60 + 64];
	struct buf shown = { .ptr = room, .cap = sizeof room };

	text_escape(&shown, line, 40, false);
	return fail(err, ST_PERM, "reply", "not a reply: %s", buf_text(&shown));
}

static enum status
reply_line(struct reply_reader *r, struct span line, struct error *err)
{
	int code = line_code(line);

	/* RFC 5321 section 4.2.1: the code is the same in every line. */
	if (code == 0 || (r->lines > 0 && code != r->reply.code))
		return bad_line(line, err);
	struct span text = span_slice(line, line.len > 3 ? 4 : 3, line.len);

	if (r->lines++ == 0) {
		r->reply.code = code;
		r->reply.text[0] = '\0';
	}
	if (r->on_line != NULL)
		r->on_line(r->on_line_arg, text);
	if (r->lines > 1)
		text = span_slice(text, enhanced_length(text), text.len);
	reply_append(&r->reply, text);
	if (line.len > 3 && line.ptr[3] == '-')
		return r->lines < REPLY_LINES ? ST_MORE :
		    fail(err, ST_PERM, "reply", "more than %d lines", REPLY_LINES);
	r->lines = 0;
	return ST_OK;
}

/* Where the line ends in `in`; as much of it as there is room for has been kept. */
static enum status
line_take(struct reply_reader *r, struct span in, size_t *used, struct error *err)
{
	size_t end = span_find(in, '\n');
	size_t n = end < in.len ? end + 1 : in.len;
	size_t room = sizeof r->line - r->line_len;
	size_t kept = n < room ? n : room;

	*used += n;
	memcpy(r->line + r->line_len, in.ptr, kept);
	r->line_len += kept;
	r->skipped += n - kept;
	if (r->skipped > REPLY_SKIP_BYTES)
		return fail(err, ST_PERM, "reply", "a line of more than %d bytes",
		    REPLY_SKIP_BYTES);
	return end < in.len ? ST_OK : ST_MORE;
}

/* Without its newline, which a cut line has lost already. */
static struct span
line_end(struct reply_reader *r)
{
	size_t len = r->skipped > 0 ? r->line_len : r->line_len - 1;

	if (r->skipped == 0 && len > 0 && r->line[len - 1] == '\r')
		len--;
	r->line_len = r->skipped = 0;
	return (struct span){ (const uint8_t *)r->line, len };
}

enum status
reply_read(struct reply_reader *r, struct span in, size_t *used, struct error *err)
{
	enum status st = ST_MORE;

	*used = 0;
	while (st == ST_MORE && *used < in.len) {
		st = line_take(r, span_slice(in, *used, in.len), used, err);
		if (st != ST_OK)
			return st;
		st = reply_line(r, line_end(r), err);
	}
	return st;
}
