/*
 * packet.c - see packet.h.
 */
#include "lib/packet/packet.h"
#include "lib/config/settings.h"

#define HEADER_BYTES    5
#define HOP_TEXT_BYTES  200
#define WHY_BYTES       1000
#define HOPS_ROOM       16384   /* that items of findings leave for hops */

struct pack
packet_begin_large(uint8_t *bytes, size_t cap, enum packet_type type, uint32_t serial)
{
	struct pack p = { .ptr = bytes, .cap = cap };

	pack_u8(&p, (uint8_t)type);
	pack_u32(&p, serial);
	return p;
}

struct pack
packet_begin(uint8_t *bytes, enum packet_type type, uint32_t serial)
{
	return packet_begin_large(bytes, PACKET_BYTES, type, serial);
}

enum packet_type
packet_open(struct span packet, uint32_t *serial, struct unpack *body)
{
	struct unpack u = { packet, false };
	unsigned type = unpack_u8(&u);

	*serial = unpack_u32(&u);
	*body = u;
	return u.bad || type >= PACKET_TYPES ? PACKET_NONE : (enum packet_type)type;
}

/* A truth value is 0 or 1 on the wire. */
static bool
take_bool(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	u->bad |= v > 1;
	return v == 1;
}

static enum status
take_status(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	u->bad |= v != ST_OK && v != ST_PERM && v != ST_TEMP;
	return u->bad ? ST_TEMP : (enum status)v;
}

void
packet_put_setup(struct pack *p, const struct packet_setup *s)
{
	pack_u32(p, s->index);
	pack_u32(p, s->generation);
	pack_u8(p, s->log_target);
	pack_u8(p, s->sandbox);
	pack_u8(p, s->reader);
	pack_u64(p, s->start_ms);
	pack_span(p, s->hostname);
	pack_u64(p, s->memory_share);
	pack_u64(p, s->spool_share);
	pack_u64(p, s->sessions_share);
	pack_span(p, s->revision);
}

bool
packet_take_setup(struct unpack *u, struct packet_setup *s)
{
	s->index = unpack_u32(u);
	s->generation = unpack_u32(u);
	s->log_target = unpack_u8(u);
	s->sandbox = unpack_u8(u);
	s->reader = take_bool(u);
	s->start_ms = unpack_u64(u);
	s->hostname = unpack_span(u);
	s->memory_share = unpack_u64(u);
	s->spool_share = unpack_u64(u);
	s->sessions_share = unpack_u64(u);
	s->revision = unpack_span(u);
	return unpack_whole(u) && s->log_target <= LOG_JOURNALD &&
	    s->sandbox <= SANDBOX_REQUIRED;
}

const char *
process_name(enum process_kind kind)
{
	static const char *const names[PROCESS_KINDS] = {
		[PROCESS_MASTER] = "master",
		[PROCESS_GATEWAY] = "gateway",
		[PROCESS_INSPECTOR] = "inspector",
		[PROCESS_STORE] = "store",
		[PROCESS_READER] = "reader",
		[PROCESS_RUNNER] = "runner",
	};

	return (unsigned)kind < PROCESS_KINDS ? names[kind] : "unknown";
}

void
packet_put_link(struct pack *p, const struct packet_link *l)
{
	pack_u8(p, (uint8_t)l->kind);
	pack_u32(p, l->index);
	pack_u32(p, l->generation);
	pack_u64(p, l->pid);
}

bool
packet_take_link(struct unpack *u, struct packet_link *l)
{
	uint8_t kind = unpack_u8(u);

	u->bad |= kind >= PROCESS_KINDS;
	l->kind = u->bad ? PROCESS_MASTER : (enum process_kind)kind;
	l->index = unpack_u32(u);
	l->generation = unpack_u32(u);
	l->pid = unpack_u64(u);
	return unpack_whole(u);
}

void
packet_put_listen(struct pack *p, const struct packet_listen *l)
{
	pack_u32(p, l->listener);
	pack_u32(p, l->address);
}

bool
packet_take_listen(struct unpack *u, struct packet_listen *l)
{
	l->listener = unpack_u32(u);
	l->address = unpack_u32(u);
	return unpack_whole(u);
}

void
packet_put_examine(struct pack *p, const struct packet_examine *e)
{
	pack_u64(p, e->size);
	pack_u32(p, e->header_limit);
	pack_u32(p, e->wishes);
	pack_u8(p, e->smtputf8);
}

