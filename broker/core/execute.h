/* SPDX-License-Identifier: MPL-2.0 */
/* Executes one message of a payload and appends its answer, or an error if it failed or does not fit.
 * PROTOCOL.md sections 1 and 2. */
#ifndef KV_BROKER_CORE_EXECUTE_H
#define KV_BROKER_CORE_EXECUTE_H

#include "broker/core/request.h"
#include "broker/core/session.h"

/* Executes MESSAGE, a request or notification. Returns as its handler does; also HANDLED if there is no room
 * or memory to execute or answer it. After AGAIN, nothing of it is in the answer; AGAIN also means that
 * pending answers must come first. After WAITS it is pending. */
KV_MUST_USE handling_t execute(session_t *session, const rpc_message_t *message, int64_t now_ms);

/* Calls the `finish` of the oldest pending request, whose wait ended with RESULT. After WAITS, it waits for
 * something else, and is still pending; otherwise it is answered. */
KV_MUST_USE handling_t execute_finish(session_t *session, const wait_result_t *result, int64_t now_ms);

/* Answers a message that is not a valid request. */
void execute_ill_formed(session_t *session, const rpc_message_t *message);

/* Nothing fits any more: the request MSGID gets this error, and so do all requests after it. */
void execute_overflow(session_t *session, uint32_t msgid);

/* Appends the error TEXT about the payload itself. */
void execute_refuse(batch_t *batch, const char *text);

#endif
