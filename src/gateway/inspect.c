/*
 * inspect.c - see inspect.h.
 */
#include "src/gateway/inspect.h"
#include "sys/ipc.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS           64
#define CHECK_MS        50

struct inspector {
	struct inspectors *all;
	struct event  event;
	int           fd;               /* -1: free slot */
	uint32_t      index, generation, serial;
	clockid_t     cpu_clock;
	bool          has_clock;
	uint64_t      cpu_at_check, began;      /* cpu: at the job's first check */
	bool          checked;
	struct job   *job;
	uint64_t      jobs;             /* done: a process is renewed after so many */
	bool          busy;             /* also while a cancelled job still runs */
	bool          leaving;          /* of an old generation: closed when idle */
};

struct inspectors {
	struct gateway  *gateway;
	struct inspector slots[SLOTS];
	struct link      queue;
	size_t           waiting, wanted;
	struct event     check;
	bool             checking;
	uint8_t          bytes[PACKET_BYTES];
};

static void dispatch(struct inspectors *);

static uint64_t
cpu_ms(const struct inspector *i)
{
	struct timespec t;

	if (!i->has_clock || clock_gettime(i->cpu_clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
job_over(struct job *j, enum status st, enum packet_type type, struct unpack body,
    struct error *err)
{
	j->state = JOB_IDLE;
	j->inspector = NULL;
	j->done(j, st, type, body, err);
}

static void
queue_job(struct inspectors *all, struct job *j, bool first)
{
	j->state = JOB_QUEUED;
	link_add(first ? all->queue.next : &all->queue, &j->link);
	all->waiting++;
}

static void
slot_close(struct inspector *i)
{
	event_del(&i->event);
	close(i->fd);
	i->fd = -1;
	i->busy = false;
}

/* The process is gone, or no longer to be trusted. */
static void
slot_failed(struct inspector *i, const char *why)
{
	struct inspectors *all = i->all;
	struct job *j = i->job;
	bool expected = i->leaving || (!i->busy && strcmp(why, "closed") == 0);

	slot_close(i);
	i->job = NULL;
	if (!expected) {
		count(all->gateway, COUNTER_INSPECTOR_FAULTS);
		log_event(&all->gateway->log, EVENT_INSPECTOR, LOG_IS_WARNING, "fault", why,
		    "retry", j != NULL && j->tries < 2 ? "yes" : "no", NULL);
	}
	if (j != NULL && j->tries < 2)
		queue_job(all, j, true);
	else if (j != NULL) {
		struct error err;

		j->crashed = true;
		fail(&err, ST_TEMP, "inspector", "the inspector failed twice (%s)", why);
		job_over(j, ST_TEMP, PACKET_NONE, (struct unpack){ 0 }, &err);
	}
	dispatch(all);
}

static void
slot_idle(struct inspector *i)
{
	i->busy = false;
	i->job = NULL;
	if (++i->jobs >= i->all->gateway->snapshot->settings->inspector_jobs)
		i->leaving = true;
	if (i->leaving)
		slot_close(i);
}

static void
slot_answer(struct inspector *i, struct span packet)
{
	struct unpack body;
	struct error err = { 0 };
	uint32_t serial;
	enum packet_type type = packet_open(packet, &serial, &body);
	struct job *j = i->job;

	if (!i->busy || serial != i->serial ||
	    (type != PACKET_EXAMINED && type != PACKET_REWRITTEN)) {
		slot_failed(i, "unexpected packet");
		return;
	}
	slot_idle(i);
	if (j != NULL)
		job_over(j, ST_OK, type, body, &err);
	dispatch(i->all);
}

/* Nobody can write to it any more or cut it off while it is read.  Private, for older
   kernels refuse to share what is sealed. */
static struct span
map_sealed(int fd)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *map;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 ||
	    st.st_size <= 0 || st.st_size > PACKET_LARGE_BYTES)
		return SPAN_NONE;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return map == MAP_FAILED ? SPAN_NONE : (struct span){ map, (size_t)st.st_size };
}

/* The packet proper is in the memory beside this one; it is gone after `done'. */
static void
slot_large(struct inspector *i, struct span packet, int fd)
{
	struct unpack body;
	uint32_t serial;
	bool large = packet_open(packet, &serial, &body) == PACKET_LARGE;
	struct span inside = large && i->busy && serial == i->serial ? map_sealed(fd) :
	    SPAN_NONE;

	if (inside.len == 0) {
		slot_failed(i, "unexpected memory");
	} else {
		slot_answer(i, inside);
		munmap((void *)(uintptr_t)inside.ptr, inside.len);
	}
	close(fd);
}

static void
on_readable(evutil_socket_t event_fd, short what, void *arg)
{
	struct inspector *i = arg;
	struct span packet = { i->all->bytes, 0 };
	size_t fds;
	int fd;

	switch (ipc_receive(i->fd, i->all->bytes, sizeof i->all->bytes, &packet.len, &fd, 1,
	    &fds)) {
	case IPC_OK:
		if (fds == 1)
			slot_large(i, packet, fd);
		else
			slot_answer(i, packet);
		break;
	case IPC_AGAIN:
		break;
	case IPC_CLOSED:
		slot_failed(i, "closed");
		break;
	}
}

/* A spare is asked for when a job is slow and no slot is idle. */
static void
want_more(struct inspectors *all)
{
	uint8_t bytes[16];
	struct pack p = { bytes, 0, sizeof bytes, false };
	size_t live = 0;

	for (size_t s = 0; s < SLOTS; s++)
		live += all->slots[s].fd >= 0 && !all->slots[s].leaving;
	if (live >= all->gateway->snapshot->settings->inspectors || all->wanted > live)
		return;
	all->wanted = live + 1;
	p = packet_begin(bytes, PACKET_WANT_INSPECTOR, 0);
	ipc_send(all->gateway->master, (struct span){ bytes, p.len }, NULL, 0);
}

static void
check_slot(struct inspector *i)
{
	struct job *j = i->job;

	if (!i->checked)
		i->cpu_at_check = cpu_ms(i);
	i->checked = true;
	if (j != NULL && !j->demoted &&
	    (cpu_ms(i) - i->cpu_at_check > INSPECT_DEMOTE - CHECK_MS ||
	    now_ms() - i->began > INSPECT_SLOW))
		j->demoted = true;
	if (now_ms() - i->began > INSPECT_PATIENCE)
		slot_failed(i, "no answer");
}

static void
on_check(evutil_socket_t fd, short what, void *arg)
{
	struct inspectors *all = arg;
	bool running = false;

	for (size_t s = 0; s < SLOTS; s++)
		if (all->slots[s].fd >= 0 && all->slots[s].busy)
			check_slot(&all->slots[s]);
	dispatch(all);
	for (size_t s = 0; s < SLOTS; s++)
		running |= all->slots[s].fd >= 0 && all->slots[s].busy;
	all->checking = running;
	if (running) {
		struct timeval again = { 0, CHECK_MS * 1000 };

		event_add(&all->check, &again);
	}
}

static void
start_checking(struct inspectors *all)
{
	struct timeval soon = { 0, CHECK_MS * 1000 };

	if (!all->checking)
		event_add(&all->check, &soon);
	all->checking = true;
}

struct inspectors *
inspectors_create(struct gateway *g)
{
	struct inspectors *all = must_alloc(sizeof *all);

	all->gateway = g;
	link_init(&all->queue);
	for (size_t s = 0; s < SLOTS; s++)
		all->slots[s].fd = -1;
	evtimer_assign(&all->check, g->base, on_check, all);
	return all;
}

static void
retire_slot(struct inspector *i)
{
	i->leaving = true;
	if (!i->busy)
		slot_close(i);
}

void
inspectors_link(struct inspectors *all, const struct packet_link *link, int fd)
{
	struct inspector *free_slot = NULL;

	for (size_t s = SLOTS; s-- > 0;) {
		struct inspector *i = &all->slots[s];

		if (i->fd >= 0 && i->index == link->index && !i->leaving)
			slot_failed(i, "replaced");
		if (i->fd >= 0 && i->generation < link->generation && !i->leaving)
			retire_slot(i);         /* its process leaves when its link is closed */
		if (i->fd < 0)
			free_slot = i;
	}
	if (free_slot == NULL) {
		close(fd);
		return;
	}
	*free_slot = (struct inspector){ .all = all, .fd = fd, .index = link->index,
	    .generation = link->generation };
	free_slot->has_clock = link->pid > 0 &&
	    clock_getcpuclockid((pid_t)link->pid, &free_slot->cpu_clock) == 0;
	event_assign(&free_slot->event, all->gateway->base, fd, EV_READ | EV_PERSIST,
	    on_readable, free_slot);
	event_add(&free_slot->event, NULL);
	dispatch(all);
}

static size_t
running_for(const struct inspectors *all, const struct address *client)
{
	size_t n = 0;

	for (size_t s = 0; s < SLOTS; s++)
		n += all->slots[s].job != NULL &&
		    address_equal(&all->slots[s].job->client, client);
	return n;
}

/* The first whose client does not hold half of the inspectors already. */
static struct job *
next_job(const struct inspectors *all)
{
	size_t half = all->gateway->snapshot->settings->inspectors / 2;

	for (struct link *l = all->queue.next; l != &all->queue; l = l->next) {
		struct job *j = container_of(l, struct job, link);

		if (running_for(all, &j->client) < (half > 0 ? half : 1))
			return j;
	}
	return NULL;
}

/* The first idle slot, if another job may run: one, and one beside each demoted. */
static struct inspector *
next_slot(struct inspectors *all)
{
	struct inspector *idle = NULL;
	size_t quick = 0;

	for (size_t s = SLOTS; s-- > 0;) {
		struct inspector *i = &all->slots[s];

		if (i->fd >= 0 && !i->busy && !i->leaving)
			idle = i;
		quick += i->fd >= 0 && i->job != NULL && !i->job->demoted;
	}
	if (quick > 0)
		return NULL;
	if (idle == NULL)
		want_more(all);
	return idle;
}

static bool
start_job(struct inspector *i, struct job *j)
{
	struct span packet = { j->packet, j->packet_len };

	i->serial++;
	for (size_t b = 0; b < 4; b++)          /* the header's serial: type, then u32 */
		j->packet[1 + b] = (uint8_t)(i->serial >> (8 * b));
	j->tries++;
	j->state = JOB_RUNNING;
	j->inspector = i;
	i->began = now_ms();
	j->demoted = false;
	i->job = j;
	i->busy = true;
	i->checked = false;
	return ipc_send(i->fd, packet, &j->message, 1) == IPC_OK;
}

static void
dispatch(struct inspectors *all)
{
	struct inspector *i;
	struct job *j;

	while (all->waiting > 0 && (i = next_slot(all)) != NULL &&
	    (j = next_job(all)) != NULL) {
		link_remove(&j->link);
		all->waiting--;
		if (!start_job(i, j)) {
			slot_failed(i, "cannot send");
			return;
		}
		start_checking(all);
	}
	all->gateway->counters->values[GAUGE_INSPECTOR_QUEUE] = all->waiting;
}

enum status
inspect_begin(struct inspectors *all, struct job *j, struct error *err)
{
	assert(j->state == JOB_IDLE);
	if (all->waiting >= INSPECT_QUEUE)
		return fail(err, ST_TEMP, "inspector", "too many messages wait for inspection");
	j->tries = 0;
	j->crashed = false;
	link_init(&j->link);
	queue_job(all, j, false);
	dispatch(all);
	return ST_OK;
}

void
inspect_cancel(struct inspectors *all, struct job *j)
{
	if (j->state == JOB_QUEUED) {
		link_remove(&j->link);
		all->waiting--;
	} else if (j->state == JOB_RUNNING)
		j->inspector->job = NULL;
	j->state = JOB_IDLE;
}

size_t
inspectors_waiting(const struct inspectors *all)
{
	return all->waiting;
}
