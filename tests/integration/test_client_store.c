/* SPDX-License-Identifier: MPL-2.0 */
/* libkvzmq's calls on stores, the client's own and others, with a real broker. */
#include "tests/support/client_fixture.h"

#include "common/clock.h"

static void get__absent_key__is_absent_and_no_error(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_value_t value = {0};
    assert_status(conn, KVZMQ_ABSENT, kvzmq_get(conn, NULL, kvzmq_text("city"), &value));
    assert_string_equal(kvzmq_error(conn), "");
    assert_null(value.data);
    assert_status(conn, KVZMQ_ABSENT, kvzmq_entry(conn, NULL, kvzmq_text("city"), &value, NULL, NULL));
    assert_status(conn, KVZMQ_ABSENT, kvzmq_del(conn, NULL, kvzmq_text("city"), NULL, NULL));
    kvzmq_destroy(&conn);
}

static void get__any_value__is_what_was_put_to_the_byte(void **state)
{
    static const char every[] = "\x00\x01\xff\x80zero\x00";
    kvzmq_t *conn = connect_to(*state, NULL);
    size_t large_size = 1048576;
    char *large = malloc(large_size);
    assert_non_null(large);
    for (size_t i = 0; i < large_size; i++)
        large[i] = (char)(i * 31);
    kvzmq_slice_t values[] = {
        kvzmq_text(""),
        kvzmq_binary("", 0),
        kvzmq_text("Kolkata"),
        kvzmq_text("<blank>"),
        kvzmq_text_of("a\0b", 3),
        kvzmq_binary(every, sizeof every),
        kvzmq_text("\u0995\u09b2"),
        kvzmq_binary(large, large_size),
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        kvzmq_value_t value = {0};
        assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), values[i], NULL, NULL));
        assert_ok(conn, kvzmq_get(conn, NULL, kvzmq_text("k"), &value));
        assert_int_equal(value.size, values[i].size);
        assert_int_equal(value.binary, values[i].binary);
        assert_memory_equal(value.data, values[i].data, value.size);
        assert_int_equal(value.data[value.size], 0);
        kvzmq_value_release(&value);
        assert_null(value.data);
    }
    free(large);
    kvzmq_destroy(&conn);
}

static void put__value_that_is_not_utf8__is_refused_as_text(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("\xff"), NULL, NULL));
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_binary("\xff", 1), NULL, NULL));
    kvzmq_destroy(&conn);
}

static void put__larger_than_a_message__is_refused_without_losing_the_session(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    size_t size = 8388608;
    char *large = calloc(1, size);
    assert_non_null(large);
    assert_status(conn, KVZMQ_INVALID_ARGUMENT,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_binary(large, size), NULL, NULL));
    assert_non_null(strstr(kvzmq_error(conn), "limits/message"));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, /* above the broker's limit for values */
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_binary(large, 1048577), NULL, NULL));
    free(large);
    assert_ok(conn, kvzmq_ping(conn));
    assert_int_equal(kvzmq_reconnects(conn), 0);
    kvzmq_destroy(&conn);
}

static void put__with_if_revision__holds_only_for_that_revision(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_slice_t key = kvzmq_text("k");
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t detail = 0;
    kvzmq_put_options_t only = {.size = sizeof only, .conditional = true, .if_revision = 0};
    assert_ok(conn, kvzmq_put(conn, NULL, key, kvzmq_text("1"), &only, &first));
    assert_status(conn, KVZMQ_FAILED_PRECONDITION,
                  kvzmq_put(conn, NULL, key, kvzmq_text("2"), &only, &second));
    assert_int_equal(second, 0);
    assert_true(kvzmq_detail(conn, &detail));
    assert_int_equal(detail, first);
    assert_true(strlen(kvzmq_error(conn)) > 0);
    only.if_revision = first;
    assert_ok(conn, kvzmq_put(conn, NULL, key, kvzmq_text("2"), &only, &second));
    assert_true(second > first);

    assert_status(conn, KVZMQ_FAILED_PRECONDITION, kvzmq_del(conn, NULL, key, &first, NULL));
    assert_ok(conn, kvzmq_del(conn, NULL, key, &second, &first));
    assert_true(first > second);
    assert_false(kvzmq_detail(conn, &detail));
    kvzmq_destroy(&conn);
}

