/* SPDX-License-Identifier: MPL-2.0 */
/* A borrowed slice of bytes. It owns nothing: whoever hands one out says how long it stays valid. */
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

/* Below, at or above 0 as A sorts before, with or after B: bytewise, a prefix before what it begins. */
static inline int bytes_compare(bytes_t a, bytes_t b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif
