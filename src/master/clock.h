/*
 * clock.h - the two clocks of the master, in milliseconds.
 */
#ifndef SRC_MASTER_CLOCK_H
#define SRC_MASTER_CLOCK_H
#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Only goes forward. */
static inline uint64_t clock_ms(void) { return clock_read(CLOCK_MONOTONIC); }
/* Since 1970. */
static inline uint64_t clock_unix_ms(void) { return clock_read(CLOCK_REALTIME); }
#endif
