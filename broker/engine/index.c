/* SPDX-License-Identifier: MPL-2.0 */
/* The hash index: how groups and pages split, double and merge. */
#include "broker/engine/index.h"

#include <assert.h>
#include <stdlib.h>

enum {
    HASH_BITS = 32,      /* of a hash that choose a group */
    PAGES_MAX = 1 << 24, /* leaves each page its INDEX_PAGE_BITS */
    MERGE_BELOW = 4,     /* records of a group, up to which it may merge with its other half */
    MERGED_MAX = 8,      /* records of both halves together */
    SPARSE_RECORDS = INDEX_PAGE_RECORDS / 4, /* records for each page, below which pages merge */
    SPARSE_EVERY = 16, /* pages try to merge when the number of records is a multiple of this */
    TABLES_MIN = 4,
    DRAIN_SLOTS = 16, /* slots of a page whose groups are one piece of work */
    PREFETCH_MAX = 64
};

void index_init(index_t *index, slab_t *slab)
{
    *index = (index_t){.slab = slab, .page_count = 1, .half = 1, .mask = 1};
    index->tables = &index->first_table;
    index->first_table.pages = &index->first_page;
    index->first_page.slots = &index->group;
}

static index_group_t *group_at(const index_t *index, uint32_t handle)
{
    return slab_at(index->slab, handle);
}

/* The page that HASH belongs to. Valid until pages are added or removed. */
static index_page_t *page_of(const index_t *index, uint32_t hash)
{
    return index_page(index, index_page_number(index, hash));
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
    unsigned place = (unsigned)__builtin_ctz(~(unsigned)group->present);
    assert(place < INDEX_GROUP);
    group->tags[place] = tag;
    group->records[place] = record;
    group->present = (uint16_t)(group->present | 1U << place);
}

static void group_drop(index_group_t *group, unsigned place)
{
    group->present = (uint16_t)(group->present & ~(1U << place));
}

/* The place of RECORD in GROUP, or INDEX_GROUP. */
static unsigned group_seek(const index_group_t *group, uint32_t record)
{
    for (unsigned i = 0; i < INDEX_GROUP; i++)
        if (group->records[i] == record && (group->present >> i & 1) != 0)
            return i;
    return INDEX_GROUP;
}

/* How many records GROUP has. */
static unsigned group_count(const index_group_t *group)
{
    return (unsigned)__builtin_popcount(group->present);
}

/* Whether records that belong to GROUP may be only in the tree. Forgets that they were, if none of the index
 * is left there: nobody could count them in a group that has split. */
static bool group_strays(const index_t *index, index_group_t *group)
{
    if (index->strays == 0)
        group->beyond = 0;
    return group->beyond != 0;
}

/* Takes a block of COUNT slots for PAGE. False if memory is refused. */
static bool page_take(index_t *index, index_page_t *page, unsigned count)
{
    uint32_t block = slab_take(index->slab, count * sizeof *page->slots);
    if (block == 0)
        return false;
    page->slots = slab_at(index->slab, block);
    page->block = block;
    page->mask = (uint16_t)(count - 1);
    return true;
}

/* Makes PAGE's slots twice as many. */
static bool page_double(index_t *index, index_page_t *page)
{
    unsigned count = page->mask + 1U;
    index_page_t twice = {.shift = page->shift};
    if (!page_take(index, &twice, 2 * count))
        return false;
    memcpy(twice.slots, page->slots, count * sizeof *page->slots);
    memcpy(twice.slots + count, page->slots, count * sizeof *page->slots);
    slab_give(index->slab, page->block);
    *page = twice;
    return true;
}

/* Names GROUP in all slots of PAGE whose lowest BITS bits are those of FIRST. */
static void page_name(const index_page_t *page, unsigned first, unsigned bits, uint32_t group)
{
    for (unsigned i = first & ((1U << bits) - 1); i <= page->mask; i += 1U << bits)
        page->slots[i] = group;
}

/* Splits the group of PAGE that HASH belongs to by the next bit of its records' hashes. False if memory is
 * refused: no record has moved then. */
