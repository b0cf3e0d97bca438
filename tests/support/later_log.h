/* SPDX-License-Identifier: MPL-2.0 */
/* A command log with one member, for tests (command_log.h). It applies commands later, some in each turn:
 * those of one session in their order, those of different sessions in a random order. A broker with it must
 * behave like one without it, except for time. */
#ifndef KV_TESTS_SUPPORT_LATER_LOG_H
#define KV_TESTS_SUPPORT_LATER_LOG_H

#include "broker/core/hub.h"

typedef struct later_log later_log_t;

/* Called before a command is applied. If it is applied in parts (OUTCOME_MORE), called before each part. */
typedef void later_log_observer_fn(void *context, const command_t *command, const place_t *place);

/* Makes a log and installs it in HUB. Call later_log_destroy after hub_destroy. Returns NULL if memory is
 * refused. */
KV_MUST_USE later_log_t *later_log_new(hub_t *hub, uint64_t seed);
void later_log_destroy(later_log_t **log);

/* Returns the log of HUB. */
later_log_t *later_log_of(const hub_t *hub);
void later_log_observe(later_log_t *log, later_log_observer_fn *observer, void *context);
/* Applies all commands, also those that are appended meanwhile, until the cost of one turn is reached. */
void later_log_settle(later_log_t *log);

#endif
