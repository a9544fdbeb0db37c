/*
 * pattern.c - statements to patterns, and the patterns over the texts of one message.
 */
#include "lib/pattern/sieve.h"

#define STEPS           10000   /* of backtracking from one place of a text             */
#define LIMITS_MOST     50      /* then nothing more is tried on this message           */

static const char *const subjects[PATTERN_SUBJECTS] = {
	[PATTERN_TEXT] = "text", [PATTERN_SUBJECT] = "subject", [PATTERN_URL] = "url",
};

/* FNV-1a over texts, each with its length, so that no two rows of texts are one. */
#define HASH_BEGIN 14695981039346656037u

static uint64_t
hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
	return h;
}

static uint64_t
hash_span(uint64_t h, struct span s)
{
	uint64_t len = s.len;

	return hash_bytes(hash_bytes(h, &len, sizeof len), s.ptr, s.len);
}

static bool
is_pattern(const struct node *n)
{
	return n->token_count > 0 && token_is(&n->tokens[0], "pattern");
}

/* --- statements --- */

static bool
not_expected(struct complaints *c, const struct node *n, size_t at, const char *what)
{
	if (at < n->token_count)
		complain(c, n->tokens[at].place, "expected %s, not %s", what,
		    token_shown(&n->tokens[at]).text);
	else
		complain(c, n->end, "expected %s before the end", what);
	return false;
}

static bool
is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD && t->text.len <= PATTERN_NAME_BYTES;
}

/* pattern NAME /regex/flags in SUBJECT ; */
static bool
has_form(const struct node *n, struct complaints *c)
{
	if (n->token_count < 2 || !is_name(&n->tokens[1]))
		return not_expected(c, n, 1, "the name of a pattern");
	if (n->token_count < 3 || n->tokens[2].kind != TOKEN_REGEX)
		return not_expected(c, n, 2, "a regular expression /.../");
	if (n->token_count < 4 || !token_is(&n->tokens[3], "in"))
		return not_expected(c, n, 3, "`in' and where to look");
	if (n->token_count < 5)
		return not_expected(c, n, 4, "text, subject or url");
	if (n->token_count > 5)
		return not_expected(c, n, 5, "; after where to look");
	if (n->has_block)
		complain(c, n->tokens[0].place, "a pattern ends with ; and has no block");
	return !n->has_block;
}

static bool
read_subject(const struct node *n, struct pattern *p, struct complaints *c)
{
	for (unsigned i = 0; i < PATTERN_SUBJECTS; i++)
		if (token_is(&n->tokens[4], subjects[i])) {
			p->subject = (enum pattern_subject)i;
			return true;
		}
	return not_expected(c, n, 4, "text, subject or url");
}

static bool
read_regex(const struct node *n, struct pattern *p, struct arena *a, struct complaints *c)
{
	const struct token *t = &n->tokens[2];
	struct regex_fault fault;

	p->text = t->text;
	p->flags = t->flags;
	p->regex = regex_compile(t->text, t->flags, a, &fault);
	if (p->regex == NULL)
		complain(c, t->place, "bad regular expression, at its byte %zu: %s",
		    fault.at + 1, fault.text);
	return p->regex != NULL;
}

static bool
read_pattern(struct pattern_set *set, const struct node *n, struct arena *a,
    struct complaints *c)
{
	struct pattern *p = &set->list[set->count];

	if (!has_form(n, c))
		return false;
	p->name = n->tokens[1].text;
	p->place = n->tokens[1].place;
	const struct pattern *twin = patterns_find(set, p->name);

	if (twin != NULL) {
		complain(c, p->place, "there already is a pattern %s, at %s:%u:%u",
		    token_shown(&n->tokens[1]).text, twin->place.file, twin->place.line,
		    twin->place.column);
		return false;
	}
	if (!read_subject(n, p, c) || !read_regex(n, p, a, c))
		return false;
	p->id = hash_span(hash_span(hash_span(HASH_BEGIN, p->name), p->text), p->flags);
	p->id = hash_span(p->id, span_text(subjects[p->subject]));
	set->count++;
	return true;
}

static void
make_digest(struct pattern_set *set)
{
	set->digest = HASH_BEGIN;
	for (size_t i = 0; i < set->count; i++)
		set->digest = hash_bytes(set->digest, &set->list[i].id, sizeof set->list[i].id);
	set->digest += set->digest == 0;
}

struct pattern_set *
patterns_compile(const struct node *tree, struct arena *a, struct complaints *c)
{
	struct pattern_set *set = arena_new(a, struct pattern_set);
	unsigned before = c->count;
	size_t count = 0;

	for (const struct node *n = tree; n != NULL; n = n->next)
		if (is_pattern(n) && ++count > PATTERNS) {
			complain(c, n->tokens[0].place, "expected at most %d patterns",
			    PATTERNS);
			return NULL;
		}
	set->list = arena_array(a, struct pattern, count);
	for (const struct node *n = tree; n != NULL; n = n->next)
		if (is_pattern(n))
			read_pattern(set, n, a, c);
	make_digest(set);
	return c->count == before ? set : NULL;
}

void
patterns_prepare(struct pattern_set *set, struct arena *a)
{
	for (size_t i = 0; i < set->count; i++)
		regex_speed_up(set->list[i].regex);
	for (unsigned i = 0; i < PATTERN_SUBJECTS; i++)
		set->sieves[i] = sieve_build(set, (enum pattern_subject)i, a);
}

void
patterns_release(struct pattern_set *set)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		regex_release(set->list[i].regex);
}

const struct pattern *
patterns_find(const struct pattern_set *set, struct span name)
{
	for (size_t i = 0; i < set->count; i++)
		if (span_equal(set->list[i].name, name))
			return &set->list[i];
	return NULL;
}

/* --- one message --- */

void
pattern_scan_begin(struct pattern_scan *s, const struct pattern_set *set, struct arena *a)
{
	size_t literals = 0;

	for (unsigned i = 0; i < PATTERN_SUBJECTS; i++)
		if (sieve_literals(set->sieves[i]) > literals)
			literals = sieve_literals(set->sieves[i]);
	*s = (struct pattern_scan){ .set = set,
		.states = arena_array(a, uint8_t, set->count + 1),
		.tried = arena_array(a, uint8_t, set->count + 1),
		.seen = arena_array(a, uint8_t, literals + 1),
		.worth = arena_array(a, uint16_t, set->count + 1) };
}

static void
try_pattern(struct pattern_scan *s, uint16_t i, struct span text)
{
	enum regex_result found = REGEX_LIMIT;

	if (s->states[i] == REGEX_YES)
		return;
	if (s->limits < LIMITS_MOST) {
		found = regex_match(s->set->list[i].regex, text, STEPS);
		s->limits += found == REGEX_LIMIT;
	}
	if (found != REGEX_NO)
		s->states[i] = (uint8_t)found;
}

void
pattern_scan_feed(struct pattern_scan *s, enum pattern_subject subject, struct span text)
{
	const struct sieve *f = s->set->sieves[subject];
	size_t n = sieve_run(f, text, s->seen, s->tried, s->worth);

	for (size_t i = 0; i < n; i++)
		try_pattern(s, s->worth[i], text);
}

void
pattern_scan_end(const struct pattern_scan *s, struct findings *f, struct arena *a)
{
	findings_set_patterns(f, s->set->digest);
	for (size_t i = 0; i < s->set->count; i++)
		if (s->states[i] != REGEX_NO)
			findings_add_pattern(f, s->set->list[i].id, s->set->list[i].name,
			    s->states[i] == REGEX_LIMIT, a);
}
