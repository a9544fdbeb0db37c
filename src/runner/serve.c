/*
 * serve.c - the loop: packets of master and gateway, and the pipes of the runs.
 */
#include "src/runner/runner.h"
#include "sys/ipc.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define TICK_MS 250

struct request {
	enum packet_type type;
	uint32_t      serial;
	struct unpack body;
	int           fds[PACKET_FDS];
	size_t        fd_count;
};

void
runner_stop(struct runner *r, enum runner_end how, const char *why)
{
	if (how != END_OK)
		log_event(&r->log, how == END_SANDBOX ? EVENT_SANDBOX : EVENT_SCANNER,
		    LOG_IS_ERROR, "error", why, NULL);
	if (r->runs != NULL)
		runs_end(r);
	exit((int)how);
}

/* There is room (serve_gateway and runs_answer look); if not after all, the gateway's own
   time-out tells it. */
void
runner_send(struct runner *r, const struct pack *p)
{
	if (ipc_send(r->gateway, (struct span){ p->ptr, p->len }, NULL, 0) == IPC_CLOSED)
		runner_stop(r, END_OK, "");
}

static enum ipc_result
take(struct runner *r, int from, struct request *q)
{
	size_t len;
	enum ipc_result got = ipc_receive(from, r->packet, sizeof r->packet, &len, q->fds,
	    PACKET_FDS, &q->fd_count);

	if (got == IPC_OK)
		q->type = packet_open((struct span){ r->packet, len }, &q->serial, &q->body);
	return got;
}

static void
drop_descriptors(const struct request *q)
{
	for (size_t i = 0; i < q->fd_count; i++)
		close(q->fds[i]);
}

/* --- the master --- */

static void
on_setup(struct runner *r, struct request *q)
{
	setup_take(r, &q->body, q->fds, q->fd_count);
}

/* There is only one gateway in a runner's life. */
static void
on_link(struct runner *r, struct request *q)
{
	struct packet_link link;

	if (!packet_take_link(&q->body, &link) || link.kind != PROCESS_GATEWAY ||
	    q->fd_count != 1 || r->gateway >= 0) {
		drop_descriptors(q);
		return;
	}
	r->gateway = q->fds[0];
}

static void
on_start(struct runner *r, struct request *q)
{
	drop_descriptors(q);
	if (!r->started)        /* a second START changes nothing */
		setup_finish(r);
}

/* The gateway lets go when no mail of this configuration is under way. */
static void
on_drain(struct runner *r, struct request *q)
{
	drop_descriptors(q);
	r->leaving = true;
}

static void
on_ping(struct runner *r, struct request *q)
{
	struct pack pong = packet_begin(r->answer, PACKET_PONG, q->serial);

	drop_descriptors(q);
	ipc_send(r->master, (struct span){ pong.ptr, pong.len }, NULL, 0);
}

static void
serve_master(struct runner *r)
{
	static void (*const on[PACKET_TYPES])(struct runner *, struct request *) = {
		[PACKET_SETUP] = on_setup,
		[PACKET_LINK] = on_link,
		[PACKET_START] = on_start,
		[PACKET_DRAIN] = on_drain,
		[PACKET_PING] = on_ping,
	};
	struct request q;
	enum ipc_result got = take(r, r->master, &q);

	if (got == IPC_CLOSED) {
		/* without a master: the gateway finishes, then we */
		close(r->master);
		r->master = -1;
		r->leaving = true;
	} else if (got == IPC_OK && on[q.type] != NULL) {
		on[q.type](r, &q);
	} else if (got == IPC_OK) {
		drop_descriptors(&q);
	}
}

/* --- the gateway --- */

static void
do_run(struct runner *r, struct request *q)
{
	const struct settings *s = r->settings;
	struct packet_run run;

	if (q->fd_count != 1 || !packet_take_run(&q->body, &run) ||
	    run.scanner >= s->scanner_count ||
	    s->scanners[run.scanner].type != SCANNER_TYPE_COMMAND)
		runner_stop(r, END_BROKEN, "RUN is not as it should be");
	run_start(r, q->serial, &run, q->fds[0]);
	close(q->fds[0]);
}

static void
serve_gateway(struct runner *r)
{
	struct request q;
	enum ipc_result got;

	/* what is not taken now stays in the socket: each RUN may need an answer at once */
	if (!ipc_has_room(r->gateway))
		return;
	got = take(r, r->gateway, &q);
	if (got == IPC_CLOSED)
		runner_stop(r, END_OK, "");
	if (got != IPC_OK)
		return;
	if (q.type == PACKET_RUN)
		do_run(r, &q);
	else if (q.type == PACKET_CEASE && q.fd_count == 0)
		run_cease(r, q.serial);
	else
		runner_stop(r, END_BROKEN, "a request of a gateway is not as it should be");
}

/* --- the loop --- */

struct turn { struct pollfd *fds; struct run **runs; size_t count; bool busy; };

static void
watch(struct turn *t, int fd, short events, struct run *run)
{
	t->fds[t->count] = (struct pollfd){ .fd = fd, .events = events };
	t->runs[t->count++] = run;
}

/* A gateway that takes no answers is not listened to. */
static void
watch_gateway(const struct runner *r, struct turn *t)
{
	int fd = r->started ? r->gateway : -1;

	watch(t, fd, fd < 0 || ipc_has_room(fd) ? POLLIN : POLLOUT, NULL);
}

/* poll passes over descriptors that are -1. */
static void
watch_all(const struct runner *r, struct turn *t)
{
	t->count = 0;
	t->busy = clock_ms() < r->sweep_ms;
	watch(t, r->master, POLLIN, NULL);
	watch_gateway(r, t);
	for (size_t i = 0; i < r->run_count; i++) {
		struct run *run = &r->runs[i];

		if (run->state == RUN_FREE)
			continue;
		t->busy = true;
		watch(t, run->output, POLLIN, run);
		watch(t, run->report, POLLIN, run);
	}
}

static void
serve_turn(struct runner *r, const struct turn *t)
{
	for (size_t i = 2; i < t->count; i++)
		if (t->fds[i].revents != 0 && t->runs[i]->state != RUN_FREE)
			run_read(r, t->runs[i]);
	if (r->gateway >= 0 && r->started)
		runs_answer(r);
	if (t->fds[1].revents != 0)
		serve_gateway(r);
	if (t->fds[0].revents != 0)
		serve_master(r);
	if (t->busy)
		runs_tick(r);
	if (r->leaving && r->gateway < 0)
		runner_stop(r, END_OK, "");
}

static struct turn
make_turn(size_t runs)
{
	size_t room = 2 + 2 * runs;

	return (struct turn){ .fds = must_alloc(room * sizeof(struct pollfd)),
		.runs = must_alloc(room * sizeof(struct run *)) };
}

void
serve(struct runner *r)
{
	struct turn t = make_turn(RUNS_MAX);

	for (;;) {
		watch_all(r, &t);
		if (poll(t.fds, t.count, t.busy ? TICK_MS : -1) < 0 && errno != EINTR)
			runner_stop(r, END_BROKEN, strerror(errno));
		serve_turn(r, &t);
	}
}
