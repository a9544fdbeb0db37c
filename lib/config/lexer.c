/*
 * lexer.c - see lexer.h and, for the language, tree.h.
 */
#include "lib/config/lexer.h"

void
lexer_init(struct lexer *l, const char *file, struct span text, struct arena *arena,
    struct complaints *complaints)
{
	*l = (struct lexer){ .text = text, .file = file, .arena = arena,
		.complaints = complaints, .line = 1 };
}

bool
lexer_word_byte(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || (c != 0 && strchr(".-_:/@[]+*%$~&^|?#", c));
}

static bool
word_begins(uint8_t c)
{
	return c != '#' && lexer_word_byte(c);
}

/* The byte at i; NUL behind the end, where no byte of the language is NUL. */
static uint8_t
peek(const struct lexer *l, size_t i)
{
	return i < l->text.len ? l->text.ptr[i] : 0;
}

/* LF, CR LF or the end of the file. */
static bool
line_ends(const struct lexer *l, size_t i)
{
	return i >= l->text.len || peek(l, i) == '\n' ||
	    (peek(l, i) == '\r' && peek(l, i + 1) == '\n');
}

static struct place
place_at(const struct lexer *l, size_t i)
{
	return (struct place){ l->file, l->line, (unsigned)(i - l->line_start + 1) };
}

static bool
is_control(uint8_t c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static bool
check_control(struct lexer *l, size_t i, const char *where)
{
	if (!is_control(peek(l, i)))
		return true;
	complain(l->complaints, place_at(l, i), "control character \\x%02x in %s",
	    peek(l, i), where);
	return false;
}

/* One complaint a comment is enough. */
static void
skip_comment(struct lexer *l)
{
	bool clean = true;

	for (; !line_ends(l, l->at); l->at++)
		clean = clean && check_control(l, l->at, "a comment");
}

static void
skip_blanks(struct lexer *l)
{
	while (l->at < l->text.len) {
		uint8_t c = peek(l, l->at);

		if (c == '#')
			skip_comment(l);
		else if (is_blank(c) || (c == '\r' && line_ends(l, l->at)))
			l->at++;
		else if (c == '\n') {
			l->line_start = ++l->at;
			l->line++;
		} else
			break;
	}
}

/* A word or text right behind a word, text or regex is no second token but a slip. */
static void
check_apart(struct lexer *l)
{
	uint8_t c = peek(l, l->at);

	if (c == '"' || word_begins(c))
		complain(l->complaints, place_at(l, l->at), "expected a blank before `%c'", c);
}

static enum lexeme
lex_word(struct lexer *l, struct token *t)
{
	size_t from = l->at;

	while (lexer_word_byte(peek(l, l->at)))
		l->at++;
	t->kind = TOKEN_WORD;
	t->text = span_slice(l->text, from, l->at);
	check_apart(l);
	return LEX_TOKEN;
}

static enum lexeme
broken(struct lexer *l, const struct token *t, const char *what)
{
	complain(l->complaints, t->place, "%s does not end on its line", what);
	while (!line_ends(l, l->at))
		l->at++;
	return LEX_BROKEN;
}

/* The bytes between quotes, checked by lex_text. */
static struct span
text_unescape(struct lexer *l, struct span raw)
{
	if (span_find(raw, '\\') == raw.len)
		return raw;
	uint8_t *out = arena_alloc(l->arena, raw.len);
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.ptr[i];

		if (c == '\\' && ++i < raw.len)
			c = raw.ptr[i] == 'n' ? '\n' : raw.ptr[i] == 't' ? '\t' : raw.ptr[i];
		out[n++] = c;
	}
	return (struct span){ out, n };
}

static enum lexeme
lex_text(struct lexer *l, struct token *t)
{
	size_t from = ++l->at;

	for (; peek(l, l->at) != '"'; l->at++) {
		if (line_ends(l, l->at))
			return broken(l, t, "text");
		if (peek(l, l->at) == '\\' && !line_ends(l, l->at + 1)) {
			uint8_t c = peek(l, ++l->at);

			if (c == 0 || strchr("\"\\nt", c) == NULL)
				complain(l->complaints, place_at(l, l->at),
				    "expected \" \\ n or t after the backslash in a text");
		} else
			check_control(l, l->at, "a text");
	}
	t->kind = TOKEN_TEXT;
	t->text = text_unescape(l, span_slice(l->text, from, l->at));
	l->at++;
	check_apart(l);
	return LEX_TOKEN;
}

