/*
 * type_zip.c - which of the formats made of a zip it is, by the names of its members.
 *
 * Names are read from the local headers at the front and from the central directory at
 * the end, as far as both are at hand; what either tells counts, since an evil file lies
 * in one of them.  Three members are read: `mimetype`, stored (ODF, EPUB);
 * META-INF/manifest.xml, where that is missing; [Content_Types].xml (OOXML), whose first
 * KiB name the main part. Comparing the two lists is archive.c's work.
 */
#include "lib/content/look.h"
#include <zlib.h>

#define ZIP_MEMBERS      64             /* looked at in either list */
#define ZIP_MIMETYPE     100            /* bytes                    */
#define ZIP_READ_BYTES   ((size_t)16 << 10)     /* of a member that is read */
#define ZIP_SEARCH_BYTES ((size_t)64 << 10)     /* for the next header              */
#define ZIP_COMMENT_BYTES 65535
#define ZIP_END_BYTES    22

enum member {
	MEMBER_TYPES, MEMBER_WORD, MEMBER_EXCEL, MEMBER_EXCEL_BINARY, MEMBER_POWERPOINT,
	MEMBER_VISIO, MEMBER_MACROS, MEMBER_XPS, MEMBER_3MF, MEMBER_NUSPEC, MEMBER_VSIX,
	MEMBER_APPX, MEMBER_RELS, MEMBER_MANIFEST, MEMBER_CLASS, MEMBER_ANDROID,
	MEMBER_DEX,
	MEMBER_IPA, MEMBER_XPI, MEMBER_EPUB, MEMBER_ODF, MEMBER_KML, MEMBER_WACZ,
	MEMBER_WACZ_WARC,
	MEMBER_IWORK, MEMBER_WHEEL, MEMBER_WAR, MEMBER_OXT,
};

static const struct member_row {
	const char *name;
	enum { WHOLE, START, END } match;
	enum member member;
} member_rows[] = {
	{ "[Content_Types].xml", WHOLE, MEMBER_TYPES },
	{ "word/", START, MEMBER_WORD }, { "xl/", START, MEMBER_EXCEL },
	{ "xl/workbook.bin", WHOLE, MEMBER_EXCEL_BINARY },
	{ "ppt/", START, MEMBER_POWERPOINT }, { "visio/", START, MEMBER_VISIO },
	{ "vbaProject.bin", END, MEMBER_MACROS },
	{ "FixedDocumentSequence.fdseq", END, MEMBER_XPS }, { ".fdseq", END, MEMBER_XPS },
	{ "3D/", START, MEMBER_3MF }, { ".nuspec", END, MEMBER_NUSPEC },
	{ "extension.vsixmanifest", WHOLE, MEMBER_VSIX },
	{ "AppxManifest.xml", WHOLE, MEMBER_APPX },
	{ "AppxMetadata/AppxBundleManifest.xml", WHOLE, MEMBER_APPX },
	{ "_rels/.rels", WHOLE, MEMBER_RELS },
	{ "META-INF/MANIFEST.MF", WHOLE, MEMBER_MANIFEST },
	{ ".class", END, MEMBER_CLASS },
	{ "AndroidManifest.xml", WHOLE, MEMBER_ANDROID },
	{ "classes.dex", WHOLE, MEMBER_DEX },
	{ ".app/Info.plist", END, MEMBER_IPA }, { "install.rdf", WHOLE, MEMBER_XPI },
	{ "META-INF/mozilla.rsa", WHOLE, MEMBER_XPI },
	{ "META-INF/container.xml", WHOLE, MEMBER_EPUB },
	{ "META-INF/manifest.xml", WHOLE, MEMBER_ODF }, { "doc.kml", WHOLE, MEMBER_KML },
	{ "datapackage.json", WHOLE, MEMBER_WACZ },
	{ "archive/", START, MEMBER_WACZ_WARC },
	{ "Index/Document.iwa", WHOLE, MEMBER_IWORK },
	{ "index.apxl", WHOLE, MEMBER_IWORK },
	{ "Index.zip", END, MEMBER_IWORK }, { ".dist-info/WHEEL", END, MEMBER_WHEEL },
	{ "WEB-INF/", START, MEMBER_WAR },
	{ "META-INF/application.xml", WHOLE, MEMBER_WAR },
	{ "description.xml", WHOLE, MEMBER_OXT },
};

