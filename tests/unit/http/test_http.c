/*
 * test_http.c - heads, chunks and responses: tables at every cut, chunks against a naive
 * reference.
 */
#include "lib/http/request.h"
#include "lib/http/response.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define LIMIT 20u               /* of a body in these tests */

enum { TO_HEAD = 1, BY_CLOSE = 2 };

#define OK "HTTP/1.1 200 OK\r\n"
#define TE "Transfer-Encoding: chunked\r\n"
#define CL(n) "Content-Length: " n "\r\n"
#define CHUNKED OK TE "\r\n"

/* out: "CODE keeps|closes [body]", "MORE", or what is wrong; `+n` bytes are left over. */
struct row { const char *name; unsigned how; const char *in, *out; };

static const struct row rows[] = {
	{ "by length", 0, OK CL("5") "\r\nhello", "200 keeps [hello]" },
	{ "no bytes", 0, OK CL("0") "\r\n", "200 keeps []" },
	{ "nothing yet", 0, "", "MORE" },
	{ "half a body", 0, OK CL("5") "\r\nhell", "MORE" },
	{ "a second answer behind", 0, OK CL("2") "\r\nhi" OK, "200 keeps [hi] +17" },
	{ "no reason, no blank", 0, "HTTP/1.1 200\r\n" CL("0") "\r\n", "200 keeps []" },
	{ "blanks around values", 0, OK "content-length: \t5 \t\r\n\r\nhello",
	    "200 keeps [hello]" },
	{ "8-bit value", 0, OK "X: \xe9\r\n" CL("0") "\r\n", "200 keeps []" },
	{ "close", 0, OK "Connection: a, Close\r\n" CL("0") "\r\n", "200 closes []" },
	{ "HTTP/1.0", 0, "HTTP/1.0 200 OK\r\n" CL("0") "\r\n", "200 closes []" },
	{ "HTTP/1.0 kept", 0, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CL("0") "\r\n",
	    "200 keeps []" },
	{ "204", 0, "HTTP/1.1 204 No Content\r\n\r\n", "204 keeps []" },
	{ "304 with a length", 0, "HTTP/1.1 304 Same\r\n" CL("9") "\r\n", "304 keeps []" },
	{ "to HEAD", TO_HEAD, OK CL("999") "\r\n", "200 keeps []" },
	{ "500", 0, "HTTP/1.1 500 Oh no\r\n" CL("2") "\r\nno", "500 keeps [no]" },
	{ "100 before", 0, "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" OK CL("1") "\r\nx",
	    "200 keeps [x]" },
	{ "100 only", 0, "HTTP/1.1 100 Continue\r\n\r\n", "MORE" },
	{ "101", 0, "HTTP/1.1 101 Switch\r\n\r\n", "101 nobody asked for" },

	{ "the same length twice", 0, OK CL("2") CL("2") "\r\nhi", "200 keeps [hi]" },
	{ "the same length in a list", 0, OK CL("2, 2") "\r\nhi", "200 keeps [hi]" },
	{ "two lengths", 0, OK CL("2") CL("3") "\r\nhi", "two different Content-Length" },
	{ "two lengths in a list", 0, OK CL("2,3") "\r\nhi", "two different Content-Length" },
	{ "two lengths, nought first", 0, OK CL("0") CL("3") "\r\n",
	    "two different Content-Length" },
	{ "no number", 0, OK CL("") "\r\n", "a bad Content-Length" },
	{ "a sign", 0, OK CL("+2") "\r\nhi", "a bad Content-Length" },
	{ "hexadecimal", 0, OK CL("0x2") "\r\nhi", "a bad Content-Length" },
	{ "beyond 64 bits", 0, OK CL("18446744073709551618") "\r\nhi",
	    "a bad Content-Length" },
	{ "an empty element", 0, OK CL("2,") "\r\nhi", "a bad Content-Length" },
	{ "at the limit", 0, OK CL("20") "\r\n12345678901234567890",
	    "200 keeps [12345678901234567890]" },
	{ "over the limit", 0, OK CL("21") "\r\n", "a body of more than 20 bytes" },
	{ "204 with a bad length", 0, "HTTP/1.1 204 No\r\n" CL("x") "\r\n",
	    "a bad Content-Length" },

	{ "chunks", 0, CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
	    "200 keeps [abc0123456789]" },
	{ "chunk with extensions", 0, CHUNKED "3 ; a=\"b;c\" \t;d\r\nabc\r\n0;x\r\n\r\n",
	    "200 keeps [abc]" },
	{ "padded size", 0, CHUNKED "3  \r\nabc\r\n0\r\n\r\n", "200 keeps [abc]" },
	{ "trailer", 0, CHUNKED "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n+", "200 keeps [a] +1" },
	{ "half a trailer", 0, CHUNKED "1\r\na\r\n0\r\nX: y\r\n", "MORE" },
	{ "no last chunk", 0, CHUNKED "1\r\na\r\n", "MORE" },
	{ "chunks over the limit", 0, CHUNKED "b\r\n12345678901\r\na\r\n1234567890\r\n",
	    "a body of more than 20 bytes" },
	{ "chunk size missing", 0, CHUNKED "\r\nabc", "a bad chunk size" },
	{ "chunk size of words", 0, CHUNKED "3x\r\nabc", "a bad chunk size" },
	{ "chunk size of 16 digits", 0, CHUNKED "0000000000000003\r\nabc",
	    "a bad chunk size" },
	{ "negative chunk", 0, CHUNKED "-1\r\n", "a bad chunk size" },
	{ "two sizes", 0, CHUNKED "3 3\r\nabc", "a bad chunk extension" },
	{ "control in an extension", 0, CHUNKED "3;\x01\r\nabc", "a bad chunk extension" },
	{ "chunk ends in LF", 0, CHUNKED "3\nabc", "a bad chunk size" },
	{ "chunk too long", 0, CHUNKED "3\r\nabcd\r\n",
	    "a chunk does not end where it should" },
	{ "chunk too short", 0, CHUNKED "3\r\nab\r\n0\r\n",
	    "a chunk does not end where it should" },
	{ "bad trailer", 0, CHUNKED "0\r\nnonsense\r\n", "a line is no field" },
	{ "chunks and a length", 0, OK TE CL("3") "\r\n",
	    "both Content-Length and Transfer-Encoding" },
	{ "chunks twice", 0, OK TE TE "\r\n", "an unknown Transfer-Encoding" },
	{ "another coding", 0, OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    "an unknown Transfer-Encoding" },
	{ "chunks in HTTP/1.0", 0, "HTTP/1.0 200 OK\r\n" TE "\r\n",
	    "an unknown Transfer-Encoding" },

	{ "until close, not allowed", 0, OK "\r\nhello", "a body of unknown length" },
	{ "until close", BY_CLOSE, OK "\r\nhello", "MORE" },
	{ "until close, over the limit", BY_CLOSE, OK "\r\n123456789012345678901",
	    "a body of more than 20 bytes" },

	{ "folded", 0, OK "A: b\r\n c\r\n\r\n", "a line begins with a blank" },
	{ "blank first", 0, OK " A: b\r\n\r\n", "a line begins with a blank" },
	{ "blank before the colon", 0, OK "A : b\r\n\r\n", "a line is no field" },
	{ "no colon", 0, OK "Ab\r\n\r\n", "a line is no field" },
	{ "no name", 0, OK ": b\r\n\r\n", "a line is no field" },
	{ "a name in quotes", 0, OK "\"A\": b\r\n\r\n", "a line is no field" },
	{ "LF alone", 0, "HTTP/1.1 200 OK\nA: b\n\n", "a line without CR LF" },
	{ "CR inside", 0, OK "A: b\rC: d\r\n\r\n", "control characters in a head" },
	{ "escape inside", 0, OK "A: \x1b[2J\r\n\r\n", "control characters in a head" },
	{ "empty line first", 0, "\r\n" OK "\r\n", "no start line" },
	{ "not HTTP", 0, "220 mx ESMTP\r\n\r\n", "no HTTP/1 status line" },
	{ "HTTP/2", 0, "HTTP/2.0 200 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "HTTP/1.10", 0, "HTTP/1.10 200 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "small letters", 0, "http/1.1 200 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "four digits", 0, "HTTP/1.1 2000 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "two digits", 0, "HTTP/1.1 20 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "no blank before the code", 0, "HTTP/1.1_200 OK\r\n\r\n",
	    "no HTTP/1 status line" },
	{ "code 600", 0, "HTTP/1.1 600 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "code 099", 0, "HTTP/1.1 099 OK\r\n\r\n", "no HTTP/1 status line" },
	{ "ICAP", 0, "ICAP/1.0 200 OK\r\n\r\n", "no HTTP/1 status line" },
};

static void
print(char out[200], const struct http_response *r, enum status st, size_t left,
    const char *why)
{
	struct span body = buf_span(&r->body);
	int n;

	if (st != ST_OK) {
		snprintf(out, 200, "%s", st == ST_MORE ? "MORE" : why);
		return;
	}
	n = snprintf(out, 200, "%u %s [%.*s]", r->status.code,
	    http_response_keeps(r) ? "keeps" : "closes", (int)body.len,
	    (const char *)body.ptr);
	if (left > 0)
		snprintf(out + n, 200 - (size_t)n, " +%zu", left);
}

static enum status
feed(struct http_response *r, struct span in, size_t step, size_t *at, struct error *err)
{
	enum status st = ST_MORE;
	size_t used;

	for (*at = 0; st == ST_MORE && *at < in.len; *at += used) {
		size_t n = in.len - *at < step ? in.len - *at : step;

		st = http_response_feed(r, span_slice(in, *at, *at + n), &used, err);
		assert_true(used <= n && (st != ST_MORE || used == n));
	}
	return st;
}

static void
set_up(struct http_response *r, unsigned how)
{
	r->body_limit = LIMIT;
	r->to_head = (how & TO_HEAD) != 0;
	r->may_end_by_close = (how & BY_CLOSE) != 0;
}

/* Again and again by the same reader: nothing of an answer before stays. */
static void
run_row(const struct row *row, size_t step)
{
	struct span in = span_text(row->in);
	struct http_response r = { 0 };
	struct error err = { 0 };
	char got[200];
	size_t at;

	set_up(&r, row->how);
	for (unsigned i = 0; i <= HTTP_INTERIM; i++) {
		enum status st = feed(&r, in, step, &at, &err);

		print(got, &r, st, in.len - at, err.text);
		if (strcmp(got, row->out) != 0)
			fail_msg("%s, pieces of %zu: %s", row->name, step, got);
		http_response_clear(&r);
	}
	http_response_free(&r);
}

static void
test_responses(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].in) + 1; step++)
			run_row(&rows[i], step);
}

