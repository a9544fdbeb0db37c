/*
 * record.c - see record.h.
 *
 * Packed: version, head (texts and numbers), recipients, findings, changes, walks.  Each
 * list has a share of the room and begins with its count, which is written when it is
 * known how many went in.  Walks come last and get all that is left.  What is as it was
 * in the item before (the same reply for a hundred recipients, the same rules in every
 * walk) is a flag instead of a copy.
 */
#include "lib/finding/record.h"
#include "lib/finding/value.h"
#include "lib/base/buf.h"

#define TEXT_BYTES       200            /* of a name, reply or the like     */
#define LONG_TEXT_BYTES  1000           /* of an address, a message-id      */
#define VALUE_BYTES      400            /* of a finding, a change           */
#define RECIPIENTS_ROOM  (26u << 10)
#define FINDINGS_ROOM    (8u << 10)
#define CHANGES_ROOM     (4u << 10)
#define COUNT_BYTES      4              /* before each list, and of recipients cut */

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = "none",
	[OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_QUARANTINED] = "quarantined",
	[OUTCOME_DISCARDED] = "discarded",
	[OUTCOME_REJECTED] = "rejected",
	[OUTCOME_DEFERRED] = "deferred",
	[OUTCOME_NOTIFIED] = "notified",
	[OUTCOME_ALREADY] = "already-delivered",
};

const char *
outcome_name(enum outcome o)
{
	return (unsigned)o < OUTCOME_COUNT ? outcome_names[o] : "unknown";
}

/* A list with a share of the room: items that do not fit whole are taken back. */
struct list { struct pack *pack; size_t count_at, cap; uint32_t count; bool begun; };

/* `after` bytes at the end of the buffer are left for what must follow. */
static struct list
list_begin(struct pack *p, size_t room, size_t after)
{
	struct list l = { .pack = p, .count_at = p->len, .cap = p->cap };

	pack_u32(p, 0);
	l.begun = !p->full;
	size_t left = p->cap - p->len;

	left = left > after ? left - after : 0;
	p->cap = p->len + (left < room ? left : room);
	return l;
}

/* After an item was packed that began at `start`: false if it did not fit. */
static bool
list_keep(struct list *l, size_t start)
{
	if (l->pack->full && l->begun) {
		l->pack->full = false;
		l->pack->len = start;
		return false;
	}
	l->count++;
	return l->begun;
}

static void
list_end(struct list *l)
{
	struct pack count = { l->pack->ptr + l->count_at, 0, COUNT_BYTES, false };

	l->pack->cap = l->cap;
	if (l->begun)
		pack_u32(&count, l->count);
}

/* Texts that a structure has, in their packed order. */
static const size_t head_texts[] = {
	offsetof(struct record, id), offsetof(struct record, listener),
	offsetof(struct record, policy), offsetof(struct record, revision),
	offsetof(struct record, next_hop), offsetof(struct record, client_address),
	offsetof(struct record, client_name), offsetof(struct record, client_helo),
	offsetof(struct record, client_queue_id), offsetof(struct record, protocol),
	offsetof(struct record, reply), offsetof(struct record, sender),
	offsetof(struct record, message_id), offsetof(struct record, subject),
};
#define HEAD_TEXTS      COUNT_OF(head_texts)
#define HEAD_LONG_TEXTS 3               /* at the end */

static const size_t recipient_texts[] = {
	offsetof(struct record_recipient, rule), offsetof(struct record_recipient, reply),
	offsetof(struct record_recipient, queue_id),
	offsetof(struct record_recipient, quarantine),
};
#define RECIPIENT_TEXTS COUNT_OF(recipient_texts)

static const struct span *
text_at(const void *of, size_t offset)
{
	return (const void *)((const char *)of + offset);
}

static void
text_set(void *of, size_t offset, struct span text)
{
	*(struct span *)(void *)((char *)of + offset) = text;
}

static size_t
head_limit(size_t text)
{
	return text < HEAD_TEXTS - HEAD_LONG_TEXTS ? TEXT_BYTES : LONG_TEXT_BYTES;
}

static void
pack_head(struct pack *p, const struct record *r)
{
	for (size_t i = 0; i < HEAD_TEXTS; i++)
		pack_span_cut(p, *text_at(r, head_texts[i]), head_limit(i));
	pack_u64(p, r->arrived);
	pack_u64(p, r->size);
	for (size_t i = 0; i < RECORD_STAGES; i++)
		pack_u32(p, r->stage_us[i]);
}

