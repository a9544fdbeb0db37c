/*
 * test_inspector_jobs.c - messages in, findings and edits out.
 */
#include "src/inspector/clock.h"
#include "src/inspector/jobs.h"
#include "src/inspector/section.h"
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT (1u << 20)

struct bench { struct arena arena; uint8_t room[SECTION_FIRST_BYTES]; };

static const struct dig_tools no_tools;

static struct packet_examined
examine_job(struct bench *b, struct span message, const struct packet_examine *job)
{
	struct packet_examined out;
	int fd = ipc_memory("message", message);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	examine(fd, job, &no_tools, b->room, &out, &b->arena);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);    /* the gateway's own offset */
	close(fd);
	return out;
}

static struct packet_examined
examine_text(struct bench *b, struct span message, uint64_t size, uint32_t limit)
{
	struct packet_examine job = { size, limit, WISH_ALL, false };

	return examine_job(b, message, &job);
}

/* "-" absent, "?" unknown, else the text or number. */
static void
assert_fact(const struct packet_examined *e, enum fact fact, const char *want)
{
	const struct value *v = &e->findings.values[fact];
	char number[24];
	struct span got = v->text;

	if (v->state == FACT_ABSENT)
		got = SPAN_LIT("-");
	else if (v->state == FACT_UNKNOWN)
		got = SPAN_LIT("?");
	else if (fact_row(fact)->type == TYPE_NUMBER) {
		snprintf(number, sizeof number, "%lld", (long long)v->number);
		got = span_text(number);
	}
	if (!span_equal(got, span_text(want)))
		fail_msg("%s: \"%.*s\", not \"%s\"", fact_row(fact)->name, (int)got.len,
		    (const char *)got.ptr, want);
}

static const struct { const char *name; struct span in; const char *subject, *from, *id,
	*count; uint64_t header; bool eight_bit; } messages[] = {
	{ "empty message", SPAN_LIT(""), "-", "-", "-", "0", 0, false },
	{ "only a body", SPAN_LIT("\r\nSubject: no\r\n"), "-", "-", "-", "0", 2, false },
	{ "all fields", SPAN_LIT("Subject: hello\r\nFrom: A <a@example.com>\r\n"
	    "Message-ID:  <1@x> \r\nReceived: by a\r\nReceived: by b\r\n\r\nbody"),
	    "hello", "a@example.com", "<1@x>", "2", 96, false },
	{ "folded", SPAN_LIT("subject: a\r\n b\r\nFROM:\r\n <a@b.c>\r\n\r\n"), "a b", "a@b.c",
	    "-", "0", 35, false },
	{ "the first counts", SPAN_LIT("Subject: 1\nSubject: 2\n\n"), "1", "-", "-", "0", 23,
	    false },
	{ "no end", SPAN_LIT("Subject: a\r\n"), "a", "-", "-", "0", 12, false },
	{ "8-bit header", SPAN_LIT("Subject: \xc3\xa4\r\n\r\n"), "\xc3\xa4", "-", "-", "0", 15,
	    true },
	{ "8-bit body", SPAN_LIT("Subject: a\r\n\r\n\xc3\xa4"), "a", "-", "-", "0", 14, false },
	{ "From without an address", SPAN_LIT("From: nobody\r\n\r\n"), "-", "", "-", "0", 16,
	    false },
};

static void
test_facts(void **state)
{
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(messages); i++) {
		struct packet_examined e = examine_text(&b, messages[i].in, messages[i].in.len,
		    LIMIT);

		print_message("# %s\n", messages[i].name);
		assert_int_equal(e.status, ST_OK);
		assert_fact(&e, FACT_HEADER_SUBJECT, messages[i].subject);
		assert_fact(&e, FACT_HEADER_FROM, messages[i].from);
		assert_fact(&e, FACT_HEADER_MESSAGE_ID, messages[i].id);
		assert_fact(&e, FACT_RECEIVED_COUNT, messages[i].count);
		assert_int_equal(e.header_size, messages[i].header);
		assert_int_equal(e.header_eight_bit, messages[i].eight_bit);
		arena_free(&b.arena);
	}
}

static void
test_hops(void **state)
{
	struct bench b = { 0 };
	struct buf in = { 0 };

	for (unsigned i = 0; i < PACKET_HOPS + 5; i++)
		buf_printf(&in, "Received: from h%u (n%u [192.0.2.%u])\r\n\tby x%u (Postfix) "
		    "with ESMTP id q%u;\r\n date\r\nX-A: b\r\n", i, i, i, i, i);
	buf_add(&in, SPAN_LIT("\r\nReceived: not one\r\n"));
	struct packet_examined e = examine_text(&b, buf_span(&in), buf_len(&in), LIMIT);

	assert_int_equal(e.status, ST_OK);
	assert_int_equal(e.received_count, PACKET_HOPS + 5);
	assert_int_equal(e.hop_count, PACKET_HOPS);
	assert_fact(&e, FACT_RECEIVED_COUNT, "125");
	for (unsigned i = 0; i < PACKET_HOPS; i++) {
		char helo[16];

		snprintf(helo, sizeof helo, "h%u", i);
		assert_true(span_equal(e.hops[i].helo, span_text(helo)));
		assert_true(e.hops[i].has_address && e.hops[i].address.bytes[15] == i);
	}
	buf_free(&in);
	arena_free(&b.arena);
}

/* What is wished is found, and nothing else is looked for. */
static void
test_wishes(void **state)
{
	static const struct { unsigned wishes; size_t headers, attachments, links, signatures;
		enum fact_state parts, flaw, text; } rows[] = {
		{ 0, 0, 0, 0, 0, FACT_ABSENT, FACT_ABSENT, FACT_ABSENT },
		{ WISH_HEADER, 4, 0, 0, 0, FACT_ABSENT, FACT_ABSENT, FACT_ABSENT },
		{ WISH_STRUCTURE, 0, 0, 0, 0, FACT_ABSENT, FACT_KNOWN, FACT_ABSENT },
		{ WISH_STRUCTURE | WISH_PARTS, 0, 1, 0, 0, FACT_KNOWN, FACT_KNOWN, FACT_ABSENT },
		{ WISH_STRUCTURE | WISH_PARTS | WISH_SIGNATURES, 0, 1, 0, 1, FACT_KNOWN,
		    FACT_KNOWN, FACT_ABSENT },
		{ WISH_STRUCTURE | WISH_PARTS | WISH_TEXT, 0, 1, 0, 0, FACT_KNOWN, FACT_KNOWN,
		    FACT_KNOWN },
		{ WISH_ALL, 4, 1, 2, 1, FACT_KNOWN, FACT_KNOWN, FACT_KNOWN },
	};
	const struct span mail = SPAN_LIT("Subject: \xc3\xa4\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\nFrom: a@example.com\r\n\r\n--b\r\n\r\n"
	    "http://a.example/ http://b.example/ http://a.example/\r\n--b\r\n"
	    "Content-Disposition: attachment; filename=x\r\n\r\n"
	    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" "ANTIVIRUS-TEST-FILE!$H+H*\r\n--b--");
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct packet_examined e = examine_job(&b, mail, &(struct packet_examine){
		    mail.len, LIMIT, rows[i].wishes, false });
		const struct findings *f = &e.findings;

		assert_int_equal(f->groups[GROUP_HEADER].count, rows[i].headers);
		assert_int_equal(f->groups[GROUP_ATTACHMENT].count, rows[i].attachments);
		assert_int_equal(f->groups[GROUP_LINK].count, rows[i].links);
		assert_int_equal(f->groups[GROUP_SIGNATURE].count, rows[i].signatures);
		assert_int_equal(f->values[FACT_MIME_PARTS].state, rows[i].parts);
		assert_int_equal(f->values[FACT_BAD_HEADER].state, rows[i].flaw);
		assert_int_equal(f->values[FACT_TEXT_SIZE].state, rows[i].text);
		arena_free(&b.arena);
	}
}

