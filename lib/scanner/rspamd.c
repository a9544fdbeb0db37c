/*
 * rspamd.c - rspamd's /checkv2 over HTTP/1.1: the message as body, the envelope in
 * fields, a JSON object in return.
 *
 * What counts as an answer (rspamd 3.4, src/libserver/protocol.c):
 *
 *     is_skipped      its own settings say `whitelist`, or the message holds GTUBE: that
 *                     is its decision, with the score it gives.  A message it could not
 *                     load is no 200 but a 5xx with "error".
 *     soft reject     forced by a module other than greylisting (time-out, ratelimit):
 *                     the score is that of a scan cut short.  FAILED; so the mail is
 *                     tried again, which is what a soft reject asks for.  NOTE: rspamd
 *                     tells of a time-out of its own only with soft_reject_on_timeout.
 *     other actions   forced by a module stand in `answer`; the score is what rspamd
 *                     says it is.
 */
#include "lib/base/address.h"
#include "lib/finding/score.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "lib/scanner/dialect.h"
#include "lib/scanner/json.h"

/* rspamd reads at most 80 KiB of a head: recipients beyond this are not named. */
#define RECIPIENT_BYTES 49152u
#define DEFAULT_PATH    SPAN_LIT("/checkv2")

struct rspamd { struct http_response response; };

/* What of the reply is kept while it is read; spans are JSON strings. */
struct rspamd_reply {
	struct scan_client *client;
	struct json json;
	unsigned    seen;               /* bits by row of `members` */
	const char *wrong;              /* the member that is not what it should be */
	bool        skipped;
	struct span action, module, message, error;
};

/* Asking. */

/* What is not known is not said: rspamd asserts that Deliver-To is not empty. */
static void
put_known(struct buf *b, const char *name, struct span value)
{
	if (value.len > 0)
		http_put_field(b, name, value);
}

static void
put_mailbox(struct buf *b, const char *name, struct span address)
{
	struct buf value = { 0 };

	buf_byte(&value, '<');
	buf_add(&value, address);
	buf_byte(&value, '>');
	http_put_field(b, name, buf_span(&value));
	buf_free(&value);
}

static void
put_envelope(struct buf *b, const struct scan_request *r)
{
	size_t start = buf_len(b);

	put_mailbox(b, "From", r->sender);
	for (size_t i = 0; i < r->recipient_count; i++)
		if (buf_len(b) - start + r->recipients[i].len < RECIPIENT_BYTES)
			put_mailbox(b, "Rcpt", r->recipients[i]);
	if (r->recipient_count == 1)
		put_known(b, "Deliver-To", r->recipients[0]);
}

static void
put_origin(struct buf *b, const struct scan_request *r)
{
	struct address parsed;

	if (address_parse(r->client_address, &parsed))
		http_put_field(b, "IP", r->client_address);
	put_known(b, "Hostname", r->client_name);
	put_known(b, "Helo", r->helo);
	put_known(b, "User", r->user);
	put_known(b, "Queue-Id", r->queue_id);
	put_known(b, "MTA-Name", r->hostname);
}

static void
prepare(struct scan_client *c)
{
	struct rspamd *d = c->own;

	http_response_clear(&d->response);
	d->response.body_limit = SCAN_REPLY_BYTES;
}

static void
put_start(struct scan_client *c, struct buf *b, const char *method, struct span path)
{
	http_put_start(b, method, path, "HTTP/1.1");
	http_put_field(b, "Host", c->options->host);
	put_known(b, "Password", c->options->password);
}

static struct span
check_path(const struct scan_client *c)
{
	return c->options->path.len > 0 ? c->options->path : DEFAULT_PATH;
}

static void
rspamd_begin(struct scan_client *c)
{
	const struct scan_request *r = &c->request;
	struct buf head = { 0 };

	prepare(c);
	put_start(c, &head, "POST", check_path(c));
	http_put_number(&head, "Content-Length", r->prefix.len + r->size);
	put_envelope(&head, r);
	put_origin(&head, r);
	http_put_end(&head);
	scan_put(c, buf_span(&head));
	buf_free(&head);
	scan_put(c, r->prefix);
	scan_put_body(c, 0, r->size);
}

