/*
 * archive_name.c - names of members as UTF-8, words for kinds and flaws.
 */
#include "lib/content/archive_private.h"
#include <libdeflate.h>

/* A search by one byte is given up for good when it stops so often, so close together. */
#define SEARCH_MISSES 16
#define SEARCH_STEP   64

/* The upper half of code page 437. */
static const uint16_t cp437[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
	0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
	0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
	0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
	0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
	0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* Bytes of the well-formed UTF-8 character at the front; 0: none is there. */
static size_t
character_length(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* How many bytes at the front are whole, well-formed characters. */
static size_t
well_formed(struct span s)
{
	size_t at = 0, n;

	while (at < s.len && (n = character_length(s.ptr + at, s.len - at)) > 0)
		at += n;
	return at;
}

size_t
archive_put_utf8(uint8_t *to, uint32_t c)
{
	static const uint8_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		to[i] = (uint8_t)(0x80 | (c & 0x3f));
	to[0] = (uint8_t)(marks[n] | c);
	return n;
}

struct span
archive_name(struct span raw, bool dos, struct arena *arena)
{
	bool cut = raw.len > ARCHIVE_PATH_BYTES;
	struct span s = cut ? span_slice(raw, 0, ARCHIVE_PATH_BYTES) : raw;
	size_t good = well_formed(s), n = 0;

	/* Cutting may have split a character. */
	if (good == s.len || (cut && s.len - good < 4))
		return arena_span(arena, span_slice(s, 0, good));
	uint8_t *out = arena_alloc(arena, s.len * 3);

	for (size_t i = 0; i < s.len; i++)
		n += archive_put_utf8(out + n, dos && s.ptr[i] >= 0x80 ?
		    cp437[s.ptr[i] - 0x80] : s.ptr[i]);
	return (struct span){ out, n };
}

unsigned
archive_path_flaws(struct span path)
{
	bool odd = path.len == 0 || path.len > ARCHIVE_PATH_BYTES ||
	    memchr(path.ptr, '\0', path.len) != NULL;

	return odd ? ARCHIVE_FLAW_NAME : 0;
}

uint32_t
archive_crc32(struct span s)
{
	return libdeflate_crc32(0, s.ptr, s.len);
}

/*
 * By the last byte: in the marks of archives it is the one that text hardly ever has.
 * Where it is common all the same, memmem does the rest.
 */
size_t
archive_search(struct span whole, size_t from, struct span what)
{
	size_t behind = what.len - 1, misses = 0;
	const uint8_t *p;

	for (size_t at = from; at < whole.len && whole.len - at >= what.len; at++) {
		if (++misses > SEARCH_MISSES && (at - from) / misses < SEARCH_STEP)
			p = memmem(whole.ptr + at, whole.len - at, what.ptr, what.len);
		else if ((p = memchr(whole.ptr + at + behind, what.ptr[behind],
		    whole.len - at - behind)) != NULL)
			p -= behind;
		if (p == NULL)
			break;
		at = (size_t)(p - whole.ptr);
		if (memcmp(p, what.ptr, what.len) == 0)
			return at;
	}
	return whole.len;
}

const char *
archive_kind_name(enum archive_kind kind)
{
	static const char *const names[] = {
		[ARCHIVE_KIND_NONE] = "none", [ARCHIVE_KIND_ZIP] = "zip",
		[ARCHIVE_KIND_TAR] = "tar", [ARCHIVE_KIND_CPIO] = "cpio",
		[ARCHIVE_KIND_AR] = "ar", [ARCHIVE_KIND_7ZIP] = "7z",
		[ARCHIVE_KIND_RAR] = "rar", [ARCHIVE_KIND_RAR5] = "rar5",
		[ARCHIVE_KIND_CAB] = "cab", [ARCHIVE_KIND_ISO] = "iso",
		[ARCHIVE_KIND_XAR] = "xar", [ARCHIVE_KIND_LHA] = "lha",
		[ARCHIVE_KIND_STREAM] = "compressed",
	};

	return names[kind];
}

const char *
archive_packing_name(enum archive_packing packing)
{
	static const char *const names[] = {
		[ARCHIVE_PACKING_NONE] = "none", [ARCHIVE_PACKING_GZIP] = "gzip",
		[ARCHIVE_PACKING_BZIP2] = "bzip2", [ARCHIVE_PACKING_XZ] = "xz",
		[ARCHIVE_PACKING_LZMA] = "lzma", [ARCHIVE_PACKING_LZIP] = "lzip",
		[ARCHIVE_PACKING_ZSTD] = "zstd", [ARCHIVE_PACKING_LZ4] = "lz4",
		[ARCHIVE_PACKING_COMPRESS] = "compress",
	};

	return names[packing];
}

const char *
archive_flaw_name(enum archive_flaw flaw)
{
	static const char *const names[ARCHIVE_FLAW_BITS] = {
		"broken", "unsupported", "checksum", "size", "name", "bytes", "ratio", "time",
		"memory", "members", "depth", "volume", "prefix", "suffix", "overlap", "hidden",
		"astray", "differs", "count", "ends", "double",
	};

	return names[__builtin_ctz((unsigned)flaw)];
}
