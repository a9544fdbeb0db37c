/*
 * failure.c - what becomes of an accept when a check has failed.
 */
#include "lib/policy/policy.h"

/* A search among the scanners for those that explain why facts were unknown. */
struct search {
	const struct settings   *settings;
	struct fact_set          left;          /* unknown facts that nobody explains yet */
	struct on_failure_verdict found;
	bool                     infected;      /* and a rule has asked in vain for the name */
};

static enum fate
fate_on_failure(enum on_failure o)
{
	switch (o) {
	case ON_FAILURE_DEFER:  return FATE_DEFER;
	case ON_FAILURE_HOLD:   return FATE_HOLD;
	case ON_FAILURE_ACCEPT: break;
	}
	return FATE_ACCEPT;
}

/* Not scanned is one thing, infected with nobody knows what another. */
static bool
lacks_name(const struct search *s, const struct fact_set *gives)
{
	return s->infected && fact_set_has(gives, FACT_VIRUS_NAME);
}

static void
take_scanner(struct search *s, size_t i, const struct fact_set *gives)
{
	enum fate fate = fate_on_failure(s->settings->scanners[i].on_failure);

	if (fate == FATE_ACCEPT && lacks_name(s, gives))
		fate = FATE_DEFER;
	s->found.missing |= 1ull << i;
	if (s->found.scanner != SCANNER_NONE && fate <= s->found.fate)
		return;
	s->found.fate = fate;
	s->found.scanner = i;
}

/* A rule that has judged what is unscannable excuses those scanners. */
static void
take_scanners(struct search *s, const struct failures *f, const struct verdict *v)
{
	for (size_t i = 0; i < s->settings->scanner_count; i++) {
		struct fact_set gives = scanner_type_gives(s->settings->scanners[i].type);
		bool failed = f->scanners >> i & 1, unscannable = f->unscannable >> i & 1;

		if ((!failed && !unscannable) || !fact_set_meets(&gives, &v->unknown_facts))
			continue;
		fact_set_take(&s->left, &gives);
		if (failed || !v->decided_by_unscannable)
			take_scanner(s, i, &gives);
	}
}

struct on_failure_verdict
policy_on_failure(const struct verdict *v, const struct settings *settings,
    const struct failures *f)
{
	struct search s = { settings, v->unknown_facts, { v->fate, SCANNER_NONE, 0 },
	    f->infected && fact_set_has(&v->unknown_facts, FACT_VIRUS_NAME) };
	bool judged = f->message ? v->decided_by_unscannable : v->decided_by_unseen;
	struct fact_set content = fact_stage_set(STAGE_CONTENT);

	if (v->fate != FATE_ACCEPT)
		return s.found;
	if (judged)
		fact_set_take(&s.left, &content);
	take_scanners(&s, f, v);
	/* The inspector failed, or a comparison was given up. */
	if (!fact_set_is_empty(&s.left) || (f->message && !judged))
		return (struct on_failure_verdict){ FATE_DEFER, SCANNER_NONE, 0 };
	if (s.found.fate != FATE_ACCEPT)
		s.found.missing = 0;
	return s.found;
}
