/* SPDX-License-Identifier: MPL-2.0 */
/* Accounts, with a clock that the tests set. Attempts do not compute argon2id; test_login_throttle tests how
 * they are throttled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/accounts.h"
#include "broker/core/login_throttle.h"
#include "tests/support/volume.h"

enum {
    START_MS = 1000000,
    MEMORY_MIN = 8192 /* bytes: the cheapest argon2id that libsodium computes */
};

typedef struct fixture {
    accounts_t *accounts;
    char hashes[2][PASSWORD_HASH_SIZE];
    int64_t now_ms;
} fixture_t;

static bytes_t text(const char *value)
{
    return bytes_from_text(value);
}

static status_t begin(fixture_t *fixture, const char *peer, const char *user, uint64_t *wait_ms)
{
    char hash[PASSWORD_HASH_SIZE];
    return accounts_begin(fixture->accounts, text(peer), text(user), fixture->now_ms, hash, wait_ms);
}

static status_t end(fixture_t *fixture, const char *peer, const char *user, bool matched)
{
    return accounts_end(fixture->accounts, text(peer), text(user), matched, fixture->now_ms);
}

#include "tests/unit/login_attempts.h"

/* ---- Accounts ----------------------------------------------------------------------------------- */

static void attempt__known_user_and_match__is_ok(void **state)
{
    assert_int_equal(attempt(*state, "a", "adam", true), STATUS_OK);
    assert_int_equal(attempt(*state, "a", "alice", true), STATUS_OK);
}

