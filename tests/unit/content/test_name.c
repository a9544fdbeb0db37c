/*
 * test_name.c - names by a table, their extensions exhaustively, claims.
 */
#include "lib/content/name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* "base [last,one before,...] flags" */
static void
describe(struct span in, char out[4096])
{
	struct arena arena = { 0 };
	struct name name;
	size_t n;

	name_read(&name, in, &arena);
	n = (size_t)snprintf(out, 4096, "%.*s [", (int)name.base.len,
	    (const char *)name.base.ptr);
	for (unsigned i = 0; i < name.extension_count; i++)
		n += (size_t)snprintf(out + n, 4096 - n, "%s%.*s", i > 0 ? "," : "",
		    (int)name.extensions[i].len, (const char *)name.extensions[i].ptr);
	n += (size_t)snprintf(out + n, 4096 - n, "]");
	for (unsigned i = 0; name_flag(i) != NULL; i++)
		if (name.flags >> i & 1)
			n += (size_t)snprintf(out + n, 4096 - n, " %s", name_flag(i));
	arena_free(&arena);
}

static const struct { const char *in, *out; } names[] = {
	{ "", " []" },
	{ "readme", "readme []" },
	{ ".profile", ".profile []" },
	{ "Report.PDF", "report.pdf [pdf]" },
	{ "a.tar.gz", "a.tar.gz [gz,tar]" },
	{ "invoice.pdf.exe", "invoice.pdf.exe [exe,pdf] double runs" },
	{ "setup.exe", "setup.exe [exe] runs" },
	{ "setup.exe.txt", "setup.exe.txt [txt,exe] runs" },
	{ "version 1.2.exe", "version 1.2.exe [exe,2] runs" },
	{ "x.exe.", "x.exe [exe] trailing runs" },
	{ "x.exe . . ", "x.exe [exe] trailing runs" },
	{ "x. exe", "x. exe [exe] runs" },
	{ "invoice.pdf          .exe",
	    "invoice.pdf          .exe [exe,pdf] padded double runs" },
	{ "gpj\xe2\x80\xae" "fdp.exe", "gpjfdp.exe [exe] bidi runs" },
	{ "a\xe2\x80\x8b.e\xe2\x80\x8bxe", "a.exe [exe] invisible runs" },
	{ "a.e\xc2\xadxe", "a.exe [exe] invisible runs" },
	{ "a.exe\xf3\xa0\x81\x81", "a.exe [exe] invisible runs" },
	/* Cyrillic e: as it stands in the name, as ASCII in the extension */
	{ "a.\xd0\xb5xe", "a.\xd0\xb5xe [exe] lookalike runs" },
	{ "p\xd0\xb0ypal.txt", "p\xd0\xb0ypal.txt [txt] lookalike" },
	{ "\xd0\xbe\xd1\x82\xd1\x87\xd1\x91\xd1\x82.pdf",
	    "\xd0\xbe\xd1\x82\xd1\x87\xd1\x91\xd1\x82.pdf [pdf]" },
	{ "\xd1\x80\xd0\xb0\xd1\x83.txt", "\xd1\x80\xd0\xb0\xd1\x83.txt [txt]" },
	{ "a\xef\xbc\x8e" "exe", "a.exe [exe] dot runs" },
	{ "a.\xef\xbd\x85\xef\xbd\x98\xef\xbd\x85",
	    "a.\xef\xbd\x85\xef\xbd\x98\xef\xbd\x85 [exe] lookalike runs" },
	{ "a%2eexe", "a.exe [exe] dot percent runs" },
	{ "100%", "100% []" },
	{ "a%zz.txt", "a%zz.txt [txt]" },
	{ "a\tb\x01.txt", "a b.txt [txt] control" },
	{ "a\xc2\x85.txt", "a.txt [txt] control" },
	{ "a%00.exe", "a.exe [exe] nul percent runs" },
	{ "../../etc/passwd", "passwd [] path" },
	{ "c:\\windows\\a.exe", "a.exe [exe] path runs" },
	{ "c:a.exe", "a.exe [exe] path runs" },
	{ "a\xe2\x88\x95" "b.txt", "b.txt [txt] path" },
	{ "a.txt:b.exe", "b.exe [exe] stream runs" },
	{ "a.exe::$DATA", "a.exe [exe] stream runs" },
	{ "a.exe:zone:$DATA", "a.exe [exe] stream runs" },
	{ "README.TXT;1", "readme.txt [txt] version" },
	{ "A.EXE.;1", "a.exe [exe] version trailing runs" },
	{ ";1", ";1 []" },
	{ "a.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0B}",
	    "a.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b} [{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}] clsid" },
	{ "a.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0}",
	    "a.{3050f4d8-98b5-11cf-bb82-00aa00bdce0} [{3050f4d8-98b5-11cf-bb82-00aa00bdce0}]" },
	{ "NUL.txt", "nul.txt [txt] device" },
	{ "com1", "com1 [] device" },
	{ "com0", "com0 []" },
	{ "caf\xe9.doc", "caf\xc3\xa9.doc [doc] bad-utf8" },
	{ "a\xc0\xae" "exe", "a\xc3\x80\xc2\xae" "exe [] bad-utf8" },
	{ "a.1.2.3.4.5.6.7.8.9", "a.1.2.3.4.5.6.7.8.9 [9,8,7,6,5,4,3,2] cut" },
	{ "a..exe", "a..exe [exe] runs" },
};

