/*
 * inspector.h - one inspector: two sockets, a time limit for each job, and the counts.
 *
 * Sequential: one packet is done before the next is looked at.  Everything that needs a
 * file or a right is done between SETUP and START; then the doors close (sys/sandbox.h)
 * and READY is sent.  It ends with status 0 when one of the sockets is at its end, at
 * DRAIN, and when it has done as many jobs as it should.
 */
#ifndef SRC_INSPECTOR_INSPECTOR_H
#define SRC_INSPECTOR_INSPECTOR_H
#include "lib/packet/packet.h"
#include "src/inspector/clock.h"
#include "src/inspector/dig.h"
#include "src/inspector/section.h"
#include "sys/log.h"

/* How it ends; the master logs it. */
enum inspector_end {
	END_OK          = 0,
	END_BROKEN      = 70,   /* another process broke a promise         */
	END_CPU         = 75,   /* a job had all its CPU time              */
	END_SANDBOX     = 77,   /* not locked down, and `sandbox required` */
};

struct inspector {
	int      master, gateway;       /* gateway: -1 before LINK */
	struct packet_setup setup;      /* its spans are not kept  */
	struct log          log;
	char                name[32];
	bool     configured, started;
	uint64_t memory, cpu_ms, jobs_left;
	struct job_clock    clock;
	struct dig_tools    tools;
	struct arena        kept;       /* of the tools            */
	struct arena        arena;      /* of the job at hand      */
	uint8_t  packet[PACKET_BYTES], room[SECTION_FIRST_BYTES];
	uint8_t  answer[PACKET_LARGE_BYTES];    /* touched as far as used */
};

/* setup.c: what comes from the master before START; ends the process on failure. */
void setup_take(struct inspector *, struct unpack *, const int *fds, size_t fd_count);
/* The doors close; READY. */
void setup_finish(struct inspector *);

/* serve.c: packets, until the end. */
void serve(struct inspector *) __attribute__((noreturn));
void answer_send(struct inspector *, int to, const struct pack *);
void end(struct inspector *, enum inspector_end, const char *why)
    __attribute__((noreturn));
#endif
