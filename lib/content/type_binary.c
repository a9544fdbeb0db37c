/*
 * type_binary.c - closer looks at binary formats, and guesses at those without a
 * signature. See look.h.
 */
#include "lib/content/look.h"

/* What runs. */

enum file_type
look_exe(const struct look *l)
{
	uint64_t at = look_le(l, 0x3c, 4);

	if (LOOK_IS(l, at, "PE\0\0"))
		return look_le(l, at + 22, 2) & 0x2000 ? FILE_PE_DLL : FILE_PE;
	if (LOOK_IS(l, at, "NE"))
		return FILE_NE;
	if (LOOK_IS(l, at, "LE") || LOOK_IS(l, at, "LX"))
		return FILE_LE;
	return look_text(l) == FILE_UNKNOWN ? FILE_DOS_EXE : FILE_UNKNOWN;
}

enum file_type
look_elf(const struct look *l)
{
	uint64_t kind = look_byte(l, 5) == 2 ? look_be(l, 16, 2) : look_le(l, 16, 2);

	switch (kind) {
	case 1:
		return FILE_ELF_OBJECT;
	case 2:
		return FILE_ELF_EXEC;
	case 3:
		return FILE_ELF_SHARED;
	case 4:
		return FILE_ELF_CORE;
	default:
		return FILE_ELF;
	}
}

/* A class file's version and a fat binary's count of machines stand at one place. */
enum file_type
look_cafe(const struct look *l)
{
	return look_be(l, 4, 4) >= 43 || look_be(l, 4, 4) == 0 ?
	    FILE_JAVA_CLASS : FILE_MACHO;
}

/* An object file of i386: few sections, a table of symbols inside, no optional header. */
enum file_type
look_coff(const struct look *l)
{
	uint64_t sections = look_le(l, 2, 2), symbols = look_le(l, 8, 4);

	return sections > 0 && sections < 200 && symbols >= 20 && symbols < l->size &&
	    look_le(l, 16, 2) == 0 ? FILE_COFF : FILE_UNKNOWN;
}

/* The magic number of CPython 1.5 to 3.x, then CR LF. */
enum file_type
look_pyc(const struct look *l)
{
	uint64_t version = look_le(l, 0, 2);

	return l->size >= 9 && ((version >= 3000 && version < 4000) ||
	    (version >= 50000 && version < 63000)) ? FILE_PYC : FILE_UNKNOWN;
}

/* Players take any version, and a film can be made of letters and digits alone (to pass
   as a script), so only prose is none. */
enum file_type
look_flash(const struct look *l)
{
	struct span start = look_bytes(l, 0, l->head.len < 32 ? l->head.len : 32);

	if (start.len < 8 || look_byte(l, 3) == 0)
		return FILE_UNKNOWN;
	return look_text(l) == FILE_UNKNOWN || !HOLDS(start, " ") ?
	    FILE_SWF : FILE_UNKNOWN;
}

/* A boot sector: a jump, then a file system's parameters or none, and the mark. */
enum file_type
look_disk(const struct look *l)
{
	return LOOK_IS(l, 510, "\x55\xaa") && (look_byte(l, 0) == 0xe9 ||
	    look_byte(l, 2) == 0x90) ? FILE_DISK : FILE_UNKNOWN;
}

/* Archives and compressors. */

enum file_type
look_ar(const struct look *l)
{
	return LOOK_IS(l, 8, "debian-binary") ? FILE_DEB : FILE_AR;
}

/* "-lh5-", "-lz4-", "-pm0-" ... in the middle of a header of plausible length. */
enum file_type
look_lha(const struct look *l)
{
	struct span method = look_bytes(l, 2, 5);
	uint8_t level = look_byte(l, 20);

	if (method.len == 0 || method.ptr[4] != '-' || level > 3)
		return FILE_UNKNOWN;
	return (method.ptr[2] == 'h' && byte_in(method.ptr[3], "01234567xd")) ||
	    (method.ptr[2] == 'z' && byte_in(method.ptr[3], "s2345678")) ?
	    FILE_LHA : FILE_UNKNOWN;
}

enum file_type
look_arj(const struct look *l)
{
	uint64_t size = look_le(l, 2, 2);

	return size >= 30 && size <= 2600 && look_byte(l, 4) <= size &&
	    look_byte(l, 6) <= 50 ? FILE_ARJ : FILE_UNKNOWN;
}

static bool
is_name_byte(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || byte_in(c, "._-~$!#%&@");
}

