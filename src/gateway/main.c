/*
 * main.c - sallyport-gateway: wired by the master, then one loop until it is drained.
 */
#include "src/gateway/clients.h"
#include "src/gateway/held.h"
#include "src/gateway/hop.h"
#include "src/gateway/inspect.h"
#include "src/gateway/runlink.h"
#include "src/gateway/scanner.h"
#include "src/gateway/session.h"
#include "src/gateway/storelink.h"
#include "src/gateway/transaction.h"
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MASTER_FD       3
#define EXIT_PROMISE    70      /* the master sent what it must not */
#define PRESSURE_PERCENT 90

static uint64_t
clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t now_unix(void) { return clock_us(CLOCK_REALTIME) / 1000; }
uint64_t now_ms(void)   { return clock_us(CLOCK_MONOTONIC_COARSE) / 1000; }
uint64_t now_us(void)   { return clock_us(CLOCK_MONOTONIC); }

/* --- pressure --- */

static uint64_t
free_bytes(const char *path)
{
	struct statvfs v;

	return statvfs(path, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
}

static void
look_at_disk(struct gateway *g)
{
	const struct settings *s = g->snapshot->settings;
	bool low = free_bytes(s->spool_directory) < s->minimum_free ||
	    free_bytes(s->state_directory) < s->minimum_free;

	if (low != g->disk_low)
		log_event(&g->log, EVENT_PRESSURE, low ? LOG_IS_WARNING : LOG_IS_NOTICE,
		    "disk", low ? "below minimum-free: new mail gets 452" : "enough again",
		    NULL);
	g->disk_low = low;
}

bool
gateway_under_pressure(const struct gateway *g)
{
	bool memory = g->memory_used >= g->memory_share / 100 * PRESSURE_PERCENT;
	bool spool = g->spool_used >= g->spool_share / 100 * PRESSURE_PERCENT;
	bool queue = inspectors_waiting(g->inspectors) >=
	    INSPECT_QUEUE / 100 * PRESSURE_PERCENT;

	return g->disk_low || (memory && spool) || queue;
}

/* --- the loop's own events --- */

static void
on_burial(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;

	hop_bury(g);
	scanners_bury(g->scanners);
	transaction_bury(g);
	session_bury(g);
}

void
gateway_bury_soon(struct gateway *g)
{
	event_active(&g->burial, EV_TIMEOUT, 0);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;

	look_at_disk(g);
	session_tick(g);
	hop_tick(g);
	scanners_tick(g->scanners);
	storelink_tick(g->store);
	held_tick(g->held);
	gateway_check_drained(g);
}

static void
on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	ports_resume(arg);
}

static void
tell_master(struct gateway *g, enum packet_type type, const char *text)
{
	uint8_t bytes[2048];
	struct pack p = packet_begin_large(bytes, sizeof bytes, type, 0);

	if (text != NULL)
		pack_span_cut(&p, span_text(text), 1500);
	ipc_send(g->master, (struct span){ bytes, p.len }, NULL, 0);
}

void
gateway_check_drained(struct gateway *g)
{
	if (!g->draining || g->session_count > 0 || !link_empty(&g->dead_sessions))
		return;
	if (storelink_is_up(g->store) &&
	    (storelink_waiting(g->store) > 0 || !held_is_idle(g->held)))
		return;                 /* looked at again in a second */
	tell_master(g, PACKET_DRAINED, NULL);
	event_base_loopbreak(g->base);
}

static void
drain(struct gateway *g)
{
	if (g->draining)
		return;
	g->draining = true;
	ports_close(g, UINT32_MAX);
	sessions_drain(g);
	hop_close_idle(g);
	scanners_close_idle(g->scanners);
	gateway_check_drained(g);
}

/* --- the master's packets --- */

static void
promise_broken(struct gateway *g, const char *what)
{
	log_event(&g->log, EVENT_STOP, LOG_IS_ERROR, "process", "gateway", "problem", what,
	    NULL);
	exit(EXIT_PROMISE);
}