static void
test_names(void **state)
{
	char out[4096];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		describe(span_text(names[i].in), out);
		/* the flags come in the order of their bits */
		if (strcmp(out, names[i].out) != 0)
			fail_msg("%s: %s, not %s", names[i].in, out, names[i].out);
	}
}

static void
test_nul_and_length(void **state)
{
	char out[4096], text[5000];

	describe(SPAN_LIT("a.exe\0.txt"), out);
	assert_string_equal(out, "a.exe.txt [txt,exe] nul runs");
	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 8, ".pdf.exe", 8);
	describe((struct span){ (const uint8_t *)text, sizeof text }, out);
	assert_non_null(strstr(out, " [exe,pdf] double cut runs"));
	memset(text, 0xff, sizeof text);
	describe((struct span){ (const uint8_t *)text, NAME_BYTES }, out);
	assert_non_null(strstr(out, " [] bad-utf8"));
}

/* What the extensions of a name of 'a', '.' and ' ' are: parts between dots without the
   blanks around, from the last, empty ones and the part before the first dot left out. */
static void
naive(const char *name, char out[64])
{
	char copy[16], *dot;
	size_t n = strlen(name);

	while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' '))
		n--;
	memcpy(copy, name, n);
	copy[n] = 0;
	out[0] = 0;
	while ((dot = strrchr(copy, '.')) != NULL && dot != copy) {
		char *from = dot + 1, *to = from + strlen(from);

		while (*from == ' ')
			from++;
		while (to > from && to[-1] == ' ')
			to--;
		if (to > from)
			sprintf(out + strlen(out), "%.*s,", (int)(to - from), from);
		*dot = 0;
	}
}

static void
test_exhaustively(void **state)
{
	static const char alphabet[] = "a. ";

	for (unsigned length = 0, count = 1; length <= 7; length++, count *= 3)
		for (unsigned n = 0; n < count; n++) {
			char text[16] = "", want[64], have[64] = "";
			struct arena arena = { 0 };
			struct name name;

			for (unsigned i = 0, v = n; i < length; i++, v /= 3)
				text[i] = alphabet[v % 3];
			naive(text, want);
			name_read(&name, span_text(text), &arena);
			for (unsigned i = 0; i < name.extension_count; i++)
				sprintf(have + strlen(have), "%.*s,",
				    (int)name.extensions[i].len,
				    (const char *)name.extensions[i].ptr);
			if (strcmp(have, want) != 0)
				fail_msg("'%s': %s, not %s", text, have, want);
			arena_free(&arena);
		}
}

static const char *const extensions[] = {
#define EXTENSION(extension, type, runs) extension,
#include "lib/content/extension_list.h"
#undef EXTENSION
};