static bool group_split(index_t *index, index_page_t *page, uint32_t hash)
{
    unsigned slot = (hash >> page->shift) & page->mask;
    index_group_t *old = group_at(index, page->slots[slot]);
    unsigned bits = (unsigned)old->depth - page->shift;
    for (unsigned rest = old->present; rest != 0; rest &= rest - 1)
        __builtin_prefetch(record_at(index->slab, old->records[__builtin_ctz(rest)]));
    if ((1U << bits) > page->mask && !page_double(index, page))
        return false;
    uint32_t handle = group_new(index, old->depth + 1U);
    if (handle == 0)
        return false;
    index_group_t *fresh = group_at(index, handle);
    for (unsigned rest = old->present; rest != 0; rest &= rest - 1) {
        unsigned i = (unsigned)__builtin_ctz(rest);
        if ((record_at(index->slab, old->records[i])->hash >> old->depth & 1) != 0) {
            group_put(fresh, old->tags[i], old->records[i]);
            group_drop(old, i);
        }
    }
    old->depth++;
    if (group_strays(index, old)) /* it is unknown which half they belong to */
        old->beyond = fresh->beyond = INDEX_MANY;
    page_name(page, slot | 1U << bits, bits + 1, handle);
    return true;
}

/* Merges the group of PAGE that HASH belongs to with its other half, if both together are small. */
static bool group_merge(index_t *index, index_page_t *page, uint32_t hash)
{
    unsigned slot = (hash >> page->shift) & page->mask;
    uint32_t handle = page->slots[slot];
    index_group_t *group = group_at(index, handle);
    unsigned bits = (unsigned)group->depth - page->shift;
    if (bits == 0)
        return false;
    uint32_t other_handle = page->slots[slot ^ 1U << (bits - 1)];
    index_group_t *other = group_at(index, other_handle);
    if (other->depth != group->depth || group_count(group) + group_count(other) > MERGED_MAX ||
        group_strays(index, group) || group_strays(index, other))
        return false;
    for (unsigned rest = other->present; rest != 0; rest &= rest - 1) {
        unsigned i = (unsigned)__builtin_ctz(rest);
        group_put(group, other->tags[i], other->records[i]);
    }
    group->depth--;
    page_name(page, slot, bits - 1, handle);
    slab_give(index->slab, other_handle);
    return true;
}

/* ---- Pages ------------------------------------------------------------------------------------ */

static void half_set(index_t *index, uint32_t half)
{
    index->half = half;
    index->mask = 2 * half - 1;
}

/* Makes room for page number COUNT in the tables. The first table grows with its pages. */
static bool tables_reserve(index_t *index, uint32_t count)
{
    uint32_t table = count / INDEX_TABLE;
    if (table > 0 && table >= index->table_room) {
        bool first = index->table_room == 0;
        uint32_t room = first ? TABLES_MIN : index->table_room * 2;
        index_table_t *tables = realloc(first ? NULL : index->tables, room * sizeof *tables);
        if (tables == NULL)
            return false;
        memset(tables + index->table_room, 0, (room - index->table_room) * sizeof *tables);
        if (first)
            tables[0] = index->first_table;
        index->tables = tables;
        index->table_room = room;
    }
    bool power = (count & (count - 1)) == 0;
    if (count % INDEX_TABLE != 0 && !(table == 0 && power))
        return true;
    uint32_t room = table == 0 ? 2 * count : INDEX_TABLE;
    uint32_t block = slab_take(index->slab, room * sizeof(index_page_t));
    if (block == 0)
        return false;
    index_page_t *pages = slab_at(index->slab, block);
    if (table == 0) {
        memcpy(pages, index->tables[0].pages, count * sizeof *pages);
        slab_give(index->slab, index->tables[0].block);
    }
    index->tables[table] = (index_table_t){.pages = pages, .block = block};
    return true;
}

/* Removes the last page, which is not the only one, and whose groups are freed. */
static void pages_drop(index_t *index)
{
    uint32_t count = --index->page_count;
    index_table_t *table = &index->tables[count / INDEX_TABLE];
    if (count == 1)
        index->first_page = table->pages[0];
    if (count % INDEX_TABLE == 0 || count == 1)
        slab_give(index->slab, table->block);
    if (count == 1)
        *table = (index_table_t){.pages = &index->first_page};
    if (count < index->half)
        half_set(index, index->half / 2);
}

/* Frees what an index of one group, or of none, does not need. */
static void pages_end(index_t *index, uint32_t group)
{
    slab_give(index->slab, index->first_page.block);
    if (index->table_room > 0)
        free(index->tables);
    index_t before = *index;
    index_init(index, before.slab);
    index->count = before.count;
    index->strays = before.strays;
    index->group = group;
}

