/*
 * test_settings.c - the schema: defaults, good and bad values, and what is shown.
 */
#include "memory.h"
#include "lib/config/schema.h"

#define LISTENER(more) \
	"listener in { address 127.0.0.1:1; policy p; next-hop 127.0.0.1:2; " more " }"

#define CLAMD(more)   "scanner s { type clamd; at unix:/c; " more " }"
#define SPAMD(more)   "scanner s { type spamd; at unix:/c; " more " }"
#define RSPAMD(more)  "scanner s { type rspamd; at unix:/c; " more " }"
#define COMMAND(more) "scanner s { type command; command /bin/x; " more " }"

/* Each is shown, as written or else as in `shown`. */
static const struct { const char *name, *value, *shown; } global_values[] = {
	{ "hostname", "MX1.Example.COM", "mx1.example.com" },
	{ "hostname", "localhost", NULL },
	{ "local-domains", "Example.com .Example.com", "example.com .example.com" },
	{ "local-domains", "none", NULL },
	{ "trusted-relays", "192.0.2.0/24 192.0.2.1 ::1 2001:db8::/32", NULL },
	{ "trusted-relays", "0.0.0.0/0 ::/0 192.0.2.1/32", "0.0.0.0/0 ::/0 192.0.2.1" },
	{ "trusted-relays", "none", NULL },
	{ "state-directory", "/a", NULL },
	{ "spool-directory", "\"/a b\"", NULL },
	{ "quarantine-directory", "\"/a\"", "/a" },
	{ "control-socket", "/run/x", NULL },
	{ "postmaster", "Post.Master+x@example.com", NULL },
	{ "log", "auto", NULL },
	{ "log", "stderr", NULL },
	{ "log", "syslog", NULL },
	{ "log", "journald", NULL },
	{ "sandbox", "required", NULL },
	{ "gateways", "256", NULL },
	{ "inspectors", "1", NULL },
	{ "inspector-memory", "33554432", "32M" },
	{ "inspector-cpu", "1500ms", NULL },
	{ "inspector-jobs", "1", NULL },
	{ "memory-budget", "1024K", "1M" },
	{ "spool-budget", "0", NULL },
	{ "spool-from", "16MiB", "16M" },
	{ "minimum-free", "64KiB", "64K" },
	{ "sessions", "1000000", NULL },
	{ "journal-keep", "24h", "1d" },
	{ "hold-lifetime", "48h", "2d" },
	{ "hold-rate", "1000", NULL },
	{ "hold-retry", "1s", NULL },
	{ "user-gateway", "4294967294", NULL },
	{ "user-inspector", "1", NULL },
	{ "user-store", "1", NULL },
	{ "user-runner", "1", NULL },
	{ "runner-directory", "\"/r\"", "/r" },
	{ "scanned-header", "no", NULL },
	{ "scanned-header", "yes", NULL },
}, listener_values[] = {
	{ "queue", "after", NULL },
	{ "queue", "before", NULL },
	{ "protocol", "auto", NULL },
	{ "protocol", "smtp", NULL },
	{ "protocol", "lmtp", NULL },
	{ "bare-newline", "reject", NULL },
	{ "bare-newline", "repair", NULL },
	{ "clients", "10.0.0.0/8", NULL },
	{ "size-limit", "0", NULL },
	{ "recipient-limit", "100000", NULL },
	{ "line-limit", "998", NULL },
	{ "command-limit", "512", NULL },
	{ "error-limit", "1", NULL },
	{ "sessions-per-client", "50", NULL },
	{ "idle-timeout", "1d", NULL },
	{ "session-timeout", "7d", NULL },
	{ "deadline", "60m", "1h" },
	{ "minimum-rate", "1023", NULL },
	{ "connect-timeout", "100ms", NULL },
	{ "command-timeout", "90s", NULL },
	{ "data-timeout", "90s", NULL },
	{ "end-timeout", "90s", NULL },
	{ "cache-idle", "0", NULL },
	{ "cache-count", "0", NULL },
	{ "trust-headers", "yes", NULL },
	{ "trust-headers", "no", NULL },
}, scanner_values[] = {
	{ "type", "clamd", NULL },
	{ "at", "unix:/c 127.0.0.1:3310 [::1]:3310", NULL },
	{ "timeout", "100ms", NULL },
	{ "connect-timeout", "10ms", NULL },
	{ "slots", "10000", NULL },
	{ "queue", "0", NULL },
	{ "size-limit", "25600K", "25M" },
	{ "size-limit", "0", NULL },
	{ "on-failure", "defer", NULL },
	{ "on-failure", "hold", NULL },
	{ "on-failure", "accept", NULL },
	{ "cache", "10000000", NULL },
	{ "cache-time", "1s", NULL },
	{ "cache-time", "2h", NULL },
	{ "transfer", "auto", NULL },
	{ "transfer", "fildes", NULL },
	{ "transfer", "instream", NULL },
	{ "canary", "0", NULL },
	{ "canary", "1ms", NULL },
	{ "canary", "60m", "1h" },
}, spamd_values[] = {
	{ "weight", "0", NULL },
	{ "weight", "1000.000", "1000" },
	{ "weight", "0.50", "0.5" },
	{ "weight", "1.005", NULL },
	{ "user", "joe@example.com", NULL },
	{ "user", "recipient", NULL },
}, rspamd_values[] = {
	{ "path", "/checkv2", NULL },
	{ "path", "\"/a?b=c\"", NULL },
	{ "password", "q1", NULL },
	{ "password", "\"a b\\\"c\"", NULL },
}, command_values[] = {
	{ "command", "/usr/bin/clamscan \"--stdout\" \"a b\" \"\" -", "/usr/bin/clamscan --stdout "
	  "\"a b\" \"\" -" },
	{ "clean-status", "0 2 255 64", "0 2 64 255" },
	{ "infected-status", "1", NULL },
	{ "infected-status", "\"1\" 128", "1 128" },
	{ "infected-pattern", "/: (\\S+) FOUND\\/$/mi", NULL },
}, hops[] = {
	{ "next-hop", "192.0.2.1:25", NULL },
	{ "next-hop", "192.0.2.1:25 [2001:db8::1]:25 unix:/run/x", NULL },
	{ "next-hop", "smtp:[192.0.2.1]:25 localhost:65535", "192.0.2.1:25 127.0.0.1:65535" },
	{ "next-hop", "lmtp:127.0.0.1:24", NULL },
	{ "next-hop", "lmtp:unix:/run/lmtp LMTP:[::1]:24", "lmtp:unix:/run/lmtp lmtp:[::1]:24" },
	{ "next-hop", "\"unix:/a b\"", NULL },
	{ "next-hop", "smtp:unix:/run/x", "unix:/run/x" },
	{ "next-hop", "peer:10025", NULL },
	{ "next-hop", "maildir:/var/mail/x", NULL },
	{ "next-hop", "\"maildir:/a b\"", NULL },
};

