/*
 * expired.h - the mail that tells the administrator of held mail nobody could examine in time.
 */
#ifndef LIB_NOTICE_EXPIRED_H
#define LIB_NOTICE_EXPIRED_H
#include "lib/base/buf.h"

struct expired_notice {
	const char        *hostname;
	const char        *postmaster;  /* From and To */
	struct span        id;          /* of the notice: Message-ID */
	uint64_t           now;         /* Unix time, milliseconds */
	const char        *folder;      /* where their files are */
	const struct span *ids;         /* of the mails */
	size_t             count;
};
/* The whole message, CRLF lines. */
void expired_write(struct buf *, const struct expired_notice *);
#endif
