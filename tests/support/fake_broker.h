/* SPDX-License-Identifier: MPL-2.0 */
/* A peer in a thread that follows a test's script. It does what a real broker does not do on demand, such as
 * disconnecting in the middle of a request or answering nonsense. */
#ifndef KV_TESTS_SUPPORT_FAKE_BROKER_H
#define KV_TESTS_SUPPORT_FAKE_BROKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum fake_action {
    FAKE_RESULT, /* answer with `bytes` as the encoded result */
    FAKE_RAW,    /* answer `bytes` as they are; FAKE_MSGID in them is replaced by the request's msgid */
    FAKE_BREAK,  /* close the connection, and listen again */
    FAKE_SILENT  /* do nothing */
} fake_action_t;

/* Stands for the msgid in raw bytes: a uint32 of MessagePack. */
#define FAKE_MSGID "\xce\xfe\xed\xbe\xef"

/* What to do about the next request. A `hello` for which there is no step is answered as a broker would; any
 * other request that is not the next step's is ignored. */
typedef struct fake_step {
    const char *method;
    fake_action_t action;
    const char *bytes;
    size_t size;
} fake_step_t;

typedef struct fake_broker {
    char endpoint[64];
    const fake_step_t *steps; /* borrowed */
    size_t count;
    atomic_size_t done; /* how many steps */
    atomic_bool stop;
    void *context; /* libzmq's */
    void *router;  /* its first socket; only the thread uses it once that runs */
    pthread_t thread;
} fake_broker_t;

void fake_broker_start(fake_broker_t *fake, const fake_step_t *steps, size_t count);
/* Ends it. The test fails unless all steps were done. */
void fake_broker_stop(fake_broker_t *fake);

#endif
