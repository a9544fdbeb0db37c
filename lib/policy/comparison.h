/*
 * comparison.h - one fact against one value: `sender.domain in @friends`.
 *
 * What may be compared with what is decided when the rule is read; the answer is then
 * yes or no for a known fact, no for an absent and unknown for an unknown one.
 */
#ifndef LIB_POLICY_COMPARISON_H
#define LIB_POLICY_COMPARISON_H
#include "lib/policy/policy.h"
#include "lib/policy/reader.h"

enum comparison_op { OP_EQ = 0, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN };

/* The right side by the fact's type: number (truth and enumeration too), address, text
   (mailbox and domain too); a list for OP_IN. */
struct comparison {
	enum fact          fact;
	enum comparison_op op;
	int64_t            number;
	struct address     address;
	struct span        text;
	const struct list *list;
};

/* `fact [op value]`; false and complaints on errors. */
bool comparison_parse(struct reader *, struct comparison *);
enum truth comparison_value(const struct comparison *, const struct findings *);
#endif
