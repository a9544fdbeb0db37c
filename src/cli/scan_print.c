/*
 * scan_print.c - see scan_print.h.
 */
#include "src/cli/scan_print.h"
#include "lib/base/text.h"
#include "lib/finding/score.h"
#include <inttypes.h>
#include <stdio.h>

#define TEXT_SHOWN   1000
#define LINKS_LISTED  10        /* for people; JSON has all that the inspector named */

static const char *const results[] = {
	[TRACE_SKIPPED] = "skipped", [TRACE_NO] = "no", [TRACE_FIRED] = "fired",
	[TRACE_UNKNOWN] = "unknown",
};

static void
show(struct buf *b, struct span s)
{
	text_escape(b, s, TEXT_SHOWN, true);
}

static void
optional(struct buf *b, const char *before, struct span value)
{
	if (value.len == 0)
		return;
	buf_printf(b, "%s", before);
	show(b, value);
}

static bool
same_walk(const struct scan_outcome *r, const struct scan_recipient *a,
    const struct scan_recipient *c)
{
	for (size_t i = 0; i < r->policy->rule_count; i++)
		if (a->verdict.traces[i].result != c->verdict.traces[i].result ||
		    !span_equal(a->decided[i], c->decided[i]))
			return false;
	return true;
}

/* The trace of the rule that gave the fate. */
static struct span
decider(const struct scan_outcome *r, const struct scan_recipient *to)
{
	return to->decided[to->verdict.rule - r->policy->rules];
}

/* --- for people ---------------------------------------------------------------------- */

static void
print_name(struct buf *b, const struct scan_recipient *to)
{
	if (to->known)
		show(b, to->address);
	else
		buf_printf(b, "any recipient");
}

static void
print_decided(struct buf *b, struct span decided)
{
	if (decided.len == 0)
		return;
	buf_printf(b, " (");
	text_printed(b, decided, TEXT_SHOWN);
	buf_byte(b, ')');
}

static void
print_changes(struct buf *b, const struct verdict *v)
{
	for (size_t i = 0; i < v->change_count && v->fate == FATE_ACCEPT; i++) {
		const struct change *c = v->changes[i];

		buf_printf(b, "    header %s ", c->kind == CHANGE_ADD ? "add" : "remove");
		show(b, c->name);
		optional(b, ": ", c->value);
		buf_byte(b, '\n');
	}
}

/* Its fields are printable, but for the tabs of folded ones. */
static void
print_tag(struct buf *b, const struct scan_recipient *to)
{
	struct span rest = to->fields;

	optional(b, "    recipient becomes ", to->extended);
	if (to->extended.len > 0)
		buf_byte(b, '\n');
	if (rest.len > 0 && to->verdict.tag.subject.len > 0) {
		optional(b, "    before the subject: '", to->verdict.tag.subject);
		buf_printf(b, "'\n");
	}
	while (rest.len > 0) {
		size_t end = span_find(rest, '\r');

		buf_printf(b, "    ");
		buf_add(b, span_slice(rest, 0, end));
		buf_byte(b, '\n');
		rest = span_slice(rest, end + 2, rest.len);
	}
}

static void
print_recipient(struct buf *b, const struct scan_outcome *r, const struct scan_recipient *to)
{
	const struct verdict *v = &to->verdict;

	buf_printf(b, "  ");
	print_name(b, to);
	buf_printf(b, ": %s", fate_name(v->fate));
	optional(b, " in class ", v->quarantine);
	if (v->fate == FATE_DEFER && v->rule->fate == FATE_ACCEPT && to->would_ask.len > 0)
		buf_printf(b, " or accept, as scanners say");
	else if (v->fate == FATE_DEFER && v->rule->fate == FATE_ACCEPT)
		buf_printf(b, ", for a rule could not be decided");
	else {
		optional(b, " by rule ", v->rule->name);
		print_decided(b, decider(r, to));
	}
	optional(b, "; reply ", v->reply);
	optional(b, "; would ask ", to->would_ask);
	buf_byte(b, '\n');
	print_tag(b, to);
	print_changes(b, v);
}

static void
print_rule(struct buf *b, const struct scan_outcome *r, const struct scan_recipient *to,
    size_t i)
{
	const struct rule *rule = &r->policy->rules[i];
	enum trace_result result = to->verdict.traces[i].result;

	buf_printf(b, "  %srule ", rule->monitor ? "monitor " : "");
	show(b, rule->name);
	buf_printf(b, ": %s", results[result]);
	print_decided(b, to->decided[i]);
	if (rule->monitor && rule->has_fate && result == TRACE_FIRED)
		buf_printf(b, ", would have given: %s", fate_name(rule->fate));
	buf_byte(b, '\n');
}

