/* SPDX-License-Identifier: MPL-2.0 */
/* The hash index: how groups and pages split, double and merge. */
#include "broker/engine/index.h"

#include <assert.h>
#include <stdlib.h>

enum {
    HASH_BITS = 32,                          /* of a hash that choose a group */
    PAGES_MAX = 1 << 24,                     /* leaves each page its INDEX_PAGE_BITS */
    MERGE_BELOW = 4,                         /* records of a group, at which it looks for its other half */
    MERGED_MAX = 8,                          /* records of both together */
    SPARSE_RECORDS = INDEX_PAGE_RECORDS / 4, /* records for each page, below which pages merge */
    SPARSE_EVERY = 16,                       /* removals between two tries */
    TABLES_MIN = 4,
    DRAIN_SLOTS = 16, /* slots of a page whose groups are one piece of work */
    PREFETCH_MAX = 64
};

void index_init(index_t *index, slab_t *slab)
{
    *index = (index_t){.slab = slab};
}

static index_group_t *group_at(const index_t *index, uint32_t handle)
{
    return slab_at(index->slab, handle);
}

/* The page that HASH belongs to, NULL if the index is one group. Valid until pages are added or removed. */
static index_page_t *page_of(index_t *index, uint32_t hash)
{
    if (index->page_count > 1)
        return index_page(index, index_page_number(index, hash));
    return index->page_count == 0 ? NULL : &index->first;
}

/* ---- Groups ----------------------------------------------------------------------------------- */

/* An empty group for the hashes that share DEPTH bits. 0 if memory is refused. */
static uint32_t group_new(index_t *index, unsigned depth)
{
    uint32_t handle = slab_take(index->slab, sizeof(index_group_t));
    if (handle != 0)
        *group_at(index, handle) = (index_group_t){.depth = (uint8_t)depth};
    return handle;
}

static void group_put(index_group_t *group, uint8_t tag, uint32_t record)
{
    group->tags[group->used] = tag;
    group->records[group->used++] = record;
}

/* The place of RECORD in GROUP, or INDEX_GROUP. */
static unsigned group_seek(const index_group_t *group, uint32_t record)
{
    for (unsigned i = 0; i < group->used; i++)
        if (group->records[i] == record)
            return i;
    return INDEX_GROUP;
}

/* Makes PAGE's slots twice as many. */
static bool page_double(index_t *index, index_page_t *page)
{
    size_t bytes = (page->mask + 1U) * sizeof(uint32_t);
    uint32_t handle = slab_take(index->slab, 2 * bytes);
    if (handle == 0)
        return false;
    uint8_t *to = slab_at(index->slab, handle);
    memcpy(to, slab_at(index->slab, page->slots), bytes);
    memcpy(to + bytes, slab_at(index->slab, page->slots), bytes);
    slab_give(index->slab, page->slots);
    page->slots = handle;
    page->mask = (uint16_t)(2 * page->mask + 1);
    return true;
}

/* Names GROUP in all slots of PAGE whose lowest BITS bits are those of FIRST. */
static void page_name(const index_t *index, const index_page_t *page, unsigned first, unsigned bits,
                      uint32_t group)
{
    uint32_t *slots = slab_at(index->slab, page->slots);
    for (unsigned i = first & ((1U << bits) - 1); i <= page->mask; i += 1U << bits)
        slots[i] = group;
}

/* Splits the group of PAGE that HASH belongs to by the next bit of its records' hashes. False if memory is
 * refused: no record has moved then. */
static bool group_split(index_t *index, index_page_t *page, uint32_t hash)
{
    unsigned slot = (hash >> page->shift) & page->mask;
    uint32_t *slots = slab_at(index->slab, page->slots);
    index_group_t *old = group_at(index, slots[slot]);
    unsigned bits = (unsigned)old->depth - page->shift;
    for (unsigned i = 0; i < old->used; i++)
        __builtin_prefetch(record_at(index->slab, old->records[i]));
    if ((1U << bits) > page->mask && !page_double(index, page))
        return false;
    uint32_t handle = group_new(index, old->depth + 1U);
    if (handle == 0)
        return false;
    index_group_t *fresh = group_at(index, handle);
    unsigned kept = 0;
    for (unsigned i = 0; i < old->used; i++) {
        uint32_t record = old->records[i];
        uint8_t tag = old->tags[i];
        if ((record_at(index->slab, record)->hash >> old->depth & 1) != 0) {
            group_put(fresh, tag, record);
        } else {
            old->tags[kept] = tag;
            old->records[kept++] = record;
        }
    }
    old->used = (uint8_t)kept;
    old->depth++;
    if (old->beyond != 0) /* nobody knows which of the two those belong to that are in the tree only */
        old->beyond = fresh->beyond = INDEX_MANY;
    page_name(index, page, slot | 1U << bits, bits + 1, handle);
    return true;
}

