/*
 * talk.h - a driver of a scanner's client core in memory, for tests and fuzz targets.
 *
 * What the client has to write is taken in pieces of a given size and written down: bytes
 * as they are, "<body FROM LEN>" for the message's, "<fd BYTES>" for a descriptor.
 */
#ifndef TESTS_UNIT_SCANNER_TALK_H
#define TESTS_UNIT_SCANNER_TALK_H
#include "lib/scanner/scanner.h"

struct talk {
	struct scan_client *client;
	struct arena        arena;
	struct buf          said;
};

static inline void
talk_begin(struct talk *t, const struct scan_options *o, const struct scan_request *r)
{
	struct scan_request own = *r;

	own.arena = &t->arena;
	if (t->client == NULL)
		t->client = scan_client_create(o);
	scan_client_begin(t->client, &own);
}

/* One BODY, which must stay the same one until all of it is sent. */
static inline void
talk_body(struct talk *t, struct scan_output o, uint64_t step)
{
	const uint64_t from = o.from, len = o.len;

	for (uint64_t sent = 0; sent < len; o = scan_client_output(t->client)) {
		uint64_t n = step < len - sent ? step : len - sent;

		if (o.kind != SCAN_OUT_BODY || o.from != from + sent ||
		    o.len != len - sent)
			abort();
		scan_client_sent(t->client, n);
		sent += n;
	}
	buf_printf(&t->said, "<body %llu %llu>", (unsigned long long)from,
	    (unsigned long long)len);
}

/* All that is to be written, `step` at a time. */
static inline void
talk_flush(struct talk *t, uint64_t step)
{
	struct scan_output o;

	while ((o = scan_client_output(t->client)).kind != SCAN_OUT_NOTHING) {
		size_t n = step < o.bytes.len ? (size_t)step : o.bytes.len;

		switch (o.kind) {
		case SCAN_OUT_BYTES:
			buf_add(&t->said, span_slice(o.bytes, 0, n));
			scan_client_sent(t->client, n);
			break;
		case SCAN_OUT_DESCRIPTOR:
			buf_add(&t->said, SPAN_LIT("<fd "));
			buf_add(&t->said, o.bytes);
			buf_byte(&t->said, '>');
			scan_client_sent(t->client, o.bytes.len);
			break;
		case SCAN_OUT_BODY:
			talk_body(t, o, step);
			break;
		case SCAN_OUT_NOTHING:
			break;
		}
	}
}

/* In pieces of `step`, up to the first event. */
static inline enum scan_event
talk_feed(struct talk *t, struct span in, size_t step)
{
	enum scan_event e = SCAN_WAIT;

	for (size_t n; in.len > 0 && e == SCAN_WAIT; in = span_slice(in, n, in.len)) {
		n = in.len < step ? in.len : step;
		e = scan_client_feed(t->client, span_slice(in, 0, n));
	}
	return e;
}

static inline void
talk_end(struct talk *t)
{
	scan_client_destroy(&t->client);
	buf_free(&t->said);
	arena_free(&t->arena);
}
#endif
