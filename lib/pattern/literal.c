/*
 * literal.c - the syntax of regular expressions, as far as it is needed to find texts that
 * cannot be missing.
 *
 * Whatever is not understood ends the search with "none", which is never wrong.  A branch
 * is a sequence of atoms; its best set is the one whose shortest text is longest.  Groups
 * stand on a stack; a group's set is the union of its branches' best ones, and without a
 * set for one of them it has none.
 */
#include "lib/pattern/literal.h"

#define DEPTH 32

struct set { struct span texts[LITERALS]; size_t count; size_t least; };

/* One open group; level 0 is all of the expression. */
struct level {
	struct set best;        /* of this branch                           */
	struct set all;         /* of the branches before                   */
	bool       branches;    /* there are some                           */
	bool       lost;        /* one of them has no set                   */
	bool       opaque;      /* lookaround: says nothing about the text  */
};

struct scan {
	struct span   s;
	size_t        at;
	bool          utf, fold;
	uint8_t       run[256];         /* bytes that follow one another */
	size_t        run_len;
	struct arena *arena;
	struct level  levels[DEPTH];
	size_t        depth;
	bool          gone;             /* not understood */
};

static struct level *
top(struct scan *p)
{
	return &p->levels[p->depth];
}

static void
better(struct set *best, const struct set *other)
{
	if (other->count > 0 && other->least > best->least)
		*best = *other;
}

static void
end_run(struct scan *p)
{
	struct set one = { .count = 1, .least = p->run_len };

	if (p->run_len >= LITERAL_LEAST && p->run_len > top(p)->best.least) {
		one.texts[0] = arena_span(p->arena, (struct span){ p->run, p->run_len });
		better(&top(p)->best, &one);
	}
	p->run_len = 0;
}

/* The branch is over: its set joins those of the branches before. */
static void
end_branch(struct scan *p)
{
	struct level *l = top(p);

	end_run(p);
	if (l->best.count == 0 || l->all.count + l->best.count > LITERALS)
		l->lost = true;
	for (size_t i = 0; !l->lost && i < l->best.count; i++)
		l->all.texts[l->all.count++] = l->best.texts[i];
	if (!l->branches || l->best.least < l->all.least)
		l->all.least = l->best.least;
	l->branches = true;
	l->best.count = l->best.least = 0;
}

static uint8_t
peek(const struct scan *p, size_t ahead)
{
	return p->at + ahead < p->s.len ? p->s.ptr[p->at + ahead] : 0;
}

enum times { TIMES_ONE = 0, TIMES_SOME, TIMES_PERHAPS_NONE };

/* {n}, {n,} or {n,m}; any other brace could be one in another version: not understood. */
static enum times
braces(struct scan *p)
{
	bool none = true;

	p->at++;
	if (!is_digit(peek(p, 0)))
		p->gone = true;
	for (; is_digit(peek(p, 0)); p->at++)
		none = none && peek(p, 0) == '0';
	if (peek(p, 0) == ',')
		p->at++;
	while (is_digit(peek(p, 0)))
		p->at++;
	if (peek(p, 0) != '}')
		p->gone = true;
	p->at++;
	return none ? TIMES_PERHAPS_NONE : TIMES_SOME;
}

/* Behind an atom: how often it may come. */
static enum times
quantifier(struct scan *p)
{
	enum times t = TIMES_ONE;

	switch (peek(p, 0)) {
	case '?':
	case '*':
		p->at++;
		t = TIMES_PERHAPS_NONE;
		break;
	case '+':
		p->at++;
		t = TIMES_SOME;
		break;
	case '{':
		t = braces(p);
		break;
	}
	if (t != TIMES_ONE && (peek(p, 0) == '?' || peek(p, 0) == '+'))
		p->at++;
	return t;
}

/* Letters that have a third form in Unicode (the Kelvin sign, the long s). */
static bool
has_third_case(const struct scan *p, uint8_t c)
{
	return p->utf && p->fold && (to_lower(c) == 'k' || to_lower(c) == 's');
}

static void
literal(struct scan *p, uint8_t c)
{
	enum times t = quantifier(p);

	if (has_third_case(p, c) || (p->utf && c >= 0x80)) {
		end_run(p);
		return;
	}
	if (p->run_len == sizeof p->run)
		end_run(p);
	if (t != TIMES_PERHAPS_NONE)
		p->run[p->run_len++] = to_lower(c);
	if (t != TIMES_ONE)
		end_run(p);
}

