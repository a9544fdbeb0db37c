/*
 * received.c - the trace field we add (RFC 5321 section 4.4).
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
	struct buf b = { 0 };

	buf_add(&b, SPAN_LIT("Received: from "));
	add_name(&b, smtp_server_helo(t->session->server));
	if (t->session->has_peer) {
		address_text(peer, &t->session->peer);
		buf_printf(&b, " ([%s%s])", address_is_v4(&t->session->peer) ? "" : "IPv6:",
		    peer);
	}
	buf_printf(&b, "\r\n\tby %s (Sallyport %s) with %s id %s", t->gateway->hostname,
	    t->door->listener->name, smtp_server_with(t->session->server), t->id);
	if (v->row_count == 1 && is_plain(t->rows[v->rows[0]].recipient->address)) {
		buf_add(&b, SPAN_LIT("\r\n\tfor <"));
		buf_add(&b, t->rows[v->rows[0]].recipient->address);
		buf_byte(&b, '>');
	}
	text_date(date, t->arrived);
	buf_printf(&b, ";\r\n\t%s\r\n", date);
	struct span field = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return field;
}
