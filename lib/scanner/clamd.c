/*
 * clamd.c - clamd(8): one IDSESSION a connection, VERSION first, then scan after scan.
 *
 * Commands end with NUL, and are numbered from 1 by clamd; its answers too end with NUL
 * and begin with that number: "2: stream: OK", "2: fd[12]: OK", "2: stream: NAME FOUND",
 * "2: fd[12]: REASON ERROR", or without an object "2: REASON ERROR".
 *
 *     VERSION -> SCAN -> SCAN ...      each with its answer; VERSION and the first scan
 *                                      go out together; a canary is a scan, too
 *
 * clamd answers VERSION before it begins the scan, so answers come in order.
 */
#include "lib/scanner/dialect.h"
#include <assert.h>
#include <stdio.h>

#define CLAMD_CHUNK      (1u << 30)     /* where one chunk cannot hold the message */
#define CLAMD_ONE_CHUNK  (1u << 31)     /* below this it can: lengths are 32 bits  */
#define CLAMD_LINE_BYTES 4096u
#define CLAMD_VERSION_BYTES 200u
/* The second NUL is the byte that clamd wants the descriptor to come with. */
#define CLAMD_FILDES     "zFILDES\0\0"
#define LIMIT_ALERT      "Heuristics.Limits.Exceeded"
#define CANARY_MISSED    "clamd does not find the EICAR test file (no signatures, or no " \
	"room for temporary files; reload it when that is mended)"

struct clamd {
	uint64_t number;                /* of the next answer                          */
	bool     asks_version, asks_ping;
	bool     by_descriptor;
	bool     ended;                 /* the four zero bytes are queued              */
	uint64_t from;                  /* of the message, queued so far               */
	size_t   version_len;
	char     version[CLAMD_VERSION_BYTES];
};

/* Sending. */

/* With the NUL that ends it. */
static void
put_command(struct scan_client *c, const char *command)
{
	scan_put(c, (struct span){ (const uint8_t *)command, strlen(command) + 1 });
}

static void
put_chunk_head(struct scan_client *c, uint64_t len)
{
	uint8_t head[4];

	assert(len < CLAMD_ONE_CHUNK);
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(len >> (24 - 8 * i));
	scan_put(c, (struct span){ head, sizeof head });
}

static void
put_chunk(struct scan_client *c)
{
	struct clamd *d = c->own;
	uint64_t left = c->request.size - d->from;
	uint64_t n = left < CLAMD_ONE_CHUNK ? left : CLAMD_CHUNK;

	if (n > 0) {
		put_chunk_head(c, n);
		scan_put_body(c, d->from, n);
	}
	d->from += n;
	d->ended = d->from == c->request.size;
	if (d->ended)
		put_chunk_head(c, 0);
}

static void
clamd_more(struct scan_client *c)
{
	struct clamd *d = c->own;

	if (!d->ended)
		put_chunk(c);
}

static void
put_stream(struct scan_client *c)
{
	put_command(c, "zINSTREAM");
	if (c->request.prefix.len > 0) {
		put_chunk_head(c, c->request.prefix.len);
		scan_put(c, c->request.prefix);
	}
	put_chunk(c);
}

static void
open_session(struct scan_client *c)
{
	struct clamd *d = c->own;

	if (c->scans > 1)
		return;
	d->number = 1;
	put_command(c, "zIDSESSION");
	d->asks_version = !c->options->no_version;
	if (d->asks_version)
		put_command(c, "zVERSION");
}

static void
clamd_begin(struct scan_client *c)
{
	struct clamd *d = c->own;

	d->asks_version = d->asks_ping = false;
	d->version_len = 0;             /* an older dialogue's may not be true any more */
	d->by_descriptor = c->request.may_descriptor && !c->options->no_descriptor;
	d->from = 0;
	d->ended = d->by_descriptor;
	open_session(c);
	if (d->by_descriptor)
		scan_put_descriptor(c, SPAN_LIT(CLAMD_FILDES));
	else
		put_stream(c);
}

