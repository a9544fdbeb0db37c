/*
 * list.c - entries sorted once, then found by binary search.
 */
#include "lib/policy/list.h"
#include "lib/smtp/address.h"

enum entry_kind {
	ENTRY_NETWORK = 0,
	ENTRY_MAILBOX,          /* joe@example.com */
	ENTRY_AT_DOMAIN,        /* @example.com    */
	ENTRY_DOMAIN,           /* example.com     */
	ENTRY_SUFFIX,           /* .example.com    */
	ENTRY_LABEL,            /* localhost: a domain, or a mailbox without one */
	ENTRY_TEXT,
};
#define KIND(k) (1u << (k))
#define DOMAIN_KINDS (KIND(ENTRY_DOMAIN) | KIND(ENTRY_LABEL))
#define MAILBOX_KINDS (KIND(ENTRY_MAILBOX) | KIND(ENTRY_LABEL) | KIND(ENTRY_TEXT))

struct entry { struct span text; enum entry_kind kind; };

struct span
domain_trim(struct span s)
{
	return s.len > 0 && s.ptr[s.len - 1] == '.' ? span_slice(s, 0, s.len - 1) : s;
}

static bool
is_domain(struct span s)
{
	if (s.len == 0 || s.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.' &&
		    c < 0x80)
			return false;
	}
	return true;
}

static enum entry_kind
kind_of(struct span s)
{
	struct network n;

	if (network_parse(s, &n))
		return ENTRY_NETWORK;
	if (s.len > 1 && is_domain(span_slice(s, 1, s.len)) && s.ptr[0] == '@')
		return ENTRY_AT_DOMAIN;
	if (s.len > 1 && is_domain(span_slice(s, 1, s.len)) && s.ptr[0] == '.')
		return ENTRY_SUFFIX;
	if (span_find(s, '@') < s.len)
		return ENTRY_MAILBOX;
	if (!is_domain(s))
		return ENTRY_TEXT;
	s = domain_trim(s);
	return span_find(s, '.') < s.len ? ENTRY_DOMAIN : ENTRY_LABEL;
}

/* 192.0.2.0/33 or 192.0.2.1/24: meant as a network, and would match nothing as a text. */
static bool
is_broken_network(const struct token *t)
{
	size_t slash = span_find(t->text, '/');
	struct address a;
	struct network n;

	return t->kind == TOKEN_WORD && slash < t->text.len &&
	       address_parse(span_slice(t->text, 0, slash), &a) &&
	       !network_parse(t->text, &n);
}

/* Both in any case; a shorter text stands before a longer one that begins with it. */
static int
text_order(const void *va, const void *vb)
{
	const struct span *a = va, *b = vb;
	size_t n = a->len < b->len ? a->len : b->len;

	for (size_t i = 0; i < n; i++) {
		int d = to_lower(a->ptr[i]) - to_lower(b->ptr[i]);

		if (d != 0)
			return d;
	}
	return (a->len > b->len) - (a->len < b->len);
}

/* An entry begins with its text. */
static int
entry_order(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	return text_order(&a->text, &b->text);
}

static int
network_order(const void *va, const void *vb)
{
	const struct network *a = va, *b = vb;
	int d = memcmp(a->base.bytes, b->base.bytes, sizeof a->base.bytes);

	return d != 0 ? d : (a->bits > b->bits) - (a->bits < b->bits);
}

/* Networks lie apart or one inside the other: without the inner ones, the last base at
   or before an address is the only one that can hold it. */
static size_t
drop_inner(struct network *n, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !network_holds(&n[kept - 1], &n[i].base))
			n[kept++] = n[i];
	return kept;
}

static void
sort(void *base, size_t n, size_t size, int (*order)(const void *, const void *))
{
	if (n > 1)
		qsort(base, n, size, order);
}

static struct span
lower_copy(struct arena *a, struct span s)
{
	char *t = arena_text(a, s);

	for (size_t i = 0; i < s.len; i++)
		t[i] = (char)to_lower((uint8_t)t[i]);
	return (struct span){ (uint8_t *)t, s.len };
}

/* As facts are compared: mailboxes in their normal form, domains without a last dot. */
static struct span
name_of(struct span text, enum entry_kind kind, struct arena *a)
{
	if (kind == ENTRY_TEXT)
		return text;
	return kind == ENTRY_MAILBOX ? address_normal(text, a) : domain_trim(text);
}

static void
list_add(struct list *l, struct span text, struct arena *a)
{
	enum entry_kind kind = kind_of(text);

	l->texts[l->text_count++] = text;
	if (kind == ENTRY_NETWORK)
		network_parse(text, &l->networks[l->network_count++]);
	else if (kind == ENTRY_SUFFIX)
		l->suffixes[l->suffix_count++] =
		    domain_trim(span_slice(text, 1, text.len));
	else
		l->names[l->name_count++] = (struct entry){ name_of(text, kind, a), kind };
}

