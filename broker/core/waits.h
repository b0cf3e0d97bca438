/* SPDX-License-Identifier: MPL-2.0 */
/* Sessions that wait (for a verified password, a time, an outcome or their turn), in the order in which they
 * began to wait. */
#ifndef KV_BROKER_CORE_WAITS_H
#define KV_BROKER_CORE_WAITS_H

#include "broker/core/session.h"

typedef struct waits waits_t;

/* NULL if memory is refused. */
KV_MUST_USE waits_t *waits_new(void);
void waits_destroy(waits_t **waits);

/* SESSION, which waits for nothing, waits for WAIT. With WAIT_DELAY it waits until UNTIL_MS, which must not
 * be before that of an earlier call. */
void waits_add(waits_t *waits, session_t *session, wait_t wait, int64_t until_ms);
/* Ends the wait of SESSION, if it waits. */
void waits_remove(waits_t *waits, session_t *session);

/* The first session that waits for WAIT, NULL if none does; session->wait.next is the next one. WAIT_TURN and
 * WAIT_YIELD share one list. */
session_t *waits_first(const waits_t *waits, wait_t wait);
/* Whether any session waits for anything. */
KV_MUST_USE bool waits_any(const waits_t *waits);
/* When the first of WAIT_DELAY or WAIT_TURN may continue: monotonic ms, 0 = at once; INT64_MAX = there is
 * none. */
int64_t waits_next_due(const waits_t *waits);

/* For tests: whether the lists are sound. *COUNT is set to how many sessions wait. */
KV_MUST_USE bool waits_sound(const waits_t *waits, uint64_t *count);

#endif
