/*
 * config.c - hostile bytes as a configuration: the tree, the settings, and both
 * printed and read again.
 *
 * Form feeds, which the language does not know, divide the input into files: the
 * first is the one read, the others are `1', `2' and so on.
 */
#include "lib/config/settings.h"
#include <stdio.h>

struct input {
	struct config_source source;
	struct span          bytes;
};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static bool
file_at(struct span bytes, unsigned number, struct span *file)
{
	for (; number > 0; number--) {
		size_t end = span_find(bytes, '\f');

		if (end == bytes.len)
			return false;
		bytes = span_slice(bytes, end + 1, bytes.len);
	}
	*file = span_slice(bytes, 0, span_find(bytes, '\f'));
	return true;
}

static bool
input_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	struct input *in = container_of(source, struct input, source);
	bool named = path[0] >= '0' && path[0] <= '9' && path[1] == '\0';

	if (named && file_at(in->bytes, (unsigned)(path[0] - '0'), bytes))
		return true;
	fail(why, ST_TEMP, "fuzz", "no such file");
	return false;
}

/* Is line:column a place of the file, or right behind its last byte? */
static void
check_place(const struct input *in, const char *file, unsigned line, unsigned column)
{
	struct span s;

	check(file[0] >= '0' && file[0] <= '9' && file[1] == '\0');
	check(file_at(in->bytes, (unsigned)(file[0] - '0'), &s));
	check(line > 0 && column > 0);
	for (; line > 1; line--) {
		size_t end = span_find(s, '\n');

		check(end < s.len);
		s = span_slice(s, end + 1, s.len);
	}
	check(column <= span_find(s, '\n') + 1);
}

/* Each line of the complaints has its place; what it quotes holds no line end. */
static void
check_complaints(const struct input *in, struct complaints *c)
{
	char file[2];
	unsigned line, column, lines = 0;

	for (const char *p = buf_text(&c->text); *p != '\0'; p = strchr(p, '\n') + 1) {
		check(strchr(p, '\n') != NULL);
		if (++lines > CONFIG_ERRORS) {
			check(strcmp(p, "there are more errors\n") == 0);
			continue;
		}
		check(sscanf(p, "%1[0-9]:%u:%u: ", file, &line, &column) == 3);
		check_place(in, file, line, column);
	}
	check(lines == (c->count > CONFIG_ERRORS ? CONFIG_ERRORS + 1 : c->count));
}

static void
print_all(const struct node *tree, struct buf *b)
{
	for (; tree != NULL; tree = tree->next)
		statement_print(tree, b);
	buf_text(b);    /* so that an empty tree has bytes, too */
}

/* Reads what is printed; nothing in it is wrong. */
static struct node *
read_again(struct input *in, struct buf *printed, struct arena *arena)
{
	struct complaints c = { 0 };
	bool ok;

	in->bytes = buf_span(printed);
	struct node *tree = tree_parse(&in->source, "0", arena, &c, &ok);

	check(ok && c.count == 0);
	return tree;
}

static void
check_tree(const struct node *tree, struct arena *arena)
{
	struct input in = { { input_read }, SPAN_NONE };
	struct buf first = { 0 }, second = { 0 };

	print_all(tree, &first);
	print_all(read_again(&in, &first, arena), &second);
	check(span_equal(buf_span(&first), buf_span(&second)));
	buf_free(&first);
	buf_free(&second);
}

/* No text holds a tab when printed, so this takes nothing else away. */
static void
without_marks(struct buf *b)
{
	static const char mark[] = "\t# default";
	char *text = buf_text(b), *found;

	while ((found = strstr(text, mark)) != NULL) {
		memmove(found, found + strlen(mark), strlen(found + strlen(mark)) + 1);
		b->to -= strlen(mark);
	}
}

static void
check_settings(const struct settings *s, struct arena *arena)
{
	struct input in = { { input_read }, SPAN_NONE };
	struct buf first = { 0 }, second = { 0 };
	struct complaints c = { 0 };

	settings_show(s, &first);
	const struct settings *same = settings_load(read_again(&in, &first, arena), arena, &c);

	check(same != NULL && c.count == 0);
	settings_show(same, &second);
	without_marks(&first);
	without_marks(&second);
	check(span_equal(buf_span(&first), buf_span(&second)));
	buf_free(&first);
	buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input in = { { input_read }, { bytes, n } };
	struct complaints c = { 0 };
	struct arena arena = { 0 };
	struct settings *s = NULL;
	bool ok;

	struct node *tree = tree_parse(&in.source, "0", &arena, &c, &ok);

	check(ok == (c.count == 0));
	if (ok) {
		check_tree(tree, &arena);
		s = settings_load(tree, &arena, &c);
		check((s != NULL) == (c.count == 0));
	}
	if (s != NULL)
		check_settings(s, &arena);
	check_complaints(&in, &c);
	buf_free(&c.text);
	arena_free(&arena);
	return 0;
}