static void
assert_clean(struct memory *m)
{
	assert_string_equal(buf_text(&m->complaints.text), "");
}

/* The line of a setting as it must be shown; blanks between name and value count as one. */
static void
assert_shown(struct memory *m, const char *name, const char *value, const char *rest)
{
	char line[400];

	snprintf(line, sizeof line, "%-22s %s;%s\n", name, value, rest);
	if (strstr(buf_text(&m->out), line) == NULL)
		print_error("expected %sin\n%s", line, buf_text(&m->out));
	assert_non_null(strstr(buf_text(&m->out), line));
}

static void
check_value(const char *text, const char *name, const char *value)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, text);

	assert_clean(&m);
	assert_non_null(s);
	settings_show(s, &m.out);
	assert_shown(&m, name, value, "");
	memory_free(&m);
}

static void
check_row(const char *name, const char *value, const char *shown, const char *around)
{
	char setting[400], text[500];

	snprintf(setting, sizeof setting, "%s %s;", name, value);
	snprintf(text, sizeof text, around, setting);
	check_value(text, name, shown != NULL ? shown : value);
}

static void
test_values(void **state)
{
	for (size_t i = 0; i < COUNT_OF(global_values); i++)
		check_row(global_values[i].name, global_values[i].value,
		    global_values[i].shown, "%s");
	for (size_t i = 0; i < COUNT_OF(listener_values); i++)
		check_row(listener_values[i].name, listener_values[i].value,
		    listener_values[i].shown, LISTENER("%s"));
	for (size_t i = 0; i < COUNT_OF(scanner_values); i++)
		check_row(scanner_values[i].name, scanner_values[i].value,
		    scanner_values[i].shown, i < 2 ? i == 0 ? "scanner s { at unix:/c; %s }" :
		    "scanner s { type clamd; %s }" : CLAMD("%s"));
	for (size_t i = 0; i < COUNT_OF(spamd_values); i++)
		check_row(spamd_values[i].name, spamd_values[i].value, spamd_values[i].shown,
		    SPAMD("%s"));
	for (size_t i = 0; i < COUNT_OF(rspamd_values); i++)
		check_row(rspamd_values[i].name, rspamd_values[i].value,
		    rspamd_values[i].shown, RSPAMD("%s"));
	for (size_t i = 0; i < COUNT_OF(command_values); i++)
		check_row(command_values[i].name, command_values[i].value,
		    command_values[i].shown, i == 0 ? "scanner s { type command; %s }" :
		    COMMAND("%s"));
	for (size_t i = 0; i < COUNT_OF(hops); i++)
		check_row(hops[i].name, hops[i].value, hops[i].shown,
		    "listener in { address 127.0.0.1:1 unix:/x; policy p; %s }");
}

static void
test_global_defaults(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, "");

	assert_clean(&m);
	assert_null(s->hostname);
	assert_int_equal(s->local_domains.count, 0);
	assert_int_equal(s->trusted_relays.count, 2);
	assert_string_equal(s->state_directory, "/var/lib/sallyport");
	assert_string_equal(s->spool_directory, "/var/spool/sallyport");
	assert_string_equal(s->quarantine_directory, "/var/lib/sallyport/quarantine");
	assert_string_equal(s->control_socket, "/run/sallyport/control");
	assert_null(s->postmaster);
	assert_int_equal(s->log, LOG_AUTO);
	assert_int_equal(s->sandbox, SANDBOX_BEST_EFFORT);
	assert_int_equal(s->gateways, 0);
	assert_int_equal(s->inspectors, 4);
	assert_int_equal(s->inspector_memory, 512u << 20);
	assert_int_equal(s->inspector_cpu, 20000);
	assert_int_equal(s->inspector_jobs, 10000);
	assert_int_equal(s->memory_budget, 512u << 20);
	assert_int_equal(s->spool_budget, 4ull << 30);
	assert_int_equal(s->spool_from, 16u << 20);
	assert_int_equal(s->minimum_free, 64u << 20);
	assert_int_equal(s->sessions, 10000);
	assert_int_equal(s->journal_keep, 90ull * 86400000);
	assert_int_equal(s->user_gateway + s->user_inspector + s->user_store, 0);
	assert_int_equal(s->listener_count, 0);
	assert_string_equal(s->revision, "");
	assert_null(s->tree);
	memory_free(&m);
}

