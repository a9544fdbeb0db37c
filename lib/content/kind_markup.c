/*
 * kind_markup.c - XML by its root element, HTML, PHP and other text in angle brackets.
 * See kind.h.
 */
#include "lib/content/kind.h"

/* A root's local name; what must stand in its tag or above it (a part of a namespace or
   of a document type), or NULL; the type. */
static const struct { const char *root, *mark; enum file_type type; } roots[] = {
	{ "svg", NULL, FILE_SVG }, { "rss", NULL, FILE_RSS },
	{ "feed", "/Atom", FILE_ATOM },
	{ "RDF", "purl.org/rss/", FILE_RSS }, { "RDF", NULL, FILE_RDF },
	{ "xmpmeta", NULL, FILE_RDF }, { "kml", NULL, FILE_KML },
	{ "gpx", NULL, FILE_GPX },
	{ "osm", NULL, FILE_OSM }, { "stylesheet", NULL, FILE_XSL },
	{ "transform", "XSL", FILE_XSL },
	{ "definitions", "wsdl", FILE_WSDL }, { "math", NULL, FILE_MATHML },
	{ "FictionBook", NULL, FILE_FB2 }, { "article", "docbook", FILE_DOCBOOK },
	{ "book", "docbook", FILE_DOCBOOK }, { "TEI", NULL, FILE_TEI },
	{ "TEI.2", NULL, FILE_TEI },
	{ "teiCorpus", NULL, FILE_TEI }, { "topic", "dita", FILE_DITA },
	{ "map", "dita", FILE_DITA },
	{ "concept", "dita", FILE_DITA }, { "task", "dita", FILE_DITA },
	{ "reference", "dita", FILE_DITA }, { "bookmap", "dita", FILE_DITA },
	{ "DIF", NULL, FILE_DIF_XML }, { "tt", NULL, FILE_TTML },
	{ "xfdf", NULL, FILE_XFDF },
	{ "xdp", NULL, FILE_XDP }, { "playlist", "xspf", FILE_XSPF },
	{ "xliff", NULL, FILE_XLIFF },
	{ "tmx", NULL, FILE_TMX }, { "smil", NULL, FILE_SMIL },
	{ "COLLADA", NULL, FILE_COLLADA },
	{ "X3D", NULL, FILE_X3D }, { "plist", NULL, FILE_PLIST },
	{ "FeatureCollection", "gml", FILE_GML },
	{ "package", "2006/xmlPackage", FILE_OPC_XML },
	{ "wordDocument", NULL, FILE_WORD_XML },
	{ "Workbook", "spreadsheet", FILE_EXCEL_XML },
	{ "document", "opendocument", FILE_FODF },
	{ "scriptlet", NULL, FILE_SCT }, { "job", NULL, FILE_WSF },
	{ "package", "<job", FILE_WSF },
	{ "component", "<script", FILE_SCT }, { "component", "<registration", FILE_SCT },
	{ "PCSettings", NULL, FILE_SETTING_CONTENT },
	{ "assembly", "asm.v2", FILE_CLICKONCE }, { "jnlp", NULL, FILE_JNLP },
};

/* Tags that begin HTML: those of the WHATWG sniffing table and some more that mail
   has. */
static const char *const html_tags[] = { "html", "head", "body", "script", "iframe", "h1",
    "h2",
	"div", "font", "table", "a", "style", "title", "b", "br", "p", "meta", "center",
	"span",
	"img", "form", "frameset", "link", "base", "object", "embed", "ul", "ol", "hr",
	"h3",
	"svg", "video", "input", "marquee", "blockquote", "pre", "tr", "td", "i", "u",
	"em",
	"strong", "noscript", "main", "section", "button", "hta:application" };

/* Behind `end`, or at the end of s. */
static struct span
after(struct span s, const char *end)
{
	const uint8_t *p = find_bytes(s, span_text(end));

	return p == NULL ? span_slice(s, s.len, s.len) :
	    span_slice(s, (size_t)(p - s.ptr) + strlen(end), s.len);
}

/* Behind a document type, which may have an internal subset in brackets. */
static struct span
after_doctype(struct span s)
{
	size_t close = span_find(s, '>'), open = span_find(s, '[');

	return open < close ? after(after(s, "]"), ">") : after(s, ">");
}

/* Behind white space and remarks. */
static struct span
after_remarks(struct span s)
{
	for (s = kind_skip(s); span_starts_nocase(s, SPAN_LIT("<!--")); s = kind_skip(s))
		s = after(s, "-->");
	return s;
}

/* The first tag that is no declaration, remark or instruction. */
static struct span
first_tag(struct span s)
{
	for (s = kind_skip(s); s.len > 2 && s.ptr[0] == '<'; s = kind_skip(s)) {
		if (span_starts_nocase(s, SPAN_LIT("<!--")))
			s = after(s, "-->");
		else if (s.ptr[1] == '?')
			s = after(s, "?>");
		else if (s.ptr[1] == '!')
			s = after_doctype(s);
		else
			return s;
	}
	return span_slice(s, s.len, s.len);
}

