/*
 * link.c - see link.h.
 */
#include "lib/content/link.h"
#include "lib/base/address.h"
#include "lib/base/buf.h"
#include "lib/content/letter.h"
#include "lib/content/script.h"
#include "lib/mime/block.h"
#include "lib/mime/lane.h"
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>

/* The same few hosts come again and again, and asking libpsl costs more than reading all of
   the rest of a link: answers are kept, by a hash of the host. */
#define ANSWERS 64u
#define ANSWER_BYTES 63u
struct answer { uint8_t len, domain; char host[ANSWER_BYTES]; };
struct suffixes { psl_ctx_t *psl; struct answer *answers; };

static const char *const kind_names[LINK_KINDS] = {
	"text", "mail", "anchor", "form", "image", "background", "frame", "refresh", "resource",
	"base",
};
static const char *const flag_names[LINK_FLAGS] = {
	"differs", "differs-host", "punycode", "mixed-script", "confusable", "ip-host",
	"ip-odd", "user", "port", "deep", "encoded-host", "odd", "bad-host", "credentials", "tracking",
	"data", "script", "hidden", "relative", "cut",
};
static const struct { const char *name; uint16_t port; } special[] = {
	{ "http", 80 }, { "https", 443 }, { "ftp", 21 }, { "ws", 80 }, { "wss", 443 },
};

const char *
link_kind_name(enum link_kind k)
{
	return kind_names[k];
}

const char *
link_flag_name(unsigned n)
{
	return n < LINK_FLAGS ? flag_names[n] : NULL;
}

/* --- public suffixes ------------------------------------------------------------- */

struct suffixes *
suffixes_create(const char *path)
{
	struct suffixes *s = must_alloc(sizeof *s);

	s->psl = path != NULL ? psl_latest(path) : NULL;
	s->answers = must_alloc(ANSWERS * sizeof *s->answers);
	return s;
}

void
suffixes_destroy(struct suffixes **s)
{
	if (*s != NULL) {
		psl_free((*s)->psl);
		free((*s)->answers);
	}
	free(*s);
	*s = NULL;
}

static const psl_ctx_t *
list(const struct suffixes *s)
{
	return s == NULL ? NULL : s->psl != NULL ? s->psl : psl_builtin();
}

static struct span
last_two(struct span host)
{
	unsigned dots = 0;

	for (size_t i = host.len; i-- > 0;) {
		dots += host.ptr[i] == '.';
		if (dots == 2)
			return span_slice(host, i + 1, host.len);
	}
	return dots == 1 ? host : SPAN_NONE;
}

static bool
is_address(struct span host)
{
	struct address a;

	return host.len > 0 && (is_digit(host.ptr[host.len - 1]) ||
	    span_find(host, ':') < host.len) && address_parse(host, &a);
}

/* The length of the registrable domain. */
static size_t
ask(const struct suffixes *s, struct span host)
{
	char text[LINK_HOST_BYTES + 1];

	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	const char *domain = psl_registrable_domain(list(s), text);

	return domain != NULL ? strlen(domain) : 0;
}

static struct answer *
answer_for(const struct suffixes *s, struct span host)
{
	size_t h = host.len;

	for (size_t i = 0; i < host.len; i++)
		h = h * 31 + host.ptr[i];
	return &s->answers[(h ^ h >> 8) % ANSWERS];
}

struct span
suffixes_domain(const struct suffixes *s, struct span host)
{
	if (host.len == 0 || host.len > LINK_HOST_BYTES || is_address(host))
		return SPAN_NONE;
	if (list(s) == NULL)
		return last_two(host);
	struct answer *a = answer_for(s, host);

	if (a->len != host.len || memcmp(a->host, host.ptr, host.len) != 0) {
		size_t n = ask(s, host);

		if (host.len > ANSWER_BYTES)
			return span_slice(host, host.len - n, host.len);
		a->len = (uint8_t)host.len;
		a->domain = (uint8_t)n;
		memcpy(a->host, host.ptr, host.len);
	}
	return span_slice(host, host.len - a->domain, host.len);
}