static void
test_listener_defaults(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, LISTENER(""));
	struct listener *in = s->listeners;

	assert_clean(&m);
	assert_int_equal(s->listener_count, 1);
	assert_string_equal(in->name, "in");
	assert_string_equal(in->policy, "p");
	assert_int_equal(in->policy_place.column, 43);
	assert_int_equal(in->address_count, 1);
	assert_int_equal(in->addresses[0].port, 1);
	assert_int_equal(in->address_places[0].column, 23);
	assert_true(address_is_loopback(&in->addresses[0].address));
	assert_int_equal(in->queue, QUEUE_AFTER);
	assert_int_equal(in->protocol, PROTOCOL_AUTO);
	assert_int_equal(in->bare_newline, BARE_REPAIR);
	assert_int_equal(in->clients.count, 2);
	assert_int_equal(in->clients.items[0].bits, 104);
	assert_int_equal(in->clients.items[1].bits, 128);
	assert_int_equal(in->size_limit, 100u << 20);
	assert_int_equal(in->recipient_limit, 1000);
	assert_int_equal(in->line_limit, 0);
	assert_int_equal(in->command_limit, 4096);
	assert_int_equal(in->error_limit, 20);
	assert_int_equal(in->sessions_client, 0);
	assert_int_equal(in->idle_timeout, 300000);
	assert_int_equal(in->session_timeout, 3600000);
	assert_int_equal(in->deadline, 480000);
	assert_int_equal(in->minimum_rate, 10);
	assert_int_equal(in->connect_timeout, 10000);
	assert_int_equal(in->command_timeout, 60000);
	assert_int_equal(in->data_timeout, 180000);
	assert_int_equal(in->end_timeout, 300000);
	assert_int_equal(in->cache_idle, 30000);
	assert_int_equal(in->cache_count, 20);
	memory_free(&m);
}

static void
test_scanner_defaults(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, "scanner one { at unix:/c [::1]:1; type clamd; }\n"
	    "scanner two { on-failure hold; type rspamd; at [::1]:2; password x; }\n"
	    "scanner three { type command; command /bin/x -y; infected-pattern /a(b)/i; }\n"
	    "scanner four { type spamd; at [::1]:2; user recipient; weight 0.5; }\n"
	    "scanner five { type icap; at [::1]:2; path /av; }");
	const struct scanner *c = s->scanners;

	assert_clean(&m);
	assert_int_equal(s->scanner_count, 5);
	assert_string_equal(c->name, "one");
	assert_int_equal(c->type, SCANNER_TYPE_CLAMD);
	assert_int_equal(c->at.count, 2);
	assert_string_equal(c->at.items[0].path, "/c");
	assert_int_equal(c->at.items[1].port, 1);
	assert_int_equal(c->timeout, 30000);
	assert_int_equal(c->connect_timeout, 5000);
	assert_int_equal(c->slots, 8);
	assert_int_equal(c->queue, 200);
	assert_int_equal(c->size_limit, 25u << 20);
	assert_int_equal(c->on_failure, ON_FAILURE_DEFER);
	assert_int_equal(c->on_failure_place.line, 1);
	assert_int_equal(c->weight, 1000);
	assert_int_equal(c->cache, 0);
	assert_int_equal(c->cache_time, 3600000);
	assert_int_equal(c->transfer, TRANSFER_AUTO);
	assert_int_equal(c->canary, 50);
	assert_null(c->path);
	assert_int_equal(c[1].on_failure, ON_FAILURE_HOLD);
	assert_int_equal(c[1].on_failure_place.line, 2);
	assert_int_equal(c[1].on_failure_place.column, 26);
	assert_string_equal(c[1].path, "/checkv2");
	assert_string_equal(c[1].password, "x");
	assert_int_equal(c[2].command.count, 2);
	assert_true(span_equal(c[2].command.items[1], SPAN_LIT("-y")));
	assert_int_equal(c[2].clean_status.bits[0], 1);
	assert_int_equal(c[2].infected_status.bits[0], 2);
	assert_true(span_equal(c[2].infected_pattern.text, SPAN_LIT("a(b)")));
	assert_true(span_equal(c[2].infected_pattern.flags, SPAN_LIT("i")));
	assert_null(c[2].user);
	assert_true(c[3].user_is_recipient);
	assert_int_equal(c[3].weight, 500);
	assert_string_equal(c[4].path, "/av");
	memory_free(&m);
}

/* The order of the settings does not matter for what depends on another one. */
static void
test_dependent_defaults(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, "postmaster a@b; hostname h.example;"
	    LISTENER("queue before;") "state-directory /s;");

	assert_clean(&m);
	assert_int_equal(s->listeners->bare_newline, BARE_REJECT);
	assert_int_equal(s->listeners->deadline, 80000);
	assert_string_equal(s->quarantine_directory, "/s/quarantine");
	assert_string_equal(s->postmaster, "a@b");
	s = memory_settings(&m, "hostname h.example;" LISTENER("deadline 5s; queue before; "
	    "bare-newline repair;"));
	assert_clean(&m);
	assert_int_equal(s->listeners->bare_newline, BARE_REPAIR);
	assert_int_equal(s->listeners->deadline, 5000);
	assert_string_equal(s->postmaster, "postmaster@h.example");
	memory_free(&m);
}

