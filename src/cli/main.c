/*
 * main.c - the command `sallyport`: its options, its subcommands, its help.
 */
#include "src/cli/client.h"
#include "src/cli/scan.h"
#include "src/master/configuration.h"
#include "src/master/master.h"
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_CONFIGURATION SYSCONFDIR "/sallyport/sallyport.conf"
#define DEFAULT_CONTROL       "/run/sallyport/control"

struct options { const char *configuration, *control; };

struct subcommand {
	const char *name, *arguments, *sentence;
	/* words: the subcommand and what follows it */
	int (*run)(const struct options *, int count, char **words);
};

static int
usage(const char *text, const char *word)
{
	fprintf(stderr, "sallyport: %s %s\ntry: sallyport help\n", text, word);
	return EX_USAGE;
}

/* NULL: the complaints have been printed. */
static struct configuration *
load(const char *path)
{
	struct complaints complaints = { 0 };
	struct configuration *c = configuration_load(path, &complaints);

	if (buf_len(&complaints.text) > 0)
		fputs(buf_text(&complaints.text), stderr);
	buf_free(&complaints.text);
	return c;
}

static int
run_daemon(const struct options *o, int count, char **words)
{
	bool quiet = count == 2 && strcmp(words[1], "--quiet") == 0;

	if (count > 1 && !quiet)
		return usage("daemon: unexpected", words[1]);
	struct configuration *c = load(o->configuration);

	if (c == NULL)
		return EX_CONFIG;
	int status = master_run(c, quiet);

	configuration_drop(&c);
	return status;
}

static bool
is_asked(const struct configuration *c, const struct scanner *s)
{
	struct fact_set gives = scanner_type_gives(s->type);

	for (size_t i = 0; i < c->settings->listener_count; i++) {
		struct fact_set named = policy_facts(policy_find(c->policies,
		    span_text(c->settings->listeners[i].policy)));

		if (fact_set_meets(&gives, &named))
			return true;
	}
	return false;
}

/* Good, but hardly meant so. */
static void
say_unasked(const char *path, const struct configuration *c)
{
	for (size_t i = 0; i < c->settings->scanner_count; i++)
		if (!is_asked(c, &c->settings->scanners[i]))
			printf("%s: no rule asks scanner `%s': it is never used\n", path,
			    c->settings->scanners[i].name);
}

static int
check_config(const char *path)
{
	struct configuration *c = load(path);

	if (c == NULL)
		return 1;
	printf("%s: good, revision %s\n", path, c->revision);
	say_unasked(path, c);
	configuration_drop(&c);
	return 0;
}

static int
show_config(const char *path)
{
	struct configuration *c = load(path);
	struct buf text = { 0 };

	if (c == NULL)
		return 1;
	settings_show(c->settings, &text);
	fwrite(buf_text(&text), 1, buf_len(&text), stdout);
	buf_free(&text);
	configuration_drop(&c);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int
run_config(const struct options *o, int count, char **words)
{
	if (count == 2 && strcmp(words[1], "check") == 0)
		return check_config(o->configuration);
	if (count == 2 && strcmp(words[1], "show") == 0)
		return show_config(o->configuration);
	return usage("config:", "check or show expected");
}

/*
 * Where the daemon listens.  A configuration with errors in it must not keep us from
 * asking it, so then a line with the setting will do.
 */
static void
find_control(const char *configuration, char path[256])
{
	struct complaints complaints = { 0 };
	struct configuration *c = configuration_load(configuration, &complaints);
	FILE *file = c == NULL ? fopen(configuration, "r") : NULL;
	char line[512];

	snprintf(
	    path, 256, "%s", c != NULL ? c->settings->control_socket : DEFAULT_CONTROL);
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, " control-socket %255[^ \t\n;]", path) == 1)
			break;
	if (c == NULL)
		fprintf(stderr,
		    "sallyport: %s has errors (sallyport config check); trying %s\n",
		    configuration, path);
	if (file != NULL)
		fclose(file);
	buf_free(&complaints.text);
	configuration_drop(&c);
}

static int
ask(const struct options *o, int count, char **words)
{
	struct buf line = { 0 };
	char path[256];

	if (o->control != NULL)
		snprintf(path, sizeof path, "%s", o->control);
	else
		find_control(o->configuration, path);
	client_line(&line, words, (size_t)count);
	enum answer answer = client_ask(path, buf_span(&line));

	buf_free(&line);
	return (int)answer;
}

