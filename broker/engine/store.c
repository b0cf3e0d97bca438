/* SPDX-License-Identifier: MPL-2.0 */
/* One client's entries in memory: how an entry is written and removed. */
#include "broker/engine/store.h"

#include <assert.h>
#include <stdlib.h>

#include "common/digest.h"

enum {
    DROP_RECORDS = 4 /* records, without a deadline or a long value, that are one piece of work */
};

store_t *store_new(expiry_t *expiry, slab_t *slab, void *owner)
{
    store_t *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->slab = slab;
    store->expiry = expiry;
    store->owner = owner;
    index_init(&store->index, slab);
    tree_init(&store->tree, slab);
    return store;
}

found_t store_find_any(const store_t *store, bytes_t key, lookup_t lookup)
{
    found_t found = index_find(&store->index, lookup, key);
    return found.handle == INDEX_IN_TREE ? store_find_in_tree(store, key) : found;
}

found_t store_find_in_tree(const store_t *store, bytes_t key)
{
    uint32_t handle = tree_find(&store->tree, key);
    return handle != 0 ? store_entry(store, handle) : (found_t){.handle = 0};
}

/* ---- The digest ------------------------------------------------------------------------------- */

static uint64_t record_digest(record_t *record)
{
    return digest_entry(record_key(record), (record->head & RECORD_BINARY) != 0, record_value(record),
                        record_revision(record));
}

/* Whether the digest covers KEY. */
static bool digest_covers(const store_t *store, bytes_t key)
{
    if (store->digest_state != DIGEST_GROWING)
        return store->digest_state == DIGEST_KEPT;
    return bytes_compare(key, bytes_of(store->edge, store->edge_size)) <= 0;
}

bool store_digest_grow(store_t *store, unsigned *budget)
{
    tree_cursor_t cursor;
    uint32_t entry;
    if (store->digest_state == DIGEST_KEPT)
        return true;
    if (store->edge == NULL)
        store->edge = malloc(RECORD_KEY_MAX); /* if it is refused, the budget is exceeded */
    tree_seek(&store->tree, bytes_of(store->edge, store->edge_size), true, &cursor);
    while ((entry = tree_next(&cursor)) != 0) {
        record_t *record = record_at(store->slab, entry);
        store->digest ^= record_digest(record);
        if (*budget > 1 || store->edge == NULL) {
            *budget -= *budget > 0;
            continue;
        }
        *budget = 0;
        memcpy(store->edge, record->data, record->key_size);
        store->edge_size = record->key_size;
        store->digest_state = DIGEST_GROWING;
        return false;
    }
    free(store->edge);
    store->edge = NULL;
    store->digest_state = DIGEST_KEPT;
    return true;
}

/* ---- Records ---------------------------------------------------------------------------------- */

/* What kind of record an entry needs. */
typedef struct shape {
    unsigned flags;
    size_t size; /* bytes */
} shape_t;

static inline shape_t shape_of(const put_t *put)
{
    unsigned flags = (put->binary ? RECORD_BINARY : 0) | (put->ttl_ms != 0 ? RECORD_MORTAL : 0);
    size_t size = record_value_offset(put->key.size, flags) + put->value.size;
    if (size <= RECORD_INLINE_MAX)
        return (shape_t){.flags = flags, .size = size};
    size = record_tail(put->key.size) + sizeof(record_long_t);
    if ((flags & RECORD_MORTAL) != 0)
        size += sizeof(record_time_t);
    return (shape_t){.flags = flags | RECORD_LONG, .size = size};
}

/* Writes the head of RECORD and, if it is not long, the value. */
static inline void record_write(record_t *record, const put_t *put, unsigned flags, uint64_t revision)
{
    record->head = revision << RECORD_REVISION_SHIFT | flags;
    if ((flags & RECORD_LONG) != 0)
        return;
    record->value_size = (uint16_t)put->value.size;
    record_copy((uint8_t *)record + record_value_offset(put->key.size, flags), put->value);
}

/* A copy of VALUE, which does not fit in a record. NULL if memory is refused. */
static uint8_t *value_copy(bytes_t value)
{
    uint8_t *copy = malloc(value.size);
    if (copy != NULL)
        memcpy(copy, value.data, value.size);
    return copy;
}

/* Makes the record_time_t and the record_long_t of the record ENTRY, as its flags say. False if memory is
 * refused. */
static bool parts_new(store_t *store, const put_t *put, found_t entry, uint64_t revision, int64_t due_ms)
{
    record_t *record = entry.record;
    uint8_t *value = NULL;
    if ((record->head & RECORD_LONG) != 0) {
        value = value_copy(put->value);
        if (value == NULL)
            return false;
        *record_long(record) = (record_long_t){.value = value, .size = put->value.size};
    }
    if ((record->head & RECORD_MORTAL) == 0)
        return true;
    record_time_t *time = record_time(record);
    *time = (record_time_t){.deadline = {.due_ms = due_ms, .order = revision, .owner = entry.handle},
                            .store = store};
    if (expiry_add(store->expiry, &time->deadline))
        return true;
    free(value);
    return false;
}

