/*
 * session.c - see session.h.
 */
#include "src/gateway/session.h"
#include "src/gateway/clients.h"
#include "src/gateway/hop.h"
#include "src/gateway/transaction.h"
#include "sys/net.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_AT_ONCE  64
#define ACCEPT_PAUSE_MS 100
#define RATE_WINDOW_MS  60000

static void session_feed(struct session *, struct span);

void
session_peer_text(const struct session *s, char out[ENDPOINT_TEXT_BYTES])
{
	if (s->has_peer)
		endpoint_text(out, &s->peer, s->peer_port);
	else
		snprintf(out, ENDPOINT_TEXT_BYTES, "unix");
}

/* --- its end --- */

static void
session_close(struct session *s)
{
	if (s->dead)
		return;
	s->dead = true;
	event_del(&s->readable);
	event_del(&s->writable);
	close(s->fd);
	if (s->held != NULL)
		s->held->over(s->held);
	else if (s->has_peer)
		clients_leave(s->gateway->clients, &s->peer);
	s->gateway->session_count--;
	s->gateway->counters->values[GAUGE_SESSIONS] = s->gateway->session_count;
	link_remove(&s->link);
	link_add(&s->gateway->dead_sessions, &s->link);
	gateway_bury_soon(s->gateway);
}

void
session_bury(struct gateway *g)
{
	while (!link_empty(&g->dead_sessions)) {
		struct session *s = container_of(g->dead_sessions.next, struct session, link);

		link_remove(&s->link);
		smtp_server_destroy(&s->server);
		snapshot_drop(s->snapshot);
		buf_free(&s->pending);
		free(s);
	}
	gateway_check_drained(g);
}

/* The client has left.  A transaction under way goes to its next safe point first. */
static void
session_gone(struct session *s)
{
	s->gone = true;
	if (s->transaction != NULL && transaction_is_working(s->transaction)) {
		event_del(&s->readable);
		event_del(&s->writable);
		transaction_leave(s->transaction);
		return;
	}
	transaction_destroy(&s->transaction);
	session_close(s);
}

/* --- output --- */

static void
session_flush(struct session *s)
{
	struct buf *out = smtp_server_output(s->server);

	while (!s->dead && !s->gone && buf_len(out) > 0) {
		struct span bytes = buf_span(out);
		ssize_t n = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			s->blocked = true;
			event_add(&s->writable, NULL);
			return;
		}
		if (n < 0) {
			session_gone(s);
			return;
		}
		buf_take(out, (size_t)n);
		s->since = now_ms();
	}
	s->blocked = false;
	smtp_server_output(s->server);          /* an empty one gives its memory back */
	if (s->closing && !s->dead && !s->gone)
		session_close(s);
}

/* Reading had stopped while too much was pending. */
static void
session_resume(struct session *s)
{
	if (s->dead || s->gone || s->blocked)
		return;
	if (!event_pending(&s->readable, EV_READ, NULL))
		event_add(&s->readable, NULL);
	session_feed(s, SPAN_NONE);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	session_flush(s);
	if (s->transaction == NULL || !transaction_is_working(s->transaction))
		session_resume(s);
}

void
session_hangup(struct session *s, const char *reply)
{
	if (s->dead || s->closing)
		return;
	smtp_server_hangup(s->server, reply);
	s->closing = true;
	if (s->transaction != NULL && !transaction_is_working(s->transaction))
		transaction_destroy(&s->transaction);
	session_flush(s);
	/* Who does not even take the 421 is not waited for. */
	if (!s->dead && s->blocked)
		session_close(s);
}

/* --- what the server core says --- */

#define HELD_COMMAND_BYTES 65536u

/* It was taken once.  Each recipient hears its own reply: one that is put off for days must
   not keep the others waiting. */
static void
configure_held(struct smtp_server_config *c)
{
	c->protocol = SERVER_LMTP;
	c->repair = c->xforward = c->dsn = c->smtputf8 = true;
	c->size_offer = c->size_limit = c->recipient_limit = c->line_limit = 0;
	c->error_limit = 0;
	c->command_limit = HELD_COMMAND_BYTES;
}

