/* SPDX-License-Identifier: MPL-2.0 */
/* Owned bytes that grow up to a hard bound. Every buffer of the project has one. */
#ifndef KV_COMMON_BUFFER_H
#define KV_COMMON_BUFFER_H

#include "common/bytes.h"
#include "common/status.h"

typedef struct buffer {
    uint8_t *data;   /* malloc'ed, NULL until the first byte */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated, but at most `limit` */
    size_t limit;    /* the most that `size` can be; buffer_bound changes it */
    bool failed;     /* an append did not fit, or memory was refused; it left `size` unchanged */
    bool refused;    /* it failed because memory was refused */
} buffer_t;

/* Makes an empty buffer that holds at most LIMIT bytes. Allocates nothing. */
void buffer_init(buffer_t *buffer, size_t limit);

/* Frees the bytes. The buffer is empty and usable again. */
void buffer_release(buffer_t *buffer);

/* Sets another limit. Requires LIMIT >= size. (An append checks only `capacity`, so `capacity` must never be
 * above `limit`.) */
void buffer_bound(buffer_t *buffer, size_t limit);

/* Makes room for SIZE more bytes and returns where to write them. The caller then adds what it wrote to
 * `size`. Returns NULL and sets `failed` if that would exceed the bound, or if memory is refused. The
 * capacity doubles, so appending n bytes costs O(n) in all. */
KV_MUST_USE uint8_t *buffer_reserve(buffer_t *buffer, size_t size);

/* Appends SIZE bytes. After an append failed, later ones do nothing, so a writer can check `failed` once at
 * the end. Inline, because the encoder appends many pieces of a few bytes. */
static inline void buffer_append(buffer_t *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    uint8_t *place;
    if (!buffer->failed && size <= buffer->capacity - buffer->size)
        place = buffer->data + buffer->size;
    else
        place = buffer_reserve(buffer, size);
    if (place == NULL)
        return;
    memcpy(place, data, size);
    buffer->size += size;
}

/* Cuts the buffer back to its first SIZE bytes (at most its size) and clears `failed` and `refused`. */
void buffer_truncate(buffer_t *buffer, size_t size);

/* Hands the bytes over: returns them (free with free(3)), or NULL if there are none, and leaves the buffer
 * empty. */
KV_MUST_USE uint8_t *buffer_take(buffer_t *buffer, size_t *size);

static inline bytes_t buffer_bytes(const buffer_t *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

#endif