bool
packet_take_examine(struct unpack *u, struct packet_examine *e)
{
	e->size = unpack_u64(u);
	e->header_limit = unpack_u32(u);
	e->wishes = unpack_u32(u);
	e->smtputf8 = take_bool(u);
	return unpack_whole(u) && (e->wishes & ~(uint32_t)WISH_ALL) == 0;
}

static void
put_hop(struct pack *p, const struct received *h)
{
	const struct span texts[] = { h->helo, h->name, h->by, h->by_comment, h->with,
	    h->id, h->user };

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		pack_span_cut(p, texts[i], HOP_TEXT_BYTES);
	pack_u8(p, h->authenticated);
	pack_u8(p, h->has_address);
	for (size_t i = 0; h->has_address && i < sizeof h->address.bytes; i++)
		pack_u8(p, h->address.bytes[i]);
}

static void
take_hop(struct unpack *u, struct received *h)
{
	struct span *const texts[] = { &h->helo, &h->name, &h->by, &h->by_comment,
	    &h->with, &h->id, &h->user };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		*texts[i] = unpack_span(u);
		u->bad |= texts[i]->len > HOP_TEXT_BYTES;
	}
	h->authenticated = take_bool(u);
	h->has_address = take_bool(u);
	for (size_t i = 0; h->has_address && i < sizeof h->address.bytes; i++)
		h->address.bytes[i] = unpack_u8(u);
}

/* Items of groups may fill a packet, and hops tell whose mail it is. */
static void
put_findings(struct pack *p, const struct findings *f)
{
	size_t kept = p->cap / 2 < HOPS_ROOM ? p->cap / 2 : HOPS_ROOM;
	struct pack room = { p->ptr, p->len, p->cap - kept, p->full };

	if (room.cap < room.len)
		room.cap = room.len;
	findings_pack(&room, f);
	p->len = room.len;
	p->full = room.full;
}

/* As many as there is room for, the topmost first: each behind a 1, at the end a 0. */
static void
put_hops(struct pack *p, const struct packet_examined *e)
{
	struct pack room = { p->ptr, p->len, p->cap > 0 ? p->cap - 1 : 0, p->full };

	for (size_t i = 0; i < e->hop_count && i < PACKET_HOPS && !room.full; i++) {
		pack_u8(&room, true);
		put_hop(&room, &e->hops[i]);
		if (!room.full)
			p->len = room.len;
	}
	pack_u8(p, false);
}

static void
take_hops(struct unpack *u, struct packet_examined *e, struct arena *a)
{
	e->hops = arena_array(a, struct received, PACKET_HOPS);
	while (take_bool(u) && !u->bad) {
		if (e->hop_count == PACKET_HOPS) {
			u->bad = true;
			return;
		}
		take_hop(u, &e->hops[e->hop_count++]);
	}
}

static void
put_key(struct pack *p, const struct content_key *k)
{
	pack_u8(p, k->known);
	for (size_t i = 0; k->known && i < sizeof k->bytes; i++)
		pack_u8(p, k->bytes[i]);
}

static void
take_key(struct unpack *u, struct content_key *k)
{
	k->known = take_bool(u);
	for (size_t i = 0; k->known && i < sizeof k->bytes; i++)
		k->bytes[i] = unpack_u8(u);
}

void
packet_put_examined(struct pack *p, const struct packet_examined *e)
{
	pack_u8(p, (uint8_t)e->status);
	pack_span_cut(p, e->why, WHY_BYTES);
	pack_u64(p, e->header_size);
	pack_u8(p, e->header_eight_bit);
	pack_u8(p, e->body_eight_bit);
	pack_u8(p, e->marked);
	pack_u64(p, e->received_count);
	put_key(p, &e->key);
	put_findings(p, &e->findings);
	put_hops(p, e);
}

bool
packet_take_examined(struct unpack *u, struct packet_examined *e, struct arena *a)
{
	*e = (struct packet_examined){ .status = take_status(u) };
	e->why = unpack_span(u);
	e->header_size = unpack_u64(u);
	e->header_eight_bit = take_bool(u);
	e->body_eight_bit = take_bool(u);
	e->marked = take_bool(u);
	e->received_count = unpack_u64(u);
	take_key(u, &e->key);
	struct findings all;

	if (!findings_unpack(u, &all, a))
		return false;
	findings_take_stage(&e->findings, &all, STAGE_CONTENT);
	take_hops(u, e, a);
	return unpack_whole(u);
}

