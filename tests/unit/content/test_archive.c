/*
 * test_archive.c - zips made by hand that tell two stories, other kinds made by libarchive,
 * every cut of them, limits, names.
 */
#include "lib/base/buf.h"
#include "lib/content/archive_private.h"
#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct collect { struct sink sink; struct buf out; };

static enum status
collect_write(struct sink *sink, struct span s, struct error *e)
{
	assert_true(s.len > 0 && s.len <= PIECE_BYTES);
	buf_add(&container_of(sink, struct collect, sink)->out, s);
	return ST_OK;
}

static void
add_flaws(struct buf *out, unsigned flaws)
{
	for (unsigned bit = 0; bit < ARCHIVE_FLAW_BITS; bit++)
		if ((flaws >> bit & 1) != 0)
			buf_printf(out, " %s", archive_flaw_name((enum archive_flaw)(1u << bit)));
}

static void
describe_member(struct archive_walk *w, struct buf *out)
{
	static const char types[] = "fdlo";
	struct archive_member *m = &w->member;
	struct collect c = { .sink = { .write = collect_write } };
	struct error e;

	assert_int_equal(archive_read(w, &c.sink, &e), ST_OK);
	assert_true(m->given == buf_len(&c.out));
	assert_int_equal(archive_read(w, &c.sink, &e), ST_OK);
	assert_true(m->given == buf_len(&c.out));
	buf_printf(out, "[%.*s", (int)m->name.len, (const char *)m->name.ptr);
	if (m->local_name.len > 0)
		buf_printf(out, "|%.*s", (int)m->local_name.len, (const char *)m->local_name.ptr);
	if (m->type != ARCHIVE_TYPE_FILE)
		buf_printf(out, " %c", types[m->type]);
	buf_printf(out, "%s=", m->encrypted ? " encrypted" : "");
	if (buf_len(&c.out) <= 20)
		buf_add(out, buf_span(&c.out));
	else
		buf_printf(out, "%u", (unsigned)buf_len(&c.out));
	add_flaws(out, m->flaws);
	buf_printf(out, "]");
	buf_free(&c.out);
}

struct bench {
	struct archive_limits  limits;
	struct archive_budget  budget;
	struct archive_library library;
	unsigned               depth;
	struct span            name;
};

static struct bench
bench_make(void)
{
	struct bench b = { .limits = ARCHIVE_LIMITS_DEFAULT, .budget = { 1000, 64u << 20,
		NULL, NULL, 0 }, .name = SPAN_LIT("outer.bin") };

	assert_true(archive_library_init(&b.library));
	return b;
}

/* "[name=data flaws]..." of the members, then the archive's. */
static const char *
describe(struct bench *b, struct span bytes, struct buf *out)
{
	struct arena arena = { 0 };
	struct archive_walk w;
	struct archive_source source = { bytes, b->name, b->depth, NULL, &b->limits, &b->budget,
		&b->library, &arena };

	out->from = out->to = 0;
	if (!archive_open(&w, &source)) {
		buf_printf(out, "no archive");
		return buf_text(out);
	}
	while (archive_next(&w) != NULL)
		describe_member(&w, out);
	assert_null(archive_next(&w));
	buf_printf(out, " %s%s", archive_kind_name(w.form.kind), w.encrypted ? " encrypted" : "");
	add_flaws(out, w.flaws);
	archive_close(&w);
	arena_free(&arena);
	return buf_text(out);
}

/*
 * A zip from a text.  "L name data" a local header with stored data; "C name n" a directory
 * entry for the nth local header; "E n" an end record that counts n entries; "X text" bytes.
 * Words after a '/': other things than the truth.
 */
struct maker {
	struct buf out;
	size_t     local[8], count;
	struct span data[8];    /* in text */
	char       text[8][64];
	uint8_t    flags[8];
	size_t     directory;
};

static void
put16(struct buf *b, unsigned value)
{
	buf_byte(b, (uint8_t)value);
	buf_byte(b, (uint8_t)(value >> 8));
}

