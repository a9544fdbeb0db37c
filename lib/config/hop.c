/*
 * hop.c - see hop.h.
 */
#include "lib/config/hop.h"
#include "lib/base/text.h"
#include "lib/config/value.h"

#define SOCKET_PATH 107         /* of sockaddr_un's path, without the NUL */
#define MAILDIR_PATH 2000

/* NULL, or what was expected. */
static const char *
path_read(struct span s, size_t most, const char **path, struct arena *arena)
{
	if (s.len == 0 || s.ptr[0] != '/')
		return "expected a path that begins with / after the colon";
	if (s.len > most)
		return most == SOCKET_PATH ? "expected a socket's path of at most 107 bytes" :
		    "expected a shorter path";
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return "expected a path without control characters";
	*path = arena_text(arena, s);
	return NULL;
}

static struct span
unbracket(struct span s)
{
	bool in = s.len > 1 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']';

	return in ? span_slice(s, 1, s.len - 1) : s;
}

static const char *
address_read(struct span host, bool hop, struct address *a)
{
	struct span name = unbracket(host);

	if (hop && span_equal_nocase(name, SPAN_LIT("localhost")))
		host = name = SPAN_LIT("127.0.0.1");
	if (name.len == host.len && span_find(host, ':') < host.len)
		return "expected brackets around the IPv6 address, as in [::1]:10025";
	if (address_parse(host, a))
		return NULL;
	/* No last label of a host name ends in a digit: that is a mistyped address. */
	if (value_is_domain(name) && !is_digit(name.ptr[name.len - 1]))
		return "expected the IP address of the host, since names are not looked up,";
	return "expected an IP address before the port";
}

static const char *
endpoint_read(struct span s, bool hop, struct endpoint *e, struct arena *arena)
{
	uint64_t port = 0;
	size_t colon = s.len;

	if (span_starts_nocase(s, SPAN_LIT("unix:")))
		return path_read(span_slice(s, 5, s.len), SOCKET_PATH, &e->path, arena);
	while (colon > 0 && s.ptr[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return "expected ADDRESS:PORT or unix:/path";
	if (!text_number(span_slice(s, colon, s.len), 65535, &port) || port == 0)
		return "expected a port of 1 to 65535 after the address";
	e->port = (uint16_t)port;
	return address_read(span_slice(s, 0, colon - 1), hop, &e->address);
}

/* False after a complaint.  `skip` bytes of the token are the kind of the hop. */
static bool
endpoint_token(const struct reading *r, const struct token *t, size_t skip,
    struct endpoint *e, bool hop)
{
	struct span s = span_slice(t->text, skip, t->text.len);
	const char *why = endpoint_read(s, hop, e, r->arena);

	if (why != NULL)
		complain(r->complaints, t->place, "%s for `%s', found %s", why, r->row->name,
		    token_shown(t).text);
	return why == NULL;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->path != NULL || b->path != NULL)
		return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
	return a->port == b->port && address_equal(&a->address, &b->address);
}

/* A socket's path may need quotes, which go around all of it. */
static void
prefixed_print(const char *prefix, const struct endpoint *e, struct buf *b)
{
	char text[ENDPOINT_TEXT_BYTES];
	struct buf word = { 0 };

	endpoint_text(text, &e->address, e->port);
	buf_printf(&word, "%s%s%s", prefix, e->path != NULL ? "unix:" : "",
	    e->path != NULL ? e->path : text);
	word_print(buf_span(&word), b);
	buf_free(&word);
}

void
endpoint_print(const struct endpoint *e, struct buf *b)
{
	prefixed_print("", e, b);
}

static void
print_all(const char *prefix, const struct endpoint *items, size_t count, struct buf *b)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_byte(b, ' ');
		prefixed_print(prefix, &items[i], b);
	}
}

static struct place *
places_of(const struct reading *r)
{
	struct place *places = arena_array(r->arena, struct place, r->count);

	for (size_t i = 0; i < r->count; i++)
		places[i] = r->values[i].place;
	return places;
}

