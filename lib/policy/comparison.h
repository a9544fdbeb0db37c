/*
 * comparison.h - one fact against one value: `sender.domain in @friends`.
 *
 * What may be compared with what is decided when the rule is read; the answer is then
 * yes or no for a known fact, no for an absent and unknown for an unknown one.
 * A regular expression that gives up is unknown.
 */
#ifndef LIB_POLICY_COMPARISON_H
#define LIB_POLICY_COMPARISON_H
#include "lib/policy/policy.h"
#include "lib/policy/reader.h"

enum comparison_op { OP_EQ = 0, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN,
	OP_MATCHES };

/* The right side by the fact's type: number (truth and enumeration too), address, text
   (mailbox and domain too); a list for OP_IN, a regex for OP_MATCHES.  pattern: of
   FACT_PATTERN, its index and id, and the set it is of. */
struct comparison {
	enum fact          fact;
	enum comparison_op op;
	int64_t            number;
	struct address     address;
	struct span        text;
	const struct list *list;
	const struct regex *regex;
	struct { uint32_t index; uint64_t id, set; } pattern;
};

/* What a condition is asked about. */
struct subject {
	const struct findings *findings;
	const struct item     *item;    /* of the group whose facts are asked for */
	int64_t                score;   /* thousandths that rules have added to spam.score */
	const struct fact_set *denied;  /* truths that are taken for false; NULL none */
	unsigned               limits;  /* how many regular expressions gave up */
};

/* `fact [op value]`; false and complaints on errors.  Inside a group only the group's
   facts, by their short names too. */
bool comparison_parse(struct reader *, struct comparison *);
/* `op NUMBER`, behind `count GROUP (...)`. */
bool comparison_parse_count(struct reader *, struct comparison *);
/* The score that the findings have, absent ones are 0, with what rules have added. */
struct value subject_score(const struct subject *);
enum truth comparison_value(const struct comparison *, struct subject *);
#endif
