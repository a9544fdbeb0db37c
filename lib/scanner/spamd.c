/*
 * spamd.c - SpamAssassin's SPAMC/1.5: one command a connection, REPORT or PING.
 *
 * REPORT says all there is: score and threshold in a field, tests with their scores in a
 * table for people, one digit behind the point, none from 10 on:
 *
 *     SPAMD/1.1 0 EX_OK
 *     Content-length: 1234
 *     Spam: True ; 11.2 / 5.0
 *
 *     Content analysis details:   (11.2 points, 5.0 required)
 *
 *      pts rule name              description
 *     ---- ---------------------- --------------------------------------------------
 *      1.2 MISSING_HEADERS        Missing To: header
 *       10 BAD_THING              BODY: A long description goes on in the next
 *                                 line
 *                                 [a note of the test]
 *
 * The message's text comes before the table ("Content preview"), so the last line that
 * begins one counts: of dashes, or "Content analysis details:" where a template of the
 * administrator's own has none.  With neither there are no symbols.
 */
#include "lib/scanner/dialect.h"
#include "lib/base/text.h"

#define SPAMD_LINE_BYTES 4096u
#define SPAMD_FIELDS     64u
#define SPAMD_USER_BYTES 255u
#define NOTE_INDENT      20u            /* what is further right begins nothing */

enum spamd_state { SPAMD_STATUS = 0, SPAMD_HEADER, SPAMD_BODY };

struct spamd {
	enum spamd_state state;
	unsigned fields;
	bool     has_length, has_spam;
	uint64_t length;
};

/* Sending. */

/* What spamd takes: no control characters. */
static bool
is_plain(struct span user)
{
	for (size_t i = 0; i < user.len; i++)
		if (user.ptr[i] < ' ' || user.ptr[i] == 0x7f)
			return false;
	return user.len > 0 && user.len <= SPAMD_USER_BYTES;
}

static void
spamd_begin(struct scan_client *c)
{
	const struct scan_request *r = &c->request;

	c->closes = true;
	scan_put_text(c, "REPORT SPAMC/1.5\r\nContent-length: ");
	scan_put_number(c, r->prefix.len + r->size + 2);
	if (is_plain(r->user)) {
		scan_put_text(c, "\r\nUser: ");
		scan_put(c, r->user);
	}
	scan_put_text(c, "\r\n\r\n");
	scan_put(c, r->prefix);
	scan_put_body(c, 0, r->size);
	scan_put_text(c, "\r\n");
}

static void
spamd_begin_probe(struct scan_client *c)
{
	c->closes = true;
	scan_put_text(c, "PING SPAMC/1.5\r\n\r\n");
}

/* The table. */

/* The front of s up to the first of these; s goes on behind it. */
static struct span
cut_at(struct span *s, uint8_t at)
{
	size_t n = span_find(*s, at);
	struct span front = span_slice(*s, 0, n);

	*s = span_slice(*s, n < s->len ? n + 1 : n, s->len);
	return front;
}

static struct span
without_cr(struct span line)
{
	return line.len > 0 && line.ptr[line.len - 1] == '\r' ?
	    span_slice(line, 0, line.len - 1) : line;
}

static size_t
indent(struct span line)
{
	size_t n = 0;

	while (n < line.len && is_blank(line.ptr[n]))
		n++;
	return n;
}

/* " ---- ----------------------  ---" */
static bool
is_ruler(struct span line)
{
	size_t dashes = 0;

	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] == '-')
			dashes++;
		else if (!is_blank(line.ptr[i]))
			return false;
	line = span_trim(line);
	return dashes >= 12 && span_find(line, ' ') < line.len;
}

static bool
begins_table(struct span line)
{
	return is_ruler(line) ||
	    span_starts_nocase(line, SPAN_LIT("Content analysis details:"));
}

/* What is behind the last line that begins one. */
static struct span
find_table(struct span text)
{
	struct span table = SPAN_NONE;

	while (text.len > 0) {
		struct span line = without_cr(cut_at(&text, '\n'));

		if (begins_table(line))
			table = text;
	}
	return table;
}

static bool
is_test_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '_')
			return false;
	return s.len > 0;
}

/* One row of the table that is being read; its description comes in several lines. */
struct row { struct span name; int64_t score; struct buf text; };

static void
end_row(struct scan_client *c, struct row *row)
{
	if (row->name.len > 0)
		scan_add_symbol(c, row->name, true, row->score, buf_span(&row->text));
	row->name = SPAN_NONE;
	buf_take(&row->text, buf_len(&row->text));
}

static bool
begin_row(struct row *row, struct span line)
{
	struct span rest = span_trim(line);
	struct span score = cut_at(&rest, ' ');

	rest = span_trim(rest);
	struct span name = cut_at(&rest, ' ');

	if (indent(line) >= NOTE_INDENT || !is_test_name(name) ||
	    !scan_score(score, &row->score))
		return false;
	row->name = name;
	buf_add(&row->text, span_trim(rest));
	return true;
}

static bool
goes_on(const struct row *row, struct span line)
{
	size_t n = indent(line);

	return row->name.len > 0 && n < line.len &&
	    (n >= NOTE_INDENT || line.ptr[n] == '[');
}

static void
read_table(struct scan_client *c, struct span table)
{
	struct row row = { 0 };

	while (table.len > 0) {
		struct span line = without_cr(cut_at(&table, '\n'));

		if (goes_on(&row, line)) {
			buf_byte(&row.text, ' ');
			buf_add(&row.text, span_trim(line));
			continue;
		}
		end_row(c, &row);
		if (!begin_row(&row, line))
			break;
	}
	end_row(c, &row);
	buf_free(&row.text);
}

