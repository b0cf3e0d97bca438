/* SPDX-License-Identifier: MPL-2.0 */
/* The records of a slab in the byte order of their keys: a B+tree of their handles. It keeps 4 bytes of each
 * key beside the handle, so that a search seldom reads records.
 *
 * The tree is never copied as a whole: the longest piece of work, at any size, is the split of a leaf of up
 * to 253 records, and of the inner nodes above it: some microseconds. An empty tree has allocated nothing; a
 * tree with a few records has one block that fits them. Not thread-safe. */
#ifndef KV_BROKER_ENGINE_TREE_H
#define KV_BROKER_ENGINE_TREE_H

#include "broker/engine/slab.h"
#include "common/bytes.h"
#include "common/status.h"

enum { TREE_DEPTH_MAX = 12 }; /* levels of inner nodes; 5 levels hold more records than there are handles */

typedef struct tree {
    slab_t *slab;    /* of its nodes, and of the records; borrowed */
    uint64_t count;  /* records */
    uint32_t root;   /* a leaf if height is 0, else an inner node; 0 = empty. Private */
    unsigned height; /* levels of inner nodes. Private */
} tree_t;

/* Makes an empty tree. Allocates nothing. */
void tree_init(tree_t *tree, slab_t *slab);

/* The record with KEY, or 0. */
uint32_t tree_find(const tree_t *tree, bytes_t key);
/* Inserts RECORD (borrowed until it is removed), whose key is not in the tree. False if memory is refused:
 * nothing has changed then. */
KV_MUST_USE bool tree_insert(tree_t *tree, uint32_t record);
/* Replaces OLD, which is in the tree, by RECORD, which has the same key. */
void tree_replace(tree_t *tree, uint32_t old, uint32_t record);
/* Removes RECORD, which is in the tree. Never fails for want of memory. */
void tree_remove(tree_t *tree, uint32_t record);
/* A hint: records with KEYS are about to be inserted. In a large tree, the inserts then take a fraction of
 * the time. Changes nothing. */
void tree_prefetch(const tree_t *tree, const bytes_t *keys, unsigned count);

/* ---- In order --------------------------------------------------------------------------------- */

/* A place between two records. Valid until the tree is next changed: call tree_seek again after that. All
 * private. */
typedef struct tree_cursor {
    const tree_t *tree;
    void *leaf;    /* NULL = after the last record */
    unsigned slot; /* of the next record in the leaf */
    struct tree_step {
        uint32_t node;
        unsigned index;     /* of the child that the path goes through */
    } path[TREE_DEPTH_MAX]; /* from the root down to the leaf's parent */
} tree_cursor_t;

/* Places CURSOR before the first record whose key is FROM or sorts after it; if AFTER, before the first whose
 * key sorts after FROM. */
void tree_seek(const tree_t *tree, bytes_t from, bool after, tree_cursor_t *cursor);
/* Returns the record after the cursor and moves the cursor past it; 0 at the end. */
KV_MUST_USE uint32_t tree_next(tree_cursor_t *cursor);

/* ---- Taking a large tree apart ---------------------------------------------------------------- */

/* Called for each record that is removed; must not touch the tree. Returns how many pieces of work it was. */
typedef unsigned tree_drop_fn(void *context, uint32_t record);

/* Frees the tree from its end, in pieces: each node is one piece, each record as many as DROP returns. Does
 * at most *BUDGET pieces (the last call of DROP may exceed it), and counts *BUDGET down. Returns whether the
 * tree is empty now. Until then, only tree_drain may be called. */
bool tree_drain(tree_t *tree, unsigned *budget, tree_drop_fn *drop, void *context);

#endif