static void
put32(struct buf *b, size_t value)
{
	put16(b, (unsigned)(value & 0xffff));
	put16(b, (unsigned)(value >> 16 & 0xffff));
}

static void
put_common(struct buf *b, unsigned flags, unsigned method, struct span data, size_t name)
{
	put16(b, flags);
	put16(b, method);
	put32(b, 0);
	put32(b, archive_crc32(data));
	put32(b, data.len);
	put32(b, data.len);
	put16(b, (unsigned)name);
	put16(b, 0);
}

static void
make_local(struct maker *m, const char *name, const char *data, const char *how)
{
	struct span bytes = span_text(strcpy(m->text[m->count], data));

	m->local[m->count] = m->out.to;
	m->flags[m->count] = strchr(how, 'e') != NULL;
	m->data[m->count++] = bytes;
	buf_add(&m->out, SPAN_LIT("PK\3\4\12\0"));
	put_common(&m->out, strchr(how, 'e') != NULL, strchr(how, 'm') != NULL ? 8 : 0, bytes,
	    strlen(name));
	buf_add(&m->out, span_text(name));
	buf_add(&m->out, bytes);
}

/* How: e: says encrypted, m: another method, s: a byte less, a: points astray. */
static void
make_entry(struct maker *m, const char *name, size_t which, const char *how)
{
	struct span bytes = m->data[which];

	if (m->directory == 0)
		m->directory = m->out.to;
	bytes.len -= strchr(how, 's') != NULL;
	buf_add(&m->out, SPAN_LIT("PK\1\2\12\0\12\0"));
	put_common(&m->out, m->flags[which] | (strchr(how, 'e') != NULL),
	    strchr(how, 'm') != NULL ? 99 : 0, bytes, strlen(name));
	put16(&m->out, 0);
	put16(&m->out, 0);
	put16(&m->out, 0);
	put32(&m->out, 0);
	put32(&m->out, m->local[which] + (strchr(how, 'a') != NULL));
	buf_add(&m->out, span_text(name));
}

/* How: p: offsets count from the first local header, c: a comment's length too many. */
static void
make_end(struct maker *m, unsigned count, const char *how)
{
	size_t from = strchr(how, 'p') != NULL ? m->local[0] : 0, at = m->out.to;
	size_t directory = m->directory > 0 ? m->directory : at;

	buf_add(&m->out, SPAN_LIT("PK\5\6\0\0\0\0"));
	put16(&m->out, count);
	put16(&m->out, count);
	put32(&m->out, at - directory);
	put32(&m->out, directory - from);
	put16(&m->out, strchr(how, 'c') != NULL ? 3 : 0);
}

static struct span
make_zip(const char *recipe, struct maker *m)
{
	char word[4][64];

	*m = (struct maker){ .count = 0 };
	for (int n; sscanf(recipe, " %63[^;];%n", word[3], &n) == 1; recipe += n) {
		int words = sscanf(word[3] + 1, "%63s %63s %63s", word[0], word[1], word[2]);
		const char *how = words > 0 && word[words - 1][0] == '/' ? word[words - 1] : "/";

		if (word[3][0] == 'L')
			make_local(m, word[0], word[1][0] == '-' ? "" : word[1], how);
		else if (word[3][0] == 'C')
			make_entry(m, word[0], (size_t)(word[1][0] - '0'), how);
		else if (word[3][0] == 'E')
			make_end(m, (unsigned)(word[0][0] - '0'), how);
		else
			buf_add(&m->out, span_text(word[0]));
	}
	return buf_span(&m->out);
}

