/*
 * writer.c - the writing process: one loop over the master, the gateways and the clock.
 *
 * A gateway whose answer cannot be sent at once waits, and is not read from meanwhile:
 * so at most one answer is kept for each.
 */
#include "src/store/child.h"
#include "src/store/store.h"
#include "sys/ipc.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define PEERS_MAX       1024
#define TURN_PACKETS    64              /* of one gateway before the next has its turn */
#define LAST_TURNS      1000            /* of one that is about to be left        */
#define END_MS          100000          /* without a master: the longest a gateway has */

/* kept: an answer that could not be sent yet, with the descriptor that goes with it, or -1. */
struct peer { int fd; uint32_t index; uint8_t *kept; size_t kept_len; int kept_fd; };

struct writer {
	struct child *child;
	struct store  store;
	struct peer  *peers;
	size_t        peer_count;
	bool          started, draining, orphan;
	int           end;              /* exit status, once it is over */
	bool          over;
	uint64_t      orphan_since;
	uint8_t       in[PACKET_BYTES], out[PACKET_BYTES];
};

static void
peer_forget(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->kept != NULL && p->kept_fd >= 0)
		close(p->kept_fd);
	free(p->kept);
	*p = (struct peer){ .fd = -1, .kept_fd = -1 };
}

/* Takes the descriptor, if there is one.  False: the link is gone. */
static bool
peer_answer(struct peer *p, struct span answer, int fd)
{
	enum ipc_result result = ipc_send(p->fd, answer, &fd, fd >= 0);

	if (result == IPC_AGAIN) {
		p->kept = must_alloc(answer.len);
		memcpy(p->kept, answer.ptr, answer.len);
		p->kept_len = answer.len;
		p->kept_fd = fd;
	} else if (fd >= 0)
		close(fd);
	return result != IPC_CLOSED;
}

static bool
peer_answer_kept(struct peer *p)
{
	struct span kept = { p->kept, p->kept_len };

	p->kept = NULL;
	bool ok = peer_answer(p, kept, p->kept_fd);

	free((void *)(uintptr_t)kept.ptr);
	return ok;
}

static bool
peer_packet(struct writer *w, struct peer *p, size_t len, const int *fds, size_t fd_count)
{
	struct pack answer;

	if (!store_packet(&w->store, (struct span){ w->in, len }, fds, fd_count, w->out,
	    &answer)) {
		log_event(&w->child->log, EVENT_STORE, LOG_IS_ERROR, "error",
		    "a gateway sent what is not a request; its link is dropped", NULL);
		return false;
	}
	int with = w->store.answer_fd;

	w->store.answer_fd = -1;
	return answer.len == 0 ||
	    peer_answer(p, (struct span){ answer.ptr, answer.len }, with);
}

/* Up to `most` packets; true when there was one. */
static bool
peer_turn(struct writer *w, struct peer *p, unsigned most)
{
	int fds[PACKET_FDS];
	size_t len, fd_count;
	unsigned n = 0;

	for (; n < most && p->fd >= 0 && p->kept == NULL; n++) {
		enum ipc_result result = ipc_receive(
		    p->fd, w->in, sizeof w->in, &len, fds, PACKET_FDS, &fd_count);
		bool ok = result == IPC_OK && peer_packet(w, p, len, fds, fd_count);

		for (size_t i = 0; result == IPC_OK && i < fd_count; i++)
			close(fds[i]);
		if (result == IPC_AGAIN)
			break;
		if (!ok)
			peer_forget(p);
	}
	return n > 0;
}

/* What a gateway sent before it died is taken before its place is given away. */
static void
drain_peer(struct writer *w, struct peer *p)
{
	for (unsigned n = 0; n < LAST_TURNS && p->fd >= 0 && p->kept == NULL; n++)
		if (!peer_turn(w, p, TURN_PACKETS))
			return;
}

static struct peer *
peer_place(struct writer *w, uint32_t index)
{
	for (size_t i = 0; i < w->peer_count; i++)
		if (w->peers[i].fd >= 0 && w->peers[i].index == index) {
			drain_peer(w, &w->peers[i]);
			peer_forget(&w->peers[i]);
			return &w->peers[i];
		}
	for (size_t i = 0; i < w->peer_count; i++)
		if (w->peers[i].fd < 0)
			return &w->peers[i];
	if (w->peer_count == PEERS_MAX)
		return NULL;
	w->peers = must_realloc(w->peers, (w->peer_count + 1) * sizeof *w->peers);
	return &w->peers[w->peer_count++];
}

/* --- what the master says ----------------------------------------------------------- */

struct order { struct unpack body; uint32_t serial; int *fds; size_t fd_count; };

/* A descriptor that an order keeps is replaced by -1. */
static bool
do_link(struct writer *w, struct order *o)
{
	struct packet_link link;
	struct peer *p;

	if (!packet_take_link(&o->body, &link) || link.kind != PROCESS_GATEWAY ||
	    o->fd_count != 1 || (p = peer_place(w, link.index)) == NULL)
		return false;
	*p = (struct peer){ .fd = o->fds[0], .index = link.index, .kept_fd = -1 };
	o->fds[0] = -1;
	return true;
}

static bool
do_start(struct writer *w, struct order *o)
{
	struct error err;

	if (w->started)
		return true;
	w->started = true;
	if (child_enter(w->child, &err) == ST_OK &&
	    store_open(&w->store, &err) == ST_OK) {
		child_tell(PACKET_READY, o->serial, buf_text(&w->child->missing));
		return true;
	}
	log_event(&w->child->log, EVENT_STORE, LOG_IS_ERROR, "error", err.text, NULL);
	fprintf(stderr, "sallyport-store: %s\n", err.text);
	w->over = true;
	w->end = EXIT_REFUSED;
	return true;
}

