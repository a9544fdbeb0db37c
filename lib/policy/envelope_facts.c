/*
 * envelope_facts.c - see envelope_facts.h.
 */
#include "lib/policy/envelope_facts.h"
#include "lib/smtp/address.h"

/* --- the client --- */

bool
mail_client_is_relay(const struct settings *s, const struct address *a)
{
	for (size_t i = 0; i < s->trusted_relays.count; i++)
		if (network_holds(&s->trusted_relays.items[i], a))
			return true;
	return false;
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
void
mail_client_walk(struct mail_client *c, const struct settings *s,
    const struct received *hops, size_t count, bool found)
{
	for (size_t i = 0; i < count; i++) {
		c->authenticated |= hops[i].authenticated;
		if (c->user.len == 0)
			c->user = hops[i].user;
		if (!hops[i].has_address && !wrote_it(&hops[i]))
			return;         /* submitted there: what follows is the user's text */
		if (!hops[i].has_address || mail_client_is_relay(s, &hops[i].address))
			continue;
		if (!found)
			take_hop(c, &hops[i]);
		return;
	}
}

void
mail_client_settle(struct mail_client *c, const struct settings *s)
{
	c->trusted = !c->has_address || mail_client_is_relay(s, &c->address);
	c->local = c->local || !c->has_address || address_is_loopback(&c->address);
}

/* --- facts --- */

static bool
is_local(const struct settings *s, struct span domain)
{
	for (size_t i = 0; i < s->local_domains.count; i++) {
		struct span d = s->local_domains.items[i];

		if (d.len > 0 && d.ptr[0] == '.') {
			if (span_equal_nocase(domain, span_slice(d, 1, d.len)))
				return true;
			if (domain.len >= d.len && span_equal_nocase(
			    span_slice(domain, domain.len - d.len, domain.len), d))
				return true;
		} else if (span_equal_nocase(domain, d))
			return true;
	}
	return false;
}

static void
set_text(struct findings *f, enum fact fact, struct span text)
{
	if (text.len > 0)
		findings_set_text(f, fact, text);
}

void
envelope_facts_client(struct findings *f, const struct mail_client *c)
{
	if (c->has_address)
		findings_set_address(f, FACT_CLIENT_ADDRESS, &c->address);
	set_text(f, FACT_CLIENT_NAME, c->name);
	set_text(f, FACT_CLIENT_HELO, c->helo);
	findings_set_truth(f, FACT_CLIENT_TRUSTED, c->trusted);
	findings_set_truth(f, FACT_CLIENT_LOCAL, c->local);
	findings_set_truth(f, FACT_CLIENT_AUTHENTICATED, c->authenticated);
}

void
envelope_facts_sender(struct findings *f, struct span sender, struct arena *arena)
{
	struct span address = address_normal(sender, arena);

	findings_set_text(f, FACT_SENDER, address);
	set_text(f, FACT_SENDER_DOMAIN, address_domain(address));
}

void
envelope_facts_recipient(struct findings *f, const struct settings *s,
    struct span recipient, struct arena *arena)
{
	struct span address = address_normal(recipient, arena);
	struct span domain = address_domain(address);

	findings_set_text(f, FACT_RECIPIENT, address);
	findings_set_absent(f, FACT_RECIPIENT_DOMAIN);
	set_text(f, FACT_RECIPIENT_DOMAIN, domain);
	findings_set_truth(f, FACT_RECIPIENT_LOCAL, domain.len == 0 || is_local(s, domain));
}
