/*
 * score.c - see score.h.
 */
#include "lib/finding/score.h"
#include "lib/base/text.h"
#include <inttypes.h>

/* The digits behind the point: 1 to 3, counted as thousandths. */
static bool
parse_fraction(struct span s, uint64_t *n)
{
	if (s.len > 3 || !text_number(s, 999, n))
		return false;
	for (size_t i = s.len; i < 3; i++)
		*n *= 10;
	return true;
}

bool
score_parse(struct span s, int64_t *thousandths)
{
	bool minus = s.len > 0 && s.ptr[0] == '-';
	struct span digits = span_slice(s, minus, s.len);
	size_t point = span_find(digits, '.');
	uint64_t whole, rest = 0;

	if (!text_number(span_slice(digits, 0, point), SCORE_MOST / 1000, &whole))
		return false;
	if (point < digits.len &&
	    !parse_fraction(span_slice(digits, point + 1, digits.len), &rest))
		return false;
	if (whole * 1000 + rest > SCORE_MOST)
		return false;
	*thousandths = (int64_t)(whole * 1000 + rest) * (minus ? -1 : 1);
	return true;
}

void
score_print(struct buf *b, int64_t thousandths)
{
	uint64_t n = thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;
	unsigned rest = (unsigned)(n % 1000), width = 3;

	buf_printf(b, "%s%" PRIu64, thousandths < 0 ? "-" : "", n / 1000);
	if (rest == 0)
		return;
	for (; rest % 10 == 0; width--)
		rest /= 10;
	buf_printf(b, ".%0*u", (int)width, rest);
}

int64_t
score_bounded(int64_t thousandths)
{
	return thousandths > SCORE_SUM_MOST ? SCORE_SUM_MOST :
	    thousandths < -SCORE_SUM_MOST ? -SCORE_SUM_MOST : thousandths;
}
