/* SPDX-License-Identifier: MPL-2.0 */
/* Random operations on the engine and on a simple model: an array of all possible keys in their order, and
 * for each store the value of every key. KV_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <xxhash.h>

#include "broker/engine/engine.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"

enum {
    OPERATIONS = 400000,
    VALGRIND_DIVISOR = 8, /* under valgrind, divides OPERATIONS */
    KEYS = 2000,          /* possible keys */
    STORES = 3,
    LONGEST_VALUE = 3000,
    DIGEST_EVERY = 2048 /* operations between two checks of a digest */
};

typedef struct cell {
    bool present;
    bool binary;
    uint8_t *value; /* owned */
    size_t size;
    uint64_t revision;
    int64_t due_ms; /* INT64_MAX = never */
} cell_t;

typedef struct model_store {
    store_t *store;
    cell_t cells[KEYS];
    lookup_t lookups[KEYS]; /* as they were last prepared, however long ago that is; all 0: never */
    uint64_t keys;
    uint64_t bytes;
} model_store_t;

typedef struct model {
    engine_t *engine;
    limits_t limits;
    bytes_t keys[KEYS]; /* in order; owned */
    model_store_t stores[STORES];
    uint64_t seq;
    int64_t now_ms;
    chance_t random;
    bool in_order;            /* expiries must come in the order of their times, then of their revisions */
    int64_t last_due_ms;      /* of the last expiry */
    uint64_t last_revision;   /* of the last expiry */
    const change_t *expected; /* the change, besides expiries, that the current call may make */
    bool made;                /* the current call has made it */
} model_t;

/* ---- Chance ----------------------------------------------------------------------------------- */

static size_t below(model_t *model, size_t limit)
{
    return chance_below(&model->random, limit);
}

static bool chance(model_t *model, unsigned percent)
{
    return below(model, 100) < percent;
}

/* Makes a key of one of the kinds that could cause trouble. */
static size_t make_key(model_t *model, uint8_t key[LIMIT_KEY_MAX])
{
    size_t size;
    switch (below(model, 6)) {
    case 0: /* text with numbers */
        return (size_t)snprintf((char *)key, LIMIT_KEY_MAX, "sensor/%zu/temperature", below(model, 5000));
    case 1: /* a long shared prefix */
        memset(key, 'p', 300);
        return 300 + (size_t)snprintf((char *)key + 300, 20, "%zu", below(model, 100000));
    case 2: /* prefixes of each other */
        size = 1 + below(model, 400);
        memset(key, 0, size);
        return size;
    case 3: /* the longest */
        memset(key, (int)below(model, 2) * 0xff, LIMIT_KEY_MAX);
        size = below(model, 1 << 20);
        memcpy(key + LIMIT_KEY_MAX - sizeof size, &size, sizeof size);
        return LIMIT_KEY_MAX;
    case 4: /* few different bytes, many common prefixes */
        size = 1 + below(model, 24);
        for (size_t i = 0; i < size; i++)
            key[i] = (uint8_t)(below(model, 2) * 0xff);
        return size;
    default: /* random bytes */
        size = 1 + below(model, 20);
        for (size_t i = 0; i < size; i++)
            key[i] = (uint8_t)below(model, 256);
        return size;
    }
}

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const bytes_t *)a, *(const bytes_t *)b);
}

/* Makes KEYS different keys and sorts them. */
static void make_keys(model_t *model)
{
    uint8_t key[LIMIT_KEY_MAX];
    for (size_t count = 0; count < KEYS;) {
        bytes_t fresh = bytes_of(key, make_key(model, key));
        bool known = false;
        for (size_t i = 0; i < count && !known; i++)
            known = bytes_equal(model->keys[i], fresh);
        if (known)
            continue;
        uint8_t *copy = malloc(fresh.size);
        assert_non_null(copy);
        memcpy(copy, key, fresh.size);
        model->keys[count++] = bytes_of(copy, fresh.size);
    }
    qsort(model->keys, KEYS, sizeof *model->keys, compare_keys);
}

/* ---- The model -------------------------------------------------------------------------------- */

static size_t key_index(const model_t *model, bytes_t key)
{
    bytes_t *found = bsearch(&key, model->keys, KEYS, sizeof key, compare_keys);
    assert_non_null(found);
    return (size_t)(found - model->keys);
}

