/*
 * compile.c - policies and lists of the configuration, checked and made ready to walk.
 *
 * First the rules of every policy as they stand; then includes are replaced by the
 * rules they mean, a policy only after those it includes; then the listeners.
 */
#include "lib/policy/action.h"
#include "lib/policy/expression.h"
#include "lib/policy/policy.h"

/* A policy while it is compiled: its rules in order, an include in place of a rule. */
struct part {
	const struct token *include;    /* name of the included policy, or NULL: rule */
	struct rule         rule;
};

struct draft {
	struct part   *parts;
	size_t         part_count;
	struct rule    otherwise;
	bool           has_otherwise, done;
	size_t         blocked_by;      /* the draft that must be done before */
};

struct compiler {
	struct arena      *arena;
	struct complaints *complaints;
	const struct settings *settings;
	struct lists       lists;
	struct policy_set *set;
	struct draft      *drafts;      /* one a policy */
};

static struct reader
reader_of(struct compiler *c, const struct node *n, size_t at)
{
	return (struct reader){ .tokens = n->tokens, .at = at, .count = n->token_count,
		.end = n->end, .lists = &c->lists, .arena = c->arena,
		.complaints = c->complaints, .patterns = c->set->patterns,
		.settings = c->settings,
		.matchers = &c->set->matchers };
}

static bool
is_statement(const struct node *n, const char *word)
{
	return n->token_count > 0 && token_is(&n->tokens[0], word);
}

static size_t
count_statements(const struct node *n, const char *word)
{
	size_t count = 0;

	for (; n != NULL; n = n->next)
		count += word == NULL || is_statement(n, word);
	return count;
}

/* A name is a word: it stands in logs, headers and other statements. */
static const struct token *
take_name(struct reader *r, const char *of)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD || t->text.len > POLICY_NAME) {
		reader_expected(r, arena_printf(r->arena, "the name of a %s", of));
		return NULL;
	}
	r->at++;
	return t;
}

static void
complain_double(struct compiler *c, const struct token *t, const char *what,
    struct place first)
{
	complain(c->complaints, t->place, "there already is a %s %s, at %s:%u:%u", what,
	    token_shown(t).text, first.file, first.line, first.column);
}

/* list NAME inline ENTRY ...; */

static void
read_entries(struct compiler *c, struct reader *r, struct list *l)
{
	const struct token *t = reader_peek(r);

	if (t != NULL && (token_is(t, "file") || token_is(t, "map")))
		complain(c->complaints, t->place,
		    "lists from a file or map are not in this "
		    "version: write `inline' and the entries");
	else if (!reader_takes(r, "inline"))
		reader_expected(r, "`inline' and the entries");
	else if (reader_peek(r) == NULL)
		reader_expected(r, "an entry");
	else
		list_fill(
		    l, r->tokens + r->at, r->count - r->at, c->arena, c->complaints);
}

static void
read_list(struct compiler *c, const struct node *n)
{
	struct list *l = &c->lists.items[c->lists.count];
	struct reader r = reader_of(c, n, 1);
	const struct token *name = take_name(&r, "list");

	if (name == NULL)
		return;
	for (size_t i = 0; i < c->lists.count; i++)
		if (span_equal(name->text, span_text(c->lists.items[i].name))) {
			complain_double(c, name, "list", c->lists.items[i].place);
			return;
		}
	if (n->has_block) {
		complain(c->complaints, n->tokens[0].place,
		    "a list ends with ; and has no block");
		return;
	}
	l->name = arena_text(c->arena, name->text);
	l->place = name->place;
	c->lists.count++;
	read_entries(c, &r, l);
}

/* rule NAME when CONDITION then ACTIONS; */

static struct span
text_between(struct reader *r, size_t from, size_t to)
{
	struct buf b = { 0 };

	for (size_t i = from; i < to; i++) {
		if (i > from && !token_operator(&r->tokens[i], ")") &&
		    !token_operator(&r->tokens[i - 1], "("))
			buf_byte(&b, ' ');
		token_print(&r->tokens[i], &b);
	}
	struct span text = arena_span(r->arena, buf_span(&b));

	buf_free(&b);
	return text;
}

static bool
parse_when(struct reader *r, struct rule *rule)
{
	if (!reader_takes(r, "when"))
		return reader_expected(r, "`when' and a condition");
	size_t from = r->at;

	rule->when = expression_parse(r);
	if (rule->when == NULL)
		return false;
	rule->text = text_between(r, from, r->at);
	rule->per_recipient = rule->when->per_recipient;
	rule->wishes = rule->when->wishes;
	rule->facts = rule->when->facts;
	return reader_takes(r, "then") || reader_expected(r, "and, or, or `then'");
}

