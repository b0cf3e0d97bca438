/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the tree of records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/tree.h"
#include "tests/support/make_record.h"
#include "tests/support/scatter.h"
#include "tests/support/volume.h"

typedef struct fixture {
    slab_t slab;
    tree_t tree;
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    slab_init(&fixture.slab);
    tree_init(&fixture.tree, &fixture.slab);
    *state = &fixture;
    return 0;
}

static unsigned drop_record(void *context, uint32_t record)
{
    slab_give(context, record);
    return 1;
}

static void drop_all(fixture_t *fixture)
{
    for (bool empty = false; !empty;) {
        unsigned all = UINT32_MAX;
        empty = tree_drain(&fixture->tree, &all, drop_record, &fixture->slab);
    }
    assert_int_equal(fixture->tree.count, 0);
}

/* slab_release asserts that an empty tree has given back all memory. */
static int teardown(void **state)
{
    fixture_t *fixture = *state;
    drop_all(fixture);
    slab_release(&fixture->slab);
    return 0;
}

static void insert(fixture_t *fixture, bytes_t key)
{
    assert_true(tree_insert(&fixture->tree, make_record(&fixture->slab, key, 0)));
}

static void remove_key(fixture_t *fixture, bytes_t key)
{
    uint32_t record = tree_find(&fixture->tree, key);
    assert_int_not_equal(record, 0);
    tree_remove(&fixture->tree, record);
    slab_give(&fixture->slab, record);
}

static bytes_t key_of(const fixture_t *fixture, uint32_t record)
{
    return record_key(record_at(&fixture->slab, record));
}

static void assert_there(const fixture_t *fixture, bytes_t key)
{
    uint32_t record = tree_find(&fixture->tree, key);
    assert_int_not_equal(record, 0);
    assert_true(bytes_equal(key_of(fixture, record), key));
}

/* Walks the whole tree and checks that the keys ascend strictly and that there are COUNT of them. */
static void assert_in_order(const fixture_t *fixture, uint64_t count)
{
    tree_cursor_t cursor;
    bytes_t last = {0};
    uint64_t seen = 0;
    uint32_t record;
    for (tree_seek(&fixture->tree, last, false, &cursor); (record = tree_next(&cursor)) != 0; seen++) {
        bytes_t key = key_of(fixture, record);
        assert_true(seen == 0 || bytes_compare(last, key) < 0);
        last = key;
    }
    assert_int_equal(seen, count);
    assert_int_equal(fixture->tree.count, count);
}

typedef bytes_t key_fn(uint64_t n, uint8_t *room);

static bytes_t ascending_key(uint64_t n, uint8_t *room)
{
    return bytes_of(room, (size_t)snprintf((char *)room, RECORD_KEY_MAX, "k%08llu", (unsigned long long)n));
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
    memset(room, (int)(number % 3), RECORD_KEY_MAX);
    memcpy(room + RECORD_KEY_MAX - sizeof number, &number, sizeof number);
    return bytes_of(room, RECORD_KEY_MAX);
}

/* n zero bytes: each key is a prefix of the next. */
static bytes_t nested_key(uint64_t n, uint8_t *room)
{
    memset(room, 0, RECORD_KEY_MAX);
    return bytes_of(room, (size_t)(n % RECORD_KEY_MAX));
}

/* The same, the longest first: each key shortens the prefix that all keys share. */
static bytes_t nested_descending_key(uint64_t n, uint8_t *room)
{
    return nested_key(RECORD_KEY_MAX - 1 - n % RECORD_KEY_MAX, room);
}

/* The binary digits of N, each three times: two different bytes only, and many common prefixes. */
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
    {ascending_key, 30000, 3000}, {descending_key, 30000, 3000},
    {random_key, 30000, 3000},    {shared_prefix_key, 3000, 1000},
    {longest_key, 3000, 1000},    {nested_key, RECORD_KEY_MAX, RECORD_KEY_MAX},
    {binary_key, 30000, 3000},    {nested_descending_key, RECORD_KEY_MAX, RECORD_KEY_MAX},
};

enum { ORDER_COUNT = sizeof orders / sizeof orders[0] };

static uint64_t order_count(unsigned order)
{
    return volume(orders[order].count, orders[order].small);
}

/* Inserts all keys of ORDER. Returns how many they are. ROOM is for a key. */
static uint64_t insert_all(fixture_t *fixture, unsigned order, uint8_t *room)
{
    uint64_t count = order_count(order);
    for (uint64_t i = 0; i < count; i++)
        insert(fixture, orders[order].key(i, room));
    return count;
}

static void insert__any_order_of_keys__each_is_found_and_in_order(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = insert_all(fixture, o, room);
        for (uint64_t i = 0; i < count; i++)
            assert_there(fixture, orders[o].key(i, room));
        assert_in_order(fixture, count);
        drop_all(fixture);
    }
}

static void remove__half_of_the_keys__the_other_half_stays(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = order_count(o) / 2 * 2;
        for (uint64_t i = 0; i < count; i++)
            insert(fixture, orders[o].key(i, room));
        for (uint64_t i = 0; i < count; i += 2)
            remove_key(fixture, orders[o].key(i, room));
        for (uint64_t i = 0; i < count; i += 2) {
            assert_int_equal(tree_find(&fixture->tree, orders[o].key(i, room)), 0);
            assert_there(fixture, orders[o].key(i + 1, room));
        }
        assert_in_order(fixture, count / 2);
        drop_all(fixture);
    }
}

static void remove__all_keys__leaves_no_node(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t count = insert_all(fixture, o, room);
        for (uint64_t i = 0; i < count; i++)
            remove_key(fixture, orders[o].key(i, room));
        assert_int_equal(fixture->tree.root, 0);
        slab_release(&fixture->slab); /* asserts that nothing is in use */
    }
}