/* 0x1a, a method, a name of at most 12 letters and its NUL. */
enum file_type
look_arc(const struct look *l)
{
	size_t n = 0;

	while (n < 13 && is_name_byte(look_byte(l, 2 + n)))
		n++;
	return look_byte(l, 1) >= 1 && look_byte(l, 1) <= 11 && n >= 1 && n <= 12 &&
	    look_bytes(l, 2 + n, 1).len == 1 && look_byte(l, 2 + n) == 0 ?
	    FILE_ARC : FILE_UNKNOWN;
}

enum file_type
look_gzip(const struct look *l)
{
	return look_byte(l, 2) == 8 && (look_byte(l, 3) & 0xe0) == 0 ?
	    FILE_GZIP : FILE_UNKNOWN;
}

enum file_type
look_compress(const struct look *l)
{
	unsigned bits = look_byte(l, 2) & 0x1f;

	return bits >= 9 && bits <= 16 ? FILE_COMPRESS : FILE_UNKNOWN;
}

/* A block's mark behind the size, or the end's, where there is no block. */
enum file_type
look_bzip2(const struct look *l)
{
	uint8_t level = look_byte(l, 3);

	if (level < '1' || level > '9')
		return FILE_UNKNOWN;
	if (look_byte(l, 2) == '0')
		return LOOK_IS(l, 4, "1AY") ? FILE_BZIP1 : FILE_UNKNOWN;
	return LOOK_IS(l, 4, "1AY&SY") || LOOK_IS(l, 4, "\x17rE8P\x90") || l->size < 10 ?
	    FILE_BZIP2 : FILE_UNKNOWN;
}

/* Frames of all versions since 0.2, and skippable ones (which LZ4 has too; there the
   frame behind it tells). */
enum file_type
look_zstd(const struct look *l)
{
	uint8_t c = look_byte(l, 0);

	if (LOOK_IS(l, 1, "\xb5\x2f\xfd"))
		return c >= 0x1e && c <= 0x28 ? FILE_ZSTD : FILE_UNKNOWN;
	if (c < 0x50 || c > 0x5f)
		return FILE_UNKNOWN;
	return LOOK_IS(l, 8 + look_le(l, 4, 4), "\x04\x22\x4d\x18") ?
	    FILE_LZ4 : FILE_ZSTD;
}

#define TAR_BLOCK 512

/* Octal digits between blanks, up to a blank, a NUL or the end; UINT64_MAX if it is
   not. */
static uint64_t
octal(struct span s)
{
	uint64_t n = 0;
	size_t i = 0, digits = 0;

	while (i < s.len && (s.ptr[i] == ' '))
		i++;
	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '7'; i++, digits++)
		n = n * 8 + (uint64_t)(s.ptr[i] - '0');
	return digits > 0 && (i == s.len || s.ptr[i] == ' ' || s.ptr[i] == 0) ?
	    n : UINT64_MAX;
}

/* The sum of a header's bytes, its own field taken as blanks; some tars took bytes as
   signed. */
static bool
tar_sum_is_right(const struct look *l)
{
	struct span h = look_bytes(l, 0, TAR_BLOCK);
	uint64_t want = h.len > 0 ? octal(span_slice(h, 148, 156)) : UINT64_MAX;
	uint64_t sum = 0, above = 0;

	for (size_t i = 0; i < h.len; i++) {
		uint8_t c = i >= 148 && i < 156 ? ' ' : h.ptr[i];

		sum += c;
		above += c >= 0x80;
	}
	return want != UINT64_MAX && (sum == want || sum == want + 256 * above);
}

enum file_type
look_tar(const struct look *l)
{
	const uint8_t *slash;
	struct span name = look_bytes(l, 0, 100);

	if (!tar_sum_is_right(l) && octal(look_bytes(l, 148, 8)) == UINT64_MAX)
		return FILE_UNKNOWN;
	name.len = span_find(name, 0);
	slash = name.len > 0 ? memchr(name.ptr, '/', name.len) : NULL;
	if (slash != NULL && span_starts_nocase(
	    (struct span){ slash, (size_t)(name.ptr + name.len - slash) },
	    SPAN_LIT("/gpkg-1")))
		return FILE_GPKG;
	return span_equal(name, SPAN_LIT("gpkg-1")) ? FILE_GPKG : FILE_TAR;
}

/* Before POSIX there was no mark, but the sum. */
enum file_type
look_old_tar(const struct look *l)
{
	return look_byte(l, 0) != 0 && tar_sum_is_right(l) ? FILE_TAR : FILE_UNKNOWN;
}

/* Properties of the usual encoders, a dictionary of 2^n or 2^n + 2^(n-1), and a size that
   is unknown or below 256 GiB. */
