/*
 * test_mime.c - structure of messages: a table under the three readings, lines exhaustively
 * against a naive reference, and shapes that would cost others their memory or time.
 */
#include "lib/mime/mime.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#define MULTI "Content-Type: multipart/mixed; boundary=b\n\n"
#define TEXT "Content-Type: text/plain\n\n"

/* out: of each reading, "|" between; one alone where it is the same in all.
   leaf 'text', [multi ...], <message ...>, pre, epi, emb; encodings by name. */
static const struct { const char *name, *in, *ambiguous, *out; } mails[] = {
	{ "text", "A: b\n\ntext\n", "", "'text\n'" },
	{ "no header", "\ntext", "", "'text'" },
	{ "nothing", "", "", "''" },
	{ "two parts", MULTI "--b\n\nx\n--b\n" TEXT "y\n\n--b--\n", "", "['x''y\n']" },
	{ "CR LF", "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
	    "", "['x']" },
	{ "preamble, epilogue", MULTI "pre\n--b\n\nx\n--b--\nepi\n", "", "[pre'pre''x'epi'epi\n']" },
	{ "blank ones are none", MULTI "\n\n--b\n\nx\n--b--\n\n", "", "['x']" },
	{ "empty part", MULTI "--b\n--b\n\n--b--\n", "", "['''']" },
	{ "not closed", MULTI "--b\n\nx\n", "", "['x\n']" },
	{ "nested", MULTI "--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\nx\n--c--\n"
	    "--b\n\ny\n--b--\n", "", "[['x']'y']" },
	{ "inner not closed", MULTI "--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\nx\n"
	    "--b\n\ny\n--b--\n", "missing-close", "[['x']'y']|[['x']'y']|[['x']'y']" },
	{ "message", MULTI "--b\nContent-Type: message/rfc822\n\nA: b\n\nx\n--b--\n", "",
	    "[<'x'>]" },
	{ "message in message", "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
	    "A: b\n\nx", "", "<<'x'>>" },
	{ "message of parts", MULTI "--b\nContent-Type: message/rfc822\n\nContent-Type: "
	    "multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b\n\ny\n--b--\n", "",
	    "[<['x']>'y']" },
	{ "encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
	    "QTo=\n", "", "base64'QTo=\n'" },
	{ "digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b--\n", "",
	    "[<'x'>]" },
	{ "blanks behind the boundary", MULTI "--b \t\n\nx\n--b-- \n", "", "['x']" },
	{ "uuencoded", "A: b\n\nsee\nbegin 644 n.zip\n#0V%T\n`\nend\n", "",
	    "'see\nbegin 644 n.zip\n#0V%T\n`\nend\n'emb(n.zip)" },
	{ "two types", "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n"
	    "--b\n\nx\n--b--\n", "two-types", "'--b\n\nx\n--b--\n'|['x']|['x']" },
	{ "the same type twice", "Content-Type: text/plain\nContent-Type: TEXT/plain\n\nx", "",
	    "'x'" },
	{ "two encodings", "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\n"
	    "eA==", "two-encodings", "base64'eA=='|'eA=='|base64'eA=='" },
	{ "two boundaries", "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n"
	    "--b\n\nx\n--c\n\ny\n", "two-parameters two-boundaries",
	    "['x\n--c\n\ny\n']|[pre'--b\n\nx''y\n']|['x''y\n']" },
	{ "boundary and boundary*", "Content-Type: multipart/mixed; boundary=b; boundary*=''c\n\n"
	    "--b\n\nx\n--c\n\ny\n", "two-boundaries",
	    "['x\n--c\n\ny\n']|[pre'--b\n\nx''y\n']|['x''y\n']" },
	{ "boundary with a comment", "Content-Type: multipart/mixed; boundary=b(c)\n\n--b(c)\n\nx\n"
	    "--b(c)--\n", "no-boundary two-boundaries boundary-line",
	    "'--b(c)\n\nx\n--b(c)--\n'|['x']|['x']" },
	{ "no boundary", "Content-Type: multipart/mixed\n\n--b\nContent-X: y\n\nx\n--b--\n",
	    "no-boundary", "'--b\nContent-X: y\n\nx\n--b--\n'|'--b\nContent-X: y\n\nx\n--b--\n'|"
	    "['x']" },
	{ "boundary that does not come", "Content-Type: multipart/mixed; boundary=c\n\nx\n",
	    "no-boundary", "'x\n'|'x\n'|'x\n'" },
	{ "line that begins with the boundary", MULTI "--bx\n\nx\n--b\n\ny\n--b--\n",
	    "boundary-line", "[pre'--bx\n\nx''y']|[pre'--bx\n\nx''y']|['x''y']" },
	{ "inner extends outer", MULTI "--b\nContent-Type: multipart/x; boundary=bb\n\n--bb\n\nx\n"
	    "--bb--\n--b--\n", "boundary-clash", "[['x']]|[['x']]|[['x']]" },
	{ "inner is outer", MULTI "--b\nContent-Type: multipart/x; boundary=b\n\n--b\n\nx\n"
	    "--b--\n--b\n\ny\n--b--\n", "boundary-clash", "[['x']'y']|[['x']'y']|[['x']'y']" },
	{ "after the close", MULTI "--b\n\nx\n--b--\n--b\n\ny\n--b--\n", "after-close",
	    "['x'epi'--b\n\ny\n--b--\n']|['x''y']|['x''y']" },
	{ "bare CR before a boundary", MULTI "--b\n\nx\r--b\n\ny\n--b--\n", "bare-cr",
	    "['x\r--b\n\ny']|['x\r--b\n\ny']|['x''y']" },
	{ "bare CR hides a field", "X: y\rContent-Transfer-Encoding: base64\n\neA==", "bare-cr",
	    "'eA=='|'eA=='|base64'eA=='" },
	{ "field in a continuation", "X: y\n Content-Transfer-Encoding: base64\n\neA==",
	    "odd-header", "'eA=='|'eA=='|base64'eA=='" },
	{ "blank line that is none", "X: y\n \nContent-Transfer-Encoding: base64\n\neA==",
	    "odd-header", "base64'eA=='|base64'eA=='|base64'eA=='" },
	{ "body without an empty line", "X: y\nbody\n", "odd-header", "''|''|'body\n'" },
	{ "mbox mark", "From x\nX: y\n\nz", "", "'z'" },
	{ "list of signed fields", "DKIM-Signature: h=From:\n Content-Type:Subject; b=x/y\n\nz", "",
	    "'z'" },
	{ "unknown encoding", "Content-Transfer-Encoding: base64;\n\neA==", "odd-encoding",
	    "unknown'eA=='|unknown'eA=='|base64'eA=='" },
	{ "double semicolon", "Content-Type: multipart/mixed;; boundary=b\n\n--b\n\nx\n--b--\n",
	    "odd-syntax", "['x']|['x']|['x']" },
	{ "boundary of a text", "Content-Type: text/plain; boundary=b\n\n--b\n\nx\n--b--\n",
	    "odd-type", "'--b\n\nx\n--b--\n'|'--b\n\nx\n--b--\n'|['x']" },
	{ "boundary of a text that does not come", "Content-Type: text/plain; boundary=b\n\nx", "",
	    "'x'" },
};

