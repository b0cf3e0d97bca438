/* SPDX-License-Identifier: MPL-2.0 */
/* Mirrors with libkvzmq and a real broker. */
#include <signal.h>

#include "common/clock.h"
#include "tests/support/client_fixture.h"

static kvzmq_mirror_t *mirror_new(const broker_process_t *broker, const char *client, const char *prefix)
{
    kvzmq_options_t connection = manager_options(broker);
    connection.call_ms = 2000;
    kvzmq_mirror_t *mirror = kvzmq_mirror_new(&connection, client, kvzmq_text(prefix));
    assert_non_null(mirror);
    return mirror;
}

static uint64_t put(kvzmq_t *conn, const char *key, const char *value)
{
    uint64_t revision = 0;
    assert_ok(conn, kvzmq_put(conn, NULL, kvzmq_text(key), kvzmq_text(value), NULL, &revision));
    return revision;
}

static void wait_for(kvzmq_mirror_t *mirror, uint64_t seq)
{
    kvzmq_status_t status = kvzmq_mirror_wait(mirror, seq, TIMEOUT_MS);
    if (status != KVZMQ_OK)
        fail_msg("%s %s", kvzmq_status_text(status), kvzmq_mirror_error(mirror));
}

static void assert_mirrored(kvzmq_mirror_t *mirror, const char *store, const char *key, const char *text)
{
    kvzmq_value_t value = {0};
    assert_int_equal(kvzmq_mirror_get(mirror, store, kvzmq_text(key), &value, NULL), KVZMQ_OK);
    assert_string_equal(value.data, text);
    kvzmq_value_release(&value);
}

static void assert_verified(kvzmq_mirror_t *mirror, kvzmq_t *manager, const char *store)
{
    bool equal = false;
    uint64_t seq = 0;
    kvzmq_status_t status = kvzmq_mirror_verify(mirror, manager, store, TIMEOUT_MS, &equal, &seq);
    assert_int_equal(status, KVZMQ_OK);
    assert_true(equal);
    assert_true(seq > 0);
}

static void wait__for_ones_own_put__gives_it_back(void **state)
{
    kvzmq_t *robot = connect_named(*state, "robot");
    put(robot, "before", "1");
    kvzmq_mirror_t *mirror = mirror_new(*state, "robot", "");
    wait_for(mirror, 0);
    assert_mirrored(mirror, NULL, "before", "1");
    for (int i = 0; i < 100; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%d", i);
        wait_for(mirror, put(robot, "k", text));
        assert_mirrored(mirror, NULL, "k", text);
    }
    uint64_t revision = 0;
    assert_ok(robot, kvzmq_del(robot, NULL, kvzmq_text("k"), NULL, &revision));
    wait_for(mirror, revision);
    assert_int_equal(kvzmq_mirror_get(mirror, NULL, kvzmq_text("k"), NULL, NULL), KVZMQ_ABSENT);
    kvzmq_mirror_destroy(&mirror);
    assert_null(mirror);
    kvzmq_destroy(&robot);
}

static void wait__for_another_clients_put__comes_with_the_position(void **state)
{
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_t *other = connect_named(*state, "other");
    put(robot, "k", "1");
    kvzmq_mirror_t *mirror = mirror_new(*state, "robot", "");
    wait_for(mirror, put(other, "k", "1"));
    assert_int_equal(kvzmq_mirror_wait(mirror, UINT64_MAX, 10), KVZMQ_TIMEOUT);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&other);
}

static void list__of_a_mirror__pages_in_key_order(void **state)
{
    kvzmq_t *robot = connect_named(*state, "robot");
    static const char *const keys[] = {"b", "a/2", "c", "a/1", "a", "a/3"};
    uint64_t seq = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        seq = put(robot, keys[i], "v");
    kvzmq_mirror_t *mirror = mirror_new(*state, "robot", "");
    wait_for(mirror, seq);
    kvzmq_page_t *page = NULL;
    kvzmq_row_t row;
    kvzmq_range_t range = {.size = sizeof range, .prefix = kvzmq_text("a/"), .limit = 2};
    assert_int_equal(kvzmq_mirror_list(mirror, NULL, &range, &page), KVZMQ_OK);
    assert_true(kvzmq_page_more(page));
    assert_true(kvzmq_page_seq(page) >= seq);
    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.key.data, "a/1");
    assert_int_equal(row.ttl_ms, -1);
    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.key.data, "a/2");
    assert_false(kvzmq_page_next(page, &row));
    kvzmq_page_destroy(&page);
    range.after = kvzmq_text("a/2");
    assert_int_equal(kvzmq_mirror_list(mirror, NULL, &range, &page), KVZMQ_OK);
    assert_true(kvzmq_page_next(page, &row));
    assert_string_equal(row.key.data, "a/3");
    assert_false(kvzmq_page_more(page));
    kvzmq_page_destroy(&page);
    assert_int_equal(kvzmq_mirror_list(mirror, NULL, NULL, &page), KVZMQ_OK);
    assert_int_equal(kvzmq_page_count(page), 6);
    kvzmq_page_destroy(&page);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&robot);
}