static const struct { const char *name, *recipe, *out; } zips[] = {
	{ "one", "L a 123; C a 0; E 1;", "[a=123] zip" },
	{ "none", "E 0;", " zip" },
	{ "two and a directory", "L a 1; L d/ -; L d/b 2; C a 0; C d/ 1; C d/b 2; E 3;",
	    "[a=1][d/ d=][d/b=2] zip" },
	{ "directory with data", "L d/ 1; C d/ 0; E 1;", "[d/=1] zip" },
	{ "hidden before", "L h 0; L a 1; C a 1; E 1;", "[a=1][h=0 hidden] zip hidden" },
	{ "hidden between", "L a 1; L h 0; L b 2; C a 0; C b 2; E 2;",
	    "[a=1][b=2][h=0 hidden] zip hidden" },
	{ "hidden behind", "L a 1; L h 0; C a 0; E 1;", "[a=1][h=0 hidden] zip hidden" },
	{ "hidden behind the end", "L a 1; C a 0; E 1; L h 0;",
	    "[a=1][h=0 hidden] zip suffix hidden" },
	{ "all hidden", "L a 1; L b 2; E 0;", "[a=1 hidden][b=2 hidden] zip hidden" },
	{ "no end", "L a 1; L b 2;", "[a=1][b=2] zip broken" },
	{ "no end, a directory", "L a 1; C a 0;", "[a=1] zip broken" },
	{ "astray", "L a 1; C b 0 /a; E 1;", "[b= astray][a=1 hidden] zip hidden astray" },
	{ "two names", "L a.txt 1; C a.exe 0; E 1;", "[a.exe|a.txt=1 differs] zip differs" },
	{ "two sizes", "L a 123; C a 0 /s; E 1;",
	    "[a=12 differs][a=123 differs] zip differs" },
	{ "two methods", "L a 123; C a 0 /m; E 1;",
	    "[a encrypted= differs][a=123 differs] zip encrypted differs" },
	{ "encrypted for one", "L a 123; C a 0 /e; E 1;",
	    "[a encrypted= differs][a=123 differs] zip encrypted differs" },
	{ "encrypted", "L a 123 /e; C a 0; E 1;", "[a encrypted=] zip encrypted" },
	{ "prefix", "X stub; L a 1; C a 0; E 1;", "[a=1] zip prefix" },
	{ "prefix, offsets without it", "X stub; L a 1; C a 0; E 1 /p;",
	    "[a=1] zip prefix" },
	{ "suffix", "L a 1; C a 0; E 1; X more;", "[a=1] zip suffix" },
	{ "comment", "L a 1; C a 0; E 1 /c; X abc;", "[a=1] zip" },
	{ "wrong count", "L a 1; C a 0; E 2;", "[a=1] zip count" },
	{ "names twice", "L a 1; L a 2; C a 0; C a 1; E 2;",
	    "[a=1 double][a=2 double] zip double" },
	{ "data twice", "L a 1; C a 0; C b 0; E 2;",
	    "[a=1 overlap][b|a=1 overlap differs] zip overlap differs" },
	{ "two ends, one directory", "L a 1; C a 0; E 1; E 1;", "[a=1] zip count ends" },
};

static void
test_zips(void **state)
{
	struct bench b = bench_make();
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(zips); i++) {
		struct maker m;
		const char *got = describe(&b, make_zip(zips[i].recipe, &m), &out);

		if (strcmp(got, zips[i].out) != 0)
			fail_msg("%s: '%s'", zips[i].name, got);
		buf_free(&m.out);
	}
	buf_free(&out);
	archive_library_finish(&b.library);
}

/* A member of a zip that is a zip: its end record is no second one of the outer. */
static void
test_stored_zip(void **state)
{
	struct bench b = bench_make();
	struct buf out = { 0 };
	struct maker inner, m = { .count = 0 };

	/* NUL bytes: not by a recipe. */
	struct span bytes = make_zip("L x 1; C x 0; E 1;", &inner);

	m.data[0] = bytes;
	m.count = 1;
	buf_add(&m.out, SPAN_LIT("PK\3\4\12\0"));
	put_common(&m.out, 0, 0, bytes, 5);
	buf_add(&m.out, SPAN_LIT("x.zip"));
	buf_add(&m.out, bytes);
	make_entry(&m, "x.zip", 0, "/");
	make_end(&m, 1, "/");
	assert_string_equal(describe(&b, buf_span(&m.out), &out), "[x.zip=101] zip");
	buf_free(&m.out);
	buf_free(&inner.out);
	buf_free(&out);
	archive_library_finish(&b.library);
}

