/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the hash index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/index.h"
#include "tests/support/make_record.h"
#include "tests/support/scatter.h"
#include "tests/support/volume.h"

enum { COLLIDING = 100000 };

typedef struct fixture {
    slab_t slab;
    index_t index;
    uint32_t *records; /* handle of the record of each number below `count`; 0 = not there */
    uint64_t count;
} fixture_t;

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    slab_init(&fixture->slab);
    index_init(&fixture->index, &fixture->slab);
    *state = fixture;
    return 0;
}

/* slab_release asserts that an empty index has given back all memory. */
static int teardown(void **state)
{
    fixture_t *fixture = *state;
    unsigned all = UINT32_MAX;
    assert_true(index_drain(&fixture->index, &all));
    for (uint64_t i = 0; i < fixture->count; i++)
        slab_give(&fixture->slab, fixture->records[i]);
    slab_release(&fixture->slab);
    free(fixture->records);
    free(fixture);
    return 0;
}

typedef uint64_t hash_fn(uint64_t n);

static uint64_t one_hash(uint64_t n)
{
    (void)n;
    return UINT64_C(0x1234567890abcdef);
}

/* Hashes that differ only in their tags. */
static uint64_t one_group(uint64_t n)
{
    return scatter(n) << 32 | 77;
}

/* Hashes that all belong to one page of many. */
static uint64_t one_page(uint64_t n)
{
    return scatter(n) & ~UINT64_C(0xffff);
}

static bytes_t key_of(const uint64_t *n)
{
    return bytes_of(n, sizeof *n);
}

static void add(fixture_t *fixture, uint64_t n, hash_fn *hash)
{
    fixture->records[n] = make_record(&fixture->slab, key_of(&n), (uint32_t)hash(n));
    assert_true(index_add(&fixture->index, hash(n), fixture->records[n]));
}

static void add_all(fixture_t *fixture, uint64_t count, hash_fn *hash)
{
    fixture->records = calloc(count, sizeof *fixture->records);
    assert_non_null(fixture->records);
    fixture->count = count;
    for (uint64_t i = 0; i < count; i++)
        add(fixture, i, hash);
}

static void remove_one(fixture_t *fixture, uint64_t n, hash_fn *hash)
{
    index_remove(&fixture->index, (uint32_t)hash(n), fixture->records[n]);
    slab_give(&fixture->slab, fixture->records[n]);
    fixture->records[n] = 0;
}

/* Looks N up. Both functions must give the same result. */
static index_found_t find(const fixture_t *fixture, uint64_t n, hash_fn *hash)
{
    lookup_t lookup = {.hash = hash(n)};
    index_found_t found = index_find(&fixture->index, lookup, key_of(&n));
    index_found_t again = index_find_short(&fixture->index, lookup, key_of(&n));
    assert_int_equal(found.handle, again.handle);
    assert_ptr_equal(found.record, again.record);
    return found;
}

static void assert_all_found(const fixture_t *fixture, hash_fn *hash)
{
    for (uint64_t i = 0; i < fixture->count; i++)
        assert_int_equal(find(fixture, i, hash).handle, fixture->records[i]);
}

static void find__in_an_empty_index__finds_nothing(void **state)
{
    assert_null(find(*state, 7, scatter).record);
}

static void add__any_number__each_is_found_and_no_other(void **state)
{
    static const uint64_t counts[] = {1, 12, 13, 100, 400, 1000, 5000, 60000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        void *own;
        (void)setup(&own);
        fixture_t *fixture = own;
        uint64_t count = volume(counts[c], counts[c] / 10 + 1);
        add_all(fixture, count, scatter);
        assert_int_equal(fixture->index.count, count);
        assert_all_found(fixture, scatter);
        for (uint64_t i = count; i < count + 1000; i++)
            assert_null(find(fixture, i, scatter).record);
        (void)teardown(&own);
    }
    (void)state;
}

static void find__keys_of_all_sizes__are_found(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t room[RECORD_KEY_MAX];
    fixture->records = calloc(RECORD_KEY_MAX, sizeof *fixture->records);
    fixture->count = RECORD_KEY_MAX;
    for (size_t size = 1; size < RECORD_KEY_MAX; size++) {
        fixture->records[size] = make_record(&fixture->slab, bytes_of(room, size), (uint32_t)scatter(size));
        assert_true(index_add(&fixture->index, scatter(size), fixture->records[size]));
    }
    for (size_t size = 1; size < RECORD_KEY_MAX; size++) {
        bytes_t key = bytes_of(room, size);
        assert_int_equal(record_key_short(key), size >= 8 && size <= 16);
        assert_int_equal(index_find(&fixture->index, (lookup_t){.hash = scatter(size)}, key).handle,
                         fixture->records[size]);
        if (record_key_short(key))
            assert_int_equal(index_find_short(&fixture->index, (lookup_t){.hash = scatter(size)}, key).handle,
                             fixture->records[size]);
    }
}

static void add__a_few__takes_one_group_and_nothing_else(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture, INDEX_GROUP, scatter);
    assert_int_equal(fixture->index.first_page.block, 0);
    assert_int_equal(fixture->index.table_room, 0);
}

static void remove__half__the_other_half_stays(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture, volume(50000, 5000), scatter);
    for (uint64_t i = 0; i < fixture->count; i += 2)
        remove_one(fixture, i, scatter);
    assert_all_found(fixture, scatter);
    for (uint64_t i = 0; i < fixture->count; i += 2)
        add(fixture, i, scatter);
    assert_all_found(fixture, scatter);
}

static void remove__all__leaves_no_block(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture, volume(50000, 5000), scatter);
    assert_true(fixture->index.page_count > 10);
    for (uint64_t i = 0; i < fixture->count; i++)
        remove_one(fixture, i * 7919 % fixture->count, scatter);
    assert_int_equal(fixture->index.page_count, 1);
    assert_int_equal(fixture->index.group, 0);
    slab_release(&fixture->slab); /* asserts that nothing is in use */
}

static void replace__each__is_found_as_the_new_one(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture, 1000, scatter);
    for (uint64_t i = 0; i < fixture->count; i++) {
        uint32_t fresh = make_record(&fixture->slab, key_of(&i), (uint32_t)scatter(i));
        index_replace(&fixture->index, (uint32_t)scatter(i), fixture->records[i], fresh);
        slab_give(&fixture->slab, fixture->records[i]);
        fixture->records[i] = fresh;
    }
    assert_all_found(fixture, scatter);
}

/* Keys that the index cannot tell apart are left to the tree. They cost neither memory nor time in the index.
 */
static void add__100000_that_collide__are_left_to_the_tree(void **state)
{
    static hash_fn *const hashes[] = {one_hash, one_group};
    for (size_t h = 0; h < sizeof hashes / sizeof *hashes; h++) {
        void *own;
        (void)setup(&own);
        fixture_t *fixture = own;
        add_all(fixture, volume(COLLIDING, COLLIDING / 10), hashes[h]);
        assert_int_equal(fixture->index.count, INDEX_GROUP);
        assert_int_equal(fixture->index.page_count, 1);
        for (uint64_t i = 0; i < fixture->count; i++) {
            uint32_t handle = find(fixture, i, hashes[h]).handle;
            assert_true(handle == fixture->records[i] || handle == INDEX_IN_TREE);
        }
        for (uint64_t i = 0; i < fixture->count; i++)
            remove_one(fixture, i, hashes[h]);
        assert_int_equal(fixture->index.count, 0);
        (void)teardown(&own);
    }
    (void)state;
}

static void remove__a_few_that_collide__are_no_mark_for_ever(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture, 100, one_hash);
    for (uint64_t i = 0; i < fixture->count; i++)
        remove_one(fixture, i, one_hash);
    assert_int_equal(find(fixture, 0, one_hash).handle, 0);
}

/* More records collide than a group can count, among others that do not. */
static void remove__many_that_collide__their_group_takes_records_again(void **state)
{
    enum { OTHERS = 500, COLLIDE = 400, MORE = 2000 };
    fixture_t *fixture = *state;
    fixture->count = OTHERS + COLLIDE + MORE;
    fixture->records = calloc(fixture->count, sizeof *fixture->records);
    assert_non_null(fixture->records);
    for (uint64_t i = 0; i < OTHERS + COLLIDE; i++)
        add(fixture, i, i < OTHERS ? scatter : one_hash);
    assert_true(fixture->index.strays > INDEX_MANY);
    for (uint64_t i = OTHERS; i < OTHERS + COLLIDE; i++)
        remove_one(fixture, i, one_hash);
    assert_int_equal(fixture->index.strays, 0);
    for (uint64_t i = OTHERS + COLLIDE; i < fixture->count; i++)
        add(fixture, i, scatter);
    assert_int_equal(fixture->index.strays, 0);
    for (uint64_t i = 0; i < fixture->count; i++)
        if (i < OTHERS || i >= OTHERS + COLLIDE)
            assert_int_equal(find(fixture, i, scatter).handle, fixture->records[i]);
}

