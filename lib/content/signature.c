/*
 * signature.c - see signature.h.
 *
 * Both test strings hold ANCHOR in the middle, which ordinary content does not: where one
 * may be, memmem looks for it, and a comparison around it decides.
 */
#include "lib/content/signature.h"
#include "lib/base/arena.h"
#include "lib/mime/lane.h"

/* In two parts, so that no scanner takes our own program for the test file. */
static const char eicar[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-"
    "ANTIVIRUS-TEST-FILE!$H+H*";
static const char gtube[] = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-"
    "ANTI-UBE-TEST-EMAIL*C.34X";

static const struct { const char *text, *name; size_t anchor; } signatures[SIGNATURES] = {
	[SIGNATURE_EICAR] = { eicar, "EICAR-Test-File", 33 },
	[SIGNATURE_GTUBE] = { gtube, "GTUBE", 33 },
};

static const char anchor[] = "-STANDARD-" "ANTI";
#define ANCHOR_BYTES (sizeof anchor - 1)

_Static_assert(sizeof eicar - 1 == SIGNATURE_BYTES, "EICAR is 68 bytes");
_Static_assert(sizeof gtube - 1 == SIGNATURE_BYTES, "GTUBE is 68 bytes");

const char *
signature_name(enum signature s)
{
	return s < SIGNATURES ? signatures[s].name : "?";
}

/* The anchor stands at p, in bytes that begin at offset `at` of the content. */
static void
try_anchor(struct signature_search *s, struct span bytes, size_t p, uint64_t at)
{
	for (size_t i = 0; i < SIGNATURES; i++) {
		size_t from = p - signatures[i].anchor;

		if (s->found[i] || p < signatures[i].anchor ||
		    bytes.len - from < SIGNATURE_BYTES ||
		    memcmp(bytes.ptr + from, signatures[i].text, SIGNATURE_BYTES) != 0)
			continue;
		s->found[i] = true;
		s->at[i] = at + from;
	}
}

/*
 * If an anchor begins less than STEP behind p, then the lane in the middle of the step is
 * inside a string: one byte there that is in neither rules it out.  Text has blanks and
 * small letters everywhere, and what is not text has bytes of all kinds.
 */
#define STEP 48u
_Static_assert(STEP == 3 * LANE_BYTES && STEP - LANE_BYTES < 34, "inside the string");

/* Of eight bytes of a string one at most is '}'; the others are below '`'.  (Bits 6 and 5
   are those of small letters.) */
static inline bool
may_be_inside(const uint8_t *p)
{
	const uint64_t each = 0x0101010101010101u;
	uint64_t word, odd;

	memcpy(&word, p, sizeof word);
	odd = (word & 0x80 * each) | (word & word << 1 & 0x40 * each);
	return (odd & (odd - 1)) == 0;
}

static inline bool
may_have_anchor(const uint8_t *p)
{
	if (!may_be_inside(p + LANE_BYTES))
		return false;
	lane v = lane_load(p + LANE_BYTES);

	/* '!' to '^' and '}': all of theirs, and some more. */
	return !lane_any((lane)(((v < '!') | (v > '^')) & (v != '}')));
}

/* Anchors that begin less than STEP behind `from`. */
static void
search_step(struct signature_search *s, struct span bytes, size_t from, uint64_t at)
{
	const size_t most = STEP + ANCHOR_BYTES - 1;
	size_t end = bytes.len - from < most ? bytes.len : from + most;
	const uint8_t *p;

	while ((p = memmem(bytes.ptr + from, end - from, anchor, ANCHOR_BYTES)) != NULL) {
		try_anchor(s, bytes, (size_t)(p - bytes.ptr), at);
		from = (size_t)(p - bytes.ptr) + 1;
	}
}

static void
search(struct signature_search *s, struct span bytes, uint64_t at)
{
	for (size_t from = 0; from < bytes.len; from += STEP)
		if (bytes.len - from <= STEP || may_have_anchor(bytes.ptr + from))
			search_step(s, bytes, from, at);
}

/* What spans the cut: the kept end and as much of the new bytes. */
static void
search_seam(struct signature_search *s, struct span in)
{
	uint8_t seam[2 * (SIGNATURE_BYTES - 1)];
	size_t more = in.len < SIGNATURE_BYTES - 1 ? in.len : SIGNATURE_BYTES - 1;

	memcpy(seam, s->last, s->last_len);
	memcpy(seam + s->last_len, in.ptr, more);
	search(s, (struct span){ seam, s->last_len + more }, s->size - s->last_len);
}

static void
keep_end(struct signature_search *s, struct span in)
{
	size_t room = sizeof s->last, kept;

	if (in.len >= room) {
		memcpy(s->last, in.ptr + in.len - room, room);
		s->last_len = room;
		return;
	}
	kept = s->last_len < room - in.len ? s->last_len : room - in.len;
	memmove(s->last, s->last + s->last_len - kept, kept);
	memcpy(s->last + kept, in.ptr, in.len);
	s->last_len = kept + in.len;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0x1a;
}

/* Up to 128 bytes count, so this is not asked for long. */
static void
note_trail(struct signature_search *s, struct span in)
{
	uint64_t end = s->size + in.len;

	if (s->trail || end > SIGNATURE_EICAR_FILE_BYTES) {
		s->trail = true;
		return;
	}
	for (size_t i = 0; i < in.len; i++)
		if (s->size + i >= SIGNATURE_BYTES && !is_space(in.ptr[i]))
			s->trail = true;
}

void
signature_feed(struct signature_search *s, struct span in)
{
	if (in.len == 0)
		return;
	if (s->last_len > 0)
		search_seam(s, in);
	search(s, in, s->size);
	note_trail(s, in);
	keep_end(s, in);
	s->size += in.len;
}

bool
signature_eicar_file(const struct signature_search *s)
{
	return s->found[SIGNATURE_EICAR] && s->at[SIGNATURE_EICAR] == 0 && !s->trail;
}

/* Lists. */

static bool
hex_digit(uint8_t c, uint8_t *value)
{
	if (is_digit(c))
		*value = (uint8_t)(c - '0');
	else if (to_lower(c) >= 'a' && to_lower(c) <= 'f')
		*value = (uint8_t)(to_lower(c) - 'a' + 10);
	else
		return false;
	return true;
}

bool
digest_parse(struct span text, uint8_t out[DIGEST_BYTES])
{
	if (text.len != 2 * DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		uint8_t high, low;

		if (!hex_digit(text.ptr[2 * i], &high) ||
		    !hex_digit(text.ptr[2 * i + 1], &low))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_BYTES);
}

static void
add_digest(struct digest_list *l, size_t *cap, const uint8_t digest[DIGEST_BYTES])
{
	if (l->count == *cap) {
		*cap = *cap == 0 ? 64 : *cap * 2;
		l->digests = must_realloc(l->digests, *cap * DIGEST_BYTES);
	}
	memcpy(l->digests[l->count++], digest, DIGEST_BYTES);
}

static void
sort_digests(struct digest_list *l)
{
	size_t kept = 0;

	if (l->count == 0)
		return;
	qsort(l->digests, l->count, DIGEST_BYTES, compare_digests);
	for (size_t i = 1; i < l->count; i++)
		if (memcmp(l->digests[kept], l->digests[i], DIGEST_BYTES) != 0)
			memmove(l->digests[++kept], l->digests[i], DIGEST_BYTES);
	l->count = kept + 1;
}

/* The part of a line before its remark. */
static struct span
entry_of(struct span line)
{
	size_t n = 0;

	line = span_trim(line);
	while (n < line.len && line.ptr[n] > ' ' && line.ptr[n] != '#')
		n++;
	return span_slice(line, 0, n);
}

enum status
digest_list_parse(struct digest_list *l, struct span text, size_t max, struct error *e)
{
	uint8_t digest[DIGEST_BYTES];
	size_t cap = 0;
	bool full;

	*l = (struct digest_list){ 0 };
	for (size_t number = 1; text.len > 0; number++) {
		size_t end = span_find(text, '\n');
		struct span entry = entry_of(span_slice(text, 0, end));

		text = span_slice(text, end < text.len ? end + 1 : end, text.len);
		if (entry.len == 0)
			continue;
		if (l->count < max && digest_parse(entry, digest)) {
			add_digest(l, &cap, digest);
			continue;
		}
		full = l->count == max;
		digest_list_finish(l);
		return fail(e, ST_PERM, "digests", full ? "line %zu: too many digests" :
		    "line %zu: expected 64 hexadecimal digits", number);
	}
	sort_digests(l);
	return ST_OK;
}

bool
digest_list_has(const struct digest_list *l, const uint8_t digest[DIGEST_BYTES])
{
	return l->count > 0 && bsearch(digest, l->digests, l->count, DIGEST_BYTES,
	    compare_digests) != NULL;
}

void
digest_list_finish(struct digest_list *l)
{
	free(l->digests);
	*l = (struct digest_list){ 0 };
}
