/*
 * type_ole.c - which program's document an OLE2 compound file is ([MS-CFB]).
 *
 * The directory - 128 bytes an entry, the root first - tells by the class of the root and
 * by the names of its streams.  Its sectors are a chain in the allocation table; where
 * the table is out of reach the sectors are taken to lie one after the other.
 */
#include "lib/content/look.h"

#define OLE_SECTORS 64          /* of the directory: 512 entries of 512-byte sectors */
#define OLE_ENTRIES 512
#define OLE_ENTRY_BYTES 128
#define OLE_NAME_UNITS 32
#define OLE_HEADER_TABLES 109   /* sectors of the table that the header names */

/* Names of streams and storages, as bits. */
enum stream {
	STREAM_WORD, STREAM_BOOK, STREAM_POWERPOINT, STREAM_MESSAGE, STREAM_SUBSTG,
	STREAM_ENCRYPTED, STREAM_VISIO, STREAM_PUBLISHER, STREAM_PROJECT, STREAM_WORKS,
	STREAM_HWP, STREAM_BODY, STREAM_QUATTRO, STREAM_PERFECT, STREAM_PERFECT_CONTENT,
	STREAM_STAR_WRITER, STREAM_STAR_CALC, STREAM_STAR_DRAW, STREAM_STAR_CHART,
	STREAM_STAR_MATH,
	STREAM_MSI, STREAM_THUMBS, STREAM_SOLIDWORKS, STREAM_ICHITARO, STREAM_WORKS_CHART,
};

static const struct stream_row {
	const char *name;
	enum stream stream;
	bool start;
} stream_rows[] = {
	{ "WordDocument", STREAM_WORD, false }, { "Workbook", STREAM_BOOK, false },
	{ "Book", STREAM_BOOK, false },
	{ "PowerPoint Document", STREAM_POWERPOINT, false },
	{ "PP40", STREAM_POWERPOINT, false },
	{ "PP97_DUALSTORAGE", STREAM_POWERPOINT, false },
	{ "__properties_version1.0", STREAM_MESSAGE, false },
	{ "__substg1.0_", STREAM_SUBSTG, true },
	{ "EncryptedPackage", STREAM_ENCRYPTED, false },
	{ "VisioDocument", STREAM_VISIO, false }, { "Quill", STREAM_PUBLISHER, false },
	{ "Props9", STREAM_PROJECT, false }, { "Props12", STREAM_PROJECT, false },
	{ "Props14", STREAM_PROJECT, false }, { "   114", STREAM_PROJECT, false },
	{ "MatOST", STREAM_WORKS, false }, { "MM", STREAM_WORKS, false },
	{ "WksSSWorkBook", STREAM_WORKS, false },
	{ "SPELLING", STREAM_WORKS_CHART, false },
	{ "HwpSummaryInformation", STREAM_HWP, true },
	{ "\5HwpSummaryInformation", STREAM_HWP, false },
	{ "BodyText", STREAM_BODY, false },
	{ "NativeContent_MAIN", STREAM_QUATTRO, false },
	{ "PerfectOffice_MAIN", STREAM_PERFECT, false },
	{ "PerfectOffice_OBJECTS", STREAM_PERFECT_CONTENT, false },
	{ "StarWriterDocument", STREAM_STAR_WRITER, false },
	{ "StarCalcDocument", STREAM_STAR_CALC, false },
	{ "StarDrawDocument", STREAM_STAR_DRAW, true },
	{ "StarChartDocument", STREAM_STAR_CHART, false },
	{ "StarMathDocument", STREAM_STAR_MATH, false },
	{ "Catalog", STREAM_THUMBS, false },
	{ "SwDocContentMgr", STREAM_SOLIDWORKS, true },
	{ "DocumentText", STREAM_ICHITARO, false },
	{ "JSRV_SegmentInformation", STREAM_ICHITARO, false },
};

