/*
 * address.h - IPv4 and IPv6 addresses and networks as values.
 *
 * IPv4 is held as IPv4-mapped IPv6 (::ffff:a.b.c.d), so one comparison serves both.
 */
#ifndef LIB_BASE_ADDRESS_H
#define LIB_BASE_ADDRESS_H
#include "lib/base/base.h"

struct address { uint8_t bytes[16]; };
/* bits counts from the mapped form: 192.0.2.0/24 has 120. */
struct network { struct address base; unsigned bits; };

/* Where to listen or to connect to. */
struct endpoint {
	struct address address;
	uint16_t       port;
	const char    *path;    /* unix socket; then address and port mean nothing */
};

/* "192.0.2.1", "2001:db8::1", either in brackets, "IPv6:2001:db8::1" (RFC 5321
   section 4.1.3).  False if it is none of them. */
bool address_parse(struct span, struct address *);
/* ADDRESS or ADDRESS/BITS; host bits must be zero. */
bool network_parse(struct span, struct network *);
bool network_holds(const struct network *, const struct address *);
bool address_is_v4(const struct address *);
/* 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct address *);
#define ADDRESS_TEXT_BYTES 48
void address_text(char out[ADDRESS_TEXT_BYTES], const struct address *);
/* 192.0.2.1:25 or [2001:db8::1]:25. */
#define ENDPOINT_TEXT_BYTES 64
void endpoint_text(char out[ENDPOINT_TEXT_BYTES], const struct address *, uint16_t port);
static inline bool
address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
#endif
