/*
 * talk.h - a driver of the server core in memory, for tests and fuzz targets.
 *
 * It answers at once, by the addresses: refuse@ is refused, stop@ is answered 421, a
 * sender nobody@ may not send a body, late@ is refused as an LMTP recipient at the end.
 * What happened is written into `log`, what was said into `out`.
 */
#ifndef TESTS_UNIT_SMTP_TALK_H
#define TESTS_UNIT_SMTP_TALK_H
#include "lib/smtp/server.h"
#include "tests/unit/smtp/memsink.h"

struct talk {
	struct smtp_server *server;
	struct memsink      sink;
	struct buf          log, out;
	size_t              flushes;    /* times feed said WAIT with something to send */
	bool                closed;
	bool                open;       /* MAIL without its end */
};

static inline bool
talk_is(struct span address, const char *local)
{
	return span_starts_nocase(address, span_text(local));
}

static void
talk_log(struct talk *t, const char *what, struct span arg, char open, char close)
{
	buf_printf(&t->log, "%s%c", what, open);
	buf_add(&t->log, arg);
	buf_printf(&t->log, "%c ", close);
}

static void
talk_mail(struct talk *t)
{
	struct span sender = smtp_server_envelope(t->server)->sender;

	talk_log(t, "mail", sender, '(', ')');
	if (t->open)
		abort();
	if (talk_is(sender, "refuse@"))
		smtp_server_refuse(t->server, "550 5.7.1 No sender");
	else if (talk_is(sender, "stop@"))
		smtp_server_refuse(t->server, "421 4.3.2 Stop");
	else {
		t->open = true;
		smtp_server_go(t->server);
	}
}

static void
talk_rcpt(struct talk *t)
{
	struct envelope *e = smtp_server_envelope(t->server);
	struct span address = e->recipients[e->recipient_count - 1].address;

	talk_log(t, "rcpt", address, '(', ')');
	if (talk_is(address, "refuse@"))
		smtp_server_refuse(t->server, "550 5.1.1 No recipient");
	else if (talk_is(address, "stop@"))
		smtp_server_refuse(t->server, "421 4.3.2 Stop");
	else
		smtp_server_go(t->server);
}

static void
talk_body(struct talk *t)
{
	buf_printf(&t->log, "body ");
	buf_take(&t->sink.bytes, buf_len(&t->sink.bytes));
	t->sink.finished = 0;
	if (talk_is(smtp_server_envelope(t->server)->sender, "nobody@"))
		smtp_server_refuse(t->server, "554 5.7.1 No body");
	else
		smtp_server_collect(t->server, &t->sink.sink);
}

static void
talk_message(struct talk *t)
{
	struct envelope *e = smtp_server_envelope(t->server);
	const struct smtp_data *d = smtp_server_data(t->server);
	size_t n = smtp_server_is_lmtp(t->server) ? e->recipient_count : 1;

	talk_log(t, d->chunked ? "chunks" : "message", buf_span(&t->sink.bytes), '{',
	    '}');
	if (d->bare_cr + d->bare_lf > 0)
		buf_printf(&t->log, "bare(%u,%u) ", d->bare_cr, d->bare_lf);
	for (size_t i = 0; i < d->dotted_count && i < DOT_KEPT; i++)
		buf_printf(&t->log, "dot(%u) ", (unsigned)d->dotted[i]);
	if (d->size != buf_len(&t->sink.bytes) || t->sink.finished != 1 || !t->open)
		abort();
	t->open = false;
	for (size_t i = 0; i < n; i++)
		smtp_server_answer(t->server, n == e->recipient_count &&
		    smtp_server_is_lmtp(
		    t->server) && talk_is(e->recipients[i].address, "late@") ?
		    "550 5.7.1 Too late" : "250 2.0.0 Taken");
}

static void
talk_event(struct talk *t, enum server_event e)
{
	switch (e) {
	case SERVER_WAIT:
		break;
	case SERVER_MAIL:
		talk_mail(t);
		break;
	case SERVER_RCPT:
		talk_rcpt(t);
		break;
	case SERVER_BODY:
		talk_body(t);
		break;
	case SERVER_MESSAGE:
		talk_message(t);
		break;
	case SERVER_ABORT:
		buf_printf(&t->log, "abort ");
		if (!t->open)
			abort();
		t->open = false;
		break;
	case SERVER_CLOSE:
		buf_printf(&t->log, "close ");
		t->closed = true;
		break;
	}
}

/* All of `in`, up to WAIT or CLOSE; then what is queued is sent. */
static void
talk_feed(struct talk *t, struct span in)
{
	enum server_event e = SERVER_MAIL;
	size_t used;

	while (e != SERVER_WAIT && e != SERVER_CLOSE) {
		e = smtp_server_feed(t->server, in, &used);
		if (used > in.len || (e == SERVER_WAIT && used < in.len))
			abort();
		in = span_slice(in, used, in.len);
		talk_event(t, e);
	}
	struct buf *out = smtp_server_output(t->server);

	t->flushes += buf_len(out) > 0;
	buf_add(&t->out, buf_span(out));
	buf_take(out, buf_len(out));
}

/* In pieces of `step` bytes, on the heap and exactly as long (for the sanitizer). */
static void
talk_feed_steps(struct talk *t, struct span in, size_t step)
{
	for (size_t i = 0; i < in.len && !t->closed; i += step) {
		size_t n = in.len - i < step ? in.len - i : step;
		uint8_t *piece = must_alloc(n);

		memcpy(piece, in.ptr + i, n);
		talk_feed(t, (struct span){ piece, n });
		free(piece);
	}
}

static struct talk
talk_begin(const struct smtp_server_config *config)
{
	struct talk t = { .sink = memsink() };

	t.server = smtp_server_create(config);
	return t;
}

static void
talk_end(struct talk *t)
{
	smtp_server_destroy(&t->server);
	buf_free(&t->sink.bytes);
	buf_free(&t->log);
	buf_free(&t->out);
}
#endif
