/*
 * block.h - loops over bytes in blocks of fixed length, which compilers make vectors of.
 */
#ifndef LIB_MIME_BLOCK_H
#define LIB_MIME_BLOCK_H
#include "lib/base/base.h"

#define BLOCK_STEP 64u

/* Is there a byte outside ASCII? */
static inline bool
block_eight_bit(struct span s)
{
	size_t i = 0;
	uint8_t all = 0;

	for (; i + BLOCK_STEP <= s.len; i += BLOCK_STEP)
		for (size_t k = 0; k < BLOCK_STEP; k++)
			all |= s.ptr[i + k];
	for (; i < s.len; i++)
		all |= s.ptr[i];
	return all >= 0x80;
}

static inline uint8_t
block_is_control(uint8_t c)
{
	return (uint8_t)((c < ' ') & (c != '\t') & (c != '\n') & (c != '\r'));
}

/* A control other than tab, CR and LF, or a CR without an LF? */
static inline bool
block_control(struct span s)
{
	size_t i = 0;
	uint8_t bad = 0, last = 0;

	for (; i + 1 + BLOCK_STEP <= s.len; i += BLOCK_STEP)
		for (size_t k = 0; k < BLOCK_STEP; k++)
			bad |= block_is_control(s.ptr[i + k]) |
			    (uint8_t)((s.ptr[i + k] == '\r') & (s.ptr[i + k + 1] != '\n'));
	for (; i < s.len; i++) {
		last = i + 1 < s.len ? s.ptr[i + 1] : 0;
		bad |= block_is_control(s.ptr[i]) |
		    (uint8_t)((s.ptr[i] == '\r') & (last != '\n'));
	}
	return bad != 0;
}
#endif
