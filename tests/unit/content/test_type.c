/*
 * test_type.c - types by small files made here, and the order of the tables.
 */
#include "lib/base/buf.h"
#include "lib/content/type.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>
#include <cmocka.h>

static enum file_type
type_of(struct span s)
{
	enum file_type type = content_type(s, SPAN_NONE, s.len);

	/* the same file told in another way is the same file */
	assert_int_equal(content_type(s, s, s.len), type);
	return type;
}

static void
expect(const char *name, struct span s, enum file_type want)
{
	enum file_type have = type_of(s);

	if (have != want)
		fail_msg("%s: %s, not %s", name, file_type_row(have)->name,
		    file_type_row(want)->name);
}

/* Files by their first bytes; zeros follow up to `size`, where that is longer. */
#define B(text) { (const uint8_t *)(text), sizeof(text) - 1 }
static const struct { struct span start; size_t size; enum file_type type; } starts[] = {
	{ B("%PDF-1.4\n"), 0, FILE_PDF }, { B("junk\n%PDF-1.4\n"), 0, FILE_PDF },
	{ B("{\\rtf1 x}"), 0, FILE_RTF }, { B("{\\rt x}"), 0, FILE_RTF },
	{ B("GIF89a"), 100, FILE_GIF }, { B("\x89PNG\r\n\x1a\n"), 100, FILE_PNG },
	{ B("\xff\xd8\xff\xe0"), 100, FILE_JPEG },
	{ B("RIFF\4\0\0\0WAVE"), 100, FILE_WAV },
	{ B("RIFF\4\0\0\0WEBP"), 100, FILE_WEBP },
	{ B("RIFF\4\0\0\0XXXX"), 100, FILE_UNKNOWN },
	{ B("\0\0\0\x18" "ftypM4A "), 100, FILE_M4A },
	{ B("\0\0\0\x18" "ftypisom"), 100, FILE_MP4 },
	{ B("\0\0\0\x18" "ftypmif1\0\0\0\0avif"), 100, FILE_AVIF },
	{ B("OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x13OpusHead"), 100,
	    FILE_OPUS },
	{ B("\x7f" "ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0"), 100, FILE_ELF_EXEC },
	{ B("\x7f" "ELF\2\2\1\0\0\0\0\0\0\0\0\0\0\3"), 100, FILE_ELF_SHARED },
	{ B("\xca\xfe\xba\xbe\0\0\0\x34"), 100, FILE_JAVA_CLASS },
	{ B("\xca\xfe\xba\xbe\0\0\0\2"), 100, FILE_MACHO },
	{ B("\xcf\xfa\xed\xfe"), 100, FILE_MACHO }, { B("MZ"), 100, FILE_DOS_EXE },
	{ B("MZ is how an EXE begins"), 0, FILE_TEXT },
	{ B("L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0"), 100, FILE_LNK },
	{ B("CWS\x0a\x10\0\0\0"), 100, FILE_SWF },
	{ B("CWS, the company"), 0, FILE_TEXT },
	{ B("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"), 100, FILE_BMP },
	{ B("BMW and Audi"), 0, FILE_TEXT }, { B("P6\n3 2\n255\n"), 30, FILE_PPM },
	{ B("P6 is a processor"), 0, FILE_TEXT }, { B("\x1f\x8b\x08\0"), 30, FILE_GZIP },
	{ B("BZh91AY&SY"), 30, FILE_BZIP2 }, { B("BZhello"), 0, FILE_TEXT },
	{ B("\xfd" "7zXZ\0"), 30, FILE_XZ }, { B("(\xb5/\xfd"), 30, FILE_ZSTD },
	{ B("\x50*M\x18\1\0\0\0x(\xb5/\xfd"), 30, FILE_ZSTD },
	{ B("\x50*M\x18\1\0\0\0x\4\"M\x18"), 30, FILE_LZ4 },
	{ B("]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0"), 30, FILE_LZMA },
	{ B("7z\xbc\xaf'\x1c"), 30, FILE_SEVENZIP }, { B("Rar!\x1a\7\0"), 30, FILE_RAR },
	{ B("MSCF\0\0\0\0"), 50, FILE_CAB }, { B("\x20\x30-lh5-"), 50, FILE_LHA },
	{ B("!<arch>\ndebian-binary"), 70, FILE_DEB }, { B("!<arch>\nx"), 70, FILE_AR },
	{ B("SQLite format 3"), 100, FILE_SQLITE },
	{ B("\xd4\xc3\xb2\xa1"), 24, FILE_PCAP },
	{ B("d8:announce3:abc4:infod1:a1:bee"), 0, FILE_TORRENT },
	{ B("dear all, this is text: hello"), 0, FILE_TEXT },
	{ B("ITSF\3\0\0\0"), 96, FILE_CHM }, { B("?_\3\0"), 96, FILE_HLP },
	{ B("x\x9f>\""), 96, FILE_TNEF },
	{ B("\0\1\0\0\0\x0a\0\x80\0\3\0\x20" "DSIG"), 99, FILE_TTF },
	{ B("0\x82\1\0\x30\x81\xf0\xa0\3\2\1\2"), 260, FILE_CERTIFICATE },
	{ B("0\x80\6\x09*\x86H\x86\xf7\r\1\7\2"), 99, FILE_PKCS7 },
	{ B("-----BEGIN CERTIFICATE-----\n"), 0, FILE_PEM_CERTIFICATE },
	{ B("-----BEGIN RSA PRIVATE KEY-----\n"), 0, FILE_PEM },
	{ B("-----BEGIN PGP MESSAGE-----\n"), 0, FILE_PGP_MESSAGE },
	{ B("\x99\1\x0d\4\x3e\x12\x34\x56\1\x08"), 300, FILE_PGP_KEYS },
	/* text */
	{ B(""), 0, FILE_EMPTY }, { B("hello"), 0, FILE_TEXT },
	{ B("hello\1"), 0, FILE_UNKNOWN },
	{ B("gr\xfc\xdf" "e"), 0, FILE_TEXT }, { B("\xef\xbb\xbfhello"), 0, FILE_TEXT },
	{ B("\xff\xfeh\0i\0"), 0, FILE_TEXT },
	{ B("\xfe\xff\0<\0h\0t\0m\0l\0>"), 0, FILE_HTML },
	{ B("<\0h\0t\0m\0l\0>\0\n\0"), 0, FILE_HTML },
	{ B("\xff\xfe\0\0h\0\0\0"), 0, FILE_TEXT },
	{ B("#!/bin/sh\n"), 0, FILE_SHELL },
	{ B("#!/usr/bin/env -S A=b python3.11\n"), 0, FILE_PYTHON },
	{ B("#!/opt/thing\n"), 0, FILE_SCRIPT }, { B("@ECHO OFF\r\n"), 0, FILE_BATCH },
	{ B("  \r\n<!-- x --><!DOCTYPE HTML>"), 0, FILE_HTML },
	{ B("<HTML\n>"), 0, FILE_HTML },
	{ B("<htmlx>"), 0, FILE_TEXT }, { B("<html>\0\1\2"), 0, FILE_HTML },
	{ B("<html><hta:application id=x>"), 0, FILE_HTA },
	{ B("<?xml version='1.0'?><html xmlns='x'/>"), 0, FILE_XHTML },
	{ B("<?xml version='1.0'?>\n<!-- <rss> --><svg/>"), 0, FILE_SVG },
	{ B("<?xml version='1.0'?><x:RDF/>"), 0, FILE_RDF },
	{ B("<?xml version='1.0'?><a/>"), 0, FILE_XML },
	{ B("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b '>'>]><rss>"), 0, FILE_RSS },
	{ B("<?php echo 1;"), 0, FILE_PHP },
	{ B("<package><job id='a'><script>"), 0, FILE_WSF },
	{ B("{\"a\": [1, 2.5e3, true, null, \"\\\"x\"]}\n"), 0, FILE_JSON },
	{ B("{\"a\":1}\n{\"a\":2}\n"), 0, FILE_NDJSON }, { B("{\"a\": }"), 0, FILE_TEXT },
	{ B("[1, 2"), 0, FILE_TEXT }, { B("{a: 1}"), 0, FILE_TEXT },
	{ B("[1,]"), 0, FILE_TEXT },
	{ B("[,1]"), 0, FILE_TEXT }, { B("[[],,1]"), 0, FILE_TEXT },
	{ B("{\"a\",1}"), 0, FILE_TEXT }, { B("{\"a\":1,\"b\"}"), 0, FILE_TEXT },
	{ B("[{\"a\":{}},[]]"), 0, FILE_JSON }, { B("{\"a\":1:2}"), 0, FILE_TEXT },
	{ B("{1:2}"), 0, FILE_TEXT }, { B("{\"a\"}}"), 0, FILE_TEXT },
	{ B("a,b,c\n1,2,3\n4,\"5,6\",7\n"), 0, FILE_CSV },
	{ B("a,b,c\n1,2\n3,4\n"), 0, FILE_TEXT },
	{ B("Hello, you\nand you, too\n"), 0, FILE_TEXT },
	{ B("BEGIN:VCALENDAR\r\n"), 0, FILE_CALENDAR },
	{ B("begin:vcard\n"), 0, FILE_VCARD },
	{ B("From: a@b.example\r\nSubject: x\r\n\r\n"), 0, FILE_MAIL },
	{ B("From a@b.example Sat Nov 21 22:17:57 2026\nFrom: a\nTo: b\n\n"), 0,
	    FILE_MBOX },
	{ B("Newsgroups: a.b\nPath: x!y\n\n"), 0, FILE_NEWS },
	{ B("Subject: x\n\nhello"), 0, FILE_TEXT },
	{ B("begin 644 a.exe\n"), 0, FILE_UUENCODE },
	{ B("begin a 644 b"), 0, FILE_TEXT },
	{ B("1\r\n00:00:01,000 --> 00:00:02,000\r\nx"), 0, FILE_SRT },
	{ B("[InternetShortcut]\r\nURL=x"), 0, FILE_URL },
	{ B("REGEDIT4\r\n"), 0, FILE_REG },
	{ B("#@~^AAAAAA=="), 0, FILE_SCRIPT_ENCODED },
	{ B("WEB\r\n1\r\nhttp://a.example"), 0, FILE_IQY },
	{ B("Set o = CreateObject(\"WScript.Shell\")\r\no.Run \"x\"\r\n"), 0, FILE_VBS },
	{ B("var a = new ActiveXObject('x');"), 0, FILE_NODE },
	{ B("var _0x=['a'];(function(b,c){b.push(c);}(_0x,1));eval(_0x[0]);"), 0,
	    FILE_NODE },
	{ B("$c = New-Object Net.WebClient\n$c.DownloadString('x') | IEX\n"), 0,
	    FILE_POWERSHELL },
	{ B("setlocal\r\nif exist a goto b\r\nset x=(1)\r\n:b;\r\n"), 0, FILE_BATCH },
	{ B("I would like to set up (if you can) a function; let me know."), 0,
	    FILE_TEXT },
};

