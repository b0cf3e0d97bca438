/* SPDX-License-Identifier: MPL-2.0 */
/* The ordered map: finds the way through the tree, and splits and merges its nodes. Knows nothing of how a
 * node keeps what it holds. */
#include "broker/engine/omap.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "broker/engine/omap_inner.h"
#include "broker/engine/omap_leaf.h"

enum {
    LEAF_MERGE_BELOW = LEAF_BLOCK_MAX / 4, /* bytes that live in a leaf, at which it looks for a neighbour */
    LEAF_MERGED_MAX =
        LEAF_BLOCK_MAX / 4 * 3,            /* bytes of two leaves at most: the next insert does not split */
    INNER_MERGE_BELOW = INNER_ROOM_MAX / 4 /* separators */
};

/* The longest records must leave room for two in a block, or it could not be split. */
static_assert(sizeof(leaf_t) + 3UL * LEAF_SLOT_STEP +
                      2 * (sizeof(record_t) + OMAP_KEY_MAX + OMAP_PAYLOAD_MAX) <=
                  LEAF_BLOCK_MAX,
              "a leaf holds two of the longest records");
void omap_init(omap_t *map, uint64_t seed)
{
    *map = (omap_t){.seed = seed};
}

void omap_init_pooled(omap_t *map, uint64_t seed, pool_t *pool)
{
    *map = (omap_t){.seed = seed, .pool = pool};
}

void omap_release(omap_t *map)
{
    unsigned all = UINT32_MAX;
    while (!omap_drain(map, &all, NULL, NULL))
        all = UINT32_MAX;
}

/* ---- The way down ----------------------------------------------------------------------------- */

static uint8_t tag_of(const omap_t *map, bytes_t key)
{
    return (uint8_t)XXH3_64bits_withSeed(key.data, key.size, map->seed);
}

/* The leaf that KEY belongs into, and the PATH to it. The map is not empty. */
static leaf_t *descend(const omap_t *map, bytes_t key, struct omap_step *path)
{
    void *node = map->root;
    for (unsigned level = 0; level < map->height; level++) {
        inner_t *inner = node;
        unsigned index = inner_index(inner, key);
        path[level] = (struct omap_step){.inner = inner, .index = index};
        node = inner_children(inner)[index];
    }
    return node;
}

/* Where the node that PATH reaches at LEVEL is pointed to from. */
static void **place_of(omap_t *map, const struct omap_step *path, unsigned level)
{
    if (level == 0)
        return &map->root;
    inner_t *parent = path[level - 1].inner;
    return &inner_children(parent)[path[level - 1].index];
}

void *omap_find(const omap_t *map, bytes_t key, size_t *size)
{
    void *node = map->root;
    if (node == NULL)
        return NULL;
    for (unsigned level = 0; level < map->height; level++) {
        inner_t *inner = node;
        node = inner_children(inner)[inner_index(inner, key)];
    }
    const leaf_t *leaf = node;
    /* In a large map the leaf is not in any cache: fetch its directory while the fingerprint is made. */
    __builtin_prefetch(leaf);
    __builtin_prefetch((const uint8_t *)leaf + 64);
    __builtin_prefetch((const uint8_t *)leaf + 128);
    unsigned slot = leaf_find(leaf, key, tag_of(map, key));
    if (slot == LEAF_NO_SLOT)
        return NULL;
    uint8_t *record = leaf_record(leaf, slot);
    record_t head = record_head(record);
    *size = head.payload_size;
    return record + sizeof head + head.key_size;
}

/* ---- Splitting -------------------------------------------------------------------------------- */

/* Whether PATH goes through the last child of each node above LEVEL. */
static bool on_right_edge(const struct omap_step *path, unsigned level)
{
    for (unsigned i = 0; i < level; i++) {
        const inner_t *inner = path[i].inner;
        if (path[i].index != inner->count)
            return false;
    }
    return true;
}

/* Splits the full inner node at LEVEL of PATH, whose parent has room, and leads PATH through the right one of
 * the two. */
static bool split_inner(omap_t *map, struct omap_step *path, unsigned level)
{
    inner_t *inner = path[level].inner;
    separator_t *separator;
    /* Keys that come in ascending order leave full nodes behind. */
    unsigned at = on_right_edge(path, level + 1) ? inner->count - 2U : inner->count / 2U;
    inner_t *right = inner_split(map->pool, inner, at, &separator);
    if (right == NULL)
        return false;
    inner_insert(path[level - 1].inner, path[level - 1].index, separator, right);
    if (path[level].index > at) {
        path[level].inner = right;
        path[level].index -= at + 1;
        path[level - 1].index++;
    }
    return true;
}