/* Bytes of a member as they lie there. */
struct packed { struct span bytes; bool deflated; };

struct zip {
	const struct look *look;
	uint64_t members;               /* bits                                     */
	enum file_type by_mimetype;     /* what the member `mimetype` says           */
	bool     mimetype;              /* there is one                              */
	bool     java;                  /* the mark that jar leaves                  */
	struct packed types;            /* [Content_Types].xml                       */
	struct packed manifest;         /* META-INF/manifest.xml                     */
};

static bool
has(const struct zip *z, enum member m)
{
	return z->members >> m & 1;
}

static bool
row_fits(const struct member_row *row, struct span name)
{
	struct span want = span_text(row->name);

	if (name.len < want.len || (row->match == WHOLE && name.len != want.len))
		return false;
	if (row->match == END)
		name = span_slice(name, name.len - want.len, name.len);
	return span_starts_nocase(name, want);
}

static void
note_name(struct zip *z, struct span name)
{
	for (size_t i = 0; i < COUNT_OF(member_rows); i++)
		if (row_fits(&member_rows[i], name))
			z->members |= UINT64_C(1) << member_rows[i].member;
}

/* The row of a media type given exactly; a zip that names what we do not know is a
   zip. */
static enum file_type
type_of_mimetype(struct span text)
{
	enum file_type type = file_type_of_media_type(span_trim(text));

	return file_type_is(type, FILE_ZIP) ? type : FILE_UNKNOWN;
}

/* ODF and its kin: the first member, stored, says the media type. */
static void
note_mimetype(struct zip *z, uint64_t data, uint64_t method, uint64_t size)
{
	struct span text = look_bytes(z->look, data,
	    size < ZIP_MIMETYPE ? (size_t)size : ZIP_MIMETYPE);

	z->mimetype = true;
	while (text.len > 0 && text.ptr[text.len - 1] <= ' ')
		text.len--;
	if (method == 0)
		z->by_mimetype = type_of_mimetype(text);
}

/* All that is left of the head, at most what could be wanted of it. */
static struct span
bytes_from(const struct look *l, uint64_t at)
{
	size_t end;

	if (at >= l->head.len)
		return look_bytes(l, at, at < l->size && l->size - at < ZIP_READ_BYTES ?
		    (size_t)(l->size - at) : ZIP_READ_BYTES);
	end = l->head.len - (size_t)at < ZIP_READ_BYTES ?
	    l->head.len : (size_t)at + ZIP_READ_BYTES;
	return span_slice(l->head, (size_t)at, end);
}

static bool
is_types(struct span name)
{
	return span_equal_nocase(name, SPAN_LIT("[Content_Types].xml"));
}

static bool
is_manifest(struct span name)
{
	return span_equal(name, SPAN_LIT("META-INF/manifest.xml"));
}

/* The member behind a local header. */
static void
note_local(struct zip *z, uint64_t at, struct span name, uint64_t data)
{
	uint64_t method = look_le(z->look, at + 8, 2);

	note_name(z, name);
	if (span_equal(name, SPAN_LIT("mimetype")))
		note_mimetype(z, data, method, look_le(z->look, at + 22, 4));
	if (method != 0 && method != 8)
		return;
	if (z->types.bytes.len == 0 && is_types(name))
		z->types = (struct packed){ bytes_from(z->look, data), method == 8 };
	if (z->manifest.bytes.len == 0 && is_manifest(name))
		z->manifest = (struct packed){ bytes_from(z->look, data), method == 8 };
}

/* Where the header after this one stands.  Where the sizes come behind the data, the next
   header's mark is searched; a mark inside the data only costs us a member. */
