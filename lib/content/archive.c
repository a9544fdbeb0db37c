/*
 * archive.c - the walk: opening, members, their data, what ends it.
 */
#include "lib/content/archive_private.h"
#include <archive.h>
#include <archive_entry.h>
#include <iconv.h>
#include <libdeflate.h>
#include <locale.h>
#include <wchar.h>

#define REOPENINGS 8            /* after data that libarchive gave up the archive for */

/* The first conversion loads the tables, which a sandbox would not let it do. */
static void
warm(const char *charset)
{
	iconv_t cd = iconv_open("UTF-8", charset);

	if (cd != (iconv_t)-1)
		iconv_close(cd);
}

bool
archive_library_init(struct archive_library *l)
{
	l->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	l->inflater = libdeflate_alloc_decompressor();
	warm("UTF-16LE");
	warm("UTF-16BE");
	return l->locale != NULL;
}

void
archive_library_finish(struct archive_library *l)
{
	if (l->locale != NULL)
		freelocale(l->locale);
	libdeflate_free_decompressor(l->inflater);
	*l = (struct archive_library){ NULL, NULL };
}

/* libarchive turns names into the thread's charset: without UTF-8 they are lost. */
static locale_t
enter(const struct archive_state *s)
{
	return s->library != NULL && s->library->locale != NULL ?
	    uselocale(s->library->locale) : (locale_t)0;
}

static void
leave(locale_t before)
{
	if (before != (locale_t)0)
		uselocale(before);
}

static bool
is_volume(const struct archive_form *form, struct span s)
{
	if (form->kind == ARCHIVE_KIND_RAR)
		return s.len > 12 && s.ptr[9] == 0x73 && (s.ptr[10] & 1) != 0;
	if (form->kind == ARCHIVE_KIND_CAB)
		return s.len > 31 && (s.ptr[30] & 3) != 0;
	return false;
}

/* A tar or cpio in a stream is told by the stream's first bytes, by us: libarchive would
   take any zeros for the end of a tar. */
static void
look_inside(struct archive_walk *w, struct span start)
{
	struct archive_form forms[ARCHIVE_FORMS];

	if (archive_detect(start, forms) > 0 && (forms[0].kind == ARCHIVE_KIND_TAR ||
	    forms[0].kind == ARCHIVE_KIND_CPIO) && forms[0].at == 0)
		w->form.kind = forms[0].kind;
}

static void
look_at_block(struct archive_walk *w)
{
	struct archive_state *s = w->state;
	struct span block = SPAN_NONE;
	uint64_t at;

	if (reader_open(&s->reader, &w->form, s->spans, s->span_count, &s->gate) &&
	    reader_next(&s->reader))
		block = reader_block(&s->reader, &at);
	look_inside(w, block);
	reader_close(&s->reader);
}

/* What is unpacked already is the stream's one file, or the reader's input.  False: there
   is nothing to be read by libarchive. */
static bool
open_stream(struct archive_walk *w, struct archive_form *form)
{
	struct archive_state *s = w->state;

	if (form->packing != ARCHIVE_PACKING_GZIP || !gzip_whole(s, &s->stream)) {
		look_at_block(w);
		*form = w->form;
		return true;
	}
	look_inside(w, s->stream);
	if (w->form.kind == ARCHIVE_KIND_STREAM) {
		s->ops = &archive_stream_ops;
		return false;
	}
	s->spans[0] = s->stream;
	*form = (struct archive_form){ w->form.kind, ARCHIVE_PACKING_NONE, 0 };
	return true;
}