static void entry__with_ttl__tells_what_is_left(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_value_t value = {0};
    kvzmq_put_options_t minute = {.size = sizeof minute, .ttl_ms = 60000};
    uint64_t put = 0;
    uint64_t revision = 0;
    int64_t ttl_ms = 0;
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), &minute, &put));
    assert_ok(conn, kvzmq_entry(conn, NULL, kvzmq_text("k"), &value, &revision, &ttl_ms));
    assert_string_equal(value.data, "v");
    assert_int_equal(revision, put);
    assert_true(ttl_ms > 0 && ttl_ms <= 60000);
    kvzmq_value_release(&value);

    put_text(conn, "k", "v"); /* without ttl_ms: permanent */
    assert_ok(conn, kvzmq_entry(conn, NULL, kvzmq_text("k"), NULL, NULL, &ttl_ms));
    assert_int_equal(ttl_ms, -1);
    kvzmq_destroy(&conn);
}

static void list__page_after_page__gives_each_entry_once_in_order(void **state)
{
    enum { COUNT = 2500, LIMIT = 400 };
    kvzmq_t *conn = connect_to(*state, NULL);
    char key[32];
    put_text(conn, "a", "before");
    put_text(conn, "l", "behind");
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "key/%05d", i);
        put_text(conn, key, key + 4);
    }
    kvzmq_range_t range = {.size = sizeof range, .prefix = kvzmq_text("key/"), .limit = LIMIT};
    kvzmq_page_t *page = NULL;
    kvzmq_row_t row = {0};
    char last[32];
    int found = 0;
    int pages = 0;
    bool more = true;
    while (more) {
        assert_ok(conn, kvzmq_list(conn, NULL, &range, &page));
        assert_true(kvzmq_page_count(page) <= LIMIT);
        assert_true(kvzmq_page_seq(page) >= COUNT);
        while (kvzmq_page_next(page, &row)) {
            (void)snprintf(key, sizeof key, "key/%05d", found++);
            assert_string_equal(row.key.data, key);
            assert_string_equal(row.value.data, key + 4);
            assert_int_equal(row.ttl_ms, -1);
            assert_ok(conn, kvzmq_get(conn, NULL, row.key, NULL)); /* other calls do not affect a page */
        }
        pages++;
        (void)snprintf(last, sizeof last, "%s", row.key.data);
        range.after = kvzmq_text(last);
        more = kvzmq_page_more(page);
        kvzmq_page_destroy(&page);
        assert_null(page);
    }
    assert_int_equal(found, COUNT);
    assert_int_equal(pages, (COUNT + LIMIT - 1) / LIMIT);
    kvzmq_destroy(&conn);
}

static void list__of_an_empty_store__is_an_empty_page(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_page_t *page = NULL;
    kvzmq_row_t row;
    kvzmq_client_t client;
    assert_ok(conn, kvzmq_list(conn, NULL, NULL, &page));
    assert_int_equal(kvzmq_page_count(page), 0);
    assert_false(kvzmq_page_more(page));
    assert_false(kvzmq_page_next(page, &row));
    assert_false(kvzmq_page_next_client(page, &client)); /* a page has no rows of another kind */
    kvzmq_page_destroy(&page);
    kvzmq_destroy(&conn);
}

static void digest__changes_with_the_store(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_digest_t empty;
    kvzmq_digest_t one;
    assert_ok(conn, kvzmq_digest(conn, NULL, &empty));
    assert_int_equal(empty.digest, 0);
    assert_int_equal(empty.keys, 0);
    put_text(conn, "k", "v");
    assert_ok(conn, kvzmq_digest(conn, NULL, &one));
    assert_true(one.digest != 0);
    assert_int_equal(one.keys, 1);
    assert_true(one.seq > empty.seq);
    kvzmq_destroy(&conn);
}

static void guest__on_another_store__is_denied(void **state)
{
    kvzmq_t *lamp = connect_named(*state, "lamp");
    kvzmq_t *guest = connect_to(*state, NULL);
    kvzmq_value_t value = {0};
    kvzmq_page_t *page = NULL;
    put_text(lamp, "colour", "red");
    assert_status(guest, KVZMQ_PERMISSION_DENIED, kvzmq_get(guest, "lamp", kvzmq_text("colour"), &value));
    assert_status(guest, KVZMQ_PERMISSION_DENIED, kvzmq_list(guest, "lamp", NULL, &page));
    assert_status(guest, KVZMQ_PERMISSION_DENIED, kvzmq_clients(guest, NULL, &page));
    assert_status(guest, KVZMQ_PERMISSION_DENIED, kvzmq_stats(guest, &page));
    assert_status(guest, KVZMQ_PERMISSION_DENIED, kvzmq_forget(guest, "lamp"));
    assert_null(value.data);
    assert_null(page);
    kvzmq_destroy(&guest);
    kvzmq_destroy(&lamp);
}

