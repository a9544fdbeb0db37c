/*
 * main.c - sallyport-runner: executes the commands of scanners.
 *
 * The master starts it with a socket as descriptor 3.  Read runner.h first.
 */
#include "src/runner/runner.h"
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define MASTER_FD 3

uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

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
	struct runner *r = must_alloc(sizeof *r);

	if (!has_master()) {
		fputs("sallyport-runner: sallyport starts it, nobody else\n", stderr);
		return 2;
	}
	r->master = MASTER_FD;
	r->gateway = r->log.fd = -1;
	/* typed at a terminal, they mean the master, which ends us in its own time */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	serve(r);
}
