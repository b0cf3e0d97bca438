/* SPDX-License-Identifier: MPL-2.0 */
/* The format of a benchmark client's report. */
#include "tests/bench/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void result_begin(result_t *result, uint64_t messages)
{
    *result = (result_t){.latencies = calloc(messages, sizeof *result->latencies), .messages = messages};
    if (!result->latencies)
        abort();
    const char *server = getenv("KV_SERVER_PID");
    if (server) {
        result->server = (pid_t)number_of(server);
        result->used = seconds_used(result->server);
    }
    result->begin = seconds_now();
}

void result_print(result_t *result, const char *what, uint64_t batch)
{
    double seconds = seconds_now() - result->begin;
    uint64_t requests = result->messages * batch;
    if (result->server)
        result->used = seconds_used(result->server) - result->used;
    printf("{\"what\": \"%s\", \"batch\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"seconds\": %.6f, "
           "\"requests_per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f",
           what, batch, requests, seconds, (double)requests / seconds,
           quantile(result->latencies, result->answered, 0.5) * 1e6,
           quantile(result->latencies, result->answered, 0.99) * 1e6);
    if (result->server)
        printf(", \"server_us\": %.4f", result->used / (double)requests * 1e6);
    printf("}\n");
    free(result->latencies);
}