static void
clamd_begin_probe(struct scan_client *c)
{
	struct clamd *d = c->own;

	d->asks_version = d->asks_ping = d->by_descriptor = false;
	d->ended = true;
	open_session(c);
	if (c->options->no_version) {
		d->asks_ping = true;
		put_command(c, "zPING");
	} else if (!d->asks_version) {
		d->asks_version = true;
		put_command(c, "zVERSION");
	}
}

/* The canary. */

/* EICAR in base64; each line by itself, so that no scanner takes our program for it. */
static const char *const canary[] = {
	"From: canary@sallyport.invalid\r\nSubject: canary\r\nMIME-Version: 1.0\r\n"
	"Content-Type: multipart/mixed; boundary=canary\r\n\r\n"
	"--canary\r\nContent-Type: application/octet-stream; name=\"canary.bin\"\r\n"
	"Content-Disposition: attachment; filename=\"canary.bin\"\r\n"
	"Content-Transfer-Encoding: base64\r\n\r\n",
	"WDVPIVAlQEFQWzRcUFpYNTQoUF4p\r\n",
	"N0NDKTd9JEVJQ0FSLVNUQU5EQVJE\r\n",
	"LUFOVElWSVJVUy1URVNULUZJTEUh\r\n",
	"JEgrSCo=\r\n",
	"--canary--\r\n",
};

void
scan_canary(struct buf *to)
{
	for (size_t i = 0; i < COUNT_OF(canary); i++)
		buf_add(to, span_text(canary[i]));
}

static void
put_canary(struct scan_client *c)
{
	struct buf b = { 0 };

	scan_canary(&b);
	put_command(c, "zINSTREAM");
	put_chunk_head(c, buf_len(&b));
	scan_put(c, buf_span(&b));
	put_chunk_head(c, 0);
	buf_free(&b);
}

static void
clamd_begin_canary(struct scan_client *c)
{
	struct clamd *d = c->own;

	d->asks_version = d->asks_ping = false;
	d->by_descriptor = c->request.may_descriptor && !c->options->no_descriptor;
	d->ended = true;
	open_session(c);
	if (d->by_descriptor)
		scan_put_descriptor(c, SPAN_LIT(CLAMD_FILDES));
	else
		put_canary(c);
}

/* Answers. */

static bool
ends_with(struct span s, struct span tail)
{
	return s.len >= tail.len &&
	    memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len) == 0;
}

static bool
starts_with(struct span s, struct span head)
{
	return s.len >= head.len && memcmp(s.ptr, head.ptr, head.len) == 0;
}

static bool
holds(struct span s, const char *text)
{
	return s.len > 0 && memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* Takes "N: " off, as clamd prints it; false if N is not what is expected. */
static bool
take_number(struct span *line, uint64_t number)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%llu: ", (unsigned long long)number);
	struct span expected = { (const uint8_t *)text, (size_t)n };

	if (!starts_with(*line, expected))
		return false;
	*line = span_slice(*line, expected.len, line->len);
	return true;
}

/* Takes "stream: " or "fd[12]: " off. */
static bool
take_object(struct span *line, bool descriptor)
{
	struct span head = descriptor ? SPAN_LIT("fd[") : SPAN_LIT("stream: ");
	size_t n = head.len;

	if (!starts_with(*line, head))
		return false;
	if (descriptor) {
		while (n < line->len && is_digit(line->ptr[n]))
			n++;
		if (n == head.len ||
		    !starts_with(span_slice(*line, n, line->len), SPAN_LIT("]: ")))
			return false;
		n += sizeof "]: " - 1;
	}
	*line = span_slice(*line, n, line->len);
	return true;
}

