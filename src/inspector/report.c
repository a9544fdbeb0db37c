/*
 * report.c - what was dug up, as facts and items of groups.
 */
#include "src/inspector/dig_private.h"
#include "lib/content/name.h"
#include "lib/content/signature.h"
#include <openssl/evp.h>

#define LINK_SLOTS 2048u        /* more than the group has items */

/* lib/content's classes as the fact's words. */
static const enum attachment_class classes[CLASSES] = {
	[CLASS_UNKNOWN] = ATTACHMENT_CLASS_UNKNOWN,
	[CLASS_EXECUTABLE] = ATTACHMENT_CLASS_EXECUTABLE,
	[CLASS_SCRIPT] = ATTACHMENT_CLASS_SCRIPT,
	[CLASS_ARCHIVE] = ATTACHMENT_CLASS_ARCHIVE,
	[CLASS_DOCUMENT] = ATTACHMENT_CLASS_DOCUMENT,
	[CLASS_IMAGE] = ATTACHMENT_CLASS_IMAGE,
	[CLASS_AUDIO] = ATTACHMENT_CLASS_AUDIO,
	[CLASS_VIDEO] = ATTACHMENT_CLASS_VIDEO,
	[CLASS_FONT] = ATTACHMENT_CLASS_DATA,
	[CLASS_TEXT] = ATTACHMENT_CLASS_TEXT,
	[CLASS_MAIL] = ATTACHMENT_CLASS_MAIL,
	[CLASS_CERTIFICATE] = ATTACHMENT_CLASS_CERTIFICATE,
	[CLASS_DATA] = ATTACHMENT_CLASS_DATA,
};

/* A body's own text is no attachment; a part with a name, or of another kind, is. */
static bool
is_attachment(const struct content *c)
{
	const struct mime_part *p = c->part;

	if (p == NULL || p->kind == MIME_EMBEDDED || p->name_count > 0)
		return true;
	if (p->kind != MIME_LEAF || c->bytes.len == 0)
		return false;
	return span_equal_nocase(p->disposition, SPAN_LIT("attachment")) ||
	    !span_equal_nocase(p->type, SPAN_LIT("text")) ||
	    (file_type_row(c->type)->class != CLASS_TEXT && c->type != FILE_UNKNOWN);
}

/* --- names --- */

struct names {
	struct buf extensions;          /* all, with a blank between */
	struct span last;
	unsigned flags;
	bool disagrees;
};

static bool
judged_bad(enum claim c)
{
	return c == CLAIM_DISGUISES || c == CLAIM_DIFFERS;
}

static void
add_name(struct names *n, struct span text, enum file_type type, struct arena *arena)
{
	struct name name;

	name_read(&name, text, arena);
	n->flags |= name.flags;
	n->disagrees |= judged_bad(name_judge(&name, type));
	for (unsigned i = 0; i < name.extension_count; i++) {
		if (buf_len(&n->extensions) + name.extensions[i].len > 500)
			break;
		if (buf_len(&n->extensions) > 0)
			buf_byte(&n->extensions, ' ');
		buf_add(&n->extensions, name.extensions[i]);
	}
	if (n->last.len == 0 && name.extension_count > 0)
		n->last = name.extensions[0];
}

static void
read_names(struct names *n, const struct content *c, struct arena *arena)
{
	if (c->part == NULL && c->name.len > 0)
		add_name(n, c->name, c->type, arena);
	if (c->member != NULL && c->member->local_name.len > 0)
		add_name(n, c->member->local_name, c->type, arena);
	for (uint32_t i = 0; c->part != NULL && i < c->part->name_count; i++)
		add_name(n, c->part->names[i].text, c->type, arena);
}