/* Something else than one known byte. */
static void
other(struct scan *p)
{
	end_run(p);
	quantifier(p);
}

static void
escape(struct scan *p)
{
	static const char controls[] = "ntrfea", values[] = "\n\t\r\f\033\a";
	uint8_t c = peek(p, 1);
	const char *control = c == 0 ? NULL : strchr(controls, c);

	p->at += 2;
	if (control != NULL)
		literal(p, (uint8_t)values[control - controls]);
	else if (c != 0 && strchr("dDwWsShHvVRbBAzZG", c) != NULL)
		other(p);
	else if (is_alpha(c) || is_digit(c) || c >= 0x80 || c == 0)
		p->gone = true;
	else
		literal(p, c);
}

/* [...]: a bracket right behind the opening one belongs to the class. */
static void
class(struct scan *p)
{
	p->at += peek(p, 1) == '^' ? 2 : 1;
	p->at += peek(p, 0) == ']';
	while (p->at < p->s.len && peek(p, 0) != ']') {
		if (peek(p, 0) == '\\' && (peek(p, 1) == 'Q' || peek(p, 1) == 'E'))
			p->gone = true;
		if (peek(p, 0) == '[' && peek(p, 1) != 0 && strchr(":.=", peek(p, 1)) != NULL) {
			uint8_t mark = peek(p, 1);

			/* [:alpha:], or a plain [ where no :] follows. */
			size_t i = 2;

			while (is_alpha(peek(p, i)) || peek(p, i) == '^')
				i++;
			if (peek(p, i) == mark && peek(p, i + 1) == ']')
				p->at += i + 1;
		} else if (peek(p, 0) == '\\')
			p->at++;
		p->at++;
	}
	p->at++;
	other(p);
}

/* How a group begins; what is neither plain nor a lookaround is not understood. */
static void
open_group(struct scan *p)
{
	static const struct { const char *text; bool opaque; } kinds[] = {
		{ "(?:", false }, { "(?>", false }, { "(?=", true }, { "(?!", true },
		{ "(?<=", true }, { "(?<!", true },
	};
	size_t skip = 1;
	bool opaque = false;

	end_run(p);
	if (p->depth + 1 == DEPTH || peek(p, 1) == '*') {
		p->gone = true;
		return;
	}
	if (peek(p, 1) == '?') {
		skip = 0;
		for (size_t i = 0; i < COUNT_OF(kinds); i++) {
			size_t n = strlen(kinds[i].text);

			if (p->s.len - p->at >= n &&
			    memcmp(p->s.ptr + p->at, kinds[i].text, n) == 0) {
				skip = n;
				opaque = kinds[i].opaque;
			}
		}
	}
	p->gone |= skip == 0;
	p->at += skip;
	p->levels[++p->depth] = (struct level){ .opaque = opaque };
}

static void
close_group(struct scan *p)
{
	if (p->depth == 0) {
		p->gone = true;
		return;
	}
	end_branch(p);
	struct level *inner = &p->levels[p->depth--];

	p->at++;
	if (quantifier(p) != TIMES_PERHAPS_NONE && !inner->opaque && !inner->lost)
		better(&top(p)->best, &inner->all);
}

static void
step(struct scan *p)
{
	uint8_t c = peek(p, 0);

	switch (c) {
	case '\\':
		escape(p);
		break;
	case '[':
		class(p);
		break;
	case '(':
		open_group(p);
		break;
	case ')':
		close_group(p);
		break;
	case '|':
		end_branch(p);
		p->at++;
		break;
	case '.':
	case '^':
	case '$':
		p->at++;
		other(p);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		p->gone = true;
		break;
	default:
		p->at++;
		literal(p, c);
		break;
	}
}

size_t
literals_find(struct span regex, struct span flags, struct arena *arena,
    struct span out[LITERALS])
{
	struct scan *p = must_alloc(sizeof *p);
	size_t count = 0;

	p->s = regex;
	p->arena = arena;
	p->utf = span_find(flags, 'u') < flags.len;
	p->fold = span_find(flags, 'i') < flags.len;
	while (p->at < regex.len && !p->gone)
		step(p);
	if (!p->gone && p->depth == 0) {
		end_branch(p);
		count = p->levels[0].lost ? 0 : p->levels[0].all.count;
	}
	for (size_t i = 0; i < count; i++)
		out[i] = p->levels[0].all.texts[i];
	free(p);
	return count;
}
