/*
 * log.c - see log.h.
 *
 * journald gets its native form (the line as MESSAGE, and the event as a field to
 * search by), syslog the form of RFC 3164 section 4 as syslog(3) sends it.
 */
#include "sys/log.h"
#include "lib/base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { KIND_UNKNOWN = 0, KIND_FILE, KIND_OTHER };
enum { TARGET_AUTO = 0, TARGET_STDERR, TARGET_SYSLOG, TARGET_JOURNALD };

#define IDENT           "sallyport"
#define FACILITY_MAIL   (2 << 3)
#define VALUE_BYTES     400             /* of one value, before escaping */
/* A write of at most PIPE_BUF bytes never mixes with another's: room is left for time
   and process. */
#define LINE_BYTES      (PIPE_BUF - 512)

static const char syslog_path[] = "/dev/log";
static const char journal_path[] = "/run/systemd/journal/socket";

static const char *const event_names[EVENT_COUNT] = {
	[EVENT_START] = "start",
	[EVENT_READY] = "ready",
	[EVENT_RELOAD] = "reload",
	[EVENT_STOP] = "stop",
	[EVENT_PROCESS_ENDED] = "process-ended",
	[EVENT_CONFIG_ERROR] = "config-error",
	[EVENT_LISTEN] = "listen",
	[EVENT_SANDBOX] = "sandbox",
	[EVENT_MAIL] = "mail",
	[EVENT_SESSION] = "session",
	[EVENT_NEXT_HOP] = "next-hop",
	[EVENT_PRESSURE] = "pressure",
	[EVENT_INSPECTOR] = "inspector",
	[EVENT_STORE] = "store",
	[EVENT_LEDGER] = "ledger",
	[EVENT_SCANNER] = "scanner",
	[EVENT_CONTROL] = "control",
	[EVENT_HELD] = "held",
	[EVENT_HELD_RELEASED] = "held-released",
};

static bool
connect_to(int fd, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, path, strlen(path) + 1);
	return connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0;
}

static enum status
open_socket(struct log *log, const char *path, struct error *err)
{
	log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log->fd >= 0 && connect_to(log->fd, path))
		return ST_OK;
	enum status st = fail(err, ST_TEMP, "log", "%s: %s", path, strerror(errno));

	if (log->fd >= 0 && log->target <= TARGET_JOURNALD)
		close(log->fd);
	log->fd = -1;
	return st;
}

static enum status
open_stderr(struct log *log, struct error *err)
{
	log->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return log->fd >= 0 ? ST_OK
	    : fail(err, ST_TEMP, "log", "standard error: %s", strerror(errno));
}

static int
choose_target(void)
{
	if (getenv("JOURNAL_STREAM") != NULL && access(journal_path, W_OK) == 0)
		return TARGET_JOURNALD;
	return access(syslog_path, W_OK) == 0 && !isatty(STDERR_FILENO) ? TARGET_SYSLOG
	    : TARGET_STDERR;
}

enum status
log_open(struct log *log, int target, const char *name, struct error *err)
{
	tzset();        /* syslog's times are local; reading the zone needs a file */
	*log = (struct log){ .fd = -1, .name = name,
		.target = target == TARGET_AUTO ? choose_target() : target };
	if (log->target == TARGET_STDERR)
		return open_stderr(log, err);
	return open_socket(log, log->target == TARGET_SYSLOG ? syslog_path : journal_path,
	    err);
}

void
log_begin(struct log_line *line, struct log *log, enum log_event event,
    enum log_priority priority)
{
	*line = (struct log_line){ .log = log, .event = event, .priority = priority };
	buf_room(&line->text, 768);     /* most lines */
	buf_add(&line->text, span_text(event_names[event]));
}

/* A pair that would make the line too long is left out, and so are those after it. */
void
log_text(struct log_line *line, const char *key, struct span value)
{
	size_t was = line->text.to;

	if (line->cut)
		return;
	buf_byte(&line->text, ' ');
	buf_add(&line->text, span_text(key));
	buf_byte(&line->text, '=');
	text_value(&line->text, value, VALUE_BYTES);
	line->cut = buf_len(&line->text) > LINE_BYTES;
	if (line->cut) {
		line->text.to = was;
		buf_add(&line->text, SPAN_LIT(" ..."));
	}
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	log_text(line, key, span_text(text));
}

