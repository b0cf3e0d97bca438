/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about mirror_page.h: pages of a mirrored store are those that a broker would give of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lib/page.h"
#include "client/slice.h"
#include "client/watch/mirror_page.h"
#include "common/limits.h"

enum { NOW_MS = 1000, SEQ = 77, PAGE_MAX = 8 * 1024 * 1024 };

#define LAMP bytes_from_text("lamp")

static int setup(void **state)
{
    *state = mirror_store_new();
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    mirror_store_t *store = *state;
    mirror_store_destroy(&store);
    return 0;
}

static void put(mirror_store_t *store, const char *key, bytes_t value, bool has_value)
{
    const mirror_entry_t entry = {.key = bytes_from_text(key),
                                  .value = value,
                                  .has_value = has_value,
                                  .revision = 3,
                                  .due_ms = INT64_MAX};
    assert_true(mirror_store_put(store, LAMP, &entry));
}

static void put_all(mirror_store_t *store, const char *keys)
{
    for (; *keys != '\0'; keys++)
        put(store, (const char[]){*keys, '\0'}, bytes_from_text("v"), true);
}

/* The page of RANGE, read as one that a broker sent. */
static kvzmq_page_t *page_of(const mirror_store_t *store, const kvzmq_range_t *range)
{
    buffer_t bytes;
    kvzmq_page_t *page;
    buffer_init(&bytes, PAGE_MAX);
    mirror_page_write(store, LAMP, range, SEQ, NOW_MS, &bytes);
    assert_false(bytes.failed);
    assert_int_equal(page_new(PAGE_LIST, buffer_bytes(&bytes), &page), KVZMQ_OK);
    buffer_release(&bytes);
    assert_int_equal(kvzmq_page_seq(page), SEQ);
    return page;
}

/* Asserts that the page of RANGE has these keys, of one letter each, and whether MORE follow. */
static void assert_page(const mirror_store_t *store, kvzmq_range_t range, const char *keys, bool more)
{
    kvzmq_page_t *page = page_of(store, &range);
    kvzmq_row_t row;
    while (kvzmq_page_next(page, &row)) {
        assert_int_equal(row.key.data[0], *keys);
        keys++;
    }
    assert_int_equal(*keys, '\0');
    assert_int_equal(kvzmq_page_more(page), more);
    kvzmq_page_destroy(&page);
}

static void page__limit__says_whether_more_follow(void **state)
{
    put_all(*state, "cab");
    assert_page(*state, (kvzmq_range_t){.limit = 2}, "ab", true);
    assert_page(*state, (kvzmq_range_t){.limit = 3}, "abc", false);
    assert_page(*state, (kvzmq_range_t){.limit = 2, .after = kvzmq_text("b")}, "c", false);
    assert_page(*state, (kvzmq_range_t){.after = kvzmq_text("c")}, "", false);
}

static void page__prefix__begins_with_it_even_if_after_is_before_it(void **state)
{
    put_all(*state, "abd");
    put(*state, "b1", bytes_from_text("v"), true);
    assert_page(*state, (kvzmq_range_t){.prefix = kvzmq_text("b")}, "bb", false);
    assert_page(*state, (kvzmq_range_t){.prefix = kvzmq_text("b"), .after = kvzmq_text("a")}, "bb", false);
    assert_page(*state, (kvzmq_range_t){.prefix = kvzmq_text("b"), .after = kvzmq_text("b")}, "b", false);
    assert_page(*state, (kvzmq_range_t){.prefix = kvzmq_text("b"), .after = kvzmq_text("c")}, "", false);
    assert_page(*state, (kvzmq_range_t){.prefix = kvzmq_text("b"), .limit = 1}, "b", true);
}

static void page__values_that_are_not_known__are_left_out_and_not_counted(void **state)
{
    put_all(*state, "ac");
    put(*state, "b", (bytes_t){0}, false);
    assert_page(*state, (kvzmq_range_t){.limit = 2}, "ac", false);
}

static void page__many_bytes__ends_behind_the_entry_that_fills_it(void **state)
{
    static const uint8_t large[LIMIT_PAGE_BYTES];
    put(*state, "a", bytes_of(large, sizeof large), true); /* the first entry fits in any case */
    put_all(*state, "bc");
    assert_page(*state, (kvzmq_range_t){0}, "a", true);
    assert_page(*state, (kvzmq_range_t){.after = kvzmq_text("a")}, "bc", false);
}

static void page__rows__have_what_the_copy_has(void **state)
{
    mirror_store_t *store = *state;
    const mirror_entry_t entries[] = {
        {.key = bytes_from_text("a"),
         .value = bytes_from_text("\xff"),
         .binary = true,
         .has_value = true,
         .revision = 8,
         .due_ms = NOW_MS + 30},
        {.key = bytes_from_text("b"),
         .value = bytes_from_text("text"),
         .has_value = true,
         .revision = 9,
         .due_ms = NOW_MS - 1},
    };
    kvzmq_row_t row;
    for (size_t i = 0; i < 2; i++)
        assert_true(mirror_store_put(store, LAMP, &entries[i]));
    kvzmq_page_t *page = page_of(store, &(kvzmq_range_t){0});
    assert_true(kvzmq_page_next(page, &row));
    assert_true(row.value.binary && bytes_equal(slice_bytes(row.value), entries[0].value));
    assert_int_equal(row.revision, 8);
    assert_int_equal(row.ttl_ms, 30);
    assert_true(kvzmq_page_next(page, &row));
    assert_true(!row.value.binary && bytes_equal(slice_bytes(row.value), entries[1].value));
    assert_int_equal(row.ttl_ms, 0); /* due, and the broker has not said yet that it is gone */
    assert_false(kvzmq_page_next(page, &row));
    kvzmq_page_destroy(&page);
}

static void page__client_without_keys__is_empty(void **state)
{
    assert_page(*state, (kvzmq_range_t){0}, "", false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(page__limit__says_whether_more_follow),
        TEST(page__prefix__begins_with_it_even_if_after_is_before_it),
        TEST(page__values_that_are_not_known__are_left_out_and_not_counted),
        TEST(page__many_bytes__ends_behind_the_entry_that_fills_it),
        TEST(page__rows__have_what_the_copy_has),
        TEST(page__client_without_keys__is_empty),
    };
    return cmocka_run_group_tests_name("client_mirror_page", tests, NULL, NULL);
}