/* The group that HASH belongs to. */
static const index_group_t *group_of(const fixture_t *fixture, uint64_t hash)
{
    return slab_at(&fixture->slab, *index_slot(&fixture->index, (uint32_t)hash));
}

/* Adds records 0 to OTHERS - 1 by `scatter`, and then one more that collide than a group holds. */
static void add_one_too_many(fixture_t *fixture, uint64_t others, uint64_t room)
{
    fixture->records = calloc(room, sizeof *fixture->records);
    assert_non_null(fixture->records);
    fixture->count = room;
    for (uint64_t i = 0; i <= others + INDEX_GROUP; i++)
        add(fixture, i, i < others ? scatter : one_hash);
    assert_int_equal(group_of(fixture, one_hash(0))->beyond, 1);
    assert_int_equal(group_of(fixture, one_hash(0))->depth, INDEX_PAGE_BITS);
}

/* The last one that is removed is the one in the tree, or one in the group. */
static void remove__one_more_than_a_group_holds__their_group_takes_records_again(void **state)
{
    enum { OTHERS = 4, COLLIDE = INDEX_GROUP + 1, MORE = 2000 };
    for (unsigned backward = 0; backward < 2; backward++) {
        void *own;
        (void)setup(&own);
        fixture_t *fixture = own;
        add_one_too_many(fixture, OTHERS, OTHERS + COLLIDE + MORE);
        for (uint64_t i = 0; i < COLLIDE; i++) {
            assert_int_equal(group_of(fixture, one_hash(0))->beyond, i == 0 || backward == 0);
            remove_one(fixture, OTHERS + (backward == 0 ? i : COLLIDE - 1 - i), one_hash);
        }
        assert_int_equal(group_of(fixture, one_hash(0))->beyond, 0);
        assert_int_equal(group_of(fixture, one_hash(0))->depth, 0);
        for (uint64_t i = OTHERS + COLLIDE; i < fixture->count; i++)
            add(fixture, i, scatter);
        for (uint64_t i = 0; i < fixture->count; i++)
            assert_int_equal(find(fixture, i, scatter).handle, fixture->records[i]);
        (void)teardown(&own);
    }
    (void)state;
}

static void add__others_beside_those_that_collide__are_found_here(void **state)
{
    fixture_t *fixture = *state;
    uint64_t few = volume(5000, 1000);
    uint64_t many = volume(60000, 6000);
    fixture->records = calloc(few + many, sizeof *fixture->records);
    fixture->count = few + many;
    for (uint64_t i = 0; i < few; i++)
        add(fixture, i, one_page);
    for (uint64_t i = few; i < few + many; i++)
        add(fixture, i, scatter);
    for (uint64_t i = 0; i < few; i++) {
        uint32_t handle = find(fixture, i, one_page).handle;
        assert_true(handle == fixture->records[i] || handle == INDEX_IN_TREE);
    }
    uint64_t unsure = 0;
    for (uint64_t i = few; i < few + many; i++) {
        uint32_t handle = find(fixture, i, scatter).handle;
        unsure += handle == INDEX_IN_TREE;
        assert_true(handle == fixture->records[i] || handle == INDEX_IN_TREE);
    }
    assert_true(unsure < many / 100);
    for (uint64_t i = 0; i < few + many; i++)
        remove_one(fixture, i, i < few ? one_page : scatter);
    assert_int_equal(fixture->index.count, 0);
}

static void drain__small_budgets__frees_it_in_steps(void **state)
{
    fixture_t *fixture = *state;
    unsigned steps = 0;
    add_all(fixture, volume(50000, 5000), scatter);
    for (bool empty = false; !empty; steps++) {
        unsigned budget = 2;
        empty = index_drain(&fixture->index, &budget);
    }
    assert_true(steps > fixture->count / INDEX_PAGE_RECORDS / 4);
    assert_null(find(fixture, 0, scatter).record);
}

static void prefetch__keys_there_and_not__notes_where_they_are(void **state)
{
    fixture_t *fixture = *state;
    lookup_t lookups[64] = {{0}};
    assert_int_equal(index_prefetch(&fixture->index, lookups, 0), 0);
    assert_int_equal(index_prefetch(&fixture->index, lookups, 64), UINT64_MAX);
    lookups[0].hash = scatter(0);
    assert_int_equal(index_prefetch(&fixture->index, lookups, 1), 1);
    uint64_t count = volume(20000, 2000);
    add_all(fixture, count, scatter);
    for (uint64_t i = 0; i < 64; i++)
        lookups[i].hash = scatter(i < 60 ? i : count + i);
    uint64_t absent = index_prefetch(&fixture->index, lookups, 64);
    assert_int_equal(absent << 4, 0);
    for (uint64_t i = 0; i < 64; i++) {
        assert_true((lookups[i].seen == 0) == ((absent >> i & 1) != 0));
        assert_true(i >= 60 ||
                    index_find_short(&fixture->index, lookups[i], key_of(&i)).handle == fixture->records[i]);
    }
    assert_all_found(fixture, scatter);
}

