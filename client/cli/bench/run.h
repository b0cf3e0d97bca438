/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a plan: loads the keys, runs the workload, deletes the keys. Reports its steps on standard error. */
#ifndef KV_CLIENT_CLI_BENCH_RUN_H
#define KV_CLIENT_CLI_BENCH_RUN_H

#include "client/cli/bench/client.h"

typedef struct bench_result {
    bench_tally_t tally;   /* of the workload; `bad`, `errors`, `removed` and `gone`: of all phases */
    histogram_t latencies; /* ns, of operations */
    int64_t load_ns;       /* how long it took to load the keys */
    int64_t elapsed_ns;    /* how long the workload ran, to the last answer */
    uint64_t left;         /* keys that may still exist */
    bool interrupted;
    bench_fault_t fault;
    kvzmq_status_t status;          /* of FAULT_LOST */
    char problem[PROBLEM_TEXT_MAX]; /* about the fault, or else the first error; "" = none */
} bench_result_t;

/* CONNECTION: how to connect; its name is not used. TERMINAL: standard error is a terminal, so show progress.
 */
void bench_run(const bench_plan_t *plan, const kvzmq_options_t *connection, bool terminal,
               bench_result_t *result);

#endif
