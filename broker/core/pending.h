/* SPDX-License-Identifier: MPL-2.0 */
/* The requests of a payload whose answers are still to come, oldest first. Most payloads have none or one, so
 * the first one needs no allocation. */
#ifndef KV_BROKER_CORE_PENDING_H
#define KV_BROKER_CORE_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

struct method;

enum { PENDING_MAX = 64 }; /* requests */

typedef struct pending {
    const struct method *method; /* whose `finish` writes the answer */
    uint32_t msgid;
    bool owed; /* it is a request, not a notification */
} pending_t;

/* Empty if all zero. */
typedef struct pending_ring {
    pending_t oldest;
    pending_t *others; /* ring of PENDING_MAX, owned; NULL until there was more than one */
    unsigned first;    /* index of the oldest in `others` */
    unsigned count;    /* of all, with `oldest` */
} pending_ring_t;

/* Makes room for one more. False if there are PENDING_MAX, or memory is refused. */
KV_MUST_USE bool pending_ready(pending_ring_t *ring);
/* Adds one, after pending_ready returned true. */
void pending_add(pending_ring_t *ring, pending_t pending);
/* Takes the oldest. There must be one. */
pending_t pending_take(pending_ring_t *ring);
/* Frees what it holds; it is empty afterwards. */
void pending_release(pending_ring_t *ring);

#endif
