/*
 * kind_start.c - kinds of text known by how they start: interpreters' lines, keywords,
 * fields of mail, JSON, tables.  See kind.h.
 */
#include "lib/content/kind.h"

bool
kind_line(struct span *rest, struct span *line)
{
	size_t n;

	if (rest->len == 0)
		return false;
	n = span_find(*rest, '\n');
	n = span_find(span_slice(*rest, 0, n), '\r');
	*line = span_slice(*rest, 0, n);
	if (n + 1 < rest->len && rest->ptr[n] == '\r' && rest->ptr[n + 1] == '\n')
		n++;
	*rest = span_slice(*rest, n < rest->len ? n + 1 : n, rest->len);
	return true;
}

struct span
kind_skip(struct span s)
{
	size_t n = 0;

	while (n < s.len && (s.ptr[n] <= ' '))
		n++;
	return span_slice(s, n, s.len);
}

/* Where a word with this first byte may begin, at or after `from`. */
static size_t
next_start(struct span s, size_t from, uint8_t first)
{
	if (!is_alpha(first))
		return from + span_find(span_slice(s, from, s.len), first);
	while (from < s.len && to_lower(s.ptr[from]) != first)
		from++;
	return from;
}

bool
kind_holds(struct span s, const char *words, size_t reach)
{
	struct span want = span_text(words);
	uint8_t first = to_lower((uint8_t)words[0]);

	if (s.len > reach)
		s.len = reach;
	for (size_t i = next_start(s, 0, first); i + want.len <= s.len;
	    i = next_start(s, i + 1, first))
		if (span_starts_nocase(span_slice(s, i, s.len), want))
			return true;
	return false;
}

/* Interpreters. */

static const struct { const char *name; enum file_type type; } interpreters[] = {
	{ "sh", FILE_SHELL }, { "bash", FILE_SHELL }, { "dash", FILE_SHELL },
	{ "ksh", FILE_SHELL }, { "zsh", FILE_SHELL }, { "csh", FILE_SHELL },
	{ "tcsh", FILE_SHELL }, { "ash", FILE_SHELL }, { "fish", FILE_SHELL },
	{ "busybox", FILE_SHELL }, { "perl", FILE_PERL }, { "python", FILE_PYTHON },
	{ "pypy", FILE_PYTHON }, { "ruby", FILE_RUBY }, { "php", FILE_PHP },
	{ "tclsh", FILE_TCL }, { "wish", FILE_TCL }, { "expect", FILE_TCL },
	{ "lua", FILE_LUA }, { "luajit", FILE_LUA }, { "node", FILE_NODE },
	{ "nodejs", FILE_NODE }, { "deno", FILE_NODE }, { "awk", FILE_AWK },
	{ "gawk", FILE_AWK }, { "mawk", FILE_AWK }, { "nawk", FILE_AWK },
	{ "pwsh", FILE_POWERSHELL },
};

/* The next word, and of a path its last part. */
static struct span
next_word(struct span *s)
{
	struct span word;
	size_t n = 0, from = 0;

	*s = span_trim(*s);
	for (; n < s->len && !is_blank(s->ptr[n]); n++)
		if (s->ptr[n] == '/')
			from = n + 1;
	word = span_slice(*s, from, n);
	*s = span_slice(*s, n, s->len);
	return word;
}

/* "#!/usr/bin/env -S python3 -u" */
static enum file_type
interpreter(struct span line)
{
	struct span rest = span_slice(line, 2, line.len), word = next_word(&rest);

	if (span_equal(word, SPAN_LIT("env")))
		do
			word = next_word(&rest);
		while (word.len > 0 && (word.ptr[0] == '-' ||
		    span_find(word, '=') < word.len));
	while (word.len > 0 && (is_digit(word.ptr[word.len - 1]) ||
	    word.ptr[word.len - 1] == '.'))
		word.len--;
	for (size_t i = 0; i < COUNT_OF(interpreters); i++)
		if (span_equal(word, span_text(interpreters[i].name)))
			return interpreters[i].type;
	return word.len > 0 ? FILE_SCRIPT : FILE_TEXT;
}

/* Words. */