static bool
parse_rule(struct compiler *c, const struct node *n, struct rule *rule)
{
	struct reader r = reader_of(c, n, 0);

	rule->place = n->tokens[0].place;
	rule->monitor = reader_takes(&r, "monitor");
	if (!reader_takes(&r, "rule"))
		return reader_expected(&r, "`rule'");
	const struct token *name = take_name(&r, "rule");

	if (name == NULL)
		return false;
	rule->name = name->text;
	if (token_is(name, "otherwise")) {
		complain(c->complaints, name->place,
		    "expected another name: `otherwise' stands "
		    "for the last rule");
		return false;
	}
	if (!parse_when(&r, rule) || !actions_parse(&r, rule))
		return false;
	if (rule->tag.kind != TAG_NONE)
		rule->tag.has_required = expression_bound(rule->when, &rule->tag.required);
	return true;
}

static bool
parse_otherwise(struct compiler *c, const struct node *n, struct rule *rule)
{
	struct reader r = reader_of(c, n, 1);

	rule->place = n->tokens[0].place;
	rule->name = n->tokens[0].text;
	if (!actions_parse(&r, rule))
		return false;
	if (!rule->has_fate)
		complain(c->complaints, n->end,
		    "`otherwise' must end with accept, reject, defer, hold, "
		    "discard or quarantine");
	return rule->has_fate;
}

/* policy NAME { ... } */

static bool
parse_include(struct compiler *c, const struct node *n, struct part *part)
{
	struct reader r = reader_of(c, n, 1);

	part->include = take_name(&r, "policy");
	if (part->include == NULL)
		return false;
	return reader_peek(&r) == NULL ||
	       reader_expected(&r, "; after the policy's name");
}

static void
unknown_statement(struct compiler *c, const struct token *t)
{
	static const char *const known[] = { "rule", "monitor", "include", "otherwise" };
	struct nearest n = { .word = t->text };

	for (size_t i = 0; i < COUNT_OF(known); i++)
		nearest_try(&n, known[i]);
	complain(c->complaints, t->place, "unknown word %s%s", token_shown(t).text,
	    n.name != NULL ? nearest_hint(&n).text :
	    ": a policy holds rule, monitor rule, include and otherwise");
}

static void
read_statement(struct compiler *c, struct draft *d, const struct node *n)
{
	struct part *part = &d->parts[d->part_count];

	if (d->has_otherwise)
		complain(c->complaints, n->tokens[0].place,
		    "nothing can stand after `otherwise'");
	else if (n->has_block)
		complain(c->complaints, n->tokens[0].place,
		    "a policy's statement ends with ; and has no block");
	else if (is_statement(n, "otherwise")) {
		d->has_otherwise = true;
		parse_otherwise(c, n, &d->otherwise);
	} else if (is_statement(n, "include"))
		d->part_count += parse_include(c, n, part);
	else if (is_statement(n, "rule") || is_statement(n, "monitor"))
		d->part_count += parse_rule(c, n, &part->rule);
	else
		unknown_statement(c, &n->tokens[0]);
}

static bool
parse_policy_head(struct compiler *c, const struct node *n, struct policy *p)
{
	struct reader r = reader_of(c, n, 1);
	const struct token *name = take_name(&r, "policy");

	if (name == NULL)
		return false;
	p->name = name->text;
	p->place = name->place;
	p->patterns = c->set->patterns;
	const struct policy *twin = policy_find(c->set, p->name);

	if (twin != NULL) {
		complain_double(c, name, "policy", twin->place);
		return false;
	}
	if (reader_peek(&r) == NULL && n->has_block)
		return true;
	return reader_expected(&r, "{ and the rules");
}

static void
read_policy(struct compiler *c, const struct node *n)
{
	struct policy *p = &c->set->policies[c->set->policy_count];
	struct draft *d = &c->drafts[c->set->policy_count];
	size_t statements = count_statements(n->children, NULL);

	if (!parse_policy_head(c, n, p))
		return;
	c->set->policy_count++;
	if (statements > POLICY_RULES) {
		complain(c->complaints, p->place, "a policy has at most %d rules",
		    POLICY_RULES);
		return;
	}
	d->parts = arena_array(c->arena, struct part, statements);
	for (const struct node *s = n->children; s != NULL; s = s->next)
		read_statement(c, d, s);
	if (!d->has_otherwise)
		complain(c->complaints, n->end,
		    "expected `otherwise' and what becomes of mail that "
		    "no rule decides");
}

