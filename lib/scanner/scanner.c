/*
 * scanner.c - see scanner.h and dialect.h.
 */
#include "lib/scanner/dialect.h"
#include "lib/base/text.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define WHY_BYTES (SCAN_LINE_BYTES * 4 + 200)

static const struct scan_dialect *const dialects[SCANNER_KINDS] = {
	[SCANNER_CLAMD] = &clamd_dialect,
	[SCANNER_SPAMD] = &spamd_dialect,
	[SCANNER_RSPAMD] = &rspamd_dialect,
	[SCANNER_ICAP] = &icap_dialect,
};

/* What there is to say where nothing was asked: no arena is needed for it. */
static const struct scan_report unasked = {
	.result = SCAN_FAILED, .why = { (const uint8_t *)"no scan was under way", 21 },
};

/* Output. */

static void
put_piece(struct scan_client *c, struct scan_piece p)
{
	assert(c->piece_count < SCAN_PIECES);
	c->pieces[(c->piece_first + c->piece_count++) % SCAN_PIECES] = p;
}

void
scan_put(struct scan_client *c, struct span bytes)
{
	size_t end_at = c->piece_first + c->piece_count;
	struct scan_piece *last = &c->pieces[(end_at + SCAN_PIECES - 1) % SCAN_PIECES];

	if (bytes.len == 0)
		return;
	buf_add(&c->out, bytes);
	if (c->piece_count > 0 && last->kind == SCAN_OUT_BYTES)
		last->len += bytes.len;
	else
		put_piece(c, (struct scan_piece){ SCAN_OUT_BYTES, 0, bytes.len });
}

void
scan_put_text(struct scan_client *c, const char *text)
{
	scan_put(c, span_text(text));
}

void
scan_put_number(struct scan_client *c, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	scan_put_text(c, text);
}

void
scan_put_body(struct scan_client *c, uint64_t from, uint64_t len)
{
	if (len > 0)
		put_piece(c, (struct scan_piece){ SCAN_OUT_BODY, from, len });
}

void
scan_put_descriptor(struct scan_client *c, struct span bytes)
{
	assert(bytes.len > 0);
	buf_add(&c->out, bytes);
	put_piece(c, (struct scan_piece){ SCAN_OUT_DESCRIPTOR, 0, bytes.len });
}

bool
scan_all_sent(const struct scan_client *c)
{
	return c->piece_count == 0;
}

static void
drop_output(struct scan_client *c)
{
	c->piece_first = c->piece_count = 0;
	buf_take(&c->out, buf_len(&c->out));
}

struct scan_output
scan_client_output(const struct scan_client *c)
{
	const struct scan_piece *p = &c->pieces[c->piece_first];

	if (c->piece_count == 0)
		return (struct scan_output){ 0 };
	if (p->kind == SCAN_OUT_BODY)
		return (struct scan_output){ SCAN_OUT_BODY, SPAN_NONE, p->from, p->len };
	return (struct scan_output){ .kind = p->kind,
	    .bytes = span_slice(buf_span(&c->out), 0, (size_t)p->len) };
}

void
scan_client_sent(struct scan_client *c, uint64_t bytes)
{
	struct scan_piece *p = &c->pieces[c->piece_first];

	if (c->piece_count == 0)
		return;
	assert(bytes <= p->len && (p->kind != SCAN_OUT_DESCRIPTOR || bytes == p->len));
	if (p->kind == SCAN_OUT_BODY)
		p->from += bytes;
	else
		buf_take(&c->out, (size_t)bytes);
	p->len -= bytes;
	if (p->len > 0)
		return;
	c->piece_first = (c->piece_first + 1) % SCAN_PIECES;
	c->piece_count--;
	if (c->piece_count == 0 && c->dialect->more != NULL)
		c->dialect->more(c);
}

/* The life of a client. */

