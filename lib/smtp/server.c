/*
 * server.c - a session's life: states, replies, the driver's answers, the feed loop.
 *
 * What follows from a byte is put down in s->event, s->owed and s->abort_due; the loop
 * goes on as long as none of them says that the driver has its turn.
 */
#include "lib/smtp/server_private.h"
#include "lib/base/text.h"
#include "lib/smtp/xforward.h"
#include <assert.h>

#define REPLY_BYTES   512       /* with CR LF (RFC 5321 section 4.5.3.1.5) */
#define COMMAND_BYTES 4096      /* where the settings say no limit */

#define IN(state) (1u << (state))

/* The arrows of the diagram in server.h; anything else is our bug. */
static const unsigned leads_to[SERVER_STATES] = {
	[SERVER_START]     = IN(SERVER_READY) | IN(SERVER_CLOSED),
	[SERVER_READY]     = IN(SERVER_READY) | IN(SERVER_IN_MAIL) | IN(SERVER_CLOSED),
	[SERVER_IN_MAIL]   = IN(SERVER_IN_RCPT) | IN(SERVER_READY) | IN(SERVER_CLOSED),
	[SERVER_IN_RCPT]   = IN(SERVER_IN_RCPT) | IN(SERVER_IN_DATA) |
	    IN(SERVER_IN_CHUNKS) | IN(SERVER_READY) | IN(SERVER_CLOSED),
	[SERVER_IN_DATA]   = IN(SERVER_WAITING) | IN(SERVER_READY) | IN(SERVER_CLOSED),
	[SERVER_IN_CHUNKS] = IN(SERVER_WAITING) | IN(SERVER_READY) | IN(SERVER_CLOSED),
	[SERVER_WAITING]   = IN(SERVER_READY) | IN(SERVER_CLOSED),
};

void
server_enter(struct smtp_server *s, enum server_state next)
{
	assert(leads_to[s->state] & IN(next));
	s->state = next;
}

/* One line, escaped and not too long. */
/* Backslashes stay: a next hop's reply within was escaped when it was read. */
static void
server_text(struct buf *out, struct span text)
{
	while (text.len > 0) {
		size_t n = span_find(text, '\\');

		text_escape(out, span_slice(text, 0, n), REPLY_BYTES, false);
		if (n < text.len)
			buf_byte(out, text.ptr[n++]);
		text = span_slice(text, n, text.len);
	}
}

static void
server_line(struct smtp_server *s, const char *reply)
{
	size_t before = buf_len(&s->out), most = before + REPLY_BYTES - 2;
	struct span text = span_text(reply);

	server_text(&s->out, text.len > REPLY_BYTES ? span_slice(text, 0, REPLY_BYTES) : text);
	if (buf_len(&s->out) > most)
		s->out.to = s->out.from + most;
	buf_add(&s->out, SPAN_LIT("\r\n"));
}

void
server_close(struct smtp_server *s)
{
	if (s->state == SERVER_CLOSED)
		return;
	s->abort_due |= server_in_transaction(s);
	s->owed = OWED_NOTHING;
	server_enter(s, SERVER_CLOSED);
}

void
server_reply(struct smtp_server *s, const char *reply)
{
	server_line(s, reply);
	if (strncmp(reply, "421", 3) == 0)
		server_close(s);
}

bool
server_count_error(struct smtp_server *s)
{
	uint64_t limit = s->config->error_limit;

	if (limit == 0 || ++s->errors <= limit)
		return false;
	server_reply(s, "421 4.7.0 Too many errors");
	return true;
}

void
server_refuse_command(struct smtp_server *s, const char *reply)
{
	if (reply[0] != '5' || !server_count_error(s))
		server_reply(s, reply);
}

void
server_reset(struct smtp_server *s)
{
	arena_free(&s->arena);
	s->envelope = (struct envelope){ 0 };
	s->newline = (struct newline){ 0 };
	s->spare = NULL;
	s->spare_bytes = 0;
	s->sink = NULL;
	s->reset_due = false;
}

void
server_keep_xforward(struct smtp_server *s)
{
	struct xforward x = s->envelope.xforward;
	struct arena fresh = { 0 };

	xforward_copy(&x, &fresh);
	server_reset(s);
	s->arena = fresh;
	s->envelope.xforward = x;
}

void
server_forget_loss(struct smtp_server *s)
{
	free(s->lost);
	s->lost = NULL;
	s->lost_replies = 0;
}

