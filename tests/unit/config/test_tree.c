/*
 * test_tree.c - configuration text to statements, and what is said about bad text.
 */
#include "memory.h"

/* `out` is the tree printed, or the complaints. */
static const struct {
	const char *name, *in, *out;
} good[] = {
	{ "empty", "", "" },
	{ "only blanks and a comment", " \t\r\n# x; { \"\n", "" },
	{ "comment without line end", "# x", "" },
	{ "words", "a b c;", "a b c;\n" },
	{ "all word bytes", "a-z.A_Z:0/9@[::1]+*%$~&^|?#x;", "a-z.A_Z:0/9@[::1]+*%$~&^|?#x;\n" },
	{ "operators need no blanks", "a=b!=c<d<=e>f>=g(h),i;",
	  "a = b != c < d <= e > f >= g ( h ) , i;\n" },
	{ "operator alone", "<;", "<;\n" },
	{ "double equals is two", "a == b;", "a = = b;\n" },
	{ "text", "a \"b;{}# c\" \"\";", "a \"b;{}# c\" \"\";\n" },
	{ "escapes", "a \"\\\"\\\\\\n\\t\";", "a \"\\\"\\\\\\n\\t\";\n" },
	{ "tab in text becomes its escape", "a \"\t\";", "a \"\\t\";\n" },
	{ "UTF-8 in text and comment", "a \"\xc3\xa4\"; # \xc3\xa4\n", "a \"\xc3\xa4\";\n" },
	{ "comment behind tokens", "a#b #c\n\"d\"#e\n;#f", "a#b \"d\";\n" },
	{ "block", "a { b; c { } d { e; } } f;",
	  "a {\n\tb;\n\tc {\n\t}\n\td {\n\t\te;\n\t}\n}\nf;\n" },
	{ "CR LF", "a\r\nb;\r\n", "a b;\n" },
	{ "regex", "a matches /b c;\"{/i;", "a matches /b c;\"{/i;\n" },
	{ "regex with slash", "a matches /\\/b\\\\/;", "a matches /\\/b\\\\/;\n" },
	{ "regex keeps its escapes", "a matches /\\d\\\\\\//;", "a matches /\\d\\\\\\//;\n" },
	{ "regex empty", "matches //;", "matches //;\n" },
	{ "regex then operator", "a matches /b/i) c;", "a matches /b/i ) c;\n" },
	{ "slash elsewhere is a word", "a /b/ matches c /d;", "a /b/ matches c /d;\n" },
	{ "matches in quotes is none", "a \"matches\" /b;", "a \"matches\" /b;\n" },
	{ "matches of the statement before", "a matches; /b;", "a matches;\n/b;\n" },
	{ "include without quotes is a statement", "p { include common; }",
	  "p {\n\tinclude common;\n}\n" },
	{ "16 deep", "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{b;}}}}}}}}}}}}}}}}", NULL },
}, bad[] = {
	{ "no ;", "a", "c:1:2: expected ; before the end of the file\n" },
	{ "no ; in block", "a { b }", "c:1:7: expected ; before }\n" },
	{ "no }", "a {\n b { c;\n }\n", "c:4:1: expected } for the { of line 1\n" },
	{ "two } missing", "a {\n b {", "c:2:5: expected } for the { of line 2\n"
	  "c:2:5: expected } for the { of line 1\n" },
	{ "stray }", "a; }\nb; }", "c:1:4: unexpected }: no block is open\n"
	  "c:2:4: unexpected }: no block is open\n" },
	{ "stray ;", ";", "c:1:1: expected a statement before ;\n" },
	{ "; after }", "a { b; };", "c:1:9: unexpected ; after }\n" },
	{ "block without word", "{ a; }", "c:1:1: expected a word before {\n" },
	{ "text open", "a \"b;\nc \"d\\\";\ne;", "c:1:3: text does not end on its line\n"
	  "c:2:3: text does not end on its line\n" },
	{ "text open at the end", "a \"b", "c:1:3: text does not end on its line\n" },
	{ "backslash at the end", "a \"\\", "c:1:3: text does not end on its line\n" },
	{ "text open before CR LF", "a \"b\r\nc;", "c:1:3: text does not end on its line\n" },
	{ "unknown escape", "a \"b\\c\";",
	  "c:1:6: expected \" \\ n or t after the backslash in a text\n" },
	{ "regex open", "a matches /b;\nc;",
	  "c:1:11: regular expression does not end on its line\n" },
	{ "regex open with escape", "a matches /b\\/;",
	  "c:1:11: regular expression does not end on its line\n" },
	{ "regex and more", "a matches /b/i5;", "c:1:15: expected a blank before `5'\n" },
	{ "text behind word", "a b\"c\";", "c:1:4: expected a blank before `\"'\n" },
	{ "word behind text", "a \"b\"c;", "c:1:6: expected a blank before `c'\n" },
	{ "control", "a \x01\x02;\nb \x7f;", "c:1:3: control character \\x01 in the file\n"
	  "c:2:3: control character \\x7f in the file\n" },
	{ "bare CR", "a;\rb;", "c:1:3: control character \\x0d in the file\n" },
	{ "control in text", "a \"\x01\";", "c:1:4: control character \\x01 in a text\n" },
	{ "control in comment", "# \x01\x02\n", "c:1:3: control character \\x01 in a comment\n" },
	{ "control in regex", "matches /\x01/;",
	  "c:1:10: control character \\x01 in a regular expression\n" },
	{ "single quote", "a 'b';", "c:1:3: unexpected `'': a text stands in \"\"\n"
	  "c:1:5: unexpected `'': a text stands in \"\"\n" },
	{ "lone !", "a ! b;", "c:1:3: expected != here, or the word `not'\n" },
	{ "not ASCII", "a \xc3\xa4;", "c:1:3: unexpected byte \\xc3: what is not ASCII "
	  "stands in \"\" or in a comment\n" },
	{ "17 deep", "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{b;}c;}}}}}}}}}}}}}}}}}",
	  "c:1:34: blocks nest more than 16 deep\n" },
	{ "missing file", "include \"x\";", "c:1:9: cannot read x: No such file\n" },
	{ "include itself", "a;\ninclude \"./c\";", "c:2:9: c includes itself\n" },
	{ "include and more", "include \"x\" y;",
	  "c:1:13: expected ; after the path of the file\n" },
	{ "include with block", "include \"x\" { }",
	  "c:1:13: expected ; after the path of the file\n" },
	{ "include nothing", "include \"\";", "c:1:9: expected the path of a file\n" },
	{ "include with LF", "include \"a\\nb\";", "c:1:9: expected the path of a file\n" },
};