/* Cut anywhere, a zip gives only beginnings of what it holds, and says that it is broken. */
static void
test_zip_cuts(void **state)
{
	struct bench b = bench_make();
	struct buf out = { 0 };
	struct maker m;
	struct span whole = make_zip("L one 12345; L two 67890; C one 0; C two 1; E 2;", &m);

	for (size_t n = 0; n < whole.len; n++) {
		uint8_t *copy = must_alloc(n + 1);

		memcpy(copy, whole.ptr, n);
		b.budget.bytes = 1000;
		b.budget.members = 100;
		const char *got = describe(&b, (struct span){ copy, n }, &out);

		assert_true(n < 4 || strstr(got, "broken") != NULL);
		if (n >= 30 + 3 + 5)
			assert_non_null(strstr(got, "[one=12345]"));
		if (n >= 2 * (30 + 3 + 5))
			assert_non_null(strstr(got, "[two=67890]"));
		free(copy);
	}
	buf_free(&m.out);
	buf_free(&out);
	archive_library_finish(&b.library);
}

static struct span
write_archive(const char *format, int filter, const char *const *names, const char *data,
    uint8_t room[65536 * 16])
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t used = 0;

	assert_int_equal(archive_write_set_format_by_name(a, format), ARCHIVE_OK);
	if (filter != 0)
		assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, room, 65536 * 16, &used), ARCHIVE_OK);
	for (; *names != NULL; names++) {
		archive_entry_clear(e);
		archive_entry_set_pathname(e, *names);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_size(e, (la_int64_t)strlen(data));
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		assert_int_equal(archive_write_data(a, data, strlen(data)), strlen(data));
	}
	archive_entry_free(e);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return (struct span){ room, used };
}

static const struct { const char *name, *format; int filter; const char *out; } kinds[] = {
	{ "zip", "zip", 0, "[a=data][b=data] zip" },
	{ "ustar", "ustar", 0, "[a=data][b=data] tar" },
	{ "pax", "pax", 0, "[a=data][b=data] tar" },
	{ "gnutar", "gnutar", 0, "[a=data][b=data] tar" },
	{ "odc", "odc", 0, "[a=data][b=data] cpio" },
	{ "newc", "newc", 0, "[a=data][b=data] cpio" },
	{ "ar", "argnu", 0, "[a=data][b=data] ar" },
	{ "7z", "7zip", 0, "[a=data][b=data] 7z" },
	{ "iso", "iso9660", 0, "[. d=][a=data][b=data] iso" },
	{ "tar.gz", "ustar", ARCHIVE_FILTER_GZIP, "[a=data][b=data] tar" },
	{ "tar.bz2", "ustar", ARCHIVE_FILTER_BZIP2, "[a=data][b=data] tar" },
	{ "tar.xz", "ustar", ARCHIVE_FILTER_XZ, "[a=data][b=data] tar" },
	{ "tar.lzma", "ustar", ARCHIVE_FILTER_LZMA, "[a=data][b=data] tar" },
	{ "tar.lz", "ustar", ARCHIVE_FILTER_LZIP, "[a=data][b=data] tar" },
	{ "tar.zst", "ustar", ARCHIVE_FILTER_ZSTD, "[a=data][b=data] tar" },
	{ "tar.lz4", "ustar", ARCHIVE_FILTER_LZ4, "[a=data][b=data] tar" },
	{ "tar.Z", "ustar", ARCHIVE_FILTER_COMPRESS, "[a=data][b=data] tar" },
	{ "cpio.gz", "odc", ARCHIVE_FILTER_GZIP, "[a=data][b=data] cpio" },
};

static void
test_kinds(void **state)
{
	static const char *const names[] = { "a", "b", NULL };
	static uint8_t room[65536 * 16];
	struct bench b = bench_make();
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct span s = write_archive(kinds[i].format, kinds[i].filter, names, "data", room);
		const char *got = describe(&b, s, &out);

		if (strcmp(got, kinds[i].out) != 0)
			fail_msg("%s: '%s'", kinds[i].name, got);
	}
	buf_free(&out);
	archive_library_finish(&b.library);
}