void
server_abort(struct smtp_server *s)
{
	if (!server_in_transaction(s))
		return;
	s->abort_due = true;
	server_enter(s, SERVER_READY);
}

struct smtp_server *
smtp_server_create(const struct smtp_server_config *config)
{
	struct smtp_server *s = must_alloc(sizeof *s);

	s->config = config;
	s->lmtp = config->protocol == SERVER_LMTP;
	buf_printf(&s->out, "220 %s %s\r\n", config->hostname,
	    s->lmtp ? "LMTP" : "ESMTP");
	return s;
}

void
smtp_server_destroy(struct smtp_server **s)
{
	if (*s == NULL)
		return;
	arena_free(&(*s)->arena);
	buf_free(&(*s)->line);
	buf_free(&(*s)->out);
	free((*s)->helo);
	free((*s)->lost);
	free(*s);
	*s = NULL;
}

void
smtp_server_configure(struct smtp_server *s, const struct smtp_server_config *config)
{
	s->config = config;
}

/* More of a command line that has not ended yet. */
static void
server_hold(struct smtp_server *s, struct span in)
{
	uint64_t limit = s->config->command_limit;

	/* Its LF is still to come, and counts. */
	s->overlong |= buf_len(&s->line) + in.len >= (limit > 0 ? limit : COMMAND_BYTES);
	if (s->overlong)
		buf_free(&s->line);
	else
		buf_add(&s->line, in);
}

/* Up to the next LF, bare or not: nothing but commands is read like this. */
static size_t
server_line_feed(struct smtp_server *s, struct span in)
{
	size_t end = span_find(in, '\n');

	server_hold(s, span_slice(in, 0, end));
	if (end == in.len)
		return end;
	struct span line = buf_span(&s->line);

	if (s->overlong)
		server_refuse_command(s, "500 5.5.2 Line too long");
	else
		server_run_line(s, line.len > 0 && line.ptr[line.len - 1] == '\r' ?
		    span_slice(line, 0, line.len - 1) : line);
	s->overlong = false;
	buf_take(&s->line, buf_len(&s->line));
	return end + 1;
}

/* Go on?  An empty chunk is over without a byte. */
static bool
server_wants(const struct smtp_server *s, struct span in)
{
	bool empty_chunk = s->chunk.open && s->chunk.left == 0;

	return s->event == SERVER_WAIT && s->owed == OWED_NOTHING && !s->abort_due &&
	    s->state != SERVER_CLOSED && (in.len > 0 || empty_chunk);
}

static size_t
server_step(struct smtp_server *s, struct span in)
{
	if (s->chunk.open)
		return server_chunk_feed(s, in);
	if (s->state == SERVER_IN_DATA)
		return server_data_feed(s, in);
	return server_line_feed(s, in);
}

enum server_event
smtp_server_feed(struct smtp_server *s, struct span in, size_t *used)
{
	*used = 0;
	if (s->reset_due)
		server_reset(s);
	s->event = SERVER_WAIT;
	while (server_wants(s, span_slice(in, *used, in.len)))
		*used += server_step(s, span_slice(in, *used, in.len));
	if (buf_len(&s->line) == 0)
		buf_free(&s->line);
	if (s->event != SERVER_WAIT || s->owed != OWED_NOTHING)
		return s->event;
	if (s->abort_due) {
		s->abort_due = false;
		s->reset_due = true;
		return SERVER_ABORT;
	}
	return s->state == SERVER_CLOSED ? SERVER_CLOSE : SERVER_WAIT;
}

void
smtp_server_go(struct smtp_server *s)
{
	enum owed owed = s->owed;

	assert(owed == OWED_MAIL || owed == OWED_RCPT || s->state == SERVER_CLOSED);
	s->owed = OWED_NOTHING;
	if (owed == OWED_MAIL)
		server_reply(s, "250 2.1.0 Ok");
	if (owed != OWED_RCPT)
		return;
	s->spare = NULL;
	s->spare_bytes = 0;
	server_enter(s, SERVER_IN_RCPT);
	server_reply(s, "250 2.1.5 Ok");
}

