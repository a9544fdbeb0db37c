/*
 * rspamd.c - whatever rspamd says, it is understood alike at every cut, and a score comes
 * only out of a whole answer.
 *
 * First byte: a probe, sent early; second: the size of the pieces.
 */
#include "fuzz/scanner/answer.h"
#include "lib/scanner/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A score needs the word "score" and an action, or escapes of them. */
static void
check_score(const struct answer *a, struct span in)
{
	const struct scan_report *r = scan_client_report(a->talk.client);

	if (r->result != SCAN_SCORED)
		return;
	must(r->has_score && a->event == SCAN_DONE && in.len > 40);
	must(r->score <= 1000000000 && r->score >= -1000000000);
	must(memcmp(in.ptr, "HTTP/1.", 7) == 0);
	must(memmem(in.ptr, in.len, "\r\n\r\n", 4) != NULL);
}

/* The reader by itself: it ends, and does not go deeper than it may. */
static void
read_json(struct span in)
{
	struct json j;
	enum json_token t;
	struct buf text = { 0 };
	size_t tokens = 0;
	int64_t v;

	json_begin(&j, in);
	while ((t = json_next(&j)) != JSON_BAD && t != JSON_END) {
		must(tokens++ <= in.len && j.depth <= JSON_DEPTH);
		json_text(&text, j.key, 100);
		if (t == JSON_STRING)
			json_text(&text, j.raw, 100);
		if (t == JSON_NUMBER && json_thousandths(j.raw, 1000000000, &v))
			must(v <= 1000000000 && v >= -1000000000);
	}
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct scan_options o = { .kind = SCANNER_RSPAMD, .host = SPAN_LIT("h") };
	struct answer a, b;

	if (n < 3)
		return 0;
	struct span in = { p + 2, n - 2 };

	answer_run(&a, &o, p[0] & 3u, in, n);
	answer_run(&b, &o, p[0] & 3u, in, 1u + p[1] % 17u);
	answer_compare(&a, &b);
	check_score(&a, in);
	answer_end(&a);
	answer_end(&b);
	read_json(in);
	return 0;
}
