/*
 * settings.h - the configuration after the schema: every setting with its value.
 *
 * A setting is one row in schema.c: name, kind, default, sentence.  The rows make
 * this structure, `sallyport config show` and the manual sallyport.conf(5).
 * Everything lives in the arena given to settings_load and is never changed after:
 * a snapshot.
 */
#ifndef LIB_CONFIG_SETTINGS_H
#define LIB_CONFIG_SETTINGS_H
#include "lib/base/address.h"
#include "lib/base/pack.h"
#include "lib/config/tree.h"
#include "lib/finding/fact.h"

struct endpoints { struct endpoint *items; size_t count; struct place *places; };

enum hop_kind {
	HOP_NONE = 0,
	HOP_SMTP,       /* address:port ... or unix:path ...: several, for fail-over */
	HOP_LMTP,       /* lmtp:address:port ... or lmtp:unix:path ...            */
	HOP_PEER,       /* peer:PORT: the address of the client that connected    */
	HOP_MAILDIR,    /* maildir:path, written by the store                     */
};

struct next_hop {
	enum hop_kind    kind;
	struct endpoint *endpoints;     /* SMTP, LMTP: in the order to try */
	size_t           endpoint_count;
	struct place    *places;        /* of each of them */
	uint16_t         port;          /* PEER */
	const char      *path;          /* MAILDIR */
	const char      *text;          /* as written, for people */
};

enum queue_place { QUEUE_AFTER = 0, QUEUE_BEFORE };
enum bare_newline { BARE_DEFAULT = 0, BARE_REJECT, BARE_REPAIR }; /* resolved after loading */
enum listener_protocol { PROTOCOL_AUTO = 0, PROTOCOL_SMTP, PROTOCOL_LMTP };
enum log_target { LOG_AUTO = 0, LOG_STDERR, LOG_SYSLOG, LOG_JOURNALD };
enum sandbox_mode { SANDBOX_BEST_EFFORT = 0, SANDBOX_REQUIRED };

/* Sizes in bytes, times in milliseconds. */
struct networks { struct network *items; size_t count; };
struct words { struct span *items; size_t count; };
/* Exit statuses of a command: a bit each. */
struct statuses { uint64_t bits[4]; };
/* /expression/flags, as lib/pattern's regex_compile takes them; checked by policy_compile. */
struct regex_text { struct span text, flags; struct place place; };

struct listener {
	const char      *name;
	struct place     place;
	union {                 /* one list under two names: the schema knows the first */
		struct endpoints endpoints;
		struct {
			struct endpoint *addresses;
			size_t           address_count;
			struct place    *address_places;
		};
	};
	enum queue_place queue;
	const char      *policy;
	struct place     policy_place;
	struct next_hop  next_hop;
	enum listener_protocol protocol;
	enum bare_newline bare_newline; /* never BARE_DEFAULT after loading */
	struct networks  clients;       /* may say XFORWARD; default 127.0.0.0/8 ::1 */
	uint64_t size_limit;            /* of a message; 0 none */
	uint64_t recipient_limit, line_limit, command_limit, error_limit;
	uint64_t sessions_client;       /* at once, a client address; 0 no limit */
	uint64_t idle_timeout, session_timeout, deadline;
	uint64_t minimum_rate;          /* bytes a second of message data, over a minute */
	uint64_t connect_timeout, command_timeout, data_timeout, end_timeout;
	uint64_t cache_idle;            /* how long an idle next-hop connection is kept */
	uint64_t cache_count;           /* idle next-hop connections kept, a gateway */
	bool     trust_headers;         /* X-Spam-* and X-Virus-Scanned of others stay */
	uint64_t given;                 /* for settings_show: what was no default */
};

/* scanner NAME { ... }: its place in struct settings is its identity (a bit of 64). */
#define SCANNERS 64
#define SCANNER_SERVERS 8       /* of one */
enum on_failure { ON_FAILURE_DEFER = 0, ON_FAILURE_HOLD, ON_FAILURE_ACCEPT };
enum clamd_transfer { TRANSFER_AUTO = 0, TRANSFER_FILDES, TRANSFER_INSTREAM };