static void
unpack_head(struct unpack *u, struct record *r, uint16_t version)
{
	for (size_t i = 0; i < HEAD_TEXTS; i++)
		text_set(r, head_texts[i], unpack_span(u));
	r->arrived = unpack_u64(u);
	r->size = unpack_u64(u);
	for (size_t i = 0; i < RECORD_STAGES; i++)
		if (i != RECORD_SCAN || version > 1)
			r->stage_us[i] = unpack_u32(u);
}

static void
pack_recipient(struct pack *p, const struct record_recipient *r,
    const struct record_recipient *before)
{
	unsigned same = 0;

	for (unsigned i = 0; i < RECIPIENT_TEXTS; i++)
		same |= span_equal(*text_at(r, recipient_texts[i]),
		    *text_at(before, recipient_texts[i])) ? 1u << i : 0;
	pack_span_cut(p, r->address, LONG_TEXT_BYTES);
	pack_u8(p, r->outcome);
	pack_u16(p, r->walk);
	pack_u8(p, (uint8_t)same);
	for (unsigned i = 0; i < RECIPIENT_TEXTS; i++)
		if ((same & 1u << i) == 0)
			pack_span_cut(p, *text_at(r, recipient_texts[i]), TEXT_BYTES);
}

static void
pack_recipients(struct pack *p, const struct record *r)
{
	static const struct record_recipient none;
	uint32_t cut = r->recipients_cut;
	struct list list = list_begin(p, RECIPIENTS_ROOM, 4 * COUNT_BYTES);

	for (size_t i = 0; i < r->recipient_count; i++) {
		size_t start = p->len;

		pack_recipient(p, &r->recipients[i],
		    i > 0 ? &r->recipients[i - 1] : &none);
		if (!list_keep(&list, start)) {
			cut += (uint32_t)(r->recipient_count - i);
			break;
		}
	}
	list_end(&list);
	pack_u32(p, cut);
}

static void
unpack_recipient(struct unpack *u, struct record_recipient *r,
    const struct record_recipient *before)
{
	r->address = unpack_span(u);
	r->outcome = unpack_u8(u);
	r->walk = unpack_u16(u);
	unsigned same = unpack_u8(u);

	for (unsigned i = 0; i < RECIPIENT_TEXTS; i++)
		text_set(r, recipient_texts[i], (same & 1u << i) != 0 ?
		    *text_at(before, recipient_texts[i]) : unpack_span(u));
}

static void
unpack_recipients(struct unpack *u, struct record *r, struct arena *a)
{
	static const struct record_recipient none;
	size_t n = unpack_count(u, 8);

	r->recipients = arena_array(a, struct record_recipient, n);
	r->recipient_count = n;
	for (size_t i = 0; i < n && !u->bad; i++)
		unpack_recipient(u, &r->recipients[i],
		    i > 0 ? &r->recipients[i - 1] : &none);
	r->recipients_cut = unpack_u32(u);
}

static bool
pack_findings(struct pack *p, const struct record *r)
{
	struct list list = list_begin(p, FINDINGS_ROOM, 2 * COUNT_BYTES);
	bool all = true;

	for (size_t i = 0; i < r->finding_count && all; i++) {
		size_t start = p->len;

		pack_u8(p, r->findings[i].state);
		pack_span_cut(p, r->findings[i].name, TEXT_BYTES);
		pack_span_cut(p, r->findings[i].value, VALUE_BYTES);
		all = list_keep(&list, start);
	}
	list_end(&list);
	return all;
}

static void
unpack_findings(struct unpack *u, struct record *r, struct arena *a)
{
	size_t n = unpack_count(u, 9);

	r->findings = arena_array(a, struct record_finding, n);
	r->finding_count = n;
	for (size_t i = 0; i < n && !u->bad; i++) {
		struct record_finding *f = &r->findings[i];

		f->state = unpack_u8(u);
		f->name = unpack_span(u);
		f->value = unpack_span(u);
		if (f->state > FACT_UNKNOWN)
			u->bad = true;
	}
}

static bool
pack_changes(struct pack *p, const struct record *r)
{
	struct list list = list_begin(p, CHANGES_ROOM, COUNT_BYTES);
	bool all = true;

	for (size_t i = 0; i < r->change_count && all; i++) {
		size_t start = p->len;

		pack_span_cut(p, r->changes[i], VALUE_BYTES);
		all = list_keep(&list, start);
	}
	list_end(&list);
	return all;
}

static void
unpack_changes(struct unpack *u, struct record *r, struct arena *a)
{
	size_t n = unpack_count(u, 4);

	r->changes = arena_array(a, struct span, n);
	r->change_count = n;
	for (size_t i = 0; i < n && !u->bad; i++)
		r->changes[i] = unpack_span(u);
}

