/* SPDX-License-Identifier: MPL-2.0 */
/* Accounts and their throttle, with a clock that the tests set. The attempts here do not compute argon2id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/accounts.h"
#include "common/limits.h"
#include "tests/support/volume.h"

enum {
    START_MS = 1000000,
    MINUTE_MS = 60000,
    DAY_MS = 24 * 60 * MINUTE_MS,
    MEMORY_MIN = 8192, /* bytes: the cheapest argon2id that libsodium computes */
    REFUSED_BY = 20    /* failures in a row after which an attempt is refused, PROTOCOL.md section 5 */
};

typedef struct fixture {
    accounts_t *accounts;
    char hashes[2][ACCOUNTS_HASH_SIZE];
    int64_t now_ms;
} fixture_t;

static bytes_t text(const char *value)
{
    return bytes_from_text(value);
}

static status_t begin(fixture_t *fixture, const char *peer, const char *user, uint64_t *wait_ms)
{
    char hash[ACCOUNTS_HASH_SIZE];
    return accounts_begin(fixture->accounts, text(peer), text(user), fixture->now_ms, hash, wait_ms);
}

static status_t end(fixture_t *fixture, const char *peer, const char *user, bool matched)
{
    return accounts_end(fixture->accounts, text(peer), text(user), matched, fixture->now_ms);
}

/* Makes one complete attempt. Returns the status that the client gets. */
static status_t attempt(fixture_t *fixture, const char *peer, const char *user, bool matched)
{
    uint64_t wait_ms = 0;
    status_t status = begin(fixture, peer, user, &wait_ms);
    return status == STATUS_OK ? end(fixture, peer, user, matched) : status;
}

/* Fails COUNT times. Before each attempt, waits as long as the throttle demands. Returns the last wait. */
static uint64_t fail_times(fixture_t *fixture, const char *peer, const char *user, unsigned count)
{
    uint64_t last_ms = 0;
    while (count > 0) {
        uint64_t wait_ms = 0;
        if (begin(fixture, peer, user, &wait_ms) != STATUS_OK) {
            fixture->now_ms += (int64_t)wait_ms;
            last_ms = wait_ms;
            continue;
        }
        assert_int_equal(end(fixture, peer, user, false), STATUS_UNAUTHENTICATED);
        count--;
    }
    return last_ms;
}

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
    char hash[ACCOUNTS_HASH_SIZE];
    uint64_t wait_ms = 0;
    bytes_t user = bytes_of("adam\0x", 6);
    assert_int_equal(accounts_begin(fixture->accounts, text("a"), user, START_MS, hash, &wait_ms), STATUS_OK);
    assert_int_equal(accounts_end(fixture->accounts, text("a"), user, true, START_MS),
                     STATUS_UNAUTHENTICATED);
}

static void begin__known_user__gives_its_hash(void **state)
{
    fixture_t *fixture = *state;
    char hash[ACCOUNTS_HASH_SIZE];
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
        char hash[ACCOUNTS_HASH_SIZE];
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
    char hash[ACCOUNTS_HASH_SIZE];
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
    char hash[ACCOUNTS_HASH_SIZE];
    uint64_t wait_ms = 0;
    assert_int_equal(accounts_begin(accounts, text("a"), text("adam"), START_MS, hash, &wait_ms), STATUS_OK);
    assert_true(password_hash_valid(hash));
    if (!under_valgrind()) /* slow, and all of it is libsodium's code: a pass over 64 MiB */
        assert_int_equal(password_verify(hash, text("eve")), VERDICT_WRONG);
    accounts_destroy(&accounts);
    assert_null(accounts);
}

/* ---- The throttle of a pair --------------------------------------------------------------------- */