/* Includes. */

static size_t
find_included(struct compiler *c, const struct token *name)
{
	struct nearest n = { .word = name->text };
	size_t i = 0;

	for (; i < c->set->policy_count; i++) {
		struct span known = c->set->policies[i].name;

		if (span_equal(known, name->text))
			return i;
		nearest_try(&n, arena_text(c->arena, known));
	}
	complain(c->complaints, name->place, "unknown policy %s%s",
	    token_shown(name).text, nearest_hint(&n).text);
	return i;
}

/* All that a policy includes is known and done; else *failed, or blocked_by is set. */
static bool
is_ready(struct compiler *c, struct draft *d, bool *failed)
{
	for (size_t i = 0; i < d->part_count; i++) {
		if (d->parts[i].include == NULL)
			continue;
		d->blocked_by = find_included(c, d->parts[i].include);
		*failed = d->blocked_by == c->set->policy_count;
		if (*failed || !c->drafts[d->blocked_by].done)
			return false;
	}
	return true;
}

static bool
has_rule(struct compiler *c, const struct policy *p, const struct rule *rule,
    struct place place)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *r = &p->rules[i];

		if (!span_equal(r->name, rule->name))
			continue;
		complain(c->complaints, place,
		    "there already is a rule `%.*s', at %s:%u:%u", (int)rule->name.len,
		    (const char *)rule->name.ptr, r->place.file, r->place.line,
		    r->place.column);
		return true;
	}
	return false;
}

static bool
add_rule(
    struct compiler *c, struct policy *p, const struct rule *rule, struct place place)
{
	if (p->rule_count > POLICY_RULES) {
		complain(c->complaints, place,
		    "a policy has at most %d rules, those of included "
		    "policies among them",
		    POLICY_RULES);
		return false;
	}
	if (has_rule(c, p, rule, place))
		return false;
	p->rules[p->rule_count] = *rule;
	p->rules[p->rule_count++].slot = c->set->slots++;
	return true;
}

/* Its `otherwise` is not taken: the including policy has its own. */
static bool
add_included(struct compiler *c, struct policy *p, const struct token *name)
{
	const struct policy *from = policy_find(c->set, name->text);

	for (size_t i = 0; i + 1 < from->rule_count; i++)
		if (!add_rule(c, p, &from->rules[i], name->place))
			return false;
	return true;
}

static size_t
rules_in_all(struct compiler *c, const struct draft *d)
{
	size_t count = 1;

	for (size_t i = 0; i < d->part_count; i++)
		count += d->parts[i].include == NULL ? 1 :
		    policy_find(c->set, d->parts[i].include->text)->rule_count;
	return count < POLICY_RULES + 1 ? count : POLICY_RULES + 1;
}

/* A status of No names the bound that a real tag has. */
static void
share_required(struct policy *p)
{
	const struct rule *first = p->rules;

	while (first < p->rules + p->rule_count && (first->monitor ||
	    first->tag.kind != TAG_SPAM || !first->tag.has_required))
		first++;
	if (first == p->rules + p->rule_count)
		return;
	for (size_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].tag.kind == TAG_STATUS) {
			p->rules[i].tag.has_required = true;
			p->rules[i].tag.required = first->tag.required;
		}
}

/* A rule that asks for a score which is not the same for all recipients is asked for each
   of them. */
static void
link_rules(struct policy *p)
{
	bool varies = false;

	for (size_t i = 0; i < p->rule_count; i++) {
		struct rule *r = &p->rules[i];

		r->per_recipient |= varies && fact_set_has(&r->facts, FACT_SPAM_SCORE);
		varies |= r->per_recipient && r->score != 0 && !r->monitor;
		fact_set_join(&p->facts, &r->facts);
	}
	share_required(p);
}

static bool
finish_policy(struct compiler *c, size_t index)
{
	struct policy *p = &c->set->policies[index];
	struct draft *d = &c->drafts[index];

	p->rules = arena_array(c->arena, struct rule, rules_in_all(c, d));
	for (size_t i = 0; i < d->part_count; i++) {
		const struct part *part = &d->parts[i];
		bool ok = part->include != NULL ? add_included(c, p, part->include) :
		    add_rule(c, p, &part->rule, part->rule.place);

		if (!ok)
			return false;
	}
	d->done = true;
	if (!add_rule(c, p, &d->otherwise, p->place))
		return false;
	link_rules(p);
	return true;
}

