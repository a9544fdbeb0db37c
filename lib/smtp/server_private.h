/*
 * server_private.h - what the files of the server's session share.
 *
 *     server.c           life, states, answers, the feed loop and its command lines
 *     server_command.c   the commands, as a table
 *     server_data.c      DATA and BDAT down to the driver's sink
 */
#ifndef LIB_SMTP_SERVER_PRIVATE_H
#define LIB_SMTP_SERVER_PRIVATE_H
#include "lib/smtp/dot.h"
#include "lib/smtp/newline.h"
#include "lib/smtp/server.h"

#define HELO_BYTES    255       /* of a HELO name; a longer one is refused */
#define JUNK_COMMANDS 100       /* without a message between; more are errors */

/* What the driver owes us before anything more is read. */
enum owed { OWED_NOTHING = 0, OWED_MAIL, OWED_RCPT, OWED_BODY, OWED_REPLIES };

/* A chunk being read.  With a refusal its octets are dropped, then it is said. */
struct server_chunk {
	bool        open, last;
	uint64_t    left;
	const char *refusal;
	bool        fails;              /* the transaction, too */
};

struct smtp_server {
	const struct smtp_server_config *config;
	enum server_state state;
	enum owed         owed;
	enum server_event event;        /* for feed to return */
	bool lmtp, extended;            /* LHLO; LHLO or EHLO, not HELO */
	bool abort_due;                 /* the transaction is gone, ABORT is to be told */
	bool reset_due;                 /* it was told: forget it at the next feed */
	bool overlong;                  /* the rest of a command line is being dropped */
	char *helo;
	struct buf line, out;
	unsigned errors, junk;

	/* The transaction. */
	struct arena    arena;
	struct envelope envelope;
	uint8_t        *spare;          /* of a refused recipient, for the next one */
	size_t          spare_bytes;
	size_t          replies_due;    /* of OWED_REPLIES */

	/* Of a transaction that a chunk failed: what is said to the chunks on their way
	   behind it, and how many recipients LMTP says it to.  Until the next MAIL. */
	char  *lost;
	size_t lost_replies;

	/* Its data. */
	struct sink        *sink;
	enum status         sink_status;        /* first failure of the sink */
	struct error        sink_error;
	struct dot_decoder  dot;
	struct newline      newline;
	struct server_chunk chunk;
};

/* The only place where the state changes. */
void server_enter(struct smtp_server *, enum server_state);
static inline bool
server_in_transaction(const struct smtp_server *s)
{
	return s->state >= SERVER_IN_MAIL && s->state <= SERVER_WAITING;
}
/* Queue a reply; 421 closes. */
void server_reply(struct smtp_server *, const char *reply);
/* One error more: true if it was one too many, then 421 has been said. */
bool server_count_error(struct smtp_server *);
/* A reply to a command that is refused: 5yz are counted. */
void server_refuse_command(struct smtp_server *, const char *reply);
/* Nothing more is read; ABORT if there is a transaction, then CLOSE. */
void server_close(struct smtp_server *);
void server_forget_loss(struct smtp_server *);
/* The transaction fails: READY, and ABORT follows.  Harmless without one. */
void server_abort(struct smtp_server *);
/* Forget the transaction, XFORWARD too. */
void server_reset(struct smtp_server *);
/* Forget all of it but XFORWARD, whose values move to fresh memory. */
void server_keep_xforward(struct smtp_server *);

/* server_command.c */
void server_run_line(struct smtp_server *, struct span line);

/* server_data.c: as much of `in` as belongs to the data; bytes used. */
void   server_data_begin(struct smtp_server *, bool chunked);
size_t server_data_feed(struct smtp_server *, struct span in);
size_t server_chunk_feed(struct smtp_server *, struct span in);
/* Drop the chunk's octets, then say `refusal` (borrowed until then). */
void   server_chunk_refuse(struct smtp_server *, const char *refusal, bool fails);
#endif
