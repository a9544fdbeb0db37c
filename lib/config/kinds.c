/*
 * kinds.c - the kinds of values: how each is read and printed; see schema.h.
 */
#include "lib/config/schema.h"
#include "lib/base/text.h"
#include "lib/config/hop.h"
#include "lib/config/value.h"
#include "lib/finding/score.h"
#include <stdio.h>

static void
expected(const struct reading *r, const struct token *t, const char *what)
{
	complain(r->complaints, t->place, "expected %s for `%s', found %s", what,
	    r->row->name, token_shown(t).text);
}

static char *
lower_text(struct arena *arena, struct span s)
{
	char *text = arena_text(arena, s);

	for (size_t i = 0; i < s.len; i++)
		text[i] = (char)to_lower((uint8_t)text[i]);
	return text;
}

/* Texts may hold \n and \t; no name or path does. */
static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return s.len > 0;
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) &&
		    memchr("._-", s.ptr[i], 3) == NULL)
			return false;
	return s.len > 0;
}

static void
read_name(const struct reading *r, void *member)
{
	if (is_name(r->values->text))
		*(const char **)member = arena_text(r->arena, r->values->text);
	else
		expected(r, r->values, "a name of letters, digits, . - and _");
}

static void
read_host(const struct reading *r, void *member)
{
	if (value_is_domain(r->values->text))
		*(const char **)member = lower_text(r->arena, r->values->text);
	else
		expected(r, r->values, "a host name like mx1.example.com");
}

static bool
is_mailbox(struct span s)
{
	size_t at = span_find(s, '@');

	if (at == 0 || at > 64 || at == s.len)
		return false;
	for (size_t i = 0; i < at; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f ||
		    strchr("\"\\()<>[],;:", s.ptr[i]) != NULL)
			return false;
	return value_is_domain(span_slice(s, at + 1, s.len));
}

static void
read_mailbox(const struct reading *r, void *member)
{
	if (is_mailbox(r->values->text))
		*(const char **)member = arena_text(r->arena, r->values->text);
	else
		expected(r, r->values, "an address like postmaster@example.com");
}

static void
read_path(const struct reading *r, void *member)
{
	struct span s = r->values->text;

	if (!is_plain(s) || s.ptr[0] != '/')
		expected(r, r->values, "a path that begins with /");
	else if (s.len > r->row->max)
		complain(r->complaints, r->values->place,
		    "the path of `%s' is longer than %u bytes", r->row->name,
		    (unsigned)r->row->max);
	else
		*(const char **)member = arena_text(r->arena, s);
}

static void
print_number(const struct row *row, uint64_t v, struct buf *b)
{
	if (row->kind == KIND_SIZE)
		value_size_print(v, b);
	else if (row->kind == KIND_TIME)
		value_time_print(v, b);
	else if (row->kind == KIND_DECIMAL)
		score_print(b, (int64_t)v);
	else
		buf_printf(b, "%llu", (unsigned long long)v);
}

static void
expected_range(const struct reading *r)
{
	struct buf range = { 0 };

	print_number(r->row, r->row->min, &range);
	buf_add(&range, SPAN_LIT(" to "));
	print_number(r->row, r->row->max, &range);
	expected(r, r->values, buf_text(&range));
	buf_free(&range);
}

static void
read_number(const struct reading *r, void *member)
{
	struct span s = r->values->text;
	uint64_t v;

	if (!text_number(s, UINT64_MAX, &v))
		expected(r, r->values, "a number");
	else if (v < r->row->min || v > r->row->max)
		expected_range(r);
	else
		*(uint64_t *)member = v;
}

static void
read_size(const struct reading *r, void *member)
{
	uint64_t v;

	if (!value_size(r->values->text, &v))
		expected(r, r->values, "a size like 640, 64K, 100M or 4G");
	else if (v < r->row->min || v > r->row->max)
		expected_range(r);
	else
		*(uint64_t *)member = v;
}

static void
read_time(const struct reading *r, void *member)
{
	uint64_t v;

	if (!value_time(r->values->text, &v))
		expected(r, r->values, "a time like 500ms, 30s, 5m, 1h or 7d");
	else if (v < r->row->min || v > r->row->max)
		expected_range(r);
	else
		*(uint64_t *)member = v;
}

