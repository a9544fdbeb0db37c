/*
 * type.c - the rows of types, and the search by what a file begins with.  See type.h.
 */
#include "lib/content/look.h"

static const struct file_type_row rows[FILE_TYPES] = {
	[FILE_UNKNOWN] = { "unknown", "application/octet-stream", CLASS_UNKNOWN,
	    FILE_UNKNOWN, 0 },
#define TYPE(id, name, media, class, broader, flags) \
	[FILE_##id] = { name, media, CLASS_##class, FILE_##broader, flags },
#include "lib/content/type_list.h"
#undef TYPE
};

static const char *const class_names[CLASSES] = {
	[CLASS_UNKNOWN] = "unknown", [CLASS_EXECUTABLE] = "executable",
	[CLASS_SCRIPT] = "script", [CLASS_ARCHIVE] = "archive",
	[CLASS_DOCUMENT] = "document", [CLASS_IMAGE] = "image", [CLASS_AUDIO] = "audio",
	[CLASS_VIDEO] = "video", [CLASS_FONT] = "font", [CLASS_TEXT] = "text",
	[CLASS_MAIL] = "mail", [CLASS_CERTIFICATE] = "certificate", [CLASS_DATA] = "data",
};

/* Media types in use beside those of the rows. */
static const struct alias { const char *media_type; enum file_type type; } aliases[] = {
	{ "application/csv", FILE_CSV }, { "application/ecmascript", FILE_NODE },
	{ "application/epub", FILE_EPUB }, { "application/excel", FILE_XLS },
	{ "application/ics", FILE_CALENDAR }, { "application/javascript", FILE_NODE },
	{ "application/x-javascript", FILE_NODE }, { "text/x-javascript", FILE_NODE },
	{ "application/mspowerpoint", FILE_PPT }, { "application/msexcel", FILE_XLS },
	{ "application/x-msexcel", FILE_XLS }, { "application/x-excel", FILE_XLS },
	{ "application/msword-template", FILE_DOC }, { "application/word", FILE_DOC },
	{ "application/doc", FILE_DOC }, { "application/x-msword", FILE_DOC },
	{ "application/powerpoint", FILE_PPT },
	{ "application/x-mspowerpoint", FILE_PPT },
	{ "application/mac-binhex", FILE_BINHEX }, { "application/binhex", FILE_BINHEX },
	{ "application/ms-tnef", FILE_TNEF }, { "application/x-pdf", FILE_PDF },
	{ "application/acrobat", FILE_PDF }, { "text/pdf", FILE_PDF },
	{ "application/pkcs7-signature", FILE_PKCS7 },
	{ "application/x-pkcs7-mime", FILE_PKCS7 },
	{ "application/x-pkcs7-signature", FILE_PKCS7 },
	{ "application/x-pkcs7-certificates", FILE_PKCS7 },
	{ "application/pkcs12", FILE_PKCS12 },
	{ "application/x-x509-user-cert", FILE_CERTIFICATE },
	{ "application/x-x509-ca-cert", FILE_CERTIFICATE },
	{ "application/rar", FILE_RAR }, { "application/x-rar", FILE_RAR },
	{ "application/x-rar-compressed", FILE_RAR },
	{ "application/7z", FILE_SEVENZIP }, { "application/x-7zip", FILE_SEVENZIP },
	{ "application/x-zip", FILE_ZIP }, { "application/x-zip-compressed", FILE_ZIP },
	{ "application/zip-compressed", FILE_ZIP }, { "multipart/x-zip", FILE_ZIP },
	{ "application/x-gzip", FILE_GZIP }, { "application/x-gunzip", FILE_GZIP },
	{ "application/x-tgz", FILE_GZIP }, { "application/x-compressed-tar", FILE_GZIP },
	{ "application/x-gtar", FILE_TAR }, { "application/tar", FILE_TAR },
	{ "application/x-ustar", FILE_TAR },
	{ "application/bzip2", FILE_BZIP2 }, { "application/x-bzip", FILE_BZIP2 },
	{ "application/xz", FILE_XZ }, { "application/x-zstd", FILE_ZSTD },
	{ "application/lz4", FILE_LZ4 }, { "application/lzma", FILE_LZMA },
	{ "application/lzip", FILE_LZIP }, { "application/x-lzo", FILE_LZOP },
	{ "application/x-compressed", FILE_COMPRESS },
	{ "application/x-lzh", FILE_LHA }, { "application/x-lzh-compressed", FILE_LHA },
	{ "application/lha", FILE_LHA }, { "application/arj", FILE_ARJ },
	{ "application/x-cab", FILE_CAB }, { "application/cab", FILE_CAB },
	{ "application/x-iso-image", FILE_ISO }, { "application/x-cd-image", FILE_ISO },
	{ "application/x-debian-package", FILE_DEB }, { "application/x-deb", FILE_DEB },
	{ "application/x-redhat-package-manager", FILE_RPM },
	{ "application/x-unix-archive", FILE_AR },
	{ "application/x-msdownload", FILE_PE },
	{ "application/x-msdos-program", FILE_PE },
	{ "application/x-dosexec", FILE_DOS_EXE }, { "application/exe", FILE_PE },
	{ "application/x-exe", FILE_PE }, { "application/x-winexe", FILE_PE },
	{ "application/dos-exe", FILE_PE }, { "application/x-ms-installer", FILE_MSI },
	{ "application/x-pie-executable", FILE_ELF_SHARED },
	{ "application/java", FILE_JAVA_CLASS },
	{ "application/x-java-vm", FILE_JAVA_CLASS },
	{ "application/x-java-applet", FILE_JAVA_CLASS },
	{ "application/x-java-archive", FILE_JAR }, { "application/x-jar", FILE_JAR },
	{ "application/x-ms-dos-batch", FILE_BATCH }, { "application/bat", FILE_BATCH },
	{ "application/x-bat", FILE_BATCH }, { "application/x-sh", FILE_SHELL },
	{ "application/x-shellscript", FILE_SHELL }, { "text/x-sh", FILE_SHELL },
	{ "application/x-perl", FILE_PERL }, { "application/x-php", FILE_PHP },
	{ "text/x-script.python", FILE_PYTHON }, { "application/x-httpd-php", FILE_PHP },
	{ "text/x-script.phyton", FILE_PYTHON }, { "application/x-python", FILE_PYTHON },
	{ "application/x-vbs", FILE_VBS }, { "text/vbs", FILE_VBS },
	{ "application/vnd.adobe.flash.movie", FILE_SWF },
	{ "application/vnd.ms-word.document.macroenabled", FILE_DOCM },
	{ "application/vnd.ms-htmlhelp", FILE_CHM }, { "application/x-chm", FILE_CHM },
	{ "application/rss", FILE_RSS }, { "text/xml", FILE_XML },
	{ "text/rdf", FILE_RDF },
	{ "application/x-xml", FILE_XML }, { "application/vnd.ms-office", FILE_OLE },
	{ "application/cdfv2", FILE_OLE }, { "application/x-cfb", FILE_OLE },
	{ "application/cdfv2-encrypted", FILE_OFFICE_ENCRYPTED },
	{ "application/vnd.hancom.hwp", FILE_HWP },
	{ "application/haansofthwp", FILE_HWP },
	{ "application/vnd.hancom.hwpx", FILE_HWPX },
	{ "application/wordperfect", FILE_WORDPERFECT },
	{ "application/x-wordperfect", FILE_WORDPERFECT },
	{ "application/x-mobi8-ebook", FILE_MOBI }, { "application/oxps", FILE_XPS },
	{ "application/x-dbf", FILE_DBF }, { "application/x-sqlite3", FILE_SQLITE },
	{ "application/vnd.ms-access", FILE_ACCESS }, { "application/x-pcap", FILE_PCAP },
	{ "application/x-dosexec", FILE_DOS_EXE }, { "application/dicom", FILE_DICOM },
	{ "application/msaccess", FILE_ACCESS },
	{ "application/x-mimearchive", FILE_MHTML },
	{ "application/x-font-ttf", FILE_TTF },
	{ "application/x-font-truetype", FILE_TTF },
	{ "application/font-sfnt", FILE_TTF }, { "font/sfnt", FILE_TTF },
	{ "application/vnd.ms-opentype", FILE_OTF },
	{ "application/x-font-otf", FILE_OTF },
	{ "application/font-woff", FILE_WOFF }, { "application/x-font-woff", FILE_WOFF },
	{ "application/x-font-opentype", FILE_OTF },
	{ "audio/mp3", FILE_MP3 }, { "audio/x-mp3", FILE_MP3 },
	{ "audio/x-mpeg", FILE_MP3 },
	{ "audio/mpeg3", FILE_MP3 }, { "audio/x-m4a", FILE_M4A },
	{ "audio/m4a", FILE_M4A },
	{ "audio/aacp", FILE_AAC }, { "audio/x-aac", FILE_AAC },
	{ "audio/opus", FILE_OPUS },
	{ "audio/x-flac", FILE_FLAC }, { "audio/wav", FILE_WAV },
	{ "audio/x-wav", FILE_WAV },
	{ "audio/wave", FILE_WAV }, { "audio/x-pn-wav", FILE_WAV },
	{ "audio/x-aiff", FILE_AIFF }, { "audio/x-midi", FILE_MIDI },
	{ "audio/mid", FILE_MIDI },
	{ "audio/x-au", FILE_AU }, { "audio/3gpp", FILE_VIDEO_3GPP },
	{ "audio/3gpp2", FILE_VIDEO_3GPP2 }, { "audio/vorbis", FILE_OGG_AUDIO },
	{ "audio/x-ms-wma", FILE_ASF }, { "video/x-ms-wmv", FILE_ASF },
	{ "video/x-msvideo", FILE_AVI }, { "video/avi", FILE_AVI },
	{ "video/msvideo", FILE_AVI },
	{ "video/x-mpeg", FILE_MPEG }, { "video/mp2p", FILE_MPEG },
	{ "video/mp4v-es", FILE_MP4 }, { "video/flv", FILE_FLV },
	{ "video/m2ts", FILE_MPEG_TS },
	{ "audio/webm", FILE_WEBM }, { "audio/x-matroska", FILE_MATROSKA },
	{ "image/jpg", FILE_JPEG }, { "image/pjpeg", FILE_JPEG },
	{ "image/x-jpeg", FILE_JPEG },
	{ "image/x-png", FILE_PNG }, { "image/apng", FILE_PNG },
	{ "image/vnd.mozilla.apng", FILE_PNG },
	{ "image/x-ms-bmp", FILE_BMP }, { "image/x-bmp", FILE_BMP },
	{ "image/x-windows-bmp", FILE_BMP }, { "image/x-icon", FILE_ICO },
	{ "image/ico", FILE_ICO },
	{ "image/tif", FILE_TIFF }, { "image/x-tiff", FILE_TIFF },
	{ "image/x-photoshop", FILE_PSD }, { "application/x-photoshop", FILE_PSD },
	{ "image/x-wmf", FILE_WMF }, { "application/x-msmetafile", FILE_WMF },
	{ "image/x-emf", FILE_EMF }, { "application/emf", FILE_EMF },
	{ "image/svg", FILE_SVG }, { "image/icns", FILE_ICNS },
	{ "image/jbig2", FILE_JBIG2 },
	{ "image/vnd.ms-photo", FILE_JXR }, { "image/x-bpg", FILE_BPG },
	{ "image/jpm", FILE_JPX },
	{ "image/heic-sequence", FILE_HEIC }, { "image/heif-sequence", FILE_HEIF },
	{ "image/x-portable-greymap", FILE_PGM }, { "image/x-targa", FILE_TGA },
	{ "image/x-pcx", FILE_PCX }, { "image/x-dwg", FILE_DWG },
	{ "application/acad", FILE_DWG },
	{ "application/dxf", FILE_DXF }, { "image/x-eps", FILE_EPS },
	{ "text/directory", FILE_VCARD }, { "text/x-vcard", FILE_VCARD },
	{ "text/x-vcalendar", FILE_CALENDAR }, { "text/x-csv", FILE_CSV },
	{ "text/comma-separated-values", FILE_CSV },
	{ "text/tab-separated-values", FILE_TEXT },
	{ "text/x-markdown", FILE_MARKDOWN }, { "text/json", FILE_JSON },
	{ "application/x-json", FILE_JSON }, { "application/jsonl", FILE_NDJSON },
	{ "text/richtext", FILE_TEXT }, { "text/enriched", FILE_TEXT },
	{ "text/rtf", FILE_RTF },
	{ "text/x-rtf", FILE_RTF }, { "application/x-rtf", FILE_RTF },
	{ "text/x-amp-html", FILE_HTML }, { "text/x-c++", FILE_C_SOURCE },
	{ "text/x-chdr", FILE_C_SOURCE }, { "text/x-csrc", FILE_C_SOURCE },
	{ "text/x-patch", FILE_DIFF }, { "text/x-sql", FILE_SQL },
	{ "application/x-tex", FILE_TEX },
	{ "application/x-latex", FILE_TEX }, { "application/x-subrip", FILE_SRT },
	{ "message/global", FILE_MAIL }, { "message/partial", FILE_MAIL },
	{ "application/x-mbox", FILE_MBOX }, { "application/x-bittorrent", FILE_TORRENT },
	{ "application/x-pem-file", FILE_PEM }, { "application/x-iso9660", FILE_ISO },
	{ "application/x-hdf5", FILE_HDF5 }, { "application/sla", FILE_STL },
	{ "application/x-shockwave-flash2-preview", FILE_SWF },
	{ "application/x-ms-wmz", FILE_GZIP },
	{ "application/vnd.apple.pages", FILE_IWORK },
	{ "application/vnd.apple.numbers", FILE_IWORK },
	{ "application/vnd.apple.keynote", FILE_IWORK },
	{ "application/x-iwork-pages-sffpages", FILE_IWORK },
	{ "application/x-iwork-numbers-sffnumbers", FILE_IWORK },
	{ "application/x-iwork-keynote-sffkey", FILE_IWORK },
};

const struct file_type_row *
file_type_row(enum file_type type)
{
	return &rows[type < FILE_TYPES ? type : FILE_UNKNOWN];
}

const char *
file_class_name(enum file_class class)
{
	return class_names[class < CLASSES ? class : CLASS_UNKNOWN];
}

bool
file_type_is(enum file_type type, enum file_type kind)
{
	while (type != kind && type != FILE_UNKNOWN)
		type = file_type_row(type)->broader;
	return type == kind;
}

enum file_type
file_type_of_name(struct span name)
{
	for (enum file_type t = FILE_UNKNOWN; t < FILE_TYPES; t++)
		if (span_equal_nocase(name, span_text(rows[t].name)))
			return t;
	return FILE_UNKNOWN;
}

enum file_type
file_type_of_media_type(struct span media)
{
	media = span_trim(span_slice(media, 0, span_find(media, ';')));
	for (enum file_type t = FILE_UNKNOWN; t < FILE_TYPES; t++)
		if (span_equal_nocase(media, span_text(rows[t].media_type)))
			return t;
	for (size_t i = 0; i < COUNT_OF(aliases); i++)
		if (span_equal_nocase(media, span_text(aliases[i].media_type)))
			return aliases[i].type;
	return FILE_UNKNOWN;
}

struct span
look_bytes(const struct look *l, uint64_t at, size_t n)
{
	uint64_t tail_at = l->size - l->tail.len;

	if (at <= l->head.len && n <= l->head.len - at)
		return span_slice(l->head, (size_t)at, (size_t)at + n);
	if (at >= tail_at && at <= l->size && n <= l->size - at)
		return span_slice(l->tail, (size_t)(at - tail_at),
		    (size_t)(at - tail_at) + n);
	return SPAN_NONE;
}

bool
look_is(const struct look *l, uint64_t at, const char *bytes, size_t n)
{
	struct span have = look_bytes(l, at, n);

	return have.len == n && memcmp(have.ptr, bytes, n) == 0;
}

uint64_t
look_le(const struct look *l, uint64_t at, unsigned bytes)
{
	struct span have = look_bytes(l, at, bytes);
	uint64_t n = 0;

	for (size_t i = have.len; i > 0; i--)
		n = n << 8 | have.ptr[i - 1];
	return n;
}

uint64_t
look_be(const struct look *l, uint64_t at, unsigned bytes)
{
	struct span have = look_bytes(l, at, bytes);
	uint64_t n = 0;

	for (size_t i = 0; i < have.len; i++)
		n = n << 8 | have.ptr[i];
	return n;
}

/* Spans longer than the size they are said to be of are cut. */
static struct look
look_init(struct span head, struct span tail, uint64_t size)
{
	if (head.len > size)
		head.len = (size_t)size;
	if (tail.len > size)
		tail = span_slice(tail, tail.len - (size_t)size, tail.len);
	return (struct look){ .head = head, .tail = tail, .size = size };
}

/* The order matters: a signature is surer than the look of text, and that than the
   guesses, whose first bytes ordinary text may have. */
enum file_type
content_type(struct span head, struct span tail, uint64_t size)
{
	const struct look l = look_init(head, tail, size);
	static look_function *const stages[] = { look_magic, look_marc, look_text,
		look_weak };
	enum file_type type = FILE_UNKNOWN;

	if (size == 0)
		return FILE_EMPTY;
	for (size_t i = 0; i < COUNT_OF(stages) && type == FILE_UNKNOWN; i++)
		type = stages[i](&l);
	return type;
}

#define PDF_HEADER_BYTES 1024   /* readers accept the header within the first 1024 */

enum file_type
content_also(enum file_type type, struct span head, struct span tail, uint64_t size)
{
	const struct look l = look_init(head, tail, size);
	struct span start = span_slice(l.head, 0,
	    l.head.len < PDF_HEADER_BYTES ? l.head.len : PDF_HEADER_BYTES);
	uint64_t at, entries;

	if (!file_type_is(type, FILE_ZIP) && zip_directory(&l, &at, &entries) &&
	    entries > 0)
		return FILE_ZIP;
	if (type != FILE_PDF && HOLDS(start, "%PDF-"))
		return FILE_PDF;
	return FILE_UNKNOWN;
}
