/*
 * test_text.c - tokenizer at every cut, visible and hidden text by tables, hostile input.
 */
#include "lib/content/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

/* --- the tokenizer, written down ------------------------------------------------- */

struct writer { struct html_handler handler; struct buf out; bool texting; };

static void
write_text(struct html_handler *h, struct span s)
{
	struct writer *w = container_of(h, struct writer, handler);

	if (!w->texting)
		buf_byte(&w->out, '|');
	w->texting = true;
	buf_add(&w->out, s);
}

static void
write_tag(struct html_handler *h, const struct html_tag *t)
{
	struct writer *w = container_of(h, struct writer, handler);

	w->texting = false;
	buf_printf(&w->out, "<%s%s", t->end ? "/" : "", html_element_name(t->element));
	for (size_t a = 1; a < HTML_ATTRIBUTES; a++)
		if (t->value[a].ptr != NULL)
			buf_printf(&w->out, " %zu=%.*s", a, (int)t->value[a].len,
			    (const char *)t->value[a].ptr);
	buf_printf(&w->out, "%s>%u", t->cut ? " cut" : "", t->attributes);
}

/* What the tokenizer tells, with the input cut at `cut` and `cut2`. */
static char *
tokens(struct span in, size_t cut, size_t cut2, struct html_oddities *odd)
{
	struct writer w = { .handler = { write_text, write_tag } };
	struct html *h = must_alloc(sizeof *h);

	html_init(h, &w.handler);
	html_feed(h, span_slice(in, 0, cut));
	html_feed(h, span_slice(in, cut, cut2));
	html_feed(h, span_slice(in, cut2, in.len));
	html_finish(h);
	*odd = h->odd;
	char *text = strdup(buf_text(&w.out));

	buf_free(&w.out);
	free(h);
	return text;
}

