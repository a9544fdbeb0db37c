/*
 * kept.c - see kept.h.
 */
#include "lib/packet/kept.h"
#include "lib/base/text.h"
#include "lib/smtp/address.h"

bool
kept_class_is(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '_')
			return false;
	return s.len > 0 && s.len <= KEPT_CLASS_BYTES;
}

/* --- writing --- */

static void
field(struct buf *b, const char *name, struct span value)
{
	buf_printf(b, "%s: ", name);
	text_escape(b, value, value.len, true);
	buf_byte(b, '\n');
}

static void
parameter(struct buf *b, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	buf_printf(b, " %s=", name);
	text_escape(b, value, value.len, true);
}

static const char *const bodies[] = {
	[BODY_NONE] = "", [BODY_7BIT] = "BODY=7BIT", [BODY_8BITMIME] = "BODY=8BITMIME",
};

static const char *const returns[] = {
	[RETURN_NONE] = "", [RETURN_FULL] = "RET=FULL", [RETURN_HEADERS] = "RET=HDRS",
};

static void
word(struct buf *b, const char *word)
{
	if (word[0] != '\0')
		buf_printf(b, " %s", word);
}

static void
sender_field(struct buf *b, const struct envelope *e)
{
	buf_printf(b, "X-Envelope-From: <");
	text_escape(b, e->sender, e->sender.len, true);
	buf_byte(b, '>');
	word(b, bodies[e->body]);
	word(b, e->smtputf8 ? "SMTPUTF8" : "");
	word(b, returns[e->ret]);
	parameter(b, "ENVID", e->envid);
	buf_byte(b, '\n');
}