static void attempt__no_match__is_unauthenticated(void **state)
{
    assert_int_equal(attempt(*state, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void attempt__unknown_user_whose_decoy_matches__is_unauthenticated(void **state)
{
    static const char *const users[] = {"", "ada", "adam2", "Adam", "zed"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        assert_int_equal(attempt(*state, "a", users[i], true), STATUS_UNAUTHENTICATED);
}

static void attempt__user_with_zero_byte__is_not_the_user_before_it(void **state)
{
    fixture_t *fixture = *state;
    char hash[PASSWORD_HASH_SIZE];
    uint64_t wait_ms = 0;
    bytes_t user = bytes_of("adam\0x", 6);
    assert_int_equal(accounts_begin(fixture->accounts, text("a"), user, START_MS, hash, &wait_ms), STATUS_OK);
    assert_int_equal(accounts_end(fixture->accounts, text("a"), user, true, START_MS),
                     STATUS_UNAUTHENTICATED);
}

static void begin__known_user__gives_its_hash(void **state)
{
    fixture_t *fixture = *state;
    char hash[PASSWORD_HASH_SIZE];
    uint64_t wait_ms = 0;
    assert_int_equal(accounts_begin(fixture->accounts, text("a"), text("adam"), START_MS, hash, &wait_ms),
                     STATUS_OK);
    assert_string_equal(hash, fixture->hashes[0]);
}

static void begin__unknown_user__gives_a_hash_with_the_costs_of_an_account(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < 32; i++) {
        char user[16];
        char hash[PASSWORD_HASH_SIZE];
        uint64_t wait_ms = 0;
        snprintf(user, sizeof user, "nobody%u", i);
        assert_int_equal(accounts_begin(fixture->accounts, text("a"), text(user), START_MS, hash, &wait_ms),
                         STATUS_OK);
        size_t costs = strlen("$argon2id$v=19$m=8,t=1,p=1$");
        assert_memory_equal(hash, fixture->hashes[0], costs);
        assert_true(password_hash_valid(hash));
    }
}

static void begin__unknown_user__gives_a_hash_that_no_password_of_an_account_matches(void **state)
{
    fixture_t *fixture = *state;
    char hash[PASSWORD_HASH_SIZE];
    uint64_t wait_ms = 0;
    assert_int_equal(password_verify(fixture->hashes[0], text("eve")), VERDICT_RIGHT);
    assert_int_equal(accounts_begin(fixture->accounts, text("a"), text("nobody"), START_MS, hash, &wait_ms),
                     STATUS_OK);
    assert_int_equal(password_verify(hash, text("eve")), VERDICT_WRONG);
}

static void begin__no_accounts_at_all__gives_a_hash_that_can_be_verified(void **state)
{
    (void)state;
    accounts_t *accounts = accounts_new(NULL, 0);
    assert_non_null(accounts);
    char hash[PASSWORD_HASH_SIZE];
    uint64_t wait_ms = 0;
    assert_int_equal(accounts_begin(accounts, text("a"), text("adam"), START_MS, hash, &wait_ms), STATUS_OK);
    assert_true(password_hash_valid(hash));
    if (!under_valgrind()) /* slow, and all of it is libsodium's code: a pass over 64 MiB */
        assert_int_equal(password_verify(hash, text("eve")), VERDICT_WRONG);
    accounts_destroy(&accounts);
    assert_null(accounts);
}

/* ---- Attempts that are throttled ---------------------------------------------------------------- */

static void throttle__unknown_user__is_delayed_as_a_known_one(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(fail_times(fixture, "a", "nobody", 12), fail_times(fixture, "b", "adam", 12));
}

static void attempts__abandoned__count_as_failures_and_not_as_under_way(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    for (unsigned i = 0; i < 2 * LOGIN_UNDER_WAY_MAX; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "p%u", i);
        assert_int_equal(begin(fixture, peer, "adam", &wait_ms), STATUS_OK);
        accounts_abandon(fixture->accounts, text(peer), text("adam"), fixture->now_ms);
    }
    for (unsigned i = 1; i < LOGIN_FREE_FAILURES; i++) {
        assert_int_equal(begin(fixture, "p0", "adam", &wait_ms), STATUS_OK);
        accounts_abandon(fixture->accounts, text("p0"), text("adam"), fixture->now_ms);
    }
    assert_int_equal(begin(fixture, "p0", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
}

static void attempts__withdrawn__count_as_none(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    for (unsigned i = 0; i < 2 * LOGIN_UNDER_WAY_MAX; i++) {
        assert_int_equal(begin(fixture, "p", "adam", &wait_ms), STATUS_OK);
        accounts_withdraw(fixture->accounts, text("p"), text("adam"), fixture->now_ms);
    }
    assert_int_equal(attempt(fixture, "p", "adam", true), STATUS_OK);
}

/* ------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char *const names[] = {"adam", "alice"};
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (fixture == NULL || sodium_init() < 0)
        return -1;
    credential_t managers[2];
    char name_copies[2][8];
    for (unsigned i = 0; i < 2; i++) {
        if (crypto_pwhash_str_alg(fixture->hashes[i], "eve", 3, 1, MEMORY_MIN,
                                  crypto_pwhash_ALG_ARGON2ID13) != 0)
            return -1;
        snprintf(name_copies[i], sizeof name_copies[i], "%s", names[i]);
        managers[i] = (credential_t){.name = name_copies[i], .hash = fixture->hashes[i]};
    }
    fixture->accounts = accounts_new(managers, 2);
    fixture->now_ms = START_MS;
    return fixture->accounts == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    accounts_destroy(&fixture->accounts);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attempt__known_user_and_match__is_ok),
        TEST(attempt__no_match__is_unauthenticated),
        TEST(attempt__unknown_user_whose_decoy_matches__is_unauthenticated),
        TEST(attempt__user_with_zero_byte__is_not_the_user_before_it),
        TEST(begin__known_user__gives_its_hash),
        TEST(begin__unknown_user__gives_a_hash_with_the_costs_of_an_account),
        TEST(begin__unknown_user__gives_a_hash_that_no_password_of_an_account_matches),
        TEST(begin__no_accounts_at_all__gives_a_hash_that_can_be_verified),
        TEST(throttle__unknown_user__is_delayed_as_a_known_one),
        TEST(attempts__abandoned__count_as_failures_and_not_as_under_way),
        TEST(attempts__withdrawn__count_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
