/*
 * test_sandbox.c - from inside: what each profile cannot do, and what it still can.
 *
 * Each row runs in a process of its own that enters the profile first.  Run by root, the
 * table is run a second time as another user, as the master starts the processes.
 */
#include "sys/ipc.h"
#include "sys/sandbox.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER 61003

/* What a probe may use, opened before the doors close. */
struct inside {
	char     spool[64], elsewhere[80], existing[80];
	int      pair[2];               /* a memfd waits in the second */
	uint16_t port;                  /* someone listens on 127.0.0.1 */
	pid_t    other;                 /* a process of the same user */
};

static int
result(long r)
{
	return r >= 0 ? 0 : errno;
}

static int
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return result(fd);
}

static int open_passwd(const struct inside *in) { return opens("/etc/passwd", O_RDONLY); }
static int open_root(const struct inside *in) { return opens("/", O_DIRECTORY); }
static int open_memory(const struct inside *in) { return opens("/proc/self/mem", O_RDWR); }

static int
create_elsewhere(const struct inside *in)
{
	return opens(in->elsewhere, O_RDWR | O_CREAT);
}

/* Landlock knows of it from ABI 3 on. */
static int
cut_existing(const struct inside *in)
{
	return result(truncate(in->existing, 0));
}

static int
stat_passwd(const struct inside *in)
{
	struct stat st;

	return result(stat("/etc/passwd", &st));
}

static int
make_socket(const struct inside *in)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int raw_socket(const struct inside *in) { return result(socket(AF_INET, SOCK_RAW, 1)); }
static int seqpacket(const struct inside *in)
{
	return result(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}
static int netlink(const struct inside *in) { return result(socket(AF_NETLINK, SOCK_DGRAM, 0)); }
static int kernel_crypto(const struct inside *in) { return result(socket(38, SOCK_STREAM, 0)); }
static int sctp(const struct inside *in) { return result(socket(AF_INET, SOCK_STREAM, 132)); }
/* The kernel sees a netlink socket in the lower half. */
static int
netlink_upper_bits(const struct inside *in)
{
	return result(syscall(SYS_socket, (1L << 32) | AF_NETLINK, SOCK_DGRAM, 0L));
}

static int
connect_to(int fd, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };

	return result(connect(fd, (struct sockaddr *)&to, sizeof to));
}

static int connect_any(const struct inside *in) { return connect_to(in->pair[0], in->port); }

static int
connect_tcp(const struct inside *in)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : connect_to(fd, in->port);
}

static int
socket_pair(const struct inside *in)
{
	int fds[2];

	return result(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

static int
accept_one(const struct inside *in)
{
	return result(syscall(SYS_accept, in->pair[0], NULL, NULL));
}

static int
execute(const struct inside *in)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execve("/bin/true", argv, argv + 1));
}

static int
execute_self(const struct inside *in)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(syscall(SYS_execveat, in->pair[0], "", argv, argv + 1, AT_EMPTY_PATH));
}

static int
make_process(const struct inside *in)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int make_clone3(const struct inside *in) { return result(syscall(SYS_clone3, NULL, 0)); }

#ifdef SYS_fork
static int
make_fork(const struct inside *in)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return result(pid);
}
#endif

static void *nothing(void *p) { return p; }

static int
make_thread(const struct inside *in)
{
	pthread_t t;
	int r = pthread_create(&t, NULL, nothing, NULL);

	return r != 0 ? r : pthread_join(t, NULL);
}

static int kill_other(const struct inside *in) { return result(kill(in->other, SIGCONT)); }
static int kill_all(const struct inside *in) { return result(kill(-1, SIGCONT)); }
static int kill_self(const struct inside *in) { return result(kill(getpid(), 0)); }
static int
thread_kill_other(const struct inside *in)
{
	return result(syscall(SYS_tgkill, in->other, in->other, 0));
}
static int
thread_kill_self(const struct inside *in)
{
	return result(syscall(SYS_tgkill, getpid(), gettid(), 0));
}

