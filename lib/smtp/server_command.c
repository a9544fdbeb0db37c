/*
 * server_command.c - the commands of a session, as rows of a table.
 */
#include "lib/smtp/server_private.h"
#include "lib/smtp/command.h"
#include "lib/smtp/xforward.h"
#include <inttypes.h>

#define IN(state)  (1u << (state))
#define ANY        (~0u)
#define RECIPIENTS 8    /* room made for the first ones */

static void
server_set_helo(struct smtp_server *s, struct span name)
{
	s->helo = must_realloc(s->helo, name.len + 1);
	memcpy(s->helo, name.ptr, name.len);
	s->helo[name.len] = '\0';
}

static bool
is_helo(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return false;
	return name.len > 0 && name.len <= HELO_BYTES;
}

/* The end of a transaction that is nobody's failure: RSET, EHLO. */
static void
server_clear(struct smtp_server *s)
{
	if (server_in_transaction(s))
		server_abort(s);
	else
		server_reset(s);
	server_forget_loss(s);
}

static bool
server_hello(struct smtp_server *s, struct span args)
{
	struct span name;

	if (!command_word(&args, &name) || !is_helo(name)) {
		server_refuse_command(s, "501 5.5.4 Say your name, too");
		return false;
	}
	server_set_helo(s, name);
	server_clear(s);
	server_enter(s, SERVER_READY);
	return true;
}

static void
server_offer(struct smtp_server *s)
{
	const struct smtp_server_config *c = s->config;

	buf_printf(&s->out, "250-%s\r\n250-PIPELINING\r\n", c->hostname);
	if (c->size && c->size_offer > 0)
		buf_printf(&s->out, "250-SIZE %" PRIu64 "\r\n", c->size_offer);
	else if (c->size)
		buf_printf(&s->out, "250-SIZE\r\n");
	buf_printf(&s->out, "250-VRFY\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n%s%s"
	    "250-CHUNKING\r\n%s250 HELP\r\n",
	    c->smtputf8 ? "250-SMTPUTF8\r\n" : "", c->dsn ? "250-DSN\r\n" : "",
	    c->xforward ? "250-XFORWARD " XFORWARD_KEYWORDS "\r\n" : "");
}

static void
server_helo(struct smtp_server *s, struct span args)
{
	if (s->config->protocol == SERVER_LMTP) {
		server_refuse_command(s, "500 5.5.1 This is LMTP: say LHLO");
		return;
	}
	if (!server_hello(s, args))
		return;
	s->extended = s->lmtp = false;
	buf_printf(&s->out, "250 %s\r\n", s->config->hostname);
}

static void
server_ehlo(struct smtp_server *s, struct span args)
{
	if (s->config->protocol == SERVER_LMTP) {
		server_refuse_command(s, "500 5.5.1 This is LMTP: say LHLO");
		return;
	}
	if (!server_hello(s, args))
		return;
	s->extended = true;
	s->lmtp = false;
	server_offer(s);
}

static void
server_lhlo(struct smtp_server *s, struct span args)
{
	if (s->config->protocol == SERVER_SMTP) {
		server_refuse_command(s, "500 5.5.1 This is SMTP: say EHLO");
		return;
	}
	if (!server_hello(s, args))
		return;
	s->extended = s->lmtp = true;
	server_offer(s);
}

static unsigned
server_offers(const struct smtp_server *s)
{
	const struct smtp_server_config *c = s->config;

	if (!s->extended)
		return 0;
	return OFFER_BODY | (c->size ? OFFER_SIZE : 0u) | (c->dsn ? OFFER_DSN : 0u) |
	    (c->smtputf8 ? OFFER_SMTPUTF8 : 0u);
}

static void
server_mail(struct smtp_server *s, struct span args)
{
	uint64_t limit = s->config->size_limit;
	struct envelope *e = &s->envelope;
	struct path_command c;
	const char *refusal = command_mail(args, server_offers(s), &c);

	if (refusal == NULL && c.utf8 && !c.smtputf8)
		refusal = "550 5.6.7 A sender outside ASCII needs SMTPUTF8";
	if (refusal == NULL && limit > 0 && c.size > limit)
		refusal = "552 5.3.4 Message too big";
	if (refusal != NULL) {
		server_refuse_command(s, refusal);
		return;
	}
	server_forget_loss(s);
	e->sender = arena_span(&s->arena, c.address);
	e->envid = arena_span(&s->arena, c.envid);
	e->body = c.body;
	e->smtputf8 = c.smtputf8;
	e->size = c.size;
	e->ret = c.ret;
	server_enter(s, SERVER_IN_MAIL);
	s->owed = OWED_MAIL;
	s->event = SERVER_MAIL;
}

