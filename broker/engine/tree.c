/* SPDX-License-Identifier: MPL-2.0 */
/* The tree of records: searches it, and splits and merges its nodes. Knows nothing about the layout of a
 * node. */
#include "broker/engine/tree.h"

#include <assert.h>

#include "broker/engine/node.h"

enum {
    LEAF_MERGE_BELOW = NODE_LEAF_MAX / 4, /* records of a leaf, below which it may merge with a neighbour */
    LEAF_MERGED_MAX = NODE_LEAF_MAX / 4 * 3,   /* records of both: the next insert must not split */
    INNER_MERGE_BELOW = NODE_INNER_MAX / 4,    /* separators */
    INNER_MERGED_MAX = NODE_INNER_MAX / 4 * 3, /* separators */
    SIDE_BY_SIDE = 16,                         /* fetches that a core can do at the same time */
    CACHE_LINE = 64,
    FETCH_LINES = 8, /* cache lines of a node: most of the heads */
    FETCH_AHEAD = 8  /* records that a walk fetches in advance */
};

void tree_init(tree_t *tree, slab_t *slab)
{
    *tree = (tree_t){.slab = slab};
}

static bytes_t key_of(const tree_t *tree, uint32_t record)
{
    return record_key(record_at(tree->slab, record));
}

/* ---- Searching -------------------------------------------------------------------------------- */

/* The leaf that KEY belongs to; writes the PATH to it. The tree must not be empty. */
static uint32_t descend(const tree_t *tree, bytes_t key, struct tree_step *path)
{
    uint32_t handle = tree->root;
    for (unsigned level = 0; level < tree->height; level++) {
        node_t *node = node_at(tree->slab, handle);
        unsigned index = node_child(tree->slab, node, key);
        path[level] = (struct tree_step){.node = handle, .index = index};
        handle = node_children(node)[index];
    }
    return handle;
}

/* Where the handle of the node is stored that PATH reaches at LEVEL. */
static uint32_t *place_of(tree_t *tree, const struct tree_step *path, unsigned level)
{
    if (level == 0)
        return &tree->root;
    return &node_children(node_at(tree->slab, path[level - 1].node))[path[level - 1].index];
}

uint32_t tree_find(const tree_t *tree, bytes_t key)
{
    struct tree_step path[TREE_DEPTH_MAX];
    bool same;
    if (tree->root == 0)
        return 0;
    node_t *leaf = node_at(tree->slab, descend(tree, key, path));
    unsigned slot = node_seek(tree->slab, leaf, key, &same);
    return same ? node_records(leaf)[slot] : 0;
}

/* ---- Splitting -------------------------------------------------------------------------------- */

static node_t *step_node(const tree_t *tree, const struct tree_step *step)
{
    return node_at(tree->slab, step->node);
}

/* Whether PATH goes through the last child of each node above LEVEL. */
static bool on_right_edge(const tree_t *tree, const struct tree_step *path, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        if (path[i].index != step_node(tree, &path[i])->count)
            return false;
    return true;
}

/* Splits the full inner node at LEVEL of PATH, whose parent has room, and makes PATH go through the half that
 * it needs. */
static bool split_inner(tree_t *tree, struct tree_step *path, unsigned level)
{
    node_t *node = step_node(tree, &path[level]);
    /* If keys come in ascending order, leave full nodes behind. */
    unsigned at = on_right_edge(tree, path, level + 1) ? node->count - 2U : node->count / 2U;
    uint32_t right = node_new(tree->slab, true, node->count - at);
    if (right == 0)
        return false;
    node_move(tree->slab, true, node, at + 1, node_at(tree->slab, right));
    node->count--;
    uint32_t separator = node_records(node)[at];
    node_insert_child(tree->slab, step_node(tree, &path[level - 1]), path[level - 1].index, separator, right);
    if (path[level].index > at) {
        path[level].node = right;
        path[level].index -= at + 1;
        path[level - 1].index++;
    }
    return true;
}

/* Puts a new root above the present one, as PATH's new first step. */
static bool raise_root(tree_t *tree, struct tree_step *path)
{
    assert(tree->height < TREE_DEPTH_MAX);
    uint32_t root = node_new(tree->slab, true, 1);
    if (root == 0)
        return false;
    node_children(node_at(tree->slab, root))[0] = tree->root;
    memmove(path + 1, path, tree->height * sizeof *path);
    path[0] = (struct tree_step){.node = root, .index = 0};
    tree->root = root;
    tree->height++;
    return true;
}

/* Makes room for one more child in the leaf's parent; splits full nodes above it as needed. The records in
 * the tree stay the same, even if this fails. */
