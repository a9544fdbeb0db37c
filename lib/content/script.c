/*
 * script.c - see script.h.
 *
 * Small tables: enough to tell a name from its imitation, no more.
 */
#include "lib/content/script.h"

enum script { COMMON = 0, LATIN, GREEK, CYRILLIC, ARMENIAN, HEBREW, ARABIC, INDIC, THAI,
	GEORGIAN, CHEROKEE, HANGUL, KANA, BOPOMOFO, HAN, OTHER };

static const struct { uint32_t from, to; uint8_t script; } ranges[] = {
	{ 'a', 'z', LATIN }, { 0xaa, 0xaa, LATIN }, { 0xba, 0xba, LATIN },
	{ 0xc0, 0xd6, LATIN }, { 0xd8, 0xf6, LATIN }, { 0xf8, 0x2af, LATIN },
	{ 0x370, 0x3ff, GREEK }, { 0x400, 0x52f, CYRILLIC }, { 0x530, 0x58f, ARMENIAN },
	{ 0x590, 0x5ff, HEBREW }, { 0x600, 0x6ff, ARABIC }, { 0x750, 0x77f, ARABIC },
	{ 0x8a0, 0x8ff, ARABIC }, { 0x900, 0xdff, INDIC }, { 0xe00, 0xe7f, THAI },
	{ 0xe80, 0x109f, OTHER }, { 0x10a0, 0x10ff, GEORGIAN }, { 0x1100, 0x11ff, HANGUL },
	{ 0x1200, 0x139f, OTHER }, { 0x13a0, 0x13ff, CHEROKEE }, { 0x1400, 0x1bff, OTHER },
	{ 0x1c80, 0x1c8f, CYRILLIC }, { 0x1d00, 0x1d25, LATIN }, { 0x1e00, 0x1eff, LATIN },
	{ 0x1f00, 0x1fff, GREEK }, { 0x2c60, 0x2c7f, LATIN }, { 0x2d00, 0x2d2f, GEORGIAN },
	{ 0x2de0, 0x2dff, CYRILLIC }, { 0x3005, 0x3007, HAN }, { 0x3040, 0x30fa, KANA },
	{ 0x30fc, 0x30ff, KANA }, { 0x3100, 0x312f, BOPOMOFO }, { 0x3130, 0x318f, HANGUL },
	{ 0x31a0, 0x31bf, BOPOMOFO }, { 0x31f0, 0x31ff, KANA }, { 0x3400, 0x4dbf, HAN },
	{ 0x4e00, 0x9fff, HAN }, { 0xa000, 0xa63f, OTHER }, { 0xa640, 0xa69f, CYRILLIC },
	{ 0xa720, 0xa7ff, LATIN }, { 0xab30, 0xab6f, LATIN }, { 0xab70, 0xabbf, CHEROKEE },
	{ 0xac00, 0xd7af, HANGUL }, { 0xf900, 0xfaff, HAN }, { 0x10000, 0x1ffff, OTHER },
	{ 0x20000, 0x3ffff, HAN },
};

/* Letters beyond ASCII that are taken for ASCII ones. */
static const uint16_t lookalikes[] = {
	/* Latin */ 0x131, 0x237, 0x251, 0x261, 0x269, 0x26a, 0x28f, 0x280, 0x1d00, 0x1d04,
	0x1d05, 0x1d0f, 0x1d1c, 0x1d20, 0x1d21, 0x1d22,
	/* Greek */ 0x3b1, 0x3b3, 0x3b5, 0x3b7, 0x3b9, 0x3ba, 0x3bd, 0x3bf, 0x3c1, 0x3c3, 0x3c4,
	0x3c5, 0x3c7, 0x3c9, 0x3f2, 0x3f3,
	/* Cyrillic */ 0x430, 0x432, 0x433, 0x435, 0x437, 0x43a, 0x43c, 0x43d, 0x43e, 0x43f,
	0x440, 0x441, 0x442, 0x443, 0x445, 0x44a, 0x44c, 0x455, 0x456, 0x457, 0x458, 0x461,
	0x475, 0x4bb, 0x4bd, 0x4cf, 0x501, 0x51b, 0x51d,
	/* Armenian */ 0x561, 0x563, 0x566, 0x570, 0x578, 0x57c, 0x57d, 0x581, 0x582, 0x585,
	0x584,
};

static enum script
script_of(uint32_t c)
{
	size_t low = 0, high = COUNT_OF(ranges);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c > ranges[mid].to)
			low = mid + 1;
		else if (c < ranges[mid].from)
			high = mid;
		else
			return (enum script)ranges[mid].script;
	}
	return COMMON;
}

static bool
is_lookalike(uint32_t c)
{
	for (size_t i = 0; i < COUNT_OF(lookalikes); i++)
		if (lookalikes[i] == c)
			return true;
	return false;
}

static uint32_t
next_character(struct span s, size_t *at)
{
	uint8_t first = s.ptr[(*at)++];
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
	uint32_t c = more == 0 ? first : first & (0x3fu >> more);

	for (; more > 0 && *at < s.len && (s.ptr[*at] & 0xc0) == 0x80; more--)
		c = c << 6 | (s.ptr[(*at)++] & 0x3f);
	return c;
}

#define SET(script) (1u << (script))

/* Chinese, Japanese and Korean names mix their scripts, and Latin with them. */
static bool
go_together(unsigned scripts)
{
	unsigned latin = SET(LATIN) | SET(HAN);

	return (scripts & (scripts - 1)) == 0 || (scripts & ~(latin | SET(KANA))) == 0 ||
	    (scripts & ~(latin | SET(HANGUL))) == 0 ||
	    (scripts & ~(latin | SET(BOPOMOFO))) == 0;
}

/* What one label has. */
struct label { unsigned scripts; bool beyond, plain; };

static struct label
read_label(struct span label)
{
	struct label l = { 0, false, true };

	for (size_t at = 0; at < label.len;) {
		uint32_t c = next_character(label, &at);
		enum script script = script_of(c);

		if (script != COMMON)
			l.scripts |= SET(script);
		l.beyond |= c >= 0x80;
		l.plain &= c < 0x80 || is_lookalike(c);
	}
	return l;
}

unsigned
script_judge(struct span host)
{
	unsigned what = 0;
	struct label label = { 0 };
	bool imitation = false;

	for (size_t at = 0; at < host.len;) {
		struct span rest = span_slice(host, at, host.len);
		size_t n = span_find(rest, '.');

		label = read_label(span_slice(rest, 0, n));
		if (!go_together(label.scripts))
			what |= SCRIPT_MIXED;
		imitation |= label.beyond && label.plain;
		at += n + 1;
	}
	/* Under .рф Cyrillic names are at home. */
	if (imitation && !label.beyond)
		what |= SCRIPT_CONFUSABLE;
	return what;
}
