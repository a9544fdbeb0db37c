/*
 * findings.c - the values of facts: set and print.  See fact.h.
 */
#include "lib/finding/value.h"
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/finding/score.h"
#include <assert.h>

#define PRINT_BYTES     200     /* of a text, for people */

bool
value_is_text(enum fact_type t)
{
	return t == TYPE_TEXT || t == TYPE_MAILBOX || t == TYPE_DOMAIN || t == TYPE_WORDS;
}

static bool
is_number(enum fact_type t)
{
	return t == TYPE_NUMBER || t == TYPE_SIZE || t == TYPE_TIME || t == TYPE_ENUM ||
	    t == TYPE_SCORE;
}

bool
value_number_fits(const struct fact_row *row, int64_t n)
{
	int64_t words = 0;

	if (row->type == TYPE_SIZE || row->type == TYPE_TIME)
		return n >= 0;
	if (row->type == TYPE_SCORE)
		return n == score_bounded(n);
	if (row->type != TYPE_ENUM)
		return true;
	while (row->words[words] != NULL)
		words++;
	return n >= 0 && n < words;
}

static struct value
truth_value(enum fact fact, bool truth)
{
	assert(fact_row(fact)->type == TYPE_TRUTH);
	return (struct value){ .state = FACT_KNOWN, .truth = truth };
}

static struct value
number_value(enum fact fact, int64_t n)
{
	assert(is_number(fact_row(fact)->type) && value_number_fits(fact_row(fact), n));
	return (struct value){ .state = FACT_KNOWN, .number = n };
}

static struct value
text_value_of(enum fact fact, struct span text)
{
	assert(value_is_text(fact_row(fact)->type));
	return (struct value){ .state = FACT_KNOWN, .text = text };
}

static struct value
address_value(enum fact fact, const struct address *a)
{
	assert(fact_row(fact)->type == TYPE_NETWORK);
	return (struct value){ .state = FACT_KNOWN, .address = *a };
}

static struct value
unknown_value(const char *reason)
{
	return (struct value){ .state = FACT_UNKNOWN, .text = span_text(reason) };
}

static void
set(struct findings *f, enum fact fact, struct value v)
{
	assert((unsigned)fact < FACT_MESSAGE_COUNT);
	f->values[fact] = v;
}

void
findings_set_truth(struct findings *f, enum fact fact, bool truth)
{
	assert(fact != FACT_PATTERN);
	set(f, fact, truth_value(fact, truth));
}

void
findings_set_number(struct findings *f, enum fact fact, int64_t n)
{
	set(f, fact, number_value(fact, n));
}

void
findings_set_text(struct findings *f, enum fact fact, struct span text)
{
	set(f, fact, text_value_of(fact, text));
}

void
findings_set_address(struct findings *f, enum fact fact, const struct address *a)
{
	set(f, fact, address_value(fact, a));
}

void
findings_set_unknown(struct findings *f, enum fact fact, const char *reason)
{
	enum fact_group g = fact_group(fact);

	if (g != GROUP_NONE)
		f->groups[g] = (struct items){ .cut = true, .reason = span_text(reason) };
	else if (fact == FACT_PATTERN)
		f->patterns.set = 0;
	if (g == GROUP_NONE)
		set(f, fact, unknown_value(reason));
}

/* What is not a group's reason keeps its items: those who have answered are known. */
void
findings_set_pending(struct findings *f, enum fact fact)
{
	struct items *all = &f->groups[fact_group(fact)];

	assert(fact != FACT_PATTERN);
	if (fact_group(fact) == GROUP_NONE) {
		set(f, fact, unknown_value("not asked"));
		f->values[fact].pending = true;
		return;
	}
	all->cut = all->pending = true;
	all->reason = SPAN_NONE;
}

void
findings_set_stage_pending(struct findings *f, enum fact_stage stage)
{
	for (unsigned i = 0; i < FACT_COUNT; i++)
		if (fact_row((enum fact)i)->stage == stage)
			findings_set_pending(f, (enum fact)i);
}

void
findings_empty_group(struct findings *f, enum fact_group g)
{
	assert(g != GROUP_NONE);
	f->groups[g] = (struct items){ 0 };
}

void
findings_set_absent(struct findings *f, enum fact fact)
{
	set(f, fact, (struct value){ .state = FACT_ABSENT });
}

void
findings_take_stage(
    struct findings *to, const struct findings *from, enum fact_stage stage)
{
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (fact_row((enum fact)i)->stage == stage)
			to->values[i] = from->values[i];
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		if (fact_row(group_row((enum fact_group)g)->first)->stage == stage)
			to->groups[g] = from->groups[g];
	if (stage == STAGE_CONTENT)
		to->patterns = from->patterns;
}

/* --- items --- */

/* List space for one more; the caller has bounded the count. */
static size_t
grown(size_t cap)
{
	return cap > 0 ? 2 * cap : 8;
}

struct item *
findings_add(struct findings *f, enum fact_group g, struct arena *a)
{
	const struct group_row *row = group_row(g);
	struct items *all = &f->groups[g];

	assert(g != GROUP_NONE);
	if (all->count == row->limit) {
		all->cut = true;
		return NULL;
	}
	if (all->count == all->cap) {
		struct item **list = arena_array(a, struct item *, grown(all->cap));

		if (all->count > 0)
			memcpy(list, all->list, all->count * sizeof *list);
		all->list = list;
		all->cap = grown(all->cap);
	}
	struct item *item = arena_alloc(a, sizeof *item +
	    (size_t)(row->end - row->first) * sizeof *item->values);

	item->group = g;
	all->list[all->count++] = item;
	return item;
}

void
findings_cut(struct findings *f, enum fact_group g)
{
	assert(g != GROUP_NONE);
	f->groups[g].cut = true;
}

