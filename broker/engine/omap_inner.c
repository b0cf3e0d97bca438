/* SPDX-License-Identifier: MPL-2.0 */
/* The inner nodes of an ordered map: separators and children. Knows neither leaves nor the tree's height. */
#include "broker/engine/omap_inner.h"

#include <assert.h>
#include <stdlib.h>

enum { REFRESH_BELOW = 8 }; /* separators; a node this small looks for a longer prefix at each insertion */

/* Bytes that A and B both begin with. */
static size_t shared_prefix(bytes_t a, bytes_t b)
{
    size_t limit = a.size < b.size ? a.size : b.size;
    size_t i = 0;
    while (i < limit && a.data[i] == b.data[i])
        i++;
    return i;
}

separator_t *separator_new(bytes_t left, bytes_t right)
{
    size_t size = shared_prefix(left, right) + 1;
    assert(size <= right.size);
    separator_t *separator = malloc(sizeof *separator + size);
    if (separator == NULL)
        return NULL;
    separator->size = (uint16_t)size;
    memcpy(separator->data, right.data, size);
    return separator;
}

int inner_prefix_order(const inner_t *inner, bytes_t key)
{
    bytes_t prefix = bytes_of(inner->start, inner->prefix);
    if (prefix.size > INNER_PREFIX_AT_HAND)
        prefix.data = inner_separators(inner)[0]->data;
    if (key.size >= prefix.size)
        return memcmp(key.data, prefix.data, prefix.size);
    return bytes_compare(key, prefix);
}