static void
open_kind(struct archive_walk *w)
{
	struct archive_state *s = w->state;

	if (is_volume(&w->form, s->bytes))
		w->flaws |= ARCHIVE_FLAW_VOLUME;
	if (w->form.kind == ARCHIVE_KIND_ZIP) {
		s->ops = &archive_zip_ops;
		zip_list(w);
		return;
	}
	s->ops = &archive_reader_ops;
	/* Its list is XML, and libarchive 3.6 follows its links in circles for ever. */
	if (w->form.kind == ARCHIVE_KIND_XAR) {
		w->flaws |= ARCHIVE_FLAW_UNSUPPORTED;
		return;
	}
	if (w->form.kind == ARCHIVE_KIND_RAR5)
		rar5_list(w);
	if (s->span_count == 0) {
		s->spans[0] = s->bytes;
		s->span_count = 1;
	}
	struct archive_form form = w->form;

	if (form.kind == ARCHIVE_KIND_STREAM && !open_stream(w, &form))
		return;
	s->reader.plain = w->form.kind == ARCHIVE_KIND_ISO && iso_goes_round(s->bytes);
	if (s->reader.plain)
		w->flaws |= ARCHIVE_FLAW_BROKEN;
	if (!reader_open(&s->reader, &form, s->spans, s->span_count, &s->gate))
		w->flaws |= s->reader.flaws;
}

/* What was spent before it was opened. */
static unsigned
spent(struct archive_gate *g, unsigned depth)
{
	unsigned flaws = 0;

	if (depth >= g->limits->depth)
		flaws |= ARCHIVE_FLAW_DEPTH;
	if (g->members == 0)
		flaws |= ARCHIVE_FLAW_MEMBERS;
	if (!gate_time(g))
		flaws |= ARCHIVE_FLAW_TIME;
	return flaws;
}

bool
archive_open(struct archive_walk *w, const struct archive_source *source)
{
	struct archive_form forms[ARCHIVE_FORMS];
	struct archive_state *s;

	*w = (struct archive_walk){ .flaws = 0 };
	if (source->form != NULL)
		w->form = *source->form;
	else if (archive_detect(source->bytes, forms) > 0)
		w->form = forms[0];
	if (w->form.kind == ARCHIVE_KIND_NONE || w->form.at >= source->bytes.len)
		return false;
	s = w->state = must_alloc(sizeof *s);
	s->library = source->library;
	s->arena = source->arena;
	s->outer = source->name;
	s->bytes = span_slice(source->bytes, w->form.at, source->bytes.len);
	s->spans = &s->whole;
	gate_init(&s->gate, source, s->bytes.len);
	w->flaws = spent(&s->gate, source->depth);
	s->over = w->flaws != 0;
	if (w->form.at > 0 && w->form.kind != ARCHIVE_KIND_STREAM)
		w->flaws |= ARCHIVE_FLAW_PREFIX;
	if (!s->over) {
		locale_t before = enter(s);

		open_kind(w);
		leave(before);
	}
	return true;
}

void
archive_close(struct archive_walk *w)
{
	if (w->state == NULL)
		return;
	reader_close(&w->state->reader);
	zip_free(w->state);
	if (w->state->spans != &w->state->whole)
		free(w->state->spans);
	free(w->state->listed);
	free(w->state->inflated);
	free(w->state);
	w->state = NULL;
}

void
member_name(struct archive_walk *w, struct span raw, bool dos)
{
	struct archive_member *m = &w->member;
	struct arena *arena = w->state->arena;
	size_t n = raw.len < ARCHIVE_PATH_BYTES ? raw.len : ARCHIVE_PATH_BYTES;

	m->path = arena_span(arena, span_slice(raw, 0, n));
	m->name = archive_name(raw, dos, arena);
	m->flaws |= archive_path_flaws(raw);
}

/* -- members that libarchive lists -- */

/* The name in a gzip header (RFC 1952 section 2.3.1). */
static struct span
gzip_name(struct span s)
{
	size_t at = 10;

	if (s.len < 12 || (s.ptr[3] & 8) == 0)
		return SPAN_NONE;
	if (s.ptr[3] & 4)
		at += 2u + le16(s.ptr + 10);
	if (at >= s.len)
		return SPAN_NONE;
	s = span_slice(s, at, s.len);
	return span_slice(s, 0, span_find(s, '\0'));
}