static enum file_type
look_lzma(const struct look *l)
{
	uint64_t dictionary = look_le(l, 1, 4), size = look_le(l, 5, 8);
	uint64_t high = dictionary & (dictionary - 1);

	if (look_byte(l, 0) >= 225 || look_bytes(l, 13, 1).len == 0 ||
	    look_byte(l, 13) != 0)
		return FILE_UNKNOWN;
	if (dictionary < 4096 || (high != 0 && (high & (high - 1)) != 0))
		return FILE_UNKNOWN;
	return size == UINT64_MAX || size < UINT64_C(1) << 38 ? FILE_LZMA : FILE_UNKNOWN;
}

/* Certificates, keys, ciphertext. */

/* One element of DER or BER: its content's offset and length (to the end if
   indefinite). */
static bool
der_element(const struct look *l, uint64_t at, uint8_t tag, uint64_t *content,
    uint64_t *len)
{
	uint8_t first = look_byte(l, at + 1);
	unsigned more = first & 0x7f;

	if (look_bytes(l, at, 2).len == 0 || look_byte(l, at) != tag)
		return false;
	if (first < 0x80) {
		*content = at + 2;
		*len = first;
		return true;
	}
	if (more > 5 || look_bytes(l, at + 2, more).len != more)
		return false;
	*content = at + 2 + more;
	*len = more == 0 ? l->size - *content : look_be(l, at + 2, more);
	return true;
}

/* Object identifiers of PKCS #7 content types: 1.2.840.113549.1.7.n. */
#define OID_PKCS7 "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"

static enum file_type
der_inside(const struct look *l, uint64_t at)
{
	uint64_t content, len, inner;

	if (LOOK_IS(l, at, OID_PKCS7))
		return FILE_PKCS7;
	if (LOOK_IS(l, at, "\x02\x01\x03") &&
	    der_element(l, at + 3, 0x30, &content, &len) &&
	    LOOK_IS(l, content, OID_PKCS7))
		return FILE_PKCS12;
	if (der_element(l, at, 0x30, &content, &len)) {
		if (LOOK_IS(l, content, "\xa0\x03\x02\x01"))
			return FILE_CERTIFICATE;
		if (LOOK_IS(l, content, "\x02\x01\x01\x30"))
			return FILE_CRL;
		if (LOOK_IS(l, content, "\x06") &&
		    der_element(l, content, 0x06, &inner, &len) && len >= 5 && len <= 12)
			return FILE_DER;
		if (look_byte(l, content) == 0x02 &&
		    der_element(l, content, 0x02, &inner, &len) && len > 1 && len <= 32 &&
		    look_byte(l, inner + len) == 0x30)
			return FILE_CERTIFICATE;
		return FILE_UNKNOWN;
	}
	/* private keys: version 0 or 1, then an algorithm or a long number */
	if ((LOOK_IS(l, at, "\x02\x01\x00") || LOOK_IS(l, at, "\x02\x01\x01")) &&
	    byte_in(look_byte(l, at + 3), "\x02\x04\x30"))
		return FILE_DER;
	return FILE_UNKNOWN;
}

/* The outer sequence must end where the file does, or nearly. */
enum file_type
look_der(const struct look *l)
{
	uint64_t content, len;

	if (!der_element(l, 0, 0x30, &content, &len) || len < 16 ||
	    content + len > l->size || l->size - content - len > 64)
		return FILE_UNKNOWN;
	return der_inside(l, content);
}

/* The first packet of RFC 9580 section 4.2: where its body begins, and its length. */
static bool
pgp_packet(const struct look *l, uint64_t *body, uint64_t *len)
{
	uint8_t tag = look_byte(l, 0), first = look_byte(l, 1);

	if ((tag & 0x40) == 0) {
		unsigned bytes = 1u << (tag & 3);

		*body = 1 + bytes;
		*len = look_be(l, 1, bytes);
	} else if (first < 192) {
		*body = 2;
		*len = first;
	} else {
		*body = first < 224 ? 3 : first == 255 ? 6 : 2;
		*len = first < 224 ? ((first - 192u) << 8) + look_byte(l, 2) + 192 :
		    first == 255 ? look_be(l, 2, 4) : UINT64_C(1) << (first & 31);
	}
	return *len > 0 && *len <= l->size && *body + *len <= l->size &&
	    look_bytes(l, *body, 12).len == 12;
}

static bool
pgp_is_key_body(const struct look *l, uint64_t body)
{
	uint8_t version = look_byte(l, body);
	uint8_t algorithm = look_byte(l, body + (version < 4 ? 7 : 5));

	return version >= 2 && version <= 6 && ((algorithm >= 1 && algorithm <= 3) ||
	    (algorithm >= 16 && algorithm <= 28));
}

