/*
 * process.c - see process.h.
 */
#include "src/master/process.h"
#include "lib/base/arena.h"
#include "src/master/clock.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define CHILD_FD      3
#define WAITING_MAX   4096      /* packets; a process that reads nothing for so long */
#define TURN_PACKETS  64        /* taken in one turn of the loop */

struct outgoing {
	struct outgoing *next;
	size_t           fd_count, len;
	int              fds[PACKET_FDS];
	uint8_t          bytes[];
};

static const char *const state_names[] = {
	[STATE_DOWN] = "down",
	[STATE_STARTING] = "starting",
	[STATE_RUNNING] = "running",
	[STATE_LEAVING] = "leaving",
};

const char *
process_state_name(enum process_state state)
{
	return state_names[state];
}

size_t
process_cpus(void)
{
	cpu_set_t all;

	return sched_getaffinity(0, sizeof all, &all) == 0 ? (size_t)CPU_COUNT(&all) : 1;
}

/* In the child: nothing but the three standard descriptors and its socket go on. */
static void
arrange_descriptors(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(71);
	if (fd == CHILD_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, CHILD_FD) < 0)
		_exit(71);
}

static void
plain_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * A gateway waits for its inspector and the other way round: on one CPU the one takes over
 * from the other, without waking an idle CPU.  So with a gateway for each CPU of ours, each
 * stays on its own, its inspectors with it.  Who has no client waiting preempts nobody.
 */
static void
choose_cpu(const struct process *p)
{
	const struct process *gateway = p->kind == PROCESS_INSPECTOR ? p->gateway : p;
	struct sched_param none = { 0 };
	cpu_set_t all, one;
	int nth = (int)gateway->index;

	if (p->kind != PROCESS_GATEWAY)
		sched_setscheduler(0, SCHED_BATCH, &none);
	if (gateway->kind != PROCESS_GATEWAY || !p->on_one_cpu ||
	    sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && nth-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
		}
}

static void __attribute__((noreturn))
run_child(const struct process *p, const struct programs *programs,
    const struct account *become, int fd)
{
	const struct program *program = &programs->of[p->kind];
	char index[12];
	char *argv[] = { (char *)(uintptr_t)program->name, index, NULL };
	struct error e;

	/* A group of its own: Ctrl-C is for the master, who lets the others finish. */
	setsid();
	plain_signals();
	choose_cpu(p);
	/* `become` first: the program is open, so its folder need not be reachable. */
	if (become != NULL && sandbox_become(become->uid, become->gid, &e) != ST_OK) {
		dprintf(2, "sallyport: %s: %s: %s\n", program->name, e.where, e.text);
		_exit(71);
	}
	int program_fd = fcntl(program->fd, F_DUPFD_CLOEXEC, 100);

	if (fd < CHILD_FD)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	arrange_descriptors(fd);
	snprintf(index, sizeof index, "%u", p->index);
	fexecve(program_fd, argv, environ);
	dprintf(2, "sallyport: cannot execute %s: %s\n", program->path, strerror(errno));
	_exit(71);
}

static void
drop_outgoing(struct process *p)
{
	struct outgoing *o = p->first;

	p->first = o->next;
	if (p->first == NULL)
		p->last = NULL;
	p->waiting--;
	for (size_t i = 0; i < o->fd_count; i++)
		close(o->fds[i]);
	free(o);
}

static void
flush(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	while (p->first != NULL) {
		struct outgoing *o = p->first;

		if (ipc_send(p->fd, (struct span){ o->bytes, o->len }, o->fds,
		    o->fd_count) == IPC_AGAIN) {
			event_add(p->writable, NULL);
			return;
		}
		drop_outgoing(p);
	}
}

static void
keep_for_later(struct process *p, struct span packet, const int *fds, size_t fd_count)
{
	struct outgoing *o = must_alloc(sizeof *o + packet.len);

	o->len = packet.len;
	o->fd_count = fd_count;
	memcpy(o->bytes, packet.ptr, packet.len);
	for (size_t i = 0; i < fd_count; i++)
		o->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	if (p->last != NULL)
		p->last->next = o;
	else
		p->first = o;
	p->last = o;
	p->waiting++;
	event_add(p->writable, NULL);
}

void
process_send(
    struct process *p, const struct pack *packet, const int *fds, size_t fd_count)
{
	struct span bytes = { packet->ptr, packet->len };

	if (p->fd < 0)
		return;
	if (p->first == NULL && ipc_send(p->fd, bytes, fds, fd_count) != IPC_AGAIN)
		return;         /* sent; or closed, and SIGCHLD will tell */
	if (p->waiting == WAITING_MAX)
		kill(p->pid, SIGKILL);
	else
		keep_for_later(p, bytes, fds, fd_count);
}

static void
hear(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	uint8_t bytes[PACKET_BYTES];

	for (unsigned i = 0; i < TURN_PACKETS; i++) {
		size_t len = 0, fd_count = 0;
		uint32_t serial;
		struct unpack body = { 0 };
		enum ipc_result r =
		    ipc_receive(p->fd, bytes, sizeof bytes, &len, NULL, 0, &fd_count);

		if (r == IPC_AGAIN)
			return;
		enum packet_type type = r == IPC_CLOSED ? PACKET_NONE :
		    packet_open((struct span){ bytes, len }, &serial, &body);

		if (type == PACKET_NONE) {
			event_del(p->readable);
			p->closed_ms = clock_ms();
			return;
		}
		p->heard(p, type, &body);
	}
}

static void
watch(struct process *p, struct event_base *base)
{
	p->readable = event_new(base, p->fd, EV_READ | EV_PERSIST, hear, p);
	p->writable = event_new(base, p->fd, EV_WRITE, flush, p);
	event_add(p->readable, NULL);
}

enum status
process_fork(struct process *p, const struct programs *programs,
    const struct account *become, struct error *e)
{
	int fds[2];

	if (ipc_pair(fds, e) != ST_OK)
		return ST_TEMP;
	pid_t pid = fork();

	if (pid == 0)
		run_child(p, programs, become, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return fail(e, ST_TEMP, "process", "cannot fork: %s", strerror(errno));
	}
	p->pid = pid;
	p->fd = fds[0];
	return ST_OK;
}

enum status
process_start(struct process *p, struct event_base *base, const struct programs *programs,
    const struct account *become, struct error *e)
{
	if (process_fork(p, programs, become, e) != ST_OK)
		return ST_TEMP;
	p->state = STATE_STARTING;
	p->started_ms = p->pong_ms = clock_ms();
	p->closed_ms = 0;
	p->missing[0] = '\0';
	watch(p, base);
	return ST_OK;
}

static void
drop_event(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

void
process_ended(struct process *p)
{
	while (p->first != NULL)
		drop_outgoing(p);
	drop_event(&p->readable);
	drop_event(&p->writable);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->pid = 0;
	p->state = STATE_DOWN;
	if (p->page != NULL)
		page_clear_gauges(p->page);
}

void
process_destroy(struct process **pp)
{
	struct process *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	process_ended(p);
	drop_event(&p->again);
	page_destroy(&p->page);
	while (p->old_pages != NULL) {
		struct page *old = p->old_pages;

		p->old_pages = old->next;
		page_destroy(&old);
	}
	free(p);
}
