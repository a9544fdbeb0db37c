/*
 * dsn.c - the three parts of a delivery status notification.  See dsn.h.
 *
 * The parts are made first: only then is it known whether they hold bytes outside ASCII,
 * and which boundary is not in them.
 */
#include "lib/notice/dsn.h"
#include "lib/base/address.h"
#include "lib/base/arena.h"
#include "lib/base/text.h"
#include "lib/mime/header.h"
#include "lib/smtp/address.h"
#include <stdio.h>

#define LINE_BYTES        998u          /* of a line without CR LF (RFC 5322 2.1.1) */
#define TEXT_COLUMN       76u
#define VALUE_BYTES       900u          /* of a value: its name fits beside it      */
#define HEADER_PART_BYTES (64u * 1024)
#define ID_BYTES          64

struct writer {
	const struct dsn *dsn;
	struct arena arena;
	struct buf   text, status, header;      /* the parts, without their fields */
	bool         global;                    /* RFC 6533: an address is not ASCII */
	char         id[ID_BYTES + 1];
	char         boundary[ID_BYTES + 32];
};

bool
dsn_wanted(const struct recipient *r)
{
	return r->notify == 0 || (r->notify & NOTIFY_FAILURE) != 0;
}

/* Bytes of "550 " at the front, or 0. */
static size_t
code_length(struct span reply)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= reply.len || !is_digit(reply.ptr[i]))
			return 0;
	if (reply.len == 3)
		return 3;
	return reply.ptr[3] == ' ' || reply.ptr[3] == '-' ? 4 : 0;
}

/* Of one to three digits without a leading zero, or 0. */
static size_t
number_length(struct span s)
{
	size_t i = 0;

	while (i < s.len && is_digit(s.ptr[i]))
		i++;
	return i > 3 || (i > 1 && s.ptr[0] == '0') ? 0 : i;
}

/* Bytes of "5.1.1" at the front (RFC 3463 section 2), or 0. */
static size_t
status_length(struct span s)
{
	size_t n = 0, digits;

	for (unsigned part = 0; part < 3; part++) {
		digits = number_length(span_slice(s, n, s.len));
		if (digits == 0 || (part == 0 && digits > 1))
			return 0;
		n += digits;
		if (part < 2 && (n == s.len || s.ptr[n++] != '.'))
			return 0;
	}
	return n == s.len || is_blank(s.ptr[n]) ? n : 0;
}

void
dsn_status(struct span reply, char out[16])
{
	size_t code = code_length(reply);
	struct span text = span_slice(reply, code, reply.len);
	size_t n = status_length(text);
	bool transient = (code > 0 ? reply.ptr[0] : n > 0 ? text.ptr[0] : '5') == '4';

	/* An enhanced code of another class than the code's does not count. */
	if (n > 0 && text.ptr[0] == (transient ? '4' : '5'))
		snprintf(out, 16, "%.*s", (int)n, (const char *)text.ptr);
	else
		snprintf(out, 16, "%s", transient ? "4.0.0" : "5.0.0");
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 0x80)
			return false;
	return true;
}

