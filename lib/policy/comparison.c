/*
 * comparison.c - what each type of fact may be compared with, and the comparing.
 */
#include "lib/policy/comparison.h"
#include "lib/base/text.h"
#include "lib/config/value.h"
#include "lib/finding/score.h"
#include "lib/smtp/address.h"

static const struct op_row { const char *text; enum comparison_op op; } ops[] = {
	{ "=",  OP_EQ }, { "!=", OP_NE }, { "<",  OP_LT }, { "<=", OP_LE },
	{ ">",  OP_GT }, { ">=", OP_GE }, { "in", OP_IN },
	{ "matches", OP_MATCHES },
};

/* A text of 1000 bytes is tried from each of them. */
#define MATCH_STEPS     10000
/* So often a regular expression may give up in one condition; then none is tried. */
#define MATCH_LIMITS    16

/* Words that can stand where a value was forgotten. */
static const char *const keywords[] = { "and", "or", "not", "then", "in", "matches" };

static bool
is_keyword(const struct token *t)
{
	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (token_is(t, keywords[i]))
			return true;
	return false;
}

/* A word or a text that stands as a value; taken.  NULL: complained. */
static const struct token *
take_value(struct reader *r, const char *what)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || (t->kind != TOKEN_WORD && t->kind != TOKEN_TEXT) ||
	    is_keyword(t)) {
		reader_expected(r, what);
		return NULL;
	}
	r->at++;
	return t;
}

/* A truth is an enumeration of two words. */
static bool
parse_word(struct reader *r, struct comparison *c, const char *const *words)
{
	const struct token *t = take_value(r, "one of the fact's words");
	struct buf all = { 0 };

	if (t == NULL)
		return false;
	struct nearest n = { .word = t->text };

	for (c->number = 0; words[c->number] != NULL; c->number++) {
		if (span_equal(t->text, span_text(words[c->number])))
			return true;
		nearest_try(&n, words[c->number]);
	}
	for (size_t i = 0; words[i] != NULL; i++)
		buf_printf(&all,
		    i == 0                 ? "%s"
		    : words[i + 1] != NULL ? ", %s"
					   : " or %s",
		    words[i]);
	complain(r->complaints, t->place, "expected %s, not %s%s", buf_text(&all),
	    token_shown(t).text, nearest_hint(&n).text);
	buf_free(&all);
	return false;
}

static bool
parse_quantity(struct reader *r, struct comparison *c, enum fact_type type)
{
	const char *what = type == TYPE_SIZE ? "a size such as 10M" :
	    type == TYPE_TIME ? "a time such as 30s" :
	    type == TYPE_SCORE ? "a score such as 5, 6.31 or -2.5" : "a number";
	const struct token *t = take_value(r, what);
	uint64_t n;

	if (t == NULL)
		return false;
	if (type == TYPE_SCORE)
		return score_parse(t->text, &c->number) || reader_not(r, t, what);
	bool ok = type == TYPE_SIZE   ? value_size(t->text, &n)
		  : type == TYPE_TIME ? value_time(t->text, &n)
				      : text_number(t->text, INT64_MAX, &n);

	if (!ok || n > INT64_MAX)
		return reader_not(r, t, what);
	c->number = (int64_t)n;
	return true;
}

static bool
parse_address(struct reader *r, struct comparison *c)
{
	const struct token *t = take_value(r, "an IP address");

	if (t == NULL)
		return false;
	return address_parse(t->text, &c->address) ||
	    reader_not(r, t, "an IP address (a network stands after `in')");
}

static bool
is_plain(enum fact_type t)
{
	return t == TYPE_TEXT || t == TYPE_WORDS;
}

/* Never equal to any fact: said now, rather than a rule that never fires. */
static const char *
useless_text(const struct token *t, enum fact_type type)
{
	bool at = span_find(t->text, '@') < t->text.len;
	bool dot = span_find(t->text, '.') < t->text.len;

	if (t->kind == TOKEN_WORD && t->text.ptr[0] == '@')
		return "a list stands after `in'";
	if (is_plain(type) || t->text.len == 0)
		return NULL;
	if (t->text.ptr[0] == '.' || t->text.ptr[0] == '@')
		return "more than one stand after `in'";
	if (type == TYPE_DOMAIN && at)
		return "a domain has no @";
	if (type == TYPE_MAILBOX && t->kind == TOKEN_WORD && dot && !at)
		return "a mailbox has an @; a domain stands after `in'";
	return NULL;
}

