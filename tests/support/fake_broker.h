/* SPDX-License-Identifier: MPL-2.0 */
/* A peer in a thread that follows a test's script. It does what a real broker does not do on demand, such as
 * disconnecting in the middle of a request or answering nonsense. */
#ifndef KV_TESTS_SUPPORT_FAKE_BROKER_H
#define KV_TESTS_SUPPORT_FAKE_BROKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

typedef enum fake_action {
    FAKE_RESULT, /* answer with `bytes` as the encoded result */
    FAKE_RAW,    /* answer `bytes` as they are; FAKE_MSGID in them is replaced by the request's msgid */
    FAKE_BREAK,  /* close the connection, and listen again */
    FAKE_SILENT  /* do nothing */
} fake_action_t;

/* Stands for the msgid in raw bytes: a uint32 of MessagePack. */
#define FAKE_MSGID        "\xce\xfe\xed\xbe\xef"
#define FAKE_MSGID_NUMBER 0xfeedbeefU

enum { FAKE_ASKED_MAX = 256 }; /* bytes of a request that is kept */

/* What to do about the next request. A request that is not the next step's is answered as `usual` says. If
 * that does not have it, a `hello` is answered as a broker would, and any other request is ignored. */
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
    const fake_step_t *usual; /* borrowed; for requests that are not the next step's, in any order */
    size_t usual_count;
    uint8_t asked[FAKE_ASKED_MAX]; /* the request of the last step that was done */
    size_t asked_size;
    atomic_size_t done; /* how many steps; grows after `asked` was written */
    atomic_bool stop;
    void *context; /* libzmq's */
    void *router;  /* its first socket; only the thread uses it once that runs */
    pthread_t thread;
} fake_broker_t;

void fake_broker_start(fake_broker_t *fake, const fake_step_t *steps, size_t count);
/* The same, with usual answers. */
void fake_broker_start_usual(fake_broker_t *fake, const fake_step_t *steps, size_t count,
                             const fake_step_t *usual, size_t usual_count);
/* The request of the last step that was done. Call it when the next request is still to come. */
bytes_t fake_broker_asked(const fake_broker_t *fake);
/* Ends it. The test fails unless all steps were done. */
void fake_broker_stop(fake_broker_t *fake);

#endif