static void
list_sort(struct list *l)
{
	sort(l->texts, l->text_count, sizeof *l->texts, text_order);
	sort(l->names, l->name_count, sizeof *l->names, entry_order);
	sort(l->suffixes, l->suffix_count, sizeof *l->suffixes, text_order);
	sort(l->networks, l->network_count, sizeof *l->networks, network_order);
	l->network_count = drop_inner(l->networks, l->network_count);
}

bool
list_fill(struct list *l, const struct token *tokens, size_t count, struct arena *a,
    struct complaints *c)
{
	bool ok = true;

	l->texts = arena_array(a, struct span, count);
	l->names = arena_array(a, struct entry, count);
	l->suffixes = arena_array(a, struct span, count);
	l->networks = arena_array(a, struct network, count);
	for (size_t i = 0; i < count; i++) {
		const struct token *t = &tokens[i];

		if (t->kind != TOKEN_WORD && t->kind != TOKEN_TEXT) {
			complain(c, t->place, "expected an entry, not %s",
			    token_shown(t).text);
			ok = false;
		} else if (is_broken_network(t)) {
			complain(c, t->place,
			    "%s is no network: too many bits, or the address "
			    "has bits set behind them",
			    token_shown(t).text);
			ok = false;
		} else
			list_add(l, lower_copy(a, t->text), a);
	}
	list_sort(l);
	return ok;
}

static bool
has_name(const struct list *l, unsigned kinds)
{
	for (size_t i = 0; i < l->name_count; i++)
		if (KIND(l->names[i].kind) & kinds)
			return true;
	return false;
}

bool
list_serves(const struct list *l, enum fact_type type)
{
	switch (type) {
	case TYPE_NETWORK:
		return l->network_count > 0;
	case TYPE_DOMAIN:
		return l->suffix_count > 0 || has_name(l, DOMAIN_KINDS);
	case TYPE_MAILBOX:
		return l->suffix_count > 0 || l->name_count > 0;
	case TYPE_TEXT:
	case TYPE_WORDS:
		return l->text_count > 0;
	case TYPE_TRUTH:
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_SCORE:
	case TYPE_ENUM:
		break;
	}
	return false;
}

static bool
name_is(const struct list *l, struct span text, unsigned kinds)
{
	const struct entry key = { .text = text };
	const struct entry *e = l->name_count == 0 ? NULL :
	    bsearch(&key, l->names, l->name_count, sizeof key, entry_order);

	return e != NULL && (KIND(e->kind) & kinds);
}

static bool
text_is(const struct span *texts, size_t count, struct span text)
{
	return count > 0 && bsearch(&text, texts, count, sizeof text, text_order) != NULL;
}

/* The domain itself and whatever stands behind one of its dots. */
static bool
suffix_is(const struct list *l, struct span domain)
{
	if (l->suffix_count == 0 || domain.len == 0)
		return false;
	for (size_t dot;; domain = span_slice(domain, dot + 1, domain.len)) {
		if (text_is(l->suffixes, l->suffix_count, domain))
			return true;
		if ((dot = span_find(domain, '.')) == domain.len)
			return false;
	}
}

static bool
domain_is(const struct list *l, struct span domain)
{
	return name_is(l, domain, DOMAIN_KINDS) || suffix_is(l, domain);
}

/* A local part in quotes may hold an @; a domain does not. */
static size_t
last_at(struct span s)
{
	const uint8_t *at = s.len > 0 ? memrchr(s.ptr, '@', s.len) : NULL;

	return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

static bool
mailbox_is(const struct list *l, struct span mailbox)
{
	size_t at = last_at(mailbox);

	if (name_is(l, mailbox, MAILBOX_KINDS))
		return true;
	return at < mailbox.len &&
	    (name_is(l, span_slice(mailbox, at, mailbox.len), KIND(ENTRY_AT_DOMAIN)) ||
	    domain_is(l, span_slice(mailbox, at + 1, mailbox.len)));
}

static bool
address_is(const struct list *l, const struct address *a)
{
	size_t from = 0, to = l->network_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		const struct address *base = &l->networks[middle].base;

		if (memcmp(base->bytes, a->bytes, sizeof a->bytes) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && network_holds(&l->networks[from - 1], a);
}

/* Is one of the words between blanks an entry? */
static bool
word_is(const struct list *l, struct span words)
{
	while (words.len > 0) {
		size_t end = span_find(words, ' ');

		if (text_is(l->texts, l->text_count, span_slice(words, 0, end)))
			return true;
		words = span_slice(words, end < words.len ? end + 1 : end, words.len);
	}
	return false;
}

bool
list_holds(const struct list *l, enum fact_type type, const struct value *v)
{
	switch (type) {
	case TYPE_NETWORK:
		return address_is(l, &v->address);
	case TYPE_DOMAIN:
		return domain_is(l, domain_trim(v->text));
	case TYPE_MAILBOX:
		return mailbox_is(l, domain_trim(v->text));
	case TYPE_TEXT:
		return text_is(l->texts, l->text_count, v->text);
	case TYPE_WORDS:
		return word_is(l, v->text);
	case TYPE_TRUTH:
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_SCORE:
	case TYPE_ENUM:
		break;
	}
	return false;
}