static int
run_status(const struct options *o, int count, char **words)
{
	if (count > 2 || (count == 2 && strcmp(words[1], "--json") != 0 &&
	    strcmp(words[1], "--prometheus") != 0))
		return usage("status: unexpected", words[count - 1]);
	return ask(o, count, words);
}

static int
run_explain(const struct options *o, int count, char **words)
{
	if (count < 2)
		return usage("explain:", "the id of a message expected");
	return ask(o, count, words);
}

static int
run_scan(const struct options *o, int count, char **words)
{
	struct scan_order request;
	const char *wrong = scan_read(&request, count, words);
	struct configuration *c = wrong == NULL ? load(o->configuration) : NULL;
	int status = EX_CONFIG;

	if (wrong != NULL)
		status = usage("scan:", wrong);
	if (c != NULL)
		status = scan(&request, c);
	scan_forget(&request);
	configuration_drop(&c);
	return status;
}

static int
run_alone(const struct options *o, int count, char **words)
{
	return count > 1 ? usage("unexpected", words[1]) : ask(o, count, words);
}

static int
run_version(const struct options *o, int count, char **words)
{
	printf("sallyport %s\n", SALLYPORT_VERSION);
	return 0;
}

static int run_help(const struct options *, int, char **);

static const struct subcommand subcommands[] = {
	{ "daemon", "[--quiet]", "run in the foreground, for a service manager",
	    run_daemon },
	{ "config", "check", "read the configuration, say what is wrong with it",
	    run_config },
	{ "config", "show", "print every setting with its value", run_config },
	{ "status", "[--json|--prometheus]",
	    "how the daemon is: 0 well, 1 degraded, 2 not there", run_status },
	{ "track", "[OPTION...]", "search the journal: what became of which mail", ask },
	{ "explain", "[--json] ID", "why a mail met its fate: facts, rules, replies",
	    run_explain },
	{ "scan", "[OPTION...] FILE|-", "what would become of a mail, and why; no daemon "
	    "needed", run_scan },
	{ "reload", "", "take the configuration as it is on disk now", run_alone },
	{ "stop", "", "finish what is under way, then end", run_alone },
	{ "version", "", "print the version", run_version },
	{ "help", "", "print this", run_help },
};

static int
run_help(const struct options *o, int count, char **words)
{
	printf("usage: sallyport [-c FILE] [--control PATH] COMMAND\n\n"
	       "A content filter for mail servers: it takes mail at one door, examines it\n"
	       "and hands it on by the other, by the rules of a policy.\n\n");
	for (size_t i = 0; i < COUNT_OF(subcommands); i++) {
		char form[64];

		snprintf(form, sizeof form, "%s %s", subcommands[i].name,
		    subcommands[i].arguments);
		printf("  %-30s %s\n", form, subcommands[i].sentence);
	}
	printf(
	    "\n  -c, --config FILE              instead of %s\n"
	    "      --control PATH             the daemon's socket, instead of the "
	    "configured\n\n"
	    "First steps:\n"
	    "  sallyport config check         is the configuration good?\n"
	    "  sallyport status               is the daemon well, and what did it do?\n"
	    "  sallyport track                the last mails, each with its id\n"
	    "  sallyport explain ID           one of them, in full\n\n"
	    "Manuals: sallyport(8), sallyport.conf(5)\n",
	    DEFAULT_CONFIGURATION);
	return 0;
}

static int
run(const struct options *o, int count, char **words)
{
	if (count == 0) {
		run_help(o, 0, NULL);
		return EX_USAGE;
	}
	for (size_t i = 0; i < COUNT_OF(subcommands); i++)
		if (strcmp(words[0], subcommands[i].name) == 0)
			return subcommands[i].run(o, count, words);
	return usage("unknown command", words[0]);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "control", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct options options = { .configuration = DEFAULT_CONFIGURATION };
	int c;

	/* "+": what follows the subcommand is the subcommand's */
	while ((c = getopt_long(argc, argv, "+c:h", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			options.configuration = optarg;
			break;
		case 'C':
			options.control = optarg;
			break;
		case 'h':
			return run_help(&options, 0, NULL);
		case 'v':
			return run_version(&options, 0, NULL);
		default:
			return usage("see", "the options above");
		}
	return run(&options, argc - optind, argv + optind);
}
