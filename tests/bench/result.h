/* SPDX-License-Identifier: MPL-2.0 */
/* What a benchmark client measures: the time for a number of messages, the latency of each and, if
 * KV_SERVER_PID in the environment gives the server's process id, the server's processor time. */
#ifndef KV_TESTS_BENCH_RESULT_H
#define KV_TESTS_BENCH_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/workload.h"

typedef struct result {
    double *latencies; /* [messages] seconds, one for each answered message; owned */
    uint64_t answered; /* messages answered so far */
    uint64_t messages; /* messages of the whole run */
    pid_t server;      /* 0 if not known */
    double used;       /* the server's processor time at the start, in seconds */
    double begin;      /* time of the start, from seconds_now */
} result_t;

/* Starts the clock. End with result_print. */
void result_begin(result_t *result, uint64_t messages);

/* Records the answer to a message that was sent at SENT. */
static inline void result_answer(result_t *result, double sent)
{
    result->latencies[result->answered++] = seconds_now() - sent;
}

/* Stops the clock, prints one line of JSON and releases RESULT. WHAT names the operation; each message had
 * BATCH requests. */
void result_print(result_t *result, const char *what, uint64_t batch);

#endif