/* Merges the group of PAGE that HASH belongs to with its other half, if both together are small. */
static bool group_merge(index_t *index, index_page_t *page, uint32_t hash)
{
    const uint32_t *slots = slab_at(index->slab, page->slots);
    unsigned slot = (hash >> page->shift) & page->mask;
    uint32_t handle = slots[slot];
    index_group_t *group = group_at(index, handle);
    unsigned bits = (unsigned)group->depth - page->shift;
    if (bits == 0 || group->used > MERGED_MAX)
        return false;
    uint32_t other_handle = slots[slot ^ 1U << (bits - 1)];
    const index_group_t *other = group_at(index, other_handle);
    if (other->depth != group->depth || group->used + other->used > MERGED_MAX || group->beyond != 0 ||
        other->beyond != 0)
        return false;
    for (unsigned i = 0; i < other->used; i++)
        group_put(group, other->tags[i], other->records[i]);
    group->depth--;
    page_name(index, page, slot, bits - 1, handle);
    slab_give(index->slab, other_handle);
    return true;
}

/* ---- Pages ------------------------------------------------------------------------------------ */

/* Makes the only group the first page's. */
static bool pages_begin(index_t *index)
{
    uint32_t handle = slab_take(index->slab, sizeof(uint32_t));
    if (handle == 0)
        return false;
    memcpy(slab_at(index->slab, handle), &index->group, sizeof index->group);
    index->first = (index_page_t){.slots = handle};
    index->group = 0;
    index->page_count = 1;
    index->half = 1;
    return true;
}

/* Makes the only group of the only page the index. */
static void pages_end(index_t *index)
{
    memcpy(&index->group, slab_at(index->slab, index->first.slots), sizeof index->group);
    slab_give(index->slab, index->first.slots);
    index->page_count = 0;
    free(index->tables);
    index->tables = NULL;
    index->table_room = 0;
}

/* Makes room for page number COUNT in the tables. The first table grows with its pages. */
static bool tables_reserve(index_t *index, uint32_t count)
{
    uint32_t table = count / INDEX_TABLE;
    if (table == index->table_room) {
        uint32_t room = table == 0 ? TABLES_MIN : table * 2;
        uint32_t *tables = realloc(index->tables, room * sizeof *tables);
        if (tables == NULL)
            return false;
        index->tables = tables;
        index->table_room = room;
    }
    bool power = (count & (count - 1)) == 0;
    if (count % INDEX_TABLE != 0 && !(table == 0 && power))
        return true;
    size_t room = table == 0 ? 2 * (size_t)count : INDEX_TABLE;
    uint32_t handle = slab_take(index->slab, room * sizeof(index_page_t));
    if (handle == 0)
        return false;
    if (count == 1) {
        memcpy(slab_at(index->slab, handle), &index->first, sizeof index->first);
    } else if (table == 0) {
        memcpy(slab_at(index->slab, handle), index_page(index, 0), count * sizeof(index_page_t));
        slab_give(index->slab, index->tables[0]);
    }
    index->tables[table] = handle;
    return true;
}

/* Forgets the last page, whose groups have gone. */
static void pages_drop(index_t *index)
{
    uint32_t count = --index->page_count;
    if (count == 1)
        index->first = *index_page(index, 0);
    if (count % INDEX_TABLE == 0 || count == 1)
        slab_give(index->slab, index->tables[count / INDEX_TABLE]);
    if (count < index->half)
        index->half /= 2;
}

