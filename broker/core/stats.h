/* SPDX-License-Identifier: MPL-2.0 */
/* Counters of a broker. One list, stats.def, makes the struct and the answer of `stats`. */
#ifndef KV_BROKER_CORE_STATS_H
#define KV_BROKER_CORE_STATS_H

#include <stdint.h>

#include "broker/engine/engine.h"

enum {
#define STAT(name) STATS_INDEX_##name,
#include "broker/core/stats.def"
#undef STAT
    STATS_COUNT
};

typedef struct stats {
    int64_t started_ms; /* monotonic */
    union {
        uint64_t counters[STATS_COUNT]; /* the same, by index */
        struct {
#define STAT(name) uint64_t name;
#include "broker/core/stats.def"
#undef STAT
        };
    };
} stats_t;

static inline void stats_count_change(stats_t *stats, change_kind_t kind)
{
    static const uint8_t indices[CHANGE_KIND_COUNT] = {
        [CHANGE_PUT] = STATS_INDEX_puts_total,
        [CHANGE_DEL] = STATS_INDEX_dels_total,
        [CHANGE_EXPIRE] = STATS_INDEX_expires_total,
        [CHANGE_CONNECT] = STATS_INDEX_connects_total,
        [CHANGE_DISCONNECT] = STATS_INDEX_disconnects_total,
        [CHANGE_ROLE] = STATS_INDEX_roles_total,
        [CHANGE_DROP] = STATS_INDEX_drops_total,
    };
    stats->counters[indices[kind]]++;
}

#endif
