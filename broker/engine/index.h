/* SPDX-License-Identifier: MPL-2.0 */
/* The records of a slab by the hash of their keys, for exact look-ups: extendible hashing in two levels.
 *
 * Records are in groups of up to 12, one cache line each: a byte of hash (the tag) and a handle for each. A
 * page is a small directory of groups: 1 to 256 handles, chosen by bits of the hash. A full group splits in
 * two, and its page doubles if it must. Pages are numbered by the lowest bits of the hash, and split one
 * after the other as the index grows (linear hashing), so there is no directory of pages that would have to
 * be copied. The longest piece of work is a group's split, which reads 12 records, or the copy of a page's
 * KiB, at any size. Up to 12 records are one group and nothing else.
 *
 * What the hash is worth: callers hash with a random seed (engine_hash), which keeps out keys that were
 * chosen without knowing the seed. XXH3 is no cryptographic function: who could measure the broker for long
 * enough may find keys that collide all the same. So nothing here relies on it. A group that cannot split any
 * more leaves further records to the tree, and only says that there are some: a look-up then costs what one
 * in the tree does. */
#ifndef KV_BROKER_ENGINE_INDEX_H
#define KV_BROKER_ENGINE_INDEX_H

#include <assert.h>

#include "broker/engine/record.h"
#include "broker/engine/tags.h"

enum {
    INDEX_GROUP = 12,         /* records of a group */
    INDEX_PAGE_BITS = 8,      /* bits of the hash that choose a group in a page, at most */
    INDEX_PAGE_RECORDS = 160, /* records for each page, on average */
    INDEX_TABLE = 256         /* pages whose descriptions are one block */
};

/* One cache line. */
typedef struct index_group {
    uint8_t tags[INDEX_GROUP];
    uint8_t used;    /* records here */
    uint8_t depth;   /* so many of the hash's lowest bits are those of the group */
    uint16_t beyond; /* records that belong here and are in the tree only; INDEX_MANY = that many or fewer */
    uint32_t records[INDEX_GROUP];
} index_group_t;

#define INDEX_MANY UINT16_MAX

static_assert(sizeof(index_group_t) == 64, "a group is a cache line");

typedef struct index_page {
    uint32_t slots; /* handle of mask + 1 handles of groups */
    uint16_t mask;  /* of the slot's number */
    uint16_t shift; /* bits of the hash below those that are the slot's number */
} index_page_t;

typedef struct index {
    slab_t *slab;        /* borrowed */
    uint64_t count;      /* records, without those that are in the tree only */
    uint32_t group;      /* the only group while there are no pages; 0 = none. Private, as all below */
    uint32_t page_count; /* 0 = the index is one group */
    index_page_t first;  /* the page, while there is one */
    uint32_t *tables;    /* handles of blocks of INDEX_TABLE pages, while there are more; owned */
    uint32_t table_room; /* blocks that `tables` has room for */
    uint32_t half;       /* the highest power of 2 that is not above page_count */
} index_t;

/* Makes an empty index. Allocates nothing. */
void index_init(index_t *index, slab_t *slab);

/* Adds RECORD (borrowed until it is removed), whose key has HASH and is not in the index. It may be left to
 * the tree. False if memory is refused: nothing has changed then. */
KV_MUST_USE bool index_add(index_t *index, uint64_t hash, uint32_t record);
/* Puts RECORD in the place of OLD, whose key has HASH, if it is not left to the tree. */
void index_replace(index_t *index, uint32_t hash, uint32_t old, uint32_t record);
/* Removes RECORD, which was added; the low half of its HASH is enough. Never fails for want of memory. */
void index_remove(index_t *index, uint32_t hash, uint32_t record);
/* A hint: the records with HASHES are about to be looked up. Changes nothing. *MISSED: of up to 64, bit I is
 * set if there is no record with hash I, as far as can be seen. */
void index_prefetch(const index_t *index, const uint64_t *hashes, unsigned count, uint64_t *missed);
/* Frees the index from its end, piece by piece: at most *BUDGET, which is counted down. Returns whether it is
 * empty now. Until it is, nothing but index_drain may use it. */
bool index_drain(index_t *index, unsigned *budget);

/* ---- Looking up ------------------------------------------------------------------------------- */

/* The number of the page that HASH belongs to. */
static inline uint32_t index_page_number(const index_t *index, uint32_t hash)
{
    uint32_t number = hash & (2 * index->half - 1);
    return number < index->page_count ? number : number - index->half;
}

/* The page NUMBER. There are several. */
static inline index_page_t *index_page(const index_t *index, uint32_t number)
{
    index_page_t *table = slab_at(index->slab, index->tables[number / INDEX_TABLE]);
    return table + number % INDEX_TABLE;
}

/* Where the group that HASH belongs to is named, NULL if there is none. */
static inline const uint32_t *index_slot(const index_t *index, uint32_t hash)
{
    const index_page_t *page = &index->first;
    if (index->page_count > 1)
        page = index_page(index, index_page_number(index, hash));
    else if (index->page_count == 0)
        return index->group == 0 ? NULL : &index->group;
    const uint32_t *slots = slab_at(index->slab, page->slots);
    return slots + ((hash >> page->shift) & page->mask);
}

static inline uint8_t index_tag(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

/* Bit I tells whether record I of GROUP has TAG. */
static inline unsigned index_match(const index_group_t *group, uint8_t tag)
{
    return tags_match(group->tags, tag) & ((1U << group->used) - 1);
}

/* The record with KEY, whose hash is HASH, or 0. *IN_TREE: it may be left to the tree. */
static inline uint32_t index_find(const index_t *index, uint64_t hash, bytes_t key, bool *in_tree)
{
    *in_tree = false;
    const uint32_t *slot = index_slot(index, (uint32_t)hash);
    if (slot == NULL)
        return 0;
    const index_group_t *group = slab_at(index->slab, *slot);
    for (unsigned mask = index_match(group, index_tag(hash)); mask != 0; mask &= mask - 1) {
        uint32_t record = group->records[__builtin_ctz(mask)];
        if (record_has_key(record_at(index->slab, record), key))
            return record;
    }
    *in_tree = group->beyond != 0;
    return 0;
}

#endif