static void
read_decimal(const struct reading *r, void *member)
{
	int64_t v;

	if (!score_parse(r->values->text, &v) || v < 0)
		expected(r, r->values, "a number like 2 or 0.5, with at most 3 decimals");
	else if ((uint64_t)v < r->row->min || (uint64_t)v > r->row->max)
		expected_range(r);
	else
		*(uint64_t *)member = (uint64_t)v;
}

/* `a', `b' or `c' */
static void
expected_word(const struct reading *r)
{
	struct nearest near = { .word = r->values->text };
	struct buf all = { 0 };

	for (const char *const *w = r->row->words; *w != NULL; w++) {
		if (**w == '\0')
			continue;
		nearest_try(&near, *w);
		if (buf_len(&all) > 0)
			buf_printf(&all, w[1] != NULL ? ", " : " or ");
		buf_printf(&all, "`%s'", *w);
	}
	complain(r->complaints, r->values->place, "expected %s for `%s', found %s%s",
	    buf_text(&all), r->row->name, token_shown(r->values).text,
	    nearest_hint(&near).text);
	buf_free(&all);
}

static void
read_enum(const struct reading *r, void *member)
{
	for (unsigned i = 0; r->row->words[i] != NULL; i++)
		if (r->values->text.len > 0 &&
		    span_equal(r->values->text, span_text(r->row->words[i]))) {
			*(unsigned *)member = i;
			return;
		}
	expected_word(r);
}

static void
read_truth(const struct reading *r, void *member)
{
	if (span_equal(r->values->text, SPAN_LIT("yes")))
		*(bool *)member = true;
	else if (span_equal(r->values->text, SPAN_LIT("no")))
		*(bool *)member = false;
	else
		expected_word(r);
}

static bool
is_printable(struct span s, uint8_t least)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < least || s.ptr[i] > 0x7e)
			return false;
	return s.len > 0;
}

/* Such a text goes into a line of a protocol. */
static void
read_text(const struct reading *r, void *member)
{
	struct span s = r->values->text;

	if (is_printable(s, ' ') && s.len <= r->row->max)
		*(const char **)member = arena_text(r->arena, s);
	else
		expected(r, r->values, "a text of printable ASCII, not too long,");
}

static void
read_target(const struct reading *r, void *member)
{
	struct span s = r->values->text;

	if (is_printable(s, '!') && s.ptr[0] == '/' && s.len <= r->row->max)
		*(const char **)member = arena_text(r->arena, s);
	else
		expected(r, r->values, "a path that begins with / and has no blanks");
}

static void
read_regex(const struct reading *r, void *member)
{
	const struct token *t = r->values;

	if (t->kind == TOKEN_REGEX && t->text.len > 0)
		*(struct regex_text *)member =
		    (struct regex_text){ t->text, t->flags, t->place };
	else
		expected(r, t, "a regular expression /.../");
}

static void
read_statuses(const struct reading *r, void *member)
{
	struct statuses set = { { 0 } };

	for (size_t i = 0; i < r->count; i++) {
		uint64_t v;

		if (!text_number(r->values[i].text, 255, &v)) {
			expected(r, &r->values[i], "exit statuses of 0 to 255");
			return;
		}
		set.bits[v / 64] |= 1ull << v % 64;
	}
	*(struct statuses *)member = set;
}

static void
read_command(const struct reading *r, void *member)
{
	struct words list = { arena_array(r->arena, struct span, r->count), 0 };

	for (; list.count < r->count; list.count++) {
		struct span s = r->values[list.count].text;

		if (list.count == 0 && (!is_plain(s) || s.ptr[0] != '/')) {
			expected(r, r->values, "the program's path, which begins with /,");
			return;
		}
		if (memchr(s.ptr, '\0', s.len) != NULL) {
			expected(r, &r->values[list.count], "an argument without NUL");
			return;
		}
		list.items[list.count] = s;
	}
	*(struct words *)member = list;
}

static bool
is_none(const struct reading *r)
{
	return r->count == 1 && span_equal(r->values->text, SPAN_LIT("none"));
}