static void
set_names(struct dig *d, struct content *c, struct item *item)
{
	struct arena scratch = { 0 };
	struct names n = { 0 };

	read_names(&n, c, &scratch);
	if (c->name.len > 0)
		item_set_text(item, FACT_ATTACHMENT_NAME, c->name);
	if (n.last.len > 0) {
		item_set_text(item, FACT_ATTACHMENT_EXTENSION, arena_span(d->arena, n.last));
		item_set_text(item, FACT_ATTACHMENT_EXTENSIONS,
		    arena_span(d->arena, buf_span(&n.extensions)));
	}
	item_set_truth(item, FACT_ATTACHMENT_DOUBLE_EXTENSION, (n.flags & NAME_DOUBLE) != 0);
	item_set_truth(item, FACT_ATTACHMENT_RIGHT_TO_LEFT, (n.flags & NAME_BIDI) != 0);
	item_set_truth(item, FACT_ATTACHMENT_DISAGREES, n.disagrees);
	buf_free(&n.extensions);
	arena_free(&scratch);
}

/* --- attachments --- */

static void
set_digest(struct dig *d, const struct content *c, struct item *item)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[EVP_MAX_MD_SIZE];
	char *text = arena_alloc(d->arena, 65);
	unsigned len = 0;

	if (EVP_Digest(c->bytes.ptr, c->bytes.len, digest, &len, EVP_sha256(), NULL) != 1) {
		item_set_unknown(item, FACT_ATTACHMENT_SHA256, "no digest");
		return;
	}
	for (unsigned i = 0; i < len && i < 32; i++) {
		text[2 * i] = hex[digest[i] >> 4];
		text[2 * i + 1] = hex[digest[i] & 15];
	}
	item_set_text(item, FACT_ATTACHMENT_SHA256, (struct span){ (uint8_t *)text, 64 });
}

static void
set_part(struct dig *d, const struct content *c, struct item *item)
{
	const struct mime_part *p = c->part;
	struct span media;

	item_set_truth(item, FACT_ATTACHMENT_INLINE,
	    !span_equal_nocase(p->disposition, SPAN_LIT("attachment")));
	if (!p->typed || p->type.len + p->subtype.len > 200)
		return;
	media = span_text(arena_printf(d->arena, "%.*s/%.*s", (int)p->type.len,
	    (const char *)p->type.ptr, (int)p->subtype.len, (const char *)p->subtype.ptr));
	item_set_text(item, FACT_ATTACHMENT_MEDIA_TYPE, media);
	if (judged_bad(media_type_judge(media, c->type)))
		item_set_truth(item, FACT_ATTACHMENT_DISAGREES, true);
}

/* After the names and the declared type have been compared with it. */
static void
set_type(const struct content *c, struct item *item)
{
	static const enum fact facts[] = { FACT_ATTACHMENT_TYPE, FACT_ATTACHMENT_CLASS,
		FACT_ATTACHMENT_DISAGREES };
	const struct file_type_row *row = file_type_row(c->type);

	if (c->type != FILE_UNKNOWN)
		item_set_text(item, FACT_ATTACHMENT_TYPE, span_text(row->name));
	item_set_number(item, FACT_ATTACHMENT_CLASS, (int64_t)classes[row->class]);
	for (size_t i = 0; i < COUNT_OF(facts) && c->untyped; i++)
		item_set_unknown(item, facts[i], "no memory to find out its type");
}

void
report_attachment(struct dig *d, struct content *c)
{
	struct item *item;

	if (!is_attachment(c))
		return;
	item = findings_add(d->findings, GROUP_ATTACHMENT, d->arena);
	c->item = item;
	set_names(d, c, item);
	item_set_number(item, FACT_ATTACHMENT_SIZE, (int64_t)(c->member != NULL &&
	    c->member->encrypted ? c->member->size : c->bytes.len));
	item_set_number(item, FACT_ATTACHMENT_DEPTH, (int64_t)c->depth);
	if (c->path.len > 0)
		item_set_text(item, FACT_ATTACHMENT_ARCHIVE, c->path);
	item_set_truth(item, FACT_ATTACHMENT_ENCRYPTED,
	    c->member != NULL && c->member->encrypted);
	item_set_truth(item, FACT_ATTACHMENT_BROKEN, c->broken);
	item_set_truth(item, FACT_ATTACHMENT_UNSCANNABLE, c->unscannable);
	if (c->part != NULL)
		set_part(d, c, item);
	set_type(c, item);
	if (wished(d, WISH_DIGESTS) && item != NULL)
		set_digest(d, c, item);
}

