/*
 * type_media.c - closer looks at images, sound and film.  See look.h.
 */
#include "lib/content/look.h"

/* Images. */

/* Entry of an icon or cursor directory: small numbers, and an image inside the file. */
enum file_type
look_ico(const struct look *l)
{
	uint64_t count = look_le(l, 4, 2), bytes = look_le(l, 14, 4),
	    at = look_le(l, 18, 4);

	if (count == 0 || count > 256 || at < 6 + 16 || bytes < 16 || at >= l->size)
		return FILE_UNKNOWN;
	return look_byte(l, 2) == 1 ? FILE_ICO : FILE_CUR;
}

enum file_type
look_bmp(const struct look *l)
{
	uint64_t header = look_le(l, 14, 4), data = look_le(l, 10, 4);

	return (header == 12 || (header >= 16 && header <= 124)) && data >= 14 + header &&
	    look_le(l, 6, 4) == 0 ? FILE_BMP : FILE_UNKNOWN;
}

enum file_type
look_jpeg(const struct look *l)
{
	return look_byte(l, 3) == 0xf7 ? FILE_JPEG_LS : FILE_JPEG;
}

/* A bare JPEG XL codestream has two bytes of magic only, and is not text. */
enum file_type
look_jxl_naked(const struct look *l)
{
	return l->size > 12 ? FILE_JXL : FILE_UNKNOWN;
}

enum file_type
look_sgi(const struct look *l)
{
	return look_byte(l, 2) <= 1 && byte_in(look_byte(l, 3), "\1\2") &&
	    look_be(l, 4, 2) <= 3 ? FILE_SGI : FILE_UNKNOWN;
}

enum file_type
look_pcx(const struct look *l)
{
	return look_byte(l, 1) <= 5 && look_byte(l, 2) == 1 &&
	    byte_in(look_byte(l, 3), "\1\2\4\x08") && look_bytes(l, 0, 128).len > 0 &&
	    look_byte(l, 64) == 0 ? FILE_PCX : FILE_UNKNOWN;
}

enum file_type
look_dwg(const struct look *l)
{
	return is_digit(look_byte(l, 3)) && is_digit(look_byte(l, 4)) &&
	    is_digit(look_byte(l, 5)) ? FILE_DWG : FILE_UNKNOWN;
}

/* P1 to P7: white space, then digits or a remark. */
enum file_type
look_netpbm(const struct look *l)
{
	static const enum file_type kinds[] = { FILE_PBM, FILE_PGM, FILE_PPM };
	uint8_t kind = look_byte(l, 1), after = look_byte(l, 3);

	if (LOOK_IS(l, 0, "P7\nWIDTH") || LOOK_IS(l, 0, "P7\n#"))
		return FILE_PAM;
	if (kind < '1' || kind > '6' || !byte_in(look_byte(l, 2), " \t\r\n"))
		return FILE_UNKNOWN;
	return is_digit(after) || byte_in(after, "# \t\r\n") ?
	    kinds[(kind - '1') % 3] : FILE_UNKNOWN;
}

struct tiff { const struct look *look; bool big; };

static uint64_t
tiff_number(const struct tiff *t, uint64_t at, unsigned bytes)
{
	return t->big ? look_be(t->look, at, bytes) : look_le(t->look, at, bytes);
}

#define TIFF_TAGS 64
#define TIFF_MAKE 0x010f
#define TIFF_DNG  0xc612

/* Raw formats of cameras are TIFFs: by the maker's name, where it is not a plain picture
   (a raw file keeps a small preview first, or has data of a maker's compression). */
static enum file_type
tiff_maker(const struct tiff *t, uint64_t at)
{
	if (LOOK_IS(t->look, at, "NIKON"))
		return FILE_NEF;
	return LOOK_IS(t->look, at, "SONY") ? FILE_ARW : FILE_TIFF;
}

enum file_type
look_tiff(const struct look *l)
{
	struct tiff t = { .look = l, .big = look_byte(l, 0) == 'M' };
	uint64_t list = tiff_number(&t, 4, 4), count = tiff_number(&t, list, 2);
	enum file_type type = FILE_TIFF;
	bool preview = false;

	if (LOOK_IS(l, 8, "CR\2"))
		return FILE_CR2;
	for (uint64_t i = 0; i < count && i < TIFF_TAGS; i++) {
		uint64_t at = list + 2 + 12 * i, tag = tiff_number(&t, at, 2);

		if (tag == TIFF_DNG)
			return FILE_DNG;
		if (tag == 0x00fe || tag == 0x014a)     /* NewSubfileType, SubIFDs */
			preview |= tiff_number(&t, at + 8, 4) != 0;
		if (tag == TIFF_MAKE)
			type = tiff_maker(&t, tiff_number(&t, at + 8, 4));
	}
	return preview ? type : FILE_TIFF;
}

/* Containers. */

struct brand { char four[5]; enum file_type type; };

