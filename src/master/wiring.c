/*
 * wiring.c - see wiring.h.
 */
#include "src/master/wiring.h"
#include "sys/ipc.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void
process_log(struct process *p, enum log_event event, enum log_priority priority,
    const char *text)
{
	struct log_line line;
	char name[40];

	snprintf(name, sizeof name, "%s/%u", process_name(p->kind), p->index);
	log_begin(&line, &p->master->log, event, priority);
	log_word(&line, "what", name);
	log_number(&line, "pid", (uint64_t)p->pid);
	log_text(&line, "text", span_text(text));
	log_end(&line);
}

static struct pack
packet(uint8_t bytes[PACKET_BYTES], enum packet_type type)
{
	return packet_begin(bytes, type, 0);
}

void
wiring_plain(struct process *p, enum packet_type type)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack body = packet(bytes, type);

	process_send(p, &body, NULL, 0);
}

static struct packet_setup
setup_of(const struct process *p)
{
	const struct master *m = p->master;
	const struct settings *s = m->configuration->settings;
	uint64_t gateways = m->gateways;

	return (struct packet_setup){
		.index = p->index,
		.generation = p->generation,
		.log_target = (uint8_t)m->log.target,
		.sandbox = (uint8_t)s->sandbox,
		.reader = p->kind == PROCESS_READER,
		.start_ms = m->unix_start_ms,
		.hostname = span_text(m->hostname),
		.memory_share = s->memory_budget / gateways,
		.spool_share = s->spool_budget / gateways,
		.sessions_share = (s->sessions + gateways - 1) / gateways,
		.revision = span_text(m->configuration->revision),
	};
}

/* How many of bundle, counters, log, ledger page travel. */
static size_t
setup_fds(const struct process *p, enum packet_type type)
{
	if (type == PACKET_SETUP)
		return 4;
	return p->kind == PROCESS_GATEWAY ? 2 : 1;
}

/* SETUP and RELOAD; the bundle is made anew each time, the sender's copy is closed. */
enum status
wiring_setup(struct process *p, enum packet_type type, struct error *e)
{
	struct master *m = p->master;
	uint8_t bytes[PACKET_BYTES];
	struct pack body = packet(bytes, type);
	struct packet_setup setup = setup_of(p);
	int bundle = ipc_memory("configuration", m->configuration->bundle);
	int ledger = p->kind == PROCESS_STORE ? m->ledger : m->ledger_view;
	int fds[] = { bundle, p->page->fd, m->log.fd, ledger };

	if (bundle < 0)
		return fail(e, ST_TEMP, "process", "no memory for the configuration");
	packet_put_setup(&body, &setup);
	process_send(p, &body, fds, setup_fds(p, type));
	close(bundle);
	return ST_OK;
}

static void
send_link(struct process *to, const struct process *other, int fd)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack body = packet(bytes, PACKET_LINK);
	struct packet_link link = {
		.kind = other->kind,
		.index = other->index,
		.generation = other->generation,
		.pid = (uint64_t)other->pid,
	};

	packet_put_link(&body, &link);
	process_send(to, &body, &fd, 1);
}

/* Without a socket pair both go on unlinked, and say 451: the log tells. */
void
wiring_link(struct process *a, struct process *b)
{
	struct error e;
	int fds[2];

	if (a == NULL || b == NULL || a->fd < 0 || b->fd < 0)
		return;
	if (ipc_pair(fds, &e) != ST_OK) {
		process_log(a, EVENT_PROCESS_ENDED, LOG_IS_ERROR, e.text);
		return;
	}
	send_link(a, b, fds[0]);
	send_link(b, a, fds[1]);
	close(fds[0]);
	close(fds[1]);
}

void
wiring_listeners(struct process *gateway)
{
	const struct master *m = gateway->master;
	const struct settings *s = m->configuration->settings;
	uint8_t bytes[PACKET_BYTES];

	for (uint32_t i = 0; i < s->listener_count; i++)
		for (uint32_t k = 0; k < s->listeners[i].address_count; k++) {
			struct pack body = packet(bytes, PACKET_LISTEN);
			int fd = sockets_for(&m->sockets, &s->listeners[i].addresses[k],
			    gateway->index);

			packet_put_listen(&body, &(struct packet_listen){ i, k });
			process_send(gateway, &body, &fd, 1);
		}
}
