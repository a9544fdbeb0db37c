/*
 * test_fact.c - the registry of facts, printing, and the flat form.
 */
#include "lib/base/buf.h"
#include "lib/finding/fact.h"
#include "lib/finding/score.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_rows(void **state)
{
	for (unsigned i = 0; i < FACT_COUNT; i++) {
		const struct fact_row *row = fact_row((enum fact)i);

		assert_non_null(row->name);
		assert_int_equal(fact_find(span_text(row->name)), i);
		assert_true(strlen(row->sentence) > 20);
		assert_true(strchr(".?", row->sentence[strlen(row->sentence) - 1]) != NULL ||
		    strchr(row->sentence, ';') != NULL);
		assert_true((row->type == TYPE_ENUM) == (row->words != NULL));
		assert_int_equal(row->per_recipient, strncmp(row->name, "recipient", 9) == 0 &&
		    strcmp(row->name, "recipient.count") != 0);
	}
}

static void
test_names(void **state)
{
	static const struct { const char *in, *nearest; } table[] = {
		{ "client.adress", "client.address" },
		{ "client.addresses", "client.address" },
		{ "Sender", "sender" },
		{ "sender.domian", "sender.domain" },
		{ "recipients", "recipient" },
		{ "spam.scor", "spam.score" },
		{ "dmarc.result", NULL },
		{ "x", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const char *near = fact_nearest(span_text(table[i].in));

		assert_int_equal(fact_find(span_text(table[i].in)), FACT_COUNT);
		if (table[i].nearest == NULL)
			assert_null(near);
		else
			assert_string_equal(near, table[i].nearest);
	}
}

/* Only what an inspector finds has to be wished for, and whatever stands on something else
   wishes that too. */
static void
test_wishes(void **state)
{
	static const struct { enum fact fact; unsigned wishes; } table[] = {
		{ FACT_SENDER, 0 }, { FACT_HEADER_SUBJECT, 0 }, { FACT_RECEIVED_BY, 0 },
		{ FACT_HEADER_FIELD_VALUE, WISH_HEADER }, { FACT_BAD_HEADER, WISH_STRUCTURE },
		{ FACT_MIME_PARTS, WISH_STRUCTURE | WISH_PARTS },
		{ FACT_ARCHIVE_LIMIT, WISH_STRUCTURE | WISH_PARTS },
		{ FACT_ATTACHMENT_NAME, WISH_STRUCTURE | WISH_PARTS },
		{ FACT_ATTACHMENT_CLASS, WISH_STRUCTURE | WISH_PARTS | WISH_TYPES },
		{ FACT_ATTACHMENT_SHA256, WISH_STRUCTURE | WISH_PARTS | WISH_DIGESTS },
		{ FACT_SIGNATURE_PART, WISH_STRUCTURE | WISH_PARTS | WISH_SIGNATURES },
		{ FACT_TEXT_HIDDEN, WISH_STRUCTURE | WISH_PARTS | WISH_TEXT },
		{ FACT_LINK_URL, WISH_STRUCTURE | WISH_PARTS | WISH_TEXT | WISH_LINKS },
		{ FACT_PATTERN, WISH_STRUCTURE | WISH_PARTS | WISH_TEXT | WISH_PATTERNS },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++)
		assert_int_equal(fact_wishes(table[i].fact), table[i].wishes);
	for (unsigned f = 0; f < FACT_COUNT; f++) {
		unsigned w = fact_wishes((enum fact)f);

		assert_true(w == 0 || fact_row((enum fact)f)->stage == STAGE_CONTENT);
		assert_true((w & ~(unsigned)WISH_ALL) == 0);
		assert_true((w & ~(unsigned)(WISH_HEADER | WISH_STRUCTURE)) == 0 ||
		    (~w & (WISH_STRUCTURE | WISH_PARTS)) == 0);
		assert_true((w & (WISH_LINKS | WISH_PATTERNS)) == 0 || (w & WISH_TEXT) != 0);
	}
}

static void
test_manual(void **state)
{
	struct buf b = { 0 };

	facts_manual(&b);
	for (unsigned i = 0; i < FACT_COUNT; i++) {
		assert_non_null(strstr(buf_text(&b), fact_row((enum fact)i)->name));
		assert_non_null(strstr(buf_text(&b), fact_row((enum fact)i)->sentence));
	}
	assert_non_null(strstr(buf_text(&b), "\n|  _recipient.local_\n:  truth\n"
	    ":  envelope, each recipient\n"));
	buf_free(&b);
}

static void
check_print(const struct findings *f, enum fact fact, const char *want)
{
	struct buf b = { 0 };

	value_print(&b, fact, &f->values[fact]);
	assert_string_equal(buf_text(&b), want);
	buf_free(&b);
}

static void
test_print(void **state)
{
	struct findings f = { 0 };
	char longer[300], cut[300];
	struct address a;

	assert_true(address_parse(SPAN_LIT("192.0.2.1"), &a));
	memset(longer, 'x', sizeof longer);
	snprintf(cut, sizeof cut, "'%.200s...'", longer);
	findings_set_address(&f, FACT_CLIENT_ADDRESS, &a);
	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	findings_set_truth(&f, FACT_CLIENT_TRUSTED, false);
	findings_set_number(&f, FACT_RECIPIENT_COUNT, 12);
	findings_set_number(&f, FACT_MESSAGE_SIZE, INT64_MAX);
	findings_set_text(&f, FACT_SENDER, SPAN_LIT(""));
	findings_set_text(&f, FACT_HEADER_SUBJECT, SPAN_LIT("it's\n\xff\\"));
	findings_set_text(&f, FACT_HEADER_MESSAGE_ID, (struct span){ (uint8_t *)longer, 300 });
	findings_set_unknown(&f, FACT_HEADER_FROM, "inspector gave no answer");
	check_print(&f, FACT_CLIENT_ADDRESS, "192.0.2.1");
	check_print(&f, FACT_CLIENT_LOCAL, "true");
	check_print(&f, FACT_CLIENT_TRUSTED, "false");
	check_print(&f, FACT_RECIPIENT_COUNT, "12");
	check_print(&f, FACT_MESSAGE_SIZE, "9223372036854775807");
	check_print(&f, FACT_SENDER, "''");
	check_print(&f, FACT_HEADER_SUBJECT, "'it\\'s\\x0a\\xff\\\\'");
	check_print(&f, FACT_HEADER_MESSAGE_ID, cut);
	check_print(&f, FACT_HEADER_FROM, "unknown: inspector gave no answer");
	check_print(&f, FACT_CLIENT_NAME, "absent");
	findings_set_absent(&f, FACT_CLIENT_LOCAL);
	check_print(&f, FACT_CLIENT_LOCAL, "absent");
	findings_set_number(&f, FACT_SPAM_SCORE, -2050);
	check_print(&f, FACT_SPAM_SCORE, "-2.05");
}

static void
test_scores(void **state)
{
	static const struct { const char *in; int64_t out; const char *printed; } table[] = {
		{ "5", 5000, "5" }, { "6.31", 6310, "6.31" }, { "-2.5", -2500, "-2.5" },
		{ "0", 0, "0" }, { "-0", 0, "0" }, { "0.001", 1, "0.001" },
		{ "-0.1", -100, "-0.1" }, { "00.10", 100, "0.1" }, { "10.050", 10050, "10.05" },
		{ "1000000", SCORE_MOST, "1000000" }, { "-1000000.0", -SCORE_MOST, "-1000000" },
		{ "1000000.001", 0, NULL }, { "1.0000", 0, NULL }, { "1.", 0, NULL },
		{ ".5", 0, NULL }, { "", 0, NULL }, { "-", 0, NULL }, { "+1", 0, NULL },
		{ "1e3", 0, NULL }, { "1.-5", 0, NULL }, { "--1", 0, NULL }, { "1,5", 0, NULL },
		{ "99999999999999999999", 0, NULL }, { "1.2.3", 0, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct buf b = { 0 };
		int64_t n = 77;

		assert_int_equal(score_parse(span_text(table[i].in), &n),
		    table[i].printed != NULL);
		assert_int_equal(n, table[i].printed != NULL ? table[i].out : 77);
		if (table[i].printed != NULL) {
			score_print(&b, n);
			assert_string_equal(buf_text(&b), table[i].printed);
		}
		buf_free(&b);
	}
	/* All of a range, printed and read again. */
	for (int64_t n = -12345; n <= 12345; n++) {
		struct buf b = { 0 };
		int64_t again;

		score_print(&b, n);
		assert_true(score_parse(buf_span(&b), &again) && again == n);
		buf_free(&b);
	}
	assert_int_equal(score_bounded(INT64_MAX), SCORE_SUM_MOST);
	assert_int_equal(score_bounded(INT64_MIN), -SCORE_SUM_MOST);
	assert_int_equal(score_bounded(-7), -7);
}

static void
test_sets(void **state)
{
	struct fact_set all = { 0 }, envelope = fact_stage_set(STAGE_ENVELOPE),
	    content = fact_stage_set(STAGE_CONTENT), scanner = fact_stage_set(STAGE_SCANNER);

	for (unsigned i = 0; i < FACT_COUNT; i++) {
		struct fact_set one = { 0 }, other = { 0 };

		assert_false(fact_set_has(&all, (enum fact)i));
		fact_set_add(&one, (enum fact)i);
		fact_set_add(&other, (enum fact)((i + 1) % FACT_COUNT));
		assert_true(fact_set_has(&one, (enum fact)i));
		assert_true(fact_set_meets(&one, &one));
		assert_false(fact_set_meets(&one, &other) || fact_set_is_empty(&one));
		fact_set_join(&all, &one);
		fact_set_take(&one, &one);
		assert_true(fact_set_is_empty(&one));
		assert_int_equal(fact_set_has(&envelope, (enum fact)i) +
		    fact_set_has(&content, (enum fact)i) +
		    fact_set_has(&scanner, (enum fact)i), 1);
	}
	/* Every fact of the stage is given by some scanner, and none of another stage. */
	for (unsigned t = 0; t < SCANNER_TYPES; t++) {
		struct fact_set gives = scanner_type_gives((enum scanner_type)t);

		assert_int_equal(fact_set_has(&gives, FACT_SPAM_SCORE),
		    t == SCANNER_TYPE_SPAMD || t == SCANNER_TYPE_RSPAMD);
		assert_int_equal(fact_set_has(&gives, FACT_SYMBOL_TEXT),
		    fact_set_has(&gives, FACT_SPAM_SCORE));
		assert_int_equal(fact_set_has(&gives, FACT_VIRUS_NAME),
		    !fact_set_has(&gives, FACT_SPAM_SCORE));
		assert_true(fact_set_has(&gives, FACT_SCANNER_RESULT));
		assert_false(fact_set_meets(&gives, &content));
		fact_set_take(&scanner, &gives);
	}
	assert_true(fact_set_is_empty(&scanner));
}

static void
test_pending(void **state)
{
	struct findings f = { 0 };
	struct arena arena = { 0 };

	item_set_text(findings_add(&f, GROUP_SYMBOL, &arena), FACT_SYMBOL_NAME, SPAN_LIT("S"));
	findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
	findings_set_stage_pending(&f, STAGE_SCANNER);
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		assert_int_equal(f.values[i].pending,
		    fact_row((enum fact)i)->stage == STAGE_SCANNER);
	check_print(&f, FACT_VIRUS_FOUND, "unknown: not asked");
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++) {
		assert_int_equal(f.groups[g].pending, g == GROUP_SCANNER || g == GROUP_SYMBOL);
		assert_int_equal(f.groups[g].cut, f.groups[g].pending);
	}
	assert_int_equal(f.groups[GROUP_SYMBOL].count, 1);
	findings_set_truth(&f, FACT_VIRUS_FOUND, false);
	findings_set_absent(&f, FACT_VIRUS_NAME);
	findings_set_unknown(&f, FACT_SPAM_SCORE, "why");
	assert_false(f.values[FACT_VIRUS_FOUND].pending || f.values[FACT_VIRUS_NAME].pending ||
	    f.values[FACT_SPAM_SCORE].pending);
	findings_set_unknown(&f, FACT_SCANNER_NAME, "why");
	findings_empty_group(&f, GROUP_SYMBOL);
	assert_false(f.groups[GROUP_SCANNER].pending || f.groups[GROUP_SYMBOL].pending);
	assert_true(f.groups[GROUP_SCANNER].cut && !f.groups[GROUP_SYMBOL].cut);
	arena_free(&arena);
}

static void
test_take_stage(void **state)
{
	struct findings from = { 0 }, to = { 0 };

	findings_set_truth(&to, FACT_CLIENT_LOCAL, false);
	findings_set_number(&to, FACT_RECEIVED_COUNT, 1);
	findings_set_truth(&from, FACT_CLIENT_LOCAL, true);
	findings_set_truth(&from, FACT_CLIENT_AUTHENTICATED, true);
	findings_set_text(&from, FACT_HEADER_SUBJECT, SPAN_LIT("s"));
	findings_set_truth(&from, FACT_VIRUS_FOUND, false);
	findings_cut(&from, GROUP_SCANNER);
	findings_cut(&from, GROUP_SYMBOL);
	findings_cut(&from, GROUP_LINK);
	findings_set_patterns(&from, 5);
	findings_take_stage(&to, &from, STAGE_CONTENT);
	assert_int_equal(to.values[FACT_VIRUS_FOUND].state, FACT_ABSENT);
	assert_true(to.groups[GROUP_LINK].cut && to.patterns.set == 5);
	assert_false(to.groups[GROUP_SCANNER].cut || to.groups[GROUP_SYMBOL].cut);
	assert_int_equal(to.values[FACT_HEADER_SUBJECT].state, FACT_KNOWN);
	assert_int_equal(to.values[FACT_RECEIVED_COUNT].state, FACT_ABSENT);
	assert_int_equal(to.values[FACT_CLIENT_AUTHENTICATED].state, FACT_ABSENT);
	assert_false(to.values[FACT_CLIENT_LOCAL].truth);
}

static void
fill_items(struct findings *f, struct arena *arena)
{
	struct item *i = findings_add(f, GROUP_ATTACHMENT, arena);
	struct address a;

	assert_true(address_parse(SPAN_LIT("192.0.2.9"), &a));
	item_set_text(i, FACT_ATTACHMENT_NAME, SPAN_LIT("a.exe"));
	item_set_number(i, FACT_ATTACHMENT_CLASS, ATTACHMENT_CLASS_EXECUTABLE);
	item_set_truth(i, FACT_ATTACHMENT_UNSCANNABLE, true);
	findings_add(f, GROUP_ATTACHMENT, arena);
	i = findings_add(f, GROUP_RECEIVED, arena);
	item_set_address(i, FACT_RECEIVED_ADDRESS, &a);
	findings_cut(f, GROUP_RECEIVED);
	i = findings_add(f, GROUP_LINK, arena);
	item_set_unknown(i, FACT_LINK_DOMAIN, "list");
	findings_set_unknown(f, FACT_SIGNATURE_NAME, "why");
	i = findings_add(f, GROUP_SYMBOL, arena);
	item_set_text(i, FACT_SYMBOL_NAME, SPAN_LIT("BAYES"));
	item_set_number(i, FACT_SYMBOL_SCORE, -3500);
	i = findings_add(f, GROUP_SCANNER, arena);
	item_set_number(i, FACT_SCANNER_RESULT, SCANNER_RESULT_UNSCANNABLE);
	item_set_number(i, FACT_SCANNER_TIME, 12);
	findings_set_patterns(f, 77);
	findings_add_pattern(f, 0x0102030405060708, SPAN_LIT("p"), true, arena);
}

/* One fact of each shape in the flat form. */
static void
fill(struct findings *f)
{
	struct address a;

	assert_true(address_parse(SPAN_LIT("2001:db8::1"), &a));
	*f = (struct findings){ 0 };
	findings_set_address(f, FACT_CLIENT_ADDRESS, &a);
	findings_set_truth(f, FACT_CLIENT_LOCAL, true);
	findings_set_unknown(f, FACT_CLIENT_AUTHENTICATED, "why");
	findings_set_text(f, FACT_SENDER, SPAN_LIT("a@b"));
	findings_set_text(f, FACT_HEADER_SUBJECT, SPAN_LIT(""));
	findings_set_number(f, FACT_RECEIVED_COUNT, 0x102030405060708);
}

static bool
same_value(const struct value *a, const struct value *b)
{
	return a->state == b->state && span_equal(a->text, b->text) &&
	    memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

/* How many of the items of b are those of a, from the first. */
static size_t
same_items(const struct items *a, const struct items *b)
{
	size_t n = 0;

	for (; n < a->count && n < b->count; n++) {
		const struct group_row *row = group_row(a->list[n]->group);

		if (b->list[n]->group != a->list[n]->group)
			return n;
		for (unsigned i = 0; i < (unsigned)(row->end - row->first); i++)
			if (!same_value(&a->list[n]->values[i], &b->list[n]->values[i]))
				return n;
	}
	return n;
}

static void
test_round_trip(void **state)
{
	uint8_t bytes[700];
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct findings in, out;
	struct arena arena = { 0 };

	fill(&in);
	fill_items(&in, &arena);
	findings_pack(&p, &in);
	assert_false(p.full);
	memcpy(bytes + p.len, "rest", 4);
	struct unpack u = { { bytes, p.len + 4 }, false };

	assert_true(findings_unpack(&u, &out, &arena));
	assert_true(span_equal(u.rest, SPAN_LIT("rest")));
	for (size_t i = 0; i < FACT_MESSAGE_COUNT; i++)
		assert_true(same_value(&in.values[i], &out.values[i]));
	for (unsigned g = 0; g < GROUP_COUNT; g++)
		assert_int_equal(same_items(&in.groups[g], &out.groups[g]),
		    in.groups[g].count);
	assert_true(out.groups[GROUP_RECEIVED].cut && !out.groups[GROUP_LINK].cut);
	assert_true(span_equal(out.groups[GROUP_SIGNATURE].reason, SPAN_LIT("why")));
	assert_int_equal(out.patterns.set, 77);
	assert_non_null(findings_pattern(&out, 0x0102030405060708));
	assert_null(findings_pattern(&out, 1));
	arena_free(&arena);
}

/* In every smaller room: the facts whole, of each group the first items and the cut flag
   where there are fewer, and never a group for nothing while another has more than its
   share. */
static void
test_rooms(void **state)
{
	enum { ITEMS = 40 };
	static const enum fact names[] = { FACT_ATTACHMENT_NAME, FACT_LINK_URL,
		FACT_HEADER_FIELD_VALUE };
	static uint8_t bytes[1 << 16];
	struct arena arena = { 0 };
	struct findings in = { 0 }, out;

	findings_set_text(&in, FACT_HEADER_SUBJECT, SPAN_LIT("subject"));
	findings_set_patterns(&in, 5);
	for (unsigned i = 0; i < ITEMS; i++)
		for (size_t n = 0; n < COUNT_OF(names); n++) {
			struct item *item = findings_add(&in, fact_group(names[n]), &arena);

			item_set_text(item, names[n], span_text(arena_printf(&arena, "%*u",
			    (int)(10 + 30 * n), i)));
			findings_add_pattern(&in, i, SPAN_LIT("p"), false, &arena);
		}
	struct pack whole = { bytes, 0, sizeof bytes, false };

	findings_pack(&whole, &in);
	for (size_t cap = 0; cap <= whole.len; cap++) {
		struct pack p = { bytes, 0, cap, false };

		findings_pack(&p, &in);
		struct unpack u = { { bytes, p.len }, p.full };

		if (p.full) {
			assert_true(cap < 100);
			continue;
		}
		assert_true(findings_unpack(&u, &out, &arena));
		for (size_t n = 0; n < COUNT_OF(names); n++) {
			const struct items *have = &out.groups[fact_group(names[n])];
			const struct items *all = &in.groups[fact_group(names[n])];

			assert_int_equal(same_items(all, have), have->count);
			assert_int_equal(have->cut, have->count < ITEMS);
			assert_true(cap < 1600 || have->count > 0);
		}
		assert_int_equal(out.patterns.set,
		    out.patterns.count < in.patterns.count ? 0 : 5);
	}
	arena_free(&arena);
}

static void
test_limits(void **state)
{
	struct arena arena = { 0 };
	struct findings f = { 0 };

	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++) {
		const struct group_row *row = group_row((enum fact_group)g);

		assert_int_equal(group_find(span_text(row->name)), g);
		for (size_t i = 0; i < row->limit; i++)
			assert_non_null(findings_add(&f, (enum fact_group)g, &arena));
		assert_false(f.groups[g].cut);
		assert_null(findings_add(&f, (enum fact_group)g, &arena));
		assert_true(f.groups[g].cut);
		for (unsigned i = row->first; i < row->end; i++) {
			const char *dot = strchr(fact_row((enum fact)i)->name, '.');

			assert_int_equal(fact_group((enum fact)i), g);
			assert_int_equal(fact_find_in((enum fact_group)g, span_text(dot + 1)), i);
			assert_memory_equal(fact_row((enum fact)i)->name, row->name,
			    strlen(row->name));
		}
	}
	item_set_truth(NULL, FACT_LINK_DIFFERS, true);
	findings_set_patterns(&f, 1);
	for (size_t i = 0; i < PATTERN_HITS; i++)
		findings_add_pattern(&f, i, SPAN_NONE, false, &arena);
	assert_int_equal(f.patterns.set, 1);
	findings_add_pattern(&f, 9999, SPAN_NONE, false, &arena);
	assert_int_equal(f.patterns.set, 0);
	arena_free(&arena);
}

static void
test_item_print(void **state)
{
	struct arena arena = { 0 };
	struct findings f = { 0 };
	struct buf b = { 0 };

	fill_items(&f, &arena);
	item_print(&b, f.groups[GROUP_ATTACHMENT].list[0]);
	assert_string_equal(buf_text(&b), "'a.exe' class = executable, unscannable");
	buf_take(&b, buf_len(&b));
	item_print(&b, f.groups[GROUP_ATTACHMENT].list[1]);
	assert_string_equal(buf_text(&b), "without name");
	buf_free(&b);
	arena_free(&arena);
}

/* Copied to its exact size, so that a read past the end is seen. */
static bool
unpacks(const uint8_t *bytes, size_t n, struct findings *f, struct arena *a, size_t *used,
    uint8_t **copy)
{
	*copy = must_alloc(n);
	memcpy(*copy, bytes, n);
	struct unpack u = { { *copy, n }, false };
	bool ok = findings_unpack(&u, f, a);

	*used = n - u.rest.len;
	return ok;
}

static void
test_hostile(void **state)
{
	uint8_t bytes[700], again[700], *copy;
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct arena arena = { 0 };
	struct findings f, none = { 0 };
	size_t taken = 0, used;

	fill(&f);
	fill_items(&f, &arena);
	findings_pack(&p, &f);
	for (size_t n = 0; n < p.len; n++) {
		assert_false(unpacks(bytes, n, &f, &arena, &used, &copy));
		free(copy);
		assert_memory_equal(&f, &none, sizeof f);
	}
	/* Any other byte anywhere: refused, or another set of findings in their one form. */
	for (size_t at = 0; at < p.len; at++)
		for (unsigned flip = 1; flip < 256; flip++) {
			struct pack q = { again, 0, sizeof again, false };

			bytes[at] ^= (uint8_t)flip;
			if (unpacks(bytes, p.len, &f, &arena, &used, &copy)) {
				findings_pack(&q, &f);
				assert_int_equal(q.len, used);
				assert_memory_equal(again, bytes, used);
				taken++;
			}
			free(copy);
			bytes[at] ^= (uint8_t)flip;
		}
	assert_true(taken > 16 * 255);
	arena_free(&arena);
}

/* All groups and the patterns, empty. */
#define NO_ITEMS_BYTES ((GROUP_COUNT - 1) * 7 + 10)

static void
test_refused(void **state)
{
	static const struct { const char *name; const char *bytes; size_t n; bool ok; } table[] = {
#define ROW(name, bytes, ok) { name, bytes, sizeof bytes - 1, ok }
		ROW("nothing known", "\0\0", true),
		ROW("a truth", "\1\0" "\5\0\1\1", true),
		ROW("a truth of 2", "\1\0" "\5\0\1\2", false),
		ROW("absent", "\1\0" "\5\0\0\1", false),
		ROW("state 3", "\1\0" "\5\0\3\0\0\0\0", false),
		ROW("no such fact", "\1\0" "\xff\0\2\0\0\0\0", false),
		ROW("twice", "\2\0" "\5\0\1\1" "\5\0\1\1", false),
		ROW("descending", "\2\0" "\6\0\1\1" "\5\0\1\1", false),
		ROW("ascending", "\2\0" "\5\0\1\1" "\6\0\1\1", true),
		ROW("short address", "\1\0" "\1\0\1\4\0\0\0abcd", false),
		ROW("negative size", "\1\0" "\15\0\1\0\0\0\0\0\0\0\x80", false),
		ROW("more than all", "\xff\xff", false),
#undef ROW
	};
	uint8_t bytes[100 + NO_ITEMS_BYTES] = { 0 };
	struct arena arena = { 0 };
	struct findings f;
	uint8_t *copy;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		memcpy(bytes, table[i].bytes, table[i].n);
		memset(bytes + table[i].n, 0, NO_ITEMS_BYTES);
		if (unpacks(bytes, table[i].n + NO_ITEMS_BYTES, &f, &arena, &used, &copy) !=
		    table[i].ok)
			fail_msg("%s", table[i].name);
		free(copy);
	}
	arena_free(&arena);
}

static void
test_cut(void **state)
{
	static uint8_t longer[2 * FINDINGS_TEXT_BYTES], bytes[4 * FINDINGS_TEXT_BYTES];
	struct pack p = { bytes, 0, sizeof bytes, false };
	struct findings f = { 0 };
	struct arena arena = { 0 };

	memset(longer, 'x', sizeof longer);
	findings_set_text(&f, FACT_HEADER_SUBJECT, (struct span){ longer, sizeof longer });
	findings_pack(&p, &f);
	struct unpack u = { { bytes, p.len }, false };

	assert_true(findings_unpack(&u, &f, &arena));
	assert_int_equal(f.values[FACT_HEADER_SUBJECT].text.len, FINDINGS_TEXT_BYTES);
	/* The length of the text: a longer one than we write is refused. */
	bytes[5] = (FINDINGS_TEXT_BYTES + 1) & 0xff;
	bytes[6] = (FINDINGS_TEXT_BYTES + 1) >> 8;
	u = (struct unpack){ { bytes, sizeof bytes }, false };
	assert_false(findings_unpack(&u, &f, &arena));
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_scores),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_take_stage),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_rooms),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_item_print),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