/* UTF-8 in a field is right in a mail that came with SMTPUTF8 (RFC 6532), else not. */
static void
test_smtputf8(void **state)
{
#define OTHERS "From: a@example.com\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n"
	static const struct { struct span in; bool smtputf8; const char *field; } rows[] = {
		{ SPAN_LIT("Subject: \xc3\xa4\r\n" OTHERS), false, "Subject" },
		{ SPAN_LIT("Subject: \xc3\xa4\r\n" OTHERS), true, "-" },
		{ SPAN_LIT("Subject: \xc3\xff\r\n" OTHERS), true, "Subject" },
	};
#undef OTHERS
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct packet_examined e = examine_job(&b, rows[i].in, &(struct packet_examine){
		    rows[i].in.len, LIMIT, WISH_STRUCTURE, rows[i].smtputf8 });

		assert_fact(&e, FACT_BAD_HEADER_FIELD, rows[i].field);
		arena_free(&b.arena);
	}
}

/* A link is an item once; one that looks otherwise or is of another kind is another. */
static void
test_links_once(void **state)
{
	const struct span mail = SPAN_LIT("Content-Type: text/html\r\n\r\n"
	    "<a href=http://a.example/>one</a> <a href=http://a.example/>one</a>"
	    "<a href=http://a.example/>two</a> <img src=http://a.example/>"
	    "<img src=http://a.example/> <a href=http://b.example/>one</a>");
	struct bench b = { 0 };
	struct packet_examined e = examine_text(&b, mail, mail.len, LIMIT);

	assert_int_equal(e.findings.groups[GROUP_LINK].count, 4);
	arena_free(&b.arena);
}

/* A message of `lines` lines of 64 bytes before its Subject, and a body. */
static void
make_long(struct buf *in, size_t lines)
{
	for (size_t i = 0; i < lines; i++)
		buf_printf(in, "X-%05zu: %-53s\r\n", i, "x");
	buf_printf(in, "Subject: late\r\n\r\n%80000s", "body");
}

/* At each size around the first read and around the limit. */
static void
test_long_sections(void **state)
{
	static const struct { size_t lines; uint32_t limit; const char *subject, *count; } rows[] = {
		{ 0,    LIMIT,         "late", "0" },
		{ 1022, LIMIT,         "late", "0" },
		{ 1023, LIMIT,         "late", "0" },
		{ 1024, LIMIT,         "late", "0" },
		{ 1999, LIMIT,         "late", "0" },
		{ 2000, LIMIT,         "?",    "?" },    /* HEADER_FIELDS */
		{ 1500, 1500 * 64 + 17, "late", "0" },
		{ 1500, 1500 * 64,     "?",    "?" },
		{ 1500, 70000,         "?",    "?" },
		{ 1500, 60000,         "?",    "?" },
		{ 10,   10 * 64 + 17,  "late", "0" },
		{ 10,   10 * 64,       "?",    "?" },
		{ 10,   0,             "?",    "?" },
	};
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf in = { 0 };

		make_long(&in, rows[i].lines);
		struct packet_examined e = examine_text(&b, buf_span(&in), buf_len(&in),
		    rows[i].limit);

		print_message("# %zu lines, limit %u\n", rows[i].lines, (unsigned)rows[i].limit);
		assert_int_equal(e.status, ST_OK);
		assert_fact(&e, FACT_HEADER_SUBJECT, rows[i].subject);
		assert_fact(&e, FACT_RECEIVED_COUNT, rows[i].count);
		if (rows[i].subject[0] == 'l')
			assert_int_equal(e.header_size, rows[i].lines * 64 + 17);
		arena_free(&b.arena);
		buf_free(&in);
	}
}