static void
take_setup(struct gateway *g, struct unpack *body, const int *fds, size_t count)
{
	struct packet_setup setup;
	struct error err;
	size_t bytes;

	if (count != 4 || !packet_take_setup(body, &setup))
		promise_broken(g, "bad SETUP");
	g->index = setup.index;
	g->generation = setup.generation;
	g->hostname = strndup((const char *)setup.hostname.ptr, setup.hostname.len);
	g->memory_share = setup.memory_share;
	g->spool_share = setup.spool_share;
	g->sessions_share = setup.sessions_share;
	snprintf(g->name, sizeof g->name, "gateway/%u", setup.index);
	g->log = (struct log){ .fd = fds[2], .target = setup.log_target, .name = g->name };
	g->ledger = ipc_map(fds[3], &bytes, false);
	close(fds[3]);
	if (g->ledger == NULL || bytes < sizeof *g->ledger)
		promise_broken(g, "no ledger page");
	g->snapshot = snapshot_load(g, setup.revision, fds[0], fds[1], &err);
	if (g->snapshot == NULL)
		promise_broken(g, err.text);
	g->counters = g->snapshot->counters;
	for (int c = COUNTER_FIRST_GAUGE; c < COUNTER_COUNT; c++)
		g->counters->values[c] = 0;
}

/* A new configuration: sessions take it between transactions; ports come again. */
static void
take_reload(struct gateway *g, struct unpack *body, const int *fds, size_t count)
{
	struct packet_setup setup;
	struct error err;
	struct snapshot *next;
	uint32_t was = g->generation;

	if (count != 2 || !packet_take_setup(body, &setup))
		promise_broken(g, "bad RELOAD");
	g->generation = setup.generation;
	next = snapshot_load(g, setup.revision, fds[0], fds[1], &err);
	if (next == NULL) {
		g->generation = was;
		promise_broken(g, err.text);
	}
	g->memory_share = setup.memory_share;
	g->spool_share = setup.spool_share;
	g->sessions_share = setup.sessions_share;
	snapshot_drop(g->snapshot);
	g->snapshot = next;
	g->counters = next->counters;
	g->counters->values[GAUGE_SESSIONS] = g->session_count;
	held_wake(g->held);
}

static void
take_listen(struct gateway *g, struct unpack *body, const int *fds, size_t count)
{
	struct packet_listen listen;

	if (count != 1 || !packet_take_listen(body, &listen) ||
	    listen.listener >= g->snapshot->settings->listener_count)
		promise_broken(g, "bad LISTEN");
	if (g->draining)
		close(fds[0]);
	else
		port_open(g, &listen, fds[0]);
}

static void
take_link(struct gateway *g, struct unpack *body, const int *fds, size_t count)
{
	struct packet_link link;

	if (count != 1 || !packet_take_link(body, &link))
		promise_broken(g, "bad LINK");
	if (link.kind == PROCESS_INSPECTOR)
		inspectors_link(g->inspectors, &link, fds[0]);
	else if (link.kind == PROCESS_STORE)
		storelink_connect(g->store, fds[0]);
	else if (link.kind == PROCESS_RUNNER)
		runners_link(g->runners, &link, fds[0]);
	else
		promise_broken(g, "LINK to a process that is none of ours");
}

/* After SETUP: sandbox, then READY; after RELOAD: the ports that were not named go. */
static void
take_start(struct gateway *g)
{
	const struct settings *s = g->snapshot->settings;
	struct sandbox_path spool = { .path = s->spool_directory, .writable = true };
	struct sandbox box = { .profile = SANDBOX_GATEWAY, .paths = &spool, .path_count = 1,
	    .required = s->sandbox == SANDBOX_REQUIRED };
	struct buf missing = { 0 };
	struct error err;

	ports_close(g, g->generation);
	if (!g->started && sandbox_enter(&box, &missing, &err) != ST_OK)
		promise_broken(g, err.text);
	if (!g->started)
		tell_master(g, PACKET_READY, buf_text(&missing));
	buf_free(&missing);
	g->started = true;
	ports_resume(g);
}