static uint64_t
next_local(const struct look *l, uint64_t at, uint64_t data)
{
	uint64_t size = look_le(l, at + 18, 4);
	const uint8_t *next;
	struct span rest;

	if ((look_le(l, at + 6, 2) & 8) == 0 || size != 0)
		return data + size;
	if (data >= l->head.len)
		return UINT64_MAX;
	rest = span_slice(l->head, (size_t)data, l->head.len);
	if (rest.len > ZIP_SEARCH_BYTES)
		rest.len = ZIP_SEARCH_BYTES;
	next = find_bytes(rest, SPAN_LIT("PK\3\4"));
	return next == NULL ? UINT64_MAX : (uint64_t)(next - l->head.ptr);
}

static void
read_locals(struct zip *z, uint64_t at)
{
	z->java = look_le(z->look, at + 30 + look_le(z->look, at + 26, 2), 2) == 0xcafe &&
	    look_le(z->look, at + 28, 2) >= 4;
	for (int i = 0; i < ZIP_MEMBERS && LOOK_IS(z->look, at, "PK\3\4"); i++) {
		size_t len = (size_t)look_le(z->look, at + 26, 2);
		uint64_t data = at + 30 + len + look_le(z->look, at + 28, 2);

		note_local(z, at, look_bytes(z->look, at + 30, len), data);
		at = next_local(z->look, at, data);
	}
}

/* A member to be read that stands beyond the local headers walked. */
static void
note_entry(struct zip *z, uint64_t at, struct span name)
{
	uint64_t local = look_le(z->look, at + 42, 4);

	note_name(z, name);
	if (LOOK_IS(z->look, local, "PK\3\4") &&
	    ((is_types(name) && z->types.bytes.len == 0) ||
	    (is_manifest(name) && z->manifest.bytes.len == 0)))
		note_local(z, local, name, local + 30 + look_le(z->look, local + 26, 2) +
		    look_le(z->look, local + 28, 2));
}

static void
read_directory(struct zip *z)
{
	uint64_t at, entries;

	if (!zip_directory(z->look, &at, &entries))
		return;
	for (int i = 0; i < ZIP_MEMBERS && LOOK_IS(z->look, at, "PK\1\2"); i++) {
		size_t len = (size_t)look_le(z->look, at + 28, 2);

		note_entry(z, at, look_bytes(z->look, at + 46, len));
		at += 46 + len + look_le(z->look, at + 30, 2) + look_le(z->look, at + 32,
		    2);
	}
}

/* The offset in the record counts from the start of the zip, which may be behind other
   bytes; the directory ends where the record begins. */
static bool
end_record(const struct look *l, uint64_t record, uint64_t *at, uint64_t *entries)
{
	uint64_t size = look_le(l, record + 12, 4), offset = look_le(l, record + 16, 4);

	*entries = look_le(l, record + 10, 2);
	if (LOOK_IS(l, offset, "PK\1\2"))
		*at = offset;
	else
		*at = size <= record ? record - size : record;
	return *entries == 0 || LOOK_IS(l, *at, "PK\1\2");
}

bool
zip_directory(const struct look *l, uint64_t *at, uint64_t *entries)
{
	struct span end = l->tail.len > 0 ? l->tail :
	    l->head.len == l->size ? l->head : SPAN_NONE;
	size_t reach = ZIP_COMMENT_BYTES + ZIP_END_BYTES;
	const uint8_t *p;

	if (end.len > reach)
		end = span_slice(end, end.len - reach, end.len);
	for (; end.len >= ZIP_END_BYTES;
	    end.len = (size_t)(p - end.ptr) + ZIP_END_BYTES - 1) {
		p = memrchr(end.ptr, 'P', end.len - ZIP_END_BYTES + 1);
		if (p == NULL)
			return false;
		if (memcmp(p, "PK\5\6", 4) == 0 && end_record(l,
		    l->size - (uint64_t)((l->tail.len > 0 ? l->tail.ptr + l->tail.len :
		    l->head.ptr + l->head.len) - p), at, entries))
			return true;
	}
	return false;
}

