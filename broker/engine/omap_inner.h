/* SPDX-License-Identifier: MPL-2.0 */
/* Private to omap*.c: the inner nodes of an ordered map. What a lookup needs is inline here.
 *
 * An inner node is one block: this head, `room` heads of separators, `room` separators, `room` + 1 children.
 * The keys below child i sort before separator i; it and what sorts after it are below the children from i +
 * 1 on. */
#ifndef KV_BROKER_ENGINE_OMAP_INNER_H
#define KV_BROKER_ENGINE_OMAP_INNER_H

#include <endian.h>

#include "broker/engine/pool.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    INNER_ROOM_MIN = 7,       /* separators that a new node has room for; doubles, and one more */
    INNER_ROOM_MAX = 127,     /* separators of a node at most */
    INNER_PREFIX_AT_HAND = 18 /* bytes: the node's first 24 bytes are its head */
};

#define NO_HEAD UINT32_MAX

/* The shortest string that tells the keys on its left from those on its right. */
typedef struct separator {
    uint16_t size; /* bytes */
    uint8_t data[];
} separator_t;

typedef struct inner {
    uint16_t count;                      /* separators; children are one more */
    uint16_t room;                       /* separators that there is room for; one more is a multiple of 8 */
    uint16_t prefix;                     /* bytes that all separators begin with, or fewer */
    uint8_t start[INNER_PREFIX_AT_HAND]; /* the first of them */
    uint32_t heads[]; /* the 4 bytes of each separator after the prefix, as key_head gives them */
} inner_t;

static inline separator_t **inner_separators(const inner_t *inner)
{
    return (separator_t **)(uintptr_t)(inner->heads + inner->room + 1);
}

static inline void **inner_children(const inner_t *inner)
{
    return (void **)(uintptr_t)(inner_separators(inner) + inner->room);
}

static inline bytes_t separator_bytes(const separator_t *separator)
{
    return bytes_of(separator->data, separator->size);
}

/* The 4 bytes of KEY from SKIP on as a big-endian number, so that numbers sort as bytes do; zeros behind its
 * end. */
static inline uint32_t key_head(bytes_t key, size_t skip)
{
    uint32_t head = 0;
    if (key.size >= skip + sizeof head) {
        memcpy(&head, key.data + skip, sizeof head);
        return be32toh(head);
    }
    for (size_t i = skip; i < key.size; i++)
        head |= (uint32_t)key.data[i] << (24 - (i - skip) * 8);
    return head;
}

/* The child that KEY belongs below, where some separators have the same head as it. */
unsigned inner_resolve(const inner_t *inner, bytes_t key, unsigned from);
/* 0 if KEY begins with the node's prefix; else below or above 0 as it sorts before or after all that do.
 */
int inner_prefix_order(const inner_t *inner, bytes_t key);

/* The index of the child that KEY belongs below. Free of branches but for the rare cases: what a key is like
 * cannot be foretold. */
static inline unsigned inner_index(const inner_t *inner, bytes_t key)
{
    int order = inner->prefix == 0 ? 0 : inner_prefix_order(inner, key);
    if (__builtin_expect(order != 0, 0))
        return order < 0 ? 0 : inner->count;
    uint32_t head = key_head(key, inner->prefix);
    const uint32_t *heads = inner->heads;
    size_t below = 0;
    for (size_t step = (inner->room + 1U) / 2; step > 0; step /= 2) {
        size_t higher = below + step;
        below = heads[higher - 1] < head ? higher : below;
    }
    if (__builtin_expect(heads[below] == head, 0) && below < inner->count)
        return inner_resolve(inner, key, (unsigned)below);
    return (unsigned)below;
}

/* The shortest separator between two neighbouring keys, owned. NULL if memory is refused. */
separator_t *separator_new(bytes_t left, bytes_t right);

/* A node above CHILD alone. NULL if memory is refused. */
inner_t *inner_new(pool_t *pool, void *child);
/* Makes room for one more child in a node that is not at INNER_ROOM_MAX. May move *INNER. False if memory
 * is refused. */
KV_MUST_USE bool inner_make_room(pool_t *pool, inner_t **inner);
/* Puts SEPARATOR (taken) and RIGHT behind child INDEX; there must be room. */
void inner_insert(inner_t *inner, unsigned index, separator_t *separator, void *right);
/* Takes child INDEX out, which the caller has freed or moved, with the separator beside it. Returns false
 * if it was the only one: the node is to be freed then. */
bool inner_remove(inner_t *inner, unsigned index);
/* Moves the separators behind AT into a new node on the right; *SEPARATOR, which then belongs between the
 * two, is handed over. NULL if memory is refused. */
inner_t *inner_split(pool_t *pool, inner_t *inner, unsigned at, separator_t **separator);
/* Moves all of RIGHT behind SEPARATOR (taken) into *LEFT and frees RIGHT. False if memory is refused:
 * nothing has changed then. */
KV_MUST_USE bool inner_merge(pool_t *pool, inner_t **left, separator_t *separator, inner_t *right);
/* Frees the node and its separators, not its children. */
void inner_destroy(pool_t *pool, inner_t **inner);

#endif
