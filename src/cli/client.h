/*
 * client.h - asking the daemon: one command over the control socket, its answer printed.
 */
#ifndef SRC_CLI_CLIENT_H
#define SRC_CLI_CLIENT_H
#include "lib/base/buf.h"

enum answer {
	ANSWER_OK = 0,          /* also the status to exit with */
	ANSWER_BAD = 1,         /* `degraded` or `error` */
	ANSWER_NONE = 2,        /* nobody answers there */
};

/* The words as one line of the protocol (src/master/control.h). */
void client_line(struct buf *, char *const *words, size_t count);
/* What follows the first line goes to standard output, after `error` to standard error.
 */
enum answer client_ask(const char *path, struct span line);
#endif
