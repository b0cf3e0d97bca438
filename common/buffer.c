/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the memory of buffers, and enforces their bound. */
#include "common/buffer.h"

#include <assert.h>
#include <stdlib.h>

enum { BUFFER_FIRST = 256 }; /* bytes of the first allocation, if the limit allows it */

void buffer_init(buffer_t *buffer, size_t limit)
{
    *buffer = (buffer_t){.limit = limit};
}

void buffer_release(buffer_t *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}

void buffer_bound(buffer_t *buffer, size_t limit)
{
    assert(buffer->size <= limit);
    buffer->limit = limit;
    if (buffer->capacity > limit)
        buffer->capacity = limit;
}

/* Returns the capacity to grow to so that NEEDED bytes fit: doubled until it is enough, but at most the
 * limit. Requires NEEDED <= limit. */
static size_t grown(const buffer_t *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < BUFFER_FIRST ? BUFFER_FIRST : buffer->capacity;
    while (capacity < needed && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buffer->limit)
        capacity = buffer->limit;
    return capacity;
}

uint8_t *buffer_reserve(buffer_t *buffer, size_t size)
{
    assert(buffer->size <= buffer->capacity && buffer->capacity <= buffer->limit);
    if (buffer->failed)
        return NULL;
    if (buffer->data == NULL || size > buffer->capacity - buffer->size) {
        if (size > buffer->limit - buffer->size) {
            buffer->failed = true;
            return NULL;
        }
        size_t capacity = grown(buffer, buffer->size + size);
        /* If the limit is 0, ask for one byte: for 0 bytes realloc may return NULL. */
        uint8_t *data = realloc(buffer->data, capacity == 0 ? 1 : capacity);
        if (data == NULL && capacity > buffer->size + size) { /* there may be memory for what is needed */
            capacity = buffer->size + size;
            data = realloc(buffer->data, capacity);
        }
        if (data == NULL) {
            buffer->failed = true;
            buffer->refused = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_truncate(buffer_t *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size = size;
    buffer->failed = false;
    buffer->refused = false;
}

uint8_t *buffer_take(buffer_t *buffer, size_t *size)
{
    uint8_t *data = buffer->data;
    *size = buffer->size;
    if (buffer->size == 0) {
        free(data);
        data = NULL;
    }
    buffer_init(buffer, buffer->limit);
    return data;
}
