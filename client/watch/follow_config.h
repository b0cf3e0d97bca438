/* SPDX-License-Identifier: MPL-2.0 */
/* What a watch follows. */
#ifndef KV_CLIENT_WATCH_FOLLOW_CONFIG_H
#define KV_CLIENT_WATCH_FOLLOW_CONFIG_H

#include "client/include/kvzmq.h"

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
