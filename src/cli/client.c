/*
 * client.c - see client.h.
 */
#include "src/cli/client.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
add_word(struct buf *line, const char *word)
{
	if (*word != '\0' && strpbrk(word, " \t\n\"") == NULL) {
		buf_add(line, span_text(word));
		return;
	}
	buf_byte(line, '"');
	for (; *word != '\0'; word++) {
		if (*word == '\\' || *word == '"')
			buf_byte(line, '\\');
		buf_byte(line, *word == '\n' ? ' ' : (uint8_t)*word);
	}
	buf_byte(line, '"');
}

void
client_line(struct buf *line, char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_byte(line, ' ');
		add_word(line, words[i]);
	}
	buf_byte(line, '\n');
}

static int
connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof name.sun_path)
		return fd < 0 ? -1 : (close(fd), errno = ENAMETOOLONG, -1);
	strcpy(name.sun_path, path);
	if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
		return fd;
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

static bool
send_all(int fd, struct span bytes)
{
	for (size_t at = 0; at < bytes.len;) {
		ssize_t n = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* The first line says how to understand the rest, which goes on as it comes. */
static enum answer
copy_answer(FILE *in)
{
	char line[64], bytes[16384];
	size_t n;

	if (fgets(line, sizeof line, in) == NULL) {
		fprintf(stderr, "sallyport: no answer\n");
		return ANSWER_NONE;
	}
	bool error = strcmp(line, "error\n") == 0;
	FILE *out = error ? stderr : stdout;

	if (error)
		fputs("sallyport: ", out);
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
		fwrite(bytes, 1, n, out);
	if (fflush(out) != 0)
		return ANSWER_BAD;
	return strcmp(line, "ok\n") == 0 ? ANSWER_OK : ANSWER_BAD;
}

enum answer
client_ask(const char *path, struct span line)
{
	int fd = connect_to(path);

	if (fd < 0) {
		fprintf(stderr, "sallyport: %s: %s%s\n", path, strerror(errno),
		    errno == ENOENT || errno == ECONNREFUSED ? ": not running?" : "");
		return ANSWER_NONE;
	}
	FILE *in = send_all(fd, line) ? fdopen(fd, "r") : NULL;

	if (in == NULL) {
		fprintf(stderr, "sallyport: %s: %s\n", path, strerror(errno));
		close(fd);
		return ANSWER_NONE;
	}
	enum answer answer = copy_answer(in);

	fclose(in);
	return answer;
}
