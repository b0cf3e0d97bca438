/* SPDX-License-Identifier: MPL-2.0 */
/* What a client of a server measures: the time for a number of messages, the latency of each, and, if
 * KV_SERVER_PID in the environment says which process the server is, its time on a processor. */
#ifndef KV_TESTS_BENCH_RESULT_H
#define KV_TESTS_BENCH_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/workload.h"

typedef struct result {
    double *latencies; /* seconds, of each message that was answered; owned */
    uint64_t answered;
    uint64_t messages; /* to come */
    pid_t server;      /* 0: not known */
    double used;       /* by the server, before */
    double begin;      /* as seconds_now has it */
} result_t;

/* Starts the clock. The client ends with result_print. */
void result_begin(result_t *result, uint64_t messages);

/* Counts an answer to a message that was sent at SENT. */
static inline void result_answer(result_t *result, double sent)
{
    result->latencies[result->answered++] = seconds_now() - sent;
}

/* Stops the clock. Prints one line of JSON: WHAT was done, messages of BATCH requests. Releases RESULT. */
void result_print(result_t *result, const char *what, uint64_t batch);

#endif
