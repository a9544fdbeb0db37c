/*
 * regex.h - one regular expression: PCRE2, with limits.
 *
 * Flags: i (case does not matter), m (^ and $ at every line), s (a dot is a line's end
 * too), u (UTF-8: a dot is a character; bytes that are not UTF-8 match nothing).  No
 * flag is given twice.  Memory is the arena's; only machine code (JIT) must be given back.
 */
#ifndef LIB_PATTERN_REGEX_H
#define LIB_PATTERN_REGEX_H
#include "lib/base/arena.h"

#define REGEX_BYTES 4096        /* as written */

struct regex;
struct regex_fault { size_t at; char text[160]; };

/* NULL and *fault on errors.  The arena must stay where it is as long as the regex lives. */
struct regex *regex_compile(struct span text, struct span flags, struct arena *,
    struct regex_fault *);
/* Make machine code; without it (no memory that can be executed) matching is slower. */
void regex_speed_up(struct regex *);
void regex_release(struct regex *);

enum regex_result { REGEX_NO = 0, REGEX_YES,
	REGEX_LIMIT,            /* gave up after `steps': nobody knows */
};
/* From each place of the text at most `steps` of backtracking. */
enum regex_result regex_match(const struct regex *, struct span text, uint32_t steps);
/* The first match that begins at byte `from' or later: found[0] is all of it, found[1] the
   first group, with a NULL ptr where that has no part in it. */
enum regex_result regex_find(const struct regex *, struct span text, size_t from,
    uint32_t steps, struct span found[2]);
#endif
