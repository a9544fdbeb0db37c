/*
 * offline.c - see offline.h.
 */
#include "src/cli/offline.h"
#include "src/master/accounts.h"
#include "src/master/page.h"
#include "src/master/process.h"
#include "sys/ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER_LIMIT  (1u << 20)        /* as the gateway asks for */
#define READ_BYTES    65536
#define START_MS      15000
#define WAIT_MS       60000             /* beyond its CPU time: the machine may be busy */
#define OUT_OF_TIME   75                /* its status when a job had all its CPU time */

/* --- the message --- */

static bool
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static enum status
copy(int from, int to, uint64_t limit, uint64_t *size, struct error *e)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n;

	*size = 0;
	while ((n = read(from, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, ST_TEMP, "scan", "cannot read: %s", strerror(errno));
		*size += (uint64_t)n;
		if (*size > limit)
			return fail(e, ST_PERM, "scan",
			    "the message has more than %" PRIu64 " bytes", limit);
		if (!write_all(to, bytes, (size_t)n))
			return fail(e, ST_TEMP, "scan", "cannot keep the message: %s",
			    strerror(errno));
	}
	return ST_OK;
}

static int
copy_sealed(int from, uint64_t limit, uint64_t *size, struct error *e)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	enum status st = fd < 0 ? ST_TEMP : copy(from, fd, limit, size, e);

	if (fd < 0)
		fail(e, ST_TEMP, "scan", "cannot keep the message: %s", strerror(errno));
	else if (st == ST_OK && fcntl(fd, F_ADD_SEALS,
	    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		st = fail(e, ST_TEMP, "scan", "cannot seal: %s", strerror(errno));
	if (st == ST_OK)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
offline_read(const char *path, uint64_t limit, uint64_t *size, struct error *e)
{
	bool standard = strcmp(path, "-") == 0;
	int from = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (from < 0) {
		fail(e, ST_TEMP, "scan", "cannot open: %s", strerror(errno));
		return -1;
	}
	int fd = copy_sealed(from, limit, size, e);

	if (!standard)
		close(from);
	return fd;
}

/* --- the inspector --- */

struct offline {
	struct configuration *configuration;
	struct process process;         /* the inspector: kind, pid, socket */
	struct process gateway;         /* what it believes to work for: us */
	int            link;            /* to it, as that gateway           */
	uint8_t        packet[PACKET_BYTES];
};

static bool
send_packet(int to, const struct pack *p, const int *fds, size_t fd_count)
{
	return ipc_send(to, (struct span){ p->ptr, p->len }, fds, fd_count) == IPC_OK;
}

static bool
send_setup(struct offline *o, int bundle, int counters, int ledger)
{
	const struct settings *s = o->configuration->settings;
	struct packet_setup setup = {
		.log_target = LOG_STDERR,
		.sandbox = (uint8_t)s->sandbox,
		.hostname = span_text(s->hostname != NULL ? s->hostname : ""),
		.revision = span_text(o->configuration->revision),
	};
	struct pack p = packet_begin(o->packet, PACKET_SETUP, 0);
	int fds[] = { bundle, counters, STDERR_FILENO, ledger };

	packet_put_setup(&p, &setup);
	return bundle >= 0 && ledger >= 0 &&
	    send_packet(o->process.fd, &p, fds, COUNT_OF(fds));
}

/* An inspector counts nothing and asks no ledger, but SETUP is the same for all. */
static bool
set_up(struct offline *o, struct error *e)
{
	int bundle = ipc_memory("configuration", o->configuration->bundle);
	int ledger = ipc_shared("ledger", sizeof(struct ledger_page));
	struct page *page = page_create(o->configuration, e);
	bool sent = page != NULL && send_setup(o, bundle, page->fd, ledger);

	page_destroy(&page);
	if (bundle >= 0)
		close(bundle);
	if (ledger >= 0)
		close(ledger);
	return sent;
}

static bool
link_and_start(struct offline *o, struct error *e)
{
	struct packet_link link = { .kind = PROCESS_GATEWAY, .pid = (uint64_t)getpid() };
	struct pack p = packet_begin(o->packet, PACKET_LINK, 0);
	int fds[2];

	if (ipc_pair(fds, e) != ST_OK)
		return false;
	o->link = fds[0];
	packet_put_link(&p, &link);
	bool sent = send_packet(o->process.fd, &p, &fds[1], 1);

	close(fds[1]);
	p = packet_begin(o->packet, PACKET_START, 0);
	return sent && send_packet(o->process.fd, &p, NULL, 0);
}

/* A copy: what the inspector may do to its memory meanwhile is of no matter. */
static struct span
read_large(int fd, struct arena *arena)
{
	struct stat st;
	struct span out = SPAN_NONE;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= PACKET_LARGE_BYTES) {
		uint8_t *bytes = arena_alloc(arena, (size_t)st.st_size);

		if (pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size)
			out = (struct span){ bytes, (size_t)st.st_size };
	}
	return out;
}

static enum packet_type
open_any(struct span packet, int fd, struct unpack *body, struct arena *arena)
{
	uint32_t serial;
	enum packet_type type = packet_open(packet, &serial, body);

	if (fd < 0)
		return type;
	if (type == PACKET_LARGE)
		type = packet_open(read_large(fd, arena), &serial, body);
	close(fd);
	return type;
}

/* The next packet of that type, by itself or as LARGE; others are dropped. */
static bool
await(struct offline *o, int from, enum packet_type wanted, int timeout_ms,
    struct unpack *body, struct arena *arena)
{
	struct span packet = { o->packet, 0 };
	size_t fd_count = 0;
	int fd;

	while (ipc_wait(from, timeout_ms)) {
		enum ipc_result r = ipc_receive(from, o->packet, sizeof o->packet, &packet.len,
		    &fd, 1, &fd_count);

		if (r == IPC_CLOSED)
			return false;
		if (r == IPC_OK &&
		    open_any(packet, fd_count == 1 ? fd : -1, body, arena) == wanted)
			return true;
	}
	return false;
}

static enum status
start(struct offline *o, const struct programs *programs, struct span *missing,
    struct arena *arena, struct error *e)
{
	struct accounts accounts;
	struct unpack body;

	accounts_find(&accounts, o->configuration->settings);
	if (process_fork(&o->process, programs,
	    accounts.separate ? &accounts.of[PROCESS_INSPECTOR] : NULL, e) != ST_OK)
		return ST_TEMP;
	fail(e, ST_TEMP, "scan", "the inspector could not be started");
	if (!set_up(o, e) || !link_and_start(o, e) ||
	    !await(o, o->process.fd, PACKET_READY, START_MS, &body, arena))
		return ST_TEMP;
	*missing = arena_span(arena, unpack_span(&body));
	return ST_OK;
}

static int
wait_ms(const struct settings *s)
{
	uint64_t ms = s->inspector_cpu * 4 + WAIT_MS;

	return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static enum status
ask(struct offline *o, int message, const struct packet_examine *request,
    struct packet_examined *out, struct arena *arena, struct error *e)
{
	struct pack p = packet_begin(o->packet, PACKET_EXAMINE, 1);
	struct unpack body;

	packet_put_examine(&p, request);
	if (!send_packet(o->link, &p, &message, 1) || !await(o, o->link, PACKET_EXAMINED,
	    wait_ms(o->configuration->settings), &body, arena))
		return fail(e, ST_TEMP, "scan", "the inspector did not answer");
	/* Spans point into the packet: keep what they point to. */
	struct unpack kept = { arena_span(arena, body.rest), false };

	if (!packet_take_examined(&kept, out, arena))
		return fail(e, ST_TEMP, "scan", "the inspector's findings cannot be read");
	if (out->status != ST_OK)
		return fail(e, ST_TEMP, "scan", "%.*s", (int)out->why.len,
		    (const char *)out->why.ptr);
	return ST_OK;
}

static void
say_end(int status, struct error *e)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		fail(e, ST_TEMP, "scan", "the inspector was ended by signal %d",
		    WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) == OUT_OF_TIME)
		fail(e, ST_TEMP, "scan", "the inspector had all its time (inspector-cpu)");
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		fail(e, ST_TEMP, "scan", "the inspector ended with status %d",
		    WEXITSTATUS(status));
}