static void
test_starts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		struct span s = starts[i].start;
		size_t size = starts[i].size > s.len ? starts[i].size : s.len;
		uint8_t *bytes = calloc(1, size + 1);

		memcpy(bytes, s.ptr, s.len);
		expect((const char *)s.ptr, (struct span){ bytes, size }, starts[i].type);
		free(bytes);
	}
}

/* Cut anywhere, or with any gap between head and tail, nothing is read that is not
   there. */
static void
test_every_cut(void **state)
{
	for (size_t i = 0; i < COUNT_OF(starts); i++)
		for (size_t n = 0; n <= starts[i].start.len; n++) {
			uint8_t *exact = malloc(n + 1);
			size_t whole = starts[i].start.len;
			struct span rest = span_slice(starts[i].start, n, whole);

			memcpy(exact, starts[i].start.ptr, n);
			assert_true(content_type((struct span){ exact, n }, SPAN_NONE,
			    n) < FILE_TYPES);
			assert_true(content_type((struct span){ exact, n }, rest,
			    whole) < FILE_TYPES);
			assert_true(content_type((struct span){ exact, n }, rest,
			    1u << 20) < FILE_TYPES);
			assert_true(content_type((struct span){ exact, n }, rest,
			    3) < FILE_TYPES);
			free(exact);
		}
}

