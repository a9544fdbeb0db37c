/*
 * transaction.h - the way of one mail, from MAIL to the reply.
 *
 *     COLLECT -> EXAMINE -> LEDGER -> SCAN -> DECIDE -> REWRITE -> PREPARE -> KEEP ->
 *         NOTIFY -> COMMIT -> NOTE -> OVER
 *
 * PREPARE sends every variant up to its end; KEEP quarantines, NOTIFY sends a DSN for
 * refused recipients, COMMIT sends the final dots; OVER tells the client and writes
 * the record.  Any stage may go straight to OVER.  transaction.c alone knows the order;
 * each stage is a begin_ function that ends in transaction_next or transaction_defer.
 */
#ifndef SRC_GATEWAY_TRANSACTION_H
#define SRC_GATEWAY_TRANSACTION_H
#include "src/gateway/client.h"
#include "src/gateway/hop.h"
#include "src/gateway/inspect.h"
#include "src/gateway/scanner.h"
#include "src/gateway/session.h"
#include "src/gateway/storelink.h"

#define VARIANTS        8
#define RECEIVED_LIMIT  100     /* more Received fields: a loop            */
#define LOOP_LIMIT      5       /* more passes of one listener: a loop     */
#define REPLY_BYTES     480
#define BLAMES_RULE     (SCANNER_NONE - 1)

enum stage {
	STAGE_IS_COLLECT = 0, STAGE_IS_EXAMINE, STAGE_IS_LEDGER, STAGE_IS_SCAN, STAGE_IS_DECIDE,
	STAGE_IS_REWRITE, STAGE_IS_PREPARE, STAGE_IS_KEEP, STAGE_IS_NOTIFY, STAGE_IS_COMMIT,
	STAGE_IS_NOTE, STAGE_IS_OVER, STAGES,
};

/* One recipient: what was decided, and what became of it. */
struct fate_row {
	const struct recipient *recipient;
	struct verdict verdict;
	size_t         walk;            /* which distinct trace                    */
	enum outcome   outcome;
	bool           by_next_hop;     /* refused there, not by our policy        */
	size_t         blamed;          /* whose failure gave the fate: a scanner's index,
	                                   SCANNER_NONE the inspector, or BLAMES_RULE */
	uint64_t       missing;         /* accepted without the answers of these scanners */
	struct span    reply;           /* "250 2.0.0 ...": of the next hop or ours, bare */
	struct span    queue_id;
	struct span    quarantine;      /* class */
	struct span    extended;        /* the address with a tag's extension, or empty: as it is */
};

/* One scanner that rules of the policy may want. */
enum asked_state { ASKED_NOT = 0, ASKED_RUNNING, ASKED_OVER, ASKED_CALLED_OFF };
struct asked {
	struct transaction   *transaction;
	const struct scanner *scanner;
	size_t                index;    /* in the settings */
	enum asked_state      state;
	struct scan           scan;
};

/* Recipients that get the same bytes. */
struct variant {
	struct transaction *transaction;
	struct delivery     delivery;
	size_t             *rows;       /* indices of fate rows, as delivery's recipients */
	size_t              row_count;
	const struct verdict *verdict;  /* whose changes it has */
	uint64_t            missing;    /* as in its rows       */
	struct edit_list    changes;    /* from the inspector   */
	bool                held, over;
	struct store_request stored;    /* maildir */
};

struct transaction {
	struct link          link;      /* when dead */
	struct session      *session;
	struct gateway      *gateway;
	struct snapshot     *snapshot;
	const struct door   *door;
	struct envelope     *envelope;  /* the session's */
	struct arena        *arena;     /* the session's */
	enum stage           stage;
	bool                 lmtp;
	bool                 unscannable;       /* kills inspectors, more than once */
	char                 id[RECORD_ID_BYTES + 1];
	uint64_t             arrived;           /* Unix ms: MAIL              */
	uint64_t             started_us, stage_us[RECORD_STAGES], mark_us, deadline;
	struct message       message;
	struct smtp_data     data;
	struct job           job;
	struct packet_examined examined;
	struct mail_client   client;
	struct findings      findings;
	struct asked        *asked;
	size_t               asked_count;
	struct failures      failures;
	bool                 symbols_cut;
	struct fate_row     *rows;              /* one a recipient */
	struct variant      *variants;
	size_t               variant_count, current;    /* current: being rewritten or kept */
	struct store_request request;
	struct buf           notice;            /* the DSN */
	struct message       notice_message;
	struct delivery      notice_delivery;
	struct client_recipient notice_recipient;
	struct envelope      notice_envelope;
	struct ledger_entry *ledger;            /* entries of an earlier try */
	size_t               ledger_count;
	struct span          ledger_key;
	bool                 hashed;
	uint8_t              hash[LEDGER_HASH_BYTES];
	void                *hash_state;
	struct event         hash_turn;
	bool                 hash_turn_set;
	const char          *reply;             /* of a transaction that ended as a whole */
};

