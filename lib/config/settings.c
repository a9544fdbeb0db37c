/*
 * settings.c - from the tree to the settings, by the rows of schema.c.
 */
#include "lib/config/settings.h"
#include "lib/config/lexer.h"
#include "lib/config/schema.h"
#include <assert.h>

struct loader {
	struct settings   *settings;
	struct arena      *arena;
	struct complaints *complaints;
};

/* When this many complaints are there, the rest is not worth the work. */
static bool
enough(const struct loader *l)
{
	return l->complaints->count > CONFIG_ERRORS;
}

/* A structure being filled: the settings, one listener or one scanner. */
struct target {
	const struct schema *schema;
	void                *base;
	const struct node   *seen[SCHEMA_ROWS];         /* where each was given */
};

static const char *const blocks[] = { "listener", "scanner", "policy", "list", "pattern" };
static const struct schema *const schemas[] = {
	&schema_global, &schema_listener, &schema_scanner,
};

static const struct row *
row_find(const struct schema *schema, const struct token *t)
{
	for (size_t i = 0; i < schema->count; i++)
		if (token_is(t, schema->rows[i].name))
			return &schema->rows[i];
	return NULL;
}

static bool
is_block_word(const struct token *t)
{
	for (size_t i = 0; i < COUNT_OF(blocks); i++)
		if (token_is(t, blocks[i]))
			return true;
	return false;
}

/* NULL where no other block has a setting of that name; that of the file goes first. */
static const struct schema *
other_schema(const struct schema *not_this, const struct token *word)
{
	for (size_t i = 0; i < COUNT_OF(schemas); i++)
		if (schemas[i] != not_this && row_find(schemas[i], word) != NULL)
			return schemas[i];
	return NULL;
}

static void
misplaced(const struct loader *l, const struct target *t, const struct token *word,
    const struct schema *other)
{
	bool outside = other == NULL || other->block == NULL;

	complain(l->complaints, word->place, "%s stands %s a %s, not here",
	    token_shown(word).text, outside ? "outside of" : "in the block of",
	    outside ? t->schema->block : other->block);
}

static void
unknown_word(const struct loader *l, const struct target *t, const struct token *word)
{
	struct nearest near = { .word = word->text };
	bool inside = t->schema->block != NULL;
	const struct schema *other = other_schema(t->schema, word);

	if (word->kind != TOKEN_WORD)
		complain(l->complaints, word->place, "expected the name of a setting, found %s",
		    token_shown(word).text);
	else if (token_is(word, "include"))
		complain(l->complaints, word->place,
		    "expected the path after `include' in \"\"");
	else if (other != NULL || (inside && is_block_word(word)))
		misplaced(l, t, word, other);
	else {
		for (size_t i = 0; i < t->schema->count; i++)
			nearest_try(&near, t->schema->rows[i].name);
		for (size_t i = 0; i < COUNT_OF(blocks) && !inside; i++)
			nearest_try(&near, blocks[i]);
		complain(l->complaints, word->place, "unknown setting %s%s",
		    token_shown(word).text, nearest_hint(&near).text);
	}
}

/*
 * How many tokens belong to the statement: a word that begins a line and is a setting
 * shows that the ; before it was forgotten, and the rest is lost.
 */
static size_t
statement_length(const struct loader *l, const struct target *t, const struct node *n)
{
	for (size_t i = 1; i < n->token_count; i++) {
		const struct token *word = &n->tokens[i];

		if (word->place.line == word[-1].place.line)
			continue;
		if (row_find(t->schema, word) == NULL &&
		    (t->schema->block != NULL || !is_block_word(word)))
			continue;
		complain(l->complaints, word->place, "expected ; before %s",
		    token_shown(word).text);
		return i;
	}
	return n->token_count;
}

static bool
seen_first(const struct loader *l, struct target *t, size_t index, const struct node *n)
{
	uint64_t *given = (void *)((char *)t->base + t->schema->given);

	if (t->seen[index] != NULL) {
		const struct place *first = &t->seen[index]->tokens->place;

		complain(l->complaints, n->tokens->place, "`%s' is given twice, first at "
		    "%s:%u:%u", t->schema->rows[index].name, first->file, first->line,
		    first->column);
		return false;
	}
	*given |= 1ull << index;
	t->seen[index] = n;
	return true;
}

