/*
 * wiring.h - what the master sends to its children: set-up, links, listening sockets.
 */
#ifndef SRC_MASTER_WIRING_H
#define SRC_MASTER_WIRING_H
#include "src/master/master.h"

/* A packet that is only its type: START, DRAIN, PING. */
void wiring_plain(struct process *, enum packet_type);
/* SETUP or RELOAD, by the configuration in force and the generation of the process. */
enum status wiring_setup(struct process *, enum packet_type, struct error *);
/* A new socket pair, an end to each; nothing where one of them is not there. */
void wiring_link(struct process *, struct process *);
/* LISTEN for every address of the configuration in force. */
void wiring_listeners(struct process *gateway);
/* An event of one process. */
void process_log(struct process *, enum log_event, enum log_priority, const char *text);
#endif
