/* SPDX-License-Identifier: MPL-2.0 */
/* Segments of 2 MiB, divided into spans of blocks of one size. A span without blocks in use can become one of
 * another size; a segment without spans in use goes back to the system. */
#include "broker/engine/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    SEGMENT_SIZE = 2 << 20,
    SPAN_SIZE = 256 << 10,
    SPANS = SEGMENT_SIZE / SPAN_SIZE,
    ALL_SPANS = (1 << SPANS) - 1,
    SPAN_HEAD = 64 /* bytes of a span before its first block: blocks begin on cache lines */
};

/* A stretch of memory, aligned to its size. Its description is outside of it: the span is all in use. */
typedef struct pool_segment {
    uint8_t *memory;               /* SEGMENT_SIZE bytes */
    unsigned free;                 /* bit I = span I is free */
    struct pool_segment *previous; /* in the list of segments with a free span */
    struct pool_segment *next;
} segment_t;

/* The head of a span, at its start. */
typedef struct pool_span {
    segment_t *segment;
    struct pool_span *previous; /* in the list of spans of its size with a free block */
    struct pool_span *next;
    void *free;     /* list of blocks that were given back, each pointing to the next */
    uint32_t fresh; /* offset of the first block that never was in use */
    uint32_t size;  /* bytes of a block */
    uint32_t used;  /* blocks in use */
} span_t;

static_assert(sizeof(span_t) <= SPAN_HEAD, "a span's head fits before its blocks");
static_assert(POOL_BLOCK_MAX % SPAN_HEAD == 0 && POOL_STEP % SPAN_HEAD == 0, "blocks begin on cache lines");

void pool_init(pool_t *pool)
{
    *pool = (pool_t){.segments = NULL};
}

static size_t class_of(size_t size)
{
    return (size + POOL_STEP - 1) / POOL_STEP;
}

size_t pool_block_size(size_t size)
{
    size_t block = class_of(size) * POOL_STEP;
    assert(size <= POOL_BLOCK_MAX);
    if (size < POOL_MALLOC_BELOW)
        return size;
    return block < POOL_BLOCK_MAX ? block : POOL_BLOCK_MAX;
}

/* ---- Segments --------------------------------------------------------------------------------- */

static void segment_link(pool_t *pool, segment_t *segment)
{
    segment->previous = NULL;
    segment->next = pool->segments;
    if (segment->next != NULL)
        segment->next->previous = segment;
    pool->segments = segment;
}

static void segment_unlink(pool_t *pool, segment_t *segment)
{
    if (segment->previous != NULL)
        segment->previous->next = segment->next;
    else
        pool->segments = segment->next;
    if (segment->next != NULL)
        segment->next->previous = segment->previous;
}

