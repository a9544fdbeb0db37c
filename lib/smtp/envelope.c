/*
 * envelope.c - see envelope.h.
 */
#include "lib/smtp/envelope.h"

#define RECIPIENT_LEAST 9       /* packed: two empty spans and a byte */
#define NOTIFY_ALL (NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY | NOTIFY_NEVER)

static void
xforward_pack(struct pack *p, const struct xforward *x)
{
	pack_u8(p, x->given);
	pack_span(p, x->name);
	pack_span(p, x->addr);
	pack_span(p, x->port);
	pack_span(p, x->proto);
	pack_span(p, x->helo);
	pack_span(p, x->ident);
	pack_span(p, x->source);
}

void
envelope_pack(struct pack *p, const struct envelope *e)
{
	pack_span(p, e->sender);
	pack_u8(p, (uint8_t)e->body);
	pack_u8(p, e->smtputf8);
	pack_u64(p, e->size);
	pack_u8(p, (uint8_t)e->ret);
	pack_span(p, e->envid);
	pack_u32(p, (uint32_t)e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		pack_span(p, e->recipients[i].address);
		pack_span(p, e->recipients[i].orcpt);
		pack_u8(p, (uint8_t)e->recipients[i].notify);
	}
	xforward_pack(p, &e->xforward);
}

/* A byte that may be 0 to max. */
static uint8_t
unpack_upto(struct unpack *u, uint8_t max)
{
	uint8_t v = unpack_u8(u);

	u->bad |= v > max;
	return v <= max ? v : 0;
}

static void
xforward_unpack(struct unpack *u, struct xforward *x)
{
	x->given = unpack_upto(u, 1) == 1;
	x->name = unpack_span(u);
	x->addr = unpack_span(u);
	x->port = unpack_span(u);
	x->proto = unpack_span(u);
	x->helo = unpack_span(u);
	x->ident = unpack_span(u);
	x->source = unpack_span(u);
}

static void
recipients_unpack(struct unpack *u, struct envelope *e, struct arena *arena)
{
	size_t n = unpack_count(u, RECIPIENT_LEAST);

	e->recipients = arena_array(arena, struct recipient, n);
	e->recipient_count = e->recipient_cap = n;
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = &e->recipients[i];

		r->address = unpack_span(u);
		r->orcpt = unpack_span(u);
		r->notify = unpack_upto(u, NOTIFY_ALL);
	}
}

bool
envelope_unpack(struct unpack *u, struct envelope *e, struct arena *arena)
{
	*e = (struct envelope){ .sender = unpack_span(u) };
	e->body = (enum body_kind)unpack_upto(u, BODY_8BITMIME);
	e->smtputf8 = unpack_upto(u, 1) == 1;
	e->size = unpack_u64(u);
	e->ret = (enum dsn_return)unpack_upto(u, RETURN_HEADERS);
	e->envid = unpack_span(u);
	recipients_unpack(u, e, arena);
	xforward_unpack(u, &e->xforward);
	return !u->bad;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= 0x80)
			return false;
	return true;
}

bool
envelope_needs_utf8(const struct envelope *e)
{
	bool ascii = is_ascii(e->sender);

	for (size_t i = 0; i < e->recipient_count && ascii; i++)
		ascii = is_ascii(e->recipients[i].address);
	return !ascii;
}