#define HREF "13"
static const struct { const char *name, *in, *out; } token_rows[] = {
	{ "text", "a b", "|a b" },
	{ "tag", "<P>x</p >y", "<p>0|x</p>0|y" },
	{ "values", "<a href=x><a href='a>b'><a HREF = \"c\"\n><a href=><a href>",
	    "<a " HREF "=x>1<a " HREF "=a>b>1<a " HREF "=c>1<a " HREF "=>1<a " HREF "=>1" },
	{ "first one wins", "<a href=1 href=2>", "<a " HREF "=1>2" },
	{ "slashes", "<br/><a/href=x/>", "<br>0<a " HREF "=x/>1" },
	{ "quote in a value", "<a title=it's href=x>", "<a " HREF "=x>2" },
	{ "quote as a name", "<a \"b href=x>", "<a " HREF "=x>2" },
	{ "equals first", "<a =href=x href=y>", "<a " HREF "=y>2" },
	{ "unknown", "<o:p x=1>", "<>1" },
	{ "long name", "<aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd>", "<>0" },
	{ "no tag", "a<b a < b <1 <", "|a" },
	{ "not a tag", "1 < 2 <3 <", "|1 < 2 <3 <" },
	{ "end", "</", "|</" },
	{ "bogus", "a<!x>b<?y?>c</ z>d</>e", "|abcde" },
	{ "comment", "a<!-- <b> -- > --->b", "|ab" },
	{ "short comments", "a<!-->b<!--->c<!---->d<!--x--!>e", "|abcde" },
	{ "no comment", "a<!->b", "|ab" },
	{ "comment not ended", "a<!-- b", "|a" },
	{ "cdata", "a<![CDATA[b]]>c", "|ac" },
	{ "script", "<script>a<b</scrip></script x>c", "<script>0|a<b</scrip></script>1|c" },
	{ "script end by case", "<script></SCRIPT>c", "<script>0</script>0|c" },
	{ "script, no references", "<script>&amp;</script>", "<script>0|&amp;</script>0" },
	{ "title", "<title>a &lt;b> <b></title>", "<title>0|a <b> <b></title>0" },
	{ "raw not ended", "<style>a</STYL", "<style>0|a</STYL" },
	{ "references", "&lt;&amp&#65;&#x42;&#x43&eacute;", "|<&ABC\xc3\xa9" },
	{ "no references", "& &; &# &#; &#x; &xyz; &lang", "|& &; &# &#; &#x; &xyz; &lang" },
	{ "old ones", "&copyx &notit; &ltb", "|\xc2\xa9x \xc2\xacit; <b" },
	{ "zeros", "&#00000000000000000000000000000000000000000000065;", "|A" },
	{ "hexadecimal zeros", "&#x00000000000000000000000000000000000000000000041;", "|A" },
	{ "bad numbers", "&#0;&#xd800;&#x110000;&#99999999999999999999;",
	    "|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "windows", "&#146;", "|\xe2\x80\x99" },
	{ "in values", "<a href='?a&copy=1&lt=2&lt;3&amp;4&copyx&#x35'>",
	    "<a " HREF "=?a&copy=1&lt=2<3&4&copyx5>1" },
	{ "in values, old at the end", "<a href=a&amp>", "<a " HREF "=a&>1" },
};

static void
test_tokens(void **state)
{
	for (size_t i = 0; i < COUNT_OF(token_rows); i++) {
		struct span in = span_text(token_rows[i].in);

		for (size_t a = 0; a <= in.len; a++)
			for (size_t b = a; b <= in.len; b++) {
				struct html_oddities odd;
				char *out = tokens(in, a, b, &odd);

				if (strcmp(out, token_rows[i].out) != 0)
					fail_msg("%s at %zu, %zu: %s", token_rows[i].name, a, b, out);
				free(out);
			}
	}
}

/* Every word over a small alphabet: the same whole and byte by byte, and nothing of the
   text is lost where there is no markup. */
static void
test_exhaustive(void **state)
{
	static const char letters[] = "<>/!-a='&; ";
	const size_t n = sizeof letters - 1, len = 5;
	size_t words = 1;

	for (size_t i = 0; i < len; i++)
		words *= n;
	for (size_t word = 0; word < words; word++) {
		uint8_t text[5];
		struct html_oddities one, two;
		size_t rest = word;

		for (size_t i = 0; i < len; i++, rest /= n)
			text[i] = (uint8_t)letters[rest % n];
		struct span in = { text, len };
		char *whole = tokens(in, len, len, &one);
		char *cut = tokens(in, word % 6, word % 6 + (5 - word % 6) / 2, &two);

		if (strcmp(whole, cut) != 0 || memcmp(&one, &two, sizeof one) != 0)
			fail_msg("%.5s: %s, %s", (const char *)text, whole, cut);
		if (memchr(text, '<', len) == NULL && memchr(text, '&', len) == NULL)
			assert_int_equal(strlen(whole), len + 1);
		free(whole);
		free(cut);
	}
}

static void
test_oddities(void **state)
{
	struct html_oddities odd;

	free(tokens(SPAN_LIT("<!--a--><!--[if mso]>x<![endif]--><!doctype html>&#65;&nbsp;<a "),
	    3, 20, &odd));
	assert_int_equal(odd.comments, 2);
	assert_int_equal(odd.conditional, 1);
	assert_int_equal(odd.declarations, 1);
	assert_int_equal(odd.entities, 2);
	assert_int_equal(odd.ascii_entities, 1);
	assert_true(odd.unfinished);
}

/* --- what is seen ----------------------------------------------------------------- */

static struct content_limits
small_limits(void)
{
	return CONTENT_LIMITS_DEFAULT;
}

static void
read_part(struct content_text *t, struct span in, const char *charset, bool html,
    struct arena *arena)
{
	struct content_limits limits = small_limits();
	struct content_tools tools = { 0 };

	content_text(t, in, span_text(charset), html, &limits, &tools, arena);
}

static const struct { const char *name, *in, *visible, *hidden; unsigned hides; } seen[] = {
	{ "plain", "a  b\n\n c", "a b c", "", 0 },
	{ "blocks", "<p>a<p>b<div>c</div>d<br>e<b>f</b>g", "a\nb\nc\nd\nefg", "", 0 },
	{ "table", "<table><tr><td>a<td>b<tr><td>c</table>d", "a b\nc\nd", "", 0 },
	{ "list", "<ul><li>a<li>b</ul>", "a\nb", "", 0 },
	{ "pre", "<pre>a\n  b</pre>", "a\nb", "", 0 },
	{ "script, style, comment", "a<script>x</script><style>y</style><!--z-->b", "ab", "", 0 },
	{ "without width", "v&shy;i\xe2\x80\x8b" "a&zwnj;g\xef\xbb\xbfra", "viagra", "", 0 },
	{ "blanks", "a&nbsp;&#8195;b\xe3\x80\x80" "c", "a b c", "", 0 },
	{ "not special", "\xe2\x82\xac\xc3\xa9\xe3\x81\x82\xc2\xa9", "\xe2\x82\xac\xc3\xa9\xe3\x81\x82\xc2\xa9",
	    "", 0 },
	{ "display", "a<div style='display:none'>x<b>y</b></div>b", "ab", "xy", HIDES_DISPLAY },
	{ "inside a word", "vi<span style='display: none !important'>x</span>agra", "viagra", "x",
	    HIDES_DISPLAY },
	{ "visibility and back", "<p style=visibility:hidden>x<b style=visibility:visible>y</b>z",
	    "y", "x z", HIDES_VISIBILITY },
	{ "size", "<font style='font-size:0px'>x</font><b style='font-size:1pt'>y</b>"
	    "<b style='font-size:9px'>z</b>", "z", "x y", HIDES_SIZE },
	{ "size and back", "<td style=font-size:0>x<p style='font-size:12px'>y", "y", "x",
	    HIDES_SIZE },
	{ "size by shorthand", "<p style='font: bold 0/0 a'>x", "", "x", HIDES_SIZE },
	{ "relative size", "<p style=font-size:10%>a<b style=font-size:50%>x", "a", "x",
	    HIDES_SIZE },
	{ "opacity", "<p style='opacity:0'>x", "", "x", HIDES_OPACITY },
	{ "colour", "<p style='color:#fff'>x", "", "x", HIDES_COLOR },
	{ "nearly", "<font color=fefefe>x</font>y", "y", "x", HIDES_COLOR },
	{ "white on black", "<div style='background:black'><p style='color:#fff'>x", "x", "", 0 },
	{ "black on black", "<table bgcolor=#000><td>x</table>y", "y", "x", HIDES_COLOR },
	{ "white on an image", "<td background=i.png style='color:white'>x", "x", "", 0 },
	{ "white on another image", "<td style='background:#fff url(i.png);color:white'>x", "x",
	    "", 0 },
	{ "body", "<body bgcolor=black text=white>x<font color=black>y", "x", "y", HIDES_COLOR },
	{ "transparent", "<p style='color:rgba(0,0,0,0)'>x", "", "x", HIDES_COLOR },
	{ "rgb", "<p style='color:rgb(255,255,250)'>x<p style='color:rgb(10,0,0)'>y", "y", "x",
	    HIDES_COLOR },
	{ "box", "<div style='max-height:0;overflow:hidden'>x</div>y", "y", "x", HIDES_BOX },
	{ "1x1", "<div style='width:1px;height:1px;overflow:hidden'>x", "", "x", HIDES_BOX },
	{ "no overflow", "<div style='height:0'>x", "x", "", 0 },
	{ "indent", "<p style='text-indent:-9999px'>x", "", "x", HIDES_INDENT },
	{ "position", "<p style='position:absolute;left:-9999px'>x", "", "x", HIDES_POSITION },
	{ "no position", "<p style='left:-9999px'>x", "x", "", 0 },
	{ "attribute", "<p hidden>x</p>y", "y", "x", HIDES_ATTRIBUTE },
	{ "style block", "<style>/*a*/.q, b.r {display:none} #i{font-size:0}</style>"
	    "<p class='z q'>x<p class=r>y<p id=i>z", "y", "x\nz", HIDES_DISPLAY | HIDES_SIZE },
	{ "rule under one thing, then another", "<style>.a{font-style:italic}</style>"
	    "<div style=display:none><b class=a>x</b></div><b class=a>y</b>", "y", "x",
	    HIDES_DISPLAY },
	{ "rule on two sizes", "<style>.a{font-size:10%}</style><p class=a>y<p style=font-size:5px>"
	    "<b class=a>x</b>", "y", "x", HIDES_SIZE },
	{ "rule behind another", "<style>.h{height:0}.a{overflow:hidden}</style><p class=a>y"
	    "<p class='h a'>x<p class=a>z", "y\nz", "x", HIDES_BOX },
	{ "only on paper", "<style>@media print{.q{display:none}}</style><p class=q>x", "x", "",
	    0 },
	{ "escape in a style", "<p style='dis\\70lay:n/**/one'>x", "", "x", HIDES_DISPLAY },
	{ "quoted semicolon", "<p style='font-family:\";display:none\"'>x", "x", "", 0 },
	{ "paragraph ends paragraph", "<p hidden>x<p>y", "y", "x", HIDES_ATTRIBUTE },
	{ "cell ends cell", "<table><tr><td hidden>x<td>y</table>", "y", "x", HIDES_ATTRIBUTE },
	{ "end tag of nothing", "<div hidden>x</b></u>y</div>z", "z", "xy", HIDES_ATTRIBUTE },
	{ "end tag from a cell", "<div hidden><table><td>x</div>y</table></div>z", "z", "x\ny",
	    HIDES_ATTRIBUTE },
	{ "nested", "<div hidden><div>x</div>y</div>z", "z", "x\ny", HIDES_ATTRIBUTE },
	{ "template", "<template>x</template>y", "y", "x", HIDES_DISPLAY },
	{ "frame content", "<iframe>x</iframe>y<noscript>z</noscript>", "yz", "", 0 },
};

static void
check_text(const char *name, const char *what, struct span is, const char *should)
{
	if (!span_equal(is, span_text(should)))
		fail_msg("%s, %s: \"%.*s\"", name, what, (int)is.len, (const char *)is.ptr);
}

static void
test_seen(void **state)
{
	for (size_t i = 0; i < COUNT_OF(seen); i++) {
		struct arena arena = { 0 };
		struct content_text t;

		read_part(&t, span_text(seen[i].in), "utf-8", true, &arena);
		check_text(seen[i].name, "visible", t.visible, seen[i].visible);
		check_text(seen[i].name, "hidden", t.hidden, seen[i].hidden);
		if (t.hides != seen[i].hides)
			fail_msg("%s: hides %x", seen[i].name, t.hides);
		assert_int_equal(t.visible_bytes, t.visible.len);
		assert_int_equal(t.hidden_bytes, t.hidden.len);
		assert_int_equal(t.cut, 0);
		arena_free(&arena);
	}
}

static const struct { const char *name, *in, *charset; bool html; const char *out; } sets[] = {
	{ "plain text stays", "a  b\r\n<c>&amp;", "", false, "a  b\r\n<c>&amp;" },
	{ "latin 1", "\xe9", "iso-8859-1", false, "\xc3\xa9" },
	{ "latin 1 in HTML", "<p>\xe9", "iso-8859-1", true, "\xc3\xa9" },
	{ "its own word", "<meta charset='iso-8859-1'><p>\xe9", "", true, "\xc3\xa9" },
	{ "its own word by http-equiv", "<meta http-equiv=content-type "
	    "content='text/html; charset=koi8-r'>\xc1", "", true, "\xd0\xb0" },
	{ "byte order mark", "\xef\xbb\xbf" "a", "iso-8859-1", false, "a" },
};

static void
test_charsets(void **state)
{
	for (size_t i = 0; i < COUNT_OF(sets); i++) {
		struct arena arena = { 0 };
		struct content_text t;

		read_part(&t, span_text(sets[i].in), sets[i].charset, sets[i].html, &arena);
		check_text(sets[i].name, "visible", t.visible, sets[i].out);
		arena_free(&arena);
	}
}

static void
test_title_and_counts(void **state)
{
	static const char in[] = "<html><head><title> A &amp;\n b</title><base href=http://x.example/>"
	    "</head><body><h1>h</h1><table><tr><td>1<td>2</table><font color=red>f</font>"
	    "<form action=/f><input type=PASSWORD><input type=hidden></form><ul><li>u</ul>"
	    "<img src=http://a.example/i><img src=data:image/png;base64,AA><o:p>"
	    "<script src=s.js></script><style>a{}</style><iframe src=f></iframe>"
	    "<a href='javascript:x()'>j</a><meta http-equiv=refresh content='0;url=http://r.example'>";
	struct arena arena = { 0 };
	struct content_text t;

	read_part(&t, SPAN_LIT(in), "", true, &arena);
	check_text("title", "title", t.title, "A & b");
	const struct content_counts *c = &t.counts;

	assert_int_equal(c->headings, 1);
	assert_int_equal(c->tables, 1);
	assert_int_equal(c->cells, 2);
	assert_int_equal(c->font_colors, 1);
	assert_int_equal(c->forms, 1);
	assert_int_equal(c->inputs, 2);
	assert_int_equal(c->passwords, 1);
	assert_int_equal(c->hidden_inputs, 1);
	assert_int_equal(c->lists, 1);
	assert_int_equal(c->images, 2);
	assert_int_equal(c->external_images, 1);
	assert_int_equal(c->data_images, 1);
	assert_int_equal(c->unknown, 1);
	assert_int_equal(c->scripts, 1);
	assert_int_equal(c->styles, 1);
	assert_int_equal(c->frames, 1);
	assert_int_equal(c->handlers, 1);
	assert_int_equal(c->refreshes, 1);
	assert_int_equal(c->bases, 1);
	arena_free(&arena);
}

static void
test_limits(void **state)
{
	struct content_limits limits = { .bytes = 200, .text = 5, .hidden = 2, .title = 3,
		.url = 12, .links = 2 };
	struct content_tools tools = { 0 };
	struct arena arena = { 0 };
	struct content_text t;

	content_text(&t, SPAN_LIT("<title>title</title>abc\xc3\xa9\xc3\xa9<p hidden>xyz</p>"
	    "<a href=http://a.example/b>1</a><a href=b>2</a><a href=c>3</a>"), SPAN_NONE, true,
	    &limits, &tools, &arena);
	check_text("limits", "visible", t.visible, "abc\xc3\xa9");
	check_text("limits", "hidden", t.hidden, "xy");
	check_text("limits", "title", t.title, "tit");
	assert_int_equal(t.hidden_bytes, 3);
	assert_int_equal(t.link_count, 2);
	assert_int_equal(t.links_seen, 3);
	check_text("limits", "url", t.links[0].url, "http://a.exa");
	assert_true(t.links[0].flags & LINK_CUT);
	assert_int_equal(t.cut, CONTENT_CUT_TEXT | CONTENT_CUT_HIDDEN | CONTENT_CUT_LINKS);
	arena_free(&arena);
}

/* --- hostile ---------------------------------------------------------------------- */

static const struct { const char *name, *start, *repeat; } hostile[] = {
	{ "less-than signs", "", "<" }, { "open tags", "", "<a" }, { "attributes", "<a", " href" },
	{ "huge value", "<a href='", "x" }, { "huge name", "<", "x" },
	{ "nested divs", "", "<div>" }, { "nested hidden", "", "<div hidden>x" },
	{ "unmatched ends", "<b><i><u><p>", "</div>" }, { "paragraphs", "<table><td>", "<p>x" },
	{ "paragraph below many", "<p>", "<b><div>" }, { "items", "", "<li><b>" },
	{ "ampersands", "", "&" }, { "references", "", "&#" }, { "names", "", "&lt" },
	{ "zeros", "&#", "0" }, { "comments", "", "<!--" }, { "comment", "<!--", "-" },
	{ "bangs", "<!--", "--!" }, { "raw", "<script>", "</script" }, { "title", "<title>", "<" },
	{ "anchors", "", "<a href=http://x.example/>x" }, { "links", "", "http://x.example/ " },
	{ "one link", "", "http://" }, { "mails", "", "a@b.example " }, { "ats", "", "a@b" },
	{ "dots", "", "w." }, { "www", "", "www.www" }, { "brackets", "http://x.example/", ")" },
	{ "two brackets", "http://x.example/", ")]}" },
	{ "srcset", "<img srcset='", "a 1x, " }, { "styles", "<p style='", "a:b;" },
	{ "style tags", "", "<p style='color:#fff;display:none;font:0/0 a'>x" },
	{ "sheets", "", "<style>a{b:c}</style>" },
	{ "braces", "<style>", "{" }, { "rules", "<style>", "a{color:red}" },
	{ "sheet comments", "<style>", "/*" }, { "escapes", "<p style='", "\\70" },
	{ "urls in a sheet", "<style>", "url(" },
	{ "rules used", "<style>.a{x:y;x:y;x:y;x:y;x:y;x:y;x:y;x:y;x:y;x:y;x:y}</style>",
	    "<b class='a a a a a a a a'>" },
	{ "zero width", "", "\xe2\x80\x8b" },
};

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Text is folded by runs of words: the same, whatever the limit, as character by character,
   which tags that show nothing make of it. */
static void
check_folding(struct span in, size_t limit)
{
	struct content_limits limits = CONTENT_LIMITS_DEFAULT;
	struct content_tools tools = { 0 };
	struct content_text runs, one;
	struct arena arena = { 0 };
	struct buf parted = { 0 };

	for (size_t i = 0; i < in.len; i++) {
		if ((in.ptr[i] & 0xc0) != 0x80)
			buf_add(&parted, SPAN_LIT("<b></b>"));
		buf_byte(&parted, in.ptr[i]);
	}
	limits.text = limit;
	content_text(&runs, in, SPAN_LIT("utf-8"), true, &limits, &tools, &arena);
	content_text(&one, buf_span(&parted), SPAN_LIT("utf-8"), true, &limits, &tools, &arena);
	assert_true(span_equal(runs.visible, one.visible));
	assert_true(runs.visible_bytes == one.visible_bytes && runs.cut == one.cut);
	assert_true(runs.counts.invisible == one.counts.invisible);
	buf_free(&parted);
	arena_free(&arena);
}

static void
test_folding(void **state)
{
	static const char *const words[] = { " ", "  ", "\n", "word", "a", "\xc3\xa4\xc3\xb6",
		"\xe2\x82\xac", "\xe2\x80\x8b", "\xc2\xa0", "seventeen letters", "\x7f", "\t",
		" x y z ", "\xd0\x9f\xd1\x80\xd0\xb8 ", "~ ~ " };
	unsigned random = 1;
	char text[1024];

	for (unsigned turn = 0; turn < 5000; turn++) {
		size_t n = 0;

		for (unsigned k = turn % 24; k > 0; k--) {
			random = random * 1103515245 + 12345;
			const char *word = words[(random >> 16) % COUNT_OF(words)];

			n += (size_t)sprintf(text + n, "%s", word);
		}
		check_folding((struct span){ (uint8_t *)text, n },
		    turn % 3 == 0 ? 1000 : turn % 97);
	}
}

/* Runs longer than are put at once; words longer than that. */
static void
test_long_runs(void **state)
{
	uint8_t text[9000];

	for (size_t gap = 1; gap < sizeof text; gap = gap * 3 + 1)
		for (size_t limit = 4000; limit < sizeof text + 100; limit += 911) {
			for (size_t i = 0; i < sizeof text; i++)
				text[i] = i % gap == gap - 1 ? ' ' : 'x';
			check_folding((struct span){ text, sizeof text }, limit);
		}
}

/* A megabyte of each: bounded memory, and no more than a second even with sanitizers. */
static void
test_hostile(void **state)
{
	for (size_t i = 0; i < COUNT_OF(hostile); i++) {
		struct buf in = { 0 };
		struct arena arena = { 0 };
		struct content_text t;
		double start = seconds();

		buf_add(&in, span_text(hostile[i].start));
		while (buf_len(&in) < 1u << 20)
			buf_add(&in, span_text(hostile[i].repeat));
		read_part(&t, buf_span(&in), "", true, &arena);
		read_part(&t, buf_span(&in), "", false, &arena);
		double took = seconds() - start;

		if (took > 1.0)
			fail_msg("%s: %.2f s", hostile[i].name, took);
		if (arena.total > 16u << 20)
			fail_msg("%s: %zu bytes", hostile[i].name, arena.total);
		if (getenv("SHOW_TIMES") != NULL)
			printf("# %-24s %.3f s, %zu KiB\n", hostile[i].name, took, arena.total >> 10);
		arena_free(&arena);
		buf_free(&in);
	}
}

/* Hidden below the stack: still hidden, and visible again behind it. */
static void
test_deep(void **state)
{
	struct buf in = { 0 };
	struct arena arena = { 0 };
	struct content_text t;

	for (unsigned i = 0; i < 1000; i++)
		buf_add(&in, SPAN_LIT("<b>"));
	buf_add(&in, SPAN_LIT("a<i hidden>x<u>y</u>z</i>b"));
	read_part(&t, buf_span(&in), "", true, &arena);
	check_text("deep", "visible", t.visible, "ab");
	check_text("deep", "hidden", t.hidden, "xyz");
	assert_int_equal(t.counts.deep, 1002);
	arena_free(&arena);
	buf_free(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens), cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_oddities), cmocka_unit_test(test_seen),
		cmocka_unit_test(test_charsets), cmocka_unit_test(test_title_and_counts),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_folding), cmocka_unit_test(test_long_runs),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
