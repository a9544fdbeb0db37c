/*
 * flat.c - findings in their flat form, between processes.
 *
 * u16 count of message facts, then for each u16 number, u8 state and, by type, u8
 * truth, u64 number, span of 16 address bytes or span of text; unknown: span of the
 * reason.  Then for each group u8 cut, span of the reason, u16 count, and for each item a
 * u32 mask of its facts and their values, as above.  Then u64 pattern set, u16 count, and
 * for each hit u64 id, u8 unknown, span of the name.  Facts ascend, so that one set of
 * findings has one flat form.
 */
#include "lib/finding/value.h"

#define FACT_LEAST      4       /* bytes of the shortest fact */
#define LENGTH_BYTES    4       /* of a span */
#define MASK_BYTES      4
#define HIT_LEAST       13
#define REASON_BYTES    200     /* why a whole group is unknown */

_Static_assert(FACT_HEADER_FIELD_NAME - FACT_ATTACHMENT_NAME < 32, "mask of an item");

static void
pack_value(struct pack *p, enum fact_type type, const struct value *v)
{
	pack_u8(p, (uint8_t)v->state);
	if (v->state == FACT_UNKNOWN || value_is_text(type))
		pack_span_cut(p, v->text, FINDINGS_TEXT_BYTES);
	else if (type == TYPE_TRUTH)
		pack_u8(p, v->truth);
	else if (type == TYPE_NETWORK)
		pack_span(p, (struct span){ v->address.bytes, sizeof v->address.bytes });
	else
		pack_u64(p, (uint64_t)v->number);
}

