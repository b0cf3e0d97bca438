/* SPDX-License-Identifier: MPL-2.0 */
/* Hearing of changes of one's own store: asking for them in each new session, from where the last one ended,
 * and telling them. */
#ifndef KV_CLIENT_WATCH_CHANGES_H
#define KV_CLIENT_WATCH_CHANGES_H

#include "client/lib/connection.h"

/* Sees to it that the broker pushes changes in this session, if they are wanted; costs nothing where it does.
 * Any status but KVZMQ_OK has its error text set. */
KV_MUST_USE kvzmq_status_t changes_arm(kvzmq_t *conn, int64_t deadline);

/* Takes the params of a `changed` that was pushed. */
void changes_take(kvzmq_t *conn, bytes_t params);

#endif