/* Splits the page whose turn it is. Memory that is refused for it loses nothing: it is tried again. */
static void pages_grow(index_t *index)
{
    uint32_t count = index->page_count;
    uint32_t number = count - index->half;
    if (count >= PAGES_MAX)
        return;
    index_page_t *page = page_of(index, number);
    const uint32_t *slots = slab_at(index->slab, page->slots);
    if (group_at(index, slots[0])->depth == page->shift && !group_split(index, page, number))
        return;
    size_t half = (page->mask + 1U) / 2;
    uint32_t even = slab_take(index->slab, half * sizeof(uint32_t));
    uint32_t odd = slab_take(index->slab, half * sizeof(uint32_t));
    if (even == 0 || odd == 0 || !tables_reserve(index, count)) {
        slab_give(index->slab, even);
        slab_give(index->slab, odd);
        return;
    }
    page = index_page(index, number);
    slots = slab_at(index->slab, page->slots);
    for (size_t i = 0; i < half; i++) {
        ((uint32_t *)slab_at(index->slab, even))[i] = slots[2 * i];
        ((uint32_t *)slab_at(index->slab, odd))[i] = slots[2 * i + 1];
    }
    slab_give(index->slab, page->slots);
    page->mask /= 2;
    page->shift++;
    page->slots = even;
    index->page_count++;
    *index_page(index, count) = (index_page_t){.slots = odd, .mask = page->mask, .shift = page->shift};
    if (index->page_count == 2 * index->half)
        index->half *= 2;
}

/* Bits that choose a group of PAGE: fewer than its slots have if groups have merged. */
static unsigned page_bits(const index_t *index, const index_page_t *page)
{
    const uint32_t *slots = slab_at(index->slab, page->slots);
    unsigned depth = page->shift;
    for (unsigned i = 0; i <= page->mask; i++)
        if (group_at(index, slots[i])->depth > depth)
            depth = group_at(index, slots[i])->depth;
    return depth - page->shift;
}

/* Merges the last page with the one it was split from. */
static void pages_shrink(index_t *index)
{
    uint32_t last = index->page_count - 1;
    uint32_t half = last < index->half ? index->half / 2 : index->half;
    index_page_t *even = index_page(index, last - half);
    const index_page_t *odd = index_page(index, last);
    unsigned even_bits = page_bits(index, even);
    unsigned odd_bits = page_bits(index, odd);
    unsigned bits = (even_bits > odd_bits ? even_bits : odd_bits) + 1;
    uint32_t handle = bits <= INDEX_PAGE_BITS ? slab_take(index->slab, sizeof(uint32_t) << bits) : 0;
    if (handle == 0)
        return;
    uint32_t *slots = slab_at(index->slab, handle);
    for (unsigned i = 0; i < 1U << bits; i++) {
        const index_page_t *from = (i & 1) != 0 ? odd : even;
        slots[i] = ((uint32_t *)slab_at(index->slab, from->slots))[i >> 1 & from->mask];
    }
    slab_give(index->slab, even->slots);
    slab_give(index->slab, odd->slots);
    even->slots = handle;
    even->mask = (uint16_t)((1U << bits) - 1);
    even->shift--;
    pages_drop(index);
    (void)group_merge(index, page_of(index, last - half), last - half);
}

/* ---- Changing --------------------------------------------------------------------------------- */

/* Whether GROUP can split by one more bit of the hash. One that has left records to the tree does not: that
 * is the mark of keys that collide. */
static bool group_splits(const index_group_t *group, const index_page_t *page)
{
    unsigned shift = page != NULL ? page->shift : 0;
    return group->beyond == 0 && group->depth < HASH_BITS && group->depth - shift < INDEX_PAGE_BITS;
}

bool index_add(index_t *index, uint64_t hash, uint32_t record)
{
    uint32_t low = (uint32_t)hash;
    if (index->page_count == 0 && index->group == 0) {
        index->group = group_new(index, 0);
        if (index->group == 0)
            return false;
    }
    index_group_t *group;
    while ((group = group_at(index, *index_slot(index, low)))->used == INDEX_GROUP) {
        index_page_t *page = page_of(index, low);
        if (!group_splits(group, page)) {
            if (group->beyond < INDEX_MANY)
                group->beyond++;
            return true;
        }
        if (!(page == NULL ? pages_begin(index) : group_split(index, page, low)))
            return false;
    }
    group_put(group, index_tag(hash), record);
    index->count++;
    if (index->count > (uint64_t)index->page_count * INDEX_PAGE_RECORDS && index->page_count > 0)
        pages_grow(index);
    return true;
}