/* Class of the root, as it lies in the file. */
static const struct { uint8_t clsid[16]; enum file_type type; } class_rows[] = {
#define CLSID(a, b, c, d) { a, b, c, d, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46 }
	{ CLSID(0x84, 0x10, 0x0c, 0), FILE_MSI },
	{ CLSID(0x86, 0x10, 0x0c, 0), FILE_MSI },
	{ CLSID(0x82, 0x10, 0x0c, 0), FILE_MSI },
	{ CLSID(0x00, 0x09, 0x02, 0), FILE_DOC },
	{ CLSID(0x06, 0x09, 0x02, 0), FILE_DOC },
	{ CLSID(0x07, 0x09, 0x02, 0), FILE_DOC },
	{ CLSID(0x10, 0x08, 0x02, 0), FILE_XLS },
	{ CLSID(0x20, 0x08, 0x02, 0), FILE_XLS },
	{ CLSID(0x21, 0x08, 0x02, 0), FILE_XLS },
	{ CLSID(0x01, 0x12, 0x02, 0), FILE_PUBLISHER },
	{ CLSID(0x0b, 0x0d, 0x02, 0), FILE_MSG },
	{ CLSID(0x46, 0xf0, 0x06, 0), FILE_MSG },
	{ CLSID(0x14, 0x1a, 0x02, 0), FILE_VISIO },
	{ CLSID(0x13, 0x1a, 0x02, 0), FILE_VISIO },
	{ CLSID(0x02, 0x13, 0x02, 0), FILE_WORKS },
	{ { 0x10, 0x8d, 0x81, 0x64, 0x9b, 0x4f, 0xcf, 0x11, 0x86, 0xea, 0, 0xaa, 0, 0xb9,
	    0x29, 0xe8 }, FILE_PPT },
	{ { 0x5c, 0x6f, 0x62, 0xeb, 0xa9, 0x12, 0x24, 0x4f, 0xa0, 0xfc, 0x01, 0xb5, 0xc2,
	    0x53, 0x4c, 0x35 }, FILE_QUATTRO },
};

struct ole {
	const struct look *look;
	unsigned shift;                 /* a sector is 1 << shift bytes */
	uint64_t streams;               /* bits                         */
	unsigned entries;
	enum file_type by_class;
};

static uint64_t
sector_at(const struct ole *o, uint64_t sector)
{
	return (sector + 1) << o->shift;
}

/* The sector after this one in its chain; beyond all sectors at the end. */
static uint64_t
sector_next(const struct ole *o, uint64_t sector)
{
	uint64_t a_table = (UINT64_C(1) << o->shift) / 4, table = sector / a_table;
	uint64_t at;

	if (table >= OLE_HEADER_TABLES)
		return sector + 1;
	at = sector_at(o, look_le(o->look, 76 + table * 4, 4)) + sector % a_table * 4;
	return look_bytes(o->look, at, 4).len == 4 ? look_le(o->look, at, 4) : sector + 1;
}

/* The name as bytes, of units that fit into one; others become 0xff. */
static struct span
entry_name(struct span entry, uint8_t out[OLE_NAME_UNITS])
{
	size_t bytes = (size_t)(entry.ptr[64] | entry.ptr[65] << 8);
	size_t units = bytes / 2 > OLE_NAME_UNITS ? OLE_NAME_UNITS : bytes / 2;

	if (units > 0)
		units--;                /* its NUL */
	for (size_t i = 0; i < units; i++)
		out[i] = entry.ptr[2 * i + 1] == 0 ? entry.ptr[2 * i] : 0xff;
	return (struct span){ out, units };
}

/* MSI keeps its tables in streams whose names are packed into 0x3800 to 0x4840. */
static bool
is_msi_name(struct span entry)
{
	return entry.ptr[1] >= 0x38 && entry.ptr[1] <= 0x48 && entry.ptr[64] > 2;
}

