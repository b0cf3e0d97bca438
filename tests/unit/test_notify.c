/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about who is told of changes, when, and at what cost to others: the hub without its sockets. The
 * clock is the tests'. */
#include "tests/support/hub_fixture.h"

/* ---- Time ------------------------------------------------------------------------------------- */

static void event__has_the_time_of_the_wall_clock__also_after_it_was_set(void **state)
{
    fixture_t *fixture = *state;
    fixture->heard = true;
    ping_is_answered(fixture, &fixture->peers[0]);
    assert_int_equal(fixture->published_ms, UNIX_MS);
    fixture->now_ms += 1000;
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS + 3600000);
    ask(fixture, &fixture->peers[0], "put", "ss", "k", "v");
    assert_int_equal(fixture->published_ms, UNIX_MS + 3600000);
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS - 5000); /* back */
    hub_sync(fixture->hub, fixture->now_ms + 10);
    assert_int_equal(fixture->published_ms, UNIX_MS - 5000 + 10);
}

static void event__of_a_clock_read_a_millisecond_apart__is_not_before_the_last(void **state)
{
    fixture_t *fixture = *state;
    fixture->heard = true;
    ping_is_answered(fixture, &fixture->peers[0]);
    hub_set_clock(fixture->hub, fixture->now_ms, UNIX_MS - 1);
    ask(fixture, &fixture->peers[0], "put", "ss", "k", "v");
    assert_int_equal(fixture->published_ms, UNIX_MS);
}

#define NOTIFY_TEST(function) cmocka_unit_test_setup_teardown(function, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(event__has_the_time_of_the_wall_clock__also_after_it_was_set),
        NOTIFY_TEST(event__of_a_clock_read_a_millisecond_apart__is_not_before_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