static void
test_good(void **state)
{
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct memory m = { .files = { { "c", good[i].in } } };
		struct node *tree = memory_tree(&m);
		char *out = memory_print(&m, tree);

		print_message("# %s\n", good[i].name);
		assert_string_equal(buf_text(&m.complaints.text), "");
		assert_true(m.ok);
		if (good[i].out != NULL)
			assert_string_equal(out, good[i].out);
		struct memory again = { .files = { { "c", out } } };

		assert_string_equal(memory_print(&again, memory_tree(&again)), out);
		memory_free(&m);
		memory_free(&again);
	}
}

static void
test_bad(void **state)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct memory m = { .files = { { "c", bad[i].in } } };

		print_message("# %s\n", bad[i].name);
		assert_null(memory_tree(&m));
		assert_false(m.ok);
		assert_string_equal(buf_text(&m.complaints.text), bad[i].out);
		memory_free(&m);
	}
}

/* NUL ends the C strings of the tables. */
static struct span nul_bytes;

static bool
nul_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	*bytes = nul_bytes;
	return true;
}

static void
test_nul(void **state)
{
	struct config_source source = { nul_read };
	struct memory m = { .ok = false };
	bool ok;

	nul_bytes = SPAN_LIT("a \0\0; # \0\nb \"\0\" \"\\\0\" c;");
	assert_null(tree_parse(&source, "c", &m.arena, &m.complaints, &ok));
	assert_false(ok);
	assert_string_equal(buf_text(&m.complaints.text),
	    "c:1:3: control character \\x00 in the file\n"
	    "c:1:9: control character \\x00 in a comment\n"
	    "c:2:4: control character \\x00 in a text\n"
	    "c:2:9: expected \" \\ n or t after the backslash in a text\n");
	memory_free(&m);
}

