/*
 * lane.h - sixteen bytes looked at in one step: where plain ones end.
 *
 *     lane v = lane_load(p);
 *     size_t n = lane_first((lane)((v == '\r') | (v == '\n')));     0..15; 16: nowhere
 * Vectors of the compiler, so every machine has them.
 */
#ifndef LIB_MIME_LANE_H
#define LIB_MIME_LANE_H
#include "lib/base/base.h"
#include <endian.h>

#define LANE_BYTES 16u
typedef uint8_t lane __attribute__((vector_size(LANE_BYTES)));

static inline lane
lane_load(const uint8_t *p)
{
	lane v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline bool
lane_any(lane hits)
{
	uint64_t half[2];

	memcpy(half, &hits, sizeof half);
	return (half[0] | half[1]) != 0;
}

/* The first byte that is not zero; its lowest set bit is the one that counts. */
static inline size_t
lane_first(lane hits)
{
	uint64_t half[2];

	memcpy(half, &hits, sizeof half);
	if (half[0] != 0)
		return (size_t)__builtin_ctzll(le64toh(half[0])) / 8;
	return half[1] != 0 ? 8 + (size_t)__builtin_ctzll(le64toh(half[1])) / 8 : LANE_BYTES;
}
#endif
