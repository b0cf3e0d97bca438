/* SPDX-License-Identifier: MPL-2.0 */
/* The fast path for usual requests: `ping`, `get` and `put` without options, to the session's own store. It
 * reads and executes some dozens at a time, with few instructions. dispatch.h executes the same requests with
 * the same answers, byte for byte, so everything unusual is left to it. */
#ifndef KV_BROKER_CORE_USUAL_H
#define KV_BROKER_CORE_USUAL_H

#include "broker/core/session.h"

/* Executes the next messages of SESSION's payload, as long as they are usual, their answers fit, and the turn
 * has budget left. */
void usual_run(session_t *session);

/* See hub_foresee. */
void usual_foresee(const hub_t *hub, const foreseen_t *foreseen, unsigned count);

#endif
