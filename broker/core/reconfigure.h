/* SPDX-License-Identifier: MPL-2.0 */
/* New settings for a running hub: an entry point like those of hub.h. */
#ifndef KV_BROKER_CORE_RECONFIGURE_H
#define KV_BROKER_CORE_RECONFIGURE_H

#include "broker/core/hub_state.h"

/* Switches to SETTINGS, which are borrowed instead of the old ones; the old ones may be freed then. Limits,
 * times and sizes apply at once, but a running payload keeps the limits that it began with. If an account was
 * removed or has another hash, its sessions become guests: they get a `role` event and lose their tickets. If
 * the configuration claims a name that it did not claim before, or with another secret, the sessions under
 * that name end (`revoked`). Settings that only hub_new uses (ids, limits/message, events/keep,
 * events/keep_bytes) must be unchanged. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms);

#endif
