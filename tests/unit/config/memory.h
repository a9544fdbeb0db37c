/*
 * memory.h - configuration files in memory, for tests.
 */
#ifndef TESTS_UNIT_CONFIG_MEMORY_H
#define TESTS_UNIT_CONFIG_MEMORY_H
#include "lib/config/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct file { const char *path, *text; };

struct memory {
	struct config_source source;
	struct file          files[4];
	struct arena         arena;
	struct complaints    complaints;
	bool                 ok;
	struct buf           out;
};

static inline bool
memory_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	struct memory *m = container_of(source, struct memory, source);

	for (size_t i = 0; i < COUNT_OF(m->files); i++)
		if (m->files[i].path != NULL && strcmp(m->files[i].path, path) == 0) {
			*bytes = span_text(m->files[i].text);
			return true;
		}
	*why = (struct error){ "test", "No such file" };
	return false;
}

static inline struct node *
memory_tree(struct memory *m)
{
	m->source.read = memory_read;
	return tree_parse(&m->source, m->files[0].path, &m->arena, &m->complaints, &m->ok);
}

/* The settings of one file, without those of other files. */
static inline struct settings *
memory_settings(struct memory *m, const char *text)
{
	m->files[0] = (struct file){ "c", text };
	struct node *tree = memory_tree(m);

	return m->ok ? settings_load(tree, &m->arena, &m->complaints) : NULL;
}

static inline char *
memory_print(struct memory *m, const struct node *tree)
{
	for (const struct node *n = tree; n != NULL; n = n->next)
		statement_print(n, &m->out);
	return buf_text(&m->out);
}

static inline void
memory_free(struct memory *m)
{
	arena_free(&m->arena);
	buf_free(&m->complaints.text);
	buf_free(&m->out);
}
#endif
