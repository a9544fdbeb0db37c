/*
 * client.c - see client.h.
 *
 * The commands of an envelope are numbered: XFORWARD lines, MAIL, one RCPT a recipient,
 * and DATA unless BDAT is used.  `sent` and `replied` count them; with PIPELINING all are
 * sent at once, else the next one when these two are equal.
 */
#include "lib/smtp/client.h"
#include "lib/base/text.h"
#include "lib/smtp/address.h"
#include <assert.h>
#include <stdio.h>

#define IN(state)         (1u << (state))
#define XFORWARD_BYTES    512u  /* of a line with its CR LF (Postfix XFORWARD_README) */
#define XFORWARD_VALUE    255u

enum client_state {
	IN_GREETING = 0, IN_EHLO, IN_HELO, IN_READY, IN_ENVELOPE, IN_EMPTY, IN_BODY,
	IN_SENDING, IN_CHUNK, IN_HELD, IN_FINAL, IN_RESET, IN_QUIT, IN_FAILED,
	CLIENT_STATES,
};

/* The commands of an envelope. */
enum client_step { STEP_XFORWARD = 0, STEP_MAIL, STEP_RCPT, STEP_DATA };

struct smtp_client {
	enum client_state    state;
	bool                 lmtp;
	bool                 utf8;          /* this transaction needs SMTPUTF8         */
	bool                 mail_taken;
	bool                 stray;         /* RCPT was taken though MAIL was not      */
	bool                 data_open;     /* 354 has come                            */
	bool                 last;          /* of this body                            */
	bool                 ahead;         /* the body went with the envelope         */
	bool                 reset_sent, in_doubt;
	enum client_event    after_reset;
	struct client_offers offers;
	struct client_transaction *t;       /* borrowed; NULL between transactions     */
	size_t               sent, replied; /* commands of the envelope                */
	size_t               xforward_lines, taken;
	size_t               final;         /* LMTP: the recipient that is next        */
	size_t               owed;          /* replies before that of RSET             */
	struct buf           out, xforward; /* xforward: lines not yet sent            */
	char                *helo_name;
	char                 failure[REPLY_TEXT_BYTES + 100];
	struct reply_reader  reader;
};

/* The arrows of the diagram in client.h; QUIT and FAILED may follow each. */
static const unsigned leads_to[CLIENT_STATES] = {
	[IN_GREETING] = IN(IN_EHLO),
	[IN_EHLO]     = IN(IN_HELO) | IN(IN_READY),
	[IN_HELO]     = IN(IN_READY),
	[IN_READY]    = IN(IN_ENVELOPE),
	[IN_ENVELOPE] = IN(IN_BODY) | IN(IN_EMPTY) | IN(IN_RESET) | IN(IN_FINAL),
	[IN_EMPTY]    = IN(IN_READY),
	[IN_BODY]     = IN(IN_SENDING) | IN(IN_RESET),
	[IN_SENDING]  = IN(IN_CHUNK) | IN(IN_HELD) | IN(IN_FINAL),
	[IN_CHUNK]    = IN(IN_HELD) | IN(IN_RESET),
	[IN_HELD]     = IN(IN_FINAL) | IN(IN_RESET),
	[IN_FINAL]    = IN(IN_READY) | IN(IN_RESET),
	[IN_RESET]    = IN(IN_READY),
};

/* The only place where c->state changes. */
static void
client_enter(struct smtp_client *c, enum client_state next)
{
	assert((leads_to[c->state] | IN(IN_QUIT) | IN(IN_FAILED)) & IN(next));
	c->state = next;
}

static void
put(struct smtp_client *c, const char *text)
{
	buf_add(&c->out, span_text(text));
}

/* Commands of the envelope. */

static size_t
step_count(const struct smtp_client *c)
{
	return c->xforward_lines + 1 + c->t->recipient_count + !c->offers.chunking;
}