static void
test_deep(void **state)
{
	uint8_t *image = calloc(1, 34000), sector[512] = { 0xeb, 0x3c, 0x90 };
	uint8_t old_tar[1024] = "file";
	unsigned sum = 8 * ' ';

	memcpy(image + 32769, "CD001", 5);
	expect("iso", (struct span){ image, 34000 }, FILE_ISO);
	assert_int_equal(content_type((struct span){ image, 30000 },
	    (struct span){ image + 32000, 2000 }, 34000), FILE_ISO);
	memset(image, 0, 34000);
	memcpy(image + 34000 - 512, "koly", 4);
	expect("dmg", (struct span){ image, 34000 }, FILE_DMG);
	free(image);
	sector[510] = 0x55;
	sector[511] = 0xaa;
	expect("boot sector", (struct span){ sector, 512 }, FILE_DISK);
	memcpy(old_tar + 100, "0000644", 7);
	for (size_t i = 0; i < 512; i++)
		sum += old_tar[i];
	snprintf((char *)old_tar + 148, 8, "%06o", sum);
	expect("tar without a mark", (struct span){ old_tar, 1024 }, FILE_TAR);
	old_tar[0] = 'g';
	expect("tar, wrong sum", (struct span){ old_tar, 1024 }, FILE_UNKNOWN);
}

