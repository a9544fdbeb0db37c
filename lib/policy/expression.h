/*
 * expression.h - conditions: comparisons joined by not, and, or.
 *
 * A condition is kept in postfix order (a b and c or): it is read with one stack
 * and evaluated with another, both bounded by POLICY_DEPTH, without recursion.  What a
 * quantifier has in its parentheses follows it (any a b and), as many steps as it says,
 * and holds no quantifier.
 */
#ifndef LIB_POLICY_EXPRESSION_H
#define LIB_POLICY_EXPRESSION_H
#include "lib/policy/comparison.h"

/* Operands that wait for an operator, and the one just read. */
#define EXPRESSION_OPERANDS (2 * (POLICY_DEPTH + 1) + 1)

enum step_kind { STEP_COMPARE = 0, STEP_NOT, STEP_AND, STEP_OR, STEP_GROUP };

struct step {
	enum step_kind    kind;
	struct comparison comparison;   /* STEP_GROUP: of the count, if it is one */
	enum quantifier   quantifier;
	enum fact_group        group;
	size_t            length;       /* steps inside */
};

struct expression {
	struct step *steps;
	size_t       count;             /* at least 1 */
	bool         per_recipient;     /* names a fact that differs per recipient */
	bool         digs;              /* names one of fact_needs_digging */
	/* True only where the client is authenticated or local, as its form shows:
	   such a term is and-ed to all of it, or to every branch of an `or`. */
	bool         needs_own_client;
};

/* Reads as far as a condition goes; NULL and complaints on errors. */
const struct expression *expression_parse(struct reader *);
#endif