static void
setting_load(const struct loader *l, struct target *t, const struct node *n)
{
	const struct row *row = row_find(t->schema, n->tokens);

	if (row == NULL) {
		unknown_word(l, t, n->tokens);
		return;
	}
	size_t count = statement_length(l, t, n);

	if (!seen_first(l, t, (size_t)(row - t->schema->rows), n))
		return;
	if (n->has_block && count == n->token_count) {
		complain(l->complaints, n->tokens->place, "`%s' takes no block: expected ; "
		    "after its value", row->name);
		return;
	}
	kind_read(&(struct reading){ row, n->tokens + 1, count - 1, n->end, l->arena,
	    l->complaints }, row_member(row, t->base));
}

static void
default_load(const struct loader *l, const struct row *row, void *base)
{
	struct token tokens[SCHEMA_ENDPOINTS];
	size_t count = 0;
	struct lexer lexer;

	lexer_init(&lexer, "default", span_text(row->initial), l->arena, l->complaints);
	while (lexer_next(&lexer, &tokens[count]) == LEX_TOKEN) {
		count++;
		assert(count < COUNT_OF(tokens));
	}
	kind_read(&(struct reading){ row, tokens, count, { "default", 1, 1 }, l->arena,
	    l->complaints }, row_member(row, base));
}

/* Defaults are ours: a complaint about one is a broken promise. */
static void
defaults_load(const struct loader *l, const struct target *t)
{
	unsigned before = l->complaints->count;

	for (size_t i = 0; i < t->schema->count; i++)
		if (t->schema->rows[i].initial != NULL)
			default_load(l, &t->schema->rows[i], t->base);
	assert(l->complaints->count == before);
}

/* The name of a block, "" after a complaint. */
static const char *
block_name(const struct loader *l, const char *block, const struct node *n)
{
	const struct row row = { .name = block, .kind = KIND_NAME };
	const char *name = "";

	if (n->token_count > 2)
		complain(l->complaints, n->tokens[2].place, "expected { after the name of the "
		    "%s", block);
	if (n->token_count < 2)
		complain(l->complaints, n->tokens->place, "expected a name after `%s'", block);
	else
		kind_read(&(struct reading){ &row, n->tokens + 1, 1, n->end, l->arena,
		    l->complaints }, &name);
	return name;
}

static bool
has_block(const struct loader *l, const char *block, const struct node *n)
{
	if (!n->has_block)
		complain(l->complaints, n->end, "expected { after `%s' and its name", block);
	return n->has_block;
}

static void
given_twice(const struct loader *l, const char *block, const char *name, struct place place,
    struct place first)
{
	complain(l->complaints, place, "%s `%s' is given twice, first at %s:%u:%u", block, name,
	    first.file, first.line, first.column);
}

static void
block_load(const struct loader *l, struct target *t, const struct node *n)
{
	defaults_load(l, t);
	for (const struct node *s = n->children; s != NULL && !enough(l); s = s->next)
		setting_load(l, t, s);
}

static void
check_required(const struct loader *l, const struct target *t, const struct listener *in)
{
	for (size_t i = 0; i < t->schema->count; i++)
		if (t->schema->rows[i].required && t->seen[i] == NULL)
			complain(l->complaints, in->place, "expected `%s' in listener `%s'",
			    t->schema->rows[i].name, in->name);
}

/* Where the policy is named, for complaints of who looks it up. */
static struct place
policy_place(const struct target *t)
{
	for (size_t i = 0; i < t->schema->count; i++)
		if (t->schema->rows[i].offset == offsetof(struct listener, policy) &&
		    t->seen[i] != NULL)
			return t->seen[i]->tokens[t->seen[i]->token_count > 1].place;
	return ((struct listener *)t->base)->place;
}

static void
listener_resolve(struct listener *in)
{
	bool before = in->queue == QUEUE_BEFORE;

	if (in->bare_newline == BARE_DEFAULT)
		in->bare_newline = before ? BARE_REJECT : BARE_REPAIR;
	if (in->deadline == 0)
		in->deadline = before ? 80000 : 480000;
}

static void
listener_load(const struct loader *l, const struct node *n)
{
	struct listener *in = &l->settings->listeners[l->settings->listener_count];
	struct target t = { .schema = &schema_listener, .base = in };

	if (!has_block(l, "listener", n))
		return;
	in->name = block_name(l, "listener", n);
	in->place = n->tokens->place;
	for (struct listener *o = l->settings->listeners; o < in && *in->name != '\0'; o++)
		if (strcmp(o->name, in->name) == 0)
			given_twice(l, "listener", in->name, in->place, o->place);
	block_load(l, &t, n);
	check_required(l, &t, in);
	in->policy_place = policy_place(&t);
	listener_resolve(in);
	l->settings->listener_count++;
}