static enum client_step
step_at(const struct smtp_client *c, size_t command)
{
	if (command < c->xforward_lines)
		return STEP_XFORWARD;
	command -= c->xforward_lines;
	if (command == 0)
		return STEP_MAIL;
	return command <= c->t->recipient_count ? STEP_RCPT : STEP_DATA;
}

static struct client_recipient *
rcpt_at(const struct smtp_client *c, size_t command)
{
	return &c->t->recipients[command - c->xforward_lines - 1];
}

static void
put_param(struct smtp_client *c, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	put(c, name);
	buf_add(&c->out, value);
}

static void
put_xforward(struct smtp_client *c)
{
	struct span lines = buf_span(&c->xforward);
	size_t n = span_find(lines, '\n') + 1;

	buf_add(&c->out, span_slice(lines, 0, n));
	buf_take(&c->xforward, n);
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 0x80)
			return false;
	return true;
}

/* Of the recipients in this transaction only: the envelope may have others. */
static bool
needs_utf8_address(const struct client_transaction *t)
{
	if (!is_ascii(t->envelope->sender))
		return true;
	for (size_t i = 0; i < t->recipient_count; i++)
		if (!is_ascii(t->envelope->recipients[t->recipients[i].index].address))
			return true;
	return false;
}

static void
put_mail(struct smtp_client *c)
{
	static const char *const ret[] = { "", " RET=FULL", " RET=HDRS" };
	const struct envelope *e = c->t->envelope;

	put(c, "MAIL FROM:<");
	buf_add(&c->out, e->sender);
	put(c, ">");
	if (c->offers.size && c->t->size > 0)
		buf_printf(&c->out, " SIZE=%llu", (unsigned long long)c->t->size);
	if (c->offers.eightbit && e->body == BODY_8BITMIME)
		put(c, " BODY=8BITMIME");
	if (c->utf8)
		put(c, " SMTPUTF8");
	if (c->offers.dsn) {
		put(c, ret[e->ret]);
		put_param(c, " ENVID=", e->envid);
	}
	put(c, "\r\n");
}

static void
put_notify(struct smtp_client *c, unsigned notify)
{
	static const struct { unsigned bit; const char *text; } words[] = {
		{ NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" }, { NOTIFY_NEVER, "NEVER" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (notify & words[i].bit) {
			put(c, before);
			put(c, words[i].text);
			before = ",";
		}
}

static void
put_rcpt(struct smtp_client *c, const struct recipient *r)
{
	put(c, "RCPT TO:<");
	buf_add(&c->out, r->address);
	put(c, ">");
	if (c->offers.dsn) {
		put_notify(c, r->notify);
		put_param(c, " ORCPT=", r->orcpt);
	}
	put(c, "\r\n");
}

static void
put_step(struct smtp_client *c, size_t command)
{
	switch (step_at(c, command)) {
	case STEP_XFORWARD:
		put_xforward(c);
		return;
	case STEP_MAIL:
		put_mail(c);
		return;
	case STEP_RCPT:
		put_rcpt(c, &c->t->envelope->recipients[rcpt_at(c, command)->index]);
		return;
	case STEP_DATA:
		put(c, "DATA\r\n");
		return;
	}
}

/* What comes after a refusal that decides all is not sent any more. */
static bool
step_makes_sense(const struct smtp_client *c)
{
	enum client_step step = step_at(c, c->sent);

	if (c->offers.pipelining)
		return true;
	return (step != STEP_RCPT || c->mail_taken) &&
	    (step != STEP_DATA || c->taken > 0);
}

static void
send_steps(struct smtp_client *c)
{
	while (c->sent < step_count(c) && step_makes_sense(c) &&
	    (c->offers.pipelining || c->sent == c->replied))
		put_step(c, c->sent++);
}

/* XFORWARD. */

/* A value that servers refuse would cost us the whole line. */
static bool
xforward_fits(struct span value, size_t max)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] >= 0x7f)
			return false;
	return value.len > 0 && value.len <= max;
}