#define OPEN  "d/x:1:35: expected } for the { of line 1\n"
#define OPEN4 OPEN OPEN OPEN OPEN

/* `c' is d/c here, so that relative paths have a folder. */
static const struct {
	const char *name, *in, *path, *included, *out, *complaints;
} includes[] = {
	{ "in place", "a; include \"x\"; b;", "d/x", "m; n { o; }",
	  "a;\nm;\nn {\n\to;\n}\nb;\n", "" },
	{ "in a block", "a { include \"x\"; b; }", "d/x", "m;", "a {\n\tm;\n\tb;\n}\n", "" },
	{ "empty file", "a { include \"x\"; }", "d/x", "", "a {\n}\n", "" },
	{ "absolute", "include \"/x\";", "/x", "m;", "m;\n", "" },
	{ "cleaned", "include \".//.//e/././x\";", "d/e/x", "m;", "m;\n", "" },
	{ "dots that stay", "include \"../.x/..y\";", "d/../.x/..y", "m;", "m;\n", "" },
	{ "twice", "include \"x\"; include \"x\";", "d/x", "m;", "m;\nm;\n", "" },
	{ "cycle of two", "include \"x\";", "d/x", "\n include \"c\";", "",
	  "d/x:2:10: d/c includes itself\n" },
	{ "} of another file", "a { include \"x\"; }", "d/x", "m; }", "",
	  "d/x:1:4: unexpected }: no block is open\n" },
	{ "} missing in a file", "include \"x\"; }", "d/x", "m {", "",
	  "d/x:1:4: expected } for the { of line 1\n"
	  "d/c:1:14: unexpected }: no block is open\n" },
	{ "too deep in a file", "include \"x\"; b", "d/x", "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{",
	  "", "d/x:1:34: blocks nest more than 16 deep\n"
	  OPEN4 OPEN4 OPEN4 OPEN4 "d/c:1:15: expected ; before the end of the file\n" },
	{ "; of another file", "a { include \"x\"; }", "d/x", "m", "",
	  "d/x:1:2: expected ; before the end of the file\n" },
};

static void
test_includes(void **state)
{
	for (size_t i = 0; i < COUNT_OF(includes); i++) {
		struct memory m = { .files = { { "d/c", includes[i].in },
		    { includes[i].path, includes[i].included } } };

		print_message("# %s\n", includes[i].name);
		assert_string_equal(memory_print(&m, memory_tree(&m)), includes[i].out);
		assert_string_equal(buf_text(&m.complaints.text), includes[i].complaints);
		assert_true(m.ok == (*includes[i].complaints == '\0'));
		memory_free(&m);
	}
}

/* Every file includes the next: as deep as it goes, and one more. */
static bool
chain_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	static char text[64];
	int at = atoi(path);

	snprintf(text, sizeof text, at < atoi(strchr(path, '.') + 1) ?
	    "include \"%d%s\";" : "a;", at + 1, strchr(path, '.'));
	*bytes = span_text(text);
	return true;
}

