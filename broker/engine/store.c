/* SPDX-License-Identifier: MPL-2.0 */
/* One client's entries in memory: how an entry is kept, found, written and removed. */
#include "broker/engine/store.h"

#include <assert.h>
#include <stdlib.h>

#include "common/digest.h"

static_assert(sizeof(head_t) + STORE_INLINE_MAX <= OMAP_PAYLOAD_MAX,
              "a record holds the longest inline value");

store_t *store_new(expiry_t *expiry, pool_t *pool, void *owner, uint64_t seed)
{
    store_t *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    omap_init_pooled(&store->map, seed, pool);
    store->expiry = expiry;
    store->owner = owner;
    return store;
}

/* Whether the digest is up to date as far as KEY. */
static bool digest_covers(const store_t *store, bytes_t key)
{
    if (store->digest_state != DIGEST_GROWING)
        return store->digest_state == DIGEST_KEPT;
    return bytes_compare(key, bytes_of(store->edge, store->edge_size)) <= 0;
}

bool store_digest_grow(store_t *store, unsigned *budget)
{
    omap_cursor_t cursor;
    omap_entry_t entry;
    kept_t kept;
    if (store->digest_state == DIGEST_KEPT)
        return true;
    if (store->edge == NULL)
        store->edge = malloc(OMAP_KEY_MAX); /* where it is refused, the budget is overdrawn */
    omap_seek(&store->map, bytes_of(store->edge, store->edge_size), true, &cursor);
    while (omap_next(&cursor, &entry)) {
        store_read(entry.payload, entry.size, &kept);
        store->digest ^= digest_entry(entry.key, kept.binary, kept.value, kept.revision);
        if (*budget > 1 || store->edge == NULL) {
            *budget -= *budget > 0;
            continue;
        }
        *budget = 0;
        memcpy(store->edge, entry.key.data, entry.key.size);
        store->edge_size = (uint16_t)entry.key.size;
        store->digest_state = DIGEST_GROWING;
        return false;
    }
    free(store->edge);
    store->edge = NULL;
    store->digest_state = DIGEST_KEPT;
    return true;
}

/* Makes the external part of an entry, with a deadline in the heap where PUT has a ttl. */
static external_t *external_new(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms)
{
    external_t *external = malloc(sizeof *external + put->key.size + put->value.size);
    if (external == NULL)
        return NULL;
    *external = (external_t){.deadline = {.due_ms = due_ms, .order = revision},
                             .store = store,
                             .value_size = (uint32_t)put->value.size,
                             .key_size = (uint16_t)put->key.size};
    memcpy(external->data, put->key.data, put->key.size);
    if (put->value.size != 0)
        memcpy(external->data + put->key.size, put->value.data, put->value.size);
    if (put->ttl_ms != 0 && !expiry_add(store->expiry, &external->deadline)) {
        free(external);
        return NULL;
    }
    return external;
}

/* Frees the external part of an entry. */
static void external_release(store_t *store, external_t *external, bool mortal)
{
    if (external == NULL)
        return;
    if (mortal)
        expiry_remove(store->expiry, &external->deadline);
    free(external);
}

/* Writes what PUT says into PAYLOAD, which has room for it. */
static void payload_write(uint8_t *payload, const put_t *put, uint64_t revision, const external_t *external)
{
    head_t head = revision << REVISION_SHIFT;
    head |= put->binary ? FLAG_BINARY : 0;
    head |= external != NULL ? FLAG_EXTERNAL : 0;
    head |= put->ttl_ms != 0 ? FLAG_MORTAL : 0;
    memcpy(payload, &head, sizeof head);
    if (external != NULL)
        memcpy(payload + sizeof head, &external, sizeof(void *));
    else if (put->value.size != 0)
        memcpy(payload + sizeof head, put->value.data, put->value.size);
}

bool store_write(store_t *store, const put_t *put, uint64_t revision, int64_t due_ms, const kept_t *old)
{
    external_t *external = NULL;
    size_t size = sizeof(head_t) + put->value.size;
    if (put->ttl_ms != 0 || put->value.size > STORE_INLINE_MAX) {
        external = external_new(store, put, revision, due_ms);
        if (external == NULL)
            return false;
        size = sizeof(head_t) + sizeof(void *);
    }
    uint64_t digest = 0;
    if (digest_covers(store, put->key)) {
        digest = digest_entry(put->key, put->binary, put->value, revision);
        if (old != NULL)
            digest ^= digest_entry(put->key, old->binary, old->value, old->revision);
    }
    uint8_t *payload = old != NULL ? old->payload : NULL;
    bool added;
    if (payload == NULL || old->payload_size != size)
        payload = omap_put(&store->map, put->key, size, &added);
    if (payload == NULL) {
        external_release(store, external, put->ttl_ms != 0);
        return false;
    }
    payload_write(payload, put, revision, external);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the record's bytes point to `external` */
    store->digest ^= digest;
    store->bytes += put->value.size;
    if (old != NULL) {
        store->bytes -= old->value.size;
        external_release(store, old->external, old->mortal);
    } else {
        store->bytes += put->key.size;
    }
    return true;
}

external_t *store_remove(store_t *store, bytes_t key, const kept_t *kept)
{
    external_t *external = kept->external;
    if (digest_covers(store, key))
        store->digest ^= digest_entry(key, kept->binary, kept->value, kept->revision);
    store->bytes -= key.size + kept->value.size;
    if (kept->mortal)
        expiry_remove(store->expiry, &external->deadline);
    bool removed = omap_remove(&store->map, key);
    assert(removed);
    (void)removed;
    return external;
}

/* Frees what an entry of a closed store has outside of its record; tells how many pieces of work that was. */
static unsigned drop_entry(void *context, const omap_entry_t *entry)
{
    kept_t kept;
    store_read(entry->payload, entry->size, &kept);
    if (kept.external == NULL)
        return 0;
    external_release(context, kept.external, kept.mortal);
    return 1;
}

void store_drain(store_t **store, unsigned *budget)
{
    if (!omap_drain(&(*store)->map, budget, drop_entry, *store))
        return;
    free((*store)->edge);
    free(*store);
    *store = NULL;
}
