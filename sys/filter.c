/*
 * filter.c - see filter.h.
 *
 * System calls are named, so that one list serves every machine: a name that the
 * machine does not have (fork on aarch64) is passed over.  Arguments are compared as 64
 * bits although the kernel looks at 32: what is allowed is therefore compared exactly,
 * and what is denied is denied by range or mask, so that stray upper bits open nothing.
 */
#include "sys/filter.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#define DENY SCMP_ACT_ERRNO(EPERM)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/*
 * mmap and mprotect keep PROT_EXEC, for PCRE2 compiles patterns to machine code.
 * fstat by path (newfstatat) is not needed: a descriptor's size is found by lseek.
 */
static const char *const inspector_may[] = {
	"read", "write", "pread64", "lseek", "close", "fstat",
	"recvmsg", "sendmsg", "poll", "ppoll", "restart_syscall",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
	"futex", "sched_yield", "rseq", "getrandom", "getpid", "gettid",
	"clock_gettime", "clock_getres", "gettimeofday", "time", "getrusage",
	"timer_create", "timer_settime", "timer_gettime", "timer_delete",
	"timer_getoverrun", "setitimer", "getitimer",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"exit", "exit_group", NULL,
};

/* No program of ours calls these, nor any library that we use. */
static const char *const exotic[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
	"pidfd_open", "pidfd_getfd", "pidfd_send_signal", "perf_event_open",
	"kexec_load", "kexec_file_load", "reboot", "bpf", "userfaultfd",
	"init_module", "finit_module", "delete_module", "create_module",
	"mount", "umount", "umount2", "move_mount", "open_tree", "mount_setattr",
	"fsopen", "fsconfig", "fsmount", "fspick", "pivot_root", "chroot",
	"setns", "unshare", "keyctl", "add_key", "request_key",
	"io_uring_setup", "io_uring_enter", "io_uring_register",
	"open_by_handle_at", "name_to_handle_at", "swapon", "swapoff", "quotactl",
	"quotactl_fd", "acct", "settimeofday", "clock_settime", "stime", "adjtimex",
	"clock_adjtime", "iopl", "ioperm", "modify_ldt", "personality", "vhangup",
	"lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl", "syslog",
	"sethostname", "setdomainname", "mbind", "migrate_pages", "move_pages",
	"set_mempolicy", "vmsplice", "fanotify_init", "fanotify_mark", NULL,
};

static const char *const new_process[] = { "execve", "execveat", "fork", "vfork", NULL };

/* To another process: those that name a thread or a queue are not needed at all. */
static const char *const signals[] = {
	"tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", NULL,
};

static const char *const gateway_may_not[] = {
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown",
	"fchownat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr",
	"fremovexattr", "mknod", "mknodat", "symlink", "symlinkat", NULL,
};

static const char *const store_may_not[] = {
	"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
	"mknod", "mknodat", "symlink", "symlinkat", NULL,
};

/* why: the first error of libseccomp, a negative errno value. */
struct rules { scmp_filter_ctx ctx; int why; };

static void
add_compared(struct rules *r, uint32_t action, const char *name,
    const struct scmp_arg_cmp *compare)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call >= 0 && r->why == 0)
		r->why = seccomp_rule_add_array(r->ctx, action, call, compare != NULL,
		    compare);
}

static void
add_when(struct rules *r, uint32_t action, const char *name, unsigned argument,
    enum scmp_compare op, uint64_t value)
{
	add_compared(r, action, name, &(struct scmp_arg_cmp){ .arg = argument, .op = op,
		.datum_a = value });
}

static void
add_when_bits(struct rules *r, uint32_t action, const char *name, unsigned argument,
    uint64_t mask, uint64_t value)
{
	add_compared(r, action, name, &(struct scmp_arg_cmp){ .arg = argument,
		.op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value });
}

static void
add_all(struct rules *r, uint32_t action, const char *const *names)
{
	for (; *names != NULL; names++)
		add_compared(r, action, *names, NULL);
}

/* Sealed memory for answers that are longer than a packet, as sys/ipc.c makes it, with
   and without the flag that kernels have from 6.3 on. */
static void
sealed_memory(struct rules *r)
{
	uint64_t flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	add_when(r, SCMP_ACT_ALLOW, "memfd_create", 1, SCMP_CMP_EQ, flags);
	add_when(r, SCMP_ACT_ALLOW, "memfd_create", 1, SCMP_CMP_EQ, flags | MFD_NOEXEC_SEAL);
	add_when(r, SCMP_ACT_ALLOW, "fcntl", 1, SCMP_CMP_EQ, F_ADD_SEALS);
}

static void
inspector_rules(struct rules *r, const struct sandbox *s)
{
	uint64_t own = (uint64_t)getpid();

	add_all(r, SCMP_ACT_ALLOW, inspector_may);
	add_all(r, SCMP_ACT_KILL_PROCESS, exotic);
	add_all(r, SCMP_ACT_KILL_PROCESS, new_process);
	add_when(r, SCMP_ACT_ALLOW, "tgkill", 0, SCMP_CMP_EQ, own);
	/* reading of its own limits; setting would need an address in the third */
	add_when(r, SCMP_ACT_ALLOW, "prlimit64", 2, SCMP_CMP_EQ, 0);
	sealed_memory(r);
}