static void stores__of_a_mirror_of_all__come_in_order(void **state)
{
    kvzmq_t *zoo = connect_named(*state, "zoo");
    kvzmq_t *ark = connect_named(*state, "ark");
    put(zoo, "k", "1");
    uint64_t seq = put(ark, "k", "1");
    kvzmq_mirror_t *mirror = mirror_new(*state, NULL, "");
    kvzmq_value_t store = {0};
    wait_for(mirror, seq);
    assert_int_equal(kvzmq_mirror_next_store(mirror, NULL, &store), KVZMQ_OK);
    assert_string_equal(store.data, "ark");
    kvzmq_value_release(&store);
    assert_int_equal(kvzmq_mirror_next_store(mirror, "ark", &store), KVZMQ_OK);
    assert_string_equal(store.data, "zoo");
    kvzmq_value_release(&store);
    assert_int_equal(kvzmq_mirror_next_store(mirror, "zoo", &store), KVZMQ_ABSENT);
    assert_int_equal(kvzmq_mirror_get(mirror, NULL, kvzmq_text("k"), NULL, NULL), KVZMQ_INVALID_ARGUMENT);
    kvzmq_mirror_state_t mirrored;
    kvzmq_mirror_state(mirror, &mirrored);
    assert_true(mirrored.ready && mirrored.connected);
    assert_int_equal(mirrored.stores, 2);
    assert_int_equal(mirrored.keys, 2);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&zoo);
    kvzmq_destroy(&ark);
}

static void mirror__of_one_store_and_a_prefix__does_not_answer_for_others(void **state)
{
    kvzmq_t *lamp = connect_named(*state, "lamp");
    kvzmq_t *other = connect_named(*state, "other");
    put(lamp, "config/a", "1");
    put(lamp, "state/a", "1");
    uint64_t seq = put(other, "config/a", "1");
    kvzmq_mirror_t *mirror = mirror_new(*state, "lamp", "config/");
    kvzmq_page_t *page = NULL;
    wait_for(mirror, seq);
    assert_int_equal(kvzmq_mirror_get(mirror, "lamp", kvzmq_text("config/a"), NULL, NULL), KVZMQ_OK);
    assert_int_equal(kvzmq_mirror_get(mirror, NULL, kvzmq_text("config/b"), NULL, NULL), KVZMQ_ABSENT);
    assert_int_equal(kvzmq_mirror_get(mirror, NULL, kvzmq_text("state/a"), NULL, NULL),
                     KVZMQ_INVALID_ARGUMENT);
    assert_int_equal(kvzmq_mirror_get(mirror, "other", kvzmq_text("config/a"), NULL, NULL),
                     KVZMQ_INVALID_ARGUMENT);
    assert_int_equal(kvzmq_mirror_list(mirror, "other", NULL, &page), KVZMQ_INVALID_ARGUMENT);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&lamp);
    kvzmq_destroy(&other);
}

static void verify__while_the_store_changes_and_holds_large_values__is_equal(void **state)
{
    enum { ROUNDS = 50, PUTS = 20, LARGE = 100000 };
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_t *manager = connect_manager(*state);
    char *large = calloc(1, LARGE);
    assert_non_null(large);
    kvzmq_mirror_t *mirror = mirror_new(*state, NULL, "");
    kvzmq_answer_t answer;
    wait_for(mirror, 0);
    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        kvzmq_batch_t *batch = kvzmq_batch_new(robot);
        for (int j = 0; j < PUTS; j++) {
            (void)snprintf(key, sizeof key, "%d", j);
            assert_ok(robot, kvzmq_batch_put(batch, NULL, kvzmq_text(key), kvzmq_text(key), NULL, NULL));
        }
        (void)snprintf(key, sizeof key, "large-%d",
                       i); /* written once, so its value can be read by its event */
        assert_ok(robot,
                  kvzmq_batch_put(batch, NULL, kvzmq_text(key), kvzmq_binary(large, LARGE), NULL, NULL));
        assert_ok(robot, kvzmq_batch_send(&batch));
        assert_verified(mirror, manager, "robot");
        while (kvzmq_poll(robot, -1, &answer) == KVZMQ_OK)
            assert_int_equal(answer.status, KVZMQ_OK);
    }
    free(large);
    assert_verified(mirror, manager, "robot");
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&manager);
}

