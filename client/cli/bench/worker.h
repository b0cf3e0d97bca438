/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that drives some of the clients through a phase. */
#ifndef KV_CLIENT_CLI_BENCH_WORKER_H
#define KV_CLIENT_CLI_BENCH_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client/cli/bench/client.h"

/* What all workers of a phase share. */
typedef struct worker_phase {
    bench_phase_t phase;
    int64_t start_ns;
    atomic_bool stop; /* nothing more is to be sent */
    int ended_fd;     /* eventfd, to which each worker adds 1 at its end */
} worker_phase_t;

typedef struct worker {
    void *zmq_context;        /* owned; the clients share it. NULL: each has its own */
    bench_client_t **clients; /* owned, with the clients */
    size_t count;
    size_t connected;     /* of these: they take part */
    struct pollfd *waits; /* owned; one for each client */
    histogram_t latencies;
    atomic_uint_fast64_t operations; /* done in all phases */
    worker_phase_t *phase;           /* borrowed */
    pthread_t thread;
} worker_t;

/* Makes worker INDEX and its clients. False: no memory; worker_release is needed all the same. */
KV_MUST_USE bool worker_init(worker_t *worker, const bench_plan_t *plan, uint64_t index,
                             const kvzmq_options_t *connection);
void worker_release(worker_t *worker);

/* Drives the clients through PHASE, in a thread of its own. False: no thread or memory. */
KV_MUST_USE bool worker_start(worker_t *worker, worker_phase_t *phase);

/* Waits for the end of the phase. */
void worker_join(worker_t *worker);

#endif
