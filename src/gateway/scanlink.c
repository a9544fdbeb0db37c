/*
 * scanlink.c - one connection to a scanner; see scanner.h.
 *
 * The client core says what to write and what an answer means; here are only the socket and
 * the message, which goes out in one write where it is small, else by sendfile, or as a
 * descriptor of its own.
 */
#include "src/gateway/scanner_private.h"
#include "sys/ipc.h"
#include "sys/net.h"
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static void canary_over(struct scan_link *, const struct scan_report *);

void
link_close(struct scan_link *k)
{
	if (k->dead)
		return;
	k->dead = true;
	event_del(&k->readable);
	event_del(&k->writable);
	close(k->fd);
	if (k->scan != NULL)
		k->scan->connection = NULL;
	k->scan = NULL;
	link_remove(&k->idle);
	link_remove(&k->link);
	link_add(&k->server->pool->all->dead_links, &k->link);
	canary_over(k, NULL);
	gateway_bury_soon(k->server->pool->gateway);
}

void
link_bury(struct scan_link *k)
{
	link_remove(&k->link);
	scan_client_destroy(&k->client);
	buf_free(&k->rest);
	arena_free(&k->arena);
	free(k);
}

void
link_rest(struct scan_link *k)
{
	if (k->server->pool->gateway->draining || buf_len(&k->rest) > 0) {
		link_close(k);
		return;
	}
	k->resting = true;
	k->since = now_ms();
	link_add(&k->server->idle, &k->idle);
}

/* --- the canary --- */

static void link_flush(struct scan_link *);

static bool
is_clean(const struct scan_report *r)
{
	return r->result == SCAN_CLEAN || r->result == SCAN_SCORED;
}

static bool
wants_canary(const struct scan_link *k)
{
	return !k->canary && scan_client_report(k->client)->result == SCAN_CLEAN &&
	    server_wants_canary(k->server);
}

static struct arena *
link_arena(struct scan_link *k)
{
	return k->scan != NULL ? k->scan->request.arena : &k->arena;
}

/* The way that mails go; a probe knows it from the last one. */
static void
canary_begin(struct scan_link *k)
{
	struct server *v = k->server;

	if (k->scan != NULL)
		v->takes_descriptors = k->scan->request.may_descriptor;
	v->asking = k;
	k->canary = true;
	scan_client_begin_canary(k->client, &(struct scan_request){
	    .may_descriptor = v->takes_descriptors && v->pool->all->canary >= 0,
	    .arena = link_arena(k) });
	link_flush(k);
}

/* One at a time: a slow server is not asked twice as much. */
static void
canary_ask(struct scan_link *k)
{
	k->answer = scan_client_report(k->client);
	if (k->server->asking == NULL) {
		canary_begin(k);
		return;
	}
	k->waits = true;
	link_add(&k->server->waiting, &k->idle);
}

/* What counts in the end.  The client core does not know of bytes that are still here. */
static const struct scan_report *
last_report(struct scan_link *k)
{
	static const struct scan_report unsent = { .result = SCAN_FAILED,
	    .why = SPAN_LIT("answered before the message was sent") };
	static const struct scan_report talks = { .result = SCAN_FAILED,
	    .why = SPAN_LIT("said more than its answer") };
	static const struct scan_report left = { .result = SCAN_FAILED,
	    .why = SPAN_LIT("left before it was asked for the EICAR test file") };
	const struct scan_report *r = scan_client_report(k->client);

	if (k->waits)
		return &left;
	if (is_clean(r) && buf_len(&k->rest) > 0)
		return &unsent;
	if (wants_canary(k))
		return &talks;
	if (!k->canary || !is_clean(r))
		return r;
	server_found_canary(k->server);
	return k->answer;
}

/* --- the end of a dialogue --- */

/* A refusal of VERSION is remembered, so that it cannot come twice. */
static bool
learns_version(struct scan_link *k)
{
	bool learns = scan_client_version_denied(k->client) &&
	    !k->server->options.no_version;

	k->server->options.no_version |= learns;
	return learns;
}

static void
tell(struct scan_link *k, struct scan *s, const struct scan_report *r)
{
	struct server *v = k->server;
	bool again = learns_version(k) || scan_client_is_stale(k->client);

	if (s == NULL && again)
		server_probe_again(v);
	else if (s == NULL)
		server_probed(v, r, "");
	else if (again)
		scan_again(s, v);
	else if (scan_client_was_denied(k->client))
		scan_denied(s, v, r);
	else
		server_answered(v, s, r);
}

static void
link_finish(struct scan_link *k, bool reusable, const struct scan_report *r)
{
	struct scan *s = k->scan;

	if (s != NULL)
		s->connection = NULL;
	k->scan = NULL;
	k->probing = k->canary = k->waits = false;
	link_remove(&k->idle);
	if (reusable)
		link_rest(k);
	else
		link_close(k);
	tell(k, s, r);
}

