/*
 * schema.c - the settings, a row each; order is that of the manual.
 */
#include "lib/config/schema.h"

/* The comparison of pointers makes the compiler refuse a kind that does not fit. */
#define KEY(kind, type, structure, member) KIND_##kind, \
	offsetof(structure, member) + \
	    0 * sizeof((type *)NULL == &((structure *)NULL)->member)

#define RANGE(least, most) .min = (least), .max = (most)

static const char *const log_words[] = { "auto", "stderr", "syslog", "journald", NULL };
static const char *const sandbox_words[] = { "best-effort", "required", NULL };
static const char *const queue_words[] = { "after", "before", NULL };
static const char *const protocol_words[] = { "auto", "smtp", "lmtp", NULL };
static const char *const bare_words[] = { "", "reject", "repair", NULL };

_Static_assert(sizeof(enum queue_place) == sizeof(unsigned), "kind_read writes enums so");

#define KIB  1024ull
#define MIB  (1024ull * KIB)
#define GIB  (1024ull * MIB)
#define TIB  (1024ull * GIB)
#define SEC  1000ull
#define HOUR (3600 * SEC)
#define DAY  (24 * HOUR)
#define PATH 2000
#define SOCK 107        /* of sockaddr_un's path, without the NUL */
#define USER 4294967294ull

#define G struct settings
static const struct row global_rows[] = {
	{ "hostname", KEY(HOST, const char *, G, hostname), NULL,
	  .sentence =
	  "Name of this machine in greetings, trace fields and notices; the machine's own "
	  "name if it is not set." },
	{ "local-domains", KEY(DOMAINS, struct words, G, local_domains), "none",
	  .sentence =
	  "Domains that mail is received for; one that begins with a dot stands for its "
	  "subdomains." },
	{ "trusted-relays", KEY(NETWORKS, struct networks, G, trusted_relays),
	  "127.0.0.0/8 ::1",
	  .sentence =
	  "Networks of relays whose Received fields are believed when the client that "
	  "handed in a mail is looked for." },
	{ "state-directory", KEY(PATH, const char *, G, state_directory),
	  "/var/lib/sallyport",
	  "Directory of the journal and of all else that is kept.", RANGE(0, PATH) },
	{ "spool-directory", KEY(PATH, const char *, G, spool_directory),
	  "/var/spool/sallyport",
	  "Directory of messages that are too large to be held in memory.",
	  RANGE(0, PATH) },
	{ "quarantine-directory", KEY(PATH, const char *, G, quarantine_directory), NULL,
	  "Directory of messages in quarantine; if it is not set, the directory quarantine "
	  "in the state directory.", RANGE(0, PATH) },
	{ "control-socket", KEY(PATH, const char *, G, control_socket),
	  "/run/sallyport/control",
	  "Socket on which the commands of sallyport(8) reach the master.",
	  RANGE(0, SOCK) },
	{ "postmaster", KEY(MAILBOX, const char *, G, postmaster), NULL,
	  .sentence =
	  "Address in the From field of notices; if it is not set, postmaster at the host "
	  "name." },
	{ "log", KEY(ENUM, enum log_target, G, log), "auto",
	  "Where log lines go; auto takes journald where it runs the service, else stderr "
	  "where that is a terminal, else syslog.", .words = log_words },
	{ "sandbox", KEY(ENUM, enum sandbox_mode, G, sandbox), "best-effort",
	  "Whether to start at all where the kernel cannot confine the processes as "
	  "wanted.", .words = sandbox_words },
	{ "gateways", KEY(NUMBER, uint64_t, G, gateways), "0",
	  "Processes that speak SMTP; 0 is one for each processor.", RANGE(0, 256) },
	{ "inspectors", KEY(NUMBER, uint64_t, G, inspectors), "4",
	  "Most processes that examine messages, for each gateway.", RANGE(1, 256) },
	{ "inspector-memory", KEY(SIZE, uint64_t, G, inspector_memory), "512M",
	  "Memory that one inspector may use.", RANGE(32 * MIB, TIB) },
	{ "inspector-cpu", KEY(TIME, uint64_t, G, inspector_cpu), "20s",
	  "Processor time that the examination of one message may take.",
	  RANGE(SEC, HOUR) },
	{ "inspector-jobs", KEY(NUMBER, uint64_t, G, inspector_jobs), "10000",
	  "Messages after which an inspector is replaced by a fresh one.",
	  RANGE(1, 1000000000) },
	{ "memory-budget", KEY(SIZE, uint64_t, G, memory_budget), "512M",
	  "Memory for messages in all gateways together; more of them go to the spool "
	  "directory.", RANGE(MIB, TIB) },
	{ "spool-budget", KEY(SIZE, uint64_t, G, spool_budget), "4G",
	  "Disk space for messages in the spool directory; beyond it the client is told to "
	  "come again later.", RANGE(0, 1024 * TIB) },
	{ "spool-from", KEY(SIZE, uint64_t, G, spool_from), "16M",
	  "Size from which a message goes to the spool directory at once.", RANGE(0, TIB) },
	{ "minimum-free", KEY(SIZE, uint64_t, G, minimum_free), "64M",
	  "Free space of the file systems of state and spool directory below which no mail "
	  "is taken.", RANGE(0, 1024 * TIB) },
	{ "sessions", KEY(NUMBER, uint64_t, G, sessions), "10000",
	  "Most sessions at the same time, in all.", RANGE(1, 1000000) },
	{ "journal-keep", KEY(TIME, uint64_t, G, journal_keep), "90d",
	  "Age at which a record leaves the journal.", RANGE(HOUR, 36500 * DAY) },
	{ "user-gateway", KEY(NUMBER, uint64_t, G, user_gateway), "0",
	  "User id of the gateways when started as root; 0 is the user of the name "
	  "sallyport-gateway.", RANGE(0, USER) },
	{ "user-inspector", KEY(NUMBER, uint64_t, G, user_inspector), "0",
	  "User id of the inspectors when started as root; 0 is the user of the name "
	  "sallyport-inspector.", RANGE(0, USER) },
	{ "user-store", KEY(NUMBER, uint64_t, G, user_store), "0",
	  "User id of the store when started as root; 0 is the user of the name "
	  "sallyport-store.", RANGE(0, USER) },
};
#undef G

