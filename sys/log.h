/*
 * log.h - one line an event: `event key=value key=value`.
 *
 * The event names are the closed list below.  Texts from the net go through
 * text_value: control characters and quotes escaped, length cut.  A line is one
 * datagram (syslog, journald) or one write (stderr, with an RFC 3339 time in UTC) of at
 * most 4096 bytes: pairs beyond give way to "...".  A full socket drops the line and
 * counts it, it never blocks.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H
#include "lib/base/base.h"
#include "lib/base/buf.h"

enum log_event {
	EVENT_START = 0,        /* master: version, configuration revision     */
	EVENT_READY,            /* a process is ready; what is not locked down */
	EVENT_RELOAD, EVENT_STOP,
	EVENT_PROCESS_ENDED,    /* died or left: status, restart               */
	EVENT_CONFIG_ERROR,
	EVENT_LISTEN,           /* listening, or cannot                        */
	EVENT_SANDBOX,
	EVENT_MAIL,             /* one line a message: the record in brief     */
	EVENT_SESSION,          /* a session that ended badly: why             */
	EVENT_NEXT_HOP,         /* a next hop failed, or came back             */
	EVENT_PRESSURE,         /* 421/452 for memory, disk, queue             */
	EVENT_INSPECTOR,        /* fault of an inspector job                   */
	EVENT_STORE,            /* store trouble                               */
	EVENT_LEDGER,           /* recipient skipped or entered                */
	EVENT_SCANNER,          /* a scanner's server is down, or up again    */
	EVENT_CONTROL,          /* a command on the control socket             */
	EVENT_HELD,             /* a mail is held, or still, or has expired    */
	EVENT_HELD_RELEASED,    /* and what became of it                       */
	EVENT_COUNT,
};

enum log_priority { LOG_IS_ERROR = 3, LOG_IS_WARNING = 4, LOG_IS_NOTICE = 5, LOG_IS_INFO = 6 };

/* Values as lib/config's enum log_target, resolved: 1 stderr, 2 syslog, 3 journald.
   name, if not NULL, ends each line as process=NAME ("gateway/0").  fd -1: all is
   dropped. */
struct log { int fd, target; const char *name; uint64_t dropped; int kind; /* log.c's */ };

/* Opens the place: target 0 chooses journald where JOURNAL_STREAM is set, else syslog where
   /dev/log is and stderr is no terminal, else stderr.  Descriptor is close-on-exec. */
enum status log_open(struct log *, int target, const char *name, struct error *);

struct log_line { struct log *log; enum log_event event; enum log_priority priority;
	struct buf text; bool cut; };
void log_begin(struct log_line *, struct log *, enum log_event, enum log_priority);
void log_text(struct log_line *, const char *key, struct span value);
void log_number(struct log_line *, const char *key, uint64_t value);
void log_word(struct log_line *, const char *key, const char *value);
void log_end(struct log_line *);
/* All in one: keys and values are NUL-terminated texts, ended by NULL. */
void log_event(struct log *, enum log_event, enum log_priority, ...)
    __attribute__((sentinel));
#endif