/* Makes the record of a new entry, with its deadline in the heap if PUT has a ttl. Its handle is 0 if memory
 * is refused. */
static inline found_t record_new(store_t *store, const put_t *put, shape_t shape, uint64_t revision,
                                 int64_t due_ms)
{
    uint32_t handle = slab_take(store->slab, shape.size);
    if (handle == 0)
        return (found_t){.handle = 0};
    found_t entry = store_entry(store, handle);
    entry.record->hash = (uint32_t)put->lookup.hash;
    entry.record->key_size = (uint16_t)put->key.size;
    record_copy(entry.record->data, put->key);
    record_write(entry.record, put, shape.flags, revision);
    if ((shape.flags & RECORD_PARTS) != 0 && !parts_new(store, put, entry, revision, due_ms)) {
        slab_give(store->slab, handle);
        return (found_t){.handle = 0};
    }
    return entry;
}

void store_free(store_t *store, found_t entry)
{
    record_t *record = entry.record;
    if ((record->head & RECORD_MORTAL) != 0)
        expiry_remove(store->expiry, &record_time(record)->deadline);
    if ((record->head & RECORD_LONG) != 0)
        free(record_long(record)->value);
    slab_give(store->slab, entry.handle);
}

/* Writes PUT over RECORD, which has a block of the same size and the same parts. False if memory is refused.
 */
static inline bool record_rewrite(store_t *store, record_t *record, const put_t *put, unsigned flags,
                                  uint64_t revision, int64_t due_ms)
{
    if ((flags & RECORD_LONG) != 0) {
        uint8_t *value = value_copy(put->value);
        if (value == NULL)
            return false;
        record_long_t *part = record_long(record);
        free(part->value);
        *part = (record_long_t){.value = value, .size = put->value.size};
    }
    record_write(record, put, flags, revision);
    if ((flags & RECORD_MORTAL) != 0)
        expiry_change(store->expiry, &record_time(record)->deadline, due_ms, revision);
    return true;
}

/* Whether RECORD has the parts and the size of block that SHAPE asks for. */
static inline bool record_fits(record_t *record, shape_t shape)
{
    unsigned flags = (unsigned)record->head & 0xff;
    if (((flags ^ shape.flags) & RECORD_PARTS) != 0)
        return false;
    if ((flags & RECORD_LONG) != 0)
        return true;
    size_t size = record_value_offset(record->key_size, flags) + record->value_size;
    return slab_block_size(size) == slab_block_size(shape.size);
}

/* ---- Changing --------------------------------------------------------------------------------- */

bool store_add(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms)
{
    uint64_t hash = put->lookup.hash;
    found_t entry = record_new(store, put, shape_of(put), revision, due_ms);
    if (entry.handle == 0)
        return false;
    bool indexed = index_add(&store->index, hash, entry.handle);
    if (!indexed || !tree_insert(&store->tree, entry.handle)) {
        if (indexed)
            index_remove(&store->index, (uint32_t)hash, entry.handle);
        store_free(store, entry);
        return false;
    }
    store->bytes += put->key.size + put->value.size;
    if (store->digest_state != DIGEST_NONE && digest_covers(store, put->key))
        store->digest ^= record_digest(entry.record);
    return true;
}

bool store_change(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms, found_t old)
{
    shape_t shape = shape_of(put);
    uint64_t old_size = record_value(old.record).size;
    bool covered = digest_covers(store, put->key);
    uint64_t digest = covered ? record_digest(old.record) : 0;
    if (record_fits(old.record, shape)) {
        if (!record_rewrite(store, old.record, put, shape.flags, revision, due_ms))
            return false;
    } else {
        found_t entry = record_new(store, put, shape, revision, due_ms);
        if (entry.handle == 0)
            return false;
        index_replace(&store->index, (uint32_t)put->lookup.hash, old.handle, entry.handle);
        tree_replace(&store->tree, old.handle, entry.handle);
        store_free(store, old);
    }
    store->bytes += put->value.size - old_size;
    if (covered)
        store->digest ^= digest ^ digest_entry(put->key, put->binary, put->value, revision);
    return true;
}

void store_remove(store_t *store, found_t entry)
{
    record_t *record = entry.record;
    if (digest_covers(store, record_key(record)))
        store->digest ^= record_digest(record);
    store->bytes -= record->key_size + record_value(record).size;
    index_remove(&store->index, record->hash, entry.handle);
    tree_remove(&store->tree, entry.handle);
}

/* Frees an entry of a closed store. Returns the number of pieces of work. */
static unsigned drop_entry(void *context, uint32_t handle)
{
    store_t *store = context;
    found_t entry = store_entry(store, handle);
    bool parts = (entry.record->head & RECORD_PARTS) != 0;
    store_free(store, entry);
    return parts || ++store->dropped % DROP_RECORDS == 0;
}

void store_drain(store_t **store, unsigned *budget)
{
    if (!tree_drain(&(*store)->tree, budget, drop_entry, *store) || !index_drain(&(*store)->index, budget))
        return;
    free((*store)->edge);
    free(*store);
    *store = NULL;
}
