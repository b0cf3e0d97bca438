/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the ordered map. test_tree.c tests its tree with many keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/omap.h"
#include "tests/support/volume.h"

static int map_setup(void **state)
{
    static omap_t map;
    omap_init(&map);
    *state = &map;
    return 0;
}

static int map_teardown(void **state)
{
    omap_release(*state);
    return 0;
}

static bytes_t key_at(uint64_t n, char room[24])
{
    return bytes_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)(n * 7919 % 100000)));
}

static void put__pointers_under_names__come_back(void **state)
{
    omap_t *map = *state;
    int a;
    int b;
    assert_true(omap_put(map, bytes_from_text("a"), &a));
    assert_true(omap_put(map, bytes_from_text("a/b"), &b));
    assert_ptr_equal(omap_find(map, bytes_from_text("a")), &a);
    assert_ptr_equal(omap_find(map, bytes_from_text("a/b")), &b);
    assert_null(omap_find(map, bytes_from_text("a/")));
    assert_true(omap_put(map, bytes_from_text("a"), &b));
    assert_ptr_equal(omap_find(map, bytes_from_text("a")), &b);
}

static void put__empty_key__is_an_entry(void **state)
{
    omap_t *map = *state;
    int a;
    assert_true(omap_put(map, (bytes_t){0}, &a));
    assert_ptr_equal(omap_find(map, bytes_from_text("")), &a);
    assert_true(omap_remove(map, (bytes_t){0}));
    assert_false(omap_remove(map, (bytes_t){0}));
}

static void next__from_a_key__gives_the_entries_in_order(void **state)
{
    omap_t *map = *state;
    uint64_t count = volume(50000, 3000);
    char room[24];
    static char targets[50000];
    omap_cursor_t cursor;
    omap_entry_t entry;
    for (uint64_t i = 0; i < count; i++)
        assert_true(omap_put(map, key_at(i, room), &targets[i]));
    for (uint64_t i = 0; i < count; i += 2)
        assert_true(omap_remove(map, key_at(i, room)));
    bytes_t last = {0};
    uint64_t seen = 0;
    for (omap_seek(map, last, false, &cursor); omap_next(&cursor, &entry); seen++) {
        assert_true(bytes_compare(last, entry.key) < 0);
        assert_ptr_equal(omap_find(map, entry.key), entry.pointer);
        last = entry.key;
    }
    assert_int_equal(seen, count / 2);
    for (uint64_t i = 1; i < count; i += 2) {
        bytes_t key = key_at(i, room);
        omap_seek(map, key, false, &cursor);
        assert_true(omap_next(&cursor, &entry));
        assert_ptr_equal(entry.pointer, &targets[i]);
        omap_seek(map, key, true, &cursor);
        assert_true(!omap_next(&cursor, &entry) || bytes_compare(entry.key, key) > 0);
    }
}

#define MAP_TEST(function) cmocka_unit_test_setup_teardown(function, map_setup, map_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAP_TEST(put__pointers_under_names__come_back),
        MAP_TEST(put__empty_key__is_an_entry),
        MAP_TEST(next__from_a_key__gives_the_entries_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
