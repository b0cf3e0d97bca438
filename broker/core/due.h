/* SPDX-License-Identifier: MPL-2.0 */
/* What is due expires. */
#ifndef KV_BROKER_CORE_DUE_H
#define KV_BROKER_CORE_DUE_H

#include "broker/core/hub_state.h"

/* Whether entries are due that have not expired: what reads does not see them, but sums, digests and the log
 * still have them. */
static inline bool due_is(const hub_t *hub)
{
    return engine_due(hub->engine) <= hub->now_ms;
}

bool due_expire_some(hub_t *hub); /* the part of the next that is rare */

/* Expires what is due, as much as may be told in one turn. Returns whether more is due. */
static inline bool due_expire(hub_t *hub)
{
    return due_is(hub) && due_expire_some(hub);
}

#endif
