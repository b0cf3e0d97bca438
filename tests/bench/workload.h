/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the benchmarks of the broker and of other servers: keys and values, the requests to send, the
 * clock, statistics. */
#ifndef KV_TESTS_BENCH_WORKLOAD_H
#define KV_TESTS_BENCH_WORKLOAD_H

#include <sys/types.h>

#include "common/buffer.h"

enum {
    WORKLOAD_KEY_SIZE = 16,         /* bytes of a key */
    WORKLOAD_VALUE_SIZE = 32,       /* bytes of a value */
    WORKLOAD_DRAWN = 1 << 19,       /* most requests that are prepared */
    WORKLOAD_PAYLOADS_MIN = 64,     /* fewest payloads that are prepared */
    WORKLOAD_PAYLOAD_MAX = 1 << 20, /* bytes of a payload */
};

/* Write the text of key or value number KEY, with a terminating zero. A value contains the number of its
 * key, so a client can check that it got the right one. */
void workload_key_write(uint64_t key, char text[WORKLOAD_KEY_SIZE + 1]);
void workload_value_write(uint64_t key, char text[WORKLOAD_VALUE_SIZE + 1]);

/* Returns how many payloads of BATCH requests are prepared: one request for each of KEYS keys, but about
 * WORKLOAD_DRAWN requests at most, which is enough that the server's lookups miss the processor's caches. */
static inline size_t workload_payloads(uint64_t batch, uint64_t keys)
{
    uint64_t payloads = (keys < WORKLOAD_DRAWN ? keys : WORKLOAD_DRAWN) / batch;
    return payloads > WORKLOAD_PAYLOADS_MIN ? (size_t)payloads : WORKLOAD_PAYLOADS_MIN;
}

/* Payloads made before the clock starts, to be sent in turn. */
typedef struct workload {
    size_t count;
    buffer_t *payloads; /* [count] */
    buffer_t *answers;  /* [count]: what the broker must answer, except for the revisions of `put` */
} workload_t;

/* The first request of a payload, and its answer, have a msgid of 5 encoded bytes at WORKLOAD_TAG_PLACE. A
 * client may overwrite it with any number from WORKLOAD_TAG on, to match answers to payloads. */
enum { WORKLOAD_TAG_PLACE = 2, WORKLOAD_TAG = 0x10000 };

/* Makes the payloads, of BATCH requests each, and their answers. The requests call METHOD ("get", "put" or
 * "ping") with random keys out of KEYS, the same ones in every run. STORES, a divisor of KEYS, is the number
 * of stores that have KEYS / STORES keys each, in order. The keys of payload I are those of store I modulo
 * STORES, and the number of payloads is a multiple of STORES. */
void workload_init(workload_t *workload, const char *method, uint64_t batch, uint64_t keys, uint64_t stores);
void workload_release(workload_t *workload);

/* Returns the I-th payload to send, borrowed. */
static inline bytes_t workload_payload(const workload_t *workload, uint64_t i)
{
    return buffer_bytes(&workload->payloads[i % workload->count]);
}

/* Appends one request. */
void workload_write_request(buffer_t *payload, const char *method, uint32_t msgid, uint64_t key);

/* Returns the monotonic clock in seconds. */
double seconds_now(void);

/* Returns the processor time, in seconds, that all threads of process PID have used. Ends this process if
 * there is no such process. */
double seconds_used(pid_t pid);

/* Returns TEXT as a number. Ends the process if TEXT is not a number above 0. */
uint64_t number_of(const char *text);

/* Returns the quantile PART (0 … 1) of COUNT values, at least one. Sorts VALUES. */
double quantile(double *values, size_t count, double part);

#endif