/* SIZE, DSN and SMTPUTF8 are offered as the next hop last did; unasked, all are. */
static void
session_configure(struct session *s)
{
	const struct door *door = session_door(s);
	const struct listener *l = door->listener;
	const struct client_offers *o = door->pool != NULL ? hop_pool_offers(door->pool) : NULL;
	uint64_t size = l->size_limit;

	if (o != NULL && o->size && o->size_limit > 0 && (size == 0 || o->size_limit < size))
		size = o->size_limit;
	s->config = (struct smtp_server_config){
	    .hostname = s->gateway->hostname,
	    .protocol = l->protocol == PROTOCOL_SMTP ? SERVER_SMTP :
	        l->protocol == PROTOCOL_LMTP ? SERVER_LMTP : SERVER_AUTO,
	    .repair = l->bare_newline == BARE_REPAIR,
	    .xforward = s->trusted,
	    .dsn = o == NULL || o->dsn,
	    .smtputf8 = o == NULL || o->smtputf8,
	    .size = true,
	    .size_offer = size,
	    .size_limit = size,
	    .recipient_limit = l->recipient_limit,
	    .command_limit = l->command_limit,
	    .line_limit = l->line_limit,
	    .error_limit = l->error_limit,
	};
	if (s->held != NULL)
		configure_held(&s->config);
}

struct span
session_helo(const struct session *s)
{
	return s->held != NULL ? s->held->helo : smtp_server_helo(s->server);
}

struct span
session_with(const struct session *s)
{
	return s->held != NULL ? s->held->with : span_text(smtp_server_with(s->server));
}

static bool
in_networks(const struct networks *n, const struct address *a)
{
	for (size_t i = 0; i < n->count; i++)
		if (network_holds(&n->items[i], a))
			return true;
	return false;
}

/* One that may say XFORWARD. */
static bool
is_client(const struct session *s)
{
	return !s->has_peer || in_networks(&session_door(s)->listener->clients, &s->peer);
}

/* Between transactions: the newest configuration, if the listener still is in it. */
static void
session_renew(struct session *s)
{
	struct snapshot *newest = s->gateway->snapshot;
	const char *name = session_door(s)->listener->name;

	for (size_t i = 0; newest != s->snapshot && i < newest->settings->listener_count; i++)
		if (strcmp(newest->doors[i].listener->name, name) == 0) {
			snapshot_drop(s->snapshot);
			s->snapshot = snapshot_hold(newest);
			s->listener = (unsigned)i;
			s->trusted = is_client(s);
			break;
		}
	session_configure(s);
	smtp_server_configure(s->server, &s->config);
}

static void
event_mail(struct session *s)
{
	if (gateway_under_pressure(s->gateway)) {
		count(s->gateway, COUNTER_PRESSURE);
		smtp_server_refuse(s->server,
		    "452 4.3.1 Insufficient system resources, try again later");
		return;
	}
	s->transaction = transaction_create(s);
	smtp_server_go(s->server);
}

static void
event_body(struct session *s)
{
	struct error err;

	if (transaction_collect(s->transaction, &err) != ST_OK) {
		char reply[300];

		count(s->gateway, COUNTER_PRESSURE);
		snprintf(reply, sizeof reply, "452 4.3.1 %s", err.text);
		smtp_server_refuse(s->server, reply);
		return;
	}
	s->data_began = now_ms();
	s->data_bytes = 0;
	smtp_server_collect(s->server, transaction_sink(s->transaction));
}

static void
one_event(struct session *s, enum server_event e)
{
	switch (e) {
	case SERVER_WAIT:
		break;
	case SERVER_MAIL:
		event_mail(s);
		break;
	case SERVER_RCPT:
		smtp_server_go(s->server);
		break;
	case SERVER_BODY:
		event_body(s);
		break;
	case SERVER_MESSAGE:
		s->data_began = 0;
		transaction_begin(s->transaction);
		break;
	case SERVER_ABORT:
		s->data_began = 0;
		transaction_destroy(&s->transaction);
		session_renew(s);
		break;
	case SERVER_CLOSE:
		s->closing = true;
		break;
	}
}