struct scanner {
	const char      *name;
	struct place     place;
	enum scanner_type type;
	struct endpoints at;            /* in the order to try, SCANNER_SERVERS at most;
	                                   none for a command */
	uint64_t timeout;               /* of one scan, from its first byte to its answer */
	uint64_t connect_timeout;
	uint64_t slots;                 /* scans at once, a gateway */
	uint64_t queue;                 /* scans that wait for a slot, a gateway */
	uint64_t size_limit;            /* larger messages are unscannable; 0 no limit */
	enum on_failure on_failure;
	struct place    on_failure_place;       /* the scanner's where it is not given */
	uint64_t weight;                /* thousandths: its score counts so much */
	uint64_t cache;                 /* entries of the verdict cache, a gateway; 0 none */
	uint64_t cache_time;            /* ms that an entry lives */
	enum clamd_transfer transfer;   /* clamd */
	uint64_t canary;                /* clamd: ms that a found one stands for; 0: none */
	const char *path;               /* rspamd: "/checkv2", icap: the service; begins with / */
	const char *password;           /* rspamd; NULL none */
	const char *user;               /* spamd; NULL: none is told */
	bool        user_is_recipient;  /* `user recipient': the address, where there is one */
	struct words command;           /* command: program (absolute) and its arguments */
	struct statuses clean_status, infected_status, unscannable_status;
	bool network;                   /* command: it may use the network */
	struct regex_text infected_pattern;     /* command: in its output; text.len 0: none */
	uint64_t given;                 /* for settings_show: what was no default */
};

struct settings {
	const char     *hostname;       /* NULL: unset, see settings_host */
	struct words    local_domains;  /* "example.com" or ".example.com" with subdomains */
	struct networks trusted_relays;
	const char     *state_directory, *spool_directory, *quarantine_directory;
	const char     *control_socket;
	const char     *postmaster;     /* From of notices; NULL: unset, see settings_host */
	enum log_target log;
	enum sandbox_mode sandbox;
	uint64_t gateways;              /* 0: one a core */
	uint64_t inspectors;            /* most inspectors a gateway */
	uint64_t inspector_memory, inspector_cpu, inspector_jobs;
	uint64_t memory_budget;         /* messages in memory, all gateways together */
	uint64_t spool_budget, spool_from;
	uint64_t minimum_free;          /* of the file systems of spool and state */
	uint64_t sessions;              /* at once in all */
	uint64_t journal_keep;          /* how long a record is kept */
	uint64_t hold_lifetime, hold_retry;     /* of held mail; ms */
	uint64_t hold_rate;             /* examined again, a second */
	uint64_t user_gateway, user_inspector, user_store; /* 0: by name, see the manual */
	uint64_t user_runner;
	const char *runner_directory;   /* for what commands write while they run */
	bool             scanned_header;        /* X-Virus-Scanned is added */
	struct listener *listeners;
	size_t           listener_count;
	struct scanner  *scanners;
	size_t           scanner_count;
	const struct node *tree;        /* policies and lists are read from here */
	const char      *revision;      /* first 16 hex digits of the digest of all files;
	                                   set by who has a digest function, else "" */
	uint64_t        given;          /* for settings_show: what was no default */
};

/* NULL when there were complaints.  `policy` and `list` statements are not looked at;
   the tree must live as long as the settings.  No listener at all is no error here. */
struct settings *settings_load(const struct node *tree, struct arena *,
    struct complaints *);
/* The machine's name, where none is configured; the default postmaster is made of it.
   To be called before the settings are shared, if at all. */
void settings_host(struct settings *, const char *machine, struct arena *);

/* All settings with their values, and policies and lists as they are, in the language
   itself: reading it gives the same settings.  Defaults are commented as such. */
void settings_show(const struct settings *, struct buf *);
/* The settings' part of sallyport.conf(5), in scdoc. */
void settings_manual(struct buf *);

/* Bundle: the files of one configuration in one piece of bytes; paths as tree_parse
   asked for them, the first the one it began with. */
struct bundle_item { const char *path; struct span bytes; };
void bundle_pack(struct pack *, const struct bundle_item *, size_t count);
/* A source over a bundle's bytes (borrowed), in the arena; NULL if they are none. */
struct config_source *bundle_source(struct span bytes, struct arena *);
/* Path of the first file: the one to parse. */
const char *bundle_first(struct config_source *);
#endif
