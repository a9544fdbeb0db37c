/*
 * message.c - see message.h.
 */
#include "src/gateway/message.h"
#include "sys/ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define GATHER_RUN 16384        /* longer runs are written at once */

static bool
fits_memory(const struct gateway *g, uint64_t more)
{
	return g->memory_used + more <= g->memory_share;
}

static bool
fits_spool(const struct gateway *g, uint64_t more)
{
	return !g->disk_low && g->spool_used + more <= g->spool_share;
}

static void
account(struct message *m, uint64_t bytes)
{
	*(m->spooled ? &m->gateway->spool_used : &m->gateway->memory_used) += bytes;
}

static int
spool_open(const struct message *m)
{
	return open(m->settings->spool_directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* What came so far moves to the spool. */
static enum status
move_to_spool(struct message *m, struct error *err)
{
	int fd = spool_open(m);
	off_t from = 0;

	if (fd < 0)
		return fail(err, ST_TEMP, "message", "cannot open a spool file: %s",
		    strerror(errno));
	while ((uint64_t)from < m->size)
		if (sendfile(fd, m->fd, &from, m->size - (uint64_t)from) <= 0) {
			close(fd);
			return fail(err, ST_TEMP, "message", "cannot spool: %s",
			    strerror(errno));
		}
	close(m->fd);
	m->gateway->memory_used -= m->size;
	m->fd = fd;
	m->spooled = true;
	m->gateway->spool_used += m->size;
	return ST_OK;
}

static enum status
make_room(struct message *m, uint64_t more, struct error *err)
{
	if (!m->spooled && m->size + more <= m->settings->spool_from &&
	    fits_memory(m->gateway, more))
		return ST_OK;
	if (!fits_spool(m->gateway, m->spooled ? more : m->size + more))
		return fail(err, ST_TEMP, "message",
		    "Insufficient system storage, try again later");
	return m->spooled ? ST_OK : move_to_spool(m, err);
}

static enum status
write_through(struct message *m, struct span bytes, struct error *err)
{
	enum status st = make_room(m, bytes.len, err);

	while (st == ST_OK && bytes.len > 0) {
		ssize_t n = write(m->fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(err, ST_TEMP, "message", "cannot write the message: %s",
			    strerror(errno));
		m->size += (uint64_t)n;
		account(m, (uint64_t)n);
		bytes = span_slice(bytes, (size_t)n, bytes.len);
	}
	return st;
}

enum status
message_flush(struct message *m, struct error *err)
{
	struct gateway *g = m->gateway;
	struct span bytes = { g->gather, g->gathered };

	if (g->gathering != m)
		return m->failed ? fail(err, ST_TEMP, "message", "%s", m->failure) : ST_OK;
	g->gathering = NULL;
	g->gathered = 0;
	return write_through(m, bytes, err);
}

void
message_rest(struct gateway *g)
{
	struct message *m = g->gathering;
	struct error err;

	if (m != NULL && message_flush(m, &err) != ST_OK) {
		m->failed = true;
		snprintf(m->failure, sizeof m->failure, "%s", err.text);
	}
}

/* Dots that are dropped and newlines that are repaired cut the text into short runs. */
static enum status
message_write(struct sink *s, struct span bytes, struct error *err)
{
	struct message *m = container_of(s, struct message, sink);
	struct gateway *g = m->gateway;
	enum status st = ST_OK;

	if (g->gathering != m || bytes.len > GATHER_RUN ||
	    bytes.len > GATHER_BYTES - g->gathered)
		st = message_flush(m, err);
	if (st != ST_OK || bytes.len > GATHER_RUN)
		return st != ST_OK ? st : write_through(m, bytes, err);
	message_rest(g);                /* another's: its session did not, which is a bug */
	g->gathering = m;
	memcpy(g->gather + g->gathered, bytes.ptr, bytes.len);
	g->gathered += bytes.len;
	return ST_OK;
}

static enum status
message_end(struct sink *s, struct error *err)
{
	struct message *m = container_of(s, struct message, sink);
	enum status st = message_flush(m, err);

	return st == ST_OK ? message_seal(m, err) : st;
}

enum status
message_begin(struct message *m, struct gateway *g, const struct settings *settings,
    uint64_t expected, struct error *err)
{
	*m = (struct message){ .sink = { message_write, message_end }, .gateway = g,
	    .settings = settings, .fd = -1 };
	m->spooled = expected > settings->spool_from ||
	    !fits_memory(g, expected > 0 ? expected : 1);
	m->fd = m->spooled ? spool_open(m) :
	    memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd < 0)
		return fail(err, ST_TEMP, "message", "cannot keep a message: %s",
		    strerror(errno));
	return ST_OK;
}

enum status
message_seal(struct message *m, struct error *err)
{
	if (!m->spooled && fcntl(m->fd, F_ADD_SEALS,
	    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return fail(err, ST_TEMP, "message", "cannot seal: %s", strerror(errno));
	int reader = ipc_reopen(m->fd);

	if (reader < 0)
		return fail(err, ST_TEMP, "message", "cannot reopen the message: %s",
		    strerror(errno));
	close(m->fd);
	m->fd = reader;
	m->sealed = true;
	return ST_OK;
}

void
message_finish(struct message *m)
{
	if (m->gateway == NULL || m->fd < 0)
		return;
	if (m->gateway->gathering == m) {
		m->gateway->gathering = NULL;
		m->gateway->gathered = 0;
	}
	*(m->spooled ? &m->gateway->spool_used : &m->gateway->memory_used) -= m->size;
	close(m->fd);
	m->fd = -1;
}
