/* SPDX-License-Identifier: MPL-2.0 */
/* A log of one member for tests (command_log.h), which applies commands later: some a turn, those of one
 * session in their order, those of different sessions in an order that is left to chance. What a broker does
 * may differ by nothing but time. */
#ifndef KV_TESTS_SUPPORT_LATER_LOG_H
#define KV_TESTS_SUPPORT_LATER_LOG_H

#include "broker/core/hub.h"

typedef struct later_log later_log_t;

/* Is told of each command that is applied, just before; of one that is applied in parts (OUTCOME_MORE), each
 * time. */
typedef void later_log_observer_fn(void *context, const command_t *command, const place_t *place);

/* Becomes HUB's log: until later_log_destroy, which must be called after hub_destroy. NULL if memory is
 * refused.
 */
KV_MUST_USE later_log_t *later_log_new(hub_t *hub, uint64_t seed);
void later_log_destroy(later_log_t **log);

/* The log of HUB. */
later_log_t *later_log_of(const hub_t *hub);
void later_log_observe(later_log_t *log, later_log_observer_fn *observer, void *context);
/* Applies what there is, what comes of that too, but no more than may be told in a turn. */
void later_log_settle(later_log_t *log);

#endif
