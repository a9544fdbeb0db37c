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
static const char *const truth_words[] = { "no", "yes", NULL };
static const char *const failure_words[] = { "defer", "hold", "accept", NULL };
static const char *const transfer_words[] = { "auto", "fildes", "instream", NULL };
static const char *const type_words[] = { "clamd", "spamd", "rspamd", "icap", "command",
	NULL };

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
	{ "hold-lifetime", KEY(TIME, uint64_t, G, hold_lifetime), "5d",
	  "Age at which a held mail is not examined again any more: it stays in quarantine, "
	  "in the class hold-expired, and the postmaster is told.", RANGE(SEC, 365 * DAY) },
	{ "hold-rate", KEY(NUMBER, uint64_t, G, hold_rate), "10",
	  "Most held mails that are examined again in a second.", RANGE(1, 1000) },
	{ "hold-retry", KEY(TIME, uint64_t, G, hold_retry), "1m",
	  "Time until a held mail is examined again; each further time doubles it, up to an "
	  "hour.  When a scanner is well again all of them are examined at once.",
	  RANGE(SEC, HOUR) },
	{ "scanned-header", KEY(TRUTH, bool, G, scanned_header), "yes",
	  "Whether X-Virus-Scanned is added to mail that a virus scanner has looked at.",
	  .words = truth_words },
	{ "user-gateway", KEY(NUMBER, uint64_t, G, user_gateway), "0",
	  "User id of the gateways when started as root; 0 is the user of the name "
	  "sallyport-gateway.", RANGE(0, USER) },
	{ "user-inspector", KEY(NUMBER, uint64_t, G, user_inspector), "0",
	  "User id of the inspectors when started as root; 0 is the user of the name "
	  "sallyport-inspector.", RANGE(0, USER) },
	{ "user-store", KEY(NUMBER, uint64_t, G, user_store), "0",
	  "User id of the store when started as root; 0 is the user of the name "
	  "sallyport-store.", RANGE(0, USER) },
	{ "user-runner", KEY(NUMBER, uint64_t, G, user_runner), "0",
	  "User id of the runners, which execute the commands of scanners, when started as "
	  "root; 0 is the user of the name sallyport-runner.", RANGE(0, USER) },
	{ "runner-directory", KEY(PATH, const char *, G, runner_directory), NULL,
	  "Directory in which each run of a scanner's command has a folder of its own until it "
	  "ends; if it is not set, that of the spool directory with -runner behind its name.",
	  RANGE(0, PATH) },
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
	{ "trust-headers", KEY(TRUTH, bool, L, trust_headers), "no",
	  "Whether X-Spam and X-Virus-Scanned fields that others have written are kept; they "
	  "are removed if not, since anybody can write them.", .words = truth_words },
};
#undef L

