/* SPDX-License-Identifier: MPL-2.0 */
/* The records of a slab by the hash of their keys, for exact look-ups: extendible hashing in two levels.
 *
 * Records are in groups of up to 12, one cache line each: a byte of hash (the tag) and a handle for each
 * record. A page is a small directory of groups: 1 to 256 handles, chosen by bits of the hash. A full group
 * splits in two, and its page doubles if it must. Pages are numbered by the lowest bits of the hash, and
 * split one after the other as the index grows (linear hashing), so there is no directory of pages that would
 * have to be copied. The longest piece of work, at any size, is the split of a group, which reads 12 records,
 * or the copy of a page of 1 KiB. An index of up to 12 records is one group and nothing else.
 *
 * Colliding keys: callers hash with a random seed (engine_lookup), so an attacker cannot choose colliding
 * keys without knowing the seed. But XXH3 is not a cryptographic function: with enough measurements of the
 * broker, an attacker may still find some. So nothing here relies on the hash. A group that cannot split any
 * more leaves further records to the tree, and only notes that there are some: a look-up of such a key then
 * costs as much as one in the tree. */
#ifndef KV_BROKER_ENGINE_INDEX_H
#define KV_BROKER_ENGINE_INDEX_H

#include <assert.h>

#include "broker/engine/record.h"
#include "broker/engine/tags.h"

enum {
    INDEX_GROUP = 12,         /* records of a group */
    INDEX_PAGE_BITS = 8,      /* bits of the hash that choose a group in a page, at most */
    INDEX_PAGE_RECORDS = 160, /* records for each page, on average */
    INDEX_TABLE = 128         /* pages whose descriptors are one block */
};

/* One cache line. */
typedef struct index_group {
    uint8_t tags[INDEX_GROUP];
    uint16_t present; /* bit I = record I is there */
    uint8_t depth;    /* number of lowest bits of the hash that the records share */
    uint8_t beyond;   /* records that belong here but are only in the tree; INDEX_MANY = unknown */
    uint32_t records[INDEX_GROUP];
} index_group_t;

enum { INDEX_ALL = (1 << INDEX_GROUP) - 1, INDEX_MANY = UINT8_MAX };

static_assert(sizeof(index_group_t) == 64, "a group is a cache line");

typedef struct index_page {
    uint32_t *slots; /* mask + 1 handles of groups */
    uint32_t block;  /* handle of the block that they are in */
    uint16_t mask;   /* for the slot's number */
    uint16_t shift;  /* lowest bits of the hash that are not part of the slot's number */
} index_page_t;

/* The descriptors of INDEX_TABLE pages. */
typedef struct index_table {
    index_page_t *pages;
    uint32_t block; /* handle of the block that they are in */
} index_table_t;

typedef struct index {
    slab_t *slab;    /* borrowed */
    uint64_t count;  /* records, without those that are only in the tree */
    uint64_t strays; /* records that are only in the tree */
    uint32_t group;  /* the first page's slot while it has only one; 0 = none. Private, as all below */
    uint32_t page_count;
    uint32_t half;       /* the highest power of 2 that is not above page_count */
    uint32_t mask;       /* 2 * half - 1 */
    uint32_t table_room; /* tables that `tables` has room for */
    index_table_t *tables;
    /* Embedded, so that a small index needs no memory for its directory. There are pointers to these, so the
     * index must not be moved. */
    index_table_t first_table; /* the only table */
    index_page_t first_page;   /* the only page */
} index_t;

/* Makes an empty index, which must not be moved. Allocates nothing. */
void index_init(index_t *index, slab_t *slab);

/* Adds RECORD (borrowed until it is removed), whose key has HASH and is not in the index. It may be left to
 * the tree only. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool index_add(index_t *index, uint64_t hash, uint32_t record);
/* Replaces OLD, whose key has HASH, by RECORD. Does nothing if OLD is only in the tree. */
void index_replace(index_t *index, uint32_t hash, uint32_t old, uint32_t record);
/* Removes RECORD, which was added; the low half of its HASH is enough. Never fails for want of memory. */
void index_remove(index_t *index, uint32_t hash, uint32_t record);
/* Call this before looking up the keys of up to 64 LOOKUPS: notes in each where its record probably is, and
 * makes the processor fetch it. Returns the lookups for which there is none: bit I stands for lookup I. */
uint64_t index_prefetch(const index_t *index, lookup_t *lookups, unsigned count);
/* The same for lookups in several indexes, none of which is empty: that of lookup I is INDEXES[I]. */
void index_prefetch_each(const index_t *const *indexes, lookup_t *lookups, unsigned count);
/* Frees the index from its end, in pieces: at most *BUDGET, which is counted down. Returns whether it is
 * empty now. Until then, only index_drain may be called. */
bool index_drain(index_t *index, unsigned *budget);

/* ---- Looking up ------------------------------------------------------------------------------- */

/* The number of the page that HASH belongs to. */
static inline uint32_t index_page_number(const index_t *index, uint32_t hash)
{
    uint32_t number = hash & index->mask;
    return number < index->page_count ? number : number - index->half;
}

/* The page NUMBER. */
static inline index_page_t *index_page(const index_t *index, uint32_t number)
{
    return index->tables[number / INDEX_TABLE].pages + number % INDEX_TABLE;
}

/* The slot with the group that HASH belongs to; it is 0 if the index is empty. */
static inline const uint32_t *index_slot(const index_t *index, uint32_t hash)
{
    const index_page_t *page = index_page(index, index_page_number(index, hash));
    return page->slots + ((hash >> page->shift) & page->mask);
}

static inline uint8_t index_tag(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

/* Bit I tells whether record I of GROUP has TAG. */
static inline unsigned index_match(const index_group_t *group, uint8_t tag)
{
    return tags_match(group->tags, tag) & group->present;
}

/* A record that was looked up. */
typedef struct index_found {
    record_t *record; /* NULL = there is none */
    uint32_t handle;  /* its handle; INDEX_IN_TREE if it is not here, but may be in the tree */
} index_found_t;

#define INDEX_IN_TREE 1U /* no block has this handle */

/* The record with KEY. */
index_found_t index_find(const index_t *index, lookup_t lookup, bytes_t key);

/* The same, for a key that is short (record_key_short). It makes no calls, so the function that inlines it
 * need not save registers for it. */
static inline __attribute__((always_inline)) index_found_t index_find_short(const index_t *index,
                                                                            lookup_t lookup, bytes_t key)
{
    uint64_t hash = lookup.hash;
    uint32_t handle = lookup.seen;
    if (handle != 0 && lookup.frees == index->slab->frees) {
        record_t *record = record_at(index->slab, handle);
        if (record->key_size == key.size && record_same_short(record->data, key.data, key.size))
            return (index_found_t){.record = record, .handle = handle};
    }
    handle = *index_slot(index, (uint32_t)hash);
    if (handle == 0)
        return (index_found_t){.handle = 0};
    const index_group_t *group = slab_at(index->slab, handle);
    for (unsigned mask = index_match(group, index_tag(hash)); mask != 0; mask &= mask - 1) {
        handle = group->records[__builtin_ctz(mask)];
        record_t *record = record_at(index->slab, handle);
        if (record->key_size == key.size && record_same_short(record->data, key.data, key.size))
            return (index_found_t){.record = record, .handle = handle};
    }
    return (index_found_t){.handle = group->beyond != 0 ? INDEX_IN_TREE : 0};
}

#endif
