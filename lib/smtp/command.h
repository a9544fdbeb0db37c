/*
 * command.h - the arguments of MAIL, RCPT and BDAT.
 *
 * RFC 5321, 1870 (SIZE), 3030 (BDAT), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8).
 */
#ifndef LIB_SMTP_COMMAND_H
#define LIB_SMTP_COMMAND_H
#include "lib/smtp/envelope.h"

/* Extensions that were offered; a parameter of another is unknown. */
enum command_offer {
	OFFER_SIZE = 1, OFFER_BODY = 2, OFFER_DSN = 4, OFFER_SMTPUTF8 = 8,
};

/* What MAIL FROM: or RCPT TO: had; all spans are parts of the line. */
struct path_command {
	struct span     address;
	bool            utf8;           /* not ASCII: needs SMTPUTF8 */
	enum body_kind  body;           /* the rest of MAIL */
	bool            smtputf8;
	uint64_t        size;
	enum dsn_return ret;
	struct span     envid;
	struct span     orcpt;          /* the rest of RCPT */
	unsigned        notify;
};

/* `args` is what follows the verb.  NULL, or the reply that refuses the command. */
const char *command_mail(struct span args, unsigned offers, struct path_command *);
const char *command_rcpt(struct span args, unsigned offers, struct path_command *);

/* Does the octets' count stand there at all?  Without it the chunk cannot be skipped. */
enum chunk_syntax { CHUNK_OK = 0, CHUNK_NO_SIZE, CHUNK_BAD_REST };
struct chunk { uint64_t size; bool last; };
enum chunk_syntax command_bdat(struct span args, struct chunk *);

/* The next word of *rest, which goes on behind it; false at the end. */
bool command_word(struct span *rest, struct span *word);
#endif