static void
test_exe(void **state)
{
	uint8_t exe[256] = "MZ";

	exe[0x3c] = 0x80;
	memcpy(exe + 0x80, "PE\0\0", 4);
	expect("PE", (struct span){ exe, sizeof exe }, FILE_PE);
	exe[0x80 + 23] = 0x20;
	expect("DLL", (struct span){ exe, sizeof exe }, FILE_PE_DLL);
	memcpy(exe + 0x80, "NE\0\0", 4);
	expect("NE", (struct span){ exe, sizeof exe }, FILE_NE);
	memset(exe + 0x3c, 0xff, 4);
	expect("header beyond the end", (struct span){ exe, sizeof exe }, FILE_DOS_EXE);
}

/* One frame of MPEG layer III, 128 kbit/s, 44.1 kHz: 417 bytes. */
static void
test_sound(void **state)
{
	uint8_t frames[900] = { 0xff, 0xfb, 0x90 };

	expect("one frame", (struct span){ frames, 417 }, FILE_MP3);
	expect("cut frame", (struct span){ frames, 300 }, FILE_MP3);
	expect("no second frame", (struct span){ frames, 900 }, FILE_UNKNOWN);
	memcpy(frames + 417, "\xff\xfb\x90", 3);
	expect("two frames", (struct span){ frames, 900 }, FILE_MP3);
	frames[2] = 0xf0;
	expect("bad rate", (struct span){ frames, 900 }, FILE_UNKNOWN);
}

/* A zip: local headers and directory, or one of them. */
struct member { const char *name, *data; bool deflate; };
enum parts { LOCALS = 1, DIRECTORY = 2 };

static void
put(struct buf *b, uint64_t value, int bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		buf_byte(b, (uint8_t)value);
}

static size_t
pack(const struct member *m, uint8_t out[4096])
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)m->data,
	    .avail_in = (uInt)strlen(m->data), .next_out = out, .avail_out = 4096 };

	if (!m->deflate) {
		memcpy(out, m->data, strlen(m->data));
		return strlen(m->data);
	}
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return 4096 - z.avail_out;
}

static void
put_local(struct buf *b, const struct member *m, const uint8_t *data, size_t len)
{
	put(b, 0x04034b50, 4);
	put(b, 20, 4);
	put(b, m->deflate ? 8 : 0, 2);
	put(b, 0, 8);
	put(b, len, 4);
	put(b, strlen(m->data), 4);
	put(b, strlen(m->name), 4);
	buf_add(b, span_text(m->name));
	buf_add(b, (struct span){ data, len });
}