/* It ends when its sockets do; one that does not answer may not notice. */
static void
finish(struct offline *o, enum status st, struct error *e)
{
	int status = 0;

	if (o->link >= 0)
		close(o->link);
	if (o->process.fd >= 0)
		close(o->process.fd);
	if (o->process.pid == 0)
		return;
	/* One whose socket closed is ending already: the signal leaves its status alone. */
	if (st != ST_OK)
		kill(o->process.pid, SIGKILL);
	while (waitpid(o->process.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (st != ST_OK)
		say_end(status, e);
}

enum status
offline_examine(struct configuration *c, int message, uint64_t size, unsigned wishes,
    struct packet_examined *out, struct span *missing, struct arena *arena, struct error *e)
{
	const struct packet_examine request = { size, HEADER_LIMIT, wishes, false };
	struct offline *o = must_alloc(sizeof *o);
	struct programs programs;
	enum status st = programs_find(&programs, e);

	*missing = SPAN_NONE;
	o->configuration = c;
	o->link = o->process.fd = -1;
	o->process.kind = PROCESS_INSPECTOR;
	o->process.gateway = &o->gateway;
	o->gateway.kind = PROCESS_GATEWAY;
	if (st == ST_OK)
		st = start(o, &programs, missing, arena, e);
	if (st == ST_OK)
		st = ask(o, message, &request, out, arena, e);
	finish(o, st, e);
	programs_close(&programs);
	free(o);
	return st;
}
