/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/core/tickets.h"

enum { MANY = 1000 };

static int setup(void **state)
{
    *state = sodium_init() >= 0 ? tickets_new() : NULL;
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    tickets_t *tickets = *state;
    tickets_destroy(&tickets);
    return 0;
}

static uint64_t check(const tickets_t *tickets, const char *username, const char *password)
{
    return tickets_check(tickets, bytes_from_text(username), bytes_from_text(password));
}

static void ticket__its_credentials__are_its_id(void **state)
{
    const ticket_t *ticket = tickets_issue(*state);
    assert_non_null(ticket);
    assert_int_equal(check(*state, ticket->username, ticket->password), ticket->id);
    assert_true(tickets_valid(*state, ticket->id));
}

static void ticket__credentials__are_text_of_full_length(void **state)
{
    const ticket_t *ticket = tickets_issue(*state);
    assert_non_null(ticket);
    assert_int_equal(strlen(ticket->username), TICKET_USER_SIZE - 1);
    assert_int_equal(strlen(ticket->password), TICKET_PASSWORD_SIZE - 1);
}

static void ticket__any_one_byte_changed__is_refused(void **state)
{
    const ticket_t *ticket = tickets_issue(*state);
    assert_non_null(ticket);
    ticket_t changed = *ticket;
    for (size_t i = 0; i < TICKET_USER_SIZE - 1; i++) {
        changed.username[i] ^= 1;
        assert_int_equal(check(*state, changed.username, changed.password), 0);
        changed.username[i] ^= 1;
    }
    for (size_t i = 0; i < TICKET_PASSWORD_SIZE - 1; i++) {
        changed.password[i] ^= 1;
        assert_int_equal(check(*state, changed.username, changed.password), 0);
        changed.password[i] ^= 1;
    }
    assert_int_equal(check(*state, changed.username, changed.password), ticket->id);
}

static void ticket__a_part_or_more_of_its_credentials__is_refused(void **state)
{
    const ticket_t *ticket = tickets_issue(*state);
    assert_non_null(ticket);
    bytes_t user = bytes_from_text(ticket->username);
    bytes_t password = bytes_from_text(ticket->password);
    for (size_t size = 0; size < user.size; size++)
        assert_int_equal(tickets_check(*state, bytes_of(user.data, size), password), 0);
    for (size_t size = 0; size < password.size; size++)
        assert_int_equal(tickets_check(*state, user, bytes_of(password.data, size)), 0);
    /* With the terminating zero. */
    assert_int_equal(tickets_check(*state, bytes_of(user.data, user.size + 1), password), 0);
    assert_int_equal(tickets_check(*state, user, bytes_of(password.data, password.size + 1)), 0);
    assert_int_equal(tickets_check(*state, (bytes_t){0}, (bytes_t){0}), 0);
}

static void ticket__anothers_password__is_refused(void **state)
{
    const ticket_t *one = tickets_issue(*state);
    const ticket_t *other = tickets_issue(*state);
    assert_non_null(one);
    assert_non_null(other);
    assert_int_not_equal(one->id, other->id);
    assert_int_equal(check(*state, one->username, other->password), 0);
    assert_int_equal(check(*state, one->password, one->username), 0);
}

static void ticket__void__is_refused_and_others_stay(void **state)
{
    const ticket_t *one = tickets_issue(*state);
    const ticket_t *other = tickets_issue(*state);
    assert_non_null(one);
    assert_non_null(other);
    ticket_t copy = *one;
    tickets_void(*state, &one);
    assert_null(one);
    assert_int_equal(check(*state, copy.username, copy.password), 0);
    assert_false(tickets_valid(*state, copy.id));
    assert_int_equal(check(*state, other->username, other->password), other->id);
}

static void tickets__id_0__is_never_valid(void **state)
{
    assert_false(tickets_valid(*state, 0));
    assert_non_null(tickets_issue(*state));
    assert_false(tickets_valid(*state, 0));
}

static void tickets__of_many__no_id_and_no_credential_comes_twice(void **state)
{
    const ticket_t *tickets[MANY];
    uint64_t last = 0;
    for (size_t i = 0; i < MANY; i++) {
        tickets[i] = tickets_issue(*state);
        assert_non_null(tickets[i]);
        assert_true(tickets[i]->id > last);
        last = tickets[i]->id;
        if (i % 3 == 1) /* the ids of void tickets must not be used again either */
            tickets_void(*state, &tickets[i - 1]);
    }
    for (size_t i = 0; i < MANY; i++) {
        if (tickets[i] != NULL)
            assert_int_equal(check(*state, tickets[i]->username, tickets[i]->password), tickets[i]->id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ticket__its_credentials__are_its_id, setup, teardown),
        cmocka_unit_test_setup_teardown(ticket__credentials__are_text_of_full_length, setup, teardown),
        cmocka_unit_test_setup_teardown(ticket__any_one_byte_changed__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(ticket__a_part_or_more_of_its_credentials__is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ticket__anothers_password__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(ticket__void__is_refused_and_others_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(tickets__id_0__is_never_valid, setup, teardown),
        cmocka_unit_test_setup_teardown(tickets__of_many__no_id_and_no_credential_comes_twice, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
