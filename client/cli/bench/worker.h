/* SPDX-License-Identifier: MPL-2.0 */
/* A thread that runs some of the clients through a phase. */
#ifndef KV_CLIENT_CLI_BENCH_WORKER_H
#define KV_CLIENT_CLI_BENCH_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client/cli/bench/client.h"

/* A phase, shared by all workers. */
typedef struct worker_phase {
    bench_phase_t phase;
    int64_t start_ns;
    atomic_bool stop; /* send nothing more */
    int ended_fd;     /* eventfd; each worker adds 1 when it ends */
} worker_phase_t;

typedef struct worker {
    void *zmq_context;        /* owned; shared by the clients. NULL = each has its own */
    bench_client_t **clients; /* owned, and each client too */
    size_t count;
    size_t connected;     /* how many of them are connected and take part */
    struct pollfd *waits; /* owned; one for each client */
    histogram_t latencies;
    atomic_uint_fast64_t operations; /* completed in all phases */
    worker_phase_t *phase;           /* borrowed */
    pthread_t thread;
} worker_t;

/* Makes worker INDEX and its clients. False if memory is refused; call worker_release even then. */
KV_MUST_USE bool worker_init(worker_t *worker, const bench_plan_t *plan, uint64_t index,
                             const kvzmq_options_t *connection);
void worker_release(worker_t *worker);

/* Starts a thread that runs the clients through PHASE. False if a thread or memory is refused. */
KV_MUST_USE bool worker_start(worker_t *worker, worker_phase_t *phase);

/* Waits for the end of the phase. */
void worker_join(worker_t *worker);

#endif
