/* SPDX-License-Identifier: MPL-2.0 */
/* Memory for what stores are made of: records, index groups and tree nodes. A block is named by a handle of 4
 * bytes, half of a pointer. Memory is taken from the system in segments of 2 MiB, and given back in spans of
 * 256 KiB.
 *
 * Why not malloc: with millions of blocks, its longest calls take milliseconds (as does freeing much memory
 * at once), half of the memory stays allocated when a large store is closed, and each block costs 8 bytes
 * more, plus 8 for the pointer to it. Nothing here takes time that grows with the number of blocks. Not
 * thread-safe. */
#ifndef KV_BROKER_ENGINE_SLAB_H
#define KV_BROKER_ENGINE_SLAB_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    SLAB_UNIT = 16,        /* bytes; handles count in this unit: 64 GiB in all */
    SLAB_FINE_MAX = 1024,  /* bytes; up to this, block sizes are multiples of a unit */
    SLAB_STEP = 128,       /* bytes; above it, they are multiples of this */
    SLAB_BLOCK_MAX = 2048, /* bytes of the largest block */
    SLAB_CLASSES = SLAB_FINE_MAX / SLAB_UNIT + (SLAB_BLOCK_MAX - SLAB_FINE_MAX) / SLAB_STEP + 1,
    SLAB_EMPTY_KEPT = 4,   /* empty spans, of 256 KiB, that are kept for the next blocks */
    SLAB_SEGMENT_BITS = 17 /* bits of a handle that count units in a segment of 2 MiB */
};

typedef struct slab_place slab_place_t;

typedef struct slab {
    slab_place_t *places;                  /* where each segment is, by number. Private, as all here */
    uint32_t place_count;                  /* numbers given out so far */
    uint32_t place_room;                   /* numbers that there is room for */
    uint32_t frees;                        /* blocks given back so far, modulo 2^32 */
    uint32_t vacant;                       /* list of numbers whose segments were freed */
    struct slab_span *spans[SLAB_CLASSES]; /* lists of spans with a free block, by class */
    struct slab_span *empty;       /* list of spans without blocks in use: to be reused or given back */
    size_t empty_count;            /* of them */
    struct slab_segment *segments; /* list of segments with a free span */
    size_t segment_count;
} slab_t;

/* Where a segment is: private, but slab_at must be inline. */
struct slab_place {
    uintptr_t base; /* address of the segment, less its number times its size: so slab_at can add the whole
                       handle */
    union {
        struct slab_segment *segment;
        uint32_t next; /* the next number in the list of vacant ones */
    };
};

/* Makes an empty slab. Takes nothing from the system. */
void slab_init(slab_t *slab);
/* Gives what is left back to the system. All blocks must have been given back. */
void slab_release(slab_t *slab);

/* Takes a block of SIZE bytes, at most SLAB_BLOCK_MAX. Returns its handle, 0 if memory is refused. The block
 * begins on a cache line if SIZE is a multiple of one, else on a multiple of SLAB_UNIT. */
KV_MUST_USE uint32_t slab_take(slab_t *slab, size_t size);
/* Gives back the block HANDLE; 0 is none. */
void slab_give(slab_t *slab, uint32_t handle);
/* Gives memory without blocks back to the system: at most *BUDGET pieces, which are counted down, of some
 * half microsecond each. Returns whether there is more. Only this and slab_release give memory back, because
 * the last blocks of a large store leave all its memory empty at once. */
bool slab_trim(slab_t *slab, unsigned *budget);
/* Whether slab_trim has something to do. */
static inline bool slab_trims(const slab_t *slab)
{
    return slab->empty_count > SLAB_EMPTY_KEPT;
}

/* The size of a block that is taken for SIZE bytes. */
static inline size_t slab_block_size(size_t size)
{
    size_t step = size <= SLAB_FINE_MAX ? SLAB_UNIT : SLAB_STEP;
    return (size + step - 1) & ~(step - 1);
}

/* The address of the block HANDLE (not 0), valid until the block is given back. */
static inline void *slab_at(const slab_t *slab, uint32_t handle)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): `base` as a pointer would be outside the segment */
    return (void *)(slab->places[handle >> SLAB_SEGMENT_BITS].base + (uintptr_t)handle * SLAB_UNIT);
}

#endif
