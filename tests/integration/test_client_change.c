/* SPDX-License-Identifier: MPL-2.0 */
/* Notifications about changes of the client's own store, with libkvzmq and a real broker. */
#include <poll.h>
#include <signal.h>

#include "common/clock.h"
#include "tests/support/client_fixture.h"

enum { NOTES = 64 };

/* The events that were reported. */
typedef struct heard {
    unsigned count;
    kvzmq_event_kind_t kind[NOTES];
    char key[NOTES][32];
    char value[NOTES][32];
    uint64_t seq[NOTES];
} heard_t;

static void hear(void *context, const kvzmq_event_t *event)
{
    heard_t *heard = context;
    assert_true(heard->count < NOTES);
    unsigned i = heard->count++;
    heard->kind[i] = event->kind;
    heard->seq[i] = event->seq;
    assert_true(event->epoch.size > 0);
    (void)snprintf(heard->key[i], sizeof heard->key[i], "%s", event->key.data != NULL ? event->key.data : "");
    (void)snprintf(heard->value[i], sizeof heard->value[i], "%s",
                   event->value.data != NULL ? event->value.data : "");
}

/* How many puts were reported. Each `prev` must be the `seq` of the one before. */
typedef struct in_order {
    unsigned count;
    uint64_t seq; /* of the latest put */
} in_order_t;

static void hear_in_order(void *context, const kvzmq_event_t *event)
{
    in_order_t *heard = context;
    assert_int_equal(event->kind, KVZMQ_EVENT_PUT);
    if (heard->count++ > 0)
        assert_int_equal(event->prev, heard->seq);
    heard->seq = event->seq;
}

/* Listens until COUNT events have been reported in all. */
static void listen_for(kvzmq_t *conn, const heard_t *heard, unsigned count)
{
    while (heard->count < count)
        assert_ok(conn, kvzmq_listen(conn, TIMEOUT_MS));
    assert_int_equal(heard->count, count);
}

static void put_to(kvzmq_t *manager, const char *client, const char *key, const char *value)
{
    assert_ok(manager, kvzmq_put(manager, client, kvzmq_text(key), kvzmq_text(value), NULL, NULL));
}

static void put(kvzmq_t *conn, const char *key, const char *value)
{
    put_to(conn, NULL, key, value);
}

