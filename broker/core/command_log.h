/* SPDX-License-Identifier: MPL-2.0 */
/* Who brings commands into one order, and has each applied when its turn has come: with several brokers, in
 * each of them. A broker on its own has none. */
#ifndef KV_BROKER_CORE_COMMAND_LOG_H
#define KV_BROKER_CORE_COMMAND_LOG_H

#include "broker/core/command.h"

struct session;

/* Every function is set, and gets the context. Commands of one session are applied in the order in which they
 * were appended, those of different sessions in any order. None is applied within append. */
typedef struct command_log {
    void *context;
    /* Takes a copy of COMMAND, whose client is named (client_id and client_life; `client` is not to be used),
     * of SESSION, or of the broker itself if that is NULL. If HEARD, SESSION waits for what comes of it.
     * False: it cannot be taken now, for want of memory; not of a LEAVE. */
    bool (*append)(void *context, struct session *session, const command_t *command, bool heard);
    /* True: all that anybody was told before is applied here, so SESSION may read. False: hub_pass is called
     * when it is. */
    bool (*barrier)(void *context, struct session *session);
    /* SESSION ended, and waits for nothing any more. What it appended is applied nevertheless. */
    void (*abandon)(void *context, const struct session *session);
    /* Calls hub_apply for some commands whose turn has come. */
    void (*turn)(void *context);
    /* Whether commands were appended that have not been applied. */
    bool (*waits)(void *context);
} command_log_t;

#endif
