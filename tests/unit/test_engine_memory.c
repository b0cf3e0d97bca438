/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the storage engine if memory is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/engine.h"
#include "broker/engine/slab.h"
#include "tests/support/refuse_memory.h"
#include "tests/support/scatter.h"
#include "tests/support/volume.h"

enum { KEYS = 3000, PUTS = 30000 };

uint32_t __real_slab_take(slab_t *slab, size_t size);
uint32_t __wrap_slab_take(slab_t *slab, size_t size);

/* The slab seldom asks the system for memory, so let each of its blocks be refused too. */
uint32_t __wrap_slab_take(slab_t *slab, size_t size)
{
    return refuse_memory() ? 0 : __real_slab_take(slab, size);
}

static bytes_t make_key(uint64_t n, uint8_t room[LIMIT_KEY_MAX])
{
    uint64_t number = scatter(n);
    size_t size = n % 50 == 0 ? LIMIT_KEY_MAX : 16;
    memset(room, (int)(n % 7), size);
    memcpy(room, &number, sizeof number);
    return bytes_of(room, size);
}

static uint64_t count_walked(engine_t *engine, store_t *store)
{
    engine_walk_t walk;
    entry_t entry;
    uint64_t count = 0;
    engine_walk_begin(&walk, engine, store, (bytes_t){0}, NULL, 0);
    while (engine_walk_next(&walk, &entry))
        count++;
    return count;
}

/* Repeats a put with its first allocation refused, then its second, and so on, until it succeeds. */
static void put_with_refusals(engine_t *engine, store_t *store, const put_t *put)
{
    put_t found = *put;
    found.lookup = engine_lookup(engine, put->key);
    for (int granted = 0;; granted++) {
        uint64_t digest = engine_digest(engine, store);
        uint64_t keys = store_keys(store);
        uint64_t bytes = store_bytes(store);
        uint64_t seq = engine_seq(engine);
        uint64_t revision = 0;
        const char *limit = "";
        refuse_after = granted;
        status_t status = engine_put(engine, store, &found, &(actor_t){0}, &(place_t){0}, &revision, &limit);
        refuse_after = REFUSE_NEVER;
        if (status == STATUS_OK)
            return;
        assert_int_equal(status, STATUS_UNAVAILABLE);
        assert_int_equal(engine_digest(engine, store), digest);
        assert_int_equal(store_keys(store), keys);
        assert_int_equal(store_bytes(store), bytes);
        assert_int_equal(engine_seq(engine), seq);
    }
}

static void put__each_allocation_refused_in_turn__changes_nothing_until_it_succeeds(void **state)
{
    (void)state;
    static uint8_t value[600];
    uint8_t room[LIMIT_KEY_MAX];
    limits_t limits = LIMITS_DEFAULT;
    uint64_t puts = volume(PUTS, PUTS / 10);
    engine_t *engine = engine_new(&(engine_options_t){.limits = &limits});
    assert_non_null(engine);
    store_t *store = engine_open(engine, NULL);
    assert_non_null(store);
    for (uint64_t i = 0; i < puts; i++) {
        put_t put = {.key = make_key(scatter(i) % KEYS, room),
                     .value = bytes_of(value, scatter(i + 1) % (i % 9 == 0 ? sizeof value : 64)),
                     .ttl_ms = i % 5 == 0 ? 1000 : 0,
                     .if_revision = REVISION_ANY};
        put_with_refusals(engine, store, &put);
    }
    assert_true(refused > puts / 10);
    assert_int_equal(count_walked(engine, store), store_keys(store));
    engine_destroy(&engine);
}

static void del__all_allocations_refused__still_deletes(void **state)
{
    (void)state;
    uint8_t room[LIMIT_KEY_MAX];
    limits_t limits = LIMITS_DEFAULT;
    uint64_t revision;
    const char *limit;
    engine_t *engine = engine_new(&(engine_options_t){.limits = &limits});
    assert_non_null(engine);
    store_t *store = engine_open(engine, NULL);
    assert_non_null(store);
    for (uint64_t i = 0; i < KEYS; i++) {
        put_t put = {
            .key = make_key(i, room), .value = bytes_from_text("value"), .if_revision = REVISION_ANY};
        put.lookup = engine_lookup(engine, put.key);
        assert_int_equal(engine_put(engine, store, &put, &(actor_t){0}, &(place_t){0}, &revision, &limit),
                         STATUS_OK);
    }
    refuse_after = 0;
    for (uint64_t i = 0; i < KEYS; i++)
        assert_int_equal(engine_del(engine, store, make_key(i, room),
                                    engine_lookup(engine, make_key(i, room)), REVISION_ANY, &(actor_t){0},
                                    &(place_t){0}, &revision),
                         STATUS_OK);
    refuse_after = REFUSE_NEVER;
    assert_int_equal(count_walked(engine, store), 0);
    engine_destroy(&engine);
}

static void open__memory_refused__is_null(void **state)
{
    (void)state;
    limits_t limits = LIMITS_DEFAULT;
    engine_t *engine = engine_new(&(engine_options_t){.limits = &limits});
    assert_non_null(engine);
    refuse_after = 0;
    assert_null(engine_open(engine, NULL));
    assert_null(engine_new(&(engine_options_t){.limits = &limits}));
    refuse_after = REFUSE_NEVER;
    engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put__each_allocation_refused_in_turn__changes_nothing_until_it_succeeds),
        cmocka_unit_test(del__all_allocations_refused__still_deletes),
        cmocka_unit_test(open__memory_refused__is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