/* A value fit for a line: no controls, not too long, and ASCII if the form is. */
static struct span
safe_cut(struct writer *w, struct span s, bool utf8)
{
	if (s.len > VALUE_BYTES)
		s.len = VALUE_BYTES;
	uint8_t *out = arena_alloc(&w->arena, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		out[i] = s.ptr[i] < ' ' || s.ptr[i] == 0x7f ? ' ' :
		    s.ptr[i] >= 0x80 && !utf8 ? '?' : s.ptr[i];
	return (struct span){ out, s.len };
}

static struct span
safe(struct writer *w, struct span s)
{
	return safe_cut(w, s, false);
}

static struct span
safe_address(struct writer *w, struct span s)
{
	return safe_cut(w, s, w->global);
}

static struct span
join(struct writer *w, const char *before, struct span s, const char *then)
{
	return span_text(arena_printf(&w->arena, "%s%.*s%s", before, (int)s.len,
	    (const char *)s.ptr, then));
}

static void
put_field(struct buf *b, const char *name, struct span value)
{
	header_write(b, span_text(name), value);
}

/* The text part. */

/* A paragraph, in lines of TEXT_COLUMN where blanks allow it, each with the indent. */
static void
put_paragraph(struct buf *b, const char *indent, struct span s)
{
	size_t column = 0, word;

	for (s = span_trim(s); s.len > 0; s = span_trim(span_slice(s, word, s.len))) {
		word = span_find(s, ' ');
		if (column > 0 && column + 1 + word > TEXT_COLUMN) {
			buf_add(b, SPAN_LIT("\r\n"));
			column = 0;
		}
		buf_add(b, column == 0 ? span_text(indent) : SPAN_LIT(" "));
		column += (column == 0 ? strlen(indent) : 1) + word;
		buf_add(b, span_slice(s, 0, word));
	}
	buf_add(b, SPAN_LIT("\r\n"));
}

static void
put_sentences(struct writer *w, const char *text)
{
	put_paragraph(&w->text, "", span_text(text));
	buf_add(&w->text, SPAN_LIT("\r\n"));
}

/* By subject and detail of the enhanced code; the first that fits. */
static const char *
advice(const char *status)
{
	static const struct { const char *start, *text; } list[] = {
		{ "1.7", "The sender's address was not accepted: check how it is "
		    "written." },
		{ "1.8", "The sender's address was not accepted: check how it is "
		    "written." },
		{ "1.", "Check how the address is written, and send the mail again." },
		{ "2.2", "The mailbox is full: try again later, or reach the recipient "
		    "in another way." },
		{ "2.3", "The mail is too large: send less at once, or a link to it." },
		{ "2.", "The mailbox takes no mail now: reach the recipient in another "
		    "way." },
		{ "3.4", "The mail is too large: send less at once, or a link to it." },
		{ "6.7", "The recipient's system takes no address with letters outside "
		    "ASCII: use one without." },
		{ "6.", "The form of the mail was not accepted: try plain text, or other "
		    "attachments." },
		{ "7.", "What the mail holds, or where it comes from, is not accepted "
		    "there: change that, or ask the recipient's postmaster." },
		{ "", "Send it again later, or ask the recipient's postmaster." },
	};
	size_t i = 0;

	while (strncmp(status + 2, list[i].start, strlen(list[i].start)) != 0)
		i++;
	return list[i].text;
}

static void
put_recipient_text(struct writer *w, const struct dsn_recipient *r)
{
	struct buf *b = &w->text;
	char status[16];

	buf_add(b, SPAN_LIT("<"));
	buf_add(b, safe_address(w, r->recipient->address));
	buf_add(b, SPAN_LIT(">\r\n"));
	if (r->remote.len > 0)
		put_paragraph(b, "    ", join(w, "The next mail server, ",
		    safe(w, r->remote), ", refused it and said:"));
	else
		put_paragraph(b, "    ", SPAN_LIT("It was refused here:"));
	put_paragraph(b, "        ", safe(w, r->reply));
	if (r->rule.len > 0)
		put_paragraph(b, "    ", join(w, "The rule that refused it is \"",
		    safe(w, r->rule), "\"."));
	dsn_status(r->reply, status);
	put_paragraph(b, "    ", span_text(advice(status)));
	buf_add(b, SPAN_LIT("\r\n"));
}

static void
make_text(struct writer *w)
{
	const struct dsn *d = w->dsn;
	char date[TEXT_DATE_BYTES];

	put_paragraph(&w->text, "", join(w, "This is the mail filter at ",
	    safe(w, span_text(d->hostname)), "."));
	buf_add(&w->text, SPAN_LIT("\r\n"));
	put_sentences(w, d->recipient_count == 1 ?
	    "Your mail could not be delivered to this recipient:" :
	    "Your mail could not be delivered to these recipients:");
	for (size_t i = 0; i < d->recipient_count; i++)
		put_recipient_text(w, &d->recipients[i]);
	text_date(date, d->arrived);
	put_sentences(w, arena_printf(&w->arena, "The mail came in on %s.", date));
	if (d->subject.len > 0) {
		buf_add(&w->text, SPAN_LIT("Its subject: "));
		text_escape(&w->text, d->subject, VALUE_BYTES / 4, true);
		buf_add(&w->text, SPAN_LIT("\r\n\r\n"));
	}
	put_sentences(w, "It will not be tried again for the recipients above. If you "
	    "have questions, write to the address below and give this id:");
	buf_printf(&w->text, "    %s\r\n    ", w->id);
	buf_add(&w->text, safe_address(w, span_text(d->postmaster)));
	buf_add(&w->text, SPAN_LIT("\r\n"));
}

/* The part for machines. */

static const char *
address_type(struct span address)
{
	return is_ascii(address) ? "rfc822;" : "utf-8;";
}

/* "rfc822;xtext" as it was before it was encoded; other types have forms of their own. */
static void
put_original_recipient(struct writer *w, struct span orcpt)
{
	size_t type = span_find(orcpt, ';');
	struct span kind = safe(w, span_slice(orcpt, 0, type)), address, decoded;

	if (type == orcpt.len)
		return;
	address = span_slice(orcpt, type + 1, orcpt.len);
	if (span_equal_nocase(kind, SPAN_LIT("rfc822")) &&
	    xtext_decode(address, &w->arena, &decoded) && is_ascii(decoded))
		address = decoded;
	put_field(&w->status, "Original-Recipient", join(w,
	    arena_printf(&w->arena, "%.*s;", (int)kind.len, (const char *)kind.ptr),
	    safe_address(w, address), ""));
}

/* An address stands in brackets there, as in commands. */
static struct span
mta_name(struct writer *w, struct span name)
{
	struct address a;

	if (name.len == 0 || name.ptr[0] == '[' || !address_parse(name, &a))
		return join(w, "dns; ", safe(w, name), "");
	return join(w, address_is_v4(&a) ? "dns; [" : "dns; [IPv6:", safe(w, name), "]");
}

static void
put_recipient_status(struct writer *w, const struct dsn_recipient *r)
{
	struct span address = r->recipient->address;
	struct buf *b = &w->status;
	char status[16], date[TEXT_DATE_BYTES];

	buf_add(b, SPAN_LIT("\r\n"));
	if (r->recipient->orcpt.len > 0)
		put_original_recipient(w, r->recipient->orcpt);
	put_field(b, "Final-Recipient", join(w, address_type(address),
	    safe_address(w, address), ""));
	put_field(b, "Action", SPAN_LIT("failed"));
	dsn_status(r->reply, status);
	put_field(b, "Status", span_text(status));
	if (r->remote.len > 0)
		put_field(b, "Remote-MTA", mta_name(w, r->remote));
	put_field(b, "Diagnostic-Code", join(w, "smtp; ", safe(w, r->reply), ""));
	text_date(date, w->dsn->now);
	put_field(b, "Last-Attempt-Date", span_text(date));
	put_field(b, "Final-Log-ID", span_text(w->id));
}

static void
make_status(struct writer *w)
{
	const struct dsn *d = w->dsn;
	char date[TEXT_DATE_BYTES];
	struct span envid;

	if (d->envelope->envid.len > 0 &&
	    xtext_decode(d->envelope->envid, &w->arena, &envid))
		put_field(&w->status, "Original-Envelope-Id", safe(w, envid));
	put_field(&w->status, "Reporting-MTA", mta_name(w, span_text(d->hostname)));
	if (d->client.len > 0)
		put_field(&w->status, "Received-From-MTA", mta_name(w, d->client));
	text_date(date, d->arrived);
	put_field(&w->status, "Arrival-Date", span_text(date));
	for (size_t i = 0; i < d->recipient_count; i++)
		put_recipient_status(w, &d->recipients[i]);
}

/* The original's header. */

/* A line without its end; longer ones are folded by force, what no mail may hold is
   made a blank. */
static void
put_header_line(struct buf *b, struct span line)
{
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.ptr[i];

		if (column == LINE_BYTES) {
			buf_add(b, SPAN_LIT("\r\n "));
			column = 1;
		}
		buf_byte(b, c == '\r' || c == '\0' ? ' ' : c);
		column++;
	}
	buf_add(b, SPAN_LIT("\r\n"));
}