/* "report.pdf.gz" holds "report.pdf", "x.tgz" holds "x.tar". */
static struct span
inner_name(struct span outer, struct arena *arena)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".lzma", ".lz", ".zst",
		".lz4", ".z" };
	static const char *const tars[] = { ".tgz", ".tbz", ".tbz2", ".txz", ".tlz", ".tzst" };

	for (size_t i = 0; i < COUNT_OF(ends) + COUNT_OF(tars); i++) {
		bool tar = i >= COUNT_OF(ends);
		struct span end = span_text(tar ? tars[i - COUNT_OF(ends)] : ends[i]);

		if (outer.len <= end.len ||
		    !span_equal_nocase(span_slice(outer, outer.len - end.len, outer.len), end))
			continue;
		outer.len -= end.len;
		return tar && outer.len < ARCHIVE_PATH_BYTES ? span_text(arena_printf(arena,
		    "%.*s.tar", (int)outer.len, (const char *)outer.ptr)) : outer;
	}
	return outer;
}

static struct span
wide_path(const wchar_t *wide, struct arena *arena)
{
	size_t n = wcslen(wide), len = 0;

	n = n < ARCHIVE_PATH_BYTES ? n : ARCHIVE_PATH_BYTES;
	uint8_t *out = arena_alloc(arena, n * 4 + 1);

	for (size_t i = 0; i < n; i++)
		len += archive_put_utf8(out + len, (uint32_t)wide[i]);
	return (struct span){ out, len };
}

static struct span
entry_path(struct archive_entry *e, struct arena *arena)
{
	const char *bytes = archive_entry_pathname(e);
	const wchar_t *wide = bytes == NULL ? archive_entry_pathname_w(e) : NULL;

	return bytes != NULL ? span_text(bytes) : wide != NULL ? wide_path(wide, arena) :
	    SPAN_NONE;
}

static enum archive_type
entry_type(struct archive_entry *e, enum archive_kind kind)
{
	bool data = kind != ARCHIVE_KIND_ISO && archive_entry_size_is_set(e) &&
	    archive_entry_size(e) > 0;

	if (archive_entry_hardlink(e) != NULL)
		return ARCHIVE_TYPE_LINK;
	switch (archive_entry_filetype(e)) {
	case 0:
	case AE_IFREG:
		return ARCHIVE_TYPE_FILE;
	case AE_IFLNK:
		return ARCHIVE_TYPE_LINK;
	case AE_IFDIR:
		/* What has data is one for somebody. */
		return data ? ARCHIVE_TYPE_FILE : ARCHIVE_TYPE_DIRECTORY;
	default:
		return ARCHIVE_TYPE_OTHER;
	}
}

static void
fill_member(struct archive_walk *w)
{
	struct archive_state *s = w->state;
	struct archive_entry *e = s->reader.entry;
	struct archive_member *m = &w->member;
	const char *target = archive_entry_hardlink(e);
	bool dos = w->form.kind == ARCHIVE_KIND_RAR || w->form.kind == ARCHIVE_KIND_LHA ||
	    w->form.kind == ARCHIVE_KIND_CAB;

	m->flaws = s->reader.flaws;
	m->type = entry_type(e, w->form.kind);
	m->encrypted = archive_entry_is_encrypted(e) != 0;
	m->sized = archive_entry_size_is_set(e) && archive_entry_size(e) >= 0;
	m->size = m->sized ? (uint64_t)archive_entry_size(e) : 0;
	if (target == NULL)
		target = archive_entry_symlink(e);
	if (target != NULL)
		m->target = archive_name(span_text(target), dos, s->arena);
	member_name(w, entry_path(e, s->arena), dos);
}

/* The one file of a stream. */
static void
fill_stream(struct archive_walk *w)
{
	struct archive_state *s = w->state;
	struct span name = w->form.packing == ARCHIVE_PACKING_GZIP ? gzip_name(s->bytes) :
	    SPAN_NONE;

	if (name.len == 0)
		name = inner_name(s->outer, s->arena);
	w->member.flaws = s->reader.flaws;
	member_name(w, name, false);
	if (name.len == 0)
		w->member.flaws &= ~(unsigned)ARCHIVE_FLAW_NAME;
}

