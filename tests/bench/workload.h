/* SPDX-License-Identifier: MPL-2.0 */
/* What the benchmarks of the whole broker and of other servers share: keys and values, the requests that they
 * send, the clock, statistics. */
#ifndef KV_TESTS_BENCH_WORKLOAD_H
#define KV_TESTS_BENCH_WORKLOAD_H

#include <sys/types.h>

#include "common/buffer.h"

enum {
    WORKLOAD_KEY_SIZE = 16,         /* bytes of a key */
    WORKLOAD_VALUE_SIZE = 32,       /* bytes of a value */
    WORKLOAD_DRAWN = 1 << 19,       /* requests that are prepared, at most */
    WORKLOAD_PAYLOADS_MIN = 64,     /* payloads that are prepared, at least */
    WORKLOAD_PAYLOAD_MAX = 1 << 20, /* bytes of one */
};

/* The text of key and value number KEY, with a zero behind it. A value names its key, so a client can tell
 * that it got the right one. */
void workload_key_write(uint64_t key, char text[WORKLOAD_KEY_SIZE + 1]);
void workload_value_write(uint64_t key, char text[WORKLOAD_VALUE_SIZE + 1]);

/* How many payloads of BATCH requests are prepared: enough to draw as many times as there are KEYS, or so
 * many that what a server looks up is not in the processor's caches. */
static inline size_t workload_payloads(uint64_t batch, uint64_t keys)
{
    uint64_t payloads = (keys < WORKLOAD_DRAWN ? keys : WORKLOAD_DRAWN) / batch;
    return payloads > WORKLOAD_PAYLOADS_MIN ? (size_t)payloads : WORKLOAD_PAYLOADS_MIN;
}

/* Payloads made before the clock runs, to be sent in turn. */
typedef struct workload {
    size_t count;
    buffer_t *payloads; /* [count] */
    buffer_t *answers;  /* [count]: what the broker must answer; of `put`, with other revisions */
} workload_t;

/* The first request of a payload has a msgid of 5 bytes at this place, in its answer too: from WORKLOAD_TAG
 * on a client may set another for each payload that it sends. */
enum { WORKLOAD_TAG_PLACE = 2, WORKLOAD_TAG = 0x10000 };

/* Fills the payloads with BATCH requests each: METHOD ("get", "put", "ping") on random ones of KEYS keys, the
 * same in every run, and the answers. */
void workload_init(workload_t *workload, const char *method, uint64_t batch, uint64_t keys);
void workload_release(workload_t *workload);

/* The I-th payload to send, borrowed. */
static inline bytes_t workload_payload(const workload_t *workload, uint64_t i)
{
    return buffer_bytes(&workload->payloads[i % workload->count]);
}

/* Appends one request. */
void workload_write_request(buffer_t *payload, const char *method, uint32_t msgid, uint64_t key);

/* Seconds since some fixed moment, never going back. */
double seconds_now(void);

/* The seconds that all threads of a process used a processor so far. Ends this process if there is none such.
 */
double seconds_used(pid_t pid);

/* The whole of TEXT as a number above 0; ends the process where it is none. */
uint64_t number_of(const char *text);

/* The value that a share PART (0 … 1) of COUNT values (at least one) is not above. Sorts them. */
double quantile(double *values, size_t count, double part);

#endif