static int
trace_other(const struct inside *in)
{
	return result(ptrace(PTRACE_ATTACH, in->other, NULL, NULL));
}
static int load_bpf(const struct inside *in) { return result(syscall(SYS_bpf, 0, NULL, 0)); }
static int new_space(const struct inside *in) { return result(syscall(SYS_unshare, 0x10000000)); }
static int ring(const struct inside *in) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int keys(const struct inside *in) { return result(syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }
static int
type_into(const struct inside *in)
{
	return result(syscall(SYS_ioctl, 2, (1L << 32) | TIOCSTI, "x"));
}
static int change_mode(const struct inside *in) { return result(chmod(in->spool, 0777)); }
static int
make_device(const struct inside *in)
{
	return result(mknodat(AT_FDCWD, in->elsewhere, S_IFIFO | 0600, 0));
}

static int
set_limit(const struct inside *in)
{
	return result(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1, 1 }));
}

static int
read_limit(const struct inside *in)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_CORE, &r) < 0)
		return errno;
	return r.rlim_cur == 0 && r.rlim_max == 0 ? 0 : ERANGE;
}

/* Sanitizers reserve terabytes, and are let off. */
static int
too_much_memory(const struct inside *in)
{
	void *p = mmap(NULL, (size_t)1 << 32, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? 0 : errno;
}

static int
is_dumpable(const struct inside *in)
{
	return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0
	    : ERANGE;
}

static int
change_user(const struct inside *in)
{
	return result(setresuid(1, 1, 1));
}

static int
use_memory(int fd)
{
	char bytes[16];
	char *map = mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return errno;
	if (lseek(fd, 0, SEEK_END) != 5 || pread(fd, bytes, sizeof bytes, 0) != 5 ||
	    memcmp(map, bytes, 5) != 0)
		return ERANGE;
	return result(munmap(map, 5) | close(fd));
}

/* A job: a message's descriptor comes, is read, and an answer goes. */
static int
take_message(const struct inside *in)
{
	uint8_t packet[16];
	size_t len, count;
	int fd;

	if (!ipc_wait(in->pair[1], 0))
		return ETIME;
	if (ipc_receive(in->pair[1], packet, sizeof packet, &len, &fd, 1, &count) != IPC_OK ||
	    count != 1)
		return errno;
	int r = use_memory(fd);

	return r != 0 ? r : ipc_send(in->pair[1], SPAN_LIT("answer"), NULL, 0) == IPC_OK ? 0
	    : errno;
}

static int
use_heap(const struct inside *in)
{
	for (size_t size = 1; size < (size_t)16 << 20; size *= 4) {
		char *p = malloc(size);

		if (p == NULL)
			return ENOMEM;
		memset(p, 1, size);
		free(p);
	}
	return 0;
}

static int
set_timer(const struct inside *in)
{
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };
	struct itimerspec when = { .it_value = { 10, 0 } };
	timer_t timer;

	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer) < 0)
		return errno;
	return result(timer_settime(timer, 0, &when, NULL));
}

/* The message's way in the gateway: written, sealed, opened anew, sent on. */
static int
send_copy(const struct inside *in, int fd)
{
	int copy = ipc_reopen(fd);

	if (copy < 0)
		return errno;
	if (write(copy, "x", 1) >= 0)
		return ERANGE;
	return sendfile(in->pair[0], copy, NULL, 5) == 5 ? 0 : errno;
}

static int
memory_message(const struct inside *in)
{
	int fd = ipc_memory("message", SPAN_LIT("hello"));

	return fd < 0 ? errno : send_copy(in, fd);
}

/* An answer that is too long for a packet. */
static int
memory_answer(const struct inside *in)
{
	int fd = ipc_memory("answer", SPAN_LIT("hello"));

	if (fd < 0)
		return errno;
	int r = ipc_send(in->pair[1], SPAN_LIT("large"), &fd, 1) == IPC_OK ? 0 : errno;

	return r != 0 ? r : result(close(fd));
}

