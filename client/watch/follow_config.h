/* SPDX-License-Identifier: MPL-2.0 */
/* What a watch follows, and its limits. */
#ifndef KV_CLIENT_WATCH_FOLLOW_CONFIG_H
#define KV_CLIENT_WATCH_FOLLOW_CONFIG_H

#include "client/include/kvzmq.h"

enum {
    FOLLOW_SYNC_MS = 3000,   /* without anything from the event connection for so long, a new one is made */
    FOLLOW_REPAIR_MS = 1000, /* between two repairs, where no sync comes */
    FOLLOW_PAUSE_FIRST_MS = 50, /* after a failure; doubled with each further one */
    FOLLOW_PAUSE_MAX_MS = 2000, /* at most */
    FOLLOW_EARLIEST_TRIES =
        100 /* to begin with the oldest event, while the log goes on; then with the newest */
};

typedef struct follow follow_t; /* a watch: see follow.h */

typedef struct follow_config {
    const char *client;   /* NULL = all. Copied, as all of it */
    kvzmq_slice_t prefix; /* size 0 = all */
    bool initial;         /* the state is wanted */
    bool resume;          /* go on after `since` */
    bool earliest;        /* begin with the oldest event that is kept; not with `initial` or `resume` */
    kvzmq_position_t since;
} follow_config_t;

/* What of CONFIG nobody can watch, one line for people; NULL = nothing. The others take only what has none.
 */
const char *follow_config_problem(const follow_config_t *config);

#endif
