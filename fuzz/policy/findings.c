/*
 * findings.c - fuzz target: the flat form of findings from a hostile inspector.
 *
 * Oracles: what is refused leaves nothing known; what is taken packs to the same bytes,
 * as there is one flat form for each; printing every value ends; a shorter buffer than
 * needed is full.
 */
#include "lib/base/buf.h"
#include "lib/finding/fact.h"

#define PACKED_BYTES (FACT_COUNT * (FINDINGS_TEXT_BYTES + 8) + 8)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
expect(bool so)
{
	if (!so)
		abort();
}

static void
check_taken(const struct findings *f, struct span used)
{
	uint8_t again[PACKED_BYTES];
	struct pack p = { again, 0, sizeof again, false };
	struct pack small = { again, 0, used.len - 1, false };
	struct buf b = { 0 };

	findings_pack(&p, f);
	expect(!p.full && p.len == used.len && memcmp(again, used.ptr, used.len) == 0);
	findings_pack(&small, f);
	expect(small.full);
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++) {
		value_print(&b, (enum fact)i, &f->values[i]);
		expect(
		    buf_len(&b) > 0 && memchr(buf_text(&b), '\n', buf_len(&b)) == NULL);
	}
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct findings none;
	struct unpack u = { { bytes, n }, false };
	struct arena arena = { 0 };
	struct findings f;

	if (findings_unpack(&u, &f, &arena))
		check_taken(&f, (struct span){ bytes, n - u.rest.len });
	else
		expect(u.bad && memcmp(&f, &none, sizeof f) == 0);
	arena_free(&arena);
	return 0;
}