static const struct notify_word { unsigned bit; const char *word; } notify_words[] = {
	{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" },
	{ NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" },
};

static void
notify_parameter(struct buf *b, unsigned notify)
{
	const char *between = " NOTIFY=";

	for (size_t i = 0; i < COUNT_OF(notify_words); i++) {
		if ((notify & notify_words[i].bit) == 0)
			continue;
		buf_printf(b, "%s%s", between, notify_words[i].word);
		between = ",";
	}
}

static void
recipient_field(struct buf *b, const struct recipient *r)
{
	buf_printf(b, "X-Envelope-To: <");
	text_escape(b, r->address, r->address.len, true);
	buf_byte(b, '>');
	notify_parameter(b, r->notify);
	parameter(b, "ORCPT", r->orcpt);
	buf_byte(b, '\n');
}

/* NAME=VALUE pairs: where in a structure their values are. */
struct pair { const char *name; size_t at; };

#define XFORWARD(member) offsetof(struct xforward, member)
static const struct pair xforward_pairs[] = {
	{ "NAME", XFORWARD(name) }, { "ADDR", XFORWARD(addr) }, { "PORT", XFORWARD(port) },
	{ "PROTO", XFORWARD(proto) }, { "HELO", XFORWARD(helo) },
	{ "IDENT", XFORWARD(ident) }, { "SOURCE", XFORWARD(source) }, { NULL, 0 },
};

#define SESSION(member) offsetof(struct packet_quarantine, member)
static const struct pair session_pairs[] = {
	{ "PEER", SESSION(peer) }, { "PORT", SESSION(port) }, { "HELO", SESSION(helo) },
	{ "WITH", SESSION(with) }, { NULL, 0 },
};

static struct span *
pair_value(const void *base, size_t at)
{
	return (struct span *)(void *)((char *)(uintptr_t)base + at);
}

static void
pairs_field(struct buf *b, const char *name, const struct pair *pairs, const void *base)
{
	buf_printf(b, "%s:", name);
	for (; pairs->name != NULL; pairs++) {
		struct span value = *pair_value(base, pairs->at);

		buf_printf(b, " %s=", pairs->name);
		text_value(b, value, value.len);
	}
	buf_byte(b, '\n');
}

void
kept_write(struct buf *b, const struct packet_quarantine *q)
{
	char arrival[TEXT_TIME_BYTES];

	text_time(arrival, q->arrived);
	field(b, "X-Sallyport-Id", q->id);
	sender_field(b, &q->envelope);
	for (size_t i = 0; i < q->envelope.recipient_count; i++)
		recipient_field(b, &q->envelope.recipients[i]);
	field(b, "X-Sallyport-Class", q->class);
	field(b, "X-Sallyport-Rule", q->rule);
	field(b, "X-Sallyport-Reason", q->reason);
	field(b, "X-Sallyport-Listener", q->listener);
	field(b, "X-Sallyport-Client", q->client);
	if (q->with.len > 0)
		pairs_field(b, "X-Sallyport-Session", session_pairs, q);
	if (q->envelope.xforward.given)
		pairs_field(b, "X-Sallyport-Xforward", xforward_pairs,
		    &q->envelope.xforward);
	buf_printf(b, "X-Sallyport-Arrival: %s\nX-Sallyport-Size: %llu\n\n", arrival,
	    (unsigned long long)q->size);
}

/* --- reading --- */

struct reading {
	struct packet_quarantine *q;
	struct arena *arena;
	bool          sender, bad;
};

static int
hex(uint8_t c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Back from \\, \" and \xHH. */
static struct span
unescape(struct reading *r, struct span in)
{
	uint8_t *out = arena_alloc(r->arena, in.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c == '\\' && in.len - i >= 4 && in.ptr[i + 1] == 'x' &&
		    hex(in.ptr[i + 2]) >= 0 && hex(in.ptr[i + 3]) >= 0) {
			c = (uint8_t)(hex(in.ptr[i + 2]) << 4 | hex(in.ptr[i + 3]));
			i += 3;
		} else if (c == '\\' && in.len - i >= 2)
			c = in.ptr[++i];
		out[n++] = c;
	}
	return (struct span){ out, n };
}

/* The next of some words with a blank between them; false: there is none. */
static bool
next_word(struct span *rest, struct span *out)
{
	while (rest->len > 0 && rest->ptr[0] == ' ')
		*rest = span_slice(*rest, 1, rest->len);
	size_t n = span_find(*rest, ' ');

	*out = span_slice(*rest, 0, n);
	*rest = span_slice(*rest, n, rest->len);
	return n > 0;
}

static bool
has_name(struct span in, struct span name, struct span *value)
{
	if (in.len < name.len || !span_equal(span_slice(in, 0, name.len), name))
		return false;
	*value = span_slice(in, name.len, in.len);
	return true;
}

/* <address>; the rest of the line is left. */
static bool
read_path(struct reading *r, struct span *line, struct span *address)
{
	struct error err;
	bool utf8;
	size_t used;

	*line = unescape(r, *line);
	if (path_parse(*line, true, address, &utf8, &used, &err) != ST_OK)
		return false;
	*line = span_slice(*line, used, line->len);
	return true;
}

static void
read_sender(struct reading *r, struct span line)
{
	struct envelope *e = &r->q->envelope;
	struct span w;

	r->bad |= r->sender || !read_path(r, &line, &e->sender);
	r->sender = true;
	while (next_word(&line, &w)) {
		for (int i = 1; i < (int)COUNT_OF(bodies); i++)
			if (span_equal(w, span_text(bodies[i])))
				e->body = (enum body_kind)i;
		for (int i = 1; i < (int)COUNT_OF(returns); i++)
			if (span_equal(w, span_text(returns[i])))
				e->ret = (enum dsn_return)i;
		e->smtputf8 |= span_equal(w, SPAN_LIT("SMTPUTF8"));
		has_name(w, SPAN_LIT("ENVID="), &e->envid);
	}
}

static unsigned
read_notify(struct span words)
{
	unsigned notify = 0;

	for (size_t n; words.len > 0; words = span_slice(words, n, words.len)) {
		n = span_find(words, ',');
		for (size_t i = 0; i < COUNT_OF(notify_words); i++)
			if (span_equal(span_slice(words, 0, n),
			    span_text(notify_words[i].word)))
				notify |= notify_words[i].bit;
		n += n < words.len;
	}
	return notify;
}

static void
add_recipient(struct reading *r, const struct recipient *one)
{
	struct envelope *e = &r->q->envelope;

	if (e->recipient_count == e->recipient_cap) {
		size_t cap = e->recipient_cap == 0 ? 16 : e->recipient_cap * 2;
		struct recipient *more = arena_array(r->arena, struct recipient, cap);

		if (e->recipient_count > 0)
			memcpy(more, e->recipients, e->recipient_count * sizeof *more);
		e->recipients = more;
		e->recipient_cap = cap;
	}
	e->recipients[e->recipient_count++] = *one;
}

static void
read_recipient(struct reading *r, struct span line)
{
	struct recipient one = { 0 };
	struct span w, notify;

	r->bad |= !read_path(r, &line, &one.address);
	while (next_word(&line, &w)) {
		has_name(w, SPAN_LIT("ORCPT="), &one.orcpt);
		if (has_name(w, SPAN_LIT("NOTIFY="), &notify))
			one.notify = read_notify(notify);
	}
	add_recipient(r, &one);
}

/* A value as text_value wrote it: to a blank, or in quotes. */
static struct span
next_value(struct reading *r, struct span *rest)
{
	bool quoted = rest->len > 0 && rest->ptr[0] == '"';
	size_t from = quoted, to = from;

	while (to < rest->len && rest->ptr[to] != (quoted ? '"' : ' '))
		to += rest->ptr[to] == '\\' && to + 1 < rest->len ? 2 : 1;
	struct span value = unescape(r, span_slice(*rest, from, to));

	r->bad |= quoted && to == rest->len;
	*rest = span_slice(*rest, to < rest->len ? to + quoted : to, rest->len);
	return value;
}

static void
read_pairs(struct reading *r, struct span line, const struct pair *pairs, void *base)
{
	while (line.len > 0 && line.ptr[0] == ' ')
		line = span_slice(line, 1, line.len);
	while (line.len > 0 && !r->bad) {
		size_t n = span_find(line, '=');
		struct span name = span_slice(line, 0, n);

		line = span_slice(line, n < line.len ? n + 1 : n, line.len);
		struct span value = next_value(r, &line);

		for (const struct pair *p = pairs; p->name != NULL; p++)
			if (span_equal(name, span_text(p->name)))
				*pair_value(base, p->at) = value;
		while (line.len > 0 && line.ptr[0] == ' ')
			line = span_slice(line, 1, line.len);
	}
}

static void
read_session(struct reading *r, struct span line)
{
	read_pairs(r, line, session_pairs, r->q);
}

static void
read_xforward(struct reading *r, struct span line)
{
	r->q->envelope.xforward.given = true;
	read_pairs(r, line, xforward_pairs, &r->q->envelope.xforward);
}

static void
read_id(struct reading *r, struct span line)
{
	r->q->id = unescape(r, line);
	r->q->arrived = record_id_time(r->q->id);
}

static void
read_size(struct reading *r, struct span line)
{
	r->bad |= !text_number(line, UINT64_MAX, &r->q->size);
}

static const struct field_row {
	const char *name;
	void      (*read)(struct reading *, struct span);
	size_t      at;                 /* in struct packet_quarantine, where it is a text */
} fields[] = {
	{ "X-Sallyport-Id", read_id, 0 },
	{ "X-Envelope-From", read_sender, 0 },
	{ "X-Envelope-To", read_recipient, 0 },
	{ "X-Sallyport-Class", NULL, SESSION(class) },
	{ "X-Sallyport-Rule", NULL, SESSION(rule) },
	{ "X-Sallyport-Reason", NULL, SESSION(reason) },
	{ "X-Sallyport-Listener", NULL, SESSION(listener) },
	{ "X-Sallyport-Client", NULL, SESSION(client) },
	{ "X-Sallyport-Session", read_session, 0 },
	{ "X-Sallyport-Xforward", read_xforward, 0 },
	{ "X-Sallyport-Size", read_size, 0 },
};

static void
read_field(struct reading *r, struct span line)
{
	size_t colon = span_find(line, ':');

	if (colon == line.len) {
		r->bad = true;
		return;
	}
	struct span name = span_slice(line, 0, colon);
	struct span value = span_slice(line, colon + 1, line.len);

	if (value.len > 0 && value.ptr[0] == ' ')
		value = span_slice(value, 1, value.len);
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		if (!span_equal(name, span_text(fields[i].name)))
			continue;
		if (fields[i].read != NULL)
			fields[i].read(r, value);
		else
			*pair_value(r->q, fields[i].at) = unescape(r, value);
		return;
	}
}

static bool
is_whole(const struct reading *r)
{
	return !r->bad && r->sender && r->q->envelope.recipient_count > 0 &&
	    record_id_is(r->q->id);
}

enum status
kept_read(struct span in, struct packet_quarantine *q, size_t *head, struct arena *a)
{
	struct reading r = { q, a, false, false };

	*q = (struct packet_quarantine){ 0 };
	for (size_t at = 0; at < in.len && at < KEPT_BYTES && !r.bad;) {
		struct span rest = span_slice(in, at, in.len);
		size_t n = span_find(rest, '\n');

		if (n == rest.len)
			return in.len < KEPT_BYTES ? ST_MORE : ST_PERM;
		at += n + 1;
		if (n == 0) {
			*head = at;
			return is_whole(&r) ? ST_OK : ST_PERM;
		}
		read_field(&r, span_slice(rest, 0, n));
	}
	return r.bad || in.len >= KEPT_BYTES ? ST_PERM : ST_MORE;
}
