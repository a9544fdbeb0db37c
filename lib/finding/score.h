/*
 * score.h - scores: thousandths, written 5, 6.31 or -2.5.
 */
#ifndef LIB_FINDING_SCORE_H
#define LIB_FINDING_SCORE_H
#include "lib/base/buf.h"

/* Of one score, of a sum of a thousand of them. */
#define SCORE_MOST     1000000000ll             /* a million points, either way */
#define SCORE_SUM_MOST (2000 * SCORE_MOST)

/* An optional -, digits, and perhaps a point and 1 to 3 digits; at most SCORE_MOST. */
bool score_parse(struct span, int64_t *thousandths);
/* The shortest form: 5, 6.31, -2.5; reading it gives the same. */
void score_print(struct buf *, int64_t thousandths);
/* Within SCORE_SUM_MOST: what findings_set_number takes. */
int64_t score_bounded(int64_t thousandths);
#endif
