/*
 * storelink.c - see storelink.h.
 */
#include "src/gateway/storelink.h"
#include "sys/ipc.h"
#include <unistd.h>

#define BATCH_BYTES     32768
#define BATCH_MS        20

/* A packet's worth of journal rows that could not be sent yet. */
struct batch { struct batch *next; size_t len, rows; uint8_t bytes[]; };

struct storelink {
	struct gateway *gateway;
	int             fd;             /* -1: down */
	int             came;           /* with the answer under way; -1: none */
	struct event    readable, writable;
	uint32_t        serial;
	struct link     pending;
	size_t          pending_count;
	struct buf      gathering;      /* rows, each a span as in lib/base/pack.h */
	size_t          gathered;
	struct event    hurry;          /* the rows gathered are BATCH_MS old      */
	struct batch   *waiting, **waiting_end;
	size_t          waiting_bytes;
	bool            dropping;       /* said so in the log */
	uint8_t         in[PACKET_BYTES];
	uint8_t        *out;            /* PACKET_LARGE_BYTES, touched as far as used */
};

static void
request_over(struct storelink *s, struct store_request *r, enum status st,
    struct unpack body, struct error *err)
{
	link_remove(&r->link);
	r->pending = false;
	s->pending_count--;
	r->done(r, st, body, err);
}

static void
request_failed(struct storelink *s, struct store_request *r, const char *why)
{
	struct error err;

	fail(&err, ST_TEMP, "store", "%s", why);
	request_over(s, r, ST_TEMP, (struct unpack){ 0 }, &err);
}

static void
link_down(struct storelink *s)
{
	event_del(&s->readable);
	event_del(&s->writable);
	close(s->fd);
	s->fd = -1;
	while (!link_empty(&s->pending))
		request_failed(s, container_of(s->pending.next, struct store_request, link),
		    "the store is down");
}

static void
take_answer(struct storelink *s, struct span packet)
{
	struct unpack body;
	struct error err = { 0 };
	uint32_t serial;
	enum packet_type type = packet_open(packet, &serial, &body);

	if (type != PACKET_STORED && type != PACKET_LEDGER && type != PACKET_HELD) {
		link_down(s);
		return;
	}
	for (struct link *l = s->pending.next; l != &s->pending; l = l->next) {
		struct store_request *r = container_of(l, struct store_request, link);

		if (r->serial == serial) {
			request_over(s, r, ST_OK, body, &err);
			return;
		}
	}
}

int
storelink_descriptor(struct storelink *s)
{
	int fd = s->came;

	s->came = -1;
	return fd;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct storelink *s = arg;
	size_t len, fds;
	int came[1];

	switch (ipc_receive(s->fd, s->in, sizeof s->in, &len, came, 1, &fds)) {
	case IPC_OK:
		s->came = fds > 0 ? came[0] : -1;
		take_answer(s, (struct span){ s->in, len });
		if (s->came >= 0)
			close(storelink_descriptor(s));
		break;
	case IPC_AGAIN:
		break;
	case IPC_CLOSED:
		link_down(s);
		break;
	}
}

/* False when the socket is full or gone. */
static bool
send_batch(struct storelink *s, struct span rows)
{
	struct pack p = storelink_begin(s, PACKET_JOURNAL);
	enum ipc_result result;

	if (s->fd < 0)
		return false;
	memcpy(p.ptr + p.len, rows.ptr, rows.len);
	result = ipc_send(s->fd, (struct span){ p.ptr, p.len + rows.len }, NULL, 0);
	if (result == IPC_AGAIN)
		event_add(&s->writable, NULL);
	else if (result == IPC_CLOSED)
		link_down(s);
	return result == IPC_OK;
}

static void
send_waiting(struct storelink *s)
{
	while (s->waiting != NULL) {
		struct batch *b = s->waiting;

		if (!send_batch(s, (struct span){ b->bytes, b->len }))
			return;
		s->waiting = b->next;
		s->waiting_bytes -= b->len;
		free(b);
	}
	s->waiting_end = &s->waiting;
	s->dropping = false;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	send_waiting(arg);
}

static void
keep_batch(struct storelink *s, struct span rows)
{
	struct batch *b;

	if (s->waiting_bytes + rows.len > JOURNAL_BUFFER) {
		s->gateway->counters->values[COUNTER_JOURNAL_DROPPED] += s->gathered;
		if (!s->dropping)
			log_event(&s->gateway->log, EVENT_STORE, LOG_IS_WARNING, "journal",
			    "rows are dropped: the store is slow or down", NULL);
		s->dropping = true;
		return;
	}
	b = must_alloc(sizeof *b + rows.len);
	b->len = rows.len;
	b->rows = s->gathered;
	memcpy(b->bytes, rows.ptr, rows.len);
	*s->waiting_end = b;
	s->waiting_end = &b->next;
	s->waiting_bytes += b->len;
}

