/* SPDX-License-Identifier: MPL-2.0 */
#ifndef KV_BROKER_CORE_ARRIVAL_H
#define KV_BROKER_CORE_ARRIVAL_H

#include "common/bytes.h"

struct connection; /* the transport's: where answers go */

/* What came in on a connection. All borrowed until hub_receive returns. */
typedef struct arrival {
    struct connection *connection;
    bytes_t identity; /* the peer's routing id */
    bytes_t peer; /* its address, without a port; for logs and throttling. Looked at for a new session only */
    bytes_t envelope; /* frames before the payload, in the form that transport_t.send takes */
    bytes_t payload;
    const char
        *fault; /* the frames were not as section 1 wants them: what is wrong, for the one error; else NULL */
} arrival_t;

#endif
