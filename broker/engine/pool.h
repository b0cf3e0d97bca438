/* SPDX-License-Identifier: MPL-2.0 */
/* Memory for the nodes of large maps, taken from the system 2 MiB at a time and given back so.
 *
 * Why not malloc: with millions of blocks that grow in steps its longest calls take milliseconds (so does
 * giving much memory back at once), and half of the memory stays when a large store is closed. Not
 * thread-safe. */
#ifndef KV_BROKER_ENGINE_POOL_H
#define KV_BROKER_ENGINE_POOL_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    POOL_STEP = 256,         /* bytes between the sizes of blocks */
    POOL_BLOCK_MAX = 4032,   /* bytes of the largest block: 65 fill a span */
    POOL_MALLOC_BELOW = 513, /* bytes; smaller blocks are malloc's */
    POOL_CLASSES = POOL_BLOCK_MAX / POOL_STEP + 2
};

typedef struct pool {
    struct pool_span *spans[POOL_CLASSES]; /* those with a free block, by size. Private, as all here */
    struct pool_segment *segments;         /* those with a free span */
    size_t segment_count;
} pool_t;

/* Makes an empty pool. Takes nothing from the system. */
void pool_init(pool_t *pool);
/* All blocks must have been freed: gives what is left back to the system. */
void pool_release(pool_t *pool);

/* The bytes that a block for SIZE bytes, at most POOL_BLOCK_MAX, really has. */
size_t pool_block_size(size_t size);
/* A block of SIZE bytes, at most POOL_BLOCK_MAX. NULL if memory is refused. POOL may be NULL: malloc then.
 */
void *pool_take(pool_t *pool, size_t size);
/* Gives back BLOCK (may be NULL), which was taken for SIZE bytes. */
void pool_give(pool_t *pool, void *block, size_t size);
/* Gives BLOCK, taken for SIZE bytes, another size: returns the block that has its first bytes, or NULL if
 * memory is refused, and BLOCK stays then. */
void *pool_resize(pool_t *pool, void *block, size_t size, size_t new_size);

#endif