/* Messages of these sizes, with a size in the packet that is off by so much. */
static void
test_wrong_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 200000 };
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (int off = -1; off <= 1; off++) {
			struct span in = { must_alloc(sizes[i]), sizes[i] };
			struct packet_examined e;

			if (sizes[i] == 0 && off < 0)
				e = examine_text(&b, in, UINT64_MAX, LIMIT);
			else
				e = examine_text(&b, in, sizes[i] + (uint64_t)(int64_t)off, LIMIT);
			print_message("# %zu%+d\n", sizes[i], off);
			assert_int_equal(e.status, off == 0 ? ST_OK : ST_TEMP);
			assert_true((e.why.len > 0) == (off != 0));
			free((void *)(uintptr_t)in.ptr);
			arena_free(&b.arena);
		}
}

static void
test_no_file(void **state)
{
	struct packet_examine job = { 10, LIMIT, WISH_ALL, false };
	struct packet_examined out;
	struct bench b = { 0 };
	int fds[2];

	examine(-1, &job, &no_tools, b.room, &out, &b.arena);
	assert_int_equal(out.status, ST_TEMP);
	assert_int_equal(pipe(fds), 0);
	examine(fds[0], &job, &no_tools, b.room, &out, &b.arena);  /* no seeking: no message */
	assert_int_equal(out.status, ST_TEMP);
	close(fds[0]);
	close(fds[1]);
	arena_free(&b.arena);
}

#define ADD(n, v)  { false, SPAN_LIT(n), SPAN_LIT(v) }
#define REMOVE(n)  { true, SPAN_LIT(n), SPAN_NONE }

static const struct { const char *name; struct span in; struct packet_change changes[3];
	size_t count; const char *out; } rewrites[] = {
	{ "nothing", SPAN_LIT("A: b\r\n\r\nc"), { { 0 } }, 0, "A: b\r\n\r\nc" },
	{ "add", SPAN_LIT("A: b\r\n\r\nc"), { ADD("X", "1"), ADD("Y", "2") }, 2,
	    "X: 1\r\nY: 2\r\nA: b\r\n\r\nc" },
	{ "add to nothing", SPAN_LIT(""), { ADD("X", "1") }, 1, "X: 1\r\n" },
	{ "add before a body", SPAN_LIT("\r\nc"), { ADD("X", "1") }, 1, "X: 1\r\n\r\nc" },
	{ "remove", SPAN_LIT("A: 1\r\nx: 2\r\n 3\r\nB: 4\r\nX : 5\r\n\r\nX: 6"), { REMOVE("X") },
	    1, "A: 1\r\nB: 4\r\n\r\nX: 6" },
	{ "remove the first and add", SPAN_LIT("X: 1\r\nA: 2\r\n\r\nc"),
	    { REMOVE("x"), ADD("X", "3") }, 2, "X: 3\r\nA: 2\r\n\r\nc" },
	{ "remove all", SPAN_LIT("X: 1\r\nY: 2\r\nX: 3\r\n\r\nc"), { REMOVE("x"), REMOVE("y") },
	    2, "\r\nc" },
	{ "remove twice", SPAN_LIT("X: 1\r\nA: 2\r\n\r\n"), { REMOVE("x"), REMOVE("X") }, 2,
	    "A: 2\r\n\r\n" },
	{ "remove what is not there", SPAN_LIT("A: 2\r\n\r\n"), { REMOVE("x") }, 1,
	    "A: 2\r\n\r\n" },
	{ "remove at the end", SPAN_LIT("A: 2\r\nX: 1"), { REMOVE("x") }, 1, "A: 2\r\n" },
	{ "empty name", SPAN_LIT("not a field\r\nA: 2\r\n\r\n"), { REMOVE("") }, 1,
	    "not a field\r\nA: 2\r\n\r\n" },
};

