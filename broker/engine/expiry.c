/* SPDX-License-Identifier: MPL-2.0 */
/* The heap of deadlines. A node has 4 children, so it is half as deep as a binary heap. Each slot has a copy
 * of the time, so finding a place reads only those deadlines that move or are due at the same time. */
#include "broker/engine/expiry.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ARITY = 4,
    CHUNK_ROOM_MIN = 16, /* chunks */
    SPARE_CHUNKS = 1     /* empty chunks kept, so that one is not freed and allocated in turn */
};

typedef struct expiry_slot {
    int64_t due_ms; /* of the deadline, copied */
    deadline_t *deadline;
} expiry_slot_t;

void expiry_init(expiry_t *expiry)
{
    *expiry = (expiry_t){0};
}

void expiry_release(expiry_t *expiry)
{
    for (size_t i = 0; i < expiry->chunk_count; i++)
        free(expiry->chunks[i]);
    free(expiry->chunks);
    *expiry = (expiry_t){0};
}

static expiry_slot_t *slot_at(const expiry_t *expiry, uint32_t place)
{
    return &expiry->chunks[place / EXPIRY_CHUNK][place % EXPIRY_CHUNK];
}

static void place_slot(const expiry_t *expiry, uint32_t place, expiry_slot_t slot)
{
    *slot_at(expiry, place) = slot;
    slot.deadline->place = place;
}

/* Makes room for one more. */
static bool expiry_reserve(expiry_t *expiry)
{
    if (expiry->count < expiry->chunk_count * EXPIRY_CHUNK)
        return true;
    if (expiry->count > EXPIRY_NOWHERE - EXPIRY_CHUNK)
        return false;
    if (expiry->chunk_count == expiry->chunk_room) {
        size_t room = expiry->chunk_room == 0 ? CHUNK_ROOM_MIN : expiry->chunk_room * 2;
        expiry_slot_t **chunks = realloc(expiry->chunks, room * sizeof(void *));
        if (chunks == NULL)
            return false;
        expiry->chunks = chunks;
        expiry->chunk_room = room;
    }
    expiry_slot_t *chunk = malloc(EXPIRY_CHUNK * sizeof *chunk);
    if (chunk == NULL)
        return false;
    expiry->chunks[expiry->chunk_count++] = chunk;
    return true;
}

/* Whether ONE comes before OTHER. */
static inline bool is_earlier(const expiry_slot_t *one, const expiry_slot_t *other)
{
    if (one->due_ms != other->due_ms)
        return one->due_ms < other->due_ms;
    return one->deadline->order < other->deadline->order;
}

/* Moves SLOT from PLACE, which is free, up to where no parent is due later. */
static void sift_up(const expiry_t *expiry, uint32_t place, expiry_slot_t slot)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / ARITY;
        const expiry_slot_t *above = slot_at(expiry, parent);
        if (!is_earlier(&slot, above))
            break;
        place_slot(expiry, place, *above);
        place = parent;
    }
    place_slot(expiry, place, slot);
}

/* Moves SLOT from PLACE, which is free, down to where no child is due earlier. */
static void sift_down(const expiry_t *expiry, uint32_t place, expiry_slot_t slot)
{
    for (;;) {
        uint64_t first = (uint64_t)place * ARITY + 1;
        uint64_t end = first + ARITY < expiry->count ? first + ARITY : expiry->count;
        if (first >= end)
            break;
        uint32_t least = (uint32_t)first;
        for (uint32_t child = least + 1; child < end; child++)
            if (is_earlier(slot_at(expiry, child), slot_at(expiry, least)))
                least = child;
        if (!is_earlier(slot_at(expiry, least), &slot))
            break;
        place_slot(expiry, place, *slot_at(expiry, least));
        place = least;
    }
    place_slot(expiry, place, slot);
}

bool expiry_add(expiry_t *expiry, deadline_t *deadline)
{
    if (!expiry_reserve(expiry))
        return false;
    sift_up(expiry, expiry->count++, (expiry_slot_t){.due_ms = deadline->due_ms, .deadline = deadline});
    return true;
}

void expiry_change(expiry_t *expiry, deadline_t *deadline, int64_t due_ms, uint64_t order)
{
    uint32_t place = deadline->place;
    assert(place < expiry->count && slot_at(expiry, place)->deadline == deadline);
    deadline->due_ms = due_ms;
    deadline->order = order;
    sift_up(expiry, place, (expiry_slot_t){.due_ms = due_ms, .deadline = deadline});
    sift_down(expiry, deadline->place, (expiry_slot_t){.due_ms = due_ms, .deadline = deadline});
}

void expiry_remove(expiry_t *expiry, deadline_t *deadline)
{
    uint32_t place = deadline->place;
    if (place == EXPIRY_NOWHERE)
        return;
    assert(place < expiry->count && slot_at(expiry, place)->deadline == deadline);
    expiry_slot_t last = *slot_at(expiry, --expiry->count);
    if (place < expiry->count) {
        if (is_earlier(&last, &(expiry_slot_t){.due_ms = deadline->due_ms, .deadline = deadline}))
            sift_up(expiry, place, last);
        else
            sift_down(expiry, place, last);
    }
    deadline->place = EXPIRY_NOWHERE;
    if (expiry->count + (1UL + SPARE_CHUNKS) * EXPIRY_CHUNK <= expiry->chunk_count * EXPIRY_CHUNK)
        free(expiry->chunks[--expiry->chunk_count]);
}

deadline_t *expiry_first(const expiry_t *expiry)
{
    return expiry->count == 0 ? NULL : slot_at(expiry, 0)->deadline;
}
