/* SPDX-License-Identifier: MPL-2.0 */
/* Answers as messages of libzmq. They count in the send budget of their connection until libzmq has sent
 * them. */
#ifndef KV_BROKER_NET_ANSWER_H
#define KV_BROKER_NET_ANSWER_H

#include <zmq.h>

#include "broker/core/spares.h"
#include "broker/net/connections.h"

/* Makes MESSAGE of ANSWER (taken if it is large, else copied), for the peer of CONNECTION; ENVELOPE is the
 * bytes of the frames before it. *COST is what it counts for, in bytes. Its memory may go to SPARES, from any
 * thread. RESOURCE_EXHAUSTED if more than LIMIT bytes would wait for the peer; UNAVAILABLE if memory is
 * refused. */
KV_MUST_USE status_t answer_message(connection_t *connection, uint64_t limit, spares_t *spares,
                                    size_t envelope, buffer_t *answer, zmq_msg_t *message, size_t *cost);

#endif