void
packet_put_rewrite(struct pack *p, const struct packet_rewrite *r)
{
	pack_u64(p, r->size);
	pack_u32(p, r->header_limit);
	pack_u32(p, (uint32_t)r->change_count);
	for (size_t i = 0; i < r->change_count; i++) {
		pack_u8(p, r->changes[i].remove);
		pack_span(p, r->changes[i].name);
		pack_span(p, r->changes[i].value);
	}
	pack_u8(p, r->unmark);
	pack_span(p, r->subject);
}
#define CHANGE_LEAST_BYTES 9

bool
packet_take_rewrite(struct unpack *u, struct packet_rewrite *r, struct arena *a)
{
	r->size = unpack_u64(u);
	r->header_limit = unpack_u32(u);
	r->change_count = unpack_count(u, CHANGE_LEAST_BYTES);
	r->changes = arena_array(a, struct packet_change, r->change_count);
	for (size_t i = 0; i < r->change_count && !u->bad; i++) {
		r->changes[i].remove = take_bool(u);
		r->changes[i].name = unpack_span(u);
		r->changes[i].value = unpack_span(u);
	}
	r->unmark = take_bool(u);
	r->subject = unpack_span(u);
	return unpack_whole(u);
}

void
packet_put_edits(struct pack *p, const struct edit_list *l)
{
	pack_u32(p, (uint32_t)l->count);
	for (size_t i = 0; i < l->count; i++) {
		pack_u64(p, l->items[i].at);
		pack_u64(p, l->items[i].removed);
		pack_span(p, l->items[i].insert);
	}
}
#define EDIT_LEAST_BYTES 20

/* In order only: so each is looked at once. */
static void
take_edit(struct unpack *u, struct edit_list *l, uint64_t size)
{
	uint64_t at = unpack_u64(u), removed = unpack_u64(u);
	struct span insert = unpack_span(u);

	if (u->bad || (l->count > 0 && at < l->items[l->count - 1].at) ||
	    !edit_fits(l, at, removed, size))
		u->bad = true;
	else
		edit_add(l, at, removed, insert);
}

bool
packet_take_edits(struct unpack *u, struct edit_list *l, uint64_t size)
{
	size_t n = unpack_count(u, EDIT_LEAST_BYTES);

	*l = (struct edit_list){ 0 };
	for (size_t i = 0; i < n && !u->bad; i++)
		take_edit(u, l, size);
	if (u->bad)
		edit_free(l);
	return !u->bad;
}

void
packet_put_rewritten(struct pack *p, const struct packet_rewritten *r)
{
	pack_u8(p, (uint8_t)r->status);
	pack_span_cut(p, r->why, WHY_BYTES);
	packet_put_edits(p, &r->edits);
}

bool
packet_take_rewritten(struct unpack *u, struct packet_rewritten *r, uint64_t size)
{
	r->status = take_status(u);
	r->why = unpack_span(u);
	if (packet_take_edits(u, &r->edits, size) && unpack_whole(u))
		return true;
	edit_free(&r->edits);
	return false;
}

void
packet_put_run(struct pack *p, const struct packet_run *r)
{
	pack_u32(p, r->scanner);
	pack_u64(p, r->timeout);
	pack_span_cut(p, r->id, WHY_BYTES);
	pack_span_cut(p, r->sender, WHY_BYTES);
	pack_span_cut(p, r->client, WHY_BYTES);
}

bool
packet_take_run(struct unpack *u, struct packet_run *r)
{
	r->scanner = unpack_u32(u);
	r->timeout = unpack_u64(u);
	r->id = unpack_span(u);
	r->sender = unpack_span(u);
	r->client = unpack_span(u);
	return unpack_whole(u) && r->id.len <= WHY_BYTES && r->sender.len <= WHY_BYTES &&
	    r->client.len <= WHY_BYTES;
}

void
packet_put_ran(struct pack *p, const struct command_end *e)
{
	pack_u8(p, (uint8_t)e->how);
	pack_u32(p, e->number);
	pack_span_cut(p, e->why, WHY_BYTES);
	pack_span_cut(p, e->output, COMMAND_OUTPUT_BYTES);
	pack_u8(p, e->cut || e->output.len > COMMAND_OUTPUT_BYTES);
}