static void
print_rules(struct buf *b, const struct scan_outcome *r)
{
	for (size_t i = 0; i < r->recipient_count; i++) {
		const struct scan_recipient *to = &r->recipients[i];

		if (i > 0 && same_walk(r, to, to - 1))
			continue;
		buf_printf(b, "\nRules");
		if (i > 0) {
			buf_printf(b, ", from ");
			print_name(b, to);
			buf_printf(b, " on");
		}
		buf_byte(b, '\n');
		for (size_t k = 0; k < r->policy->rule_count; k++)
			print_rule(b, r, to, k);
	}
}

static void
print_facts(struct buf *b, const struct findings *f)
{
	buf_printf(b, "\nFacts\n");
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++) {
		const struct value *v = &f->values[i];

		if (v->state == FACT_ABSENT || i == FACT_PATTERN)
			continue;
		buf_printf(b, "  %s %s ", fact_row((enum fact)i)->name,
		    v->state == FACT_KNOWN ? "=" : "is");
		value_print(b, (enum fact)i, v);
		buf_byte(b, '\n');
	}
	for (size_t i = 0; i < f->patterns.count; i++) {
		buf_printf(b, "  pattern.");
		show(b, f->patterns.list[i].name);
		buf_printf(b, f->patterns.list[i].unknown ? " is unknown\n" : " = true\n");
	}
}

static void
print_group(struct buf *b, const char *title, const struct items *all, size_t most)
{
	size_t shown = all->count < most ? all->count : most;

	if (all->count == 0 && !all->cut)
		return;
	buf_printf(b, "\n%s (%zu%s", title, all->count, all->cut ? " and perhaps more" : "");
	if (shown < all->count)
		buf_printf(b, ", the first %zu", shown);
	buf_printf(b, ")\n");
	optional(b, "  unknown: ", all->reason);
	if (all->reason.len > 0)
		buf_byte(b, '\n');
	for (size_t i = 0; i < shown; i++) {
		buf_printf(b, "  ");
		item_print(b, all->list[i]);
		buf_byte(b, '\n');
	}
}

void
scan_print(struct buf *b, const struct scan_outcome *r)
{
	const struct items *groups = r->findings.groups;

	show(b, span_text(r->file));
	buf_printf(b, ": %s\n  listener %s, policy ", fate_name(r->strictest),
	    r->listener->name);
	show(b, r->policy->name);
	optional(b, "\n  the inspector was not locked down: ", r->missing);
	if (r->unmarked)
		buf_printf(b, "\n  fields of other filters would be removed");
	buf_printf(b, "\n\nRecipients\n");
	for (size_t i = 0; i < r->recipient_count; i++)
		print_recipient(b, r, &r->recipients[i]);
	print_rules(b, r);
	print_facts(b, &r->findings);
	print_group(b, "Signatures", &groups[GROUP_SIGNATURE], SIZE_MAX);
	print_group(b, "Attachments", &groups[GROUP_ATTACHMENT], SIZE_MAX);
	print_group(b, "Links", &groups[GROUP_LINK], LINKS_LISTED);
}

/* --- JSON --------------------------------------------------------------------------- */

static void
json_key(struct buf *b, const char *key, bool first)
{
	buf_printf(b, first ? "\"%s\": " : ", \"%s\": ", key);
}

static void
json_text(struct buf *b, const char *key, struct span value, bool first)
{
	json_key(b, key, first);
	text_json(b, value);
}

static void
json_truth(struct buf *b, const char *key, bool value)
{
	json_key(b, key, false);
	buf_printf(b, value ? "true" : "false");
}

static void
json_address(struct buf *b, const struct address *a)
{
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, a);
	text_json(b, span_text(text));
}

/* A known value by its type. */
static void
json_value(struct buf *b, enum fact fact, const struct value *v)
{
	const struct fact_row *row = fact_row(fact);

	switch (row->type) {
	case TYPE_TRUTH:
		buf_printf(b, v->truth ? "true" : "false");
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
		buf_printf(b, "%" PRId64, v->number);
		break;
	case TYPE_SCORE:
		score_print(b, v->number);
		break;
	case TYPE_ENUM:
		text_json(b, span_text(row->words[v->number]));
		break;
	case TYPE_NETWORK:
		json_address(b, &v->address);
		break;
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
	case TYPE_WORDS:
		text_json(b, v->text);
		break;
	}
}

/* Known: the value.  Unknown: null, and the reason stands under "unknown". */
static void
json_facts(struct buf *b, const struct findings *f)
{
	bool first = true;

	json_key(b, "facts", false);
	buf_byte(b, '{');
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++) {
		const struct value *v = &f->values[i];

		if (v->state == FACT_ABSENT || i == FACT_PATTERN)
			continue;
		json_key(b, fact_row((enum fact)i)->name, first);
		first = false;
		if (v->state == FACT_KNOWN)
			json_value(b, (enum fact)i, v);
		else
			buf_printf(b, "null");
	}
	buf_byte(b, '}');
}

