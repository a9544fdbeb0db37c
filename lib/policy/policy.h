/*
 * policy.h - the policy language: compile rules, walk them, say why.
 *
 * See docs/policy.md.  A policy is a pure function: same findings, same lists,
 * same verdict.  Three values: a comparison with an unknown fact is unknown; not,
 * and, or and the quantifiers follow Kleene; an unknown condition does not fire.
 */
#ifndef LIB_POLICY_POLICY_H
#define LIB_POLICY_POLICY_H
#include "lib/base/arena.h"
#include "lib/config/settings.h"
#include "lib/finding/fact.h"
#include "lib/pattern/pattern.h"

enum truth { TRUTH_NO = 0, TRUTH_YES, TRUTH_UNKNOWN };

/* In the order of strictness, least strict first. */
enum fate {
	FATE_ACCEPT = 0,
	FATE_QUARANTINE,
	FATE_DISCARD,
	FATE_DEFER,
	FATE_REJECT,
};
const char *fate_name(enum fate);       /* accept quarantine discard defer reject */

enum change_kind { CHANGE_ADD = 0, CHANGE_REMOVE };
/* header add Name "value"; header remove Name; */
struct change { enum change_kind kind; struct span name, value; };

struct rule {
	struct span    name;
	bool           monitor;
	unsigned       slot;            /* counters: unique in the policy set */
	struct place   place;
	struct span    text;            /* the condition as written, for explain */
	const struct expression *when;  /* NULL: `otherwise' */
	bool           digs;            /* names a fact of fact_needs_digging */
	bool           per_recipient;   /* names a fact that differs per recipient */
	bool           has_fate;
	enum fate      fate;
	struct span    reply;           /* "5.7.1 text" (554) or "550 5.7.1 text" */
	struct span    quarantine;      /* class */
	struct change *changes;
	size_t         change_count;
};

struct policy {
	struct span   name;
	struct place  place;
	struct rule  *rules;            /* the last one is `otherwise`: it always fires */
	size_t        rule_count;
	const struct pattern_set *patterns;
};

struct matcher { struct regex *regex; struct matcher *next; };
struct policy_set {
	struct policy *policies;
	size_t         policy_count;
	unsigned       slots;           /* rules in all, for counters */
	struct pattern_set *patterns;   /* all `pattern' statements, not prepared */
	struct matcher     *matchers;   /* regular expressions of the rules       */
};

#define POLICY_RULES    1000            /* a policy, included ones and not `otherwise' */
#define POLICY_POLICIES 1000
#define POLICY_LISTS    1000
#define POLICY_NAME     64              /* bytes of a rule's, policy's or list's name */
#define POLICY_DEPTH    64              /* of parentheses and nots */
#define POLICY_CHANGES  100             /* header edits of one verdict */

/* All `policy`, `list` and `pattern` statements of the tree (lists: inline).  NULL and complaints
   on errors; also checks each listener: its policy exists; with `queue after` a reject
   needs client.authenticated or client.local and-ed to the rule's whole condition (or
   to every branch of an `or'; under a `not' it does not count), and cannot be in
   `otherwise'; monitor rules are free.  The tree must live as long as the set, and the
   arena stay where it is. */
struct policy_set *policy_compile(const struct settings *, struct arena *,
    struct complaints *);
/* Gives back what is not the arena's (machine code of regular expressions): before
   arena_free.  NULL is nothing. */
void policy_release(const struct policy_set *);
/* Does some rule, monitor rules too, ask for what is in the message? */
bool policy_digs(const struct policy *);
const struct policy *policy_find(const struct policy_set *, struct span name);

/* What became of one rule in a walk. */
enum trace_result {
	TRACE_SKIPPED = 0,      /* a final action came before it    */
	TRACE_NO,
	TRACE_FIRED,
	TRACE_UNKNOWN,
};
enum quantifier {
	QUANTIFIER_NONE = 0, QUANTIFIER_ANY, QUANTIFIER_ALL, QUANTIFIER_NO, QUANTIFIER_COUNT,
};
#define TRACE_NO_ITEM UINT32_MAX
struct trace {
	enum trace_result result;
	/* Of the term at which the result was certain, read from the left, or of the
	   first unknown one; FACT_COUNT: skipped, or `otherwise'. */
	enum fact         fact;
	/* An item fact: the item that decided (the first that is as asked; for `all', that
	   is not; the first unknown one), or none of them alone: then `fact' is the first of
	   the parentheses.  FACT_PATTERN: index of the pattern. */
	enum quantifier   quantifier;
	uint32_t          item;
	uint32_t          matched;      /* QUANTIFIER_COUNT: items known to be as asked */
};
/* What decided, for record and explain: "sender", "pattern.invoice", "any attachment:
   'invoice.pdf.exe' (type = 'exe')"; empty if nothing did. */
struct span trace_text(const struct trace *, const struct policy *,
    const struct findings *, struct arena *);

struct verdict {
	enum fate      fate;
	const struct rule *rule;        /* that gave the fate */
	enum fact      fact;            /* that decided it; FACT_COUNT: `otherwise` */
	struct span    reply, quarantine;
	const struct change **changes;  /* collected, in order */
	size_t         change_count;
	bool           changes_cut;     /* more than POLICY_CHANGES: the rest is left out */
	struct trace  *traces;          /* one a rule */
	/* A rule that is no monitor was unknown before the walk ended: an accept then is
	   not yet earned (the checks' on-failure decides). */
	bool           unknown_met;
};

/* Walk the policy for one recipient.  Everything in the verdict is in the arena or the
   policy's. */
void policy_evaluate(const struct policy *, const struct findings *, struct arena *,
    struct verdict *);

/* The same for many recipients of one message: a condition without recipient terms is
   evaluated once.  Findings, policy and arena outlive the walk; after begin only facts
   that differ per recipient may change. */
struct policy_walk {
	const struct policy   *policy;
	const struct findings *findings;
	struct walk_cache     *cache;
};
void policy_walk_begin(struct policy_walk *, const struct policy *,
    const struct findings *, struct arena *);
void policy_walk_recipient(struct policy_walk *, struct arena *, struct verdict *);

/* One condition alone (tests, tools). */
enum truth expression_value(const struct expression *, const struct findings *,
    struct trace *decided);

/* Same deliveries?  Accepts whose collected changes are equal. */
bool verdict_same_changes(const struct verdict *, const struct verdict *);
#endif
