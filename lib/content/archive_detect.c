/*
 * archive_detect.c - which archives the bytes are.
 *
 * Each row is a mark at a fixed place and, where the mark is short, a closer look.
 */
#include "lib/content/archive_private.h"
#include "lib/mime/lane.h"

#define STUB_BYTES (4u << 20)   /* how far behind a program an archive is looked for */
#define TAIL_BYTES 65557u       /* a zip's end record and the longest comment        */

static uint64_t
octal(const uint8_t *p, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] >= '0' && p[i] <= '7')
			value = value * 8 + (uint64_t)(p[i] - '0');
		else if (value > 0 || (p[i] != ' ' && p[i] != '0'))
			break;
	return value;
}

static bool
has_octal(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= '0' && p[i] <= '7')
			return true;
	return false;
}

/* The header's sum, with blanks in place of the sum itself; signed in some old ones. */
static bool
is_tar(struct span s)
{
	uint64_t sum = 0, high = 0;

	if (s.len < 512 || s.ptr[0] == '\0' || !has_octal(s.ptr + 148, 8))
		return false;
	for (size_t i = 0; i < 512; i++) {
		uint8_t c = i >= 148 && i < 156 ? ' ' : s.ptr[i];

		sum += c;
		high += c >= 0x80;
	}
	uint64_t want = octal(s.ptr + 148, 8);

	return want == sum || want == sum - 256 * high;
}

/* No mark of its own: properties, a usual dictionary size, an unknown or sane length. */
static bool
is_lzma(struct span s)
{
	if (s.len < 14 || s.ptr[0] >= 9 * 5 * 5 || s.ptr[13] != 0)
		return false;
	uint32_t dictionary = le32(s.ptr + 1), half = dictionary - dictionary / 3;
	uint64_t size = le64(s.ptr + 5);
	bool power = dictionary >= 4096 && ((dictionary & (dictionary - 1)) == 0 ||
	    (half & (half - 1)) == 0);

	return power && (size == UINT64_MAX || size < (uint64_t)1 << 40);
}

static bool
is_7zip(struct span s)
{
	return s.len >= 32 && archive_crc32(span_slice(s, 12, 32)) == le32(s.ptr + 8);
}

static bool
is_cab(struct span s)
{
	return s.len >= 36 && s.ptr[25] == 1 && le32(s.ptr + 16) < s.len;
}

static bool
is_lha(struct span s)
{
	return s.len >= 21 && s.ptr[6] == '-' && s.ptr[20] <= 3 && (s.ptr[3] == 'l' ||
	    s.ptr[3] == 'p');
}

static bool
is_bzip2(struct span s)
{
	return s.len >= 10 && s.ptr[3] >= '1' && s.ptr[3] <= '9' &&
	    (memcmp(s.ptr + 4, "1AY&SY", 6) == 0 || memcmp(s.ptr + 4, "\x17rE8P\x90", 6) == 0);
}

static bool
is_cpio(struct span s)
{
	return s.len >= 76 && s.ptr[5] >= '1' && s.ptr[5] <= '7' && is_digit(s.ptr[6]);
}

/* Name length and mode of the old binary header are sane. */
static bool
is_cpio_le(struct span s)
{
	return s.len >= 26 && le16(s.ptr + 20) > 1 && le16(s.ptr + 20) <= 1024 &&
	    (s.ptr[7] & 0xf0) != 0 && (s.ptr[7] & 0xf0) <= 0xc0;
}

static bool
is_cpio_be(struct span s)
{
	return s.len >= 26 && s.ptr[20] <= 4 && (s.ptr[20] | s.ptr[21]) > 1 &&
	    (s.ptr[6] & 0xf0) != 0 && (s.ptr[6] & 0xf0) <= 0xc0;
}

static bool
is_skippable(struct span s)
{
	return s.len >= 8 && (s.ptr[0] & 0xf0) == 0x50;
}

struct row {
	size_t               at;
	struct span          mark;
	enum archive_kind    kind;
	enum archive_packing packing;
	bool                 (*look)(struct span);
};
#define MARK(text) { (const uint8_t *)(text), sizeof(text) - 1 }
#define CARRIED 4               /* the first rows: those that stand behind something else */

