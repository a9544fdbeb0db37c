/*
 * pack.c - see pack.h.
 */
#include "lib/base/pack.h"

static void
pack_bytes(struct pack *p, const void *bytes, size_t n)
{
	if (p->full || p->cap - p->len < n) {
		p->full = true;
		return;
	}
	if (n > 0)
		memcpy(p->ptr + p->len, bytes, n);
	p->len += n;
}

static void
pack_int(struct pack *p, uint64_t v, size_t n)
{
	uint8_t le[8];

	for (size_t i = 0; i < n; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	pack_bytes(p, le, n);
}

void pack_u8(struct pack *p, uint8_t v)   { pack_int(p, v, 1); }
void pack_u16(struct pack *p, uint16_t v) { pack_int(p, v, 2); }
void pack_u32(struct pack *p, uint32_t v) { pack_int(p, v, 4); }
void pack_u64(struct pack *p, uint64_t v) { pack_int(p, v, 8); }

void
pack_span(struct pack *p, struct span s)
{
	if (p->full || s.len > UINT32_MAX || p->cap - p->len < s.len + 4) {
		p->full = true;
		return;
	}
	pack_u32(p, (uint32_t)s.len);
	pack_bytes(p, s.ptr, s.len);
}

void
pack_span_cut(struct pack *p, struct span s, size_t max)
{
	pack_span(p, s.len > max ? span_slice(s, 0, max) : s);
}

static struct span
unpack_bytes(struct unpack *u, size_t n)
{
	if (u->bad || u->rest.len < n) {
		u->bad = true;
		return SPAN_NONE;
	}
	struct span s = span_slice(u->rest, 0, n);

	u->rest = span_slice(u->rest, n, u->rest.len);
	return s;
}

static uint64_t
unpack_int(struct unpack *u, size_t n)
{
	struct span s = unpack_bytes(u, n);
	uint64_t v = 0;

	for (size_t i = s.len; i-- > 0;)
		v = v << 8 | s.ptr[i];
	return v;
}

uint8_t  unpack_u8(struct unpack *u)  { return (uint8_t)unpack_int(u, 1); }
uint16_t unpack_u16(struct unpack *u) { return (uint16_t)unpack_int(u, 2); }
uint32_t unpack_u32(struct unpack *u) { return (uint32_t)unpack_int(u, 4); }
uint64_t unpack_u64(struct unpack *u) { return unpack_int(u, 8); }

struct span
unpack_span(struct unpack *u)
{
	uint32_t n = unpack_u32(u);

	return unpack_bytes(u, n);
}

size_t
unpack_count(struct unpack *u, size_t least)
{
	uint32_t n = unpack_u32(u);

	if (!u->bad && n > u->rest.len / (least > 0 ? least : 1))
		u->bad = true;
	return u->bad ? 0 : n;
}