/* *line: bytes in the line so far, without its end. */
static void
xforward_value(struct smtp_client *c, size_t *line, const char *name, struct span value)
{
	size_t n = strlen(name) + value.len + 2;

	if (*line > 0 && *line + n + 2 > XFORWARD_BYTES) {
		buf_add(&c->xforward, SPAN_LIT("\r\n"));
		*line = 0;
	}
	if (*line == 0) {
		buf_add(&c->xforward, SPAN_LIT("XFORWARD"));
		*line = sizeof "XFORWARD" - 1;
		c->xforward_lines++;
	}
	buf_byte(&c->xforward, ' ');
	buf_add(&c->xforward, span_text(name));
	buf_byte(&c->xforward, '=');
	buf_add(&c->xforward, value);
	*line += n;
}

/* Longer than this, encoded, it would not fit into a line of its own. */
#define XFORWARD_ENCODED (XFORWARD_BYTES - sizeof "XFORWARD SOURCE=\r\n")

static void
xforward_add(struct smtp_client *c, size_t *line, const char *name, struct span value,
    size_t max)
{
	struct span text = SPAN_LIT("[UNAVAILABLE]");

	if (xforward_fits(value, max)) {
		struct span encoded = xtext_encode(value, c->t->arena);

		if (encoded.len <= XFORWARD_ENCODED)
			text = encoded;
	}
	xforward_value(c, line, name, text);
}

/* IPv6 addresses have a prefix there, which our own form has not. */
static struct span
xforward_address(const struct smtp_client *c, struct span addr)
{
	if (span_find(addr, ':') == addr.len || addr.len > XFORWARD_VALUE ||
	    span_starts_nocase(addr, SPAN_LIT("IPV6:")))
		return addr;
	return span_text(arena_printf(c->t->arena, "IPV6:%.*s", (int)addr.len,
	    (const char *)addr.ptr));
}

static void
xforward_lines(struct smtp_client *c)
{
	const struct xforward *x = &c->t->xforward;
	const struct { const char *name; struct span value; size_t max; } items[] = {
		{ "NAME", x->name, XFORWARD_VALUE },
		{ "ADDR", xforward_address(c, x->addr), XFORWARD_VALUE },
		{ "PORT", x->port, XFORWARD_VALUE }, { "PROTO", x->proto, 64 },
		{ "HELO", x->helo, XFORWARD_VALUE },
		{ "IDENT", x->ident, XFORWARD_VALUE },
		{ "SOURCE", x->source, XFORWARD_VALUE },
	};
	size_t line = 0;

	buf_take(&c->xforward, buf_len(&c->xforward));
	for (size_t i = 0; i < COUNT_OF(items); i++)
		if (c->offers.xforward & 1u << i)
			xforward_add(c, &line, items[i].name, items[i].value,
			    items[i].max);
	buf_add(&c->xforward, SPAN_LIT("\r\n"));
}

/* What becomes of recipients. */

static void
decide(struct client_recipient *r, int code, struct span text)
{
	r->code = code;
	r->text = text;
}

/* All that nobody has decided yet. */
static void
decide_all(struct smtp_client *c, int code, struct span text)
{
	for (size_t i = 0; i < c->t->recipient_count; i++)
		if (c->t->recipients[i].code == 0)
			decide(&c->t->recipients[i], code, text);
}

/* The next recipient that nobody has decided; recipient_count if none does. */
static size_t
final_next(const struct smtp_client *c, size_t from)
{
	while (from < c->t->recipient_count && c->t->recipients[from].code != 0)
		from++;
	return from;
}

static struct span
reply_text(const struct smtp_client *c)
{
	return arena_span(c->t->arena, span_text(c->reader.reply.text));
}

static void
reply_to_all(struct smtp_client *c)
{
	decide_all(c, c->reader.reply.code, reply_text(c));
}

/* End of a session, or of a transaction. */

