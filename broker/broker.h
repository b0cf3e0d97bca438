/* SPDX-License-Identifier: MPL-2.0 */
/* The broker as a whole: owns the sockets, the loop, its timers and the way down. */
#ifndef KV_BROKER_BROKER_H
#define KV_BROKER_BROKER_H

#include "broker/settings.h"
#include "common/status.h"

typedef struct broker broker_t;

/* Makes a broker and binds its sockets; logs where it listens. SETTINGS is borrowed until destroy. Returns
 * NULL and writes one line that says what is wrong and what to do (a port in use, say) into PROBLEM. SIGINT
 * and SIGTERM are blocked in the calling thread from here on and taken by broker_run. sodium_init must have
 * been called. */
KV_MUST_USE broker_t *broker_new(const settings_t *settings, char *problem, size_t problem_size);

/* Serves until SIGINT or SIGTERM, then stops: no new work, what was received is answered, every session gets
 * `bye`. A second signal ends the process at once. */
void broker_run(broker_t *broker);

void broker_destroy(broker_t **broker);

#endif
