/*
 * kind_program.c - which script language a text is in, guessed from its words.
 *
 * Every word of the text is looked up; a word that scripts for attacks cannot do without
 * (CreateObject, eval, Invoke-Expression) weighs as much as several common ones, and a
 * common one counts at the start of a statement only.  The words are in program_list.h.
 * See kind.h.
 */
#include "lib/content/kind.h"

enum language { LANGUAGE_NONE = 0, JAVASCRIPT, BASIC, SHELL_MS, DOS, PYTHON_, PERL_,
	UNIX, C_, LANGUAGES };

static const enum file_type types[LANGUAGES] = {
	[LANGUAGE_NONE] = FILE_UNKNOWN, [JAVASCRIPT] = FILE_NODE, [BASIC] = FILE_VBS,
	[SHELL_MS] = FILE_POWERSHELL, [DOS] = FILE_BATCH, [PYTHON_] = FILE_PYTHON,
	[PERL_] = FILE_PERL, [UNIX] = FILE_SHELL, [C_] = FILE_C_SOURCE,
};

#define SCORE_ENOUGH 8
#define STATEMENT_BYTES 120     /* looked at behind a common word */

struct word { const char *text; uint8_t length, language, first, inside; };

static const struct word words[] = {
#define WORD(text, language, first, inside) \
	{ text, sizeof(text) - 1, language, first, inside },
#include "lib/content/program_list.h"
#undef WORD
};

struct scan { unsigned score[LANGUAGES]; bool start; uint8_t starts[257]; };

_Static_assert(COUNT_OF(words) < 256, "starts of words");

static bool
in_word(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
}

static bool
is_word(struct span have, const struct word *w)
{
	for (size_t i = 0; i < have.len; i++)
		if (to_lower(have.ptr[i]) != (uint8_t)w->text[i])
			return false;
	return true;
}

/* The list is sorted: where the words with a first byte begin, and behind the last. */
static void
index_words(uint8_t starts[257])
{
	size_t at = 0;

	for (size_t c = 0; c < 257; c++) {
		while (at < COUNT_OF(words) && (uint8_t)words[at].text[0] < c)
			at++;
		starts[c] = (uint8_t)at;
	}
}

static const struct word *
find_word(const struct scan *sc, struct span have)
{
	uint8_t first = to_lower(have.ptr[0]);

	for (size_t i = sc->starts[first]; i < sc->starts[first + 1]; i++)
		if (words[i].length == have.len && is_word(have, &words[i]))
			return &words[i];
	return NULL;
}

/* What stands behind a common word must fit: a name, not prose. */
static bool
fits(const struct word *w, struct span rest)
{
	size_t n = 0;

	if (w->first >= 4 || rest.len == 0)
		return true;
	while (n < rest.len && n < STATEMENT_BYTES && rest.ptr[n] != '\n')
		n++;
	switch (w->language) {
	case JAVASCRIPT:
		return memchr(rest.ptr, '=', n) != NULL ||
		    memchr(rest.ptr, '(', n) != NULL;
	case BASIC:
		return n < STATEMENT_BYTES && memchr(rest.ptr, '.', n) == NULL;
	case PERL_:
		return rest.len > 1 && byte_in(rest.ptr[1], "$@%(");
	case UNIX:
		return n <= 1;
	default:
		return true;
	}
}

static void
score_word(struct scan *sc, struct span word, struct span rest)
{
	const struct word *w = find_word(sc, word);

	if (w == NULL)
		return;
	if (!sc->start)
		sc->score[w->language] += w->inside;
	else if (fits(w, rest))
		sc->score[w->language] += w->first;
}

/* Every word once.  A statement starts behind a line's end, ';', '{' or '}'. */
static void
score_words(struct scan *sc, struct span s)
{
	sc->start = true;
	for (size_t i = 0; i < s.len;) {
		size_t from = i;

		if (!is_alpha(s.ptr[i]) && s.ptr[i] != '#' && s.ptr[i] != '$') {
			if (byte_in(s.ptr[i], "\n\r;{}"))
				sc->start = true;
			else if (s.ptr[i] > ' ')
				sc->start = false;
			i++;
			continue;
		}
		for (i++; i < s.len && in_word(s.ptr[i]); i++)
			;
		score_word(sc, span_slice(s, from, i), span_slice(s, i, s.len));
		sc->start = false;
	}
}

/* Lines that only one language has. */
static void
score_lines(struct scan *sc, struct span s)
{
	static const struct line {
		const char *words;
		enum language language;
		unsigned score;
	} lines[] = {
		{ "on error resume next", BASIC, 8 }, { "option explicit", BASIC, 6 },
		{ "end sub", BASIC, 5 }, { "end function", BASIC, 5 },
		{ "if __name__ ==", PYTHON_, 8 },
		{ "import os", PYTHON_, 4 }, { "import sys", PYTHON_, 4 },
		{ "use strict;", PERL_, 6 },
		{ "use warnings;", PERL_, 6 }, { "'use strict'", JAVASCRIPT, 6 },
		{ "\"use strict\"", JAVASCRIPT, 6 }, { "if exist ", DOS, 4 },
		{ "if not exist ", DOS, 4 },
		{ "echo off", DOS, 8 }, { "@echo off", DOS, 8 }, { "cmd /c ", DOS, 4 },
		{ "powershell ", DOS, 5 }, { "powershell.exe ", DOS, 5 },
		{ "start /b ", DOS, 5 },
		{ "%comspec%", DOS, 6 }, { "int main(", C_, 5 }, { "set -e", UNIX, 5 },
		{ "module.exports", JAVASCRIPT, 5 }, { "$(document)", JAVASCRIPT, 5 },
		{ "(function(", JAVASCRIPT, 6 }, { "(function (", JAVASCRIPT, 6 },
		{ "!function(", JAVASCRIPT, 6 }, { "[system.", SHELL_MS, 4 },
		{ "[reflection.", SHELL_MS, 6 },
		{ "from __future__ import", PYTHON_, 8 },
	};
	struct span line;

	while (kind_line(&s, &line)) {
		line = span_trim(line);
		for (size_t i = 0; line.len > 0 && i < COUNT_OF(lines); i++)
			if (to_lower(line.ptr[0]) == (uint8_t)lines[i].words[0] &&
			    span_starts_nocase(line, span_text(lines[i].words)))
				sc->score[lines[i].language] += lines[i].score;
	}
}

enum file_type
kind_program(struct span s)
{
	struct scan sc = { 0 };
	size_t best = LANGUAGE_NONE;

	index_words(sc.starts);
	score_words(&sc, s);
	score_lines(&sc, s);
	for (size_t i = 1; i < LANGUAGES; i++)
		if (sc.score[i] >= SCORE_ENOUGH && sc.score[i] > sc.score[best])
			best = i;
	return types[best];
}