static enum client_event
client_fail(struct smtp_client *c, int code, const char *why)
{
	char number[16] = "";

	if (c->state == IN_FAILED)
		return CLIENT_FAILED;
	if (code > 0)
		snprintf(number, sizeof number, "%d ", code);
	snprintf(c->failure, sizeof c->failure, "%s%.*s (while %s)", number,
	    REPLY_TEXT_BYTES, why, smtp_client_doing(c));
	c->in_doubt = (c->state == IN_FINAL && final_next(c, 0) < c->t->recipient_count) ||
	    (c->state == IN_ENVELOPE && c->ahead && c->t->recipients[0].code == 0);
	c->t = NULL;
	client_enter(c, IN_FAILED);
	return CLIENT_FAILED;
}

static enum client_event
fail_with_reply(struct smtp_client *c)
{
	return client_fail(c, c->reader.reply.code, c->reader.reply.text);
}

static void
send_reset(struct smtp_client *c)
{
	put(c, "RSET\r\n");
	c->reset_sent = true;
}

/* Without PIPELINING the replies that are owed come first. */
static enum client_event
client_reset(struct smtp_client *c, size_t owed, enum client_event after)
{
	client_enter(c, IN_RESET);
	c->owed = owed;
	c->after_reset = after;
	c->reset_sent = false;
	if (owed == 0 || c->offers.pipelining)
		send_reset(c);
	return CLIENT_WAIT;
}

static enum client_event
client_over(struct smtp_client *c, enum client_event event)
{
	c->t = NULL;
	client_enter(c, IN_READY);
	return event;
}

/* Replies to the greeting and EHLO. */

static void
offer_xforward(struct smtp_client *c, struct span names)
{
	static const char *const known[] = {
		"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE",
	};

	while (names.len > 0) {
		size_t end = span_find(names, ' ');
		struct span name = span_slice(names, 0, end);

		for (size_t i = 0; i < COUNT_OF(known); i++)
			if (span_equal_nocase(name, span_text(known[i])))
				c->offers.xforward |= 1u << i;
		names = span_slice(names, end < names.len ? end + 1 : end, names.len);
	}
}

static void
offer_size(struct smtp_client *c, struct span number)
{
	uint64_t v;

	c->offers.size = true;
	if (text_number(span_trim(number), UINT64_MAX, &v))
		c->offers.size_limit = v;
}

static void
offer_line(void *arg, struct span line)
{
	struct smtp_client *c = arg;
	struct client_offers *o = &c->offers;
	const struct { const char *word; bool *flag; } flags[] = {
		{ "PIPELINING", &o->pipelining }, { "CHUNKING", &o->chunking },
		{ "8BITMIME", &o->eightbit }, { "SMTPUTF8", &o->smtputf8 },
		{ "DSN", &o->dsn },
	};

	/* The first line is the server's name, whatever it looks like. */
	if (c->state != IN_EHLO || c->reader.lines <= 1)
		return;
	size_t end = span_find(line, ' ');
	struct span word = span_slice(line, 0, end);
	struct span rest = span_slice(line, end, line.len);

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (span_equal_nocase(word, span_text(flags[i].word)))
			*flags[i].flag = true;
	if (span_equal_nocase(word, SPAN_LIT("SIZE")))
		offer_size(c, rest);
	if (span_equal_nocase(word, SPAN_LIT("XFORWARD")))
		offer_xforward(c, rest);
}

static void
say_hello(struct smtp_client *c, const char *verb)
{
	buf_printf(&c->out, "%s %s\r\n", verb, c->helo_name);
}

static enum client_event
on_greeting(struct smtp_client *c, int class)
{
	if (class != 2)
		return fail_with_reply(c);
	client_enter(c, IN_EHLO);
	say_hello(c, c->lmtp ? "LHLO" : "EHLO");
	return CLIENT_WAIT;
}

static enum client_event
on_hello(struct smtp_client *c, int class)
{
	if (class == 2) {
		client_enter(c, IN_READY);
		return CLIENT_READY;
	}
	if (class != 5 || c->lmtp || c->state == IN_HELO)
		return fail_with_reply(c);
	c->offers = (struct client_offers){ 0 };
	client_enter(c, IN_HELO);
	say_hello(c, "HELO");
	return CLIENT_WAIT;
}

