/* SPDX-License-Identifier: MPL-2.0 */
/* Verifies passwords in a thread of its own (a czmq actor), so that the loop never waits for argon2id. Jobs
 * are done in order. Passwords are wiped (sodium_memzero) once used. */
#ifndef KV_BROKER_NET_VERIFIER_H
#define KV_BROKER_NET_VERIFIER_H

#include <czmq.h>

#include "broker/core/accounts.h"

typedef struct verifier verifier_t;

enum {
    VERIFIER_JOBS_MAX = 900
}; /* jobs handed over and not collected; below czmq's bound for an actor's pipe (1,000) */

/* NULL if the thread cannot be made. */
KV_MUST_USE verifier_t *verifier_new(void);
/* Waits for the job under way (not for those behind it) and ends the thread. */
void verifier_destroy(verifier_t **verifier);

/* The next two are as in verification_t; CONTEXT is the verifier_t. */

/* Hands over a job: verify PASSWORD against HASH. Both are copied. TICKET (any number of the caller's) comes
 * back. False if VERIFIER_JOBS_MAX jobs are waiting, memory is refused, or PASSWORD is above
 * LIMIT_PASSWORD. */
KV_MUST_USE bool verifier_submit(void *context, uint64_t ticket, const char *hash, bytes_t password);

/* Cancels the job TICKET: if it has not begun, it is not computed. It comes back with VERDICT_NONE. */
void verifier_cancel(void *context, uint64_t ticket);

/* The libzmq socket that is readable when a job is done: to poll. */
void *verifier_socket(verifier_t *verifier);
/* Takes one finished job without waiting. False if none is there. */
KV_MUST_USE bool verifier_collect(verifier_t *verifier, uint64_t *ticket, verdict_t *verdict);

#endif