void
log_word(struct log_line *line, const char *key, const char *value)
{
	log_text(line, key, value != NULL ? span_text(value) : SPAN_NONE);
}

static bool
send_datagram(const struct log *log, struct span bytes)
{
	struct iovec iov = { (void *)(uintptr_t)bytes.ptr, bytes.len };

	return sendmsg(log->fd, &(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 },
	    MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/*
 * A syslog daemon that was restarted has a new socket.  All processes hold the same open
 * socket, so the first that may connect heals it for all.
 */
static bool
send_line(const struct log *log, struct span bytes, const char *path)
{
	if (send_datagram(log, bytes))
		return true;
	return (errno == ECONNREFUSED || errno == ENOTCONN) && connect_to(log->fd, path) &&
	    send_datagram(log, bytes);
}

static bool
to_syslog(const struct log_line *line)
{
	struct span text = buf_span(&line->text);
	time_t now = time(NULL);
	char date[32];
	struct tm tm;
	struct buf b = { 0 };

	localtime_r(&now, &tm);
	strftime(date, sizeof date, "%b %e %H:%M:%S", &tm);
	buf_printf(&b, "<%d>%s " IDENT "[%d]: ", FACILITY_MAIL | (int)line->priority,
	    date, (int)getpid());
	buf_add(&b, text);
	bool sent = send_line(line->log, buf_span(&b), syslog_path);

	buf_free(&b);
	return sent;
}

/* The line has no newline in it, so the simple form KEY=value\n will do. */
static bool
to_journald(const struct log_line *line)
{
	struct buf b = { 0 };

	buf_printf(&b, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=" IDENT
	    "\nSALLYPORT_EVENT=%s\nMESSAGE=", (int)line->priority, FACILITY_MAIL >> 3,
	    event_names[line->event]);
	buf_add(&b, buf_span(&line->text));
	buf_byte(&b, '\n');
	bool sent = send_line(line->log, buf_span(&b), journal_path);

	buf_free(&b);
	return sent;
}

/* A file never blocks; a pipe that is writable takes PIPE_BUF bytes at once. */
static bool
takes_a_line(struct log *log)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };
	struct stat st;

	if (log->kind == KIND_UNKNOWN)
		log->kind = fstat(log->fd, &st) == 0 && S_ISREG(st.st_mode) ? KIND_FILE :
		    KIND_OTHER;
	return log->kind == KIND_FILE || (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0);
}

static bool
to_stderr(const struct log_line *line)
{
	struct timespec now;
	char date[TEXT_TIME_BYTES];
	struct buf b = { 0 };

	if (!takes_a_line(line->log))
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	text_time(date, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	buf_printf(&b, "%s ", date);
	buf_add(&b, buf_span(&line->text));
	buf_byte(&b, '\n');
	ssize_t n = write(line->log->fd, b.ptr + b.from, buf_len(&b));

	buf_free(&b);
	return n >= 0;
}

void
log_end(struct log_line *line)
{
	static bool (*const send_to[])(const struct log_line *) = {
		[TARGET_AUTO] = to_stderr,
		[TARGET_STDERR] = to_stderr,
		[TARGET_SYSLOG] = to_syslog,
		[TARGET_JOURNALD] = to_journald,
	};
	struct log *log = line->log;
	bool sent = false;

	if (log->name != NULL) {
		buf_add(&line->text, SPAN_LIT(" process="));
		text_value(&line->text, span_text(log->name), 100);
	}
	if (log->fd >= 0 && log->target <= TARGET_JOURNALD)
		sent = send_to[log->target](line);
	log->dropped += !sent;
	buf_free(&line->text);
}

void
log_event(struct log *log, enum log_event event, enum log_priority priority, ...)
{
	struct log_line line;
	const char *key;
	va_list ap;

	log_begin(&line, log, event, priority);
	va_start(ap, priority);
	while ((key = va_arg(ap, const char *)) != NULL)
		log_word(&line, key, va_arg(ap, const char *));
	va_end(ap);
	log_end(&line);
}
