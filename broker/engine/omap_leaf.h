/* SPDX-License-Identifier: MPL-2.0 */
/* Private to omap*.c: the leaves of an ordered map. What a lookup needs is inline here.
 *
 * A leaf is one block: this head, a byte of fingerprint for each record, a 16-bit offset for each record
 * (both in the order of the keys, with room for `slots`), and the records in the order they came. The block
 * grows and shrinks in steps, so that it is nearly full however the keys arrive. */
#ifndef KV_BROKER_ENGINE_OMAP_LEAF_H
#define KV_BROKER_ENGINE_OMAP_LEAF_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "broker/engine/pool.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    LEAF_BLOCK_MAX = POOL_BLOCK_MAX, /* bytes */
    LEAF_SLOT_STEP = 8,              /* the directory grows by so many slots */
    LEAF_NO_SLOT = 0xffff
};

typedef struct leaf {
    uint16_t count; /* records */
    uint16_t slots; /* records that the directory has room for, a multiple of LEAF_SLOT_STEP */
    uint16_t room;  /* bytes of the block */
    uint16_t used;  /* bytes of the record area in use, those of dead records included */
    uint16_t dead;  /* bytes in it that belong to no record any more */
    uint16_t hint;  /* slot of the last insert, LEAF_NO_SLOT = none: tells ascending and descending keys */
    uint8_t tags[]; /* fingerprints; behind them offsets and records */
} leaf_t;

/* A record's head; the key follows, then the payload. */
typedef struct record {
    uint16_t key_size;     /* bytes */
    uint16_t payload_size; /* bytes */
} record_t;

static inline uint16_t *leaf_offsets(const leaf_t *leaf)
{
    return (uint16_t *)(uintptr_t)(leaf->tags + leaf->slots);
}

static inline uint8_t *leaf_records(const leaf_t *leaf)
{
    return (uint8_t *)(uintptr_t)(leaf->tags + (size_t)leaf->slots * 3);
}

static inline uint8_t *leaf_record(const leaf_t *leaf, unsigned slot)
{
    return leaf_records(leaf) + leaf_offsets(leaf)[slot];
}

static inline record_t record_head(const uint8_t *record)
{
    record_t head;
    memcpy(&head, record, sizeof head);
    return head;
}

static inline size_t record_size(record_t head)
{
    return sizeof head + head.key_size + head.payload_size;
}

static inline bytes_t record_key(const uint8_t *record)
{
    return bytes_of(record + sizeof(record_t), record_head(record).key_size);
}

static inline bytes_t leaf_key(const leaf_t *leaf, unsigned slot)
{
    return record_key(leaf_record(leaf, slot));
}

/* Bytes of the records that live. */
static inline size_t leaf_live(const leaf_t *leaf)
{
    return (size_t)leaf->used - leaf->dead;
}

/* Bits 0 to 15 tell which of the 16 bytes at TAGS are TAG. */
static inline unsigned tags_matching(const uint8_t *tags, uint8_t tag)
{
#ifdef __SSE2__
    __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)tags);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(sixteen, _mm_set1_epi8((char)tag)));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned)(tags[i] == tag) << i;
    return mask;
#endif
}

/* Whether A and B, of the same SIZE, are equal. Most keys are short: those need no call. */
static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t words[4];
    if (size < sizeof *words || size > 2 * sizeof *words)
        return memcmp(a, b, size) == 0;
    memcpy(&words[0], a, sizeof *words);
    memcpy(&words[1], b, sizeof *words);
    memcpy(&words[2], a + size - sizeof *words, sizeof *words);
    memcpy(&words[3], b + size - sizeof *words, sizeof *words);
    return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
}

/* The slot of KEY, whose fingerprint is TAG, or LEAF_NO_SLOT. The last 16 tags may reach into the offsets,
 * which are within the block: slots >= 8 takes 24 bytes. */
static inline unsigned leaf_find(const leaf_t *leaf, bytes_t key, uint8_t tag)
{
    for (unsigned first = 0; first < leaf->count; first += 16) {
        unsigned mask = tags_matching(leaf->tags + first, tag);
        if (leaf->count - first < 16)
            mask &= (1U << (leaf->count - first)) - 1;
        for (; mask != 0; mask &= mask - 1) {
            unsigned slot = first + (unsigned)__builtin_ctz(mask);
            bytes_t kept = leaf_key(leaf, slot);
            if (kept.size == key.size && (key.size == 0 || same_bytes(kept.data, key.data, key.size)))
                return slot;
        }
    }
    return LEAF_NO_SLOT;
}

/* The first slot whose fingerprint is TAG, or LEAF_NO_SLOT: most likely the one that leaf_find would find. */
static inline unsigned leaf_find_tag(const leaf_t *leaf, uint8_t tag)
{
    for (unsigned first = 0; first < leaf->count; first += 16) {
        unsigned mask = tags_matching(leaf->tags + first, tag);
        if (leaf->count - first < 16)
            mask &= (1U << (leaf->count - first)) - 1;
        if (mask != 0)
            return first + (unsigned)__builtin_ctz(mask);
    }
    return LEAF_NO_SLOT;
}

/* The first slot whose key is KEY or sorts after it; count where there is none. */
unsigned leaf_seek(const leaf_t *leaf, bytes_t key);

/* A leaf that can take RECORDS records of BYTES in all, without any. NULL if memory is refused. */
leaf_t *leaf_new(pool_t *pool, unsigned records, size_t bytes);
void leaf_destroy(pool_t *pool, leaf_t *leaf);
/* Whether a record of BYTES more (a new one, or a longer one in place of what is dead) fits into a block. */
bool leaf_fits(const leaf_t *leaf, size_t bytes, bool slot);
/* Makes room for a record of BYTES more, which must fit, and a SLOT for it. May move *LEAF. False if
 * memory is refused. */
KV_MUST_USE bool leaf_make_room(pool_t *pool, leaf_t **leaf, size_t bytes, bool slot);
/* Inserts a record with KEY before SLOT; there must be room. Returns its payload. */
uint8_t *leaf_insert(leaf_t *leaf, unsigned slot, bytes_t key, uint8_t tag, size_t payload_size);
/* Makes the payload of SLOT shorter; the rest of it is dead. */
void leaf_shorten(leaf_t *leaf, unsigned slot, size_t payload_size);
/* Makes the payload of SLOT longer; there must be room for the whole record anew. */
void leaf_lengthen(leaf_t *leaf, unsigned slot, size_t payload_size);
void leaf_erase(leaf_t *leaf, unsigned slot);
/* Appends records FROM up to TO (excluded) of SOURCE, which sort after LEAF's; there must be room. */
void leaf_append(leaf_t *leaf, const leaf_t *source, unsigned from, unsigned to);
/* Drops the records from FROM on. */
void leaf_truncate(leaf_t *leaf, unsigned from);
/* Gives back room that is not in use, where it is worth it. May move *LEAF. */
void leaf_shrink(pool_t *pool, leaf_t **leaf);

#endif