static void throttle__first_five_failures__are_free(void **state)
{
    for (unsigned i = 0; i < ACCOUNTS_FREE_FAILURES; i++)
        assert_int_equal(attempt(*state, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void throttle__sixth_attempt_at_once__is_refused_with_the_wait(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", ACCOUNTS_FREE_FAILURES);
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
    fail_times(fixture, "a", "adam", ACCOUNTS_FREE_FAILURES);
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
    fail_times(fixture, "a", "adam", ACCOUNTS_FREE_FAILURES);
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
    fail_times(fixture, "a", "adam", ACCOUNTS_FREE_FAILURES - 1);
    assert_int_equal(attempt(fixture, "a", "adam", true), STATUS_OK);
    for (unsigned i = 0; i < ACCOUNTS_FREE_FAILURES; i++)
        assert_int_equal(attempt(fixture, "a", "adam", false), STATUS_UNAUTHENTICATED);
}

static void throttle__day_of_quiet__forgets_the_failures(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 30);
    fixture->now_ms += DAY_MS;
    for (unsigned i = 0; i < ACCOUNTS_FREE_FAILURES; i++)
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

static void throttle__unknown_user__is_delayed_as_a_known_one(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(fail_times(fixture, "a", "nobody", 12), fail_times(fixture, "b", "adam", 12));
}

static void throttle__address_and_user_of_the_same_letters__are_another_pair(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "ab", "c", ACCOUNTS_FREE_FAILURES);
    assert_int_equal(attempt(fixture, "a", "bc", false), STATUS_UNAUTHENTICATED);
}

static void throttle__guesses_side_by_side__are_at_most_twenty(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    unsigned taken = 0;
    while (begin(fixture, "a", "adam", &wait_ms) == STATUS_OK)
        taken++;
    assert_in_range(taken, ACCOUNTS_FREE_FAILURES, REFUSED_BY);
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
    for (unsigned i = 0; i < 2 * ACCOUNTS_UNDER_WAY_MAX; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "p%u", i);
        taken += begin(fixture, peer, "adam", &wait_ms) == STATUS_OK;
    }
    assert_int_equal(taken, ACCOUNTS_UNDER_WAY_MAX);
    assert_int_equal(end(fixture, "p0", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(begin(fixture, "new", "adam", &wait_ms), STATUS_OK);
}

static void attempts__abandoned__count_as_failures_and_not_as_under_way(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    for (unsigned i = 0; i < 2 * ACCOUNTS_UNDER_WAY_MAX; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "p%u", i);
        assert_int_equal(begin(fixture, peer, "adam", &wait_ms), STATUS_OK);
        accounts_abandon(fixture->accounts, text(peer), text("adam"), fixture->now_ms);
    }
    for (unsigned i = 1; i < ACCOUNTS_FREE_FAILURES; i++) {
        assert_int_equal(begin(fixture, "p0", "adam", &wait_ms), STATUS_OK);
        accounts_abandon(fixture->accounts, text("p0"), text("adam"), fixture->now_ms);
    }
    assert_int_equal(begin(fixture, "p0", "adam", &wait_ms), STATUS_RESOURCE_EXHAUSTED);
}

static void attempts__withdrawn__count_as_none(void **state)
{
    fixture_t *fixture = *state;
    uint64_t wait_ms = 0;
    for (unsigned i = 0; i < 2 * ACCOUNTS_UNDER_WAY_MAX; i++) {
        assert_int_equal(begin(fixture, "p", "adam", &wait_ms), STATUS_OK);
        accounts_withdraw(fixture->accounts, text("p"), text("adam"), fixture->now_ms);
    }
    for (unsigned i = 1; i < ACCOUNTS_FREE_FAILURES; i++)
        assert_int_equal(attempt(fixture, "p", "adam", false), STATUS_UNAUTHENTICATED);
    assert_int_equal(attempt(fixture, "p", "adam", true), STATUS_OK);
}

static void table__more_pairs_than_it_holds__keeps_a_pair_that_is_not_quiet(void **state)
{
    fixture_t *fixture = *state;
    fail_times(fixture, "a", "adam", 10);
    for (unsigned i = 0; i < 2 * ACCOUNTS_PAIRS; i++) {
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

/* ---- Passwords ---------------------------------------------------------------------------------- */

static void password__hash_of_it__matches_only_it(void **state)
{
    fixture_t *fixture = *state;
    char hash[ACCOUNTS_HASH_SIZE];
    assert_true(password_hash(text("eve"), hash));
    assert_true(password_hash_valid(hash));
    assert_int_equal(password_verify(hash, text("eve")), VERDICT_RIGHT);
    assert_int_equal(password_verify(fixture->hashes[0], bytes_of(NULL, 0)), VERDICT_WRONG); /* a cheap one */
    if (!under_valgrind())                                                                   /* see above */
        assert_int_equal(password_verify(hash, text("eva")), VERDICT_WRONG);
}

/* Hashes from the program argon2, with a salt of 8 bytes, two lanes, and a sum of 24 bytes. */
static void password__hash_of_another_form__is_verified(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHQ$ZhTuAAvMRkWmkhXmqCgmBUjv0hDGwZ0hPkEF6wkH9AA",
        "$argon2id$v=19$m=16,t=1,p=2$c2l4dGVlbiBieXRlcyBvaw$3tUCiqjdCsnZZ0zV/hpbpfwrKQloF2GxdHZhPSd/2x0",
        "$argon2id$v=19$m=32,t=3,p=1$c2l4dGVlbiBieXRlcyBvaw$UEUg4160zNzkxJx4/ingw4XjBlOAAzVs",
    };
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        assert_true(password_hash_valid(hashes[i]));
        assert_int_equal(password_verify(hashes[i], text("eve")), VERDICT_RIGHT);
        assert_int_equal(password_verify(hashes[i], text("eva")), VERDICT_WRONG);
    }
}

static void password_hash_valid__costs_up_to_the_bound__are_taken(void **state)
{
    (void)state;
    assert_true(password_hash_valid("$argon2id$v=19$m=1048576,t=4,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void password_hash_valid__anything_else__is_refused(void **state)
{
    (void)state;
#define TAIL "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    static const char *const texts[] = {
        "",
        "eve",
        "$argon2id$",
        "$argon2i$v=19$m=65536,t=2,p=1" TAIL,
        "$argon2d$v=19$m=65536,t=2,p=1" TAIL,
        "$argon2id$v=16$m=65536,t=2,p=1" TAIL,
        "$argon2id$v=19$m=65536,t=2,p=1",
        "$argon2id$v=19$m=65536,t=2" TAIL,
        "$argon2id$v=19$m=,t=2,p=1" TAIL,
        "$argon2id$v=19$m=-8,t=2,p=1" TAIL,
        "$argon2id$v=19$m= 65536,t=2,p=1" TAIL,
        "$argon2id$v=19$m=65536,t=2,p=1" TAIL "!",
        "$argon2id$v=19$m=1048577,t=1,p=1" TAIL,              /* above 1 GiB */
        "$argon2id$v=19$m=1048576,t=5,p=1" TAIL,              /* too much work */
        "$argon2id$v=19$m=8,t=4294967295,p=1" TAIL,           /* too many passes */
        "$argon2id$v=19$m=99999999999999999999,t=1,p=1" TAIL, /* no number */
        "$argon2id$v=19$m=65536,t=2,p=1" TAIL TAIL,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (password_hash_valid(texts[i]))
            fail_msg("taken: %s", texts[i]);
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
        TEST(throttle__unknown_user__is_delayed_as_a_known_one),
        TEST(throttle__address_and_user_of_the_same_letters__are_another_pair),
        TEST(throttle__guesses_side_by_side__are_at_most_twenty),
        TEST(address__many_names_guessed__is_held_to_a_rate),
        TEST(address__held__leaves_another_address_open),
        TEST(address__held__leaves_a_pair_open_that_logged_in_before),
        TEST(address__thousands_of_logins__are_never_held_up),
        TEST(attempts__under_way_in_all__are_bounded),
        TEST(attempts__withdrawn__count_as_none),
        TEST(attempts__abandoned__count_as_failures_and_not_as_under_way),
        TEST(table__more_pairs_than_it_holds__keeps_a_pair_that_is_not_quiet),
        TEST(password__hash_of_another_form__is_verified),
        TEST(password__hash_of_it__matches_only_it),
        TEST(password_hash_valid__costs_up_to_the_bound__are_taken),
        TEST(password_hash_valid__anything_else__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