enum file_type
look_pgp(const struct look *l)
{
	uint8_t tag = look_byte(l, 0);
	unsigned kind = tag & 0x40 ? tag & 0x3f : tag >> 2 & 0xf;
	uint64_t body, len;
	uint8_t version;

	if (!pgp_packet(l, &body, &len))
		return FILE_UNKNOWN;
	version = look_byte(l, body);
	switch (kind) {
	case 1:
		return version == 3 || version == 6 ? FILE_PGP_MESSAGE : FILE_UNKNOWN;
	case 2:
		return version >= 3 && version <= 6 && len < 2048 && (version == 3 ?
		    look_byte(l, body + 1) == 5 : look_byte(l, body + 2) <= 28) ?
		    FILE_PGP_SIGNATURE : FILE_UNKNOWN;
	case 5:
	case 6:
		return pgp_is_key_body(l, body) ? FILE_PGP_KEYS : FILE_UNKNOWN;
	default:
		return FILE_UNKNOWN;
	}
}

/* Documents and data. */

enum file_type
look_ps(const struct look *l)
{
	struct span line = look_bytes(l, 0, 32);

	if (LOOK_IS(l, 0, "%!PS-AdobeFont") || LOOK_IS(l, 0, "%!FontType1"))
		return FILE_PFB;
	return LOOK_IS(l, 0, "%!PS-Adobe") && HOLDS(line, "EPSF") ? FILE_EPS : FILE_PS;
}

enum file_type
look_pfb(const struct look *l)
{
	return LOOK_IS(l, 6, "%!") ? FILE_PFB : FILE_UNKNOWN;
}

/* The first record of an Excel sheet without a container: BOF of BIFF 2 to 8. */
enum file_type
look_biff(const struct look *l)
{
	uint64_t len = look_le(l, 2, 2), kind = look_le(l, 6, 2);

	return len >= 4 && len <= 16 && byte_in((uint8_t)kind, "\x05\x06\x10\x20\x40") ?
	    FILE_EXCEL_OLD : FILE_UNKNOWN;
}

enum file_type
look_torrent(const struct look *l)
{
	struct span start = look_bytes(l, 0, l->head.len < 512 ? l->head.len : 512);

	if (start.len < 16 || !is_digit(start.ptr[1]) || span_find(start, ':') > 3)
		return FILE_UNKNOWN;
	return HOLDS(start, "8:announce") || HOLDS(start, "4:infod") ||
	    HOLDS(start, "13:announce-list") ? FILE_TORRENT : FILE_UNKNOWN;
}

/* ORC: the same three bytes, or nearly, at the end. */
enum file_type
look_avro(const struct look *l)
{
	return l->size > 16 && LOOK_IS(l, l->size - 4, "ORC") ? FILE_ORC : FILE_UNKNOWN;
}

enum file_type
look_eot(const struct look *l)
{
	uint64_t version = look_le(l, 8, 4);

	return look_le(l, 0, 4) == l->size && (version == 0x10000 || version == 0x20001 ||
	    version == 0x20002) ? FILE_EOT : FILE_UNKNOWN;
}

/* The kind of the first table and the count of tables. */
enum file_type
look_ttf(const struct look *l)
{
	uint64_t tables = look_be(l, 4, 2);
	struct span tag = look_bytes(l, 12, 4);

	if (tables == 0 || tables > 64 || tag.len == 0)
		return FILE_UNKNOWN;
	for (size_t i = 0; i < tag.len; i++)
		if (tag.ptr[i] < ' ' || tag.ptr[i] > '~')
			return FILE_UNKNOWN;
	return FILE_TTF;
}

/* A table of dBASE and FoxPro: version, a date, sizes, and the mark that ends the list of
   fields. */
static enum file_type
look_dbf(const struct look *l)
{
	uint8_t version = look_byte(l, 0), month = look_byte(l, 2), day = look_byte(l, 3);
	uint64_t header = look_le(l, 8, 2), record = look_le(l, 10, 2);

	if (!byte_in(version, "\2\3\4\5\x30\x31\x32\x43\x63\x7b\x83\x8b\x8e\xcb\xf5\xfb"))
		return FILE_UNKNOWN;
	if (month < 1 || month > 12 || day < 1 || day > 31 || header < 33 || record < 1)
		return FILE_UNKNOWN;
	if (!is_alpha(look_byte(l, 32)) && look_byte(l, 32) != '_' &&
	    look_byte(l, 32) < 0x80)
		return FILE_UNKNOWN;
	return look_byte(l, 32 + 11) >= 'A' && look_byte(l, 32 + 11) <= 'Y' ?
	    FILE_DBF : FILE_UNKNOWN;
}