/* Puts a new root above the present one, as PATH's new first step. */
static bool raise_root(omap_t *map, struct omap_step *path)
{
    if (map->height == OMAP_DEPTH_MAX)
        return false;
    inner_t *root = inner_new(map->pool, map->root);
    if (root == NULL)
        return false;
    memmove(path + 1, path, map->height * sizeof *path);
    path[0] = (struct omap_step){.inner = root, .index = 0};
    map->root = root;
    map->height++;
    return true;
}

/* Makes room for one more child in the leaf's parent; splits full nodes above it as needed. What the map
 * holds does not change, also where this fails. */
static bool make_way(omap_t *map, struct omap_step *path)
{
    unsigned level = map->height;
    while (level > 0 && ((inner_t *)path[level - 1].inner)->count == INNER_ROOM_MAX)
        level--;
    if (level == 0) {
        if (!raise_root(map, path))
            return false;
        level = 1;
    }
    for (level--; level < map->height; level++) {
        inner_t *inner = path[level].inner;
        if (inner->count == INNER_ROOM_MAX && !split_inner(map, path, level))
            return false;
        inner = path[level].inner;
        if (!inner_make_room(map->pool, &inner))
            return false;
        path[level].inner = inner;
        *place_of(map, path, level) = inner;
    }
    return true;
}

/* Puts a new, empty leaf for KEY beside the full LEAF: keys that come in order, either way, leave full leaves
 * behind. */
static bool add_leaf_beside(pool_t *pool, leaf_t *leaf, inner_t *parent, unsigned index, bytes_t key,
                            size_t bytes, bool behind)
{
    leaf_t *fresh = leaf_new(pool, 1, bytes);
    separator_t *separator = NULL;
    if (fresh != NULL)
        separator = behind ? separator_new(leaf_key(leaf, leaf->count - 1U), key)
                           : separator_new(key, leaf_key(leaf, 0));
    if (separator == NULL) {
        leaf_destroy(pool, fresh);
        return false;
    }
    leaf->hint = LEAF_NO_SLOT;
    if (!behind)
        inner_children(parent)[index] = fresh;
    inner_insert(parent, index, separator, behind ? fresh : leaf);
    return true;
}

/* The slot at which the leaf's two halves are most alike in bytes. */
static unsigned middle_slot(const leaf_t *leaf)
{
    size_t half = leaf_live(leaf) / 2;
    size_t before = 0;
    for (unsigned slot = 0; slot + 1U < leaf->count; slot++) {
        size_t size = record_size(record_head(leaf_record(leaf, slot)));
        if (before + size / 2 > half)
            return slot == 0 ? 1 : slot;
        before += size;
    }
    return leaf->count - 1U;
}

/* Splits LEAF, of at least two records, in halves. */
static bool halve_leaf(pool_t *pool, leaf_t **leaf, inner_t *parent, unsigned index)
{
    unsigned middle = middle_slot(*leaf);
    size_t bytes = 0;
    for (unsigned slot = middle; slot < (*leaf)->count; slot++)
        bytes += record_size(record_head(leaf_record(*leaf, slot)));
    leaf_t *right = leaf_new(pool, (*leaf)->count - middle, bytes);
    separator_t *separator = NULL;
    if (right != NULL)
        separator = separator_new(leaf_key(*leaf, middle - 1), leaf_key(*leaf, middle));
    if (separator == NULL) {
        leaf_destroy(pool, right);
        return false;
    }
    leaf_append(right, *leaf, middle, (*leaf)->count);
    leaf_truncate(*leaf, middle);
    leaf_shrink(pool, leaf);
    inner_insert(parent, index, separator, right);
    return true;
}

/* Makes room for a record of BYTES in the leaf that KEY belongs into: splits it as often as needed. What the
 * map holds does not change, also where this fails. Returns where the leaf is pointed to from, or NULL. */
static leaf_t **make_room(omap_t *map, bytes_t key, size_t bytes, bool slot, struct omap_step *path)
{
    leaf_t *leaf = descend(map, key, path);
    while (!leaf_fits(leaf, bytes, slot)) {
        if (!make_way(map, path))
            return NULL;
        inner_t *parent = path[map->height - 1].inner;
        unsigned index = path[map->height - 1].index;
        unsigned at = slot ? leaf_seek(leaf, key) : 1;
        bool ascending = slot && at == leaf->count && leaf->hint == leaf->count - 1U;
        bool descending = slot && at == 0 && leaf->hint == 0;
        bool done;
        if (ascending || descending)
            done = add_leaf_beside(map->pool, leaf, parent, index, key, bytes, ascending);
        else
            done = halve_leaf(map->pool, (leaf_t **)&inner_children(parent)[index], parent, index);
        if (!done)
            return NULL;
        leaf = descend(map, key, path);
    }
    leaf_t **place = (leaf_t **)place_of(map, path, map->height);
    return leaf_make_room(map->pool, place, bytes, slot) ? place : NULL;
}