static bool make_way(tree_t *tree, struct tree_step *path)
{
    unsigned level = tree->height;
    while (level > 0 && step_node(tree, &path[level - 1])->count == NODE_INNER_MAX)
        level--;
    if (level == 0) {
        if (!raise_root(tree, path))
            return false;
        level = 1;
    }
    for (level--; level < tree->height; level++) {
        if (step_node(tree, &path[level])->count == NODE_INNER_MAX && !split_inner(tree, path, level))
            return false;
        uint32_t *place = place_of(tree, path, level);
        if (!node_make_room(tree->slab, true, place, step_node(tree, &path[level])->count + 1U))
            return false;
        path[level].node = *place;
    }
    return true;
}

/* Puts the new RECORD into a new leaf beside the full leaf at the end of PATH (after it if BEHIND, else
 * before it), whose parent has room. So keys that come in ascending or descending order leave full leaves
 * behind. */
static bool insert_beside(tree_t *tree, const struct tree_step *path, uint32_t record, bool behind)
{
    slab_t *slab = tree->slab;
    node_t *parent = step_node(tree, &path[tree->height - 1]);
    unsigned index = path[tree->height - 1].index;
    uint32_t old = node_children(parent)[index];
    node_t *leaf = node_at(slab, old);
    bytes_t key = key_of(tree, record);
    uint32_t fresh = node_new(slab, false, 1);
    if (fresh == 0)
        return false;
    uint32_t separator = behind ? separator_new(slab, node_key(slab, leaf, leaf->count - 1U), key)
                                : separator_new(slab, key, node_key(slab, leaf, 0));
    if (separator == 0) {
        node_destroy(slab, false, fresh);
        return false;
    }
    leaf->hint = NODE_NO_SLOT;
    node_insert(slab, node_at(slab, fresh), 0, record);
    if (!behind)
        node_children(parent)[index] = fresh;
    node_insert_child(slab, parent, index, separator, behind ? fresh : old);
    return true;
}

/* Splits the full leaf at the end of PATH, whose parent has room, in halves. */
static bool halve_leaf(tree_t *tree, const struct tree_step *path)
{
    slab_t *slab = tree->slab;
    uint32_t *place = place_of(tree, path, tree->height);
    node_t *leaf = node_at(slab, *place);
    unsigned middle = leaf->count / 2U;
    uint32_t right = node_new(slab, false, leaf->count - middle);
    if (right == 0)
        return false;
    uint32_t separator = separator_new(slab, node_key(slab, leaf, middle - 1), node_key(slab, leaf, middle));
    if (separator == 0) {
        node_destroy(slab, false, right);
        return false;
    }
    node_move(slab, false, leaf, middle, node_at(slab, right));
    node_shrink(slab, false, place);
    node_insert_child(slab, step_node(tree, &path[tree->height - 1]), path[tree->height - 1].index, separator,
                      right);
    return true;
}

/* Inserts RECORD at SLOT of the full leaf at the end of PATH, which is split for it. */
static bool insert_splitting(tree_t *tree, struct tree_step *path, unsigned slot, uint32_t record)
{
    if (!make_way(tree, path))
        return false;
    const node_t *leaf = node_at(tree->slab, *place_of(tree, path, tree->height));
    bool ascending = slot == leaf->count && leaf->hint == leaf->count - 1U;
    if (ascending || (slot == 0 && leaf->hint == 0))
        return insert_beside(tree, path, record, ascending);
    unsigned middle = leaf->count / 2U;
    if (!halve_leaf(tree, path))
        return false;
    const struct tree_step *step = &path[tree->height - 1];
    bytes_t separator = node_key(tree->slab, step_node(tree, step), step->index);
    if (slot > middle || (slot == middle && bytes_compare(key_of(tree, record), separator) >= 0)) {
        slot -= middle;
        path[tree->height - 1].index++;
    }
    uint32_t *place = place_of(tree, path, tree->height);
    if (!node_make_room(tree->slab, false, place, node_at(tree->slab, *place)->count + 1U))
        return false;
    node_insert(tree->slab, node_at(tree->slab, *place), slot, record);
    return true;
}

/* Inserts RECORD at SLOT of the leaf at the end of PATH, which has no room. */
static bool insert_growing(tree_t *tree, struct tree_step *path, unsigned slot, uint32_t record)
{
    uint32_t *place = place_of(tree, path, tree->height);
    unsigned count = node_at(tree->slab, *place)->count;
    if (count == NODE_LEAF_MAX)
        return insert_splitting(tree, path, slot, record);
    if (!node_make_room(tree->slab, false, place, count + 1U))
        return false;
    node_insert(tree->slab, node_at(tree->slab, *place), slot, record);
    return true;
}

