/*
 * walk.c - from findings to a verdict, rule by rule, with the trace.
 */
#include "lib/policy/expression.h"
#include "lib/policy/policy.h"
#include "lib/base/buf.h"
#include <assert.h>

/* What a rule without recipient terms gave for this message. */
struct walk_cache { bool known; struct trace trace; };

const char *
fate_name(enum fate f)
{
	switch (f) {
	case FATE_ACCEPT:     return "accept";
	case FATE_QUARANTINE: return "quarantine";
	case FATE_DISCARD:    return "discard";
	case FATE_DEFER:      return "defer";
	case FATE_REJECT:     return "reject";
	}
	return "?";
}

void
policy_walk_begin(struct policy_walk *w, const struct policy *p, const struct findings *f,
    struct arena *a)
{
	*w = (struct policy_walk){p, f, arena_array(a, struct walk_cache, p->rule_count)};
}

static struct trace
rule_value(const struct rule *r, const struct findings *f)
{
	struct trace t = { .result = TRACE_FIRED, .fact = FACT_COUNT };

	if (r->when == NULL)
		return t;
	switch (expression_value(r->when, f, &t)) {
	case TRUTH_NO:
		t.result = TRACE_NO;
		break;
	case TRUTH_YES:
		t.result = TRACE_FIRED;
		break;
	case TRUTH_UNKNOWN:
		t.result = TRACE_UNKNOWN;
		break;
	}
	return t;
}

static struct trace
cached_value(struct policy_walk *w, size_t index)
{
	const struct rule *r = &w->policy->rules[index];
	struct walk_cache *cache = &w->cache[index];

	if (!cache->known)
		*cache =
		    (struct walk_cache){!r->per_recipient, rule_value(r, w->findings)};
	return cache->trace;
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
apply(const struct rule *r, struct trace t, struct arena *a, struct verdict *v)
{
	if (r->monitor)
		return;
	v->unknown_met |= t.result == TRACE_UNKNOWN;
	if (t.result != TRACE_FIRED)
		return;
	collect(r, a, v);
	if (!r->has_fate)
		return;
	v->fate = r->fate;
	v->rule = r;
	v->fact = t.fact;
	v->reply = r->reply;
	v->quarantine = r->quarantine;
}

void
policy_walk_recipient(struct policy_walk *w, struct arena *a, struct verdict *v)
{
	const struct policy *p = w->policy;

	*v = (struct verdict){ .fact = FACT_COUNT,
		.traces = arena_array(a, struct trace, p->rule_count) };
	for (size_t i = 0; i < p->rule_count; i++)
		v->traces[i].fact = FACT_COUNT;
	/* The last rule always fires and has a fate. */
	for (size_t i = 0; v->rule == NULL; i++) {
		assert(i < p->rule_count);
		v->traces[i] = cached_value(w, i);
		apply(&p->rules[i], v->traces[i], a, v);
	}
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

bool
verdict_same_changes(const struct verdict *a, const struct verdict *b)
{
	if (a->fate != FATE_ACCEPT || b->fate != FATE_ACCEPT ||
	    a->change_count != b->change_count)
		return false;
	for (size_t i = 0; i < a->change_count; i++)
		if (!same_change(a->changes[i], b->changes[i]))
			return false;
	return true;
}
