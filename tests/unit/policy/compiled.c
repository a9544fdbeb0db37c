/*
 * compiled.c - see compiled.h.
 */
#include "compiled.h"
#include <assert.h>

struct text_source { struct config_source base; struct span text; };

static bool
read_text(struct config_source *s, const char *path, struct span *bytes, struct error *why)
{
	*bytes = container_of(s, struct text_source, base)->text;
	return strcmp(path, "t") == 0;
}

void
compiled_init(struct compiled *c, const char *text, const enum queue_place *queue)
{
	struct text_source source = { { read_text }, span_text(text) };
	bool ok;

	*c = (struct compiled){ 0 };
	c->settings.tree = tree_parse(&source.base, "t", &c->arena, &c->complaints, &ok);
	const struct settings *loaded =
	    ok ? settings_load(c->settings.tree, &c->arena, &c->complaints) : NULL;

	if (loaded != NULL) {
		c->settings.scanners = loaded->scanners;
		c->settings.scanner_count = loaded->scanner_count;
	}
	if (queue != NULL) {
		c->listener = (struct listener){ .name = "in", .queue = *queue, .policy = "p",
			.place = { "t", 900, 1 }, .policy_place = { "t", 900, 9 } };
		c->settings.listeners = &c->listener;
		c->settings.listener_count = 1;
	}
	if (loaded != NULL)
		c->set = policy_compile(&c->settings, &c->arena, &c->complaints);
}

void
compiled_finish(struct compiled *c)
{
	policy_release(c->set);
	arena_free(&c->arena);
	buf_free(&c->complaints.text);
}

static void
read_value(struct findings *f, enum fact fact, struct span s, struct arena *a)
{
	struct address address;

	switch (fact_row(fact)->type) {
	case TYPE_TRUTH:
		findings_set_truth(f, fact, span_equal(s, SPAN_LIT("yes")));
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_ENUM:
	case TYPE_SCORE:
		findings_set_number(f, fact, atoll(arena_text(a, s)));
		break;
	case TYPE_NETWORK:
		assert(address_parse(s, &address));
		findings_set_address(f, fact, &address);
		break;
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
	case TYPE_WORDS:
		assert(s.len >= 2 && s.ptr[0] == '\'');
		findings_set_text(f, fact, span_slice(s, 1, s.len - 1));
		break;
	}
}

void
findings_read(struct findings *f, const char *text, struct arena *a)
{
	struct span s = span_text(text);

	*f = (struct findings){ 0 };
	while (s.len > 0) {
		size_t end = span_find(s, ';'), eq = span_find(s, '=');
		enum fact fact = fact_find(span_trim(span_slice(s, 0, eq)));
		struct span value = span_slice(s, eq + 1, end);

		assert(fact != FACT_COUNT);
		if (span_equal(value, SPAN_LIT("?")))
			findings_set_unknown(f, fact, "test");
		else
			read_value(f, fact, value, a);
		s = span_slice(s, end < s.len ? end + 1 : end, s.len);
	}
}