/* Beside the check: /checkv2 has /ping, /a/checkv2 has /a/ping. */
static void
rspamd_begin_probe(struct scan_client *c)
{
	struct span path = check_path(c);
	struct buf head = { 0 }, target = { 0 };

	prepare(c);
	while (path.len > 0 && path.ptr[path.len - 1] != '/')
		path.len--;
	buf_add(&target, path);
	buf_add(&target, path.len > 0 ? SPAN_LIT("ping") : SPAN_LIT("/ping"));
	put_start(c, &head, "GET", buf_span(&target));
	http_put_end(&head);
	scan_put(c, buf_span(&head));
	buf_free(&head);
	buf_free(&target);
}

/* Reading the reply: a function a member, false where it is not what it should be. */

static bool
keep_string(struct rspamd_reply *r, enum json_token t, struct span *to)
{
	*to = r->json.raw;
	return t == JSON_STRING;
}

static bool
keep_score(struct rspamd_reply *r, enum json_token t, int64_t *to)
{
	return t == JSON_NUMBER && json_thousandths(r->json.raw, SCAN_SCORE_MAX, to);
}

static bool
member_score(struct rspamd_reply *r, enum json_token t)
{
	return keep_score(r, t, &r->client->report->score);
}

static bool
member_required(struct rspamd_reply *r, enum json_token t)
{
	return keep_score(r, t, &r->client->report->required);
}

static bool
member_action(struct rspamd_reply *r, enum json_token t)
{
	return keep_string(r, t, &r->action);
}

static bool
member_skipped(struct rspamd_reply *r, enum json_token t)
{
	r->skipped = t == JSON_TRUE;
	return t == JSON_TRUE || t == JSON_FALSE;
}

static bool
member_module(struct rspamd_reply *r, enum json_token t)
{
	return keep_string(r, t, &r->module);
}

static bool
member_error(struct rspamd_reply *r, enum json_token t)
{
	return keep_string(r, t, &r->error);
}

/* { "smtp_message": "Spam message rejected", ... } */
static bool
member_messages(struct rspamd_reply *r, enum json_token t)
{
	if (t != JSON_OBJECT)
		return json_skip(&r->json, t);
	while ((t = json_next(&r->json)) != JSON_CLOSE) {
		if (t == JSON_STRING && json_is(r->json.key, "smtp_message"))
			r->message = r->json.raw;
		if (!json_skip(&r->json, t))
			return false;
	}
	return true;
}

/* Strings with a comma between them; anything else is left out. */
static bool
take_options(struct rspamd_reply *r, enum json_token t, struct buf *text)
{
	if (t != JSON_ARRAY)
		return json_skip(&r->json, t);
	while ((t = json_next(&r->json)) != JSON_CLOSE) {
		if (t == JSON_STRING && buf_len(text) <= SCAN_LINE_BYTES) {
			if (buf_len(text) > 0)
				buf_add(text, SPAN_LIT(", "));
			json_text(text, r->json.raw, SCAN_LINE_BYTES);
		}
		if (!json_skip(&r->json, t))
			return false;
	}
	return true;
}

/* A score that is no number (null) is none; one out of all range spoils the answer. */
static bool
take_symbol(struct rspamd_reply *r, struct span key, struct buf *name, struct buf *text)
{
	enum json_token t;
	int64_t score = 0;
	bool has_score = false, good = true;

	while (good && (t = json_next(&r->json)) != JSON_CLOSE) {
		if (t == JSON_NUMBER && json_is(r->json.key, "score"))
			good = has_score = keep_score(r, t, &score);
		else if (json_is(r->json.key, "options"))
			good = take_options(r, t, text);
		else
			good = json_skip(&r->json, t);
	}
	json_text(name, key, SCAN_SYMBOL_BYTES);
	scan_add_symbol(r->client, buf_span(name), has_score, score, buf_span(text));
	return good;
}