/* Is the last label one that the list names? */
static bool
has_known_end(const struct suffixes *s, struct span host)
{
	char text[64];
	size_t at = host.len;

	while (at > 0 && host.ptr[at - 1] != '.')
		at--;
	if (at == 0 || host.len - at < 2 || host.len - at >= sizeof text)
		return false;
	for (size_t i = at; i < host.len; i++)
		text[i - at] = (char)to_lower(host.ptr[i]);
	text[host.len - at] = '\0';
	if (list(s) == NULL)
		return false;
	return psl_is_public_suffix2(list(s), text,
	    PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}

/* --- hosts ----------------------------------------------------------------------- */

/* Without escapes, lower case; the length, 0 where it is too long. */
static size_t
unescape(struct span s, uint8_t out[LINK_HOST_BYTES + 1], unsigned *flags)
{
	size_t to = 0;

	if (span_find(s, '%') == s.len) {
		if (s.len > LINK_HOST_BYTES)
			return 0;
		for (size_t i = 0; i < s.len; i++)
			out[i] = to_lower(s.ptr[i]);
		out[s.len] = '\0';
		return s.len;
	}

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		unsigned high = i + 2 < s.len ? hex_value(s.ptr[i + 1]) : 99;
		unsigned low = i + 2 < s.len ? hex_value(s.ptr[i + 2]) : 99;

		if (c == '%' && high < 16 && low < 16) {
			c = (uint8_t)(high << 4 | low);
			i += 2;
			*flags |= LINK_ENCODED_HOST;
		}
		if (to == LINK_HOST_BYTES)
			return 0;
		out[to++] = to_lower(c);
	}
	out[to] = '\0';
	return to;
}

/* A number of an IPv4 address: decimal, 0octal or 0xhex. */
static bool
ip_number(struct span s, uint64_t *out)
{
	unsigned base = 10;

	*out = 0;
	if (s.len == 0)
		return false;
	if (s.len > 1 && s.ptr[0] == '0') {
		base = (s.ptr[1] | 0x20) == 'x' ? 16 : 8;
		s = span_slice(s, base == 16 ? 2 : 1, s.len);
	}
	for (size_t i = 0; i < s.len; i++) {
		if (hex_value(s.ptr[i]) >= base)
			return false;
		*out = *out * base + hex_value(s.ptr[i]);
		if (*out > UINT32_MAX)
			return false;
	}
	return true;
}

/* One to four numbers: the last one fills what is left. */
static bool
ip_parse(struct span s, uint32_t *out)
{
	uint64_t part[4], address = 0;
	size_t n = 0;

	for (size_t at = 0; at <= s.len; n++) {
		struct span rest = span_slice(s, at, s.len);
		size_t dot = span_find(rest, '.');

		if (n == 4 || !ip_number(span_slice(rest, 0, dot), &part[n]))
			return false;
		at += dot + 1;
	}
	for (size_t i = 0; i + 1 < n; i++) {
		if (part[i] > 255)
			return false;
		address |= part[i] << (24 - 8 * i);
	}
	if (part[n - 1] >= (uint64_t)1 << (8 * (5 - n)))
		return false;
	*out = (uint32_t)(address | part[n - 1]);
	return true;
}

static bool
read_ip4(struct link *l, struct span host, struct arena *arena)
{
	uint32_t ip;

	if (host.len == 0 || !is_digit(host.ptr[0]) || !ip_parse(host, &ip))
		return false;
	l->host = span_text(arena_printf(arena, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255,
	    ip >> 8 & 255, ip & 255));
	l->flags |= LINK_IP_HOST;
	if (!span_equal(l->host, host))
		l->flags |= LINK_IP_ODD;
	return true;
}