/* ---- Changing --------------------------------------------------------------------------------- */

/* Gives the payload of a record that exists another size. */
static void *resize(omap_t *map, bytes_t key, uint8_t tag, size_t size, struct omap_step *path)
{
    leaf_t *leaf = *place_of(map, path, map->height);
    unsigned slot = leaf_find(leaf, key, tag);
    record_t head = record_head(leaf_record(leaf, slot));
    if (size < head.payload_size) {
        leaf_shorten(leaf, slot, size);
    } else if (size > head.payload_size) {
        leaf_t **place = make_room(map, key, sizeof head + key.size + size, false, path);
        if (place == NULL)
            return NULL;
        leaf = *place;
        slot = leaf_find(leaf, key, tag);
        leaf_lengthen(leaf, slot, size);
    }
    return leaf_record(leaf, slot) + sizeof head + key.size;
}

void *omap_put(omap_t *map, bytes_t key, size_t size, bool *added)
{
    struct omap_step path[OMAP_DEPTH_MAX];
    size_t bytes = sizeof(record_t) + key.size + size;
    assert(key.size <= OMAP_KEY_MAX && size <= OMAP_PAYLOAD_MAX);
    uint8_t tag = tag_of(map, key);
    if (map->root == NULL)
        map->root = leaf_new(map->pool, 1, bytes);
    if (map->root == NULL)
        return NULL;
    leaf_t *leaf = descend(map, key, path);
    if (leaf_find(leaf, key, tag) != LEAF_NO_SLOT) {
        void *payload = resize(map, key, tag, size, path);
        if (payload != NULL)
            *added = false;
        return payload;
    }
    leaf_t **place = make_room(map, key, bytes, true, path);
    if (place == NULL)
        return NULL;
    map->count++;
    *added = true;
    return leaf_insert(*place, leaf_seek(*place, key), key, tag, size);
}

/* ---- Removing --------------------------------------------------------------------------------- */

/* Merges the node at LEVEL of PATH with a neighbour, where both together make one node. */
static bool merge_inner(const omap_t *map, const struct omap_step *path, unsigned level)
{
    inner_t *inner = path[level].inner;
    inner_t *parent = path[level - 1].inner;
    if (inner->count >= INNER_MERGE_BELOW)
        return false;
    for (unsigned try = 0; try < 2; try++) {
        unsigned right = path[level - 1].index + 1 - try;
        if (right == 0 || right > parent->count)
            continue;
        inner_t **nodes = (inner_t **)inner_children(parent) + right - 1;
        separator_t **separator = inner_separators(parent) + right - 1;
        if (nodes[0]->count + 1 + nodes[1]->count > INNER_ROOM_MAX)
            continue;
        if (!inner_merge(map->pool, &nodes[0], *separator, nodes[1]))
            return false;
        *separator = NULL;
        return inner_remove(parent, right);
    }
    return false;
}

/* Takes the child that PATH goes through at LEVEL, which is gone, out of the node there, and sets the tree
 * above in order. */
static void take_child(omap_t *map, const struct omap_step *path, unsigned level, unsigned index)
{
    while (!inner_remove(path[level].inner, index)) {
        inner_t *inner = path[level].inner;
        inner_destroy(map->pool, &inner);
        if (level == 0) {
            map->root = NULL;
            map->height = 0;
            return;
        }
        level--;
        index = path[level].index;
    }
    while (level > 0 && merge_inner(map, path, level))
        level--;
    while (map->height > 0 && ((inner_t *)map->root)->count == 0) {
        inner_t *root = map->root;
        map->root = inner_children(root)[0];
        map->height--;
        inner_destroy(map->pool, &root);
    }
}

/* Merges the leaf that PATH reaches with a neighbour, where both together make one of moderate size. */
static bool merge_leaf(omap_t *map, const struct omap_step *path)
{
    inner_t *parent = path[map->height - 1].inner;
    for (unsigned try = 0; try < 2; try++) {
        unsigned right = path[map->height - 1].index + 1 - try;
        if (right == 0 || right > parent->count)
            continue;
        leaf_t **leaves = (leaf_t **)inner_children(parent) + right - 1;
        size_t bytes = leaf_live(leaves[0]) + leaf_live(leaves[1]);
        unsigned count = leaves[0]->count + leaves[1]->count;
        if (bytes + 3 * (size_t)count > LEAF_MERGED_MAX)
            continue;
        leaf_t *merged = leaf_new(map->pool, count, bytes);
        if (merged == NULL)
            return false;
        leaf_append(merged, leaves[0], 0, leaves[0]->count);
        leaf_append(merged, leaves[1], 0, leaves[1]->count);
        leaf_destroy(map->pool, leaves[0]);
        leaf_destroy(map->pool, leaves[1]);
        leaves[0] = merged;
        take_child(map, path, map->height - 1, right);
        return true;
    }
    return false;
}

