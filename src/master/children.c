/*
 * children.c - who runs when, and what follows when one ends; see master.h.
 *
 * Every gateway is linked with the store and with helpers of its own: inspectors, and where
 * a scanner is a command a runner.  When a gateway dies its helpers go with it: they hear
 * the end of their only link.
 */
#include "src/master/clock.h"
#include "src/master/master.h"
#include "src/master/wiring.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAST_DEATH_MS 5000 /* so soon after its start: wait before the next */
#define FAST_LEAVE_MS 200  /* between starts of those that leave in order */
#define BACKOFF_MAX_MS 30000
#define SILENCE_MAX_MS 60000 /* a gateway without PONG */
#define ANSWER_MS 15000
#define CLOSED_MAX_MS 10000  /* between the end of its socket and its own */
#define LEAVING_MAX_MS 60000 /* an inspector that is not needed any more */
#define OLD_PAGES 4

struct process *
children_find(const struct master *m, enum process_kind kind, uint32_t index)
{
	for (struct process *p = m->processes; p != NULL; p = p->next)
		if (p->kind == kind && p->index == index)
			return p;
	return NULL;
}

/* --- starting ----------------------------------------------------------------------- */

static void heard(struct process *, enum packet_type, struct unpack *);
static void start_again(evutil_socket_t, short, void *);

static struct process *
add_process(struct master *m, enum process_kind kind, uint32_t index, struct error *e)
{
	struct page *page = page_create(m->configuration, e);

	if (page == NULL)
		return NULL;
	struct process *p = must_alloc(sizeof *p), **at = &m->processes;

	p->master = m;
	p->kind = kind;
	p->on_one_cpu = m->gateways == process_cpus();
	p->index = index;
	p->fd = -1;
	p->page = page;
	p->heard = heard;
	p->again = evtimer_new(m->base, start_again, p);
	while (*at != NULL)
		at = &(*at)->next;
	*at = p;
	return p;
}

static void
remove_process(struct master *m, struct process *gone)
{
	struct process **at = &m->processes;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	sums_add_page(&m->past, gone->page, false);
	for (struct page *old = gone->old_pages; old != NULL; old = old->next)
		sums_add_page(&m->past, old, false);
	process_destroy(&gone);
}

/* Forked, with SETUP; START comes when it is wired. */
static enum status
launch(struct process *p, struct error *e)
{
	struct master *m = p->master;
	const struct account *become = &m->accounts.of[p->kind];

	p->generation = m->configuration->generation;
	if (process_start(p, m->base, &m->programs, m->accounts.separate ? become : NULL,
		e) != ST_OK)
		return ST_TEMP;
	return wiring_setup(p, PACKET_SETUP, e);
}

static enum status
start_helper(struct process *p, struct error *e)
{
	if (launch(p, e) != ST_OK)
		return ST_TEMP;
	wiring_link(p->gateway, p);
	wiring_plain(p, PACKET_START);
	return ST_OK;
}