static void manager__on_another_store__has_every_method(void **state)
{
    kvzmq_t *lamp = connect_to(*state, NULL);
    kvzmq_t *manager = connect_manager(*state);
    const char *id = kvzmq_session(lamp)->client;
    kvzmq_slice_t key = kvzmq_text("city");
    kvzmq_page_t *page = NULL;
    kvzmq_row_t row;
    kvzmq_digest_t digest;
    uint64_t revision = 0;
    put_text(lamp, "city", "Kolkata");
    assert_value(manager, id, "city", "Kolkata");
    assert_ok(manager, kvzmq_put(manager, id, key, kvzmq_text("Mumbai"), NULL, &revision));
    assert_value(lamp, NULL, "city", "Mumbai");
    assert_ok(manager, kvzmq_entry(manager, id, key, NULL, NULL, NULL));
    assert_ok(manager, kvzmq_digest(manager, id, &digest));
    assert_int_equal(digest.keys, 1);
    assert_ok(manager, kvzmq_list(manager, id, NULL, &page));
    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.value.data, "Mumbai");
    kvzmq_page_destroy(&page);
    assert_ok(manager, kvzmq_del(manager, id, key, &revision, NULL));
    assert_status(lamp, KVZMQ_ABSENT, kvzmq_get(lamp, NULL, key, NULL));
    assert_status(manager, KVZMQ_ABSENT, kvzmq_get(manager, NULL, key, NULL));
    assert_status(manager, KVZMQ_NOT_FOUND, kvzmq_get(manager, "nobody", key, NULL));
    kvzmq_destroy(&manager);
    kvzmq_destroy(&lamp);
}

static void manager__creates_a_claimed_store__which_needs_its_secret(void **state)
{
    kvzmq_t *manager = connect_manager(*state);
    kvzmq_options_t options = options_for(*state, NULL);
    kvzmq_put_options_t create = {
        .size = sizeof create, .create = true, .secret = kvzmq_text("sixteen bytes at least")};
    assert_ok(manager, kvzmq_put(manager, "pump", kvzmq_text("rpm"), kvzmq_text("900"), &create, NULL));
    options.name = "pump";
    kvzmq_t *pump = kvzmq_new(&options);
    assert_status(pump, KVZMQ_UNAUTHENTICATED, kvzmq_ping(pump));
    kvzmq_destroy(&pump);
    options.secret = create.secret;
    pump = connect_to(*state, &options);
    assert_value(pump, NULL, "rpm", "900");

    assert_ok(manager, kvzmq_forget(manager, "pump"));
    assert_status(manager, KVZMQ_NOT_FOUND, kvzmq_get(manager, "pump", kvzmq_text("rpm"), NULL));
    kvzmq_destroy(&pump);
    kvzmq_destroy(&manager);
}

static void put__options_that_do_not_fit__are_invalid_before_anything_is_sent(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_put_options_t create = {.size = sizeof create, .create = true};
    kvzmq_put_options_t secret = {.size = sizeof secret, .secret = kvzmq_text("sixteen bytes at least")};
    kvzmq_slice_t hollow = {NULL, 3, false};
    assert_status(conn, KVZMQ_INVALID_ARGUMENT,
                  kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), &create, NULL));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT,
                  kvzmq_put(conn, "lamp", kvzmq_text("k"), kvzmq_text("v"), &secret, NULL));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_put(conn, NULL, hollow, kvzmq_text("v"), NULL, NULL));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_put(conn, NULL, kvzmq_text("k"), hollow, NULL, NULL));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_role(conn, NULL, "guest"));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_auth(conn, "adam", NULL));
    kvzmq_destroy(&conn);
}

