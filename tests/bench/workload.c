/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the form of the benchmarks' requests. */
#include "tests/bench/workload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/rpc.h"
#include "tests/support/chance.h"

enum { SEED = 1 }; /* the same keys in every run: the counts are compared */

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*end != '\0' || number == 0) {
        fprintf(stderr, "%s is not a number above 0\n", text);
        exit(2);
    }
    return number;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

double quantile(double *values, size_t count, double part)
{
    assert(count > 0);
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)(part * (double)(count - 1) + 0.5)];
}

void workload_key_write(uint64_t key, char text[WORKLOAD_KEY_SIZE + 1])
{
    snprintf(text, WORKLOAD_KEY_SIZE + 1, "key:%012" PRIu64, key % UINT64_C(1000000000000));
}

void workload_value_write(uint64_t key, char text[WORKLOAD_VALUE_SIZE + 1])
{
    snprintf(text, WORKLOAD_VALUE_SIZE + 1, "the value %012" PRIu64 " of my key",
             key % UINT64_C(1000000000000));
}

void workload_write_request(buffer_t *payload, const char *method, uint32_t msgid, uint64_t key)
{
    char text[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    rpc_write_request(payload, msgid, bytes_from_text(method));
    if (strcmp(method, "ping") == 0) {
        rpc_write_array(payload, 0);
        return;
    }
    workload_key_write(key, text);
    workload_value_write(key, value);
    bool put = strcmp(method, "put") == 0;
    rpc_write_array(payload, put ? 2 : 1);
    rpc_write_str(payload, bytes_of(text, WORKLOAD_KEY_SIZE));
    if (put)
        rpc_write_str(payload, bytes_of(value, WORKLOAD_VALUE_SIZE));
}

static void answer_write(buffer_t *answer, const char *method, uint32_t msgid, uint64_t key)
{
    char value[WORKLOAD_VALUE_SIZE + 1];
    workload_value_write(key, value);
    rpc_write_result(answer, msgid);
    if (strcmp(method, "put") == 0)
        rpc_write_uint(answer, UINT32_MAX); /* a revision, of usual size */
    else
        rpc_write_text(answer, strcmp(method, "ping") == 0 ? "pong" : value);
}

void workload_init(workload_t *workload, const char *method, uint64_t batch, uint64_t keys)
{
    chance_t chance = chance_from(SEED);
    for (size_t i = 0; i < WORKLOAD_PREPARED; i++) {
        buffer_t *payload = &workload->payloads[i];
        buffer_t *answer = &workload->answers[i];
        buffer_init(payload, WORKLOAD_PAYLOAD_MAX);
        buffer_init(answer, WORKLOAD_PAYLOAD_MAX);
        for (uint64_t j = 0; j < batch; j++) {
            uint64_t key = chance_below(&chance, keys);
            uint32_t msgid = j == 0 ? WORKLOAD_TAG : (uint32_t)j;
            workload_write_request(payload, method, msgid, key);
            answer_write(answer, method, msgid, key);
        }
        assert(!payload->failed && !answer->failed);
    }
}

void workload_release(workload_t *workload)
{
    for (size_t i = 0; i < WORKLOAD_PREPARED; i++) {
        buffer_release(&workload->payloads[i]);
        buffer_release(&workload->answers[i]);
    }
}
