/* SPDX-License-Identifier: MPL-2.0 */
/* The identity of a libkvzmq connection: names, secrets, accounts, and what is left of them after a
 * reconnect. */
#include "tests/support/client_fixture.h"

#include <signal.h>

#define SECRET "a secret of sixteen bytes or more"

static void two_connections_of_one_name__share_its_store(void **state)
{
    kvzmq_t *first = connect_named(*state, "lamp");
    kvzmq_t *second = connect_named(*state, "lamp");
    assert_string_equal(kvzmq_session(first)->client, "lamp");
    put_text(first, "colour", "red");
    assert_value(second, NULL, "colour", "red");
    kvzmq_destroy(&first);
    put_text(second, "colour", "blue");
    first = connect_named(*state, "lamp");
    assert_value(first, NULL, "colour", "blue");
    kvzmq_destroy(&first);
    kvzmq_destroy(&second);
}

static void two_connections_without_a_name__have_stores_of_their_own(void **state)
{
    kvzmq_t *first = connect_to(*state, NULL);
    kvzmq_t *second = connect_to(*state, NULL);
    assert_string_not_equal(kvzmq_session(first)->client, kvzmq_session(second)->client);
    put_text(first, "city", "Kolkata");
    assert_status(second, KVZMQ_ABSENT, kvzmq_get(second, NULL, kvzmq_text("city"), NULL));
    kvzmq_destroy(&first);
    kvzmq_destroy(&second);
}

static void claimed_name__without_its_secret__is_refused(void **state)
{
    kvzmq_options_t options = options_for(*state, NULL);
    options.name = "lamp";
    options.secret = kvzmq_text(SECRET);
    kvzmq_t *owner = connect_to(*state, &options);
    put_text(owner, "colour", "red");

    options.secret = kvzmq_text("");
    kvzmq_t *stranger = kvzmq_new(&options);
    kvzmq_value_t value = {0};
    assert_status(stranger, KVZMQ_UNAUTHENTICATED, kvzmq_connect(stranger));
    assert_status(stranger, KVZMQ_UNAUTHENTICATED, kvzmq_get(stranger, NULL, kvzmq_text("colour"), &value));
    assert_true(strlen(kvzmq_error(stranger)) > 0);
    kvzmq_destroy(&stranger);

    options.secret = kvzmq_text("another secret of some length");
    stranger = kvzmq_new(&options);
    assert_status(stranger, KVZMQ_UNAUTHENTICATED, kvzmq_connect(stranger));
    kvzmq_destroy(&stranger);
    assert_null(value.data);

    options.secret = kvzmq_text(SECRET);
    kvzmq_t *second = connect_to(*state, &options);
    assert_value(second, NULL, "colour", "red");
    kvzmq_destroy(&second);
    kvzmq_destroy(&owner);
}

static void name_in_use__cannot_be_claimed(void **state)
{
    kvzmq_t *user = connect_named(*state, "lamp");
    kvzmq_options_t options = options_for(*state, NULL);
    options.name = "lamp";
    options.secret = kvzmq_text(SECRET);
    kvzmq_t *claimer = kvzmq_new(&options);
    assert_status(claimer, KVZMQ_FAILED_PRECONDITION, kvzmq_connect(claimer));
    kvzmq_destroy(&claimer);
    kvzmq_destroy(&user);
}

static void wrong_account__is_refused_and_not_tried_again(void **state)
{
    kvzmq_options_t options = options_for(*state, NULL);
    options.user = BROKER_USER;
    options.password = "not eve";
    kvzmq_t *conn = kvzmq_new(&options);
    assert_status(conn, KVZMQ_UNAUTHENTICATED, kvzmq_connect(conn));
    assert_ok(conn, kvzmq_connect(conn)); /* a guest's session, as documented */
    assert_string_equal(kvzmq_session(conn)->role, "guest");
    assert_ok(conn, kvzmq_ping(conn));
    kvzmq_destroy(&conn);
}

static void auth__right_and_wrong__changes_the_role_or_nothing(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    assert_status(conn, KVZMQ_UNAUTHENTICATED, kvzmq_auth(conn, "adam", "steve"));
    assert_string_equal(kvzmq_session(conn)->role, "guest");
    assert_status(conn, KVZMQ_UNAUTHENTICATED, kvzmq_auth(conn, "nobody", BROKER_PASSWORD));
    assert_ok(conn, kvzmq_auth(conn, BROKER_USER, BROKER_PASSWORD));
    assert_string_equal(kvzmq_session(conn)->role, "manager");
    kvzmq_destroy(&conn);
}

/* CONN is a manager's connection. Restarts the broker, and returns the status of a manager's call after that.
 */
static kvzmq_status_t manages_after_restart(broker_process_t *broker, kvzmq_t *conn)
{
    kvzmq_page_t *page = NULL;
    assert_ok(conn, kvzmq_clients(conn, NULL, &page));
    kvzmq_page_destroy(&page);
    broker_process_kill(broker);
    broker_process_restart(broker);
    kvzmq_status_t status = kvzmq_clients(conn, NULL, &page);
    kvzmq_page_destroy(&page);
    assert_int_equal(kvzmq_reconnects(conn), 1);
    return status;
}

static void reconnect__with_the_account_in_the_options__is_a_manager_again(void **state)
{
    kvzmq_t *conn = connect_manager(*state);
    assert_ok(conn, manages_after_restart(*state, conn));
    assert_string_equal(kvzmq_session(conn)->role, "manager");
    kvzmq_destroy(&conn);
}

static void reconnect__after_auth_alone__is_a_guest(void **state)
{
    kvzmq_t *conn = connect_to(*state, NULL);
    assert_ok(conn, kvzmq_auth(conn, BROKER_USER, BROKER_PASSWORD));
    assert_status(conn, KVZMQ_PERMISSION_DENIED, manages_after_restart(*state, conn));
    assert_string_equal(kvzmq_session(conn)->role, "guest");
    kvzmq_destroy(&conn);
}

static void reconnect__with_a_secret__claims_the_name_again(void **state)
{
    broker_process_t *broker = *state;
    kvzmq_options_t options = options_for(broker, NULL);
    options.name = "lamp";
    options.secret = kvzmq_text(SECRET);
    kvzmq_t *conn = connect_to(broker, &options);
    broker_process_kill(broker);
    broker_process_restart(broker);
    assert_ok(conn, kvzmq_ping(conn));
    options.secret = kvzmq_text("");
    kvzmq_t *stranger = kvzmq_new(&options);
    assert_status(stranger, KVZMQ_UNAUTHENTICATED, kvzmq_connect(stranger));
    kvzmq_destroy(&stranger);
    kvzmq_destroy(&conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_connections_of_one_name__share_its_store, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(two_connections_without_a_name__have_stores_of_their_own, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(claimed_name__without_its_secret__is_refused, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(name_in_use__cannot_be_claimed, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(wrong_account__is_refused_and_not_tried_again, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(auth__right_and_wrong__changes_the_role_or_nothing, setup_tcp,
                                        teardown),
        cmocka_unit_test_setup_teardown(reconnect__with_the_account_in_the_options__is_a_manager_again,
                                        setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(reconnect__after_auth_alone__is_a_guest, setup_ipc, teardown),
        cmocka_unit_test_setup_teardown(reconnect__with_a_secret__claims_the_name_again, setup_ipc, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