static void
put_entry(struct buf *b, const struct member *m, size_t len, size_t at)
{
	put(b, 0x02014b50, 4);
	put(b, 20, 6);
	put(b, m->deflate ? 8 : 0, 2);
	put(b, 0, 8);
	put(b, len, 4);
	put(b, strlen(m->data), 4);
	put(b, strlen(m->name), 2);
	put(b, 0, 12);
	put(b, at, 4);
	buf_add(b, span_text(m->name));
}

static void
make_zip(struct buf *out, const struct member *members, enum parts parts)
{
	struct buf directory = { 0 };
	uint8_t data[4096];
	size_t count = 0, at;

	for (; members[count].name != NULL; count++) {
		const struct member *m = &members[count];
		size_t len = pack(m, data);

		put_entry(&directory, m, len, buf_len(out));
		if (parts & LOCALS)
			put_local(out, m, data, len);
	}
	at = buf_len(out);
	if (parts & DIRECTORY) {
		buf_add(out, buf_span(&directory));
		put(out, 0x06054b50, 4);
		put(out, 0, 4);
		put(out, count, 2);
		put(out, count, 2);
		put(out, buf_len(&directory), 4);
		put(out, at, 4);
		put(out, 0, 2);
	}
	buf_free(&directory);
}

#define TYPES(main) { "[Content_Types].xml", "<Types><Override PartName='/a' " \
	"ContentType='application/" main "'/></Types>", true }
#define VND "vnd.openxmlformats-officedocument."
static const struct { const char *name; enum file_type type; struct member members[4]; } zips[] = {
	{ "plain", FILE_ZIP, { { "a.txt", "x", false } } },
	{ "docx", FILE_DOCX, { TYPES(VND "wordprocessingml.document.main+xml"),
	    { "word/a", "", false } } },
	{ "docx by folder", FILE_DOCX, { { "[Content_Types].xml", "", false },
	{ "word/a", "", false } } },
	{ "docm", FILE_DOCM, { TYPES("vnd.ms-word.document.macroEnabled.main+xml") } },
	{ "macro in a docx", FILE_DOCM, { TYPES(VND "wordprocessingml.document.main+xml"),
	    { "word/vbaProject.bin", "x", false } } },
	{ "xlsb", FILE_XLSB, { TYPES("vnd.ms-excel.sheet.binary.macroEnabled.main") } },
	{ "types after others", FILE_XLSX, { { "xl/a", "x", true },
	    TYPES(VND "spreadsheetml.sheet.main+xml") } },
	{ "ppsm", FILE_PPSM, { TYPES("vnd.ms-powerpoint.slideshow.macroEnabled.main+xml") } },
	{ "odt", FILE_ODT, { { "mimetype", "application/vnd.oasis.opendocument.text",
	    false } } },
	{ "epub", FILE_EPUB, { { "mimetype", "application/epub+zip\n", false } } },
	{ "unknown mimetype", FILE_ZIP, { { "mimetype", "application/x-none", false } } },
	{ "mimetype of no zip", FILE_ZIP, { { "mimetype", "application/pdf", false } } },
	{ "sxw by manifest", FILE_SXW, { { "content.xml", "x", true },
	{ "META-INF/manifest.xml",
	    "<manifest:file-entry manifest:media-type=\"application/vnd.sun.xml.writer\"/>", true } } },
	{ "jar", FILE_JAR, { { "META-INF/MANIFEST.MF", "", false },
	{ "a.class", "", false } } },
	{ "apk", FILE_APK, { { "AndroidManifest.xml", "", false },
	{ "classes.dex", "", false } } },
	{ "kmz", FILE_KMZ, { { "doc.kml", "", false } } },
	{ "xps", FILE_XPS, { { "[Content_Types].xml", "", false },
	{ "FixedDocSeq.fdseq", "", false } } },
};

static void
test_zips(void **state)
{
	for (size_t i = 0; i < COUNT_OF(zips); i++) {
		struct buf b = { 0 }, locals = { 0 }, directory = { 0 };

		make_zip(&b, zips[i].members, LOCALS | DIRECTORY);
		expect(zips[i].name, buf_span(&b), zips[i].type);
		assert_int_equal(content_also(zips[i].type, buf_span(&b), SPAN_NONE,
		    buf_len(&b)), FILE_UNKNOWN);
		make_zip(&locals, zips[i].members, LOCALS);
		expect(zips[i].name, buf_span(&locals), zips[i].type);
		for (size_t n = 0; n < buf_len(&b); n++) {
			struct span all = buf_span(&b);

			assert_true(file_type_is(content_type(span_slice(all, 0, n),
			    span_slice(all, n, all.len), all.len), FILE_ZIP) || n < 4);
		}
		buf_free(&b);
		buf_free(&locals);
		buf_free(&directory);
	}
}