static void cell_clear(const model_t *model, model_store_t *store, size_t key)
{
    cell_t *cell = &store->cells[key];
    assert_true(cell->present);
    store->keys--;
    store->bytes -= model->keys[key].size + cell->size;
    free(cell->value);
    *cell = (cell_t){0};
}

static void cell_set(const model_t *model, model_store_t *store, size_t key, const put_t *put,
                     uint64_t revision)
{
    cell_t *cell = &store->cells[key];
    if (cell->present)
        cell_clear(model, store, key);
    store->keys++;
    store->bytes += put->key.size + put->value.size;
    uint8_t *value = malloc(put->value.size + 1);
    assert_non_null(value);
    memcpy(value, put->value.data, put->value.size);
    *cell = (cell_t){.present = true,
                     .binary = put->binary,
                     .value = value,
                     .size = put->value.size,
                     .revision = revision,
                     .due_ms = put->ttl_ms == 0 ? INT64_MAX : model->now_ms + (int64_t)put->ttl_ms};
}

/* Checks a change of the engine: an expiry must be due, and is applied to the model. Any other change must be
 * the expected one. */
static void on_change(void *context, change_t *change)
{
    model_t *model = context;
    assert_int_equal(change->seq, ++model->seq);
    if (change->kind == CHANGE_EXPIRE) {
        model_store_t *store = change->owner;
        size_t key = key_index(model, change->key);
        const cell_t *cell = &store->cells[key];
        assert_true(cell->present);
        assert_true(cell->due_ms <= model->now_ms);
        if (model->in_order)
            assert_true(cell->due_ms > model->last_due_ms ||
                        (cell->due_ms == model->last_due_ms && cell->revision > model->last_revision));
        model->last_due_ms = cell->due_ms;
        model->last_revision = cell->revision;
        assert_int_equal(change->by->client.size, 0);
        cell_clear(model, store, key);
        return;
    }
    const change_t *expected = model->expected;
    assert_non_null(expected);
    assert_false(model->made);
    model->made = true;
    assert_int_equal(change->kind, expected->kind);
    assert_ptr_equal(change->owner, expected->owner);
    assert_true(bytes_equal(change->key, expected->key));
    assert_true(bytes_equal(change->value, expected->value));
    assert_int_equal(change->binary, expected->binary);
    assert_int_equal(change->ttl_ms, expected->ttl_ms);
    assert_true(bytes_equal(change->by->client, expected->by->client));
}

static void expect(model_t *model, const change_t *change)
{
    model->expected = change;
    model->made = false;
}

static bool live(const model_t *model, const cell_t *cell)
{
    return cell->present && cell->due_ms > model->now_ms;
}

static void assert_entry(const model_t *model, size_t key, const cell_t *cell, const entry_t *entry)
{
    assert_true(bytes_equal(entry->key, model->keys[key]));
    assert_true(bytes_equal(entry->value, bytes_of(cell->value, cell->size)));
    assert_int_equal(entry->binary, cell->binary);
    assert_int_equal(entry->revision, cell->revision);
    assert_int_equal(entry->ttl_ms, cell->due_ms == INT64_MAX ? -1 : cell->due_ms - model->now_ms);
}

/* ---- Operations ------------------------------------------------------------------------------- */

/* Returns how a key is looked up. Some keys collide: small groups of keys, and one large group. */
static lookup_t key_lookup(const model_t *model, size_t key)
{
    if (key % 16 == 0)
        return (lookup_t){.hash = key / 320};
    if (key % 4 == 0)
        return (lookup_t){.hash = UINT64_MAX};
    return engine_lookup(model->engine, model->keys[key]);
}

/* The same, or what the last prepare of KEY in STORE made of it, however long ago that was. */
static lookup_t any_lookup(const model_t *model, const model_store_t *store, size_t key)
{
    lookup_t kept = store->lookups[key];
    return kept.seen != 0 ? kept : key_lookup(model, key);
}

static void do_get(model_t *model, model_store_t *store, size_t key)
{
    entry_t entry;
    cell_t *cell = &store->cells[key];
    bool there = live(model, cell);
    status_t status = engine_get(model->engine, store->store, model->keys[key], any_lookup(model, store, key),
                                 model->now_ms, &entry);
    assert_int_equal(status, there ? STATUS_OK : STATUS_NOT_FOUND);
    if (there)
        assert_entry(model, key, cell, &entry);
}