/* With an engine that failed to reload, clamd gives (uint32_t)-1 as database version. */
static enum scan_event
on_version(struct scan_client *c, struct span line)
{
	struct clamd *d = c->own;

	d->asks_version = false;
	if (span_equal(line, SPAN_LIT("COMMAND UNAVAILABLE"))) {
		c->version_denied = true;
		return scan_break(c, "VERSION is not allowed (EnableVersionCommand)");
	}
	if (!starts_with(line, SPAN_LIT("ClamAV ")))
		return scan_break_with(c, "unexpected answer to VERSION", line);
	if (holds(line, "/4294967295/"))
		return scan_break_with(c, "no signatures are loaded", line);
	d->version_len = line.len < sizeof d->version ? line.len : sizeof d->version;
	memcpy(d->version, line.ptr, d->version_len);
	if (!c->probe)
		return SCAN_WAIT;
	scan_set_answer(c, line);
	return scan_done(c, SCAN_CLEAN);
}

static enum scan_event
on_ping(struct scan_client *c, struct span line)
{
	if (!span_equal(line, SPAN_LIT("PONG")))
		return scan_break_with(c, "unexpected answer to PING", line);
	return scan_done(c, SCAN_CLEAN);
}

/* A limit's alert is no look at it; and after another word than FOUND the session is not
   used again. */
static enum scan_event
on_canary(struct scan_client *c, struct span line)
{
	const struct clamd *d = c->own;
	bool named = take_object(&line, d->by_descriptor);

	if (named && ends_with(line, SPAN_LIT(" FOUND")) &&
	    !starts_with(line, SPAN_LIT(LIMIT_ALERT)) &&
	    !starts_with(line, SPAN_LIT("(null) ")))
		return scan_done(c, SCAN_CLEAN);
	if (named && span_equal(line, SPAN_LIT("OK")))
		return scan_break(c, CANARY_MISSED);
	return scan_break_with(c, CANARY_MISSED, line);
}

static enum scan_event
on_found(struct scan_client *c, struct span name)
{
	if (span_equal(name, SPAN_LIT("(null)")))
		return scan_break(c, "found something without a name");
	if (starts_with(name, SPAN_LIT(LIMIT_ALERT))) {
		scan_set_why(c, name);
		return scan_done(c, SCAN_UNSCANNABLE);
	}
	scan_add_virus(c, name);
	return scan_done(c, SCAN_INFECTED);
}