static void
scanner_load(const struct loader *l, const struct node *n)
{
	struct scanner *in = &l->settings->scanners[l->settings->scanner_count];
	struct target t = { .schema = &schema_scanner, .base = in };

	if (!has_block(l, "scanner", n))
		return;
	in->type = SCANNER_TYPES;       /* until it is read */
	in->name = block_name(l, "scanner", n);
	in->place = n->tokens->place;
	for (struct scanner *o = l->settings->scanners; o < in && *in->name != '\0'; o++)
		if (strcmp(o->name, in->name) == 0)
			given_twice(l, "scanner", in->name, in->place, o->place);
	block_load(l, &t, n);
	scanner_check(in, t.seen, l->complaints);
	l->settings->scanner_count++;
}

static void
check_address(const struct loader *l, const struct listener *of, size_t index)
{
	const struct endpoint *e = &of->addresses[index];

	for (const struct listener *o = l->settings->listeners; o <= of; o++)
		for (size_t i = 0; i < (o == of ? index : o->address_count); i++)
			if (endpoint_equal(e, &o->addresses[i])) {
				complain(l->complaints, of->address_places[index],
				    "this is an address of listener `%s' already", o->name);
				return;
			}
}

/* Mail that is handed to where it came in never leaves. */
static void
check_loop(const struct loader *l, const struct listener *in)
{
	for (size_t h = 0; h < in->next_hop.endpoint_count; h++)
		for (size_t i = 0; i < in->address_count; i++)
			if (endpoint_equal(&in->next_hop.endpoints[h], &in->addresses[i]))
				complain(l->complaints, in->next_hop.places[h], "expected "
				    "another next hop: this is the listener's own address");
}

static void
check_listeners(const struct loader *l)
{
	for (size_t i = 0; i < l->settings->listener_count; i++) {
		const struct listener *in = &l->settings->listeners[i];

		for (size_t a = 0; a < in->address_count; a++)
			check_address(l, in, a);
		check_loop(l, in);
	}
}

/* How many blocks of that sort are read: no more than `most`. */
static size_t
blocks_count(const struct loader *l, const struct node *tree, const char *block, size_t most)
{
	size_t count = 0;

	for (const struct node *n = tree; n != NULL; n = n->next)
		if (token_is(n->tokens, block) && count++ == most)
			complain(l->complaints, n->tokens->place, "there are more than %zu %ss",
			    most, block);
	return count < most ? count : most;
}

static void
blocks_alloc(const struct loader *l, const struct node *tree)
{
	l->settings->listeners = arena_array(l->arena, struct listener,
	    blocks_count(l, tree, "listener", SCHEMA_LISTENERS));
	l->settings->scanners = arena_array(l->arena, struct scanner,
	    blocks_count(l, tree, "scanner", SCANNERS));
}

static void
settings_resolve(struct settings *s, struct arena *arena)
{
	s->revision = "";
	if (s->runner_directory == NULL)
		s->runner_directory = arena_printf(arena, "%s-runner", s->spool_directory);
	if (s->quarantine_directory == NULL)
		s->quarantine_directory = arena_printf(arena, "%s/quarantine",
		    s->state_directory);
	if (s->hostname != NULL)
		settings_host(s, s->hostname, arena);
}

void
settings_host(struct settings *s, const char *machine, struct arena *arena)
{
	if (s->hostname == NULL)
		s->hostname = arena_text(arena, span_text(machine));
	if (s->postmaster == NULL)
		s->postmaster = arena_printf(arena, "postmaster@%s", s->hostname);
}

struct settings *
settings_load(const struct node *tree, struct arena *arena, struct complaints *complaints)
{
	struct settings *s = arena_new(arena, struct settings);
	struct target global = { .schema = &schema_global, .base = s };
	struct loader l = { s, arena, complaints };
	unsigned before = complaints->count;

	defaults_load(&l, &global);
	blocks_alloc(&l, tree);
	for (const struct node *n = tree; n != NULL && !enough(&l); n = n->next) {
		if (!is_block_word(n->tokens))
			setting_load(&l, &global, n);
		else if (token_is(n->tokens, "listener") &&
		    s->listener_count < SCHEMA_LISTENERS)
			listener_load(&l, n);
		else if (token_is(n->tokens, "scanner") && s->scanner_count < SCANNERS)
			scanner_load(&l, n);
	}
	check_listeners(&l);
	settings_resolve(s, arena);
	s->tree = tree;
	return complaints->count == before ? s : NULL;
}