static const struct scan_report *
failed_likewise(struct arena *arena, struct span why)
{
	struct scan_report *r = arena_new(arena, struct scan_report);

	r->why = arena_span(arena, why);
	return r;
}

/* Of whoever asked: r decides for those who wait; NULL: it is called off, another asks. */
static void
canary_over(struct scan_link *k, const struct scan_report *r)
{
	struct server *v = k->server;

	if (v->asking != k)
		return;
	v->asking = NULL;
	while (v->asking == NULL && !link_empty(&v->waiting)) {
		struct scan_link *w = container_of(v->waiting.next, struct scan_link, idle);

		link_remove(&w->idle);
		if (r == NULL) {
			w->waits = false;
			canary_begin(w);
		} else
			link_finish(w, true, is_clean(r) ? w->answer :
			    failed_likewise(link_arena(w), r->why));
	}
}

/* The client is buried no sooner than at the end of the turn, and its report with it. */
static void
link_over(struct scan_link *k, enum scan_event e)
{
	bool reusable = e == SCAN_DONE && scan_client_may_be_reused(k->client);
	const struct scan_report *r;

	if (reusable && wants_canary(k) && buf_len(&k->rest) == 0) {
		canary_ask(k);
		return;
	}
	r = last_report(k);
	canary_over(k, r);
	link_finish(k, reusable, r);
}

static void
not_connected(struct scan_link *k, const char *why)
{
	struct server *v = k->server;
	struct scan *s = k->scan;

	link_close(k);
	if (s != NULL)
		scan_unanswered(s, v, why);
	else
		server_probed(v, NULL, why);
}

void
link_lost(struct scan_link *k, const char *why)
{
	if (k->connecting)
		not_connected(k, why);
	else
		link_over(k, scan_client_lost(k->client, why));
}

static void
link_closed(struct scan_link *k, int error)
{
	if (error == 0 || error == ECONNRESET || error == EPIPE)
		link_over(k, scan_client_closed(k->client));
	else
		link_lost(k, strerror(error));
}

/* --- sending: 1 it is gone, 0 the socket is full, -1 it takes nothing any more --- */

