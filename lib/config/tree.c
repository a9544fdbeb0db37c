/*
 * tree.c - see tree.h.  The parser keeps two stacks, of open files and open blocks,
 * and takes one lexeme at a time from the file on top.
 */
#include "lib/config/tree.h"
#include "lib/config/lexer.h"

struct open_file { struct lexer lexer; unsigned depth; };       /* blocks open before it */
struct open_block { struct node **tail; struct place place; };

struct parser {
	struct config_source *source;
	struct arena         *arena;
	struct complaints    *complaints;
	struct open_file      files[INCLUDE_DEPTH + 1];
	size_t                file_count;
	struct open_block     blocks[TREE_DEPTH + 1];   /* the first is the outermost level */
	unsigned              depth;
	unsigned              skipped;  /* open blocks that were too deep */
	struct token         *pending;  /* of the statement that has not ended */
	size_t                pending_count, pending_cap;
	size_t                tokens, files_read, bytes_read;
	bool                  after_block;
	bool                  stop;
};

static void
stop(struct parser *p, struct place place, const char *why)
{
	complain(p->complaints, place, "%s", why);
	p->stop = true;
}

static void
pending_add(struct parser *p, const struct token *t)
{
	if (p->skipped > 0)
		return;
	if (++p->tokens > TREE_TOKENS) {
		stop(p, t->place, "the configuration has too many words");
		return;
	}
	if (p->pending_count == p->pending_cap) {
		p->pending_cap = p->pending_cap > 0 ? p->pending_cap * 2 : 64;
		p->pending = must_realloc(p->pending, p->pending_cap * sizeof *p->pending);
	}
	p->pending[p->pending_count++] = *t;
}

/* Pending tokens become a statement of the innermost block. */
static struct node *
node_add(struct parser *p, struct place end)
{
	struct open_block *b = &p->blocks[p->depth];
	struct node *n = arena_new(p->arena, struct node);

	n->tokens = arena_array(p->arena, struct token, p->pending_count);
	if (p->pending_count > 0)
		memcpy(n->tokens, p->pending, p->pending_count * sizeof *p->pending);
	n->token_count = p->pending_count;
	n->end = end;
	*b->tail = n;
	b->tail = &n->next;
	p->pending_count = 0;
	return n;
}

/* With all "./" and double slashes gone, so that one file has one name; ".." stays,
   since it means something else behind a symbolic link. */
static char *
path_resolve(struct arena *arena, const char *from, struct span path)
{
	const char *slash = strrchr(from, '/');
	size_t folder = path.ptr[0] == '/' || slash == NULL ? 0 : (size_t)(slash + 1 - from);
	char *out = arena_alloc(arena, folder + path.len + 1);
	size_t n = folder;

	memcpy(out, from, folder);
	for (size_t i = 0; i < path.len; i++) {
		bool begins = n == 0 || out[n - 1] == '/';
		bool slashed = i + 1 < path.len && path.ptr[i + 1] == '/';

		if (path.ptr[i] == '/' && n > 0 && begins)
			continue;
		if (path.ptr[i] == '.' && begins && slashed) {
			while (i + 1 < path.len && path.ptr[i + 1] == '/')
				i++;
			continue;
		}
		out[n++] = (char)path.ptr[i];
	}
	return out;
}

static bool
path_is_sound(struct span path, size_t folder)
{
	if (path.len == 0 || path.len > CONFIG_PATH || folder > CONFIG_PATH - path.len)
		return false;
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] < 0x20 || path.ptr[i] == 0x7f)
			return false;
	return true;
}

/* May one more file be opened here? */
static bool
include_fits(struct parser *p, const char *path, struct place place)
{
	for (size_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i].lexer.file, path) == 0) {
			complain(p->complaints, place, "%s includes itself", path);
			return false;
		}
	if (p->file_count == COUNT_OF(p->files)) {
		complain(p->complaints, place, "files are included more than %u deep",
		    (unsigned)INCLUDE_DEPTH);
		return false;
	}
	if (++p->files_read > CONFIG_FILES)
		stop(p, place, "the configuration has too many files");
	return !p->stop;
}

static void
file_open(struct parser *p, const char *path, struct place place)
{
	struct span bytes = SPAN_NONE;
	struct error why = { 0 };

	if (!include_fits(p, path, place))
		return;
	if (!p->source->read(p->source, path, &bytes, &why)) {
		complain(p->complaints, place, "cannot read %s: %s", path, why.text);
		return;
	}
	if (bytes.len > CONFIG_BYTES - p->bytes_read) {
		stop(p, place, "the configuration is too large");
		return;
	}
	p->bytes_read += bytes.len;
	struct open_file *f = &p->files[p->file_count++];

	lexer_init(&f->lexer, path, arena_span(p->arena, bytes), p->arena, p->complaints);
	f->depth = p->depth;
}

