/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's pages: they have the rows that were sent, and bytes that are not a page give only a status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lib/page.h"
#include "common/limits.h"
#include "common/rpc.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"
#include "tests/unit/exact.h"

enum { BODY_MAX = 1 << 20 };

static void write_row(buffer_t *body, bytes_t key, bytes_t value, bool binary, uint64_t revision)
{
    rpc_write_array(body, 4);
    rpc_write_str(body, key);
    if (binary)
        rpc_write_bin(body, value);
    else
        rpc_write_str(body, value);
    rpc_write_uint(body, revision);
    rpc_write_nil(body);
}

/* Writes the head of a `list` result. COUNT entries must follow as its last value. */
static void write_list_head(buffer_t *body, uint32_t count, bool more)
{
    rpc_write_map(body, 3);
    rpc_write_text(body, "seq");
    rpc_write_uint(body, 77);
    rpc_write_text(body, "more");
    rpc_write_bool(body, more);
    rpc_write_text(body, "entries");
    rpc_write_array(body, count);
}

/* Writes a list of three rows, with zero bytes and an empty value. */
static void write_list(buffer_t *body)
{
    buffer_init(body, BODY_MAX);
    write_list_head(body, 3, true);
    write_row(body, bytes_from_text("a"), bytes_from_text(""), false, 1);
    write_row(body, bytes_of("b\0c", 3), bytes_of("\0\xff", 2), true, 2);
    write_row(body, bytes_from_text("d"), bytes_from_text("last"), false, UINT64_MAX);
    assert_false(body->failed);
}

static void page__of_a_list__gives_its_rows_with_a_zero_behind_each(void **state)
{
    (void)state;
    buffer_t body;
    kvzmq_page_t *page = NULL;
    kvzmq_row_t row;
    write_list(&body);
    assert_int_equal(page_new(PAGE_LIST, buffer_bytes(&body), &page), KVZMQ_OK);
    buffer_release(&body); /* the page has copies */
    assert_int_equal(kvzmq_page_count(page), 3);
    assert_int_equal(kvzmq_page_seq(page), 77);
    assert_true(kvzmq_page_more(page));

    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.key.data, "a");
    assert_string_equal(row.value.data, "");
    assert_false(row.value.binary);
    assert_int_equal(row.ttl_ms, -1);
    assert_true(kvzmq_page_next(page, &row));
    assert_int_equal(row.key.size, 3);
    assert_memory_equal(row.key.data, "b\0c", 4);
    assert_int_equal(row.value.size, 2);
    assert_memory_equal(row.value.data, "\0\xff", 3);
    assert_true(row.value.binary);
    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.value.data, "last");
    assert_true(row.revision == UINT64_MAX);
    assert_false(kvzmq_page_next(page, &row));
    kvzmq_page_destroy(&page);
}

static void page__of_a_newer_broker__passes_over_what_it_does_not_know(void **state)
{
    (void)state;
    buffer_t body;
    kvzmq_page_t *page = NULL;
    buffer_init(&body, BODY_MAX);
    rpc_write_map(&body, 4);
    rpc_write_text(&body, "news");
    rpc_write_array(&body, 2);
    rpc_write_nil(&body);
    rpc_write_uint(&body, 3);
    rpc_write_text(&body, "more");
    rpc_write_bool(&body, false);
    rpc_write_text(&body, "entries");
    rpc_write_array(&body, 0);
    rpc_write_text(&body, "seq");
    rpc_write_uint(&body, 1);
    assert_int_equal(page_new(PAGE_LIST, buffer_bytes(&body), &page), KVZMQ_OK);
    assert_int_equal(kvzmq_page_count(page), 0);
    kvzmq_page_destroy(&page);
    buffer_release(&body);
}

static void page__of_stats__gives_names_and_numbers(void **state)
{
    (void)state;
    buffer_t body;
    kvzmq_page_t *page = NULL;
    const char *name;
    uint64_t number;
    buffer_init(&body, BODY_MAX);
    rpc_write_map(&body, 2);
    rpc_write_text(&body, "puts_total");
    rpc_write_uint(&body, 3);
    rpc_write_text(&body, "clients");
    rpc_write_uint(&body, 0);
    assert_int_equal(page_new(PAGE_STATS, buffer_bytes(&body), &page), KVZMQ_OK);
    assert_true(kvzmq_page_next_stat(page, &name, &number));
    assert_string_equal(name, "puts_total");
    assert_int_equal(number, 3);
    assert_true(kvzmq_page_next_stat(page, &name, &number));
    assert_string_equal(name, "clients");
    assert_false(kvzmq_page_next_stat(page, &name, &number));
    kvzmq_page_destroy(&page);
    buffer_release(&body);
}