/* Memory that grows with the recipients that were taken, not with those refused. */
static uint8_t *
server_spare(struct smtp_server *s, size_t n)
{
	if (s->spare_bytes < n) {
		s->spare_bytes = n > 2 * s->spare_bytes ? n : 2 * s->spare_bytes;
		s->spare = arena_alloc(&s->arena, s->spare_bytes);
	}
	return s->spare;
}

static void
server_grow_recipients(struct smtp_server *s)
{
	struct envelope *e = &s->envelope;
	struct recipient *old = e->recipients;

	e->recipient_cap = old != NULL ? 2 * e->recipient_cap : RECIPIENTS;
	e->recipients = arena_array(&s->arena, struct recipient, e->recipient_cap);
	if (old != NULL)
		memcpy(e->recipients, old, e->recipient_count * sizeof *old);
}

static void
server_add_recipient(struct smtp_server *s, const struct path_command *c)
{
	uint8_t *to = server_spare(s, c->address.len + c->orcpt.len + 1);
	struct envelope *e = &s->envelope;

	if (e->recipient_count == e->recipient_cap)
		server_grow_recipients(s);
	memcpy(to, c->address.ptr, c->address.len);
	if (c->orcpt.len > 0)
		memcpy(to + c->address.len, c->orcpt.ptr, c->orcpt.len);
	e->recipients[e->recipient_count++] = (struct recipient){
		.address = { to, c->address.len },
		.orcpt = { to + c->address.len, c->orcpt.len },
		.notify = c->notify,
	};
}

static void
server_rcpt(struct smtp_server *s, struct span args)
{
	uint64_t limit = s->config->recipient_limit;
	struct path_command c;
	const char *refusal = command_rcpt(args, server_offers(s), &c);

	if (refusal == NULL && c.utf8 && !s->envelope.smtputf8)
		refusal = "553 5.6.7 A recipient outside ASCII needs SMTPUTF8";
	if (refusal == NULL && limit > 0 && s->envelope.recipient_count >= limit)
		refusal = "452 4.5.3 Too many recipients";
	if (refusal != NULL) {
		server_refuse_command(s, refusal);
		return;
	}
	server_add_recipient(s, &c);
	s->owed = OWED_RCPT;
	s->event = SERVER_RCPT;
}

static void
server_data(struct smtp_server *s, struct span args)
{
	s->owed = OWED_BODY;
	s->event = SERVER_BODY;
}

/* Would this chunk pass the size limit? */
static bool
server_overflows(const struct smtp_server *s, uint64_t octets)
{
	uint64_t limit = s->config->size_limit;
	uint64_t got = s->state == SERVER_IN_CHUNKS ? s->newline.data.size : 0;

	return limit > 0 && (got > limit || octets > limit - got);
}

/* Whatever is wrong, the octets follow and are no commands. */
static void
server_bdat(struct smtp_server *s, struct span args)
{
	struct chunk c;
	enum chunk_syntax syntax = command_bdat(args, &c);
	bool able = s->state == SERVER_IN_RCPT || s->state == SERVER_IN_CHUNKS;

	if (syntax == CHUNK_NO_SIZE) {
		server_reply(s, "501 5.5.4 Syntax: BDAT size [LAST]");
		server_close(s);
		return;
	}
	s->chunk = (struct server_chunk){ .open = true, .last = c.last, .left = c.size };
	if (!able)
		server_chunk_refuse(s, s->lost != NULL ? s->lost :
		    "503 5.5.1 BDAT needs MAIL and RCPT first", false);
	else if (syntax == CHUNK_BAD_REST)
		server_chunk_refuse(s, "501 5.5.4 Syntax: BDAT size [LAST]", true);
	else if (server_overflows(s, c.size))
		server_chunk_refuse(s, "552 5.3.4 Message too big", true);
	else if (s->state == SERVER_IN_RCPT) {
		s->owed = OWED_BODY;
		s->event = SERVER_BODY;
	}
}

static void
server_rset(struct smtp_server *s, struct span args)
{
	server_reply(s, "250 2.0.0 Ok");
	server_clear(s);
}

static void
server_quit(struct smtp_server *s, struct span args)
{
	server_reply(s, "221 2.0.0 Bye");
	server_close(s);
}