/* A trace begins with a byte: what follows it. */
#define TRACE_RESULT  0x03u
#define TRACE_MONITOR 0x04u
#define TRACE_SAME    0x08u     /* rule as in the first walk, at the same place */
#define TRACE_FACT    0x10u
#define TRACE_WOULD   0x20u
#define TRACE_FLAGS   0x3fu

static void
pack_trace(struct pack *p, const struct record_trace *t, const struct record_trace *first)
{
	bool same = first != NULL && span_equal(t->rule, first->rule);

	pack_u8(p, (uint8_t)((t->result & TRACE_RESULT) |
	    (t->monitor ? TRACE_MONITOR : 0) | (same ? TRACE_SAME : 0) |
	    (t->fact.len > 0 ? TRACE_FACT : 0) | (t->would.len > 0 ? TRACE_WOULD : 0)));
	if (!same)
		pack_span_cut(p, t->rule, TEXT_BYTES);
	if (t->fact.len > 0)
		pack_span_cut(p, t->fact, VALUE_BYTES);
	if (t->would.len > 0)
		pack_span_cut(p, t->would, TEXT_BYTES);
}

/* The trace at that place of the first walk, unless this is the first. */
static const struct record_trace *
trace_first(const struct record *r, size_t walk, size_t trace)
{
	return walk > 0 && trace < r->walks[0].count ? &r->walks[0].traces[trace] : NULL;
}

/* False: not all of it. */
static bool
pack_walk(struct pack *p, const struct record *r, size_t walk)
{
	const struct record_walk *w = &r->walks[walk];
	struct list list = list_begin(p, RECORD_BYTES, 0);
	bool all = true;

	for (size_t i = 0; i < w->count && all; i++) {
		size_t start = p->len;

		pack_trace(p, &w->traces[i], trace_first(r, walk, i));
		all = list_keep(&list, start);
	}
	list_end(&list);
	return all;
}

/* A walk that is cut short is the last one: a later one may refer to rules of the first
   that are not there. */
static bool
pack_walks(struct pack *p, const struct record *r)
{
	struct list list = list_begin(p, RECORD_BYTES, 0);
	bool all = true;

	for (size_t i = 0; i < r->walk_count && all; i++) {
		size_t start = p->len;

		all = pack_walk(p, r, i);
		if (!list_keep(&list, start))
			all = false;
	}
	list_end(&list);
	return all;
}

static void
unpack_trace(struct unpack *u, struct record_trace *t, const struct record_trace *first)
{
	unsigned flags = unpack_u8(u);

	if ((flags & ~TRACE_FLAGS) != 0 || ((flags & TRACE_SAME) != 0 && first == NULL))
		u->bad = true;
	t->result = (uint8_t)(flags & TRACE_RESULT);
	t->monitor = (flags & TRACE_MONITOR) != 0;
	if (!u->bad)
		t->rule = (flags & TRACE_SAME) != 0 ? first->rule : unpack_span(u);
	if ((flags & TRACE_FACT) != 0)
		t->fact = unpack_span(u);
	if ((flags & TRACE_WOULD) != 0)
		t->would = unpack_span(u);
}

static void
unpack_walks(struct unpack *u, struct record *r, struct arena *a)
{
	size_t n = unpack_count(u, 4);

	r->walks = arena_array(a, struct record_walk, n);
	r->walk_count = n;
	for (size_t i = 0; i < n && !u->bad; i++) {
		struct record_walk *w = &r->walks[i];

		w->count = unpack_count(u, 1);
		w->traces = arena_array(a, struct record_trace, w->count);
		for (size_t t = 0; t < w->count && !u->bad; t++)
			unpack_trace(u, &w->traces[t], trace_first(r, i, t));
	}
}

void
record_pack(struct pack *p, const struct record *r)
{
	struct pack mine = { p->ptr + p->len, 0, p->cap - p->len, p->full };
	bool cut = r->cut;

	if (mine.cap > RECORD_BYTES)
		mine.cap = RECORD_BYTES;
	pack_u16(&mine, RECORD_VERSION);
	pack_u8(&mine, 0);
	pack_head(&mine, r);
	pack_recipients(&mine, r);
	cut |= !pack_findings(&mine, r);
	cut |= !pack_changes(&mine, r);
	cut |= !pack_walks(&mine, r);
	if (mine.len > 2)
		mine.ptr[2] = cut;
	p->len += mine.len;
	p->full = mine.full;
}

bool
record_unpack(struct span packed, struct record *r, struct arena *a)
{
	struct unpack u = { packed, packed.len > RECORD_BYTES };
	uint16_t version = unpack_u16(&u);

	*r = (struct record){ 0 };
	if (version == 0 || version > RECORD_VERSION)
		return false;
	r->cut = unpack_u8(&u) != 0;
	unpack_head(&u, r, version);
	unpack_recipients(&u, r, a);
	unpack_findings(&u, r, a);
	unpack_changes(&u, r, a);
	unpack_walks(&u, r, a);
	return unpack_whole(&u);
}