static struct packet_rewritten
rewrite_job(struct bench *b, struct span in, const struct packet_rewrite *job)
{
	struct packet_rewritten out;
	int fd = ipc_memory("message", in);

	rewrite(fd, job, b->room, &out, &b->arena);
	close(fd);
	return out;
}

static struct packet_rewritten
rewrite_text(struct bench *b, struct span in, const struct packet_change *changes,
    size_t count, uint32_t limit)
{
	struct packet_rewrite job = { .size = in.len, .header_limit = limit,
		.changes = (struct packet_change *)(uintptr_t)changes, .change_count = count };

	return rewrite_job(b, in, &job);
}

static void
apply(struct buf *out, const struct edit_list *edits, struct span in)
{
	struct edit_walk walk = { 0 };
	struct edit_piece piece;

	while (edit_next(edits, in.len, &walk, &piece))
		buf_add(out, piece.bytes.len > 0 ? piece.bytes
		    : span_slice(in, piece.from, piece.from + piece.len));
}

static void
test_rewrite(void **state)
{
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(rewrites); i++) {
		struct packet_rewritten r = rewrite_text(&b, rewrites[i].in, rewrites[i].changes,
		    rewrites[i].count, LIMIT);
		struct buf out = { 0 };

		print_message("# %s\n", rewrites[i].name);
		assert_int_equal(r.status, ST_OK);
		apply(&out, &r.edits, rewrites[i].in);
		assert_string_equal(buf_text(&out), rewrites[i].out);
		edit_free(&r.edits);
		buf_free(&out);
		arena_free(&b.arena);
	}
}

/* What a header becomes, as text in the arena. */
static const char *
rewritten(struct bench *b, const char *in, const struct packet_rewrite *what)
{
	struct packet_rewrite job = *what;
	struct buf out = { 0 };

	job.size = strlen(in);
	job.header_limit = LIMIT;
	struct packet_rewritten r = rewrite_job(b, span_text(in), &job);

	assert_int_equal(r.status, ST_OK);
	apply(&out, &r.edits, span_text(in));
	const char *text = arena_text(&b->arena, buf_span(&out));

	edit_free(&r.edits);
	buf_free(&out);
	return text;
}

#define TEN    "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define BIG980 HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED \
	TEN TEN TEN TEN TEN TEN TEN TEN

static const struct { const char *in, *out; } subjects[] = {
	{ "A: b\r\nSubject: hello\r\n\r\nc", "A: b\r\nSubject: *S* hello\r\n\r\nc" },
	{ "Subject:hello\r\n\r\n", "Subject: *S* hello\r\n\r\n" },
	{ "Subject:\thello\r\n\r\n", "Subject:\t*S* hello\r\n\r\n" },
	{ "Subject:  hello\r\n\r\n", "Subject: *S*  hello\r\n\r\n" },
	{ "SUBJECT : hello\r\n\r\n", "SUBJECT : *S* hello\r\n\r\n" },
	{ "Subject: \r\n hello\r\n\r\n", "Subject: *S* \r\n hello\r\n\r\n" },
	{ "Subject:\r\n hello\r\n\r\n", "Subject: *S* \r\n hello\r\n\r\n" },
	{ "Subject:\r\n\r\n", "Subject: *S* \r\n\r\n" },
	{ "Subject: =?utf-8?q?=e4=bd?=\r\n =?x?b?y?=\r\n\r\n",
	  "Subject: *S* =?utf-8?q?=e4=bd?=\r\n =?x?b?y?=\r\n\r\n" },
	{ "Subject: \xff\xfe\r\n\r\n", "Subject: *S* \xff\xfe\r\n\r\n" },
	{ "Subject: 1\r\nSubject: 2\r\n\r\n", "Subject: *S* 1\r\nSubject: 2\r\n\r\n" },
	{ "Subject: *S* hello\r\n\r\n", "Subject: *S* hello\r\n\r\n" },
	{ "Subject: \r\n\t *S*\r\n\r\n", "Subject: \r\n\t *S*\r\n\r\n" },
	{ "Subject: x *S* y\r\n\r\n", "Subject: *S* x *S* y\r\n\r\n" },
	{ "A: b\r\n\r\nSubject: c", "Subject: *S*\r\nA: b\r\n\r\nSubject: c" },
	{ "", "Subject: *S*\r\n" },
	{ "Subject: end", "Subject: *S* end" },
	{ "Subject: " BIG980 "\r\n\r\n", "Subject: *S* " BIG980 "\r\n\r\n" },
	{ "Subject: " BIG980 "12345\r\n b\r\n", "Subject: *S* " BIG980 "12345\r\n b\r\n" },
	{ "Subject: " BIG980 "123456\r\n b\r\n", "Subject: *S* \r\n " BIG980 "123456\r\n b\r\n" },
};