static const char *const openings[MIME_KINDS] = { "'", "[", "<", "pre'", "epi'", "emb" };

static void
put(struct buf *out, const struct mime *m, const struct mime_part *p)
{
	if (p->kind == MIME_LEAF && p->encoding != ENCODING_NONE)
		buf_printf(out, "%s", encoding_name(p->encoding));
	buf_printf(out, "%s", openings[p->kind]);
	if (p->kind == MIME_EMBEDDED)
		buf_printf(out, "(%.*s)", (int)p->names[0].text.len,
		    (const char *)p->names[0].text.ptr);
	else if (p->kind != MIME_MULTIPART && p->kind != MIME_MESSAGE) {
		buf_add(out, mime_body(m, p));
		buf_byte(out, '\'');
	}
}

/* Parts come in the order of their beginnings, so depth says what ends. */
static void
describe(const struct mime *m, struct buf *out)
{
	uint32_t open[32], n = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];

		assert_true(p->body <= p->end && p->end <= m->bytes.len);
		assert_true(i == 0 || p->end <= m->parts[p->parent].end);
		while (n > 0 && open[n - 1] != p->parent)
			buf_byte(out, m->parts[open[--n]].kind == MIME_MESSAGE ? '>' : ']');
		put(out, m, p);
		if (p->kind == MIME_MULTIPART || p->kind == MIME_MESSAGE)
			open[n++] = i;
		while (i + 1 < m->count && m->parts[i + 1].kind == MIME_EMBEDDED)
			put(out, m, &m->parts[++i]);
	}
	while (n > 0)
		buf_byte(out, m->parts[open[--n]].kind == MIME_MESSAGE ? '>' : ']');
}