static bool
parse_text(struct reader *r, struct comparison *c, enum fact_type type)
{
	const char *what = is_plain(type) ? "a text" :
	    type == TYPE_DOMAIN ? "a domain" : "a mailbox";
	const struct token *t = take_value(r, what);

	if (t == NULL)
		return false;
	const char *why = useless_text(t, type);

	if (why != NULL) {
		complain(r->complaints, t->place, "expected %s, not %s: %s", what,
		    token_shown(t).text, why);
		return false;
	}
	c->text = is_plain(type)        ? t->text
		  : type == TYPE_DOMAIN ? domain_trim(t->text)
					: address_normal(t->text, r->arena);
	return true;
}

static const struct list *
find_list(struct reader *r, const struct token *t)
{
	struct nearest n = { .word = span_slice(t->text, 1, t->text.len) };

	for (size_t i = 0; i < r->lists->count; i++) {
		const struct list *l = &r->lists->items[i];

		if (span_equal(n.word, span_text(l->name)))
			return l;
		nearest_try(&n, l->name);
	}
	complain(r->complaints, t->place, "unknown list %s%s", token_shown(t).text,
	    nearest_hint(&n).text);
	return NULL;
}

/* A list of one entry that stands in the rule itself. */
static const struct list *
own_list(struct reader *r, const struct token *t)
{
	struct list *l = arena_new(r->arena, struct list);

	l->name = arena_text(r->arena, t->text);
	l->place = t->place;
	return list_fill(l, t, 1, r->arena, r->complaints) ? l : NULL;
}

static const char *
entry_name(enum fact_type type)
{
	return type == TYPE_NETWORK ? "network" : type == TYPE_DOMAIN ? "domain" :
	    type == TYPE_MAILBOX ? "mailbox or domain" : "text";
}

static bool
parse_list(struct reader *r, struct comparison *c, enum fact_type type)
{
	const char *what = type == TYPE_NETWORK ? "ADDRESS/BITS or @list" :
	    is_plain(type) ? "@list" : "a domain, .domain or @list";
	const struct token *t = take_value(r, what);

	if (t == NULL)
		return false;
	bool named = t->kind == TOKEN_WORD && t->text.ptr[0] == '@';

	if (!named && is_plain(type))
		return reader_not(r, t, what);
	c->list = named ? find_list(r, t) : own_list(r, t);
	if (c->list == NULL)
		return false;
	if (list_serves(c->list, type))
		return true;
	if (!named)
		return reader_not(r, t, what);
	complain(r->complaints, t->place, "list %s has no %s, so %s is never in it",
	    token_shown(t).text, entry_name(type), fact_row(c->fact)->name);
	return false;
}

static bool
is_ordered(enum fact_type t)
{
	return t == TYPE_NUMBER || t == TYPE_SIZE || t == TYPE_TIME || t == TYPE_SCORE;
}

static bool
has_lists(enum fact_type t)
{
	return t == TYPE_TEXT || t == TYPE_NETWORK || t == TYPE_MAILBOX ||
	       t == TYPE_DOMAIN || t == TYPE_WORDS;
}

static bool
has_text(enum fact_type t)
{
	return has_lists(t) && t != TYPE_NETWORK;
}

static bool
op_fits(enum comparison_op op, enum fact_type type)
{
	if (op == OP_IN)
		return has_lists(type);
	if (op == OP_MATCHES)
		return has_text(type);
	return op == OP_EQ || op == OP_NE || is_ordered(type);
}

/* What may stand behind a fact of this type, for errors. */
static const char *
ops_of(enum fact_type t)
{
	return is_ordered(t)  ? "= != < <= > or >="
	       : has_text(t)  ? "= != in or matches"
	       : has_lists(t) ? "= != or in"
			      : "= or !=";
}

static bool
parse_regex(struct reader *r, struct comparison *c)
{
	const struct token *t = reader_peek(r);
	struct regex_fault fault;

	if (t == NULL || t->kind != TOKEN_REGEX)
		return reader_expected(r, "a regular expression /.../");
	r->at++;
	struct regex *regex = regex_compile(t->text, t->flags, r->arena, &fault);

	if (regex == NULL) {
		complain(r->complaints, t->place, "bad regular expression, at its byte %zu: "
		    "%s", fault.at + 1, fault.text);
		return false;
	}
	if (r->matchers != NULL) {
		struct matcher *m = arena_new(r->arena, struct matcher);

		regex_speed_up(regex);
		*m = (struct matcher){ regex, *r->matchers };
		*r->matchers = m;
	}
	c->regex = regex;
	return true;
}

static bool
parse_right(struct reader *r, struct comparison *c)
{
	static const char *const yes_no[] = { "no", "yes", NULL };
	const struct fact_row *row = fact_row(c->fact);

	if (c->op == OP_IN)
		return parse_list(r, c, row->type);
	if (c->op == OP_MATCHES)
		return parse_regex(r, c);
	switch (row->type) {
	case TYPE_TRUTH:
		return parse_word(r, c, yes_no);
	case TYPE_ENUM:
		return parse_word(r, c, row->words);
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_SCORE:
		return parse_quantity(r, c, row->type);
	case TYPE_NETWORK:
		return parse_address(r, c);
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
	case TYPE_WORDS:
		return parse_text(r, c, row->type);
	}
	return false;
}

