/*
 * test_runner.c - the executable, driven as the master and a gateway do, with shell scripts
 * as the scanners.
 *
 * argv: the runner.  The scripts and the runner's directory are in a folder of the test.
 */
#include "lib/config/settings.h"
#include "lib/packet/packet.h"
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE "Subject: test\r\n\r\nThe body of it.\r\n"

struct site { const char *program; char home[64]; uint16_t port; int listener; };

/* cmocka hands a test nothing but its own state. */
static struct site *
site(void)
{
	static struct site one;

	return &one;
}

struct run { int master, gateway; pid_t pid; uint32_t serial; uint64_t timeout; };

/* --- files -------------------------------------------------------------------------- */

static void
in_home(char out[PATH_MAX], const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", site()->home, name);
}

static void
write_script(const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX];

	in_home(path, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static size_t
folder_entries(const char *name)
{
	char path[PATH_MAX];
	const struct dirent *d;
	size_t n = 0;

	in_home(path, name);
	DIR *stream = opendir(path);

	assert_non_null(stream);
	while ((d = readdir(stream)) != NULL)
		n += d->d_name[0] != '.';
	closedir(stream);
	return n;
}

static bool
soon(bool (*is)(const void *), const void *what)
{
	for (int i = 0; i < 3000; i++, usleep(10000))
		if (is(what))
			return true;
	return false;
}

static bool
is_empty(const void *what)
{
	return folder_entries("run") == 0;
}

/* --- the executable ----------------------------------------------------------------- */

static int
make_bundle(const char *scanners)
{
	struct buf text = { 0 };
	uint8_t bytes[8192];
	struct pack p = { bytes, 0, sizeof bytes, false };

	buf_printf(&text, "hostname mx.example.com;\nrunner-directory %s/run;\n%s\n"
	    "listener in { address 127.0.0.1:10024; queue after; policy p; "
	    "next-hop 127.0.0.1:10025; }\npolicy p { otherwise accept; }\n", site()->home,
	    scanners);
	bundle_pack(&p, &(struct bundle_item){ "/etc/sallyport.conf", buf_span(&text) }, 1);
	buf_free(&text);
	assert_false(p.full);
	return ipc_memory("bundle", (struct span){ bytes, p.len });
}

static void
send_packet(int to, const struct pack *p, const int *fds, size_t count)
{
	assert_false(p->full);
	assert_int_equal(ipc_send(to, (struct span){ p->ptr, p->len }, fds, count), IPC_OK);
}

static void
send_empty(int to, enum packet_type type, uint32_t serial)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, type, serial);

	send_packet(to, &p, NULL, 0);
}

static void
send_setup(struct run *r, const char *scanners)
{
	static uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_SETUP, 0);
	const struct packet_setup setup = { .index = 3, .log_target = LOG_STDERR,
		.hostname = SPAN_LIT("mx.example.com") };
	int fds[] = { make_bundle(scanners), ipc_shared("counters", 4096), dup(2),
		ipc_shared("ledger", 4096) };

	packet_put_setup(&p, &setup);
	send_packet(r->master, &p, fds, COUNT_OF(fds));
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void
send_link(struct run *r)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_LINK, 0);
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	packet_put_link(&p, &(struct packet_link){ .kind = PROCESS_GATEWAY });
	send_packet(r->master, &p, &ends[1], 1);
	close(ends[1]);
	r->gateway = ends[0];
}

static enum packet_type
receive(int from, int ms, uint32_t *serial, struct unpack *body)
{
	static uint8_t bytes[PACKET_BYTES];
	size_t len, count;

	if (!ipc_wait(from, ms))
		return PACKET_NONE;
	if (ipc_receive(from, bytes, sizeof bytes, &len, NULL, 0, &count) != IPC_OK)
		return PACKET_NONE;
	return packet_open((struct span){ bytes, len }, serial, body);
}

