/*
 * scan.h - `sallyport scan`: what would become of a mail, found out without a daemon.
 *
 * A private inspector (offline.h) says what is in the message, the options say what the
 * envelope would, and the policy of a listener is walked for each recipient.  What was not
 * said is unknown, and stays unknown in the policy.  Scanners are not asked: what they would
 * tell is unknown as well, and the answer says whom a daemon would ask.
 */
#ifndef SRC_CLI_SCAN_H
#define SRC_CLI_SCAN_H
#include "lib/base/address.h"
#include "src/master/configuration.h"

struct scan_order {
	const char    *file;            /* "-": standard input */
	const char    *listener;        /* NULL: the first     */
	bool           json, has_client, has_sender;
	struct address client;
	struct span    sender;          /* empty: <>           */
	struct span   *recipients;      /* owned; texts are the words' */
	size_t         recipient_count;
};

/* From the words after `sallyport`; NULL, or what is wrong with them. */
const char *scan_read(struct scan_order *, int count, char **words);
void scan_forget(struct scan_order *);

/* Prints the verdict and what led to it.  The status: 0 accept, 1 quarantine or discard,
   2 reject, 3 defer, or it could not be examined; of several recipients the strictest. */
int scan(const struct scan_order *, struct configuration *);
#endif