/* Threads stay possible, processes do not; clone3's flags cannot be seen, and the C
   library turns to clone where there is no clone3. */
static void
no_new_process(struct rules *r)
{
	add_all(r, DENY, new_process);
	add_when_bits(r, DENY, "clone", 0, CLONE_THREAD, 0);
	add_compared(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);
}

static void
no_signals(struct rules *r)
{
	uint64_t own = (uint64_t)getpid();

	add_all(r, DENY, signals);
	add_when(r, DENY, "kill", 0, SCMP_CMP_NE, own);
	add_when(r, DENY, "tgkill", 0, SCMP_CMP_NE, own);
}

/* Standard error may be a terminal, and these would type into it. */
static void
no_typing(struct rules *r)
{
	add_when_bits(r, DENY, "ioctl", 1, UINT32_MAX, TIOCSTI);
	add_when_bits(r, DENY, "ioctl", 1, UINT32_MAX, TIOCLINUX);
}

static void
common_rules(struct rules *r)
{
	add_all(r, DENY, exotic);
	no_new_process(r);
	no_signals(r);
	no_typing(r);
}

/* Any value of socket()'s argument but those allowed, which are below `end`.  (One rule
   cannot compare an argument twice, so "none of these" is a rule for each other.) */
static void
socket_only(struct rules *r, unsigned argument, uint64_t allowed, uint64_t end)
{
	for (uint64_t v = 0; v < end; v++)
		if ((allowed >> v & 1) == 0)
			add_when(r, DENY, "socket", argument, SCMP_CMP_EQ, v);
	add_when(r, DENY, "socket", argument, SCMP_CMP_GE, end);
}

static void
socket_rules(struct rules *r)
{
	socket_only(r, 0, 1u << AF_UNIX | 1u << AF_INET | 1u << AF_INET6, AF_INET6 + 1);
	socket_only(r, 2, 1u << 0 | 1u << IPPROTO_TCP | 1u << IPPROTO_UDP,
	    IPPROTO_UDP + 1);
	for (unsigned type = 0; type < 16; type++)      /* above are its flags */
		if (type != SOCK_STREAM && type != SOCK_DGRAM)
			add_when_bits(r, DENY, "socket", 1, 15, type);
}

static void
gateway_rules(struct rules *r, const struct sandbox *s)
{
	common_rules(r);
	add_all(r, DENY, gateway_may_not);
	socket_rules(r);
}

static void
store_rules(struct rules *r, const struct sandbox *s)
{
	common_rules(r);
	add_all(r, DENY, store_may_not);
}

/* Unix sockets lead to daemons of this machine only, whose folders guard them. */
static void
command_rules(struct rules *r, const struct sandbox *s)
{
	uint64_t network = 1u << AF_INET | 1u << AF_INET6 | 1u << AF_NETLINK;

	socket_only(r, 0, 1u << AF_UNIX | (s->network ? network : 0), AF_NETLINK + 1);
}

/* In a user namespace of its own a program would have all capabilities. */
static void
runner_rules(struct rules *r, const struct sandbox *s)
{
	add_all(r, DENY, exotic);
	add_when_bits(r, DENY, "clone", 0, CLONE_NEWUSER, CLONE_NEWUSER);
	add_compared(r, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);
	no_typing(r);
	command_rules(r, s);
}

enum status
filter_build(struct filter *f, const struct sandbox *s, struct error *err)
{
	static void (*const add_rules[])(struct rules *, const struct sandbox *) = {
		[SANDBOX_INSPECTOR] = inspector_rules,
		[SANDBOX_GATEWAY] = gateway_rules,
		[SANDBOX_STORE] = store_rules,
		[SANDBOX_RUNNER] = runner_rules,
		[SANDBOX_COMMAND] = command_rules,
	};
	struct rules r = { .ctx = seccomp_init(s->profile == SANDBOX_INSPECTOR
	    ? DENY : SCMP_ACT_ALLOW) };

	f->rules = r.ctx;
	if (r.ctx == NULL)
		return fail(err, ST_TEMP, "seccomp", "cannot begin a filter");
	r.why = seccomp_attr_set(r.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	add_rules[s->profile](&r, s);
	if (r.why == 0)
		return ST_OK;
	filter_free(f);
	return fail(err, ST_TEMP, "seccomp", "cannot build a filter: %s",
	    strerror(-r.why));
}

enum status
filter_load(struct filter *f, struct error *err)
{
	int why = seccomp_load(f->rules);

	return why == 0 ? ST_OK : fail(err, ST_TEMP, "seccomp", "%s", strerror(-why));
}

void
filter_free(struct filter *f)
{
	if (f->rules != NULL)
		seccomp_release(f->rules);
	f->rules = NULL;
}
