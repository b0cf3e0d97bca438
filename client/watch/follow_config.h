/* SPDX-License-Identifier: MPL-2.0 */
/* The options of a watch, and its limits. */
#ifndef KV_CLIENT_WATCH_FOLLOW_CONFIG_H
#define KV_CLIENT_WATCH_FOLLOW_CONFIG_H

#include "client/include/kvzmq.h"

enum {
    FOLLOW_SYNC_MS = 3000,      /* silence after which the event connection is replaced */
    FOLLOW_REPAIR_MS = 1000,    /* between two repairs, unless a sync comes */
    FOLLOW_PAUSE_FIRST_MS = 50, /* after a failure; doubled after each further failure */
    FOLLOW_PAUSE_MAX_MS = 2000  /* at most */
};

typedef struct follow follow_t; /* a watch: see follow.h */

typedef struct follow_config {
    const char *client;   /* NULL = all. All members are copied */
    kvzmq_slice_t prefix; /* size 0 = all */
    bool initial;         /* report the state first */
    bool resume;          /* continue after `since` */
    bool earliest;        /* begin with the oldest event that is kept; not with `initial` or `resume` */
    kvzmq_position_t since;
} follow_config_t;

/* What is not valid in CONFIG: one line for people; NULL = nothing. The other functions require a valid
 * CONFIG. */
const char *follow_config_problem(const follow_config_t *config);

#endif
