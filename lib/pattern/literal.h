/*
 * literal.h - what a text must contain for a regular expression to match it.
 *
 * Of /\b(?:paypal|amazon) account/i the texts are "paypal" or "amazon", or " account": one
 * set of texts of which each match holds one, whatever its case.  Whoever looks for these
 * first need not try the expression on most texts.
 */
#ifndef LIB_PATTERN_LITERAL_H
#define LIB_PATTERN_LITERAL_H
#include "lib/base/arena.h"

#define LITERAL_LEAST 3         /* bytes: shorter ones are everywhere */
#define LITERALS      32        /* alternatives of one set            */

/* In lower case (ASCII).  0: none known, the expression must always be tried.  A regular
   expression that PCRE2 has taken; flags as in regex.h. */
size_t literals_find(struct span regex, struct span flags, struct arena *,
    struct span out[LITERALS]);
#endif
