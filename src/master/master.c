/*
 * master.c - the loop, signals, the tick and the end; see master.h.
 */
#include "src/master/master.h"
#include "src/master/clock.h"
#include "src/master/control.h"
#include "sys/ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_S           5
#define START_MAX_MS     60000
#define END_MAX_MS       90000

/* --- states ------------------------------------------------------------------------- */

static void
enter(struct master *m, enum master_state state)
{
	m->state = state;
	m->state_ms = clock_ms();
}

void
master_end(struct master *m, const char *why)
{
	if (m->state == MASTER_ENDING)
		return;
	enter(m, MASTER_ENDING);
	log_event(&m->log, EVENT_STOP, LOG_IS_NOTICE, "why", why, NULL);
	notify_send(&m->notify, "STOPPING=1");
	children_drain(m);
	/* Only now: a gateway stops accepting by its own copies. */
	sockets_close(&m->sockets);
	master_look(m);
}

void
master_fail(struct master *m, const char *why, const char *text)
{
	if (m->state == MASTER_ENDING)
		return;
	fprintf(stderr, "sallyport: %s: %s\n", why, text);
	m->exit_status = 70;
	master_end(m, why);
}

/* "gateway: landlock: kernel has none": once for all processes of a kind. */
static void
gather_missing(const struct master *m, struct buf *out)
{
	for (const struct process *p = m->processes; p != NULL; p = p->next) {
		bool told = p->missing[0] == '\0';

		for (const struct process *q = m->processes; q != p && !told; q = q->next)
			told = q->kind == p->kind && strcmp(q->missing, p->missing) == 0;
		if (!told)
			buf_printf(out, "%s%s: %s", buf_len(out) > 0 ? "; " : "",
			    process_name(p->kind), p->missing);
	}
	if (!m->accounts.separate)
		buf_printf(out, "%sall: own users: not started as root",
		    buf_len(out) > 0 ? "; " : "");
}

static void
log_missing(struct master *m)
{
	struct buf text = { 0 };

	gather_missing(m, &text);
	if (buf_len(&text) > 0)
		log_event(&m->log, EVENT_SANDBOX, LOG_IS_WARNING, "missing",
		    buf_text(&text), NULL);
	buf_free(&text);
}

static void
serve(struct master *m)
{
	struct log_line line;

	enter(m, MASTER_SERVING);
	log_missing(m);
	log_begin(&line, &m->log, EVENT_READY, LOG_IS_NOTICE);
	log_word(&line, "revision", m->configuration->revision);
	log_number(&line, "gateways", m->gateways);
	log_number(&line, "ms", clock_ms() - m->start_ms);
	log_end(&line);
	notify_send(
	    &m->notify, "READY=1\nSTATUS=revision %s", m->configuration->revision);
}

void
master_look(struct master *m)
{
	if (m->state == MASTER_STARTING && children_ready(m))
		serve(m);
	if (m->state == MASTER_ENDING && m->processes == NULL)
		event_base_loopbreak(m->base);
}

/* --- signals and the tick ----------------------------------------------------------- */

static void
on_child(evutil_socket_t fd, short what, void *arg)
{
	children_reap(arg);
}

static void
on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	struct complaints complaints = { 0 };

	if (m->state == MASTER_SERVING)
		master_reload(m, &complaints);
	buf_free(&complaints.text);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	if (m->state != MASTER_ENDING) {
		master_end(m, fd == SIGINT ? "SIGINT" : "SIGTERM");
		return;
	}
	m->exit_status = 1;
	children_kill(m);
}

static void
on_nothing(evutil_socket_t fd, short what, void *arg)
{
}

static void
look_for_trouble(struct master *m)
{
	struct sums sums;

	status_sums(m, &sums);
	uint64_t seen = sums.values[COUNTER_JOURNAL_DROPPED] +
	    sums.values[COUNTER_STORE_FAILURES];

	sums_free(&sums);
	if (seen > m->trouble_seen)
		m->trouble_ms = clock_ms();
	m->trouble_seen = seen;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t age = clock_ms() - m->state_ms;

	children_check(m);
	look_for_trouble(m);
	if (m->state == MASTER_STARTING && age > START_MAX_MS)
		master_fail(m, "start", "a process is not ready after a minute");
	if (m->state == MASTER_ENDING && age > END_MAX_MS) {
		m->exit_status = 1;
		children_kill(m);
	}
	if (m->state != MASTER_SERVING || children_answer(m))
		notify_send(&m->notify, "WATCHDOG=1");
}

struct signal_row { int number; event_callback_fn run; };
static const struct signal_row signals[] = {
	{ SIGCHLD, on_child },
	{ SIGHUP, on_reload },
	{ SIGTERM, on_end },
	{ SIGINT, on_end },
	{ SIGUSR1, on_nothing },
	{ SIGPIPE, on_nothing },
};