static void
test_host(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, "");

	settings_host(s, "machine.example", &m.arena);
	assert_string_equal(s->hostname, "machine.example");
	assert_string_equal(s->postmaster, "postmaster@machine.example");
	settings_show(s, &m.out);
	assert_shown(&m, "hostname", "machine.example", "\t# default");
	s = memory_settings(&m, "hostname h; postmaster a@b;");
	settings_host(s, "machine.example", &m.arena);
	assert_string_equal(s->hostname, "h");
	assert_string_equal(s->postmaster, "a@b");
	memory_free(&m);
}

static void
test_hops(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m,
	    "listener a { address [::1]:1; policy p; next-hop lmtp:unix:/x  lmtp:[::1]:2; }"
	    "listener b { address [::1]:3; policy p; next-hop peer:25; }"
	    "listener c { address [::1]:4; policy p; next-hop maildir:/m; }"
	    "listener d { address [::1]:5; policy p; next-hop smtp:localhost:25; }");

	assert_clean(&m);
	assert_int_equal(s->listener_count, 4);
	const struct next_hop *h = &s->listeners[0].next_hop;

	assert_int_equal(h->kind, HOP_LMTP);
	assert_int_equal(h->endpoint_count, 2);
	assert_string_equal(h->endpoints[0].path, "/x");
	assert_null(h->endpoints[1].path);
	assert_int_equal(h->endpoints[1].port, 2);
	assert_string_equal(h->text, "lmtp:unix:/x lmtp:[::1]:2");
	h = &s->listeners[1].next_hop;
	assert_int_equal(h->kind, HOP_PEER);
	assert_int_equal(h->port, 25);
	h = &s->listeners[2].next_hop;
	assert_int_equal(h->kind, HOP_MAILDIR);
	assert_string_equal(h->path, "/m");
	h = &s->listeners[3].next_hop;
	assert_int_equal(h->kind, HOP_SMTP);
	assert_true(address_is_v4(&h->endpoints[0].address));
	assert_string_equal(h->text, "smtp:localhost:25");
	memory_free(&m);
}

