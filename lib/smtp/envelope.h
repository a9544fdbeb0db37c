/*
 * envelope.h - sender, recipients and their parameters, as an SMTP client gave them.
 *
 * Addresses are kept byte for byte as they stood between the angle brackets (source
 * routes removed), so that they can be passed on; address_normal makes the form that
 * rules compare.  Parameters: RFC 3461 (DSN), 6531 (SMTPUTF8), 6152 (BODY), 1870 (SIZE).
 * Everything lives in the transaction's arena.
 */
#ifndef LIB_SMTP_ENVELOPE_H
#define LIB_SMTP_ENVELOPE_H
#include "lib/base/arena.h"
#include "lib/base/pack.h"

enum body_kind { BODY_NONE = 0, BODY_7BIT, BODY_8BITMIME };
enum dsn_return { RETURN_NONE = 0, RETURN_FULL, RETURN_HEADERS };

/* NOTIFY= as bits; 0: not given. */
enum dsn_notify { NOTIFY_SUCCESS = 1, NOTIFY_FAILURE = 2, NOTIFY_DELAY = 4, NOTIFY_NEVER = 8 };

struct recipient {
	struct span address;    /* local@domain, "quoted"@domain, or bare postmaster */
	struct span orcpt;      /* "rfc822;xtext" as given, or empty */
	unsigned    notify;
};

/* What an upstream MTA told of its client (Postfix XFORWARD_README); decoded from xtext;
   empty: not said or [UNAVAILABLE]. */
struct xforward {
	bool        given;      /* some XFORWARD came for this transaction */
	struct span name, addr, port, proto, helo, ident, source;
};

struct envelope {
	struct span       sender;       /* empty: <> */
	enum body_kind    body;
	bool              smtputf8;
	uint64_t          size;         /* SIZE=, 0 if not given */
	enum dsn_return   ret;
	struct span       envid;        /* xtext as given */
	struct recipient *recipients;
	size_t            recipient_count, recipient_cap;
	struct xforward   xforward;
};

/* Between processes and in quarantined files; the arena gets copies of nothing: spans
   point into the packet. */
void envelope_pack(struct pack *, const struct envelope *);
bool envelope_unpack(struct unpack *, struct envelope *, struct arena *);

/* Has an address bytes outside ASCII? */
bool envelope_needs_utf8(const struct envelope *);
#endif
