/*
 * test_pattern.c - literals, and the sieve against trying every expression.
 */
#include "lib/pattern/literal.h"
#include "lib/pattern/pattern.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct { const char *regex, *flags, *want; } literals[] = {
	{ "invoice",                        "",   "invoice" },
	{ "INVOICE",                        "i",  "invoice" },
	{ "invoice|receipt",                "",   "invoice|receipt" },
	{ "invoice|ab",                     "",   "" },
	{ "\\b(?:paypal|amazon) account",  "",   " account" },
	{ "\\b(paypal|amazon)\\b",         "",   "paypal|amazon" },
	{ "(paypal|amazon)?bank",           "",   "bank" },
	{ "(paypal|amazon){0,2}ab",         "",   "" },
	{ "(paypal){2}",                    "",   "paypal" },
	{ "abcd?ef",                        "",   "abc" },
	{ "abcd*",                          "",   "abc" },
	{ "abcd+e",                         "",   "abcd" },
	{ "abcd{1,3}e",                     "",   "abcd" },
	{ "abcd{0}e",                       "",   "abc" },
	{ "ab.cde",                         "",   "cde" },
	{ "[abc]defg[]x]hi",                "",   "defg" },
	{ "[^]abc]def",                     "",   "def" },
	{ "[[:alpha:]x]def",                "",   "def" },
	{ "[[:x]def",                       "",   "def" },
	{ "[\\]abc]def",                    "",   "def" },
	{ "abc\\.def",                      "",   "abc.def" },
	{ "abc\\ndef",                      "",   "abc\ndef" },
	{ "abc\\sdef",                      "",   "abc" },
	{ "(?=secret)abc",                  "",   "abc" },
	{ "(?!secret)abc",                  "",   "abc" },
	{ "(?<!secret)ab",                  "",   "" },
	{ "(?i)abc",                        "",   "" },
	{ "(?<n>abc)",                      "",   "" },
	{ "(*UTF)abc",                      "",   "" },
	{ "\\x41bcdef",                     "",   "" },
	{ "\\Qabc\\E",                      "",   "" },
	{ "abc{x}",                         "",   "" },
	{ "((abc|def)ghij|klm)",            "",   "ghij|klm" },
	{ "kabs",                           "iu", "" },
	{ "kabcs",                          "iu", "abc" },
	{ "kabs",                           "u",  "kabs" },
	{ "ab\xc3\xa4" "cde",              "u",  "cde" },
	{ "abc|",                           "",   "" },
	{ "",                               "",   "" },
};

static void
test_literals(void **state)
{
	for (size_t i = 0; i < COUNT_OF(literals); i++) {
		struct arena arena = { 0 };
		struct buf b = { 0 };
		struct span out[LITERALS];
		size_t n = literals_find(span_text(literals[i].regex),
		    span_text(literals[i].flags), &arena, out);

		for (size_t k = 0; k < n; k++) {
			buf_printf(&b, k > 0 ? "|" : "");
			buf_add(&b, out[k]);
		}
		if (strcmp(buf_text(&b), literals[i].want) != 0)
			fail_msg("/%s/%s gives %s", literals[i].regex, literals[i].flags,
			    buf_text(&b));
		buf_free(&b);
		arena_free(&arena);
	}
}

/* --- random expressions over few pieces: the sieve loses no match --- */

