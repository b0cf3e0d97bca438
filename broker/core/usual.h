/* SPDX-License-Identifier: MPL-2.0 */
/* The usual requests, `ping`, `get` and `put` of the session's own store without options, read and carried
 * out some dozens at a time and with few instructions. The general way (dispatch.h) takes them too and gives
 * the same answers, byte for byte: whatever is in any way unusual is left to it. */
#ifndef KV_BROKER_CORE_USUAL_H
#define KV_BROKER_CORE_USUAL_H

#include "broker/core/session.h"

/* Carries out the messages that come next in SESSION's payload, as long as they are usual, their answers fit,
 * and the turn's work is not done. */
void usual_run(session_t *session);

#endif