/* Replies to the commands of an envelope. */

/*
 * 354 with nobody to send to.  RFC 2920 section 3.1: end it with a lone dot, which the
 * server refuses.  Where the server may think that there is a recipient, an empty mail
 * could go out: then, and with LMTP, whose count of replies nobody knows, only closing
 * is safe.
 */
static enum client_event
end_empty(struct smtp_client *c)
{
	if (c->lmtp || c->stray)
		return client_fail(c, 0, "data were asked for without a recipient");
	put(c, ".\r\n");
	client_enter(c, IN_EMPTY);
	return CLIENT_WAIT;
}

static enum client_event
envelope_over(struct smtp_client *c)
{
	bool wanted = c->mail_taken && c->taken > 0;

	if (c->data_open && !wanted)
		return end_empty(c);
	if (!wanted || (!c->data_open && !c->offers.chunking))
		return client_reset(c, c->ahead ? 1 : 0, CLIENT_REFUSED);
	if (c->ahead) {
		client_enter(c, IN_FINAL);
		return CLIENT_WAIT;
	}
	client_enter(c, IN_BODY);
	return CLIENT_BODY;
}

static bool
on_mail(struct smtp_client *c, int class)
{
	c->mail_taken = class == 2;
	if (class >= 4)
		reply_to_all(c);
	return class != 3;
}

static bool
on_rcpt(struct smtp_client *c, struct client_recipient *r, int class)
{
	if (!c->mail_taken) {
		c->stray |= class == 2;
		return true;
	}
	if (class == 2) {
		r->taken = true;
		c->taken++;
	} else if (class >= 4)
		decide(r, c->reader.reply.code, reply_text(c));
	return class != 3;
}

static bool
on_data(struct smtp_client *c, int class)
{
	c->data_open = c->reader.reply.code == 354;
	if (class >= 4)
		reply_to_all(c);
	return c->data_open || class >= 4;
}

/* False where the reply makes no sense.  XFORWARD is a courtesy: its refusal is none. */
static bool
on_step(struct smtp_client *c, int class)
{
	switch (step_at(c, c->replied)) {
	case STEP_XFORWARD:
		return class != 3;
	case STEP_MAIL:
		return on_mail(c, class);
	case STEP_RCPT:
		return on_rcpt(c, rcpt_at(c, c->replied), class);
	case STEP_DATA:
		return on_data(c, class);
	}
	return false;
}

static enum client_event
on_envelope(struct smtp_client *c, int class)
{
	/* More replies than commands: the two sides do not mean the same. */
	if (c->replied == c->sent || !on_step(c, class) || c->reader.reply.code == 421)
		return fail_with_reply(c);
	c->replied++;
	send_steps(c);
	return c->replied == c->sent ? envelope_over(c) : CLIENT_WAIT;
}

/* Replies to a body. */

static enum client_event
on_chunk(struct smtp_client *c, int class)
{
	if (class >= 4)
		reply_to_all(c);
	if (class == 3 || c->reader.reply.code == 421)
		return fail_with_reply(c);
	if (class >= 4)
		return client_reset(c, 0, CLIENT_REFUSED);
	client_enter(c, IN_HELD);
	return CLIENT_HELD;
}

static void
on_final_reply(struct smtp_client *c)
{
	if (!c->lmtp) {
		reply_to_all(c);
		return;
	}
	c->final = final_next(c, c->final);
	decide(&c->t->recipients[c->final], c->reader.reply.code, reply_text(c));
}

static enum client_event
on_final(struct smtp_client *c, int class)
{
	if (class == 3)
		return fail_with_reply(c);
	on_final_reply(c);
	if (c->reader.reply.code == 421)
		return fail_with_reply(c);
	c->final = final_next(c, c->final);
	if (c->final < c->t->recipient_count)
		return CLIENT_WAIT;
	/* RFC 3030 section 2: after a BDAT that failed the state is open. */
	if (c->offers.chunking && !c->lmtp && class >= 4)
		return client_reset(c, 0, CLIENT_DONE);
	return client_over(c, CLIENT_DONE);
}