static bool
session_waits(const struct session *s)
{
	return smtp_server_state(s->server) == SERVER_WAITING;
}

/* `in` is what just came; NULL: only what is pending. */
static void
session_feed(struct session *s, struct span in)
{
	enum server_event e = SERVER_WAIT;
	size_t used;

	if (s->feeding)
		return;
	if (s->snapshot != s->gateway->snapshot && s->transaction == NULL)
		session_renew(s);
	s->feeding = true;
	if (buf_len(&s->pending) > 0) {         /* rare: pipelined behind a final dot */
		buf_add(&s->pending, in);
		in = buf_span(&s->pending);
	}
	bool kept = buf_len(&s->pending) > 0;
	size_t total = in.len;

	do {
		used = 0;
		e = smtp_server_feed(s->server, in, &used);
		in = span_slice(in, used, in.len);
		one_event(s, e);
	} while (e != SERVER_WAIT && !s->closing && !s->dead && !session_waits(s));
	if (kept)
		buf_take(&s->pending, total - in.len);
	else
		buf_add(&s->pending, in);
	if (buf_len(&s->pending) == 0)
		buf_free(&s->pending);
	s->feeding = false;
	message_rest(s->gateway);
	session_flush(s);
	if (s->gateway->draining && !s->dead && smtp_server_is_idle(s->server))
		session_hangup(s, "421 4.3.2 Shutting down, try again later");
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	struct gateway *g = s->gateway;
	size_t room = READ_BYTES;

	if (session_waits(s) || s->blocked) {
		if (buf_len(&s->pending) >= PENDING_BYTES) {
			event_del(&s->readable);        /* again after the answer */
			return;
		}
		room = PENDING_BYTES - buf_len(&s->pending);
	}
	ssize_t n = recv(s->fd, g->read_buffer, room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_gone(s);
		return;
	}
	s->since = now_ms();
	s->data_bytes += (uint64_t)n;
	struct span in = { g->read_buffer, (size_t)n };

	if (session_waits(s) || s->blocked)
		buf_add(&s->pending, in);
	else
		session_feed(s, in);
}

void
session_answer(struct session *s, const char *const *replies, size_t count)
{
	s->since = now_ms();
	transaction_destroy(&s->transaction);
	if (s->gone) {
		session_close(s);
		return;
	}
	for (size_t i = 0; i < count; i++)
		smtp_server_answer(s->server, replies[i]);
	session_renew(s);
	if (!s->feeding)
		session_resume(s);
}

/* --- its beginning --- */

