/*
 * value.h - what the values of a type may be; used inside lib/finding.
 */
#ifndef LIB_FINDING_VALUE_H
#define LIB_FINDING_VALUE_H
#include "lib/finding/fact.h"

/* Does value.text hold it? */
bool value_is_text(enum fact_type);
bool value_number_fits(const struct fact_row *, int64_t);
/* In digits; records print a lot of them, and printf is slow. */
void value_print_number(struct buf *, int64_t);
#endif