static void
read_ip6(struct link *l, struct span host, struct arena *arena)
{
	struct address a;
	char text[ADDRESS_TEXT_BYTES];

	if (!address_parse(host, &a)) {
		l->flags |= LINK_BAD_HOST;
		l->host = arena_span(arena, host);
		return;
	}
	address_text(text, &a);
	l->host = arena_span(arena, span_text(text));
	l->flags |= LINK_IP_HOST;
	if (address_is_v4(&a))
		l->flags |= LINK_IP_ODD;
}

static const bool host_bytes[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true,
	['_'] = true, ['.'] = true,
};

static bool
is_host_byte(uint8_t c)
{
	return host_bytes[c];
}

static bool
is_host(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_host_byte(s.ptr[i]) ||
		    (s.ptr[i] == '.' && (i == 0 || i + 1 == s.len || s.ptr[i - 1] == '.')))
			return false;
	return s.len > 0;
}

static bool
has_a_label(struct span host)
{
	for (size_t at = 0; at + 4 <= host.len; at++) {
		if (memcmp(host.ptr + at, "xn--", 4) == 0)
			return true;
		at += span_find(span_slice(host, at, host.len), '.');
	}
	return false;
}

/* What the letters of an A-label host look like. */
static void
judge_letters(struct link *l, const char *ascii)
{
	char *unicode = NULL;

	if (idn2_to_unicode_8z8z(ascii, &unicode, 0) != IDN2_OK)
		return;
	unsigned what = script_judge(span_text(unicode));

	if (what & SCRIPT_MIXED)
		l->flags |= LINK_MIXED_SCRIPT;
	if (what & SCRIPT_CONFUSABLE)
		l->flags |= LINK_CONFUSABLE;
	idn2_free(unicode);
}

