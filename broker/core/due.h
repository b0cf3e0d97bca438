/* SPDX-License-Identifier: MPL-2.0 */
/* Expiry of due entries. */
#ifndef KV_BROKER_CORE_DUE_H
#define KV_BROKER_CORE_DUE_H

#include "broker/core/hub_state.h"

/* Whether due entries have not expired yet: reads do not see them, but sums, digests and the event log still
 * have them. */
static inline bool due_is(const hub_t *hub)
{
    return engine_due(hub->engine) <= hub->now_ms;
}

bool due_expire_some(hub_t *hub); /* the rare part of due_expire */

/* Expires due entries, as many as one turn may report. Returns whether more are due. */
static inline bool due_expire(hub_t *hub)
{
    return due_is(hub) && due_expire_some(hub);
}

#endif
