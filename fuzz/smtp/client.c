/*
 * client.c - whatever a server says, the client keeps its promises, at every cut.
 *
 * First byte: LMTP, held body, number of recipients; second: the size of the pieces.  The
 * rest comes from the server.  The driver answers each event as a real one would.
 */
#include "lib/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define RECIPIENTS 4u

struct session {
	struct smtp_client       *c;
	struct arena              arena;
	struct recipient          addresses[RECIPIENTS];
	struct client_recipient   recipients[RECIPIENTS];
	struct envelope           envelope;
	struct client_transaction t;
	struct buf                said;         /* all that the client sent, and events */
	bool                      hold, open;
	unsigned                  transactions;
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_decided(struct session *s, enum client_event e)
{
	for (size_t i = 0; i < s->t.recipient_count; i++) {
		const struct client_recipient *r = &s->recipients[i];

		must(r->code == 0 || (r->code >= 200 && r->code < 600));
		must(r->code != 0 || r->text.len == 0);
		/* Success is said by the end of data, never by RCPT alone. */
		must(e != CLIENT_REFUSED || r->code >= 400);
		must(e != CLIENT_DONE || r->code >= 400 || (r->taken && r->code >= 200));
		must(e != CLIENT_BODY || (r->code == 0) == r->taken);
		buf_printf(&s->said, "{%d %d}", r->code, r->taken);
		buf_add(&s->said, r->text);
	}
}

static void
check_lines(const struct session *s, size_t from)
{
	struct span out = buf_span(&s->said);

	for (size_t i = from; i < out.len; i++)
		must(out.ptr[i] != '\n' || (i > from && out.ptr[i - 1] == '\r'));
}

static void
flush(struct session *s)
{
	size_t from = buf_len(&s->said);

	buf_add(&s->said, buf_span(smtp_client_output(s->c)));
	buf_take(smtp_client_output(s->c), buf_len(smtp_client_output(s->c)));
	check_lines(s, from);
}

static enum client_event
answer(struct session *s, enum client_event e)
{
	switch (e) {
	case CLIENT_READY:
	case CLIENT_DONE:
	case CLIENT_REFUSED:
		must(smtp_client_is_idle(s->c));
		if (s->transactions++ > 3)
			return CLIENT_WAIT;
		s->open = true;
		return smtp_client_begin(s->c, &s->t);
	case CLIENT_BODY:
		smtp_client_send_body(s->c, 5, !s->hold);
		return smtp_client_body_sent(s->c);
	case CLIENT_HELD:
		must(s->hold);
		smtp_client_commit(s->c);
		return CLIENT_WAIT;
	case CLIENT_FAILED:
		must(smtp_client_failure(s->c)[0] != '\0' && !smtp_client_is_idle(s->c));
		return CLIENT_WAIT;
	case CLIENT_WAIT:
		break;
	}
	return CLIENT_WAIT;
}

static void
handle(struct session *s, enum client_event e)
{
	flush(s);
	while (e != CLIENT_WAIT) {
		buf_printf(&s->said, "<%d %s>", (int)e, smtp_client_doing(s->c));
		if (s->open)
			check_decided(s, e);
		if (e == CLIENT_DONE || e == CLIENT_REFUSED)
			s->open = false;
		e = answer(s, e);
		flush(s);
	}
}

static void
set_up(struct session *s, uint8_t how)
{
	static const char *const names[] = { "a@b", "c@d", "\"e f\"@g", "h@i" };

	*s = (struct session){ .hold = (how & 2) != 0 };
	s->c = smtp_client_create("me", how & 1);
	for (size_t i = 0; i < RECIPIENTS; i++) {
		s->addresses[i] = (struct recipient){ .address = span_text(names[i]) };
		s->recipients[i].index = i;
	}
	s->envelope = (struct envelope){ .sender = SPAN_LIT("s@t"), .body = BODY_8BITMIME,
	    .recipients = s->addresses, .recipient_count = RECIPIENTS };
	s->t = (struct client_transaction){ .envelope = &s->envelope,
	    .recipients = s->recipients, .recipient_count = 1u + how / 4 % RECIPIENTS,
	    .size = 5, .smtputf8 = how >= 128, .arena = &s->arena,
	    .xforward = { .given = true, .name = SPAN_LIT("n"), .addr = SPAN_LIT("::1") } };
}

static void
run(struct session *s, uint8_t how, struct span in, size_t step)
{
	enum client_event e = CLIENT_WAIT;
	size_t used;

	set_up(s, how);
	for (size_t from = 0, to = 0; to < in.len && e != CLIENT_FAILED;) {
		to = in.len - to < step ? in.len : to + step;
		for (; from < to && e != CLIENT_FAILED; from += used) {
			e = smtp_client_feed(s->c, span_slice(in, from, to), &used);
			must(used > 0 && used <= to - from);
			handle(s, e);
		}
	}
	handle(s, smtp_client_lost(s->c, "closed"));
	buf_printf(&s->said, "%s %d", smtp_client_failure(s->c), smtp_client_in_doubt(s->c));
}

static void
tear_down(struct session *s)
{
	smtp_client_destroy(&s->c);
	buf_free(&s->said);
	arena_free(&s->arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct session a, b;

	if (n < 3)
		return 0;
	run(&a, p[0], (struct span){ p + 2, n - 2 }, n);
	run(&b, p[0], (struct span){ p + 2, n - 2 }, 1u + p[1] % 17u);
	must(span_equal(buf_span(&a.said), buf_span(&b.said)));
	tear_down(&a);
	tear_down(&b);
	return 0;
}