static void page__cut_anywhere__is_refused(void **state)
{
    (void)state;
    buffer_t body;
    write_list(&body);
    for (size_t size = 0; size < body.size; size++) {
        kvzmq_page_t *page = NULL;
        assert_int_equal(page_new(PAGE_LIST, exact(bytes_of(body.data, size)), &page), KVZMQ_PROTOCOL);
        assert_null(page);
    }
    buffer_release(&body);
}

static void page__of_more_rows_than_any_page_has__is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t rows;
        kvzmq_status_t status;
    } cases[] = {{LIMIT_PAGE_ENTRIES, KVZMQ_OK}, {LIMIT_PAGE_ENTRIES + 1, KVZMQ_PROTOCOL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t body;
        kvzmq_page_t *page = NULL;
        buffer_init(&body, BODY_MAX);
        write_list_head(&body, cases[i].rows, false);
        for (uint32_t row = 0; row < cases[i].rows; row++)
            write_row(&body, bytes_from_text("k"), bytes_from_text("v"), false, row);
        assert_false(body.failed);
        assert_int_equal(page_new(PAGE_LIST, buffer_bytes(&body), &page), cases[i].status);
        kvzmq_page_destroy(&page);
        buffer_release(&body);
    }
}

static void page__that_declares_rows_it_has_not__allocates_none(void **state)
{
    (void)state;
    static const char lies[] = "\x83\xa3seq\x01\xa4more\xc2\xa7"
                               "entries\xdd\xff\xff\xff\xff";
    kvzmq_page_t *page = NULL;
    assert_int_equal(page_new(PAGE_LIST, bytes_of(lies, sizeof lies - 1), &page), KVZMQ_PROTOCOL);
    assert_int_equal(page_new(PAGE_STATS, bytes_of("\xdf\xff\xff\xff\xff", 5), &page), KVZMQ_PROTOCOL);
    assert_null(page);
}

static void page__of_a_row_without_a_key__is_refused(void **state)
{
    (void)state;
    static const char rows[] = "\x83\xa7"
                               "entries\x91\x94\xc0\xa1v\x03\xc0\xa4more\xc2\xa3seq\x05";
    kvzmq_page_t *page = NULL;
    assert_int_equal(page_new(PAGE_LIST, bytes_of(rows, sizeof rows - 1), &page), KVZMQ_PROTOCOL);
    assert_null(page);
}

/* Reads all of a page, so that a sanitizer can find wrong pointers. Returns the sum of the sizes. */
static size_t walk(kvzmq_page_t *page)
{
    kvzmq_row_t row;
    size_t sum = 0;
    while (kvzmq_page_next(page, &row)) {
        assert_int_equal(row.key.data[row.key.size], 0);
        assert_int_equal(row.value.data[row.value.size], 0);
        sum += row.key.size + row.value.size;
    }
    return sum;
}

static void page__of_changed_bytes__is_a_page_or_refused(void **state)
{
    (void)state;
    chance_t chance = chance_from(chance_seed());
    unsigned rounds = (unsigned)volume(100000, 2000);
    size_t pages = 0;
    buffer_t body;
    write_list(&body);
    uint8_t *changed = malloc(body.size);
    assert_non_null(changed);
    for (unsigned round = 0; round < rounds; round++) {
        kvzmq_page_t *page = NULL;
        memcpy(changed, body.data, body.size);
        for (size_t i = 0, changes = 1 + chance_below(&chance, 4); i < changes; i++)
            changed[chance_below(&chance, body.size)] = (uint8_t)chance_next(&chance);
        kvzmq_status_t status = page_new(PAGE_LIST, bytes_of(changed, body.size), &page);
        assert_true(status == KVZMQ_OK || status == KVZMQ_PROTOCOL);
        if (status != KVZMQ_OK)
            continue;
        pages++;
        assert_true(walk(page) <= body.size);
        kvzmq_page_destroy(&page);
    }
    assert_true(pages > 0 && pages < rounds);
    free(changed);
    buffer_release(&body);
}

/* Whether page_is_of_range takes a page of KEYS (one character each), with or without MORE to follow, as one
 * of RANGE. */
