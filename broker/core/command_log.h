/* SPDX-License-Identifier: MPL-2.0 */
/* A log: brings commands into one order, and has each applied in that order; with several brokers, on each of
 * them. A single broker has none. */
#ifndef KV_BROKER_CORE_COMMAND_LOG_H
#define KV_BROKER_CORE_COMMAND_LOG_H

#include "broker/core/command.h"

struct session;

/* Every function must be set, and gets the context. Commands of one session are applied in the order in which
 * they were appended, those of different sessions in any order. append never applies one itself. */
typedef struct command_log {
    void *context;
    /* Appends a copy of COMMAND, proposed by SESSION, or by the broker itself if that is NULL. If `client` is
     * set, client_id and client_life name the client; the copy's `client` must be NULL, and the
     * lookup of its put is not used. If HEARD, SESSION waits for the outcome. False if memory is refused,
     * which must not happen for a LEAVE. */
    bool (*append)(void *context, struct session *session, const command_t *command, bool heard);
    /* True: this broker has applied every change that anybody was told of so far, so SESSION may read. False:
     * hub_pass is called when that is so. */
    bool (*barrier)(void *context, struct session *session);
    /* SESSION has ended, and waits for nothing any more. What it appended is still applied. */
    void (*abandon)(void *context, const struct session *session);
    /* Calls hub_apply for some commands that can be applied now. */
    void (*turn)(void *context);
    /* Whether appended commands have not been applied yet. */
    bool (*waits)(void *context);
} command_log_t;

#endif