bool omap_remove(omap_t *map, bytes_t key)
{
    struct omap_step path[OMAP_DEPTH_MAX];
    if (map->root == NULL)
        return false;
    leaf_t *leaf = descend(map, key, path);
    unsigned slot = leaf_find(leaf, key, tag_of(map, key));
    if (slot == LEAF_NO_SLOT)
        return false;
    leaf_erase(leaf, slot);
    map->count--;
    if (leaf->count == 0) {
        leaf_destroy(map->pool, leaf);
        if (map->height == 0)
            map->root = NULL;
        else
            take_child(map, path, map->height - 1, path[map->height - 1].index);
        return true;
    }
    if (map->height > 0 && leaf_live(leaf) < LEAF_MERGE_BELOW && merge_leaf(map, path))
        return true;
    leaf_shrink(map->pool, (leaf_t **)place_of(map, path, map->height));
    return true;
}

/* ---- In order --------------------------------------------------------------------------------- */

void omap_seek(const omap_t *map, bytes_t from, bool after, omap_cursor_t *cursor)
{
    cursor->map = map;
    cursor->leaf = NULL;
    cursor->slot = 0;
    if (map->root == NULL)
        return;
    leaf_t *leaf = descend(map, from, cursor->path);
    unsigned slot = leaf_seek(leaf, from);
    if (after && slot < leaf->count && bytes_equal(leaf_key(leaf, slot), from))
        slot++;
    cursor->leaf = leaf;
    cursor->slot = slot;
}

/* Moves the cursor before the next leaf's first entry, or behind the last entry of all. */
static void next_leaf(omap_cursor_t *cursor)
{
    unsigned level = cursor->map->height;
    cursor->leaf = NULL;
    cursor->slot = 0;
    while (level > 0 && cursor->path[level - 1].index == ((inner_t *)cursor->path[level - 1].inner)->count)
        level--;
    if (level == 0)
        return;
    struct omap_step *step = &cursor->path[level - 1];
    void *node = inner_children(step->inner)[++step->index];
    for (; level < cursor->map->height; level++) {
        cursor->path[level] = (struct omap_step){.inner = node, .index = 0};
        node = inner_children(node)[0];
    }
    cursor->leaf = node;
}

static void entry_at(const leaf_t *leaf, unsigned slot, omap_entry_t *entry)
{
    uint8_t *record = leaf_record(leaf, slot);
    record_t head = record_head(record);
    entry->key = record_key(record);
    entry->payload = record + sizeof head + head.key_size;
    entry->size = head.payload_size;
}

bool omap_next(omap_cursor_t *cursor, omap_entry_t *entry)
{
    while (cursor->leaf != NULL && cursor->slot == ((leaf_t *)cursor->leaf)->count)
        next_leaf(cursor);
    if (cursor->leaf == NULL)
        return false;
    entry_at(cursor->leaf, cursor->slot++, entry);
    return true;
}

/* ---- Taking apart ----------------------------------------------------------------------------- */

/* Drops entries of LEAF from its end. Returns whether none is left; else the budget is used up. */
static bool drop_entries(omap_t *map, leaf_t *leaf, unsigned *budget, omap_drop_fn *drop, void *context)
{
    while (leaf->count > 0 && *budget > 0) {
        omap_entry_t entry;
        entry_at(leaf, leaf->count - 1U, &entry);
        unsigned pieces = drop(context, &entry);
        *budget -= pieces < *budget ? pieces : *budget;
        leaf->count--;
        map->count--;
    }
    return leaf->count == 0;
}

/* Frees the last leaf, and the inner nodes above it that have no child left. */
static void drop_last_leaf(omap_t *map, unsigned *budget, omap_drop_fn *drop, void *context)
{
    inner_t *path[OMAP_DEPTH_MAX];
    void *node = map->root;
    for (unsigned level = 0; level < map->height; level++) {
        path[level] = node;
        node = inner_children(path[level])[path[level]->count];
    }
    leaf_t *leaf = node;
    if (drop != NULL && !drop_entries(map, leaf, budget, drop, context))
        return;
    map->count -= leaf->count;
    leaf_destroy(map->pool, leaf);
    *budget -= *budget > 0;
    for (unsigned level = map->height; level > 0; level--)
        if (inner_remove(path[level - 1], path[level - 1]->count))
            return;
        else
            inner_destroy(map->pool, &path[level - 1]);
    map->root = NULL;
    map->height = 0;
}

bool omap_drain(omap_t *map, unsigned *budget, omap_drop_fn *drop, void *context)
{
    while (map->root != NULL && *budget > 0)
        drop_last_leaf(map, budget, drop, context);
    return map->root == NULL;
}
