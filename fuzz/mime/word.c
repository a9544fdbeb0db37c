/*
 * word.c - encoded words and parameters become UTF-8 within their limit; a field that is
 * not odd means the same in both manners that divide at semicolons.
 */
#include "lib/mime/parameter.h"
#include "lib/mime/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_text(struct span s, size_t max)
{
	must(s.len <= max && utf8_valid(s) == s.len);
}

static void
check_same(struct span in, const struct parameter_list *a, struct arena *arena)
{
	struct parameter_list b;

	parameter_parse(in, PARAMETER_PLAIN, &b, arena);
	must(a->count == b.count);
	for (size_t i = 0; i < b.count; i++)
		must(span_equal(a->items[i].name, b.items[i].name) &&
		    span_equal(a->items[i].value, b.items[i].value));
}

static void
check_parameters(struct span in, struct charsets *charsets, struct arena *arena)
{
	struct parameter_list l;
	struct span values[10];

	for (enum parameter_manner m = PARAMETER_RFC; m < PARAMETER_MANNERS; m++) {
		parameter_parse(in, m, &l, arena);
		must(l.count <= PARAMETERS);
		for (size_t i = 0; i < l.count && i < 5; i++) {
			size_t n = parameter_values(&l, l.items[i].name, charsets, values, 0, 10,
			    arena);

			must(n > 0 && n <= 10);
			for (size_t k = 0; k < n; k++)
				check_text(values[k], PARAMETER_BYTES);
			must(parameter_first(&l, l.items[i].name, charsets, arena).ptr != NULL);
			must(parameter_last(&l, l.items[i].name, charsets, arena).ptr != NULL);
		}
		if (m == PARAMETER_RFC && !l.odd && !l.cut)
			check_same(in, &l, arena);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct charsets *charsets;       /* opening them is most of a run */
	struct arena arena = { 0 };
	struct span in = { p, n };

	if (charsets == NULL)
		charsets = charsets_create();
	check_text(word_decode(in, 200, charsets, &arena), 200);
	check_parameters(in, charsets, &arena);
	arena_free(&arena);
	return 0;
}
