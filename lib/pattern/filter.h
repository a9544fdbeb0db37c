/*
 * filter.h - many literals in one pass over a text; used inside lib/pattern.
 *
 * Of each literal three bytes stand for it; a bit for their hash says whether it is worth
 * looking closer.  Case does not matter.
 */
#ifndef LIB_PATTERN_FILTER_H
#define LIB_PATTERN_FILTER_H
#include "lib/pattern/pattern.h"

/* The patterns of the set that are for that subject. */
struct filter *filter_build(const struct pattern_set *, enum pattern_subject, struct arena *);
/* How many distinct literals it has. */
size_t filter_literals(const struct filter *);
/* The patterns worth trying on the text, each once, into out (room for all of the set);
   returns their count.  `seen` (a byte a literal) and `tried` (a byte a pattern) are room. */
size_t filter_run(const struct filter *, struct span text, uint8_t *seen, uint8_t *tried,
    uint16_t *out);
#endif
