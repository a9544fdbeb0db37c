/*
 * base64.c - see base64.h.
 *
 * Attachments are most of the bytes of mail, and nearly all of their lines are plain: so
 * where the machine can look up many bytes at once, eight groups are a step.  Method:
 * W. Mula, D. Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions", 2018.
 */
#include "lib/mime/base64.h"

#define V(c) (uint8_t)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' : \
	(c) >= 'a' && (c) <= 'z' ? (c) - 'a' + 26 : \
	(c) >= '0' && (c) <= '9' ? (c) - '0' + 52 : (c) == '+' ? 62 : (c) == '/' ? 63 : 0xff)
#define V4(c) V(c), V((c) + 1), V((c) + 2), V((c) + 3)
#define V16(c) V4(c), V4((c) + 4), V4((c) + 8), V4((c) + 12)
#define V64(c) V16(c), V16((c) + 16), V16((c) + 32), V16((c) + 48)
static const uint8_t values[256] = { V64(0), V64(64), V64(128), V64(192) };

/* Up to `groups`, to the first with a byte outside the alphabet; how many those were. */
static size_t
groups_plain(const uint8_t *from, size_t groups, uint8_t *to)
{
	size_t done = 0;

	for (; done < groups; done++, from += 4, to += 3) {
		uint32_t a = values[from[0]], b = values[from[1]];
		uint32_t c = values[from[2]], d = values[from[3]];

		if (((a | b | c | d) & 0x80) != 0)
			break;
		uint32_t v = a << 18 | b << 12 | c << 6 | d;

		to[0] = (uint8_t)(v >> 16);
		to[1] = (uint8_t)(v >> 8);
		to[2] = (uint8_t)v;
	}
	return done;
}

static inline size_t
newline_length(struct span s, size_t i)
{
	if (i < s.len && s.ptr[i] == '\n')
		return 1;
	return i + 1 < s.len && s.ptr[i] == '\r' && s.ptr[i + 1] == '\n' ? 2 : 0;
}

size_t
base64_lines_plain(struct span s, size_t most, uint8_t *to, size_t *groups)
{
	size_t i = 0, newline;

	*groups = 0;
	do {
		size_t left = most - *groups, whole = (s.len - i) / 4;
		size_t done = groups_plain(s.ptr + i, whole < left ? whole : left,
		    to + 3 * *groups);

		*groups += done;
		i += 4 * done;
		newline = newline_length(s, i);
		i += newline;
	} while (newline > 0);
	return i;
}

#ifdef __x86_64__
#include <immintrin.h>

/*
 * A character is told by its row and column in the table of ASCII, the two halves of its
 * byte.  Each kind of row is a bit: row_kinds says which bit, odd_columns in which kinds of
 * rows a column has nothing of the alphabet.  to_value is what is to be added in a row; that
 * of '/', which shares the row of '+', stands in the one before.
 */
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* The bits of *odd are the characters outside the alphabet. */
__attribute__((target("avx2"))) static inline bool
eight_groups(const uint8_t *from, uint8_t *to, unsigned *odd)
{
	const __m256i row_kinds = TWICE(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16,
	    16);
	const __m256i odd_columns = TWICE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	    0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
	const __m256i to_value = TWICE(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a',
	    26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
	const __m256i first_three = TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1,
	    -1);
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i c = _mm256_loadu_si256((const __m256i *)(const void *)from);
	__m256i row = _mm256_and_si256(_mm256_srli_epi32(c, 4), half);
	__m256i bad = _mm256_and_si256(_mm256_shuffle_epi8(row_kinds, row),
	    _mm256_shuffle_epi8(odd_columns, _mm256_and_si256(c, half)));
	__m256i slash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('/'));    /* -1 where it is */
	__m256i add = _mm256_shuffle_epi8(to_value, _mm256_add_epi8(row, slash));
	__m256i v = _mm256_add_epi8(c, add);

	/* 6 and 6 bits to 12, 12 and 12 to 24; then the three bytes of each, without a gap. */
	v = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
	v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));
	v = _mm256_shuffle_epi8(v, first_three);
	v = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
	_mm256_storeu_si256((__m256i *)(void *)to, v);
	bad = _mm256_cmpgt_epi8(bad, _mm256_setzero_si256());
	*odd = (unsigned)_mm256_movemask_epi8(bad);
	return *odd == 0;
}

/* The step that meets a line's end has the groups before it. */
__attribute__((target("avx2"))) static size_t
lines_by_eight(struct span s, size_t most, uint8_t *to, size_t *groups)
{
	size_t i = 0, made = 0;
	bool more = true;
	unsigned odd;

	while (more && s.len - i >= 32 && most - made >= 8) {
		bool whole = eight_groups(s.ptr + i, to + 3 * made, &odd);
		size_t done = whole ? 8 : (size_t)__builtin_ctz(odd) / 4;
		size_t newline = whole ? 0 : newline_length(s, i + 4 * done);

		more = whole || newline > 0;
		made += done;
		i += 4 * done + newline;
	}
	*groups = made;
	return i;
}

static bool
has_eight_groups(void)
{
	return __builtin_cpu_supports("avx2") != 0;
}
#else
static size_t
lines_by_eight(struct span s, size_t most, uint8_t *to, size_t *groups)
{
	return 0;
}

static bool
has_eight_groups(void)
{
	return false;
}
#endif

size_t
base64_lines(struct span s, size_t most, uint8_t *to, size_t *groups)
{
	size_t n = 0, wide = 0;

	if (has_eight_groups())
		n = lines_by_eight(s, most, to, &wide);
	n += base64_lines_plain(span_slice(s, n, s.len), most - wide, to + 3 * wide, groups);
	*groups += wide;
	return n;
}
