/* SPDX-License-Identifier: MPL-2.0 */
/* Counters of a broker. One list, stats.def, makes the struct and what `stats` answers. */
#ifndef KV_BROKER_CORE_STATS_H
#define KV_BROKER_CORE_STATS_H

#include <stdint.h>

#include "broker/engine/engine.h"

typedef struct stats {
    int64_t started_ms; /* monotonic */
#define STAT(name) uint64_t name;
#include "broker/core/stats.def"
#undef STAT
} stats_t;

enum {
#define STAT(name) STATS_INDEX_##name,
#include "broker/core/stats.def"
#undef STAT
    STATS_COUNT
};

static inline void stats_count_change(stats_t *stats, change_kind_t kind)
{
    uint64_t *const counters[CHANGE_KIND_COUNT] = {
        [CHANGE_PUT] = &stats->puts_total,
        [CHANGE_DEL] = &stats->dels_total,
        [CHANGE_EXPIRE] = &stats->expires_total,
        [CHANGE_CONNECT] = &stats->connects_total,
        [CHANGE_DISCONNECT] = &stats->disconnects_total,
        [CHANGE_ROLE] = &stats->roles_total,
        [CHANGE_DROP] = &stats->drops_total,
    };
    ++*counters[kind];
}

#endif
