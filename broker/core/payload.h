/* SPDX-License-Identifier: MPL-2.0 */
/* A payload on its way through a session: message after message, the answers gathered into one. PROTOCOL.md
 * sections 1 and 2. It may stop at a request that takes long (parked) and go on later. */
#ifndef KV_BROKER_CORE_PAYLOAD_H
#define KV_BROKER_CORE_PAYLOAD_H

#include "broker/core/session.h"

/* Runs what arrived on a session that is not parked. Returns the session, or NULL if it ended and is
 * freed. */
KV_MUST_USE session_t *payload_start(session_t *session, const arrival_t *arrival, int64_t now_ms);

/* Finishes the request that the session was parked at, VERDICT being what a verifier said (of no meaning if
 * it waited for something else), and goes on: with the rest of its payload, then with those behind it.
 * Returns as payload_start. */
session_t *payload_resume(session_t *session, verdict_t verdict, int64_t now_ms);

#endif