/* A refusal before the data are all there; what is left of them cannot be taken back. */
static enum client_event
on_early(struct smtp_client *c, int class)
{
	if (class >= 4)
		reply_to_all(c);
	return fail_with_reply(c);
}

static enum client_event
on_reset(struct smtp_client *c, int class)
{
	if (c->reader.reply.code == 421)
		return fail_with_reply(c);
	if (c->owed > 0) {
		if (--c->owed == 0 && !c->reset_sent)
			send_reset(c);
		return CLIENT_WAIT;
	}
	return class == 2 ? client_over(c, c->after_reset) : fail_with_reply(c);
}

static enum client_event
on_empty(struct smtp_client *c)
{
	if (c->reader.reply.code == 421)
		return fail_with_reply(c);
	return client_over(c, CLIENT_REFUSED);
}

static enum client_event
client_reply(struct smtp_client *c)
{
	int class = c->reader.reply.code / 100;

	switch (c->state) {
	case IN_GREETING:
		return on_greeting(c, class);
	case IN_EHLO:
	case IN_HELO:
		return on_hello(c, class);
	case IN_ENVELOPE:
		return on_envelope(c, class);
	case IN_EMPTY:
		return on_empty(c);
	case IN_SENDING:
		return on_early(c, class);
	case IN_CHUNK:
		return on_chunk(c, class);
	case IN_FINAL:
		return on_final(c, class);
	case IN_RESET:
		return on_reset(c, class);
	case IN_READY:
	case IN_BODY:
	case IN_HELD:
		return fail_with_reply(c);      /* nobody asked */
	case IN_QUIT:
		return CLIENT_WAIT;
	case IN_FAILED:
	case CLIENT_STATES:
		break;
	}
	return CLIENT_FAILED;
}

enum client_event
smtp_client_feed(struct smtp_client *c, struct span in, size_t *used)
{
	enum client_event event = CLIENT_WAIT;
	struct error err;
	size_t n;

	*used = 0;
	while (*used < in.len && event == CLIENT_WAIT && c->state != IN_FAILED) {
		enum status st = reply_read(&c->reader, span_slice(in, *used, in.len), &n,
		    &err);

		*used += n;
		if (st == ST_PERM)
			event = client_fail(c, 0, err.text);
		else if (st == ST_OK)
			event = client_reply(c);
	}
	if (c->state != IN_FAILED)
		return event;
	*used = in.len;
	return CLIENT_FAILED;
}

/* What the driver asks for. */

/* Bytes that would be a second parameter, or a second command. */
static bool
is_sendable(struct span s, uint8_t least)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < least || s.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool
envelope_is_sendable(const struct client_transaction *t)
{
	const struct envelope *e = t->envelope;

	if (!is_sendable(e->sender, ' ') || !is_sendable(e->envid, '!'))
		return false;
	for (size_t i = 0; i < t->recipient_count; i++) {
		const struct recipient *r = &e->recipients[t->recipients[i].index];

		if (!is_sendable(r->address, ' ') || !is_sendable(r->orcpt, '!'))
			return false;
	}
	return true;
}

/* What need not be asked: true if it is refused. */
static bool
refuse_locally(struct smtp_client *c)
{
	const struct client_transaction *t = c->t;
	uint64_t limit = c->offers.size_limit;
	bool address = needs_utf8_address(t);

	c->utf8 = address || t->smtputf8;
	if (!envelope_is_sendable(t))
		decide_all(c, 553, SPAN_LIT("5.1.3 Address with control characters"));
	else if (!c->offers.smtputf8 && address)
		decide_all(c, 550,
		    SPAN_LIT("5.6.7 Next hop takes no address outside ASCII"));
	else if (!c->offers.smtputf8 && c->utf8)
		decide_all(c, 554,
		    SPAN_LIT("5.6.9 Next hop takes no header outside ASCII"));
	else if (c->offers.size && limit > 0 && t->size > limit)
		decide_all(c, 552, span_text(arena_printf(t->arena,
		    "5.3.4 Message of %llu bytes is over the next hop's limit of %llu",
		    (unsigned long long)t->size, (unsigned long long)limit)));
	else
		return false;
	return true;
}

