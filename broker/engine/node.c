/* SPDX-License-Identifier: MPL-2.0 */
/* The nodes of a tree of records. Knows nothing about the tree around them. */
#include "broker/engine/node.h"

#include <assert.h>

enum {
    SMALL_STEP = 64,  /* bytes by which small nodes grow */
    LARGE_STEP = 128, /* bytes by which those above LARGE_FROM grow */
    LARGE_FROM = 512, /* bytes */
    SHRINK_FROM = 2,  /* steps to be saved before a node shrinks, so that it does not grow again at once */
    FETCH_AHEAD = 8,  /* records that are fetched in advance */
    REFRESH_BELOW = 8 /* keys; up to this, each insert looks for a longer prefix */
};

static size_t node_size(bool inner, size_t room)
{
    return sizeof(node_t) + room * (inner ? 12 : 8) + (inner ? 4 : 0);
}

static size_t node_room(bool inner, size_t size)
{
    return (size - node_size(inner, 0)) / (inner ? 12 : 8);
}

/* Bytes of a block for COUNT keys. */
static size_t block_for(bool inner, size_t count)
{
    size_t size = node_size(inner, count);
    size_t step = size <= LARGE_FROM ? SMALL_STEP : LARGE_STEP;
    return (size + step - 1) / step * step;
}

/* ---- Keys ------------------------------------------------------------------------------------- */

/* Bytes that A and B both begin with. */
static size_t shared_prefix(bytes_t a, bytes_t b)
{
    size_t limit = a.size < b.size ? a.size : b.size;
    size_t i = 0;
    while (i < limit && a.data[i] == b.data[i])
        i++;
    return i;
}

int node_prefix_order(const slab_t *slab, node_t *node, bytes_t key)
{
    bytes_t prefix = bytes_of(node->start, node->prefix);
    if (prefix.size > NODE_START)
        prefix.data = node_key(slab, node, 0).data;
    if (key.size >= prefix.size)
        return memcmp(key.data, prefix.data, prefix.size);
    return bytes_compare(key, prefix);
}