/* SEGMENT_SIZE bytes from the system, aligned to it. */
static uint8_t *map_aligned(void)
{
    uint8_t *memory =
        mmap(NULL, 2 * (size_t)SEGMENT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    size_t before = (SEGMENT_SIZE - (uintptr_t)memory % SEGMENT_SIZE) % SEGMENT_SIZE;
    if (before != 0)
        (void)munmap(memory, before);
    (void)munmap(memory + before + SEGMENT_SIZE, SEGMENT_SIZE - before);
    return memory + before;
}

static segment_t *segment_new(pool_t *pool)
{
    segment_t *segment = malloc(sizeof *segment);
    uint8_t *memory = segment != NULL ? map_aligned() : NULL;
    if (memory == NULL) {
        free(segment);
        return NULL;
    }
    segment->memory = memory;
    segment->free = ALL_SPANS;
    pool->segment_count++;
    segment_link(pool, segment);
    return segment;
}

static void segment_destroy(pool_t *pool, segment_t *segment)
{
    segment_unlink(pool, segment);
    pool->segment_count--;
    (void)munmap(segment->memory, SEGMENT_SIZE);
    free(segment);
}

/* ---- Spans ------------------------------------------------------------------------------------ */

static bool span_full(const span_t *span)
{
    return span->free == NULL && span->fresh + span->size > SPAN_SIZE;
}

static void span_link(pool_t *pool, span_t *span)
{
    span_t **list = &pool->spans[class_of(span->size)];
    span->previous = NULL;
    span->next = *list;
    if (span->next != NULL)
        span->next->previous = span;
    *list = span;
}

static void span_unlink(pool_t *pool, span_t *span)
{
    if (span->previous != NULL)
        span->previous->next = span->next;
    else
        pool->spans[class_of(span->size)] = span->next;
    if (span->next != NULL)
        span->next->previous = span->previous;
}

/* A span for blocks of SIZE bytes, in the list. NULL if memory is refused. */
static span_t *span_new(pool_t *pool, size_t size)
{
    segment_t *segment = pool->segments != NULL ? pool->segments : segment_new(pool);
    if (segment == NULL)
        return NULL;
    unsigned index = (unsigned)__builtin_ctz(segment->free);
    segment->free &= ~(1U << index);
    if (segment->free == 0)
        segment_unlink(pool, segment);
    span_t *span = (span_t *)(void *)(segment->memory + (size_t)index * SPAN_SIZE);
    *span = (span_t){.segment = segment, .fresh = SPAN_HEAD, .size = (uint32_t)size};
    span_link(pool, span);
    return span;
}

/* Gives a span without blocks in use back to its segment, and that, if it was the last, to the system. */
static void span_destroy(pool_t *pool, span_t *span)
{
    segment_t *segment = span->segment;
    unsigned index = (unsigned)((size_t)((uint8_t *)span - segment->memory) / SPAN_SIZE);
    span_unlink(pool, span);
    if (segment->free == 0)
        segment_link(pool, segment);
    segment->free |= 1U << index;
    if (segment->free == ALL_SPANS)
        segment_destroy(pool, segment);
    else
        (void)madvise(span, SPAN_SIZE, MADV_DONTNEED);
}

void pool_release(pool_t *pool)
{
    for (size_t i = 0; i < POOL_CLASSES; i++) {
        span_t *span = pool->spans[i]; /* no more than one: pool_give */
        if (span != NULL) {
            assert(span->used == 0 && span->next == NULL);
            span_destroy(pool, span);
        }
    }
    assert(pool->segment_count == 0);
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

void *pool_take(pool_t *pool, size_t size)
{
    if (pool == NULL || size < POOL_MALLOC_BELOW)
        return malloc(size);
    span_t *span = pool->spans[class_of(size)];
    if (span == NULL)
        span = span_new(pool, pool_block_size(size));
    if (span == NULL)
        return NULL;
    void *block = span->free;
    if (block != NULL) {
        memcpy(&span->free, block, sizeof(void *));
    } else {
        block = (uint8_t *)span + span->fresh;
        span->fresh += span->size;
    }
    span->used++;
    if (span_full(span))
        span_unlink(pool, span);
    return block;
}

void pool_give(pool_t *pool, void *block, size_t size)
{
    if (pool == NULL || block == NULL || size < POOL_MALLOC_BELOW) {
        free(block);
        return;
    }
    span_t *span = (span_t *)(void *)((uint8_t *)block - (uintptr_t)block % SPAN_SIZE);
    assert(span->size == pool_block_size(size) && span->used > 0);
    if (span_full(span))
        span_link(pool, span);
    memcpy(block, &span->free, sizeof(void *));
    span->free = block;
    span->used--;
    /* The only span of its size stays for the next block: no taking and giving in turn. */
    if (span->used == 0 && (span->previous != NULL || span->next != NULL))
        span_destroy(pool, span);
}

void *pool_resize(pool_t *pool, void *block, size_t size, size_t new_size)
{
    if (pool == NULL || (size < POOL_MALLOC_BELOW && new_size < POOL_MALLOC_BELOW))
        return realloc(block, new_size);
    void *moved = pool_take(pool, new_size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, size < new_size ? size : new_size);
    pool_give(pool, block, size);
    return moved;
}
