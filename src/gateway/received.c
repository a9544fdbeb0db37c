/*
 * received.c - the fields we add: the trace field (RFC 5321 section 4.4), and below it what
 * is to be said of scanners.
 *
 * "(Sallyport LISTENER)" behind our name is the token by which a loop is seen.
 */
#include "src/gateway/transaction.h"
#include "lib/base/text.h"
#include "lib/smtp/address.h"

/* What a client called itself, without anything that could pass for our syntax. */
static void
add_name(struct buf *b, struct span name)
{
	uint8_t out[255];
	size_t n = name.len < sizeof out ? name.len : sizeof out;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = name.ptr[i];
		bool plain = is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_' ||
		    c == ':' || c == '[' || c == ']';

		out[i] = plain ? c : '?';
	}
	buf_add(b, n > 0 ? (struct span){ out, n } : SPAN_LIT("unknown"));
}

static bool
is_plain(struct span address)
{
	for (size_t i = 0; i < address.len; i++)
		if (address.ptr[i] <= ' ' || address.ptr[i] == 0x7f)
			return false;
	return address.len > 0 && address.len < 500;
}

struct span
received_field(const struct transaction *t, const struct variant *v)
{
	char date[TEXT_DATE_BYTES], peer[ADDRESS_TEXT_BYTES];
	const struct origin *held = t->session->held;
	struct span with = session_with(t->session);
	struct buf b = { 0 };

	buf_add(&b, SPAN_LIT("Received: from "));
	add_name(&b, session_helo(t->session));
	if (t->session->has_peer) {
		address_text(peer, &t->session->peer);
		buf_printf(&b, " ([%s%s])", address_is_v4(&t->session->peer) ? "" : "IPv6:",
		    peer);
	}
	buf_printf(&b, "\r\n\tby %s (Sallyport %s) with %.*s id %s", t->gateway->hostname,
	    t->door->listener->name, (int)with.len, (const char *)with.ptr,
	    held != NULL ? held->id : t->id);
	if (v != NULL && v->row_count == 1 &&
	    is_plain(t->rows[v->rows[0]].recipient->address)) {
		buf_add(&b, SPAN_LIT("\r\n\tfor <"));
		buf_add(&b, t->rows[v->rows[0]].recipient->address);
		buf_byte(&b, '>');
	}
	text_date(date, held != NULL ? held->arrived : t->arrived);
	buf_printf(&b, ";\r\n\t%s\r\n", date);
	struct span field = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return field;
}

#define WHY_BYTES 200

/* "clamd (no answer within 30 s), spamd (too busy)" */
static void
add_missing(const struct transaction *t, uint64_t missing, const char *comma, struct buf *b)
{
	const struct settings *s = t->snapshot->settings;
	const char *before = "";

	for (size_t i = 0; i < s->scanner_count; i++) {
		if ((missing >> i & 1) == 0)
			continue;
		buf_printf(b, "%s%s (", before, s->scanners[i].name);
		text_escape(b, scan_failure(t, i), WHY_BYTES, false);
		buf_byte(b, ')');
		before = comma;
	}
}

struct span
unscanned_text(const struct transaction *t, uint64_t missing)
{
	struct buf b = { 0 };

	add_missing(t, missing, ", ", &b);
	struct span text = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return text;
}

struct span
scanned_fields(const struct transaction *t, const struct variant *v)
{
	struct buf b = { 0 };

	if (v->missing != 0) {
		buf_add(&b, SPAN_LIT("X-Sallyport-Unscanned: "));
		add_missing(t, v->missing, ",\r\n\t", &b);
		buf_add(&b, SPAN_LIT("\r\n"));
	}
	if (t->snapshot->settings->scanned_header && scan_is_clean(t))
		buf_printf(&b, "X-Virus-Scanned: Sallyport at %s\r\n", t->gateway->hostname);
	struct span fields = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return fields;
}
