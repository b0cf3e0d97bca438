/* SPDX-License-Identifier: MPL-2.0 */
/* How often a session gets a sign of life. */
#ifndef KV_CLIENT_KEEP_H
#define KV_CLIENT_KEEP_H

#include "client/include/kvzmq.h"

enum { KEEP_PARTS = 3 }; /* of a session's time limit, with a sign of life in each: one may be late */

/* The time between two of them. */
static inline int64_t keep_part_ms(const kvzmq_session_t *session)
{
    return (int64_t)(session->timeout_ms / KEEP_PARTS);
}

#endif