#define L struct listener
static const struct row listener_rows[] = {
	{ "address", KEY(ENDPOINTS, struct endpoints, L, endpoints), NULL,
	  "Where mail is taken in.", .required = true },
	{ "queue", KEY(ENUM, enum queue_place, L, queue), "after",
	  "Whether a mail comes from behind a queue, whose MTA must bounce what is refused, "
	  "or before one, so that the sending client hears the refusal.",
	  .words = queue_words },
	{ "policy", KEY(NAME, const char *, L, policy), NULL,
	  "The policy that decides about mail of this listener.", .required = true },
	{ "next-hop", KEY(HOP, struct next_hop, L, next_hop), NULL,
	  "Where accepted mail goes; of several the first that answers takes it.",
	  .required = true },
	{ "protocol", KEY(ENUM, enum listener_protocol, L, protocol), "auto",
	  "The protocol clients speak; auto makes it LMTP after LHLO and SMTP after EHLO or "
	  "HELO.", .words = protocol_words },
	{ "bare-newline", KEY(ENUM, enum bare_newline, L, bare_newline), NULL,
	  "What becomes of line ends that are not CR LF; if it is not set, reject before a "
	  "queue and repair behind one.", .words = bare_words },
	{ "clients", KEY(NETWORKS, struct networks, L, clients), "127.0.0.0/8 ::1",
	  .sentence =
	  "Networks whose word about the original client is believed (XFORWARD)." },
	{ "size-limit", KEY(SIZE, uint64_t, L, size_limit), "100M",
	  "Largest message taken; 0 is no limit.", RANGE(0, TIB) },
	{ "recipient-limit", KEY(NUMBER, uint64_t, L, recipient_limit), "1000",
	  "Most recipients of one mail.", RANGE(1, 100000) },
	{ "line-limit", KEY(SIZE, uint64_t, L, line_limit), "0",
	  "Longest line of a message, without its end; 0 is no limit.", RANGE(0, GIB) },
	{ "command-limit", KEY(SIZE, uint64_t, L, command_limit), "4096",
	  "Longest line of a command.", RANGE(512, 64 * KIB) },
	{ "error-limit", KEY(NUMBER, uint64_t, L, error_limit), "20",
	  "Errors of a client after which it is disconnected.", RANGE(1, 1000000) },
	{ "sessions-per-client", KEY(NUMBER, uint64_t, L, sessions_client), "0",
	  "Most sessions at the same time with one client's address; 0 is no limit.",
	  RANGE(0, 1000000) },
	{ "idle-timeout", KEY(TIME, uint64_t, L, idle_timeout), "300s",
	  "Silence of a client after which it is disconnected.", RANGE(SEC, DAY) },
	{ "session-timeout", KEY(TIME, uint64_t, L, session_timeout), "1h",
	  "Longest session.", RANGE(SEC, 7 * DAY) },
	{ "deadline", KEY(TIME, uint64_t, L, deadline), NULL,
	  "Time from the end of a message to the reply; if it is not set, 80s before a queue "
	  "and 480s behind one.", RANGE(SEC, HOUR) },
	{ "minimum-rate", KEY(SIZE, uint64_t, L, minimum_rate), "10",
	  "Bytes of a message a second, over a minute, below which a client is "
	  "disconnected; 0 is no limit.", RANGE(0, GIB) },
	{ "connect-timeout", KEY(TIME, uint64_t, L, connect_timeout), "10s",
	  "Wait for a connection to the next hop.", RANGE(100, HOUR) },
	{ "command-timeout", KEY(TIME, uint64_t, L, command_timeout), "60s",
	  "Wait for the next hop's reply to a command.", RANGE(100, HOUR) },
	{ "data-timeout", KEY(TIME, uint64_t, L, data_timeout), "180s",
	  "Wait for the next hop to take a piece of a message.", RANGE(100, HOUR) },
	{ "end-timeout", KEY(TIME, uint64_t, L, end_timeout), "300s",
	  "Wait for the next hop's reply to a whole message.", RANGE(100, HOUR) },
	{ "cache-idle", KEY(TIME, uint64_t, L, cache_idle), "30s",
	  "How long an idle connection to the next hop is kept; 0 keeps none.",
	  RANGE(0, HOUR) },
	{ "cache-count", KEY(NUMBER, uint64_t, L, cache_count), "20",
	  "Most idle connections to the next hop kept by each gateway.",
	  RANGE(0, 10000) },
};
#undef L

_Static_assert(COUNT_OF(global_rows) <= SCHEMA_ROWS, "a bit each");
_Static_assert(COUNT_OF(listener_rows) <= SCHEMA_ROWS, "a bit each");

const struct schema schema_global = {
	NULL, global_rows, COUNT_OF(global_rows), offsetof(struct settings, given),
};
const struct schema schema_listener = {
	"listener", listener_rows, COUNT_OF(listener_rows), offsetof(struct listener, given),
};