bool tree_insert(tree_t *tree, uint32_t record)
{
    struct tree_step path[TREE_DEPTH_MAX];
    bytes_t key = key_of(tree, record);
    bool same;
    if (tree->root == 0)
        tree->root = node_new(tree->slab, false, 1);
    if (tree->root == 0)
        return false;
    node_t *leaf = node_at(tree->slab, descend(tree, key, path));
    unsigned slot = node_seek(tree->slab, leaf, key, &same);
    assert(!same);
    if (leaf->count < leaf->room)
        node_insert(tree->slab, leaf, slot, record);
    else if (!insert_growing(tree, path, slot, record))
        return false;
    tree->count++;
    return true;
}

void tree_replace(tree_t *tree, uint32_t old, uint32_t record)
{
    struct tree_step path[TREE_DEPTH_MAX];
    bool same;
    bytes_t key = key_of(tree, old);
    node_t *leaf = node_at(tree->slab, descend(tree, key, path));
    unsigned slot = node_seek(tree->slab, leaf, key, &same);
    assert(same && node_records(leaf)[slot] == old);
    node_records(leaf)[slot] = record;
}

/* ---- Removing --------------------------------------------------------------------------------- */

/* Moves all of the node RIGHT into the node that *LEFT names; see node_append. False if memory is refused:
 * nothing has changed then. */
static bool join(slab_t *slab, bool inner, uint32_t *left, uint32_t separator, uint32_t right)
{
    node_t *source = node_at(slab, right);
    size_t count = (size_t)node_at(slab, *left)->count + inner + source->count;
    if (!node_make_room(slab, inner, left, count))
        return false;
    node_append(slab, inner, node_at(slab, *left), separator, source);
    source->count = 0; /* its separators have moved */
    node_destroy(slab, inner, right);
    return true;
}

static void take_child(tree_t *tree, const struct tree_step *path, unsigned level, unsigned index);

/* Merges the node at LEVEL of PATH (the leaf, if that is the height) with a neighbour, if both together make
 * a node of moderate size. */
static void merge(tree_t *tree, const struct tree_step *path, unsigned level)
{
    bool inner = level < tree->height;
    node_t *parent = step_node(tree, &path[level - 1]);
    uint32_t *children = node_children(parent);
    for (unsigned try = 0; try < 2; try++) {
        unsigned right = path[level - 1].index + 1 - try;
        if (right == 0 || right > parent->count)
            continue;
        unsigned count = 0U + node_at(tree->slab, children[right - 1])->count +
                         node_at(tree->slab, children[right])->count;
        if (count > (inner ? INNER_MERGED_MAX : LEAF_MERGED_MAX))
            continue;
        uint32_t *separator = node_records(parent) + right - 1;
        if (!join(tree->slab, inner, &children[right - 1], inner ? *separator : 0, children[right]))
            return;
        if (inner)
            *separator = 0; /* it has moved */
        take_child(tree, path, level - 1, right);
        return;
    }
}

/* Removes the child INDEX, which is freed already, from the node at LEVEL of PATH. Merges and removes nodes
 * above as needed. */
static void take_child(tree_t *tree, const struct tree_step *path, unsigned level, unsigned index)
{
    while (!node_remove_child(tree->slab, step_node(tree, &path[level]), index)) {
        node_destroy(tree->slab, true, path[level].node);
        if (level == 0) {
            tree->root = 0;
            tree->height = 0;
            return;
        }
        level--;
        index = path[level].index;
    }
    if (level > 0 && step_node(tree, &path[level])->count < INNER_MERGE_BELOW)
        merge(tree, path, level);
    while (tree->height > 0 && node_at(tree->slab, tree->root)->count == 0) {
        uint32_t root = tree->root;
        tree->root = node_children(node_at(tree->slab, root))[0];
        tree->height--;
        node_destroy(tree->slab, true, root);
    }
}

void tree_remove(tree_t *tree, uint32_t record)
{
    struct tree_step path[TREE_DEPTH_MAX];
    bool same;
    bytes_t key = key_of(tree, record);
    uint32_t handle = descend(tree, key, path);
    node_t *leaf = node_at(tree->slab, handle);
    unsigned slot = node_seek(tree->slab, leaf, key, &same);
    assert(same && node_records(leaf)[slot] == record);
    node_erase(leaf, slot);
    tree->count--;
    if (leaf->count == 0) {
        node_destroy(tree->slab, false, handle);
        if (tree->height == 0)
            tree->root = 0;
        else
            take_child(tree, path, tree->height - 1, path[tree->height - 1].index);
        return;
    }
    bool few = leaf->count < LEAF_MERGE_BELOW;
    node_shrink(tree->slab, false, place_of(tree, path, tree->height)); /* may move the leaf */
    if (tree->height > 0 && few)
        merge(tree, path, tree->height);
}

/* ---- In order --------------------------------------------------------------------------------- */

