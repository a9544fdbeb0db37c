/*
 * findings.c - fuzz target: the flat form of findings from a hostile inspector.
 *
 * Oracles: what is refused leaves nothing known; what is taken packs to the same bytes,
 * as there is one flat form for each; printing every value ends; a shorter buffer than
 * needed is full or loses items, and says so.
 */
#include "lib/base/buf.h"
#include "lib/finding/fact.h"

#define PACKED_BYTES (1u << 20)         /* more than any input */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
expect(bool so)
{
	if (!so)
		abort();
}

static void
check_print(const struct findings *f)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++) {
		value_print(&b, (enum fact)i, &f->values[i]);
		expect(
		    buf_len(&b) > 0 && memchr(buf_text(&b), '\n', buf_len(&b)) == NULL);
	}
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		for (size_t i = 0; i < f->groups[g].count; i++)
			item_print(&b, f->groups[g].list[i]);
	expect(memchr(buf_text(&b), '\n', buf_len(&b)) == NULL);
	buf_free(&b);
}

/* Nothing is lost silently. */
static void
check_smaller(const struct findings *f, uint8_t *bytes, size_t cap, struct arena *arena)
{
	struct pack p = { bytes, 0, cap, false };
	struct findings less;

	findings_pack(&p, f);
	if (p.full)
		return;
	struct unpack u = { { bytes, p.len }, false };
	bool lost = false;

	expect(findings_unpack(&u, &less, arena) && u.rest.len == 0);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++) {
		expect(less.groups[g].count <= f->groups[g].count);
		expect(less.groups[g].count == f->groups[g].count || less.groups[g].cut);
		lost |= less.groups[g].count < f->groups[g].count;
	}
	expect(less.patterns.count == f->patterns.count || less.patterns.set == 0);
	expect(lost || less.patterns.count < f->patterns.count);
}

static void
check_taken(const struct findings *f, struct span used, struct arena *arena)
{
	uint8_t *again = must_alloc(PACKED_BYTES);
	struct pack p = { again, 0, PACKED_BYTES, false };

	if (used.len < PACKED_BYTES) {
		findings_pack(&p, f);
		expect(!p.full && p.len == used.len &&
		    memcmp(again, used.ptr, used.len) == 0);
		check_smaller(f, again, used.len - 1, arena);
		check_smaller(f, again, used.len / 2, arena);
	}
	check_print(f);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct findings none;
	struct unpack u = { { bytes, n }, false };
	struct arena arena = { 0 };
	struct findings f;

	if (findings_unpack(&u, &f, &arena))
		check_taken(&f, (struct span){ bytes, n - u.rest.len }, &arena);
	else
		expect(u.bad && memcmp(&f, &none, sizeof f) == 0);
	arena_free(&arena);
	return 0;
}