struct scan_client *
scan_client_create(const struct scan_options *options)
{
	const struct scan_dialect *d = dialects[options->kind];

	if (d == NULL)
		return NULL;
	struct scan_client *c = must_alloc(sizeof *c);

	c->dialect = d;
	c->options = options;
	c->shown = &unasked;
	c->own = must_alloc(d->own_bytes);
	return c;
}

void
scan_client_destroy(struct scan_client **c)
{
	if (*c == NULL)
		return;
	if ((*c)->dialect->finish != NULL)
		(*c)->dialect->finish(*c);
	free((*c)->own);
	buf_free(&(*c)->out);
	buf_free(&(*c)->in);
	free(*c);
	*c = NULL;
}

static void
start(struct scan_client *c, const struct scan_request *r, bool probe)
{
	assert(c->state == SCAN_IDLE);
	c->state = SCAN_TALKING;
	c->request = *r;
	c->probe = probe;
	c->canary = false;
	c->report = arena_new(r->arena, struct scan_report);
	c->shown = &unasked;
	c->heard = c->denied = c->version_denied = c->stale = c->peer_closed = false;
	c->scans++;
	buf_take(&c->in, buf_len(&c->in));
}

void
scan_client_begin(struct scan_client *c, const struct scan_request *r)
{
	start(c, r, false);
	c->dialect->begin(c);
}

void
scan_client_begin_probe(struct scan_client *c, struct arena *arena)
{
	start(c, &(struct scan_request){ .arena = arena }, true);
	c->dialect->begin_probe(c);
}

void
scan_client_begin_canary(struct scan_client *c, const struct scan_request *r)
{
	assert(c->dialect->begin_canary != NULL);
	start(c, &(struct scan_request){ .may_descriptor = r->may_descriptor,
	    .arena = r->arena }, false);
	c->canary = true;
	c->dialect->begin_canary(c);
}

/* Nobody asked: whatever the peer does now, the connection is of no more use. */
static enum scan_event
out_of_turn(struct scan_client *c)
{
	c->state = SCAN_OVER;
	c->shown = &unasked;
	return SCAN_BROKEN;
}

enum scan_event
scan_client_feed(struct scan_client *c, struct span in)
{
	size_t used = 0;

	if (in.len == 0)
		return SCAN_WAIT;
	if (c->state != SCAN_TALKING)
		return out_of_turn(c);
	c->heard = true;
	enum scan_event e = c->dialect->feed(c, in, &used);

	assert(used <= in.len && (e != SCAN_WAIT || used == in.len));
	if (used < in.len)
		c->state = SCAN_OVER;
	return e;
}

static enum scan_event
end_of_connection(struct scan_client *c, const char *why)
{
	enum scan_event e;

	if (c->state != SCAN_TALKING)
		return out_of_turn(c);
	c->closes = true;
	c->stale = c->peer_closed && c->scans > 1 && !c->heard && !c->canary;
	e = c->dialect->lost != NULL ? c->dialect->lost(c, why) :
	    scan_break(c, "%s (while %s)", why, scan_client_doing(c));
	assert(e != SCAN_WAIT);
	return e;
}

enum scan_event
scan_client_lost(struct scan_client *c, const char *why)
{
	c->peer_closed = false;
	return end_of_connection(c, why);
}

enum scan_event
scan_client_closed(struct scan_client *c)
{
	c->peer_closed = true;
	return end_of_connection(c, "closed the connection");
}

const struct scan_report *
scan_client_report(const struct scan_client *c)
{
	return c->shown;
}

bool
scan_client_may_be_reused(const struct scan_client *c)
{
	return c->state == SCAN_IDLE;
}

bool
scan_client_was_denied(const struct scan_client *c)
{
	return c->denied;
}

bool
scan_client_version_denied(const struct scan_client *c)
{
	return c->version_denied;
}

bool
scan_client_is_stale(const struct scan_client *c)
{
	return c->stale;
}

const char *
scan_client_doing(const struct scan_client *c)
{
	return c->state == SCAN_TALKING ? c->dialect->doing(c) : "idle";
}

/* Ends. */