static void
take_packet(struct gateway *g, struct span packet, const int *fds, size_t count)
{
	struct unpack body;
	uint32_t serial;
	enum packet_type type = packet_open(packet, &serial, &body);

	if (g->snapshot == NULL && type != PACKET_SETUP)
		promise_broken(g, "a packet before SETUP");
	if (type == PACKET_SETUP)
		take_setup(g, &body, fds, count);
	else if (type == PACKET_RELOAD)
		take_reload(g, &body, fds, count);
	else if (type == PACKET_LISTEN)
		take_listen(g, &body, fds, count);
	else if (type == PACKET_LINK)
		take_link(g, &body, fds, count);
	else if (type == PACKET_START)
		take_start(g);
	else if (type == PACKET_DRAIN)
		drain(g);
	else if (type == PACKET_PING)
		tell_master(g, PACKET_PONG, NULL);
	else
		promise_broken(g, "a packet that is not for a gateway");
}

static void
on_master(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[PACKET_BYTES];     /* this process has one master */
	struct gateway *g = arg;
	int fds[PACKET_FDS];
	size_t len, count;

	for (;;)
		switch (ipc_receive(g->master, bytes, sizeof bytes, &len, fds, PACKET_FDS,
		    &count)) {
		case IPC_OK:
			take_packet(g, (struct span){ bytes, len }, fds, count);
			break;
		case IPC_AGAIN:
			return;
		case IPC_CLOSED:        /* without a master: finish and go */
			event_del(&g->master_event);
			drain(g);
			return;
		}
}

/* --- start --- */

/* Whatever OpenSSL reads, it reads now. */
static void
warm_up(struct gateway *g)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;

	OPENSSL_init_crypto(0, NULL);
	if (EVP_Digest("", 0, digest, &len, EVP_sha256(), NULL) != 1 ||
	    getrandom(&g->id_unique, sizeof g->id_unique, 0) != sizeof g->id_unique) {
		fputs("sallyport-gateway: no digest or no random numbers\n", stderr);
		exit(EXIT_PROMISE);
	}
}

static void
all_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static struct gateway *
gateway_create(void)
{
	struct gateway *g = must_alloc(sizeof *g);

	g->master = MASTER_FD;
	g->base = event_base_new();
	if (g->base == NULL) {
		fputs("sallyport-gateway: no event loop\n", stderr);
		exit(EXIT_PROMISE);
	}
	g->log = (struct log){ .fd = STDERR_FILENO, .target = LOG_STDERR,
	    .name = "sallyport" };
	link_init(&g->ports);
	link_init(&g->sessions);
	link_init(&g->dead_sessions);
	link_init(&g->dead_transactions);
	link_init(&g->pools);
	link_init(&g->dead_connections);
	warm_up(g);
	g->read_buffer = must_alloc(READ_BYTES);
	g->body_buffer = must_alloc(BODY_BYTES);
	g->record_buffer = must_alloc(RECORD_BYTES);
	g->clients = clients_create(g->id_unique);
	g->inspectors = inspectors_create(g);
	g->scanners = scanners_create(g);
	g->runners = runners_create(g);
	g->store = storelink_create(g);
	g->held = held_create(g);
	return g;
}

/* The master decides when to go; a broken socket is an error code. */
static void
ignore_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < COUNT_OF(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

int
main(void)
{
	struct gateway *g = gateway_create();
	struct timeval second = { 1, 0 };

	ignore_signals();
	all_descriptors();
	event_assign(&g->master_event, g->base, g->master, EV_READ | EV_PERSIST, on_master, g);
	event_assign(&g->tick, g->base, -1, EV_PERSIST, on_tick, g);
	evtimer_assign(&g->accept_again, g->base, on_accept_again, g);
	evtimer_assign(&g->burial, g->base, on_burial, g);
	while (!g->started && !g->draining) {   /* wiring: nothing else runs before START */
		ipc_wait(g->master, -1);
		on_master(g->master, EV_READ, g);
	}
	event_add(&g->master_event, NULL);
	event_add(&g->tick, &second);
	event_base_dispatch(g->base);
	return 0;
}
