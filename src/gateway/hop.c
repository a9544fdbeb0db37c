/*
 * hop.c - see hop.h.
 *
 * A connection belongs to its pool; while it carries a delivery both know each other.
 * smtp_client says what to do next; here are only sockets, time-outs and the body, which
 * goes out by sendfile between the inserted bytes.
 */
#include "src/gateway/hop.h"
#include "sys/net.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOWN_MS     10000       /* an endpoint that failed is tried last for so long */
#define STUFF_BYTES 32768
#define SMALL_BYTES BODY_BYTES  /* up to here a body goes out in one write */
#define ENDPOINTS   32          /* a bit each in delivery.tried */

struct hop_pool {
	struct link      link;          /* of the gateway's pools */
	struct gateway  *gateway;
	char            *key;
	bool             lmtp;
	struct endpoint  endpoints[ENDPOINTS];
	uint64_t         down_until[ENDPOINTS];
	size_t           endpoint_count;
	struct client_offers offers;
	bool             asked;
	struct link      connections;   /* all of them              */
	struct link      idle;          /* the latest used comes last */
	size_t           idle_count;
};

struct connection {
	struct link         link, idle;
	struct hop_pool    *pool;
	struct smtp_client *client;
	struct delivery    *delivery;
	struct event        readable, writable;
	int                 fd;
	size_t              endpoint;
	bool                connecting, reused, dead, resting;
	bool                heard;      /* since the delivery began */
	uint64_t            since;      /* ms: last progress, or idle since */
	uint64_t            cache_idle, cache_count;
	/* The body on its way. */
	struct edit_walk    walk;
	struct edit_piece   piece;
	bool                last;
	bool                stuffing, line_start;
	struct buf          stuffed;
};

static void try_next(struct delivery *);

/* --- pools --- */

static char *
pool_key(const struct listener *l, const struct endpoint *peer)
{
	char text[128];

	if (peer == NULL)
		return strdup(l->next_hop.text);
	net_endpoint_text(text, peer);
	char *key = must_alloc(strlen(text) + 8);

	sprintf(key, "peer %s", text);
	return key;
}

static struct hop_pool *
pool_create(struct gateway *g, const struct listener *l, const struct endpoint *peer,
    char *key)
{
	struct hop_pool *p = must_alloc(sizeof *p);

	*p = (struct hop_pool){ .gateway = g, .key = key,
	    .lmtp = l->next_hop.kind == HOP_LMTP };
	link_init(&p->connections);
	link_init(&p->idle);
	link_add(&g->pools, &p->link);
	if (peer != NULL) {
		p->endpoints[p->endpoint_count++] = *peer;
		return p;
	}
	for (size_t i = 0; i < l->next_hop.endpoint_count && i < ENDPOINTS; i++) {
		struct endpoint e = l->next_hop.endpoints[i];

		if (e.path != NULL)             /* the snapshot's; the pool lives on */
			e.path = strdup(e.path);
		p->endpoints[p->endpoint_count++] = e;
	}
	return p;
}

struct hop_pool *
hop_pool_get(struct gateway *g, const struct listener *l, const struct endpoint *peer)
{
	char *key = pool_key(l, peer);

	for (struct link *at = g->pools.next; at != &g->pools; at = at->next) {
		struct hop_pool *p = container_of(at, struct hop_pool, link);

		if (strcmp(p->key, key) == 0) {
			free(key);
			return p;
		}
	}
	return pool_create(g, l, peer, key);
}

const struct client_offers *
hop_pool_offers(const struct hop_pool *p)
{
	return p->asked ? &p->offers : NULL;
}

/* --- connections --- */

static void
connection_close(struct connection *c)
{
	if (c->dead)
		return;
	c->dead = true;
	event_del(&c->readable);
	event_del(&c->writable);
	close(c->fd);
	if (c->resting)
		c->pool->idle_count--;
	link_remove(&c->idle);
	link_remove(&c->link);
	link_add(&c->pool->gateway->dead_connections, &c->link);
	gateway_bury_soon(c->pool->gateway);
}

