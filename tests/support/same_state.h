/* SPDX-License-Identifier: MPL-2.0 */
/* Asserts that two hubs, or a hub and a state machine, have the same clients, stores and events. */
#ifndef KV_TESTS_SUPPORT_SAME_STATE_H
#define KV_TESTS_SUPPORT_SAME_STATE_H

#include "broker/core/client_registry.h"
#include "broker/core/event_log.h"

/* What is compared. */
typedef struct state {
    registry_t *registry;
    engine_t *engine;
} state_t;

/* Compares all clients and all entries of their stores at NOW_MS; with DIGESTS, the digests of the stores
 * too, which makes the engines update them with each later change. Nothing may be due. */
void assert_same_state(const state_t *one, const state_t *other, int64_t now_ms, bool digests);

/* Compares the events from behind *COMPARED up to SEQ, which both logs must have. Sets *COMPARED to SEQ. */
void assert_same_events(const event_log_t *one, const event_log_t *other, uint64_t *compared, uint64_t seq);

#endif
