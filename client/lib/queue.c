/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the batches in flight and their answers, and knows how a batch is freed. */
#include "client/lib/queue.h"

#include <assert.h>
#include <stdlib.h>

void batch_free(kvzmq_batch_t *batch)
{
    if (batch == NULL)
        return;
    if (batch->state == BATCH_ANSWERED)
        payload_release(&batch->payload);
    buffer_release(&batch->bytes);
    free(batch->requests);
    free(batch);
}

void queue_push(queue_t *queue, kvzmq_batch_t *batch)
{
    batch->state = BATCH_SENT;
    batch->next = NULL;
    if (queue->newest == NULL)
        queue->oldest = batch;
    else
        queue->newest->next = batch;
    queue->newest = batch;
    if (queue->waiting == NULL)
        queue->waiting = batch;
    queue->count++;
    queue->requests += batch->count;
}

void queue_pop(queue_t *queue)
{
    kvzmq_batch_t *gone = queue->oldest;
    assert(gone != NULL);
    queue->oldest = gone->next;
    if (queue->oldest == NULL)
        queue->newest = NULL;
    if (queue->waiting == gone)
        queue->waiting = gone->next;
    queue->count--;
    queue->requests -= gone->count - gone->taken;
    batch_free(gone);
}

void queue_release(queue_t *queue)
{
    while (queue->oldest != NULL)
        queue_pop(queue);
}

bool queue_waits(const queue_t *queue)
{
    return queue->waiting != NULL;
}

bool queue_store(queue_t *queue, payload_t *payload, uint32_t msgid)
{
    kvzmq_batch_t *batch = queue->waiting;
    if (batch == NULL || (msgid != 0 && msgid != batch->requests[0].msgid))
        return false;
    queue->waiting = batch->next;
    payload_move(&batch->payload, payload);
    batch->at = 0;
    batch->state = BATCH_ANSWERED;
    return true;
}

void queue_fail(queue_t *queue, kvzmq_status_t why)
{
    for (kvzmq_batch_t *batch = queue->waiting; batch != NULL; batch = batch->next) {
        batch->state = BATCH_FAILED;
        batch->failure = why;
    }
    queue->waiting = NULL;
}
