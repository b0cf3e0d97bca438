/* SPDX-License-Identifier: MPL-2.0 */
/* The storage engine in memory: the sequence of changes, limits, conditions, and time's work on all stores.
 * How a store keeps its entries is store.c's. */
#include "broker/engine/engine.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "broker/engine/omap_warm.h"
#include "broker/engine/store.h"

struct engine {
    engine_options_t options;
    uint64_t seq;    /* of the newest change */
    uint64_t keys;   /* in all open stores */
    uint64_t bytes;  /* of keys and values in all open stores */
    uint64_t seed;   /* of the stores' maps: random, so that nobody can choose keys that look alike */
    expiry_t expiry; /* deadlines of all stores, closed ones included */
    pool_t pool;     /* memory of all stores' nodes */
    store_t *open;   /* list of the stores that are in use */
    store_t *closed; /* list of those whose memory is to be given back */
    char epoch[ENGINE_EPOCH_SIZE];
};

/* ---- The engine ------------------------------------------------------------------------------- */

engine_t *engine_new(const engine_options_t *options)
{
    uint8_t random[16];
    if (sodium_init() < 0)
        return NULL;
    engine_t *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->options = *options;
    engine_configure(engine, options->limits);
    expiry_init(&engine->expiry);
    pool_init(&engine->pool);
    randombytes_buf(&engine->seed, sizeof engine->seed);
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(engine->epoch, sizeof engine->epoch, random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return engine;
}

void engine_configure(engine_t *engine, const limits_t *limits)
{
    assert(limits->key <= OMAP_KEY_MAX && limits->value <= UINT32_MAX);
    engine->options.limits = limits;
}

/* Puts STORE at the head of *LIST. */
static void list_add(store_t **list, store_t *store)
{
    store->previous = NULL;
    store->next = *list;
    if (*list != NULL)
        (*list)->previous = store;
    *list = store;
}

static void list_remove(store_t **list, store_t *store)
{
    if (store->previous != NULL)
        store->previous->next = store->next;
    else
        *list = store->next;
    if (store->next != NULL)
        store->next->previous = store->previous;
}

/* Does up to *BUDGET pieces of the work of giving back closed stores' memory. */
static void drain_closed(engine_t *engine, unsigned *budget)
{
    while (engine->closed != NULL && *budget > 0) {
        store_t *store = engine->closed;
        store_t *next = store->next;
        store_drain(&store, budget);
        if (store != NULL)
            return;
        engine->closed = next;
        if (next != NULL)
            next->previous = NULL;
    }
}

void engine_destroy(engine_t **engine)
{
    if (*engine == NULL)
        return;
    while ((*engine)->open != NULL) {
        store_t *store = (*engine)->open;
        engine_close(*engine, &store);
    }
    while ((*engine)->closed != NULL) {
        unsigned all = UINT32_MAX;
        drain_closed(*engine, &all);
    }
    expiry_release(&(*engine)->expiry);
    pool_release(&(*engine)->pool);
    free(*engine);
    *engine = NULL;
}

const char *engine_epoch(const engine_t *engine)
{
    return engine->epoch;
}

uint64_t engine_seq(const engine_t *engine)
{
    return engine->seq;
}

uint64_t engine_keys(const engine_t *engine)
{
    return engine->keys;
}

uint64_t engine_bytes(const engine_t *engine)
{
    return engine->bytes;
}

store_t *engine_open(engine_t *engine, void *owner)
{
    store_t *store = store_new(&engine->expiry, &engine->pool, owner, engine->seed);
    if (store != NULL)
        list_add(&engine->open, store);
    return store;
}

void engine_close(engine_t *engine, store_t **store)
{
    store_t *closed = *store;
    if (closed == NULL)
        return;
    *store = NULL;
    assert(!closed->closed);
    engine->keys -= store_keys(closed);
    engine->bytes -= closed->bytes;
    list_remove(&engine->open, closed);
    closed->closed = true;
    closed->owner = NULL;
    list_add(&engine->closed, closed);
    unsigned little = 1; /* most stores are small: they are gone now */
    drain_closed(engine, &little);
}

uint64_t store_keys(const store_t *store)
{
    return store->map.count;
}

uint64_t store_bytes(const store_t *store)
{
    return store->bytes;
}

/* ---- Changes ---------------------------------------------------------------------------------- */

/* Gives CHANGE the next number and hands it on. */
static uint64_t announce(engine_t *engine, change_t *change)
{
    change->seq = ++engine->seq;
    if (engine->options.on_change != NULL)
        engine->options.on_change(engine->options.context, change);
    return change->seq;
}

uint64_t engine_record(engine_t *engine, change_kind_t kind, void *owner, bytes_t value, actor_t by,
                       const place_t *place)
{
    assert(kind >= CHANGE_CONNECT && kind < CHANGE_KIND_COUNT);
    change_t change = {.time_ms = place->time_ms, .kind = kind, .owner = owner, .value = value, .by = by};
    return announce(engine, &change);
}

/* Removes the entry KEY, found as KEPT, and announces that as a change of KIND. */
static uint64_t remove_entry(engine_t *engine, store_t *store, bytes_t key, const kept_t *kept,
                             change_kind_t kind, actor_t by, const place_t *place)
{
    change_t change = {.time_ms = place->time_ms, .kind = kind, .owner = store->owner, .key = key, .by = by};
    engine->keys--;
    engine->bytes -= key.size + kept->value.size;
    external_t *external = store_remove(store, key, kept);
    uint64_t seq = announce(engine, &change);
    free(external); /* an expired entry's key is in it */
    return seq;
}

static bool is_due(const kept_t *kept, int64_t now_ms)
{
    return kept->mortal && kept->external->deadline.due_ms <= now_ms;
}

/* Expires the entry found as KEPT, whose time has come. */
static void expire(engine_t *engine, store_t *store, const kept_t *kept, const place_t *place)
{
    remove_entry(engine, store, external_key(kept->external), kept, CHANGE_EXPIRE, (actor_t){0}, place);
}

/* Expires what is due first, if its time has come; tells whether it had. */
static bool expire_first(engine_t *engine, const place_t *place)
{
    deadline_t *deadline = expiry_first(&engine->expiry);
    if (deadline == NULL || deadline->due_ms > place->now_ms)
        return false;
    external_t *external = external_of(deadline);
    kept_t kept;
    if (external->store->closed) {
        expiry_remove(&engine->expiry, deadline);
        return true;
    }
    bool found = store_find(external->store, external_key(external), &kept);
    assert(found && kept.external == external);
    if (found)
        expire(engine, external->store, &kept, place);
    return true;
}

/* Finds the entry KEY, after expiring it if its time has come. */
static inline bool find_live(engine_t *engine, store_t *store, bytes_t key, const place_t *place,
                             kept_t *kept)
{
    if (!store_find(store, key, kept))
        return false;
    if (!is_due(kept, place->now_ms))
        return true;
    expire(engine, store, kept, place);
    return false;
}

/* ---- Entries ---------------------------------------------------------------------------------- */

static void entry_read(bytes_t key, const kept_t *kept, int64_t now_ms, entry_t *entry)
{
    entry->key = key;
    entry->value = kept->value;
    entry->binary = kept->binary;
    entry->revision = kept->revision;
    entry->ttl_ms = kept->mortal ? kept->external->deadline.due_ms - now_ms : -1;
}

status_t engine_get(const engine_t *engine, const store_t *store, bytes_t key, int64_t now_ms, entry_t *entry)
{
    (void)engine;
    kept_t kept;
    if (!store_find(store, key, &kept) || is_due(&kept, now_ms))
        return STATUS_NOT_FOUND;
    entry_read(key, &kept, now_ms, entry);
    return STATUS_OK;
}

void engine_warm(const engine_t *engine, const store_t *store, const bytes_t *keys, unsigned count)
{
    (void)engine;
    omap_warm(&store->map, keys, count);
}

/* The limit that PUT would pass, or NULL. An entry that does not grow passes none. */
static const char *limit_passed(const engine_t *engine, const store_t *store, const put_t *put,
                                const kept_t *old)
{
    const limits_t *limits = engine->options.limits;
    uint64_t more = put->value.size + (old != NULL ? 0 : put->key.size);
    uint64_t less = old != NULL ? old->value.size : 0;
    if (old == NULL && store_keys(store) >= limits->keys_per_client)
        return "limits/keys_per_client";
    if (more <= less && old != NULL)
        return NULL;
    if (store->bytes + more - less > limits->bytes_per_client)
        return "limits/bytes_per_client";
    if (engine->bytes + more - less > limits->bytes_total)
        return "limits/bytes_total";
    return NULL;
}

status_t engine_put(engine_t *engine, store_t *store, const put_t *put, actor_t by, const place_t *place,
                    uint64_t *revision, const char **limit)
{
    kept_t kept;
    assert(put->key.size >= 1 && put->key.size <= engine->options.limits->key);
    assert(put->value.size <= engine->options.limits->value && put->ttl_ms <= LIMIT_TTL_MS);
    kept_t *old = find_live(engine, store, put->key, place, &kept) ? &kept : NULL;
    if (put->if_revision != REVISION_ANY && put->if_revision != (old != NULL ? kept.revision : 0)) {
        *revision = old != NULL ? kept.revision : 0;
        return STATUS_FAILED_PRECONDITION;
    }
    const char *passed;
    unsigned budget = ENGINE_EXPIRE_MAX + 1;
    while ((passed = limit_passed(engine, store, put, old)) != NULL) {
        if (--budget == 0 || !expire_first(engine, place)) {
            *limit = budget == 0 ? NULL : passed;
            return STATUS_RESOURCE_EXHAUSTED;
        }
        old = store_find(store, put->key, &kept) ? &kept : NULL; /* it may have moved */
    }
    uint64_t bytes_before = store->bytes;
    if (!store_write(store, put, engine->seq + 1, place->now_ms + (int64_t)put->ttl_ms, old))
        return STATUS_UNAVAILABLE;
    engine->keys += old == NULL;
    engine->bytes += store->bytes - bytes_before;
    change_t change = {.time_ms = place->time_ms,
                       .kind = CHANGE_PUT,
                       .owner = store->owner,
                       .key = put->key,
                       .value = put->value,
                       .binary = put->binary,
                       .ttl_ms = put->ttl_ms,
                       .by = by};
    *revision = announce(engine, &change);
    return STATUS_OK;
}

status_t engine_del(engine_t *engine, store_t *store, bytes_t key, uint64_t if_revision, actor_t by,
                    const place_t *place, uint64_t *revision)
{
    kept_t kept;
    bool found = find_live(engine, store, key, place, &kept);
    if (if_revision != REVISION_ANY && if_revision != (found ? kept.revision : 0)) {
        *revision = found ? kept.revision : 0;
        return STATUS_FAILED_PRECONDITION;
    }
    if (!found)
        return STATUS_NOT_FOUND;
    *revision = remove_entry(engine, store, key, &kept, CHANGE_DEL, by, place);
    return STATUS_OK;
}

/* ---- Walks ------------------------------------------------------------------------------------ */

void engine_walk_begin(engine_walk_t *walk, const engine_t *engine, const store_t *store, bytes_t prefix,
                       const bytes_t *after, int64_t now_ms)
{
    (void)engine;
    walk->prefix = prefix;
    walk->now_ms = now_ms;
    bool from_after = after != NULL && bytes_compare(*after, prefix) >= 0;
    omap_seek(&store->map, from_after ? *after : prefix, from_after, &walk->cursor);
}

bool engine_walk_next(engine_walk_t *walk, entry_t *entry)
{
    omap_entry_t met;
    while (omap_next(&walk->cursor, &met)) {
        kept_t kept;
        if (!bytes_starts_with(met.key, walk->prefix)) {
            walk->cursor.leaf = NULL; /* the end, also when asked again */
            return false;
        }
        store_read(met.payload, met.size, &kept);
        if (!is_due(&kept, walk->now_ms)) {
            entry_read(met.key, &kept, walk->now_ms, entry);
            return true;
        }
    }
    return false;
}

bool engine_digest_prepare(engine_t *engine, store_t *store, unsigned budget)
{
    (void)engine;
    return budget > 0 && store_digest_grow(store, &budget);
}

uint64_t engine_digest(engine_t *engine, store_t *store)
{
    while (!engine_digest_prepare(engine, store, UINT32_MAX)) {
    }
    return store->digest;
}

/* ---- Time and memory -------------------------------------------------------------------------- */

int64_t engine_due(const engine_t *engine)
{
    const deadline_t *first = expiry_first(&engine->expiry);
    return first != NULL ? first->due_ms : INT64_MAX;
}

bool engine_expire(engine_t *engine, const place_t *place, unsigned budget)
{
    while (budget > 0 && expire_first(engine, place))
        budget--;
    return engine_due(engine) <= place->now_ms;
}

void engine_expire_key(engine_t *engine, store_t *store, bytes_t key, const place_t *place)
{
    kept_t kept;
    (void)find_live(engine, store, key, place, &kept);
}

bool engine_drain(engine_t *engine, unsigned budget)
{
    drain_closed(engine, &budget);
    return engine_drains(engine);
}

bool engine_drains(const engine_t *engine)
{
    return engine->closed != NULL;
}
