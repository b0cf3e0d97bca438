/* SPDX-License-Identifier: MPL-2.0 */
/* Private to tree.c: the nodes of a tree of records. What a search needs is inline here.
 *
 * A node is one block: this head, and arrays with `room` elements each: the heads of its keys, and the
 * handles of the records that have these keys; an inner node also has `room` + 1 handles of children. The
 * records of a leaf are the tree's. Those of an inner node are separators, short records that the node owns:
 * the keys below child i sort before separator i, and those below child i + 1 do not. */
#ifndef KV_BROKER_ENGINE_NODE_H
#define KV_BROKER_ENGINE_NODE_H

#include <endian.h>

#include "broker/engine/record.h"

enum {
    NODE_LEAF_MAX = 253,  /* keys of a leaf at most: a block of 2 KiB */
    NODE_INNER_MAX = 168, /* separators of an inner node at most: the same */
    NODE_START = 16,      /* bytes of the prefix that are in the node */
    NODE_NO_SLOT = 0xffff,
    NODE_NO_PREFIX = 0xffff
};

typedef struct node {
    uint16_t count;  /* keys */
    uint16_t room;   /* keys that there is room for */
    uint16_t prefix; /* length of a prefix that all keys have; not always the longest */
    uint16_t hint;   /* leaf: slot of the last insert, or NODE_NO_SLOT; shows that keys come in order */
    uint8_t start[NODE_START]; /* the first bytes of the prefix */
    uint32_t heads[];          /* the 4 bytes of each key after the prefix, as key_head gives them */
} node_t;

static inline node_t *node_at(const slab_t *slab, uint32_t handle)
{
    return slab_at(slab, handle);
}

static inline uint32_t *node_records(node_t *node)
{
    return node->heads + node->room;
}

static inline uint32_t *node_children(node_t *node)
{
    return node->heads + 2 * (size_t)node->room;
}

static inline bytes_t node_key(const slab_t *slab, node_t *node, unsigned slot)
{
    return record_key(record_at(slab, node_records(node)[slot]));
}

/* The 4 bytes of KEY from SKIP on as a big-endian number, so that numbers sort as bytes do; padded with zeros
 * if KEY ends before. */
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

/* The index of the first of COUNT sorted HEADS that is not below HEAD; COUNT if there is none. It has no
 * branches that depend on the heads, because they could not be predicted. Steps are powers of 2: if COUNT is
 * no power of 2, the search goes on in either the first or the last STEP heads, which may overlap. */
static inline unsigned heads_seek(const uint32_t *heads, unsigned count, uint32_t head)
{
    if (count == 0)
        return 0;
    unsigned step = 1U << (31 - __builtin_clz(count));
    const uint32_t *base = heads;
    base = heads[step - 1] < head ? heads + (count - step) : base;
    for (step /= 2; step != 0; step /= 2)
        base = base[step - 1] < head ? base + step : base;
    return (unsigned)(base - heads) + (*base < head);
}

/* 0 if KEY begins with the node's prefix; else negative or positive, as KEY sorts before or after all keys
 * that do. */
int node_prefix_order(const slab_t *slab, node_t *node, bytes_t key);
/* As node_seek, among the keys from slot FROM on that have the head HEAD. */
unsigned node_resolve(const slab_t *slab, node_t *node, bytes_t key, unsigned from, uint32_t head,
                      bool *same);

/* The first slot whose key is KEY or sorts after it; count if there is none. *SAME: it is KEY itself. Reads a
 * record only if its key has the same head, or the prefix is long. */
static inline unsigned node_seek(const slab_t *slab, node_t *node, bytes_t key, bool *same)
{
    int order = node->prefix == 0 ? 0 : node_prefix_order(slab, node, key);
    *same = false;
    if (__builtin_expect(order != 0, 0))
        return order < 0 ? 0 : node->count;
    uint32_t head = key_head(key, node->prefix);
    unsigned slot = heads_seek(node->heads, node->count, head);
    if (slot < node->count && node->heads[slot] == head)
        return node_resolve(slab, node, key, slot, head, same);
    return slot;
}

/* The index of the child of an inner node that KEY belongs below. */
static inline unsigned node_child(const slab_t *slab, node_t *node, bytes_t key)
{
    bool same;
    unsigned slot = node_seek(slab, node, key, &same);
    return slot + same;
}

/* A separator, owned: the shortest prefix of RIGHT that sorts after LEFT. RIGHT must sort after LEFT. 0 if
 * memory is refused. */
KV_MUST_USE uint32_t separator_new(slab_t *slab, bytes_t left, bytes_t right);

/* A node without keys and with room for COUNT of them. 0 if memory is refused. */
KV_MUST_USE uint32_t node_new(slab_t *slab, bool inner, size_t count);
/* Frees the node, and an inner node's separators. */
void node_destroy(slab_t *slab, bool inner, uint32_t handle);
/* Moves the node *HANDLE to a block with room for COUNT keys, if its own has less. False if memory is
 * refused: nothing has changed then. */
KV_MUST_USE bool node_make_room(slab_t *slab, bool inner, uint32_t *handle, size_t count);
/* Moves the node to a smaller block, if that saves enough. If memory for that is refused, the node stays. */
void node_shrink(slab_t *slab, bool inner, uint32_t *handle);

/* Inserts RECORD, whose key belongs at SLOT; there must be room. */
void node_insert(const slab_t *slab, node_t *node, unsigned slot, uint32_t record);
/* Removes the record at SLOT. */
void node_erase(node_t *node, unsigned slot);
/* Inserts CHILD after child INDEX, with SEPARATOR (taken) between them; there must be room. */
void node_insert_child(const slab_t *slab, node_t *node, unsigned index, uint32_t separator, uint32_t child);
/* Removes child INDEX, which the caller has freed or moved, and frees the separator next to it. False if it
 * is the only child: then destroy the node. */
bool node_remove_child(slab_t *slab, node_t *node, unsigned index);
/* Moves the keys from slot FROM on, with the children on both sides of them, to the empty node RIGHT, which
 * must have room. */
void node_move(const slab_t *slab, bool inner, node_t *node, unsigned from, node_t *right);
/* Appends all of RIGHT to NODE, which must have room. In inner nodes, SEPARATOR (taken) comes between the
 * children of both. */
void node_append(const slab_t *slab, bool inner, node_t *node, uint32_t separator, node_t *right);

#endif
