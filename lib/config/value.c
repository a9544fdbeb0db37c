/*
 * value.c - see value.h.
 */
#include "lib/config/value.h"
#include "lib/base/text.h"

struct unit { const char *name; uint64_t factor; };

/* The largest first, and of those alike the one to print. */
static const struct unit sizes[] = {
	{ "G", 1u << 30 }, { "GiB", 1u << 30 }, { "M", 1u << 20 }, { "MiB", 1u << 20 },
	{ "K", 1u << 10 }, { "KiB", 1u << 10 }, { "", 1 },
};
static const struct unit times[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static bool
parse(struct span s, const struct unit *units, size_t count, uint64_t *out)
{
	size_t digits = 0;

	while (digits < s.len && is_digit(s.ptr[digits]))
		digits++;
	struct span unit = span_slice(s, digits, s.len);

	for (size_t i = 0; i < count; i++) {
		if (!span_equal(unit, span_text(units[i].name)))
			continue;
		if (!text_number(span_slice(s, 0, digits), UINT64_MAX / units[i].factor, out))
			return false;
		*out *= units[i].factor;
		return true;
	}
	return false;
}

static void
print(uint64_t v, const struct unit *units, struct buf *b)
{
	while (v % units->factor != 0 || (v == 0 && units->factor > 1))
		units++;
	buf_printf(b, "%llu%s", (unsigned long long)(v / units->factor),
	    v > 0 ? units->name : "");
}

bool
value_size(struct span s, uint64_t *bytes)
{
	return parse(s, sizes, COUNT_OF(sizes), bytes);
}

bool
value_time(struct span s, uint64_t *ms)
{
	if (span_equal(s, SPAN_LIT("0"))) {
		*ms = 0;
		return true;
	}
	return parse(s, times, COUNT_OF(times), ms);
}

void
value_size_print(uint64_t bytes, struct buf *b)
{
	print(bytes, sizes, b);
}

void
value_time_print(uint64_t ms, struct buf *b)
{
	print(ms, times, b);
}

static bool
is_label(struct span s)
{
	if (s.len == 0 || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '_')
			return false;
	return true;
}

bool
value_is_domain(struct span s)
{
	if (s.len > 253)
		return false;
	for (;;) {
		size_t dot = span_find(s, '.');

		if (!is_label(span_slice(s, 0, dot)))
			return false;
		if (dot == s.len)
			return true;
		s = span_slice(s, dot + 1, s.len);
	}
}