static bool
is_include(const struct parser *p)
{
	return p->pending_count > 1 && token_is(&p->pending[0], "include") &&
	    p->pending[1].kind == TOKEN_TEXT;
}

static void
include(struct parser *p, struct place end)
{
	const struct token *t = &p->pending[1];
	const char *from = p->files[p->file_count - 1].lexer.file;
	bool alone = p->pending_count == 2;

	p->pending_count = 0;
	if (!alone)
		complain(p->complaints, t[1].place, "expected ; after the path of the file");
	else if (!path_is_sound(t->text, strlen(from)))
		complain(p->complaints, t->place, "expected the path of a file");
	else
		file_open(p, path_resolve(p->arena, from, t->text), t->place);
}

static void
statement_end(struct parser *p, struct place place)
{
	if (p->skipped > 0)
		return;
	if (p->pending_count == 0)
		complain(p->complaints, place, p->after_block ?
		    "unexpected ; after }" : "expected a statement before ;");
	else if (is_include(p))
		include(p, place);
	else
		node_add(p, place);
}

static void
block_open(struct parser *p, struct place place)
{
	if (p->skipped > 0 || p->depth == TREE_DEPTH) {
		if (p->skipped++ == 0)
			complain(p->complaints, place, "blocks nest more than %u deep",
			    (unsigned)TREE_DEPTH);
		p->pending_count = 0;
		return;
	}
	if (p->pending_count == 0)
		complain(p->complaints, place, "expected a word before {");
	else if (is_include(p))
		complain(p->complaints, place, "expected ; after the path of the file");
	struct node *n = node_add(p, place);
	n->has_block = true;
	p->blocks[++p->depth] = (struct open_block){ &n->children, place };
}

/* Statement without its ; before a } or the end of the file. */
static void
check_ended(struct parser *p, struct place place, const char *before)
{
	if (p->pending_count == 0)
		return;
	complain(p->complaints, place, "expected ; before %s", before);
	p->pending_count = 0;
}

/* The statement a block belongs to is the last one of the level above. */
static void
block_close(struct parser *p, struct place place)
{
	if (p->skipped > 0) {
		p->skipped--;
		return;
	}
	check_ended(p, place, "}");
	if (p->depth == p->files[p->file_count - 1].depth) {
		complain(p->complaints, place, "unexpected }: no block is open");
		return;
	}
	struct node **tail = p->blocks[--p->depth].tail;
	container_of(tail, struct node, next)->end = place;
}

static void
file_end(struct parser *p, struct place place)
{
	struct open_file *f = &p->files[p->file_count - 1];

	check_ended(p, place, "the end of the file");
	p->skipped = 0;
	for (; p->depth > f->depth; p->depth--)
		complain(p->complaints, place, "expected } for the { of line %u",
		    p->blocks[p->depth].place.line);
	p->file_count--;
}

static void
parse_step(struct parser *p)
{
	struct token t;
	enum lexeme x = lexer_next(&p->files[p->file_count - 1].lexer, &t);

	switch (x) {
	case LEX_TOKEN:
		pending_add(p, &t);
		break;
	case LEX_SEMICOLON:
		statement_end(p, t.place);
		break;
	case LEX_OPEN:
		block_open(p, t.place);
		break;
	case LEX_CLOSE:
		block_close(p, t.place);
		break;
	case LEX_BROKEN:
		p->pending_count = 0;
		break;
	case LEX_END:
		file_end(p, t.place);
		break;
	}
	p->after_block = x == LEX_CLOSE;
}

struct node *
tree_parse(struct config_source *source, const char *path, struct arena *arena,
    struct complaints *complaints, bool *ok)
{
	struct parser *p = must_alloc(sizeof *p);
	struct node *first = NULL;
	unsigned before = complaints->count;

	p->source = source;
	p->arena = arena;
	p->complaints = complaints;
	p->blocks[0].tail = &first;
	file_open(p, arena_text(arena, span_text(path)), (struct place){ path, 1, 1 });
	while (p->file_count > 0 && !p->stop)
		parse_step(p);
	free(p->pending);
	free(p);
	*ok = complaints->count == before;
	return *ok ? first : NULL;
}
