/* SPDX-License-Identifier: MPL-2.0 */
/* The parts of the core. One thread owns them, and hub.c makes them. Each module uses only the parts below
 * it. */
#ifndef KV_BROKER_CORE_HUB_STATE_H
#define KV_BROKER_CORE_HUB_STATE_H

#include "broker/core/accounts.h"
#include "broker/core/command_log.h"
#include "broker/core/outlets.h"
#include "broker/core/state_machine.h"
#include "broker/core/stats.h"

enum { HUB_COST_TURN = 20000 }; /* budget of one turn, in items visited: some milliseconds */

typedef struct hub {
    const settings_t *settings; /* borrowed; see hub_configure */
    outlets_t outlets;
    int64_t unix_offset_ms;           /* Unix time minus monotonic time: see hub_set_clock */
    int64_t now_ms;                   /* monotonic: set by each entry point */
    state_machine_t *machine;         /* the only way to change clients and stores: propose.h */
    const command_log_t *command_log; /* borrowed; NULL: commands are applied at once */
    engine_t *engine;                 /* the machine's, only to read */
    registry_t *registry;             /* the same */
    accounts_t *accounts;
    struct waits *waits;       /* waits.h */
    struct feed *feed;         /* feed.h */
    struct sessions *sessions; /* sessions.h */
    uint64_t told_cost;        /* of all notifications so far, in units of HUB_COST_TURN: feed.c */
    uint64_t queued_bytes;     /* of queued payloads, of all sessions */
    uint64_t expiries;         /* each COMMAND_TIME of the log that was applied */
    bool expiring;             /* the log has a COMMAND_TIME that is not applied yet */
    bool general_only;         /* for tests: usual.c is not used */
    stats_t stats;
} hub_t;

#endif
