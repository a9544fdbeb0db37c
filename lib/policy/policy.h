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
	FATE_HOLD,      /* before a queue only: kept, told 250, examined again later */
	FATE_DEFER,
	FATE_REJECT,
};
const char *fate_name(enum fate);       /* accept quarantine discard hold defer reject */

enum change_kind { CHANGE_ADD = 0, CHANGE_REMOVE };
/* header add Name "value"; header remove Name; */
struct change { enum change_kind kind; struct span name, value; };

/* tag [subject "TEXT"] [extension WORD] [status].  Of several the most is done; of two
   subjects or extensions the later one stands. */
enum tag_kind {
	TAG_NONE = 0,
	TAG_STATUS,     /* X-Spam-Status: No and X-Spam-Score, nothing else         */
	TAG_SPAM,       /* X-Spam-Flag, -Score, -Level, -Status: Yes, -Report       */
};
/* Empty texts: none.  Subject: to stand before the Subject's text, blank included; printable
   ASCII.  Extension: `spam' makes it user+spam@example.com; letters, digits, - and _. */
struct tag {
	enum tag_kind kind;
	struct span   subject, extension;
	/* The smallest bound of spam.score in the rule's condition, thousandths; for `status'
	   that of the policy's first rule with a real tag, where there is one. */
	bool          has_required;
	int64_t       required;
};

struct rule {
	struct span    name;
	bool           monitor;
	unsigned       slot;            /* counters: unique in the policy set */
	struct place   place;
	struct span    text;            /* the condition as written, for explain */
	const struct expression *when;  /* NULL: `otherwise' */
	unsigned       wishes;          /* of the facts it names: enum wish */
	struct fact_set facts;          /* named by the condition */
	bool           per_recipient;   /* names a fact that differs per recipient, or the score
	                                   that a rule before it adds for some of them */
	bool           has_fate;
	enum fate      fate;
	struct span    reply;           /* "5.7.1 text" (554) or "550 5.7.1 text" */
	struct span    quarantine;      /* class */
	struct change *changes;
	size_t         change_count;
	int64_t        score;           /* thousandths, for spam.score of the rules behind it */
	struct tag     tag;
};

struct policy {
	struct span   name;
	struct place  place;
	struct rule  *rules;            /* the last one is `otherwise`: it always fires */
	size_t        rule_count;
	struct fact_set facts;          /* named by its rules, monitor rules too */
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
   `otherwise'; there neither a rule holds nor a scanner that its rules need; monitor rules
   are free.  A rule that asks what no scanner of the settings tells is an error.  The tree
   must live as long as the set, and the arena stay where it is. */
struct policy_set *policy_compile(const struct settings *, struct arena *,
    struct complaints *);
/* Gives back what is not the arena's (machine code of regular expressions): before
   arena_free.  NULL is nothing. */
void policy_release(const struct policy_set *);
/* What its rules, monitor rules too, need to know of a message: bits of enum wish. */
unsigned policy_wishes(const struct policy *);
struct fact_set policy_facts(const struct policy *);
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
	   not yet earned (policy_on_failure decides). */
	bool           unknown_met;
	/* The facts that made those rules unknown: theirs that were unknown, or could not be
	   compared, without those of terms that did not matter. */
	struct fact_set unknown_facts;
	/* The fate's rule would not have fired, had virus.unscannable and
	   message.unscannable been false; had archive.encrypted, archive.limit, mime.broken
	   and their like of attachments been.  Of an accept only. */
	bool           decided_by_unscannable, decided_by_unseen;
	int64_t        score;           /* thousandths that rules added to spam.score */
	struct tag     tag;             /* whatever the fate is */
};

/* Walk the policy for one recipient.  Everything in the verdict is in the arena or the
   policy's. */
void policy_evaluate(const struct policy *, const struct findings *, struct arena *,
    struct verdict *);

/* The same for many recipients of one message: a condition without recipient terms is
   evaluated once.  Findings, policy and arena outlive the walk; after begin only facts
   that differ per recipient may change (to ask again after others have: begin anew). */
struct policy_walk {
	const struct policy   *policy;
	const struct findings *findings;
	struct walk_cache     *cache;
	struct outlook_cache  *outlooks;        /* NULL until policy_wanted */
	struct arena          *arena;
};
void policy_walk_begin(struct policy_walk *, const struct policy *,
    const struct findings *, struct arena *);
void policy_walk_recipient(struct policy_walk *, struct arena *, struct verdict *);

/* Which pending facts (findings_set_pending) may still change this recipient's verdict or
   trace?  They are added to *wanted.  The walk goes on behind rules that are not decided,
   up to a final one that fires for certain.  Where nothing is wanted any more, the verdict
   is what it would be with all pending facts known, whatever they are. */
void policy_wanted(struct policy_walk *, struct fact_set *wanted);

/* What failed for one message; bits by index in settings->scanners. */
struct failures {
	uint64_t scanners;              /* gave no answer that counts */
	uint64_t unscannable;           /* said that they cannot look */
	bool     message;               /* message.unscannable: the inspector is not asked */
	bool     infected;              /* virus.found is true: another scanner has found it */
};
#define SCANNER_NONE SIZE_MAX
struct on_failure_verdict {
	enum fate fate;                 /* the verdict's, or what replaces its accept */
	size_t    scanner;              /* whose on-failure replaced it, the first of the
	                                   strictest; SCANNER_NONE: nobody's, or the inspector's */
	uint64_t  missing;              /* an accept that stands: scanners whose answers are
	                                   missing (on-failure accept) */
};
/* An accept stands if no rule before it was unknown, or if all that was unknown comes from
   scanners whose on-failure is accept.  Else FATE_DEFER or FATE_HOLD, the strictest of
   theirs; what no scanner explains is the inspector's: FATE_DEFER.  Where a virus was found,
   but its name is unknown and asked for, accept counts as defer.  A rule that decided by
   virus.unscannable or message.unscannable has judged what is unscannable, but not what has
   failed; one that decided by what could not be seen of the content (archive.encrypted ...)
   has judged that content facts are unknown, unless the inspector was not asked at all. */
struct on_failure_verdict policy_on_failure(const struct verdict *, const struct settings *,
    const struct failures *);

/* One condition alone (tests, tools). */
enum truth expression_value(const struct expression *, const struct findings *,
    struct trace *decided);

/* Same deliveries?  Accepts whose collected changes are equal, and their tags, with their
   scores; but for the extension, which is in the address, not in the message. */
bool verdict_same_changes(const struct verdict *, const struct verdict *);
#endif
