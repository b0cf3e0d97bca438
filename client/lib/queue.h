/* SPDX-License-Identifier: MPL-2.0 */
/* Batches, and the queue of those in flight, oldest first: answers come in this order. batch.c bounds the
 * queue. */
#ifndef KV_CLIENT_LIB_QUEUE_H
#define KV_CLIENT_LIB_QUEUE_H

#include "client/lib/link.h"
#include "client/lib/request.h"

/* A request in a batch. */
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
    kvzmq_t *conn;       /* for which it was made; not owned */
    kvzmq_batch_t *next; /* the next newer one in the queue */
    batch_state_t state;
    buffer_t bytes;            /* the encoded requests; after sending, the value of the last answer */
    batch_request_t *requests; /* owned */
    uint32_t count;            /* requests */
    uint32_t capacity;         /* size of `requests` */
    uint32_t taken;            /* answers handed out */
    payload_t payload;         /* in BATCH_ANSWERED; owned */
    size_t at;                 /* offset of the next answer in `payload` */
    kvzmq_status_t failure;    /* in BATCH_FAILED: why a read got no answer */
};

/* Frees a batch that is in no queue; NULL = none. */
void batch_free(kvzmq_batch_t *batch);

typedef struct queue {
    kvzmq_batch_t *oldest; /* owned, with all newer ones */
    kvzmq_batch_t *newest;
    kvzmq_batch_t *waiting; /* the oldest without an answer; all newer ones have none either. NULL = none */
    unsigned count;         /* batches */
    size_t requests;        /* in them, whose answers were not handed out */
} queue_t;

/* Appends a batch that was just sent. Takes the batch. */
void queue_push(queue_t *queue, kvzmq_batch_t *batch);
/* Frees the oldest batch. */
void queue_pop(queue_t *queue);
/* Frees all batches. */
void queue_release(queue_t *queue);

/* Whether a batch waits for its answer. */
bool queue_waits(const queue_t *queue);
/* Moves PAYLOAD to the oldest batch that waits, if it answers that batch. MSGID is that of PAYLOAD's first
 * response; 0 is an error about a whole payload. False: PAYLOAD is not for a batch and was not moved. */
KV_MUST_USE bool queue_store(queue_t *queue, payload_t *payload, uint32_t msgid);
/* Every batch that waits fails with WHY. */
void queue_fail(queue_t *queue, kvzmq_status_t why);

#endif