static enum scan_event
end(struct scan_client *c, enum scan_result result, bool keep, enum scan_event e)
{
	assert(c->state == SCAN_TALKING);
	keep = keep && !c->closes && scan_all_sent(c);
	c->report->result = result;
	c->shown = c->report;
	c->state = keep ? SCAN_IDLE : SCAN_OVER;
	drop_output(c);
	return e;
}

enum scan_event
scan_done(struct scan_client *c, enum scan_result result)
{
	assert(result != SCAN_FAILED);
	if (!scan_all_sent(c) && (result == SCAN_CLEAN || result == SCAN_SCORED))
		return scan_break(c, "answered before the message was sent");
	return end(c, result, true, SCAN_DONE);
}

static void
set_why_text(struct scan_client *c, const char *fmt, va_list ap)
{
	char text[WHY_BYTES];

	vsnprintf(text, sizeof text, fmt, ap);
	c->report->why = span_text(arena_text(c->request.arena, span_text(text)));
}

enum scan_event
scan_refuse(struct scan_client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why_text(c, fmt, ap);
	va_end(ap);
	return end(c, SCAN_FAILED, true, SCAN_DONE);
}

enum scan_event
scan_break(struct scan_client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why_text(c, fmt, ap);
	va_end(ap);
	return end(c, SCAN_FAILED, false, SCAN_BROKEN);
}

enum scan_event
scan_refuse_with(struct scan_client *c, const char *what, struct span bytes)
{
	struct span line = scan_line(c->request.arena, bytes);

	return scan_refuse(c, "%s: %.*s", what, (int)line.len, (const char *)line.ptr);
}

enum scan_event
scan_break_with(struct scan_client *c, const char *what, struct span bytes)
{
	struct span line = scan_line(c->request.arena, bytes);

	return scan_break(c, "%s: %.*s", what, (int)line.len, (const char *)line.ptr);
}

/* Report. */

struct span
scan_line(struct arena *arena, struct span bytes)
{
	struct buf b = { 0 };

	text_escape(&b, bytes, SCAN_LINE_BYTES, true);
	struct span line = arena_span(arena, buf_span(&b));

	buf_free(&b);
	return line;
}

void
scan_set_why(struct scan_client *c, struct span why)
{
	c->report->why = scan_line(c->request.arena, why);
}

void
scan_set_answer(struct scan_client *c, struct span answer)
{
	c->report->answer = scan_line(c->request.arena, answer);
}

/* A word that may stand in a list of words. */
static struct span
plain_name(struct arena *arena, struct span name, size_t max)
{
	if (name.len == 0)
		return SPAN_LIT("unnamed");
	size_t n = name.len < max ? name.len : max;
	uint8_t *to = arena_alloc(arena, n);

	for (size_t i = 0; i < n; i++)
		to[i] = name.ptr[i] > ' ' && name.ptr[i] < 0x7f ? name.ptr[i] : '_';
	return (struct span){ to, n };
}

void
scan_report_virus(struct scan_report *r, struct arena *arena, struct span name)
{
	struct span plain;

	if (r->virus_count == SCAN_VIRUSES)
		return;
	if (r->viruses == NULL)
		r->viruses = arena_array(arena, struct span, SCAN_VIRUSES);
	plain = plain_name(arena, name, SCAN_VIRUS_BYTES);
	for (size_t i = 0; i < r->virus_count; i++)
		if (span_equal(r->viruses[i], plain))
			return;
	r->viruses[r->virus_count++] = plain;
}

void
scan_add_virus(struct scan_client *c, struct span name)
{
	scan_report_virus(c->report, c->request.arena, name);
}

/* Room at powers of two, from 16 on. */
static struct scan_symbol *
next_symbol(struct scan_client *c)
{
	struct scan_report *r = c->report;
	size_t n = r->symbol_count;

	if (n == 0 || (n >= 16 && (n & (n - 1)) == 0)) {
		struct scan_symbol *more = arena_array(c->request.arena,
		    struct scan_symbol, n == 0 ? 16 : 2 * n);

		if (n > 0)
			memcpy(more, r->symbols, n * sizeof *more);
		r->symbols = more;
	}
	return &r->symbols[r->symbol_count++];
}