static bool
member_symbols(struct rspamd_reply *r, enum json_token t)
{
	struct buf name = { 0 }, text = { 0 };
	bool good = t == JSON_OBJECT;

	while (good && (t = json_next(&r->json)) != JSON_CLOSE) {
		good = t == JSON_OBJECT &&
		    take_symbol(r, r->json.key, &name, &text);
		buf_take(&name, buf_len(&name));
		buf_take(&text, buf_len(&text));
	}
	buf_free(&name);
	buf_free(&text);
	return good;
}

enum { MEMBER_SCORE = 0, MEMBER_ACTION = 1, MEMBERS_NEEDED = 2 };

/* The first MEMBERS_NEEDED must be there; none may be there twice. */
static const struct member {
	const char *name;
	bool (*take)(struct rspamd_reply *, enum json_token);
} members[] = {
	[MEMBER_SCORE] = { "score", member_score },
	[MEMBER_ACTION] = { "action", member_action },
	{ "required_score", member_required },
	{ "is_skipped", member_skipped },
	{ "passthrough_module", member_module },
	{ "messages", member_messages },
	{ "symbols", member_symbols },
	{ "error", member_error },
};

static bool
take_member(struct rspamd_reply *r, enum json_token t)
{
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (!json_is(r->json.key, members[i].name))
			continue;
		r->wrong = members[i].name;
		if (r->seen & 1u << i || !members[i].take(r, t))
			return false;
		r->wrong = NULL;
		r->seen |= 1u << i;
		return true;
	}
	return json_skip(&r->json, t);
}

/* One JSON object, and all of it. */
static bool
read_reply(struct rspamd_reply *r, struct span body)
{
	enum json_token t;

	json_begin(&r->json, body);
	if (json_next(&r->json) != JSON_OBJECT)
		return false;
	while ((t = json_next(&r->json)) != JSON_CLOSE)
		if (t == JSON_BAD || !take_member(r, t))
			return false;
	return json_next(&r->json) == JSON_END;
}

/* What it means. */

static void
put_string(struct buf *b, const char *before, struct span raw)
{
	if (raw.len == 0)
		return;
	buf_add(b, span_text(before));
	json_text(b, raw, SCAN_LINE_BYTES);
}

/* "add header, 6.31 of 15", "reject by gtube, 15 of 15, skipped: Gtube pattern" */
static void
set_answer(const struct rspamd_reply *r)
{
	struct scan_report *report = r->client->report;
	struct buf b = { 0 };

	put_string(&b, "", r->action);
	report->action = scan_line(r->client->request.arena, buf_span(&b));
	put_string(&b, " by ", r->module);
	buf_add(&b, SPAN_LIT(", "));
	score_print(&b, report->score);
	buf_add(&b, SPAN_LIT(" of "));
	score_print(&b, report->required);
	if (r->skipped)
		buf_add(&b, SPAN_LIT(", skipped"));
	put_string(&b, ": ", r->message);
	scan_set_answer(r->client, buf_span(&b));
	buf_free(&b);
}

/* Half a reply's symbols would look like an answer. */
static void
drop_findings(struct scan_report *r)
{
	r->score = r->required = 0;
	r->symbol_count = 0;
	r->symbols_cut = false;
}

static enum scan_event
soft_reject(const struct rspamd_reply *r)
{
	struct scan_client *c = r->client;

	drop_findings(c->report);
	return scan_refuse(c, "%.*s", (int)c->report->answer.len,
	    (const char *)c->report->answer.ptr);
}

static bool
has_symbol(const struct scan_report *r, struct span name)
{
	for (size_t i = 0; i < r->symbol_count; i++)
		if (span_equal(r->symbols[i].name, name))
			return true;
	return false;
}

/* Not every version names the module that forced an action (3.4 does not); then the
   message tells that one did.  Where the score alone led to the action there is none. */
