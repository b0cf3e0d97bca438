/* SPDX-License-Identifier: MPL-2.0 */
/* Sessions: connects, says hello and authenticates, and does so again if a session is lost. */
#ifndef KV_CLIENT_LIB_SESSION_H
#define KV_CLIENT_LIB_SESSION_H

#include "client/lib/connection.h"

/* Makes sure by DEADLINE that there is a live session, authenticated if the options have an account. Cheap if
 * there is one. On failure the error text is set, and the caller's request was not sent. */
KV_MUST_USE kvzmq_status_t session_ensure(kvzmq_t *conn, int64_t deadline);

/* Begins a request in conn->session_request, such as a hello. The request of the current call, in
 * conn->request, is not touched. */
request_target_t session_request(kvzmq_t *conn, const char **problem);
/* Sends conn->session_request over the current link and waits for its answer. On KVZMQ_OK the caller releases
 * *RESPONSE. On failure, which includes an error answer, the error text is set. */
KV_MUST_USE kvzmq_status_t session_converse(kvzmq_t *conn, uint32_t msgid, int64_t deadline,
                                            response_t *response);

/* Whether CLIENT is the id of a client by number, whose store is dropped with its last session. */
bool session_by_number(const char *client);

#endif