static void
test_subject(void **state)
{
	const struct packet_rewrite what = { .subject = SPAN_LIT("*S* ") };
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(subjects); i++) {
		const char *once = rewritten(&b, subjects[i].in, &what);

		assert_string_equal(once, subjects[i].out);
		assert_string_equal(rewritten(&b, once, &what), once);
		arena_free(&b.arena);
	}
}

static void
test_subject_and_removals(void **state)
{
	struct packet_change changes[] = { REMOVE("Subject"), ADD("X", "1") };
	struct packet_rewrite what = { .subject = SPAN_LIT("*S* "), .changes = changes,
		.change_count = 2, .unmark = true };
	struct bench b = { 0 };

	assert_string_equal(rewritten(&b, "subject: a\r\nX-Spam-Flag: NO\r\nSubject: b\r\n"
	    "C: d\r\n\r\n", &what), "X: 1\r\nSubject: *S*\r\nC: d\r\n\r\n");
	what.change_count = 0;
	assert_string_equal(rewritten(&b, "X-Spam-Flag: NO\r\nSubject: b\r\n"
	    "X-Spam-Bar: c\r\n\r\n", &what), "Subject: *S* b\r\n\r\n");
	arena_free(&b.arena);
}

/* The same table for what is told of a message, and what goes. */
static const struct { const char *field; bool mark; } marks[] = {
	{ "X-Spam-Flag: YES", true }, { "x-spam-score: 1", true }, { "X-SPAM-LEVEL:", true },
	{ "X-Spam-Status: No,\r\n\tscore=1", true }, { "X-Spam-Report : x", true },
	{ "X-Spam-Checker-Version: 4", true }, { "X-Spam-Bar: +", true },
	{ "X-Virus-Scanned: by me", true }, { "X-Virus-Status: Clean", true },
	{ "X-Sallyport-Unscanned: x", true }, { "x-sallyport-\\: x", true },
	{ "X-Spam: yes", false }, { "X-Spam-Flags: YES", false }, { "X-Spam-Fla: x", false },
	{ "Spam-Flag: YES", false }, { "X-Sallyport: x", false }, { "X: y", false },
	{ "X-Spam-Flag", false }, { " X-Spam-Flag: YES", false },
	{ "Received: (Sallyport main)", false }, { "Subject: X-Spam-Flag: YES", false },
};

static void
test_marks(void **state)
{
	const struct packet_rewrite what = { .unmark = true }, nothing = { .unmark = false };
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		const char *in = arena_printf(&b.arena, "A: b\r\n%s\r\nC: d\r\n\r\n%s\r\n",
		    marks[i].field, marks[i].field);
		const char *without = arena_printf(&b.arena, "A: b\r\nC: d\r\n\r\n%s\r\n",
		    marks[i].field);

		print_message("# mark %zu\n", i);
		assert_int_equal(examine_text(&b, span_text(in), strlen(in), LIMIT).marked,
		    marks[i].mark);
		assert_string_equal(rewritten(&b, in, &what), marks[i].mark ? without : in);
		assert_string_equal(rewritten(&b, in, &nothing), in);
		arena_free(&b.arena);
	}
}

