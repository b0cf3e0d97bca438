/* SPDX-License-Identifier: MPL-2.0 */
/* A borrowed slice of bytes. It owns nothing. Whoever returns one says how long it stays valid. */
#ifndef KV_COMMON_BYTES_H
#define KV_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct bytes {
    const uint8_t *data; /* may be NULL if size is 0 */
    size_t size;         /* bytes */
} bytes_t;

static inline bytes_t bytes_of(const void *data, size_t size)
{
    return (bytes_t){.data = data, .size = size};
}

/* The characters of TEXT without its terminating zero. */
static inline bytes_t bytes_from_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(bytes_t a, bytes_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_starts_with(bytes_t whole, bytes_t prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

/* Compares bytewise, a prefix before what it begins. Returns a number below, at or above 0 if A sorts before,
 * equal to or after B. */
static inline int bytes_compare(bytes_t a, bytes_t b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/* Copies SIZE bytes from FROM to TO, which must not overlap, and returns TO + SIZE. It is fast for short
 * texts: up to 32 bytes are copied without a call and without a loop. */
static inline uint8_t *bytes_put(uint8_t *to, const uint8_t *from, size_t size)
{
    uint64_t head[2];
    uint64_t tail[2];
    if (size > sizeof head + sizeof tail) {
        memcpy(to, from, size);
    } else if (size >= sizeof head) { /* head and tail overlap if SIZE is below 32 */
        memcpy(head, from, sizeof head);
        memcpy(tail, from + size - sizeof tail, sizeof tail);
        memcpy(to, head, sizeof head);
        memcpy(to + size - sizeof tail, tail, sizeof tail);
    } else if (size >= sizeof head[0]) {
        memcpy(&head[0], from, sizeof head[0]);
        memcpy(&tail[0], from + size - sizeof tail[0], sizeof tail[0]);
        memcpy(to, &head[0], sizeof head[0]);
        memcpy(to + size - sizeof tail[0], &tail[0], sizeof tail[0]);
    } else if (size >= sizeof(uint32_t)) {
        uint32_t first;
        uint32_t last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + size - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + size - sizeof last, &last, sizeof last);
    } else if (size > 0) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
    return to + size;
}

#endif