/* No front part of an answer is an answer, and none that is cut off is one. */
static void
test_cut_off(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t whole = 0;

		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			struct http_response r = { 0 };
			struct error err = { 0 };
			size_t at;

			set_up(&r, rows[i].how & TO_HEAD);
			enum status st = feed(&r, (struct span){
			    (const uint8_t *)rows[i].in, n }, 7, &at, &err);

			whole += st == ST_OK;
			assert_true(st != ST_OK || whole > 1 || at == n);
			if (st != ST_OK)
				assert_int_equal(http_response_lost(&r, &err), ST_PERM);
			http_response_free(&r);
		}
	}
}

static void
test_until_close(void **state)
{
	struct http_response r = { 0 };
	struct error err;
	size_t used;

	set_up(&r, BY_CLOSE);
	assert_int_equal(http_response_feed(&r, SPAN_LIT(OK "\r\nhello"), &used, &err), ST_MORE);
	assert_int_equal(http_response_lost(&r, &err), ST_OK);
	assert_true(span_equal(buf_span(&r.body), SPAN_LIT("hello")));
	assert_int_equal(http_response_lost(&r, &err), ST_OK);
	http_response_free(&r);
}

static void
test_bad_stays_bad(void **state)
{
	struct http_response r = { 0 };
	struct error err;
	size_t used;

	set_up(&r, 0);
	assert_int_equal(http_response_feed(&r, SPAN_LIT("what?\r\n\r\n"), &used, &err), ST_PERM);
	assert_int_equal(http_response_feed(&r, SPAN_LIT(OK CL("0") "\r\n"), &used, &err),
	    ST_PERM);
	assert_int_equal(http_response_lost(&r, &err), ST_PERM);
	http_response_free(&r);
}