void
report_signature(struct dig *d, const struct content *c, const char *name, int kind)
{
	const struct items *have = &d->findings->groups[GROUP_SIGNATURE];
	struct item *item;

	/* The same in another reading, or in the archive and its member, is one. */
	for (size_t i = 0; i < have->count; i++) {
		const struct value *n = item_value(have->list[i], FACT_SIGNATURE_NAME);
		const struct value *p = item_value(have->list[i], FACT_SIGNATURE_PART);

		if (span_equal(n->text, span_text(name)) && span_equal(p->text, c->name))
			return;
	}
	item = findings_add(d->findings, GROUP_SIGNATURE, d->arena);
	item_set_text(item, FACT_SIGNATURE_NAME, span_text(name));
	item_set_number(item, FACT_SIGNATURE_KIND, kind);
	if (c->name.len > 0)
		item_set_text(item, FACT_SIGNATURE_PART, c->name);
}

/* --- links --- */

static const struct { enum fact fact; unsigned flags; } link_truths[] = {
	{ FACT_LINK_DIFFERS, LINK_DIFFERS },
	{ FACT_LINK_PUNYCODE, LINK_PUNYCODE },
	{ FACT_LINK_MIXED_SCRIPT, LINK_MIXED_SCRIPT | LINK_CONFUSABLE },
	{ FACT_LINK_IP_HOST, LINK_IP_HOST },
	{ FACT_LINK_CREDENTIAL_FORM, LINK_CREDENTIALS },
	{ FACT_LINK_TRACKING, LINK_TRACKING },
};

static struct span
shown(struct span text)
{
	return span_slice(text, 0, text.len < FINDINGS_TEXT_BYTES ? text.len :
	    FINDINGS_TEXT_BYTES);
}

/* Would it be the same item?  What the others are made of stands in these. */
static bool
is_item_of(const struct item *item, const struct link *l)
{
	if (!span_equal(item_value(item, FACT_LINK_URL)->text, shown(l->url)) ||
	    !span_equal(item_value(item, FACT_LINK_HOST)->text, shown(l->host)) ||
	    !span_equal(item_value(item, FACT_LINK_TEXT)->text, shown(l->text)) ||
	    item_value(item, FACT_LINK_IN_IMAGE)->truth != (l->kind == LINK_IMAGE))
		return false;
	for (size_t i = 0; i < COUNT_OF(link_truths); i++)
		if (item_value(item, link_truths[i].fact)->truth !=
		    ((l->flags & link_truths[i].flags) != 0))
			return false;
	return true;
}

static uint64_t
hash_bytes(uint64_t hash, struct span s)
{
	for (; s.len >= 8; s = span_slice(s, 8, s.len)) {
		uint64_t word;

		memcpy(&word, s.ptr, sizeof word);
		hash = dig_mix(hash, word);
	}
	for (size_t i = 0; i < s.len; i++)
		hash = dig_mix(hash, s.ptr[i]);
	return hash;
}

/* Where the link's item stands, or could.  There are more slots than items, so the search
   ends. */
static struct item **
link_slot(struct dig *d, const struct link *l)
{
	uint64_t hash = hash_bytes(hash_bytes(l->flags, l->url), l->text);
	size_t at = (size_t)(hash ^ hash >> 32) % LINK_SLOTS;

	if (d->links == NULL)
		d->links = arena_array(d->arena, struct item *, LINK_SLOTS);
	while (d->links[at] != NULL && !is_item_of(d->links[at], l))
		at = (at + 1) % LINK_SLOTS;
	return &d->links[at];
}

