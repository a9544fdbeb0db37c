/*
 * address.h - mail addresses in commands (RFC 5321 section 4.1.2, RFC 6531).
 */
#ifndef LIB_SMTP_ADDRESS_H
#define LIB_SMTP_ADDRESS_H
#include "lib/base/arena.h"

#define ADDRESS_BYTES   1000    /* longest path we take (RFC 5321 asks for 256) */

/* Reads <path> at the start of `in`: [source route:] local@domain, "quoted"@domain,
   local@[literal], "" for <> (only if null_allowed), bare <postmaster> (RFC 5321 4.5.1) and, as
   MTAs give them to filters, a bare local part.  Sets *address (a part of `in`) and
   *used.  Non-ASCII must be valid UTF-8 and sets *utf8.  Lenient as Postfix is: blanks
   after the colon of MAIL FROM: and a missing pair of angle brackets are taken. */
enum status path_parse(struct span in, bool null_allowed, struct span *address,
    bool *utf8, size_t *used, struct error *);

/* The form that rules and lists compare: domain in lower case without a trailing dot,
   local part as it is but without needless quotes; null sender: empty. */
struct span address_normal(struct span address, struct arena *);
/* After the last @ outside quotes; empty if there is none. */
struct span address_domain(struct span address);

/* xtext (RFC 3461 section 4).  decode is lenient to plain text (Postfix < 2.3);
   false: a broken +HH, or a NUL, CR or LF in the result. */
bool xtext_decode(struct span, struct arena *, struct span *out);
struct span xtext_encode(struct span, struct arena *);
#endif
