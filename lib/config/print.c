/*
 * print.c - tokens and statements back into the language; see tree.h.
 */
#include "lib/config/lexer.h"

static void
print_text(struct span s, struct buf *b)
{
	buf_byte(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c == '"' || c == '\\' || c == '\n' || c == '\t')
			buf_byte(b, '\\');
		buf_byte(b, c == '\n' ? 'n' : c == '\t' ? 't' : c);
	}
	buf_byte(b, '"');
}

/* What the lexer undid; no backslash is in front of a bare slash. */
static void
print_regex(const struct token *t, struct buf *b)
{
	buf_byte(b, '/');
	for (size_t i = 0; i < t->text.len; i++) {
		uint8_t c = t->text.ptr[i];

		if (c == '/')
			buf_byte(b, '\\');
		buf_byte(b, c);
	}
	buf_byte(b, '/');
	buf_add(b, t->flags);
}

void
word_print(struct span s, struct buf *b)
{
	bool word = s.len > 0 && s.ptr[0] != '#';

	for (size_t i = 0; i < s.len && word; i++)
		word = lexer_word_byte(s.ptr[i]);
	if (word)
		buf_add(b, s);
	else
		print_text(s, b);
}

void
token_print(const struct token *t, struct buf *b)
{
	switch (t->kind) {
	case TOKEN_WORD:
	case TOKEN_OPERATOR:
		buf_add(b, t->text);
		break;
	case TOKEN_TEXT:
		print_text(t->text, b);
		break;
	case TOKEN_REGEX:
		print_regex(t, b);
		break;
	}
}

static void
print_tabs(size_t depth, struct buf *b)
{
	while (depth-- > 0)
		buf_byte(b, '\t');
}

static void
print_head(const struct node *n, size_t depth, struct buf *b)
{
	print_tabs(depth, b);
	for (size_t i = 0; i < n->token_count; i++) {
		if (i > 0)
			buf_byte(b, ' ');
		token_print(&n->tokens[i], b);
	}
	buf_add(b, n->has_block ? SPAN_LIT(" {\n") : SPAN_LIT(";\n"));
}

static void
print_close(size_t depth, struct buf *b)
{
	print_tabs(depth, b);
	buf_add(b, SPAN_LIT("}\n"));
}

void
statement_print(const struct node *n, struct buf *b)
{
	const struct node *open[TREE_DEPTH];
	size_t depth = 0;

	for (;;) {
		print_head(n, depth, b);
		if (n->has_block && n->children != NULL) {
			open[depth++] = n;
			n = n->children;
			continue;
		}
		if (n->has_block)
			print_close(depth, b);
		while (depth > 0 && n->next == NULL) {
			n = open[--depth];
			print_close(depth, b);
		}
		if (depth == 0)
			return;
		n = n->next;
	}
}
