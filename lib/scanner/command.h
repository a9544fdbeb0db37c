/*
 * command.h - a command as a scanner: from its exit status and output to a report.
 *
 * The message is its standard input; what counts is the exit status, and a pattern for its
 * output, as in amavisd-new's @av_scanners: exit status 0 is clean, 1 infected, and
 * /^stream: (\S+) FOUND$/m finds the names.
 *
 *     it was not started, killed, or had no more time   FAILED
 *     the pattern matches                      INFECTED, whatever the exit status is but
 *                                              an unexpected one
 *     exit status among `infected'             INFECTED, named or not
 *     exit status among `unscannable'          UNSCANNABLE
 *     exit status among `clean'                CLEAN
 *     any other exit status                    FAILED, with the output's last line
 *
 * A pattern that gives up (its steps are used up) makes clean FAILED: nobody knows.
 */
#ifndef LIB_SCANNER_COMMAND_H
#define LIB_SCANNER_COMMAND_H
#include "lib/config/settings.h"
#include "lib/pattern/regex.h"
#include "lib/scanner/scanner.h"

/* How a run of a command ended. */
enum command_how {
	COMMAND_EXITED = 0,     /* number: exit status */
	COMMAND_KILLED,         /* number: signal      */
	COMMAND_TIMED_OUT,      /* number: none        */
	COMMAND_NOT_STARTED,    /* why tells           */
	COMMAND_HOWS,
};

#define COMMAND_OUTPUT_BYTES 61440u     /* that are looked at; more is dropped */

struct command_end {
	enum command_how how;
	uint32_t     number;
	struct span  why;       /* NOT_STARTED: one line for people              */
	struct span  output;    /* standard output and error, in order of writing */
	bool         cut;       /* there was more output                         */
};

static inline bool
command_status_has(const struct statuses *s, uint8_t status)
{
	return (s->bits[status / 64] >> status % 64 & 1) != 0;
}

/* Status in two of the sets: infected before unscannable before clean. */
struct command_rules {
	struct statuses clean, infected, unscannable;
	const struct regex *pattern;    /* NULL: none.  Capture 1 is the name, or the whole
	                                   match where it has no capture              */
};

/* The report is all in the arena. */
void command_report(const struct command_rules *, const struct command_end *, struct arena *,
    struct scan_report *);
#endif
