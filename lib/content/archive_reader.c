/*
 * archive_reader.c - libarchive over bytes in memory: one format, at most one filter.
 *
 * Its input is handed over in small pieces, so that the clock is looked at however long
 * one call into it takes.
 */
#include "lib/content/archive_private.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#define IDLE_CALLS 1000         /* calls without a byte: it is going round in circles */

void
gate_init(struct archive_gate *g, const struct archive_source *s, size_t archive_len)
{
	const struct archive_limits *l = s->limits;
	struct archive_budget *b = s->budget;
	uint64_t half = b->bytes - b->bytes / 2, members = b->members - b->members / 2;
	uint64_t now = b->clock != NULL ? b->clock(b->context) : 0;

	*g = (struct archive_gate){ .limits = l, .budget = b, .member_bytes = l->member_bytes };
	g->bytes = half < l->archive_bytes ? half : l->archive_bytes;
	g->members = members < l->members ? members : l->members;
	g->ratio_bytes = (uint64_t)archive_len * l->ratio;
	if (g->ratio_bytes < l->ratio_from)
		g->ratio_bytes = l->ratio_from;
	g->end = now < b->end ? now + (b->end - now) / 2 : b->end;
}

bool
gate_time(struct archive_gate *g)
{
	struct archive_budget *b = g->budget;

	if (b->clock != NULL && b->clock(b->context) >= g->end)
		g->hit |= ARCHIVE_FLAW_TIME;
	return (g->hit & ARCHIVE_FLAW_TIME) == 0;
}

static uint64_t
lower(uint64_t want, uint64_t left, unsigned flaw, unsigned *flaws)
{
	if (want <= left)
		return want;
	*flaws |= flaw;
	return left;
}

uint64_t
gate_pass(struct archive_gate *g, uint64_t want, bool member, unsigned *flaws)
{
	unsigned hit = 0;
	uint64_t n = want;

	if (!gate_time(g)) {
		*flaws |= ARCHIVE_FLAW_TIME;
		return 0;
	}
	if (member)
		n = lower(n, g->member_bytes, ARCHIVE_FLAW_BYTES, flaws);
	n = lower(n, g->ratio_bytes, ARCHIVE_FLAW_RATIO, &hit);
	n = lower(n, g->bytes < g->budget->bytes ? g->bytes : g->budget->bytes,
	    ARCHIVE_FLAW_BYTES, &hit);
	g->member_bytes -= member ? n : 0;
	g->ratio_bytes -= n;
	g->bytes -= n;
	g->budget->bytes -= n;
	g->hit |= hit;
	*flaws |= hit;
	return n;
}

bool
gate_open(const struct archive_gate *g, uint64_t want)
{
	return g->hit == 0 && want <= g->member_bytes && want <= g->ratio_bytes &&
	    want <= g->bytes && want <= g->budget->bytes;
}

static la_ssize_t
input_read(struct archive *a, void *context, const void **out)
{
	struct archive_input *in = context;
	uint64_t at = in->at;

	if (!gate_time(in->gate)) {
		archive_set_error(a, ETIME, "time is over");
		return -1;
	}
	for (size_t i = 0; i < in->count; i++) {
		struct span s = in->spans[i];

		if (at < s.len) {
			size_t n = s.len - (size_t)at;

			n = n < PIECE_BYTES ? n : PIECE_BYTES;
			*out = s.ptr + at;
			in->at += n;
			return (la_ssize_t)n;
		}
		at -= s.len;
	}
	return 0;
}

static la_int64_t
input_skip(struct archive *a, void *context, la_int64_t want)
{
	struct archive_input *in = context;
	uint64_t left = in->len - in->at;
	uint64_t n = want < 0 ? 0 : (uint64_t)want < left ? (uint64_t)want : left;

	in->at += n;
	return (la_int64_t)n;
}

static la_int64_t
input_seek(struct archive *a, void *context, la_int64_t offset, int whence)
{
	struct archive_input *in = context;
	la_int64_t base = whence == SEEK_SET ? 0 :
	    (la_int64_t)(whence == SEEK_CUR ? in->at : in->len), to;

	if (__builtin_add_overflow(base, offset, &to) || to < 0)
		return ARCHIVE_FATAL;
	in->at = (uint64_t)to < in->len ? (uint64_t)to : in->len;
	return (la_int64_t)in->at;
}

static int
add_packing(struct archive *a, enum archive_packing packing)
{
	static const int filters[] = {
		[ARCHIVE_PACKING_GZIP] = ARCHIVE_FILTER_GZIP,
		[ARCHIVE_PACKING_BZIP2] = ARCHIVE_FILTER_BZIP2,
		[ARCHIVE_PACKING_XZ] = ARCHIVE_FILTER_XZ,
		[ARCHIVE_PACKING_LZMA] = ARCHIVE_FILTER_LZMA,
		[ARCHIVE_PACKING_LZIP] = ARCHIVE_FILTER_LZIP,
		[ARCHIVE_PACKING_ZSTD] = ARCHIVE_FILTER_ZSTD,
		[ARCHIVE_PACKING_LZ4] = ARCHIVE_FILTER_LZ4,
	};

	/* A filter that is supported is used as often as it fits, one that is appended once;
	   but to append this one reads input before there is any, and crashes. */
	if (packing == ARCHIVE_PACKING_COMPRESS)
		return archive_read_support_filter_compress(a);
	return packing == ARCHIVE_PACKING_NONE ? ARCHIVE_OK :
	    archive_read_append_filter(a, filters[packing]);
}

static int
add_stream(struct archive *a)
{
	archive_read_support_format_empty(a);
	return archive_read_support_format_raw(a);
}