/* `unit` again and again behind `start`: does it end, and with what? */
static void
expect_end(const char *start, const char *unit, const char *why)
{
	struct http_response r = { 0 };
	struct error err = { 0 };
	size_t used, total = 0;
	enum status st;

	set_up(&r, 0);
	st = http_response_feed(&r, span_text(start), &used, &err);
	for (; st == ST_MORE && total < 1u << 20; total += strlen(unit))
		st = http_response_feed(&r, span_text(unit), &used, &err);
	assert_int_equal(st, ST_PERM);
	assert_string_equal(err.text, why);
	http_response_free(&r);
}

static void
test_limits(void **state)
{
	expect_end("", "x", "a head of more than 65536 bytes");
	expect_end(OK, "A: b\r\n", "more than 100 fields");
	expect_end(OK "A: ", "0123456789", "a head of more than 65536 bytes");
	expect_end("", "HTTP/1.1 102 Wait\r\n\r\n", "too many 1xx");
	expect_end(CHUNKED "1;", "0123456789", "more than 65536 bytes of chunk extensions");
	expect_end(CHUNKED "1", "  ", "more than 65536 bytes of chunk extensions");
	expect_end(CHUNKED "0\r\n", "A: b\r\n", "more than 100 fields");
	expect_end(CHUNKED, "1;0123456789\r\nx\r\n", "a body of more than 20 bytes");
}