/* Only \/ is ours; all else that is escaped is for the regular expression's reader. */
static struct span
regex_unescape(struct lexer *l, struct span raw)
{
	uint8_t *out = arena_alloc(l->arena, raw.len);
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++) {
		bool pair = raw.ptr[i] == '\\' && i + 1 < raw.len;

		if (pair && raw.ptr[i + 1] != '/')
			out[n++] = raw.ptr[i];
		i += pair;
		out[n++] = raw.ptr[i];
	}
	return (struct span){ out, n };
}

static enum lexeme
lex_regex(struct lexer *l, struct token *t)
{
	size_t from = ++l->at;

	for (; peek(l, l->at) != '/'; l->at++) {
		if (line_ends(l, l->at))
			return broken(l, t, "regular expression");
		if (peek(l, l->at) == '\\' && !line_ends(l, l->at + 1))
			l->at++;
		check_control(l, l->at, "a regular expression");
	}
	t->kind = TOKEN_REGEX;
	t->text = regex_unescape(l, span_slice(l->text, from, l->at));
	from = ++l->at;
	while (is_alpha(peek(l, l->at)))
		l->at++;
	t->flags = span_slice(l->text, from, l->at);
	check_apart(l);
	return LEX_TOKEN;
}

static enum lexeme
lex_operator(struct lexer *l, struct token *t)
{
	uint8_t c = peek(l, l->at);
	bool two = peek(l, l->at + 1) == '=' && strchr("!<>", c) != NULL;
	size_t n = two ? 2 : 1;

	t->kind = TOKEN_OPERATOR;
	t->text = span_slice(l->text, l->at, l->at + n);
	l->at += n;
	return LEX_TOKEN;
}

/* Can anything begin with the byte at i? */
static bool
known_byte(const struct lexer *l, size_t i)
{
	uint8_t c = peek(l, i);

	return i >= l->text.len || (c == '!' && peek(l, i + 1) == '=') || line_ends(l, i) ||
	    (c != 0 && strchr(" \t\";{}=<>(),", c) != NULL) || lexer_word_byte(c);
}

/* A run of them is one complaint. */
static void
skip_unknown(struct lexer *l)
{
	uint8_t c = peek(l, l->at);
	struct place place = place_at(l, l->at);

	if (is_control(c))
		check_control(l, l->at, "the file");
	else if (c == '!')
		complain(l->complaints, place, "expected != here, or the word `not'");
	else if (c < 0x80)
		complain(l->complaints, place, "unexpected `%c': a text stands in \"\"", c);
	else
		complain(l->complaints, place, "unexpected byte \\x%02x: what is not ASCII "
		    "stands in \"\" or in a comment", c);
	while (!known_byte(l, l->at))
		l->at++;
}

static enum lexeme
lex(struct lexer *l, struct token *t, bool regex_may_come)
{
	static const char marks[] = ";{}";
	static const enum lexeme lexemes[] = { LEX_SEMICOLON, LEX_OPEN, LEX_CLOSE };
	uint8_t c = peek(l, l->at);
	const char *mark = memchr(marks, c, 3);

	if (l->at >= l->text.len)
		return LEX_END;
	if (mark != NULL) {
		l->at++;
		return lexemes[mark - marks];
	}
	if (c == '"')
		return lex_text(l, t);
	if (c == '/' && regex_may_come)
		return lex_regex(l, t);
	return word_begins(c) ? lex_word(l, t) : lex_operator(l, t);
}

/* `pattern NAME /regex/': only at a statement's beginning. */
static void
note_pattern(struct lexer *l, enum lexeme x, const struct token *t)
{
	if (x != LEX_TOKEN) {
		l->inside = x == LEX_BROKEN;
		l->in_pattern = 0;
	} else if (l->in_pattern > 0)
		l->in_pattern++;
	else
		l->in_pattern = !l->inside && token_is(t, "pattern");
	l->inside |= x == LEX_TOKEN;
}

enum lexeme
lexer_next(struct lexer *l, struct token *t)
{
	bool regex_may_come = l->after_matches || l->in_pattern == 2;

	for (skip_blanks(l); !known_byte(l, l->at); skip_blanks(l))
		skip_unknown(l);
	*t = (struct token){ .place = place_at(l, l->at) };
	enum lexeme x = lex(l, t, regex_may_come);
	l->after_matches = x == LEX_TOKEN &&
	    (token_is(t, "matches") || token_is(t, "infected-pattern"));
	note_pattern(l, x, t);
	return x;
}