/* Data made libarchive give up the archive: names behind them can still be listed where
   nothing need be decompressed for it. */
static bool
reopen(struct archive_walk *w)
{
	struct archive_state *s = w->state;

	if (w->form.packing != ARCHIVE_PACKING_NONE || s->reopened == REOPENINGS ||
	    w->form.kind == ARCHIVE_KIND_TAR || w->form.kind == ARCHIVE_KIND_CPIO)
		return false;
	s->reopened++;
	reader_close(&s->reader);
	if (!reader_open(&s->reader, &w->form, s->spans, s->span_count, &s->gate))
		return false;
	for (uint32_t i = 0; i < s->at; i++)
		if (!gate_time(&s->gate) || !reader_next(&s->reader))
			return false;
	return true;
}

/* Kinds in which passing over data means to decompress them. */
static bool
must_drain(const struct archive_form *form)
{
	return form->packing != ARCHIVE_PACKING_NONE || form->kind == ARCHIVE_KIND_7ZIP ||
	    form->kind == ARCHIVE_KIND_RAR5 || form->kind == ARCHIVE_KIND_CAB;
}

/* With no bytes left, can names still be listed for nothing? */
static bool
lists_on(const struct archive_walk *w)
{
	return (w->state->gate.hit & ARCHIVE_FLAW_TIME) == 0 &&
	    w->form.packing == ARCHIVE_PACKING_NONE &&
	    w->form.kind != ARCHIVE_KIND_RAR5 && w->form.kind != ARCHIVE_KIND_CAB;
}

/* Passed over by us, they are counted. */
static void
drain(struct archive_walk *w)
{
	struct archive_state *s = w->state;
	unsigned flaws = 0;
	struct span block;
	uint64_t at;

	while (flaws == 0 && (block = reader_block(&s->reader, &at)).len > 0)
		gate_pass(&s->gate, block.len, false, &flaws);
	w->flaws |= flaws;
}

static bool
next_listed(struct archive_walk *w)
{
	struct archive_state *s = w->state;

	if (s->listed_at == s->listed_count)
		return false;
	w->member = s->listed[s->listed_at++];
	member_name(w, w->member.path, false);
	return true;
}

static bool
entries_next(struct archive_walk *w)
{
	struct archive_state *s = w->state;

	if (next_listed(w))
		return true;
	if (s->rest && !s->reader.fatal && s->gate.hit == 0 && must_drain(&w->form))
		drain(w);
	s->rest = false;
	if ((s->reader.fatal && s->at > 0 && !reopen(w)))
		return false;
	if (!reader_next(&s->reader)) {
		w->flaws |= s->reader.flaws;
		w->encrypted |= s->reader.encrypted || (s->reader.opened &&
		    archive_read_has_encrypted_entries(s->reader.handle) > 0);
		return false;
	}
	s->at++;
	s->rest = true;
	s->reader.encrypted = false;
	if (w->form.kind == ARCHIVE_KIND_STREAM)
		fill_stream(w);
	else
		fill_member(w);
	return true;
}

static bool
entries_begin(struct archive_walk *w)
{
	return w->state->rest && !w->state->reader.fatal;
}

static void
entries_end(struct archive_walk *w)
{
}

const struct archive_ops archive_reader_ops = { entries_next, entries_begin, entries_end,
	NULL };

/* -- a stream that is unpacked already -- */

static bool
stream_next(struct archive_walk *w)
{
	if (w->state->at++ > 0)
		return false;
	fill_stream(w);
	return true;
}

static bool
stream_whole(struct archive_walk *w, struct span *data)
{
	*data = w->state->stream;
	return true;
}

const struct archive_ops archive_stream_ops = { stream_next, entries_begin, entries_end,
	stream_whole };

/* -- the walk -- */

/* What the last member still learnt. */
static void
leave_member(struct archive_walk *w)
{
	w->flaws |= w->member.flaws;
	w->encrypted |= w->member.encrypted;
	w->member = (struct archive_member){ .flaws = 0 };
	w->state->pending = false;
}

