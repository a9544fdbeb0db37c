/*
 * type_magic.c - files known by bytes at a fixed place.  See look.h.
 *
 * The rows of magic_list.h are found by their first byte; the few whose bytes stand
 * further inside are tried one by one after them.
 */
#include "lib/content/look.h"

struct magic_row {
	const char     *bytes;
	uint8_t         len;
	enum file_type  type;
	look_function  *look;
};

static const struct magic_row first_rows[] = {
#define MAGIC(bytes, type, look) { bytes, sizeof(bytes) - 1, FILE_##type, look },
#include "lib/content/magic_list.h"
#undef MAGIC
};

struct deep_row { uint32_t at; struct magic_row row; };

#define DEEP(at, bytes, type, look) \
	{ at, { bytes, sizeof(bytes) - 1, FILE_##type, look } }
static const struct deep_row deep_rows[] = {
	DEEP(1, "\xb5\x2f\xfd", ZSTD, look_zstd),
	DEEP(1, "\x2a\x4d\x18", ZSTD, look_zstd),
	DEEP(2, "-l", LHA, look_lha),
	DEEP(2, "\r\n", PYC, look_pyc),
	DEEP(4, "ftyp", MP4, look_ftyp),
	DEEP(4, "moov", QUICKTIME, look_quicktime),
	DEEP(4, "mdat", QUICKTIME, look_quicktime),
	DEEP(4, "wide", QUICKTIME, look_quicktime),
	DEEP(4, "free", QUICKTIME, look_quicktime),
	DEEP(4, "skip", QUICKTIME, look_quicktime),
	DEEP(4, "pnot", QUICKTIME, look_quicktime),
	DEEP(4, "\x11\xaf", FLI, look_fli),
	DEEP(4, "\x12\xaf", FLI, look_fli),
	DEEP(4, "Standard Jet DB", ACCESS, NULL),
	DEEP(7, "**ACE**", ACE, NULL),
	DEEP(12, "\x00\x05\x31\x62", BERKELEY_DB, NULL),
	DEEP(12, "\x62\x31\x05\x00", BERKELEY_DB, NULL),
	DEEP(12, "\x00\x06\x15\x61", BERKELEY_DB, NULL),
	DEEP(12, "\x61\x15\x06\x00", BERKELEY_DB, NULL),
	DEEP(12, "\x00\x04\x22\x53", BERKELEY_DB, NULL),
	DEEP(12, "\x53\x22\x04\x00", BERKELEY_DB, NULL),
	DEEP(20, "\xdc\xa7\xc4\xfd", ZOO, NULL),
	DEEP(34, "LP", EOT, look_eot),
	DEEP(36, "acsp", ICC, NULL),
	DEEP(40, " EMF", EMF, NULL),
	DEEP(60, "BOOKMOBI", MOBI, NULL),
	DEEP(60, "TEXtREAd", MOBI, NULL),
	DEEP(64, "\x7f\x10\xda\xbe", VDI, NULL),
	DEEP(128, "DICM", DICOM, NULL),
	DEEP(257, "ustar", TAR, look_tar),
	DEEP(369, "MICROSOFT PIFEX", PIF, NULL),
	DEEP(1080, "M.K.", MODULE, NULL),
	DEEP(1080, "M!K!", MODULE, NULL),
	DEEP(32769, "CD001", ISO, NULL),
	DEEP(32769, "BEA01", UDF, NULL),
};

static enum file_type
try_row(const struct look *l, uint64_t at, const struct magic_row *row)
{
	if (!look_is(l, at, row->bytes, row->len))
		return FILE_UNKNOWN;
	return row->look != NULL ? row->look(l) : row->type;
}

/* The first row whose bytes begin with c, or where it would stand. */
static size_t
first_row(uint8_t c)
{
	size_t low = 0, high = COUNT_OF(first_rows);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((uint8_t)first_rows[middle].bytes[0] < c)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

enum file_type
look_magic(const struct look *l)
{
	uint8_t c = look_byte(l, 0);
	enum file_type type = FILE_UNKNOWN;

	for (size_t i = first_row(c); type == FILE_UNKNOWN && i < COUNT_OF(first_rows) &&
	    (uint8_t)first_rows[i].bytes[0] == c; i++)
		type = try_row(l, 0, &first_rows[i]);
	for (size_t i = 0; type == FILE_UNKNOWN && i < COUNT_OF(deep_rows); i++)
		type = try_row(l, deep_rows[i].at, &deep_rows[i].row);
	return type;
}
