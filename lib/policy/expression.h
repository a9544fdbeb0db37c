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
	unsigned     wishes;            /* of the facts it names: enum wish */
	struct fact_set facts;          /* all that it names */
	/* True only where the client is authenticated or local, as its form shows:
	   such a term is and-ed to all of it, or to every branch of an `or`. */
	bool         needs_own_client;
};

/* What a condition may come to when all pending facts are known: a bit of each truth.  Of
   those facts the ones that matter to it, and of the unknown ones those that make it unknown;
   none where it is yes or no for certain. */
struct outlook { unsigned can; struct fact_set pending, unknown; };
#define CAN(truth) (1u << (truth))

/* What rules add to spam.score, at least and at most. */
struct score_range { int64_t least, most; };

/* As expression_value, where rules have added to spam.score, and some truths are taken for
   false whatever is found (NULL: none). */
enum truth expression_value_if(const struct expression *, const struct findings *,
    int64_t score, const struct fact_set *denied, struct trace *decided);
struct outlook expression_outlook(const struct expression *, const struct findings *,
    struct score_range);
/* The smallest number that spam.score is compared with, if it is. */
bool expression_bound(const struct expression *, int64_t *thousandths);
/* One STEP_GROUP with what follows it. */
enum truth group_truth(const struct step *, struct subject *);
/* Could a number of at least `least` and at most `most` be as asked? */
bool number_could_be(enum comparison_op, int64_t least, int64_t most, int64_t n);
enum comparison_op number_opposite(enum comparison_op);

/* The most is done of what both ask for; see struct tag. */
void tag_add(struct tag *, const struct tag *);

/* Reads as far as a condition goes; NULL and complaints on errors. */
const struct expression *expression_parse(struct reader *);
#endif