/* Splits the next page. If memory is refused, nothing is lost: it is tried again later. */
static void pages_grow(index_t *index)
{
    uint32_t count = index->page_count;
    uint32_t number = count - index->half;
    if (count >= PAGES_MAX)
        return;
    index_page_t *page = page_of(index, number);
    if (group_at(index, page->slots[0])->depth == page->shift && !group_split(index, page, number))
        return;
    unsigned half = (page->mask + 1U) / 2;
    index_page_t even = {.shift = (uint16_t)(page->shift + 1)};
    index_page_t odd = even;
    if (!page_take(index, &even, half) || !page_take(index, &odd, half) || !tables_reserve(index, count)) {
        slab_give(index->slab, even.block);
        slab_give(index->slab, odd.block);
        return;
    }
    page = index_page(index, number);
    for (unsigned i = 0; i < half; i++) {
        even.slots[i] = page->slots[2 * i];
        odd.slots[i] = page->slots[2 * i + 1];
    }
    slab_give(index->slab, page->block);
    *page = even;
    *index_page(index, count) = odd;
    index->page_count++;
    if (index->page_count == 2 * index->half)
        half_set(index, index->half * 2);
}

/* Number of bits that choose a group of PAGE: fewer than the number of slots needs, if groups have merged. */
static unsigned page_bits(const index_t *index, const index_page_t *page)
{
    const uint32_t *slots = page->slots;
    unsigned depth = page->shift;
    for (unsigned i = 0; i <= page->mask; i++)
        if (group_at(index, slots[i])->depth > depth)
            depth = group_at(index, slots[i])->depth;
    return depth - page->shift;
}

/* Merges the last page with the one that it was split from, unless that would be too large or memory is
 * refused. */
static void pages_shrink(index_t *index)
{
    uint32_t last = index->page_count - 1;
    uint32_t half = last < index->half ? index->half / 2 : index->half;
    index_page_t *even = index_page(index, last - half);
    const index_page_t *odd = index_page(index, last);
    unsigned even_bits = page_bits(index, even);
    unsigned odd_bits = page_bits(index, odd);
    unsigned bits = (even_bits > odd_bits ? even_bits : odd_bits) + 1;
    index_page_t merged = {.shift = (uint16_t)(even->shift - 1)};
    if (bits > INDEX_PAGE_BITS || !page_take(index, &merged, 1U << bits))
        return;
    for (unsigned i = 0; i <= merged.mask; i++) {
        const index_page_t *from = (i & 1) != 0 ? odd : even;
        merged.slots[i] = from->slots[i >> 1 & from->mask];
    }
    slab_give(index->slab, even->block);
    slab_give(index->slab, odd->block);
    *even = merged;
    pages_drop(index);
    (void)group_merge(index, page_of(index, last - half), last - half);
}

/* ---- Changing --------------------------------------------------------------------------------- */

/* Whether GROUP can split by one more bit of the hash. A group that has left records to the tree does not
 * split: its keys collide. */
static bool group_splits(const index_t *index, index_group_t *group, const index_page_t *page)
{
    return !group_strays(index, group) && group->depth < HASH_BITS &&
           group->depth - page->shift < INDEX_PAGE_BITS;
}

bool index_add(index_t *index, uint64_t hash, uint32_t record)
{
    uint32_t low = (uint32_t)hash;
    uint32_t handle = *index_slot(index, low);
    if (handle == 0)
        handle = index->group = group_new(index, 0);
    if (handle == 0)
        return false;
    index_group_t *group;
    for (; (group = group_at(index, handle))->present == INDEX_ALL; handle = *index_slot(index, low)) {
        index_page_t *page = page_of(index, low);
        if (!group_splits(index, group, page)) {
            if (group->beyond < INDEX_MANY)
                group->beyond++;
            index->strays++;
            return true;
        }
        if (!group_split(index, page, low))
            return false;
    }
    group_put(group, index_tag(hash), record);
    index->count++;
    if (index->count > (uint64_t)index->page_count * INDEX_PAGE_RECORDS)
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
        assert(group->beyond > 0 && index->strays > 0);
        index->strays--;
        if (group->beyond < INDEX_MANY)
            group->beyond--;
    } else {
        group_drop(group, place);
        index->count--;
    }
    if (group_count(group) <= MERGE_BELOW)
        while (group_merge(index, page_of(index, hash), hash)) {
        }
    if (index->page_count > 1 && index->count % SPARSE_EVERY == 0 &&
        index->count < (uint64_t)index->page_count * SPARSE_RECORDS)
        pages_shrink(index);
    uint32_t handle = *index_slot(index, hash);
    group = group_at(index, handle);
    if (group->depth > 0)
        return;
    bool empty = group->present == 0 && !group_strays(index, group);
    if (empty)
        slab_give(index->slab, handle);
    if (empty || index->first_page.block != 0)
        pages_end(index, empty ? 0 : handle);
}