static bool
ends_name(uint8_t c)
{
	return c <= ' ' || c == '>' || c == '/';
}

/* The name behind '<', whole. */
static struct span
tag_name(struct span tag)
{
	size_t n = 1;

	while (n < tag.len && !ends_name(tag.ptr[n]))
		n++;
	return span_slice(tag, tag.len > 0 ? 1 : 0, tag.len > 0 ? n : 0);
}

static struct span
local_name(struct span name)
{
	size_t n = span_find(name, ':');

	return n < name.len ? span_slice(name, n + 1, name.len) : name;
}

static enum file_type
html_or_application(struct span s)
{
	return kind_holds(s, "<hta:application", TEXT_BYTES) ? FILE_HTA : FILE_HTML;
}

enum file_type
kind_html(struct span s)
{
	struct span name;

	s = after_remarks(s);
	if (span_starts_nocase(s, SPAN_LIT("<!doctype html")))
		return html_or_application(s);
	name = tag_name(first_tag(s));
	for (size_t i = 0; i < COUNT_OF(html_tags); i++)
		if (span_equal_nocase(name, span_text(html_tags[i])))
			return html_or_application(s);
	return FILE_UNKNOWN;
}

/* Office's XML of 2003 says which program opens it. */
static enum file_type
by_instruction(struct span s)
{
	if (!kind_holds(s, "<?mso-application", 1024))
		return FILE_UNKNOWN;
	if (kind_holds(s, "Excel.Sheet", 1024))
		return FILE_EXCEL_XML;
	return kind_holds(s, "Word.Document", 1024) ? FILE_WORD_XML : FILE_UNKNOWN;
}

static enum file_type
by_root(struct span s, struct span tag)
{
	struct span name = local_name(tag_name(tag));

	for (size_t i = 0; i < COUNT_OF(roots); i++)
		if (span_equal(name, span_text(roots[i].root)) &&
		    (roots[i].mark == NULL || kind_holds(s, roots[i].mark, TEXT_BYTES)))
			return roots[i].type;
	return FILE_UNKNOWN;
}

/* XML without a declaration: a root with a namespace, or one we know. */
static enum file_type
undeclared(struct span s, struct span tag)
{
	struct span head = span_slice(tag, 0, span_find(tag, '>'));
	enum file_type type = by_root(s, tag);

	if (type != FILE_UNKNOWN)
		return type;
	return kind_holds(head, "xmlns", TEXT_BYTES) || kind_holds(s, "<!doctype", 512) ?
	    FILE_XML : FILE_UNKNOWN;
}

static enum file_type
declared(struct span s, struct span tag)
{
	enum file_type type = by_instruction(s);

	if (type == FILE_UNKNOWN && span_equal_nocase(local_name(tag_name(tag)),
	    SPAN_LIT("html")))
		return kind_holds(s, "<hta:application", TEXT_BYTES) ?
		    FILE_HTA : FILE_XHTML;
	if (type == FILE_UNKNOWN)
		type = by_root(s, tag);
	return type != FILE_UNKNOWN ? type : FILE_XML;
}

/* Somewhere below other text: a browser that is told it is HTML shows it. */
static enum file_type
html_inside(struct span s)
{
	if (span_find(s, '<') == s.len)
		return FILE_UNKNOWN;
	return kind_holds(s, "<!doctype html", 1024) || kind_holds(s, "<html>", 1024) ||
	    kind_holds(s, "<html ", 1024) ? html_or_application(s) : FILE_UNKNOWN;
}

enum file_type
kind_markup(struct span s)
{
	struct span start = kind_skip(s), tag;
	enum file_type type;

	if (start.len < 2 || start.ptr[0] != '<')
		return html_inside(s);
	if (span_starts_nocase(start, SPAN_LIT("<?php")) ||
	    span_starts_nocase(start, SPAN_LIT("<?=")))
		return FILE_PHP;
	if (span_starts_nocase(start, SPAN_LIT("<%")))
		return FILE_SCRIPT;
	tag = first_tag(start);
	if (span_starts_nocase(start, SPAN_LIT("<?xml")))
		return declared(start, tag);
	if (span_equal_nocase(tag_name(tag), SPAN_LIT("html")) &&
	    kind_holds(span_slice(tag, 0, span_find(tag, '>')), "1999/xhtml", TEXT_BYTES))
		return kind_holds(s, "<hta:application", TEXT_BYTES) ?
		    FILE_HTA : FILE_XHTML;
	type = kind_html(start);
	if (type == FILE_UNKNOWN || span_starts_nocase(tag, SPAN_LIT("<svg")))
		type = undeclared(start, tag);
	return type != FILE_UNKNOWN ? type : html_inside(s);
}