static void
describe_ambiguities(unsigned bits, char out[512])
{
	out[0] = '\0';
	for (unsigned i = 0; i < MIME_AMBIGUITIES; i++) {
		if (!(bits & 1u << i))
			continue;
		if (out[0] != '\0')
			strcat(out, " ");
		strcat(out, mime_ambiguity_name(1u << i));
	}
}

/* A word may stand in any order. */
static bool
same_words(const char *want, const char *got)
{
	char copy[512], *save = NULL;
	size_t length = 0;

	if (strlen(want) != strlen(got))
		return false;
	strcpy(copy, want);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (strstr(got, w) == NULL)
			return false;
		length += strlen(w);
	}
	return length <= strlen(got);
}

static void
test_table(void **state)
{
	struct charsets *charsets = charsets_create();
	struct mime_options options = MIME_OPTIONS;

	options.charsets = charsets;
	for (size_t i = 0; i < COUNT_OF(mails); i++) {
		struct arena arena = { 0 };
		struct buf got = { 0 };
		char words[512] = "";
		struct mime m;

		for (enum mime_reading r = MIME_FIRST; r < MIME_READINGS; r++) {
			mime_parse(span_text(mails[i].in), r, &options, &m, &arena);
			if (r == MIME_FIRST)
				describe_ambiguities(m.ambiguities, words);
			if (r > MIME_FIRST)
				buf_byte(&got, '|');
			describe(&m, &got);
			if (r == MIME_FIRST && strchr(mails[i].out, '|') == NULL)
				break;
		}
		if (strcmp(buf_text(&got), mails[i].out) != 0 ||
		    !same_words(mails[i].ambiguous, words))
			fail_msg("%s: %s (%s)", mails[i].name, buf_text(&got), words);
		buf_free(&got);
		arena_free(&arena);
	}
	charsets_destroy(&charsets);
}

/* Mail that is not ambiguous is the same in every reading. */
static void
test_readings_agree(void **state)
{
	struct mime_options options = MIME_OPTIONS;

	for (size_t i = 0; i < COUNT_OF(mails); i++) {
		struct arena arena = { 0 };
		struct mime m;

		if (mails[i].ambiguous[0] != '\0')
			continue;
		for (enum mime_reading r = MIME_LAST; r < MIME_READINGS; r++) {
			struct buf got = { 0 };

			mime_parse(span_text(mails[i].in), r, &options, &m, &arena);
			describe(&m, &got);
			if (strcmp(buf_text(&got), mails[i].out) != 0)
				fail_msg("%s in reading %d: %s", mails[i].name, (int)r, buf_text(&got));
			buf_free(&got);
		}
		arena_free(&arena);
	}
}

static const struct { const char *in, *names; } names[] = {
	{ "Content-Disposition: attachment; filename=a.zip", "a.zip;" },
	{ "Content-Disposition: attachment; filename=\"a b.zip\"", "a b.zip;" },
	{ "Content-Type: x/y; name=a.zip\nContent-Disposition: x; filename=b.zip", "a.zip;b.zip;" },
	{ "Content-Disposition: x; filename*=utf-8''%C3%A4.zip",
	    "\xc3\xa4.zip;utf-8''%C3%A4.zip;" },
	{ "Content-Disposition: x; filename*0=a; filename*1=.zip", "a.zip;" },
	{ "Content-Disposition: x; filename*1=.zip; filename*0=a", ".zipa;a.zip;" },
	{ "Content-Disposition: x; filename*0*=''a%2e; filename*1=zip", "a.zip;" },
	{ "Content-Type: x/y; name=\"=?utf-8?B?w6QuemlwICA=?=\"", "\xc3\xa4.zip  ;"
	    "=?utf-8?B?w6QuemlwICA=?=;" },
	{ "Content-Type: x/y; name=\"a\".zip", "a;a.zip;" },
	{ "Content-Type: x/y; name=a b.zip", "a;a b.zip;" },
	{ "Content-Type: x/y; name='a.zip'", "'a.zip';a.zip;" },
	{ "Content-Type: x/y; name=a;.zip", "a;a;.zip;" },
	{ "Content-Type: x/y; na(c)me=a.zip(x)", "a.zip;" },
	{ "Content-Disposition: x; filename*0=a.\nContent-Type: x/y; filename*1=zip",
	    "a.;zip;a.zip;" },
	{ "Content-Disposition: x", "" },
};