static void
test_extension_list(void **state)
{
	for (size_t i = 1; i < COUNT_OF(extensions); i++)
		if (strcmp(extensions[i - 1], extensions[i]) > 0)
			fail_msg("%s stands before %s", extensions[i - 1], extensions[i]);
	assert_int_equal(extension_type(SPAN_LIT("docx")), FILE_DOCX);
	assert_int_equal(extension_type(SPAN_LIT("")), FILE_UNKNOWN);
	assert_int_equal(extension_type(SPAN_LIT("3g1")), FILE_UNKNOWN);
	assert_int_equal(extension_type(SPAN_LIT("zzz")), FILE_UNKNOWN);
	assert_true(extension_runs(SPAN_LIT("ade")) && !extension_runs(SPAN_LIT("txt")));
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		assert_true(extension_type(span_text(extensions[i])) != FILE_UNKNOWN ||
		    extension_runs(span_text(extensions[i])) ||
		    strcmp(extensions[i], "bin") == 0 ||
		    strcmp(extensions[i], "dat") == 0 ||
		    strcmp(extensions[i], "gdb") == 0 ||
		    strcmp(extensions[i], "tmp") == 0);
	assert_string_equal(extension_usual(FILE_JPEG), "jpg");
	assert_string_equal(extension_usual(FILE_EXCEL_OLD), "xls");
	assert_string_equal(extension_usual(FILE_UNKNOWN), "");
	assert_true(extension_fits(SPAN_LIT("doc"), FILE_RTF));
	assert_true(extension_fits(SPAN_LIT("zip"), FILE_DOCX));
	assert_true(extension_fits(SPAN_LIT("docx"), FILE_ZIP));
	assert_false(extension_fits(SPAN_LIT("doc"), FILE_PE));
	assert_false(extension_fits(SPAN_LIT("docx"), FILE_UNKNOWN));
}

static const struct { const char *name; enum file_type found; enum claim claim; } claims[] = {
	{ "a.pdf", FILE_PDF, CLAIM_AGREES }, { "a.pdf", FILE_PE, CLAIM_DISGUISES },
	{ "a.pdf", FILE_HTML, CLAIM_DIFFERS }, { "a.pdf", FILE_UNKNOWN, CLAIM_NONE },
	{ "a.pdf", FILE_ZIP, CLAIM_DISGUISES }, { "a.jpg", FILE_PNG, CLAIM_DIFFERS },
	{ "a.jpg", FILE_NODE, CLAIM_DISGUISES }, { "a.txt", FILE_NODE, CLAIM_BROADER },
	{ "a.txt", FILE_CSV, CLAIM_BROADER }, { "a.docx", FILE_ZIP, CLAIM_BROADER },
	{ "a.doc", FILE_RTF, CLAIM_AGREES }, { "a.doc", FILE_DOCX, CLAIM_AGREES },
	{ "a.exe", FILE_PE_DLL, CLAIM_BROADER }, { "a.exe", FILE_TEXT, CLAIM_DIFFERS },
	{ "a.xyz", FILE_PE, CLAIM_NONE }, { "a", FILE_PE, CLAIM_NONE },
	{ "a.gif", FILE_EMPTY, CLAIM_NONE }, { "a.txt", FILE_PE, CLAIM_DISGUISES },
	{ "a.docx", FILE_DOCM, CLAIM_DIFFERS }, { "a.iso", FILE_UDF, CLAIM_AGREES },
};

static void
test_claims(void **state)
{
	for (size_t i = 0; i < COUNT_OF(claims); i++) {
		struct arena arena = { 0 };
		struct name name;

		name_read(&name, span_text(claims[i].name), &arena);
		if (name_judge(&name, claims[i].found) != claims[i].claim)
			fail_msg("%s, %s: %s", claims[i].name,
			    file_type_row(claims[i].found)->name,
			    claim_name(name_judge(&name, claims[i].found)));
		arena_free(&arena);
	}
	assert_int_equal(media_type_judge(SPAN_LIT("Image/PNG; name=x"), FILE_PNG),
	    CLAIM_AGREES);
	assert_int_equal(media_type_judge(SPAN_LIT("image/png"), FILE_PE),
	    CLAIM_DISGUISES);
	assert_int_equal(media_type_judge(SPAN_LIT("image/jpg"), FILE_JPEG),
	    CLAIM_AGREES);
	assert_int_equal(media_type_judge(SPAN_LIT("application/octet-stream"), FILE_PE),
	    CLAIM_NONE);
	assert_int_equal(media_type_judge(SPAN_LIT("application/msword"), FILE_WORD_OLD),
	    CLAIM_AGREES);
	assert_int_equal(media_type_judge(SPAN_LIT("application/zip"), FILE_DOCX),
	    CLAIM_BROADER);
	assert_int_equal(media_type_judge(SPAN_LIT(""), FILE_PE), CLAIM_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_nul_and_length),
		cmocka_unit_test(test_exhaustively),
		    cmocka_unit_test(test_extension_list),
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