unsigned node_resolve(const slab_t *slab, node_t *node, bytes_t key, unsigned from, uint32_t head, bool *same)
{
    unsigned low = from;
    unsigned high = node->count;
    if (head != UINT32_MAX)
        high = from + heads_seek(node->heads + from, node->count - from, head + 1);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = bytes_compare(node_key(slab, node, middle), key);
        if (order == 0) {
            *same = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Computes the prefix again, from the first and the last key, and all heads if it has changed. */
static void node_refresh(const slab_t *slab, node_t *node)
{
    size_t prefix = 0;
    if (node->count > 1) {
        bytes_t first = node_key(slab, node, 0);
        prefix = shared_prefix(first, node_key(slab, node, node->count - 1U));
        memcpy(node->start, first.data, prefix < NODE_START ? prefix : NODE_START);
    }
    if (prefix == node->prefix)
        return;
    const uint32_t *records = node_records(node);
    node->prefix = (uint16_t)prefix;
    for (unsigned i = 0; i < node->count; i++) {
        if (i + FETCH_AHEAD < node->count)
            __builtin_prefetch(record_at(slab, records[i + FETCH_AHEAD]));
        node->heads[i] = key_head(record_key(record_at(slab, records[i])), prefix);
    }
}

uint32_t separator_new(slab_t *slab, bytes_t left, bytes_t right)
{
    size_t size = shared_prefix(left, right) + 1;
    assert(size <= right.size);
    uint32_t handle = slab_take(slab, sizeof(record_t) + size);
    if (handle == 0)
        return 0;
    record_t *record = record_at(slab, handle);
    *record = (record_t){.key_size = (uint16_t)size};
    memcpy(record->data, right.data, size);
    return handle;
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

uint32_t node_new(slab_t *slab, bool inner, size_t count)
{
    size_t size = block_for(inner, count);
    uint32_t handle = slab_take(slab, size);
    if (handle == 0)
        return 0;
    node_t *node = node_at(slab, handle);
    size_t most = inner ? NODE_INNER_MAX : NODE_LEAF_MAX;
    size_t room = node_room(inner, size);
    node->count = 0;
    node->room = (uint16_t)(room < most ? room : most);
    node->prefix = 0;
    node->hint = NODE_NO_SLOT;
    return handle;
}

void node_destroy(slab_t *slab, bool inner, uint32_t handle)
{
    if (handle == 0)
        return;
    node_t *node = node_at(slab, handle);
    for (unsigned i = 0; inner && i < node->count; i++)
        slab_give(slab, node_records(node)[i]);
    slab_give(slab, handle);
}

/* Copies keys FROM to TO (excluded) of SOURCE, and the children on both sides of them, to slot AT of NODE.
 * The heads are right only if both nodes have the same prefix. */
static void node_copy(bool inner, node_t *node, unsigned at, node_t *source, unsigned from, unsigned to)
{
    size_t bytes = (size_t)(to - from) * sizeof *node->heads;
    memcpy(node->heads + at, source->heads + from, bytes);
    memcpy(node_records(node) + at, node_records(source) + from, bytes);
    if (inner)
        memcpy(node_children(node) + at, node_children(source) + from, bytes + sizeof(uint32_t));
    node->count = (uint16_t)(at + to - from);
}

/* Moves the node *HANDLE to a block with room for COUNT keys, at least as many as it has. False if memory is
 * refused. */
static bool node_resize(slab_t *slab, bool inner, uint32_t *handle, size_t count)
{
    uint32_t moved = node_new(slab, inner, count);
    if (moved == 0)
        return false;
    node_t *from = node_at(slab, *handle);
    node_t *to = node_at(slab, moved);
    to->prefix = from->prefix;
    to->hint = from->hint;
    memcpy(to->start, from->start, NODE_START);
    node_copy(inner, to, 0, from, 0, from->count);
    slab_give(slab, *handle);
    *handle = moved;
    node_refresh(slab, to);
    return true;
}

bool node_make_room(slab_t *slab, bool inner, uint32_t *handle, size_t count)
{
    assert(count <= (inner ? NODE_INNER_MAX : NODE_LEAF_MAX));
    return node_at(slab, *handle)->room >= count || node_resize(slab, inner, handle, count);
}

void node_shrink(slab_t *slab, bool inner, uint32_t *handle)
{
    const node_t *node = node_at(slab, *handle);
    size_t has = block_for(inner, node->room);
    size_t step = has <= LARGE_FROM ? SMALL_STEP : LARGE_STEP;
    if (block_for(inner, node->count) + SHRINK_FROM * step <= has)
        (void)node_resize(slab, inner, handle, node->count);
}

/* ---- Changing --------------------------------------------------------------------------------- */

/* Makes a gap of one element at INDEX of an array of COUNT. */
static void array_open(uint32_t *array, unsigned count, unsigned index)
{
    memmove(array + index + 1, array + index, (size_t)(count - index) * sizeof *array);
}

/* Removes the element at INDEX from an array of COUNT. */
static void array_close(uint32_t *array, unsigned count, unsigned index)
{
    memmove(array + index, array + index + 1, (size_t)(count - index - 1) * sizeof *array);
}

void node_insert(const slab_t *slab, node_t *node, unsigned slot, uint32_t record)
{
    bytes_t key = record_key(record_at(slab, record));
    bool at_end = slot == 0 || slot == node->count; /* else its neighbours have the prefix, and so does it */
    assert(slot <= node->count && node->count < node->room);
    bool fits = !at_end || node->prefix == 0 || node_prefix_order(slab, node, key) == 0;
    array_open(node->heads, node->count, slot);
    array_open(node_records(node), node->count, slot);
    node_records(node)[slot] = record;
    node->heads[slot] = key_head(key, fits ? node->prefix : 0);
    node->count++;
    node->hint = (uint16_t)slot;
    if (!fits || node->count <= REFRESH_BELOW)
        node_refresh(slab, node);
}

void node_erase(node_t *node, unsigned slot)
{
    assert(slot < node->count);
    array_close(node->heads, node->count, slot);
    array_close(node_records(node), node->count, slot);
    node->count--;
    node->hint = NODE_NO_SLOT;
    if (node->count == 0)
        node->prefix = 0;
}

void node_insert_child(const slab_t *slab, node_t *node, unsigned index, uint32_t separator, uint32_t child)
{
    array_open(node_children(node), node->count + 1U, index + 1);
    node_children(node)[index + 1] = child;
    node_insert(slab, node, index, separator);
}

bool node_remove_child(slab_t *slab, node_t *node, unsigned index)
{
    if (node->count == 0)
        return false;
    unsigned beside = index == 0 ? 0 : index - 1;
    assert(index <= node->count);
    array_close(node_children(node), node->count + 1U, index);
    slab_give(slab, node_records(node)[beside]);
    node_erase(node, beside);
    return true;
}

void node_move(const slab_t *slab, bool inner, node_t *node, unsigned from, node_t *right)
{
    assert(from < node->count && right->count == 0);
    right->prefix = node->prefix;
    node_copy(inner, right, 0, node, from, node->count);
    node->count = (uint16_t)from;
    node->hint = NODE_NO_SLOT;
    node_refresh(slab, right);
    node_refresh(slab, node);
}

void node_append(const slab_t *slab, bool inner, node_t *node, uint32_t separator, node_t *right)
{
    unsigned at = node->count;
    if (inner)
        node_records(node)[at++] = separator;
    assert(at + right->count <= node->room);
    node_copy(inner, node, at, right, 0, right->count);
    node->hint = NODE_NO_SLOT;
    node->prefix = NODE_NO_PREFIX; /* the heads are of two prefixes: compute all again */
    node_refresh(slab, node);
}
