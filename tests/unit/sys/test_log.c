/*
 * test_log.c - the lines as they leave, for each place, and what becomes of too much.
 */
#include "sys/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TO_STDERR = 1, TO_SYSLOG, TO_JOURNALD };

struct place { struct log log; int end; };

static void
place_init(struct place *p, int target, const char *name)
{
	int fds[2];

	if (target == TO_STDERR)
		assert_int_equal(pipe(fds), 0);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	*p = (struct place){ { .fd = fds[1], .target = target, .name = name }, fds[0] };
}

static void
place_finish(struct place *p)
{
	close(p->log.fd);
	close(p->end);
}

/* What came, as text; "" for nothing. */
static const char *
came(struct place *p)
{
	static char text[8192];
	ssize_t n = read(p->end, text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
write_mail(struct log *log, struct span subject)
{
	struct log_line line;

	log_begin(&line, log, EVENT_MAIL, LOG_IS_INFO);
	log_word(&line, "id", "abc");
	log_text(&line, "subject", subject);
	log_number(&line, "size", UINT64_MAX);
	log_end(&line);
}

#define MAIL(subject) "mail id=abc subject=" subject " size=18446744073709551615"

static void
test_stderr(void **state)
{
	struct place p;

	place_init(&p, TO_STDERR, NULL);
	write_mail(&p.log, SPAN_LIT("hello"));
	const char *line = came(&p);

	/* 2026-11-21T22:17:57.123Z */
	assert_true(strlen(line) > 25 && line[4] == '-' && line[10] == 'T' && line[19] == '.' &&
	    line[23] == 'Z' && line[24] == ' ');
	assert_string_equal(line + 25, MAIL("hello") "\n");
	place_finish(&p);
}

static void
test_syslog(void **state)
{
	struct place p;
	char want[200];
	const char *line;

	place_init(&p, TO_SYSLOG, "gateway/0");
	write_mail(&p.log, SPAN_LIT("hello"));
	line = came(&p);
	snprintf(want, sizeof want, " sallyport[%d]: " MAIL("hello") " process=gateway/0",
	    (int)getpid());
	/* <22>Nov 21 22:17:57 sallyport[1]: */
	assert_memory_equal(line, "<22>", 4);
	assert_true(line[7] == ' ' && line[10] == ' ' && line[13] == ':' && line[16] == ':');
	assert_string_equal(line + 19, want);
	place_finish(&p);
}

static void
test_journald(void **state)
{
	struct place p;

	place_init(&p, TO_JOURNALD, "store");
	log_event(&p.log, EVENT_STORE, LOG_IS_WARNING, "why", "disk is \"full\"", NULL);
	assert_string_equal(came(&p), "PRIORITY=4\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=sallyport\nSALLYPORT_EVENT=store\n"
	    "MESSAGE=store why=\"disk is \\\"full\\\"\" process=store\n");
	place_finish(&p);
}

static const struct { const char *name; struct span value; const char *out; } values[] = {
	{ "empty",      SPAN_LIT(""),                   "\"\"" },
	{ "blank",      SPAN_LIT("a b"),                "\"a b\"" },
	{ "newline",    SPAN_LIT("a\nMESSAGE=forged"),  "\"a\\x0aMESSAGE=forged\"" },
	{ "zero",       SPAN_LIT("a\0b"),               "a\\x00b" },
	{ "escape",     SPAN_LIT("\033[2J"),            "\\x1b[2J" },
};

/* One line stays one line, whatever the net has sent. */
static void
test_values(void **state)
{
	struct place p;
	char want[300];

	for (size_t i = 0; i < COUNT_OF(values); i++) {
		print_message("# %s\n", values[i].name);
		place_init(&p, TO_STDERR, NULL);
		write_mail(&p.log, values[i].value);
		snprintf(want, sizeof want, MAIL("%s") "\n", values[i].out);
		assert_string_equal(came(&p) + 25, want);
		place_finish(&p);
	}
}

/* Every event has a name; the list is closed and no name stands in it twice. */
static void
test_names(void **state)
{
	struct buf all = { 0 };
	struct place p;

	buf_byte(&all, ' ');
	place_init(&p, TO_STDERR, NULL);
	for (int i = 0; i < EVENT_COUNT; i++) {
		char word[64];

		log_event(&p.log, (enum log_event)i, LOG_IS_INFO, NULL);
		const char *line = came(&p) + 25;

		snprintf(word, sizeof word, " %.*s ", (int)strcspn(line, "\n"), line);
		assert_true(strlen(word) > 4);
		assert_null(strstr(buf_text(&all), word));
		buf_add(&all, span_text(word));
	}
	buf_free(&all);
	place_finish(&p);
}

static void
test_long_line(void **state)
{
	static const uint8_t many[5000] = { 0 };
	struct place p;
	struct log_line line;

	place_init(&p, TO_STDERR, "gateway/12");
	log_begin(&line, &p.log, EVENT_MAIL, LOG_IS_INFO);
	for (int i = 0; i < 20; i++)
		log_text(&line, "v", (struct span){ many, sizeof many });
	log_word(&line, "short", "after the cut");
	log_end(&line);
	const char *text = came(&p);

	assert_true(strlen(text) <= PIPE_BUF);
	assert_non_null(strstr(text, " ... process=gateway/12\n"));
	assert_null(strstr(text, "short"));
	place_finish(&p);
}

/* Returning at all shows that nothing waits. */
static void
test_full(void **state)
{
	for (int target = TO_STDERR; target <= TO_JOURNALD; target++) {
		struct place p;

		place_init(&p, target, NULL);
		for (int i = 0; i < 5000; i++)
			write_mail(&p.log, SPAN_LIT("hello"));
		assert_true(p.log.dropped > 0 && p.log.dropped < 5000);
		uint64_t dropped = p.log.dropped;

		while (*came(&p) != '\0')
			;
		write_mail(&p.log, SPAN_LIT("after"));
		assert_int_equal(p.log.dropped, dropped);
		assert_non_null(strstr(came(&p), "subject=after"));
		place_finish(&p);
	}
}

static void
test_nowhere(void **state)
{
	struct log log = { .fd = -1, .target = TO_SYSLOG };

	log_event(&log, EVENT_START, LOG_IS_NOTICE, "version", "1", NULL);
	assert_int_equal(log.dropped, 1);
}

static void
test_open(void **state)
{
	struct log log;
	struct error err;

	assert_int_equal(log_open(&log, TO_STDERR, "master", &err), ST_OK);
	assert_true(log.fd > 2 && log.target == TO_STDERR);
	assert_true(fcntl(log.fd, F_GETFD) & FD_CLOEXEC);
	close(log.fd);
	if (log_open(&log, 0, "master", &err) == ST_OK) {
		assert_in_range(log.target, TO_STDERR, TO_JOURNALD);
		close(log.fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_journald),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