/* Words of clamd's own limits: trying again would not help. */
static bool
is_limit(struct span error)
{
	static const char *const words[] = {
		"INSTREAM size limit exceeded.", "Exceeded time limit",
		"Exceeded max recursion depth", "Exceeded max scan size",
		"Exceeded max scan files", "Time limit reached",
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (span_equal(error, span_text(words[i])))
			return true;
	return false;
}

/* Words that mean that the descriptor did not come, or cannot be read. */
static bool
is_denial(struct span error)
{
	static const char *const words[] = {
		"ermission denied", "Access denied", "lstat() failed", "fstat() failed",
		"Can't open", "Can't access file", "Can't get file status",
		"Can't read file", "Can't set file offset", "Can't map file into memory",
		"Can't duplicate file descriptor", "Not a regular file",
		"No file descriptor received", "FILDES", "UNKNOWN COMMAND",
		"ancillary data sent without",
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (holds(error, words[i]))
			return true;
	return false;
}

/* After an error clamd may close, or end the session: the connection is not kept. */
static enum scan_event
on_error(struct scan_client *c, struct span error)
{
	struct clamd *d = c->own;

	c->closes = true;
	if (is_limit(error)) {
		scan_set_why(c, error);
		return scan_done(c, SCAN_UNSCANNABLE);
	}
	c->denied = d->by_descriptor && is_denial(error);
	return scan_refuse_with(c, "clamd could not scan", error);
}

static enum scan_event
on_verdict(struct scan_client *c, struct span line)
{
	struct clamd *d = c->own;
	bool named = take_object(&line, d->by_descriptor);
	const struct span found = SPAN_LIT(" FOUND"), error = SPAN_LIT(" ERROR");

	if (named && span_equal(line, SPAN_LIT("OK")))
		return scan_done(c, SCAN_CLEAN);
	if (named && ends_with(line, found))
		return on_found(c, span_slice(line, 0, line.len - found.len));
	if (ends_with(line, error))
		return on_error(c, span_slice(line, 0, line.len - error.len));
	c->denied = d->by_descriptor && is_denial(line);
	return scan_break_with(c, "unexpected answer", line);
}

static enum scan_event
on_line(struct scan_client *c, struct span line)
{
	struct clamd *d = c->own;
	struct span rest = line;

	if (!d->asks_version && !d->asks_ping)
		scan_set_answer(c, line);
	if (!take_number(&rest, d->number)) {
		c->denied = d->by_descriptor && !d->asks_version && !c->canary &&
		    is_denial(line);
		return scan_break_with(c, "unexpected answer", line);
	}
	d->number++;
	if (d->asks_version)
		return on_version(c, rest);
	if (c->canary)
		return on_canary(c, rest);
	return d->asks_ping ? on_ping(c, rest) : on_verdict(c, rest);
}

static void
tell_version(struct scan_client *c)
{
	const struct clamd *d = c->own;
	struct span version = { (const uint8_t *)d->version, d->version_len };

	c->report->version = scan_line(c->request.arena, version);
}

static enum scan_event
take_line(struct scan_client *c)
{
	enum scan_event e = on_line(c, buf_span(&c->in));

	buf_take(&c->in, buf_len(&c->in));
	if (e != SCAN_WAIT)
		tell_version(c);
	return e;
}

static enum scan_event
clamd_feed(struct scan_client *c, struct span in, size_t *used)
{
	enum scan_event e = SCAN_WAIT;

	while (e == SCAN_WAIT && *used < in.len) {
		struct span rest = span_slice(in, *used, in.len);
		size_t n = span_find(rest, '\0');

		if (buf_len(&c->in) + n > CLAMD_LINE_BYTES) {
			*used = in.len;
			return scan_break(c, "the answer is too long");
		}
		buf_add(&c->in, span_slice(rest, 0, n));
		*used += n < rest.len ? n + 1 : n;
		if (n < rest.len)
			e = take_line(c);
	}
	return e;
}

/*
 * Where the kernel keeps the descriptor from clamd (AppArmor, SELinux) it closes without
 * an answer.  A session that has served before was rather idle for too long: then clamd's
 * last words are a line of its own.
 */
static enum scan_event
clamd_lost(struct scan_client *c, const char *why)
{
	struct clamd *d = c->own;
	struct span in = buf_span(&c->in);

	tell_version(c);
	if (c->canary)
		return scan_break(c, CANARY_MISSED ": %s", why);
	if (span_equal(in, SPAN_LIT("COMMAND READ TIMED OUT\n"))) {
		c->stale = c->scans > 1 && c->peer_closed;
		return scan_break(c, "clamd waited too long (COMMAND READ TIMED OUT)");
	}
	c->denied = d->by_descriptor && c->peer_closed && c->scans == 1 && in.len == 0 &&
	    scan_all_sent(c);
	if (in.len > 0)
		return scan_break_with(c, "the answer is not whole", in);
	return scan_break(c, "%s (while %s)", why, scan_client_doing(c));
}

static const char *
clamd_doing(const struct scan_client *c)
{
	const struct clamd *d = c->own;

	if (c->probe)
		return d->asks_ping ? "asking clamd whether it is there" :
		    "asking clamd's version";
	if (c->canary)
		return "asking clamd for the EICAR test file";
	if (!scan_all_sent(c))
		return "sending the message to clamd";
	return "waiting for clamd's answer";
}

const struct scan_dialect clamd_dialect = {
	.name = "clamd", .own_bytes = sizeof(struct clamd),
	.begin = clamd_begin, .begin_probe = clamd_begin_probe,
	.begin_canary = clamd_begin_canary, .more = clamd_more,
	.feed = clamd_feed, .lost = clamd_lost, .doing = clamd_doing,
};