void tree_seek(const tree_t *tree, bytes_t from, bool after, tree_cursor_t *cursor)
{
    bool same;
    cursor->tree = tree;
    cursor->leaf = NULL;
    cursor->slot = 0;
    if (tree->root == 0)
        return;
    node_t *leaf = node_at(tree->slab, descend(tree, from, cursor->path));
    unsigned slot = node_seek(tree->slab, leaf, from, &same);
    cursor->leaf = leaf;
    cursor->slot = slot + (after && same);
}

/* Moves the cursor before the next leaf's first record, or after the last record of all. */
static void next_leaf(tree_cursor_t *cursor)
{
    const tree_t *tree = cursor->tree;
    unsigned level = tree->height;
    cursor->leaf = NULL;
    cursor->slot = 0;
    while (level > 0 && cursor->path[level - 1].index == step_node(tree, &cursor->path[level - 1])->count)
        level--;
    if (level == 0)
        return;
    struct tree_step *step = &cursor->path[level - 1];
    uint32_t handle = node_children(step_node(tree, step))[++step->index];
    for (; level < tree->height; level++) {
        cursor->path[level] = (struct tree_step){.node = handle, .index = 0};
        handle = node_children(node_at(tree->slab, handle))[0];
    }
    cursor->leaf = node_at(tree->slab, handle);
}

uint32_t tree_next(tree_cursor_t *cursor)
{
    while (cursor->leaf != NULL && cursor->slot == ((node_t *)cursor->leaf)->count)
        next_leaf(cursor);
    if (cursor->leaf == NULL)
        return 0;
    node_t *leaf = cursor->leaf;
    const uint32_t *records = node_records(leaf) + cursor->slot++;
    if (cursor->slot + FETCH_AHEAD <= leaf->count)
        __builtin_prefetch(record_at(cursor->tree->slab, records[FETCH_AHEAD]));
    return records[0];
}

/* ---- Freeing ---------------------------------------------------------------------------------- */

/* Drops records of LEAF from its end. Returns whether none is left; else the budget is used up. */
static bool drop_records(tree_t *tree, node_t *leaf, unsigned *budget, tree_drop_fn *drop, void *context)
{
    const uint32_t *records = node_records(leaf);
    while (leaf->count > 0 && *budget > 0) {
        if (leaf->count > FETCH_AHEAD)
            __builtin_prefetch(record_at(tree->slab, records[leaf->count - 1 - FETCH_AHEAD]));
        unsigned pieces = drop(context, records[leaf->count - 1]);
        *budget -= pieces < *budget ? pieces : *budget;
        leaf->count--;
        tree->count--;
    }
    return leaf->count == 0;
}

/* Frees the last leaf, and the inner nodes above it that have no child left. */
static void drop_last_leaf(tree_t *tree, unsigned *budget, tree_drop_fn *drop, void *context)
{
    uint32_t path[TREE_DEPTH_MAX];
    uint32_t handle = tree->root;
    for (unsigned level = 0; level < tree->height; level++) {
        node_t *node = node_at(tree->slab, handle);
        path[level] = handle;
        handle = node_children(node)[node->count];
    }
    if (!drop_records(tree, node_at(tree->slab, handle), budget, drop, context))
        return;
    node_destroy(tree->slab, false, handle);
    *budget -= *budget > 0;
    for (unsigned level = tree->height; level > 0; level--) {
        node_t *node = node_at(tree->slab, path[level - 1]);
        if (node_remove_child(tree->slab, node, node->count))
            return;
        node_destroy(tree->slab, true, path[level - 1]);
    }
    tree->root = 0;
    tree->height = 0;
}

bool tree_drain(tree_t *tree, unsigned *budget, tree_drop_fn *drop, void *context)
{
    while (tree->root != 0 && *budget > 0)
        drop_last_leaf(tree, budget, drop, context);
    return tree->root == 0;
}

/* ---- Prefetching ------------------------------------------------------------------------------ */

static void fetch_node(const tree_t *tree, uint32_t handle)
{
    const uint8_t *node = slab_at(tree->slab, handle);
    for (unsigned i = 0; i < FETCH_LINES; i++)
        __builtin_prefetch(node + (size_t)i * CACHE_LINE);
}

static void prefetch_some(const tree_t *tree, const bytes_t *keys, unsigned count)
{
    uint32_t handles[SIDE_BY_SIDE];
    for (unsigned i = 0; i < count; i++)
        handles[i] = tree->root;
    for (unsigned level = 0; level < tree->height; level++)
        for (unsigned i = 0; i < count; i++) {
            node_t *node = node_at(tree->slab, handles[i]);
            handles[i] = node_children(node)[node_child(tree->slab, node, keys[i])];
            fetch_node(tree, handles[i]);
        }
}

void tree_prefetch(const tree_t *tree, const bytes_t *keys, unsigned count)
{
    for (unsigned first = 0; first < count; first += SIDE_BY_SIDE)
        prefetch_some(tree, keys + first, count - first < SIDE_BY_SIDE ? count - first : SIDE_BY_SIDE);
}