static void on_change__of_a_managers_put_del_and_of_time__tells_each(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    kvzmq_put_options_t brief = {.size = sizeof brief, .ttl_ms = 100};
    put_to(manager, "device", "speed", "fast");
    assert_ok(manager, kvzmq_del(manager, "device", kvzmq_text("speed"), NULL, NULL));
    assert_ok(manager, kvzmq_put(manager, "device", kvzmq_text("t"), kvzmq_text("v"), &brief, NULL));
    listen_for(device, &heard, 4);
    assert_int_equal(heard.kind[0], KVZMQ_EVENT_PUT);
    assert_string_equal(heard.key[0], "speed");
    assert_string_equal(heard.value[0], "fast");
    assert_int_equal(heard.kind[1], KVZMQ_EVENT_DEL);
    assert_int_equal(heard.kind[2], KVZMQ_EVENT_PUT);
    assert_int_equal(heard.kind[3], KVZMQ_EVENT_EXPIRE);
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__of_its_own_put__tells_nothing(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    put(device, "own", "1");
    put_to(manager, "device", "foreign", "1");
    listen_for(device, &heard, 1);
    assert_string_equal(heard.key[0], "foreign");
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__during_any_call__tells_what_has_arrived(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    put_to(manager, "device", "k", "1");
    assert_ok(device, kvzmq_ping(device)); /* its answer comes after the push */
    assert_int_equal(heard.count, 1);
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__more_at_once_than_a_queue_holds__tells_all_in_order(void **state)
{
    enum { CHANGES = 5000, A_BATCH = 1000 };
    in_order_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    kvzmq_answer_t answer;
    assert_ok(device, kvzmq_on_change(device, hear_in_order, &heard, NULL));
    for (int i = 0; i < CHANGES / A_BATCH; i++) {
        kvzmq_batch_t *batch = kvzmq_batch_new(manager);
        for (int j = 0; j < A_BATCH; j++)
            assert_ok(manager,
                      kvzmq_batch_put(batch, "device", kvzmq_text("k"), kvzmq_text("v"), NULL, NULL));
        assert_ok(manager, kvzmq_batch_send(&batch));
        while (kvzmq_poll(manager, -1, &answer) == KVZMQ_OK)
            assert_int_equal(answer.status, KVZMQ_OK);
    }
    while (heard.count < CHANGES)
        assert_ok(device, kvzmq_listen(device, TIMEOUT_MS));
    assert_int_equal(heard.count, CHANGES);
    kvzmq_position_t position;
    assert_true(kvzmq_change_position(device, &position));
    assert_int_equal(position.seq, heard.seq);
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__session_was_ended_meanwhile__tells_what_was_missed(void **state)
{
    broker_process_t *broker = *state;
    heard_t heard = {0};
    kvzmq_t *device = connect_named(broker, "device");
    kvzmq_t *manager = connect_manager(broker);
    put(device, "own", "1"); /* so that the store stays while the device is away */
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    put_to(manager, "device", "k", "1");
    listen_for(device, &heard, 1);
    broker_process_wait_log(broker, "device disconnected (timeout)", 1);
    put_to(manager, "device", "k", "2");
    put_to(manager, "device", "k", "3");
    listen_for(device, &heard, 3);
    assert_string_equal(heard.value[1], "2");
    assert_string_equal(heard.value[2], "3");
    assert_int_equal(kvzmq_reconnects(device), 1);
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__process_restarted_under_its_name__goes_on_from_where_it_was(void **state)
{
    heard_t heard = {0};
    kvzmq_position_t position;
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    assert_false(kvzmq_change_position(device, &position));
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    put_to(manager, "device", "k", "1");
    listen_for(device, &heard, 1);
    assert_true(kvzmq_change_position(device, &position));
    assert_int_equal(position.seq, heard.seq[0]);
    kvzmq_destroy(&device);
    put_to(manager, "device", "k", "2");
    device = connect_named(*state, "device");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, &position));
    put_to(manager, "device", "k", "3");
    listen_for(device, &heard, 3);
    assert_string_equal(heard.value[1], "2");
    assert_string_equal(heard.value[2], "3");
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__broker_started_anew__says_reset_then_goes_on(void **state)
{
    broker_process_t *broker = *state;
    heard_t heard = {0};
    kvzmq_t *device = connect_named(broker, "device");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    broker_process_kill(broker);
    broker_process_restart(broker);
    listen_for(device, &heard, 1);
    assert_int_equal(heard.kind[0], KVZMQ_EVENT_RESET);
    kvzmq_t *manager = connect_manager(broker);
    put_to(manager, "device", "k", "1");
    listen_for(device, &heard, 2);
    assert_string_equal(heard.value[1], "1");
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__more_missed_than_the_broker_keeps__says_reset(void **state)
{
    heard_t heard = {0};
    kvzmq_t *manager = connect_manager(*state);
    kvzmq_t *device = connect_named(*state, "device");
    put(device, "own", "1");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    kvzmq_position_t position;
    assert_true(kvzmq_change_position(device, &position));
    kvzmq_destroy(&device);
    for (int i = 0; i < 200; i++)
        put_to(manager, "device", "k", "1");
    device = connect_named(*state, "device");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, &position));
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.kind[0], KVZMQ_EVENT_RESET);
    assert_string_equal(kvzmq_error(device), "");
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

/* No events report that the keys of a forgotten store are gone, so a RESET must. */
static void on_change__store_was_forgotten_meanwhile__says_reset(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    put(device, "own", "1");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    put_to(manager, "device", "k", "1");
    listen_for(device, &heard, 1);
    assert_ok(manager, kvzmq_forget(manager, "device"));
    listen_for(device, &heard, 2);
    assert_int_equal(heard.kind[1], KVZMQ_EVENT_RESET);
    put_to(manager, "device", "k", "2");
    listen_for(device, &heard, 3);
    assert_string_equal(heard.value[2], "2");
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__last_key_was_deleted_while_the_process_was_away__says_reset(void **state)
{
    broker_process_t *broker = *state;
    heard_t heard = {0};
    kvzmq_position_t position;
    kvzmq_t *device = connect_named(broker, "device");
    kvzmq_t *manager = connect_manager(broker);
    put_to(manager, "device", "k", "1");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    assert_true(kvzmq_change_position(device, &position));
    kvzmq_destroy(&device);
    broker_process_wait_log(broker, "device disconnected (lost)", 1);
    assert_ok(manager, kvzmq_del(manager, "device", kvzmq_text("k"), NULL, NULL));
    device = connect_named(broker, "device");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, &position));
    assert_ok(device, kvzmq_ping(device));
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.kind[0], KVZMQ_EVENT_RESET);
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void on_change__client_by_number_whose_session_timed_out__says_reset(void **state)
{
    broker_process_t *broker = *state;
    heard_t heard = {0};
    kvzmq_t *device = connect_named(broker, NULL);
    put(device, "own", "1");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    broker_process_wait_log(broker, "disconnected (timeout)", 1);
    listen_for(device, &heard, 1);
    assert_int_equal(heard.kind[0], KVZMQ_EVENT_RESET);
    kvzmq_destroy(&device);
}

static void on_change__given_up__tells_nothing_more(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    kvzmq_t *manager = connect_manager(*state);
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    assert_ok(device, kvzmq_on_change(device, NULL, NULL, NULL));
    put_to(manager, "device", "k", "1");
    assert_ok(device, kvzmq_ping(device));
    assert_int_equal(heard.count, 0);
    assert_status(device, KVZMQ_FAILED_PRECONDITION, kvzmq_listen(device, 0));
    kvzmq_destroy(&device);
    kvzmq_destroy(&manager);
}

static void listen__longer_than_the_sessions_time__keeps_the_session(void **state)
{
    heard_t heard = {0};
    kvzmq_t *device = connect_named(*state, "device");
    assert_ok(device, kvzmq_on_change(device, hear, &heard, NULL));
    int64_t start = clock_monotonic_ms();
    assert_status(device, KVZMQ_TIMEOUT, kvzmq_listen(device, 7000));
    assert_true(clock_monotonic_ms() - start >= 7000);
    assert_int_equal(kvzmq_reconnects(device), 0);
    kvzmq_destroy(&device);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(setup_tcp, on_change__of_a_managers_put_del_and_of_time__tells_each),
        ON(setup_tcp, on_change__of_its_own_put__tells_nothing),
        ON(setup_tcp, on_change__during_any_call__tells_what_has_arrived),
        ON(setup_tcp, on_change__more_at_once_than_a_queue_holds__tells_all_in_order),
        ON(setup_brief, on_change__session_was_ended_meanwhile__tells_what_was_missed),
        ON(setup_tcp, on_change__process_restarted_under_its_name__goes_on_from_where_it_was),
        ON(setup_ipc, on_change__broker_started_anew__says_reset_then_goes_on),
        ON(setup_short_log, on_change__more_missed_than_the_broker_keeps__says_reset),
        ON(setup_tcp, on_change__store_was_forgotten_meanwhile__says_reset),
        ON(setup_tcp, on_change__last_key_was_deleted_while_the_process_was_away__says_reset),
        ON(setup_brief, on_change__client_by_number_whose_session_timed_out__says_reset),
        ON(setup_tcp, on_change__given_up__tells_nothing_more),
        ON(setup_kept, listen__longer_than_the_sessions_time__keeps_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
