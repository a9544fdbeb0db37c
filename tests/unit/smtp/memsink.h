/*
 * memsink.h - a sink into memory, for tests; it can be made to fail.
 */
#ifndef TESTS_UNIT_SMTP_MEMSINK_H
#define TESTS_UNIT_SMTP_MEMSINK_H
#include "lib/base/buf.h"

struct memsink {
	struct sink sink;
	struct buf  bytes;
	size_t      writes, finished;
	size_t      room;               /* a write beyond it fails; 0: endless */
	enum status failure;            /* of that write, ... */
	enum status finish_failure;     /* ... or of finish   */
};

static enum status
memsink_write(struct sink *self, struct span b, struct error *e)
{
	struct memsink *m = container_of(self, struct memsink, sink);

	m->writes++;
	if (m->room > 0 && buf_len(&m->bytes) + b.len > m->room)
		return fail(e, m->failure, "memsink", "no room");
	buf_add(&m->bytes, b);
	return ST_OK;
}

static enum status
memsink_finish(struct sink *self, struct error *e)
{
	struct memsink *m = container_of(self, struct memsink, sink);

	m->finished++;
	if (m->finish_failure != ST_OK)
		return fail(e, m->finish_failure, "memsink", "not kept");
	return ST_OK;
}

static inline struct memsink
memsink(void)
{
	return (struct memsink){ .sink = { memsink_write, memsink_finish } };
}
#endif