static void
refuse_connection(struct gateway *g, int fd, const char *reply)
{
	count(g, COUNTER_SESSIONS_REFUSED);
	send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static struct session *
session_new(struct gateway *g, int fd, unsigned listener)
{
	struct session *s = must_alloc(sizeof *s);

	*s = (struct session){ .gateway = g, .fd = fd, .listener = listener };
	s->snapshot = snapshot_hold(g->snapshot);
	s->began = s->since = now_ms();
	return s;
}

static void
session_start(struct session *s)
{
	struct gateway *g = s->gateway;

	s->trusted = is_client(s);
	session_configure(s);
	s->server = smtp_server_create(&s->config);
	event_assign(&s->readable, g->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->writable, g->base, s->fd, EV_WRITE, on_writable, s);
	event_add(&s->readable, NULL);
	link_add(&g->sessions, &s->link);
	g->session_count++;
	g->counters->values[GAUGE_SESSIONS] = g->session_count;
	session_flush(s);
}

static void
session_create(struct port *p, int fd)
{
	struct gateway *g = p->gateway;
	struct session *s = session_new(g, fd, p->listener);

	s->has_peer = net_peer(fd, &s->peer, &s->peer_port);
	net_local(fd, &s->local, &s->local_port);
	if (s->has_peer)
		clients_enter(g->clients, &s->peer);
	count(g, COUNTER_SESSIONS);
	session_start(s);
}

void
session_begin_held(struct gateway *g, int fd, unsigned listener, struct origin *o)
{
	struct session *s = session_new(g, fd, listener);

	s->held = o;
	s->has_peer = o->has_peer;
	s->peer = o->peer;
	s->peer_port = o->peer_port;
	session_start(s);
}

static void
port_accept(struct port *p, int fd)
{
	struct gateway *g = p->gateway;
	const struct listener *l = g->snapshot->doors[p->listener].listener;
	struct address peer;
	uint16_t number;

	if (g->session_count >= g->sessions_share)
		refuse_connection(g, fd, "421 4.3.2 Too many sessions, try again later\r\n");
	else if (l->sessions_client > 0 && net_peer(fd, &peer, &number) &&
	    clients_count(g->clients, &peer) >= l->sessions_client)
		refuse_connection(g, fd, "421 4.7.0 Too many sessions of your address\r\n");
	else
		session_create(p, fd);
}

static void
on_connection(evutil_socket_t listening, short what, void *arg)
{
	struct port *p = arg;
	struct timeval pause = { 0, ACCEPT_PAUSE_MS * 1000 };

	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = net_accept(p->fd);

		if (fd >= 0) {
			port_accept(p, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			event_del(&p->event);
			event_add(&p->gateway->accept_again, &pause);
		}
		return;
	}
}

void
ports_resume(struct gateway *g)
{
	for (struct link *l = g->ports.next; l != &g->ports; l = l->next)
		event_add(&container_of(l, struct port, link)->event, NULL);
}

void
port_open(struct gateway *g, const struct packet_listen *where, int fd)
{
	struct port *p = must_alloc(sizeof *p);

	*p = (struct port){ .gateway = g, .fd = fd, .listener = where->listener,
	    .generation = g->generation };
	event_assign(&p->event, g->base, fd, EV_READ | EV_PERSIST, on_connection, p);
	link_add(&g->ports, &p->link);
	if (g->started)
		event_add(&p->event, NULL);
}

void
ports_close(struct gateway *g, uint32_t before_generation)
{
	for (struct link *l = g->ports.next, *next; l != &g->ports; l = next) {
		struct port *p = container_of(l, struct port, link);

		next = l->next;
		if (p->generation >= before_generation)
			continue;
		event_del(&p->event);
		close(p->fd);
		link_remove(&p->link);
		free(p);
	}
}

/* --- time --- */

static bool
too_slow(struct session *s, uint64_t now, const struct listener *l)
{
	if (s->data_began == 0 || now - s->data_began < RATE_WINDOW_MS)
		return false;
	bool slow = s->data_bytes * 1000 < l->minimum_rate * (now - s->data_began);

	s->data_began = now;
	s->data_bytes = 0;
	return slow;
}

static void
one_tick(struct session *s, uint64_t now)
{
	const struct listener *l = session_door(s)->listener;
	const char *why = NULL;

	if (s->transaction != NULL && transaction_is_working(s->transaction)) {
		transaction_tick(s->transaction);
		return;
	}
	if (now - s->since >= l->idle_timeout)
		why = "421 4.4.2 Idle for too long";
	else if (now - s->began >= l->session_timeout)
		why = "421 4.4.2 The session lasts too long";
	else if (too_slow(s, now, l))
		why = "421 4.4.2 Too slow";
	if (why == NULL)
		return;
	char peer[ENDPOINT_TEXT_BYTES];

	session_peer_text(s, peer);
	count(s->gateway, COUNTER_SESSION_TIMEOUTS);
	log_event(&s->gateway->log, EVENT_SESSION, LOG_IS_NOTICE, "client", peer, "ended",
	    why, "while", smtp_server_doing(s->server), NULL);
	session_hangup(s, why);
}

void
session_tick(struct gateway *g)
{
	uint64_t now = now_ms();

	for (struct link *l = g->sessions.next, *next; l != &g->sessions; l = next) {
		next = l->next;         /* a tick may end this session, but no other */
		one_tick(container_of(l, struct session, link), now);
	}
}

void
sessions_drain(struct gateway *g)
{
	for (struct link *l = g->sessions.next, *next; l != &g->sessions; l = next) {
		struct session *s = container_of(l, struct session, link);

		next = l->next;
		if (smtp_server_is_idle(s->server))
			session_hangup(s, "421 4.3.2 Shutting down, try again later");
	}
}