static void
schedule(struct process *p, uint64_t wait_ms)
{
	struct timeval wait = {
	    (time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	evtimer_add(p->again, &wait);
}

/* It is tried again later; what was half wired begins anew when it has ended. */
static void
start_failed(struct process *p, const struct error *e)
{
	process_log(p, EVENT_PROCESS_ENDED, LOG_IS_ERROR, e->text);
	if (p->pid != 0)
		kill(p->pid, SIGKILL);
	else
		schedule(p, BACKOFF_MAX_MS);
}

static enum status
add_helper(struct process *gateway, enum process_kind kind, uint32_t index, struct error *e)
{
	struct process *p = add_process(gateway->master, kind, index, e);

	if (p == NULL)
		return ST_TEMP;
	p->gateway = gateway;
	if (start_helper(p, e) != ST_OK)
		start_failed(p, e);
	return ST_OK;
}

static bool
is_helper(const struct process *p)
{
	return p->kind == PROCESS_INSPECTOR || p->kind == PROCESS_RUNNER;
}

static bool
works_for(const struct process *p, enum process_kind kind, const struct process *gateway)
{
	return p->kind == kind && p->gateway == gateway && p->state != STATE_LEAVING;
}

/* Those of the gateway's generation. */
static size_t
count_inspectors(const struct process *gateway)
{
	size_t count = 0;

	for (struct process *p = gateway->master->processes; p != NULL; p = p->next)
		count += works_for(p, PROCESS_INSPECTOR, gateway) &&
		    p->generation == gateway->generation;
	return count;
}

static enum status
fill_inspectors(struct process *gateway, size_t wanted, struct error *e)
{
	uint64_t most = gateway->master->configuration->settings->inspectors;

	if (wanted > most)
		wanted = (size_t)most;
	while (count_inspectors(gateway) < wanted)
		if (add_helper(gateway, PROCESS_INSPECTOR,
			gateway->master->next_inspector++, e) != ST_OK)
			return ST_TEMP;
	return ST_OK;
}

/* One a gateway, where there is something to run. */
static enum status
add_runner(struct process *gateway, struct error *e)
{
	struct master *m = gateway->master;

	if (!configuration_has_commands(m->configuration->settings))
		return ST_OK;
	return add_helper(gateway, PROCESS_RUNNER, m->next_runner++, e);
}

static enum status
start_gateway(struct process *p, struct error *e)
{
	if (launch(p, e) != ST_OK)
		return ST_TEMP;
	wiring_listeners(p);
	wiring_link(p, children_find(p->master, PROCESS_STORE, 0));
	if (fill_inspectors(p, FIRST_INSPECTORS, e) != ST_OK || add_runner(p, e) != ST_OK)
		return ST_TEMP;
	wiring_plain(p, PACKET_START);
	return ST_OK;
}

static enum status
start_store(struct process *p, struct error *e)
{
	if (launch(p, e) != ST_OK)
		return ST_TEMP;
	for (struct process *g = p->master->processes; g != NULL; g = g->next)
		if (g->kind == PROCESS_GATEWAY)
			wiring_link(g, p);
	wiring_plain(p, PACKET_START);
	return ST_OK;
}

static enum status
start_reader(struct process *p, struct error *e)
{
	if (launch(p, e) != ST_OK)
		return ST_TEMP;
	wiring_plain(p, PACKET_START);
	return ST_OK;
}

static enum status
start_process(struct process *p, struct error *e)
{
	switch (p->kind) {
	case PROCESS_GATEWAY:
		return start_gateway(p, e);
	case PROCESS_INSPECTOR:
	case PROCESS_RUNNER:
		return start_helper(p, e);
	case PROCESS_STORE:
		return start_store(p, e);
	case PROCESS_READER:
		return start_reader(p, e);
	case PROCESS_MASTER:
	case PROCESS_KINDS:
		break;
	}
	return fail(e, ST_TEMP, "process", "no such process");
}

enum status
children_start(struct master *m, struct error *e)
{
	struct process *p = add_process(m, PROCESS_STORE, 0, e);

	if (p == NULL || start_process(p, e) != ST_OK)
		return ST_TEMP;
	p = add_process(m, PROCESS_READER, 0, e);
	if (p == NULL || start_process(p, e) != ST_OK)
		return ST_TEMP;
	for (uint32_t i = 0; i < m->gateways; i++) {
		p = add_process(m, PROCESS_GATEWAY, i, e);
		if (p == NULL || start_process(p, e) != ST_OK)
			return ST_TEMP;
	}
	return ST_OK;
}

/* --- what they say ------------------------------------------------------------------ */

static void
drain(struct process *p)
{
	p->state = STATE_LEAVING;
	p->leaving_ms = clock_ms();
	wiring_plain(p, PACKET_DRAIN);
}

/* The new inspectors of this gateway are ready: the old ones may go. */
static void
relieve_inspectors(struct process *gateway)
{
	struct process *p;

	for (p = gateway->master->processes; p != NULL; p = p->next)
		if (works_for(p, PROCESS_INSPECTOR, gateway) &&
		    p->generation == gateway->generation && p->state == STATE_STARTING)
			return;
	for (p = gateway->master->processes; p != NULL; p = p->next)
		if (works_for(p, PROCESS_INSPECTOR, gateway) &&
		    p->generation != gateway->generation)
			drain(p);
}

static void
heard_ready(struct process *p, struct unpack *body)
{
	struct span missing = unpack_span(body);

	if (p->state != STATE_STARTING)
		return;
	p->state = STATE_RUNNING;
	snprintf(p->missing, sizeof p->missing, "%.*s", (int)missing.len,
	    (const char *)missing.ptr);
	if (p->restarts > 0)
		process_log(p, EVENT_READY, LOG_IS_NOTICE, "runs again");
	if (p->kind == PROCESS_INSPECTOR)
		relieve_inspectors(p->gateway);
	master_look(p->master);
}

static void
heard_want(struct process *gateway)
{
	struct error e;

	if (gateway->kind != PROCESS_GATEWAY || gateway->state != STATE_RUNNING)
		return;
	if (fill_inspectors(gateway, count_inspectors(gateway) + 1, &e) != ST_OK)
		process_log(gateway, EVENT_INSPECTOR, LOG_IS_ERROR, e.text);
}

static void
heard(struct process *p, enum packet_type type, struct unpack *body)
{
	p->pong_ms = clock_ms();
	if (type == PACKET_READY)
		heard_ready(p, body);
	else if (type == PACKET_WANT_INSPECTOR)
		heard_want(p);
	/* PONG says no more than that it lives; DRAINED, that its end follows. */
}

/* --- ending ------------------------------------------------------------------------- */

static void
describe_end(char out[80], int status)
{
	if (WIFSIGNALED(status))
		snprintf(out, 80, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(out, 80, "ended with status %d", WEXITSTATUS(status));
}

/* One that left in order has done its work: its next start is only kept from following
   too fast. */
static uint64_t
backoff_ms(struct process *p, bool in_order)
{
	uint64_t age = clock_ms() - p->started_ms;

	if (in_order)
		return age < FAST_LEAVE_MS ? FAST_LEAVE_MS - age : 0;
	if (age >= FAST_DEATH_MS) {
		p->fast_deaths = 0;
		return 0;
	}
	unsigned n = p->fast_deaths++;
	uint64_t wait = n == 0 ? 0 : UINT64_C(1000) << (n < 6 ? n - 1 : 5);

	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

static void
start_again(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	struct error e;

	if (p->pid == 0 && start_process(p, &e) != ST_OK)
		start_failed(p, &e);
}

/* Pages of earlier generations: nobody writes them any more, but for what a gateway has
   under way longer than OLD_PAGES reloads. */
static void
fold_old_pages(struct process *p, size_t keep)
{
	struct page **at = &p->old_pages;

	for (size_t i = 0; i < keep && *at != NULL; i++)
		at = &(*at)->next;
	while (*at != NULL) {
		struct page *old = *at;

		*at = old->next;
		sums_add_page(&p->master->past, old, false);
		page_destroy(&old);
	}
}

static void
dismiss_helpers(struct master *m, const struct process *gateway)
{
	for (struct process *p = m->processes, *next; p != NULL; p = next) {
		next = p->next;
		if (!is_helper(p) || p->gateway != gateway)
			continue;
		if (p->pid == 0)
			remove_process(m, p);
		else
			drain(p);
	}
}

static struct process *
find_pid(const struct master *m, pid_t pid)
{
	for (struct process *p = m->processes; p != NULL; p = p->next)
		if (p->pid == pid)
			return p;
	return NULL;
}

/* What is asked for again when it ends?  While ending, only what a gateway still needs.
 */
static bool
is_wanted(const struct process *p, enum process_state was)
{
	const struct master *m = p->master;

	if (was == STATE_LEAVING)
		return false;
	if (is_helper(p) && p->generation != m->configuration->generation)
		return false;
	if (m->state != MASTER_ENDING)
		return true;
	for (const struct process *g = m->processes; g != NULL; g = g->next)
		if (g->kind == PROCESS_GATEWAY && g->pid != 0)
			return p->kind != PROCESS_GATEWAY && p->kind != PROCESS_READER;
	return false;
}

/* One that never got ready would not the next time either: the start has failed. */
static void
tell_end(struct process *p, int status, bool in_order, bool renewed)
{
	struct master *m = p->master;
	char text[80], name[64];

	describe_end(text, status);
	snprintf(name, sizeof name, "%s/%u", process_name(p->kind), p->index);
	if (m->state == MASTER_STARTING && p->state == STATE_STARTING)
		master_fail(m, name, text);
	else if (!in_order)
		process_log(p, EVENT_PROCESS_ENDED, LOG_IS_ERROR, text);
	else if (p->state != STATE_LEAVING && !renewed && m->state != MASTER_ENDING)
		process_log(p, EVENT_PROCESS_ENDED, LOG_IS_ERROR, text);
}

static void
take_leave(struct master *m, struct process *p, int status)
{
	enum process_state was = p->state;
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool renewed = in_order && (is_helper(p) || p->renew);

	tell_end(p, status, in_order, renewed);
	p->renew = false;
	process_ended(p);
	fold_old_pages(p, 0);
	if (p->kind == PROCESS_GATEWAY)
		dismiss_helpers(m, p);
	if (!is_wanted(p, was)) {
		remove_process(m, p);
		return;
	}
	p->restarts += !renewed;
	schedule(p, backoff_ms(p, renewed));
}

static bool
has_gateway(const struct master *m)
{
	for (const struct process *p = m->processes; p != NULL; p = p->next)
		if (p->kind == PROCESS_GATEWAY)
			return true;
	return false;
}

/* The gateways are gone: nothing can reach store and inspectors any more. */
static void
drain_rest(struct master *m)
{
	for (struct process *p = m->processes, *next; p != NULL; p = next) {
		next = p->next;
		if (p->pid == 0) {
			remove_process(m, p);
		} else if (p->state != STATE_LEAVING) {
			drain(p);
		}
	}
}

void
children_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = find_pid(m, pid);

		if (p != NULL)
			take_leave(m, p, status);
	}
	if (m->state == MASTER_ENDING && !has_gateway(m))
		drain_rest(m);
	master_look(m);
}

void
children_drain(struct master *m)
{
	for (struct process *p = m->processes, *next; p != NULL; p = next) {
		next = p->next;
		if (p->kind != PROCESS_GATEWAY)
			continue;
		if (p->pid == 0)
			remove_process(m, p);
		else
			drain(p);
	}
	if (!has_gateway(m))
		drain_rest(m);
}

void
children_kill(struct master *m)
{
	for (struct process *p = m->processes; p != NULL; p = p->next)
		if (p->pid != 0)
			kill(p->pid, SIGKILL);
}

/* --- the tick ----------------------------------------------------------------------- */

static void
check_process(struct process *p, uint64_t now)
{
	if (p->pid == 0)
		return;
	if (p->closed_ms != 0 && now - p->closed_ms > CLOSED_MAX_MS) {
		process_log(
		    p, EVENT_PROCESS_ENDED, LOG_IS_ERROR, "closed its socket: killed");
		kill(p->pid, SIGKILL);
	}
	if (p->kind == PROCESS_INSPECTOR && p->state == STATE_LEAVING &&
	    now - p->leaving_ms > LEAVING_MAX_MS)
		kill(p->pid, SIGKILL);
	if (p->kind != PROCESS_GATEWAY || p->state != STATE_RUNNING)
		return;
	if (now - p->pong_ms > SILENCE_MAX_MS) {
		process_log(
		    p, EVENT_PROCESS_ENDED, LOG_IS_ERROR, "does not answer: killed");
		kill(p->pid, SIGKILL);
	}
	wiring_plain(p, PACKET_PING);
}

void
children_check(struct master *m)
{
	uint64_t now = clock_ms();

	for (struct process *p = m->processes; p != NULL; p = p->next)
		check_process(p, now);
}

bool
children_answer(const struct master *m)
{
	uint64_t now = clock_ms();

	for (const struct process *p = m->processes; p != NULL; p = p->next)
		if (p->kind == PROCESS_GATEWAY &&
		    (p->pid == 0 || now - p->pong_ms > ANSWER_MS))
			return false;
	return true;
}

bool
children_ready(const struct master *m)
{
	for (const struct process *p = m->processes; p != NULL; p = p->next)
		if (p->state == STATE_STARTING || p->state == STATE_DOWN)
			return false;
	return true;
}

/* --- a new generation --------------------------------------------------------------- */

static enum status
turn_page(struct process *p, struct error *e)
{
	struct page *page = page_create(p->master->configuration, e);

	if (page == NULL)
		return ST_TEMP;
	p->page->next = p->old_pages;
	p->old_pages = p->page;
	p->page = page;
	fold_old_pages(p, OLD_PAGES);
	return ST_OK;
}

/* Those that wait for their next start would only come into the new generation. */
static void
remove_waiting_helpers(const struct process *gateway)
{
	struct master *m = gateway->master;

	for (struct process *p = m->processes, *next; p != NULL; p = next) {
		next = p->next;
		if (is_helper(p) && p->gateway == gateway && p->pid == 0)
			remove_process(m, p);
	}
}

/* They work on until their gateway lets go of them, when no mail of their configuration is
   under way any more. */
static void
drain_runners(const struct process *gateway)
{
	for (struct process *p = gateway->master->processes; p != NULL; p = p->next)
		if (works_for(p, PROCESS_RUNNER, gateway))
			drain(p);
}

static enum status
reload_gateway(struct process *p, struct error *e)
{
	size_t inspectors = count_inspectors(p);

	if (turn_page(p, e) != ST_OK)
		return ST_TEMP;
	p->generation = p->master->configuration->generation;
	if (p->pid == 0)
		return ST_OK;   /* it will be started with the new one */
	remove_waiting_helpers(p);
	drain_runners(p);
	/* The old ones work on until relieve_inspectors. */
	if (fill_inspectors(p, inspectors, e) != ST_OK || add_runner(p, e) != ST_OK ||
	    wiring_setup(p, PACKET_RELOAD, e) != ST_OK)
		return ST_TEMP;
	wiring_listeners(p);
	wiring_plain(p, PACKET_START);
	return ST_OK;
}

static enum status
reload_store(struct process *p, struct error *e)
{
	p->generation = p->master->configuration->generation;
	return wiring_setup(p, PACKET_RELOAD, e);
}

void
children_renew_store(struct master *m)
{
	struct process *p = children_find(m, PROCESS_STORE, 0);

	if (p == NULL || p->pid == 0)
		return;
	p->renew = true;
	wiring_plain(p, PACKET_DRAIN);
}

enum status
children_reload(struct master *m, struct error *e)
{
	for (struct process *p = m->processes; p != NULL; p = p->next) {
		if (p->kind == PROCESS_GATEWAY && reload_gateway(p, e) != ST_OK)
			return ST_TEMP;
		if (p->kind == PROCESS_STORE && reload_store(p, e) != ST_OK)
			return ST_TEMP;
	}
	return ST_OK;
}