static void
pack_facts(struct pack *p, const struct findings *f)
{
	uint16_t count = 0;

	for (size_t i = 0; i < FACT_MESSAGE_COUNT; i++)
		count = (uint16_t)(count + (f->values[i].state != FACT_ABSENT));
	pack_u16(p, count);
	for (size_t i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (f->values[i].state != FACT_ABSENT) {
			pack_u16(p, (uint16_t)i);
			pack_value(p, fact_row((enum fact)i)->type, &f->values[i]);
		}
}

static bool
unpack_text(struct unpack *u, struct span *text)
{
	*text = unpack_span(u);
	return !u->bad && text->len <= FINDINGS_TEXT_BYTES;
}

static bool
unpack_address(struct unpack *u, struct address *a)
{
	struct span s = unpack_span(u);

	if (u->bad || s.len != sizeof a->bytes)
		return false;
	memcpy(a->bytes, s.ptr, s.len);
	return true;
}

static bool
unpack_truth(struct unpack *u, bool *truth)
{
	uint8_t v = unpack_u8(u);

	*truth = v == 1;
	return !u->bad && v <= 1;
}

static bool
unpack_number(struct unpack *u, const struct fact_row *row, int64_t *n)
{
	uint64_t v = unpack_u64(u);

	*n = (int64_t)v;
	return !u->bad && value_number_fits(row, *n);
}

static bool
unpack_value(struct unpack *u, const struct fact_row *row, struct value *v)
{
	uint8_t state = unpack_u8(u);

	if (u->bad || (state != FACT_KNOWN && state != FACT_UNKNOWN))
		return false;
	v->state = (enum fact_state)state;
	if (v->state == FACT_UNKNOWN || value_is_text(row->type))
		return unpack_text(u, &v->text);
	if (row->type == TYPE_TRUTH)
		return unpack_truth(u, &v->truth);
	if (row->type == TYPE_NETWORK)
		return unpack_address(u, &v->address);
	return unpack_number(u, row, &v->number);
}

static bool
unpack_facts(struct unpack *u, struct findings *f)
{
	unsigned count = unpack_u16(u), next = 0;

	if (u->bad || count > FACT_MESSAGE_COUNT || count > u->rest.len / FACT_LEAST)
		return false;
	for (; count > 0; count--) {
		unsigned fact = unpack_u16(u);

		if (u->bad || fact < next || fact >= FACT_MESSAGE_COUNT)
			return false;
		next = fact + 1;
		if (!unpack_value(u, fact_row((enum fact)fact), &f->values[fact]))
			return false;
	}
	return true;
}

/* --- groups --- */

#define SHARES          8       /* every group is sure of an eighth of the room */

static size_t
value_size(enum fact_type type, const struct value *v)
{
	size_t text = v->text.len < FINDINGS_TEXT_BYTES ? v->text.len : FINDINGS_TEXT_BYTES;

	if (v->state == FACT_UNKNOWN || value_is_text(type))
		return 1 + LENGTH_BYTES + text;
	if (type == TYPE_TRUTH)
		return 2;
	return type == TYPE_NETWORK ? 1 + LENGTH_BYTES + sizeof v->address.bytes : 9;
}

static uint32_t
item_mask(const struct item *item)
{
	const struct group_row *row = group_row(item->group);
	uint32_t mask = 0;

	for (unsigned i = 0; i < (unsigned)(row->end - row->first); i++)
		if (item->values[i].state != FACT_ABSENT)
			mask |= 1u << i;
	return mask;
}

static size_t
item_size(const struct item *item)
{
	enum fact first = group_row(item->group)->first;
	size_t size = MASK_BYTES;

	for (uint32_t mask = item_mask(item); mask != 0; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctz(mask);

		size += value_size(fact_row((enum fact)(first + i))->type, &item->values[i]);
	}
	return size;
}

static void
pack_item(struct pack *p, const struct item *item)
{
	enum fact first = group_row(item->group)->first;
	uint32_t mask = item_mask(item);

	pack_u32(p, mask);
	for (; mask != 0; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctz(mask);

		pack_value(p, fact_row((enum fact)(first + i))->type, &item->values[i]);
	}
}

static size_t
hit_size(const struct pattern_hit *h)
{
	return HIT_LEAST + h->name.len;
}

static void
pack_hit(struct pack *p, const struct pattern_hit *h)
{
	pack_u64(p, h->id);
	pack_u8(p, h->unknown);
	pack_span(p, h->name);
}

/* Bytes of the items of each group; of the hits, which are the last share. */
static void
measure(const struct findings *f, size_t sizes[GROUP_COUNT + 1])
{
	for (unsigned g = GROUP_NONE; g < GROUP_COUNT; g++) {
		sizes[g] = 0;
		for (size_t i = 0; i < f->groups[g].count; i++)
			sizes[g] += item_size(f->groups[g].list[i]);
	}
	sizes[GROUP_COUNT] = 0;
	for (size_t i = 0; i < f->patterns.count; i++)
		sizes[GROUP_COUNT] += hit_size(&f->patterns.list[i]);
}

/* What a share may take of the room: all but what those after it are sure of. */
static size_t
share(const size_t sizes[GROUP_COUNT + 1], unsigned at, size_t left, size_t room)
{
	for (unsigned g = at + 1; g <= GROUP_COUNT; g++) {
		size_t sure = sizes[g] < room / SHARES ? sizes[g] : room / SHARES;

		left -= sure < left ? sure : left;
	}
	return left;
}

/* How many items `most` bytes have room for; *used: theirs. */
static size_t
items_fitting(const struct items *all, size_t most, size_t *used)
{
	size_t count = 0, size;

	*used = 0;
	while (count < all->count && (size = item_size(all->list[count])) <= most - *used) {
		*used += size;
		count++;
	}
	return count;
}

/* Of `size` bytes all together.  Returns what is left of the room. */
static size_t
pack_items(struct pack *p, const struct items *all, size_t size, size_t most, size_t left)
{
	size_t used = size;
	size_t count = size <= most ? all->count : items_fitting(all, most, &used);

	pack_u8(p, all->cut || count < all->count);
	pack_span_cut(p, all->reason, REASON_BYTES);
	pack_u16(p, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		pack_item(p, all->list[i]);
	return left - used;
}

static void
pack_hits(struct pack *p, const struct pattern_hits *all, size_t most)
{
	size_t count = 0, used = 0;

	while (count < all->count && hit_size(&all->list[count]) <= most - used)
		used += hit_size(&all->list[count++]);
	pack_u64(p, count < all->count ? 0 : all->set);
	pack_u16(p, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		pack_hit(p, &all->list[i]);
}

void
findings_pack(struct pack *p, const struct findings *f)
{
	size_t sizes[GROUP_COUNT + 1], fixed = 10;

	pack_facts(p, f);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		fixed += 7 + (f->groups[g].reason.len < REASON_BYTES ?
		    f->groups[g].reason.len : REASON_BYTES);
	size_t room = p->cap - p->len > fixed ? p->cap - p->len - fixed : 0, left = room;

	measure(f, sizes);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		left = pack_items(p, &f->groups[g], sizes[g], share(sizes, g, left, room),
		    left);
	pack_hits(p, &f->patterns, left);
}

static bool
unpack_item(struct unpack *u, struct findings *f, enum fact_group g, struct arena *a)
{
	const struct group_row *row = group_row(g);
	uint32_t mask = unpack_u32(u);

	if (u->bad || mask >> (row->end - row->first) != 0)
		return false;
	struct item *item = findings_add(f, g, a);

	for (; mask != 0; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctz(mask);

		if (!unpack_value(u, fact_row((enum fact)(row->first + i)), &item->values[i]))
			return false;
	}
	return true;
}

static bool
unpack_items(struct unpack *u, struct findings *f, enum fact_group g, struct arena *a)
{
	struct items *all = &f->groups[g];

	if (!unpack_truth(u, &all->cut) || !unpack_text(u, &all->reason))
		return false;
	size_t count = unpack_u16(u);

	/* A reason stands for a group that is unknown as a whole. */
	if (u->bad || count > group_row(g)->limit || count > u->rest.len / MASK_BYTES ||
	    all->reason.len > REASON_BYTES ||
	    (all->reason.len > 0 && (count > 0 || !all->cut)))
		return false;
	while (count-- > 0)
		if (!unpack_item(u, f, g, a))
			return false;
	return true;
}

static bool
unpack_hit(struct unpack *u, struct findings *f, struct arena *a)
{
	uint64_t id = unpack_u64(u);
	struct span name;
	bool unknown;

	if (!unpack_truth(u, &unknown) || !unpack_text(u, &name) ||
	    name.len > PATTERN_NAME_BYTES)
		return false;
	findings_add_pattern(f, id, name, unknown, a);
	return true;
}

static bool
unpack_hits(struct unpack *u, struct findings *f, struct arena *a)
{
	f->patterns.set = unpack_u64(u);
	size_t count = unpack_u16(u);

	if (u->bad || count > PATTERN_HITS || count > u->rest.len / HIT_LEAST)
		return false;
	while (count-- > 0)
		if (!unpack_hit(u, f, a))
			return false;
	return true;
}

static bool
unpack_groups(struct unpack *u, struct findings *f, struct arena *a)
{
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		if (!unpack_items(u, f, (enum fact_group)g, a))
			return false;
	return true;
}

bool
findings_unpack(struct unpack *u, struct findings *f, struct arena *a)
{
	*f = (struct findings){ 0 };
	if (unpack_facts(u, f) && unpack_groups(u, f, a) && unpack_hits(u, f, a))
		return true;
	u->bad = true;
	*f = (struct findings){ 0 };
	return false;
}
