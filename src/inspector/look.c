/*
 * look.c - one decoded part or member: what it is, what stands in it, whether it holds more.
 */
#include "src/inspector/dig_private.h"
#include "lib/content/signature.h"
#include "lib/finding/fact.h"

static void
find_type(struct dig *d, struct content *c)
{
	struct span bytes = c->bytes;
	struct span head = bytes.len > CONTENT_HEAD_BYTES ?
	    span_slice(bytes, 0, CONTENT_HEAD_BYTES) : bytes;
	struct span tail = bytes.len > CONTENT_TAIL_BYTES ?
	    span_slice(bytes, bytes.len - CONTENT_TAIL_BYTES, bytes.len) : bytes;
	char media[MAGIC_MEDIA_BYTES];

	c->type = content_type(head, tail, bytes.len);
	if (c->type == FILE_UNKNOWN && wished(d, WISH_TYPES) && d->tools->magic != NULL &&
	    bytes.len > 0 && d->magic_asks++ < MAGIC_ASKS)
		c->untyped = magic_ask(d->tools->magic, head, media, &c->type) == MAGIC_FAILED;
}

static void
find_signatures(struct dig *d, const struct content *c)
{
	struct signature_search search = { 0 };

	signature_feed(&search, c->bytes);
	for (int s = 0; s < SIGNATURES; s++)
		if (search.found[s])
			report_signature(d, c, signature_name((enum signature)s),
			    s == SIGNATURE_GTUBE ? SIGNATURE_KIND_SPAM_TEST :
			    SIGNATURE_KIND_TEST);
}

static bool
is_type(const struct content *c, const char *type, const char *subtype)
{
	return c->part != NULL && span_equal_nocase(c->part->type, span_text(type)) &&
	    (subtype == NULL || span_equal_nocase(c->part->subtype, span_text(subtype)));
}

/* Text as the part declares it, or as its bytes say. */
static bool
is_text(const struct content *c, bool *html)
{
	const struct file_type_row *row = file_type_row(c->type);

	*html = c->type == FILE_HTML || is_type(c, "text", "html");
	if (c->part != NULL && c->part->kind != MIME_EMBEDDED && is_type(c, "text", NULL))
		return row->class == CLASS_TEXT || row->class == CLASS_UNKNOWN ||
		    row->class == CLASS_SCRIPT || row->class == CLASS_MAIL;
	return c->type == FILE_HTML;
}

static void
read_text(struct dig *d, const struct content *c, bool html)
{
	struct content_limits limits = CONTENT_LIMITS_DEFAULT;
	struct content_tools tools = { d->tools->charsets, d->tools->suffixes };
	struct arena scratch = { 0 };
	struct content_text text;

	if (limits.text > d->text_left)
		limits.text = (size_t)d->text_left;
	content_text(&text, c->bytes, c->part != NULL ? c->part->charset : SPAN_NONE, html,
	    &limits, &tools, &scratch);
	d->text_left -= text.visible.len;
	d->text_size += text.visible_bytes;
	d->hidden |= text.hidden_bytes > 0;
	if (wished(d, WISH_LINKS))
		report_links(d, &text);
	if (d->patterns) {
		pattern_scan_feed(&d->scan, PATTERN_TEXT, text.visible);
		for (size_t i = 0; i < text.link_count; i++)
			pattern_scan_feed(&d->scan, PATTERN_URL, text.links[i].url);
	}
	arena_free(&scratch);
}

/* Text that merely begins like a mail - a quotation, a bounce's copy - is none. */
static bool
is_message(const struct content *c)
{
	if (c->part != NULL && c->part->is_message)
		return true;
	return c->type == FILE_MAIL && (c->part == NULL || c->name.len > 0 ||
	    !is_type(c, "text", NULL));
}

/*
 * Containers go onto the stack.  Bytes may be several at once (a program with a zip behind
 * it, a mail that is a zip too): the first frame owns the bytes, those above it are gone
 * before it is.
 */
static void
open_containers(struct dig *d, struct content *c)
{
	struct archive_form forms[ARCHIVE_FORMS];
	size_t count;

	if (c->bytes.len == 0)
		return;
	if (c->name.len > 0 && c->path.len + c->name.len < FINDINGS_TEXT_BYTES)
		c->path = c->path.len == 0 ? c->name : span_text(arena_printf(d->arena,
		    "%.*s/%.*s", (int)c->path.len, (const char *)c->path.ptr,
		    (int)c->name.len, (const char *)c->name.ptr));
	count = archive_detect(c->bytes, forms);
	if (is_message(c))
		dig_push_message(d, c);
	for (size_t i = 0; i < count; i++)
		dig_push_archive(d, c, &forms[i]);
}

void
look(struct dig *d, struct content *c)
{
	bool html;

	d->contents += c->part != NULL;
	if (c->depth > d->deepest)
		d->deepest = c->depth;
	find_type(d, c);
	if (wished(d, WISH_SIGNATURES))
		find_signatures(d, c);
	report_attachment(d, c);
	if (wished(d, WISH_TEXT) && is_text(c, &html))
		read_text(d, c, html);
	open_containers(d, c);
}
