/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how an answer becomes a message of libzmq: copied, or with its own memory, which libzmq gives back. */
#include "broker/net/answer.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

enum {
    TRIM_BYTES = 65536,     /* an answer with more unused memory is trimmed before it is sent */
    MESSAGE_COST = 128,     /* about what libzmq allocates for a message without its content, bytes */
    COPY_BYTES = 512,       /* an answer up to this size is copied into its message, which is cheaper */
    UNCHARGED_BYTES = 16384 /* bytes of copied answers on their way to a peer that are not counted yet */
};

/* Placed after the bytes of an answer, in the same allocation. */
typedef struct trailer {
    send_budget_t *budget;
    spares_t *spares;
    size_t cost;     /* bytes that the answer counts for */
    size_t capacity; /* of the allocation */
} trailer_t;

/* libzmq calls this, in any thread, when it no longer needs an answer. */
static void answer_free(void *data, void *hint)
{
    trailer_t *trailer = hint;
    send_budget_t *budget = trailer->budget;
    atomic_fetch_sub(&budget->bytes, trailer->cost);
    send_budget_release(budget);
    spares_give(trailer->spares, data, trailer->capacity);
}

/* Makes room for a trailer after ANSWER, and gives back its memory if much of it is unused. Returns false if
 * memory is refused. */
static bool answer_prepare(buffer_t *answer)
{
    size_t needed = answer->size + alignof(trailer_t) - 1 + sizeof(trailer_t);
    if (answer->limit < needed)
        buffer_bound(answer, needed);
    if (buffer_reserve(answer, needed - answer->size) == NULL)
        return false;
    if (answer->capacity - needed > TRIM_BYTES) {
        uint8_t *trimmed = realloc(answer->data, needed);
        if (trimmed != NULL) {
            answer->data = trimmed;
            answer->capacity = needed;
        }
    }
    return true;
}

/* Makes MESSAGE from the bytes of a prepared ANSWER (taken). They count as COST in BUDGET until libzmq frees
 * them. Returns false if memory is refused. */
static bool answer_wrap(buffer_t *answer, send_budget_t *budget, spares_t *spares, size_t cost,
                        zmq_msg_t *message)
{
    size_t size = answer->size;
    size_t capacity = answer->capacity;
    size_t place = (size + alignof(trailer_t) - 1) / alignof(trailer_t) * alignof(trailer_t);
    size_t whole = place + sizeof(trailer_t);
    assert(whole <= answer->capacity);
    answer->size = whole;
    uint8_t *data = buffer_take(answer, &whole);
    trailer_t *trailer = (trailer_t *)(void *)(data + place);
    *trailer = (trailer_t){.budget = budget, .spares = spares, .cost = cost, .capacity = capacity};
    if (zmq_msg_init_data(message, data, size, answer_free, trailer) != 0) {
        free(data);
        return false;
    }
    atomic_fetch_add(&budget->bytes, cost);
    atomic_fetch_add(&budget->holders, 1);
    return true;
}

/* Makes MESSAGE a copy of ANSWER. A copy is not counted in the budget by itself: `uncharged` adds it to the
 * cost of a later answer, which leaves after it. Returns false if memory is refused. */
static bool answer_copy(const buffer_t *answer, zmq_msg_t *message)
{
    if (zmq_msg_init_size(message, answer->size) != 0)
        return false;
    if (answer->size > 0)
        memcpy(zmq_msg_data(message), answer->data, answer->size);
    return true;
}

status_t answer_message(connection_t *connection, uint64_t limit, spares_t *spares, size_t envelope,
                        buffer_t *answer, zmq_msg_t *message, size_t *cost)
{
    send_budget_t *budget = connection->budget;
    bool copied = answer->size <= COPY_BYTES;
    if (!copied && !answer_prepare(answer))
        return STATUS_UNAVAILABLE;
    /* Count the memory of an answer, not its content: for short answers it is several times as much. */
    *cost = (copied ? answer->size : answer->capacity) + envelope + MESSAGE_COST;
    size_t charged = *cost + connection->uncharged;
    size_t outstanding = atomic_load(&budget->bytes);
    if (outstanding > 0 && outstanding + charged > limit)
        return STATUS_RESOURCE_EXHAUSTED;
    copied = copied && charged <= UNCHARGED_BYTES;
    if (!copied && !answer_prepare(answer))
        return STATUS_UNAVAILABLE;
    if (!(copied ? answer_copy(answer, message) : answer_wrap(answer, budget, spares, charged, message)))
        return STATUS_UNAVAILABLE;
    connection->uncharged = copied ? charged : 0;
    return STATUS_OK;
}