struct transaction *transaction_create(struct session *);
enum status transaction_collect(struct transaction *, struct error *);
struct sink *transaction_sink(struct transaction *);
/* The message is whole: go. */
void transaction_begin(struct transaction *);
/* Between begin and the answer. */
bool transaction_is_working(const struct transaction *);
void transaction_tick(struct transaction *);
/* The client has left: whoever only waits for scanners, which may take long, stops. */
void transaction_leave(struct transaction *);
/* Before begin, or with the answer.  What it holds is let go at once; the structure itself
   stays to the end of the turn, for those who are in the middle of a stage. */
void transaction_destroy(struct transaction **);
void transaction_bury(struct gateway *);

/* --- for the stages --- */

void transaction_next(struct transaction *);
/* Go back or ahead to a stage out of the order. */
void transaction_go(struct transaction *, enum stage);
/* Everything that is not done yet gets this outcome and reply; then OVER. */
void transaction_end(struct transaction *, enum outcome, const char *reply);
/* As transaction_end with OUTCOME_DEFERRED and "451 enhanced text". */
void transaction_defer(struct transaction *, const char *reply);
/* The client has left: nothing is delivered, no reply. */
void transaction_drop(struct transaction *);

void begin_examine(struct transaction *);       /* examine.c */
void begin_scan(struct transaction *);          /* scan.c    */
void scan_stop(struct transaction *);           /* scan.c    */
/* Virus scanners looked, and all of them found nothing. */
bool scan_is_clean(const struct transaction *);
/* Why that scanner gave no answer; index in the settings. */
struct span scan_failure(const struct transaction *, size_t scanner);
void begin_decide(struct transaction *);        /* decide.c  */
void begin_rewrite(struct transaction *);       /* decide.c  */
void begin_prepare(struct transaction *);       /* deliver.c */
void begin_commit(struct transaction *);        /* deliver.c */
void deliver_abort(struct transaction *);       /* deliver.c */
void begin_keep(struct transaction *);          /* keep.c    */
void begin_notify(struct transaction *);        /* keep.c    */
void begin_ledger(struct transaction *);        /* ledger.c  */
void begin_note(struct transaction *);          /* ledger.c  */
void begin_over(struct transaction *);          /* outcome.c */

/* Hashes the message, then calls `then` from the loop, never at once; t->hashed says
   whether it worked (hash.c). */
void hash_begin(struct transaction *, void (*then)(struct transaction *));
void hash_stop(struct transaction *);
bool poison_known(struct gateway *, const uint8_t *hash);
void poison_remember(struct gateway *, const uint8_t *hash);

/* How a reply of the next hop is passed on: "250 2.0.0 from MTA(smtp:[..]:10025): 250 ...". */
struct span hop_reply(struct transaction *, const struct delivery *, int code,
    struct span text);
/* "451 4.4.1 ..." for a next hop that could not be talked to. */
const char *hop_failure(struct transaction *, const struct delivery *);
/* The pool that this mail goes to; NULL for a Maildir. */
struct hop_pool *transaction_pool(const struct transaction *, struct error *);
struct xforward transaction_xforward(const struct transaction *);

/* Received, on top of a variant, or (NULL) for a scanner. */
struct span received_field(const struct transaction *, const struct variant *);
/* What is said of scanners, below it: X-Sallyport-Unscanned, X-Virus-Scanned; or nothing. */
struct span scanned_fields(const struct transaction *, const struct variant *);
/* "clamd (no answer within 30 s), spamd (too busy)", of these scanners. */
struct span unscanned_text(const struct transaction *, uint64_t missing);
#endif