/* 192.0.2.1/24 is a slip for 192.0.2.0/24, which is worth saying. */
static bool
network_masked(struct span s, struct network *n)
{
	size_t slash = span_find(s, '/');
	uint64_t bits;

	if (slash == s.len || !address_parse(span_slice(s, 0, slash), &n->base))
		return false;
	bool v4 = memchr(s.ptr, ':', slash) == NULL;

	if (!text_number(span_slice(s, slash + 1, s.len), v4 ? 32 : 128, &bits))
		return false;
	n->bits = (unsigned)bits + (v4 ? 96 : 0);
	for (unsigned i = n->bits; i < 128; i++)
		n->base.bytes[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
	return true;
}

static void
network_print(const struct network *n, struct buf *b)
{
	char text[ADDRESS_TEXT_BYTES];
	unsigned bits = n->bits;

	address_text(text, &n->base);
	buf_printf(b, "%s", text);
	if (bits < 128)
		buf_printf(b, "/%u", address_is_v4(&n->base) ? bits - 96 : bits);
}

static void
expected_network(const struct reading *r, const struct token *t)
{
	struct buf b = { 0 };
	struct network masked;

	if (network_masked(t->text, &masked)) {
		buf_printf(&b, "the network of the address, ");
		network_print(&masked, &b);
		buf_byte(&b, ',');
	} else
		buf_printf(&b, "a network like 192.0.2.0/24 or 2001:db8::/32");
	expected(r, t, buf_text(&b));
	buf_free(&b);
}

static void
read_networks(const struct reading *r, void *member)
{
	struct networks list = { 0 };

	if (!is_none(r)) {
		list.items = arena_array(r->arena, struct network, r->count);
		for (; list.count < r->count; list.count++) {
			const struct token *t = &r->values[list.count];

			if (!network_parse(t->text, &list.items[list.count])) {
				expected_network(r, t);
				return;
			}
		}
	}
	*(struct networks *)member = list;
}

static void
read_domains(const struct reading *r, void *member)
{
	struct words list = { 0 };

	if (!is_none(r)) {
		list.items = arena_array(r->arena, struct span, r->count);
		for (; list.count < r->count; list.count++) {
			struct span s = r->values[list.count].text;
			bool dot = s.len > 0 && s.ptr[0] == '.';

			if (!value_is_domain(span_slice(s, dot, s.len))) {
				expected(r, &r->values[list.count],
				    "a domain like example.com or .example.com");
				return;
			}
			list.items[list.count] = span_text(lower_text(r->arena, s));
		}
	}
	*(struct words *)member = list;
}

static void
print_text(const struct row *row, const void *member, struct buf *b)
{
	const char *text = *(const char *const *)member;

	if (text != NULL)
		word_print(span_text(text), b);
}

static void
print_amount(const struct row *row, const void *member, struct buf *b)
{
	print_number(row, *(const uint64_t *)member, b);
}

static void
print_enum(const struct row *row, const void *member, struct buf *b)
{
	buf_printf(b, "%s", row->words[*(const unsigned *)member]);
}

static void
print_truth(const struct row *row, const void *member, struct buf *b)
{
	buf_printf(b, "%s", row->words[*(const bool *)member]);
}

static void
print_regex(const struct row *row, const void *member, struct buf *b)
{
	const struct regex_text *regex = member;

	if (regex->text.len > 0)
		token_print(&(struct token){ TOKEN_REGEX, regex->text, regex->flags,
		    regex->place }, b);
}

static void
print_statuses(const struct row *row, const void *member, struct buf *b)
{
	const struct statuses *set = member;
	const char *before = "";

	for (unsigned i = 0; i < 256; i++)
		if (set->bits[i / 64] >> i % 64 & 1) {
			buf_printf(b, "%s%u", before, i);
			before = " ";
		}
}

static void
print_command(const struct row *row, const void *member, struct buf *b)
{
	const struct words *list = member;

	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_byte(b, ' ');
		word_print(list->items[i], b);
	}
}

static void
print_networks(const struct row *row, const void *member, struct buf *b)
{
	const struct networks *list = member;

	if (list->count == 0)
		buf_printf(b, "none");
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_byte(b, ' ');
		network_print(&list->items[i], b);
	}
}

static void
print_domains(const struct row *row, const void *member, struct buf *b)
{
	const struct words *list = member;

	if (list->count == 0)
		buf_printf(b, "none");
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_byte(b, ' ');
		buf_add(b, list->items[i]);
	}
}

