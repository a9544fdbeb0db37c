/*
 * configuration.h - one configuration: its files read from disk, checked, compiled.
 *
 * Never changed after loading.  The master holds the one in force; pages of counters
 * hold the one whose rules they count.  The last who lets go frees it.
 */
#ifndef SRC_MASTER_CONFIGURATION_H
#define SRC_MASTER_CONFIGURATION_H
#include "lib/config/settings.h"
#include "lib/policy/policy.h"

#define REVISION_DIGITS 16

struct configuration {
	struct arena             arena;
	const char              *path;
	struct settings         *settings;
	const struct policy_set *policies;
	char                     revision[REVISION_DIGITS + 1];
	struct span              bundle;        /* all files, packed */
	uint64_t                 since_ms;      /* Unix time; the master's */
	uint32_t                 generation;    /* the master's */
	unsigned                 refs;
};

/* NULL when there were complaints.  The caller holds it. */
struct configuration *configuration_load(const char *path, struct complaints *);
struct configuration *configuration_hold(struct configuration *);
void configuration_drop(struct configuration **);

/* Is there a scanner that is a command, so that runners are needed? */
bool configuration_has_commands(const struct settings *);

/* Settings that only a new start can change: a complaint for each that differs. */
bool configuration_may_follow(const struct configuration *now,
    const struct configuration *next, struct complaints *);
#endif