/* The transaction has not begun, or goes on without this recipient, or ends. */
void
smtp_server_refuse(struct smtp_server *s, const char *reply)
{
	enum owed owed = s->owed;

	s->owed = OWED_NOTHING;
	switch (owed) {
	case OWED_NOTHING:
	case OWED_REPLIES:
		assert(s->state == SERVER_CLOSED);
		return;
	case OWED_MAIL:
		server_enter(s, SERVER_READY);
		server_refuse_command(s, reply);        /* it may stand in the arena */
		server_keep_xforward(s);
		return;
	case OWED_RCPT:
		s->envelope.recipient_count--;
		break;
	case OWED_BODY:
		if (s->chunk.open) {
			reply = arena_text(&s->arena, span_text(reply));
			server_chunk_refuse(s, reply, true);
			return;
		}
		server_abort(s);
		break;
	}
	server_refuse_command(s, reply);
}

void
smtp_server_collect(struct smtp_server *s, struct sink *sink)
{
	if (s->state == SERVER_CLOSED)
		return;
	assert(s->owed == OWED_BODY);
	s->owed = OWED_NOTHING;
	s->sink = sink;
	server_data_begin(s, s->chunk.open);
	server_enter(s, s->chunk.open ? SERVER_IN_CHUNKS : SERVER_IN_DATA);
	if (!s->chunk.open)
		server_reply(s, "354 End data with <CR><LF>.<CR><LF>");
}

void
smtp_server_answer(struct smtp_server *s, const char *reply)
{
	if (s->state == SERVER_CLOSED)
		return;
	assert(s->owed == OWED_REPLIES);
	if (reply[0] == '2')
		s->errors = s->junk = 0;
	s->replies_due--;
	if (s->replies_due > 0 && strncmp(reply, "421", 3) != 0) {
		server_reply(s, reply);
		return;
	}
	s->owed = OWED_NOTHING;
	server_enter(s, SERVER_READY);
	server_reply(s, reply);
	if (s->replies_due == 0)
		server_reset(s);
	else
		s->reset_due = true;    /* other answers may still stand in the arena */
}

void
smtp_server_hangup(struct smtp_server *s, const char *reply)
{
	if (s->state == SERVER_CLOSED)
		return;
	server_line(s, reply);
	server_close(s);
}

struct buf *
smtp_server_output(struct smtp_server *s)
{
	if (buf_len(&s->out) == 0)
		buf_free(&s->out);
	return &s->out;
}

enum server_state
smtp_server_state(const struct smtp_server *s)
{
	return s->state;
}

bool
smtp_server_is_lmtp(const struct smtp_server *s)
{
	return s->lmtp;
}

bool
smtp_server_is_idle(const struct smtp_server *s)
{
	return (s->state == SERVER_START || s->state == SERVER_READY) && !s->abort_due &&
	    !s->chunk.open && !s->overlong && buf_len(&s->line) == 0;
}

const char *
smtp_server_doing(const struct smtp_server *s)
{
	static const char *const doing[SERVER_STATES] = {
		[SERVER_START]     = "waiting for EHLO",
		[SERVER_READY]     = "waiting for MAIL",
		[SERVER_IN_MAIL]   = "waiting for RCPT",
		[SERVER_IN_RCPT]   = "waiting for RCPT or DATA",
		[SERVER_IN_DATA]   = "receiving DATA",
		[SERVER_IN_CHUNKS] = "waiting for BDAT",
		[SERVER_WAITING]   = "judging the message",
		[SERVER_CLOSED]    = "closing",
	};

	if (s->chunk.open && s->state != SERVER_CLOSED)
		return "receiving BDAT";
	return doing[s->state];
}

struct envelope *
smtp_server_envelope(struct smtp_server *s)
{
	return &s->envelope;
}

struct arena *
smtp_server_arena(struct smtp_server *s)
{
	return &s->arena;
}

struct span
smtp_server_helo(const struct smtp_server *s)
{
	return s->helo != NULL ? span_text(s->helo) : SPAN_NONE;
}

const char *
smtp_server_with(const struct smtp_server *s)
{
	if (s->envelope.smtputf8)
		return s->lmtp ? "UTF8LMTP" : "UTF8SMTP";
	return s->lmtp ? "LMTP" : s->extended ? "ESMTP" : "SMTP";
}

const struct smtp_data *
smtp_server_data(const struct smtp_server *s)
{
	return &s->newline.data;
}

size_t
smtp_server_memory(const struct smtp_server *s)
{
	return sizeof *s + s->line.cap + s->out.cap + s->arena.total +
	    (s->helo != NULL ? strlen(s->helo) + 1 : 0) +
	    (s->lost != NULL ? strlen(s->lost) + 1 : 0);
}