static struct span
drop_last_dot(struct span host)
{
	if (host.len > 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	return host;
}

/* A name: to A-labels where it has other letters. */
static void
read_name(struct link *l, struct span host, struct arena *arena)
{
	uint8_t *ascii = NULL;
	char text[LINK_HOST_BYTES + 1];

	if (block_eight_bit(host) && idn2_lookup_u8(host.ptr, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
		host = span_text((const char *)ascii);
	host = drop_last_dot(host);
	if (!read_ip4(l, host, arena)) {
		if (!is_host(host))
			l->flags |= LINK_BAD_HOST;
		l->host = arena_span(arena, host);
	}
	if (has_a_label(l->host) && l->host.len < sizeof text) {
		memcpy(text, l->host.ptr, l->host.len);
		text[l->host.len] = '\0';
		l->flags |= LINK_PUNYCODE;
		judge_letters(l, text);
	}
	idn2_free(ascii);
}

static void
judge_depth(struct link *l)
{
	unsigned dots = 0;

	for (size_t i = 0; i < l->host.len - l->domain.len; i++)
		dots += l->host.ptr[i] == '.';
	if (l->domain.len > 0 && dots >= 4)
		l->flags |= LINK_DEEP;
}

static void
read_host(struct link *l, struct span raw, const struct suffixes *suffixes,
    struct arena *arena)
{
	uint8_t text[LINK_HOST_BYTES + 1];
	size_t n = unescape(raw, text, &l->flags);

	if (n == 0) {
		if (raw.len > 0)
			l->flags |= LINK_BAD_HOST;
		return;
	}
	if (memchr(text, '\0', n) != NULL)
		l->flags |= LINK_BAD_HOST;
	if (text[0] == '[')
		read_ip6(l, (struct span){ text, n }, arena);
	else
		read_name(l, (struct span){ text, strlen((char *)text) }, arena);
	if (!(l->flags & (LINK_IP_HOST | LINK_BAD_HOST)))
		l->domain = suffixes_domain(suffixes, l->host);
	judge_depth(l);
}

/* --- addresses ------------------------------------------------------------------- */

static const uint16_t *
special_port(struct span scheme)
{
	for (size_t i = 0; i < COUNT_OF(special); i++)
		if (span_equal(scheme, span_text(special[i].name)))
			return &special[i].port;
	return NULL;
}

static void
read_port(struct link *l, struct span digits)
{
	const uint16_t *usual = special_port(l->scheme);
	unsigned port = 0;

	for (size_t i = 0; i < digits.len && is_digit(digits.ptr[i]) && port < 65536; i++)
		port = port * 10 + (digits.ptr[i] - '0');
	if (digits.len == 0 || port == 0 || port > 65535)
		return;
	l->port = (uint16_t)port;
	if (usual == NULL || *usual != port)
		l->flags |= LINK_PORT;
}

/* Behind the last '@'; 0 if there is none. */
static size_t
behind_last_at(struct span s)
{
	const uint8_t *at = s.len > 0 ? memrchr(s.ptr, '@', s.len) : NULL;

	return at != NULL ? (size_t)(at - s.ptr) + 1 : 0;
}

/* user@host:port */
static void
read_authority(struct link *l, struct span a, const struct suffixes *suffixes,
    struct arena *arena)
{
	size_t user = behind_last_at(a);

	if (user > 0)
		l->flags |= LINK_USER;
	a = span_slice(a, user, a.len);
	size_t end = a.len > 0 && a.ptr[0] == '[' ? span_find(a, ']') : 0;
	struct span rest = span_slice(a, end, a.len);
	size_t colon = end + span_find(rest, ':');

	if (special_port(l->scheme) != NULL)
		l->port = *special_port(l->scheme);
	if (colon < a.len)
		read_port(l, span_slice(a, colon + 1, a.len));
	read_host(l, span_slice(a, 0, colon), suffixes, arena);
}

/* Where the authority that begins at `at` ends. */
static size_t
authority_end(struct span url, size_t at, bool backslash)
{
	for (; at < url.len; at++)
		if (url.ptr[at] == '/' || url.ptr[at] == '?' || url.ptr[at] == '#' ||
		    (url.ptr[at] == '\\' && backslash))
			break;
	return at;
}

/* Behind the slashes at `at`. */
static size_t
skip_slashes(struct link *l, size_t at)
{
	size_t from = at;

	for (; at < l->url.len && (l->url.ptr[at] == '/' || l->url.ptr[at] == '\\'); at++)
		if (l->url.ptr[at] == '\\')
			l->flags |= LINK_ODD;
	if (at - from != 2)
		l->flags |= LINK_ODD;
	return at;
}

/* The domain of the first address. */
static void
read_mailto(struct link *l, size_t at, const struct suffixes *suffixes, struct arena *arena)
{
	struct span to = span_slice(l->url, at, l->url.len);

	to = span_slice(to, 0, span_find(to, '?'));
	to = span_slice(to, 0, span_find(to, ','));
	size_t host = behind_last_at(to);

	if (host > 0)
		read_host(l, span_slice(to, host, to.len), suffixes, arena);
}

static void
read_absolute(struct link *l, size_t at, const struct suffixes *suffixes,
    struct arena *arena)
{
	bool known = special_port(l->scheme) != NULL;
	struct span rest = span_slice(l->url, at, l->url.len);

	if (span_equal(l->scheme, SPAN_LIT("mailto"))) {
		read_mailto(l, at, suffixes, arena);
	} else if (span_equal(l->scheme, SPAN_LIT("data"))) {
		l->flags |= LINK_DATA;
	} else if (span_equal(l->scheme, SPAN_LIT("javascript")) ||
	    span_equal(l->scheme, SPAN_LIT("vbscript"))) {
		l->flags |= LINK_SCRIPT;
	} else if (known || span_starts_nocase(rest, SPAN_LIT("//"))) {
		at = known ? skip_slashes(l, at) : at + 2;
		read_authority(l, span_slice(l->url, at, authority_end(l->url, at, known)),
		    suffixes, arena);
	}
}

/* "http:" -> 4; 0 if it begins with no scheme. */
static size_t
scheme_length(struct span url)
{
	size_t i = 0;

	while (i < url.len && i < 32 && (is_alpha(url.ptr[i]) || (i > 0 &&
	    (is_digit(url.ptr[i]) || url.ptr[i] == '+' || url.ptr[i] == '-' ||
	    url.ptr[i] == '.'))))
		i++;
	return i < url.len && url.ptr[i] == ':' ? i : 0;
}

/* What browsers leave out. */
static const bool left_out[256] = { ['\t'] = true, ['\n'] = true, ['\r'] = true };

/* Without it; at most max bytes. */
static void
keep_url(struct link *l, struct span url, size_t max, struct arena *arena)
{
	url = trim_white(url);
	if (url.len > max) {
		url.len = max;
		l->flags |= LINK_CUT;
	}
	uint8_t *p = arena_alloc(arena, url.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < url.len; i++) {
		p[n] = url.ptr[i];
		n += !left_out[url.ptr[i]];
	}
	p[n] = '\0';
	if (n < url.len)
		l->flags |= LINK_ODD;
	l->url = (struct span){ p, n };
}

/* Takes the url from `base`: what stands before its path, or before the last slash. */
static void
join(struct link *l, const struct link *base, size_t max, struct arena *arena)
{
	struct span b = base->url;
	size_t at = scheme_length(b) + 1;

	while (at < b.len && (b.ptr[at] == '/' || b.ptr[at] == '\\'))
		at++;
	size_t end = authority_end(b, at, true);
	bool rooted = l->url.ptr[0] == '/' || l->url.ptr[0] == '\\';
	size_t path = end;

	while (path < b.len && b.ptr[path] != '?' && b.ptr[path] != '#')
		path++;
	while (!rooted && path > end && b.ptr[path - 1] != '/')
		path--;
	struct span before = span_slice(b, 0, rooted || path <= end ? end : path);
	struct buf joined = { 0 };

	buf_add(&joined, before);
	if (!rooted && path <= end)
		buf_byte(&joined, '/');
	buf_add(&joined, l->url);
	keep_url(l, buf_span(&joined), max, arena);
	buf_free(&joined);
}

static void
read_relative(struct link *l, size_t max, const struct link *base,
    const struct suffixes *suffixes, struct arena *arena)
{
	bool slashes = l->url.len >= 2 && (l->url.ptr[0] == '/' || l->url.ptr[0] == '\\') &&
	    (l->url.ptr[1] == '/' || l->url.ptr[1] == '\\');

	if (slashes) {
		l->scheme = base != NULL && base->scheme.len > 0 ? base->scheme :
		    SPAN_LIT("http");
		size_t at = skip_slashes(l, 0);

		read_authority(l, span_slice(l->url, at, authority_end(l->url, at, true)),
		    suffixes, arena);
	} else if (base == NULL || base->host.len == 0) {
		l->flags |= LINK_RELATIVE;
	} else if (l->url.len > 0) {
		join(l, base, max, arena);
		l->scheme = base->scheme;
		l->host = base->host;
		l->domain = base->domain;
		l->port = base->port;
		l->flags |= base->flags & (LINK_PUNYCODE | LINK_MIXED_SCRIPT | LINK_CONFUSABLE |
		    LINK_IP_HOST | LINK_IP_ODD | LINK_USER | LINK_PORT | LINK_DEEP |
		    LINK_ENCODED_HOST | LINK_BAD_HOST);
	}
}

void
link_read(struct link *l, struct span url, size_t max, const struct link *base,
    const struct suffixes *suffixes, struct arena *arena)
{
	keep_url(l, url, max, arena);
	size_t n = scheme_length(l->url);

	if (n == 0) {
		read_relative(l, max, base, suffixes, arena);
		return;
	}
	uint8_t *scheme = arena_alloc(arena, n);

	for (size_t i = 0; i < n; i++)
		scheme[i] = to_lower(l->url.ptr[i]);
	l->scheme = (struct span){ scheme, n };
	read_absolute(l, n + 1, suffixes, arena);
}

/* --- addresses in text ------------------------------------------------------------ */

static const bool ends_word[256] = {
	[0 ... ' '] = true, ['<'] = true, ['>'] = true, ['"'] = true, ['`'] = true,
};

/* Without the punctuation that belongs to the sentence; a bracket stays if it was opened
   in the address. */
static size_t
trim_end(struct span t, size_t from, size_t to)
{
	static const char closing[] = ")]}", opening[] = "([{";
	size_t closed[3] = { 0 }, opened[3] = { 0 };

	for (size_t i = from; i < to; i++)
		for (size_t k = 0; k < 3; k++) {
			closed[k] += t.ptr[i] == (uint8_t)closing[k];
			opened[k] += t.ptr[i] == (uint8_t)opening[k];
		}
	for (; to > from; to--) {
		uint8_t c = t.ptr[to - 1];
		const char *bracket = memchr(closing, c, 3);
		size_t k = bracket != NULL ? (size_t)(bracket - closing) : 0;

		if (bracket == NULL ? memchr(".,;:!?*'_|", c, 10) == NULL :
		    closed[k]-- <= opened[k])
			break;
	}
	return to;
}

static bool
find_scheme(struct span t, size_t *from)
{
	static const char *const schemes[] = { "https", "http", "ftp" };
	const uint8_t *end = t.ptr + t.len, *mark = memmem(t.ptr, t.len, "://", 3);

	for (; mark != NULL; mark = memmem(mark + 3, (size_t)(end - mark - 3), "://", 3)) {
		struct span before = span_slice(t, 0, (size_t)(mark - t.ptr));

		for (size_t i = 0; i < COUNT_OF(schemes); i++) {
			size_t n = strlen(schemes[i]);

			if (before.len < n || before.len + 3 == t.len)
				continue;
			*from = before.len - n;
			if (span_equal_nocase(span_slice(before, *from, before.len),
			    span_text(schemes[i])))
				return true;
		}
	}
	return false;
}

/* "www." not inside a word. */
static bool
find_www(struct span t, size_t *from)
{
	for (size_t i = 0; i + 5 < t.len; i++) {
		const uint8_t *w = memchr(t.ptr + i, '.', t.len - i - 1);

		if (w == NULL)
			return false;
		i = (size_t)(w - t.ptr);
		if (i < 3 || (!is_alpha(w[1]) && !is_digit(w[1]) && w[1] < 0x80))
			continue;
		if (span_equal_nocase(span_slice(t, i - 3, i), SPAN_LIT("www")) &&
		    (i == 3 || (!is_host_byte(t.ptr[i - 4]) && t.ptr[i - 4] != '@'))) {
			*from = i - 3;
			return true;
		}
	}
	return false;
}

static bool
is_local_byte(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c >= 0x80 ||
	    memchr(".!#$%&'*+/=?^_{|}~-", c, 19) != NULL;
}

static bool
find_mail(struct span t, size_t *from, size_t *to)
{
	size_t at = span_find(t, '@'), a = at, b = at + 1;

	if (at == t.len)
		return false;
	while (a > 0 && at - a < 64 && is_local_byte(t.ptr[a - 1]))
		a--;
	while (b < t.len && (is_host_byte(t.ptr[b]) || t.ptr[b] >= 0x80))
		b++;
	while (b > at + 1 && (t.ptr[b - 1] == '.' || t.ptr[b - 1] == '-'))
		b--;
	struct span host = span_slice(t, at + 1, b);

	if (a == at || host.len == 0 || host.len > LINK_HOST_BYTES ||
	    span_find(host, '.') == host.len)
		return false;
	*from = a;
	*to = b;
	return true;
}

/* "example.com/x" under a suffix that exists. */
static bool
find_bare(struct span t, const struct suffixes *s, size_t *from)
{
	size_t slash = span_find(t, '/'), at = 0;

	if (slash == t.len)
		return false;
	while (at < slash && !is_alpha(t.ptr[at]) && !is_digit(t.ptr[at]))
		at++;
	struct span host = span_slice(t, at, slash);

	*from = at;
	return host.len <= LINK_HOST_BYTES && is_host(host) && has_known_end(s, host);
}

static bool
look_at(struct link_find *f, struct span t, size_t at, const struct suffixes *s)
{
	size_t from, to = t.len;

	f->kind = LINK_TEXT;
	f->bare = false;
	if (!find_scheme(t, &from)) {
		f->bare = true;
		if (find_mail(t, &from, &to))
			f->kind = LINK_MAIL;
		else if (!find_www(t, &from) && !find_bare(t, s, &from))
			return false;
	}
	f->from = at + from;
	f->to = at + (f->kind == LINK_MAIL ? to : trim_end(t, from, to));
	return true;
}

/* The next '.' or ':', without one of which no word is an address; or the end. */
static size_t
next_mark(struct span t, size_t at)
{
	size_t hit = LANE_BYTES;

	for (; hit == LANE_BYTES && t.len - at >= LANE_BYTES; at += hit) {
		lane v = lane_load(t.ptr + at);

		hit = lane_first((lane)((v == '.') | (v == ':')));
	}
	while (at < t.len && t.ptr[at] != '.' && t.ptr[at] != ':')
		at++;
	return at;
}

bool
link_next(struct link_find *f, const struct suffixes *s)
{
	while (f->at < f->text.len) {
		size_t from = next_mark(f->text, f->at), to = from;

		while (from > f->at && !ends_word[f->text.ptr[from - 1]])
			from--;
		while (to < f->text.len && !ends_word[f->text.ptr[to]])
			to++;
		f->at = to + 1;
		if (to - from > 3 && look_at(f, span_slice(f->text, from, to), from, s))
			return true;
	}
	return false;
}

/* --- what the text of a link shows ------------------------------------------------ */

/* Extensions of files that are suffixes too. */
static bool
is_file_name(struct span host)
{
	static const char *const ends[] = { ".zip", ".mov", ".md", ".py", ".sh", ".ps", ".pl" };

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		size_t n = strlen(ends[i]);

		if (host.len > n && span_equal_nocase(span_slice(host, host.len - n, host.len),
		    span_text(ends[i])))
			return true;
	}
	return false;
}

/* The address that a text shows, if it shows one. */
static bool
find_shown(struct span text, const struct suffixes *s, struct link_find *f)
{
	*f = (struct link_find){ .text = text };
	if (link_next(f, s))
		return true;
	text = trim_white(text);
	if (!is_host(text) || text.len > LINK_HOST_BYTES || is_file_name(text) ||
	    !has_known_end(s, text))
		return false;
	f->from = (size_t)(text.ptr - f->text.ptr);
	f->to = f->from + text.len;
	f->kind = LINK_TEXT;
	f->bare = true;
	return true;
}

static struct span
without_www(struct span host)
{
	return span_starts_nocase(host, SPAN_LIT("www.")) ?
	    span_slice(host, 4, host.len) : host;
}

void
link_compare(struct link *l, const struct suffixes *s, struct arena *arena)
{
	struct link_find f;
	struct link shown = { 0 };

	if (l->host.len == 0 || l->text.len == 0 || !find_shown(l->text, s, &f))
		return;
	/* A mail address over a page is no claim about the page. */
	if (f.kind == LINK_MAIL && !span_equal(l->scheme, SPAN_LIT("mailto")))
		return;
	struct span url = span_slice(f.text, f.from, f.to);

	if (f.bare)
		url = span_text(arena_printf(arena, "http://%.*s", (int)url.len,
		    (const char *)url.ptr));
	link_read(&shown, url, 512, NULL, s, arena);
	if (shown.host.len == 0 || (shown.flags & LINK_BAD_HOST))
		return;
	l->shown = shown.host;
	if (span_equal(without_www(shown.host), without_www(l->host)))
		return;
	bool same = shown.domain.len > 0 && span_equal(shown.domain, l->domain);

	l->flags |= same ? LINK_DIFFERS_HOST : LINK_DIFFERS;
}
