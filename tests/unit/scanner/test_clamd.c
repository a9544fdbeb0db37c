/*
 * test_clamd.c - dialogues with clamd: each at every cut, each cut off at every byte, each
 * answer replaced by nonsense.
 */
#include "tests/unit/scanner/talk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum setup { STREAM = 0, FD = 1, PREFIX = 2, MUTE = 4, FORBIDDEN = 8, EMPTY = 16, SECOND = 32,
	PROBE = 64, CANARY = 128 };
enum after { USELESS = 0, REUSABLE = 1, DENIED = 2, NO_VERSION = 4, STALE = 8 };

#define HELLO "zIDSESSION\0zVERSION\0"
#define BODY5 "\0\0\0\5<body 0 5>\0\0\0\0"
#define V "1: ClamAV 1.4.3/27400/Fri Nov 20 09:12:00 2026\0"
#define MISSED "clamd does not find the EICAR test file (no signatures, or no room for " \
	"temporary files; reload it when that is mended)"
#define VERSION "ClamAV 1.4.3/27400/Fri Nov 20 09:12:00 2026"

/* Its length, and what it is. */
#define CANARY_CHUNK "\0\0\1\x88" \
	"From: canary@sallyport.invalid\r\nSubject: canary\r\nMIME-Version: 1.0\r\n" \
	"Content-Type: multipart/mixed; boundary=canary\r\n\r\n--canary\r\n" \
	"Content-Type: application/octet-stream; name=\"canary.bin\"\r\n" \
	"Content-Disposition: attachment; filename=\"canary.bin\"\r\n" \
	"Content-Transfer-Encoding: base64\r\n\r\n" "WDVPIVAlQEFQWzRcUFpYNTQoUF4p\r\n" \
	"N0NDKTd9JEVJQ0FSLVNUQU5EQVJE\r\n" "LUFOVElWSVJVUy1URVNULUZJTEUh\r\n" \
	"JEgrSCo=\r\n--canary--\r\n"

struct row {
	const char *name;
	unsigned setup;
	struct span says;               /* then it closes, if there was no event */
	enum scan_event event;
	enum scan_result result;
	unsigned after;
	const char *virus, *why;        /* NULL: none */
};

