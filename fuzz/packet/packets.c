/*
 * packets.c - what is taken from a packet and put again is taken again, and is the same.
 *
 * The first byte is the packet's type.
 */
#include "lib/packet/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define SIZE 1000       /* of the message that edits are for */

static bool
again_setup(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_setup s;

	return packet_take_setup(u, &s) && (packet_put_setup(p, &s), true);
}

static bool
again_link(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_link l;

	return packet_take_link(u, &l) && (packet_put_link(p, &l), true);
}

static bool
again_examined(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_examined e;

	return packet_take_examined(u, &e, a) && (packet_put_examined(p, &e), true);
}

static bool
again_rewrite(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_rewrite r;

	return packet_take_rewrite(u, &r, a) && (packet_put_rewrite(p, &r), true);
}

/* The pieces of the edited message are in order and inside it. */
static void
check_edits(const struct edit_list *l, uint64_t size)
{
	struct edit_walk walk = { 0 };
	struct edit_piece piece;
	uint64_t at = 0, total = 0;

	while (edit_next(l, size, &walk, &piece)) {
		total += piece.bytes.len + piece.len;
		if (piece.bytes.len > 0)
			continue;
		if (piece.from < at || piece.len == 0 || piece.from + piece.len > size)
			abort();
		at = piece.from + piece.len;
	}
	if (total != edit_size(l, size))
		abort();
}

static bool
again_rewritten(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_rewritten r;

	if (!packet_take_rewritten(u, &r, SIZE))
		return false;
	check_edits(&r.edits, SIZE);
	packet_put_rewritten(p, &r);
	edit_free(&r.edits);
	return true;
}

static bool
again_quarantine(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_quarantine q;

	return packet_take_quarantine(u, &q, a) && (packet_put_quarantine(p, &q), true);
}

static bool
again_maildir(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_maildir m;

	if (!packet_take_maildir(u, &m, a))
		return false;
	check_edits(&m.edits, m.size);
	packet_put_maildir(p, &m);
	edit_free(&m.edits);
	return true;
}

static bool
again_stored(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_stored s;

	return packet_take_stored(u, &s) && (packet_put_stored(p, &s), true);
}

static bool
again_ledger(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_ledger l;

	return packet_take_ledger(u, &l, a) && (packet_put_ledger(p, &l), true);
}

static bool
again_run(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_run r;

	return packet_take_run(u, &r) && (packet_put_run(p, &r), true);
}

static bool
again_ran(struct unpack *u, struct arena *a, struct pack *p)
{
	struct command_end e;

	return packet_take_ran(u, &e) && (packet_put_ran(p, &e), true);
}

static bool
again_held_ask(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_held_ask h;

	return packet_take_held_ask(u, &h) && (packet_put_held_ask(p, &h), true);
}

static bool
again_held(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_held h;

	return packet_take_held(u, &h) && (packet_put_held(p, &h), true);
}

static bool
again_held_done(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_held_done d;

	return packet_take_held_done(u, &d, a) && (packet_put_held_done(p, &d), true);
}

static bool
again_held_told(struct unpack *u, struct arena *a, struct pack *p)
{
	struct packet_held_told t;

	return packet_take_held_told(u, &t) && (packet_put_held_told(p, &t), true);
}

static bool (*const again[PACKET_TYPES])(struct unpack *, struct arena *, struct pack *) = {
	[PACKET_SETUP] = again_setup, [PACKET_LINK] = again_link,
	[PACKET_EXAMINED] = again_examined, [PACKET_REWRITE] = again_rewrite,
	[PACKET_REWRITTEN] = again_rewritten, [PACKET_QUARANTINE] = again_quarantine,
	[PACKET_MAILDIR] = again_maildir, [PACKET_STORED] = again_stored,
	[PACKET_LEDGER] = again_ledger, [PACKET_RUN] = again_run, [PACKET_RAN] = again_ran,
	[PACKET_HELD_ASK] = again_held_ask, [PACKET_HELD] = again_held,
	[PACKET_HELD_DONE] = again_held_done, [PACKET_HELD_TOLD] = again_held_told,
};

#define ROOM (2 * PACKET_BYTES) /* an encoding may be longer than what it was read from */

static size_t
take_and_put(unsigned type, struct span body, uint8_t *out)
{
	struct unpack u = { body, false };
	struct pack p = { out, 0, ROOM, false };
	struct arena arena = { 0 };
	bool ok = again[type](&u, &arena, &p);

	arena_free(&arena);
	if (ok && p.full)
		abort();
	return ok ? p.len : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 1 || n > PACKET_BYTES || bytes[0] >= PACKET_TYPES || again[bytes[0]] == NULL)
		return 0;
	uint8_t *one = must_alloc(ROOM), *two = must_alloc(ROOM);
	size_t first = take_and_put(bytes[0], (struct span){ bytes + 1, n - 1 }, one);

	if (first > 0 && (take_and_put(bytes[0], (struct span){ one, first }, two) != first ||
	    memcmp(one, two, first) != 0))
		abort();
	free(one);
	free(two);
	return 0;
}
