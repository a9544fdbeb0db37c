/*
 * test_quantifier.c - quantifiers against a naive reading, exhaustively.
 *
 * The reference knows no Kleene tables: each item may turn out as its facts allow, and of a
 * group that was cut there may be up to EXTRA more items of any kind.  A quantifier is
 * unknown exactly when some turn gives yes and another gives no.
 */
#include "compiled.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define EXTRA   6               /* more than any number that is compared with */
#define ITEMS   4

enum state { ABSENT = 0, NO, YES, UNKNOWN, STATES };

static bool first_alone(bool a, bool b) { return a; }
static bool not_or(bool a, bool b) { return !a || b; }
static bool and_not(bool a, bool b) { return a && !b; }

static const struct inner {
	const char *text;
	bool      (*naive)(bool a, bool b);
	size_t      facts, items;
} inners[] = {
	{ "punycode",                    first_alone, 1, ITEMS },
	{ "link.punycode = yes",         first_alone, 1, ITEMS },
	{ "(not punycode or ip-host)",   not_or,      2, 2 },
	{ "punycode and not (ip-host)",  and_not,     2, 2 },
};

static const struct outer { const char *before, *after; } outers[] = {
	{ "any", "" }, { "all", "" }, { "no", "" },
#define COUNTS(op) { "count", op " 0" }, { "count", op " 1" }, { "count", op " 2" }, \
	{ "count", op " 5" }
	COUNTS("="), COUNTS("!="), COUNTS("<"), COUNTS("<="), COUNTS(">"), COUNTS(">="),
};

static bool
naive_outer(const struct outer *o, int yes, int all)
{
	int n = o->after[0] == '\0' ? 0 : atoi(strrchr(o->after, ' '));

	if (o->before[0] == 'a')
		return o->before[1] == 'n' ? yes > 0 : yes == all;
	if (o->before[0] == 'n')
		return yes == 0;
	switch (o->after[0]) {
	case '=': return yes == n;
	case '!': return yes != n;
	case '<': return o->after[1] == '=' ? yes <= n : yes < n;
	default:  return o->after[1] == '=' ? yes >= n : yes > n;
	}
}

/* What one item could be: bit 0 for no, bit 1 for yes. */
static unsigned
naive_item(const struct inner *in, const enum state *s)
{
	unsigned can = 0;

	for (unsigned world = 0; world < 4; world++) {
		bool a = world & 1, b = world >> 1;

		if ((s[0] == UNKNOWN || a == (s[0] == YES)) &&
		    (s[1] == UNKNOWN || b == (s[1] == YES)))
			can |= 1u << in->naive(a, b);
	}
	return can;
}

static enum truth
truth_of(unsigned can)
{
	return can == 3 ? TRUTH_UNKNOWN : can == 2 ? TRUTH_YES : TRUTH_NO;
}

static enum truth
naive(const struct outer *o, const unsigned *cans, int items, bool cut)
{
	unsigned can = 0;

	for (unsigned world = 0; world < 1u << items; world++) {
		bool fits = true;
		int yes = 0;

		for (int i = 0; i < items; i++) {
			yes += (world >> i & 1) != 0;
			fits &= (cans[i] >> (world >> i & 1) & 1) != 0;
		}
		for (int more = 0; fits && more <= (cut ? EXTRA : 0); more++)
			for (int of_these = 0; of_these <= more; of_these++)
				can |= 1u << naive_outer(o, yes + of_these, items + more);
	}
	return truth_of(can);
}

/* The item that is named: unknown results by the first unknown one, others by the first
   that is as asked (for `all': that is not), else by none. */
static uint32_t
naive_named(const struct outer *o, enum truth value, const unsigned *cans, size_t items)
{
	enum truth named = value == TRUTH_UNKNOWN ? TRUTH_UNKNOWN :
	    strcmp(o->before, "all") == 0 ? TRUTH_NO : TRUTH_YES;

	for (size_t i = 0; i < items; i++)
		if (truth_of(cans[i]) == named)
			return (uint32_t)i;
	return TRACE_NO_ITEM;
}

static void
set_state(struct item *item, enum fact fact, enum state s)
{
	if (s == UNKNOWN)
		item_set_unknown(item, fact, "test");
	else if (s != ABSENT)
		item_set_truth(item, fact, s == YES);
}

static void
check(const struct inner *in, const struct outer *o, const struct expression *e,
    unsigned number, size_t items, bool cut)
{
	struct arena arena = { 0 };
	struct findings f = { 0 };
	struct trace by;
	unsigned cans[ITEMS], rest = number;

	for (size_t i = 0; i < items; i++) {
		struct item *item = findings_add(&f, GROUP_LINK, &arena);
		enum state s[2] = { ABSENT, ABSENT };

		for (size_t k = 0; k < in->facts; k++, rest /= STATES) {
			s[k] = (enum state)(rest % STATES);
			set_state(item, k == 0 ? FACT_LINK_PUNYCODE : FACT_LINK_IP_HOST, s[k]);
		}
		cans[i] = naive_item(in, s);
	}
	if (cut)
		findings_cut(&f, GROUP_LINK);
	enum truth want = naive(o, cans, (int)items, cut), got = expression_value(e, &f, &by);

	if (got != want)
		fail_msg("%s link (%s) %s, %zu items %x%s: %d, not %d", o->before, in->text,
		    o->after, items, number, cut ? ", cut" : "", got, want);
	if (by.item != naive_named(o, want, cans, items))
		fail_msg("%s link (%s) %s, %zu items %x%s: names item %u", o->before, in->text,
		    o->after, items, number, cut ? ", cut" : "", by.item);
	assert_int_equal(fact_group(by.fact), GROUP_LINK);
	arena_free(&arena);
}