/* A part of a normal vector: a float of -1 to 1, told by its exponent. */
static bool
is_small_float(uint64_t bits)
{
	uint64_t exponent = bits >> 23 & 0xff;

	return bits << 1 == 0 || (exponent >= 64 && exponent < 127) ||
	    (bits & 0x7fffffff) == 0x3f800000;
}

/* 80 bytes of text with zeros behind, a count, 50 bytes each: a normal, three corners. */
static enum file_type
look_stl(const struct look *l)
{
	uint64_t count = look_le(l, 80, 4);
	struct span title = look_bytes(l, 0, 80);

	if (count == 0 || look_bytes(l, 84, 50).len == 0)
		return FILE_UNKNOWN;
	if (l->size == 84 + 50 * count)
		return FILE_STL;
	for (size_t i = span_find(title, 0); i < title.len; i++)
		if (title.ptr[i] != 0)
			return FILE_UNKNOWN;
	return count < 1 << 24 && title.len > 0 && title.ptr[0] >= ' ' &&
	    title.ptr[0] < 0x7f && is_small_float(look_le(l, 84, 4)) &&
	    is_small_float(look_le(l, 88, 4)) && is_small_float(look_le(l, 92, 4)) ?
	    FILE_STL : FILE_UNKNOWN;
}

/* A level-4 file of MATLAB: small numbers of type, rows, columns, and a name. */
static enum file_type
look_matlab(const struct look *l)
{
	uint64_t kind = look_le(l, 0, 4), rows = look_le(l, 4, 4),
	    columns = look_le(l, 8, 4);
	uint64_t name = look_le(l, 16, 4);

	return kind < 100 && kind % 10 <= 2 && rows > 0 && rows < 1 << 24 &&
	    columns > 0 && columns < 1 << 24 && look_le(l, 12, 4) <= 1 && name > 1 &&
	    name <= 64 && is_alpha(look_byte(l, 20)) &&
	    look_bytes(l, 19 + name, 1).len == 1 && look_byte(l, 19 + name) == 0 ?
	    FILE_MATLAB : FILE_UNKNOWN;
}

/* The record length in five digits, the level of the leader, "22" and "4500". */
enum file_type
look_marc(const struct look *l)
{
	for (uint64_t i = 0; i < 5; i++)
		if (!is_digit(look_byte(l, i)) || !is_digit(look_byte(l, 12 + i)))
			return FILE_UNKNOWN;
	return LOOK_IS(l, 10, "22") && LOOK_IS(l, 20, "45") ? FILE_MARC : FILE_UNKNOWN;
}

static enum file_type
look_zlib(const struct look *l)
{
	return look_byte(l, 0) == 0x78 && look_be(l, 0, 2) % 31 == 0 &&
	    (look_byte(l, 1) & 0x20) == 0 && l->size > 8 ? FILE_ZLIB : FILE_UNKNOWN;
}

/* Marks at the end. */
static enum file_type
look_footer(const struct look *l)
{
	if (l->size >= 512 && LOOK_IS(l, l->size - 512, "koly"))
		return FILE_DMG;
	if (l->size >= 512 && LOOK_IS(l, l->size - 512, "conectix"))
		return FILE_VHD;
	if (l->size >= 26 && LOOK_IS(l, l->size - 18, "TRUEVISION-XFILE."))
		return FILE_TGA;
	return FILE_UNKNOWN;
}

/* A partition table. */
static enum file_type
look_mbr(const struct look *l)
{
	if (!LOOK_IS(l, 510, "\x55\xaa") || l->size < 1024)
		return FILE_UNKNOWN;
	for (uint64_t at = 446; at < 510; at += 16)
		if ((look_byte(l, at) & 0x7f) != 0)
			return FILE_UNKNOWN;
	return FILE_DISK;
}

/* A zip behind other bytes of no kind we know: readers find its directory from the
   end. */
static enum file_type
look_zip_behind(const struct look *l)
{
	uint64_t at, entries;

	return zip_directory(l, &at, &entries) && entries > 0 ? FILE_ZIP : FILE_UNKNOWN;
}

/* What has no signature worth the name, asked last. */
enum file_type
look_weak(const struct look *l)
{
	static look_function *const guesses[] = { look_footer, look_old_tar, look_lzma,
		look_dbf, look_matlab, look_mbr, look_stl, look_zlib, look_zip_behind };
	enum file_type type = FILE_UNKNOWN;

	for (size_t i = 0; type == FILE_UNKNOWN && i < COUNT_OF(guesses); i++)
		type = guesses[i](l);
	return type;
}
