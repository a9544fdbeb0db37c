/*
 * client.c - see client.h.
 */
#include "src/gateway/client.h"

static bool
is_relay(const struct settings *s, const struct address *a)
{
	for (size_t i = 0; i < s->trusted_relays.count; i++)
		if (network_holds(&s->trusted_relays.items[i], a))
			return true;
	return false;
}

static void
take_xforward(struct mail_client *c, const struct xforward *x)
{
	c->has_address = x->addr.len > 0 && address_parse(x->addr, &c->address);
	c->name = x->name;
	c->helo = x->helo;
	c->local = span_equal_nocase(x->source, SPAN_LIT("LOCAL"));
}

static void
take_hop(struct mail_client *c, const struct received *hop)
{
	c->has_address = true;
	c->address = hop->address;
	c->name = hop->name;
	c->helo = hop->helo;
}

/* Ours over a unix socket has no address either. */
static bool
wrote_it(const struct received *hop)
{
	return span_starts_nocase(hop->by_comment, SPAN_LIT("Sallyport "));
}

/*
 * The first Received was written by who connected to us; each further one by the host
 * that the one above it names.  As long as the writer is a relay of ours, what
 * it wrote is true.
 */
static void
walk_hops(struct mail_client *c, const struct settings *s, const struct received *hops,
    size_t count, bool found)
{
	for (size_t i = 0; i < count; i++) {
		c->authenticated |= hops[i].authenticated;
		if (c->user.len == 0)
			c->user = hops[i].user;
		if (!hops[i].has_address && !wrote_it(&hops[i]))
			return;         /* submitted there: what follows is the user's text */
		if (!hops[i].has_address || is_relay(s, &hops[i].address))
			continue;
		if (!found)
			take_hop(c, &hops[i]);
		return;
	}
}

void
mail_client_find(struct mail_client *c, const struct session *s, const struct envelope *e,
    const struct received *hops, size_t hop_count)
{
	const struct settings *set = s->snapshot->settings;
	bool relay = !s->has_peer || is_relay(set, &s->peer) || s->trusted;

	*c = (struct mail_client){ .queue_id = e->xforward.ident };
	if (e->xforward.given)
		take_xforward(c, &e->xforward);
	else if (!relay) {
		c->has_address = true;
		c->address = s->peer;
		c->helo = smtp_server_helo(s->server);
	}
	if (relay)
		walk_hops(c, set, hops, hop_count,
		    e->xforward.given && (c->has_address || c->local));
	c->trusted = !c->has_address || is_relay(set, &c->address);
	c->local = c->local || !c->has_address || address_is_loopback(&c->address);
}