unsigned inner_resolve(const inner_t *inner, bytes_t key, unsigned from)
{
    separator_t **separators = inner_separators(inner);
    unsigned low = from;
    unsigned high = inner->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (bytes_compare(separator_bytes(separators[middle]), key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Finds the prefix anew and with it all heads. */
static void inner_refresh(inner_t *inner)
{
    separator_t **separators = inner_separators(inner);
    inner->prefix = 0;
    if (inner->count > 1)
        inner->prefix = (uint16_t)shared_prefix(separator_bytes(separators[0]),
                                                separator_bytes(separators[inner->count - 1]));
    size_t at_hand = inner->prefix < INNER_PREFIX_AT_HAND ? inner->prefix : INNER_PREFIX_AT_HAND;
    if (at_hand != 0)
        memcpy(inner->start, separators[0]->data, at_hand);
    for (unsigned i = 0; i < inner->count; i++)
        inner->heads[i] = key_head(separator_bytes(separators[i]), inner->prefix);
    for (unsigned i = inner->count; i <= inner->room; i++)
        inner->heads[i] = NO_HEAD;
}

static size_t inner_size(size_t room)
{
    return sizeof(inner_t) + (room + 1) * sizeof(uint32_t) + (2 * room + 1) * sizeof(void *);
}

static inner_t *inner_with_room(pool_t *pool, size_t room)
{
    inner_t *inner = pool_take(pool, inner_size(room));
    if (inner == NULL)
        return NULL;
    inner->count = 0;
    inner->room = (uint16_t)room;
    inner->prefix = 0;
    memset(inner->heads, 0xff, (room + 1) * sizeof *inner->heads); /* NO_HEAD */
    return inner;
}

inner_t *inner_new(pool_t *pool, void *child)
{
    inner_t *inner = inner_with_room(pool, INNER_ROOM_MIN);
    if (inner != NULL)
        inner_children(inner)[0] = child;
    return inner;
}

/* Room for COUNT separators, in the steps that a node grows by. */
static size_t room_for(size_t count)
{
    size_t room = INNER_ROOM_MIN;
    while (room < count)
        room = room * 2 + 1;
    return room;
}

static bool inner_resize(pool_t *pool, inner_t **inner, size_t room)
{
    inner_t *old = *inner;
    inner_t *moved = inner_with_room(pool, room);
    if (moved == NULL)
        return false;
    moved->count = old->count;
    moved->prefix = old->prefix;
    memcpy(moved->start, old->start, sizeof old->start);
    memcpy(moved->heads, old->heads, old->count * sizeof *old->heads);
    memcpy(inner_separators(moved), inner_separators(old), old->count * sizeof(void *));
    memcpy(inner_children(moved), inner_children(old), (old->count + 1U) * sizeof(void *));
    pool_give(pool, old, inner_size(old->room));
    *inner = moved;
    return true;
}

bool inner_make_room(pool_t *pool, inner_t **inner)
{
    assert((*inner)->count < INNER_ROOM_MAX);
    return (*inner)->count < (*inner)->room ||
           inner_resize(pool, inner, room_for((size_t)(*inner)->count + 1));
}

void inner_insert(inner_t *inner, unsigned index, separator_t *separator, void *right)
{
    separator_t **separators = inner_separators(inner);
    void **children = inner_children(inner);
    unsigned behind = inner->count - index;
    assert(index <= inner->count && inner->count < inner->room);
    bool same_prefix = inner->count >= REFRESH_BELOW && separator->size >= inner->prefix &&
                       memcmp(separator->data, separators[0]->data, inner->prefix) == 0;
    memmove(separators + index + 1, separators + index, behind * sizeof(void *));
    memmove(children + index + 2, children + index + 1, behind * sizeof(void *));
    memmove(inner->heads + index + 1, inner->heads + index, behind * sizeof *inner->heads);
    separators[index] = separator;
    children[index + 1] = right;
    inner->count++;
    if (same_prefix)
        inner->heads[index] = key_head(separator_bytes(separator), inner->prefix);
    else
        inner_refresh(inner);
}

bool inner_remove(inner_t *inner, unsigned index)
{
    if (inner->count == 0)
        return false;
    separator_t **separators = inner_separators(inner);
    void **children = inner_children(inner);
    unsigned beside = index == 0 ? 0 : index - 1;
    unsigned behind = inner->count - beside - 1;
    assert(index <= inner->count);
    free(separators[beside]);
    memmove(separators + beside, separators + beside + 1, behind * sizeof(void *));
    memmove(inner->heads + beside, inner->heads + beside + 1, behind * sizeof *inner->heads);
    memmove(children + index, children + index + 1, (inner->count - index) * sizeof(void *));
    inner->heads[--inner->count] = NO_HEAD;
    if (inner->count == 0)
        inner->prefix = 0;
    return true;
}

/* Copies separators FROM to TO (excluded) and the children on both sides of them behind what INNER has. */
static void inner_copy(inner_t *inner, unsigned at, const inner_t *source, unsigned from, unsigned to)
{
    memcpy(inner_separators(inner) + at, inner_separators(source) + from, (to - from) * sizeof(void *));
    memcpy(inner_children(inner) + at, inner_children(source) + from, (to - from + 1) * sizeof(void *));
    inner->count = (uint16_t)(at + to - from);
}

inner_t *inner_split(pool_t *pool, inner_t *inner, unsigned at, separator_t **separator)
{
    assert(at < inner->count);
    inner_t *right = inner_with_room(pool, room_for(inner->count - at));
    if (right == NULL)
        return NULL;
    inner_copy(right, 0, inner, at + 1, inner->count);
    *separator = inner_separators(inner)[at];
    inner->count = (uint16_t)at;
    inner_refresh(right);
    inner_refresh(inner);
    return right;
}

bool inner_merge(pool_t *pool, inner_t **left, separator_t *separator, inner_t *right)
{
    unsigned at = (*left)->count;
    size_t count = (size_t)at + 1 + right->count;
    assert(count <= INNER_ROOM_MAX);
    if (count > (*left)->room && !inner_resize(pool, left, room_for(count)))
        return false;
    inner_separators(*left)[at] = separator;
    inner_copy(*left, at + 1, right, 0, right->count);
    inner_refresh(*left);
    pool_give(pool, right, inner_size(right->room));
    return true;
}

void inner_destroy(pool_t *pool, inner_t **inner)
{
    if (*inner == NULL)
        return;
    for (unsigned i = 0; i < (*inner)->count; i++)
        free(inner_separators(*inner)[i]);
    pool_give(pool, *inner, inner_size((*inner)->room));
    *inner = NULL;
}
