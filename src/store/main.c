/*
 * main.c - sallyport-store: SETUP from the master, then writer or reader.
 */
#include "src/store/child.h"
#include "sys/ipc.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETUP_MS 60000

enum { FD_BUNDLE = 0, FD_COUNTERS, FD_LOG, FD_LEDGER, SETUP_FDS };

static struct counters *
map_counters(int fd)
{
	size_t len;
	struct counters *c = ipc_map(fd, &len, true);

	close(fd);
	return c != NULL && len >= sizeof *c ? c : NULL;
}

static struct ledger_page *
map_ledger(int fd)
{
	size_t len;
	struct ledger_page *page = ipc_map(fd, &len, true);

	close(fd);
	return page != NULL && len >= sizeof *page ? page : NULL;
}

/* All descriptors of SETUP are ours from here on. */
static bool
take_setup(struct child *c, struct span packet, const int *fds, size_t fd_count)
{
	struct packet_setup setup;
	struct unpack body;
	uint32_t serial;

	if (packet_open(packet, &serial, &body) != PACKET_SETUP ||
	    !packet_take_setup(&body, &setup) || fd_count < FD_LEDGER ||
	    (!setup.reader && fd_count < SETUP_FDS))
		return false;
	c->reader = setup.reader;
	c->required = setup.sandbox == SANDBOX_REQUIRED;
	c->log = (struct log){ .fd = fds[FD_LOG], .target = setup.log_target,
		.name = setup.reader ? "reader" : "store" };
	snprintf(c->hostname, sizeof c->hostname, "%.*s", (int)setup.hostname.len,
	    (const char *)setup.hostname.ptr);
	c->arena = must_alloc(sizeof *c->arena);
	c->settings = settings_of_bundle(fds[FD_BUNDLE], c->arena);
	c->counters = map_counters(fds[FD_COUNTERS]);
	if (fd_count == SETUP_FDS)
		c->page = map_ledger(fds[FD_LEDGER]);
	return c->settings != NULL && c->counters != NULL &&
	    (c->reader || c->page != NULL);
}

static bool
receive_setup(struct child *c)
{
	uint8_t bytes[4096];
	int fds[PACKET_FDS];
	size_t len, fd_count;

	if (!ipc_wait(MASTER_FD, SETUP_MS) ||
	    ipc_receive(MASTER_FD, bytes, sizeof bytes, &len, fds, PACKET_FDS,
		&fd_count) != IPC_OK)
		return false;
	return take_setup(c, (struct span){ bytes, len }, fds, fd_count);
}

int
main(void)
{
	struct child child = { 0 };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);       /* a limit of file size is like a full disk */
	umask(0027);
	if (!receive_setup(&child)) {
		fputs("sallyport-store: no set-up from the master on descriptor 3; "
		    "it is not started by hand\n", stderr);
		return EXIT_PROMISE;
	}
	return child.reader ? reader_run(&child) : writer_run(&child);
}