static void
run_program(struct run *r)
{
	struct error err;
	int ends[2];

	assert_int_equal(ipc_pair(ends, &err), ST_OK);
	*r = (struct run){ .master = ends[0], .gateway = -1, .timeout = 60000 };
	r->pid = fork();
	if (r->pid == 0) {
		if (ends[1] != 3)
			dup2(ends[1], 3);
		fcntl(3, F_SETFD, 0);
		execl(site()->program, "sallyport-runner", "3", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
}

static void
run_start(struct run *r, const char *scanners)
{
	struct unpack body;
	uint32_t serial;

	run_program(r);
	send_setup(r, scanners);
	send_link(r);
	send_empty(r->master, PACKET_START, 0);
	assert_int_equal(receive(r->master, 20000, &serial, &body), PACKET_READY);
}

/* One scanner, the script `scan' in the test's folder. */
static void
run_script(struct run *r, const char *text, const char *options)
{
	char scanners[1000];

	write_script("scan", text, 0755);
	snprintf(scanners, sizeof scanners, "scanner s { type command; command %s/scan "
	    "first \"second; third\"; %s }", site()->home, options);
	run_start(r, scanners);
}

/* Exit status, or minus the signal; 999 if it does not end. */
static int
run_end(struct run *r)
{
	int status, tries = 0;

	if (r->gateway >= 0)
		close(r->gateway);
	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (++tries > 1000) {
			kill(r->pid, SIGKILL);
			waitpid(r->pid, &status, 0);
			return 999;
		}
		usleep(10000);
	}
	close(r->master);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static uint32_t
ask(struct run *r, const char *message)
{
	uint8_t bytes[PACKET_BYTES];
	struct pack p = packet_begin(bytes, PACKET_RUN, ++r->serial);
	int fd = ipc_memory("message", span_text(message));
	const struct packet_run run = { 0, r->timeout, SPAN_LIT("0123456789abcdef"),
		SPAN_LIT("a\n$(id)@x.example"), SPAN_LIT("192.0.2.1") };

	packet_put_run(&p, &run);
	int fresh = ipc_reopen(fd);

	send_packet(r->gateway, &p, &fresh, 1);
	close(fresh);
	close(fd);
	return r->serial;
}

struct answer { uint32_t serial; struct command_end end; char output[COMMAND_OUTPUT_BYTES + 1]; };

static bool
hear(struct run *r, int ms, struct answer *a)
{
	struct unpack body;

	if (receive(r->gateway, ms, &a->serial, &body) != PACKET_RAN)
		return false;
	assert_true(packet_take_ran(&body, &a->end));
	memcpy(a->output, a->end.output.ptr, a->end.output.len);
	a->output[a->end.output.len] = '\0';
	return true;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- one command -------------------------------------------------------------------- */

#define SH "#!/bin/sh\n"

/* output: what it is, or "~" and what it holds.  PORT and HOME are put in. */
static const struct row {
	const char *name, *script, *options;
	enum command_how how;
	uint32_t number;
	const char *output;
} rows[] = {
	{ "reads the message", SH "cat", "", COMMAND_EXITED, 0, MESSAGE },
	{ "exit status", SH "exit 3", "", COMMAND_EXITED, 3, "" },
	{ "both outputs, in order", SH "echo a; echo b >&2; echo c; exit 1", "",
	  COMMAND_EXITED, 1, "a\nb\nc\n" },
	{ "arguments", SH "echo $#:$1:$2", "", COMMAND_EXITED, 0, "2:first:second; third\n" },
	{ "environment", SH "env | grep -v '^PWD=\\|^SHLVL=\\|^_=\\|^OLDPWD=\\|DIR=\\|HOME=' | sort", "",
	  COMMAND_EXITED, 0, "LANG=C\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
	  "/sbin:/bin\nSALLYPORT_CLIENT=192.0.2.1\nSALLYPORT_ID=0123456789abcdef\n"
	  "SALLYPORT_SENDER=a?$(id)@x.example\n" },
	{ "descriptors", "#!/usr/bin/python3\nimport os\nfor n in range(100):\n"
	  "    try: os.fstat(n); print(n)\n    except OSError: pass\n", "",
	  COMMAND_EXITED, 0, "0\n1\n2\n" },
	{ "no writing to the message", SH "echo x >>/dev/stdin && exit 9; cat", "",
	  COMMAND_EXITED, 0, "~" MESSAGE },
	{ "never reads", SH "exit 0", "", COMMAND_EXITED, 0, "" },
	{ "ended by a signal", SH "kill -9 $$", "", COMMAND_KILLED, 9, "" },
	{ "a folder of its own", SH "echo x >$TMPDIR/a && mkdir -p d/e && cp $TMPDIR/a d/e && "
	  "mv d/e f && cat f/a && ln -s /etc link && mkfifo p && ls $HOME", "",
	  COMMAND_EXITED, 0, "x\na\nd\nf\nlink\np\n" },
	{ "may throw away", SH "echo x >/dev/null && echo ok", "", COMMAND_EXITED, 0, "ok\n" },
	{ "not into /etc", SH "echo x >/etc/sallyport-test && exit 9; exit 5", "",
	  COMMAND_EXITED, 5, "~" },
	{ "not beside its folder", SH "echo x >HOME/evil; echo x >HOME/run/evil; "
	  "test -e HOME/evil -o -e HOME/run/evil && exit 9; exit 5", "", COMMAND_EXITED, 5, "~" },
	{ "not into /tmp or /dev/shm", SH "for d in /tmp /var/tmp /dev/shm; do "
	  "echo x 2>&- >$d/sallyport-test && exit 9; done; exit 5", "", COMMAND_EXITED, 5, "~" },
	{ "no new user namespace", SH "unshare -U true 2>&- && exit 9; exit 5", "",
	  COMMAND_EXITED, 5, "~" },
	{ "no network", "#!/usr/bin/python3\nimport socket\n"
	  "for family in (socket.AF_INET, socket.AF_INET6):\n"
	  "    try: socket.socket(family); raise SystemExit(9)\n    except OSError as e: print(e.errno)\n"
	  "socket.socket(socket.AF_UNIX)\n", "", COMMAND_EXITED, 0, "1\n1\n" },
	{ "network, where it may", "#!/usr/bin/python3\nimport socket\n"
	  "print(socket.create_connection(('127.0.0.1', PORT)).getpeername()[0])\n",
	  "network yes;", COMMAND_EXITED, 0, "127.0.0.1\n" },
	{ "too large a file", SH "truncate -s 1200000000 big", "", COMMAND_EXITED, 153, "~" },
	{ "too much memory", "#!/usr/bin/python3\nbytearray(5 << 30)\n", "",
	  COMMAND_EXITED, 1, "~MemoryError" },
	{ "too slow", SH "sleep 60", "timeout 500ms;", COMMAND_TIMED_OUT, 0, "" },
	{ "too slow, and deaf", SH "trap '' TERM; while :; do sleep 1; done", "timeout 300ms;",
	  COMMAND_TIMED_OUT, 0, "~" },
	{ "too slow, but polite", SH "trap 'echo bye; exit 0' TERM; sleep 60 & wait",
	  "timeout 300ms;", COMMAND_TIMED_OUT, 0, "bye\n" },
	{ "stands still", SH "kill -STOP $$", "timeout 300ms;", COMMAND_TIMED_OUT, 0, "" },
	{ "leaves a child behind", SH "sleep 60 & echo started", "", COMMAND_EXITED, 0, "started\n" },
	{ "leaves a daemon behind", SH "setsid sh -c 'setsid sleep 60 & sleep 61' & sleep 0.1; echo started",
	  "", COMMAND_EXITED, 0, "started\n" },
	/* landlock of Linux 6.12 */
	{ "cannot harm its guard", SH "kill -9 $PPID; kill -9 -1; echo alive", "", COMMAND_EXITED, 0,
	  "~alive" },
};

static void
replace(char *out, size_t cap, const char *in)
{
	size_t n = 0;

	while (*in != '\0' && n + 80 < cap)
		if (strncmp(in, "PORT", 4) == 0) {
			n += (size_t)snprintf(out + n, cap - n, "%u", site()->port);
			in += 4;
		} else if (strncmp(in, "HOME/", 5) == 0) {
			n += (size_t)snprintf(out + n, cap - n, "%s/", site()->home);
			in += 5;
		} else {
			out[n++] = *in++;
		}
	out[n] = '\0';
}

static bool
nobody_is_left(const void *what)
{
	char text[PATH_MAX];
	const struct dirent *d;
	bool none = true;
	DIR *stream = opendir("/proc");

	while (none && (d = readdir(stream)) != NULL) {
		char path[300];

		snprintf(path, sizeof path, "/proc/%s/environ", d->d_name);
		int fd = open(path, O_RDONLY);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;

		if (n > 0 && memmem(text, (size_t)n, site()->home, strlen(site()->home)) != NULL &&
		    memmem(text, (size_t)n, "SALLYPORT_ID", 12) != NULL)
			none = false;
		if (fd >= 0)
			close(fd);
	}
	closedir(stream);
	return none;
}

static void
check_row(const struct row *row)
{
	static struct answer a;
	char script[2000];
	struct run r;

	replace(script, sizeof script, row->script);
	run_script(&r, script, row->options);
	ask(&r, MESSAGE);
	assert_true(hear(&r, 20000, &a));
	bool part = row->output[0] == '~';

	if (a.end.how != row->how || a.end.number != row->number ||
	    (part ? strstr(a.output, row->output + 1) == NULL : strcmp(a.output, row->output) != 0))
		fail_msg("%s: how %d, number %u, why %.*s, output:\n%s", row->name, a.end.how,
		    a.end.number, (int)a.end.why.len, (const char *)a.end.why.ptr, a.output);
	if (!soon(nobody_is_left, NULL))
		fail_msg("%s: somebody is left", row->name);
	if (!soon(is_empty, NULL))
		fail_msg("%s: its folder is left", row->name);
	assert_int_equal(run_end(&r), 0);
}

static void
test_commands(void **state)
{
	bool scoped = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 6;

	for (size_t i = 0; i < COUNT_OF(rows) - !scoped; i++) {
		print_message("# %s\n", rows[i].name);
		check_row(&rows[i]);
	}
}

static void
test_not_started(void **state)
{
	static const struct { const char *text; mode_t mode; const char *why; } table[] = {
		{ SH, 0644, "Permission denied" },
		{ "#!/no/such/shell\n", 0755, "No such file" },
		{ "neither program nor script", 0755, "Exec format error" },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		static struct answer a;
		struct run r;

		run_script(&r, SH, "");
		write_script("scan", table[i].text, table[i].mode);
		ask(&r, MESSAGE);
		assert_true(hear(&r, 10000, &a));
		assert_int_equal(a.end.how, COMMAND_NOT_STARTED);
		assert_non_null(memmem(a.end.why.ptr, a.end.why.len, table[i].why,
		    strlen(table[i].why)));
		assert_int_equal(run_end(&r), 0);
	}
}

static void
test_much_output(void **state)
{
	static struct answer a;
	struct run r;

	run_script(&r, SH "head -c 1000000000 /dev/zero | tr '\\0' x; exit 2", "");
	ask(&r, MESSAGE);
	assert_true(hear(&r, 30000, &a));
	assert_int_equal(a.end.how, COMMAND_EXITED);
	assert_int_equal(a.end.number, 2);
	assert_int_equal(a.end.output.len, COMMAND_OUTPUT_BYTES);
	assert_true(a.end.cut);
	assert_int_equal(run_end(&r), 0);
}

/* Deeper than a path is long, folders that may not be entered, names in our own manner. */
static void
test_wild_folder(void **state)
{
	static struct answer a;
	struct run r;

	run_script(&r, "#!/usr/bin/python3\nimport os\n"
	    "for k in range(2):\n"
	    "    os.mkdir('top%d' % k); os.chdir('top%d' % k)\n"
	    "    for n in range(600):\n"
	    "        open('file', 'w').close(); os.mkdir('.moved-%d' % (n % 50)); os.chdir('.moved-%d' % (n % 50))\n"
	    "    os.chdir(os.environ['TMPDIR'])\n"
	    "for n in range(300): open('f%d' % n, 'w').close()\n"
	    "os.mkdir('closed'); open('closed/f', 'w').close(); os.mkdir('closed/in'); os.chmod('closed', 0)\n"
	    "os.symlink('/etc', '.moved-1'); os.chmod('.', 0)\n", "");
	ask(&r, MESSAGE);
	assert_true(hear(&r, 20000, &a));
	if (a.end.number != 0)
		fail_msg("%s", a.output);
	assert_true(soon(is_empty, NULL));
	assert_int_equal(run_end(&r), 0);
}

/* --- several ------------------------------------------------------------------------ */

static void
test_slots(void **state)
{
	static struct answer a;
	unsigned ran = 0, refused = 0;
	struct run r;

	run_script(&r, SH "sleep 1; exit 1", "slots 4;");
	for (int i = 0; i < 50; i++)
		ask(&r, MESSAGE);
	for (int i = 0; i < 50; i++) {
		assert_true(hear(&r, 10000, &a));
		ran += a.end.how == COMMAND_EXITED && a.end.number == 1;
		refused += a.end.how == COMMAND_NOT_STARTED;
	}
	assert_int_equal(ran, 4);
	assert_int_equal(refused, 46);
	ask(&r, MESSAGE);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.end.how, COMMAND_EXITED);
	assert_int_equal(run_end(&r), 0);
}

/* Each gets its own message, whatever the others read. */
static void
test_side_by_side(void **state)
{
	static struct answer a;
	char message[40], wanted[40];
	uint32_t first;
	struct run r;

	run_script(&r, SH "sleep 0.2; cat", "slots 20;");
	first = r.serial + 1;
	for (int i = 0; i < 20; i++) {
		snprintf(message, sizeof message, "message %u", first + (uint32_t)i);
		ask(&r, message);
	}
	for (int i = 0; i < 20; i++) {
		assert_true(hear(&r, 20000, &a));
		snprintf(wanted, sizeof wanted, "message %u", a.serial);
		assert_string_equal(a.output, wanted);
	}
	assert_int_equal(run_end(&r), 0);
}

static void
test_cease(void **state)
{
	static struct answer a;
	struct run r;
	uint32_t last;

	run_script(&r, SH "setsid sleep 60 & sleep 60", "slots 1;");
	for (int i = 0; i < 3; i++) {
		uint32_t serial = ask(&r, MESSAGE);

		usleep(50000);
		send_empty(r.gateway, PACKET_CEASE, serial);
		assert_true(soon(nobody_is_left, NULL));
		assert_true(soon(is_empty, NULL));
	}
	send_empty(r.gateway, PACKET_CEASE, 12345);     /* nobody's */
	write_script("scan", SH "exit 7", 0755);
	last = ask(&r, MESSAGE);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.serial, last);
	assert_int_equal(a.end.number, 7);
	assert_int_equal(run_end(&r), 0);
}

static bool
started(const void *what)
{
	return folder_entries("run") > 0 && !nobody_is_left(NULL);
}

static void
begin_long(struct run *r)
{
	run_script(r, SH "setsid sleep 60 & sleep 60", "");
	ask(r, MESSAGE);
	assert_true(soon(started, NULL));
}

/* Whoever goes - gateway, the runner itself by force -, commands do not stay. */
static void
test_ends(void **state)
{
	struct run r;

	begin_long(&r);
	assert_int_equal(run_end(&r), 0);
	assert_true(soon(nobody_is_left, NULL));
	assert_true(soon(is_empty, NULL));
	begin_long(&r);
	kill(r.pid, SIGKILL);
	assert_true(soon(nobody_is_left, NULL));
	assert_true(soon(is_empty, NULL));
	assert_int_equal(run_end(&r), -SIGKILL);
}

static pid_t
child_of(pid_t pid)
{
	char path[64];
	int child = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	if (fscanf(f, "%d", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

/* The time that the mail has left may be less than the scanner's. */
static void
test_time_left(void **state)
{
	static struct answer a;
	uint64_t begin = now_ms();
	struct run r;

	run_script(&r, SH "sleep 60", "timeout 30s;");
	r.timeout = 400;
	ask(&r, MESSAGE);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.end.how, COMMAND_TIMED_OUT);
	assert_true(now_ms() - begin >= 400 && now_ms() - begin < 5000);
	assert_int_equal(run_end(&r), 0);
}

/* As the system does when memory is short. */
static void
test_guard_killed(void **state)
{
	static struct answer a;
	struct run r;

	begin_long(&r);
	assert_true(child_of(r.pid) > 0);
	kill(child_of(r.pid), SIGKILL);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.end.how, COMMAND_NOT_STARTED);
	assert_true(soon(nobody_is_left, NULL));
	write_script("scan", SH "exit 7", 0755);
	ask(&r, MESSAGE);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.end.number, 7);
	assert_int_equal(run_end(&r), 0);
	/* its folder is for the next start, but not while it may be young */
	assert_int_equal(folder_entries("run"), 1);
	char path[PATH_MAX], command[PATH_MAX + 40];

	in_home(path, "run");
	snprintf(command, sizeof command, "touch -d '2 minutes ago' %s/*", path);
	assert_int_equal(system(command), 0);
	run_script(&r, SH "exit 0", "");
	assert_true(is_empty(NULL));
	assert_int_equal(run_end(&r), 0);
}

/* One that stands still is late, and is ended with what came of it. */
static void
test_guard_stopped(void **state)
{
	static struct answer a;
	uint64_t begin = now_ms();
	struct run r;

	run_script(&r, SH "sleep 60", "timeout 500ms;");
	ask(&r, MESSAGE);
	assert_true(soon(started, NULL));
	kill(child_of(r.pid), SIGSTOP);
	assert_true(hear(&r, 20000, &a));
	assert_int_equal(a.end.how, COMMAND_TIMED_OUT);
	assert_true(now_ms() - begin < 9000);
	assert_true(soon(nobody_is_left, NULL));
	assert_int_equal(run_end(&r), 0);
	assert_int_equal(system("true"), 0);
}

static void
test_life(void **state)
{
	static struct answer a;
	struct unpack body;
	uint32_t serial;
	struct run r;

	run_script(&r, SH "exit 1", "");
	send_empty(r.master, PACKET_PING, 77);
	assert_int_equal(receive(r.master, 10000, &serial, &body), PACKET_PONG);
	assert_int_equal(serial, 77);
	/* DRAIN, and the master's own end, wait for the gateway */
	send_empty(r.master, PACKET_DRAIN, 0);
	shutdown(r.master, SHUT_RDWR);
	usleep(100000);
	ask(&r, MESSAGE);
	assert_true(hear(&r, 10000, &a));
	assert_int_equal(a.end.number, 1);
	assert_int_equal(run_end(&r), 0);
	/* without a gateway there is nothing to wait for */
	run_program(&r);
	send_setup(&r, "");
	send_empty(r.master, PACKET_START, 0);
	send_empty(r.master, PACKET_DRAIN, 0);
	assert_int_equal(run_end(&r), 0);
}

/* A gateway that does not keep to the contract ends this process, no other. */
static void
test_bad_request(void **state)
{
	struct run r;

	for (int i = 0; i < 3; i++) {
		uint8_t bytes[PACKET_BYTES];
		struct pack p = packet_begin(bytes, PACKET_RUN, 1);
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		run_script(&r, SH, "");
		packet_put_run(&p, &(struct packet_run){ .scanner = i == 0 ? 1 : 0 });
		if (i == 2)
			send_empty(r.gateway, PACKET_EXAMINE, 1);
		else
			send_packet(r.gateway, &p, &fd, i == 0 ? 1 : 0);
		close(fd);
		assert_int_equal(run_end(&r), 70);
	}
	run_program(&r);
	send_empty(r.master, PACKET_START, 0);
	assert_int_equal(run_end(&r), 70);
}

/* --- the site ----------------------------------------------------------------------- */

static void
listen_somewhere(struct site *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof at;

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind(s->listener, (struct sockaddr *)&at, sizeof at);
	listen(s->listener, 5);
	getsockname(s->listener, (struct sockaddr *)&at, &len);
	s->port = ntohs(at.sin_port);
}

static int
set_up(void **state)
{
	char path[PATH_MAX];

	strcpy(site()->home, "/tmp/sallyport-runner-XXXXXX");
	if (mkdtemp(site()->home) == NULL)
		return -1;
	chmod(site()->home, 0755);
	in_home(path, "run");
	listen_somewhere(site());
	return mkdir(path, 0700);
}

static int
tear_down(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof command, "rm -rf %s", site()->home);
	return system(command);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_much_output),
		cmocka_unit_test(test_wild_folder),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_cease),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_guard_killed),
		cmocka_unit_test(test_guard_stopped),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_bad_request),
	};

	if (argc != 2)
		return 2;
	site()->program = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