/* The naive reader has all of the text before it and goes from left to right. */

static size_t
run_of(const char *s, const char *set)
{
	return strspn(s, set);
}

/* 1: whole, 0: not yet, -1: never; trailers are not in the alphabet. */
static int
reference(const char *s, char *body)
{
	for (;;) {
		size_t n = run_of(s, "012"), size = (size_t)strtoul(s, NULL, 16);

		if (n == 0)
			return *s == '\0' ? 0 : -1;
		s += n;
		if (*s == ';')
			s += strcspn(s, "\r\n");
		if (*s == '\0' || strcmp(s, "\r") == 0)
			return 0;
		if (strncmp(s, "\r\n", 2) != 0)
			return -1;
		s += 2;
		if (size == 0)
			break;
		if (strlen(s) < size) {
			strcat(body, s);
			return 0;
		}
		strncat(body, s, size);
		s += size;
		if (strncmp(s, "\r\n", strlen(s) < 2 ? strlen(s) : 2) != 0)
			return -1;
		if (strlen(s) < 2)
			return 0;
		s += 2;
	}
	if (*s == '\0' || strcmp(s, "\r") == 0)
		return 0;
	return strncmp(s, "\r\n", 2) == 0 ? 1 : strchr(s, '\n') != NULL ? -1 : 0;
}

static void
compare(const char *text)
{
	char want[32] = "", got[32] = "";
	struct http_chunks c = { 0 };
	struct error err;
	struct span in = span_text(text), data;
	enum status st = ST_MORE;
	size_t used;

	for (; st == ST_MORE && in.len > 0; in = span_slice(in, used, in.len)) {
		st = http_chunks_feed(&c, in, &used, &data, &err);
		strncat(got, (const char *)(data.len > 0 ? data.ptr : in.ptr), data.len);
	}
	int result = reference(text, want);

	if (st != (result > 0 ? ST_OK : result < 0 ? ST_PERM : ST_MORE) ||
	    (st != ST_PERM && strcmp(want, got) != 0))
		fail_msg("'%s': %d '%s', the reference has %d '%s'", text, (int)st, got,
		    result, want);
	http_chunks_free(&c);
}