/* Its place; a fact of another group is a broken promise. */
static size_t
place_of(const struct item *item, enum fact fact)
{
	const struct group_row *row = group_row(item->group);

	assert(fact >= row->first && fact < row->end);
	return (size_t)(fact - row->first);
}

static void
item_set(struct item *item, enum fact fact, struct value v)
{
	if (item != NULL)
		item->values[place_of(item, fact)] = v;
}

void
item_set_truth(struct item *item, enum fact fact, bool truth)
{
	item_set(item, fact, truth_value(fact, truth));
}

void
item_set_number(struct item *item, enum fact fact, int64_t n)
{
	item_set(item, fact, number_value(fact, n));
}

void
item_set_text(struct item *item, enum fact fact, struct span text)
{
	item_set(item, fact, text_value_of(fact, text));
}

void
item_set_address(struct item *item, enum fact fact, const struct address *a)
{
	item_set(item, fact, address_value(fact, a));
}

void
item_set_unknown(struct item *item, enum fact fact, const char *reason)
{
	item_set(item, fact, unknown_value(reason));
}

const struct value *
item_value(const struct item *item, enum fact fact)
{
	return &item->values[place_of(item, fact)];
}

/* --- patterns --- */

void
findings_set_patterns(struct findings *f, uint64_t set_digest)
{
	f->patterns.set = set_digest;
}

void
findings_add_pattern(struct findings *f, uint64_t id, struct span name, bool unknown,
    struct arena *a)
{
	struct pattern_hits *all = &f->patterns;

	if (all->count == PATTERN_HITS) {
		all->set = 0;
		return;
	}
	if (all->count == all->cap) {
		struct pattern_hit *list =
		    arena_array(a, struct pattern_hit, grown(all->cap));

		if (all->count > 0)
			memcpy(list, all->list, all->count * sizeof *list);
		all->list = list;
		all->cap = grown(all->cap);
	}
	all->list[all->count++] = (struct pattern_hit){ id, name, unknown };
}

const struct pattern_hit *
findings_pattern(const struct findings *f, uint64_t id)
{
	for (size_t i = 0; i < f->patterns.count; i++)
		if (f->patterns.list[i].id == id)
			return &f->patterns.list[i];
	return NULL;
}

/* --- print --- */

static void
print(struct buf *b, const char *text)
{
	buf_add(b, span_text(text));
}

void
value_print_number(struct buf *b, int64_t n)
{
	uint8_t digits[20];
	size_t at = sizeof digits;
	uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do {
		digits[--at] = (uint8_t)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (n < 0)
		digits[--at] = '-';
	buf_add(b, (struct span){ digits + at, sizeof digits - at });
}

/* A quote inside is escaped, so that no text can end early and go on as another fact. */
static void
print_quoted(struct buf *b, struct span s)
{
	bool cut = s.len > PRINT_BYTES;

	if (cut)
		s.len = PRINT_BYTES;
	buf_byte(b, '\'');
	for (size_t quote; (quote = span_find(s, '\'')) < s.len;) {
		text_escape(b, span_slice(s, 0, quote), quote, true);
		buf_add(b, SPAN_LIT("\\'"));
		s = span_slice(s, quote + 1, s.len);
	}
	text_escape(b, s, s.len, true);
	buf_add(b, cut ? SPAN_LIT("...'") : SPAN_LIT("'"));
}

static void
print_known(struct buf *b, const struct fact_row *row, const struct value *v)
{
	char text[ADDRESS_TEXT_BYTES];

	switch (row->type) {
	case TYPE_TRUTH:
		print(b, v->truth ? "true" : "false");
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
		value_print_number(b, v->number);
		break;
	case TYPE_TIME:
		value_print_number(b, v->number);
		print(b, "ms");
		break;
	case TYPE_SCORE:
		score_print(b, v->number);
		break;
	case TYPE_ENUM:
		print(b, row->words[v->number]);
		break;
	case TYPE_NETWORK:
		address_text(text, &v->address);
		print(b, text);
		break;
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
	case TYPE_WORDS:
		print_quoted(b, v->text);
		break;
	}
}

void
value_print(struct buf *b, enum fact fact, const struct value *v)
{
	switch (v->state) {
	case FACT_ABSENT:
		print(b, "absent");
		break;
	case FACT_KNOWN:
		print_known(b, fact_row(fact), v);
		break;
	case FACT_UNKNOWN:
		print(b, "unknown: ");
		text_escape(b, v->text, PRINT_BYTES, true);
		break;
	}
}

/* Truths by their short name, the others as name = value. */
static void
print_fact(struct buf *b, enum fact fact, const struct value *v, size_t prefix)
{
	const struct fact_row *row = fact_row(fact);

	print(b, row->name + prefix);
	if (row->type == TYPE_TRUTH)
		return;
	print(b, " = ");
	print_known(b, row, v);
}

static bool
is_shown(enum fact fact, const struct value *v)
{
	return v->state == FACT_KNOWN && (fact_row(fact)->type != TYPE_TRUTH || v->truth);
}

void
item_print(struct buf *b, const struct item *item)
{
	const struct group_row *row = group_row(item->group);
	const struct value *v = item->values;
	const size_t prefix = strlen(row->name) + 1;    /* of the facts' names */
	const char *before = " ";

	if (is_shown(row->first, v)) {
		print_known(b, fact_row(row->first), v);
	} else {
		print(b, "without ");
		print(b, fact_row(row->first)->name + prefix);
	}
	for (unsigned f = row->first + 1; f < row->end; f++)
		if (is_shown((enum fact)f, ++v)) {
			print(b, before);
			print_fact(b, (enum fact)f, v, prefix);
			before = ", ";
		}
}
