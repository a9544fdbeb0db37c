/*
 * serve.c - one packet after the other.
 */
#include "src/inspector/inspector.h"
#include "src/inspector/jobs.h"
#include "sys/ipc.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

struct request {
	enum packet_type type;
	uint32_t      serial;
	struct unpack body;
	int           fds[PACKET_FDS];
	size_t        fd_count;
};

void
end(struct inspector *i, enum inspector_end how, const char *why)
{
	if (how != END_OK)
		log_event(&i->log, how == END_SANDBOX ? EVENT_SANDBOX : EVENT_INSPECTOR,
		    LOG_IS_ERROR, "error", why, NULL);
	exit((int)how);
}

/* The other side reads one answer before it asks again; should it not, this waits. */
static void
send_beside(struct inspector *i, int to, const struct pack *answer, int memory)
{
	struct span packet = { answer->ptr, answer->len };
	struct pollfd p = { .fd = to, .events = POLLOUT };
	enum ipc_result r;

	while ((r = ipc_send(to, packet, &memory, memory >= 0)) == IPC_AGAIN)
		poll(&p, 1, -1);
	if (r == IPC_CLOSED)
		end(i, END_OK, "");
}

void
answer_send(struct inspector *i, int to, const struct pack *answer)
{
	send_beside(i, to, answer, -1);
}

/* False: nothing was there after all. */
static bool
take(struct inspector *i, int from, struct request *r)
{
	size_t len;
	enum ipc_result got = ipc_receive(from, i->packet, sizeof i->packet, &len, r->fds,
	    PACKET_FDS, &r->fd_count);

	if (got == IPC_CLOSED)
		end(i, END_OK, "");
	if (got == IPC_AGAIN)
		return false;
	r->type = packet_open((struct span){ i->packet, len }, &r->serial, &r->body);
	return true;
}

static void
drop_descriptors(const struct request *r)
{
	for (size_t k = 0; k < r->fd_count; k++)
		close(r->fds[k]);
}

/* --- the master --- */

static void
on_setup(struct inspector *i, struct request *r)
{
	setup_take(i, &r->body, r->fds, r->fd_count);
}

/* There is only one gateway in an inspector's life; a new link replaces the old. */
static void
on_link(struct inspector *i, struct request *r)
{
	struct packet_link link;

	if (!packet_take_link(&r->body, &link) || link.kind != PROCESS_GATEWAY ||
	    r->fd_count != 1) {
		drop_descriptors(r);
		return;
	}
	if (i->gateway >= 0)
		close(i->gateway);
	i->gateway = r->fds[0];
}

static void
on_start(struct inspector *i, struct request *r)
{
	drop_descriptors(r);
	if (!i->started)        /* a second START changes nothing */
		setup_finish(i);
}

static void
on_drain(struct inspector *i, struct request *r)
{
	end(i, END_OK, "");
}

static void
on_ping(struct inspector *i, struct request *r)
{
	struct pack pong = packet_begin(i->answer, PACKET_PONG, r->serial);

	drop_descriptors(r);
	answer_send(i, i->master, &pong);
}

static void
serve_master(struct inspector *i)
{
	static void (*const on[PACKET_TYPES])(struct inspector *, struct request *) = {
		[PACKET_SETUP] = on_setup,
		[PACKET_LINK] = on_link,
		[PACKET_START] = on_start,
		[PACKET_DRAIN] = on_drain,
		[PACKET_PING] = on_ping,
	};
	struct request r;

	if (!take(i, i->master, &r))
		return;
	if (on[r.type] != NULL)
		on[r.type](i, &r);
	else
		drop_descriptors(&r);
}

/* --- the gateway --- */

/* What is too long for a packet goes into *memory, and LARGE tells of it.  Where there is
   no such memory the answer is cut, and says so. */
static struct pack
pack_examined(struct inspector *i, uint32_t serial, const struct packet_examined *out,
    int *memory)
{
	struct pack answer = packet_begin_large(i->answer, sizeof i->answer, PACKET_EXAMINED,
	    serial);

	packet_put_examined(&answer, out);
	if (answer.len <= PACKET_BYTES && !answer.full)
		return answer;
	if (!answer.full)
		*memory = ipc_memory("packet", (struct span){ answer.ptr, answer.len });
	if (*memory >= 0)
		return packet_begin(i->answer, PACKET_LARGE, serial);
	answer = packet_begin(i->answer, PACKET_EXAMINED, serial);
	packet_put_examined(&answer, out);
	return answer;
}

static struct pack
do_examine(struct inspector *i, struct request *r, int *memory)
{
	struct packet_examine job;
	struct packet_examined out;

	if (!packet_take_examine(&r->body, &job))
		end(i, END_BROKEN, "EXAMINE is not as it should be");
	examine(r->fds[0], &job, &i->tools, i->room, &out, &i->arena);
	return pack_examined(i, r->serial, &out, memory);
}

static struct pack
do_rewrite(struct inspector *i, struct request *r)
{
	struct pack answer = packet_begin(i->answer, PACKET_REWRITTEN, r->serial);
	struct packet_rewrite job;
	struct packet_rewritten out;

	if (!packet_take_rewrite(&r->body, &job, &i->arena))
		end(i, END_BROKEN, "REWRITE is not as it should be");
	rewrite(r->fds[0], &job, i->room, &out, &i->arena);
	packet_put_rewritten(&answer, &out);
	edit_free(&out.edits);
	if (!answer.full)
		return answer;
	answer = packet_begin(i->answer, PACKET_REWRITTEN, r->serial);
	packet_put_rewritten(&answer, &(struct packet_rewritten){ .status = ST_TEMP,
		.why = SPAN_LIT("the changes are too long for an answer") });
	return answer;
}

static void
do_job(struct inspector *i, struct request *r)
{
	struct pack answer;
	int memory = -1;

	if (r->fd_count != 1 || (r->type != PACKET_EXAMINE && r->type != PACKET_REWRITE))
		end(i, END_BROKEN, "a request of a gateway is not as it should be");
	answer = r->type == PACKET_EXAMINE ? do_examine(i, r, &memory) : do_rewrite(i, r);
	close(r->fds[0]);
	arena_free(&i->arena);
	send_beside(i, i->gateway, &answer, memory);
	if (memory >= 0)
		close(memory);
}

static void
serve_gateway(struct inspector *i)
{
	struct request r;

	if (!take(i, i->gateway, &r))
		return;
	clock_begin(&i->clock);
	do_job(i, &r);
	clock_end(&i->clock);
	if (i->jobs_left > 0 && --i->jobs_left == 0)
		end(i, END_OK, "");
}

void
serve(struct inspector *i)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = i->master, .events = POLLIN },
			{ .fd = i->started ? i->gateway : -1, .events = POLLIN },
		};

		if (poll(p, COUNT_OF(p), -1) < 0 && errno != EINTR)
			end(i, END_BROKEN, strerror(errno));
		if (p[1].revents != 0)
			serve_gateway(i);
		if (p[0].revents != 0)
			serve_master(i);
	}
}
