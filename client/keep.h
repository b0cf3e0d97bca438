/* SPDX-License-Identifier: MPL-2.0 */
/* How often to ping an idle session so that it does not time out. */
#ifndef KV_CLIENT_KEEP_H
#define KV_CLIENT_KEEP_H

#include "client/include/kvzmq.h"

enum { KEEP_PARTS = 3 }; /* pings per session timeout: the session survives one that is late */

/* The interval between pings. */
static inline int64_t keep_part_ms(const kvzmq_session_t *session)
{
    return (int64_t)(session->timeout_ms / KEEP_PARTS);
}

#endif