/* Frees the last page's groups and slots. Returns the number of pieces of work. */
static unsigned drain_page(index_t *index)
{
    const index_page_t *page = index_page(index, index->page_count - 1);
    const uint32_t *slots = page->slots;
    for (unsigned i = 0; i <= page->mask; i++)
        __builtin_prefetch(group_at(index, slots[i]));
    for (unsigned i = page->mask + 1U; i-- > 0;) /* free a group at its lowest slot, which comes last */
        if (i >> (group_at(index, slots[i])->depth - page->shift) == 0)
            slab_give(index->slab, slots[i]);
    slab_give(index->slab, page->block);
    return 1U + page->mask / DRAIN_SLOTS;
}

bool index_drain(index_t *index, unsigned *budget)
{
    while (index->page_count > 1 && *budget > 0) {
        unsigned pieces = drain_page(index);
        *budget -= pieces < *budget ? pieces : *budget;
        pages_drop(index);
    }
    if (index->page_count > 1)
        return false;
    if (index->first_page.slots[0] != 0)
        (void)drain_page(index);
    index->first_page.block = 0;
    pages_end(index, 0);
    index->count = 0;
    index->strays = 0;
    return true;
}

/* ---- Looking up ------------------------------------------------------------------------------- */

index_found_t index_find(const index_t *index, lookup_t lookup, bytes_t key)
{
    uint32_t handle = *index_slot(index, (uint32_t)lookup.hash);
    if (handle == 0)
        return (index_found_t){.handle = 0};
    const index_group_t *group = group_at(index, handle);
    for (unsigned mask = index_match(group, index_tag(lookup.hash)); mask != 0; mask &= mask - 1) {
        handle = group->records[__builtin_ctz(mask)];
        record_t *record = record_at(index->slab, handle);
        if (bytes_equal(record_key(record), key))
            return (index_found_t){.record = record, .handle = handle};
    }
    return (index_found_t){.handle = group->beyond != 0 ? INDEX_IN_TREE : 0};
}

/* What index_prefetch and index_prefetch_each do: the index of lookup I is INDEXES[I * STEP]. Inlined in
 * both. */
static inline __attribute__((always_inline)) uint64_t prefetch(const index_t *const *indexes, unsigned step,
                                                               lookup_t *lookups, unsigned count)
{
    union {
        const uint32_t *slot;
        const index_group_t *group;
    } at[PREFETCH_MAX];
    uint64_t missed = 0;
    assert(count <= PREFETCH_MAX);
    for (unsigned i = 0; i < count; i++) {
        at[i].slot = index_slot(indexes[i * step], (uint32_t)lookups[i].hash);
        __builtin_prefetch(at[i].slot);
    }
    for (unsigned i = 0; i < count; i++) {
        at[i].group = group_at(indexes[i * step], *at[i].slot);
        __builtin_prefetch(at[i].group);
    }
    for (unsigned i = 0; i < count; i++) {
        const index_group_t *group = at[i].group;
        const slab_t *slab = indexes[i * step]->slab;
        unsigned mask = index_match(group, index_tag(lookups[i].hash));
        lookups[i].seen = 0;
        if (mask != 0) {
            uint32_t record = group->records[__builtin_ctz(mask)];
            lookups[i].seen = record;
            lookups[i].frees = slab->frees;
            __builtin_prefetch(record_at(slab, record));
        } else {
            missed |= UINT64_C(1) << i;
        }
    }
    return missed;
}

uint64_t index_prefetch(const index_t *index, lookup_t *lookups, unsigned count)
{
    if (index->count == 0)
        return count == 0 ? 0 : UINT64_MAX >> (PREFETCH_MAX - count);
    return prefetch(&index, 0, lookups, count);
}

void index_prefetch_each(const index_t *const *indexes, lookup_t *lookups, unsigned count)
{
    (void)prefetch(indexes, 1, lookups, count);
}