/* The tree has thousands of leaves and three levels of inner nodes. */
static void remove__a_deep_tree_in_another_order__stays_in_order_at_each_size(void **state)
{
    enum { MANY = 400000, FACTOR = 7919, CHECKS = 10 };
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    uint64_t many = volume(MANY, MANY / 10);
    for (uint64_t i = 0; i < many; i++)
        insert(fixture, random_key(i, room));
    assert_true(fixture->tree.height >= 2);
    for (uint64_t i = 0; i < many; i++) {
        if (i % (many / CHECKS) == 0)
            assert_in_order(fixture, many - i);
        remove_key(fixture, random_key(i * FACTOR % many, room));
    }
    assert_int_equal(fixture->tree.root, 0);
}

static void insert__and_remove_in_turn__stays_in_order(void **state)
{
    enum { KEYS = 3000, ROUNDS = 60000, CHECK = 5000 };
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    for (unsigned o = 0; o < ORDER_COUNT; o++) {
        uint64_t rounds = volume(ROUNDS, ROUNDS / 20);
        uint64_t keys = orders[o].count < KEYS ? orders[o].count : KEYS;
        for (uint64_t i = 0; i < rounds; i++) {
            bytes_t key = orders[o].key(scatter(i) % keys, room);
            if (tree_find(&fixture->tree, key) == 0)
                insert(fixture, key);
            else
                remove_key(fixture, key);
            if (i % CHECK == 0)
                assert_in_order(fixture, fixture->tree.count);
        }
        drop_all(fixture);
    }
}

static void replace__each__is_found_as_the_new_one(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    uint64_t count = volume(5000, 1000);
    for (uint64_t i = 0; i < count; i++)
        insert(fixture, random_key(i, room));
    for (uint64_t i = 0; i < count; i++) {
        bytes_t key = random_key(i, room);
        uint32_t old = tree_find(&fixture->tree, key);
        uint32_t fresh = make_record(&fixture->slab, key, 0);
        tree_replace(&fixture->tree, old, fresh);
        slab_give(&fixture->slab, old);
        assert_int_equal(tree_find(&fixture->tree, key), fresh);
    }
    assert_in_order(fixture, count);
}

static void seek__from_a_key__gives_it_or_the_one_after(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    tree_cursor_t cursor;
    uint64_t count = volume(5000, 1000);
    for (uint64_t i = 0; i < count; i++)
        insert(fixture, ascending_key(i * 2, room));
    for (uint64_t i = 0; i + 1 < count; i++) {
        tree_seek(&fixture->tree, ascending_key(i * 2, room), false, &cursor);
        assert_true(bytes_equal(key_of(fixture, tree_next(&cursor)), ascending_key(i * 2, room)));
        tree_seek(&fixture->tree, ascending_key(i * 2, room), true, &cursor);
        assert_true(bytes_equal(key_of(fixture, tree_next(&cursor)), ascending_key(i * 2 + 2, room)));
        tree_seek(&fixture->tree, ascending_key(i * 2 + 1, room), false, &cursor);
        assert_true(bytes_equal(key_of(fixture, tree_next(&cursor)), ascending_key(i * 2 + 2, room)));
    }
    tree_seek(&fixture->tree, ascending_key(2 * (count - 1), room), true, &cursor);
    assert_int_equal(tree_next(&cursor), 0);
    assert_int_equal(tree_next(&cursor), 0);
}

static void prefetch__keys_there_and_not__changes_nothing(void **state)
{
    enum { HINTS = 64 };
    fixture_t *fixture = *state;
    static uint8_t rooms[HINTS][RECORD_KEY_MAX];
    bytes_t keys[HINTS];
    uint8_t room[RECORD_KEY_MAX];
    uint64_t count = volume(50000, 5000);
    for (uint64_t i = 0; i < count; i++)
        insert(fixture, random_key(i, room));
    for (uint64_t i = 0; i < HINTS; i++)
        keys[i] = random_key(i * 7, rooms[i]);
    for (unsigned i = 0; i <= HINTS; i++)
        tree_prefetch(&fixture->tree, keys, i);
    assert_in_order(fixture, count);
}

static unsigned count_record(void *context, uint32_t record)
{
    fixture_t *fixture = context;
    slab_give(&fixture->slab, record);
    return 1;
}

static void drain__small_budgets__hands_over_each_record_once(void **state)
{
    fixture_t *fixture = *state;
    uint8_t room[RECORD_KEY_MAX];
    unsigned calls = 0;
    uint64_t count = volume(20000, 2000);
    for (uint64_t i = 0; i < count; i++)
        insert(fixture, random_key(i, room));
    for (bool empty = false; !empty; calls++) {
        unsigned budget = 2;
        uint64_t before = fixture->tree.count;
        empty = tree_drain(&fixture->tree, &budget, count_record, fixture);
        assert_true(before - fixture->tree.count <= 2);
    }
    assert_true(calls >= count / 2);
    assert_int_equal(fixture->tree.count, 0);
}

#define TREE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(insert__any_order_of_keys__each_is_found_and_in_order),
        TREE_TEST(remove__half_of_the_keys__the_other_half_stays),
        TREE_TEST(remove__all_keys__leaves_no_node),
        TREE_TEST(remove__a_deep_tree_in_another_order__stays_in_order_at_each_size),
        TREE_TEST(insert__and_remove_in_turn__stays_in_order),
        TREE_TEST(replace__each__is_found_as_the_new_one),
        TREE_TEST(seek__from_a_key__gives_it_or_the_one_after),
        TREE_TEST(prefetch__keys_there_and_not__changes_nothing),
        TREE_TEST(drain__small_budgets__hands_over_each_record_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