static void verify__of_a_store_that_is_gone__is_equal(void **state)
{
    kvzmq_t *robot = connect_named(*state, "robot");
    kvzmq_t *manager = connect_manager(*state);
    put(robot, "k", "1");
    kvzmq_mirror_t *mirror = mirror_new(*state, NULL, "");
    wait_for(mirror, 0);
    assert_verified(mirror, manager, "robot");
    assert_ok(manager, kvzmq_forget(manager, "robot"));
    kvzmq_digest_t digest;
    assert_ok(manager, kvzmq_digest(manager, NULL, &digest));
    wait_for(mirror, digest.seq);
    assert_verified(mirror, manager, "robot");
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&manager);
}

static void verify__of_a_prefix__cannot_be(void **state)
{
    kvzmq_t *manager = connect_manager(*state);
    kvzmq_mirror_t *mirror = mirror_new(*state, NULL, "p");
    bool equal = false;
    assert_int_equal(kvzmq_mirror_verify(mirror, manager, "robot", 0, &equal, NULL),
                     KVZMQ_FAILED_PRECONDITION);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&manager);
}

static void mirror__broker_killed_and_restarted__is_built_anew(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_t *robot = connect_named(broker, "robot");
    put(robot, "old", "1");
    kvzmq_mirror_t *mirror = mirror_new(broker, NULL, "");
    wait_for(mirror, 0);
    assert_mirrored(mirror, "robot", "old", "1");
    broker_process_kill(broker);
    broker_process_restart(broker);
    put(robot, "new", "1");
    kvzmq_mirror_state_t mirrored;
    do {
        wait_for(mirror, 0);
        kvzmq_mirror_state(mirror, &mirrored);
    } while (mirrored.resets == 0);
    kvzmq_t *manager = connect_manager(broker);
    assert_verified(mirror, manager, "robot");
    assert_mirrored(mirror, "robot", "new", "1");
    assert_int_equal(kvzmq_mirror_get(mirror, "robot", kvzmq_text("old"), NULL, NULL), KVZMQ_ABSENT);
    kvzmq_mirror_destroy(&mirror);
    kvzmq_destroy(&robot);
    kvzmq_destroy(&manager);
}

static void mirror__of_a_guest__fails_for_good(void **state)
{
    kvzmq_options_t connection = options_for(*state, NULL);
    kvzmq_mirror_t *mirror = kvzmq_mirror_new(&connection, NULL, kvzmq_text(""));
    assert_non_null(mirror);
    assert_int_equal(kvzmq_mirror_wait(mirror, 0, -1), KVZMQ_PERMISSION_DENIED);
    assert_int_equal(kvzmq_mirror_get(mirror, "robot", kvzmq_text("k"), NULL, NULL), KVZMQ_PERMISSION_DENIED);
    assert_int_not_equal(strlen(kvzmq_mirror_error(mirror)), 0);
    kvzmq_mirror_destroy(&mirror);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(setup_tcp, wait__for_ones_own_put__gives_it_back),
        ON(setup_tcp, wait__for_another_clients_put__comes_with_the_position),
        ON(setup_tcp, list__of_a_mirror__pages_in_key_order),
        ON(setup_tcp, stores__of_a_mirror_of_all__come_in_order),
        ON(setup_tcp, mirror__of_one_store_and_a_prefix__does_not_answer_for_others),
        ON(setup_tcp, verify__while_the_store_changes_and_holds_large_values__is_equal),
        ON(setup_tcp, verify__of_a_store_that_is_gone__is_equal),
        ON(setup_tcp, verify__of_a_prefix__cannot_be),
        ON(setup_ipc, mirror__broker_killed_and_restarted__is_built_anew),
        ON(setup_tcp, mirror__of_a_guest__fails_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
