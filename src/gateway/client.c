/*
 * client.c - see client.h.
 */
#include "src/gateway/client.h"

static void
take_xforward(struct mail_client *c, const struct xforward *x)
{
	c->has_address = x->addr.len > 0 && address_parse(x->addr, &c->address);
	c->name = x->name;
	c->helo = x->helo;
	c->local = span_equal_nocase(x->source, SPAN_LIT("LOCAL"));
}

void
mail_client_find(struct mail_client *c, const struct session *s, const struct envelope *e,
    const struct received *hops, size_t hop_count)
{
	const struct settings *set = s->snapshot->settings;
	bool relay = !s->has_peer || mail_client_is_relay(set, &s->peer) || s->trusted;

	*c = (struct mail_client){ .queue_id = e->xforward.ident };
	if (e->xforward.given)
		take_xforward(c, &e->xforward);
	else if (!relay) {
		c->has_address = true;
		c->address = s->peer;
		c->helo = session_helo(s);
	}
	if (relay)
		mail_client_walk(c, set, hops, hop_count,
		    e->xforward.given && (c->has_address || c->local));
	mail_client_settle(c, set);
}