static unsigned
draw(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static const char *const pieces[] = { "foo", "bar", "FOO", "fo", "x", "1", "(", "(?:", ")",
	")", "|", "?", "+", "{0,2}", "{2}", "*", "[ab]", "[^f]", ".", "\\d", "(?=", "(?!",
	"\\b", "^", "$", "k", "s", "\xc3\xa4", "\\x66", "(?i)" };
static const char *const text_pieces[] = { "foo", "bar", "FoO", "Bar", "fo", "o", "x", "1",
	"f", "\n", "k", "s", "\xe2\x84\xaa", "\xc5\xbf", "\xc3\xa4", "\xff" };
static const char *const flag_sets[] = { "", "i", "iu", "ms", "u", "ims" };

static struct span
random_text(struct arena *a, uint64_t *seed, const char *const *from, unsigned count,
    unsigned most)
{
	struct buf b = { 0 };

	for (unsigned n = draw(seed, most) + 1; n > 0; n--)
		buf_add(&b, span_text(from[draw(seed, count)]));
	struct span s = arena_span(a, buf_span(&b));

	buf_free(&b);
	return s;
}

enum { SET = 40 };

static void
fill_set(struct pattern_set *set, struct arena *a, uint64_t *seed)
{
	set->list = arena_array(a, struct pattern, SET);
	set->digest = 9;
	while (set->count < SET) {
		struct pattern *p = &set->list[set->count];
		struct regex_fault fault;

		p->text = random_text(a, seed, pieces, COUNT_OF(pieces), 7);
		p->flags = span_text(flag_sets[draw(seed, COUNT_OF(flag_sets))]);
		p->regex = regex_compile(p->text, p->flags, a, &fault);
		p->id = set->count;
		p->subject = (enum pattern_subject)draw(seed, PATTERN_SUBJECTS);
		set->count += p->regex != NULL;
	}
}

static size_t
check_texts(const struct pattern_set *set, uint64_t *seed)
{
	struct arena arena = { 0 };
	struct pattern_scan scan;
	struct findings f = { 0 };
	enum regex_result want[SET] = { REGEX_NO };
	size_t hits = 0;

	pattern_scan_begin(&scan, set, &arena);
	for (unsigned t = 0; t < 4; t++) {
		enum pattern_subject s = (enum pattern_subject)draw(seed, PATTERN_SUBJECTS);
		struct span text = random_text(&arena, seed, text_pieces,
		    COUNT_OF(text_pieces), 8);

		pattern_scan_feed(&scan, s, text);
		for (size_t i = 0; i < SET; i++)
			if (set->list[i].subject == s && want[i] != REGEX_YES)
				want[i] = regex_match(set->list[i].regex, text, 10000);
	}
	pattern_scan_end(&scan, &f, &arena);
	for (size_t i = 0; i < SET; i++) {
		const struct pattern_hit *hit = findings_pattern(&f, i);

		if ((hit != NULL) != (want[i] != REGEX_NO))
			fail_msg("/%.*s/%.*s", (int)set->list[i].text.len,
			    (const char *)set->list[i].text.ptr, (int)set->list[i].flags.len,
			    (const char *)set->list[i].flags.ptr);
		hits += hit != NULL;
	}
	assert_int_equal(f.patterns.set, 9);
	arena_free(&arena);
	return hits;
}

static void
test_random(void **state)
{
	uint64_t seed = 1;
	size_t hits = 0;

	for (unsigned round = 0; round < 50; round++) {
		struct arena arena = { 0 };
		struct pattern_set set = { 0 };

		fill_set(&set, &arena, &seed);
		patterns_prepare(&set, &arena);
		for (unsigned i = 0; i < 100; i++)
			hits += check_texts(&set, &seed);
		patterns_release(&set);
		arena_free(&arena);
	}
	assert_true(hits > 10000);
}

/* After too many that give up, what is worth trying is not known, and said so. */
static void
test_limits(void **state)
{
	struct arena arena = { 0 };
	struct pattern_set set = { .count = 60 };
	struct pattern_scan scan;
	struct regex_fault fault;
	struct findings f = { 0 };
	char text[1000];

	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 'b';
	set.list = arena_array(&arena, struct pattern, set.count);
	for (size_t i = 0; i < set.count; i++) {
		struct pattern *p = &set.list[i];

		p->id = i;
		p->text = i < 59 ? SPAN_LIT("^(a+)+$") : SPAN_LIT("nothere");
		p->regex = regex_compile(p->text, SPAN_NONE, &arena, &fault);
	}
	patterns_prepare(&set, &arena);
	pattern_scan_begin(&scan, &set, &arena);
	pattern_scan_feed(&scan, PATTERN_TEXT, (struct span){ (uint8_t *)text, sizeof text });
	pattern_scan_end(&scan, &f, &arena);
	assert_int_equal(f.patterns.count, 59);
	for (size_t i = 0; i < 59; i++)
		assert_true(f.patterns.list[i].unknown);
	assert_int_equal(scan.limits, 50);
	patterns_release(&set);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
