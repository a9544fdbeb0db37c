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

/* A structure being filled: the settings or one listener. */
struct target {
	const struct schema *schema;
	void                *base;
	const struct node   *seen[SCHEMA_ROWS];         /* where each was given */
};

static const char *const blocks[] = { "listener", "policy", "list", "pattern" };

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

static void
unknown_word(const struct loader *l, const struct target *t, const struct token *word)
{
	struct nearest near = { .word = word->text };
	bool inside = t->schema->block != NULL;
	const struct schema *other = inside ? &schema_global : &schema_listener;

	if (word->kind != TOKEN_WORD)
		complain(l->complaints, word->place, "expected the name of a setting, found %s",
		    token_shown(word).text);
	else if (token_is(word, "include"))
		complain(l->complaints, word->place,
		    "expected the path after `include' in \"\"");
	else if (row_find(other, word) != NULL || (inside && is_block_word(word)))
		complain(l->complaints, word->place, "%s stands %s a listener, not here",
		    token_shown(word).text, inside ? "outside of" : "in the block of");
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

static void
listener_name(const struct loader *l, struct listener *listener, const struct node *n)
{
	static const struct row name = { .name = "listener", .kind = KIND_NAME };
	struct listener *all = l->settings->listeners;

	listener->name = "";
	listener->place = n->tokens->place;
	if (n->token_count != 2)
		complain(l->complaints, n->tokens[n->token_count > 2 ? 2 : 0].place,
		    n->token_count > 2 ? "expected { after the name of the listener" :
		    "expected a name after `listener'");
	if (n->token_count < 2)
		return;
	kind_read(&(struct reading){ &name, n->tokens + 1, 1, n->end, l->arena,
	    l->complaints }, &listener->name);
	for (struct listener *o = all; o < listener && *listener->name != '\0'; o++)
		if (strcmp(o->name, listener->name) == 0)
			complain(l->complaints, listener->place,
			    "listener `%s' is given twice, first at %s:%u:%u", o->name,
			    o->place.file, o->place.line, o->place.column);
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

	if (!n->has_block) {
		complain(l->complaints, n->end, "expected { after `listener' and its name");
		return;
	}
	listener_name(l, in, n);
	defaults_load(l, &t);
	for (const struct node *s = n->children; s != NULL && !enough(l); s = s->next)
		setting_load(l, &t, s);
	check_required(l, &t, in);
	in->policy_place = policy_place(&t);
	listener_resolve(in);
	l->settings->listener_count++;
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

static void
listeners_alloc(const struct loader *l, const struct node *tree)
{
	size_t count = 0;

	for (const struct node *n = tree; n != NULL; n = n->next)
		if (token_is(n->tokens, "listener") && count++ == SCHEMA_LISTENERS)
			complain(l->complaints, n->tokens->place,
			    "there are more than %u listeners", (unsigned)SCHEMA_LISTENERS);
	if (count > SCHEMA_LISTENERS)
		count = SCHEMA_LISTENERS;
	l->settings->listeners = arena_array(l->arena, struct listener, count);
}

static void
settings_resolve(struct settings *s, struct arena *arena)
{
	s->revision = "";
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
	listeners_alloc(&l, tree);
	for (const struct node *n = tree; n != NULL && !enough(&l); n = n->next) {
		if (!is_block_word(n->tokens))
			setting_load(&l, &global, n);
		else if (token_is(n->tokens, "listener") &&
		    s->listener_count < SCHEMA_LISTENERS)
			listener_load(&l, n);
	}
	check_listeners(&l);
	settings_resolve(s, arena);
	s->tree = tree;
	return complaints->count == before ? s : NULL;
}
