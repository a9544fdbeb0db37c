/*
 * sieve.h - many literals in one pass over a text; used inside lib/pattern.
 *
 * Of each literal three bytes stand for it; a bit for their hash says whether it is worth
 * looking closer.  Case does not matter.
 */
#ifndef LIB_PATTERN_SIEVE_H
#define LIB_PATTERN_SIEVE_H
#include "lib/pattern/pattern.h"

/* The patterns of the set that are for that subject. */
struct sieve *sieve_build(const struct pattern_set *, enum pattern_subject, struct arena *);
/* How many distinct literals it has. */
size_t sieve_literals(const struct sieve *);
/* The patterns worth trying on the text, each once, into out (room for all of the set);
   returns their count.  `seen` (a byte a literal) and `tried` (a byte a pattern) are room. */
size_t sieve_run(const struct sieve *, struct span text, uint8_t *seen, uint8_t *tried,
    uint16_t *out);
#endif
