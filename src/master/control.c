/*
 * control.c - see control.h.
 */
#include "src/master/control.h"
#include "src/master/clock.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUESTIONS_MAX  32
#define PATIENCE_S     10       /* for a command to come, for an answer to be taken */

/* One connection. */
struct question {
	struct question *next;
	struct control  *control;
	struct event    *event;
	int              fd;
	struct buf       line, answer;
};

struct control {
	struct master   *master;
	struct event    *event;
	struct sockaddr_un name;
	int              fd;
	struct question *questions;
	size_t           question_count;
};

static void
drop_question(struct question *q)
{
	struct question **at = &q->control->questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->control->question_count--;
	event_free(q->event);
	if (q->fd >= 0)
		close(q->fd);
	buf_free(&q->line);
	buf_free(&q->answer);
	free(q);
}

static void
wait_for(struct question *q, short what, event_callback_fn callback)
{
	struct timeval patience = { PATIENCE_S, 0 };

	event_assign(q->event, q->control->master->base, q->fd, what, callback, q);
	event_add(q->event, &patience);
}

static void
send_answer(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;
	struct span rest = buf_span(&q->answer);
	ssize_t n = (what & EV_TIMEOUT) != 0 ? 0 :
	    send(q->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

	if (n > 0)
		buf_take(&q->answer, (size_t)n);
	if ((n < 0 && (errno == EAGAIN || errno == EINTR)) ||
	    (n > 0 && buf_len(&q->answer) > 0))
		wait_for(q, EV_WRITE, send_answer);
	else
		drop_question(q);
}

static void
log_command(struct question *q)
{
	struct log_line line;
	struct ucred peer = { 0 };
	socklen_t len = sizeof peer;

	getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	log_begin(&line, &q->control->master->log, EVENT_CONTROL, LOG_IS_INFO);
	log_text(&line, "command", buf_span(&q->line));
	log_number(&line, "uid", peer.uid);
	log_number(&line, "pid", (uint64_t)peer.pid);
	log_end(&line);
}

/* --- the commands: each fills q->answer --------------------------------------------- */

static void
answer_status(struct question *q, enum status_form form)
{
	struct buf text = { 0 };
	enum health health = status_print(q->control->master, form, &text);

	buf_printf(&q->answer, "%s\n", health == HEALTH_OK ? "ok" : "degraded");
	buf_add(&q->answer, buf_span(&text));
	buf_free(&text);
}

static void
run_status(struct question *q, struct span rest)
{
	if (rest.len == 0)
		answer_status(q, STATUS_TEXT);
	else if (span_equal(rest, SPAN_LIT("--json")))
		answer_status(q, STATUS_JSON);
	else if (span_equal(rest, SPAN_LIT("--prometheus")))
		answer_status(q, STATUS_PROMETHEUS);
	else
		buf_printf(
		    &q->answer, "error\nstatus: --json or --prometheus expected\n");
}

static void
run_reload(struct question *q, struct span rest)
{
	struct master *m = q->control->master;
	struct complaints complaints = { 0 };

	if (m->state != MASTER_SERVING) {
		buf_printf(&q->answer, "error\nnot while starting or ending\n");
		return;
	}
	if (master_reload(m, &complaints))
		buf_printf(&q->answer, "ok\nconfiguration revision %s\n",
		    m->configuration->revision);
	else
		buf_printf(&q->answer, "error\n%s", buf_text(&complaints.text));
	buf_free(&complaints.text);
}

static void
run_stop(struct question *q, struct span rest)
{
	buf_printf(&q->answer, "ok\nending: messages under way are finished first\n");
	master_end(q->control->master, "control socket");
}

/* The reader answers on the connection itself. */
static void
ask_reader(struct question *q, struct span rest)
{
	struct process *reader = children_find(q->control->master, PROCESS_READER, 0);
	uint8_t bytes[PACKET_BYTES];
	struct pack body = packet_begin(bytes, PACKET_CONTROL, 0);

	if (reader == NULL || reader->state != STATE_RUNNING) {
		buf_printf(&q->answer, "error\nthe store's reader is not running now\n");
		return;
	}
	pack_span(&body, buf_span(&q->line));
	process_send(reader, &body, &q->fd, 1);
}

struct command {
	const char *name;
	void      (*run)(struct question *, struct span rest);
};
static const struct command commands[] = {
	{ "status", run_status },
	{ "reload", run_reload },
	{ "stop", run_stop },
	{ "track", ask_reader },
	{ "explain", ask_reader },
};

static void
run_line(struct question *q)
{
	struct span line = buf_span(&q->line);
	size_t blank = span_find(line, ' ');
	struct span name = span_slice(line, 0, blank), rest = SPAN_NONE;

	if (blank < line.len)
		rest = span_slice(line, blank + 1, line.len);
	log_command(q);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (span_equal(name, span_text(commands[i].name))) {
			commands[i].run(q, rest);
			return;
		}
	buf_printf(&q->answer, "error\nunknown command\n");
}

static void
read_line(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;
	uint8_t *room = buf_room(&q->line, CONTROL_LINE_BYTES);
	ssize_t n =
	    (what & EV_TIMEOUT) != 0 ? 0 : recv(q->fd, room, CONTROL_LINE_BYTES, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		wait_for(q, EV_READ, read_line);
		return;
	}
	buf_added(&q->line, n > 0 ? (size_t)n : 0);
	size_t end = span_find(buf_span(&q->line), '\n');

	if (n <= 0 || end > CONTROL_LINE_BYTES) {
		drop_question(q);
	} else if (end == buf_len(&q->line)) {
		wait_for(q, EV_READ, read_line);
	} else {
		q->line.to = q->line.from + end;
		run_line(q);
		if (buf_len(&q->answer) > 0)
			send_answer(q->fd, EV_WRITE, q);
		else
			drop_question(q);
	}
}

static void
accept_question(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int connection = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (connection < 0)
		return;
	if (c->question_count == QUESTIONS_MAX) {
		close(connection);
		return;
	}
	struct question *q = must_alloc(sizeof *q);

	q->control = c;
	q->fd = connection;
	q->next = c->questions;
	c->questions = q;
	c->question_count++;
	q->event = event_new(c->master->base, connection, EV_READ, read_line, q);
	wait_for(q, EV_READ, read_line);
}

/* --- the socket --------------------------------------------------------------------- */

static enum status
bind_socket(int fd, const struct sockaddr_un *name, struct error *e)
{
	const struct group *group = getgrnam("sallyport");

	if (connect(fd, (const struct sockaddr *)name, sizeof *name) == 0)
		return fail(e, ST_PERM, "control",
		    "%s: another sallyport is running there", name->sun_path);
	unlink(name->sun_path);
	mode_t mask = umask(0117);
	int r = bind(fd, (const struct sockaddr *)name, sizeof *name);

	umask(mask);
	if (r < 0 || listen(fd, QUESTIONS_MAX) < 0)
		return fail(
		    e, ST_PERM, "control", "%s: %s", name->sun_path, strerror(errno));
	if (geteuid() == 0 && group != NULL &&
	    chown(name->sun_path, (uid_t)-1, group->gr_gid) < 0)
		return fail(
		    e, ST_PERM, "control", "%s: %s", name->sun_path, strerror(errno));
	return ST_OK;
}

enum status
control_open(struct master *m, struct error *e)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *path = m->configuration->settings->control_socket;

	if (strlen(path) >= sizeof name.sun_path)
		return fail(e, ST_PERM, "control", "the path of the socket is too long");
	strcpy(name.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail(e, ST_TEMP, "control", "%s", strerror(errno));
	if (bind_socket(fd, &name, e) != ST_OK) {
		close(fd);
		return ST_PERM;
	}
	struct control *c = must_alloc(sizeof *c);

	c->master = m;
	c->fd = fd;
	c->name = name;
	c->event = event_new(m->base, fd, EV_READ | EV_PERSIST, accept_question, c);
	event_add(c->event, NULL);
	m->control = c;
	return ST_OK;
}

void
control_close(struct master *m)
{
	struct control *c = m->control;

	m->control = NULL;
	if (c == NULL)
		return;
	while (c->questions != NULL)
		drop_question(c->questions);
	event_free(c->event);
	close(c->fd);
	unlink(c->name.sun_path);
	free(c);
}
