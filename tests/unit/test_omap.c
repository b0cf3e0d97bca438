/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the ordered map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/omap_warm.h"
#include "tests/support/volume.h"

enum { SEED = 42 };

static int map_setup(void **state)
{
    static omap_t map;
    omap_init(&map, SEED);
    *state = &map;
    return 0;
}

static int map_teardown(void **state)
{
    omap_release(*state);
    return 0;
}

/* A number that depends on N alone and looks random. */
static uint64_t scatter(uint64_t n)
{
    n = (n ^ (n >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return n ^ (n >> 32);
}

static void put_number(omap_t *map, bytes_t key, uint64_t number)
{
    bool added;
    void *payload = omap_put(map, key, sizeof number, &added);
    assert_non_null(payload);
    assert_true(added);
    memcpy(payload, &number, sizeof number);
}

static void assert_number(const omap_t *map, bytes_t key, uint64_t number)
{
    size_t size;
    uint64_t kept;
    void *payload = omap_find(map, key, &size);
    assert_non_null(payload);
    assert_int_equal(size, sizeof kept);
    memcpy(&kept, payload, sizeof kept);
    assert_int_equal(kept, number);
}

/* Walks the whole map: keys ascend strictly and there are COUNT of them. */
static void assert_in_order(const omap_t *map, uint64_t count)
{
    omap_cursor_t cursor;
    omap_entry_t entry;
    bytes_t last = {0};
    uint64_t seen = 0;
    for (omap_seek(map, (bytes_t){0}, false, &cursor); omap_next(&cursor, &entry); seen++) {
        assert_true(seen == 0 || bytes_compare(last, entry.key) < 0);
        last = entry.key;
    }
    assert_int_equal(seen, count);
    assert_int_equal(map->count, count);
}

typedef bytes_t key_fn(uint64_t n, uint8_t *room);

static bytes_t ascending_key(uint64_t n, uint8_t *room)
{
    return bytes_of(room, (size_t)snprintf((char *)room, OMAP_KEY_MAX, "k%08llu", (unsigned long long)n));
}

static bytes_t descending_key(uint64_t n, uint8_t *room)
{
    return ascending_key(99999999 - n, room);
}

static bytes_t random_key(uint64_t n, uint8_t *room)
{
    uint64_t words[2] = {scatter(n), scatter(n + 77)};
    memcpy(room, words, sizeof words);
    return bytes_of(room, sizeof words);
}

static bytes_t shared_prefix_key(uint64_t n, uint8_t *room)
{
    memset(room, 'p', 900);
    int size = snprintf((char *)room + 900, 100, "%llu", (unsigned long long)scatter(n));
    return bytes_of(room, 900 + (size_t)size);
}

static bytes_t longest_key(uint64_t n, uint8_t *room)
{
    uint64_t number = scatter(n);
    memset(room, (int)(number % 3), OMAP_KEY_MAX);
    memcpy(room + OMAP_KEY_MAX - sizeof number, &number, sizeof number);
    return bytes_of(room, OMAP_KEY_MAX);
}

/* n+1 zero bytes: each key is a prefix of the next. */
static bytes_t nested_key(uint64_t n, uint8_t *room)
{
    memset(room, 0, OMAP_KEY_MAX);
    return bytes_of(room, (size_t)(n % OMAP_KEY_MAX) + 1);
}

/* Each key three times as long as its number, of two letters: many equal heads. */
static bytes_t binary_key(uint64_t n, uint8_t *room)
{
    size_t size = 0;
    for (uint64_t rest = n + 1; rest != 0; rest /= 2)
        for (unsigned i = 0; i < 3; i++)
            room[size++] = (uint8_t)(rest % 2 * 0xff);
    return bytes_of(room, size);
}

static const struct key_order {
    key_fn *key;
    uint64_t count;
    uint64_t small; /* under valgrind */
} orders[] = {
    {ascending_key, 30000, 3000},    {descending_key, 30000, 3000}, {random_key, 30000, 3000},
    {shared_prefix_key, 3000, 1000}, {longest_key, 3000, 1000},     {nested_key, 1024, 1024},
    {binary_key, 30000, 3000},
};

enum { ORDER_COUNT = sizeof orders / sizeof orders[0] };

static uint64_t order_count(unsigned order)
{
    return volume(orders[order].count, orders[order].small);
}

static void put__any_order_of_keys__each_is_found_and_in_order(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = order_count(o);
        for (uint64_t i = 0; i < count; i++)
            put_number(map, orders[o].key(i, room), i);
        for (uint64_t i = 0; i < count; i++)
            assert_number(map, orders[o].key(i, room), i);
        assert_in_order(map, count);
        omap_release(map);
    }
}

static void remove__half_of_the_keys__the_other_half_stays(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    size_t size;
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = order_count(o) / 2 * 2;
        for (uint64_t i = 0; i < count; i++)
            put_number(map, orders[o].key(i, room), i);
        for (uint64_t i = 0; i < count; i += 2)
            assert_true(omap_remove(map, orders[o].key(i, room)));
        for (uint64_t i = 0; i < count; i += 2) {
            assert_null(omap_find(map, orders[o].key(i, room), &size));
            assert_number(map, orders[o].key(i + 1, room), i + 1);
        }
        assert_in_order(map, count / 2);
        omap_release(map);
    }
}

