/*
 * keep.c - an SMTP server that notes which mails it has taken, and fails now and then.
 *
 *   keep PORT FILE [SHARE]
 *
 * The mails are those of insist.c.  Before 250 is said a line goes to FILE:
 *
 *   ID WHAT         taken; taken and the reply not sent (lost); cut (not whole)
 *
 * One message in SHARE (0: none) meets each of: 451 and 550 to RCPT, 451, 552 and a
 * closed connection at its end, and a reply that is lost; and each reply to a message
 * waits for up to 20 ms.  Half of the connections are offered CHUNKING.  A process a
 * connection, all of one process group; SIGKILL loses nothing that was answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 400000

struct talk {
	int      fd, file;
	unsigned share, random;
	char     in[ROOM];
	size_t   in_len, message_len;
	char     message[ROOM];
	char     out[4096];
	size_t   out_len;
	bool     refused, chunks;
};

static unsigned
any(struct talk *t, unsigned below)
{
	t->random = t->random * 1103515245u + 12345u;
	return (t->random >> 16) % below;
}

static bool
happens(struct talk *t)
{
	return t->share > 0 && any(t, t->share) == 0;
}

static void
flush(struct talk *t)
{
	for (size_t sent = 0; sent < t->out_len;) {
		ssize_t n = send(t->fd, t->out + sent, t->out_len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0);
		sent += (size_t)n;
	}
	t->out_len = 0;
}

static void
say(struct talk *t, const char *line)
{
	if (t->out_len + strlen(line) > sizeof t->out)
		flush(t);
	memcpy(t->out + t->out_len, line, strlen(line));
	t->out_len += strlen(line);
}

static void
fill(struct talk *t)
{
	flush(t);
	ssize_t n = t->in_len < ROOM ? recv(t->fd, t->in + t->in_len, ROOM - t->in_len, 0) : 0;

	if (n <= 0)
		_exit(0);
	t->in_len += (size_t)n;
}

static void
take(struct talk *t, size_t n)
{
	memmove(t->in, t->in + n, t->in_len -= n);
}

/* Is the message whole? */
static bool
is_whole(struct talk *t, unsigned *id)
{
	char end[40];
	size_t filler;
	char *field, *body;

	t->message[t->message_len] = '\0';
	field = strstr(t->message, "\r\nX-Load-Id: ");
	body = field != NULL ? strstr(field, "\r\n\r\n") : NULL;
	*id = 0;
	if (body == NULL || sscanf(field + 13, "%u %zu", id, &filler) != 2)
		return false;
	int n = sprintf(end, "\r\nend of %u\r\n", *id);

	return strlen(body + 4) == filler + (size_t)n && strcmp(body + 4 + filler, end) == 0;
}

static void
note(struct talk *t, unsigned id, const char *what)
{
	char line[60];
	int n = sprintf(line, "%u %s\n", id, what);

	if (write(t->file, line, (size_t)n) != n)
		_exit(1);
}

static void
end_of_message(struct talk *t)
{
	unsigned id;
	bool whole = is_whole(t, &id), lost = happens(t);

	if (t->share > 0)
		usleep(any(t, 20000));
	if (happens(t))
		_exit(0);
	if (happens(t))
		say(t, "451 4.3.0 later\r\n");
	else if (happens(t))
		say(t, "552 5.3.4 never\r\n");
	else {
		note(t, id, !whole ? "cut" : lost ? "lost" : "taken");
		if (lost)
			_exit(0);
		say(t, "250 2.0.0 Ok: queued\r\n");
	}
	t->refused = false;
	t->message_len = 0;
}

static void
read_data(struct talk *t)
{
	char *end;

	while ((end = memmem(t->in, t->in_len, "\r\n.\r\n", 5)) == NULL)
		fill(t);
	t->message_len = (size_t)(end + 2 - t->in);
	memcpy(t->message, t->in, t->message_len);
	take(t, t->message_len + 3);
	end_of_message(t);
}

static void
read_chunk(struct talk *t, const char *line)
{
	size_t size = strtoul(line + 5, NULL, 10);
	bool last = strstr(line, "LAST") != NULL;

	while (t->in_len < size)
		fill(t);
	if (t->message_len + size >= ROOM)
		_exit(1);
	memcpy(t->message + t->message_len, t->in, size);
	t->message_len += size;
	take(t, size);
	if (t->refused) {
		say(t, "503 5.5.1 no recipient\r\n");
		t->message_len = 0;
	} else if (last)
		end_of_message(t);
	else
		say(t, "250 2.0.0 chunk\r\n");
}

static void
recipient(struct talk *t)
{
	const char *answer = happens(t) ? "451 4.2.0 full\r\n" :
	    happens(t) ? "550 5.1.1 unknown\r\n" : "250 2.1.5 Ok\r\n";

	t->refused = answer[0] != '2';
	say(t, answer);
}

static void
command(struct talk *t, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		say(t, t->chunks ? "250-hop\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n" :
		    "250-hop\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
	else if (strncasecmp(line, "RCPT", 4) == 0)
		recipient(t);
	else if (strncasecmp(line, "BDAT", 4) == 0)
		read_chunk(t, line);
	else if (strncasecmp(line, "DATA", 4) == 0 && t->refused)
		say(t, "554 5.5.1 no recipient\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0) {
		say(t, "354 go on\r\n");
		read_data(t);
	} else if (strncasecmp(line, "QUIT", 4) == 0)
		_exit(0);
	else {
		t->message_len = 0;             /* MAIL, RSET, NOOP */
		say(t, "250 2.0.0 Ok\r\n");
	}
}

static void
talk(int fd, int file, unsigned share)
{
	struct talk *t = calloc(1, sizeof *t);
	char line[1000], *end;
	int on = 1;

	if (t == NULL)
		_exit(1);
	*t = (struct talk){ .fd = fd, .file = file, .share = share,
	    .random = (unsigned)getpid() * 7919u, .chunks = getpid() % 2 == 0 };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	say(t, "220 hop\r\n");
	for (;;) {
		while ((end = memmem(t->in, t->in_len, "\r\n", 2)) == NULL)
			fill(t);
		size_t len = (size_t)(end - t->in);

		if (len >= sizeof line)
			_exit(1);
		memcpy(line, t->in, len);
		line[len] = '\0';
		take(t, len + 2);
		command(t, line);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, file;

	if (argc < 3)
		return 2;
	here.sin_port = htons((unsigned short)atoi(argv[1]));
	file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (file < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) != 0 ||
	    listen(listener, 128) != 0) {
		perror("keep");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			close(listener);
			talk(fd, file, argc > 3 ? (unsigned)atoi(argv[3]) : 0);
		}
		if (fd >= 0)
			close(fd);
	}
}
