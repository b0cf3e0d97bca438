/* SPDX-License-Identifier: MPL-2.0 */
/* Counters of a broker. One list, stats.def, makes the struct and what `stats` answers. */
#ifndef KV_BROKER_CORE_STATS_H
#define KV_BROKER_CORE_STATS_H

#include <stdint.h>

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

#endif