/* The content type of the main part says more than the names: document or template, slide
   show, add-in. */
static const struct { const char *text; enum file_type type; } content_types[] = {
	{ "wordprocessingml.document.main+xml", FILE_DOCX },
	{ "ms-word.document.macroEnabled.main+xml", FILE_DOCM },
	{ "wordprocessingml.template.main+xml", FILE_DOTX },
	{ "ms-word.template.macroEnabledTemplate.main+xml", FILE_DOTM },
	{ "spreadsheetml.sheet.main+xml", FILE_XLSX },
	{ "ms-excel.sheet.macroEnabled.main+xml", FILE_XLSM },
	{ "spreadsheetml.template.main+xml", FILE_XLTX },
	{ "ms-excel.template.macroEnabled.main+xml", FILE_XLTM },
	{ "ms-excel.addin.macroEnabled.main+xml", FILE_XLAM },
	{ "ms-excel.sheet.binary.macroEnabled.main", FILE_XLSB },
	{ "presentationml.presentation.main+xml", FILE_PPTX },
	{ "ms-powerpoint.presentation.macroEnabled.main+xml", FILE_PPTM },
	{ "presentationml.template.main+xml", FILE_POTX },
	{ "ms-powerpoint.template.macroEnabled.main+xml", FILE_POTM },
	{ "presentationml.slideshow.main+xml", FILE_PPSX },
	{ "ms-powerpoint.slideshow.macroEnabled.main+xml", FILE_PPSM },
	{ "ms-powerpoint.addin.macroEnabled.main+xml", FILE_PPAM },
	{ "ms-visio.drawing.main+xml", FILE_VSDX },
	{ "ms-visio.drawing.macroEnabled.main+xml", FILE_VSDM },
	{ "ms-package.xps-fixeddocumentsequence+xml", FILE_XPS },
	{ "ms-package.3dmanufacturing-3dmodel+xml", FILE_MODEL_3MF },
};

static enum file_type
type_in_text(struct span text)
{
	enum file_type type = FILE_UNKNOWN;

	/* an embedded document's type may stand there too, but hardly before the main
	   part's: the first in the text wins, and one with macros over one without */
	for (size_t i = 0, best = text.len; i < COUNT_OF(content_types); i++) {
		const uint8_t *p = find_bytes(text, span_text(content_types[i].text));

		if (p != NULL && (size_t)(p - text.ptr) < best) {
			best = (size_t)(p - text.ptr);
			type = content_types[i].type;
		}
	}
	return type;
}

/* As much of it as fits into `out`; a broken stream gives what came before the break. */
static size_t
inflate_start(struct span in, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)in.ptr, .avail_in = (uInt)in.len,
	    .next_out = out, .avail_out = (uInt)room };

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return 0;
	(void)inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	return room - z.avail_out;
}

/* The start of a member, unpacked into `out` if need be. */
static struct span
read_packed(struct packed p, uint8_t out[ZIP_READ_BYTES])
{
	if (!p.deflated || p.bytes.len == 0)
		return p.bytes;
	return (struct span){ out, inflate_start(p.bytes, out, ZIP_READ_BYTES) };
}

static enum file_type
by_content_types(const struct zip *z)
{
	uint8_t out[ZIP_READ_BYTES];

	return type_in_text(read_packed(z->types, out));
}

/* The first entry is the package itself. */
static enum file_type
by_manifest(const struct zip *z)
{
	const struct span mark = SPAN_LIT("media-type=\"");
	uint8_t out[ZIP_READ_BYTES];
	struct span text = read_packed(z->manifest, out);
	const uint8_t *p = find_bytes(text, mark);

	if (p == NULL)
		return FILE_ODF;
	text = span_slice(text, (size_t)(p - text.ptr) + mark.len, text.len);
	text.len = span_find(text, '"');
	return type_of_mimetype(text) != FILE_UNKNOWN ? type_of_mimetype(text) : FILE_ODF;
}