/* Reads the values of some keys at once. */
static void do_values(const model_t *model, const model_store_t *store, const size_t *chosen, unsigned count)
{
    bytes_t keys[ENGINE_PREPARE_MAX];
    lookup_t lookups[ENGINE_PREPARE_MAX];
    value_t values[ENGINE_PREPARE_MAX];
    for (unsigned i = 0; i < count; i++) {
        keys[i] = model->keys[chosen[i]];
        lookups[i] = any_lookup(model, store, chosen[i]);
    }
    engine_values(model->engine, store->store, keys, lookups, count, model->now_ms, values);
    for (unsigned i = 0; i < count; i++) {
        entry_t entry;
        status_t status = engine_get(model->engine, store->store, keys[i], lookups[i], model->now_ms, &entry);
        assert_int_equal(values[i].bytes.data != NULL, status == STATUS_OK);
        if (status != STATUS_OK)
            continue;
        assert_ptr_equal(values[i].bytes.data, entry.value.data);
        assert_int_equal(values[i].bytes.size, entry.value.size);
        assert_int_equal(values[i].binary, entry.binary);
    }
}

static uint64_t pick_condition(model_t *model, const cell_t *cell)
{
    switch (below(model, 8)) {
    case 0:
        return 0;
    case 1:
        return cell->revision;
    case 2:
        return 1 + below(model, (size_t)model->seq + 1);
    default:
        return REVISION_ANY;
    }
}

static size_t pick_size(model_t *model)
{
    switch (below(model, 16)) {
    case 0:
        return 950 + below(model, 80); /* around the longest value that fits in a record */
    case 1:
        return below(model, LONGEST_VALUE);
    default:
        return below(model, 64);
    }
}

/* Checks a refusal: the limit that it names would have been exceeded, and no entry is due whose expiry would
 * make room. */
static void assert_refused(const model_t *model, const model_store_t *store, const cell_t *cell,
                           const put_t *put, const char *limit)
{
    uint64_t total = 0;
    for (size_t s = 0; s < STORES; s++) {
        total += model->stores[s].bytes;
        for (size_t i = 0; i < KEYS; i++)
            assert_true(!model->stores[s].cells[i].present || live(model, &model->stores[s].cells[i]));
    }
    uint64_t more = put->value.size + (cell->present ? 0 : put->key.size);
    uint64_t less = cell->present ? cell->size : 0;
    if (strcmp(limit, "limits/keys_per_client") == 0)
        assert_true(!cell->present && store->keys == model->limits.keys_per_client);
    else if (strcmp(limit, "limits/bytes_per_client") == 0)
        assert_true(store->bytes + more - less > model->limits.bytes_per_client);
    else if (strcmp(limit, "limits/bytes_total") == 0)
        assert_true(total + more - less > model->limits.bytes_total);
    else
        fail_msg("unknown limit %s", limit);
}

static void assert_within_limits(const model_t *model, const model_store_t *store)
{
    uint64_t keys = 0;
    uint64_t total = 0;
    for (size_t s = 0; s < STORES; s++) {
        keys += model->stores[s].keys;
        total += model->stores[s].bytes;
    }
    assert_true(store->keys <= model->limits.keys_per_client);
    assert_true(store->bytes <= model->limits.bytes_per_client);
    assert_true(total <= model->limits.bytes_total);
    assert_int_equal(store_keys(store->store), store->keys);
    assert_int_equal(store_bytes(store->store), store->bytes);
    assert_int_equal(engine_keys(model->engine), keys);
    assert_int_equal(engine_bytes(model->engine), total);
}

static void do_put(model_t *model, model_store_t *store, size_t key)
{
    uint8_t value[LONGEST_VALUE];
    cell_t *cell = &store->cells[key];
    size_t size = pick_size(model);
    memset(value, (int)below(model, 256), size);
    put_t put = {.key = model->keys[key],
                 .lookup = any_lookup(model, store, key),
                 .value = bytes_of(value, size),
                 .binary = chance(model, 30),
                 .ttl_ms = chance(model, 40) ? 1 + below(model, 5000) : 0,
                 .if_revision = pick_condition(model, cell)};
    actor_t by = {.client = bytes_from_text("48106"), .user = bytes_from_text("adam")};
    change_t change = {.kind = CHANGE_PUT,
                       .owner = store,
                       .key = put.key,
                       .value = put.value,
                       .binary = put.binary,
                       .ttl_ms = put.ttl_ms,
                       .by = &by};
    uint64_t has = live(model, cell) ? cell->revision : 0;
    uint64_t revision = 0;
    const char *limit = NULL;
    expect(model, &change);
    status_t status = engine_put(model->engine, store->store, &put, &by, &(place_t){.now_ms = model->now_ms},
                                 &revision, &limit);
    assert_int_equal(model->made, status == STATUS_OK);
    expect(model, NULL);
    if (put.if_revision != REVISION_ANY && put.if_revision != has) {
        assert_int_equal(status, STATUS_FAILED_PRECONDITION);
        assert_int_equal(revision, has);
    } else if (status == STATUS_RESOURCE_EXHAUSTED) {
        assert_refused(model, store, cell, &put, limit);
    } else {
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(revision, model->seq);
        cell_set(model, store, key, &put, revision);
        assert_within_limits(model, store);
    }
}

