/*
 * signature.c - what a search finds is there, is all there is, and does not depend on
 * cuts; the same bytes are read as a list of digests.
 *
 * In the input "#E" stands for the EICAR string, "#G" for GTUBE; the first two bytes say
 * how long the pieces are.
 */
#include "lib/base/buf.h"
#include "lib/content/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* In parts, so that no scanner takes this file for a test file. */
static const char *const texts[SIGNATURES] = {
	[SIGNATURE_EICAR] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
	[SIGNATURE_GTUBE] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X",
};

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
expand(struct buf *out, struct span in)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t next = i + 1 < in.len ? in.ptr[i + 1] : 0;

		if (in.ptr[i] == '#' && (next == 'E' || next == 'G')) {
			buf_add(out, span_text(texts[next == 'E' ?
			    SIGNATURE_EICAR : SIGNATURE_GTUBE]));
			i++;
		} else {
			buf_byte(out, in.ptr[i]);
		}
	}
}

static void
feed_pieces(struct signature_search *s, struct span in, size_t first, size_t second)
{
	for (size_t at = 0, turn = 0; at < in.len; turn++) {
		size_t n = turn % 2 == 0 ? first : second;

		n = n == 0 ? 1 : n;
		n = n > in.len - at ? in.len - at : n;
		signature_feed(s, span_slice(in, at, at + n));
		at += n;
	}
}

static void
check_search(struct span in, size_t first, size_t second)
{
	struct signature_search s = { 0 };

	feed_pieces(&s, in, first, second);
	must(s.size == in.len);
	for (size_t i = 0; i < SIGNATURES; i++) {
		const uint8_t *p = in.len == 0 ?
		    NULL : memmem(in.ptr, in.len, texts[i], SIGNATURE_BYTES);

		must(s.found[i] == (p != NULL) &&
		    (p == NULL || s.at[i] == (uint64_t)(p - in.ptr)));
	}
	must(!signature_eicar_file(&s) || in.len <= SIGNATURE_EICAR_FILE_BYTES);
}

static void
check_list(struct span in)
{
	struct digest_list list;
	struct error e;

	if (digest_list_parse(&list, in, 8, &e) != ST_OK)
		return;
	must(list.count <= 8);
	for (size_t i = 0; i < list.count; i++) {
		must(digest_list_has(&list, list.digests[i]));
		must(i == 0 || memcmp(list.digests[i - 1], list.digests[i],
		    DIGEST_BYTES) < 0);
	}
	digest_list_finish(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf text = { 0 };

	if (n < 2)
		return 0;
	expand(&text, (struct span){ p + 2, n - 2 });
	check_search(buf_span(&text), p[0], p[1]);
	check_list((struct span){ p + 2, n - 2 });
	buf_free(&text);
	return 0;
}
