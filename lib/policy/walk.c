/*
 * walk.c - from findings to a verdict, rule by rule, with the trace.
 */
#include "lib/policy/expression.h"
#include "lib/policy/policy.h"
#include "lib/base/buf.h"
#include "lib/finding/score.h"
#include <assert.h>

/* What a rule gave, and the facts that made it unknown; kept where it is the same for all
   recipients. */
struct walk_cache { bool known; struct trace trace; struct fact_set unknown; };

const char *
fate_name(enum fate f)
{
	switch (f) {
	case FATE_ACCEPT:     return "accept";
	case FATE_QUARANTINE: return "quarantine";
	case FATE_DISCARD:    return "discard";
	case FATE_HOLD:       return "hold";
	case FATE_DEFER:      return "defer";
	case FATE_REJECT:     return "reject";
	}
	return "?";
}

void
policy_walk_begin(struct policy_walk *w, const struct policy *p, const struct findings *f,
    struct arena *a)
{
	*w = (struct policy_walk){ p, f, arena_array(a, struct walk_cache, p->rule_count), NULL,
		a };
}

static struct fact_set
unknown_facts(const struct rule *r, const struct findings *f, int64_t score)
{
	struct outlook o = expression_outlook(r->when, f, (struct score_range){ score, score });

	fact_set_join(&o.unknown, &o.pending);
	return o.unknown;
}

static struct walk_cache
rule_value(const struct rule *r, const struct findings *f, int64_t score)
{
	struct walk_cache c = { !r->per_recipient, { .result = TRACE_FIRED,
	    .fact = FACT_COUNT }, { { 0 } } };

	if (r->when == NULL)
		return c;
	switch (expression_value_if(r->when, f, score, NULL, &c.trace)) {
	case TRUTH_NO:
		c.trace.result = TRACE_NO;
		break;
	case TRUTH_YES:
		c.trace.result = TRACE_FIRED;
		break;
	case TRUTH_UNKNOWN:
		c.trace.result = TRACE_UNKNOWN;
		c.unknown = unknown_facts(r, f, score);
		break;
	}
	return c;
}

static const struct walk_cache *
cached_value(struct policy_walk *w, size_t index, int64_t score)
{
	struct walk_cache *cache = &w->cache[index];

	if (!cache->known)
		*cache = rule_value(&w->policy->rules[index], w->findings, score);
	return cache;
}

void
tag_add(struct tag *to, const struct tag *t)
{
	if (t->kind > to->kind)
		to->kind = t->kind;
	if (t->subject.len > 0)
		to->subject = t->subject;
	if (t->extension.len > 0)
		to->extension = t->extension;
	if (t->has_required && t->kind == to->kind) {
		to->has_required = true;
		to->required = t->required;
	}
}

static void
collect(const struct rule *r, struct arena *a, struct verdict *v)
{
	if (r->change_count > 0 && v->changes == NULL)
		v->changes = arena_array(a, const struct change *, POLICY_CHANGES);
	for (size_t i = 0; i < r->change_count; i++)
		if (v->change_count < POLICY_CHANGES)
			v->changes[v->change_count++] = &r->changes[i];
		else
			v->changes_cut = true;
}

static void
apply(const struct rule *r, const struct walk_cache *c, struct arena *a, struct verdict *v)
{
	if (r->monitor)
		return;
	v->unknown_met |= c->trace.result == TRACE_UNKNOWN;
	fact_set_join(&v->unknown_facts, &c->unknown);
	if (c->trace.result != TRACE_FIRED)
		return;
	collect(r, a, v);
	tag_add(&v->tag, &r->tag);
	v->score = score_bounded(v->score + score_bounded(r->score));
	if (!r->has_fate)
		return;
	v->fate = r->fate;
	v->rule = r;
	v->fact = c->trace.fact;
	v->reply = r->reply;
	v->quarantine = r->quarantine;
}

static struct fact_set
set_of(const enum fact *facts, size_t count)
{
	struct fact_set s = { 0 };

	for (size_t i = 0; i < count; i++)
		fact_set_add(&s, facts[i]);
	return s;
}

/* Would the rule have fired, had these truths been false? */
static bool
fires_without(const struct verdict *v, const struct findings *f, int64_t score,
    const struct fact_set *denied)
{
	struct trace t;

	return !fact_set_meets(&v->rule->facts, denied) ||
	    expression_value_if(v->rule->when, f, score, denied, &t) == TRUTH_YES;
}

/* It needed one of them, or one of them was as good as one of the others. */
static bool
decided_by(const struct verdict *v, const struct findings *f, int64_t score,
    const struct fact_set *facts, const struct fact_set *others)
{
	struct fact_set all = *facts;

	fact_set_join(&all, others);
	return !fires_without(v, f, score, facts) ||
	    (fact_set_meets(&v->rule->facts, facts) && !fires_without(v, f, score, &all) &&
	    fires_without(v, f, score, others));
}

