/* SPDX-License-Identifier: MPL-2.0 */
/* Segments of 2 MiB, divided into spans of blocks of one size. A span without blocks in use becomes one of
 * another size, or is given back to the system. */
#include "broker/engine/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    SEGMENT_SIZE = SLAB_UNIT << SLAB_SEGMENT_BITS,
    SPAN_SIZE = 256 << 10,
    SPAN_UNITS = SPAN_SIZE / SLAB_UNIT,
    SPANS = SEGMENT_SIZE / SPAN_SIZE,
    ALL_SPANS = (1 << SPANS) - 1,
    SPAN_FIRST = 64,   /* offset of a span's first block: no handle is 0 */
    TRIM_PIECES = 256, /* pieces of work that giving back a span is */
    PLACES_MIN = 16,
    PLACES_MAX = 1 << (32 - SLAB_SEGMENT_BITS)
};
#define NO_PLACE UINT32_MAX

/* Blocks of one size. This descriptor is not in the span's memory: so the descriptors are close together, and
 * do not all fall into the same cache lines. */
typedef struct slab_span {
    uint8_t *memory;            /* SPAN_SIZE bytes */
    struct slab_span *previous; /* in the list of spans of its class with a free block */
    struct slab_span *next;
    uint32_t handle; /* that a block at the span's start would have */
    uint32_t free; /* offset of the last block given back, which holds the offset of the next one; 0 = none */
    uint32_t fresh; /* offset of the first block that was never in use */
    uint32_t used;  /* blocks in use */
    uint32_t size;  /* bytes of a block */
} span_t;

/* A stretch of memory, aligned to its size. */
typedef struct slab_segment {
    uint32_t number;               /* its index in slab_t.places */
    unsigned free;                 /* bit I = span I is free */
    struct slab_segment *previous; /* in the list of segments with a free span */
    struct slab_segment *next;
    span_t spans[SPANS];
} segment_t;

void slab_init(slab_t *slab)
{
    *slab = (slab_t){.vacant = NO_PLACE};
}

static inline size_t class_of(size_t size)
{
    if (size <= SLAB_FINE_MAX)
        return (size + SLAB_UNIT - 1) / SLAB_UNIT;
    return SLAB_FINE_MAX / SLAB_UNIT + (size - SLAB_FINE_MAX + SLAB_STEP - 1) / SLAB_STEP;
}

/* ---- Segments --------------------------------------------------------------------------------- */

/* Finds a number for a new segment. False if memory is refused or all numbers are in use. */
static bool place_take(slab_t *slab, uint32_t *number)
{
    if (slab->vacant != NO_PLACE) {
        *number = slab->vacant;
        slab->vacant = slab->places[*number].next;
        return true;
    }
    if (slab->place_count == PLACES_MAX)
        return false;
    if (slab->place_count == slab->place_room) { /* copies 8 KiB at 1 GiB, 256 KiB at most */
        uint32_t room = slab->place_room == 0 ? PLACES_MIN : slab->place_room * 2;
        slab_place_t *places = realloc(slab->places, room * sizeof *places);
        if (places == NULL)
            return false;
        slab->places = places;
        slab->place_room = room;
    }
    *number = slab->place_count++;
    return true;
}

static void place_give(slab_t *slab, uint32_t number)
{
    slab->places[number].next = slab->vacant;
    slab->vacant = number;
}

static void segment_link(slab_t *slab, segment_t *segment)
{
    segment->previous = NULL;
    segment->next = slab->segments;
    if (segment->next != NULL)
        segment->next->previous = segment;
    slab->segments = segment;
}

