/* SPDX-License-Identifier: MPL-2.0 */
/* Private to omap*.c: the tree's two kinds of nodes. What a lookup needs is inline here. */
#ifndef KV_BROKER_ENGINE_OMAP_NODE_H
#define KV_BROKER_ENGINE_OMAP_NODE_H

#include <endian.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "broker/engine/omap.h"
#include "broker/engine/pool.h"

/* ---- Leaves ----------------------------------------------------------------------------------- *
 * One block: this head, a byte of fingerprint for each record, a 16-bit offset for each record (both in the
 * order of the keys, with room for `slots`), and the records in the order they came. The block grows and
 * shrinks in steps, so that it is nearly full however the keys arrive. */

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

/* ---- Inner nodes ------------------------------------------------------------------------------ *
 * One block: this head, `room` heads of separators, `room` separators, `room` + 1 children. The keys below
 * child i sort before separator i; it and what sorts after it are below the children from i + 1 on. */

enum {
    INNER_ROOM_MIN = 7,       /* separators that a new node has room for; doubles, and one more */
    INNER_ROOM_MAX = 127,     /* separators of a node at most */
    INNER_PREFIX_AT_HAND = 18 /* bytes: the node's first 24 bytes are its head */
};

#define NO_HEAD UINT32_MAX

/* The shortest string that tells the keys on its left from those on its right. */
typedef struct separator {
    uint16_t size; /* bytes */
    uint8_t data[];
} separator_t;

typedef struct inner {
    uint16_t count;                      /* separators; children are one more */
    uint16_t room;                       /* separators that there is room for; one more is a multiple of 8 */
    uint16_t prefix;                     /* bytes that all separators begin with, or fewer */
    uint8_t start[INNER_PREFIX_AT_HAND]; /* the first of them */
    uint32_t heads[]; /* the 4 bytes of each separator after the prefix, as key_head gives them */
} inner_t;

static inline separator_t **inner_separators(const inner_t *inner)
{
    return (separator_t **)(uintptr_t)(inner->heads + inner->room + 1);
}

static inline void **inner_children(const inner_t *inner)
{
    return (void **)(uintptr_t)(inner_separators(inner) + inner->room);
}

static inline bytes_t separator_bytes(const separator_t *separator)
{
    return bytes_of(separator->data, separator->size);
}

/* The 4 bytes of KEY from SKIP on as a big-endian number, so that numbers sort as bytes do; zeros behind its
 * end. */
static inline uint32_t key_head(bytes_t key, size_t skip)
{
    uint32_t head = 0;
    if (key.size >= skip + sizeof head) {
        memcpy(&head, key.data + skip, sizeof head);
        return be32toh(head);
    }
    for (size_t i = skip; i < key.size; i++)
        head |= (uint32_t)key.data[i] << (24 - (i - skip) * 8);
    return head;
}

/* The child that KEY belongs below, where some separators have the same head as it. */
unsigned inner_resolve(const inner_t *inner, bytes_t key, unsigned from);
/* 0 if KEY begins with the node's prefix; else below or above 0 as it sorts before or after all that do.
 */
int inner_prefix_order(const inner_t *inner, bytes_t key);

/* The index of the child that KEY belongs below. Free of branches but for the rare cases: what a key is like
 * cannot be foretold. */
static inline unsigned inner_index(const inner_t *inner, bytes_t key)
{
    int order = inner->prefix == 0 ? 0 : inner_prefix_order(inner, key);
    if (__builtin_expect(order != 0, 0))
        return order < 0 ? 0 : inner->count;
    uint32_t head = key_head(key, inner->prefix);
    const uint32_t *heads = inner->heads;
    size_t below = 0;
    for (size_t step = (inner->room + 1U) / 2; step > 0; step /= 2) {
        size_t higher = below + step;
        below = heads[higher - 1] < head ? higher : below;
    }
    if (__builtin_expect(heads[below] == head, 0) && below < inner->count)
        return inner_resolve(inner, key, (unsigned)below);
    return (unsigned)below;
}

/* The shortest separator between two neighbouring keys, owned. NULL if memory is refused. */
separator_t *separator_new(bytes_t left, bytes_t right);

/* A node above CHILD alone. NULL if memory is refused. */
inner_t *inner_new(pool_t *pool, void *child);
/* Makes room for one more child in a node that is not at INNER_ROOM_MAX. May move *INNER. False if memory
 * is refused. */
KV_MUST_USE bool inner_make_room(pool_t *pool, inner_t **inner);
/* Puts SEPARATOR (taken) and RIGHT behind child INDEX; there must be room. */
void inner_insert(inner_t *inner, unsigned index, separator_t *separator, void *right);
/* Takes child INDEX out, which the caller has freed or moved, with the separator beside it. Returns false
 * if it was the only one: the node is to be freed then. */
bool inner_remove(inner_t *inner, unsigned index);
/* Moves the separators behind AT into a new node on the right; *SEPARATOR, which then belongs between the
 * two, is handed over. NULL if memory is refused. */
inner_t *inner_split(pool_t *pool, inner_t *inner, unsigned at, separator_t **separator);
/* Moves all of RIGHT behind SEPARATOR (taken) into *LEFT and frees RIGHT. False if memory is refused:
 * nothing has changed then. */
KV_MUST_USE bool inner_merge(pool_t *pool, inner_t **left, separator_t *separator, inner_t *right);
/* Frees the node and its separators, not its children. */
void inner_destroy(pool_t *pool, inner_t **inner);

#endif
