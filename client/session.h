/* SPDX-License-Identifier: MPL-2.0 */
/* Sessions: connecting, hello and authentication, and doing so anew when a session is gone. */
#ifndef KV_CLIENT_SESSION_H
#define KV_CLIENT_SESSION_H

#include "client/connection.h"

/* Sees to it that there is a live session, authenticated if the options have an account, by DEADLINE. Costs
 * nothing where there is one. Any status but KVZMQ_OK has its error text set, and nothing else was sent. */
KV_MUST_USE kvzmq_status_t session_ensure(kvzmq_t *conn, int64_t deadline);

#endif