#define S struct scanner
#define FOR(type) (1u << SCANNER_TYPE_##type)
#define REMOTE (FOR(CLAMD) | FOR(SPAMD) | FOR(RSPAMD) | FOR(ICAP))
static const struct row scanner_rows[] = {
	{ "type", KEY(ENUM, enum scanner_type, S, type), NULL,
	  "The protocol it speaks: clamd, icap and command look for viruses, spamd and "
	  "rspamd for spam.", .words = type_words, .required = true },
	{ "at", KEY(ENDPOINTS, struct endpoints, S, at), NULL,
	  "Where it listens; of several, at most 8, the first that answers is asked.",
	  .required = true, .types = REMOTE },
	{ "timeout", KEY(TIME, uint64_t, S, timeout), "30s",
	  "Time from the beginning of a scan to its answer, after which it has failed.",
	  RANGE(100, HOUR) },
	{ "connect-timeout", KEY(TIME, uint64_t, S, connect_timeout), "5s",
	  "Wait for a connection.", RANGE(10, HOUR), .types = REMOTE },
	{ "slots", KEY(NUMBER, uint64_t, S, slots), "8",
	  "Most scans at the same time, for each gateway; mails of one client outside have at "
	  "most half of them, and half of the queue.", RANGE(1, 10000) },
	{ "queue", KEY(NUMBER, uint64_t, S, queue), "200",
	  "Most messages that wait for one of those, for each gateway; a scan that finds no "
	  "place has failed.", RANGE(0, 1000000) },
	{ "size-limit", KEY(SIZE, uint64_t, S, size_limit), "25M",
	  "Largest message that it is given; a larger one is unscannable for it. 0 is no "
	  "limit.", RANGE(0, TIB) },
	{ "on-failure", KEY(ENUM, enum on_failure, S, on_failure), "defer",
	  "What becomes of a mail that would be accepted, but whose rules have asked in vain "
	  "for what this scanner tells: the client is told to come again, the mail is held "
	  "here and examined again (before a queue only), or it is accepted, with a header "
	  "field that says so.", .words = failure_words },
	{ "weight", KEY(DECIMAL, uint64_t, S, weight), "1",
	  "What its score is multiplied with before it is added to spam.score.",
	  RANGE(0, 1000000), .types = FOR(SPAMD) | FOR(RSPAMD) },
	{ "cache", KEY(NUMBER, uint64_t, S, cache), "0",
	  "Clean contents that each gateway remembers (64 bytes each), so that they are not "
	  "looked at again while its signatures are the same; 0 remembers none. See VERDICT "
	  "CACHE.",
	  RANGE(0, 10000000), .types = FOR(CLAMD) | FOR(ICAP) },
	{ "cache-time", KEY(TIME, uint64_t, S, cache_time), "1h",
	  "How long a content is remembered at most.",
	  RANGE(1000, 24 * HOUR), .types = FOR(CLAMD) | FOR(ICAP) },
	{ "transfer", KEY(ENUM, enum clamd_transfer, S, transfer), "auto",
	  "How clamd gets a message: by its descriptor (local sockets only), over the "
	  "connection, or as works.", .words = transfer_words, .types = FOR(CLAMD) },
	{ "canary", KEY(TIME, uint64_t, S, canary), "50ms",
	  "Behind a clean mail clamd is asked to find the EICAR test file, unless it has done "
	  "so within this time; if it does not, the scan has failed. 0 never asks.",
	  RANGE(0, HOUR), .types = FOR(CLAMD) },
	{ "path", KEY(TARGET, const char *, S, path), NULL,
	  "Path of its service in the URL; /checkv2 if it is not set for rspamd, required "
	  "for icap.", RANGE(0, 1000), .types = FOR(RSPAMD) | FOR(ICAP) },
	{ "password", KEY(TEXT, const char *, S, password), NULL,
	  "Password that it asks for; the file should then be readable for root only.",
	  RANGE(0, 200), .types = FOR(RSPAMD) },
	{ "user", KEY(TEXT, const char *, S, user), NULL,
	  "User whose preferences count; the word recipient stands for the recipient's "
	  "address, where a mail has only one.", RANGE(0, 200), .types = FOR(SPAMD) },
	{ "command", KEY(COMMAND, struct words, S, command), NULL,
	  "Program and arguments; it gets the message on its standard input.",
	  .required = true, .types = FOR(COMMAND) },
	{ "clean-status", KEY(STATUSES, struct statuses, S, clean_status), "0",
	  "Exit statuses that mean that it has found nothing; one that is in neither list is "
	  "a failure.", .types = FOR(COMMAND) },
	{ "infected-status", KEY(STATUSES, struct statuses, S, infected_status), "1",
	  "Exit statuses that mean that it has found something.", .types = FOR(COMMAND) },
	{ "unscannable-status", KEY(STATUSES, struct statuses, S, unscannable_status), NULL,
	  "Exit statuses that mean that it cannot look at this message: encrypted, damaged.",
	  .types = FOR(COMMAND) },
	{ "infected-pattern", KEY(REGEX, struct regex_text, S, infected_pattern), NULL,
	  "What stands in its output where it has found something; the first group in "
	  "parentheses is the name.", .types = FOR(COMMAND) },
	{ "network", KEY(TRUTH, bool, S, network), "no",
	  "Whether the command may use the network; unix sockets it may use in any case.",
	  .words = truth_words, .types = FOR(COMMAND) },
};
#undef S

_Static_assert(COUNT_OF(global_rows) <= SCHEMA_ROWS, "a bit each");
_Static_assert(COUNT_OF(listener_rows) <= SCHEMA_ROWS, "a bit each");
_Static_assert(COUNT_OF(scanner_rows) <= SCHEMA_ROWS, "a bit each");
_Static_assert(COUNT_OF(type_words) == SCANNER_TYPES + 1, "in the order of the types");

const struct schema schema_global = {
	NULL, global_rows, COUNT_OF(global_rows), offsetof(struct settings, given),
};
const struct schema schema_listener = {
	"listener", listener_rows, COUNT_OF(listener_rows), offsetof(struct listener, given),
};
const struct schema schema_scanner = {
	"scanner", scanner_rows, COUNT_OF(scanner_rows), offsetof(struct scanner, given),
};