static bool
is_cut_short(const struct rspamd_reply *r)
{
	if (!json_is(r->action, "soft reject"))
		return false;
	if (r->module.len > 0)
		return !json_is(r->module, "greylist");
	return r->message.len > 0 &&
	    !has_symbol(r->client->report, SPAN_LIT("GREYLIST"));
}

static enum scan_event
say_error(struct scan_client *c, const struct rspamd_reply *r)
{
	const struct rspamd *d = c->own;
	struct buf b = { 0 };

	drop_findings(c->report);
	buf_printf(&b, "%u ", d->response.status.code);
	if (r->error.len > 0)
		json_text(&b, r->error, SCAN_LINE_BYTES);
	else
		buf_add(&b, d->response.status.reason);
	enum scan_event e = scan_refuse_with(c, "answered", buf_span(&b));

	buf_free(&b);
	return e;
}

static enum scan_event
make_no_sense(const struct rspamd_reply *r, bool is_object)
{
	drop_findings(r->client->report);
	if (is_object)
		return scan_break(r->client, "an answer without score or action");
	if (r->wrong != NULL)
		return scan_break(r->client, "an answer with a bad \"%s\"", r->wrong);
	return scan_break(r->client, "an answer that is no JSON object");
}

static enum scan_event
end_check(struct scan_client *c)
{
	const struct rspamd *d = c->own;
	struct rspamd_reply r = { .client = c };
	bool good = read_reply(&r, buf_span(&d->response.body));

	if (d->response.status.code != 200 || (good && r.error.len > 0))
		return say_error(c, good ? &r : &(struct rspamd_reply){ .client = c });
	if (!good || (~r.seen & ((1u << MEMBERS_NEEDED) - 1)) != 0)
		return make_no_sense(&r, good);
	set_answer(&r);
	if (is_cut_short(&r))
		return soft_reject(&r);
	c->report->has_score = scan_all_sent(c);
	return scan_done(c, SCAN_SCORED);
}

static enum scan_event
end_probe(struct scan_client *c)
{
	const struct rspamd *d = c->own;
	struct span body = buf_span(&d->response.body);

	if (d->response.status.code != 200)
		return say_error(c, &(struct rspamd_reply){ .client = c });
	if (!span_equal(body, SPAN_LIT("pong\r\n")) &&
	    !span_equal(body, SPAN_LIT("pong")))
		return scan_break_with(c, "answer to ping", body);
	scan_set_answer(c, SPAN_LIT("pong"));
	return scan_done(c, SCAN_CLEAN);
}

static enum scan_event
end_answer(struct scan_client *c)
{
	const struct rspamd *d = c->own;
	struct span server;

	c->closes = !http_response_keeps(&d->response);
	if (http_head_get(&d->response.head, "Server", &server))
		c->report->version = scan_line(c->request.arena, server);
	if (http_head_find(&d->response.head, "Content-Encoding", 0) <
	    d->response.head.count)
		return scan_break(c, "an answer in a coding nobody asked for");
	return c->probe ? end_probe(c) : end_check(c);
}

static enum scan_event
rspamd_feed(struct scan_client *c, struct span in, size_t *used)
{
	struct rspamd *d = c->own;
	struct error err;

	switch (http_response_feed(&d->response, in, used, &err)) {
	case ST_MORE:
		return SCAN_WAIT;
	case ST_OK:
		return end_answer(c);
	case ST_PERM:
	case ST_TEMP:
		break;
	}
	return scan_break(c, "%s", err.text);
}

static const char *
rspamd_doing(const struct scan_client *c)
{
	if (c->probe)
		return "asking rspamd whether it is there";
	return scan_all_sent(c) ? "waiting for rspamd's answer" :
	    "sending the message to rspamd";
}

static void
rspamd_finish(struct scan_client *c)
{
	struct rspamd *d = c->own;

	http_response_free(&d->response);
}

const struct scan_dialect rspamd_dialect = {
	.name = "rspamd", .own_bytes = sizeof(struct rspamd), .begin = rspamd_begin,
	.begin_probe = rspamd_begin_probe, .feed = rspamd_feed, .doing = rspamd_doing,
	.finish = rspamd_finish,
};