/* --- the start ---------------------------------------------------------------------- */

/* The name of this machine with its domain, where the resolver knows it. */
static void
find_hostname(struct master *m)
{
	const char *told = m->configuration->settings->hostname;
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	if (told != NULL && *told != '\0') {
		snprintf(m->hostname, sizeof m->hostname, "%s", told);
		return;
	}
	if (gethostname(m->hostname, sizeof m->hostname - 1) < 0 ||
	    m->hostname[0] == '\0')
		strcpy(m->hostname, "localhost");
	/* A resolver that is down must not hold up the start. */
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
	if (strchr(m->hostname, '.') == NULL &&
	    getaddrinfo(m->hostname, NULL, &hints, &found) == 0 && found != NULL &&
	    found->ai_canonname != NULL && strchr(found->ai_canonname, '.') != NULL)
		snprintf(m->hostname, sizeof m->hostname, "%s", found->ai_canonname);
	if (found != NULL)
		freeaddrinfo(found);
}

static void
raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static size_t
count_gateways(const struct settings *s)
{
	return s->gateways > 0 ? (size_t)s->gateways : process_cpus();
}

static enum status
open_log(struct master *m, bool quiet, struct error *e)
{
	if (log_open(&m->log, (int)m->configuration->settings->log, "master", e) != ST_OK)
		return ST_TEMP;
	if (!quiet || m->log.target != LOG_STDERR)
		return ST_OK;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		dup3(null, m->log.fd, O_CLOEXEC);
	return ST_OK;
}

static enum status
open_ledger(struct master *m, struct error *e)
{
	m->ledger = ipc_shared("ledger", sizeof(struct ledger_page));
	m->ledger_view = m->ledger >= 0 ? ipc_reopen(m->ledger) : -1;
	if (m->ledger_view < 0)
		return fail(e, ST_TEMP, "ledger", "%s", strerror(errno));
	return ST_OK;
}

static void
log_start(struct master *m)
{
	log_event(&m->log, EVENT_START, LOG_IS_NOTICE, "version", SALLYPORT_VERSION,
	    "hostname", m->hostname, "configuration", m->configuration->path, "revision",
	    m->configuration->revision, NULL);
	for (const struct socket_set *set = m->sockets.sets; set != NULL; set = set->next)
		log_event(&m->log, EVENT_LISTEN, LOG_IS_INFO, "address", set->text, NULL);
}

static enum status
start(struct master *m, bool quiet, struct error *e)
{
	const struct settings *s = m->configuration->settings;

	find_hostname(m);
	raise_limits();
	accounts_find(&m->accounts, s);
	m->gateways = m->sockets.gateways = count_gateways(s);
	if (open_log(m, quiet, e) != ST_OK || programs_find(&m->programs, e) != ST_OK ||
	    accounts_directories(&m->accounts, s, e) != ST_OK ||
	    control_open(m, e) != ST_OK || sockets_open(&m->sockets, s, e) != ST_OK ||
	    open_ledger(m, e) != ST_OK)
		return ST_PERM;
	log_start(m);
	return children_start(m, e);
}

/* Before the first fork: no child may end unseen. */
static void
watch(struct master *m)
{
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		m->signals[i] =
		    evsignal_new(m->base, signals[i].number, signals[i].run, m);
		event_add(m->signals[i], NULL);
	}
	m->tick = event_new(m->base, -1, EV_PERSIST, on_tick, m);
	event_add(m->tick, &(struct timeval){ TICK_S, 0 });
}

static void
finish(struct master *m)
{
	control_close(m);
	sockets_close(&m->sockets);
	sums_free(&m->past);
	configuration_drop(&m->configuration);
	programs_close(&m->programs);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		event_free(m->signals[i]);
	event_free(m->tick);
	event_base_free(m->base);
}

int
master_run(struct configuration *configuration, bool quiet)
{
	struct master m = {
		.log.fd = -1,
		.base = event_base_new(),
		.configuration = configuration_hold(configuration),
		.start_ms = clock_ms(),
		.unix_start_ms = clock_unix_ms(),
		.ledger = -1,
		.ledger_view = -1,
	};
	struct error e;

	_Static_assert(COUNT_OF(signals) <= COUNT_OF(m.signals), "room for all");
	m.state_ms = m.start_ms;
	configuration->since_ms = m.unix_start_ms;
	configuration->generation = 1;
	notify_init(&m.notify);
	watch(&m);
	if (start(&m, quiet, &e) != ST_OK)
		master_fail(&m, e.where, e.text);
	if (m.state != MASTER_ENDING || m.processes != NULL)
		event_base_dispatch(m.base);
	finish(&m);
	return m.exit_status;
}