/* `most` values, each a word or a text. */
static const struct {
	size_t      most;
	void      (*read)(const struct reading *, void *member);
	void      (*print)(const struct row *, const void *member, struct buf *);
	const char *name, *sentence;
} kinds[KIND_COUNT] = {
	[KIND_NAME] = { 1, read_name, print_text, "name",
	  "letters, digits, dot, dash and underscore." },
	[KIND_HOST] = { 1, read_host, print_text, "host",
	  "a host name, such as mx1.example.com." },
	[KIND_MAILBOX] = { 1, read_mailbox, print_text, "mailbox",
	  "a mail address, such as postmaster@example.com." },
	[KIND_PATH] = { 1, read_path, print_text, "path",
	  "a path that begins with a slash; in double quotes where it holds blanks." },
	[KIND_NUMBER] = { 1, read_number, print_amount, "number", "decimal digits." },
	[KIND_SIZE] = { 1, read_size, print_amount, "size",
	  "bytes; K, M and G (or KiB, MiB and GiB) behind the number count 1024." },
	[KIND_TIME] = { 1, read_time, print_amount, "time",
	  "a number with its unit: ms, s, m, h or d." },
	[KIND_DECIMAL] = { 1, read_decimal, print_amount, "decimal",
	  "a number with at most three digits behind its point, such as 2 or 0.5." },
	[KIND_ENUM] = { 1, read_enum, print_enum, "word", "one of the words given." },
	[KIND_TRUTH] = { 1, read_truth, print_truth, "truth", "yes or no." },
	[KIND_TEXT] = { 1, read_text, print_text, "text",
	  "printable ASCII; in double quotes where it holds blanks." },
	[KIND_TARGET] = { 1, read_target, print_text, "URL path",
	  "begins with a slash and holds no blanks." },
	[KIND_REGEX] = { 1, read_regex, print_regex, "expression",
	  "a regular expression between slashes, with flags behind it, as in policies." },
	[KIND_STATUSES] = { 256, read_statuses, print_statuses, "status",
	  "an exit status of 0 to 255; several with blanks between." },
	[KIND_COMMAND] = { SCHEMA_ENDPOINTS * 4, read_command, print_command, "command",
	  "the path of a program, which begins with a slash, and its arguments; each in "
	  "double quotes where it holds blanks." },
	[KIND_ENDPOINTS] = { SCHEMA_ENDPOINTS, endpoints_read, endpoints_print, "address",
	  "127.0.0.1:10024, [::1]:10024 or unix:/path; several with blanks between." },
	[KIND_NETWORKS] = { SCHEMA_LIST, read_networks, print_networks, "network",
	  "192.0.2.0/24, 2001:db8::/32 or a single address; several with blanks between, "
	  "or none." },
	[KIND_DOMAINS] = { SCHEMA_LIST, read_domains, print_domains, "domain",
	  "example.com, or .example.com for all its subdomains; several with blanks "
	  "between, or none." },
	[KIND_HOP] = { SCHEMA_ENDPOINTS, hop_read, hop_print, "next hop",
	  "127.0.0.1:10025, [::1]:10025 or unix:/path, with smtp: (the default) or lmtp: "
	  "before it, several with blanks between; or peer:10025, that port of the host "
	  "that handed in the mail; or maildir:/path. Addresses only, or localhost, which "
	  "is 127.0.0.1: other names are not looked up." },
};

const char *
kind_name(enum kind kind)
{
	return kinds[kind].name;
}

const char *
kind_sentence(enum kind kind)
{
	return kinds[kind].sentence;
}

static bool
check_values(const struct reading *r)
{
	if (r->count == 0) {
		complain(r->complaints, r->end, "expected a value for `%s' before ;",
		    r->row->name);
		return false;
	}
	for (size_t i = 0; i < r->count; i++) {
		const struct token *t = &r->values[i];

		if (i == kinds[r->row->kind].most) {
			complain(r->complaints, t->place, "expected ; since `%s' takes %s%zu "
			    "value%s, found %s", r->row->name, i > 1 ? "at most " : "", i,
			    i > 1 ? "s" : "", token_shown(t).text);
			return false;
		}
		if (t->kind == TOKEN_OPERATOR ||
		    (t->kind == TOKEN_REGEX && r->row->kind != KIND_REGEX)) {
			complain(r->complaints, t->place, "expected a value for `%s', found %s",
			    r->row->name, token_shown(t).text);
			return false;
		}
	}
	return true;
}

void
kind_read(const struct reading *r, void *member)
{
	if (check_values(r))
		kinds[r->row->kind].read(r, member);
}

void
kind_print(const struct row *row, const void *member, struct buf *b)
{
	kinds[row->kind].print(row, member, b);
}