static void
check_outer(const struct inner *in, const struct outer *o)
{
	struct compiled c;
	char text[300];

	snprintf(text, sizeof text, "policy p { rule r when %s link (%s) %s then accept; "
	    "otherwise accept; }", o->before, in->text, o->after);
	compiled_init(&c, text, NULL);
	if (c.set == NULL)
		fail_msg("%s: %s", text, buf_text(&c.complaints.text));
	for (size_t items = 0, all = 1; items <= in->items; items++) {
		for (unsigned number = 0; number < all; number++) {
			check(in, o, c.set->policies[0].rules[0].when, number, items, false);
			check(in, o, c.set->policies[0].rules[0].when, number, items, true);
		}
		for (size_t k = 0; k < in->facts; k++)
			all *= STATES;
	}
	compiled_finish(&c);
}

static void
test_exhaustive(void **state)
{
	for (size_t i = 0; i < COUNT_OF(inners); i++)
		for (size_t o = 0; o < COUNT_OF(outers); o++)
			check_outer(&inners[i], &outers[o]);
}

/* --- a table of whole conditions and what is said to have decided --- */

static void
fill(struct findings *f, struct arena *a)
{
	struct item *i = findings_add(f, GROUP_ATTACHMENT, a);

	item_set_text(i, FACT_ATTACHMENT_NAME, SPAN_LIT("notes.txt"));
	item_set_text(i, FACT_ATTACHMENT_TYPE, SPAN_LIT("txt"));
	item_set_number(i, FACT_ATTACHMENT_CLASS, ATTACHMENT_CLASS_TEXT);
	item_set_number(i, FACT_ATTACHMENT_SIZE, 100);
	i = findings_add(f, GROUP_ATTACHMENT, a);
	item_set_text(i, FACT_ATTACHMENT_NAME, SPAN_LIT("invoice.pdf.exe"));
	item_set_text(i, FACT_ATTACHMENT_TYPE, SPAN_LIT("exe"));
	item_set_text(i, FACT_ATTACHMENT_EXTENSIONS, SPAN_LIT("pdf exe"));
	item_set_number(i, FACT_ATTACHMENT_CLASS, ATTACHMENT_CLASS_EXECUTABLE);
	item_set_number(i, FACT_ATTACHMENT_SIZE, 5000);
	item_set_truth(i, FACT_ATTACHMENT_ENCRYPTED, true);
	findings_set_text(f, FACT_HEADER_SUBJECT, SPAN_LIT("Overdue Invoice\nnow"));
	findings_set_truth(f, FACT_CLIENT_LOCAL, true);
	findings_set_unknown(f, FACT_LINK_URL, "no time");
	findings_cut(f, GROUP_RECEIVED);
}

