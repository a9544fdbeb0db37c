/*
 * reader.c - see reader.h.
 */
#include "lib/policy/reader.h"

const struct token *
reader_peek(const struct reader *r)
{
	return r->at < r->count ? &r->tokens[r->at] : NULL;
}

struct place
reader_place(const struct reader *r)
{
	return r->at < r->count ? r->tokens[r->at].place : r->end;
}

bool
token_operator(const struct token *t, const char *text)
{
	return t != NULL && t->kind == TOKEN_OPERATOR &&
	       span_equal(t->text, span_text(text));
}

bool
reader_takes(struct reader *r, const char *word)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || !(token_is(t, word) || token_operator(t, word)))
		return false;
	r->at++;
	return true;
}

bool
reader_not(struct reader *r, const struct token *t, const char *what)
{
	complain(
	    r->complaints, t->place, "expected %s, not %s", what, token_shown(t).text);
	return false;
}

bool
reader_expected(struct reader *r, const char *what)
{
	const struct token *t = reader_peek(r);

	if (t != NULL)
		return reader_not(r, t, what);
	complain(r->complaints, r->end, "expected %s before the end", what);
	return false;
}
