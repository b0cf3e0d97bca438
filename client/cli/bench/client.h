/* SPDX-License-Identifier: MPL-2.0 */
/* One client of the benchmark: a session that sends messages with requests, keeps some messages in flight,
 * and checks every answer. Use it in one thread at a time. It never waits. */
#ifndef KV_CLIENT_CLI_BENCH_CLIENT_H
#define KV_CLIENT_CLI_BENCH_CLIENT_H

#include "client/cli/bench/histogram.h"
#include "client/cli/bench/plan.h"
#include "client/cli/bench/tally.h"

typedef struct bench_client bench_client_t;

/* Makes client INDEX of PLAN (borrowed). Records latencies of PHASE_RUN (ns) in LATENCIES (borrowed).
 * CONNECTION: the options of the client's connection, except the name. NULL if memory is refused. */
KV_MUST_USE bench_client_t *bench_client_new(const bench_plan_t *plan, uint64_t index, histogram_t *latencies,
                                             const kvzmq_options_t *connection);

/* *CLIENT may be NULL, and is set to it. */
void bench_client_destroy(bench_client_t **client);

/* The client's connection, for connecting and saying goodbye. */
kvzmq_t *bench_client_connection(bench_client_t *client);

/* Begins a phase at START_NS (clock_monotonic_ns). False if memory is refused. */
KV_MUST_USE bool bench_client_begin(bench_client_t *client, bench_phase_t phase, int64_t start_ns);

/* Takes the answers that have arrived and, unless STOP, sends what is due at NOW_NS. True: call it again at
 * once. False: wait for bench_client_fd or bench_client_due. */
bool bench_client_step(bench_client_t *client, int64_t now_ns, bool stop);

/* Whether the client has sent everything and has all answers. */
bool bench_client_is_idle(const bench_client_t *client);

/* When the next message is due (clock_monotonic_ns); INT64_MAX if the client waits for answers or has sent
 * everything. */
int64_t bench_client_due(const bench_client_t *client);

/* The descriptor to wait on for answers; -1 = none. */
int bench_client_fd(const bench_client_t *client);

/* Makes the next step look for answers. Call it if the descriptor is readable, and from time to time so that
 * the client notices time limits. */
void bench_client_look(bench_client_t *client);

/* The fault of the client, its *STATUS (of FAULT_LOST), and a line about it in *TEXT ("" without a fault). */
bench_fault_t bench_client_fault(const bench_client_t *client, kvzmq_status_t *status, const char **text);

/* A line about the first error answer; "" = none. */
const char *bench_client_error(const bench_client_t *client);

const bench_tally_t *bench_client_tally(const bench_client_t *client);

/* How many keys that this client put may still exist. */
uint64_t bench_client_left(const bench_client_t *client);

#endif
