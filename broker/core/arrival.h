/* SPDX-License-Identifier: MPL-2.0 */
#ifndef KV_BROKER_CORE_ARRIVAL_H
#define KV_BROKER_CORE_ARRIVAL_H

#include "common/bytes.h"

struct connection; /* belongs to the transport; answers are sent on it */

/* What arrived on a connection. All of it is borrowed until hub_receive returns. */
typedef struct arrival {
    struct connection *connection;
    bytes_t identity; /* the peer's routing id */
    bytes_t peer;     /* its address without a port, for logs and throttling; used only for a new session */
    bytes_t envelope; /* frames before the payload, in the form that transport_t.send takes */
    bytes_t payload;
    const char *fault; /* what is wrong with the frames (PROTOCOL.md section 1), the text of the one error;
                          else NULL */
} arrival_t;

/* What will arrive soon. */
typedef struct foreseen {
    const struct session *session; /* whose it is; NULL = a new one's */
    bytes_t payload;
} foreseen_t;

#endif