static const struct { const char *name, *in, *out; } bad[] = {
	{ "unknown type", "scanner s { type clmad; at unix:/c; }",
	  "c:1:18: expected `clamd', `spamd', `rspamd', `icap' or `command' for `type', found "
	  "`clmad': did you mean `clamd'?\n" },
	{ "no type", "scanner s { at unix:/c; transfer auto; }",
	  "c:1:1: expected `type' in scanner `s'\n" },
	{ "no address", "scanner s { type spamd; }", "c:1:1: expected `at' in scanner `s'\n" },
	{ "no command", "scanner s { type command; }",
	  "c:1:1: expected `command' in scanner `s'\n" },
	{ "no service", "scanner s { type icap; at unix:/c; }",
	  "c:1:1: expected `path' in scanner `s': the name of the service behind the address, "
	  "such as /avscan\n" },
	{ "bad service", "scanner s { type icap; at unix:/c; path av; }",
	  "c:1:41: expected a path that begins with / and has no blanks for `path', found "
	  "`av'\n" },
	{ "not for this type", "scanner s { transfer auto; at unix:/c; type spamd; }",
	  "c:1:13: `transfer' is no setting of a scanner of type spamd\n" },
	{ "address of a command", COMMAND("at unix:/c;"),
	  "c:1:43: `at' is no setting of a scanner of type command\n" },
	{ "two of one name", CLAMD("") "\n" SPAMD(""),
	  "c:2:1: scanner `s' is given twice, first at c:1:1\n" },
	{ "unknown in a scanner", CLAMD("on-failur defer;"),
	  "c:1:37: unknown setting `on-failur': did you mean `on-failure'?\n" },
	{ "listener's in a scanner", CLAMD("protocol lmtp;"),
	  "c:1:37: `protocol' stands in the block of a listener, not here\n" },
	{ "global in a scanner", CLAMD("hostname a;"),
	  "c:1:37: `hostname' stands outside of a scanner, not here\n" },
	{ "policy in a scanner", CLAMD("policy p { }"),
	  "c:1:37: `policy' stands in the block of a listener, not here\n" },
	{ "scanner in a listener", LISTENER("scanner s { }"),
	  "c:1:68: `scanner' stands outside of a listener, not here\n" },
	{ "scanner's outside", "slots 5;",
	  "c:1:1: `slots' stands in the block of a scanner, not here\n" },
	{ "no name", "scanner { type clamd; at unix:/c; }",
	  "c:1:1: expected a name after `scanner'\n" },
	{ "no block", "scanner s;", "c:1:10: expected { after `scanner' and its name\n" },
	{ "relative command", "scanner s { type command; command clamscan -; }",
	  "c:1:35: expected the program's path, which begins with /, for `command', found "
	  "`clamscan'\n" },
	{ "status too large", COMMAND("clean-status 0 256;"),
	  "c:1:58: expected exit statuses of 0 to 255 for `clean-status', found `256'\n" },
	{ "nine servers", "scanner s { type clamd; at unix:/1 unix:/2 unix:/3 unix:/4 unix:/5 unix:/6 "
	  "unix:/7 unix:/8 unix:/9; }",
	  "c:1:92: expected at most 8 addresses for `at' of a scanner\n" },
	{ "status of both", COMMAND("clean-status 0 1;"),
	  "c:1:43: exit status 1 of scanner `s' means both clean and infected\n" },
	{ "no expression", COMMAND("infected-pattern FOUND;"),
	  "c:1:60: expected a regular expression /.../ for `infected-pattern', found "
	  "`FOUND'\n" },
	{ "empty expression", COMMAND("infected-pattern //;"),
	  "c:1:60: expected a regular expression /.../ for `infected-pattern', found `'\n" },
	{ "negative weight", SPAMD("weight -1;"), "c:1:44: expected a number like 2 or 0.5, with "
	  "at most 3 decimals for `weight', found `-1'\n" },
	{ "weight too large", SPAMD("weight 1000.001;"),
	  "c:1:44: expected 0 to 1000 for `weight', found `1000.001'\n" },
	{ "line end in a password", RSPAMD("password \"a\\n\";"), "c:1:47: expected a text of "
	  "printable ASCII, not too long, for `password', found `a\\x0a'\n" },
	{ "no truth", "scanned-header on;",
	  "c:1:16: expected `no' or `yes' for `scanned-header', found `on'\n" },
	{ "a truth in capitals", LISTENER("trust-headers YES;"),
	  "c:1:82: expected `no' or `yes' for `trust-headers', found `YES': did you mean "
	  "`yes'?\n" },
	{ "unknown, one near", "hostnmae a;",
	  "c:1:1: unknown setting `hostnmae': did you mean `hostname'?\n" },
	{ "unknown, a third of it wrong", "hstnam a;",
	  "c:1:1: unknown setting `hstnam': did you mean `hostname'?\n" },
	{ "unknown block", "listner a { }",
	  "c:1:1: unknown setting `listner': did you mean `listener'?\n" },
	{ "unknown, none near", "frobnicate 1;", "c:1:1: unknown setting `frobnicate'\n" },
	{ "unknown in a listener", LISTENER("quue after;"),
	  "c:1:68: unknown setting `quue': did you mean `queue'?\n" },
	{ "long and unknown", "a123456789b123456789c123456789d123456789e 1;",
	  "c:1:1: unknown setting `a123456789b123456789c123456789d123456789...'\n" },
	{ "quoted name", "\"hostname\\n\" a;",
	  "c:1:1: expected the name of a setting, found `hostname\\x0a'\n" },
	{ "operator first", "= a;", "c:1:1: expected the name of a setting, found `='\n" },
	{ "include without quotes", "include x;",
	  "c:1:1: expected the path after `include' in \"\"\n" },
	{ "global in a listener", LISTENER("sessions 5;"),
	  "c:1:68: `sessions' stands outside of a listener, not here\n" },
	{ "policy in a listener", LISTENER("list l inline a;"),
	  "c:1:68: `list' stands outside of a listener, not here\n" },
	{ "listener's outside", "queue after;",
	  "c:1:1: `queue' stands in the block of a listener, not here\n" },
	{ "twice", "gateways 1;\ngateways 2;",
	  "c:2:1: `gateways' is given twice, first at c:1:1\n" },
	{ "twice in a listener", LISTENER("queue after; queue after;"),
	  "c:1:81: `queue' is given twice, first at c:1:68\n" },
	{ "no value", "hostname;", "c:1:9: expected a value for `hostname' before ;\n" },
	{ "too many values", "hostname a b;",
	  "c:1:12: expected ; since `hostname' takes 1 value, found `b'\n" },
	{ "too many addresses", "listener in { policy p; next-hop peer:1; address "
	  "[::1]:1 [::1]:2 [::1]:3 [::1]:4 [::1]:5 [::1]:6 [::1]:7 [::1]:8 [::1]:9 "
	  "[::1]:10 [::1]:11 [::1]:12 [::1]:13 [::1]:14 [::1]:15 [::1]:16 [::1]:17; }",
	  "c:1:185: expected ; since `address' takes at most 16 values, found `[::1]:17'\n" },
	{ "equals sign", "hostname = a;", "c:1:10: expected a value for `hostname', found `='\n" },
	{ "; forgotten", "hostname a\ngateways 1;", "c:2:1: expected ; before `gateways'\n" },
	{ "; forgotten before a listener", "hostname a\nlistener b { }",
	  "c:2:1: expected ; before `listener'\n" },
	{ "; forgotten in a listener", LISTENER("queue after\nprotocol smtp;"),
	  "c:2:1: expected ; before `protocol'\n" },
	{ "block behind a setting", "hostname a { }",
	  "c:1:1: `hostname' takes no block: expected ; after its value\n" },
	{ "bad host", "hostname a..b;",
	  "c:1:10: expected a host name like mx1.example.com for `hostname', found `a..b'\n" },
	{ "bad domain", "local-domains a.b *.c;",
	  "c:1:19: expected a domain like example.com or .example.com for `local-domains', "
	  "found `*.c'\n" },
	{ "dots", "local-domains ..a;", "c:1:15: expected a domain like example.com or "
	  ".example.com for `local-domains', found `..a'\n" },
	{ "bad mailbox", "postmaster postmaster;", "c:1:12: expected an address like "
	  "postmaster@example.com for `postmaster', found `postmaster'\n" },
	{ "mailbox with a line end", "postmaster \"a\\nb@c\";", "c:1:12: expected an address "
	  "like postmaster@example.com for `postmaster', found `a\\x0ab@c'\n" },
	{ "relative path", "state-directory var;", "c:1:17: expected a path that begins with / "
	  "for `state-directory', found `var'\n" },
	{ "path with a line end", "state-directory \"/a\\nb\";", "c:1:17: expected a path that "
	  "begins with / for `state-directory', found `/a\\x0ab'\n" },
	{ "long socket", "control-socket /3456789012345678901234567890123456789012345678901234"
	  "56789012345678901234567890123456789012345678901234567890;",
	  "c:1:16: the path of `control-socket' is longer than 107 bytes\n" },
	{ "no number", "gateways -1;",
	  "c:1:10: expected a number for `gateways', found `-1'\n" },
	{ "number too large", "gateways 257;",
	  "c:1:10: expected 0 to 256 for `gateways', found `257'\n" },
	{ "number too small", "inspectors 0;",
	  "c:1:12: expected 1 to 256 for `inspectors', found `0'\n" },
	{ "number beyond 64 bits", "gateways 18446744073709551616;",
	  "c:1:10: expected a number for `gateways', found `18446744073709551616'\n" },
	{ "no size", "memory-budget 5MB;", "c:1:15: expected a size like 640, 64K, 100M or 4G "
	  "for `memory-budget', found `5MB'\n" },
	{ "size too small", "memory-budget 5K;",
	  "c:1:15: expected 1M to 1024G for `memory-budget', found `5K'\n" },
	{ "size beyond 64 bits", "memory-budget 99999999999999G;", "c:1:15: expected a size "
	  "like 640, 64K, 100M or 4G for `memory-budget', found `99999999999999G'\n" },
	{ "time without unit", "journal-keep 90;", "c:1:14: expected a time like 500ms, 30s, "
	  "5m, 1h or 7d for `journal-keep', found `90'\n" },
	{ "time too short", "journal-keep 1s;",
	  "c:1:14: expected 1h to 36500d for `journal-keep', found `1s'\n" },
	{ "no such word", "log sylog;", "c:1:5: expected `auto', `stderr', `syslog' or "
	  "`journald' for `log', found `sylog': did you mean `syslog'?\n" },
	{ "the word for unset", LISTENER("bare-newline \"\";"), "c:1:81: expected `reject' or "
	  "`repair' for `bare-newline', found `'\n" },
	{ "host bits", "trusted-relays ::1 192.0.2.1/24;", "c:1:20: expected the network of "
	  "the address, 192.0.2.0/24, for `trusted-relays', found `192.0.2.1/24'\n" },
	{ "host bits of IPv6", "trusted-relays 2001:db8::1/32;", "c:1:16: expected the network "
	  "of the address, 2001:db8::/32, for `trusted-relays', found `2001:db8::1/32'\n" },
	{ "no network", "trusted-relays 192.0.2.0/33;", "c:1:16: expected a network like "
	  "192.0.2.0/24 or 2001:db8::/32 for `trusted-relays', found `192.0.2.0/33'\n" },
	{ "listener without block", "listener a;",
	  "c:1:11: expected { after `listener' and its name\n" },
	{ "listener without name", "listener { address [::1]:1; policy p; next-hop peer:1; }",
	  "c:1:1: expected a name after `listener'\n" },
	{ "listener with two names", "listener a b { address [::1]:1; policy p; next-hop "
	  "peer:1; }", "c:1:12: expected { after the name of the listener\n" },
	{ "bad listener name", "listener a/b { address [::1]:1; policy p; next-hop peer:1; }",
	  "c:1:10: expected a name of letters, digits, . - and _ for `listener', found `a/b'\n" },
	{ "empty listener", "listener a { }", "c:1:1: expected `address' in listener `a'\n"
	  "c:1:1: expected `policy' in listener `a'\n"
	  "c:1:1: expected `next-hop' in listener `a'\n" },
	{ "bad setting is not missing", "listener a { address; policy; next-hop; }",
	  "c:1:21: expected a value for `address' before ;\n"
	  "c:1:29: expected a value for `policy' before ;\n"
	  "c:1:39: expected a value for `next-hop' before ;\n" },
	{ "listener twice", LISTENER("") "\nlistener in { address [::1]:1; policy p; next-hop "
	  "peer:1; }", "c:2:1: listener `in' is given twice, first at c:1:1\n" },
	{ "address twice", LISTENER("") "\nlistener b { address [::1]:1 [::ffff:127.0.0.1]:1; "
	  "policy p; next-hop peer:1; }",
	  "c:2:30: this is an address of listener `in' already\n" },
	{ "socket twice in one", "listener b { address unix:/a unix:/a; policy p; next-hop "
	  "peer:1; }", "c:1:30: this is an address of listener `b' already\n" },
	{ "loop", "listener b { address [::1]:1; policy p; next-hop [::1]:2 [::1]:1; }",
	  "c:1:58: expected another next hop: this is the listener's own address\n" },
};

