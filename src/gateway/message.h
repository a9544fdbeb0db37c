/*
 * message.h - a message as a descriptor: received once, sealed, then only read.
 *
 * Bytes go into a memfd while the budget and `spool-from` allow, else into an unnamed
 * file in the spool directory; beyond both budgets writing fails with ST_TEMP.  Receiving
 * ends with message_seal: the memfd is sealed, or the only writable descriptor of the
 * spool file is closed; `fd` then is a fresh read-only open.
 */
#ifndef SRC_GATEWAY_MESSAGE_H
#define SRC_GATEWAY_MESSAGE_H
#include "src/gateway/gateway.h"

struct message {
	struct sink     sink;           /* takes the bytes */
	struct gateway *gateway;
	const struct settings *settings;
	int             fd;             /* -1: none        */
	bool            spooled, sealed, failed;
	uint64_t        size;
	char            failure[200];   /* of message_rest, told by the next call */
};

/* `expected`: the client's SIZE=, or 0. */
enum status message_begin(struct message *, struct gateway *, const struct settings *,
    uint64_t expected, struct error *);
/* Short runs wait in the gateway's one gathering buffer: written now.  message_rest does
   so for whichever message has some, at the end of each turn of reading. */
enum status message_flush(struct message *, struct error *);
void message_rest(struct gateway *);
enum status message_seal(struct message *, struct error *);
void message_finish(struct message *);
#endif