static const struct { const char *condition; enum truth want; const char *by; } table[] = {
	{ "any attachment (type = exe and encrypted)", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe' (encrypted = true)" },
	{ "any attachment (type = txt and encrypted)", TRUTH_NO, "any attachment: none of 2" },
	{ "attachment.type = txt and attachment.encrypted", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe' (encrypted = true)" },
	{ "attachment.type in @bad", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe' (type = 'exe')" },
	{ "attachment.name = NOTES.TXT", TRUTH_YES, "any attachment: 'notes.txt'" },
	{ "not attachment.type != exe", TRUTH_NO,
	  "any attachment: 'notes.txt' (type = 'txt')" },
	{ "attachment.extensions = pdf", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe' (extensions = 'pdf exe')" },
	{ "attachment.extensions = \"pdf exe\"", TRUTH_NO, "any attachment: none of 2" },
	{ "attachment.extensions != pdf", TRUTH_NO, "any attachment: none of 2" },
	{ "attachment.extensions in @bad", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe' (extensions = 'pdf exe')" },
	{ "all attachment (class = executable or size < 1K)", TRUTH_YES,
	  "all attachment: each of 2" },
	{ "all attachment (class = executable)", TRUTH_NO,
	  "all attachment: 'notes.txt' (class = text)" },
	{ "no attachment (size > 1M)", TRUTH_YES, "no attachment: none of 2" },
	{ "count attachment (size >= 100) >= 2", TRUTH_YES,
	  "count attachment: 2 of 2, first 'notes.txt' (size = 100)" },
	{ "count attachment (size > 1M) > 0", TRUTH_NO, "count attachment: 0 of 2" },
	{ "count link (punycode) > 0", TRUTH_UNKNOWN, "count link: no time" },
	{ "count link (punycode) >= 0", TRUTH_YES, "count link: no time" },
	{ "any link (punycode)", TRUTH_UNKNOWN, "any link: no time" },
	{ "no signature (name = EICAR)", TRUTH_YES, "no signature: none of 0" },
	{ "any received (by = a.example)", TRUTH_UNKNOWN,
	  "any received: none of 0, and perhaps more" },
	{ "any link (punycode) and no attachment (type = exe)", TRUTH_NO,
	  "no attachment: 'invoice.pdf.exe' (type = 'exe')" },
	{ "any attachment ((type = txt or (type = exe)) and not (name matches /notes/))",
	  TRUTH_YES, "any attachment: 'invoice.pdf.exe'" },
	{ "header.subject matches /overdue\\s+invoice/", TRUTH_NO, "header.subject" },
	{ "header.subject matches /overdue\\s+invoice/i", TRUTH_YES, "header.subject" },
	{ "header.subject matches /invoice.now/is", TRUTH_YES, "header.subject" },
	{ "header.subject matches /invoice.now/i", TRUTH_NO, "header.subject" },
	{ "header.subject matches /^now$/", TRUTH_NO, "header.subject" },
	{ "header.subject matches /^now$/m", TRUTH_YES, "header.subject" },
	{ "header.from matches /./", TRUTH_NO, "header.from" },
	{ "any attachment (name matches /\\.pdf\\.exe$/)", TRUTH_YES,
	  "any attachment: 'invoice.pdf.exe'" },
	{ "pattern.hit", TRUTH_YES, "pattern.hit" },
	{ "pattern.hit = no", TRUTH_NO, "pattern.hit" },
	{ "pattern.miss", TRUTH_NO, "pattern.miss" },
	{ "not pattern.miss", TRUTH_YES, "pattern.miss" },
	{ "pattern.perhaps", TRUTH_UNKNOWN, "pattern.perhaps" },
};
#define AROUND "list bad inline exe js; pattern hit /x/ in text; pattern miss /y/ in text; " \
	"pattern perhaps /z/ in url; policy p { rule r when %s then accept; otherwise accept; }"

static void
test_table(void **state)
{
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct compiled c;
		struct findings f = { 0 };
		struct trace by;
		char text[500];

		snprintf(text, sizeof text, AROUND, table[i].condition);
		compiled_init(&c, text, NULL);
		if (c.set == NULL)
			fail_msg("%s: %s", table[i].condition, buf_text(&c.complaints.text));
		fill(&f, &c.arena);
		findings_set_patterns(&f, c.set->patterns->digest);
		findings_add_pattern(&f, c.set->patterns->list[0].id, SPAN_LIT("hit"), false,
		    &c.arena);
		findings_add_pattern(&f, c.set->patterns->list[2].id, SPAN_LIT("perhaps"),
		    true, &c.arena);
		const struct policy *p = &c.set->policies[0];
		enum truth got = expression_value(p->rules[0].when, &f, &by);

		by.result = got == TRUTH_UNKNOWN ? TRACE_UNKNOWN :
		    got == TRUTH_YES ? TRACE_FIRED : TRACE_NO;
		struct span said = trace_text(&by, p, &f, &c.arena);

		if (got != table[i].want || !span_equal(said, span_text(table[i].by)))
			fail_msg("%s: %d by %.*s", table[i].condition, got, (int)said.len,
			    (const char *)said.ptr);
		compiled_finish(&c);
	}
}

/* Patterns of another configuration: what matched is known, all else is not. */
static void
test_other_set(void **state)
{
	struct compiled c;
	struct findings f = { 0 };
	struct trace by;
	char text[500];

	snprintf(text, sizeof text, AROUND, "pattern.hit");
	compiled_init(&c, text, NULL);
	const struct expression *e = c.set->policies[0].rules[0].when;

	assert_int_equal(expression_value(e, &f, &by), TRUTH_UNKNOWN);
	findings_set_patterns(&f, c.set->patterns->digest + 1);
	assert_int_equal(expression_value(e, &f, &by), TRUTH_UNKNOWN);
	findings_add_pattern(&f, c.set->patterns->list[0].id, SPAN_LIT("hit"), false, &c.arena);
	assert_int_equal(expression_value(e, &f, &by), TRUTH_YES);
	compiled_finish(&c);
}

/* Backtracking without end is unknown, and soon not even tried. */
static void
test_giving_up(void **state)
{
	struct compiled c;
	struct findings f = { 0 };
	struct trace by;
	char a[1000];

	memset(a, 'a', sizeof a);
	compiled_init(&c, "policy p { rule r when any link (url matches /^(a+)+$/) then accept; "
	    "otherwise accept; }", NULL);
	a[sizeof a - 1] = 'b';
	for (size_t i = 0; i < 1000; i++)
		item_set_text(findings_add(&f, GROUP_LINK, &c.arena), FACT_LINK_URL,
		    (struct span){ (const uint8_t *)a, sizeof a });
	assert_int_equal(expression_value(c.set->policies[0].rules[0].when, &f, &by),
	    TRUTH_UNKNOWN);
	compiled_finish(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_other_set),
		cmocka_unit_test(test_giving_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
