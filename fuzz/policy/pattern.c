/*
 * pattern.c - fuzz target: regular expressions and the sieve.
 *
 * The input is expressions, one a line, each behind a byte of flags; then NUL, then a text.
 * Oracle: the sieve and each expression alone find the same.
 */
#include "lib/pattern/pattern.h"

#define PATTERNS_MOST 20
#define STEPS         10000     /* as lib/pattern takes */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
add(struct pattern_set *set, struct span line, struct arena *a)
{
	static const char *const flags[] = { "", "i", "m", "s", "u", "iu", "im", "imsu" };
	struct pattern *p = &set->list[set->count];
	struct regex_fault fault;

	if (line.len < 2 || set->count == PATTERNS_MOST)
		return;
	*p = (struct pattern){ .id = set->count, .text = span_slice(line, 1, line.len),
		.flags = span_text(flags[line.ptr[0] % COUNT_OF(flags)]) };
	p->regex = regex_compile(p->text, p->flags, a, &fault);
	set->count += p->regex != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span all = { bytes, n };
	size_t end = n > 0 ? span_find(all, '\0') : 0;
	struct span lines = span_slice(all, 0, end);
	struct span text = span_slice(all, end < n ? end + 1 : n, n);
	struct arena arena = { 0 };
	struct pattern_set set = { .digest = 1 };
	struct pattern_scan scan;
	struct findings f = { 0 };

	set.list = arena_array(&arena, struct pattern, PATTERNS_MOST + 1);
	while (lines.len > 0) {
		size_t line = span_find(lines, '\n');

		add(&set, span_slice(lines, 0, line), &arena);
		lines = span_slice(lines, line < lines.len ? line + 1 : line, lines.len);
	}
	patterns_prepare(&set, &arena);
	pattern_scan_begin(&scan, &set, &arena);
	pattern_scan_feed(&scan, PATTERN_TEXT, text);
	pattern_scan_end(&scan, &f, &arena);
	for (size_t i = 0; i < set.count; i++) {
		enum regex_result want = regex_match(set.list[i].regex, text, STEPS);
		const struct pattern_hit *hit = findings_pattern(&f, i);

		/* Where a limit was hit, a text without the literals is a plain no. */
		if (want == REGEX_YES ? hit == NULL || hit->unknown :
		    want == REGEX_NO && hit != NULL)
			abort();
	}
	patterns_release(&set);
	arena_free(&arena);
	return 0;
}