static enum file_type
find_brand(const struct brand *brands, size_t n, const struct look *l, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (look_is(l, at, brands[i].four, 4))
			return brands[i].type;
	return FILE_UNKNOWN;
}

/* ISO base media: the major brand, then the compatible ones. */
enum file_type
look_ftyp(const struct look *l)
{
	static const struct brand brands[] = {
		{ "avif", FILE_AVIF }, { "avis", FILE_AVIF }, { "heic", FILE_HEIC },
		{ "heix", FILE_HEIC }, { "hevc", FILE_HEIC }, { "hevx", FILE_HEIC },
		{ "heim", FILE_HEIC }, { "heis", FILE_HEIC }, { "mif1", FILE_HEIF },
		{ "msf1", FILE_HEIF }, { "qt  ", FILE_QUICKTIME }, { "M4A ", FILE_M4A },
		{ "M4B ", FILE_M4A }, { "M4P ", FILE_M4A }, { "M4V ", FILE_M4V },
		{ "M4VH", FILE_M4V }, { "M4VP", FILE_M4V }, { "F4A ", FILE_M4A },
		{ "crx ", FILE_CR3 }, { "jp2 ", FILE_JP2 }, { "jpx ", FILE_JPX },
		{ "jpm ", FILE_JPX }, { "jxl ", FILE_JXL }, { "3g2a", FILE_VIDEO_3GPP2 },
		{ "3g2b", FILE_VIDEO_3GPP2 }, { "3g2c", FILE_VIDEO_3GPP2 },
	};
	static const struct brand special[] = {
		{ "avif", FILE_AVIF }, { "avis", FILE_AVIF }, { "heic", FILE_HEIC },
		{ "heix", FILE_HEIC }, { "hevc", FILE_HEIC },
	};
	bool jp2 = LOOK_IS(l, 4, "jP  ");
	uint64_t box = jp2 ? 12 : 0, end = box + look_be(l, box, 4);
	enum file_type type = find_brand(brands, COUNT_OF(brands), l, box + 8);

	if (!jp2 && LOOK_IS(l, 8, "3g"))
		return type != FILE_UNKNOWN ? type : FILE_VIDEO_3GPP;
	if (type == FILE_HEIF)
		for (uint64_t at = box + 16; at < end && at < 256; at += 4) {
			enum file_type also = find_brand(special, COUNT_OF(special), l,
			    at);

			if (also != FILE_UNKNOWN)
				return also;
		}
	return type != FILE_UNKNOWN ? type : jp2 ? FILE_JP2 : FILE_MP4;
}

/* QuickTime before there were brands: an atom of plausible size, then another known
   one. */
enum file_type
look_quicktime(const struct look *l)
{
	static const char atoms[][5] = { "moov", "mdat", "wide", "free", "skip", "pnot",
	    "ftyp",
		"uuid", "mvhd", "cmov", "rmra" };
	uint64_t size = look_be(l, 0, 4), next = LOOK_IS(l, 4, "moov") ? 8 : size;

	if (size != 1 && (size < 8 || size > l->size))
		return FILE_UNKNOWN;
	if (LOOK_IS(l, 4, "mdat"))
		return FILE_QUICKTIME;
	for (size_t i = 0; i < COUNT_OF(atoms); i++)
		if (look_is(l, next + 4, atoms[i], 4))
			return FILE_QUICKTIME;
	return FILE_UNKNOWN;
}

enum file_type
look_riff(const struct look *l)
{
	static const struct brand forms[] = {
		{ "WAVE", FILE_WAV }, { "AVI ", FILE_AVI }, { "WEBP", FILE_WEBP },
		{ "ACON", FILE_ANI }, { "RMID", FILE_RMID }, { "sfbk", FILE_SOUNDFONT },
		{ "AMV ", FILE_AVI },
	};

	if (LOOK_IS(l, 8, "CDR") || LOOK_IS(l, 8, "cdr"))
		return FILE_COREL;
	return find_brand(forms, COUNT_OF(forms), l, 8);
}

enum file_type
look_form(const struct look *l)
{
	static const struct brand forms[] = {
		{ "AIFF", FILE_AIFF }, { "AIFC", FILE_AIFF }, { "DJVU", FILE_DJVU },
	};

	return find_brand(forms, COUNT_OF(forms), l, 8);
}

/* The stream's own header begins behind the page's. */
enum file_type
look_ogg(const struct look *l)
{
	static const struct { const char *text; enum file_type type; } codecs[] = {
		{ "\x01vorbis", FILE_OGG_AUDIO }, { "OpusHead", FILE_OPUS },
		{ "Speex   ", FILE_SPEEX }, { "\x7f" "FLAC", FILE_OGG_AUDIO },
		{ "fLaC", FILE_OGG_AUDIO }, { "PCM     ", FILE_OGG_AUDIO },
		{ "\x80theora", FILE_OGG_VIDEO }, { "BBCD", FILE_OGG_VIDEO },
		{ "fishead", FILE_OGG_VIDEO },
	};
	uint64_t at = 27 + (uint64_t)look_byte(l, 26);

	for (size_t i = 0; i < COUNT_OF(codecs); i++)
		if (look_is(l, at, codecs[i].text, strlen(codecs[i].text)))
			return codecs[i].type;
	return FILE_OGG;
}