void
endpoints_read(const struct reading *r, void *member)
{
	struct endpoints list = { arena_array(r->arena, struct endpoint, r->count), 0,
		places_of(r) };

	for (; list.count < r->count; list.count++)
		if (!endpoint_token(r, &r->values[list.count], 0, &list.items[list.count],
		    false))
			return;
	*(struct endpoints *)member = list;
}

void
endpoints_print(const struct row *row, const void *member, struct buf *b)
{
	const struct endpoints *list = member;

	print_all("", list->items, list->count, b);
}

static const struct { const char *prefix; enum hop_kind kind; } prefixes[] = {
	{ "smtp:", HOP_SMTP }, { "lmtp:", HOP_LMTP }, { "peer:", HOP_PEER },
	{ "maildir:", HOP_MAILDIR }, { "", HOP_SMTP },
};

static enum hop_kind
hop_prefix(struct span s, size_t *len)
{
	size_t i = 0;

	while (!span_starts_nocase(s, span_text(prefixes[i].prefix)))
		i++;
	*len = strlen(prefixes[i].prefix);
	return prefixes[i].kind;
}

/* Those there is only one of. */
static const char *
hop_single(const struct reading *r, struct span s, struct next_hop *h)
{
	uint64_t port = 0;

	if (r->count > 1)
		return "expected only one next hop of this kind";
	if (h->kind == HOP_MAILDIR)
		return path_read(s, MAILDIR_PATH, &h->path, r->arena);
	if (!text_number(s, 65535, &port) || port == 0)
		return "expected a port of 1 to 65535 after the colon";
	h->port = (uint16_t)port;
	return NULL;
}

static const char *
hop_as_written(const struct reading *r)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			buf_byte(&b, ' ');
		token_print(&r->values[i], &b);
	}
	char *text = arena_text(r->arena, buf_span(&b));

	buf_free(&b);
	return text;
}

static bool
hop_endpoints(const struct reading *r, struct next_hop *h)
{
	h->endpoints = arena_array(r->arena, struct endpoint, r->count);
	h->places = places_of(r);
	for (; h->endpoint_count < r->count; h->endpoint_count++) {
		const struct token *t = &r->values[h->endpoint_count];
		size_t len;

		if (hop_prefix(t->text, &len) != h->kind) {
			complain(r->complaints, t->place, "expected next hops of one kind for "
			    "`%s', each with its prefix, found %s", r->row->name,
			    token_shown(t).text);
			return false;
		}
		if (!endpoint_token(r, t, len, &h->endpoints[h->endpoint_count], true))
			return false;
	}
	return true;
}

void
hop_read(const struct reading *r, void *member)
{
	const struct token *t = r->values;
	struct next_hop h = { 0 };
	size_t len;

	h.kind = hop_prefix(t->text, &len);
	if (h.kind == HOP_SMTP || h.kind == HOP_LMTP) {
		if (!hop_endpoints(r, &h))
			return;
	} else {
		const char *why = hop_single(r, span_slice(t->text, len, t->text.len), &h);

		if (why != NULL) {
			complain(r->complaints, t->place, "%s for `%s', found %s", why,
			    r->row->name, token_shown(t).text);
			return;
		}
	}
	h.text = hop_as_written(r);
	*(struct next_hop *)member = h;
}

void
hop_print(const struct row *row, const void *member, struct buf *b)
{
	const struct next_hop *h = member;
	struct buf word = { 0 };

	switch (h->kind) {
	case HOP_NONE:
		break;
	case HOP_SMTP:
		print_all("", h->endpoints, h->endpoint_count, b);
		break;
	case HOP_LMTP:
		print_all("lmtp:", h->endpoints, h->endpoint_count, b);
		break;
	case HOP_PEER:
		buf_printf(b, "peer:%u", h->port);
		break;
	case HOP_MAILDIR:
		buf_printf(&word, "maildir:%s", h->path);
		word_print(buf_span(&word), b);
		buf_free(&word);
		break;
	}
}