/* Every text over this alphabet, up to this length. */
#define ALPHABET "02;\r\nx"
#define LETTERS  8u

static void
test_all_chunks(void **state)
{
	static const char letters[] = ALPHABET;
	unsigned long all = 1;

	for (unsigned n = 0; n <= LETTERS; n++, all *= sizeof letters - 1)
		for (unsigned long k = 0; k < all; k++) {
			char text[LETTERS + 1] = "";
			unsigned long rest = k;

			for (unsigned i = 0; i < n; i++, rest /= sizeof letters - 1)
				text[i] = letters[rest % (sizeof letters - 1)];
			compare(text);
		}
}

/* As many fields as there may be, and one more. */
static void
test_field_count(void **state)
{
	struct http_head h = { 0 };
	struct error err;
	size_t used;

	assert_int_equal(http_head_feed(&h, SPAN_LIT("start\r\n"), &used, &err), ST_MORE);
	for (size_t i = 0; i < HTTP_FIELDS; i++)
		assert_int_equal(http_head_feed(&h, SPAN_LIT("A: b\r\n"), &used, &err),
		    ST_MORE);
	assert_int_equal(h.count, 100);
	assert_int_equal(http_head_feed(&h, SPAN_LIT("A: b\r\n"), &used, &err), ST_PERM);
	http_head_free(&h);
}

/* A head with folds, as ICAP services send them. */
static void
test_folds(void **state)
{
	static const char text[] = "ICAP/1.0 200 OK\r\nX: 1\r\n\t-\r\n  Eicar \r\n \r\nY:\r\n z\r\n"
	    "x: 2\r\n\r\nrest";
	struct http_head h = { .folds = true };
	struct error err;
	struct span value;
	size_t used;

	assert_int_equal(http_head_feed(&h, SPAN_LIT(text), &used, &err), ST_OK);
	assert_int_equal(used, sizeof text - 1 - 4);
	assert_int_equal(h.count, 3);
	assert_true(http_head_get(&h, "x", &value));
	assert_true(span_equal(value, SPAN_LIT("1\r\n\t-\r\n  Eicar")));
	assert_true(http_head_get(&h, "Y", &value));
	assert_true(span_equal(span_slice(value, value.len - 1, value.len), SPAN_LIT("z")));
	assert_int_equal(http_head_find(&h, "X", 1), 2);
	assert_true(span_equal(http_head_name(&h, 2), SPAN_LIT("x")));
	assert_false(http_head_get(&h, "Z", &value));
	assert_int_equal(value.len, 0);
	http_head_clear(&h);
	assert_int_equal(http_head_feed(&h, SPAN_LIT("a\r\n b\r\n"), &used, &err), ST_PERM);
	http_head_free(&h);
}

static void
test_requests(void **state)
{
	struct buf b = { 0 };

	http_put_start(&b, "POST", SPAN_LIT("/a b\r\nX: y\xff%41"), "HTTP/1.1");
	http_put_field(&b, "From", SPAN_LIT("a\r\nEvil: 1\n\r\0\x7f\t\xe9"));
	http_put_number(&b, "Content-Length", UINT64_MAX);
	http_put_field(&b, "Empty", SPAN_NONE);
	http_put_end(&b);
	assert_string_equal(buf_text(&b), "POST /a%20b%0D%0AX:%20y%FF%41 HTTP/1.1\r\n"
	    "From: a??Evil: 1?????\xe9\r\nContent-Length: 18446744073709551615\r\nEmpty: \r\n\r\n");
	buf_take(&b, buf_len(&b));
	http_put_start(&b, "GET", SPAN_NONE, "HTTP/1.1");
	assert_string_equal(buf_text(&b), "GET / HTTP/1.1\r\n");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_bad_stays_bad),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_all_chunks),
		cmocka_unit_test(test_field_count),
		cmocka_unit_test(test_folds),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