static const struct { const char *words; enum file_type type; } starts[] = {
	{ "-----BEGIN CERTIFICATE REQUEST-----", FILE_PEM_REQUEST },
	{ "-----BEGIN NEW CERTIFICATE REQUEST-----", FILE_PEM_REQUEST },
	{ "-----BEGIN CERTIFICATE-----", FILE_PEM_CERTIFICATE },
	{ "-----BEGIN TRUSTED CERTIFICATE-----", FILE_PEM_CERTIFICATE },
	{ "-----BEGIN X509 CERTIFICATE-----", FILE_PEM_CERTIFICATE },
	{ "-----BEGIN PGP PUBLIC KEY BLOCK-----", FILE_PGP_KEYS },
	{ "-----BEGIN PGP PRIVATE KEY BLOCK-----", FILE_PGP_KEYS },
	{ "-----BEGIN PGP MESSAGE", FILE_PGP_MESSAGE },
	{ "-----BEGIN PGP SIGNATURE-----", FILE_PGP_SIGNATURE },
	{ "-----BEGIN PGP SIGNED MESSAGE-----", FILE_TEXT },
	{ "-----BEGIN AGE ENCRYPTED FILE-----", FILE_AGE },
	{ "-----BEGIN ", FILE_PEM },
	{ "---- BEGIN SSH2 PUBLIC KEY ----", FILE_SSH_KEY },
	{ "ssh-rsa AAAA", FILE_SSH_KEY },
	{ "ssh-ed25519 AAAA", FILE_SSH_KEY }, { "ssh-dss AAAA", FILE_SSH_KEY },
	{ "ecdsa-sha2-", FILE_SSH_KEY },
	{ "BEGIN:VCALENDAR", FILE_CALENDAR }, { "BEGIN:VCARD", FILE_VCARD },
	{ "BEGIN:VEVENT", FILE_CALENDAR }, { "version: 1\ndn:", FILE_LDIF },
	{ "dn: ", FILE_LDIF }, { "dn:: ", FILE_LDIF },
	{ "WEBVTT", FILE_VTT }, { "0 HEAD", FILE_GEDCOM }, { "#EXTM3U", FILE_PLAYLIST },
	{ "[playlist]", FILE_PLAYLIST }, { "#mtree", FILE_MTREE }, { "#FIG ", FILE_XFIG },
	{ "/* XPM */", FILE_XPM }, { "StartFontMetrics", FILE_AFM },
	{ "STARTFONT ", FILE_BDF },
	{ "ISO-10303-21;", FILE_STEP }, { "ply\n", FILE_PLY }, { "ply\r", FILE_PLY },
	{ "solid ", FILE_STL }, { "<MIFFile ", FILE_FRAMEMAKER },
	{ "\\documentclass", FILE_TEX }, { "\\documentstyle", FILE_TEX },
	{ "\\input texinfo", FILE_TEX }, { "\\begin{document}", FILE_TEX },
	{ "diff --git ", FILE_DIFF }, { "diff -", FILE_DIFF }, { "--- a/", FILE_DIFF },
	{ "Index: ", FILE_DIFF }, { "=ybegin ", FILE_YENC },
	{ "digraph ", FILE_GRAPHVIZ }, { "strict digraph ", FILE_GRAPHVIZ },
	{ "strict graph ", FILE_GRAPHVIZ }, { "graph {", FILE_GRAPHVIZ },
	{ ".TH ", FILE_TROFF }, { ".Dd ", FILE_TROFF },
	{ "REGEDIT4", FILE_REG }, { "Windows Registry Editor Version", FILE_REG },
	{ "[InternetShortcut]", FILE_URL },
	{ "[{000214A0-0000-0000-C000-000000000046}]", FILE_URL },
	{ "[Desktop Entry]", FILE_DESKTOP },
	{ "ID;P", FILE_SLK }, { "#@~^", FILE_SCRIPT_ENCODED }, { "%VRML", FILE_TEXT },
	{ "@echo", FILE_BATCH }, { "echo off", FILE_BATCH }, { "@setlocal", FILE_BATCH },
	{ "@rem", FILE_BATCH }, { "@cmd", FILE_BATCH }, { "@powershell", FILE_BATCH },
	{ "@start", FILE_BATCH }, { "@if ", FILE_BATCH },
	{ "full address:s:", FILE_RDP }, { "screen mode id:i:", FILE_RDP },
	{ "@charset \"", FILE_CSS },
	{ "HEADER RECORD*******", FILE_SAS_XPORT }, { "*PPD-Adobe", FILE_TEXT },
	{ "MATLAB 5.0 MAT-file", FILE_MATLAB },
	{ "# This is a shell archive", FILE_SHAR },
	{ "create table ", FILE_SQL }, { "create database ", FILE_SQL },
	{ "insert into ", FILE_SQL },
	{ "-- MySQL dump", FILE_SQL }, { "-- phpMyAdmin SQL Dump", FILE_SQL },
	{ "-- PostgreSQL database dump", FILE_SQL },
	{ "--\n-- PostgreSQL database", FILE_SQL },
	{ "PRAGMA foreign_keys", FILE_SQL }, { "drop table ", FILE_SQL },
};