static int
unsealed_memory(const struct inside *in)
{
	return result(memfd_create("answer", MFD_CLOEXEC));
}

static int
huge_memory(const struct inside *in)
{
	return result(memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
}

static int grow_file(const struct inside *in) { return result(ftruncate(in->pair[1], 1)); }
static int copy_descriptor(const struct inside *in)
{
	return result(fcntl(in->pair[1], F_DUPFD, 0));
}

static int
spooled_message(const struct inside *in)
{
	int fd = open(in->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	return write(fd, "hello", 5) == 5 ? send_copy(in, fd) : errno;
}

static int
unix_sockets(const struct inside *in)
{
	int a = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int b = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int c = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);

	return a >= 0 && b >= 0 && (c >= 0 || errno == EAFNOSUPPORT) ? 0 : errno;
}

/* Write, make durable, move to another folder, read, remove. */
static int
keep_file(const struct inside *in)
{
	int dir = open(in->spool, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int fd = openat(dir, "new", O_CREAT | O_RDWR | O_CLOEXEC, 0640);

	if (fd < 0 || write(fd, "hello", 5) != 5 || fsync(fd) < 0 || ftruncate(fd, 4) < 0)
		return errno;
	if (mkdirat(dir, "sub", 0750) < 0 || renameat(dir, "new", dir, "sub/kept") < 0 ||
	    fsync(dir) < 0)
		return errno;
	return result(unlinkat(dir, "sub/kept", 0) | unlinkat(dir, "sub", AT_REMOVEDIR));
}

#ifdef __x86_64__
/* getpid by the calling conventions of i386 and x32: other numbers, unknown to the rules. */
static int
call_i386(const struct inside *in)
{
	int r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	return r > 0 ? 0 : ENOSYS;
}
static int call_x32(const struct inside *in) { return result(syscall(0x40000000 | 39)); }
#endif

#define KILLED (-SIGSYS)

static const struct { enum sandbox_profile profile; const char *name;
	int (*probe)(const struct inside *); int want; } rows[] = {
	{ SANDBOX_INSPECTOR, "open /etc/passwd",        open_passwd,      EPERM },
	{ SANDBOX_INSPECTOR, "open /",                  open_root,        EPERM },
	{ SANDBOX_INSPECTOR, "open own memory",         open_memory,      EPERM },
	{ SANDBOX_INSPECTOR, "create a file",           create_elsewhere, EPERM },
	{ SANDBOX_INSPECTOR, "stat",                    stat_passwd,      EPERM },
	{ SANDBOX_INSPECTOR, "socket",                  make_socket,      EPERM },
	{ SANDBOX_INSPECTOR, "connect",                 connect_any,      EPERM },
	{ SANDBOX_INSPECTOR, "socketpair",              socket_pair,      EPERM },
	{ SANDBOX_INSPECTOR, "execve",                  execute,          KILLED },
	{ SANDBOX_INSPECTOR, "execveat",                execute_self,     KILLED },
	{ SANDBOX_INSPECTOR, "new process",             make_process,     EPERM },
	{ SANDBOX_INSPECTOR, "kill another",            kill_other,       EPERM },
	{ SANDBOX_INSPECTOR, "tgkill another",          thread_kill_other, EPERM },
	{ SANDBOX_INSPECTOR, "tgkill itself",           thread_kill_self, 0 },
	{ SANDBOX_INSPECTOR, "ptrace",                  trace_other,      KILLED },
	{ SANDBOX_INSPECTOR, "bpf",                     load_bpf,         KILLED },
	{ SANDBOX_INSPECTOR, "unshare",                 new_space,        KILLED },
	{ SANDBOX_INSPECTOR, "io_uring",                ring,             KILLED },
	{ SANDBOX_INSPECTOR, "keyctl",                  keys,             KILLED },
	{ SANDBOX_INSPECTOR, "ioctl",                   type_into,        EPERM },
	{ SANDBOX_INSPECTOR, "raise a limit",           set_limit,        EPERM },
	{ SANDBOX_INSPECTOR, "no core",                 read_limit,       0 },
	{ SANDBOX_INSPECTOR, "too much memory",         too_much_memory,  ENOMEM },
	{ SANDBOX_INSPECTOR, "memfd by packet",         take_message,     0 },
	{ SANDBOX_INSPECTOR, "memory for an answer",    memory_answer,    0 },
	{ SANDBOX_INSPECTOR, "memory without seals",    unsealed_memory,  EPERM },
	{ SANDBOX_INSPECTOR, "huge pages",              huge_memory,      EPERM },
	{ SANDBOX_INSPECTOR, "ftruncate",               grow_file,        EPERM },
	{ SANDBOX_INSPECTOR, "fcntl",                   copy_descriptor,  EPERM },
	{ SANDBOX_INSPECTOR, "heap",                    use_heap,         0 },
	{ SANDBOX_INSPECTOR, "timer",                   set_timer,        0 },
#ifdef __x86_64__
	{ SANDBOX_INSPECTOR, "i386 call",               call_i386,        KILLED },
	{ SANDBOX_GATEWAY,   "i386 call",               call_i386,        KILLED },
	{ SANDBOX_GATEWAY,   "x32 call",                call_x32,         KILLED },
#endif

	{ SANDBOX_GATEWAY,   "open /etc/passwd",        open_passwd,      EACCES },
	{ SANDBOX_GATEWAY,   "open /",                  open_root,        EACCES },
	{ SANDBOX_GATEWAY,   "open own memory",         open_memory,      EACCES },
	{ SANDBOX_GATEWAY,   "create a file",           create_elsewhere, EACCES },
	{ SANDBOX_GATEWAY,   "truncate a file",         cut_existing,     EACCES },
	{ SANDBOX_GATEWAY,   "raw socket",              raw_socket,       EPERM },
	{ SANDBOX_GATEWAY,   "seqpacket socket",        seqpacket,        EPERM },
	{ SANDBOX_GATEWAY,   "netlink",                 netlink,          EPERM },
	{ SANDBOX_GATEWAY,   "netlink, upper bits",     netlink_upper_bits, EPERM },
	{ SANDBOX_GATEWAY,   "kernel crypto socket",    kernel_crypto,    EPERM },
	{ SANDBOX_GATEWAY,   "SCTP",                    sctp,             EPERM },
	{ SANDBOX_GATEWAY,   "execve",                  execute,          EPERM },
	{ SANDBOX_GATEWAY,   "execveat",                execute_self,     EPERM },
	{ SANDBOX_GATEWAY,   "new process",             make_process,     EPERM },
#ifdef SYS_fork
	{ SANDBOX_GATEWAY,   "old fork",                make_fork,        EPERM },
#endif
	{ SANDBOX_GATEWAY,   "clone3",                  make_clone3,      ENOSYS },
	{ SANDBOX_GATEWAY,   "thread",                  make_thread,      0 },
	{ SANDBOX_GATEWAY,   "kill another",            kill_other,       EPERM },
	{ SANDBOX_GATEWAY,   "kill all",                kill_all,         EPERM },
	{ SANDBOX_GATEWAY,   "kill itself",             kill_self,        0 },
	{ SANDBOX_GATEWAY,   "tgkill another",          thread_kill_other, EPERM },
	{ SANDBOX_GATEWAY,   "ptrace",                  trace_other,      EPERM },
	{ SANDBOX_GATEWAY,   "bpf",                     load_bpf,         EPERM },
	{ SANDBOX_GATEWAY,   "unshare",                 new_space,        EPERM },
	{ SANDBOX_GATEWAY,   "io_uring",                ring,             EPERM },
	{ SANDBOX_GATEWAY,   "type into the terminal",  type_into,        EPERM },
	{ SANDBOX_GATEWAY,   "chmod",                   change_mode,      EPERM },
	{ SANDBOX_GATEWAY,   "mknod",                   make_device,      EPERM },
	{ SANDBOX_GATEWAY,   "become another user",             change_user,      EPERM },
	{ SANDBOX_GATEWAY,   "not dumpable",            is_dumpable,      0 },
	{ SANDBOX_GATEWAY,   "too much memory",         too_much_memory,  ENOMEM },
	{ SANDBOX_GATEWAY,   "connect to 127.0.0.1",    connect_tcp,      0 },
	{ SANDBOX_GATEWAY,   "other sockets",           unix_sockets,     0 },
	{ SANDBOX_GATEWAY,   "memfd by packet",         take_message,     0 },
	{ SANDBOX_GATEWAY,   "message in memory",       memory_message,   0 },
	{ SANDBOX_GATEWAY,   "message in the spool",    spooled_message,  0 },

	{ SANDBOX_STORE,     "open /etc/passwd",        open_passwd,      EACCES },
	{ SANDBOX_STORE,     "create a file",           create_elsewhere, EACCES },
	{ SANDBOX_STORE,     "truncate a file",         cut_existing,     EACCES },
	{ SANDBOX_STORE,     "socket",                  make_socket,      EPERM },
	{ SANDBOX_STORE,     "connect",                 connect_any,      EPERM },
	{ SANDBOX_STORE,     "socketpair",              socket_pair,      EPERM },
	{ SANDBOX_STORE,     "accept",                  accept_one,       EPERM },
	{ SANDBOX_STORE,     "execve",                  execute,          EPERM },
	{ SANDBOX_STORE,     "new process",             make_process,     EPERM },
	{ SANDBOX_STORE,     "kill another",            kill_other,       EPERM },
	{ SANDBOX_STORE,     "ptrace",                  trace_other,      EPERM },
	{ SANDBOX_STORE,     "become another user",             change_user,      EPERM },
	{ SANDBOX_STORE,     "keep a file",             keep_file,        0 },
	{ SANDBOX_STORE,     "memfd by packet",         take_message,     0 },
};

/* Exit status of a child: an errno, or one of these. */
enum { NOT_ENTERED = 200, INCOMPLETE = 201 };

static void
run_row(size_t i, const struct inside *in, uid_t user)
{
	const struct sandbox_path spool = { .path = in->spool, .writable = true };
	const struct sandbox s = { .profile = rows[i].profile, .paths = &spool,
		.path_count = rows[i].profile != SANDBOX_INSPECTOR,
		.memory_limit = rows[i].profile != SANDBOX_STORE ? 512 << 20 : 0 };
	struct buf missing = { 0 };
	struct error err;

	if (sandbox_become(user, user, &err) != ST_OK)
		_exit(NOT_ENTERED);
	if (sandbox_enter(&s, &missing, &err) != ST_OK)
		_exit(NOT_ENTERED);
	_exit(rows[i].probe(in));
}

static void
open_inside(struct inside *in, uid_t user)
{
	struct error err;
	int fd = ipc_memory("message", SPAN_LIT("hello"));

	assert_true(fd >= 0);
	assert_int_equal(ipc_pair(in->pair, &err), ST_OK);
	assert_int_equal(ipc_send(in->pair[0], SPAN_LIT("job"), &fd, 1), IPC_OK);
	close(fd);
	in->other = fork();
	assert_true(in->other >= 0);
	if (in->other == 0) {
		if (user != 0 && (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
			_exit(1);
		pause();
		_exit(0);
	}
}

static void
close_inside(struct inside *in)
{
	kill(in->other, SIGKILL);
	waitpid(in->other, NULL, 0);
	close(in->pair[0]);
	close(in->pair[1]);
}

static int
outcome(size_t i, struct inside *in, uid_t user)
{
	int status;

	open_inside(in, user);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_row(i, in, user);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close_inside(in);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#if defined __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif

/* Landlock is all that keeps files from gateway and store; a kernel may have none. */
static bool
applies(size_t i)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	if (rows[i].want == ENOMEM && SANITIZED)
		return false;
	if (rows[i].probe == cut_existing && abi < 3)
		return false;
	return rows[i].want != EACCES || abi > 1;
}

static void
run_table(struct inside *in, uid_t user)
{
	static const char *const profiles[] = { "inspector", "gateway", "store" };
	unsigned failures = 0;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int got = applies(i) ? outcome(i, in, user) : rows[i].want;

		if (got != rows[i].want)
			print_error("%s: %s: %d, not %d\n", profiles[rows[i].profile],
			    rows[i].name, got, rows[i].want);
		failures += got != rows[i].want;
	}
	assert_int_equal(failures, 0);
}

static int
listen_local(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void
test_rows(void **state)
{
	struct inside in = { 0 };
	int fd = listen_local(&in.port);

	strcpy(in.spool, "/tmp/sallyport-test-sandbox-XXXXXX");
	assert_non_null(mkdtemp(in.spool));
	snprintf(in.elsewhere, sizeof in.elsewhere, "%s-no", in.spool);
	snprintf(in.existing, sizeof in.existing, "%s-is", in.spool);
	close(open(in.existing, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	assert_int_equal(chmod(in.existing, 0666), 0);
	run_table(&in, 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(in.spool, OTHER_USER, OTHER_USER), 0);
		run_table(&in, OTHER_USER);
	}
	assert_int_equal(rmdir(in.spool), 0);
	assert_int_equal(unlink(in.elsewhere), -1);
	assert_int_equal(unlink(in.existing), 0);
	close(fd);
}

/* Exit status of a child that enters with these paths; what is missing must name `text`. */
static int
enter(bool required, const struct sandbox_path *path, const char *text)
{
	const struct sandbox s = { .profile = SANDBOX_STORE, .paths = path,
		.path_count = path != NULL, .required = required };
	struct buf missing = { 0 };
	struct error err;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_become(OTHER_USER, OTHER_USER, &err) != ST_OK && geteuid() == 0)
			_exit(NOT_ENTERED);
		enum status st = sandbox_enter(&s, &missing, &err);

		if (strstr(buf_text(&missing), text) == NULL ||
		    (st == ST_PERM && strstr(err.text, text) == NULL))
			_exit(INCOMPLETE);
		_exit((int)st);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_missing(void **state)
{
	const struct sandbox_path none = { .path = "/nowhere", .writable = true };

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) <= 1) {
		assert_int_equal(enter(true, NULL, "landlock: kernel"), ST_PERM);
		return;
	}
	if (SANITIZED)
		assert_int_equal(enter(true, NULL, "sanitizer"), ST_PERM);
	else
		assert_int_equal(enter(true, NULL, ""), ST_OK);
	assert_int_equal(enter(false, &none, "landlock: /nowhere: No such file"), ST_OK);
	assert_int_equal(enter(true, &none, "landlock: /nowhere: No such file"), ST_PERM);
}

static void
test_become(void **state)
{
	struct error err;
	int status;

	assert_int_equal(sandbox_become(0, 0, &err), ST_OK);
	assert_int_equal(sandbox_become(geteuid(), getegid(), &err), ST_OK);
	if (geteuid() != 0) {
		assert_int_equal(sandbox_become(OTHER_USER, OTHER_USER, &err), ST_TEMP);
		return;
	}
	pid_t pid = fork();

	if (pid == 0) {
		bool done = setgroups(1, &(gid_t){ 5 }) == 0 &&
		    sandbox_become(OTHER_USER, OTHER_USER, &err) == ST_OK &&
		    geteuid() == OTHER_USER && getegid() == OTHER_USER &&
		    getgroups(0, NULL) == 0 && prctl(PR_CAPBSET_READ, 0) == 0 &&
		    sandbox_become(OTHER_USER, OTHER_USER, &err) == ST_OK &&
		    sandbox_become(OTHER_USER + 1, OTHER_USER + 1, &err) == ST_TEMP;

		_exit(done ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_become),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