/* Who follows the blocking includes and comes back stands in a circle. */
static bool
is_in_circle(struct compiler *c, size_t index)
{
	size_t at = index;

	for (size_t steps = 0; steps < c->set->policy_count; steps++) {
		at = c->drafts[at].blocked_by;
		if (at == index)
			return true;
	}
	return false;
}

static void
complain_circles(struct compiler *c)
{
	for (size_t i = 0; i < c->set->policy_count; i++)
		if (!c->drafts[i].done && is_in_circle(c, i))
			complain(c->complaints, c->set->policies[i].place,
			    "policy `%.*s' includes "
			    "itself, by way of `%.*s'",
			    (int)c->set->policies[i].name.len,
			    (const char *)c->set->policies[i].name.ptr,
			    (int)c->set->policies[c->drafts[i].blocked_by].name.len,
			    (const char *)c->set->policies[c->drafts[i].blocked_by]
				.name.ptr);
}

/* Round after round, those whose includes are done; what is left then are circles and
   those that need them. */
static void
resolve_includes(struct compiler *c)
{
	bool progress = true, failed = false;
	size_t left = c->set->policy_count;

	while (progress && left > 0) {
		progress = false;
		for (size_t i = 0; i < c->set->policy_count; i++) {
			if (c->drafts[i].done)
				continue;
			if (is_ready(c, &c->drafts[i], &failed)) {
				if (!finish_policy(c, i))
					return;
				progress = true;
				left--;
			}
			if (failed)
				return;
		}
	}
	if (left > 0)
		complain_circles(c);
}

/* Listeners. */

static bool
may_hold(const struct rule *r)
{
	return r->monitor || !r->has_fate || r->fate != FATE_HOLD;
}

static void
check_holds(struct compiler *c, const struct listener *l, const struct policy *p)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *r = &p->rules[i];

		if (!may_hold(r))
			complain(c->complaints, r->place, "`%.*s' holds mail behind a queue "
			    "(listener `%s'), where the MTA keeps it and tries again: use "
			    "defer", (int)r->name.len, (const char *)r->name.ptr, l->name);
	}
}

/* Would the failure of such a scanner be a reason for holding? */
static bool
needs_scanner(const struct policy *p, enum scanner_type type)
{
	struct fact_set gives = scanner_type_gives(type);

	for (size_t i = 0; i < p->rule_count; i++)
		if (!p->rules[i].monitor && fact_set_meets(&p->rules[i].facts, &gives))
			return true;
	return false;
}

static void
check_failures(struct compiler *c, const struct listener *l, const struct policy *p)
{
	for (size_t i = 0; i < c->settings->scanner_count; i++) {
		const struct scanner *s = &c->settings->scanners[i];

		if (s->on_failure == ON_FAILURE_HOLD && needs_scanner(p, s->type))
			complain(c->complaints, s->on_failure_place, "scanner `%s' cannot hold "
			    "mail behind a queue (listener `%s', policy `%.*s'), where the MTA "
			    "keeps it and tries again: use `on-failure defer'", s->name, l->name,
			    (int)p->name.len, (const char *)p->name.ptr);
	}
}

static bool
may_reject(const struct rule *r)
{
	return r->monitor || !r->has_fate || r->fate != FATE_REJECT ||
	    (r->when != NULL && r->when->needs_own_client);
}

/* The MTA has said 250 already: a 5xx now makes it send a bounce. */
static void
check_after_queue(struct compiler *c, const struct listener *l, const struct policy *p)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *r = &p->rules[i];

		if (may_reject(r))
			continue;
		if (r->when == NULL)
			complain(c->complaints, r->place,
			    "`otherwise reject' behind a queue "
			    "(listener `%s') makes the MTA bounce, often to a forged "
			    "sender: use "
			    "quarantine, discard or defer",
			    l->name);
		else
			complain(c->complaints, r->place,
			    "rule `%.*s' rejects behind a queue "
			    "(listener `%s') and makes the MTA bounce, often to a forged "
			    "sender: "
			    "write `(...) and client.authenticated' or `(...) and "
			    "client.local', or "
			    "use quarantine, discard or defer",
			    (int)r->name.len, (const char *)r->name.ptr, l->name);
	}
}

static const struct listener *
first_after_queue(const struct settings *s, const struct policy *p)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct listener *l = &s->listeners[i];

		if (l->queue == QUEUE_AFTER && l->policy != NULL &&
		    span_equal(p->name, span_text(l->policy)))
			return l;
	}
	return NULL;
}

