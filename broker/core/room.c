/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how room is computed and reserved. */
#include "broker/core/room.h"

bool room_prepare(batch_t *batch, const limits_t *limits)
{
    buffer_t *answer = &batch->answer;
    if (answer->capacity - answer->size >= LIMIT_ERROR_BYTES)
        return true;
    buffer_bound(answer, limits->message); /* the bytes beyond the answer's own bound are for errors */
    if (buffer_reserve(answer, LIMIT_ERROR_BYTES) == NULL) {
        batch->refused = answer->refused;
        buffer_truncate(answer, answer->size);
    }
    return !batch->refused;
}

bool room_behind(batch_t *batch, size_t limit)
{
    size_t answers = batch->pending.count + 1;
    buffer_t *answer = &batch->answer;
    if (answer->size + answers * ROOM_CHANGE > limit || !pending_ready(&batch->pending))
        return false;
    buffer_bound(answer, limit);
    if (buffer_reserve(answer, answers * LIMIT_ERROR_BYTES) != NULL)
        return true;
    buffer_truncate(answer, answer->size);
    return false;
}

size_t room_limit(const batch_t *batch, const limits_t *limits)
{
    uint64_t later = batch->most - batch->done;
    uint64_t left = batch->payload.size - batch->at;
    if (batch->total > 0)
        later = batch->total - batch->done;
    else if (left < later)
        later = left;
    return limits->message - (later + 1) * LIMIT_ERROR_BYTES;
}

bool room_count(batch_t *batch)
{
    if (batch->total > 0)
        return false;
    bytes_t left = bytes_of(batch->payload.data + batch->at, batch->payload.size - batch->at);
    batch->total = batch->done + (left.size > 0 ? rpc_count(left, batch->most) : 0);
    return true;
}