/* Cut anywhere, every kind ends, within its budget, without one byte that is not there. */
static void
test_kind_cuts(void **state)
{
	static const char *const names[] = { "a", "b", NULL };
	static uint8_t room[65536 * 16];
	struct bench b = bench_make();
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct span s = write_archive(kinds[i].format, kinds[i].filter, names, "data", room);
		size_t step = s.len > 4000 ? s.len / 300 : 7;

		for (size_t n = 0; n < s.len; n += step) {
			uint8_t *copy = must_alloc(n + 1);

			memcpy(copy, s.ptr, n);
			b.budget.members = 100;
			const char *got = describe(&b, (struct span){ copy, n }, &out);

			assert_true(strstr(got, "[a=d") != NULL || strstr(got, "[a=]") != NULL ||
			    strstr(got, "[a= ") != NULL || strstr(got, "[a=") == NULL);
			free(copy);
		}
	}
	buf_free(&out);
	archive_library_finish(&b.library);
}

/* One compressed file: its name is the outer one's without the suffix. */
static void
test_streams(void **state)
{
	static const struct { int filter; const char *outer, *out; } rows[] = {
		{ ARCHIVE_FILTER_GZIP, "x.pdf.gz", "[x.pdf=data] compressed" },
		{ ARCHIVE_FILTER_GZIP, "x.tgz", "[x.tar=data] compressed" },
		{ ARCHIVE_FILTER_XZ, "x.XZ", "[x=data] compressed" },
		{ ARCHIVE_FILTER_ZSTD, "x", "[x=data] compressed" },
		{ ARCHIVE_FILTER_BZIP2, "", "[=data] compressed" },
	};
	static const char *const names[] = { "whatever", NULL };
	static uint8_t room[65536 * 16];
	struct bench b = bench_make();
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = write_archive("raw", rows[i].filter, names, "data", room);

		b.name = span_text(rows[i].outer);
		const char *got = describe(&b, s, &out);

		if (strcmp(got, rows[i].out) != 0)
			fail_msg("%s: '%s'", rows[i].outer, got);
	}
	buf_free(&out);
	archive_library_finish(&b.library);
}

static uint64_t
tick(void *context)
{
	return ++*(uint64_t *)context;
}

/* Five members of 3000 bytes in each of the ways that stop them. */
static void
test_limits(void **state)
{
	static const char *const names[] = { "1", "2", "3", NULL };
	static uint8_t room[65536 * 16];
	static char data[200001];
	struct bench fresh = bench_make(), b = fresh;
	struct buf out = { 0 };
	uint64_t now = 0;

	memset(data, 'x', 200000);
	struct span s = write_archive("zip", 0, names, data, room);

	b.limits.member_bytes = 50000;
	assert_string_equal(describe(&b, s, &out),
	    "[1=50000 bytes][2=50000 bytes][3=50000 bytes] zip bytes");
	b = fresh;
	b.limits.archive_bytes = 250000;
	assert_string_equal(describe(&b, s, &out),
	    "[1=200000][2=50000 bytes][3= bytes] zip bytes");
	b = fresh;
	b.budget.bytes = 500000;
	assert_string_equal(describe(&b, s, &out),
	    "[1=200000][2=50000 bytes][3= bytes] zip bytes");
	assert_true(b.budget.bytes == 250000);
	b = fresh;
	b.limits.ratio_from = 300000;
	b.limits.ratio = 1;
	assert_string_equal(describe(&b, s, &out),
	    "[1=200000][2=100000 ratio][3= ratio] zip ratio");
	b = fresh;
	b.limits.members = 2;
	assert_string_equal(describe(&b, s, &out), "[1=200000][2=200000] zip members");
	b = fresh;
	b.budget.members = 2;
	assert_string_equal(describe(&b, s, &out), "[1=200000] zip members");
	b = fresh;
	b.depth = b.limits.depth;
	assert_string_equal(describe(&b, s, &out), " zip depth");
	b = fresh;
	b.budget.clock = tick;
	b.budget.context = &now;
	b.budget.end = 16;
	assert_non_null(strstr(describe(&b, s, &out), " zip time"));
	assert_true(now < 16);
	buf_free(&out);
	archive_library_finish(&fresh.library);
}