static const struct row rows[] = {
	{ "clean", STREAM, SPAN_LIT(V "2: stream: OK\0"), SCAN_DONE, SCAN_CLEAN, REUSABLE,
	    NULL, NULL },
	{ "clean, private database", STREAM, SPAN_LIT("1: ClamAV 1.4.3\0" "2: stream: OK\0"),
	    SCAN_DONE, SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "clean, prefix", PREFIX, SPAN_LIT(V "2: stream: OK\0"), SCAN_DONE, SCAN_CLEAN,
	    REUSABLE, NULL, NULL },
	{ "clean, empty", EMPTY, SPAN_LIT(V "2: stream: OK\0"), SCAN_DONE, SCAN_CLEAN,
	    REUSABLE, NULL, NULL },
	{ "clean, no VERSION", MUTE, SPAN_LIT("1: stream: OK\0"), SCAN_DONE, SCAN_CLEAN,
	    REUSABLE, NULL, NULL },
	{ "clean, second in a session", SECOND, SPAN_LIT("3: stream: OK\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "clean, descriptor", FD, SPAN_LIT(V "2: fd[12]: OK\0"), SCAN_DONE, SCAN_CLEAN,
	    REUSABLE, NULL, NULL },
	{ "clean, descriptor, second", FD | SECOND, SPAN_LIT("3: fd[9]: OK\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "descriptor not allowed", FD | FORBIDDEN, SPAN_LIT(V "2: stream: OK\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "descriptor and prefix", FD | PREFIX, SPAN_LIT(V "2: fd[10]: OK\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "infected", STREAM, SPAN_LIT(V "2: stream: Eicar-Test FOUND\0"), SCAN_DONE,
	    SCAN_INFECTED, REUSABLE, "Eicar-Test", NULL },
	{ "infected, descriptor", FD, SPAN_LIT(V "2: fd[3]: Eicar-Test FOUND\0"), SCAN_DONE,
	    SCAN_INFECTED, REUSABLE, "Eicar-Test", NULL },
	{ "infected, odd name", STREAM, SPAN_LIT(V "2: stream: A b\x80\x01 FOUND FOUND\0"),
	    SCAN_DONE, SCAN_INFECTED, REUSABLE, "A_b___FOUND", NULL },
	{ "infected, no name", STREAM, SPAN_LIT(V "2: stream:  FOUND\0"), SCAN_DONE,
	    SCAN_INFECTED, REUSABLE, "unnamed", NULL },
	{ "infected, called OK", STREAM, SPAN_LIT(V "2: stream: OK FOUND\0"), SCAN_DONE,
	    SCAN_INFECTED, REUSABLE, "OK", NULL },
	{ "encrypted is a name", STREAM,
	    SPAN_LIT(V "2: stream: Heuristics.Encrypted.Zip FOUND\0"), SCAN_DONE,
	    SCAN_INFECTED, REUSABLE, "Heuristics.Encrypted.Zip", NULL },
	{ "limits of clamd", STREAM,
	    SPAN_LIT(V "2: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"), SCAN_DONE,
	    SCAN_UNSCANNABLE, REUSABLE, NULL, "Heuristics.Limits.Exceeded.MaxFileSize" },
	{ "too large", STREAM, SPAN_LIT(V "2: INSTREAM size limit exceeded. ERROR\0"),
	    SCAN_DONE, SCAN_UNSCANNABLE, USELESS, NULL, "INSTREAM size limit exceeded." },
	{ "time limit of clamd", STREAM, SPAN_LIT(V "2: stream: Exceeded time limit ERROR\0"),
	    SCAN_DONE, SCAN_UNSCANNABLE, USELESS, NULL, "Exceeded time limit" },
	{ "memory", STREAM, SPAN_LIT(V "2: stream: Can't allocate memory ERROR\0"), SCAN_DONE,
	    SCAN_FAILED, USELESS, NULL,
	    "clamd could not scan: Can't allocate memory" },
	{ "memory, descriptor", FD, SPAN_LIT(V "2: fd[1]: Can't allocate memory ERROR\0"),
	    SCAN_DONE, SCAN_FAILED, USELESS, NULL,
	    "clamd could not scan: Can't allocate memory" },
	{ "no descriptor came", FD, SPAN_LIT(V "2: No file descriptor received. ERROR\0"),
	    SCAN_DONE, SCAN_FAILED, DENIED, NULL,
	    "clamd could not scan: No file descriptor received." },
	{ "descriptor denied", FD, SPAN_LIT(V "2: fd[10]: Can't access file ERROR\0"),
	    SCAN_DONE, SCAN_FAILED, DENIED, NULL,
	    "clamd could not scan: Can't access file" },
	{ "lstat", FD, SPAN_LIT(V "2: fd[10]: lstat() failed: Permission denied. ERROR\0"),
	    SCAN_DONE, SCAN_FAILED, DENIED, NULL,
	    "clamd could not scan: lstat() failed: Permission denied." },
	{ "no map", FD, SPAN_LIT(V "2: fd[10]: Can't map file into memory ERROR\0"),
	    SCAN_DONE, SCAN_FAILED, DENIED, NULL,
	    "clamd could not scan: Can't map file into memory" },
	{ "no map, but a stream", STREAM,
	    SPAN_LIT(V "2: stream: Can't map file into memory ERROR\0"), SCAN_DONE, SCAN_FAILED,
	    USELESS, NULL, "clamd could not scan: Can't map file into memory" },
	{ "no FILDES", FD, SPAN_LIT(V "2: UNKNOWN COMMAND\0"), SCAN_BROKEN, SCAN_FAILED,
	    DENIED, NULL, "unexpected answer: UNKNOWN COMMAND" },
	{ "no INSTREAM", STREAM, SPAN_LIT(V "2: UNKNOWN COMMAND\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer: UNKNOWN COMMAND" },
	{ "descriptor kept back", FD, SPAN_LIT(""), SCAN_BROKEN, SCAN_FAILED, DENIED, NULL,
	    "closed the connection (while waiting for clamd's answer)" },
	{ "descriptor kept back after VERSION", FD, SPAN_LIT(V), SCAN_BROKEN, SCAN_FAILED,
	    DENIED, NULL, "closed the connection (while waiting for clamd's answer)" },
	{ "closed, stream", STREAM, SPAN_LIT(V), SCAN_BROKEN, SCAN_FAILED, USELESS, NULL,
	    "closed the connection (while waiting for clamd's answer)" },
	{ "idle too long", FD | SECOND, SPAN_LIT(""), SCAN_BROKEN, SCAN_FAILED, STALE, NULL,
	    "closed the connection (while waiting for clamd's answer)" },
	{ "idle too long, its last words", SECOND, SPAN_LIT("COMMAND READ TIMED OUT\n"),
	    SCAN_BROKEN, SCAN_FAILED, STALE, NULL,
	    "clamd waited too long (COMMAND READ TIMED OUT)" },
	{ "sending too slowly", STREAM, SPAN_LIT(V "COMMAND READ TIMED OUT\n"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, "clamd waited too long (COMMAND READ TIMED OUT)" },
	{ "half a VERSION", STREAM, SPAN_LIT("1: Clam"), SCAN_BROKEN, SCAN_FAILED, USELESS,
	    NULL, "the answer is not whole: 1: Clam" },
	{ "half an answer", STREAM, SPAN_LIT(V "2: stream: OK"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "the answer is not whole: 2: stream: OK" },
	{ "half an answer, descriptor", FD, SPAN_LIT(V "2: fd[1]"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "the answer is not whole: 2: fd[1]" },
	{ "VERSION refused", STREAM, SPAN_LIT("1: COMMAND UNAVAILABLE\0"), SCAN_BROKEN,
	    SCAN_FAILED, NO_VERSION, NULL, "VERSION is not allowed (EnableVersionCommand)" },
	{ "no signatures", STREAM,
	    SPAN_LIT("1: ClamAV 1.4.3/4294967295/Wed Dec 31 23:59:59 1969\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL,
	    "no signatures are loaded: ClamAV 1.4.3/4294967295/Wed Dec 31 23:59:59 1969" },
	{ "somebody else", STREAM, SPAN_LIT("1: Clam 1.4.3\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer to VERSION: Clam 1.4.3" },
	{ "a name that is none", STREAM, SPAN_LIT(V "2: stream: (null) FOUND\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, "found something without a name" },
	{ "another number", STREAM, SPAN_LIT(V "3: stream: OK\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer: 3: stream: OK" },
	{ "the number before", SECOND, SPAN_LIT("2: stream: OK\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer: 2: stream: OK" },
	{ "no number", MUTE, SPAN_LIT("stream: OK\0"), SCAN_BROKEN, SCAN_FAILED, USELESS, NULL,
	    "unexpected answer: stream: OK" },
	{ "stream for a descriptor", FD, SPAN_LIT(V "2: stream: OK\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, "unexpected answer: stream: OK" },
	{ "descriptor for a stream", STREAM, SPAN_LIT(V "2: fd[1]: OK\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, "unexpected answer: fd[1]: OK" },
	{ "descriptor without a number", FD, SPAN_LIT(V "2: fd[]: OK\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, "unexpected answer: fd[]: OK" },
	{ "OK of nothing", STREAM, SPAN_LIT(V "2: OK\0"), SCAN_BROKEN, SCAN_FAILED, USELESS,
	    NULL, "unexpected answer: OK" },
	{ "a byte behind OK", STREAM, SPAN_LIT(V "2: stream: OK\n\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer: OK\\x0a" },
	{ "probe", PROBE, SPAN_LIT(V), SCAN_DONE, SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "probe in a session", PROBE | SECOND, SPAN_LIT("3: ClamAV 1.4.3\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "probe without VERSION", PROBE | MUTE, SPAN_LIT("1: PONG\0"), SCAN_DONE, SCAN_CLEAN,
	    REUSABLE, NULL, NULL },
	{ "probe, no PONG", PROBE | MUTE, SPAN_LIT("1: stream: OK\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer to PING: stream: OK" },
	{ "probe, no VERSION", PROBE, SPAN_LIT("1: PONG\0"), SCAN_BROKEN, SCAN_FAILED, USELESS,
	    NULL, "unexpected answer to VERSION: PONG" },
	{ "canary", CANARY | SECOND, SPAN_LIT("3: stream: Eicar-Signature FOUND\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "canary, descriptor", CANARY | FD | SECOND, SPAN_LIT("3: fd[9]: X FOUND\0"),
	    SCAN_DONE, SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "canary first", CANARY, SPAN_LIT(V "2: stream: Eicar-Signature FOUND\0"), SCAN_DONE,
	    SCAN_CLEAN, REUSABLE, NULL, NULL },
	{ "canary missed", CANARY | SECOND, SPAN_LIT("3: stream: OK\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, MISSED },
	{ "canary missed, descriptor", CANARY | FD | SECOND, SPAN_LIT("3: fd[9]: OK\0"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED },
	{ "canary in vain", CANARY | SECOND,
	    SPAN_LIT("3: Error writing to temporary file ERROR\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, MISSED ": Error writing to temporary file ERROR" },
	{ "canary denied", CANARY | FD | SECOND, SPAN_LIT("3: fd[9]: Can't open file ERROR\0"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED ": Can't open file ERROR" },
	{ "canary beyond limits", CANARY | SECOND,
	    SPAN_LIT("3: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL,
	    MISSED ": Heuristics.Limits.Exceeded.MaxFileSize FOUND" },
	{ "canary without a name", CANARY | SECOND, SPAN_LIT("3: stream: (null) FOUND\0"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED ": (null) FOUND" },
	{ "canary, another's answer", CANARY | SECOND, SPAN_LIT("2: stream: X FOUND\0"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, "unexpected answer: 2: stream: X FOUND" },
	{ "canary, another's words", CANARY | FD | SECOND,
	    SPAN_LIT("No file descriptor received. ERROR\0"), SCAN_BROKEN, SCAN_FAILED,
	    USELESS, NULL, "unexpected answer: No file descriptor received. ERROR" },
	{ "canary, another way", CANARY | FD | SECOND, SPAN_LIT("3: stream: X FOUND\0"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED ": stream: X FOUND" },
	{ "canary, silence", CANARY | SECOND, SPAN_LIT(""), SCAN_BROKEN, SCAN_FAILED, USELESS,
	    NULL, MISSED ": closed the connection" },
	{ "canary, silence, descriptor", CANARY | FD | SECOND, SPAN_LIT(""), SCAN_BROKEN,
	    SCAN_FAILED, USELESS, NULL, MISSED ": closed the connection" },
	{ "canary, too late", CANARY | SECOND, SPAN_LIT("COMMAND READ TIMED OUT\n"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED ": closed the connection" },
	{ "canary, half an answer", CANARY | SECOND, SPAN_LIT("3: stream: X FOUND"),
	    SCAN_BROKEN, SCAN_FAILED, USELESS, NULL, MISSED ": closed the connection" },
};

/* What must have been written, by the setup; without the NUL of the literal. */
static struct span
expected_output(unsigned setup)
{
	static const struct { unsigned setup; struct span said; } table[] = {
		{ STREAM, SPAN_LIT(HELLO "zINSTREAM\0" BODY5) },
		{ PREFIX, SPAN_LIT(HELLO "zINSTREAM\0" "\0\0\0\6X: y\r\n" BODY5) },
		{ EMPTY, SPAN_LIT(HELLO "zINSTREAM\0" "\0\0\0\0") },
		{ MUTE, SPAN_LIT("zIDSESSION\0zINSTREAM\0" BODY5) },
		{ SECOND, SPAN_LIT("zINSTREAM\0" BODY5) },
		{ FD, SPAN_LIT(HELLO "<fd zFILDES\0\0>") },
		{ FD | PREFIX, SPAN_LIT(HELLO "<fd zFILDES\0\0>") },
		{ FD | SECOND, SPAN_LIT("<fd zFILDES\0\0>") },
		{ FD | FORBIDDEN, SPAN_LIT(HELLO "zINSTREAM\0" BODY5) },
		{ PROBE, SPAN_LIT(HELLO) },
		{ PROBE | SECOND, SPAN_LIT("zVERSION\0") },
		{ PROBE | MUTE, SPAN_LIT("zIDSESSION\0zPING\0") },
		{ CANARY, SPAN_LIT(HELLO "zINSTREAM\0" CANARY_CHUNK "\0\0\0\0") },
		{ CANARY | SECOND, SPAN_LIT("zINSTREAM\0" CANARY_CHUNK "\0\0\0\0") },
		{ CANARY | FD | SECOND, SPAN_LIT("<fd zFILDES\0\0>") },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (table[i].setup == setup)
			return table[i].said;
	abort();
}

struct dialogue { struct talk talk; struct scan_options options; unsigned setup; };

static void
set_up(struct dialogue *d, unsigned setup, uint64_t out_step)
{
	struct scan_request r = { .size = setup & EMPTY ? 0 : 5,
	    .may_descriptor = (setup & FD) != 0 };

	*d = (struct dialogue){ .setup = setup, .options = { .kind = SCANNER_CLAMD,
	    .no_version = (setup & MUTE) != 0, .no_descriptor = (setup & FORBIDDEN) != 0 } };
	if (setup & PREFIX)
		r.prefix = SPAN_LIT("X: y\r\n");
	if (setup & SECOND) {
		talk_begin(&d->talk, &d->options, &r);
		talk_flush(&d->talk, 100);
		struct span first = setup & FD ? SPAN_LIT(V "2: fd[7]: OK\0") :
		    SPAN_LIT(V "2: stream: OK\0");

		assert_int_equal(scan_client_feed(d->talk.client, first), SCAN_DONE);
		assert_true(scan_client_may_be_reused(d->talk.client));
		buf_take(&d->talk.said, buf_len(&d->talk.said));
	}
	if (setup & (PROBE | CANARY) && d->talk.client == NULL)
		d->talk.client = scan_client_create(&d->options);
	if (setup & CANARY) {
		r.arena = &d->talk.arena;
		scan_client_begin_canary(d->talk.client, &r);
	} else if (setup & PROBE) {
		scan_client_begin_probe(d->talk.client, &d->talk.arena);
	} else
		talk_begin(&d->talk, &d->options, &r);
	talk_flush(&d->talk, out_step);
}

static void
assert_text(struct span s, const char *expected)
{
	char *text = must_alloc(s.len + 1);

	memcpy(text, s.len > 0 ? s.ptr : (const uint8_t *)"", s.len);
	assert_string_equal(text, expected);
	free(text);
}

static void
check(struct dialogue *d, const struct row *row, enum scan_event e)
{
	const struct scan_client *c = d->talk.client;
	const struct scan_report *r = scan_client_report(c);
	struct span said = expected_output(row->setup);

	assert_int_equal(e, row->event);
	assert_int_equal(r->result, row->result);
	assert_text(r->why, row->why != NULL ? row->why : "");
	assert_int_equal(r->virus_count, row->virus != NULL);
	if (row->virus != NULL)
		assert_text(r->viruses[0], row->virus);
	assert_int_equal(scan_client_may_be_reused(c), (row->after & REUSABLE) != 0);
	assert_int_equal(scan_client_was_denied(c), (row->after & DENIED) != 0);
	assert_int_equal(scan_client_version_denied(c), (row->after & NO_VERSION) != 0);
	assert_int_equal(scan_client_is_stale(c), (row->after & STALE) != 0);
	assert_true(span_equal(buf_span(&d->talk.said), said));
}

/* The answers in pieces of `step`, the first of `first` bytes. */
static void
run(const struct row *row, size_t first, size_t step, uint64_t out_step)
{
	struct dialogue d;
	enum scan_event e;

	set_up(&d, row->setup, out_step);
	e = talk_feed(&d.talk, span_slice(row->says, 0, first), first > 0 ? first : 1);
	if (e == SCAN_WAIT)
		e = talk_feed(&d.talk, span_slice(row->says, first, row->says.len), step);
	if (e == SCAN_WAIT)
		e = scan_client_closed(d.talk.client);
	check(&d, row, e);
	talk_end(&d.talk);
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];

		print_message("# %s\n", row->name);
		for (size_t cut = 0; cut <= row->says.len; cut++)
			run(row, cut, row->says.len + 1, 1000);
		for (size_t step = 1; step <= row->says.len; step++)
			run(row, 0, step, 1 + step % 7);
		for (uint64_t out = 1; out < 80; out++)
			run(row, 0, 1000, out);
	}
}

/* Cut off anywhere before its end an answer is no answer. */
static void
test_cut_off(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t n = 0; n < rows[i].says.len; n++) {
			struct dialogue d;
			enum scan_event e;

			set_up(&d, rows[i].setup, 1000);
			e = scan_client_feed(d.talk.client, span_slice(rows[i].says, 0, n));
			assert_int_equal(e, SCAN_WAIT);
			e = n % 2 == 0 ? scan_client_closed(d.talk.client) :
			    scan_client_lost(d.talk.client, "no answer within 30 s");
			assert_int_equal(e, SCAN_BROKEN);
			assert_int_equal(scan_client_report(d.talk.client)->result, SCAN_FAILED);
			assert_true(scan_client_report(d.talk.client)->why.len > 0);
			assert_false(scan_client_may_be_reused(d.talk.client));
			talk_end(&d.talk);
		}
}

static const struct span nonsense[] = {
	SPAN_LIT("\0"), SPAN_LIT("\0\0\0\0"), SPAN_LIT("OK\0"), SPAN_LIT("OK\n"),
	SPAN_LIT("stream: OK\n"), SPAN_LIT("stream: OK\0"), SPAN_LIT("2:stream: OK\0"),
	SPAN_LIT("2 stream: OK\0"), SPAN_LIT("2: stream:OK\0"), SPAN_LIT("2: stream: ok\0"),
	SPAN_LIT("2: stream: OK \0"), SPAN_LIT("2: stream:  OK\0"), SPAN_LIT("2: : OK\0"),
	SPAN_LIT("02: stream: OK\0"), SPAN_LIT("-2: stream: OK\0"), SPAN_LIT("+2: stream: OK\0"), SPAN_LIT(" 2: stream: OK\0"),
	SPAN_LIT("4294967298: stream: OK\0"), SPAN_LIT("18446744073709551618: stream: OK\0"),
	SPAN_LIT("2: stream: OK ERROR\0"), SPAN_LIT("2: stream: \0"), SPAN_LIT("2: \0"),
	SPAN_LIT("2:\0"), SPAN_LIT(":\0"), SPAN_LIT(": \0"), SPAN_LIT("2: stream: FOUND\0"),
	SPAN_LIT("2: stream: Empty file\0"), SPAN_LIT("2: stream: Excluded\0"),
	SPAN_LIT("(null)\0"), SPAN_LIT("2: (null)\0"), SPAN_LIT("UNKNOWN COMMAND\0"),
	SPAN_LIT("COMMAND READ TIMED OUT\n\0"), SPAN_LIT("Can't allocate memory ERROR\0"),
	SPAN_LIT("PONG\0"), SPAN_LIT("2: PONG\0"), SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n\0"),
	SPAN_LIT("220 mx ESMTP\r\n\0"), SPAN_LIT("\xff\xfe\xfd\0"), SPAN_LIT("2: \x80: OK\0"),
	SPAN_LIT("1: stream: OK\0"), SPAN_LIT("2: fd[1]: OK: OK\0"), SPAN_LIT("2: fd[-1]: OK\0"),
	SPAN_LIT("2: fd[1: OK\0"), SPAN_LIT("2: stream: NOT OK\0"),
};

/* Nonsense in the place of VERSION's answer, or of the scan's, is never "clean". */
static void
test_nonsense(void **state)
{
	for (size_t i = 0; i < COUNT_OF(nonsense); i++)
		for (unsigned how = 0; how < 4; how++) {
			struct dialogue d;
			enum scan_event e = SCAN_WAIT;
			bool instead_of_version = how & 1;

			set_up(&d, how & 2 ? FD : STREAM, 1000);
			if (!instead_of_version)
				e = scan_client_feed(d.talk.client, SPAN_LIT(V));
			assert_int_equal(e, SCAN_WAIT);
			e = scan_client_feed(d.talk.client, nonsense[i]);
			if (e == SCAN_WAIT)
				e = scan_client_closed(d.talk.client);
			assert_true(e == SCAN_BROKEN || e == SCAN_DONE);
			assert_int_equal(scan_client_report(d.talk.client)->result, SCAN_FAILED);
			assert_false(scan_client_may_be_reused(d.talk.client));
			talk_end(&d.talk);
		}
}

/* What comes behind the answer, at once or later, makes the session useless. */
static void
test_behind(void **state)
{
	for (int at_once = 0; at_once < 2; at_once++) {
		struct dialogue d;
		struct span both = SPAN_LIT(V "2: stream: OK\0" "2: stream: Eicar FOUND\0");
		size_t end = sizeof(V "2: stream: OK");

		set_up(&d, STREAM, 1000);
		assert_int_equal(scan_client_feed(d.talk.client,
		    at_once ? both : span_slice(both, 0, end)), SCAN_DONE);
		assert_int_equal(scan_client_report(d.talk.client)->result, SCAN_CLEAN);
		assert_int_equal(scan_client_may_be_reused(d.talk.client), !at_once);
		assert_int_equal(scan_client_feed(d.talk.client,
		    span_slice(both, end, both.len)), SCAN_BROKEN);
		assert_int_equal(scan_client_report(d.talk.client)->result, SCAN_FAILED);
		assert_false(scan_client_may_be_reused(d.talk.client));
		assert_int_equal(scan_client_closed(d.talk.client), SCAN_BROKEN);
		talk_end(&d.talk);
	}
}

/* OK before the message has gone out is about something else; a refusal may come early. */
static void
test_early(void **state)
{
	static const struct { struct span says; enum scan_event event; enum scan_result result; }
	    early[] = {
		{ SPAN_LIT(V "2: stream: OK\0"), SCAN_BROKEN, SCAN_FAILED },
		{ SPAN_LIT(V "2: INSTREAM size limit exceeded. ERROR\0"), SCAN_DONE,
		    SCAN_UNSCANNABLE },
		{ SPAN_LIT(V "2: stream: Eicar FOUND\0"), SCAN_DONE, SCAN_INFECTED },
	};

	for (size_t i = 0; i < COUNT_OF(early); i++) {
		struct talk t = { 0 };
		struct scan_options o = { .kind = SCANNER_CLAMD };

		talk_begin(&t, &o, &(struct scan_request){ .size = 100 });
		while (scan_client_output(t.client).kind == SCAN_OUT_BYTES)
			scan_client_sent(t.client, 1);
		scan_client_sent(t.client, 99);
		assert_int_equal(scan_client_feed(t.client, early[i].says), early[i].event);
		assert_int_equal(scan_client_report(t.client)->result, early[i].result);
		assert_false(scan_client_may_be_reused(t.client));
		assert_int_equal(scan_client_output(t.client).kind, SCAN_OUT_NOTHING);
		scan_client_sent(t.client, 1);
		talk_end(&t);
	}
}

static void
test_too_long(void **state)
{
	struct dialogue d;
	enum scan_event e = SCAN_WAIT;
	size_t n = 0;

	set_up(&d, STREAM, 1000);
	while (e == SCAN_WAIT && n++ < 10000)
		e = scan_client_feed(d.talk.client, SPAN_LIT("1"));
	assert_int_equal(e, SCAN_BROKEN);
	assert_int_equal(n, 4097);
	assert_text(scan_client_report(d.talk.client)->why, "the answer is too long");
	talk_end(&d.talk);
}

/* A chunk's length has 32 bits: what is larger goes in several. */
static void
test_chunks(void **state)
{
	static const struct { uint64_t size; struct span said; } sizes[] = {
		{ 0x7fffffff, SPAN_LIT("\x7f\xff\xff\xff<body 0 2147483647>\0\0\0\0") },
		{ 0x80000000, SPAN_LIT("\x40\0\0\0<body 0 1073741824>"
		    "\x40\0\0\0<body 1073741824 1073741824>\0\0\0\0") },
		{ 0xc0000001, SPAN_LIT("\x40\0\0\0<body 0 1073741824>"
		    "\x40\0\0\0<body 1073741824 1073741824>"
		    "\x40\0\0\1<body 2147483648 1073741825>\0\0\0\0") },
	};
	struct span head = SPAN_LIT(HELLO "zINSTREAM\0");

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct talk t = { 0 };
		struct scan_options o = { .kind = SCANNER_CLAMD };

		talk_begin(&t, &o, &(struct scan_request){ .size = sizes[i].size });
		talk_flush(&t, 0x12345678);
		assert_true(buf_len(&t.said) == head.len + sizes[i].said.len);
		assert_memory_equal(buf_span(&t.said).ptr + head.len, sizes[i].said.ptr,
		    sizes[i].said.len);
		assert_int_equal(scan_client_feed(t.client, SPAN_LIT(V "2: stream: OK\0")),
		    SCAN_DONE);
		talk_end(&t);
	}
}

/* The answer stands in the report of every scan of a session, the version where it was
   asked for: it may be another by now. */
static void
test_report(void **state)
{
	struct dialogue d;

	set_up(&d, 0, 1000);
	assert_int_equal(scan_client_feed(d.talk.client, SPAN_LIT(V "2: stream: OK\0")),
	    SCAN_DONE);
	assert_text(scan_client_report(d.talk.client)->version, VERSION);
	talk_end(&d.talk);
	set_up(&d, SECOND, 1000);
	assert_int_equal(scan_client_feed(d.talk.client,
	    SPAN_LIT("3: stream: Win.Test-1 FOUND\0")), SCAN_DONE);
	assert_text(scan_client_report(d.talk.client)->version, "");
	assert_text(scan_client_report(d.talk.client)->answer, "3: stream: Win.Test-1 FOUND");
	talk_end(&d.talk);
}

static void
test_doing(void **state)
{
	struct talk t = { 0 };
	struct scan_options o = { .kind = SCANNER_CLAMD };

	talk_begin(&t, &o, &(struct scan_request){ .size = 5 });
	assert_string_equal(scan_client_doing(t.client), "sending the message to clamd");
	assert_int_equal(scan_client_lost(t.client, "no answer within 30 s"), SCAN_BROKEN);
	assert_text(scan_client_report(t.client)->why,
	    "no answer within 30 s (while sending the message to clamd)");
	assert_string_equal(scan_client_doing(t.client), "idle");
	talk_end(&t);
}

/* In the same session behind a mail; the mail's report stays as it was. */
static void
test_canary(void **state)
{
	struct dialogue d;

	set_up(&d, SECOND, 1000);
	assert_int_equal(scan_client_feed(d.talk.client, SPAN_LIT("3: stream: OK\0")), SCAN_DONE);
	const struct scan_report *mail = scan_client_report(d.talk.client);

	scan_client_begin_canary(d.talk.client,
	    &(struct scan_request){ .arena = &d.talk.arena });
	assert_string_equal(scan_client_doing(d.talk.client),
	    "asking clamd for the EICAR test file");
	talk_flush(&d.talk, 1000);
	assert_int_equal(scan_client_feed(d.talk.client, SPAN_LIT("4: stream: OK\0")),
	    SCAN_BROKEN);
	assert_int_equal(mail->result, SCAN_CLEAN);
	assert_text(mail->answer, "3: stream: OK");
	talk_end(&d.talk);
}

/* Found before it was sent is nonsense. */
static void
test_canary_early(void **state)
{
	struct talk t = { 0 };
	struct scan_options o = { .kind = SCANNER_CLAMD, .no_version = true };

	t.client = scan_client_create(&o);
	scan_client_begin_canary(t.client, &(struct scan_request){ .arena = &t.arena });
	assert_int_equal(scan_client_feed(t.client, SPAN_LIT("1: stream: X FOUND\0")),
	    SCAN_BROKEN);
	assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
	talk_end(&t);
}

/* A descriptor that is answered by nothing within the time is no denial. */
static void
test_hangs(void **state)
{
	struct dialogue d;

	set_up(&d, FD, 1000);
	assert_int_equal(scan_client_lost(d.talk.client, "no answer within 30 s"), SCAN_BROKEN);
	assert_false(scan_client_was_denied(d.talk.client));
	assert_text(scan_client_report(d.talk.client)->why,
	    "no answer within 30 s (while waiting for clamd's answer)");
	talk_end(&d.talk);
	set_up(&d, FD | SECOND, 1000);
	assert_int_equal(scan_client_lost(d.talk.client, "no answer within 30 s"), SCAN_BROKEN);
	assert_false(scan_client_is_stale(d.talk.client));
	talk_end(&d.talk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_behind),
		cmocka_unit_test(test_early), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_chunks), cmocka_unit_test(test_report),
		cmocka_unit_test(test_doing), cmocka_unit_test(test_canary),
		cmocka_unit_test(test_canary_early), cmocka_unit_test(test_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