static bool is_of(const char *keys, bool more, const kvzmq_range_t *range)
{
    buffer_t body;
    kvzmq_page_t *page = NULL;
    buffer_init(&body, BODY_MAX);
    write_list_head(&body, (uint32_t)strlen(keys), more);
    for (const char *key = keys; *key != '\0'; key++)
        write_row(&body, bytes_of(key, 1), bytes_from_text("v"), false, 1);
    assert_int_equal(page_new(PAGE_LIST, buffer_bytes(&body), &page), KVZMQ_OK);
    buffer_release(&body);
    bool is = page_is_of_range(page, range);
    kvzmq_page_destroy(&page);
    return is;
}

static void page__of_a_range__has_rows_in_order_within_it_and_some_if_there_is_more(void **state)
{
    (void)state;
    kvzmq_range_t range = {.size = sizeof range};
    assert_true(is_of("", false, &range));
    assert_false(is_of("", true, &range));
    assert_true(is_of("abd", true, &range));
    assert_false(is_of("aab", true, &range));
    assert_false(is_of("ba", false, &range));
    range.after = kvzmq_text("b");
    assert_true(is_of("cd", true, &range));
    assert_false(is_of("bc", true, &range));
    assert_false(is_of("ac", false, &range));
    range.after = kvzmq_text("");
    range.prefix = kvzmq_text("a");
    assert_true(is_of("a", false, &range));
    assert_false(is_of("ab", false, &range));
    range.prefix = kvzmq_text("");
    range.limit = 2;
    assert_true(is_of("ab", true, &range));
    assert_false(is_of("abc", true, &range));
}

static void page__of_a_batch_s_answer__that_does_not_advance__is_refused(void **state)
{
    (void)state;
    kvzmq_range_t range;
    buffer_t body;
    kvzmq_page_t *page = NULL;
    write_list(&body); /* a, b\0c, d */
    kvzmq_answer_t answer = {.size = sizeof answer,
                             .result = {(const char *)body.data, body.size, .binary = true}};
    assert_int_equal(kvzmq_answer_page(&answer, NULL, &page), KVZMQ_OK);
    kvzmq_page_destroy(&page);
    kvzmq_range_init(&range);
    range.after = kvzmq_text("A");
    assert_int_equal(kvzmq_answer_page(&answer, &range, &page), KVZMQ_OK);
    kvzmq_page_destroy(&page);
    range.after = kvzmq_text("d");
    assert_int_equal(kvzmq_answer_page(&answer, &range, &page), KVZMQ_PROTOCOL);
    range.size = 0;
    assert_int_equal(kvzmq_answer_page(&answer, &range, &page), KVZMQ_INVALID_ARGUMENT);
    assert_null(page);
    buffer_release(&body);
}

static void page__of_clients_without_an_id__is_of_no_range(void **state)
{
    (void)state;
    static const char *const fields[] = {"id",       "role",     "peer",    "connected", "claimed",
                                         "sessions", "since_ms", "idle_ms", "keys",      "bytes"};
    const kvzmq_range_t range = {.size = sizeof range};
    buffer_t body;
    kvzmq_page_t *page = NULL;
    buffer_init(&body, BODY_MAX);
    rpc_write_map(&body, 2);
    rpc_write_text(&body, "more");
    rpc_write_bool(&body, false);
    rpc_write_text(&body, "clients");
    rpc_write_array(&body, 1);
    rpc_write_map(&body, sizeof fields / sizeof *fields);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        rpc_write_text(&body, fields[i]);
        if (i == 3 || i == 4)
            rpc_write_bool(&body, false);
        else
            rpc_write_nil(&body);
    }
    assert_int_equal(page_new(PAGE_CLIENTS, buffer_bytes(&body), &page), KVZMQ_OK);
    assert_false(page_is_of_range(page, &range));
    kvzmq_page_destroy(&page);
    buffer_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page__of_a_list__gives_its_rows_with_a_zero_behind_each),
        cmocka_unit_test(page__of_a_newer_broker__passes_over_what_it_does_not_know),
        cmocka_unit_test(page__of_stats__gives_names_and_numbers),
        cmocka_unit_test_teardown(page__cut_anywhere__is_refused, exact_release),
        cmocka_unit_test(page__of_more_rows_than_any_page_has__is_refused),
        cmocka_unit_test(page__that_declares_rows_it_has_not__allocates_none),
        cmocka_unit_test(page__of_a_row_without_a_key__is_refused),
        cmocka_unit_test(page__of_changed_bytes__is_a_page_or_refused),
        cmocka_unit_test(page__of_a_range__has_rows_in_order_within_it_and_some_if_there_is_more),
        cmocka_unit_test(page__of_a_batch_s_answer__that_does_not_advance__is_refused),
        cmocka_unit_test(page__of_clients_without_an_id__is_of_no_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