#define START_SKIP 1024         /* how far below white space a start is looked for */

static struct span
start_of(struct span s)
{
	struct span skipped = kind_skip(span_slice(s, 0, s.len < START_SKIP ?
	    s.len : START_SKIP));

	return span_slice(s, (size_t)(skipped.ptr - s.ptr), s.len);
}

/* "begin 644 name", with three or four octal digits. */
static bool
is_uuencode(struct span s)
{
	size_t n = 6;

	if (span_starts_nocase(s, SPAN_LIT("begin-base64 ")))
		return true;
	if (!span_starts_nocase(s, SPAN_LIT("begin ")))
		return false;
	while (n < s.len && n < 11 && s.ptr[n] >= '0' && s.ptr[n] <= '7')
		n++;
	return n >= 9 && n < s.len && s.ptr[n] == ' ';
}

/* A cue's number, then "00:00:01,000 --> 00:00:02,000". */
static bool
is_subtitle(struct span s)
{
	struct span line;

	if (!is_digit(s.ptr[0]) || !kind_line(&s, &line) || line.len > 6 ||
	    !kind_line(&s, &line))
		return false;
	return line.len >= 25 && is_digit(line.ptr[0]) && HOLDS(line, " --> ");
}

/* "#define name_width 16" */
static bool
is_xbm(struct span s)
{
	struct span line;

	return span_starts_nocase(s, SPAN_LIT("#define ")) && kind_line(&s, &line) &&
	    HOLDS(line, "_width ") && kind_line(&s, &line) && HOLDS(line, "_height ");
}

/* Lines of "0", "SECTION", "2", "HEADER" behind remarks (999). */
static bool
is_dxf(struct span s)
{
	struct span line;

	for (int i = 0; i < 16 && kind_line(&s, &line); i++)
		if (span_equal(span_trim(line), SPAN_LIT("SECTION")))
			return i > 0 && kind_line(&s, &line) &&
			    span_equal(span_trim(line), SPAN_LIT("2"));
	return false;
}

/* An installer's script has an [Version] section with a Signature near its top. */
static bool
is_inf(struct span s)
{
	return kind_holds(s, "[version]", 1024) && (kind_holds(s, "$windows", 2048) ||
	    kind_holds(s, "$chicago", 2048));
}

/* "WEB", a version, an address: Excel asks the web. */
static bool
is_iqy(struct span s)
{
	return span_starts_nocase(s, SPAN_LIT("WEB")) && s.len > 5 &&
	    (s.ptr[3] == '\r' || s.ptr[3] == '\n') && kind_holds(s, "http", 64);
}

enum file_type
kind_start(struct span s)
{
	struct span line, rest = s;

	if (s.len >= 2 && memcmp(s.ptr, "#!", 2) == 0 && kind_line(&rest, &line))
		return kind_holds(s, "this is a shell archive", 512) ?
		    FILE_SHAR : interpreter(line);
	s = start_of(s);
	if (s.len == 0)
		return FILE_UNKNOWN;
	for (size_t i = 0; i < COUNT_OF(starts); i++)
		if (to_lower(s.ptr[0]) == to_lower((uint8_t)starts[i].words[0]) &&
		    span_starts_nocase(s, span_text(starts[i].words)))
			return starts[i].type;
	if (is_uuencode(s))
		return FILE_UUENCODE;
	if (s.ptr[0] == '(' && kind_holds(s, "must be converted with BinHex", 64))
		return FILE_BINHEX;
	if (is_subtitle(s))
		return FILE_SRT;
	if (is_xbm(s))
		return FILE_XBM;
	if (is_iqy(s))
		return FILE_IQY;
	if ((is_digit(s.ptr[0])) && is_dxf(s))
		return FILE_DXF;
	return (s.ptr[0] == '[' || s.ptr[0] == ';') && is_inf(s) ?
	    FILE_INF : FILE_UNKNOWN;
}

enum file_type
kind_pdf(struct span s)
{
	if (s.len > 1024)
		s.len = 1024;
	return HOLDS(s, "%PDF-") ? FILE_PDF : FILE_UNKNOWN;
}