void index_replace(index_t *index, uint32_t hash, uint32_t old, uint32_t record)
{
    index_group_t *group = group_at(index, *index_slot(index, hash));
    unsigned place = group_seek(group, old);
    if (place < INDEX_GROUP)
        group->records[place] = record;
}

void index_remove(index_t *index, uint32_t hash, uint32_t record)
{
    index_group_t *group = group_at(index, *index_slot(index, hash));
    unsigned place = group_seek(group, record);
    if (place == INDEX_GROUP) {
        assert(group->beyond > 0);
        if (group->beyond < INDEX_MANY)
            group->beyond--;
        return;
    }
    group->used--;
    group->tags[place] = group->tags[group->used];
    group->records[place] = group->records[group->used];
    index->count--;
    if (group->used <= MERGE_BELOW && index->page_count > 0)
        while (group_merge(index, page_of(index, hash), hash)) {
        }
    if (index->page_count > 1 && index->count % SPARSE_EVERY == 0 &&
        index->count < (uint64_t)index->page_count * SPARSE_RECORDS)
        pages_shrink(index);
    uint32_t handle = *index_slot(index, hash);
    group = group_at(index, handle);
    if (index->page_count == 1 && group->depth == 0)
        pages_end(index);
    if (index->page_count == 0 && group->used == 0 && group->beyond == 0) {
        slab_give(index->slab, handle);
        index->group = 0;
    }
}

/* Frees the last page and its groups; returns how many pieces of work that was. */
static unsigned drain_page(index_t *index)
{
    const index_page_t *page = page_of(index, index->page_count - 1);
    const uint32_t *slots = slab_at(index->slab, page->slots);
    unsigned pieces = 1U + page->mask / DRAIN_SLOTS;
    for (unsigned i = 0; i <= page->mask; i++)
        __builtin_prefetch(group_at(index, slots[i]));
    for (unsigned i = page->mask + 1U; i-- > 0;) /* the lowest slot of those that name a group is met last */
        if (i >> (group_at(index, slots[i])->depth - page->shift) == 0)
            slab_give(index->slab, slots[i]);
    slab_give(index->slab, page->slots);
    if (index->page_count > 1) {
        pages_drop(index);
    } else {
        index->page_count = 0;
        free(index->tables);
        index->tables = NULL;
    }
    return pieces;
}

bool index_drain(index_t *index, unsigned *budget)
{
    while (index->page_count > 0 && *budget > 0) {
        unsigned pieces = drain_page(index);
        *budget -= pieces < *budget ? pieces : *budget;
    }
    if (index->page_count > 0)
        return false;
    slab_give(index->slab, index->group);
    index_init(index, index->slab);
    return true;
}

/* ---- Looking up ------------------------------------------------------------------------------- */

void index_prefetch(const index_t *index, const uint64_t *hashes, unsigned count, uint64_t *missed)
{
    const uint32_t *slots[PREFETCH_MAX];
    assert(count <= PREFETCH_MAX);
    *missed = 0;
    for (unsigned i = 0; i < count; i++) {
        slots[i] = index_slot(index, (uint32_t)hashes[i]);
        if (slots[i] != NULL)
            __builtin_prefetch(slots[i]);
    }
    for (unsigned i = 0; i < count; i++)
        if (slots[i] != NULL)
            __builtin_prefetch(group_at(index, *slots[i]));
    for (unsigned i = 0; i < count; i++) {
        unsigned mask = 0;
        const index_group_t *group = slots[i] != NULL ? group_at(index, *slots[i]) : NULL;
        if (group != NULL)
            mask = index_match(group, index_tag(hashes[i]));
        if (mask != 0)
            __builtin_prefetch(record_at(index->slab, group->records[__builtin_ctz(mask)]));
        else
            *missed |= UINT64_C(1) << i;
    }
}