static void
test_include_depth(void **state)
{
	struct config_source source = { chain_read };
	struct memory m = { .ok = false };
	bool ok;

	assert_non_null(tree_parse(&source, "0.16", &m.arena, &m.complaints, &ok));
	assert_true(ok);
	assert_null(tree_parse(&source, "0.17", &m.arena, &m.complaints, &ok));
	assert_false(ok);
	assert_string_equal(buf_text(&m.complaints.text),
	    "16.17:1:9: files are included more than 16 deep\n");
	memory_free(&m);
}

static struct span
repeat(struct memory *m, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_add(&m->out, span_text(text));
	return span_text(buf_text(&m->out));
}

/* What is above a limit is one complaint, and the end. */
static void
test_limits(void **state)
{
	static const struct { const char *text; size_t times; const char *out; } limits[] = {
		{ "include \"x\"; ", CONFIG_FILES, "c:1:12996: the configuration has too many files\n" },
		{ "a;\n", TREE_TOKENS + 1,
		  "c:1048577:1: the configuration has too many words\n" },
		{ "#2345678901234567890123456789012345678901234567890123456789012\n",
		  CONFIG_BYTES / 63 + 1, "c:1:1: the configuration is too large\n" },
	};

	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		struct memory m = { .files = { { "c", "" }, { "x", "" } } };

		m.files[0].text = (const char *)repeat(&m, limits[i].text, limits[i].times).ptr;
		assert_null(memory_tree(&m));
		assert_string_equal(buf_text(&m.complaints.text), limits[i].out);
		memory_free(&m);
	}
}

/* A file counts as often as it is read: what is left takes two of the small one. */
static void
test_bytes_of_all(void **state)
{
	struct memory m = { .files = { { "c", "include \"x\";include \"x\";include \"x\";"
	    "include \"x\";\ninclude \"y\";include \"y\";include \"y\";" }, { "x", NULL }, { "y", NULL } } };
	struct buf four = { 0 };

	memset(buf_room(&four, 4 << 20), '\n', (4 << 20) - 100);
	buf_added(&four, (4 << 20) - 100);
	m.files[1].text = buf_text(&four);
	m.files[2].text = "#234567890123456789012345678901234567890123456789"
	    "01234567890123456789012345678901234567890123456789"
	    "01234567890123456789012345678901234567890123456789";
	assert_null(memory_tree(&m));
	assert_string_equal(buf_text(&m.complaints.text),
	    "c:2:33: the configuration is too large\n");
	buf_free(&four);
	memory_free(&m);
}

static void
test_regex(void **state)
{
	struct memory m = { .files = { { "c", "matches /\\/b\\\\\\d/ix c;" } } };
	struct node *n = memory_tree(&m);

	assert_true(m.ok);
	assert_int_equal(n->token_count, 3);
	assert_int_equal(n->tokens[1].kind, TOKEN_REGEX);
	assert_true(span_equal(n->tokens[1].text, SPAN_LIT("/b\\\\\\d")));
	assert_true(span_equal(n->tokens[1].flags, SPAN_LIT("ix")));
	memory_free(&m);
}

static void
test_many_complaints(void **state)
{
	struct memory m = { .files = { { "c", ";;;;;;;;;;;;;;;;;;;;;;;;;" } } };
	unsigned lines = 0;

	assert_null(memory_tree(&m));
	for (const char *p = buf_text(&m.complaints.text); *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, CONFIG_ERRORS + 1);
	assert_int_equal(m.complaints.count, 25);
	assert_non_null(strstr(buf_text(&m.complaints.text), "\nthere are more errors\n"));
	memory_free(&m);
}