enum client_event
smtp_client_begin(struct smtp_client *c, struct client_transaction *t)
{
	if (c->state == IN_FAILED)
		return CLIENT_FAILED;
	assert(c->state == IN_READY && t->recipient_count > 0);
	c->t = t;
	c->mail_taken = c->stray = c->data_open = c->ahead = false;
	c->sent = c->replied = c->taken = c->final = 0;
	for (size_t i = 0; i < t->recipient_count; i++) {
		decide(&t->recipients[i], 0, SPAN_NONE);
		t->recipients[i].taken = false;
	}
	if (refuse_locally(c)) {
		c->t = NULL;
		return CLIENT_REFUSED;
	}
	c->xforward_lines = 0;
	if (t->xforward.given && c->offers.xforward != 0)
		xforward_lines(c);
	client_enter(c, IN_ENVELOPE);
	send_steps(c);
	return CLIENT_WAIT;
}

void
smtp_client_send_body(struct smtp_client *c, uint64_t bytes, bool last)
{
	if (c->state == IN_FAILED)
		return;
	client_enter(c, IN_SENDING);
	c->last = last;
	if (c->offers.chunking)
		buf_printf(&c->out, "BDAT %llu%s\r\n", (unsigned long long)bytes,
		    last ? " LAST" : "");
}

bool
smtp_client_may_send_ahead(const struct smtp_client *c)
{
	return c->state == IN_ENVELOPE && c->replied == 0 && c->offers.pipelining &&
	    c->offers.chunking && !c->lmtp && c->t->recipient_count == 1;
}

void
smtp_client_send_ahead(struct smtp_client *c, uint64_t bytes)
{
	assert(smtp_client_may_send_ahead(c));
	c->ahead = c->last = true;
	buf_printf(&c->out, "BDAT %llu LAST\r\n", (unsigned long long)bytes);
}

enum client_event
smtp_client_body_sent(struct smtp_client *c)
{
	if (c->state == IN_FAILED)
		return CLIENT_FAILED;
	if (c->ahead)
		return CLIENT_WAIT;
	if (c->last) {
		client_enter(c, IN_FINAL);
		if (!c->offers.chunking)
			put(c, ".\r\n");
		return CLIENT_WAIT;
	}
	client_enter(c, c->offers.chunking ? IN_CHUNK : IN_HELD);
	return c->offers.chunking ? CLIENT_WAIT : CLIENT_HELD;
}

void
smtp_client_commit(struct smtp_client *c)
{
	if (c->state == IN_FAILED)
		return;
	client_enter(c, IN_FINAL);
	put(c, c->offers.chunking ? "BDAT 0 LAST\r\n" : ".\r\n");
}

/* DATA that is on its way, or answered by 354, can only be ended by a mail. */
static bool
data_is_open(const struct smtp_client *c)
{
	if (c->offers.chunking)
		return false;
	return c->state != IN_ENVELOPE || c->sent == step_count(c);
}

bool
smtp_client_abort(struct smtp_client *c)
{
	enum client_state state = c->state;

	if (state == IN_READY || state == IN_RESET)
		c->after_reset = CLIENT_READY;
	else if (state != IN_ENVELOPE && state != IN_BODY && state != IN_CHUNK &&
	    state != IN_HELD)
		return false;
	else if (data_is_open(c))
		return false;
	else if (c->ahead)
		return false;           /* the end mark is on its way */
	else
		client_reset(c, state == IN_ENVELOPE ? c->sent - c->replied :
		    state == IN_CHUNK ? 1 : 0, CLIENT_READY);
	c->t = NULL;
	return true;
}

