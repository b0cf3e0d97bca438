/* SPDX-License-Identifier: MPL-2.0 */
/* The requests of a payload whose answers are still to come, the oldest first. Most payloads have none, few
 * of the others more than one: that one needs no memory of its own. */
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
    bool owed; /* it is no notification */
} pending_t;

/* All zero: none. */
typedef struct pending_ring {
    pending_t oldest;
    pending_t *others; /* PENDING_MAX of them, a ring, owned; NULL as long as there was never more than one */
    unsigned first;    /* of `others` */
    unsigned count;    /* of all */
} pending_ring_t;

/* Whether one more can be added: there are not too many, and memory is not refused. */
KV_MUST_USE bool pending_ready(pending_ring_t *ring);
/* Adds one, which pending_ready has said can be. */
void pending_add(pending_ring_t *ring, pending_t pending);
/* Takes the oldest; there is one. */
pending_t pending_take(pending_ring_t *ring);
/* Frees what it holds; there is none afterwards. */
void pending_release(pending_ring_t *ring);

#endif
