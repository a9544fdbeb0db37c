/*
 * server_data.c - DATA and BDAT on their way to the driver's sink, and what they end in.
 *
 *     DATA:  wire -> dot -> newline -> gather -> sink
 *     BDAT:  wire --------> newline -> gather -> sink
 *
 * A failure does not stop the reading, since the client hears of it at the end only.
 */
#include "lib/smtp/server_private.h"
#include "lib/base/text.h"
#include <stdio.h>

#define GATHER_BYTES 4096u      /* runs between repairs are written together ...      */
#define GATHER_RUN   1024u      /* ... but a longer one goes out as it is, not copied */

/* One piece's way.  It lives as long as one call: between pieces nothing is held. */
struct gather {
	struct sink         head, tail;         /* from the dot decoder, from newline */
	struct smtp_server *server;
	size_t              len;
	uint8_t             bytes[GATHER_BYTES];
};

static void
gather_pass(struct smtp_server *s, struct span bytes)
{
	if (s->sink_status == ST_OK)
		s->sink_status = sink_write(s->sink, bytes, &s->sink_error);
}

static void
gather_flush(struct gather *g)
{
	gather_pass(g->server, (struct span){ g->bytes, g->len });
	g->len = 0;
}

static enum status
gather_write(struct sink *self, struct span s, struct error *err)
{
	struct gather *g = container_of(self, struct gather, tail);

	if (s.len > GATHER_BYTES - g->len || s.len > GATHER_RUN)
		gather_flush(g);
	if (s.len > GATHER_RUN) {
		gather_pass(g->server, s);
		return ST_OK;
	}
	memcpy(g->bytes + g->len, s.ptr, s.len);
	g->len += s.len;
	return ST_OK;
}

static enum status
gather_decoded(struct sink *self, struct span s, struct error *err)
{
	struct gather *g = container_of(self, struct gather, head);

	return newline_write(&g->server->newline, s, &g->tail, err);
}

/* Member by member: clearing the bytes would cost more than a small piece does. */
static void
gather_init(struct gather *g, struct smtp_server *s)
{
	g->head = (struct sink){ .write = gather_decoded };
	g->tail = (struct sink){ .write = gather_write };
	g->server = s;
	g->len = 0;
}

void
server_data_begin(struct smtp_server *s, bool chunked)
{
	s->sink_status = ST_OK;
	s->dot = (struct dot_decoder){ 0 };
	s->newline = (struct newline){
		.repair = s->config->repair,
		.size_limit = s->config->size_limit,
		.line_limit = s->config->line_limit,
		.data.chunked = chunked,
	};
}

#define FAILURE_BYTES 256

/* Why the data read so far is refused, in this order whatever came first; or NULL. */
static const char *
server_data_failure(struct smtp_server *s, char text[FAILURE_BYTES])
{
	if (s->newline.too_big)
		return "552 5.3.4 Message too big";
	if (newline_refuses(&s->newline))
		return s->newline.too_long ? "554 5.6.0 Line too long" :
		    "550 5.5.2 Lines must end in CR LF";
	if (s->sink_status == ST_OK)
		return NULL;
	snprintf(text, FAILURE_BYTES, "%s %s",
	    s->sink_status == ST_PERM ? "554 5.6.0" : "452 4.3.1", s->sink_error.text);
	return text;
}

static size_t
server_final_replies(const struct smtp_server *s)
{
	return s->lmtp ? s->envelope.recipient_count : 1;
}

/* The message is whole; the sink may still fail to keep it. */
static void
server_data_done(struct smtp_server *s)
{
	char text[FAILURE_BYTES];
	const char *failure = server_data_failure(s, text);

	if (failure == NULL) {
		s->sink_status = sink_finish(s->sink, &s->sink_error);
		failure = server_data_failure(s, text);
	}
	if (failure == NULL) {
		s->replies_due = server_final_replies(s);
		s->owed = OWED_REPLIES;
		s->event = SERVER_MESSAGE;
		server_enter(s, SERVER_WAITING);
		return;
	}
	for (size_t i = 0; i < server_final_replies(s); i++)
		server_reply(s, failure);
	server_abort(s);
}

size_t
server_data_feed(struct smtp_server *s, struct span in)
{
	struct gather g;
	struct error err;
	size_t used;

	gather_init(&g, s);
	enum status st = dot_decode(&s->dot, in, &used, &g.head, &err);

	if (st == ST_OK)
		newline_finish(&s->newline, &g.tail, &err);
	gather_flush(&g);
	if (st == ST_OK)
		server_data_done(s);
	return used;
}

void
server_chunk_refuse(struct smtp_server *s, const char *refusal, bool fails)
{
	s->chunk.refusal = refusal;
	s->chunk.fails = fails;
}

/* With LMTP the last chunk is answered once a recipient, be it for a transaction that
   has failed before; and with none, not at all (RFC 2033 section 4.3). */
static void
server_chunk_refused(struct smtp_server *s)
{
	const char *refusal = s->chunk.refusal;
	bool whole = s->lmtp && s->chunk.last;
	size_t n = server_in_transaction(s) ? s->envelope.recipient_count :
	    s->lost_replies;

	if (!whole)
		server_refuse_command(s, refusal);
	for (size_t i = 0; whole && i < n && s->state != SERVER_CLOSED; i++)
		server_reply(s, refusal);
	if (!s->chunk.fails || s->state == SERVER_CLOSED)
		return;
	if (!s->chunk.last) {
		server_forget_loss(s);
		s->lost = must_alloc(strlen(refusal) + 1);
		memcpy(s->lost, refusal, strlen(refusal));
		s->lost_replies = n;
	}
	server_abort(s);
}

static void
server_chunk_done(struct smtp_server *s)
{
	char text[FAILURE_BYTES];

	s->chunk.open = false;
	if (s->chunk.refusal == NULL && s->chunk.last) {
		server_data_done(s);
		return;
	}
	if (s->chunk.refusal == NULL)
		server_chunk_refuse(s, server_data_failure(s, text), true);
	if (s->chunk.refusal != NULL)
		server_chunk_refused(s);
	else
		server_reply(s, "250 2.0.0 Chunk received");
}

size_t
server_chunk_feed(struct smtp_server *s, struct span in)
{
	size_t n = in.len < s->chunk.left ? in.len : (size_t)s->chunk.left;
	struct gather g;
	struct error err;

	s->chunk.left -= n;
	if (s->chunk.refusal == NULL) {
		gather_init(&g, s);
		newline_write(&s->newline, span_slice(in, 0, n), &g.tail, &err);
		if (s->chunk.left == 0 && s->chunk.last)
			newline_finish(&s->newline, &g.tail, &err);
		gather_flush(&g);
	}
	if (s->chunk.left == 0)
		server_chunk_done(s);
	return n;
}
