/* SPDX-License-Identifier: MPL-2.0 */
/* The broker as a whole: owns the sockets, the loop, its timers and the shutdown. */
#ifndef KV_BROKER_NET_BROKER_H
#define KV_BROKER_NET_BROKER_H

#include "broker/net/reload.h"

typedef struct broker broker_t;

/* Makes a broker, binds its sockets and logs where it listens. Takes *SETTINGS, even on failure, and leaves
 * them empty; copies SOURCE. If it fails (a port is in use, say), returns NULL and writes one line to PROBLEM
 * that says what is wrong and what to do. Blocks SIGINT, SIGTERM and SIGHUP in the calling thread; broker_run
 * handles them. Requires sodium_init. */
KV_MUST_USE broker_t *broker_new(settings_t *settings, const settings_source_t *source, char *problem,
                                 size_t problem_size);

/* Serves until SIGINT or SIGTERM. Then it takes no new work, answers the requests that it received, sends
 * `bye` to every session, and returns. A second signal ends the process at once. SIGHUP reads the settings
 * again. They apply at once, except for those that cannot change, which the log names. If something is wrong
 * with them, nothing changes. */
void broker_run(broker_t *broker);

void broker_destroy(broker_t **broker);

#endif