static const struct row rows[] = {
	{ 0, MARK("7z\xbc\xaf\x27\x1c"), ARCHIVE_KIND_7ZIP, 0, NULL },
	{ 0, MARK("Rar!\x1a\x07\x01"), ARCHIVE_KIND_RAR5, 0, NULL },
	{ 0, MARK("Rar!\x1a\x07"), ARCHIVE_KIND_RAR, 0, NULL },
	{ 0, MARK("MSCF"), ARCHIVE_KIND_CAB, 0, NULL },
	{ 0, MARK("!<arch>\n"), ARCHIVE_KIND_AR, 0, NULL },
	{ 0, MARK("xar!"), ARCHIVE_KIND_XAR, 0, NULL },
	{ 257, MARK("ustar"), ARCHIVE_KIND_TAR, 0, NULL },
	{ 0, MARK("07070"), ARCHIVE_KIND_CPIO, 0, is_cpio },
	{ 0, MARK("\xc7\x71"), ARCHIVE_KIND_CPIO, 0, is_cpio_le },
	{ 0, MARK("\x71\xc7"), ARCHIVE_KIND_CPIO, 0, is_cpio_be },
	{ 2, MARK("-l"), ARCHIVE_KIND_LHA, 0, is_lha },
	{ 2, MARK("-p"), ARCHIVE_KIND_LHA, 0, is_lha },
	{ 0, MARK("\x1f\x8b"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_GZIP, NULL },
	{ 0, MARK("BZh"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_BZIP2, is_bzip2 },
	{ 0, MARK("\xfd" "7zXZ\0"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_XZ, NULL },
	{ 0, MARK("LZIP"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_LZIP, NULL },
	{ 0, MARK("\x28\xb5\x2f\xfd"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_ZSTD, NULL },
	{ 0, MARK("\x04\x22\x4d\x18"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_LZ4, NULL },
	{ 0, MARK("\x02\x21\x4c\x18"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_LZ4, NULL },
	{ 1, MARK("\x2a\x4d\x18"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_ZSTD, is_skippable },
	{ 0, MARK("\x1f\x9d"), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_COMPRESS, NULL },
	{ 32769, MARK("CD001"), ARCHIVE_KIND_ISO, 0, NULL },
	{ 0, MARK("PK\3\4"), ARCHIVE_KIND_ZIP, 0, NULL },
	{ 0, MARK("PK\5\6"), ARCHIVE_KIND_ZIP, 0, NULL },
	{ 0, MARK("PK00PK\3\4"), ARCHIVE_KIND_ZIP, 0, NULL },
	{ 0, MARK("PK\7\10PK\3\4"), ARCHIVE_KIND_ZIP, 0, NULL },
	{ 0, MARK(""), ARCHIVE_KIND_TAR, 0, is_tar },
	{ 0, MARK(""), ARCHIVE_KIND_STREAM, ARCHIVE_PACKING_LZMA, is_lzma },
};

static bool
row_fits(const struct row *r, struct span s)
{
	return s.len >= r->at + r->mark.len &&
	    (r->mark.len == 0 || memcmp(s.ptr + r->at, r->mark.ptr, r->mark.len) == 0) &&
	    (r->look == NULL || r->look(s));
}

static bool
find_row(struct span s, struct archive_form *form)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (row_fits(&rows[i], s)) {
			*form = (struct archive_form){ rows[i].kind, rows[i].packing, 0 };
			return true;
		}
	return false;
}

/* One header of an rpm: magic, count of 16-byte entries, bytes of data.  0: none. */
static size_t
rpm_header(struct span s, size_t at)
{
	if (s.len < 16 || at > s.len - 16 || memcmp(s.ptr + at, "\x8e\xad\xe8\x01", 4) != 0)
		return 0;
	const uint8_t *p = s.ptr + at;
	uint64_t entries = __builtin_bswap32(le32(p + 8));
	uint64_t data = __builtin_bswap32(le32(p + 12));
	uint64_t end = at + 16 + entries * 16 + data;

	return end < s.len ? (size_t)end : 0;
}

/* Lead, signature header padded to 8, mostly a second one, then a compressed cpio. */
static bool
find_rpm(struct span s, struct archive_form *form)
{
	size_t at, next;

	if (s.len < 96 || memcmp(s.ptr, "\xed\xab\xee\xdb", 4) != 0)
		return false;
	at = (rpm_header(s, 96) + 7) & ~(size_t)7;
	next = at > 0 ? rpm_header(s, at) : 0;
	at = next > 0 ? next : at;
	if (at == 0 || at > s.len || !find_row(span_slice(s, at, s.len), form))
		return false;
	form->at = at;
	return true;
}

/* A zip's end record whose comment fits and whose directory could stand before it. */
static bool
find_zip_end(struct span s)
{
	size_t at = s.len > TAIL_BYTES ? s.len - TAIL_BYTES : 0;

	for (at = archive_search(s, at, SPAN_LIT("PK\5\6")); at < s.len;
	    at = archive_search(s, at + 4, SPAN_LIT("PK\5\6"))) {
		if (s.len - at < 22)
			return false;
		uint32_t size = le32(s.ptr + at + 12);

		if (size == UINT32_MAX || (size >= 46 && size <= at &&
		    archive_search(span_slice(s, at - size, s.len), 0, SPAN_LIT("PK\1\2")) == 0))
			return true;
	}
	return false;
}

/* What may carry an archive behind itself. */
static bool
is_carrier(struct span s)
{
	static const struct span marks[] = { MARK("MZ"), MARK("\x7f" "ELF"), MARK("#!"),
		MARK("\xff\xd8\xff"), MARK("\x89PNG"), MARK("GIF8"), MARK("%PDF"), MARK("BM") };

	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (s.len > 64 && memcmp(s.ptr, marks[i].ptr, marks[i].len) == 0)
			return true;
	return false;
}

static bool
looks_whole(struct span s, enum archive_kind kind)
{
	return kind == ARCHIVE_KIND_7ZIP ? is_7zip(s) : kind == ARCHIVE_KIND_CAB ? is_cab(s) :
	    s.len > 20 && (s.ptr[6] == 0 || (s.ptr[6] == 1 && s.ptr[7] == 0));
}

/* Where one of the first rows' marks may begin: its first two bytes stand there. */
static size_t
next_carried(struct span s, size_t at)
{
	for (; s.len - at > LANE_BYTES; at += LANE_BYTES) {
		lane a = lane_load(s.ptr + at), b = lane_load(s.ptr + at + 1);
		lane hits = (lane)(((a == '7') & (b == 'z')) | ((a == 'R') & (b == 'a')) |
		    ((a == 'M') & (b == 'S')));

		if (lane_any(hits))
			return at + lane_first(hits);
	}
	return at;
}

/* The first 7z, rar or cab behind something else, in one pass for all of them. */
static bool
find_carried(struct span s, struct archive_form *form)
{
	struct span near = s.len > STUB_BYTES ? span_slice(s, 0, STUB_BYTES) : s;

	for (size_t at = 1; (at = next_carried(near, at)) < near.len; at++)
		for (size_t i = 0; i < CARRIED; i++)
			if (near.len - at >= rows[i].mark.len &&
			    memcmp(s.ptr + at, rows[i].mark.ptr, rows[i].mark.len) == 0 &&
			    looks_whole(span_slice(s, at, s.len), rows[i].kind)) {
				*form = (struct archive_form){ rows[i].kind, 0, at };
				return true;
			}
	return false;
}

size_t
archive_detect(struct span s, struct archive_form forms[ARCHIVE_FORMS])
{
	size_t n = 0;

	if (find_rpm(s, &forms[0]) || find_row(s, &forms[0]))
		n++;
	if ((n == 0 || forms[0].kind != ARCHIVE_KIND_ZIP) && find_zip_end(s))
		forms[n++] = (struct archive_form){ ARCHIVE_KIND_ZIP, 0, 0 };
	if (is_carrier(s) && find_carried(s, &forms[n]))
		n++;
	return n;
}