/* A name that only the local header or only the directory tells counts all the same. */
static void
test_zip_lies(void **state)
{
	static const struct member members[] = {
		TYPES(VND "wordprocessingml.document.main+xml"),
		{ "word/vbaProject.bin", "x", false }, { 0 } };
	struct buf b = { 0 };
	uint8_t *local, *entry;

	make_zip(&b, members, LOCALS | DIRECTORY);
	local = memmem(b.ptr + b.from, buf_len(&b), "vbaProject", 10);
	entry = memmem(local + 1, (size_t)(b.ptr + b.to - local) - 1, "vbaProject", 10);
	assert_true(local != NULL && entry != NULL);
	local[0] = 'x';
	expect("macro in the directory", buf_span(&b), FILE_DOCM);
	local[0] = 'v';
	entry[0] = 'x';
	expect("macro in a local header", buf_span(&b), FILE_DOCM);
	local[0] = 'x';
	expect("macro in none", buf_span(&b), FILE_DOCX);
	buf_free(&b);
}

static void
test_zip_behind(void **state)
{
	static const struct member members[] = { { "a.txt", "x", false }, { 0 } };
	uint8_t frame[12] = "GIF89a";
	struct buf zip = { 0 }, both = { 0 };

	make_zip(&zip, members, LOCALS | DIRECTORY);
	buf_add(&both, (struct span){ frame, sizeof frame });
	buf_add(&both, buf_span(&zip));
	expect("GIF before a zip", buf_span(&both), FILE_GIF);
	assert_int_equal(content_also(FILE_GIF, buf_span(&both), SPAN_NONE,
	    buf_len(&both)), FILE_ZIP);
	assert_int_equal(content_also(FILE_GIF, span_slice(buf_span(&both), 0, 12),
	    buf_span(&zip), buf_len(&both)), FILE_ZIP);
	assert_int_equal(content_also(FILE_GIF, SPAN_LIT("GIF89a%PDF-"), SPAN_NONE, 11),
	    FILE_PDF);
	assert_int_equal(content_also(FILE_GIF, SPAN_LIT("GIF89a;"), SPAN_NONE, 7),
	    FILE_UNKNOWN);
	frame[0] = 1;
	buf_free(&both);
	buf_add(&both, (struct span){ frame, sizeof frame });
	buf_add(&both, buf_span(&zip));
	expect("zip behind what we do not know", buf_span(&both), FILE_ZIP);
	buf_free(&zip);
	buf_free(&both);
}

/* An OLE2 file: header, a table, one sector of four directory entries. */
static void
make_ole(uint8_t out[1536], const char *stream, const char *clsid)
{
	memset(out, 0, 1536);
	memcpy(out, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8);
	out[30] = 9;                            /* sectors of 512 bytes  */
	out[48] = 1;                            /* the directory         */
	memset(out + 76, 0xff, 436);
	memset(out + 76, 0, 4);                 /* the table: sector 0   */
	memset(out + 512, 0xff, 512);           /* every chain ends      */
	out[1024 + 66] = 5;
	memcpy(out + 1024 + 80, clsid, 16);
	for (size_t i = 0; stream[i] != 0; i++)
		out[1024 + 128 + 2 * i] = (uint8_t)stream[i];
	out[1024 + 128 + 64] = (uint8_t)(2 * strlen(stream) + 2);
	out[1024 + 128 + 66] = 2;
}

static const struct { const char *stream; enum file_type type; } streams[] = {
	{ "WordDocument", FILE_DOC }, { "Workbook", FILE_XLS },
	{ "PowerPoint Document", FILE_PPT },
	{ "__properties_version1.0", FILE_MSG }, { "__substg1.0_0037001E", FILE_MSG },
	{ "EncryptedPackage", FILE_OFFICE_ENCRYPTED }, { "VisioDocument", FILE_VISIO },
	{ "Other", FILE_OLE }, { "", FILE_OLE }, { "WordDocumen", FILE_OLE },
};

