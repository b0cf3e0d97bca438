/* SPDX-License-Identifier: MPL-2.0 */
/* Verifies passwords in a thread of its own (a czmq actor), so that the loop never waits for argon2id. Jobs
 * are done in order. Passwords are wiped (sodium_memzero) after use. */
#ifndef KV_BROKER_NET_VERIFIER_H
#define KV_BROKER_NET_VERIFIER_H

#include <czmq.h>

#include "broker/core/password_hash.h"
#include "common/limits.h"

typedef struct verifier verifier_t;

enum {
    VERIFIER_JOBS_MAX = 900
}; /* jobs handed over and not collected; below czmq's bound for an actor's pipe (1,000) */

/* Returns NULL if memory or a thread is refused. */
KV_MUST_USE verifier_t *verifier_new(void);
/* Waits for the job under way, drops the jobs after it, and ends the thread. */
void verifier_destroy(verifier_t **verifier);

/* The next two are as in verification_t; CONTEXT is the verifier_t. */

/* Hands over a job: verify PASSWORD against HASH. Both are copied. ID is any number that the caller
 * chooses; verifier_collect returns it. Returns false if VERIFIER_JOBS_MAX jobs are waiting, memory is
 * refused, or PASSWORD is longer than LIMIT_PASSWORD. */
KV_MUST_USE bool verifier_submit(void *context, uint64_t id, const char *hash, bytes_t password);

/* Cancels the job ID. If it has not begun, it is not computed and verifier_collect returns VERDICT_NONE
 * for it. */
void verifier_cancel(void *context, uint64_t id);

/* The libzmq socket to poll: it is readable when a job is done. */
void *verifier_socket(verifier_t *verifier);
/* Whether jobs were handed over and not collected. */
bool verifier_busy(const verifier_t *verifier);
/* Takes one finished job without waiting. Returns false if there is none. */
KV_MUST_USE bool verifier_collect(verifier_t *verifier, uint64_t *id, verdict_t *verdict);

#endif