static void
set_link_text(struct dig *d, struct item *item, enum fact fact, struct span text)
{
	if (text.len > 0)
		item_set_text(item, fact, arena_span(d->arena, shown(text)));
}

static void
report_link(struct dig *d, const struct link *l)
{
	struct item **slot = link_slot(d, l), *item;

	if (*slot != NULL)
		return;
	item = *slot = findings_add(d->findings, GROUP_LINK, d->arena);
	if (item == NULL)
		return;
	set_link_text(d, item, FACT_LINK_URL, l->url);
	set_link_text(d, item, FACT_LINK_SCHEME, l->scheme);
	set_link_text(d, item, FACT_LINK_HOST, l->host);
	set_link_text(d, item, FACT_LINK_DOMAIN, l->domain);
	set_link_text(d, item, FACT_LINK_TEXT, l->text);
	for (size_t i = 0; i < COUNT_OF(link_truths); i++)
		item_set_truth(item, link_truths[i].fact, (l->flags & link_truths[i].flags) != 0);
	item_set_truth(item, FACT_LINK_IN_IMAGE, l->kind == LINK_IMAGE);
}

void
report_links(struct dig *d, const struct content_text *text)
{
	/* Once the group is full there is nothing to be learnt. */
	for (size_t i = 0; i < text->link_count && !d->findings->groups[GROUP_LINK].cut; i++)
		report_link(d, &text->links[i]);
	if (text->links_seen > text->link_count)
		findings_cut(d->findings, GROUP_LINK);
}

/* --- the message --- */

static void
report_readings(struct dig *d)
{
	findings_set_truth(d->findings, FACT_MIME_AMBIGUOUS, d->ambiguities != 0);
	if (d->ambiguities == 0)
		return;
	bool last = (d->reading_gave & 1u << MIME_LAST) != 0;
	bool lenient = (d->reading_gave & 1u << MIME_LENIENT) != 0;

	if (last || lenient)
		findings_set_text(d->findings, FACT_MIME_READING,
		    span_text(last && lenient ? "last lenient" : last ? "last" : "lenient"));
}

static void
report_bad_header(struct dig *d)
{
	struct findings *f = d->findings;

	if (!d->has_bad_header)
		return;
	findings_set_text(f, FACT_BAD_HEADER, span_text(mime_flaw_text(d->bad_header.kind)));
	if (d->bad_header.field.len > 0)
		findings_set_text(f, FACT_BAD_HEADER_FIELD, d->bad_header.field);
	findings_set_number(f, FACT_BAD_HEADER_OFFSET, (int64_t)d->bad_header.at);
}

static void
report_parts(struct dig *d)
{
	struct findings *f = d->findings;

	report_readings(d);
	findings_set_number(f, FACT_MIME_FLAW_COUNT, (int64_t)d->flaws);
	findings_set_number(f, FACT_MIME_PARTS, (int64_t)d->parts);
	findings_set_number(f, FACT_MIME_DEPTH, (int64_t)d->deepest + 1);
	findings_set_truth(f, FACT_MIME_BROKEN, d->broken);
	findings_set_truth(f, FACT_ARCHIVE_LIMIT, d->limit);
	findings_set_truth(f, FACT_ARCHIVE_ENCRYPTED, d->encrypted);
	if (d->limit || d->encrypted || d->unseen)
		findings_cut(f, GROUP_ATTACHMENT);      /* there may be more */
	if (d->limit || d->unseen)
		findings_cut(f, GROUP_SIGNATURE);
}

void
report_message(struct dig *d)
{
	report_bad_header(d);
	if (wished(d, WISH_PARTS))
		report_parts(d);
	if (wished(d, WISH_TEXT)) {
		findings_set_truth(d->findings, FACT_TEXT_HIDDEN, d->hidden);
		findings_set_number(d->findings, FACT_TEXT_SIZE, (int64_t)d->text_size);
	}
}
