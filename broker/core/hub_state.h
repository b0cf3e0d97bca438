/* SPDX-License-Identifier: MPL-2.0 */
/* The parts of the core, which one thread owns. hub.c makes them; each module uses those that stand below it.
 */
#ifndef KV_BROKER_CORE_HUB_STATE_H
#define KV_BROKER_CORE_HUB_STATE_H

#include "broker/core/accounts.h"
#include "broker/core/command_log.h"
#include "broker/core/outlets.h"
#include "broker/core/state_machine.h"
#include "broker/core/stats.h"

enum { HUB_COST_TURN = 20000 }; /* cost of one turn, in things looked at: some milliseconds */

typedef struct hub {
    const settings_t *settings; /* borrowed; see hub_configure */
    outlets_t outlets;
    int64_t unix_offset_ms;   /* Unix time less monotonic time: see hub_set_clock */
    int64_t now_ms;           /* monotonic: of the entry point under way */
    state_machine_t *machine; /* by which alone clients and stores change: propose.h */
    const command_log_t *log; /* borrowed; NULL: commands are applied at once */
    engine_t *engine;         /* its own, to read */
    registry_t *registry;     /* the same */
    accounts_t *accounts;
    struct waits *waits;       /* waits.h */
    struct feed *feed;         /* feed.h */
    struct sessions *sessions; /* sessions.h */
    uint64_t told_cost;        /* of telling changes so far, in the unit of HUB_COST_TURN: feed.c */
    uint64_t queued_bytes;     /* of payloads behind requests that wait, of all sessions */
    uint64_t expiries;         /* commands of the log for what is due that were applied */
    bool expiring;             /* what is due is to expire: a command for that is in the log */
    bool general_only;         /* for tests: no request goes the usual way */
    buffer_t spare;            /* memory for the next answer */
    stats_t stats;
} hub_t;

#endif