static void
server_noop(struct smtp_server *s, struct span args)
{
	server_reply(s, "250 2.0.0 Ok");
}

static void
server_help(struct smtp_server *s, struct span args)
{
	server_reply(s, "214 2.0.0 RFC 5321 and RFC 2033 are spoken here");
}

static void
server_vrfy(struct smtp_server *s, struct span args)
{
	if (span_trim(args).len == 0)
		server_refuse_command(s, "501 5.5.4 Syntax: VRFY address");
	else
		server_reply(s, "252 2.0.0 Send some mail and see");
}

static void
server_unimplemented(struct smtp_server *s, struct span args)
{
	server_refuse_command(s, "502 5.5.1 Command not implemented");
}

/* A web page can make a browser send us mail in the body of a request. */
static void
server_web(struct smtp_server *s, struct span args)
{
	server_reply(s, "421 4.7.0 This is no web server");
}

static void
server_xforward(struct smtp_server *s, struct span args)
{
	const char *refusal;

	if (!s->config->xforward)
		refusal = "550 5.7.0 XFORWARD is not for you";
	else if (s->state != SERVER_READY)
		refusal = "503 5.5.1 XFORWARD comes before MAIL";
	else
		refusal = xforward_parse(args, &s->envelope.xforward, &s->arena);
	server_refuse_command(s, refusal != NULL ? refusal : "250 2.0.0 Ok");
	/* However many come, only the last values take memory. */
	if (s->state == SERVER_READY)
		server_keep_xforward(s);
}

/* RFC 5321 section 4.1.4, as data: which command may come when. */
static const struct server_command {
	const char *verb;
	unsigned    allowed_in;
	bool        lone;               /* takes no argument */
	bool        junk;               /* brings no mail nearer */
	void      (*run)(struct smtp_server *, struct span args);
} commands[] = {
	{ "MAIL", IN(SERVER_READY),                        false, false, server_mail },
	{ "RCPT", IN(SERVER_IN_MAIL) | IN(SERVER_IN_RCPT), false, false, server_rcpt },
	{ "DATA", IN(SERVER_IN_RCPT),                      true,  false, server_data },
	{ "BDAT", ANY, false, false, server_bdat },
	{ "EHLO", ANY, false, true,  server_ehlo },
	{ "HELO", ANY, false, true,  server_helo },
	{ "LHLO", ANY, false, true,  server_lhlo },
	{ "XFORWARD", ANY, false, false, server_xforward },
	{ "RSET", ANY, true,  true,  server_rset },
	{ "NOOP", ANY, false, true,  server_noop },
	{ "QUIT", ANY, true,  false, server_quit },
	{ "VRFY", ANY, false, true,  server_vrfy },
	{ "HELP", ANY, false, true,  server_help },
	{ "EXPN", ANY, false, false, server_unimplemented },
	{ "TURN", ANY, false, false, server_unimplemented },
	{ "ETRN", ANY, false, false, server_unimplemented },
	{ "SEND", ANY, false, false, server_unimplemented },
	{ "SOML", ANY, false, false, server_unimplemented },
	{ "SAML", ANY, false, false, server_unimplemented },
	{ "GET",     ANY, false, false, server_web },
	{ "POST",    ANY, false, false, server_web },
	{ "CONNECT", ANY, false, false, server_web },
};

/* Why this command is refused before it is looked at more closely, or NULL. */
static const char *
server_objection(struct smtp_server *s, const struct server_command *c, struct span args)
{
	if (c == NULL)
		return "500 5.5.2 Command not recognised";
	if (!(c->allowed_in & IN(s->state)))
		return s->state == SERVER_START ? "503 5.5.1 Say EHLO first" :
		    "503 5.5.1 Bad sequence of commands";
	if (c->lone && span_trim(args).len > 0)
		return "501 5.5.4 This command takes no argument";
	return NULL;
}

static const struct server_command *
server_find(struct span verb)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (span_equal_nocase(verb, span_text(commands[i].verb)))
			return &commands[i];
	return NULL;
}

void
server_run_line(struct smtp_server *s, struct span line)
{
	size_t end = 0;

	while (end < line.len && !is_blank(line.ptr[end]))
		end++;
	const struct server_command *c = server_find(span_slice(line, 0, end));
	struct span args = span_slice(line, end, line.len);
	const char *objection = server_objection(s, c, args);

	if (objection != NULL) {
		server_refuse_command(s, objection);
		return;
	}
	if (!c->junk || ++s->junk <= JUNK_COMMANDS || !server_count_error(s))
		c->run(s, args);
}
