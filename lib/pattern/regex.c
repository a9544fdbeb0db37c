/*
 * regex.c - see regex.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/pattern/regex.h"
#include <pcre2.h>
#include <stdio.h>

#define NESTING 64              /* parentheses: PCRE2 recurses on them while compiling */

struct regex { pcre2_code *code; };

static const struct flag { char letter; uint32_t option; } flags_known[] = {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE }, { 's', PCRE2_DOTALL },
	/* text from the net need not be UTF-8: no error, but no match across such bytes */
	{ 'u', PCRE2_UTF | PCRE2_MATCH_INVALID_UTF },
};

static void *
take(size_t n, void *arena)
{
	return arena_alloc(arena, n);
}

static void
give(void *p, void *arena)
{
}

static bool
read_flags(struct span flags, uint32_t *options, struct regex_fault *fault)
{
	for (size_t i = 0; i < flags.len; i++) {
		const struct flag *f = NULL;

		for (size_t k = 0; k < COUNT_OF(flags_known); k++)
			if (flags.ptr[i] == flags_known[k].letter)
				f = &flags_known[k];
		if (f == NULL || (*options & f->option) != 0) {
			snprintf(fault->text, sizeof fault->text, f == NULL ?
			    "expected the flags i, m, s and u" : "a flag is there twice");
			return false;
		}
		*options |= f->option;
	}
	return true;
}

static void
describe(struct regex_fault *fault, int error, size_t at)
{
	fault->at = at;
	pcre2_get_error_message(error, (uint8_t *)fault->text, sizeof fault->text);
}

struct regex *
regex_compile(
    struct span text, struct span flags, struct arena *arena, struct regex_fault *fault)
{
	/* \C would cut characters in two. */
	uint32_t options = PCRE2_NEVER_BACKSLASH_C;
	size_t at = 0;
	int error = 0;

	*fault = (struct regex_fault){ 0 };
	if (!read_flags(flags, &options, fault))
		return NULL;
	if (text.len == 0 || text.len > REGEX_BYTES) {
		snprintf(fault->text, sizeof fault->text, text.len == 0 ?
		    "it is empty" : "it has more than %d bytes", REGEX_BYTES);
		return NULL;
	}
	pcre2_general_context *memory = pcre2_general_context_create(take, give, arena);
	pcre2_compile_context *context = pcre2_compile_context_create(memory);
	struct regex *r = arena_new(arena, struct regex);

	pcre2_set_parens_nest_limit(context, NESTING);
	r->code = pcre2_compile(text.ptr, text.len, options, &error, &at, context);
	if (r->code != NULL)
		return r;
	describe(fault, error, at);
	return NULL;
}

void
regex_speed_up(struct regex *r)
{
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
}

void
regex_release(struct regex *r)
{
	if (r == NULL)
		return;
	pcre2_code_free(r->code);
	r->code = NULL;
}

/* What PCRE2 returns; data has room for the pairs that are wanted. */
static int
match(const struct regex *r, struct span text, size_t from, uint32_t steps,
    pcre2_match_data *data)
{
	static const uint8_t nothing[1];
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int n = PCRE2_ERROR_NOMEMORY;

	if (context != NULL && data != NULL) {
		pcre2_set_match_limit(context, steps);
		pcre2_set_depth_limit(context, steps);
		n = pcre2_match(r->code, text.ptr != NULL ? text.ptr : nothing, text.len, from,
		    0, data, context);
	}
	pcre2_match_context_free(context);
	return n;
}

static enum regex_result
result_of(int n)
{
	return n >= 0 ? REGEX_YES : n == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

enum regex_result
regex_match(const struct regex *r, struct span text, uint32_t steps)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int n = match(r, text, 0, steps, data);

	pcre2_match_data_free(data);
	return result_of(n);
}

static struct span
pair(struct span text, const size_t *offsets)
{
	return offsets[0] == PCRE2_UNSET ? SPAN_NONE
	    : span_slice(text, offsets[0], offsets[1]);
}

enum regex_result
regex_find(const struct regex *r, struct span text, size_t from, uint32_t steps,
    struct span found[2])
{
	pcre2_match_data *data = pcre2_match_data_create(2, NULL);
	int n = match(r, text, from, steps, data);

	if (n >= 0) {
		const size_t *offsets = pcre2_get_ovector_pointer(data);

		found[0] = pair(text, offsets);
		found[1] = n == 1 ? SPAN_NONE : pair(text, offsets + 2);
	}
	pcre2_match_data_free(data);
	return result_of(n);
}
