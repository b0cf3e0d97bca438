/* SPDX-License-Identifier: MPL-2.0 */
/* Several lookups in an ordered map, side by side. */
#ifndef KV_BROKER_ENGINE_OMAP_WARM_H
#define KV_BROKER_ENGINE_OMAP_WARM_H

#include "broker/engine/omap.h"

enum { OMAP_WARM_FROM = 16384 }; /* entries; a smaller map is in the caches anyway */

/* A hint: KEYS are about to be looked up. In a large map COUNT lookups after it take a fraction of the time.
 * Changes nothing. */
void omap_warm(const omap_t *map, const bytes_t *keys, unsigned count);

#endif