static const struct op_row *
find_op(const struct token *t)
{
	for (size_t i = 0; i < COUNT_OF(ops); i++)
		if (t != NULL &&
		    (token_operator(t, ops[i].text) || token_is(t, ops[i].text)))
			return &ops[i];
	return NULL;
}

static bool
parse_op(struct reader *r, struct comparison *c)
{
	const struct fact_row *row = fact_row(c->fact);
	const struct token *t = reader_peek(r);
	const struct op_row *op = find_op(t);

	if (op == NULL && row->type == TYPE_TRUTH) {
		c->op = OP_EQ;
		c->number = 1;
		return true;
	}
	if (op == NULL || !op_fits(op->op, row->type))
		return reader_expected(r, arena_printf(r->arena, "%s after %s, a fact of "
		    "type %s", ops_of(row->type), row->name, fact_type_name(row->type)));
	c->op = op->op;
	r->at++;
	return parse_right(r, c);
}

bool
comparison_parse_count(struct reader *r, struct comparison *c)
{
	const struct op_row *op = find_op(reader_peek(r));

	if (op == NULL || op->op == OP_IN || op->op == OP_MATCHES)
		return reader_expected(r, "= != < <= > or >= and a number");
	c->op = op->op;
	r->at++;
	return parse_quantity(r, c, TYPE_NUMBER);
}

static bool
unknown_fact(struct reader *r, const struct token *t)
{
	struct nearest n = { .word = t->text, .name = fact_nearest(t->text) };

	complain(r->complaints, t->place, "unknown fact %s%s", token_shown(t).text,
	    nearest_hint(&n).text);
	return false;
}

/* Inside parentheses of a group: only its facts, so that all speak of one item. */
static bool
not_of_group(struct reader *r, const struct token *t)
{
	const struct group_row *row = group_row(r->group);
	struct nearest n = { .word = t->text };

	for (unsigned f = row->first; f < row->end; f++)
		nearest_try(&n, fact_row((enum fact)f)->name + strlen(row->name) + 1);
	complain(r->complaints, t->place, "expected a fact of the group %s, not %s%s",
	    row->name, token_shown(t).text, nearest_hint(&n).text);
	return false;
}

static bool
find_pattern(struct reader *r, const struct token *t, struct comparison *c)
{
	static const char prefix[] = "pattern.";
	struct nearest n = { .word = span_slice(t->text, sizeof prefix - 1, t->text.len) };
	size_t count = r->patterns != NULL ? r->patterns->count : 0;

	for (size_t i = 0; i < count; i++) {
		const struct pattern *p = &r->patterns->list[i];

		if (span_equal(p->name, n.word)) {
			c->fact = FACT_PATTERN;
			c->pattern.index = (uint32_t)i;
			c->pattern.id = p->id;
			c->pattern.set = r->patterns->digest;
			return true;
		}
		nearest_try(&n, arena_text(r->arena, p->name));
	}
	complain(r->complaints, t->place, "there is no pattern for %s%s", token_shown(t).text,
	    nearest_hint(&n).text);
	return false;
}

/* A scanner that is not there would leave the fact unknown for ever. */
static bool
not_told(struct reader *r, const struct token *t, enum fact fact)
{
	bool any = fact_group(fact) == GROUP_SCANNER;
	bool spam = fact_group(fact) == GROUP_SYMBOL;

	complain(r->complaints, t->place, "there is no %sscanner that could tell %s: add one, "
	    "such as `scanner %s; }'", any ? "" : spam ? "spam " : "virus ",
	    fact_row(fact)->name, spam ? "spamd { type spamd; at 127.0.0.1:783" :
	    "clamd { type clamd; at unix:/run/clamav/clamd.ctl");
	return false;
}

/* spam.score is what rules add to it, at least. */
static bool
is_told(struct reader *r, const struct token *t, enum fact fact)
{
	if (r->settings == NULL || fact == FACT_SPAM_SCORE ||
	    fact_row(fact)->stage != STAGE_SCANNER)
		return true;
	for (size_t i = 0; i < r->settings->scanner_count; i++) {
		struct fact_set gives = scanner_type_gives(r->settings->scanners[i].type);

		if (fact_set_has(&gives, fact))
			return true;
	}
	return not_told(r, t, fact);
}

