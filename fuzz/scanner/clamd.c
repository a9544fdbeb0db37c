/*
 * clamd.c - whatever clamd says, "clean" is only what it said itself, at every cut.
 *
 * First byte: descriptor, prefix, VERSION, probe, message left unsent, canary; second: the
 * size of the pieces.  The rest comes from clamd; each part up to a NUL is an answer, and a
 * session that may be used again gets another scan.  With canary it gets one behind each
 * mail that was clean: the mail then is what the canary says.
 */
#include "tests/unit/scanner/talk.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum how { FD = 1, PREFIX = 2, MUTE = 4, PROBE = 8, UNSENT = 16, CANARY = 32 };

struct session {
	struct talk         talk;
	struct scan_options options;
	unsigned            how;
	unsigned            number;     /* of clamd's next answer       */
	bool                canary;     /* is what is asked now         */
	struct buf          log;        /* events, results, reasons     */
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
begin(struct session *s)
{
	struct scan_request r = { .size = 9, .may_descriptor = s->how & FD };

	if (s->how & PREFIX)
		r.prefix = SPAN_LIT("X: y\r\n");
	if (s->talk.client == NULL)
		s->talk.client = scan_client_create(&s->options);
	r.arena = &s->talk.arena;
	if (s->canary)
		scan_client_begin_canary(s->talk.client, &r);
	else if (s->how & PROBE)
		scan_client_begin_probe(s->talk.client, &s->talk.arena);
	else
		talk_begin(&s->talk, &s->options, &r);
	if (!(s->how & UNSENT))
		talk_flush(&s->talk, 1 + s->how % 5);
}

/* "fd[1]: X FOUND", but for a limit's alert. */
static bool
says_found(const char *text, size_t len, bool fd)
{
	const char *name = text + (fd ? 3 + strspn(text + (len < 3 ? len : 3), "0123456789") : 0);
	const char *head = fd ? "]: " : "stream: ";

	return len >= 6 && memcmp(text + len - 6, " FOUND", 6) == 0 &&
	    (!fd || strncmp(text, "fd[", 3) == 0) && strncmp(name, head, strlen(head)) == 0 &&
	    strncmp(name + strlen(head), "Heuristics.Limits.Exceeded", 26) != 0;
}

/* The only ways to say that nothing was found; of the canary, that it was. */
static bool
says_clean(const struct session *s, struct span answer)
{
	char good[64], *text = must_alloc(answer.len + 1);
	size_t n = (size_t)snprintf(good, sizeof good, "%u: ", s->number);
	bool is = answer.len > n && memcmp(answer.ptr, good, n) == 0;

	memcpy(text, answer.ptr, answer.len);
	if (is && s->canary)
		is = says_found(text + n, answer.len - n, s->how & FD);
	else if (is && s->how & PROBE)
		is = strncmp(text + n, s->how & MUTE ? "PONG" : "ClamAV ",
		    s->how & MUTE ? 5 : 7) == 0;
	else if (is && s->how & FD)
		is = strncmp(text + n, "fd[", 3) == 0 && strcmp(text + n + 3 +
		    strspn(text + n + 3, "0123456789"), "]: OK") == 0;
	else if (is)
		is = strcmp(text + n, "stream: OK") == 0;
	free(text);
	return is;
}

static void
check(struct session *s, enum scan_event e, struct span answer)
{
	const struct scan_report *r = scan_client_report(s->talk.client);

	buf_printf(&s->log, "<%d %s %s>", (int)e, scan_result_name(r->result),
	    scan_client_doing(s->talk.client));
	buf_add(&s->log, r->why);
	buf_add(&s->log, r->answer);
	buf_add(&s->log, r->version);
	if (e == SCAN_WAIT)
		return;
	if (s->canary)
		must((r->result == SCAN_CLEAN || r->result == SCAN_FAILED) &&
		    !scan_client_was_denied(s->talk.client) &&
		    !scan_client_version_denied(s->talk.client) &&
		    !scan_client_is_stale(s->talk.client));
	must(e == SCAN_DONE || r->result == SCAN_FAILED);
	must(r->result != SCAN_SCORED && !r->has_score && r->symbol_count == 0);
	must(r->result != SCAN_FAILED || r->why.len > 0);
	must((r->result == SCAN_INFECTED) == (r->virus_count == 1));
	if (r->result == SCAN_CLEAN)
		must(!(s->how & UNSENT) && says_clean(s, answer));
	if (r->result == SCAN_INFECTED)
		must(answer.len > 7 &&
		    memcmp(answer.ptr + answer.len - 6, " FOUND", 6) == 0);
	for (size_t i = 0; i < r->virus_count; i++)
		for (size_t k = 0; k < r->viruses[i].len; k++)
			must(r->viruses[i].ptr[k] > ' ' && r->viruses[i].ptr[k] < 0x7f);
	must(!scan_client_was_denied(s->talk.client) || s->how & FD);
	must(!scan_client_may_be_reused(s->talk.client) || (e == SCAN_DONE &&
	    !(s->how & UNSENT)));
}

static void
run(struct session *s, unsigned how, struct span in, size_t step)
{
	enum scan_event e = SCAN_WAIT;

	*s = (struct session){ .how = how, .number = 1,
	    .options = { .kind = SCANNER_CLAMD, .no_version = (how & MUTE) != 0 } };
	begin(s);
	while (in.len > 0 && e != SCAN_BROKEN) {
		size_t n = span_find(in, '\0');
		struct span part = span_slice(in, 0, n < in.len ? n + 1 : n);

		e = talk_feed(&s->talk, part, step);
		check(s, e, span_slice(in, 0, n));
		s->number++;
		in = span_slice(in, part.len, in.len);
		if (e == SCAN_DONE && !scan_client_may_be_reused(s->talk.client))
			break;
		s->canary = e == SCAN_DONE && how & CANARY && !s->canary &&
		    scan_client_report(s->talk.client)->result == SCAN_CLEAN;
		if (e == SCAN_DONE)
			begin(s);
	}
	e = scan_client_closed(s->talk.client);
	must(e == SCAN_BROKEN);
	check(s, e, SPAN_NONE);
}

static void
tear_down(struct session *s)
{
	talk_end(&s->talk);
	buf_free(&s->log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct session a, b;

	if (n < 3)
		return 0;
	run(&a, p[0] % 64, (struct span){ p + 2, n - 2 }, n);
	run(&b, p[0] % 64, (struct span){ p + 2, n - 2 }, 1u + p[1] % 17u);
	must(span_equal(buf_span(&a.log), buf_span(&b.log)));
	must(span_equal(buf_span(&a.talk.said), buf_span(&b.talk.said)));
	tear_down(&a);
	tear_down(&b);
	return 0;
}