static void
json_unknown(struct buf *b, const struct findings *f)
{
	bool first = true;

	json_key(b, "unknown", false);
	buf_byte(b, '{');
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (f->values[i].state == FACT_UNKNOWN) {
			json_text(b, fact_row((enum fact)i)->name, f->values[i].text, first);
			first = false;
		}
	buf_byte(b, '}');
}

static void
json_patterns(struct buf *b, const struct pattern_hits *all)
{
	json_key(b, "patterns", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < all->count; i++) {
		buf_printf(b, i == 0 ? "{" : ", {");
		json_text(b, "name", all->list[i].name, true);
		json_truth(b, "unknown", all->list[i].unknown);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

/* Facts of an item have their short names: "type" of attachment.type. */
static void
json_item(struct buf *b, const struct group_row *row, const struct item *item)
{
	bool first = true;

	buf_byte(b, '{');
	for (unsigned f = row->first; f < row->end; f++) {
		const struct value *v = item_value(item, (enum fact)f);

		if (v->state == FACT_ABSENT)
			continue;
		json_key(b, fact_row((enum fact)f)->name + strlen(row->name) + 1, first);
		first = false;
		if (v->state == FACT_KNOWN)
			json_value(b, (enum fact)f, v);
		else
			buf_printf(b, "null");
	}
	buf_byte(b, '}');
}

static void
json_group(struct buf *b, enum fact_group g, const struct items *all)
{
	const struct group_row *row = group_row(g);

	json_key(b, row->name, false);
	buf_printf(b, "{\"items\": [");
	for (size_t i = 0; i < all->count; i++) {
		buf_printf(b, i == 0 ? "" : ", ");
		json_item(b, row, all->list[i]);
	}
	buf_byte(b, ']');
	json_truth(b, "cut", all->cut);
	json_text(b, "reason", all->reason, false);
	buf_byte(b, '}');
}

static void
json_rules(struct buf *b, const struct scan_outcome *r, const struct scan_recipient *to)
{
	json_key(b, "rules", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < r->policy->rule_count; i++) {
		const struct rule *rule = &r->policy->rules[i];

		buf_printf(b, i == 0 ? "{" : ", {");
		json_text(b, "rule", rule->name, true);
		json_truth(b, "monitor", rule->monitor);
		json_text(b, "result", span_text(results[to->verdict.traces[i].result]),
		    false);
		json_text(b, "decided_by", to->decided[i], false);
		if (rule->has_fate)
			json_text(b, "fate", span_text(fate_name(rule->fate)), false);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void
json_changes(struct buf *b, const struct verdict *v)
{
	json_key(b, "changes", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < v->change_count && v->fate == FATE_ACCEPT; i++) {
		const struct change *c = v->changes[i];

		buf_printf(b, i == 0 ? "{" : ", {");
		json_text(b, "change", c->kind == CHANGE_ADD ? SPAN_LIT("add") :
		    SPAN_LIT("remove"), true);
		json_text(b, "name", c->name, false);
		json_text(b, "value", c->value, false);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void
json_recipient(struct buf *b, const struct scan_outcome *r, const struct scan_recipient *to)
{
	const struct verdict *v = &to->verdict;

	buf_byte(b, '{');
	json_key(b, "address", true);
	if (to->known)
		text_json(b, to->address);
	else
		buf_printf(b, "null");
	json_text(b, "verdict", span_text(fate_name(v->fate)), false);
	json_text(b, "rule", v->rule->name, false);
	json_text(b, "decided_by", decider(r, to), false);
	json_truth(b, "undecided", v->unknown_met);
	json_text(b, "would_ask", to->would_ask, false);
	json_text(b, "quarantine", v->quarantine, false);
	json_text(b, "reply", v->reply, false);
	json_text(b, "tag_fields", to->fields, false);
	json_text(b, "tag_subject", to->fields.len > 0 ? v->tag.subject : SPAN_NONE, false);
	json_text(b, "tag_address", to->extended, false);
	json_changes(b, v);
	json_rules(b, r, to);
	buf_byte(b, '}');
}

void
scan_print_json(struct buf *b, const struct scan_outcome *r)
{
	buf_byte(b, '{');
	json_text(b, "file", span_text(r->file), true);
	json_text(b, "verdict", span_text(fate_name(r->strictest)), false);
	json_text(b, "listener", span_text(r->listener->name), false);
	json_text(b, "policy", r->policy->name, false);
	json_text(b, "not_locked_down", r->missing, false);
	json_truth(b, "fields_removed", r->unmarked);
	json_key(b, "recipients", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < r->recipient_count; i++) {
		buf_printf(b, i == 0 ? "" : ", ");
		json_recipient(b, r, &r->recipients[i]);
	}
	buf_byte(b, ']');
	json_facts(b, &r->findings);
	json_unknown(b, &r->findings);
	json_patterns(b, &r->findings.patterns);
	for (int g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		json_group(b, (enum fact_group)g, &r->findings.groups[g]);
	buf_printf(b, "}\n");
}