void
hop_bury(struct gateway *g)
{
	while (!link_empty(&g->dead_connections)) {
		struct connection *c = container_of(g->dead_connections.next,
		    struct connection, link);

		link_remove(&c->link);
		smtp_client_destroy(&c->client);
		buf_free(&c->stuffed);
		free(c);
	}
}

static void
delivery_enter(struct delivery *d, enum delivery_state next)
{
	assert(d->state != DELIVERY_OVER || next == DELIVERY_IDLE);
	d->state = next;
}

static void
detach(struct connection *c)
{
	if (c->delivery != NULL)
		c->delivery->connection = NULL;
	c->delivery = NULL;
}

static void
delivery_failed(struct delivery *d)
{
	d->failed = true;
	count(d->gateway, COUNTER_NEXT_HOP_FAILURES);
	log_event(&d->gateway->log, EVENT_NEXT_HOP, LOG_IS_WARNING, "endpoint", d->endpoint,
	    "problem", d->failure, NULL);
	delivery_enter(d, DELIVERY_OVER);
	d->over(d);
}

static void
endpoint_down(struct connection *c)
{
	c->pool->down_until[c->endpoint] = now_ms() + DOWN_MS;
}

/*
 * The connection is of no use any more.  Nothing was delivered before the body, so a
 * kept connection is replaced, and an endpoint that was not reached gives way to the next.
 * A kept connection that said nothing at all had been closed before we wrote to it.
 */
static void
connection_failed(struct connection *c, const char *why)
{
	struct delivery *d = c->delivery;
	bool fresh = !c->reused;
	bool stale = c->reused && !c->heard;

	if (c->dead)
		return;
	if (d != NULL)
		d->in_doubt = smtp_client_in_doubt(c->client);
	detach(c);
	connection_close(c);
	if (d == NULL)
		return;
	if (d->state == DELIVERY_CONNECTING && fresh)
		endpoint_down(c);
	snprintf(d->failure, sizeof d->failure, "%s", why);
	if (d->state == DELIVERY_CONNECTING || stale ||
	    (d->state == DELIVERY_TALKING && !fresh))
		try_next(d);
	else
		delivery_failed(d);
}

static void
connection_lost(struct connection *c, const char *why)
{
	smtp_client_lost(c->client, why);
	connection_failed(c, smtp_client_failure(c->client));
}

