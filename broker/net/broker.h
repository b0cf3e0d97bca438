/* SPDX-License-Identifier: MPL-2.0 */
/* The broker as a whole: owns the sockets, the loop, its timers and the way down. */
#ifndef KV_BROKER_NET_BROKER_H
#define KV_BROKER_NET_BROKER_H

#include "broker/core/settings.h"
#include "common/status.h"

typedef struct broker broker_t;

/* The source of settings, read again at SIGHUP. */
typedef struct settings_source {
    /* Reads into SETTINGS (made by settings_init) and checks them. False, with one line in PROBLEM, if
     * that fails. NULL: there is nothing to read again. */
    bool (*read)(void *context, settings_t *settings, char *problem, size_t problem_size);
    void *context;
} settings_source_t;

/* Makes a broker and binds its sockets; logs where it listens. *SETTINGS are taken, even on failure, and are
 * empty afterwards; SOURCE is copied. Returns NULL and writes one line that says what is wrong and what to do
 * (a port in use, say) into PROBLEM. SIGINT, SIGTERM and SIGHUP are blocked in the calling thread from here
 * on and taken by broker_run. sodium_init must have been called. */
KV_MUST_USE broker_t *broker_new(settings_t *settings, const settings_source_t *source, char *problem,
                                 size_t problem_size);

/* Serves until SIGINT or SIGTERM, then stops: no new work, what was received is answered, every session gets
 * `bye`. A second signal ends the process at once. SIGHUP reads the settings again. They apply at once,
 * except for those that cannot change, which the log names. If something is wrong with them, nothing changes.
 */
void broker_run(broker_t *broker);

void broker_destroy(broker_t **broker);

#endif