#define ITEMS_LISTED 8          /* of a group */

/* The name is kept as it is. */
static void
add_finding(struct record *r, struct span name, struct span value, enum fact_state state,
    struct arena *a)
{
	r->findings[r->finding_count++] = (struct record_finding){ .name = name,
		.value = arena_span(a, value), .state = (uint8_t)state };
}

static void
add_fact(struct record *r, enum fact f, const struct value *v, struct buf *text,
    struct arena *a)
{
	buf_take(text, buf_len(text));
	if (v->state == FACT_KNOWN)
		value_print(text, f, v);
	add_finding(r, span_text(fact_row(f)->name),
	    v->state == FACT_KNOWN ? buf_span(text) : v->text, v->state, a);
}

static void
add_items(struct record *r, struct span name, const struct items *all, struct buf *text,
    struct arena *a)
{
	for (size_t i = 0; i < all->count && i < ITEMS_LISTED; i++) {
		struct span numbered;

		buf_take(text, buf_len(text));
		buf_add(text, name);
		buf_byte(text, ' ');
		value_print_number(text, (int64_t)i + 1);
		numbered = arena_span(a, buf_span(text));
		buf_take(text, buf_len(text));
		item_print(text, all->list[i]);
		add_finding(r, numbered, buf_span(text), FACT_KNOWN, a);
	}
}

/* How many there are, and of what people ask for, the first ones. */
static void
add_group(struct record *r, enum fact_group g, const struct items *all, struct buf *text,
    struct arena *a)
{
	bool listed = g == GROUP_ATTACHMENT || g == GROUP_LINK || g == GROUP_SIGNATURE ||
	    g == GROUP_SCANNER || g == GROUP_SYMBOL;
	struct span name = span_text(group_row(g)->name);

	if (all->reason.len > 0) {
		add_finding(r, name, all->reason, FACT_UNKNOWN, a);
	} else if (all->count > 0 || all->cut) {
		buf_take(text, buf_len(text));
		value_print_number(text, (int64_t)all->count);
		if (all->cut)
			buf_add(text, SPAN_LIT(" and perhaps more"));
		add_finding(r, name, buf_span(text), FACT_KNOWN, a);
	}
	if (listed)
		add_items(r, name, all, text, a);
}

static void
add_patterns(struct record *r, const struct pattern_hits *all, struct arena *a)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct pattern_hit *h = &all->list[i];

		add_finding(r, span_text(arena_printf(a, "pattern.%.*s", (int)h->name.len,
		    (const char *)h->name.ptr)), h->unknown ?
		    SPAN_LIT("a limit was hit") : SPAN_LIT("true"),
		    h->unknown ? FACT_UNKNOWN : FACT_KNOWN, a);
	}
}

void
record_findings(struct record *r, const struct findings *f, struct arena *a)
{
	struct buf text = { 0 };

	r->findings = arena_array(a, struct record_finding, FACT_MESSAGE_COUNT +
	    GROUP_COUNT * (1 + ITEMS_LISTED) + f->patterns.count);
	r->finding_count = 0;
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (f->values[i].state != FACT_ABSENT)
			add_fact(r, (enum fact)i, &f->values[i], &text, a);
	add_patterns(r, &f->patterns, a);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		add_group(r, (enum fact_group)g, &f->groups[g], &text, a);
	buf_free(&text);
}

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

#define TIME_LETTERS   9
#define UNIQUE_LETTERS (RECORD_ID_BYTES - TIME_LETTERS)

static void
id_letters(char *out, size_t n, uint64_t value)
{
	while (n-- > 0) {
		out[n] = alphabet[value & 31];
		value >>= 5;
	}
}

void
record_id(char out[RECORD_ID_BYTES + 1], uint64_t unix_ms, uint64_t unique)
{
	id_letters(out, TIME_LETTERS, unix_ms);
	id_letters(out + TIME_LETTERS, UNIQUE_LETTERS, unique);
	out[RECORD_ID_BYTES] = '\0';
}

bool
record_id_is(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || strchr(alphabet, to_lower(s.ptr[i])) == NULL)
			return false;
	return s.len == RECORD_ID_BYTES;
}

uint64_t
record_id_time(struct span s)
{
	uint64_t ms = 0;

	if (!record_id_is(s))
		return 0;
	for (size_t i = 0; i < TIME_LETTERS; i++)
		ms = ms << 5 |
		    (uint64_t)(strchr(alphabet, to_lower(s.ptr[i])) - alphabet);
	return ms;
}
