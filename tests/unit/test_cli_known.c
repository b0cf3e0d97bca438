/* SPDX-License-Identifier: MPL-2.0 */
/* What a watch of the tool knows about keys. An old value that it shows must never be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "client/cli/known.h"

enum { LIMIT = 16 * 1024, KEYS = 1000 };

static int setup(void **state)
{
    *state = known_new(LIMIT);
    return *state == NULL;
}

static int teardown(void **state)
{
    known_t *known = *state;
    known_destroy(&known);
    return 0;
}

static void put(known_t *known, const char *client, const char *key, const char *text)
{
    bytes_t bytes = bytes_from_text(text);
    known_set(known, bytes_from_text(client), bytes_from_text(key),
              &(known_value_t){.state = KNOWN_VALUE, .bytes = bytes, .size = bytes.size});
}

static void del(known_t *known, const char *client, const char *key)
{
    known_set(known, bytes_from_text(client), bytes_from_text(key), &(known_value_t){.state = KNOWN_ABSENT});
}

static known_state_t state_of(const known_t *known, const char *client, const char *key)
{
    return known_find(known, bytes_from_text(client), bytes_from_text(key)).state;
}

static void check_value(const known_t *known, const char *client, const char *key, const char *text)
{
    known_value_t value = known_find(known, bytes_from_text(client), bytes_from_text(key));
    assert_int_equal(value.state, KNOWN_VALUE);
    assert_true(bytes_equal(value.bytes, bytes_from_text(text)));
}

static void find__nothing_was_told__is_not_known(void **state)
{
    assert_int_equal(state_of(*state, "a", "k"), KNOWN_NOT);
}

static void set__value__is_found_for_its_key_and_client_alone(void **state)
{
    put(*state, "a", "k", "1");
    put(*state, "a", "k", "22");
    check_value(*state, "a", "k", "22");
    assert_int_equal(state_of(*state, "a", "l"), KNOWN_NOT);
    assert_int_equal(state_of(*state, "b", "k"), KNOWN_NOT);
}

static void set__absent__is_known_to_be_absent(void **state)
{
    put(*state, "a", "k", "1");
    del(*state, "a", "k");
    assert_int_equal(state_of(*state, "a", "k"), KNOWN_ABSENT);
    assert_int_equal(state_of(*state, "a", "l"), KNOWN_NOT);
}

static void begin__store_of_a_client__is_empty_from_then_on(void **state)
{
    put(*state, "a", "k", "1");
    known_begin(*state, bytes_from_text("a"));
    assert_int_equal(state_of(*state, "a", "k"), KNOWN_ABSENT);
    assert_int_equal(state_of(*state, "a", "l"), KNOWN_ABSENT);
    assert_int_equal(state_of(*state, "b", "k"), KNOWN_NOT);
}

static void complete__keys_that_were_not_told__are_absent_from_stores_old_and_new(void **state)
{
    put(*state, "a", "k", "1");
    known_complete(*state);
    check_value(*state, "a", "k", "1");
    assert_int_equal(state_of(*state, "a", "l"), KNOWN_ABSENT);
    assert_int_equal(state_of(*state, "b", "k"), KNOWN_ABSENT);
    put(*state, "b", "k", "1");
    assert_int_equal(state_of(*state, "b", "l"), KNOWN_ABSENT);
    del(*state, "b", "k");
    assert_int_equal(state_of(*state, "b", "k"), KNOWN_ABSENT);
}

static void forget__everything__is_not_known(void **state)
{
    put(*state, "a", "k", "1");
    known_complete(*state);
    known_forget(*state);
    assert_int_equal(state_of(*state, "a", "k"), KNOWN_NOT);
    assert_int_equal(state_of(*state, "b", "k"), KNOWN_NOT);
}

/* Sets KEYS keys of CLIENT, more than there is room for. Returns how many are known afterwards. */
static int fill(known_t *known, const char *client)
{
    int count = 0;
    char key[16];
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        put(known, client, key, "1");
    }
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        known_state_t found = state_of(known, client, key);
        assert_int_not_equal(found, KNOWN_ABSENT);
        count += found == KNOWN_VALUE;
    }
    return count;
}

static void limit__reached__what_found_no_room_is_not_known_and_never_absent(void **state)
{
    known_complete(*state);
    int count = fill(*state, "a");
    assert_in_range(count, 1, KEYS - 1);
    put(*state, "b", "k", "1"); /* there may be no room for this store either */
    assert_int_not_equal(state_of(*state, "b", "k"), KNOWN_ABSENT);
}

static void limit__reached__a_value_that_was_known_is_not_told_when_it_is_out_of_date(void **state)
{
    static char large[LIMIT];
    memset(large, 'x', sizeof large - 1);
    put(*state, "a", "k", "1");
    put(*state, "a", "k", large);
    assert_int_equal(state_of(*state, "a", "k"), KNOWN_NOT);
}

static void limit__store_that_is_dropped__gives_its_room_back(void **state)
{
    int first = fill(*state, "a");
    for (int i = 0; i < 3; i++) {
        known_begin(*state, bytes_from_text("a"));
        known_forget(*state);
        assert_int_equal(fill(*state, "a"), first);
    }
    known_begin(*state, bytes_from_text("a"));
    put(*state, "a", "k", "1");
    check_value(*state, "a", "k", "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(find__nothing_was_told__is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(set__value__is_found_for_its_key_and_client_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(set__absent__is_known_to_be_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(begin__store_of_a_client__is_empty_from_then_on, setup, teardown),
        cmocka_unit_test_setup_teardown(complete__keys_that_were_not_told__are_absent_from_stores_old_and_new,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(forget__everything__is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(limit__reached__what_found_no_room_is_not_known_and_never_absent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            limit__reached__a_value_that_was_known_is_not_told_when_it_is_out_of_date, setup, teardown),
        cmocka_unit_test_setup_teardown(limit__store_that_is_dropped__gives_its_room_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
