/* SPDX-License-Identifier: MPL-2.0 */
/* The layout of an entry in memory: one block of a slab, named by its handle. A permanent entry of 16 bytes
 * of key and 32 of value takes 64 bytes. */
#ifndef KV_BROKER_ENGINE_RECORD_H
#define KV_BROKER_ENGINE_RECORD_H

#include <assert.h>

#include "broker/engine/entry.h"
#include "broker/engine/expiry.h"
#include "broker/engine/slab.h"

/* `data` begins with the key. From the next multiple of 8 on, a record with a deadline has a record_time_t,
 * and then a record with a long value has a record_long_t. A value that is not long is the rest of the
 * record. */
typedef struct record {
    uint64_t head; /* flags in the low byte, the revision above */
    uint32_t hash; /* the low half of the key's hash */
    uint16_t key_size;
    uint16_t value_size; /* of a value that is not long */
    uint8_t data[];
} record_t;

enum {
    RECORD_BINARY = 1, /* the value is bin, not str */
    RECORD_MORTAL = 2, /* it has a deadline */
    RECORD_LONG = 4,   /* the value is an allocation of its own */
    RECORD_PARTS = RECORD_MORTAL | RECORD_LONG,
    RECORD_REVISION_SHIFT = 8,
    RECORD_INLINE_MAX = 1024, /* bytes of the largest record that has its value in it */
    RECORD_KEY_MAX = 1024     /* bytes of a key */
};

typedef struct record_time {
    deadline_t deadline; /* its owner is the record's handle */
    store_t *store;      /* that the record belongs to */
} record_time_t;

typedef struct record_long {
    uint8_t *value; /* owned */
    uint64_t size;  /* bytes */
} record_long_t;

static_assert(sizeof(record_t) + RECORD_KEY_MAX + sizeof(record_time_t) + sizeof(record_long_t) <=
                  SLAB_BLOCK_MAX,
              "a block holds the largest record");

static inline record_t *record_at(const slab_t *slab, uint32_t handle)
{
    return slab_at(slab, handle);
}

static inline bytes_t record_key(const record_t *record)
{
    return bytes_of(record->data, record->key_size);
}

static inline uint64_t record_revision(const record_t *record)
{
    return record->head >> RECORD_REVISION_SHIFT;
}

/* Offset of the aligned parts of a record, after a key of KEY_SIZE bytes. */
static inline size_t record_tail(size_t key_size)
{
    return (sizeof(record_t) + key_size + 7) & ~(size_t)7;
}

static inline record_time_t *record_time(record_t *record)
{
    return (record_time_t *)(void *)((uint8_t *)record + record_tail(record->key_size));
}

static inline record_long_t *record_long(record_t *record)
{
    size_t offset = record_tail(record->key_size);
    if ((record->head & RECORD_MORTAL) != 0)
        offset += sizeof(record_time_t);
    return (record_long_t *)(void *)((uint8_t *)record + offset);
}

/* Offset of the value in a record with FLAGS, if it is not a long value. */
static inline size_t record_value_offset(size_t key_size, unsigned flags)
{
    if ((flags & RECORD_MORTAL) != 0)
        return record_tail(key_size) + sizeof(record_time_t);
    return sizeof(record_t) + key_size;
}

static inline bytes_t record_value(record_t *record)
{
    if ((record->head & RECORD_LONG) != 0) {
        const record_long_t *part = record_long(record);
        return bytes_of(part->value, part->size);
    }
    return bytes_of((uint8_t *)record + record_value_offset(record->key_size, (unsigned)record->head & 0xff),
                    record->value_size);
}

/* Most keys and values are short. They are compared and copied without a call. */

enum { RECORD_SHORT_MIN = 8, RECORD_SHORT_MAX = 16 }; /* bytes of a short key */

static inline bool record_key_short(bytes_t key)
{
    return key.size >= RECORD_SHORT_MIN && key.size <= RECORD_SHORT_MAX;
}

/* Whether A and B are equal: short keys, both of SIZE bytes. */
static inline bool record_same_short(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t words[4];
    memcpy(&words[0], a, sizeof *words);
    memcpy(&words[1], b, sizeof *words);
    memcpy(&words[2], a + size - sizeof *words, sizeof *words);
    memcpy(&words[3], b + size - sizeof *words, sizeof *words);
    return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
}

static inline void record_copy(uint8_t *to, bytes_t from)
{
    struct {
        uint64_t words[2];
    } first, last;
    if (from.size < sizeof first || from.size > 2 * sizeof first) {
        if (from.size != 0)
            memcpy(to, from.data, from.size);
        return;
    }
    memcpy(&first, from.data, sizeof first);
    memcpy(&last, from.data + from.size - sizeof last, sizeof last);
    memcpy(to, &first, sizeof first);
    memcpy(to + from.size - sizeof last, &last, sizeof last);
}

#endif