/* Idle from now on, or closed when there are enough. */
static void
connection_rest(struct connection *c)
{
	if (c->dead || c->resting)
		return;
	if (!smtp_client_may_be_reused(c->client) || c->pool->idle_count >= c->cache_count ||
	    c->pool->gateway->draining) {
		smtp_client_quit(c->client);
		struct span out = buf_span(smtp_client_output(c->client));

		send(c->fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		connection_close(c);
		return;
	}
	c->resting = true;
	c->since = now_ms();
	link_add(&c->pool->idle, &c->idle);
	c->pool->idle_count++;
}

/* --- sending --- */

/* 1 all gone, 0 the socket is full, -1 lost. */
static int
send_bytes(struct connection *c, struct span *bytes, int flags)
{
	while (bytes->len > 0) {
		ssize_t n = send(c->fd, bytes->ptr, bytes->len,
		    MSG_NOSIGNAL | MSG_DONTWAIT | flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		*bytes = span_slice(*bytes, (size_t)n, bytes->len);
		c->since = now_ms();
	}
	return 1;
}

/* What was assembled and not taken by the socket comes first. */
static int
send_stuffed_rest(struct connection *c)
{
	struct span bytes = buf_span(&c->stuffed);
	size_t had = bytes.len;
	int result = send_bytes(c, &bytes, 0);

	buf_take(&c->stuffed, had - bytes.len);
	if (buf_len(&c->stuffed) == 0 && c->stuffed.cap > STUFF_BYTES)
		buf_free(&c->stuffed);
	return result;
}

static int
send_output(struct connection *c)
{
	struct buf *out = smtp_client_output(c->client);
	struct span bytes = buf_span(out);
	size_t had = bytes.len;
	bool body = c->delivery != NULL && c->delivery->state == DELIVERY_SENDING;
	int result = send_bytes(c, &bytes, body ? MSG_MORE : 0);

	buf_take(out, had - bytes.len);
	return result;
}

static int
send_range(struct connection *c, struct edit_piece *p)
{
	while (p->len > 0) {
		off_t from = (off_t)p->from;
		ssize_t n = sendfile(c->fd, c->delivery->message->fd, &from, p->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		p->from += (uint64_t)n;
		p->len -= (uint64_t)n;
		c->since = now_ms();
	}
	return 1;
}

/* A mail with very many dotted lines: dots are doubled on the way, piece by piece. */
static bool
stuff_some(struct connection *c, struct edit_piece *p)
{
	uint8_t bytes[STUFF_BYTES];
	ssize_t n = pread(c->delivery->message->fd, bytes,
	    p->len < sizeof bytes ? p->len : sizeof bytes, (off_t)p->from);
	size_t run = 0;

	if (n <= 0)
		return false;
	struct span s = { bytes, (size_t)n };

	for (size_t i = 0; i < s.len; i++) {
		if (c->line_start && s.ptr[i] == '.') {
			buf_add(&c->stuffed, span_slice(s, run, i));
			buf_byte(&c->stuffed, '.');
			run = i;
		}
		c->line_start = s.ptr[i] == '\n';
	}
	buf_add(&c->stuffed, span_slice(s, run, s.len));
	p->from += s.len;
	p->len -= s.len;
	return true;
}

static int
send_stuffed(struct connection *c)
{
	for (;;) {
		struct span bytes = buf_span(&c->stuffed);
		size_t had = bytes.len;
		int result = send_bytes(c, &bytes, 0);

		buf_take(&c->stuffed, had - bytes.len);
		if (result <= 0 || c->piece.len == 0)
			return result;
		if (!stuff_some(c, &c->piece))
			return -1;
	}
}

static int
send_piece(struct connection *c)
{
	bool more = c->walk.at < c->delivery->message->size;
	int result = 1;

	if (c->piece.bytes.len > 0) {
		result = send_bytes(c, &c->piece.bytes, more ? MSG_MORE : 0);
		c->line_start = true;
	}
	if (result == 1)
		result = c->stuffing ? send_stuffed(c) : send_range(c, &c->piece);
	return result;
}

/*
 * A small message is read once and leaves in one write with all that stands before and
 * behind it: that is cheaper than a sendfile for each span, and wakes the other side
 * once.  What the socket does not take waits in c->stuffed.
 */
static bool
assemble(struct connection *c)
{
	struct delivery *d = c->delivery;
	uint8_t *body = c->pool->gateway->body_buffer;
	struct buf *out = smtp_client_output(c->client);
	uint64_t size = d->message->size;

	if (pread(d->message->fd, body, size, 0) != (ssize_t)size)
		return false;
	buf_room(&c->stuffed, size + STUFF_BYTES / 8);
	buf_add(&c->stuffed, buf_span(out));
	buf_take(out, buf_len(out));
	while (edit_next(&d->edits, size, &c->walk, &c->piece)) {
		buf_add(&c->stuffed, c->piece.bytes);
		buf_add(&c->stuffed, (struct span){ body + c->piece.from, c->piece.len });
	}
	return true;
}

static void body_is_out(struct connection *);

static void
send_small(struct connection *c)
{
	struct buf *out = smtp_client_output(c->client);

	if (!assemble(c)) {
		connection_lost(c, "the message cannot be read");
		return;
	}
	delivery_enter(c->delivery, DELIVERY_ENDING);
	body_is_out(c);
	buf_add(&c->stuffed, buf_span(out));
	buf_take(out, buf_len(out));
}

static int
send_body(struct connection *c)
{
	struct delivery *d = c->delivery;
	int result = send_piece(c);

	while (result == 1 && edit_next(&d->edits, d->message->size, &c->walk, &c->piece))
		result = send_piece(c);
	return result;
}

static void
body_is_out(struct connection *c)
{
	struct delivery *d = c->delivery;
	enum client_event e = smtp_client_body_sent(c->client);

	if (!c->last && e != CLIENT_HELD)
		return;                 /* the chunk's reply will say HELD */
	if (c->last)
		return;                 /* the end mark is queued, or was LAST */
	delivery_enter(d, DELIVERY_HELD);
	d->held(d);
}

/* Everything that can be sent now; a full socket calls again when it has room. */
static void
connection_flush(struct connection *c)
{
	while (!c->dead) {
		struct delivery *d = c->delivery;
		bool sending = d != NULL && d->state == DELIVERY_SENDING;

		if (sending && !c->stuffing && d->message->size <= SMALL_BYTES) {
			send_small(c);
			continue;
		}
		int result = send_stuffed_rest(c);

		if (result == 1)
			result = send_output(c);
		if (result == 1 && sending) {
			result = send_body(c);
			if (result == 1) {
				delivery_enter(d, DELIVERY_ENDING);
				body_is_out(c);
				continue;
			}
		}
		if (result == 0)
			event_add(&c->writable, NULL);
		else if (result < 0)
			connection_lost(c, strerror(errno));
		return;
	}
}

/* --- what the client core says --- */

static void client_says(struct connection *, enum client_event);

static void
start_body(struct connection *c, bool last)
{
	c->walk = (struct edit_walk){ 0 };
	c->piece = (struct edit_piece){ 0 };
	c->line_start = true;
	c->last = last;
	delivery_enter(c->delivery, DELIVERY_SENDING);
}

static void
take_delivery(struct connection *c)
{
	struct delivery *d = c->delivery;
	enum client_event e;

	delivery_enter(d, DELIVERY_TALKING);
	c->heard = false;
	e = smtp_client_begin(c->client, &d->transaction);
	if (e == CLIENT_WAIT && d->message->size <= SMALL_BYTES && d->may_go_ahead != NULL &&
	    smtp_client_may_send_ahead(c->client) && d->may_go_ahead(d)) {
		start_body(c, true);
		smtp_client_send_ahead(c->client, edit_size(&d->edits, d->message->size));
	} else
		client_says(c, e);
}

static void
client_ready(struct connection *c)
{
	c->pool->offers = *smtp_client_offers(c->client);
	c->pool->asked = true;
	c->pool->down_until[c->endpoint] = 0;
	if (c->delivery != NULL)
		take_delivery(c);
	else
		connection_rest(c);
}

static void
client_done(struct connection *c)
{
	struct delivery *d = c->delivery;

	detach(c);
	if (smtp_client_is_idle(c->client))     /* else READY follows, after RSET */
		connection_rest(c);
	if (d == NULL)
		return;
	delivery_enter(d, DELIVERY_OVER);
	d->over(d);
}

static void
client_says(struct connection *c, enum client_event e)
{
	struct delivery *d = c->delivery;

	switch (e) {
	case CLIENT_WAIT:
		break;
	case CLIENT_READY:
		client_ready(c);
		break;
	case CLIENT_BODY:
		delivery_enter(d, DELIVERY_BODY);
		d->on_body(d);
		break;
	case CLIENT_HELD:
		delivery_enter(d, DELIVERY_HELD);
		d->held(d);
		break;
	case CLIENT_DONE:
	case CLIENT_REFUSED:
		client_done(c);
		break;
	case CLIENT_FAILED:
		connection_failed(c, smtp_client_failure(c->client));
		break;
	}
}

static void
connection_feed(struct connection *c, struct span in)
{
	enum client_event e;

	do {
		size_t used = 0;

		e = smtp_client_feed(c->client, in, &used);
		in = span_slice(in, used, in.len);
		client_says(c, e);
	} while (!c->dead && (in.len > 0 || e != CLIENT_WAIT));
	connection_flush(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct gateway *g = c->pool->gateway;
	ssize_t n = recv(c->fd, g->read_buffer, READ_BYTES, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->resting)                 /* 421, or an end: an idle one is simply dropped */
		connection_close(c);
	else if (n <= 0)
		connection_lost(c, n == 0 ? "the connection was closed" : strerror(errno));
	else {
		c->since = now_ms();
		c->heard = true;
		connection_feed(c, (struct span){ g->read_buffer, (size_t)n });
	}
}

static void
connection_opened(struct connection *c)
{
	c->connecting = false;
	event_add(&c->readable, NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct error err;

	if (c->connecting) {
		if (net_connected(c->fd, &err) != ST_OK) {
			connection_failed(c, err.text);
			return;
		}
		connection_opened(c);
	}
	connection_flush(c);
}

/* --- deliveries --- */

static struct connection *
connection_create(struct hop_pool *p, size_t endpoint, int fd, const struct listener *l,
    const char *helo)
{
	struct connection *c = must_alloc(sizeof *c);

	*c = (struct connection){ .pool = p, .fd = fd, .endpoint = endpoint,
	    .since = now_ms(), .cache_idle = l->cache_idle, .cache_count = l->cache_count };
	c->client = smtp_client_create(helo, p->lmtp);
	link_init(&c->idle);
	link_add(&p->connections, &c->link);
	event_assign(&c->readable, p->gateway->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, p->gateway->base, fd, EV_WRITE, on_writable, c);
	return c;
}

static void
attach(struct delivery *d, struct connection *c)
{
	d->connection = c;
	c->delivery = d;
	net_endpoint_text(d->endpoint, &c->pool->endpoints[c->endpoint]);
}

/* The first that was not tried yet, rather one that is not known to be down. */
static size_t
choose_endpoint(const struct hop_pool *p, uint32_t tried)
{
	size_t down = p->endpoint_count;

	for (size_t i = p->endpoint_count; i-- > 0;)
		if ((tried >> i & 1) == 0 && p->down_until[i] > now_ms())
			down = i;
	for (size_t i = 0; i < p->endpoint_count; i++)
		if ((tried >> i & 1) == 0 && p->down_until[i] <= now_ms())
			return i;
	assert(down < p->endpoint_count);
	return down;
}

static struct connection *
idle_connection(struct hop_pool *p)
{
	struct connection *c;

	if (link_empty(&p->idle))
		return NULL;
	c = container_of(p->idle.prev, struct connection, idle);
	/* Kept to a substitute while the first is well again: not used any more. */
	if (c->endpoint != 0 && p->down_until[0] <= now_ms())
		return NULL;
	link_remove(&c->idle);
	p->idle_count--;
	c->resting = false;
	c->reused = true;
	c->since = now_ms();
	return c;
}

static void
open_connection(struct delivery *d)
{
	struct hop_pool *p = d->pool;
	size_t endpoint = choose_endpoint(p, d->tried);
	struct error err;
	int fd = -1;
	enum status st = net_connect(&p->endpoints[endpoint], &fd, &err);

	d->tried |= UINT32_C(1) << endpoint;
	d->tries++;
	net_endpoint_text(d->endpoint, &p->endpoints[endpoint]);
	if (st != ST_OK && st != ST_MORE) {
		p->down_until[endpoint] = now_ms() + DOWN_MS;
		snprintf(d->failure, sizeof d->failure, "%s", err.text);
		try_next(d);
		return;
	}
	struct connection *c = connection_create(p, endpoint, fd, d->listener,
	    p->gateway->hostname);

	count(p->gateway, COUNTER_NEXT_HOP_CONNECTIONS);
	attach(d, c);
	c->connecting = st == ST_MORE;
	if (c->connecting)
		event_add(&c->writable, NULL);
	else
		connection_opened(c);
}

/* Once round the endpoints; then it has failed.  Bounded: each call counts a try. */
static void
try_next(struct delivery *d)
{
	d->state = DELIVERY_CONNECTING;
	d->in_doubt = false;
	if (d->tries < d->pool->endpoint_count)
		open_connection(d);
	else
		delivery_failed(d);
}

void
delivery_begin(struct delivery *d)
{
	struct connection *c = idle_connection(d->pool);

	assert(d->state == DELIVERY_IDLE);
	d->state = DELIVERY_CONNECTING;
	if (c == NULL) {
		open_connection(d);
		return;
	}
	attach(d, c);
	take_delivery(c);
	connection_flush(c);
}

/* The pool of connections that lead to no next hop: it has no endpoints. */
static struct hop_pool *
own_pool(struct gateway *g)
{
	static const struct listener own = {
	    .next_hop = { .kind = HOP_LMTP, .text = "held mail" } };

	return hop_pool_get(g, &own, NULL);
}

void
delivery_begin_on(struct delivery *d, int fd, const char *helo)
{
	assert(d->state == DELIVERY_IDLE);
	d->state = DELIVERY_CONNECTING;
	d->pool = own_pool(d->gateway);
	struct connection *c = connection_create(d->pool, 0, fd, d->listener, helo);

	d->connection = c;
	c->delivery = d;
	snprintf(d->endpoint, sizeof d->endpoint, "%s", d->pool->key);
	connection_opened(c);
}

/* Where the dots are is known for the first DOT_KEPT lines; see stuff_some for more. */
static void
add_dots(struct connection *c, struct delivery *d)
{
	c->stuffing = d->data->dotted_count > DOT_KEPT;
	for (size_t i = 0; i < d->data->dotted_count && !c->stuffing; i++)
		if (edit_fits(&d->edits, d->data->dotted[i], 0, d->message->size))
			edit_add(&d->edits, d->data->dotted[i], 0, SPAN_LIT("."));
	if (!d->data->ends_with_crlf && d->message->size > 0)
		edit_add(&d->edits, d->message->size, 0, SPAN_LIT("\r\n"));
}

void
delivery_send(struct delivery *d, bool last)
{
	struct connection *c = d->connection;

	assert(d->state == DELIVERY_BODY);
	if (!smtp_client_uses_chunks(c->client))
		add_dots(c, d);
	start_body(c, last);
	smtp_client_send_body(c->client, edit_size(&d->edits, d->message->size), last);
	connection_flush(c);
}

void
delivery_commit(struct delivery *d)
{
	assert(d->state == DELIVERY_HELD);
	delivery_enter(d, DELIVERY_ENDING);
	smtp_client_commit(d->connection->client);
	connection_flush(d->connection);
}

void
delivery_abort(struct delivery *d)
{
	struct connection *c = d->connection;

	d->state = DELIVERY_OVER;
	if (c == NULL)
		return;
	detach(c);
	if (c->connecting || !smtp_client_abort(c->client))
		connection_close(c);
	else
		connection_flush(c);
}

/* --- time --- */

static uint64_t
patience(const struct connection *c)
{
	const struct listener *l = c->delivery != NULL ? c->delivery->listener : NULL;

	if (l == NULL)
		return c->cache_idle;
	if (c->connecting)
		return l->connect_timeout;
	switch (smtp_client_patience(c->client)) {
	case PATIENCE_COMMAND:
		return l->command_timeout;
	case PATIENCE_DATA:
		return l->data_timeout;
	case PATIENCE_END:
		break;
	}
	return l->end_timeout;
}

static void
connection_tick(struct connection *c)
{
	if (now_ms() - c->since < patience(c))
		return;
	if (c->connecting)
		connection_failed(c, "the connection was not answered in time");
	else if (c->delivery != NULL) {
		c->heard = true;        /* silent is not stale: it may have the message */
		connection_lost(c, "timed out");
	} else {
		smtp_client_quit(c->client);
		struct span out = buf_span(smtp_client_output(c->client));

		send(c->fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		connection_close(c);
	}
}

void
hop_tick(struct gateway *g)
{
	for (struct link *at = g->pools.next; at != &g->pools; at = at->next) {
		struct hop_pool *p = container_of(at, struct hop_pool, link);

		for (struct link *l = p->connections.next, *next; l != &p->connections;
		    l = next) {
			next = l->next;
			connection_tick(container_of(l, struct connection, link));
			/* A callback may have buried the neighbour: start over then. */
			if (next != &p->connections &&
			    container_of(next, struct connection, link)->dead)
				next = p->connections.next;
		}
	}
}

void
hop_close_idle(struct gateway *g)
{
	for (struct link *at = g->pools.next; at != &g->pools; at = at->next) {
		struct hop_pool *p = container_of(at, struct hop_pool, link);

		while (!link_empty(&p->idle)) {
			struct connection *c = container_of(p->idle.next, struct connection,
			    idle);

			send(c->fd, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
			connection_close(c);
		}
	}
}