static void prefetch_each__of_two_indexes__notes_where_each_is(void **state)
{
    fixture_t *fixture = *state;
    index_t other;
    const index_t *indexes[64];
    lookup_t lookups[64] = {{0}};
    uint64_t count = volume(20000, 2000);
    add_all(fixture, count, scatter);
    index_init(&other, &fixture->slab);
    uint32_t record = make_record(&fixture->slab, key_of(&count), (uint32_t)scatter(count));
    assert_true(index_add(&other, scatter(count), record));
    for (uint64_t i = 0; i < 64; i++) {
        indexes[i] = i % 2 == 0 ? &fixture->index : &other;
        lookups[i].hash = scatter(i < 62 ? i : count);
    }
    index_prefetch_each(indexes, lookups, 64);
    for (uint64_t i = 0; i < 62; i += 2)
        assert_int_equal(index_find_short(indexes[i], lookups[i], key_of(&i)).handle, fixture->records[i]);
    assert_null(index_find_short(&fixture->index, lookups[62], key_of(&count)).record);
    assert_int_equal(lookups[63].seen, record);
    index_remove(&other, (uint32_t)scatter(count), record);
    slab_give(&fixture->slab, record);
}

static void find__where_a_record_was_seen_that_was_freed_since__finds_what_is_there_now(void **state)
{
    fixture_t *fixture = *state;
    uint64_t n = 7;
    add_all(fixture, 8, scatter);
    lookup_t lookup = {.hash = scatter(n)};
    assert_int_equal(index_prefetch(&fixture->index, &lookup, 1), 0);
    uint32_t seen = lookup.seen;
    remove_one(fixture, n, scatter);
    assert_null(index_find_short(&fixture->index, lookup, key_of(&n)).record);
    fixture->records[n] = make_record(&fixture->slab, key_of(&n), (uint32_t)scatter(n)); /* in no index */
    assert_int_equal(fixture->records[n], seen);
    assert_null(index_find_short(&fixture->index, lookup, key_of(&n)).record);
    slab_give(&fixture->slab, fixture->records[n]);
    fixture->records[n] = 0;
}

static void tags__compared_both_ways__give_the_same(void **state)
{
    (void)state;
    uint8_t tags[16];
    for (uint64_t round = 0; round < 10000; round++) {
        for (size_t i = 0; i < sizeof tags; i++)
            tags[i] = (uint8_t)(scatter(round * 16 + i) % (round % 2 == 0 ? 256 : 3) * 85);
        for (unsigned tag = 0; tag < 256; tag += 5)
            assert_int_equal(tags_match(tags, (uint8_t)tag), tags_match_portable(tags, (uint8_t)tag));
    }
    memset(tags, 9, sizeof tags);
    assert_int_equal(tags_match(tags, 9), 0xffff);
    assert_int_equal(tags_match_portable(tags, 9), 0xffff);
}

#define INDEX_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEX_TEST(find__in_an_empty_index__finds_nothing),
        cmocka_unit_test(add__any_number__each_is_found_and_no_other),
        INDEX_TEST(find__keys_of_all_sizes__are_found),
        INDEX_TEST(add__a_few__takes_one_group_and_nothing_else),
        INDEX_TEST(remove__half__the_other_half_stays),
        INDEX_TEST(remove__all__leaves_no_block),
        INDEX_TEST(replace__each__is_found_as_the_new_one),
        cmocka_unit_test(add__100000_that_collide__are_left_to_the_tree),
        INDEX_TEST(remove__a_few_that_collide__are_no_mark_for_ever),
        cmocka_unit_test(remove__one_more_than_a_group_holds__their_group_takes_records_again),
        INDEX_TEST(remove__many_that_collide__their_group_takes_records_again),
        INDEX_TEST(add__others_beside_those_that_collide__are_found_here),
        INDEX_TEST(drain__small_budgets__frees_it_in_steps),
        INDEX_TEST(prefetch__keys_there_and_not__notes_where_they_are),
        INDEX_TEST(prefetch_each__of_two_indexes__notes_where_each_is),
        INDEX_TEST(find__where_a_record_was_seen_that_was_freed_since__finds_what_is_there_now),
        cmocka_unit_test(tags__compared_both_ways__give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
