/*
 * show.c - the settings as a configuration, and as a manual; see settings.h.
 */
#include "lib/config/schema.h"

#define VALUE_COLUMN 22

/* What has no value at all can only be told. */
static void
show_row(const struct row *row, const void *base, bool given, const char *indent,
    struct buf *b)
{
	struct buf value = { 0 };

	kind_print(row, (const char *)base + row->offset, &value);
	if (buf_len(&value) == 0)
		buf_printf(b, "%s# %s is not set\n", indent, row->name);
	else {
		buf_printf(b, "%s%-*s ", indent, VALUE_COLUMN, row->name);
		buf_add(b, buf_span(&value));
		buf_printf(b, ";%s\n", given ? "" : "\t# default");
	}
	buf_free(&value);
}

static void
show_scanner(const struct scanner *s, struct buf *b)
{
	const struct schema *schema = &schema_scanner;

	buf_printf(b, "\nscanner %s {\n", s->name);
	for (size_t i = 0; i < schema->count; i++)
		if (row_serves(&schema->rows[i], s->type))
			show_row(&schema->rows[i], s, s->given >> i & 1, "\t", b);
	buf_printf(b, "}\n");
}

static void
show_rows(const struct schema *schema, const void *base, const char *indent, struct buf *b)
{
	const uint64_t *given = (const void *)((const char *)base + schema->given);

	for (size_t i = 0; i < schema->count; i++)
		show_row(&schema->rows[i], base, *given >> i & 1, indent, b);
}

void
settings_show(const struct settings *s, struct buf *b)
{
	show_rows(&schema_global, s, "", b);
	for (size_t i = 0; i < s->listener_count; i++) {
		buf_printf(b, "\nlistener %s {\n", s->listeners[i].name);
		show_rows(&schema_listener, &s->listeners[i], "\t", b);
		buf_printf(b, "}\n");
	}
	for (size_t i = 0; i < s->scanner_count; i++)
		show_scanner(&s->scanners[i], b);
	for (const struct node *n = s->tree; n != NULL; n = n->next)
		if (token_is(n->tokens, "policy") || token_is(n->tokens, "list") ||
		    token_is(n->tokens, "pattern")) {
			buf_byte(b, '\n');
			statement_print(n, b);
		}
}

/* scdoc takes _ and * for marks, but not behind a backslash. */
static void
manual_text(const char *text, struct buf *b)
{
	for (; *text != '\0'; text++) {
		if (strchr("_*\\#`<>[]~", *text) != NULL)
			buf_byte(b, '\\');
		buf_byte(b, (uint8_t)*text);
	}
}

static void
manual_words(const char *const *words, struct buf *b)
{
	bool first = true;

	for (; *words != NULL; words++) {
		if (**words == '\0')
			continue;
		buf_printf(b, "%s*%s*", first ? "" : " | ", *words);
		first = false;
	}
}

/* "For clamd and icap." */
static void
manual_types(const struct row *row, struct buf *b)
{
	const char *before = " For ";

	for (unsigned t = 0; row->types != 0 && t < SCANNER_TYPES; t++) {
		if (!row_serves(row, (enum scanner_type)t))
			continue;
		buf_printf(b, "%s%s", before, scanner_type_name((enum scanner_type)t));
		before = __builtin_popcount(row->types >> (t + 1)) > 1 ? ", " : " and ";
	}
	if (row->types != 0)
		buf_byte(b, '.');
}

static void
manual_row(const struct row *row, struct buf *b)
{
	bool several = row->kind >= KIND_STATUSES && row->kind != KIND_COMMAND;

	buf_printf(b, "*%s* ", row->name);
	if (row->words != NULL)
		manual_words(row->words, b);
	else
		buf_printf(b, "_%s_%s", kind_name(row->kind), several ? " ..." : "");
	buf_printf(b, "\n\t");
	manual_text(row->sentence, b);
	manual_types(row, b);
	if (row->required)
		buf_printf(b, " Required.");
	if (row->initial != NULL) {
		buf_printf(b, " Default: ");
		manual_text(row->initial, b);
		buf_byte(b, '.');
	}
	buf_printf(b, "\n\n");
}

static void
manual_rows(const struct schema *schema, struct buf *b)
{
	for (size_t i = 0; i < schema->count; i++)
		manual_row(&schema->rows[i], b);
}

void
settings_manual(struct buf *b)
{
	buf_printf(b, "# GLOBAL SETTINGS\n\n");
	manual_rows(&schema_global, b);
	buf_printf(b, "# SETTINGS OF A LISTENER\n\n"
	    "These stand in the block of a *listener* _name_.\n\n");
	manual_rows(&schema_listener, b);
	buf_printf(b, "# SETTINGS OF A SCANNER\n\n"
	    "These stand in the block of a *scanner* _name_. A scanner is asked only about "
	    "mail of which some rule that is not yet decided wants to know what it tells.\n\n");
	manual_rows(&schema_scanner, b);
	buf_printf(b, "# KINDS OF VALUES\n\n");
	for (unsigned k = 0; k < KIND_COUNT; k++) {
		if (k == KIND_ENUM || k == KIND_TRUTH)
			continue;
		buf_printf(b, "_%s_\n\t", kind_name((enum kind)k));
		manual_text(kind_sentence((enum kind)k), b);
		buf_printf(b, "\n\n");
	}
}