#define ADDRESS(value) "listener a { address " value "; policy p; next-hop peer:1; }"
#define HOP(value) "listener a { address [::1]:1; policy p; next-hop " value "; }"
#define AT_ADDRESS(what, value) "c:1:22: " what " for `address', found `" value "'\n"
#define AT_HOP(what, value) "c:1:50: " what " for `next-hop', found `" value "'\n"
static const struct { const char *name, *in, *out; } bad_endpoints[] = {
	{ "name", ADDRESS("mx.example.com:25"), AT_ADDRESS("expected the IP address of the "
	  "host, since names are not looked up,", "mx.example.com:25") },
	{ "localhost is for next hops", ADDRESS("localhost:25"), AT_ADDRESS("expected the IP "
	  "address of the host, since names are not looked up,", "localhost:25") },
	{ "star", ADDRESS("*:25"), AT_ADDRESS("expected an IP address before the port", "*:25") },
	{ "no port", ADDRESS("127.0.0.1"), AT_ADDRESS("expected ADDRESS:PORT or unix:/path",
	  "127.0.0.1") },
	{ "no address", ADDRESS(":25"), AT_ADDRESS("expected ADDRESS:PORT or unix:/path",
	  ":25") },
	{ "port 0", ADDRESS("127.0.0.1:0"), AT_ADDRESS("expected a port of 1 to 65535 after the "
	  "address", "127.0.0.1:0") },
	{ "port 65536", ADDRESS("127.0.0.1:65536"), AT_ADDRESS("expected a port of 1 to 65535 "
	  "after the address", "127.0.0.1:65536") },
	{ "no brackets", ADDRESS("::1:25"), AT_ADDRESS("expected brackets around the IPv6 "
	  "address, as in [::1]:10025", "::1:25") },
	{ "brackets without port", ADDRESS("[::1]"), AT_ADDRESS("expected a port of 1 to 65535 "
	  "after the address", "[::1]") },
	{ "relative socket", ADDRESS("unix:a"), AT_ADDRESS("expected a path that begins with / "
	  "after the colon", "unix:a") },
	{ "mistyped address", HOP("192.0.2.256:25"), AT_HOP("expected an IP address before the "
	  "port", "192.0.2.256:25") },
	{ "name", HOP("mx.example.com:25"), AT_HOP("expected the IP address of the host, since "
	  "names are not looked up,", "mx.example.com:25") },
	{ "name in brackets", HOP("lmtp:[mx.example.com]:25"), AT_HOP("expected the IP address "
	  "of the host, since names are not looked up,", "lmtp:[mx.example.com]:25") },
	{ "two kinds", HOP("lmtp:[::1]:2 [::1]:3"), "c:1:63: expected next hops of one kind for "
	  "`next-hop', each with its prefix, found `[::1]:3'\n" },
	{ "two peers", HOP("peer:1 peer:2"), AT_HOP("expected only one next hop of this kind",
	  "peer:1") },
	{ "peer without port", HOP("peer:"), AT_HOP("expected a port of 1 to 65535 after the "
	  "colon", "peer:") },
	{ "relative maildir", HOP("maildir:a"), AT_HOP("expected a path that begins with / after "
	  "the colon", "maildir:a") },
	{ "empty", HOP("\"\""), AT_HOP("expected ADDRESS:PORT or unix:/path", "") },
	{ "line end in a path", HOP("\"unix:/a\\n\""), AT_HOP("expected a path without control "
	  "characters", "unix:/a\\x0a") },
};