static void
test_places(void **state)
{
	struct memory m = { .files = { { "c", "a \"b\" <=\n\t{\n  c\n;\n}" } } };
	struct node *n = memory_tree(&m);

	assert_true(m.ok);
	assert_int_equal(n->token_count, 3);
	assert_int_equal(n->tokens[1].place.line, 1);
	assert_int_equal(n->tokens[1].place.column, 3);
	assert_int_equal(n->tokens[2].place.column, 7);
	assert_int_equal(n->children->tokens->place.line, 3);
	assert_int_equal(n->children->tokens->place.column, 3);
	assert_int_equal(n->children->end.line, 4);
	assert_int_equal(n->end.line, 5);
	assert_int_equal(n->end.column, 1);
	assert_string_equal(n->end.file, "c");
	memory_free(&m);
}

/*
 * The reference: the grammar by recursive descent over the bytes of a small alphabet,
 * writing what statement_print should.
 */
struct reference { const char *p; struct buf out; bool ok; };

/* From quote to quote; of the escapes only \" and \\ are in the alphabet. */
static size_t
reference_text(struct reference *r)
{
	size_t n = 1;

	for (; r->p[n] != '"' && r->p[n] != '\0'; n++) {
		if (r->p[n] != '\\')
			continue;
		n++;
		r->ok = r->ok && (r->p[n] == '"' || r->p[n] == '\\');
		if (r->p[n] == '\0')
			return n;
	}
	r->ok = r->ok && r->p[n] == '"';
	return n + r->ok;
}

/* `a' stands for all words, which nothing but marks, operators and blanks may follow. */
static void
reference_token(struct reference *r)
{
	size_t n = 1;

	if (*r->p == 'a')
		n = strspn(r->p, "a");
	else if (*r->p == '"')
		n = reference_text(r);
	buf_add(&r->out, (struct span){ (const uint8_t *)r->p, n });
	r->ok = r->ok && (*r->p == '=' || (r->p[n] != 'a' && r->p[n] != '"'));
	r->p += n;
}

static void
reference_blanks(struct reference *r)
{
	while (*r->p == ' ')
		r->p++;
}

static void
reference_block(struct reference *r, unsigned depth)
{
	for (reference_blanks(r); r->ok && *r->p != '\0' && *r->p != '}'; reference_blanks(r)) {
		unsigned tokens = 0;

		for (unsigned i = 0; i < depth; i++)
			buf_byte(&r->out, '\t');
		for (; r->ok && memchr("a=\"", *r->p, 3) != NULL; reference_blanks(r)) {
			if (tokens++ > 0)
				buf_byte(&r->out, ' ');
			reference_token(r);
		}
		r->ok = r->ok && tokens > 0 && (*r->p == ';' || *r->p == '{');
		if (r->ok && *r->p++ == '{') {
			buf_printf(&r->out, " {\n");
			reference_block(r, depth + 1);
			for (unsigned i = 0; i < depth; i++)
				buf_byte(&r->out, '\t');
			r->ok = r->ok && *r->p == '}';
			r->p += r->ok;
			buf_printf(&r->out, "}\n");
		} else
			buf_printf(&r->out, ";\n");
	}
}

static void
compare(const char *text)
{
	struct memory m = { .files = { { "c", text } } };
	struct reference r = { .p = text, .ok = true };
	struct node *tree = memory_tree(&m);

	reference_block(&r, 0);
	r.ok = r.ok && *r.p == '\0';
	if (r.ok != m.ok)
		fail_msg("%s: %s", text, buf_text(&m.complaints.text));
	if (r.ok && !span_equal(span_text(memory_print(&m, tree)), buf_span(&r.out)))
		fail_msg("%s: %s", text, buf_text(&m.out));
	buf_free(&r.out);
	memory_free(&m);
}

static void
test_exhaustive(void **state)
{
	static const char alphabet[] = "a;{}\"\\= ";
	char text[7];

	for (size_t len = 0; len < sizeof text; len++)
		for (size_t n = 0; n < 1u << (3 * len); n++) {
			for (size_t i = 0; i < len; i++)
				text[i] = alphabet[n >> (3 * i) & 7];
			text[len] = '\0';
			compare(text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_include_depth),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bytes_of_all),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_many_complaints),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_exhaustive),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