/* An exit status is a byte, a signal one of those there are. */
bool
packet_take_ran(struct unpack *u, struct command_end *e)
{
	uint8_t how = unpack_u8(u);

	u->bad |= how >= COMMAND_HOWS;
	*e = (struct command_end){ .how = u->bad ? COMMAND_NOT_STARTED : how };
	e->number = unpack_u32(u);
	e->why = unpack_span(u);
	e->output = unpack_span(u);
	e->cut = take_bool(u);
	return unpack_whole(u) && e->why.len <= WHY_BYTES &&
	    e->output.len <= COMMAND_OUTPUT_BYTES && e->number <= UINT8_MAX;
}

void
packet_put_quarantine(struct pack *p, const struct packet_quarantine *q)
{
	pack_span(p, q->id);
	pack_span(p, q->class);
	pack_span(p, q->listener);
	pack_span(p, q->rule);
	pack_span_cut(p, q->reason, WHY_BYTES);
	pack_span(p, q->client);
	pack_u64(p, q->arrived);
	pack_u64(p, q->size);
	envelope_pack(p, &q->envelope);
	pack_span(p, q->peer);
	pack_span(p, q->port);
	pack_span(p, q->helo);
	pack_span(p, q->with);
}

bool
packet_take_quarantine(struct unpack *u, struct packet_quarantine *q, struct arena *a)
{
	q->id = unpack_span(u);
	q->class = unpack_span(u);
	q->listener = unpack_span(u);
	q->rule = unpack_span(u);
	q->reason = unpack_span(u);
	q->client = unpack_span(u);
	q->arrived = unpack_u64(u);
	q->size = unpack_u64(u);
	if (!envelope_unpack(u, &q->envelope, a))
		return false;
	q->peer = unpack_span(u);
	q->port = unpack_span(u);
	q->helo = unpack_span(u);
	q->with = unpack_span(u);
	return unpack_whole(u) && record_id_is(q->id);
}

void
packet_put_maildir(struct pack *p, const struct packet_maildir *m)
{
	pack_span(p, m->id);
	pack_span(p, m->path);
	pack_u64(p, m->size);
	pack_u32(p, m->variant);
	packet_put_edits(p, &m->edits);
	envelope_pack(p, &m->envelope);
}

bool
packet_take_maildir(struct unpack *u, struct packet_maildir *m, struct arena *a)
{
	m->id = unpack_span(u);
	m->path = unpack_span(u);
	m->size = unpack_u64(u);
	m->variant = unpack_u32(u);
	if (!packet_take_edits(u, &m->edits, m->size))
		return false;
	if (envelope_unpack(u, &m->envelope, a) && unpack_whole(u) && record_id_is(m->id))
		return true;
	edit_free(&m->edits);
	return false;
}

void
packet_put_stored(struct pack *p, const struct packet_stored *s)
{
	pack_u8(p, (uint8_t)s->status);
	pack_span_cut(p, s->text, WHY_BYTES);
}

bool
packet_take_stored(struct unpack *u, struct packet_stored *s)
{
	s->status = take_status(u);
	s->text = unpack_span(u);
	return unpack_whole(u);
}

void
packet_put_ledger(struct pack *p, const struct packet_ledger *l)
{
	pack_span(p, l->key);
	pack_span(p, l->sender);
	pack_u32(p, (uint32_t)l->count);
	for (size_t i = 0; i < l->count; i++) {
		pack_span(p, l->entries[i].recipient);
		pack_span(p, (struct span){ l->entries[i].hash, LEDGER_HASH_BYTES });
	}
}
#define ENTRY_LEAST_BYTES (8 + LEDGER_HASH_BYTES)

static void
take_entry(struct unpack *u, struct ledger_entry *e)
{
	e->recipient = unpack_span(u);
	struct span hash = unpack_span(u);

	if (u->bad || hash.len != LEDGER_HASH_BYTES)
		u->bad = true;
	else
		memcpy(e->hash, hash.ptr, LEDGER_HASH_BYTES);
}

bool
packet_take_ledger(struct unpack *u, struct packet_ledger *l, struct arena *a)
{
	l->key = unpack_span(u);
	l->sender = unpack_span(u);
	l->count = unpack_count(u, ENTRY_LEAST_BYTES);
	l->entries = arena_array(a, struct ledger_entry, l->count);
	for (size_t i = 0; i < l->count && !u->bad; i++)
		take_entry(u, &l->entries[i]);
	return unpack_whole(u);
}