void
smtp_client_quit(struct smtp_client *c)
{
	if (c->state == IN_FAILED || c->state == IN_QUIT)
		return;
	c->t = NULL;
	client_enter(c, IN_QUIT);
	put(c, "QUIT\r\n");
}

enum client_event
smtp_client_lost(struct smtp_client *c, const char *why)
{
	return client_fail(c, 0, why);
}

struct smtp_client *
smtp_client_create(const char *helo_name, bool lmtp)
{
	struct smtp_client *c = must_alloc(sizeof *c);

	c->helo_name = must_alloc(strlen(helo_name) + 1);
	memcpy(c->helo_name, helo_name, strlen(helo_name));
	c->lmtp = lmtp;
	c->reader.on_line = offer_line;
	c->reader.on_line_arg = c;
	return c;
}

void
smtp_client_destroy(struct smtp_client **client)
{
	struct smtp_client *c = *client;

	if (c == NULL)
		return;
	buf_free(&c->out);
	buf_free(&c->xforward);
	free(c->helo_name);
	free(c);
	*client = NULL;
}

/* What the driver wants to know. */

struct buf *
smtp_client_output(struct smtp_client *c)
{
	return &c->out;
}

const struct client_offers *
smtp_client_offers(const struct smtp_client *c)
{
	return &c->offers;
}

bool
smtp_client_uses_chunks(const struct smtp_client *c)
{
	return c->offers.chunking;
}

bool
smtp_client_is_idle(const struct smtp_client *c)
{
	return c->state == IN_READY;
}

bool
smtp_client_may_be_reused(const struct smtp_client *c)
{
	return smtp_client_is_idle(c) && c->reader.line_len == 0 && c->reader.lines == 0;
}

static const char *
doing_envelope(const struct smtp_client *c)
{
	static const char *const doing[] = {
		[STEP_XFORWARD] = "sending XFORWARD", [STEP_MAIL] = "sending MAIL FROM",
		[STEP_RCPT] = "sending RCPT TO", [STEP_DATA] = "sending DATA",
	};

	return doing[step_at(c, c->replied)];
}

const char *
smtp_client_doing(const struct smtp_client *c)
{
	static const char *const doing[CLIENT_STATES] = {
		[IN_GREETING] = "waiting for the greeting",
		[IN_HELO] = "sending HELO",
		[IN_READY] = "idle",
		[IN_EMPTY] = "ending data without a recipient",
		[IN_BODY] = "about to send the message",
		[IN_SENDING] = "sending the message",
		[IN_CHUNK] = "waiting for the reply to BDAT",
		[IN_HELD] = "holding back the end of data",
		[IN_FINAL] = "waiting for the reply to end of data",
		[IN_RESET] = "sending RSET",
		[IN_QUIT] = "sending QUIT",
		[IN_FAILED] = "closing",
	};

	if (c->state == IN_EHLO)
		return c->lmtp ? "sending LHLO" : "sending EHLO";
	return c->state == IN_ENVELOPE ? doing_envelope(c) : doing[c->state];
}

const char *
smtp_client_failure(const struct smtp_client *c)
{
	return c->failure;
}

bool
smtp_client_in_doubt(const struct smtp_client *c)
{
	return c->in_doubt;
}

enum client_patience
smtp_client_patience(const struct smtp_client *c)
{
	switch (c->state) {
	case IN_EMPTY:
	case IN_FINAL:
		return PATIENCE_END;
	case IN_BODY:
	case IN_SENDING:
	case IN_CHUNK:
	case IN_HELD:
		return PATIENCE_DATA;
	case IN_ENVELOPE:
		return step_at(c, c->replied) == STEP_DATA ? PATIENCE_DATA :
		    PATIENCE_COMMAND;
	case IN_GREETING:
	case IN_EHLO:
	case IN_HELO:
	case IN_READY:
	case IN_RESET:
	case IN_QUIT:
	case IN_FAILED:
	case CLIENT_STATES:
		break;
	}
	return PATIENCE_COMMAND;
}
