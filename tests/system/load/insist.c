/*
 * insist.c - a client that does not give up: sends each mail until it is taken or refused.
 *
 *   insist PORT CONNECTIONS MAILS
 *
 * Every mail is tried again after a 4xx or a broken connection, as an MTA would.  Every
 * 5th is from q@example.com (a rule may quarantine it), some are long, some go by BDAT,
 * and now and then the client leaves without waiting for the reply to the whole message.
 * For each mail a line goes to standard output:
 *
 *   ID CODE ENDS LOST DEFERRED
 *
 * the last reply (250, or 5xx), how often the message was sent to its end, and how many
 * of these ends got no reply, and a 4xx.  At least MAILS are sent, and more until SIGTERM
 * comes (to the whole process group); what is under way then is brought to its end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_WAIT_MS   100000
#define PAUSE_US        30000
#define LONG_BYTES      200000
#define LEAVE_EVERY     89              /* so many mails */
#define LONG_EVERY      53
#define CHUNKED_EVERY   3

struct worker {
	unsigned short port;
	int      fd;                    /* -1: none */
	unsigned mails_left;            /* on this connection */
	unsigned random;
	char     in[8192];
	size_t   in_len;
	char    *message;
	size_t   message_len;
};

struct fate { unsigned code, ends, lost, deferred; };

static volatile sig_atomic_t stopping;

static void
on_term(int sig)
{
	stopping = 1;
}

static unsigned
any(struct worker *w, unsigned below)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 16) % below;
}

static void
hang_up(struct worker *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->in_len = 0;
}

static bool
send_all(struct worker *w, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(w->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* False: nothing came. */
static bool
fill(struct worker *w)
{
	struct pollfd p = { w->fd, POLLIN, 0 };
	int ready;

	while ((ready = poll(&p, 1, REPLY_WAIT_MS)) < 0 && errno == EINTR)
		;
	ssize_t n = ready > 0 ? recv(w->fd, w->in + w->in_len, sizeof w->in - w->in_len, 0) : 0;

	if (n <= 0)
		return false;
	w->in_len += (size_t)n;
	return true;
}

/* The code of the next whole reply; 0: the connection is of no more use. */
static unsigned
reply(struct worker *w)
{
	for (;;) {
		char *end = memchr(w->in, '\n', w->in_len);

		if (end == NULL) {
			if (w->in_len == sizeof w->in || !fill(w))
				return 0;
			continue;
		}
		unsigned code = (unsigned)strtoul(w->in, NULL, 10);
		bool last = w->in[3] != '-';
		size_t line = (size_t)(end + 1 - w->in);

		memmove(w->in, end + 1, w->in_len -= line);
		if (last)
			return code;
	}
}

static bool
meet(struct worker *w)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(w->port),
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;

	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	w->mails_left = 1 + any(w, 30);
	if (connect(w->fd, (struct sockaddr *)&to, sizeof to) == 0 && reply(w) == 220 &&
	    send_all(w, "EHLO client.example.com\r\n", 25) && reply(w) == 250)
		return true;
	hang_up(w);
	return false;
}

static void
compose(struct worker *w, unsigned id)
{
	size_t filler = id % LONG_EVERY == 0 ? LONG_BYTES : 200 + id % 3000;
	int n = sprintf(w->message, "From: <sender@example.com>\r\nMessage-ID: <%u@example.com>\r\n"
	    "Subject: mail %u\r\nX-Load-Id: %u %zu\r\n\r\n", id, id, id, filler);

	for (size_t i = 0; i < filler; i++)
		w->message[(size_t)n + i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
	n += sprintf(w->message + (size_t)n + filler, "\r\nend of %u\r\n", id);
	w->message_len = (size_t)n + filler;
}

/* Up to the end of the message: false, with a code, when it did not come so far. */
static bool
send_message(struct worker *w, unsigned id, unsigned *code)
{
	char commands[300];
	bool chunked = id % CHUNKED_EVERY == 0;
	int n = sprintf(commands, "MAIL FROM:<%s@example.com>\r\nRCPT TO:<rcpt%u@example.org>\r\n",
	    id % 5 == 0 ? "q" : "sender", id);

	if (chunked)
		n += sprintf(commands + n, "BDAT %zu LAST\r\n", w->message_len);
	else
		n += sprintf(commands + n, "DATA\r\n");
	if (!send_all(w, commands, (size_t)n))
		return *code = 0, false;
	if (chunked && !send_all(w, w->message, w->message_len))
		return *code = 0, false;
	for (unsigned want = chunked ? 2 : 3; want > 0; want--)
		if ((*code = reply(w)) != 250 && *code != 354) {
			hang_up(w);
			return false;
		}
	return chunked || (send_all(w, w->message, w->message_len) && send_all(w, ".\r\n", 3)) ?
	    true : (*code = 0, false);
}

static void
try(struct worker *w, unsigned id, struct fate *f)
{
	unsigned code;

	if (w->fd < 0 && !meet(w))
		return;
	if (!send_message(w, id, &code)) {
		/* A chunk may have been at its end, unless the envelope was refused. */
		f->ends += id % CHUNKED_EVERY == 0 && code == 0;
		f->lost += id % CHUNKED_EVERY == 0 && code == 0;
		f->code = code >= 500 ? code : f->code;
		hang_up(w);
		return;
	}
	f->ends++;
	if (any(w, LEAVE_EVERY) == 0) {
		usleep(any(w, 30000));
		f->lost++;
		hang_up(w);
		return;
	}
	code = reply(w);
	f->lost += code == 0;
	f->deferred += code >= 400 && code < 500;
	if (code == 250 || code >= 500)
		f->code = code;
	if (code == 0 || code == 421 || --w->mails_left == 0)
		hang_up(w);
}

static void
insist(struct worker *w, unsigned id)
{
	struct fate f = { 0 };
	char line[80];

	compose(w, id);
	for (;;) {
		try(w, id, &f);
		if (f.code != 0)
			break;
		usleep(PAUSE_US + any(w, PAUSE_US));
	}
	int n = sprintf(line, "%u %u %u %u %u\n", id, f.code, f.ends, f.lost, f.deferred);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)         /* one line at once: whole */
		_exit(1);
}

static void
work(unsigned short port, unsigned first, unsigned step, unsigned mails)
{
	struct worker w = { .port = port, .fd = -1, .random = first * 7919 + 1 };

	w.message = malloc(LONG_BYTES + 1000);
	for (unsigned id = first; w.message != NULL && (id < mails || !stopping); id += step)
		insist(&w, id);
	_exit(0);
}

int
main(int argc, char **argv)
{
	unsigned connections = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	struct sigaction term = { .sa_handler = on_term };

	if (connections == 0)
		return 2;
	sigaction(SIGTERM, &term, NULL);
	for (unsigned i = 0; i < connections; i++)
		if (fork() == 0)
			work((unsigned short)atoi(argv[1]), i, connections,
			    (unsigned)atoi(argv[3]));
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