/* Mail. */

static const char *const mail_fields[] = { "Return-Path", "Received", "From", "To",
    "Subject",
	"Date", "Message-ID", "MIME-Version", "Content-Type", "Delivered-To", "Reply-To",
	"Cc",
	"Sender", "X-Mailer", "DKIM-Signature", "Content-Transfer-Encoding",
	"Return-Receipt-To",
	"X-Original-To", "Authentication-Results", "ARC-Seal", "In-Reply-To",
	"References",
	"X-Received", "Received-SPF", "List-Id", "Envelope-To", "X-Account-Key", "Bcc",
	"X-Mozilla-Status", "Importance", "X-Priority", "Organization", "User-Agent",
	"Thread-Topic", "Thread-Index", "X-MimeOLE", "Snapshot-Content-Location" };
static const char *const news_fields[] = { "Path", "Newsgroups", "Xref", "Relay-Version",
	"Posting-Version", "Article" };

static bool
is_field_of(struct span name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_equal_nocase(name, span_text(names[i])))
			return true;
	return false;
}

struct fields { unsigned lines, mail, news, subject; bool broken; };

/* The fields at the start, at most 24 lines of them. */
static struct fields
read_fields(struct span s)
{
	struct fields f = { 0 };
	struct span line;

	while (f.lines < 24 && kind_line(&s, &line) && line.len > 0) {
		struct span name = span_slice(line, 0, span_find(line, ':'));

		f.lines++;
		if (is_blank(line.ptr[0]))
			continue;
		f.broken |= name.len == line.len || span_find(name, ' ') < name.len;
		if (f.broken)
			break;
		f.mail += is_field_of(name, mail_fields, COUNT_OF(mail_fields));
		f.news += is_field_of(name, news_fields, COUNT_OF(news_fields));
	}
	return f;
}

/* "From a@b.example Sat Nov 21 22:17:57 2026" */
static bool
is_mbox_line(struct span line)
{
	return span_starts_nocase(line, SPAN_LIT("From ")) && line.ptr[0] == 'F' &&
	    line.len > 20 && memchr(line.ptr + 20, ':', line.len - 20) != NULL;
}

static bool
is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.ptr[i]))
			return false;
	return s.len > 0;
}

enum file_type
kind_mail(struct span s)
{
	struct span rest = s, line;
	struct fields f;
	bool mbox, emlx;

	if (!kind_line(&rest, &line))
		return FILE_UNKNOWN;
	mbox = is_mbox_line(line);
	emlx = !mbox && is_number(span_trim(line));
	f = read_fields(mbox || emlx ? rest : s);
	if (f.mail + f.news < (f.broken ? 3 : 2))
		return FILE_UNKNOWN;
	if (mbox)
		return FILE_MBOX;
	if (emlx)
		return FILE_EMLX;
	if (f.news > 0)
		return FILE_NEWS;
	return kind_holds(s, "multipart/related", 2048) &&
	    (kind_holds(s, "<Saved by ", 512) ||
	    kind_holds(s, "Snapshot-Content-Location:", 1024)) ? FILE_MHTML : FILE_MAIL;
}

/* JSON, RFC 8259: tokens in their order, with a count of what is open. */

#define JSON_DEPTH 128

struct json {
	struct span rest;
	uint8_t  open[JSON_DEPTH];
	unsigned depth;
	bool     value;         /* a value has just ended                        */
	bool     key;           /* it was an object's key                        */
	bool     colon;         /* the last token was a colon                    */
	bool     wants;         /* the last token was a comma or colon           */
	bool     cut;           /* the bytes ended inside a token                */
};

static bool
json_string(struct json *j)
{
	size_t n = 1;

	while (n < j->rest.len && j->rest.ptr[n] != '"') {
		if (j->rest.ptr[n] < ' ' && j->rest.ptr[n] != '\t')
			return false;
		n += j->rest.ptr[n] == '\\' ? 2 : 1;
	}
	j->cut = n >= j->rest.len;
	j->rest = span_slice(j->rest, j->cut ? j->rest.len : n + 1, j->rest.len);
	return true;
}