static void
check_bad(const char *name, const char *in, const char *out)
{
	struct memory m = { .ok = false };

	print_message("# %s\n", name);
	assert_null(memory_settings(&m, in));
	assert_true(m.ok);
	assert_string_equal(buf_text(&m.complaints.text), out);
	memory_free(&m);
}

static void
test_bad(void **state)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check_bad(bad[i].name, bad[i].in, bad[i].out);
	for (size_t i = 0; i < COUNT_OF(bad_endpoints); i++)
		check_bad(bad_endpoints[i].name, bad_endpoints[i].in, bad_endpoints[i].out);
}

static void
test_too_many_listeners(void **state)
{
	struct memory m = { .ok = false };

	for (unsigned i = 1; i <= 257; i++)
		buf_printf(&m.out, "listener l%u { address [::1]:%u; policy p; next-hop peer:1; }\n",
		    i, i);
	assert_null(memory_settings(&m, buf_text(&m.out)));
	assert_string_equal(buf_text(&m.complaints.text),
	    "c:257:1: there are more than 256 listeners\n");
	memory_free(&m);
}

static void
test_too_many_scanners(void **state)
{
	struct memory m = { .ok = false };

	for (unsigned i = 1; i <= 65; i++)
		buf_printf(&m.out, "scanner s%u { type clamd; at [::1]:%u; }\n", i, i);
	assert_null(memory_settings(&m, buf_text(&m.out)));
	assert_string_equal(buf_text(&m.complaints.text),
	    "c:65:1: there are more than 64 scanners\n");
	memory_free(&m);
}

static void
without_marks(struct buf *b)
{
	static const char mark[] = "\t# default";
	char *text = buf_text(b), *found;

	while ((found = strstr(text, mark)) != NULL) {
		memmove(found, found + strlen(mark), strlen(found + strlen(mark)) + 1);
		b->to -= strlen(mark);
	}
}

/* What is shown, read again, is shown alike. */
static void
check_round_trip(struct memory *m, const struct settings *s)
{
	struct memory again = { .ok = false };

	settings_show(s, &m->out);
	struct settings *same = memory_settings(&again, buf_text(&m->out));

	assert_clean(&again);
	assert_non_null(same);
	settings_show(same, &again.out);
	without_marks(&m->out);
	assert_string_equal(buf_text(&again.out), buf_text(&m->out));
	memory_free(&again);
}