static bool
next_member(struct archive_walk *w)
{
	struct archive_state *s = w->state;

	leave_member(w);
	if (s->over || !gate_time(&s->gate) || (s->gate.hit != 0 && !lists_on(w)))
		return false;
	if (!s->ops->next(w) || (s->gate.hit != 0 && !lists_on(w)))
		return false;
	if (s->gate.members == 0 || s->gate.budget->members == 0) {
		w->flaws |= ARCHIVE_FLAW_MEMBERS;
		return false;
	}
	s->gate.members--;
	s->gate.budget->members--;
	s->gate.member_bytes = s->gate.limits->member_bytes;
	w->members++;
	s->pending = true;
	return true;
}

struct archive_member *
archive_next(struct archive_walk *w)
{
	locale_t before = enter(w->state);
	bool good = next_member(w);

	if (!good) {
		w->state->over = true;
		w->flaws |= w->state->gate.hit;
	}
	leave(before);
	return good ? &w->member : NULL;
}

static enum status
write_pieces(struct sink *sink, struct span block, struct error *e)
{
	enum status st = ST_OK;

	for (size_t at = 0; at < block.len && st == ST_OK; at += PIECE_BYTES) {
		size_t n = block.len - at < PIECE_BYTES ? block.len - at : PIECE_BYTES;

		st = sink_write(sink, span_slice(block, at, at + n), e);
	}
	return st;
}

/* How it ended: did all come that was declared? */
static void
close_data(struct archive_walk *w, uint64_t end)
{
	struct archive_member *m = &w->member;
	const struct archive_reader *r = &w->state->reader;

	m->flaws |= r->flaws;
	m->encrypted |= r->encrypted;
	if (m->encrypted)
		m->flaws &= ~(unsigned)(ARCHIVE_FLAW_BROKEN | ARCHIVE_FLAW_UNSUPPORTED);
	else if (m->sized && m->flaws == 0 && end > m->size)
		m->flaws |= ARCHIVE_FLAW_SIZE;
	w->state->rest = false;
}

static enum status
copy_data(struct archive_walk *w, struct sink *sink, struct error *e)
{
	struct archive_member *m = &w->member;
	struct archive_state *s = w->state;
	uint64_t at = 0, end = 0;
	enum status st = ST_OK;
	struct span block;

	while ((block = reader_block(&s->reader, &at)).len > 0) {
		unsigned flaws = 0;

		m->flaws |= s->reader.flaws;
		end = at + block.len;
		block.len = (size_t)gate_pass(&s->gate, block.len, true, &flaws);
		st = write_pieces(sink, block, e);
		m->given += st == ST_OK ? block.len : 0;
		m->flaws |= flaws;
		if (st != ST_OK || flaws != 0)
			return st;
	}
	close_data(w, end);
	return ST_OK;
}

bool
archive_whole(struct archive_walk *w, struct span *data)
{
	struct archive_state *s = w->state;
	struct archive_member *m = &w->member;

	if (!s->pending || s->ops->whole == NULL || m->encrypted || s->gate.hit != 0 ||
	    !s->ops->whole(w, data))
		return false;
	s->pending = false;
	data->len = (size_t)gate_pass(&s->gate, data->len, true, &m->flaws);
	m->given = data->len;
	return true;
}

enum status
archive_read(struct archive_walk *w, struct sink *sink, struct error *e)
{
	struct archive_state *s = w->state;
	enum status st = ST_OK;
	struct span data;

	if (archive_whole(w, &data))
		return write_pieces(sink, data, e);
	if (!s->pending)
		return ST_OK;
	s->pending = false;
	w->member.flaws |= w->member.type == ARCHIVE_TYPE_FILE ? s->gate.hit : 0;
	if (w->member.encrypted || s->gate.hit != 0)
		return ST_OK;
	locale_t before = enter(s);

	if (s->ops->begin(w)) {
		st = copy_data(w, sink, e);
		s->ops->end(w);
	}
	leave(before);
	return st;
}
