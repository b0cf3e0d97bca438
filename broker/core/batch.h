/* SPDX-License-Identifier: MPL-2.0 */
/* A payload on its way through a session: message after message, the answers gathered into one. PROTOCOL.md
 * sections 1 and 2. It may stop at a request that waits, and go on later. */
#ifndef KV_BROKER_CORE_BATCH_H
#define KV_BROKER_CORE_BATCH_H

#include "broker/core/session.h"

/* Carries out what arrived on a session that does not wait. Returns the session, or NULL if it ended and is
 * freed. */
KV_MUST_USE session_t *batch_start(session_t *session, const arrival_t *arrival, int64_t now_ms);

/* Ends the request that the session waited with, RESULT being what came of that, and goes on: with the rest
 * of its payload, then with those behind it. Returns as batch_start. */
session_t *batch_resume(session_t *session, const wait_result_t *result, int64_t now_ms);

#endif
