/* SPDX-License-Identifier: MPL-2.0 */
/* A payload on its way through a session: message after message, the answers gathered into one. PROTOCOL.md
 * sections 1 and 2. It may stop at a request that waits, and go on later. */
#ifndef KV_BROKER_CORE_BATCH_H
#define KV_BROKER_CORE_BATCH_H

#include "broker/core/session.h"

/* Carries out what arrived on a session that does not wait. Returns the session, or NULL if it ended and is
 * freed. */
KV_MUST_USE session_t *batch_start(session_t *session, const arrival_t *arrival, int64_t now_ms);

/* RESULT is what came of what the session waits for: ends the oldest of its requests that wait, if any does,
 * or lets in the session whose place was asked for. When nothing of it waits any more, goes on: with the rest
 * of its payload, then with those behind it. Returns as batch_start. */
session_t *batch_resume(session_t *session, const wait_result_t *result, int64_t now_ms);

/* Whether SESSION, whose connection is gone, is to stay until what came on it is carried out: with a log that
 * takes turns, without one it is done by then. */
KV_MUST_USE bool batch_lingers(const session_t *session);

#endif