static bool
json_word(struct json *j)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t n = 0;

	while (n < j->rest.len && (is_alpha(j->rest.ptr[n]) || is_digit(j->rest.ptr[n]) ||
	    byte_in(j->rest.ptr[n], "+-.")))
		n++;
	j->cut = n == j->rest.len;
	if (n == 0)
		return false;
	if (is_digit(j->rest.ptr[0]) || j->rest.ptr[0] == '-') {
		j->rest = span_slice(j->rest, n, j->rest.len);
		return true;
	}
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strlen(words[i]) == n && memcmp(j->rest.ptr, words[i], n) == 0) {
			j->rest = span_slice(j->rest, n, j->rest.len);
			return true;
		}
	return j->cut && n < 5;
}

static bool
in_object(const struct json *j)
{
	return j->depth > 0 && j->open[j->depth - 1] == '{';
}

/* May a value begin here?  In an object a key comes first, and a key is a string. */
static bool
json_may_begin(const struct json *j, uint8_t c)
{
	return !(j->value && j->depth > 0) && (c == '"' || !in_object(j) || j->colon);
}

static bool
json_open(struct json *j, uint8_t c)
{
	if (!json_may_begin(j, c) || j->depth == JSON_DEPTH)
		return false;
	j->open[j->depth++] = c;
	j->value = j->wants = j->colon = false;
	return true;
}

static bool
json_close(struct json *j, uint8_t c)
{
	if (j->depth == 0 || j->wants || (j->value && j->key) ||
	    j->open[j->depth - 1] != (c == '}' ? '{' : '['))
		return false;
	j->depth--;
	j->value = true;
	j->key = false;
	return true;
}

static bool
json_between(struct json *j, uint8_t c)
{
	if (!j->value || j->depth == 0 || j->key != (c == ':'))
		return false;
	j->value = j->key = false;
	j->wants = true;
	j->colon = c == ':';
	return true;
}

static bool
json_punctuation(struct json *j, uint8_t c)
{
	j->rest = span_slice(j->rest, 1, j->rest.len);
	if (c == '{' || c == '[')
		return json_open(j, c);
	return c == '}' || c == ']' ? json_close(j, c) : json_between(j, c);
}

/* One token; false where it may not stand. */
static bool
json_token(struct json *j)
{
	uint8_t c = j->rest.ptr[0];

	if (byte_in(c, "{}[]:,"))
		return json_punctuation(j, c);
	if (j->depth == 0 || !json_may_begin(j, c))
		return false;
	if (!(c == '"' ? json_string(j) : json_word(j)))
		return false;
	j->value = true;
	j->key = in_object(j) && !j->colon;
	j->wants = j->colon = false;
	return true;
}

/* A text that begins like JSON and is not wrong as far as it goes.  A second value behind
   the first makes it lines of JSON. */
enum file_type
kind_json(struct span s)
{
	bool whole = s.len < TEXT_BYTES;
	struct json j = { .rest = start_of(s) };
	unsigned values = 0, tokens = 0;

	if (j.rest.len == 0 || (j.rest.ptr[0] != '{' && j.rest.ptr[0] != '['))
		return FILE_UNKNOWN;
	for (; j.rest.len > 0 && !j.cut; j.rest = kind_skip(j.rest)) {
		if (!json_token(&j))
			return FILE_UNKNOWN;
		tokens++;
		if (j.depth == 0) {
			values++;
			j.value = false;
		}
	}
	if (tokens < 2 || (whole && (j.depth > 0 || j.cut)))
		return FILE_UNKNOWN;
	return values > 1 ? FILE_NDJSON : FILE_JSON;
}

/* CSV: three lines or more with as many separators each, outside quotes. */

static bool
count_separators(struct span line, uint8_t separator, size_t *count)
{
	bool quoted = false;

	*count = 0;
	for (size_t i = 0; i < line.len; i++) {
		quoted ^= line.ptr[i] == '"';
		*count += !quoted && line.ptr[i] == separator;
	}
	return !quoted;
}

static bool
is_table(struct span s, uint8_t separator)
{
	struct span line;
	size_t lines = 0, first = 0, count;
	bool whole = s.len < TEXT_BYTES;

	while (kind_line(&s, &line) && lines < 16) {
		if (s.len == 0 && !whole)
			break;
		if (line.len == 0 && s.len == 0)
			break;
		if (!count_separators(line, separator, &count) || count == 0 ||
		    (lines > 0 && count != first))
			return false;
		first = count;
		lines++;
	}
	return lines >= 3 || (lines == 2 && first >= 2);
}

enum file_type
kind_table(struct span s)
{
	return is_table(s, ',') || is_table(s, ';') ? FILE_CSV : FILE_UNKNOWN;
}