static void
test_names(void **state)
{
	struct charsets *charsets = charsets_create();
	struct mime_options options = MIME_OPTIONS;

	options.charsets = charsets;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct arena arena = { 0 };
		struct buf got = { 0 };
		struct mime m;

		mime_parse(span_text(names[i].in), MIME_FIRST, &options, &m, &arena);
		for (size_t k = 0; k < m.parts[0].name_count; k++) {
			buf_add(&got, m.parts[0].names[k].text);
			buf_byte(&got, ';');
		}
		if (strcmp(buf_text(&got), names[i].names) != 0)
			fail_msg("%s: %s", names[i].in, buf_text(&got));
		buf_free(&got);
		arena_free(&arena);
	}
	charsets_destroy(&charsets);
}

/* The naive reference: lines of a multipart with boundary b, as the first reading has it. */
static void
naive(const char *const *lines, size_t count, struct buf *out)
{
	struct buf text = { 0 };
	enum { PRE, HEADER, BODY, EPI } state = PRE;
	bool seen = false, first = true;

	for (size_t i = 0; i <= count; i++) {
		const char *l = i < count ? lines[i] : NULL;
		bool delimiter = l != NULL && strcmp(l, "--b") == 0 && state != EPI;
		bool close = l != NULL && strcmp(l, "--b--") == 0 && state != EPI;

		if (delimiter || close || l == NULL) {
			bool more = state == PRE || state == EPI;
			bool blank = strspn(buf_text(&text), "\n") == buf_len(&text);

			if (l == NULL && buf_len(&text) > 0 && state != HEADER)
				buf_byte(&text, '\n');
			if (state == PRE && l == NULL && !seen)
				buf_printf(out, "'%s'", buf_text(&text));
			else if (more && !blank)
				buf_printf(out, "%s'%s'", state == PRE ? "pre" : "epi",
				    buf_text(&text));
			else if (!more)
				buf_printf(out, "'%s'", buf_text(&text));
			buf_take(&text, buf_len(&text));
			if (delimiter || close)
				seen = true;
			state = close ? EPI : HEADER;
			first = true;
		} else if (state == HEADER) {
			state = l[0] == '\0' ? BODY : HEADER;
		} else {
			if (!first)
				buf_byte(&text, '\n');
			buf_printf(&text, "%s", l);
			first = false;
			if (l[0] == '\0' && i + 1 == count)
				buf_byte(&text, '\n');
		}
	}
	buf_free(&text);
}

static void
test_exhaustive(void **state)
{
	static const char *const words[] = { "--b", "--b--", "", "y", "--bb" };
	struct mime_options options = MIME_OPTIONS;
	size_t all = 1;

	for (size_t len = 1; len <= 6; len++) {
		all *= COUNT_OF(words);
		for (size_t n = 0; n < all; n++) {
			const char *lines[6];
			struct arena arena = { 0 };
			struct buf in = { 0 }, got = { 0 }, want = { 0 };
			struct mime m;
			size_t v = n;

			for (size_t i = 0; i < len; i++, v /= COUNT_OF(words))
				lines[i] = words[v % COUNT_OF(words)];
			/* What the last line's newline belongs to is told by the table. */
			if (lines[len - 1][0] == '\0')
				continue;
			buf_printf(&in, "%s", MULTI);
			for (size_t i = 0; i < len; i++)
				buf_printf(&in, "%s\n", lines[i]);
			mime_parse(buf_span(&in), MIME_FIRST, &options, &m, &arena);
			describe(&m, &got);
			naive(lines, len, &want);
			struct span inside = buf_span(&got);

			if (m.parts[0].kind == MIME_MULTIPART)
				inside = span_slice(inside, 1, inside.len - 1);
			if (!span_equal(inside, buf_span(&want)))
				fail_msg("%s: %s, not %s", buf_text(&in), buf_text(&got),
				    buf_text(&want));
			buf_free(&in);
			buf_free(&got);
			buf_free(&want);
			arena_free(&arena);
		}
	}
}

/* Shapes that grow. */

static void
fill(struct buf *b, const char *start, size_t count, const char *fmt)
{
	buf_printf(b, "%s", start);
	for (size_t i = 0; i < count; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(b, fmt, (unsigned)i, (unsigned)i);
#pragma GCC diagnostic pop
	}
}