static void do_del(model_t *model, model_store_t *store, size_t key)
{
    cell_t *cell = &store->cells[key];
    uint64_t condition = pick_condition(model, cell);
    uint64_t has = live(model, cell) ? cell->revision : 0;
    uint64_t revision = 0;
    change_t change = {
        .kind = CHANGE_DEL, .owner = store, .key = model->keys[key], .by = &(actor_t){.client = {0}}};
    expect(model, &change);
    status_t status = engine_del(model->engine, store->store, model->keys[key], any_lookup(model, store, key),
                                 condition, change.by, &(place_t){.now_ms = model->now_ms}, &revision);
    assert_int_equal(model->made, status == STATUS_OK);
    expect(model, NULL);
    if (condition != REVISION_ANY && condition != has) {
        assert_int_equal(status, STATUS_FAILED_PRECONDITION);
        assert_int_equal(revision, has);
    } else if (has == 0) {
        assert_int_equal(status, STATUS_NOT_FOUND);
        assert_false(cell->present);
    } else {
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(revision, model->seq);
        cell_clear(model, store, key);
    }
}

static void do_list(model_t *model, model_store_t *store)
{
    bytes_t prefix = model->keys[below(model, KEYS)];
    bytes_t after = model->keys[below(model, KEYS)];
    bool has_after = chance(model, 50);
    size_t limit = chance(model, 90) ? 1 + below(model, 60) : KEYS;
    prefix.size = chance(model, 30) ? 0 : chance(model, 30) ? prefix.size : below(model, prefix.size + 1);
    after.size = chance(model, 70) ? after.size : below(model, after.size + 1);
    if (chance(model, 10))
        after = prefix;
    engine_walk_t walk;
    entry_t entry;
    size_t key = 0;
    engine_walk_begin(&walk, model->engine, store->store, prefix, has_after ? &after : NULL, model->now_ms);
    for (size_t given = 0; given < limit; given++) {
        bool more = engine_walk_next(&walk, &entry);
        for (; key < KEYS; key++)
            if (live(model, &store->cells[key]) && bytes_starts_with(model->keys[key], prefix) &&
                (!has_after || bytes_compare(model->keys[key], after) > 0))
                break;
        assert_int_equal(more, key < KEYS);
        if (!more) {
            assert_false(engine_walk_next(&walk, &entry));
            return;
        }
        assert_entry(model, key, &store->cells[key], &entry);
        key++;
    }
}

static void check_digest(model_t *model, model_store_t *store)
{
    uint64_t digest = 0;
    bool ready = engine_digest_prepare(model->engine, store->store, (unsigned)below(model, 100));
    if (!ready && chance(model, 80))
        return; /* mostly, so that changes come before the digest is ready */
    (void)engine_expire(model->engine, &(place_t){.now_ms = model->now_ms}, UINT32_MAX);
    uint64_t got = engine_digest(model->engine, store->store);
    for (size_t i = 0; i < KEYS; i++) {
        const cell_t *cell = &store->cells[i];
        if (!cell->present)
            continue;
        uint8_t bytes[LIMIT_KEY_MAX + LONGEST_VALUE + 13];
        uint32_t key_size = (uint32_t)model->keys[i].size;
        assert_true(live(model, cell));
        memcpy(bytes, &key_size, 4); /* requires a little-endian machine */
        memcpy(bytes + 4, model->keys[i].data, key_size);
        bytes[4 + key_size] = cell->binary ? 1 : 0;
        memcpy(bytes + 5 + key_size, cell->value, cell->size);
        memcpy(bytes + 5 + key_size + cell->size, &cell->revision, 8);
        digest ^= XXH64(bytes, 13 + key_size + cell->size, 0);
    }
    assert_int_equal(got, digest);
    assert_within_limits(model, store);
}