static void remove__all_keys__leaves_no_node(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = order_count(o);
        for (uint64_t i = 0; i < count; i++)
            put_number(map, orders[o].key(i, room), i);
        for (uint64_t i = 0; i < count; i++)
            assert_true(omap_remove(map, orders[o].key(i, room)));
        assert_null(map->root);
        assert_int_equal(map->count, 0);
        assert_false(omap_remove(map, orders[o].key(0, room)));
    }
}

/* 7 thousand leaves below a hundred inner nodes, three deep. */
static void remove__a_deep_tree_in_another_order__stays_in_order_at_each_size(void **state)
{
    enum { MANY = 300000, FACTOR = 7919, CHECKS = 10 };
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    uint64_t many = volume(MANY, MANY / 10);
    for (uint64_t i = 0; i < many; i++)
        put_number(map, random_key(i, room), i);
    for (uint64_t i = 0; i < many; i++) {
        if (i % (many / CHECKS) == 0)
            assert_in_order(map, many - i);
        assert_true(omap_remove(map, random_key(i * FACTOR % many, room)));
    }
    assert_null(map->root);
}

static void warm__keys_there_and_not_in_maps_of_any_size__changes_nothing(void **state)
{
    enum { HINTS = 100 };
    omap_t *map = *state;
    static uint8_t rooms[HINTS][OMAP_KEY_MAX];
    bytes_t keys[HINTS];
    uint64_t count = 2 * OMAP_WARM_FROM;
    for (uint64_t i = 0; i < HINTS; i++)
        keys[i] = random_key(i * 1000, rooms[i]);
    keys[HINTS - 1] = (bytes_t){0};
    omap_warm(map, keys, HINTS);
    uint8_t room[OMAP_KEY_MAX];
    for (uint64_t i = 0; i < count; i++)
        put_number(map, random_key(i, room), i);
    for (unsigned i = 0; i <= HINTS; i++)
        omap_warm(map, keys, i);
    assert_in_order(map, count);
    assert_number(map, keys[0], 0);
}

static void put__longer_and_shorter_payloads__keep_their_first_bytes(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    bool added;
    uint64_t count = volume(2000, 200);
    for (uint64_t round = 0; round < 6; round++)
        for (uint64_t i = 0; i < count; i++) {
            size_t size = 1 + scatter(i * 8 + round) % OMAP_PAYLOAD_MAX;
            uint8_t *payload = omap_put(map, random_key(i, room), size, &added);
            assert_non_null(payload);
            assert_int_equal(added, round == 0);
            if (!added) {
                size_t before = 1 + scatter(i * 8 + round - 1) % OMAP_PAYLOAD_MAX;
                for (size_t b = 0; b < before && b < size; b++)
                    assert_int_equal(payload[b], (uint8_t)(i + round - 1));
            }
            memset(payload, (uint8_t)(i + round), size);
        }
    assert_in_order(map, count);
}

