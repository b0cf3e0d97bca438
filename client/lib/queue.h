/* SPDX-License-Identifier: MPL-2.0 */
/* Batches, and the queue of those in flight: oldest first, which is the order in which answers come. Its
 * bound is the connection's to keep. Knows nothing of connections. */
#ifndef KV_CLIENT_LIB_QUEUE_H
#define KV_CLIENT_LIB_QUEUE_H

#include "client/lib/link.h"
#include "client/lib/request.h"

/* What is remembered of a request in a batch. */
typedef struct batch_request {
    void *tag; /* the application's */
    uint32_t msgid;
    uint8_t method; /* method_t */
    bool writes;    /* it changes something */
} batch_request_t;

typedef enum batch_state {
    BATCH_OPEN,     /* being filled */
    BATCH_SENT,     /* in flight */
    BATCH_ANSWERED, /* `payload` is its answer */
    BATCH_FAILED    /* `failure` is its answer */
} batch_state_t;

struct kvzmq_batch {
    kvzmq_t *conn;       /* it was made for; not owned */
    kvzmq_batch_t *next; /* the next younger one in the queue */
    batch_state_t state;
    buffer_t bytes;            /* the encoded requests; once they are sent, the value handed out last */
    batch_request_t *requests; /* owned */
    uint32_t count;            /* requests */
    uint32_t capacity;         /* requests that there is memory for */
    uint32_t taken;            /* requests whose answer was handed out */
    payload_t payload;         /* of BATCH_ANSWERED, owned */
    size_t at;                 /* the byte in it where the next answer begins */
    kvzmq_status_t failure;    /* of BATCH_FAILED: why a read got no answer */
};

typedef struct queue {
    kvzmq_batch_t *oldest; /* owned, with all younger ones */
    kvzmq_batch_t *newest;
    kvzmq_batch_t *waiting; /* the oldest that waits for its answer; all younger ones do too. NULL = none */
    unsigned count;         /* batches */
    size_t requests;        /* of them, whose answer was not handed out */
} queue_t;

/* Appends a batch that was just sent; takes it. */
void queue_push(queue_t *queue, kvzmq_batch_t *batch);
/* Frees the oldest batch, all of whose answers were handed out. */
void queue_pop(queue_t *queue);
/* Frees all. */
void queue_release(queue_t *queue);

/* Whether a batch waits for its answer. */
bool queue_waits(const queue_t *queue);
/* Moves a payload whose first response has MSGID to the batch it answers, the oldest that waits; a response
 * with msgid 0 is an error about a whole payload. True: taken. False: it is not for a batch. */
KV_MUST_USE bool queue_store(queue_t *queue, payload_t *payload, uint32_t msgid);
/* Fails every batch that waits, because of WHY. */
void queue_fail(queue_t *queue, kvzmq_status_t why);

#endif