/* Prepares some keys. A prepare is only a hint and must not change anything. */
static void do_prepare(model_t *model, model_store_t *store)
{
    size_t chosen[ENGINE_PREPARE_MAX];
    bytes_t keys[ENGINE_PREPARE_MAX];
    lookup_t lookups[ENGINE_PREPARE_MAX];
    unsigned count = (unsigned)below(model, ENGINE_PREPARE_MAX + 1);
    for (unsigned i = 0; i < count; i++) {
        size_t key = below(model, KEYS);
        keys[i] = model->keys[key];
        lookups[i] = key_lookup(model, key);
        chosen[i] = key;
    }
    uint64_t absent = engine_prepare(model->engine, store->store, lookups, count);
    engine_prepare_new(model->engine, store->store, keys, count);
    for (unsigned i = 0; i < count; i++) {
        store->lookups[chosen[i]] = lookups[i];
        assert_true((lookups[i].seen == 0) == ((absent >> i & 1) != 0));
    }
    do_values(model, store, chosen, count);
}

static void do_tick(model_t *model)
{
    bool drains = engine_drain(model->engine, (unsigned)below(model, 50));
    assert_int_equal(drains, engine_drains(model->engine));
    model->in_order = true;
    model->last_due_ms = INT64_MIN;
    bool more = engine_expire(model->engine, &(place_t){.now_ms = model->now_ms}, (unsigned)below(model, 50));
    model->in_order = false;
    assert_int_equal(more, engine_due(model->engine) <= model->now_ms);
    if (more)
        return;
    for (size_t s = 0; s < STORES; s++)
        for (size_t i = 0; i < KEYS; i++)
            assert_true(!model->stores[s].cells[i].present || live(model, &model->stores[s].cells[i]));
}

static void do_reopen(model_t *model, model_store_t *store)
{
    engine_close(model->engine, &store->store);
    assert_null(store->store);
    for (size_t i = 0; i < KEYS; i++)
        if (store->cells[i].present)
            cell_clear(model, store, i);
    memset(store->lookups, 0, sizeof store->lookups);
    store->store = engine_open(model->engine, store);
    assert_non_null(store->store);
    assert_int_equal(engine_digest(model->engine, store->store), 0);
}

static void do_something(model_t *model)
{
    model_store_t *store = &model->stores[below(model, STORES)];
    size_t key = below(model, KEYS);
    size_t dice = below(model, 1000);
    if (dice < 430)
        do_put(model, store, key);
    else if (dice < 730)
        do_get(model, store, key);
    else if (dice < 880)
        do_del(model, store, key);
    else if (dice < 895)
        do_list(model, store);
    else if (dice < 897)
        do_tick(model);
    else if (dice < 910)
        do_prepare(model, store);
    else if (dice < 999)
        model->now_ms += chance(model, 1) && chance(model, 10) ? 4000 : (int64_t)below(model, 3);
    else if (chance(model, 5))
        do_reopen(model, store);
}

/* ---- The run ---------------------------------------------------------------------------------- */

static void engine__random_operations__agree_with_the_model(void **state)
{
    (void)state;
    model_t *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->random = chance_from(chance_seed());
    model->now_ms = 1000;
    model->limits = (limits_t)LIMITS_DEFAULT;
    model->limits.keys_per_client = KEYS / 2;
    model->limits.bytes_per_client = 350000;
    model->limits.bytes_total = 900000;
    make_keys(model);
    model->engine =
        engine_new(&(engine_options_t){.limits = &model->limits, .on_change = on_change, .context = model});
    assert_non_null(model->engine);
    for (size_t s = 0; s < STORES; s++) {
        model->stores[s].store = engine_open(model->engine, &model->stores[s]);
        assert_non_null(model->stores[s].store);
    }
    size_t operations = volume(chance_rounds(OPERATIONS), OPERATIONS / VALGRIND_DIVISOR);
    for (size_t i = 0; i < operations; i++) {
        do_something(model);
        if (i % DIGEST_EVERY == 0)
            check_digest(model, &model->stores[below(model, STORES)]);
    }
    for (size_t s = 0; s < STORES; s++) {
        check_digest(model, &model->stores[s]);
        do_reopen(model, &model->stores[s]);
    }
    engine_destroy(&model->engine);
    for (size_t i = 0; i < KEYS; i++)
        free((void *)(uintptr_t)model->keys[i].data);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine__random_operations__agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