static void segment_unlink(slab_t *slab, segment_t *segment)
{
    if (segment->previous != NULL)
        segment->previous->next = segment->next;
    else
        slab->segments = segment->next;
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

static segment_t *segment_new(slab_t *slab)
{
    uint32_t number;
    if (!place_take(slab, &number))
        return NULL;
    segment_t *segment = malloc(sizeof *segment);
    uint8_t *memory = segment != NULL ? map_aligned() : NULL;
    if (memory == NULL) {
        place_give(slab, number);
        free(segment);
        return NULL;
    }
    slab->places[number].base = (uintptr_t)memory - (uintptr_t)number * SEGMENT_SIZE;
    slab->places[number].segment = segment;
    segment->number = number;
    segment->free = ALL_SPANS;
    for (uint32_t i = 0; i < SPANS; i++) {
        segment->spans[i].memory = memory + (size_t)i * SPAN_SIZE;
        segment->spans[i].handle = (number << SLAB_SEGMENT_BITS) + i * SPAN_UNITS;
    }
    slab->segment_count++;
    segment_link(slab, segment);
    return segment;
}

static void segment_destroy(slab_t *slab, segment_t *segment)
{
    segment_unlink(slab, segment);
    slab->segment_count--;
    (void)munmap(segment->spans[0].memory, SEGMENT_SIZE);
    place_give(slab, segment->number);
    free(segment);
}

/* ---- Spans ------------------------------------------------------------------------------------ */

static bool span_full(const span_t *span)
{
    return span->free == 0 && span->fresh + span->size > SPAN_SIZE;
}

static span_t *span_of(const slab_t *slab, uint32_t handle)
{
    return &slab->places[handle >> SLAB_SEGMENT_BITS].segment->spans[handle / SPAN_UNITS % SPANS];
}

static void span_link(span_t **list, span_t *span)
{
    span->previous = NULL;
    span->next = *list;
    if (span->next != NULL)
        span->next->previous = span;
    *list = span;
}

static void span_unlink(span_t **list, span_t *span)
{
    if (span->previous != NULL)
        span->previous->next = span->next;
    else
        *list = span->next;
    if (span->next != NULL)
        span->next->previous = span->previous;
}

/* The list of spans with a free block that SPAN belongs to. */
static span_t **list_of(slab_t *slab, const span_t *span)
{
    return &slab->spans[class_of(span->size)];
}

/* Takes the first of the empty spans. There must be one. */
static span_t *empty_pop(slab_t *slab)
{
    span_t *span = slab->empty;
    slab->empty = span->next;
    if (span->next != NULL)
        span->next->previous = NULL;
    slab->empty_count--;
    return span;
}

/* A span that is in no list. NULL if memory is refused. */
static span_t *span_take(slab_t *slab)
{
    if (slab->empty != NULL)
        return empty_pop(slab);
    segment_t *segment = slab->segments != NULL ? slab->segments : segment_new(slab);
    if (segment == NULL)
        return NULL;
    unsigned index = (unsigned)__builtin_ctz(segment->free);
    segment->free &= ~(1U << index);
    if (segment->free == 0)
        segment_unlink(slab, segment);
    return &segment->spans[index];
}

/* A span for blocks of SIZE bytes, in the list. NULL if memory is refused. */
static span_t *span_new(slab_t *slab, size_t size)
{
    assert(size > 0 && size <= SLAB_BLOCK_MAX);
    span_t *span = span_take(slab);
    if (span == NULL)
        return NULL;
    span->free = 0;
    span->fresh = SPAN_FIRST;
    span->used = 0;
    span->size = (uint32_t)size;
    span_link(list_of(slab, span), span);
    return span;
}

/* Gives an empty span back to its segment and to the system; also the segment, if none of its spans is in use
 * then. */
static void trim_one(slab_t *slab)
{
    span_t *span = empty_pop(slab);
    segment_t *segment = slab->places[span->handle >> SLAB_SEGMENT_BITS].segment;
    if (segment->free == 0)
        segment_link(slab, segment);
    segment->free |= 1U << (span - segment->spans);
    (void)madvise(span->memory, SPAN_SIZE, MADV_DONTNEED);
    if (segment->free == ALL_SPANS)
        segment_destroy(slab, segment);
}

bool slab_trim(slab_t *slab, unsigned *budget)
{
    while (slab_trims(slab) && *budget > 0) {
        trim_one(slab);
        *budget -= *budget < TRIM_PIECES ? *budget : TRIM_PIECES;
    }
    return slab_trims(slab);
}

void slab_release(slab_t *slab)
{
    while (slab->empty != NULL)
        trim_one(slab);
    assert(slab->segment_count == 0);
    free(slab->places);
    slab_init(slab);
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

/* Rare cases are in separate functions, so that slab_take saves no registers. */
static __attribute__((noinline)) uint32_t take_from_new(slab_t *slab, size_t size)
{
    if (span_new(slab, slab_block_size(size)) == NULL)
        return 0;
    return slab_take(slab, size);
}

static __attribute__((noinline)) uint32_t take_last(slab_t *slab, span_t *span, uint32_t block)
{
    span_unlink(list_of(slab, span), span);
    return block;
}

uint32_t slab_take(slab_t *slab, size_t size)
{
    span_t *span = slab->spans[class_of(size)];
    if (__builtin_expect(span == NULL, 0))
        return take_from_new(slab, size);
    uint32_t offset = span->free;
    if (offset != 0) {
        memcpy(&span->free, span->memory + offset, sizeof span->free);
    } else {
        offset = span->fresh;
        span->fresh += span->size;
    }
    span->used++;
    uint32_t block = span->handle + offset / SLAB_UNIT;
    return __builtin_expect(span_full(span), 0) ? take_last(slab, span, block) : block;
}

/* Moves SPAN, which has no blocks in use any more, to the empty spans. */
static __attribute__((noinline)) void give_last(slab_t *slab, span_t *span)
{
    span_unlink(list_of(slab, span), span);
    span_link(&slab->empty, span);
    slab->empty_count++;
}

void slab_give(slab_t *slab, uint32_t handle)
{
    if (handle == 0)
        return;
    span_t *span = span_of(slab, handle);
    uint32_t offset = (handle - span->handle) * SLAB_UNIT;
    assert(span->used > 0 && offset >= SPAN_FIRST && offset < span->fresh);
    if (span_full(span))
        span_link(list_of(slab, span), span);
    memcpy(span->memory + offset, &span->free, sizeof span->free);
    span->free = offset;
    if (--span->used == 0)
        give_last(slab, span);
    slab->frees++;
}