static void clients__page_after_page__gives_each_once_in_order(void **state)
{
    enum { COUNT = 5 };
    kvzmq_t *lamps[COUNT];
    char name[] = "lamp.1";
    for (size_t i = 0; i < COUNT; i++, name[5]++)
        lamps[i] = connect_named(*state, name);
    kvzmq_t *manager = connect_manager(*state);
    put_text(lamps[1], "k", "value");

    kvzmq_range_t range = {.size = sizeof range, .prefix = kvzmq_text("lamp."), .limit = 2};
    kvzmq_page_t *page = NULL;
    kvzmq_client_t client;
    char after[16] = "";
    size_t found = 0;
    bool more = true;
    while (more) {
        range.after = kvzmq_text(after);
        assert_ok(manager, kvzmq_clients(manager, &range, &page));
        while (kvzmq_page_next_client(page, &client)) {
            assert_int_equal(client.id.data[5], '1' + (int)found);
            assert_true(client.connected);
            assert_int_equal(client.sessions, 1);
            assert_string_equal(client.role.data, "guest");
            assert_false(client.claimed);
            assert_true(client.peer.size > 0);
            assert_int_equal(client.keys, found == 1 ? 1 : 0);
            assert_int_equal(client.bytes, found == 1 ? 6 : 0);
            (void)snprintf(after, sizeof after, "%s", client.id.data);
            found++;
        }
        more = kvzmq_page_more(page);
        kvzmq_page_destroy(&page);
    }
    assert_int_equal(found, COUNT);
    kvzmq_destroy(&manager);
    for (size_t i = 0; i < COUNT; i++)
        kvzmq_destroy(&lamps[i]);
}

static void stats__have_names_and_numbers(void **state)
{
    kvzmq_t *manager = connect_manager(*state);
    kvzmq_page_t *page = NULL;
    const char *name = NULL;
    uint64_t number = 0;
    uint64_t requests = 0;
    assert_ok(manager, kvzmq_stats(manager, &page));
    assert_true(kvzmq_page_count(page) > 0);
    while (kvzmq_page_next_stat(page, &name, &number))
        if (strcmp(name, "requests_total") == 0)
            requests = number;
    assert_true(requests >= 2);
    kvzmq_page_destroy(&page);
    kvzmq_destroy(&manager);
}

static void role__given_by_a_manager__is_seen_after_hello(void **state)
{
    kvzmq_t *guest = connect_to(*state, NULL);
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(manager, kvzmq_role(manager, kvzmq_session(guest)->client, "manager"));
    assert_ok(guest, kvzmq_hello(guest));
    assert_string_equal(kvzmq_session(guest)->role, "manager");
    assert_int_equal(kvzmq_reconnects(guest), 0);
    assert_ok(guest, kvzmq_role(guest, kvzmq_session(manager)->client, "guest"));
    kvzmq_page_t *page = NULL;
    assert_status(manager, KVZMQ_PERMISSION_DENIED, kvzmq_stats(manager, &page));
    kvzmq_destroy(&manager);
    kvzmq_destroy(&guest);
}

static void call__by_name__gives_the_encoded_result(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    kvzmq_value_t result = {0};
    put_text(conn, "city", "Kolkata");
    assert_ok(conn, kvzmq_call(conn, "get",
                               kvzmq_binary("\x91\xa4"
                                            "city",
                                            6),
                               KVZMQ_READ, &result));
    assert_int_equal(result.size, 8);
    assert_memory_equal(result.data, "\xa7Kolkata", 8);
    kvzmq_value_release(&result);
    assert_ok(conn, kvzmq_call(conn, "ping", kvzmq_text(""), KVZMQ_READ, NULL));
    assert_status(conn, KVZMQ_UNIMPLEMENTED, kvzmq_call(conn, "fly", kvzmq_text(""), 0, &result));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, kvzmq_call(conn, "hello", kvzmq_text(""), 0, &result));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT,
                  kvzmq_call(conn, "get",
                             kvzmq_text("\xa4"
                                        "city"),
                             0, &result));
    assert_status(conn, KVZMQ_INVALID_ARGUMENT, /* two values */
                  kvzmq_call(conn, "get",
                             kvzmq_text("\x91\xa4"
                                        "city\x01"),
                             0, &result));
    assert_null(result.data);
    kvzmq_destroy(&conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(get__absent_key__is_absent_and_no_error, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(get__any_value__is_what_was_put_to_the_byte, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(put__value_that_is_not_utf8__is_refused_as_text, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(put__larger_than_a_message__is_refused_without_losing_the_session,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(put__with_if_revision__holds_only_for_that_revision, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(entry__with_ttl__tells_what_is_left, setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(list__page_after_page__gives_each_entry_once_in_order, setup_ipc,
                                        teardown),
        cmocka_unit_test_setup_teardown(list__of_an_empty_store__is_an_empty_page, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(digest__changes_with_the_store, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(guest__on_another_store__is_denied, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(manager__on_another_store__has_every_method, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(manager__creates_a_claimed_store__which_needs_its_secret, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(put__options_that_do_not_fit__are_invalid_before_anything_is_sent,
                                        setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(clients__page_after_page__gives_each_once_in_order, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(stats__have_names_and_numbers, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(role__given_by_a_manager__is_seen_after_hello, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(call__by_name__gives_the_encoded_result, setup_tcp, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
