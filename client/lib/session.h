/* SPDX-License-Identifier: MPL-2.0 */
/* Sessions: connecting, hello and authentication, and doing so anew when a session is gone. */
#ifndef KV_CLIENT_LIB_SESSION_H
#define KV_CLIENT_LIB_SESSION_H

#include "client/lib/connection.h"

/* Sees to it that there is a live session, authenticated if the options have an account, by DEADLINE. Costs
 * nothing where there is one. Any status but KVZMQ_OK has its error text set, and nothing else was sent. */
KV_MUST_USE kvzmq_status_t session_ensure(kvzmq_t *conn, int64_t deadline);

/* Begins a request of the session's own, which must not disturb that of the call under way: where it goes to,
 * which is conn->session_request, empty, and a msgid. */
request_target_t session_request(kvzmq_t *conn, const char **problem);
/* Sends what stands in conn->session_request over the link there is, and waits for its answer. Another status
 * than KVZMQ_OK, an error that was answered included, has its error text set; else the caller releases
 * *RESPONSE. */
KV_MUST_USE kvzmq_status_t session_converse(kvzmq_t *conn, uint32_t msgid, int64_t deadline,
                                            response_t *response);

/* Whether a client with this id is one by number, whose store goes with its last session. */
bool session_by_number(const char *client);

#endif