/* OOXML whose content types cannot be read: the folder and whether there is a macro. */
static enum file_type
by_folder(const struct zip *z)
{
	bool macros = has(z, MEMBER_MACROS);

	if (has(z, MEMBER_EXCEL_BINARY))
		return FILE_XLSB;
	if (has(z, MEMBER_WORD))
		return macros ? FILE_DOCM : FILE_DOCX;
	if (has(z, MEMBER_EXCEL))
		return macros ? FILE_XLSM : FILE_XLSX;
	if (has(z, MEMBER_POWERPOINT))
		return macros ? FILE_PPTM : FILE_PPTX;
	if (has(z, MEMBER_VISIO))
		return macros ? FILE_VSDM : FILE_VSDX;
	return FILE_OOXML;
}

/* A macro beside a main part that claims to have none is loaded all the same by some
   readers: named by the part that can do harm. */
static enum file_type
with_macros(enum file_type type)
{
	if (type == FILE_DOCX || type == FILE_DOTX)
		return type == FILE_DOCX ? FILE_DOCM : FILE_DOTM;
	if (type == FILE_XLSX || type == FILE_XLTX)
		return type == FILE_XLSX ? FILE_XLSM : FILE_XLTM;
	if (type == FILE_PPTX || type == FILE_POTX)
		return type == FILE_PPTX ? FILE_PPTM : FILE_POTM;
	if (type == FILE_PPSX)
		return FILE_PPSM;
	return type == FILE_VSDX ? FILE_VSDM : type;
}

static enum file_type
type_of_package(const struct zip *z)
{
	static const struct { enum member member; enum file_type type; } others[] = {
		{ MEMBER_APPX, FILE_APPX }, { MEMBER_VSIX, FILE_VSIX },
		{ MEMBER_NUSPEC, FILE_NUGET }, { MEMBER_XPS, FILE_XPS },
		{ MEMBER_3MF, FILE_MODEL_3MF },
	};
	enum file_type type = by_content_types(z);

	if (type != FILE_UNKNOWN)
		return has(z, MEMBER_MACROS) ? with_macros(type) : type;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (has(z, others[i].member))
			return others[i].type;
	return by_folder(z);
}

/* What all members together say, the surest first. */
static enum file_type
type_of_members(const struct zip *z)
{
	if (z->by_mimetype != FILE_UNKNOWN)
		return z->by_mimetype;
	if (has(z, MEMBER_TYPES) || (has(z, MEMBER_RELS) && by_folder(z) != FILE_OOXML))
		return type_of_package(z);
	if (has(z, MEMBER_ANDROID))
		return FILE_APK;
	if (has(z, MEMBER_DEX) || (has(z, MEMBER_MANIFEST) && !has(z, MEMBER_ODF)))
		return FILE_JAR;
	if (has(z, MEMBER_CLASS) || has(z, MEMBER_WAR) || z->java)
		return FILE_JAR;
	if (has(z, MEMBER_IPA))
		return FILE_IPA;
	if (has(z, MEMBER_XPI))
		return FILE_XPI;
	if (has(z, MEMBER_WHEEL))
		return FILE_WHEEL;
	if (has(z, MEMBER_EPUB) && z->mimetype)
		return FILE_EPUB;
	if (has(z, MEMBER_ODF))
		return has(z, MEMBER_OXT) ? FILE_OXT : by_manifest(z);
	if (has(z, MEMBER_KML))
		return FILE_KMZ;
	if (has(z, MEMBER_WACZ) && has(z, MEMBER_WACZ_WARC))
		return FILE_WACZ;
	return has(z, MEMBER_IWORK) ? FILE_IWORK : FILE_ZIP;
}

enum file_type
look_zip(const struct look *l)
{
	struct zip z = { .look = l };

	read_locals(&z, LOOK_IS(l, 0, "PK\3\4") ? 0 : 4);
	read_directory(&z);
	return type_of_members(&z);
}