static void
send_gathered(struct storelink *s)
{
	struct span rows = buf_span(&s->gathering);

	if (rows.len == 0)
		return;
	if (s->waiting != NULL || !send_batch(s, rows))
		keep_batch(s, rows);
	buf_take(&s->gathering, rows.len);
	s->gathered = 0;
}

bool
storelink_flush(struct storelink *s)
{
	send_gathered(s);
	return s->fd >= 0 && s->waiting == NULL;
}

static void
on_hurry(evutil_socket_t fd, short what, void *arg)
{
	struct storelink *s = arg;

	send_gathered(s);
	gateway_check_drained(s->gateway);
}

struct storelink *
storelink_create(struct gateway *g)
{
	struct storelink *s = must_alloc(sizeof *s);

	s->gateway = g;
	s->fd = s->came = -1;
	s->waiting_end = &s->waiting;
	evtimer_assign(&s->hurry, g->base, on_hurry, s);
	s->out = must_alloc(PACKET_LARGE_BYTES);
	link_init(&s->pending);
	return s;
}

void
storelink_connect(struct storelink *s, int fd)
{
	if (s->fd >= 0)
		link_down(s);
	s->fd = fd;
	event_assign(&s->readable, s->gateway->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->writable, s->gateway->base, fd, EV_WRITE, on_writable, s);
	event_add(&s->readable, NULL);
	send_waiting(s);
}

struct pack
storelink_begin(struct storelink *s, enum packet_type type)
{
	return packet_begin_large(s->out, PACKET_LARGE_BYTES, type, ++s->serial);
}

/* As a packet, or as LARGE beside its memfd. */
static enum ipc_result
send_packet(struct storelink *s, struct span packet, int fd)
{
	int fds[2] = { fd, -1 };
	size_t count = fd >= 0 ? 1 : 0;
	uint8_t bytes[16];
	struct pack large;
	enum ipc_result result;

	if (packet.len <= PACKET_BYTES)
		return ipc_send(s->fd, packet, fds, count);
	if ((fds[count] = ipc_memory("packet", packet)) < 0)
		return IPC_AGAIN;
	large = packet_begin_large(bytes, sizeof bytes, PACKET_LARGE, s->serial);
	result = ipc_send(s->fd, (struct span){ bytes, large.len }, fds, count + 1);
	close(fds[count]);
	return result;
}

enum status
storelink_send(struct storelink *s, const struct pack *p, int fd, struct store_request *r,
    struct error *err)
{
	if (p->full)
		return fail(err, ST_TEMP, "store", "the request is too large");
	if (s->fd < 0)
		return fail(err, ST_TEMP, "store", "the store is down");
	if (s->pending_count >= STORE_QUEUE)
		return fail(err, ST_TEMP, "store", "too many requests wait for the store");
	switch (send_packet(s, (struct span){ p->ptr, p->len }, fd)) {
	case IPC_OK:
		break;
	case IPC_AGAIN:
		return fail(err, ST_TEMP, "store", "the store is too slow");
	case IPC_CLOSED:
		link_down(s);
		return fail(err, ST_TEMP, "store", "the store is down");
	}
	r->serial = s->serial;
	r->began = now_ms();
	r->pending = true;
	link_add(&s->pending, &r->link);
	s->pending_count++;
	return ST_OK;
}

void
storelink_cancel(struct storelink *s, struct store_request *r)
{
	if (!r->pending)
		return;
	link_remove(&r->link);
	r->pending = false;
	s->pending_count--;
}

void
storelink_journal(struct storelink *s, struct span record)
{
	struct timeval soon = { 0, BATCH_MS * 1000 };
	uint8_t len[4];
	struct pack p = { len, 0, sizeof len, false };

	if (buf_len(&s->gathering) > 0 && buf_len(&s->gathering) + record.len > BATCH_BYTES)
		send_gathered(s);
	if (buf_len(&s->gathering) == 0)
		event_add(&s->hurry, &soon);
	pack_u32(&p, (uint32_t)record.len);
	buf_add(&s->gathering, (struct span){ len, sizeof len });
	buf_add(&s->gathering, record);
	s->gathered++;
}

void
storelink_tick(struct storelink *s)
{
	while (!link_empty(&s->pending)) {
		struct store_request *r = container_of(s->pending.next, struct store_request,
		    link);

		if (now_ms() - r->began < STORE_PATIENCE)
			break;
		request_failed(s, r, "the store did not answer in time");
	}
	s->gateway->counters->values[GAUGE_STORE_QUEUE] = s->pending_count;
}

bool
storelink_is_up(const struct storelink *s)
{
	return s->fd >= 0;
}

size_t
storelink_waiting(const struct storelink *s)
{
	return s->waiting_bytes + buf_len(&s->gathering);
}
