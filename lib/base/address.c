/*
 * address.c - see address.h; the reading itself is inet_pton's.
 */
#include "lib/base/address.h"
#include "lib/base/text.h"
#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool
address_is_v4(const struct address *a)
{
	return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

bool
address_is_loopback(const struct address *a)
{
	static const struct address six = { { [15] = 1 } };

	return address_is_v4(a) ? a->bytes[12] == 127 : address_equal(a, &six);
}

bool
address_parse(struct span s, struct address *a)
{
	char text[INET6_ADDRSTRLEN];

	if (s.len >= 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
		s = span_slice(s, 1, s.len - 1);
	if (span_starts_nocase(s, SPAN_LIT("IPv6:")))
		s = span_slice(s, 5, s.len);
	if (s.len == 0 || s.len >= sizeof text || memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, a->bytes + 12) == 1) {
		memcpy(a->bytes, mapped, sizeof mapped);
		return true;
	}
	return inet_pton(AF_INET6, text, a->bytes) == 1;
}

static bool
bits_clear(const struct network *n)
{
	for (unsigned i = n->bits; i < 128; i++)
		if (n->base.bytes[i / 8] & (0x80u >> (i % 8)))
			return false;
	return true;
}

bool
network_parse(struct span s, struct network *n)
{
	size_t slash = span_find(s, '/');
	uint64_t bits = 128;

	if (!address_parse(span_slice(s, 0, slash), &n->base))
		return false;
	bool v4 = address_is_v4(&n->base) && memchr(s.ptr, ':', slash) == NULL;

	if (slash < s.len) {
		if (!text_number(span_slice(s, slash + 1, s.len), v4 ? 32 : 128, &bits))
			return false;
		bits += v4 ? 96 : 0;
	}
	n->bits = (unsigned)bits;
	return bits_clear(n);
}

bool
network_holds(const struct network *n, const struct address *a)
{
	size_t whole = n->bits / 8;
	unsigned rest = n->bits % 8;

	if (memcmp(n->base.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    ((n->base.bytes[whole] ^ a->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

void
address_text(char out[ADDRESS_TEXT_BYTES], const struct address *a)
{
	if (address_is_v4(a))
		inet_ntop(AF_INET, a->bytes + 12, out, ADDRESS_TEXT_BYTES);
	else
		inet_ntop(AF_INET6, a->bytes, out, ADDRESS_TEXT_BYTES);
}

void
endpoint_text(char out[ENDPOINT_TEXT_BYTES], const struct address *a, uint16_t port)
{
	char text[ADDRESS_TEXT_BYTES];

	address_text(text, a);
	snprintf(out, ENDPOINT_TEXT_BYTES, address_is_v4(a) ? "%s:%u" : "[%s]:%u", text, port);
}