/* The document type stands in the first elements. */
enum file_type
look_matroska(const struct look *l)
{
	struct span start = look_bytes(l, 0, l->head.len < 64 ? l->head.len : 64);

	return HOLDS(start, "webm") ? FILE_WEBM : FILE_MATROSKA;
}

/* Two or three packets in a row begin with the same mark. */
enum file_type
look_mpegts(const struct look *l)
{
	return l->size >= 376 && look_byte(l, 188) == 'G' &&
	    (look_byte(l, 376) == 'G' || l->size < 377) ? FILE_MPEG_TS : FILE_UNKNOWN;
}

enum file_type
look_fli(const struct look *l)
{
	return look_le(l, 0, 4) >= 128 && look_le(l, 12, 2) == 8 &&
	    look_le(l, 8, 2) > 0 && look_le(l, 8, 2) < 4096 ? FILE_FLI : FILE_UNKNOWN;
}

/* Sound. */

/* The length of an MPEG audio frame with this header; 0 if it is none.  Tables of ISO
   11172-3 and 13818-3. */
static uint64_t
mpeg_frame(uint64_t header)
{
	static const uint16_t rates[5][15] = {
		{ 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448 },
		{ 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
		{ 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
		{ 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256 },
		{ 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
	};
	static const uint32_t frequencies[3] = { 44100, 48000, 32000 };
	unsigned version = header >> 19 & 3, layer = header >> 17 & 3;
	unsigned rate = header >> 12 & 15, frequency = header >> 10 & 3;
	uint64_t bits, hertz, padding = header >> 9 & 1;

	if (header >> 21 != 0x7ff || version == 1 || layer == 0 || rate == 0 ||
	    rate == 15 || frequency == 3)
		return 0;
	bits = 1000u * rates[version == 3 ? 3 - layer : layer == 3 ? 3 : 4][rate];
	hertz = frequencies[frequency] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
	if (layer == 3)
		return (12 * bits / hertz + padding) * 4;
	return (version != 3 && layer == 1 ? 72 : 144) * bits / hertz + padding;
}

/* An ADTS frame's length; 0 if it is none. */
static uint64_t
adts_frame(const struct look *l, uint64_t at)
{
	uint64_t header = look_be(l, at, 2), len = look_be(l, at + 3, 3) >> 5 & 0x1fff;

	return (header & 0xfff6) == 0xfff0 && (look_byte(l, at + 2) >> 2 & 15) < 13 &&
	    len >= 7 ? len : 0;
}

/* Two frames in a row, or one that ends with the file: one header may be chance. */
static enum file_type
sound_at(const struct look *l, uint64_t at)
{
	uint64_t len = mpeg_frame(look_be(l, at, 4));

	if (len > 0 && (at + len == l->size || mpeg_frame(look_be(l, at + len, 4)) > 0 ||
	    look_bytes(l, at + len, 4).len == 0))
		return FILE_MP3;
	len = adts_frame(l, at);
	if (len > 0 && (at + len == l->size || adts_frame(l, at + len) > 0))
		return FILE_AAC;
	return FILE_UNKNOWN;
}

/* The mark of UTF-16 is a frame's beginning, too. */
enum file_type
look_sound_frame(const struct look *l)
{
	if (LOOK_IS(l, 0, "\xff\xfe") && look_text(l) != FILE_UNKNOWN)
		return FILE_UNKNOWN;
	return sound_at(l, 0);
}

/* What comes behind the tag; its size is four times 7 bits. */
enum file_type
look_id3(const struct look *l)
{
	uint64_t n = look_be(l, 6, 4);
	uint64_t at = 10 + ((n >> 3 & 0xfe00000) | (n >> 2 & 0x1fc000) |
	    (n >> 1 & 0x3f80) | (n & 0x7f));
	enum file_type type;

	if (look_byte(l, 3) > 8 || look_bytes(l, 0, 10).len == 0)
		return FILE_UNKNOWN;
	if (LOOK_IS(l, at, "fLaC"))
		return FILE_FLAC;
	type = sound_at(l, at);
	return type != FILE_UNKNOWN ? type : FILE_MP3;
}

/* AC-3 and E-AC-3 share the mark; the stream's identification tells. */
enum file_type
look_ac3(const struct look *l)
{
	unsigned kind = look_byte(l, 5) >> 3;

	if (kind <= 10)
		return (look_byte(l, 4) & 0x3f) < 38 ? FILE_AC3 : FILE_UNKNOWN;
	return kind <= 16 ? FILE_EAC3 : FILE_UNKNOWN;
}
