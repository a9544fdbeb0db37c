/*
 * xforward.h - the arguments of Postfix's XFORWARD command (XFORWARD_README).
 */
#ifndef LIB_SMTP_XFORWARD_H
#define LIB_SMTP_XFORWARD_H
#include "lib/smtp/envelope.h"

#define XFORWARD_BYTES    255   /* of a value, decoded */
#define XFORWARD_KEYWORDS "NAME ADDR PORT PROTO HELO IDENT SOURCE"

/* Sets what the command names and leaves the rest, all or nothing; values are copies in
   the arena.  NULL, or the reply that refuses the command. */
const char *xforward_parse(struct span args, struct xforward *, struct arena *);
/* The values anew in another arena. */
void xforward_copy(struct xforward *, struct arena *);
#endif
