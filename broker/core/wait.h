/* SPDX-License-Identifier: MPL-2.0 */
/* What a session can wait for. */
#ifndef KV_BROKER_CORE_WAIT_H
#define KV_BROKER_CORE_WAIT_H

#include "broker/core/command.h"
#include "broker/core/password_hash.h"

typedef enum wait {
    WAIT_NONE,
    WAIT_VERIFY, /* until a password is verified */
    WAIT_DELAY,  /* until a time */
    WAIT_LOG,    /* until what it proposed is applied, or it may read */
    WAIT_TURN,   /* until its next turn: its request has more to do than one turn may take */
    WAIT_YIELD,  /* the same, but it could continue at once, and lets others have their turn */
    WAIT_COUNT
} wait_t;

/* How a wait ended, for a method's `finish`. */
typedef struct wait_result {
    wait_t what;              /* it waited for this */
    verdict_t verdict;        /* WAIT_VERIFY */
    const command_t *command; /* WAIT_LOG: borrowed. Its client may be gone: see the outcome */
    outcome_t outcome;        /* WAIT_LOG */
} wait_result_t;

#endif
