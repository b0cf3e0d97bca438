/* SPDX-License-Identifier: MPL-2.0 */
/* The format of the benchmarks' requests. */
#include "tests/bench/workload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/rpc.h"
#include "tests/support/chance.h"

enum { SEED = 1 }; /* the same keys in every run, because instruction counts are compared */

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double seconds_used(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        fprintf(stderr, "the clock of process %ld cannot be read\n", (long)pid);
        exit(1);
    }
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
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

/* Writes FORM with the digits of KEY in place of its zeros. Not snprintf: half a million are made before each
 * run. */
static void key_write(const char *form, uint64_t key, char *text)
{
    size_t size = strlen(form);
    memcpy(text, form, size + 1);
    for (size_t i = size; i-- > 0;) {
        if (form[i] != '0')
            continue;
        text[i] = (char)('0' + key % 10);
        key /= 10;
    }
}

static const char key_form[] = "key:000000000000";
static const char value_form[] = "the value 000000000000 of my key";
static_assert(sizeof key_form == WORKLOAD_KEY_SIZE + 1, "a key's size");
static_assert(sizeof value_form == WORKLOAD_VALUE_SIZE + 1, "a value's size");

void workload_key_write(uint64_t key, char text[WORKLOAD_KEY_SIZE + 1])
{
    key_write(key_form, key, text);
}

void workload_value_write(uint64_t key, char text[WORKLOAD_VALUE_SIZE + 1])
{
    key_write(value_form, key, text);
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
        rpc_write_uint(answer, UINT32_MAX); /* a placeholder for the revision, encoded in 5 bytes */
    else
        rpc_write_text(answer, strcmp(method, "ping") == 0 ? "pong" : value);
}

void workload_init(workload_t *workload, const char *method, uint64_t batch, uint64_t keys, uint64_t stores)
{
    chance_t chance = chance_from(SEED);
    uint64_t each = keys / stores;
    workload->count = (workload_payloads(batch, keys) + stores - 1) / stores * stores;
    workload->payloads = calloc(workload->count, sizeof *workload->payloads);
    workload->answers = calloc(workload->count, sizeof *workload->answers);
    if (!workload->payloads || !workload->answers)
        abort();
    for (size_t i = 0; i < workload->count; i++) {
        buffer_t *payload = &workload->payloads[i];
        buffer_t *answer = &workload->answers[i];
        buffer_init(payload, WORKLOAD_PAYLOAD_MAX);
        buffer_init(answer, WORKLOAD_PAYLOAD_MAX);
        for (uint64_t j = 0; j < batch; j++) {
            uint64_t key = i % stores * each + chance_below(&chance, each);
            uint32_t msgid = j == 0 ? WORKLOAD_TAG : (uint32_t)j;
            workload_write_request(payload, method, msgid, key);
            answer_write(answer, method, msgid, key);
        }
        assert(!payload->failed && !answer->failed);
    }
}

void workload_release(workload_t *workload)
{
    for (size_t i = 0; i < workload->count; i++) {
        buffer_release(&workload->payloads[i]);
        buffer_release(&workload->answers[i]);
    }
    free(workload->payloads);
    free(workload->answers);
}