static void
test_ole(void **state)
{
	static const char none[16], msi[] = "\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
	uint8_t file[1536];

	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		make_ole(file, streams[i].stream, none);
		expect(streams[i].stream, (struct span){ file, sizeof file },
		    streams[i].type);
	}
	make_ole(file, "Other", msi);
	expect("msi", (struct span){ file, sizeof file }, FILE_MSI);
	make_ole(file, "Workbook", none);
	memset(file + 512 + 4, 0, 4);
	file[512 + 4] = 1;
	expect("directory that is its own end", (struct span){ file, sizeof file },
	    FILE_XLS);
	memset(file + 76, 0xff, 4);
	expect("no table", (struct span){ file, sizeof file }, FILE_XLS);
	file[30] = 200;
	expect("bad sector size", (struct span){ file, sizeof file }, FILE_OLE);
}

/* The tables. */

static const struct { const char *bytes; size_t len; } magics[] = {
#define MAGIC(bytes, type, look) { bytes, sizeof(bytes) - 1 },
#include "lib/content/magic_list.h"
#undef MAGIC
};
static const char *const words[] = {
#define WORD(text, language, first, inside) text,
#include "lib/content/program_list.h"
#undef WORD
};

static void
test_lists(void **state)
{
	for (size_t i = 1; i < COUNT_OF(magics); i++) {
		uint8_t before = (uint8_t)magics[i - 1].bytes[0],
		    here = (uint8_t)magics[i].bytes[0];

		if (before > here)
			fail_msg("row %zu of magic_list.h", i);
		for (size_t k = 0; k < i; k++)
			if (magics[k].len < magics[i].len && magics[k].len >= 3 &&
			    memcmp(magics[k].bytes, magics[i].bytes, magics[k].len) == 0)
				fail_msg("row %zu of magic_list.h is never reached", i);
	}
	for (size_t i = 1; i < COUNT_OF(words); i++)
		if (strcmp(words[i - 1], words[i]) >= 0)
			fail_msg("%s of program_list.h", words[i]);
}

static void
test_rows(void **state)
{
	assert_true(FILE_TYPES > 100);
	for (enum file_type t = FILE_UNKNOWN; t < FILE_TYPES; t++) {
		const struct file_type_row *row = file_type_row(t);

		assert_true(row->broader < t || t == FILE_UNKNOWN);
		if (file_type_of_name(span_text(row->name)) != t)
			fail_msg("two types are called %s", row->name);
		assert_string_equal(file_type_row(file_type_of_media_type(
		    span_text(row->media_type)))->media_type, row->media_type);
		assert_true(file_type_is(t, t) && file_type_is(t, FILE_UNKNOWN));
		assert_true(row->class != CLASS_UNKNOWN || t == FILE_UNKNOWN);
		for (const char *c = row->name; *c != 0; c++)
			assert_true(*c == '-' || is_digit((uint8_t)*c) ||
			    (*c >= 'a' && *c <= 'z'));
	}
	for (enum file_class c = CLASS_UNKNOWN; c < CLASSES; c++)
		assert_non_null(file_class_name(c));
	assert_true(file_type_is(FILE_DOTM, FILE_ZIP) &&
	    !file_type_is(FILE_ZIP, FILE_DOTM));
	assert_int_equal(file_type_of_name(SPAN_LIT("DocX")), FILE_DOCX);
	assert_int_equal(file_type_of_name(SPAN_LIT("")), FILE_UNKNOWN);
	assert_int_equal(file_type_of_media_type(SPAN_LIT("application/x-rar ; x=y")),
	    FILE_RAR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts), cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_deep), cmocka_unit_test(test_exe),
		    cmocka_unit_test(test_sound),
		cmocka_unit_test(test_zips), cmocka_unit_test(test_zip_lies),
		cmocka_unit_test(test_zip_behind),
		cmocka_unit_test(test_ole), cmocka_unit_test(test_lists),
		    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
