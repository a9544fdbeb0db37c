/*
 * storelink.c - see storelink.h.
 */
#include "src/gateway/storelink.h"
#include "sys/ipc.h"
#include <unistd.h>

struct row { struct row *next; size_t len; uint8_t bytes[]; };

struct storelink {
	struct gateway *gateway;
	int             fd;             /* -1: down */
	struct event    readable, writable;
	uint32_t        serial;
	struct link     pending;
	size_t          pending_count;
	struct row     *rows, **rows_end;
	size_t          rows_bytes;
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

	if (type != PACKET_STORED && type != PACKET_LEDGER) {
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

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct storelink *s = arg;
	size_t len, fds;
	int none[1];

	switch (ipc_receive(s->fd, s->in, sizeof s->in, &len, none, 0, &fds)) {
	case IPC_OK:
		take_answer(s, (struct span){ s->in, len });
		break;
	case IPC_AGAIN:
		break;
	case IPC_CLOSED:
		link_down(s);
		break;
	}
}

/* Rows go out in order; false when the socket is full or gone. */
static bool
send_row(struct storelink *s, struct span record)
{
	struct pack p = storelink_begin(s, PACKET_JOURNAL);
	enum ipc_result result;

	if (record.len > PACKET_BYTES - p.len)
		return true;
	memcpy(p.ptr + p.len, record.ptr, record.len);
	p.len += record.len;
	if (s->fd < 0)
		return false;
	result = ipc_send(s->fd, (struct span){ p.ptr, p.len }, NULL, 0);
	if (result == IPC_AGAIN)
		event_add(&s->writable, NULL);
	else if (result == IPC_CLOSED)
		link_down(s);
	return result == IPC_OK;
}

static void
flush_rows(struct storelink *s)
{
	while (s->rows != NULL) {
		struct row *r = s->rows;

		if (!send_row(s, (struct span){ r->bytes, r->len }))
			return;
		s->rows = r->next;
		s->rows_bytes -= r->len;
		free(r);
	}
	s->rows_end = &s->rows;
	s->dropping = false;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	flush_rows(arg);
}

struct storelink *
storelink_create(struct gateway *g)
{
	struct storelink *s = must_alloc(sizeof *s);

	s->gateway = g;
	s->fd = -1;
	s->rows_end = &s->rows;
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
	flush_rows(s);
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

static void
keep_row(struct storelink *s, struct span record)
{
	struct row *r;

	if (s->rows_bytes + record.len > JOURNAL_BUFFER) {
		count(s->gateway, COUNTER_JOURNAL_DROPPED);
		if (!s->dropping)
			log_event(&s->gateway->log, EVENT_STORE, LOG_IS_WARNING, "journal",
			    "rows are dropped: the store is slow or down", NULL);
		s->dropping = true;
		return;
	}
	r = must_alloc(sizeof *r + record.len);
	r->len = record.len;
	memcpy(r->bytes, record.ptr, record.len);
	*s->rows_end = r;
	s->rows_end = &r->next;
	s->rows_bytes += r->len;
}

void
storelink_journal(struct storelink *s, struct span record)
{
	if (s->rows != NULL || !send_row(s, record))
		keep_row(s, record);
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
	return s->rows_bytes;
}
