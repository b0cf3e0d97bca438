/* SPDX-License-Identifier: MPL-2.0 */
/* The storage engine in memory: the sequence of changes, limits, conditions, and expiry in all stores. How a
 * store keeps its entries is in store.c. */
#include "broker/engine/engine.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "broker/engine/store.h"

enum {
    HASH_SHORT = 16,     /* bytes of a short key */
    CLOSE_PIECES = 8,    /* pieces of a store's memory that are freed when it is closed */
    PREPARE_FROM = 16384 /* entries of a store; those of a smaller one are in the caches anyway */
};

struct engine {
    engine_options_t options;
    uint64_t seq;    /* of the newest change */
    uint64_t keys;   /* in all open stores */
    uint64_t bytes;  /* of keys and values in all open stores */
    uint64_t seed;   /* of the hash: random, so that nobody can choose keys that collide */
    expiry_t expiry; /* deadlines of all stores, closed ones included */
    slab_t slab;     /* memory of all stores' entries */
    store_t *open;   /* list of the open stores */
    store_t *closed; /* list of the closed stores whose memory is not freed yet */
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
    slab_init(&engine->slab);
    randombytes_buf(&engine->seed, sizeof engine->seed);
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(engine->epoch, sizeof engine->epoch, random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return engine;
}

void engine_configure(engine_t *engine, const limits_t *limits)
{
    assert(limits->key <= RECORD_KEY_MAX && limits->value <= UINT32_MAX);
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

/* Frees up to *BUDGET pieces of closed stores' memory; counts *BUDGET down. */
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
    slab_release(&(*engine)->slab);
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
    store_t *store = store_new(&engine->expiry, &engine->slab, owner);
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
    unsigned little = CLOSE_PIECES; /* most stores are small: all of it is freed now */
    drain_closed(engine, &little);
}

uint64_t store_keys(const store_t *store)
{
    return store->tree.count;
}

uint64_t store_bytes(const store_t *store)
{
    return store->bytes;
}

/* ---- Changes ---------------------------------------------------------------------------------- */

/* Gives CHANGE the next number and calls on_change. Returns the number. */
static uint64_t announce(engine_t *engine, change_t *change)
{
    change->seq = ++engine->seq;
    if (engine->options.on_change != NULL)
        engine->options.on_change(engine->options.context, change);
    return change->seq;
}

void engine_record(engine_t *engine, change_kind_t kind, void *owner, bytes_t value, const actor_t *by,
                   const place_t *place)
{
    assert(kind >= CHANGE_CONNECT && kind < CHANGE_KIND_COUNT);
    change_t change = {.time_ms = place->time_ms, .kind = kind, .owner = owner, .value = value, .by = by};
    announce(engine, &change);
}

/* Removes ENTRY and announces that as a change of KIND. */
static uint64_t remove_entry(engine_t *engine, store_t *store, found_t entry, change_kind_t kind,
                             const actor_t *by, const place_t *place)
{
    uint64_t bytes_before = store->bytes;
    change_t change = {.time_ms = place->time_ms,
                       .kind = kind,
                       .owner = store->owner,
                       .key = record_key(entry.record),
                       .by = by};
    store_remove(store, entry);
    engine->keys--;
    engine->bytes -= bytes_before - store->bytes;
    uint64_t seq = announce(engine, &change);
    store_free(store, entry);
    return seq;
}

static inline bool is_due(record_t *record, int64_t now_ms)
{
    return __builtin_expect((record->head & RECORD_MORTAL) != 0, 0) &&
           record_time(record)->deadline.due_ms <= now_ms;
}

static const actor_t nobody = {.session = 0};

/* Expires ENTRY, which is due. */
static void expire(engine_t *engine, store_t *store, found_t entry, const place_t *place)
{
    remove_entry(engine, store, entry, CHANGE_EXPIRE, &nobody, place);
}

/* Expires the entry with the earliest deadline, if it is due; a deadline of a closed store is only removed.
 * Returns whether there was one. */
static bool expire_first(engine_t *engine, const place_t *place)
{
    deadline_t *deadline = expiry_first(&engine->expiry);
    if (deadline == NULL || deadline->due_ms > place->now_ms)
        return false;
    store_t *store = record_time(record_at(&engine->slab, deadline->owner))->store;
    if (store->closed)
        expiry_remove(&engine->expiry, deadline);
    else
        expire(engine, store, store_entry(store, deadline->owner), place);
    return true;
}

/* Returns ENTRY, which was looked up; if it is due, expires it and returns none. */
static found_t live(engine_t *engine, store_t *store, found_t entry, const place_t *place)
{
    if (entry.record == NULL || !is_due(entry.record, place->now_ms))
        return entry;
    expire(engine, store, entry, place);
    return (found_t){.handle = 0};
}

/* ---- Entries ---------------------------------------------------------------------------------- */

static void entry_read(record_t *record, int64_t now_ms, entry_t *entry)
{
    entry->key = record_key(record);
    entry->value = record_value(record);
    entry->binary = (record->head & RECORD_BINARY) != 0;
    entry->revision = record_revision(record);
    entry->ttl_ms = (record->head & RECORD_MORTAL) != 0 ? record_time(record)->deadline.due_ms - now_ms : -1;
}

/* A separate function, so that hashing a short key saves no registers. */
static __attribute__((noinline)) uint64_t hash_long(bytes_t key, uint64_t seed)
{
    return XXH3_64bits_withSeed(key.data, key.size, seed);
}

static inline lookup_t lookup_of(const engine_t *engine, bytes_t key)
{
    if (__builtin_expect(key.size <= HASH_SHORT, 1))
        return (lookup_t){.hash = XXH3_64bits_withSeed(key.data, key.size, engine->seed)};
    return (lookup_t){.hash = hash_long(key, engine->seed)};
}

lookup_t engine_lookup(const engine_t *engine, bytes_t key)
{
    return lookup_of(engine, key);
}

/* Flattened, so that the short hash is inlined. */
__attribute__((flatten)) void engine_lookup_all(const engine_t *engine, const bytes_t *keys, unsigned count,
                                                lookup_t *lookups)
{
    for (unsigned i = 0; i < count; i++)
        lookups[i] = lookup_of(engine, keys[i]);
}

uint64_t engine_prepare(const engine_t *engine, const store_t *store, lookup_t *lookups, unsigned count)
{
    (void)engine;
    return index_prefetch(&store->index, lookups, count);
}

void engine_prepare_new(const engine_t *engine, const store_t *store, const bytes_t *keys, unsigned count)
{
    (void)engine;
    tree_prefetch(&store->tree, keys, count);
}

void engine_foresee(const engine_t *engine, const store_t *const *stores, const bytes_t *keys, unsigned count)
{
    const index_t *indexes[ENGINE_PREPARE_MAX];
    lookup_t lookups[ENGINE_PREPARE_MAX];
    unsigned some = 0;
    if (engine->keys < PREPARE_FROM)
        return;
    for (unsigned i = 0; i < count; i++) {
        if (stores[i]->index.count == 0)
            continue;
        indexes[some] = &stores[i]->index;
        lookups[some++] = lookup_of(engine, keys[i]);
    }
    index_prefetch_each(indexes, lookups, some);
}

bool engine_prepares(const engine_t *engine, const store_t *store)
{
    (void)engine;
    return store_keys(store) >= PREPARE_FROM;
}

status_t engine_get(const engine_t *engine, const store_t *store, bytes_t key, lookup_t lookup,
                    int64_t now_ms, entry_t *entry)
{
    (void)engine;
    record_t *record = store_find(store, key, lookup).record;
    if (record == NULL || is_due(record, now_ms))
        return STATUS_NOT_FOUND;
    entry_read(record, now_ms, entry);
    return STATUS_OK;
}

/* The value of any entry. */
static __attribute__((noinline)) value_t value_of_any(const store_t *store, bytes_t key, lookup_t lookup,
                                                      int64_t now_ms)
{
    record_t *record = store_find(store, key, lookup).record;
    if (record == NULL || is_due(record, now_ms))
        return (value_t){.bytes = {0}};
    return (value_t){.bytes = record_value(record), .binary = (record->head & RECORD_BINARY) != 0};
}

void engine_values(const engine_t *engine, const store_t *store, const bytes_t *keys, const lookup_t *lookups,
                   unsigned count, int64_t now_ms, value_t *values)
{
    (void)engine;
    for (unsigned i = 0; i < count; i++) {
        record_t *record =
            record_key_short(keys[i]) ? index_find_short(&store->index, lookups[i], keys[i]).record : NULL;
        if (__builtin_expect(record == NULL || (record->head & RECORD_PARTS) != 0, 0)) {
            values[i] = value_of_any(store, keys[i], lookups[i], now_ms);
            continue;
        }
        values[i].bytes = bytes_of(record->data + record->key_size, record->value_size);
        values[i].binary = (record->head & RECORD_BINARY) != 0;
    }
}

/* The limit that PUT would exceed, or NULL. An entry that does not grow exceeds none. */
static inline const char *limit_passed(const engine_t *engine, const store_t *store, const put_t *put,
                                       record_t *old)
{
    const limits_t *limits = engine->options.limits;
    uint64_t more = put->value.size + (old != NULL ? 0 : put->key.size);
    uint64_t less = old != NULL ? record_value(old).size : 0;
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

/* The revision of RECORD, 0 = there is none. */
static inline uint64_t revision_of(const record_t *record)
{
    return record != NULL ? record_revision(record) : 0;
}

/* Writes PUT in place of OLD, as engine_put does, but without announcing it. */
static status_t put_within_limits(engine_t *engine, store_t *store, const put_t *put, const place_t *place,
                                  found_t old, const char **limit)
{
    const char *passed;
    unsigned budget = ENGINE_EXPIRE_MAX + 1;
    while ((passed = limit_passed(engine, store, put, old.record)) != NULL)
        if (--budget == 0 || !expire_first(engine, place)) { /* never OLD, which is not due */
            *limit = budget == 0 ? NULL : passed;
            return STATUS_RESOURCE_EXHAUSTED;
        }
    uint64_t bytes_before = store->bytes;
    int64_t due_ms = place->now_ms + (int64_t)put->ttl_ms;
    if (!(old.record == NULL ? store_add(store, put, engine->seq + 1, due_ms)
                             : store_change(store, put, engine->seq + 1, due_ms, old)))
        return STATUS_UNAVAILABLE;
    engine->keys += old.record == NULL;
    engine->bytes += store->bytes - bytes_before;
    return STATUS_OK;
}

/* The same, but expires OLD first if it is due, and checks PUT's condition. A separate function, as most puts
 * need none of this. */
static __attribute__((noinline)) status_t put_any(engine_t *engine, store_t *store, const put_t *put,
                                                  const place_t *place, found_t old, uint64_t *revision,
                                                  const char **limit)
{
    assert(put->key.size >= 1 && put->key.size <= engine->options.limits->key);
    assert(put->value.size <= engine->options.limits->value && put->ttl_ms <= LIMIT_TTL_MS);
    old = live(engine, store, old, place);
    if (put->if_revision != REVISION_ANY && put->if_revision != revision_of(old.record)) {
        *revision = revision_of(old.record);
        return STATUS_FAILED_PRECONDITION;
    }
    return put_within_limits(engine, store, put, place, old, limit);
}

status_t engine_put(engine_t *engine, store_t *store, const put_t *put, const actor_t *by,
                    const place_t *place, uint64_t *revision, const char **limit)
{
    found_t old = store_find(store, put->key, put->lookup);
    bool done = put->if_revision == REVISION_ANY && old.record != NULL &&
                store_overwrite(store, put, engine->seq + 1, old.record);
    if (__builtin_expect(!done, 0)) {
        status_t status = put_any(engine, store, put, place, old, revision, limit);
        if (status != STATUS_OK)
            return status;
    }
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

status_t engine_del(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup, uint64_t if_revision,
                    const actor_t *by, const place_t *place, uint64_t *revision)
{
    found_t entry = live(engine, store, store_find(store, key, lookup), place);
    if (if_revision != REVISION_ANY && if_revision != revision_of(entry.record)) {
        *revision = revision_of(entry.record);
        return STATUS_FAILED_PRECONDITION;
    }
    if (entry.record == NULL)
        return STATUS_NOT_FOUND;
    *revision = remove_entry(engine, store, entry, CHANGE_DEL, by, place);
    return STATUS_OK;
}

/* ---- Walks ------------------------------------------------------------------------------------ */

void engine_walk_begin(engine_walk_t *walk, const engine_t *engine, const store_t *store, bytes_t prefix,
                       const bytes_t *after, int64_t now_ms)
{
    (void)engine;
    walk->prefix = prefix;
    walk->now_ms = now_ms;
    walk->store = store;
    bool from_after = after != NULL && bytes_compare(*after, prefix) >= 0;
    tree_seek(&store->tree, from_after ? *after : prefix, from_after, &walk->cursor);
}

bool engine_walk_next(engine_walk_t *walk, entry_t *entry)
{
    uint32_t met;
    while ((met = tree_next(&walk->cursor)) != 0) {
        record_t *record = record_at(walk->store->slab, met);
        if (!bytes_starts_with(record_key(record), walk->prefix)) {
            walk->cursor.leaf = NULL; /* further calls return false too */
            return false;
        }
        if (!is_due(record, walk->now_ms)) {
            entry_read(record, walk->now_ms, entry);
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

void engine_expire_key(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup, const place_t *place)
{
    (void)live(engine, store, store_find(store, key, lookup), place);
}

bool engine_drain(engine_t *engine, unsigned budget)
{
    drain_closed(engine, &budget);
    (void)slab_trim(&engine->slab, &budget);
    return engine_drains(engine);
}

bool engine_drains(const engine_t *engine)
{
    return engine->closed != NULL || slab_trims(&engine->slab);
}