static int
add_kind(struct archive *a, enum archive_kind kind)
{
	static int (*const formats[])(struct archive *) = {
		[ARCHIVE_KIND_ZIP] = archive_read_support_format_zip_streamable,
		[ARCHIVE_KIND_TAR] = archive_read_support_format_tar,
		[ARCHIVE_KIND_CPIO] = archive_read_support_format_cpio,
		[ARCHIVE_KIND_AR] = archive_read_support_format_ar,
		[ARCHIVE_KIND_7ZIP] = archive_read_support_format_7zip,
		[ARCHIVE_KIND_RAR] = archive_read_support_format_rar,
		[ARCHIVE_KIND_RAR5] = archive_read_support_format_rar5,
		[ARCHIVE_KIND_CAB] = archive_read_support_format_cab,
		[ARCHIVE_KIND_ISO] = archive_read_support_format_iso9660,
		[ARCHIVE_KIND_LHA] = archive_read_support_format_lha,
		[ARCHIVE_KIND_STREAM] = add_stream,
	};

	return formats[kind](a);
}

/*
 * What a failure means.  libarchive has no codes for these, only texts; where one is not
 * known to us it stays plain damage.
 */
static void
note_failure(struct archive_reader *r, int result)
{
	const char *text = archive_error_string(r->handle);
	int number = archive_errno(r->handle);

	r->fatal |= result <= ARCHIVE_FATAL;
	text = text != NULL ? text : "";
	if (strcasestr(text, "crypt") != NULL || strcasestr(text, "passphrase") != NULL)
		r->encrypted = true;
	else if (number == ENOMEM || strcasestr(text, "allocate") != NULL)
		r->flaws |= ARCHIVE_FLAW_MEMORY;
	else if (strcasestr(text, "support") != NULL)
		r->flaws |= ARCHIVE_FLAW_UNSUPPORTED;
	else if (strcasestr(text, "crc") != NULL || strcasestr(text, "checksum") != NULL)
		r->flaws |= ARCHIVE_FLAW_CHECKSUM;
	else if ((r->input.gate->hit & ARCHIVE_FLAW_TIME) == 0)
		r->flaws |= ARCHIVE_FLAW_BROKEN;
	r->flaws |= r->input.gate->hit & ARCHIVE_FLAW_TIME;
}

/* A warning goes with data; of those only the check sum and the sizes matter here. */
static void
note_warning(struct archive_reader *r)
{
	const char *text = archive_error_string(r->handle);

	if (text == NULL)
		return;
	if (strcasestr(text, "crc") != NULL || strcasestr(text, "checksum") != NULL)
		r->flaws |= ARCHIVE_FLAW_CHECKSUM;
	else if (strcasestr(text, "wrong size") != NULL)
		r->flaws |= ARCHIVE_FLAW_SIZE;
}

bool
reader_open(struct archive_reader *r, const struct archive_form *form,
    const struct span *spans, size_t count, struct archive_gate *gate)
{
	int result;

	*r = (struct archive_reader){ .input = { spans, count, 0, 0, gate }, .plain = r->plain };
	for (size_t i = 0; i < count; i++)
		r->input.len += spans[i].len;
	r->handle = archive_read_new();
	if (r->handle == NULL) {
		r->flaws = ARCHIVE_FLAW_MEMORY;
		r->fatal = true;
		return false;
	}
	archive_read_set_read_callback(r->handle, input_read);
	archive_read_set_skip_callback(r->handle, input_skip);
	archive_read_set_seek_callback(r->handle, input_seek);
	archive_read_set_callback_data(r->handle, &r->input);
	result = add_packing(r->handle, form->packing);
	if (result >= ARCHIVE_WARN)
		result = add_kind(r->handle, form->kind);
	if (r->plain)
		archive_read_set_format_option(r->handle, "iso9660", "rockridge", NULL);
	if (result >= ARCHIVE_WARN)
		result = archive_read_open1(r->handle);
	if (result < ARCHIVE_WARN)
		note_failure(r, ARCHIVE_FATAL);
	r->opened = result >= ARCHIVE_WARN;
	return r->opened;
}

bool
reader_next(struct archive_reader *r)
{
	int result;

	r->flaws = 0;
	if (r->handle == NULL || r->fatal)
		return false;
	/* Where a name cannot be converted, libarchive asks errno whether memory has run out,
	   and ends the process if so: a failure of long ago must not stand there. */
	errno = 0;
	result = archive_read_next_header(r->handle, &r->entry);
	if (result == ARCHIVE_WARN)
		note_warning(r);
	else if (result != ARCHIVE_OK && result != ARCHIVE_EOF)
		note_failure(r, result);
	return result == ARCHIVE_OK || result == ARCHIVE_WARN;
}

struct span
reader_block(struct archive_reader *r, uint64_t *at)
{
	int result = ARCHIVE_FATAL;

	r->flaws = 0;
	for (unsigned idle = 0; idle < IDLE_CALLS && gate_time(r->input.gate); idle++) {
		const void *block = NULL;
		size_t n = 0;
		la_int64_t offset = 0;

		result = archive_read_data_block(r->handle, &block, &n, &offset);

		if (result == ARCHIVE_EOF)
			return SPAN_NONE;
		if (result == ARCHIVE_WARN)
			note_warning(r);
		if (result < ARCHIVE_WARN)
			break;
		*at = offset < 0 ? 0 : (uint64_t)offset;
		if (n > 0 && block != NULL)
			return (struct span){ block, n };
	}
	note_failure(r, result >= ARCHIVE_WARN ? ARCHIVE_FATAL : result);
	return SPAN_NONE;
}

void
reader_close(struct archive_reader *r)
{
	if (r->handle != NULL)
		archive_read_free(r->handle);
	r->handle = NULL;
	r->opened = false;
}