static void
test_round_trip(void **state)
{
	struct memory m = { .ok = false };
	struct buf text = { 0 };
	const char *last = "";

	for (size_t i = 0; i < COUNT_OF(global_values); i++)
		if (strcmp(global_values[i].name, last) != 0)
			buf_printf(&text, "%s %s;\n", last = global_values[i].name,
			    global_values[i].value);
	buf_printf(&text, "listener a { address [::1]:1 \"unix:/a \\\"b\"; policy p;\n"
	    "next-hop \"unix:/c d\" localhost:5;");
	for (size_t i = 0; i < COUNT_OF(listener_values); i++)
		if (strcmp(listener_values[i].name, last) != 0)
			buf_printf(&text, "%s %s;\n", last = listener_values[i].name,
			    listener_values[i].value);
	buf_printf(&text, "}\n" CLAMD("cache 7;") "scanner t { type spamd; at [::1]:1; user u; }"
	    "scanner u { type rspamd; at [::1]:1; password x; }"
	    "scanner v { type command; command /bin/x \"a\\n\"; infected-pattern /x\\/y/; "
	    "unscannable-status 7; }");
	buf_printf(&text, "list l inline a \"b\" { c; }\npolicy p { otherwise accept; }");
	struct settings *s = memory_settings(&m, buf_text(&text));

	assert_clean(&m);
	check_round_trip(&m, s);
	assert_null(strstr(buf_text(&m.out), "is not set"));
	assert_non_null(strstr(buf_text(&m.out), "\nlist l inline a \"b\" {\n\tc;\n}\n"
	    "\npolicy p {\n\totherwise accept;\n}\n"));
	memory_free(&m);
	buf_free(&text);
}

static void
test_marks(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, "gateways 0;" LISTENER("cache-count 20;"));

	settings_show(s, &m.out);
	assert_shown(&m, "gateways", "0", "");
	assert_shown(&m, "inspectors", "4", "\t# default");
	assert_shown(&m, "cache-count", "20", "");
	assert_shown(&m, "deadline", "8m", "\t# default");
	assert_non_null(strstr(buf_text(&m.out), "# hostname is not set\n"));
	memory_free(&m);
}

/* The configuration of the package, with the values its comments speak of. */
static void
test_shipped(void **state)
{
	struct memory m = { .ok = false };
	struct buf text = { 0 };
	FILE *f = fopen(SHIPPED_CONF, "r");

	assert_non_null(f);
	buf_added(&text, fread(buf_room(&text, 65536), 1, 65536, f));
	fclose(f);
	struct settings *s = memory_settings(&m, buf_text(&text));

	assert_clean(&m);
	assert_int_equal(s->listener_count, 2);
	assert_string_equal(s->listeners[0].name, "inbound");
	assert_int_equal(s->listeners[0].size_limit, 200u << 20);
	assert_string_equal(s->listeners[1].name, "outgoing");
	assert_int_equal(s->listeners[1].addresses[1].port, 10026);
	assert_int_equal(s->listeners[1].next_hop.endpoints[0].port, 10025);
	check_round_trip(&m, s);
	memory_free(&m);
	buf_free(&text);
}

/* Every setting that is shown is in the manual, with its default. */
static void
test_manual(void **state)
{
	struct memory m = { .ok = false };
	struct settings *s = memory_settings(&m, LISTENER("") CLAMD("")
	    "scanner t { type rspamd; at [::1]:1; }" "scanner u { type spamd; at [::1]:1; }"
	    "scanner v { type command; command /bin/x; }");
	struct buf manual = { 0 };
	char name[64], line[70];
	size_t names = 0, served = 0;

	settings_show(s, &m.out);
	settings_manual(&manual);
	for (char *p = buf_text(&m.out); p != NULL; p = strchr(p, '\n')) {
		if (sscanf(p += strspn(p, "#\n\t "), "%63[a-z-]", name) != 1 ||
		    strcmp(name, "listener") == 0 || strcmp(name, "scanner") == 0)
			continue;
		names++;
		snprintf(line, sizeof line, "\n*%s* ", name);
		assert_non_null(strstr(buf_text(&manual), line));
	}
	for (size_t i = 0; i < schema_scanner.count; i++)
		for (size_t c = 0; c < s->scanner_count; c++)
			served += row_serves(&schema_scanner.rows[i], s->scanners[c].type);
	assert_true(served > 2 * schema_scanner.count);
	assert_int_equal(names, schema_global.count + schema_listener.count + served);
	assert_non_null(strstr(buf_text(&manual), "\n*cache-time* _time_\n\tHow long a "
	    "content is remembered at most. For clamd and icap. Default: 1h.\n\n"));
	assert_non_null(strstr(buf_text(&manual), "\n*scanned-header* *no* | *yes*\n"));
	assert_non_null(strstr(buf_text(&manual), " is asked. For clamd, spamd, rspamd and icap. "
	    "Required.\n"));
	assert_non_null(strstr(buf_text(&manual), "\n*queue* *after* | *before*\n\tWhether"));
	assert_non_null(strstr(buf_text(&manual), "\n*inspector-cpu* _time_\n\tProcessor time "
	    "that the examination of one message may take. Default: 20s.\n\n"));
	buf_free(&manual);
	memory_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_global_defaults),
		cmocka_unit_test(test_listener_defaults),
		cmocka_unit_test(test_scanner_defaults),
		cmocka_unit_test(test_dependent_defaults),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_many_listeners),
		cmocka_unit_test(test_too_many_scanners),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