/* Up to the empty line, and no more than fits. */
static void
make_header(struct writer *w)
{
	struct span s = w->dsn->header;

	for (size_t n; s.len > 0; s = span_slice(s, n < s.len ? n + 1 : n, s.len)) {
		n = span_find(s, '\n');
		struct span line = span_slice(s, 0, n);

		if (n < s.len && n > 0 && line.ptr[n - 1] == '\r')
			line.len--;
		/* Folding by force takes 3 bytes for LINE_BYTES. */
		size_t room = line.len + line.len / (LINE_BYTES - 1) * 3 + 2;

		if (line.len == 0 || buf_len(&w->header) + room > HEADER_PART_BYTES)
			return;
		put_header_line(&w->header, line);
	}
}

/* The whole. */

static bool
has_text(struct span s, const char *text)
{
	return s.len > 0 && memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* Bytes from outside may hold our id; they were there before, so a number helps. */
static void
choose_boundary(struct writer *w)
{
	unsigned n = 0;

	do
		snprintf(w->boundary, sizeof w->boundary, "=_%s_%u", w->id, n++);
	while (has_text(buf_span(&w->text), w->boundary) ||
	    has_text(buf_span(&w->status), w->boundary) ||
	    has_text(buf_span(&w->header), w->boundary));
}

static void
choose_id(struct writer *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->dsn->id.len && n < ID_BYTES; i++) {
		uint8_t c = w->dsn->id.ptr[i];

		w->id[n++] = is_alpha(c) || is_digit(c) || c == '-' ? (char)c : '_';
	}
}

