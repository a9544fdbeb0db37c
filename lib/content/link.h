/*
 * link.h - what a link is made of, and the tricks played with it.
 *
 * Addresses are read as browsers do (WHATWG URL), so that the host found is the one that
 * would be asked: blanks around and tabs and newlines inside fall away, backslashes and
 * missing slashes are slashes, escapes in the host are decoded, numbers are IPv4 addresses.
 *
 * Public suffixes come from libpsl; the list is opened before the sandbox.
 */
#ifndef LIB_CONTENT_LINK_H
#define LIB_CONTENT_LINK_H
#include "lib/base/arena.h"
#include "lib/base/base.h"

struct suffixes;                        /* the public suffix list; one a process */

/* The list in `path` if it is newer than the one built into libpsl, else that one; NULL
   for the built-in list.  Never NULL. */
struct suffixes *suffixes_create(const char *path);
void suffixes_destroy(struct suffixes **);
/* The registrable domain of a host (lower case, A-labels): the end of `host`.  Empty if
   the host is itself a public suffix or an address; without a list the last two labels. */
struct span suffixes_domain(const struct suffixes *, struct span host);

enum link_kind {
	LINK_TEXT = 0,          /* bare URL in the text                              */
	LINK_MAIL,              /* bare mail address in the text                     */
	LINK_ANCHOR,            /* a, area                                           */
	LINK_FORM,              /* form action, formaction                           */
	LINK_IMAGE,             /* img, input type=image, srcset, svg image          */
	LINK_BACKGROUND,        /* background attribute, url() in a style            */
	LINK_FRAME,             /* frame, iframe                                     */
	LINK_REFRESH,           /* meta http-equiv=refresh                           */
	LINK_RESOURCE,          /* link, script, object, embed, audio, video, source */
	LINK_BASE,
	LINK_KINDS
};
const char *link_kind_name(enum link_kind);     /* "text", "mail", "anchor" ... */

/* Bits of struct link.flags. */
#define LINK_DIFFERS       0x00001u /* the text shows another domain than the target's   */
#define LINK_DIFFERS_HOST  0x00002u /* the same domain, another host                     */
#define LINK_PUNYCODE      0x00004u /* a label of the host is an A-label                 */
#define LINK_MIXED_SCRIPT  0x00008u /* letters of several scripts in one label           */
#define LINK_CONFUSABLE    0x00010u /* a label all of letters that look like Latin ones  */
#define LINK_IP_HOST       0x00020u /* the host is an address                            */
#define LINK_IP_ODD        0x00040u /* ... written as decimal, octal, hex or with less
                                       than four numbers                                 */
#define LINK_USER          0x00080u /* user@host                                         */
#define LINK_PORT          0x00100u /* a port that is not the scheme's                   */
#define LINK_DEEP          0x00200u /* four or more labels below the registrable domain  */
#define LINK_ENCODED_HOST  0x00400u /* escapes (%) in the host                           */
#define LINK_ODD           0x00800u /* backslashes, tabs or newlines, wrong number of
                                       slashes                                           */
#define LINK_BAD_HOST      0x01000u /* not a name or an address; taken as it is          */
#define LINK_CREDENTIALS   0x02000u /* a form with a password field, sent to a host      */
#define LINK_TRACKING      0x04000u /* an image of at most 1x1, hidden, or of at most 3x3
                                       with a long query                                 */
#define LINK_DATA          0x08000u /* data:                                             */
#define LINK_SCRIPT        0x10000u /* javascript:, vbscript:                            */
#define LINK_HIDDEN        0x20000u /* its text is hidden                                */
#define LINK_RELATIVE      0x40000u /* no host and no base to take it from               */
#define LINK_CUT           0x80000u /* longer than the limit                             */
#define LINK_FLAGS         20
/* "differs", "differs-host", "punycode" ...; bit n; NULL where n is past the last. */
const char *link_flag_name(unsigned n);

struct link {
	enum link_kind kind;
	unsigned       flags;
	uint16_t       port;            /* given or the scheme's; 0 if neither        */
	struct span    url;             /* decoded, based, at most the limit          */
	struct span    scheme;          /* lower case; empty for a relative one       */
	struct span    host;            /* lower case, A-labels, without a last dot;
	                                   dotted quad; IPv6 without brackets. For
	                                   mailto: and mail addresses their domain    */
	struct span    domain;          /* registrable domain; empty if there is none */
	struct span    text;            /* what is seen of it; alt of an image in it  */
	struct span    shown;           /* the host that the text shows, or none      */
};

#define LINK_HOST_BYTES 255u

/*
 * Reads `url` (references decoded, UTF-8), at most `max` bytes of it, into url, scheme,
 * host, domain, port and those flags that say what the address is like.  What is made
 * lives in the arena.  `base` (a link read before, or NULL) is what relative ones are
 * taken from.
 */
void link_read(struct link *, struct span url, size_t max, const struct link *base,
    const struct suffixes *, struct arena *);
/* Compares text with host and domain: sets shown, LINK_DIFFERS, LINK_DIFFERS_HOST. */
void link_compare(struct link *, const struct suffixes *, struct arena *);

/* The next URL or mail address in plain text at or after *at: true, its range in
   *from..*to and what it is.  Linear over all calls. */
struct link_find {
	struct span    text;
	size_t         at;
	size_t         from, to;
	enum link_kind kind;            /* LINK_TEXT or LINK_MAIL                     */
	bool           bare;            /* without scheme: www.x.example, x.example/y */
};
bool link_next(struct link_find *, const struct suffixes *);
#endif