static struct span
packed(const char *kind, int filter, uint8_t *room)
{
	static const char *const names[] = { "1", "2", NULL };
	static char data[301];

	for (size_t i = 0; i + 1 < sizeof data; i++)
		data[i] = (char)('a' + i * i / 7 % 13);
	return write_archive(kind, filter, names + (strcmp(kind, "raw") == 0), data, room);
}

/* Every byte changed in some ways, and the archive cut off there. */
static void
check_whole(const struct bench *fresh, struct span s, uint8_t *room)
{
	static const uint8_t changes[] = { 0, 1, 4, 0x80, 0xff };
	struct buf got = { 0 }, want = { 0 };

	for (size_t i = 0; i < s.len * COUNT_OF(changes); i++) {
		size_t at = i / COUNT_OF(changes);
		struct bench with = *fresh, without = *fresh;
		struct span in = span_slice(s, 0, i % COUNT_OF(changes) == 0 ? at : s.len);

		without.library.inflater = NULL;
		room[at] ^= changes[i % COUNT_OF(changes)];
		assert_string_equal(describe(&with, in, &got), describe(&without, in, &want));
		assert_true(with.budget.bytes == without.budget.bytes);
		room[at] ^= changes[i % COUNT_OF(changes)];
	}
	buf_free(&got);
	buf_free(&want);
}

/* What is had whole is what libarchive would have given, with the same flaws. */
static void
test_whole_is_the_same(void **state)
{
	static uint8_t room[65536 * 16];
	struct bench fresh = bench_make();

	check_whole(&fresh, packed("zip", 0, room), room);
	check_whole(&fresh, packed("raw", ARCHIVE_FILTER_GZIP, room), room);
	check_whole(&fresh, packed("ustar", ARCHIVE_FILTER_GZIP, room), room);
	archive_library_finish(&fresh.library);
}

static void
test_whole(void **state)
{
	static uint8_t room[65536 * 16];
	struct bench b = bench_make();
	struct arena arena = { 0 };
	struct span s = packed("zip", 0, room), data;
	struct archive_source source = { s, SPAN_NONE, 0, NULL, &b.limits, &b.budget, &b.library,
		&arena };
	struct archive_walk w;

	b.limits.archive_bytes = 500;
	assert_true(archive_open(&w, &source));
	assert_false(archive_whole(&w, &data));         /* no member yet */
	assert_non_null(archive_next(&w));
	assert_true(archive_whole(&w, &data) && data.len == 300 && data.ptr[0] == 'a');
	assert_true(w.member.given == 300 && b.budget.bytes == (64u << 20) - 300);
	assert_false(archive_whole(&w, &data));         /* at most once */
	assert_non_null(archive_next(&w));
	assert_false(archive_whole(&w, &data));         /* not all of it may pass */
	archive_close(&w);
	arena_free(&arena);
	archive_library_finish(&b.library);
}

/* What is skipped in a packed tar is decompressed, so it counts as well. */
static void
test_skipped_counts(void **state)
{
	static const char *const names[] = { "1", "2", NULL };
	static uint8_t room[65536 * 16];
	static char data[200001];
	struct bench b = bench_make();
	struct arena arena = { 0 };
	struct archive_walk w;

	memset(data, 'x', 200000);
	struct span s = write_archive("ustar", ARCHIVE_FILTER_GZIP, names, data,
	    room);
	struct archive_source source = { s, SPAN_NONE, 0, NULL, &b.limits, &b.budget, &b.library,
		&arena };

	assert_true(archive_open(&w, &source));
	assert_non_null(archive_next(&w));
	assert_non_null(archive_next(&w));
	assert_null(archive_next(&w));
	assert_int_equal(w.flaws, 0);
	assert_true(b.budget.bytes == (64u << 20) - 400000);
	assert_true(b.budget.members == 998);
	archive_close(&w);
	arena_free(&arena);
	archive_library_finish(&b.library);
}