static const char *
encoding(struct span part)
{
	return is_ascii(part) ? "7bit" : "8bit";
}

static void
put_head(struct writer *w, struct buf *out)
{
	const struct dsn *d = w->dsn;
	char date[TEXT_DATE_BYTES];
	bool ascii = is_ascii(buf_span(&w->text)) && is_ascii(buf_span(&w->status)) &&
	    is_ascii(buf_span(&w->header));

	text_date(date, d->now);
	put_field(out, "From", join(w, "Mail filter <",
	    safe_address(w, span_text(d->postmaster)), ">"));
	put_field(out, "To", join(w, "<", safe_address(w, d->envelope->sender), ">"));
	put_field(out, "Date", span_text(date));
	put_field(out, "Message-ID", span_text(arena_printf(&w->arena, "<dsn.%s@%s>",
	    w->id, d->hostname)));
	put_field(out, "Subject", SPAN_LIT("Your mail could not be delivered"));
	put_field(out, "Auto-Submitted", SPAN_LIT("auto-replied"));
	put_field(out, "MIME-Version", SPAN_LIT("1.0"));
	put_field(out, "Content-Type", span_text(arena_printf(&w->arena,
	    "multipart/report; report-type=%sdelivery-status; boundary=\"%s\"",
	    w->global ? "global-" : "", w->boundary)));
	put_field(out, "Content-Transfer-Encoding", span_text(ascii ? "7bit" : "8bit"));
}

static void
put_part(struct writer *w, struct buf *out, const char *type, const char *what,
    const struct buf *part)
{
	buf_printf(out, "\r\n--%s\r\n", w->boundary);
	put_field(out, "Content-Type", span_text(type));
	put_field(out, "Content-Description", span_text(what));
	put_field(out, "Content-Transfer-Encoding", span_text(encoding(buf_span(part))));
	buf_add(out, SPAN_LIT("\r\n"));
	buf_add(out, buf_span(part));
}

static bool
needs_global(const struct dsn *d)
{
	if (!is_ascii(d->envelope->sender))
		return true;
	for (size_t i = 0; i < d->recipient_count; i++)
		if (!is_ascii(d->recipients[i].recipient->address))
			return true;
	return false;
}

void
dsn_write(struct buf *out, const struct dsn *d)
{
	struct writer w = { .dsn = d, .global = needs_global(d) };

	choose_id(&w);
	make_text(&w);
	make_status(&w);
	make_header(&w);
	choose_boundary(&w);
	put_head(&w, out);
	put_part(&w, out, "text/plain; charset=utf-8", "Notification", &w.text);
	put_part(&w, out, w.global ? "message/global-delivery-status" :
	    "message/delivery-status", "Delivery report", &w.status);
	put_part(&w, out, w.global ? "message/global-headers" : "text/rfc822-headers",
	    "Header of the undelivered mail", &w.header);
	buf_printf(out, "\r\n--%s--\r\n", w.boundary);
	buf_free(&w.text);
	buf_free(&w.status);
	buf_free(&w.header);
	arena_free(&w.arena);
}
