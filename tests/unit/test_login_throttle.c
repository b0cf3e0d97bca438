/* SPDX-License-Identifier: MPL-2.0 */
/* The throttle of logins, with a clock that the tests set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/login_throttle.h"

enum {
    START_MS = 1000000,
    MINUTE_MS = 60000,
    DAY_MS = 24 * 60 * MINUTE_MS,
    REFUSED_BY = 20 /* failures in a row after which an attempt is refused, PROTOCOL.md section 5 */
};

typedef struct fixture {
    login_throttle_t *throttle;
    int64_t now_ms;
} fixture_t;

static bytes_t text(const char *value)
{
    return bytes_from_text(value);
}

/* Begins an attempt. If it is refused, *WAIT_MS is the wait. */
static status_t begin(fixture_t *fixture, const char *peer, const char *user, uint64_t *wait_ms)
{
    uint64_t wait = login_throttle_begin(fixture->throttle, text(peer), text(user), fixture->now_ms);
    if (wait == 0)
        return STATUS_OK;
    *wait_ms = wait;
    return STATUS_RESOURCE_EXHAUSTED;
}

static status_t end(fixture_t *fixture, const char *peer, const char *user, bool success)
{
    login_throttle_end(fixture->throttle, text(peer), text(user), success, fixture->now_ms);
    return success ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

#include "tests/unit/login_attempts.h"

/* ---- The throttle of a pair --------------------------------------------------------------------- */

static void throttle__first_five_failures__are_free(void **state)
{
    for (unsigned i = 0; i < LOGIN_FREE_FAILURES; i++)
        assert_int_equal(attempt(*state, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void throttle__sixth_attempt_at_once__is_refused_with_the_wait(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", LOGIN_FREE_FAILURES);
    uint64_t wait_ms = 0;
    assert_int_equal(begin(fixture, "a", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
    assert_in_range(wait_ms, 1, 1000);
    fixture->now_ms += (int64_t)wait_ms - 1;
    assert_int_equal(begin(fixture, "a", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(wait_ms, 1);
    fixture->now_ms += 1;
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_OK);
}

static void throttle__each_failure_more__doubles_the_wait(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", LOGIN_FREE_FAILURES);
    uint64_t wait_ms = fail_times(fixture, "a", "adam", 1);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t next_ms = fail_times(fixture, "a", "adam", 1);
        assert_int_equal(next_ms, 2 * wait_ms);
        wait_ms = next_ms;
    }
}

static void throttle__thousand_failures__wait_stays_at_five_minutes(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(fail_times(fixture, "a", "adam", 1000), 5 * MINUTE_MS);
}

static void throttle__guessing_without_pause__is_refused_by_twenty_failures(void **state)
{
    fixture_t *fixture = *state;
    unsigned failures = 0;
    /* Each verification takes a second, as under a sanitizer. */
    for (uint64_t wait_ms = 0; begin(fixture, "a", "adam", &wait_ms) == STATUS_OK; failures++) {
        fixture->now_ms += 1000;
        assert_int_equal(end(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
        assert_true(failures < REFUSED_BY);
    }
}

static void throttle__refused_attempts__do_not_prolong_the_wait(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", LOGIN_FREE_FAILURES);
    uint64_t first_ms = 0;
    uint64_t later_ms = 0;
    assert_int_equal(begin(fixture, "a", "adam", &first_ms), STATUS_RESOURCE_EXHAUSTED);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(begin(fixture, "a", "adam", &later_ms), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(first_ms, later_ms);
}

static void throttle__success__forgets_the_failures(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", LOGIN_FREE_FAILURES - 1);
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_OK);
    for (unsigned i = 0; i < LOGIN_FREE_FAILURES; i++)
        assert_int_equal(attempt(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void throttle__day_of_quiet__forgets_the_failures(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 30);
    fixture->now_ms += DAY_MS;
    for (unsigned i = 0; i < LOGIN_FREE_FAILURES; i++)
        assert_int_equal(attempt(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void throttle__account_guessed_from_one_address__is_open_from_another(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 10);
    assert_int_equal(attempt(fixture, "b", "adam", true), STATUS_OK);
    assert_int_equal(attempt(fixture, "", "adam", true), STATUS_OK);
}

static void throttle__account_guessed__leaves_another_account_beside_it_open(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 10);
    assert_int_equal(attempt(fixture, "a", "alice", true), STATUS_OK);
}

static void throttle__address_and_user_of_the_same_letters__are_another_pair(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "ab", "c", LOGIN_FREE_FAILURES);
    assert_int_equal(attempt(fixture, "a", "bc", false), STATUS_UNAUTHENTICATED);
}

static void throttle__guesses_side_by_side__are_at_most_twenty(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    unsigned taken = 0;
    while (begin(fixture, "a", "adam", &wait_ms) == STATUS_OK)
        taken++;
    assert_in_range(taken, LOGIN_FREE_FAILURES, REFUSED_BY);
    assert_true(wait_ms > 0);
    while (taken-- > 0)
        assert_int_equal(end(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(begin(fixture, "a", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
    assert_true(wait_ms > MINUTE_MS);
}

/* ---- The throttle of an address, and the bound on all attempts ---------------------------------- */

/* Makes COUNT attempts with different names and without pause. Returns how many were not refused. */
static unsigned guess_names(fixture_t *fixture, const char *peer, unsigned count)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < count; i++) {
        char user[32];
        snprintf(user, sizeof user, "guess%u-%lld", i, (long long)fixture->now_ms);
        if (attempt(fixture, peer, user, false) == STATUS_UNAUTHENTICATED)
            taken++;
    }
    return taken;
}

static void address__many_names_guessed__is_held_to_a_rate(void **state)
{
    fixture_t *fixture = *state;
    unsigned burst = guess_names(fixture, "a", 5000);
    assert_in_range(burst, 100, 1000);
    fixture->now_ms += MINUTE_MS;
    assert_in_range(guess_names(fixture, "a", 5000), 60, 600);
}

static void address__held__leaves_another_address_open(void **state)
{
    fixture_t *fixture = *state;
    guess_names(fixture, "a", 5000);
    assert_int_equal(attempt(fixture, "b", "adam", true), STATUS_OK);
}

static void address__held__leaves_a_pair_open_that_logged_in_before(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_OK);
    guess_names(fixture, "a", 5000);
    assert_int_equal(attempt(fixture, "a", "alice", true), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_OK);
    assert_int_equal(attempt(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_RESOURCE_EXHAUSTED);
}

static void address__thousands_of_logins__are_never_held_up(void **state)
{
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(attempt(*state, "a", i % 2 == 0 ? "adam" : "alice", true), STATUS_OK);
}

static void attempts__under_way_in_all__are_bounded(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    unsigned taken = 0;
    for (unsigned i = 0; i < 2 * LOGIN_UNDER_WAY_MAX; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "p%u", i);
        taken += begin(fixture, peer, "adam", &wait_ms) == STATUS_OK;
    }
    assert_int_equal(taken, LOGIN_UNDER_WAY_MAX);
    assert_int_equal(end(fixture, "p0", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(begin(fixture, "new", "adam", &wait_ms), STATUS_OK);
}

static void attempts__withdrawn__count_as_none(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    for (unsigned i = 0; i < 2 * LOGIN_UNDER_WAY_MAX; i++) {
        assert_int_equal(begin(fixture, "p", "adam", &wait_ms), STATUS_OK);
        login_throttle_withdraw(fixture->throttle, text("p"), text("adam"), fixture->now_ms);
    }
    for (unsigned i = 1; i < LOGIN_FREE_FAILURES; i++)
        assert_int_equal(attempt(fixture, "p", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(attempt(fixture, "p", "adam", true), STATUS_OK);
}

static void table__more_pairs_than_it_holds__keeps_a_pair_that_is_not_quiet(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 10);
    for (unsigned i = 0; i < 2 * LOGIN_PAIRS; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "p%u", i);
        fixture->now_ms += 1;
        assert_int_equal(attempt(fixture, peer, "adam", false), STATUS_UNAUTHENTICATED);
        if (i % 1000 == 0)
            fail_times(fixture, "a", "adam", 1);
    }
    uint64_t wait_ms = 0;
    assert_int_equal(begin(fixture, "a", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
}

/* ------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (fixture == NULL || sodium_init() < 0)
        return -1;
    fixture->throttle = login_throttle_new();
    fixture->now_ms = START_MS;
    return fixture->throttle == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    login_throttle_destroy(&fixture->throttle);
    assert_null(fixture->throttle);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(throttle__first_five_failures__are_free),
        TEST(throttle__sixth_attempt_at_once__is_refused_with_the_wait),
        TEST(throttle__each_failure_more__doubles_the_wait),
        TEST(throttle__thousand_failures__wait_stays_at_five_minutes),
        TEST(throttle__guessing_without_pause__is_refused_by_twenty_failures),
        TEST(throttle__refused_attempts__do_not_prolong_the_wait),
        TEST(throttle__success__forgets_the_failures),
        TEST(throttle__day_of_quiet__forgets_the_failures),
        TEST(throttle__account_guessed_from_one_address__is_open_from_another),
        TEST(throttle__account_guessed__leaves_another_account_beside_it_open),
        TEST(throttle__address_and_user_of_the_same_letters__are_another_pair),
        TEST(throttle__guesses_side_by_side__are_at_most_twenty),
        TEST(address__many_names_guessed__is_held_to_a_rate),
        TEST(address__held__leaves_another_address_open),
        TEST(address__held__leaves_a_pair_open_that_logged_in_before),
        TEST(address__thousands_of_logins__are_never_held_up),
        TEST(attempts__under_way_in_all__are_bounded),
        TEST(attempts__withdrawn__count_as_none),
        TEST(table__more_pairs_than_it_holds__keeps_a_pair_that_is_not_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