static void put__empty_key_and_empty_payload__are_an_entry(void **state)
{
    omap_t *map = *state;
    bool added;
    size_t size = 9;
    assert_non_null(omap_put(map, (bytes_t){0}, 0, &added));
    assert_true(added);
    assert_non_null(omap_find(map, bytes_from_text(""), &size));
    assert_int_equal(size, 0);
    assert_true(omap_remove(map, (bytes_t){0}));
}

static void seek__from_a_key__gives_it_or_the_one_after(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    omap_cursor_t cursor;
    omap_entry_t entry;
    uint64_t count = volume(5000, 1000);
    for (uint64_t i = 0; i < count; i++)
        put_number(map, ascending_key(i * 2, room), i);
    for (uint64_t i = 0; i + 1 < count; i++) {
        omap_seek(map, ascending_key(i * 2, room), false, &cursor);
        assert_true(omap_next(&cursor, &entry));
        assert_true(bytes_equal(entry.key, ascending_key(i * 2, room)));
        omap_seek(map, ascending_key(i * 2, room), true, &cursor);
        assert_true(omap_next(&cursor, &entry));
        assert_true(bytes_equal(entry.key, ascending_key(i * 2 + 2, room)));
        omap_seek(map, ascending_key(i * 2 + 1, room), false, &cursor);
        assert_true(omap_next(&cursor, &entry));
        assert_true(bytes_equal(entry.key, ascending_key(i * 2 + 2, room)));
    }
    omap_seek(map, ascending_key(2 * (count - 1), room), true, &cursor);
    assert_false(omap_next(&cursor, &entry));
}

static unsigned count_entry(void *context, const omap_entry_t *entry)
{
    (void)entry;
    ++*(uint64_t *)context;
    return 1;
}

static void drain__small_budgets__hands_over_each_entry_once(void **state)
{
    omap_t *map = *state;
    uint8_t room[OMAP_KEY_MAX];
    uint64_t dropped = 0;
    unsigned calls = 0;
    uint64_t count = volume(20000, 2000);
    for (uint64_t i = 0; i < count; i++)
        put_number(map, random_key(i, room), i);
    for (bool empty = false; !empty; calls++) {
        unsigned budget = 2;
        uint64_t before = dropped;
        empty = omap_drain(map, &budget, count_entry, &dropped);
        assert_true(dropped - before <= 2);
    }
    assert_true(calls >= count / 2);
    assert_int_equal(dropped, count);
    assert_int_equal(map->count, 0);
}

static void pointers__kept_under_names__come_back(void **state)
{
    omap_t *map = *state;
    int a;
    int b;
    assert_true(omap_put_pointer(map, bytes_from_text("a"), &a));
    assert_true(omap_put_pointer(map, bytes_from_text("a/b"), &b));
    assert_ptr_equal(omap_find_pointer(map, bytes_from_text("a")), &a);
    assert_ptr_equal(omap_find_pointer(map, bytes_from_text("a/b")), &b);
    assert_null(omap_find_pointer(map, bytes_from_text("a/")));
    assert_true(omap_put_pointer(map, bytes_from_text("a"), &b));
    assert_ptr_equal(omap_find_pointer(map, bytes_from_text("a")), &b);
}

#define MAP_TEST(function) cmocka_unit_test_setup_teardown(function, map_setup, map_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAP_TEST(put__any_order_of_keys__each_is_found_and_in_order),
        MAP_TEST(remove__half_of_the_keys__the_other_half_stays),
        MAP_TEST(remove__all_keys__leaves_no_node),
        MAP_TEST(remove__a_deep_tree_in_another_order__stays_in_order_at_each_size),
        MAP_TEST(warm__keys_there_and_not_in_maps_of_any_size__changes_nothing),
        MAP_TEST(put__longer_and_shorter_payloads__keep_their_first_bytes),
        MAP_TEST(put__empty_key_and_empty_payload__are_an_entry),
        MAP_TEST(seek__from_a_key__gives_it_or_the_one_after),
        MAP_TEST(drain__small_budgets__hands_over_each_entry_once),
        MAP_TEST(pointers__kept_under_names__come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
