/* SPDX-License-Identifier: MPL-2.0 */
/* The leaves of an ordered map: records within one block that grows and shrinks in steps. Knows nothing of
 * the tree above. */
#include "broker/engine/omap_leaf.h"

#include <assert.h>

enum {
    SMALL_STEP = 64,            /* bytes by which a block grows that is malloc's, its MALLOC_HEAD included */
    MALLOC_HEAD = 8,            /* bytes that malloc adds to a block */
    SHRINK_FROM = 2 * POOL_STEP /* bytes to be gained before a block shrinks: no back and forth */
};

/* leaf_find reads tags 16 at a time. */
static_assert(LEAF_SLOT_STEP * 3 >= 16, "a leaf's directory is as long as one comparison of tags");

static size_t round_up(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

/* Bytes to allocate for a block that needs SIZE: those by which it grows are in use sooner or later. */
static size_t block_size(size_t size)
{
    if (size < POOL_MALLOC_BELOW)
        size = round_up(size + MALLOC_HEAD, SMALL_STEP) - MALLOC_HEAD;
    return pool_block_size(size);
}

static size_t slots_for(size_t records)
{
    return records <= LEAF_SLOT_STEP ? LEAF_SLOT_STEP : round_up(records, LEAF_SLOT_STEP);
}

static size_t block_need(size_t slots, size_t bytes)
{
    return sizeof(leaf_t) + slots * 3 + bytes;
}

leaf_t *leaf_new(pool_t *pool, unsigned records, size_t bytes)
{
    size_t slots = slots_for(records);
    size_t size = block_size(block_need(slots, bytes));
    assert(block_need(slots, bytes) <= LEAF_BLOCK_MAX);
    leaf_t *leaf = pool_take(pool, size);
    if (leaf == NULL)
        return NULL;
    *leaf = (leaf_t){.slots = (uint16_t)slots, .room = (uint16_t)size, .hint = LEAF_NO_SLOT};
    memset(leaf->tags, 0, slots);
    return leaf;
}

void leaf_destroy(pool_t *pool, leaf_t *leaf)
{
    if (leaf != NULL)
        pool_give(pool, leaf, leaf->room);
}

unsigned leaf_seek(const leaf_t *leaf, bytes_t key)
{
    unsigned low = 0;
    unsigned high = leaf->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (bytes_compare(leaf_key(leaf, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool leaf_fits(const leaf_t *leaf, size_t bytes, bool slot)
{
    size_t slots = slots_for((size_t)leaf->count + slot);
    return block_need(slots > leaf->slots ? slots : leaf->slots, leaf_live(leaf) + bytes) <= LEAF_BLOCK_MAX;
}

/* Drops what is dead from the record area: the records stand in the order of the keys after it. */
static void leaf_compact(leaf_t *leaf)
{
    uint8_t copy[LEAF_BLOCK_MAX];
    uint16_t *offsets = leaf_offsets(leaf);
    size_t used = 0;
    for (unsigned i = 0; i < leaf->count; i++) {
        const uint8_t *record = leaf_record(leaf, i);
        size_t size = record_size(record_head(record));
        memcpy(copy + used, record, size);
        offsets[i] = (uint16_t)used;
        used += size;
    }
    memcpy(leaf_records(leaf), copy, used);
    leaf->used = (uint16_t)used;
    leaf->dead = 0;
}

/* Changes the block to ROOM bytes, which what is in use fits into. */
static bool leaf_resize(pool_t *pool, leaf_t **leaf, size_t room)
{
    leaf_t *moved = pool_resize(pool, *leaf, (*leaf)->room, room);
    if (moved == NULL)
        return false;
    moved->room = (uint16_t)room;
    *leaf = moved;
    return true;
}

/* Gives the directory another number of slots; the block must have room. */
static void leaf_move_records(leaf_t *leaf, size_t slots)
{
    const uint8_t *records = leaf_records(leaf);
    const uint16_t *offsets = leaf_offsets(leaf);
    uint8_t *to_offsets = leaf->tags + slots;
    uint8_t *to_records = leaf->tags + slots * 3;
    if (slots > leaf->slots) { /* what lies highest moves first */
        memmove(to_records, records, leaf->used);
        memmove(to_offsets, offsets, leaf->count * sizeof *offsets);
        memset(leaf->tags + leaf->slots, 0, slots - leaf->slots);
    } else {
        memmove(to_offsets, offsets, leaf->count * sizeof *offsets);
        memmove(to_records, records, leaf->used);
    }
    leaf->slots = (uint16_t)slots;
}

bool leaf_make_room(pool_t *pool, leaf_t **leaf, size_t bytes, bool slot)
{
    size_t slots = slots_for((size_t)(*leaf)->count + slot);
    if (slots < (*leaf)->slots)
        slots = (*leaf)->slots;
    if ((*leaf)->dead != 0 && block_need(slots, (*leaf)->used + bytes) > (*leaf)->room)
        leaf_compact(*leaf);
    size_t need = block_need(slots, (*leaf)->used + bytes);
    assert(need <= LEAF_BLOCK_MAX);
    if (need > (*leaf)->room && !leaf_resize(pool, leaf, block_size(need)))
        return false;
    if (slots > (*leaf)->slots)
        leaf_move_records(*leaf, slots);
    return true;
}

/* Writes a record at the end of the area, its payload left open. Returns its offset. */
static uint16_t leaf_write(leaf_t *leaf, bytes_t key, size_t payload_size)
{
    record_t head = {.key_size = (uint16_t)key.size, .payload_size = (uint16_t)payload_size};
    uint16_t offset = leaf->used;
    uint8_t *record = leaf_records(leaf) + offset;
    assert(block_need(leaf->slots, leaf->used + record_size(head)) <= leaf->room);
    memcpy(record, &head, sizeof head);
    if (key.size != 0)
        memcpy(record + sizeof head, key.data, key.size);
    leaf->used = (uint16_t)(leaf->used + record_size(head));
    return offset;
}

uint8_t *leaf_insert(leaf_t *leaf, unsigned slot, bytes_t key, uint8_t tag, size_t payload_size)
{
    uint16_t *offsets = leaf_offsets(leaf);
    unsigned behind = leaf->count - slot;
    assert(slot <= leaf->count && leaf->count < leaf->slots);
    memmove(leaf->tags + slot + 1, leaf->tags + slot, behind);
    memmove(offsets + slot + 1, offsets + slot, behind * sizeof *offsets);
    leaf->tags[slot] = tag;
    offsets[slot] = leaf_write(leaf, key, payload_size);
    leaf->count++;
    leaf->hint = (uint16_t)slot;
    return leaf_record(leaf, slot) + sizeof(record_t) + key.size;
}

void leaf_shorten(leaf_t *leaf, unsigned slot, size_t payload_size)
{
    uint8_t *record = leaf_record(leaf, slot);
    record_t head = record_head(record);
    assert(payload_size <= head.payload_size);
    leaf->dead = (uint16_t)(leaf->dead + head.payload_size - payload_size);
    head.payload_size = (uint16_t)payload_size;
    memcpy(record, &head, sizeof head);
}

void leaf_lengthen(leaf_t *leaf, unsigned slot, size_t payload_size)
{
    const uint8_t *record = leaf_record(leaf, slot);
    record_t head = record_head(record);
    uint16_t offset = leaf_write(leaf, record_key(record), payload_size);
    size_t before = sizeof head + head.key_size;
    memcpy(leaf_records(leaf) + offset + before, record + before, head.payload_size);
    leaf->dead = (uint16_t)(leaf->dead + record_size(head));
    leaf_offsets(leaf)[slot] = offset;
}

void leaf_erase(leaf_t *leaf, unsigned slot)
{
    uint16_t *offsets = leaf_offsets(leaf);
    unsigned behind = leaf->count - slot - 1;
    size_t size = record_size(record_head(leaf_record(leaf, slot)));
    assert(slot < leaf->count);
    if (offsets[slot] + size == leaf->used)
        leaf->used = (uint16_t)(leaf->used - size);
    else
        leaf->dead = (uint16_t)(leaf->dead + size);
    memmove(leaf->tags + slot, leaf->tags + slot + 1, behind);
    memmove(offsets + slot, offsets + slot + 1, behind * sizeof *offsets);
    leaf->count--;
    leaf->hint = LEAF_NO_SLOT;
}

void leaf_append(leaf_t *leaf, const leaf_t *source, unsigned from, unsigned to)
{
    uint16_t *offsets = leaf_offsets(leaf);
    memcpy(leaf->tags + leaf->count, source->tags + from, to - from);
    for (unsigned i = from; i < to; i++) {
        const uint8_t *record = leaf_record(source, i);
        size_t size = record_size(record_head(record));
        memcpy(leaf_records(leaf) + leaf->used, record, size);
        offsets[leaf->count++] = leaf->used;
        leaf->used = (uint16_t)(leaf->used + size);
    }
    assert(block_need(leaf->slots, leaf->used) <= leaf->room && leaf->count <= leaf->slots);
    leaf->hint = LEAF_NO_SLOT;
}

void leaf_truncate(leaf_t *leaf, unsigned from)
{
    assert(from <= leaf->count);
    leaf->count = (uint16_t)from;
    leaf->hint = LEAF_NO_SLOT;
    leaf_compact(leaf);
}

void leaf_shrink(pool_t *pool, leaf_t **leaf)
{
    size_t slots = slots_for((*leaf)->count);
    size_t room = block_size(block_need(slots, leaf_live(*leaf)));
    if (room + SHRINK_FROM > (*leaf)->room && !(room < POOL_MALLOC_BELOW && room * 2 < (*leaf)->room))
        return;
    if ((*leaf)->dead != 0)
        leaf_compact(*leaf);
    if (slots < (*leaf)->slots)
        leaf_move_records(*leaf, slots);
    /* A refusal to make a block smaller loses nothing. */
    (void)leaf_resize(pool, leaf, room);
}
