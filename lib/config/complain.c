/*
 * complain.c - what is said about a configuration that is wrong; see tree.h.
 */
#include "lib/base/text.h"
#include "lib/config/tree.h"
#include <stdarg.h>
#include <stdio.h>

#define SHOWN_INPUT 40

void
complain(struct complaints *c, struct place place, const char *fmt, ...)
{
	char what[CONFIG_PATH + 512];
	va_list ap;

	if (c->count++ >= CONFIG_ERRORS) {
		if (c->count == CONFIG_ERRORS + 1)
			buf_add(&c->text, SPAN_LIT("there are more errors\n"));
		return;
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	buf_printf(&c->text, "%s:%u:%u: %s\n", place.file, place.line, place.column, what);
}

bool
token_is(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && span_equal(t->text, span_text(word));
}

struct shown
token_shown(const struct token *t)
{
	struct buf escaped = { 0 };
	struct shown s;

	_Static_assert(SHOWN_BYTES > 4 * SHOWN_INPUT + sizeof "`...'", "room for the longest");
	text_escape(&escaped, t->text, SHOWN_INPUT, true);
	snprintf(s.text, sizeof s.text, "`%s'", buf_text(&escaped));
	buf_free(&escaped);
	return s;
}

/* A third of the letters may be wrong: more is another word. */
void
nearest_try(struct nearest *n, const char *name)
{
	unsigned d = text_distance(n->word, span_text(name));

	if (d <= (n->word.len + 1) / 3 && (n->name == NULL || d < n->distance)) {
		n->name = name;
		n->distance = d;
	}
}

struct shown
nearest_hint(const struct nearest *n)
{
	struct shown s = { "" };

	if (n->name != NULL)
		snprintf(s.text, sizeof s.text, ": did you mean `%s'?", n->name);
	return s;
}