static const struct { const char *in; bool dos; const char *out; } names[] = {
	{ "plain.txt", true, "plain.txt" },
	{ "\xc3\xa4.txt", true, "\xc3\xa4.txt" },
	{ "\x84.txt", true, "\xc3\xa4.txt" },
	{ "\xe4.txt", false, "\xc3\xa4.txt" },
	{ "\xff", true, "\xc2\xa0" },
	{ "\xdb", true, "\xe2\x96\x88" },
	{ "\xc3", false, "\xc3\x83" },
	{ "\xed\xa0\x80", false, "\xc3\xad\xc2\xa0\xc2\x80" },
	{ "\xf0\x9f\x98\x80", false, "\xf0\x9f\x98\x80" },
	{ "\xc0\xaf", false, "\xc3\x80\xc2\xaf" },
	{ "", false, "" },
};

static void
test_names(void **state)
{
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct span got = archive_name(span_text(names[i].in), names[i].dos, &arena);

		if (!span_equal(got, span_text(names[i].out)))
			fail_msg("%s: '%.*s'", names[i].in, (int)got.len, (const char *)got.ptr);
	}
	arena_free(&arena);
}

/* Stop a sink, and the walk goes on. */
static enum status
refuse_write(struct sink *sink, struct span s, struct error *e)
{
	return ST_PERM;
}

static void
test_sink_stops(void **state)
{
	struct bench b = bench_make();
	struct arena arena = { 0 };
	struct archive_walk w;
	struct sink refuse = { .write = refuse_write };
	struct error e;
	struct maker m;
	struct span s = make_zip("L a 1; L b 2; C a 0; C b 1; E 2;", &m);
	struct archive_source source = { s, SPAN_NONE, 0, NULL, &b.limits, &b.budget, &b.library,
		&arena };

	assert_true(archive_open(&w, &source));
	assert_non_null(archive_next(&w));
	assert_int_equal(archive_read(&w, &refuse, &e), ST_PERM);
	assert_non_null(archive_next(&w));
	assert_null(archive_next(&w));
	assert_int_equal(w.flaws, 0);
	archive_close(&w);
	arena_free(&arena);
	buf_free(&m.out);
	archive_library_finish(&b.library);
}

/* Behind a program, at every place, with what merely looks so before it. */
static void
test_carried(void **state)
{
	static const struct { struct span head; enum archive_kind kind; } heads[] = {
		{ SPAN_LIT("Rar!\x1a\x07\0"), ARCHIVE_KIND_RAR },
		{ SPAN_LIT("Rar!\x1a\x07\x01\0"), ARCHIVE_KIND_RAR5 },
		{ SPAN_LIT("MSCF\0\0\0\0\x50\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\3\1"),
		    ARCHIVE_KIND_CAB },
	};
	struct archive_form forms[ARCHIVE_FORMS];

	for (size_t i = 0; i < COUNT_OF(heads); i++)
		for (size_t at = 20; at < 100; at++) {
			uint8_t bytes[160] = "MZRa7zMS MSC Rar!";
			struct span s = { bytes, 140 };

			memset(bytes + 17, 'R', sizeof bytes - 17);
			memcpy(bytes + at, heads[i].head.ptr, heads[i].head.len);
			assert_int_equal(archive_detect(s, forms), 1);
			assert_int_equal(forms[0].kind, heads[i].kind);
			assert_int_equal(forms[0].at, at);
			bytes[at + 3] ^= 1;
			assert_int_equal(archive_detect(s, forms), 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zips),
		cmocka_unit_test(test_stored_zip),
		cmocka_unit_test(test_zip_cuts),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_kind_cuts),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_whole_is_the_same),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_skipped_counts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sink_stops),
		cmocka_unit_test(test_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