static void
note_judgement(struct verdict *v, const struct findings *f, int64_t score)
{
	static const enum fact unscannable_facts[] = { FACT_VIRUS_UNSCANNABLE,
		FACT_MESSAGE_UNSCANNABLE };
	static const enum fact unseen_facts[] = { FACT_ARCHIVE_ENCRYPTED, FACT_ARCHIVE_LIMIT,
		FACT_MIME_BROKEN, FACT_ATTACHMENT_ENCRYPTED, FACT_ATTACHMENT_BROKEN,
		FACT_ATTACHMENT_UNSCANNABLE };
	struct fact_set unscannable = set_of(unscannable_facts, COUNT_OF(unscannable_facts));
	struct fact_set unseen = set_of(unseen_facts, COUNT_OF(unseen_facts));

	if (v->fate != FATE_ACCEPT || v->rule->when == NULL)
		return;
	v->decided_by_unscannable = decided_by(v, f, score, &unscannable, &unseen);
	v->decided_by_unseen = decided_by(v, f, score, &unseen, &unscannable);
}

void
policy_walk_recipient(struct policy_walk *w, struct arena *a, struct verdict *v)
{
	const struct policy *p = w->policy;
	int64_t score = 0;

	*v = (struct verdict){ .fact = FACT_COUNT,
		.traces = arena_array(a, struct trace, p->rule_count) };
	for (size_t i = 0; i < p->rule_count; i++)
		v->traces[i].fact = FACT_COUNT;
	/* The last rule always fires and has a fate. */
	for (size_t i = 0; v->rule == NULL; i++) {
		assert(i < p->rule_count);
		const struct walk_cache *c = cached_value(w, i, score = v->score);

		v->traces[i] = c->trace;
		apply(&p->rules[i], c, a, v);
	}
	note_judgement(v, w->findings, score);
}

/* --- what decided, in words --- */

static const char *
quantifier_name(enum quantifier q)
{
	switch (q) {
	case QUANTIFIER_NONE:  break;
	case QUANTIFIER_ANY:   return "any";
	case QUANTIFIER_ALL:   return "all";
	case QUANTIFIER_NO:    return "no";
	case QUANTIFIER_COUNT: return "count";
	}
	return "";
}

/* 'invoice.pdf.exe' (type = 'exe') */
static void
print_decider(struct buf *b, const struct trace *t, const struct item *item)
{
	const struct group_row *row = group_row(item->group);

	if (item_value(item, row->first)->state == FACT_KNOWN)
		value_print(b, row->first, item_value(item, row->first));
	else
		buf_printf(b, "number %u", t->item + 1);
	if (t->fact == row->first)
		return;
	buf_printf(b, " (%s = ", fact_row(t->fact)->name + strlen(row->name) + 1);
	value_print(b, t->fact, item_value(item, t->fact));
	buf_byte(b, ')');
}

static void
print_quantified(struct buf *b, const struct trace *t, const struct findings *f)
{
	enum fact_group g = fact_group(t->fact);
	const struct items *all = &f->groups[g];

	buf_printf(b, "%s %s: ", quantifier_name(t->quantifier), group_row(g)->name);
	if (all->reason.len > 0) {
		buf_add(b, all->reason);
		return;
	}
	if (t->quantifier == QUANTIFIER_COUNT)
		buf_printf(b, "%u of %zu%s", t->matched, all->count,
		    t->item < all->count ? ", first " : "");
	if (t->item < all->count)
		print_decider(b, t, all->list[t->item]);
	else if (t->quantifier != QUANTIFIER_COUNT)
		buf_printf(b, t->quantifier == QUANTIFIER_ALL && t->result != TRACE_UNKNOWN ?
		    "each of %zu" : "none of %zu", all->count);
	if (all->cut)
		buf_printf(b, ", and perhaps more");
}

struct span
trace_text(const struct trace *t, const struct policy *p, const struct findings *f,
    struct arena *a)
{
	struct buf b = { 0 };

	if (t->fact == FACT_COUNT)
		return SPAN_NONE;
	if (t->fact == FACT_PATTERN && p->patterns != NULL && t->item < p->patterns->count) {
		buf_printf(&b, "pattern.");
		buf_add(&b, p->patterns->list[t->item].name);
	} else if (fact_group(t->fact) == GROUP_NONE)
		return span_text(fact_row(t->fact)->name);
	else
		print_quantified(&b, t, f);
	struct span text = arena_span(a, buf_span(&b));

	buf_free(&b);
	return text;
}

void
policy_evaluate(const struct policy *p, const struct findings *f, struct arena *a,
    struct verdict *v)
{
	struct policy_walk w;

	policy_walk_begin(&w, p, f, a);
	policy_walk_recipient(&w, a, v);
}

static bool
same_change(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && span_equal_nocase(a->name, b->name) &&
	    span_equal(a->value, b->value);
}

/* The score stands in a tag's fields. */
static bool
same_tag(const struct verdict *a, const struct verdict *b)
{
	if (a->tag.kind != b->tag.kind)
		return false;
	return a->tag.kind == TAG_NONE || (a->score == b->score &&
	    span_equal(a->tag.subject, b->tag.subject) &&
	    a->tag.has_required == b->tag.has_required &&
	    a->tag.required == b->tag.required);
}

bool
verdict_same_changes(const struct verdict *a, const struct verdict *b)
{
	if (a->fate != FATE_ACCEPT || b->fate != FATE_ACCEPT ||
	    a->change_count != b->change_count || !same_tag(a, b))
		return false;
	for (size_t i = 0; i < a->change_count; i++)
		if (!same_change(a->changes[i], b->changes[i]))
			return false;
	return true;
}