void
scan_add_symbol(struct scan_client *c, struct span name, bool has_score, int64_t score,
    struct span text)
{
	if (c->report->symbol_count == SCAN_SYMBOLS) {
		c->report->symbols_cut = true;
		return;
	}
	*next_symbol(c) = (struct scan_symbol){
		.name = plain_name(c->request.arena, name, SCAN_SYMBOL_BYTES),
		.score = score, .has_score = has_score,
		.text = scan_line(c->request.arena, text),
	};
}

/* One line of a text; false where there is no more room for it. */
static bool
add_text_line(struct buf *b, struct span line)
{
	size_t was = buf_len(b);

	for (size_t n; line.len > 0; line = span_slice(line, n, line.len)) {
		n = span_find(line, '\t');
		text_printed(b, span_slice(line, 0, n), SCAN_TEXT_BYTES);
		if (n < line.len) {
			buf_byte(b, ' ');
			n++;
		}
	}
	buf_byte(b, '\n');
	if (buf_len(b) <= SCAN_TEXT_BYTES)
		return true;
	b->to -= buf_len(b) - was;
	return false;
}

void
scan_set_text(struct scan_client *c, struct span text)
{
	struct buf b = { 0 };

	for (size_t n; text.len > 0; text = span_slice(text, n, text.len)) {
		n = span_find(text, '\n');
		size_t end_at = n > 0 && text.ptr[n - 1] == '\r' ? n - 1 : n;

		if (!add_text_line(&b, span_slice(text, 0, end_at)))
			break;
		if (n < text.len)
			n++;
	}
	c->report->text = arena_span(c->request.arena, buf_span(&b));
	buf_free(&b);
}

/* Digits at the front of *s; a number beyond the limit stays beyond it. */
static uint64_t
take_digits(struct span *s)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s->len && is_digit(s->ptr[n]); n++)
		if (v <= SCAN_SCORE_MAX)
			v = v * 10 + (uint64_t)(s->ptr[n] - '0');
	*s = span_slice(*s, n, s->len);
	return v;
}

/* Thousandths of the digits behind a point, rounded by the fourth. */
static uint64_t
fraction(struct span digits)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 3; i++)
		v = v * 10 + (i < digits.len ? (uint64_t)(digits.ptr[i] - '0') : 0);
	return v + (digits.len > 3 && digits.ptr[3] >= '5');
}

bool
scan_score(struct span s, int64_t *thousandths)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	struct span digits = SPAN_NONE;

	if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		s = span_slice(s, 1, s.len);
	size_t before = s.len;
	uint64_t v = take_digits(&s);

	before -= s.len;
	if (s.len > 0 && s.ptr[0] == '.') {
		digits = s = span_slice(s, 1, s.len);
		take_digits(&s);
		digits.len -= s.len;
	}
	if (s.len > 0 || before + digits.len == 0 || v > SCAN_SCORE_MAX)
		return false;
	v = v * 1000 + fraction(digits);
	if (v > SCAN_SCORE_MAX)
		return false;
	*thousandths = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

/* Names. */

const char *
scanner_kind_name(enum scanner_kind kind)
{
	static const char *const names[SCANNER_KINDS] = {
		[SCANNER_CLAMD] = "clamd", [SCANNER_SPAMD] = "spamd",
		[SCANNER_RSPAMD] = "rspamd", [SCANNER_ICAP] = "icap",
		[SCANNER_COMMAND] = "command",
	};

	return names[kind];
}

const char *
scan_result_name(enum scan_result result)
{
	static const char *const names[SCAN_RESULTS] = {
		[SCAN_FAILED] = "failed", [SCAN_CLEAN] = "clean",
		[SCAN_INFECTED] = "infected", [SCAN_SCORED] = "scored",
		[SCAN_UNSCANNABLE] = "unscannable",
	};

	return names[result];
}