/* Of a header that cannot be seen to its end, those that were seen. */
static void
test_marks_long(void **state)
{
	const struct packet_rewrite what = { .unmark = true };
	struct bench b = { 0 };
	struct buf in = { 0 };

	buf_add(&in, SPAN_LIT("X-Spam-Flag: NO\r\n"));
	make_long(&in, 1500);
	struct packet_rewrite job = what;

	job.size = buf_len(&in);
	job.header_limit = 70000;
	struct packet_rewritten r = rewrite_job(&b, buf_span(&in), &job);

	assert_int_equal(r.status, ST_OK);
	assert_int_equal(r.edits.count, 1);
	assert_int_equal(r.edits.items[0].removed, 17);
	edit_free(&r.edits);
	buf_free(&in);
	arena_free(&b.arena);
}

/* Adding needs no look at the fields, removing needs all of them. */
static void
test_rewrite_long(void **state)
{
	static const struct packet_change add = ADD("X", "1"), drop = REMOVE("Subject");
	struct bench b = { 0 };
	struct buf in = { 0 };

	make_long(&in, 1500);
	struct packet_rewritten r = rewrite_text(&b, buf_span(&in), &add, 1, 70000);

	assert_int_equal(r.status, ST_OK);
	edit_free(&r.edits);
	r = rewrite_text(&b, buf_span(&in), &drop, 1, 70000);
	assert_int_equal(r.status, ST_PERM);
	assert_true(r.why.len > 0 && r.edits.count == 0);
	r = rewrite_text(&b, buf_span(&in), &drop, 1, LIMIT);
	assert_int_equal(r.status, ST_OK);
	assert_int_equal(r.edits.count, 1);
	assert_int_equal(r.edits.items[0].at, 1500 * 64);
	edit_free(&r.edits);
	buf_free(&in);
	arena_free(&b.arena);
}

static uint64_t
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Exit status of a process that does so many jobs of so much CPU time each. */
static int
work(uint64_t limit_ms, unsigned jobs, uint64_t job_ms)
{
	static struct job_clock clock;
	struct error err;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (clock_start(&clock, limit_ms, 75, &err) != ST_OK)
			_exit(1);
		for (unsigned i = 0; i < jobs; i++) {
			uint64_t end = cpu_ms() + job_ms;

			clock_begin(&clock);
			while (cpu_ms() < end)
				;
			clock_end(&clock);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* It is the job that has a limit, not the process. */
static void
test_clock(void **state)
{
	assert_int_equal(work(100, 1, 50), 0);
	assert_int_equal(work(100, 1, 2000), 75);
	assert_int_equal(work(100, 10, 50), 0);
	assert_int_equal(work(0, 1, 200), 0);
}

/* What stands at the very end is found in a message that just goes into the room, in one
   that does not, and in a long one. */
static void
test_content_end(void **state)
{
	static const size_t sizes[] = { 200, SECTION_FIRST_BYTES - 1, SECTION_FIRST_BYTES,
		SECTION_FIRST_BYTES + 1, 300000 };
	static const char gtube[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*"
	    "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
	struct bench b = { 0 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		uint8_t *message = must_alloc(sizes[i]);

		memset(message, 'x', sizes[i]);
		memcpy(message, "Subject: a\r\n\r\n", 14);
		memcpy(message + sizes[i] - (sizeof gtube - 1), gtube, sizeof gtube - 1);
		struct packet_examined e = examine_text(&b, (struct span){ message, sizes[i] },
		    sizes[i], LIMIT);

		assert_int_equal(e.status, ST_OK);
		assert_int_equal(e.findings.groups[GROUP_SIGNATURE].count, 1);
		arena_free(&b.arena);
		free(message);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_smtputf8),
		cmocka_unit_test(test_links_once),
		cmocka_unit_test(test_long_sections),
		cmocka_unit_test(test_wrong_size),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_rewrite_long),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_subject_and_removals),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_marks_long),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_content_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