static void
put_ids(struct pack *p, const struct span *ids, size_t count)
{
	pack_u32(p, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		pack_span(p, ids[i]);
}

/* At most `most`, each of them an id. */
static size_t
take_ids(struct unpack *u, struct span *ids, size_t most)
{
	size_t n = unpack_count(u, 4 + RECORD_ID_BYTES);

	u->bad |= n > most;
	for (size_t i = 0; i < n && !u->bad; i++) {
		ids[i] = unpack_span(u);
		u->bad |= !record_id_is(ids[i]);
	}
	return u->bad ? 0 : n;
}

void
packet_put_held_ask(struct pack *p, const struct packet_held_ask *h)
{
	pack_u8(p, h->wake);
	pack_u8(p, h->may_tell);
	put_ids(p, h->busy, h->busy_count);
}

bool
packet_take_held_ask(struct unpack *u, struct packet_held_ask *h)
{
	h->wake = take_bool(u);
	h->may_tell = take_bool(u);
	h->busy_count = take_ids(u, h->busy, HELD_BUSY);
	return unpack_whole(u);
}

void
packet_put_held(struct pack *p, const struct packet_held *h)
{
	pack_u8(p, (uint8_t)h->kind);
	pack_u64(p, h->wait_ms);
	pack_u64(p, h->tries);
	put_ids(p, h->ids, h->id_count);
	pack_span_cut(p, h->listener, WHY_BYTES);
}

bool
packet_take_held(struct unpack *u, struct packet_held *h)
{
	uint8_t kind = unpack_u8(u);

	u->bad |= kind >= HELD_KINDS;
	*h = (struct packet_held){ .kind = u->bad ? HELD_NONE : (enum held_kind)kind };
	h->wait_ms = unpack_u64(u);
	h->tries = unpack_u64(u);
	h->id_count = take_ids(u, h->ids, HELD_LISTED);
	h->listener = unpack_span(u);
	return unpack_whole(u) && (h->kind == HELD_NONE || h->id_count > 0);
}

void
packet_put_held_done(struct pack *p, const struct packet_held_done *d)
{
	pack_span(p, d->id);
	pack_u32(p, (uint32_t)d->count);
	for (size_t i = 0; i < d->count; i++) {
		const struct held_row *row = &d->rows[i];

		pack_u8(p, (uint8_t)row->result);
		pack_span(p, row->address);
		pack_span_cut(p, row->class, WHY_BYTES);
		pack_span_cut(p, row->rule, WHY_BYTES);
		pack_span_cut(p, row->reason, WHY_BYTES);
	}
}
#define ROW_LEAST_BYTES 17

static void
take_row(struct unpack *u, struct held_row *row)
{
	uint8_t result = unpack_u8(u);

	u->bad |= result >= HELD_RESULTS;
	row->result = u->bad ? HELD_STAYS : (enum held_result)result;
	row->address = unpack_span(u);
	row->class = unpack_span(u);
	row->rule = unpack_span(u);
	row->reason = unpack_span(u);
}

bool
packet_take_held_done(struct unpack *u, struct packet_held_done *d, struct arena *a)
{
	d->id = unpack_span(u);
	d->count = unpack_count(u, ROW_LEAST_BYTES);
	d->rows = arena_array(a, struct held_row, d->count);
	for (size_t i = 0; i < d->count && !u->bad; i++)
		take_row(u, &d->rows[i]);
	return unpack_whole(u) && record_id_is(d->id);
}

void
packet_put_held_told(struct pack *p, const struct packet_held_told *t)
{
	put_ids(p, t->ids, t->id_count);
}

bool
packet_take_held_told(struct unpack *u, struct packet_held_told *t)
{
	t->id_count = take_ids(u, t->ids, HELD_LISTED);
	return unpack_whole(u);
}

/* FNV-1a, its halves folded. */
uint32_t
ledger_bit(struct span key)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.ptr[i]) * 1099511628211u;
	return (uint32_t)((h ^ h >> 32) % LEDGER_PAGE_BITS);
}

bool
ledger_page_has(const struct ledger_page *page, struct span key)
{
	uint32_t bit = ledger_bit(key);

	return (page->bits[bit / 64] >> bit % 64 & 1) != 0;
}

void
ledger_page_set(struct ledger_page *page, struct span key)
{
	uint32_t bit = ledger_bit(key);

	page->bits[bit / 64] |= (uint64_t)1 << bit % 64;
}
