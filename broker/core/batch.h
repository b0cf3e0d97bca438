/* SPDX-License-Identifier: MPL-2.0 */
/* How a session executes a payload: message after message, with the answers gathered into one. PROTOCOL.md
 * sections 1 and 2. It may stop at a request that waits, and continue later. */
#ifndef KV_BROKER_CORE_BATCH_H
#define KV_BROKER_CORE_BATCH_H

#include "broker/core/session.h"

/* Executes what arrived on a session that does not wait. Returns the session, or NULL if it ended and was
 * freed. */
KV_MUST_USE session_t *batch_start(session_t *session, const arrival_t *arrival, int64_t now_ms);

/* Continues a session whose wait ended with RESULT: finishes its oldest pending request, if there is one, or
 * its admission. When nothing is pending any more, executes the rest of its payload, and then the queued
 * payloads. Returns as batch_start. */
session_t *batch_resume(session_t *session, const wait_result_t *result, int64_t now_ms);

/* Whether SESSION, whose connection is gone, must stay until what arrived on it is executed. Only with a log;
 * without one it ends at once. */
KV_MUST_USE bool batch_lingers(const session_t *session);

#endif