static void
check_listener(struct compiler *c, const struct listener *l)
{
	struct nearest n = { .word = span_text(l->policy != NULL ? l->policy : "") };

	if (l->policy == NULL) {
		complain(c->complaints, l->place, "expected a policy for listener `%s'",
		    l->name);
		return;
	}
	if (policy_find(c->set, n.word) != NULL)
		return;
	for (size_t i = 0; i < c->set->policy_count; i++)
		nearest_try(&n, arena_text(c->arena, c->set->policies[i].name));
	complain(c->complaints, l->policy_place, "unknown policy `%s'%s", l->policy,
	    nearest_hint(&n).text);
}

static void
check_listeners(struct compiler *c, const struct settings *s)
{
	for (size_t i = 0; i < s->listener_count; i++)
		check_listener(c, &s->listeners[i]);
	for (size_t i = 0; i < c->set->policy_count; i++) {
		const struct listener *l = first_after_queue(s, &c->set->policies[i]);

		if (l == NULL)
			continue;
		check_after_queue(c, l, &c->set->policies[i]);
		check_holds(c, l, &c->set->policies[i]);
		check_failures(c, l, &c->set->policies[i]);
	}
}

const struct policy *
policy_find(const struct policy_set *set, struct span name)
{
	for (size_t i = 0; i < set->policy_count; i++)
		if (span_equal(set->policies[i].name, name))
			return &set->policies[i];
	return NULL;
}

static bool
within_limits(struct compiler *c, const struct node *tree, const char *word, size_t most)
{
	size_t count = 0;

	for (; tree != NULL; tree = tree->next)
		if (is_statement(tree, word) && ++count > most) {
			complain(c->complaints, tree->tokens[0].place,
			    "expected at most %zu statements that begin with `%s'", most,
			    word);
			return false;
		}
	return true;
}

static void
read_tree(struct compiler *c, const struct node *tree)
{
	size_t lists = count_statements(tree, "list");
	size_t policies = count_statements(tree, "policy");

	c->lists.items = arena_array(c->arena, struct list, lists);
	c->set->policies = arena_array(c->arena, struct policy, policies);
	c->set->patterns = patterns_compile(tree, c->arena, c->complaints);
	c->drafts = arena_array(c->arena, struct draft, policies);
	for (const struct node *n = tree; n != NULL; n = n->next)
		if (is_statement(n, "list"))
			read_list(c, n);
	for (const struct node *n = tree; n != NULL; n = n->next)
		if (is_statement(n, "policy"))
			read_policy(c, n);
}

/* Who runs it compiles it again, and then it is good. */
static void
check_scanners(struct compiler *c)
{
	for (size_t i = 0; i < c->settings->scanner_count; i++) {
		const struct regex_text *p = &c->settings->scanners[i].infected_pattern;
		struct regex_fault fault;

		if (p->text.len > 0 &&
		    regex_compile(p->text, p->flags, c->arena, &fault) == NULL)
			complain(c->complaints, p->place, "bad regular expression, at its byte "
			    "%zu: %s", fault.at + 1, fault.text);
	}
}

struct policy_set *
policy_compile(const struct settings *s, struct arena *a, struct complaints *complaints)
{
	struct compiler c = { .arena = a, .complaints = complaints, .settings = s,
		.set = arena_new(a, struct policy_set) };
	unsigned before = complaints->count;

	if (!within_limits(&c, s->tree, "list", POLICY_LISTS) ||
	    !within_limits(&c, s->tree, "policy", POLICY_POLICIES))
		return NULL;
	check_scanners(&c);
	read_tree(&c, s->tree);
	if (complaints->count == before)
		resolve_includes(&c);
	if (complaints->count == before)
		check_listeners(&c, s);
	if (complaints->count == before)
		return c.set;
	policy_release(c.set);
	return NULL;
}

void
policy_release(const struct policy_set *set)
{
	if (set == NULL)
		return;
	patterns_release(set->patterns);
	for (struct matcher *m = set->matchers; m != NULL; m = m->next)
		regex_release(m->regex);
}

struct fact_set
policy_facts(const struct policy *p)
{
	return p->facts;
}

unsigned
policy_wishes(const struct policy *p)
{
	unsigned wishes = 0;

	for (size_t i = 0; i < p->rule_count; i++)
		wishes |= p->rules[i].wishes;
	return wishes;
}