static bool
find_fact(struct reader *r, const struct token *t, struct comparison *c)
{
	if (r->group != GROUP_NONE) {
		c->fact = fact_find_in(r->group, t->text);
		if (c->fact == FACT_COUNT)
			c->fact = fact_find(t->text);
		return (c->fact != FACT_COUNT && fact_group(c->fact) == r->group) ||
		    not_of_group(r, t);
	}
	if (span_starts_nocase(t->text, SPAN_LIT("pattern.")))
		return find_pattern(r, t, c);
	c->fact = fact_find(t->text);
	return c->fact != FACT_COUNT || unknown_fact(r, t);
}

bool
comparison_parse(struct reader *r, struct comparison *c)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD || is_keyword(t))
		return reader_expected(r, "a fact");
	*c = (struct comparison){ .fact = FACT_COUNT };
	if (!find_fact(r, t, c) || !is_told(r, t, c->fact))
		return false;
	r->at++;
	return parse_op(r, c);
}

static bool
has_word(struct span words, struct span word)
{
	while (words.len > 0) {
		size_t end = span_find(words, ' ');

		if (span_equal_nocase(span_slice(words, 0, end), word))
			return true;
		words = span_slice(words, end < words.len ? end + 1 : end, words.len);
	}
	return false;
}

static bool
is_equal(const struct comparison *c, enum fact_type type, const struct value *v)
{
	switch (type) {
	case TYPE_TRUTH:
		return v->truth == (c->number != 0);
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_SCORE:
	case TYPE_ENUM:
		return v->number == c->number;
	case TYPE_NETWORK:
		return address_equal(&v->address, &c->address);
	case TYPE_TEXT:
		return span_equal_nocase(v->text, c->text);
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
		return span_equal_nocase(domain_trim(v->text), c->text);
	case TYPE_WORDS:
		return has_word(v->text, c->text);
	}
	return false;
}

static enum truth
truth_of(bool b)
{
	return b ? TRUTH_YES : TRUTH_NO;
}

static enum truth
matches(const struct comparison *c, struct subject *s, const struct value *v)
{
	if (s->limits >= MATCH_LIMITS)
		return TRUTH_UNKNOWN;
	switch (regex_match(c->regex, v->text, MATCH_STEPS)) {
	case REGEX_NO:    return TRUTH_NO;
	case REGEX_YES:   return TRUTH_YES;
	case REGEX_LIMIT: break;
	}
	s->limits++;
	return TRUTH_UNKNOWN;
}

static enum truth
known_value(const struct comparison *c, struct subject *s, const struct value *v)
{
	enum fact_type type = fact_row(c->fact)->type;

	switch (c->op) {
	case OP_EQ: return truth_of(is_equal(c, type, v));
	case OP_NE: return truth_of(!is_equal(c, type, v));
	case OP_LT: return truth_of(v->number < c->number);
	case OP_LE: return truth_of(v->number <= c->number);
	case OP_GT: return truth_of(v->number > c->number);
	case OP_GE: return truth_of(v->number >= c->number);
	case OP_IN: return truth_of(list_holds(c->list, type, v));
	case OP_MATCHES: return matches(c, s, v);
	}
	return TRUTH_UNKNOWN;
}

/* A pattern that is not among the hits does not match, if it was looked for. */
static struct value
pattern_value(const struct comparison *c, const struct findings *f)
{
	const struct pattern_hit *hit = findings_pattern(f, c->pattern.id);
	bool known = hit != NULL ? !hit->unknown : f->patterns.set == c->pattern.set;

	return (struct value){ .state = known ? FACT_KNOWN : FACT_UNKNOWN,
		.truth = hit != NULL };
}

struct value
subject_score(const struct subject *s)
{
	struct value v = s->findings->values[FACT_SPAM_SCORE];

	if (v.state == FACT_ABSENT)
		v = (struct value){ .state = FACT_KNOWN };
	if (v.state == FACT_KNOWN)
		v.number = score_bounded(score_bounded(v.number) + score_bounded(s->score));
	return v;
}

static struct value
subject_value(const struct comparison *c, const struct subject *s)
{
	if (c->fact == FACT_PATTERN)
		return pattern_value(c, s->findings);
	if (c->fact == FACT_SPAM_SCORE)
		return subject_score(s);
	if (s->denied != NULL && fact_set_has(s->denied, c->fact))
		return (struct value){ .state = FACT_KNOWN, .truth = false };
	return fact_group(c->fact) == GROUP_NONE ? s->findings->values[c->fact] :
	    *item_value(s->item, c->fact);
}

enum truth
comparison_value(const struct comparison *c, struct subject *s)
{
	struct value v = subject_value(c, s);

	switch (v.state) {
	case FACT_ABSENT:  return TRUTH_NO;
	case FACT_KNOWN:   return known_value(c, s, &v);
	case FACT_UNKNOWN: return TRUTH_UNKNOWN;
	}
	return TRUTH_UNKNOWN;
}