static const struct { const char *name, *start, *fmt; size_t count; } shapes[] = {
	{ "a million empty parts", MULTI, "--b\n", 1000000 },
	{ "a million parts", MULTI, "--b\n\n\n", 1000000 },
	{ "50,000 nested", "A: b\n", "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n",
	    50000 },
	{ "50,000 nested, one boundary", "A: b\n", "Content-Type: multipart/mixed; boundary=b\n\n"
	    "--b\n", 50000 },
	{ "50,000 messages", "A: b\n", "Content-Type: message/rfc822\n\n", 50000 },
	{ "dashes", MULTI, "-", 1000000 }, { "lines of dashes", MULTI, "--\n", 500000 },
	{ "closes", MULTI, "--b--\n", 300000 }, { "fields", "", "A:\n", 500000 },
	{ "Content fields", "", "Content-Type: multipart/x; boundary=%u\n", 30000 },
	{ "parameters", "Content-Type: x/y", "; a%u=%u", 100000 },
	{ "names", "Content-Type: x/y", "; name=%u", 100000 },
	{ "names by search", "Content-Type: (\\\"x/y", "name=name=", 100000 },
	{ "sections", "Content-Type: x/y", "; name*%u=%u", 100000 },
	{ "words", "Content-Type: x/y; name=\"", "=?a?q?", 100000 },
	{ "comments", "Content-Type: ", "(", 1000000 },
	{ "uuencoded", "\n", "begin 644 a\n#0V%T\n", 50000 },
	{ "BinHex", "\n", "(This file must be converted with BinHex 4.0)\n", 30000 },
	{ "begin-base64", "\n", "begin-base64 644 a\n", 50000 },
	{ "yEnc", "\n", "=ybegin line=1 name=a\n", 50000 },
	{ "boundaries that begin alike", MULTI, "--bb\n", 200000 },
};

static void
test_growth(void **state)
{
	struct mime_options options = MIME_OPTIONS;

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		struct buf in = { 0 };

		fill(&in, shapes[i].start, shapes[i].count, shapes[i].fmt);
		for (enum mime_reading r = MIME_FIRST; r < MIME_READINGS; r++) {
			struct arena arena = { 0 };
			clock_t start = clock();
			struct mime m;

			mime_parse(buf_span(&in), r, &options, &m, &arena);
			double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;

			if (seconds > 3 || arena.total > (64u << 20))
				fail_msg("%s, reading %d: %.1f s, %zu bytes", shapes[i].name, (int)r,
				    seconds, arena.total);
			assert_true(m.count <= options.max_parts);
			assert_true(m.seen >= m.count && m.flaw_count <= options.max_flaws);
			arena_free(&arena);
		}
		buf_free(&in);
	}
}

