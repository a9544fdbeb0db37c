/*
 * list.h - @lists: entries of any kind, looked up by the kind of fact that asks.
 *
 * An entry is what it looks like: a network (192.0.2.0/24, ::1), a mailbox
 * (joe@example.com), all mailboxes of a domain (@example.com), a domain
 * (example.com), a domain with its subdomains (.example.com) or else plain text.  An
 * address asks the networks, a domain the domains, a mailbox the mailboxes and
 * domains, a text all entries as they are written.  Case does not matter anywhere,
 * nor does the last dot of a domain.
 *
 * Everything is sorted: a look-up costs one binary search, for a domain one a label.
 */
#ifndef LIB_POLICY_LIST_H
#define LIB_POLICY_LIST_H
#include "lib/config/tree.h"
#include "lib/finding/fact.h"

struct entry;
struct list {
	const char     *name;
	struct place    place;
	struct span    *texts;          /* all entries, in lower case */
	size_t          text_count;
	struct entry   *names;          /* mailboxes, domains, words */
	size_t          name_count;
	struct span    *suffixes;       /* .example.com without its dot */
	size_t          suffix_count;
	struct network *networks;       /* none inside another */
	size_t          network_count;
};

/* Entries from tokens (words or texts; no operator); false and complaints on errors. */
bool list_fill(struct list *, const struct token *, size_t count, struct arena *,
    struct complaints *);
/* Is there an entry that a fact of this type could ever match? */
bool list_serves(const struct list *, enum fact_type);
/* The value is known and of that type. */
bool list_holds(const struct list *, enum fact_type, const struct value *);

/* Without one dot at the end. */
struct span domain_trim(struct span);
#endif
