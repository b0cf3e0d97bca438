/* SPDX-License-Identifier: MPL-2.0 */
/* One client of the benchmark: a session that sends messages of requests, keeps some of them in flight, and
 * checks every answer. Used by one thread at a time; never waits. */
#ifndef KV_CLIENT_CLI_BENCH_CLIENT_H
#define KV_CLIENT_CLI_BENCH_CLIENT_H

#include "client/cli/bench/histogram.h"
#include "client/cli/bench/plan.h"
#include "client/cli/bench/tally.h"

typedef struct bench_client bench_client_t;

/* For client INDEX. PLAN is borrowed. LATENCIES (ns), borrowed, is used in PHASE_RUN only. CONNECTION has the
 * defaults for the client's connection, its name apart. NULL: no memory. */
KV_MUST_USE bench_client_t *bench_client_new(const bench_plan_t *plan, uint64_t index, histogram_t *latencies,
                                             const kvzmq_options_t *connection);

/* *CLIENT may be NULL, and is set to it. */
void bench_client_destroy(bench_client_t **client);

/* Its connection, to connect it and to say goodbye. */
kvzmq_t *bench_client_connection(bench_client_t *client);

/* Begins a phase at START_NS (clock_monotonic_ns). False: no memory. */
KV_MUST_USE bool bench_client_begin(bench_client_t *client, bench_phase_t phase, int64_t start_ns);

/* Sends what is due at NOW_NS, if STOP is false, and takes the answers that are there. True: there may be
 * more to do at once; else wait for its descriptor or its time. */
bool bench_client_step(bench_client_t *client, int64_t now_ns, bool stop);

/* Whether it has sent all, and got all answers. */
bool bench_client_is_idle(const bench_client_t *client);

/* When it wants to send next (clock_monotonic_ns); INT64_MAX if it waits for answers, or has sent all. */
int64_t bench_client_due(const bench_client_t *client);

/* Its descriptor, to wait for answers: -1 if there is none. */
int bench_client_fd(const bench_client_t *client);

/* Its answers must be looked at, whether or not its descriptor is readable. */
void bench_client_look(bench_client_t *client);

/* What has gone wrong so far, and a line about it ("" if nothing, or only errors that are counted). */
bench_fault_t bench_client_fault(const bench_client_t *client, kvzmq_status_t *status, const char **text);

/* The first error answer that is counted, in a line; "" if there is none. */
const char *bench_client_error(const bench_client_t *client);

const bench_tally_t *bench_client_tally(const bench_client_t *client);

/* Keys that this client put and that may still be there. */
uint64_t bench_client_left(const bench_client_t *client);

#endif
