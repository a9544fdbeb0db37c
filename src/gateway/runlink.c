/*
 * runlink.c - see runlink.h.
 */
#include "src/gateway/runlink.h"
#include "sys/ipc.h"
#include <unistd.h>

#define RUNNERS 8       /* generations at once; the oldest gives way */

struct runner {
	struct runners *all;
	struct event    readable;
	int             fd;             /* -1: none */
	uint32_t        generation;
	struct link     jobs;
};

struct runners {
	struct gateway *gateway;
	uint32_t        serial;
	uint32_t        forgotten;      /* no snapshot up to this generation is left */
	struct runner   of[RUNNERS];
	uint8_t         in[PACKET_BYTES], out[PACKET_BYTES];
};

static void
job_idle(struct run_job *j)
{
	link_remove(&j->link);
	evtimer_del(&j->expiry);
	j->pending = false;
	j->runner = NULL;
}

static void
job_failed(struct run_job *j, const char *why)
{
	struct error err;

	fail(&err, ST_TEMP, "runner", "%s", why);
	job_idle(j);
	j->done(j, ST_TEMP, NULL, &err);
}

static void
runner_close(struct runner *r)
{
	if (r->fd < 0)
		return;
	event_del(&r->readable);
	close(r->fd);
	r->fd = -1;
	while (!link_empty(&r->jobs))
		job_failed(container_of(r->jobs.next, struct run_job, link),
		    "the runner is gone");
}

static void
runner_broken(struct runner *r, const char *what)
{
	log_event(&r->all->gateway->log, EVENT_SCANNER, LOG_IS_WARNING, "fault", what, NULL);
	runner_close(r);
}

static struct run_job *
find_job(const struct runner *r, uint32_t serial)
{
	for (struct link *l = r->jobs.next; l != &r->jobs; l = l->next) {
		struct run_job *j = container_of(l, struct run_job, link);

		if (j->serial == serial)
			return j;
	}
	return NULL;
}

/* One whose job was cancelled may still have been under way. */
static void
take_answer(struct runner *r, struct span packet)
{
	struct command_end end;
	struct unpack body;
	struct error err = { 0 };
	uint32_t serial;

	if (packet_open(packet, &serial, &body) != PACKET_RAN ||
	    !packet_take_ran(&body, &end)) {
		runner_broken(r, "an answer of the runner is not as it should be");
		return;
	}
	struct run_job *j = find_job(r, serial);

	if (j == NULL)
		return;
	job_idle(j);
	j->done(j, ST_OK, &end, &err);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct runner *r = arg;
	size_t len, fds;

	switch (ipc_receive(r->fd, r->all->in, sizeof r->all->in, &len, NULL, 0, &fds)) {
	case IPC_OK:
		take_answer(r, (struct span){ r->all->in, len });
		break;
	case IPC_AGAIN:
		break;
	case IPC_CLOSED:
		runner_close(r);
		break;
	}
}

struct runners *
runners_create(struct gateway *g)
{
	struct runners *all = must_alloc(sizeof *all);

	all->gateway = g;
	for (size_t i = 0; i < RUNNERS; i++) {
		all->of[i] = (struct runner){ .all = all, .fd = -1 };
		link_init(&all->of[i].jobs);
	}
	return all;
}

/* The one of this generation; else a free one; else the oldest. */
static struct runner *
place_for(struct runners *all, uint32_t generation)
{
	struct runner *best = &all->of[0];

	for (size_t i = 0; i < RUNNERS; i++) {
		struct runner *r = &all->of[i];

		if (r->fd >= 0 && r->generation == generation)
			return r;
		if (best->fd >= 0 && (r->fd < 0 || r->generation < best->generation))
			best = r;
	}
	return best;
}

void
runners_link(struct runners *all, const struct packet_link *link, int fd)
{
	struct runner *r = place_for(all, link->generation);

	if (link->generation <= all->forgotten) {
		close(fd);
		return;
	}
	runner_close(r);
	r->fd = fd;
	r->generation = link->generation;
	event_assign(&r->readable, all->gateway->base, fd, EV_READ | EV_PERSIST, on_readable,
	    r);
	event_add(&r->readable, NULL);
}

static struct runner *
find_runner(const struct runners *all, uint32_t generation)
{
	for (size_t i = 0; i < RUNNERS; i++)
		if (all->of[i].fd >= 0 && all->of[i].generation == generation)
			return (struct runner *)(uintptr_t)&all->of[i];
	return NULL;
}

bool
runners_are_up(const struct runners *all, uint32_t generation)
{
	return find_runner(all, generation) != NULL;
}

void
runners_forget(struct runners *all, uint32_t generation)
{
	struct runner *r = find_runner(all, generation);

	if (generation > all->forgotten)
		all->forgotten = generation;
	if (r != NULL)
		runner_close(r);
}

static void
tell_cease(struct run_job *j)
{
	uint8_t bytes[16];
	struct pack p = packet_begin_large(bytes, sizeof bytes, PACKET_CEASE, j->serial);

	/* one that is not heard of runs to its own end */
	ipc_send(j->runner->fd, (struct span){ p.ptr, p.len }, NULL, 0);
}

static void
on_expiry(evutil_socket_t fd, short what, void *arg)
{
	struct run_job *j = arg;

	tell_cease(j);
	job_failed(j, "the runner did not answer in time");
}

static enum ipc_result
send_job(struct runner *r, const struct run_job *j, int message)
{
	const struct packet_run run = { .scanner = j->scanner, .timeout = j->timeout,
		.id = j->id, .sender = j->sender, .client = j->client };
	struct pack p = packet_begin(r->all->out, PACKET_RUN, j->serial);

	packet_put_run(&p, &run);
	return ipc_send(r->fd, (struct span){ p.ptr, p.len }, &message, 1);
}

static void
job_pending(struct run_job *j, struct runner *r)
{
	uint64_t ms = j->timeout + RUN_PATIENCE_MS;
	struct timeval patience = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	j->pending = true;
	j->runner = r;
	link_add(&r->jobs, &j->link);
	evtimer_assign(&j->expiry, r->all->gateway->base, on_expiry, j);
	evtimer_add(&j->expiry, &patience);
}

enum status
run_begin(struct runners *all, struct run_job *j, struct error *err)
{
	struct runner *r = find_runner(all, j->generation);
	enum ipc_result sent;
	int message;

	if (r == NULL)
		return fail(err, ST_TEMP, "runner", "there is no runner");
	/* read by another from its start, while others read it too */
	message = ipc_reopen(j->message);
	if (message < 0)
		return fail(err, ST_PERM, "runner", "the message cannot be opened again");
	j->serial = ++all->serial;
	sent = send_job(r, j, message);
	close(message);
	if (sent != IPC_OK)     /* if it is gone, its socket tells so in a moment */
		return fail(err, ST_TEMP, "runner", sent == IPC_AGAIN
		    ? "the runner is too slow" : "the runner is gone");
	job_pending(j, r);
	return ST_OK;
}

void
run_cancel(struct runners *all, struct run_job *j)
{
	if (!j->pending)
		return;
	tell_cease(j);
	job_idle(j);
}