static bool
do_drain(struct writer *w, struct order *o)
{
	w->draining = true;
	return true;
}

/* The sandbox is closed: other directories need another process, which the master starts
   when this one ends. */
static bool
same_directories(const struct settings *a, const struct settings *b)
{
	return strcmp(a->state_directory, b->state_directory) == 0 &&
	    strcmp(a->quarantine_directory, b->quarantine_directory) == 0;
}

static bool
do_reload(struct writer *w, struct order *o)
{
	struct child *c = w->child;
	struct arena *arena = must_alloc(sizeof *arena);
	struct settings *next = NULL;

	if (o->fd_count >= 1) {
		next = settings_of_bundle(o->fds[0], arena);
		o->fds[0] = -1;
	}
	if (next == NULL)
		return false;
	if (!same_directories(c->settings, next)) {
		w->draining = true;
		return true;
	}
	arena_free(c->arena);
	free(c->arena);
	c->arena = arena;
	w->store.settings = c->settings = next;
	return true;
}

static bool
do_ping(struct writer *w, struct order *o)
{
	child_tell(PACKET_PONG, o->serial, NULL);
	return true;
}

static bool (*const orders[PACKET_TYPES])(struct writer *, struct order *) = {
	[PACKET_LINK] = do_link,
	[PACKET_START] = do_start,
	[PACKET_RELOAD] = do_reload,
	[PACKET_DRAIN] = do_drain,
	[PACKET_PING] = do_ping,
};

static void
orphaned(struct writer *w)
{
	w->orphan = true;
	w->orphan_since = clock_mono_ms();
}

static void
obey(struct writer *w, size_t len, int *fds, size_t fd_count)
{
	struct order o = { .fds = fds, .fd_count = fd_count };
	enum packet_type type =
	    packet_open((struct span){ w->in, len }, &o.serial, &o.body);

	if (orders[type] == NULL || !orders[type](w, &o)) {
		log_event(&w->child->log, EVENT_STORE, LOG_IS_ERROR, "error",
		    "the master sent what is not an order", NULL);
		w->over = true;
		w->end = EXIT_PROMISE;
	}
	for (size_t i = 0; i < fd_count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
hear_master(struct writer *w)
{
	int fds[PACKET_FDS];
	size_t len, fd_count;
	enum ipc_result result = IPC_OK;

	while (!w->over && !w->orphan) {
		result = ipc_receive(
		    MASTER_FD, w->in, sizeof w->in, &len, fds, PACKET_FDS, &fd_count);
		if (result == IPC_AGAIN)
			return;
		if (result == IPC_CLOSED)
			orphaned(w);
		else
			obey(w, len, fds, fd_count);
	}
}

/* --- the loop ----------------------------------------------------------------------- */

static bool
has_peers(const struct writer *w)
{
	for (size_t i = 0; i < w->peer_count; i++)
		if (w->peers[i].fd >= 0)
			return true;
	return false;
}

static void
serve_peer(struct writer *w, struct peer *p)
{
	if (p->kept != NULL && !peer_answer_kept(p))
		peer_forget(p);
	peer_turn(w, p, TURN_PACKETS);
}

/* Returns how many were ready. */
static int
wait_and_serve(struct writer *w, struct pollfd *polls)
{
	size_t count = w->peer_count;

	polls[0] = (struct pollfd){ .fd = w->orphan ? -1 : MASTER_FD, .events = POLLIN };
	for (size_t i = 0; i < count; i++)
		polls[i + 1] = (struct pollfd){ .fd = w->started ? w->peers[i].fd : -1,
			.events = w->peers[i].kept != NULL ? POLLOUT : POLLIN };
	int n = poll(polls, count + 1, store_wait(&w->store, clock_mono_ms()));

	/* Gateways first: an order may move their places. */
	for (size_t i = 0; i < count && n > 0; i++)
		if (polls[i + 1].revents != 0)
			serve_peer(w, &w->peers[i]);
	if (n > 0 && polls[0].revents != 0)
		hear_master(w);
	return n;
}

/* Everything that gateways have sent is written before the process ends. */
static void
finish(struct writer *w)
{
	for (size_t i = 0; i < w->peer_count && w->started && !w->over; i++)
		drain_peer(w, &w->peers[i]);
	store_close(&w->store);
	if (w->draining)
		child_tell(PACKET_DRAINED, 0, NULL);
	for (size_t i = 0; i < w->peer_count; i++)
		peer_forget(&w->peers[i]);
	free(w->peers);
}

static bool
goes_on(struct writer *w)
{
	if (w->orphan && (!has_peers(w) || clock_mono_ms() - w->orphan_since > END_MS))
		return false;
	return !w->over && !w->draining;
}

int
writer_run(struct child *c)
{
	struct writer *w = must_alloc(sizeof *w);
	struct pollfd *polls = must_alloc((PEERS_MAX + 1) * sizeof *polls);
	int end;

	w->child = c;
	w->store = (struct store){ .settings = c->settings, .log = &c->log, .hostname =
		c->hostname, .counters = c->counters, .page = c->page, .folder.fd = -1,
		.answer_fd = -1 };
	while (goes_on(w)) {
		int n = wait_and_serve(w, polls);

		if (w->started && !w->over)
			store_tick(&w->store, clock_mono_ms(), n == 0);
	}
	finish(w);
	end = w->end;
	free(polls);
	free(w);
	return end;
}