static void
read_entry(struct ole *o, struct span entry)
{
	uint8_t text[OLE_NAME_UNITS];
	struct span name = entry_name(entry, text);

	if (entry.ptr[66] == 5 || o->entries == 0)
		for (size_t i = 0; i < COUNT_OF(class_rows); i++)
			if (memcmp(entry.ptr + 80, class_rows[i].clsid, 16) == 0)
				o->by_class = class_rows[i].type;
	o->entries++;
	if (entry.ptr[66] != 1 && entry.ptr[66] != 2)
		return;
	if (is_msi_name(entry))
		o->streams |= UINT64_C(1) << STREAM_MSI;
	for (size_t i = 0; i < COUNT_OF(stream_rows); i++) {
		struct span want = span_text(stream_rows[i].name);

		if (stream_rows[i].start ? span_starts_nocase(name, want) :
		    span_equal_nocase(name, want))
			o->streams |= UINT64_C(1) << stream_rows[i].stream;
	}
}

static void
read_sector(struct ole *o, uint64_t at)
{
	size_t size = (size_t)1 << o->shift;

	for (size_t i = 0; i + OLE_ENTRY_BYTES <= size && o->entries < OLE_ENTRIES;
	    i += OLE_ENTRY_BYTES) {
		struct span entry = look_bytes(o->look, at + i, OLE_ENTRY_BYTES);

		if (entry.len == 0)
			return;
		read_entry(o, entry);
	}
}

static bool
has(const struct ole *o, enum stream s)
{
	return o->streams >> s & 1;
}

/* By streams: the first row whose stream is there.  A document may hold others' streams
   in storages below the root, so mail and packages come before documents, and the class
   of the root before all where we know it. */
static enum file_type
type_of_streams(const struct ole *o)
{
	static const struct { enum stream stream; enum file_type type; } order[] = {
		{ STREAM_ENCRYPTED, FILE_OFFICE_ENCRYPTED }, { STREAM_MESSAGE, FILE_MSG },
		{ STREAM_SUBSTG, FILE_MSG }, { STREAM_HWP, FILE_HWP },
		{ STREAM_VISIO, FILE_VISIO }, { STREAM_PUBLISHER, FILE_PUBLISHER },
		{ STREAM_POWERPOINT, FILE_PPT }, { STREAM_WORD, FILE_DOC },
		{ STREAM_STAR_WRITER, FILE_STAR_WRITER },
		{ STREAM_STAR_CALC, FILE_STAR_CALC },
		{ STREAM_STAR_DRAW, FILE_STAR_IMPRESS },
		{ STREAM_STAR_CHART, FILE_STAR_CHART },
		{ STREAM_STAR_MATH, FILE_STAR_MATH }, { STREAM_PROJECT, FILE_PROJECT },
		{ STREAM_BOOK, FILE_XLS }, { STREAM_WORKS, FILE_WORKS },
		{ STREAM_MSI, FILE_MSI }, { STREAM_SOLIDWORKS, FILE_SOLIDWORKS },
		{ STREAM_ICHITARO, FILE_ICHITARO }, { STREAM_THUMBS, FILE_THUMBS },
	};

	if (has(o, STREAM_QUATTRO) && has(o, STREAM_PERFECT))
		return FILE_QUATTRO;
	if (has(o, STREAM_PERFECT))
		return FILE_WORDPERFECT;
	for (size_t i = 0; i < COUNT_OF(order); i++)
		if (has(o, order[i].stream))
			return order[i].type;
	return FILE_OLE;
}

enum file_type
look_ole(const struct look *l)
{
	struct ole o = { .look = l, .shift = (unsigned)look_le(l, 30, 2) };
	uint64_t sector = look_le(l, 48, 4);

	if (o.shift < 7 || o.shift > 16)
		return FILE_OLE;
	for (int i = 0; i < OLE_SECTORS && sector_at(&o, sector) < l->size; i++) {
		read_sector(&o, sector_at(&o, sector));
		sector = sector_next(&o, sector);
	}
	if (has(&o, STREAM_ENCRYPTED))
		return FILE_OFFICE_ENCRYPTED;
	return o.by_class != FILE_UNKNOWN ? o.by_class : type_of_streams(&o);
}
