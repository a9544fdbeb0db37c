/*
 * main.c - sallyport-inspector: looks at messages where a fault does no harm.
 *
 * The master starts it with a socket as descriptor 3.  Read serve.c first.
 */
#include "src/inspector/inspector.h"
#include <stdio.h>
#include <sys/socket.h>

#define MASTER_FD 3

static bool
has_master(void)
{
	int type = 0;
	socklen_t len = sizeof type;

	return getsockopt(MASTER_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_SEQPACKET;
}

int
main(int argc, char **argv)
{
	struct inspector *i = must_alloc(sizeof *i);

	if (!has_master()) {
		fputs("sallyport-inspector: sallyport starts it, nobody else\n", stderr);
		return 2;
	}
	i->master = MASTER_FD;
	i->gateway = i->log.fd = -1;
	/* typed at a terminal, they mean the master, which ends us in its own time */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	serve(i);
}