static int
send_bytes(struct scan_link *k, struct span *bytes, int flags)
{
	while (bytes->len > 0) {
		ssize_t n = send(k->fd, bytes->ptr, bytes->len,
		    MSG_NOSIGNAL | MSG_DONTWAIT | flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		*bytes = span_slice(*bytes, (size_t)n, bytes->len);
	}
	return 1;
}

static int
send_rest(struct scan_link *k)
{
	struct span bytes = buf_span(&k->rest);
	size_t had = bytes.len;
	int result = send_bytes(k, &bytes, 0);

	buf_take(&k->rest, had - bytes.len);
	if (buf_len(&k->rest) == 0)
		buf_free(&k->rest);
	return result;
}

/* What comes next, if it fits: copied to `to`, and counted as sent.  0: not here. */
static size_t
take_output(struct scan_link *k, const struct scan_output *o, uint8_t *to, size_t room)
{
	size_t n = 0;

	if (o->kind == SCAN_OUT_BYTES) {
		n = o->bytes.len < room ? o->bytes.len : room;
		memcpy(to, o->bytes.ptr, n);
	} else if (o->kind == SCAN_OUT_BODY && o->len <= room) {
		n = (size_t)o->len;
		if (pread(k->scan->message->fd, to, n, (off_t)o->from) != (ssize_t)n)
			return 0;
	}
	if (n > 0)
		scan_client_sent(k->client, n);
	return n;
}

/* All that stands before the next large body, in one write; with a small message that is
   the whole question, and the scanner is woken once. */
static int
send_gathered(struct scan_link *k, struct scan_output *next)
{
	uint8_t *bytes = k->server->pool->gateway->body_buffer;
	size_t n = 0, more;

	while ((more = take_output(k, next, bytes + n, BODY_BYTES - n)) > 0) {
		n += more;
		*next = scan_client_output(k->client);
	}
	if (n == 0)                     /* the message cannot be read */
		return -1;
	struct span all = { bytes, n };
	int result = send_bytes(k, &all, next->kind == SCAN_OUT_BODY ? MSG_MORE : 0);

	if (result == 0)
		buf_add(&k->rest, all);
	return result;
}

static int
send_file(struct scan_link *k, const struct scan_output *o)
{
	off_t from = (off_t)o->from;
	ssize_t n = sendfile(k->fd, k->scan->message->fd, &from, o->len);

	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -1;
	if (n == 0)
		return -1;
	scan_client_sent(k->client, (uint64_t)n);
	return 1;
}

static int
file_to_send(const struct scan_link *k)
{
	return k->canary ? k->server->pool->all->canary : k->scan->message->fd;
}

/* A descriptor with an offset of its own: two scanners may read at the same time. */
static ssize_t
send_with(struct scan_link *k, struct span bytes, int fd)
{
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec one = { (void *)(uintptr_t)bytes.ptr, bytes.len };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = control.room,
	    .msg_controllen = sizeof control.room };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(k->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int
send_descriptor(struct scan_link *k, struct span bytes)
{
	int fd = ipc_reopen(file_to_send(k));
	ssize_t n;

	if (fd < 0)
		return -1;
	n = send_with(k, bytes, fd);
	close(fd);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -1;
	buf_add(&k->rest, span_slice(bytes, (size_t)n, bytes.len));
	scan_client_sent(k->client, bytes.len);
	return 1;
}

static int
send_next(struct scan_link *k, struct scan_output *o)
{
	switch (o->kind) {
	case SCAN_OUT_NOTHING:
		break;
	case SCAN_OUT_BYTES:
		return send_gathered(k, o);
	case SCAN_OUT_BODY:
		return o->len <= BODY_BYTES ? send_gathered(k, o) : send_file(k, o);
	case SCAN_OUT_DESCRIPTOR:
		return send_descriptor(k, o->bytes);
	}
	return 0;
}

/* Who takes nothing any more may have said why: that is read first. */
static void
link_flush(struct scan_link *k)
{
	struct scan_output o;
	int result = 1;

	if (k->deaf || k->connecting || k->resting)
		return;
	while (result == 1) {
		if (buf_len(&k->rest) > 0) {
			result = send_rest(k);
			continue;
		}
		o = scan_client_output(k->client);
		if (o.kind == SCAN_OUT_NOTHING)
			return;
		result = send_next(k, &o);
	}
	if (result == 0)
		event_add(&k->writable, NULL);
	k->deaf = result < 0;
}

/* --- events --- */

static void
link_feed(struct scan_link *k, struct span in)
{
	enum scan_event e = scan_client_feed(k->client, in);

	if (e == SCAN_WAIT)
		link_flush(k);
	else
		link_over(k, e);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct scan_link *k = arg;
	uint8_t *bytes = k->server->pool->gateway->read_buffer;
	ssize_t n = recv(k->fd, bytes, READ_BYTES, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (k->resting)                 /* an end, or words that nobody asked for */
		link_close(k);
	else if (n <= 0)
		link_closed(k, n == 0 ? 0 : errno);
	else
		link_feed(k, (struct span){ bytes, (size_t)n });
}

static void
link_begin(struct scan_link *k)
{
	if (k->scan != NULL)
		scan_client_begin(k->client, &k->scan->request);
	else
		scan_client_begin_probe(k->client, &k->arena);
	link_flush(k);
}

static void
link_connected(struct scan_link *k)
{
	k->connecting = false;
	k->since = now_ms();
	event_add(&k->readable, NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct scan_link *k = arg;
	struct error err;

	if (!k->connecting) {
		link_flush(k);
		return;
	}
	if (net_connected(k->fd, &err) != ST_OK) {
		link_lost(k, err.text);
		return;
	}
	link_connected(k);
	link_begin(k);
}

struct scan_link *
link_open(struct server *v, struct error *err)
{
	int fd = -1;
	enum status st = net_connect(&v->endpoint, &fd, err);
	struct scan_link *k;

	if (st != ST_OK && st != ST_MORE)
		return NULL;
	k = must_alloc(sizeof *k);
	k->server = v;
	k->fd = fd;
	k->since = now_ms();
	k->client = scan_client_create(&v->options);
	link_init(&k->idle);
	link_add(&v->pool->links, &k->link);
	event_assign(&k->readable, v->pool->gateway->base, fd, EV_READ | EV_PERSIST,
	    on_readable, k);
	event_assign(&k->writable, v->pool->gateway->base, fd, EV_WRITE, on_writable, k);
	k->connecting = st == ST_MORE;
	if (k->connecting)
		event_add(&k->writable, NULL);
	else
		link_connected(k);
	return k;
}

static void
link_wake(struct scan_link *k)
{
	if (!k->resting)
		return;
	link_remove(&k->idle);
	k->resting = false;
	k->since = now_ms();
}

void
link_ask(struct scan_link *k, struct scan *s)
{
	link_wake(k);
	k->scan = s;
	s->connection = k;
	if (!k->connecting)
		link_begin(k);
}

void
link_probe(struct scan_link *k)
{
	link_wake(k);
	arena_free(&k->arena);          /* of the last one */
	k->probing = true;
	if (!k->connecting)
		link_begin(k);
}