/* Nesting and number end at the limits, and are told. */
static void
test_limits(void **state)
{
	struct mime_options options = MIME_OPTIONS;
	struct arena arena = { 0 };
	struct buf in = { 0 };
	struct mime m;

	fill(&in, "A: b\n", 20, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n");
	options.max_depth = 5;
	mime_parse(buf_span(&in), MIME_FIRST, &options, &m, &arena);
	assert_int_equal(m.count, 6);
	assert_int_equal(m.parts[5].kind, MIME_LEAF);
	assert_true(m.flaw_kinds & 1u << FLAW_TOO_DEEP);
	buf_take(&in, buf_len(&in));

	fill(&in, MULTI, 20, "--b\n\nx\n");
	options.max_parts = 7;
	mime_parse(buf_span(&in), MIME_FIRST, &options, &m, &arena);
	assert_int_equal(m.count, 7);
	assert_int_equal(m.seen, 21);
	assert_true(m.flaw_kinds & 1u << FLAW_TOO_MANY);
	buf_take(&in, buf_len(&in));

	options = (struct mime_options)MIME_OPTIONS;
	options.max_fields = 3;
	options.max_header = 60;
	fill(&in, "", 5, "A%u: %u\n");
	mime_parse(buf_span(&in), MIME_FIRST, &options, &m, &arena);
	assert_int_equal(m.parts[0].header.count, 3);
	assert_true(m.flaw_kinds & 1u << FLAW_HEADER_CUT);
	buf_free(&in);
	arena_free(&arena);
}

struct tail { struct sink sink; struct buf b; };

static enum status
tail_write(struct sink *s, struct span in, struct error *e)
{
	buf_add(&container_of(s, struct tail, sink)->b, in);
	return ST_OK;
}

static enum status
tail_finish(struct sink *s, struct error *e)
{
	return ST_OK;
}

/* The body's sink is given the body, all of it, once. */
static void
test_body(void **state)
{
	struct mime_options options = MIME_OPTIONS;
	struct buf in = { 0 };

	fill(&in, MULTI "pre\n", 30000, "--b\nContent-Type: message/rfc822\n\nA: %u\n\nx-%u\n");
	for (size_t i = 0; i <= COUNT_OF(mails); i++) {
		struct span s = i < COUNT_OF(mails) ? span_text(mails[i].in) : buf_span(&in);
		struct tail t = { { tail_write, tail_finish }, { 0 } };
		struct arena arena = { 0 };
		struct mime m;

		options.body = &t.sink;
		mime_parse(s, MIME_FIRST, &options, &m, &arena);
		assert_true(span_equal(buf_span(&t.b),
		    span_slice(s, (size_t)m.parts[0].body, s.len)));
		buf_free(&t.b);
		arena_free(&arena);
	}
	buf_free(&in);
}

static const struct { const char *in; enum mime_flaw_kind kind; uint64_t at; } flaws[] = {
	{ "Date: x\nFrom: y\nno field\n\n", FLAW_FIELD_SYNTAX, 16 },
	{ "Date: x\nFrom: y\n\xc3\xa4: z\n\n", FLAW_FIELD_NAME, 16 },
	{ "Date: x\nFrom: y\n  \n\n", FLAW_FIELD_BLANK, 16 },
	{ "Date: x\nFrom: y\nA: \rb\n\n", FLAW_FIELD_CONTROL, 19 },
	{ "Date: x\nFrom: y\nA: \xe4\n\n", FLAW_FIELD_EIGHT_BIT, 19 },
	{ "Date: x\nFrom: y\nA: \xc3\xa4\x01\n\n", FLAW_FIELD_C0, 16 },
	{ "Date: x\nFrom: y\nA: \xc2\x85\n\n", FLAW_FIELD_C1, 16 },
	{ "Date: x\nFrom: y\nA: \xc3\xa4\n\n", FLAW_FIELD_UTF8, 16 },
	{ "From: y\n\n", FLAW_FIELD_MISSING, 0 },
	{ "Date: x\nFrom: y\nfrom: z\n\n", FLAW_FIELD_TWICE, 16 },
	{ "Date: x\nFrom: y\n", FLAW_NO_END, 16 },
	{ "Date: x\nFrom: y\nContent-Type: multipart/x; boundary=b\n\n--b\n\n", FLAW_TRUNCATED, 60 },
	{ "Date: x\nFrom: y\nContent-Type: multipart/x\n\n", FLAW_NO_BOUNDARY, 0 },
	{ "Date: x\nFrom: y\nContent-Type: x\n\n", FLAW_TYPE, 16 },
	{ "Date: x\nFrom: y\nContent-Transfer-Encoding: x\n\n", FLAW_ENCODING, 16 },
};

static void
test_flaws(void **state)
{
	struct mime_options options = MIME_OPTIONS;

	for (size_t i = 0; i < COUNT_OF(flaws); i++) {
		struct arena arena = { 0 };
		struct mime m;
		bool found = false;

		mime_parse(span_text(flaws[i].in), MIME_FIRST, &options, &m, &arena);
		for (uint32_t k = 0; k < m.flaw_count; k++)
			found |= m.flaws[k].kind == flaws[i].kind && m.flaws[k].at == flaws[i].at;
		if (!found)
			fail_msg("%s (%zu): %u, first %s at %u", mime_flaw_name(flaws[i].kind), i,
			    m.flaw_count, m.flaw_count > 0 ? mime_flaw_name(m.flaws[0].kind) : "-",
			    m.flaw_count > 0 ? (unsigned)m.flaws[0].at : 0);
		arena_free(&arena);
	}
}

static void
test_no_flaws(void **state)
{
	static const char good[] = "Date: x\r\nFrom: y\r\nTo: a,\r\n b\r\nContent-Type: text/plain;\r\n"
	    "\tcharset=utf-8\r\n\r\nx\r\n";
	struct mime_options options = MIME_OPTIONS;
	struct arena arena = { 0 };
	struct mime m;

	mime_parse(span_text(good), MIME_FIRST, &options, &m, &arena);
	assert_int_equal(m.flaws_seen, 0);
	assert_int_equal(m.ambiguities, 0);
	assert_true(span_equal(m.parts[0].charset, SPAN_LIT("utf-8")));
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_readings_agree),
		cmocka_unit_test(test_names), cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_growth), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_body), cmocka_unit_test(test_flaws),
		cmocka_unit_test(test_no_flaws),
	};

	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