/* The answer. */

/* SPAMD/1.1 0 EX_OK */
static enum scan_event
on_status(struct scan_client *c, struct span line)
{
	struct spamd *d = c->own;
	struct span rest = line, version = cut_at(&rest, ' ');
	struct span number = cut_at(&rest, ' '), ok = SPAN_LIT("EX_OK");
	uint64_t code;

	scan_set_answer(c, line);
	if (!span_starts_nocase(version, SPAN_LIT("SPAMD/")) ||
	    !text_number(number, 999, &code))
		return scan_break_with(c, "unexpected answer", line);
	if (code != 0)
		return scan_refuse_with(c, "spamd could not scan", span_slice(line,
		    version.len + 1, line.len));
	if (c->probe)
		return span_equal(rest, SPAN_LIT("PONG")) ? scan_done(c, SCAN_CLEAN) :
		    scan_break_with(c, "unexpected answer to PING", line);
	if (!span_equal(rest, ok))
		return scan_break_with(c, "unexpected answer", line);
	d->state = SPAMD_HEADER;
	return SCAN_WAIT;
}

/* "True ; 6.3 / 5.0" */
static bool
take_spam(struct scan_client *c, struct span value)
{
	struct scan_report *r = c->report;
	struct span word = span_trim(cut_at(&value, ';'));
	struct span score = span_trim(cut_at(&value, '/'));

	r->has_score = scan_score(score, &r->score) &&
	    scan_score(span_trim(value), &r->required);
	return r->has_score && (span_equal_nocase(word, SPAN_LIT("True")) ||
	    span_equal_nocase(word, SPAN_LIT("False")) ||
	    span_equal_nocase(word, SPAN_LIT("Yes")) ||
	    span_equal_nocase(word, SPAN_LIT("No")));
}

static enum scan_event
on_field(struct scan_client *c, struct span line)
{
	struct spamd *d = c->own;
	struct span value = line, name = cut_at(&value, ':');
	bool good = name.len < line.len && ++d->fields <= SPAMD_FIELDS;

	value = span_trim(value);
	if (span_equal_nocase(name, SPAN_LIT("Content-length"))) {
		good = good && !d->has_length &&
		    text_number(value, SCAN_REPLY_BYTES, &d->length);
		d->has_length = true;
	} else if (span_equal_nocase(name, SPAN_LIT("Spam"))) {
		good = good && !d->has_spam && take_spam(c, value);
		d->has_spam = true;
		scan_set_answer(c, line);
	}
	return good ? SCAN_WAIT :
	    scan_break_with(c, "unexpected field in the answer", line);
}

static enum scan_event
on_header_end(struct scan_client *c)
{
	struct spamd *d = c->own;

	if (!d->has_spam)
		return scan_break(c, "the answer has no score");
	if (!d->has_length)
		return scan_break(c, "the answer has no Content-length");
	d->state = SPAMD_BODY;
	return d->length == 0 ? scan_done(c, SCAN_SCORED) : SCAN_WAIT;
}

static enum scan_event
on_line(struct scan_client *c, struct span line)
{
	struct spamd *d = c->own;

	if (d->state == SPAMD_STATUS)
		return on_status(c, line);
	return line.len > 0 ? on_field(c, line) : on_header_end(c);
}

static enum scan_event
feed_line(struct scan_client *c, struct span in, size_t *used)
{
	size_t n = span_find(in, '\n');
	enum scan_event e;

	if (buf_len(&c->in) + n > SPAMD_LINE_BYTES)
		return scan_break(c, "the answer is too long");
	buf_add(&c->in, span_slice(in, 0, n));
	*used += n < in.len ? n + 1 : n;
	if (n == in.len)
		return SCAN_WAIT;
	e = on_line(c, without_cr(buf_span(&c->in)));
	buf_take(&c->in, buf_len(&c->in));
	return e;
}

static enum scan_event
feed_body(struct scan_client *c, struct span in, size_t *used)
{
	struct spamd *d = c->own;
	size_t left = (size_t)d->length - buf_len(&c->in);
	size_t n = in.len < left ? in.len : left;

	buf_add(&c->in, span_slice(in, 0, n));
	*used += n;
	if (n < left)
		return SCAN_WAIT;
	scan_set_text(c, buf_span(&c->in));
	read_table(c, find_table(buf_span(&c->in)));
	return scan_done(c, SCAN_SCORED);
}

static enum scan_event
spamd_feed(struct scan_client *c, struct span in, size_t *used)
{
	const struct spamd *d = c->own;
	enum scan_event e = SCAN_WAIT;

	while (e == SCAN_WAIT && *used < in.len) {
		struct span rest = span_slice(in, *used, in.len);

		e = d->state == SPAMD_BODY ? feed_body(c, rest, used) :
		    feed_line(c, rest, used);
	}
	return e;
}

static const char *
spamd_doing(const struct scan_client *c)
{
	const struct spamd *d = c->own;

	if (c->probe)
		return "asking spamd whether it is there";
	if (!scan_all_sent(c))
		return "sending the message to spamd";
	return d->state == SPAMD_BODY ? "reading spamd's report" :
	    "waiting for spamd's answer";
}

const struct scan_dialect spamd_dialect = {
	.name = "spamd", .own_bytes = sizeof(struct spamd),
	.begin = spamd_begin, .begin_probe = spamd_begin_probe,
	.feed = spamd_feed, .doing = spamd_doing,
};
