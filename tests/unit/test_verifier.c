/* SPDX-License-Identifier: MPL-2.0 */
/* The thread that verifies passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/net/verifier.h"
#include "tests/support/volume.h"
#include "tests/support/waiting.h"

enum {
    MEMORY_CHEAP = 8192,    /* bytes */
    MEMORY_DEAR = 64 << 20, /* bytes; takes tens of milliseconds */
    MEMORY_DEAR_VALGRIND = 8 << 20
};

typedef struct fixture {
    verifier_t *verifier;
} fixture_t;

static bytes_t text(const char *value)
{
    return bytes_from_text(value);
}

/* Hashes of the password eve, made once for all tests. */
static char cheap[PASSWORD_HASH_SIZE];
static char dear[PASSWORD_HASH_SIZE];

/* Waits for the next finished job. Returns its id. */
static uint64_t collect(fixture_t *fixture, verdict_t *verdict)
{
    uint64_t id = 0;
    zmq_pollitem_t item = {.socket = verifier_socket(fixture->verifier), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, TIMEOUT_MS), 1);
    assert_true(verifier_collect(fixture->verifier, &id, verdict));
    return id;
}

static void job__right_password__matches(void **state)
{
    fixture_t *fixture = *state;
    verdict_t verdict = VERDICT_NONE;
    assert_true(verifier_submit(fixture->verifier, UINT64_MAX, cheap, text("eve")));
    assert_int_equal(collect(fixture, &verdict), UINT64_MAX);
    assert_int_equal(verdict, VERDICT_RIGHT);
}

static void job__wrong_empty_or_longest_password__does_not_match(void **state)
{
    fixture_t *fixture = *state;
    uint8_t longest[LIMIT_PASSWORD] = {0};
    verdict_t verdict = VERDICT_RIGHT;
    assert_true(verifier_submit(fixture->verifier, 1, cheap, text("adam")));
    assert_true(verifier_submit(fixture->verifier, 2, cheap, bytes_of(NULL, 0)));
    assert_true(verifier_submit(fixture->verifier, 3, cheap, bytes_of(longest, sizeof longest)));
    for (uint64_t id = 1; id <= 3; id++) {
        verdict = VERDICT_RIGHT;
        assert_int_equal(collect(fixture, &verdict), id);
        assert_int_equal(verdict, VERDICT_WRONG);
    }
}

static void job__password_above_the_limit__is_not_taken(void **state)
{
    fixture_t *fixture = *state;
    uint8_t password[LIMIT_PASSWORD + 1] = {0};
    assert_false(verifier_submit(fixture->verifier, 1, cheap, bytes_of(password, sizeof password)));
}

static void jobs__several__are_done_in_order(void **state)
{
    fixture_t *fixture = *state;
    for (uint64_t i = 0; i < 100; i++)
        assert_true(verifier_submit(fixture->verifier, i, cheap, text(i % 2 == 0 ? "eve" : "no")));
    for (uint64_t i = 0; i < 100; i++) {
        verdict_t verdict = VERDICT_NONE;
        assert_int_equal(collect(fixture, &verdict), i);
        assert_int_equal(verdict, i % 2 == 0 ? VERDICT_RIGHT : VERDICT_WRONG);
    }
}

static void jobs__none_finished__collects_nothing(void **state)
{
    fixture_t *fixture = *state;
    uint64_t id = 7;
    verdict_t verdict = VERDICT_RIGHT;
    assert_false(verifier_collect(fixture->verifier, &id, &verdict));
    assert_int_equal(id, 7);
    assert_int_equal(verdict, VERDICT_RIGHT);
}

static void jobs__at_their_bound__are_taken_and_one_past_is_not(void **state)
{
    fixture_t *fixture = *state;
    verdict_t verdict = VERDICT_NONE;
    for (unsigned i = 0; i < VERIFIER_JOBS_MAX; i++)
        assert_true(verifier_submit(fixture->verifier, i, cheap, text("eve")));
    assert_false(verifier_submit(fixture->verifier, VERIFIER_JOBS_MAX, cheap, text("eve")));
    for (unsigned i = 0; i < VERIFIER_JOBS_MAX; i++)
        assert_int_equal(collect(fixture, &verdict), i);
    assert_true(verifier_submit(fixture->verifier, 1, cheap, text("eve")));
}

static void submit__slow_jobs__does_not_wait_for_them(void **state)
{
    enum { JOBS = 50 };
    fixture_t *fixture = *state;
    uint64_t id;
    verdict_t verdict = VERDICT_NONE;
    unsigned done = 1;
    for (unsigned i = 0; i < JOBS; i++)
        assert_true(verifier_submit(fixture->verifier, i, dear, text("eve")));
    assert_int_equal(collect(fixture, &verdict), 0);
    assert_int_equal(verdict, VERDICT_RIGHT);
    while (verifier_collect(fixture->verifier, &id, &verdict))
        done++;
    assert_true(done < JOBS); /* all of them take seconds */
}

static void destroy__jobs_waiting__ends_after_the_one_under_way(void **state)
{
    fixture_t *fixture = *state;
    for (unsigned i = 0; i < VERIFIER_JOBS_MAX; i++) /* all of them would take a minute */
        assert_true(verifier_submit(fixture->verifier, i, dear, text("eve")));
    int64_t begin_ms = zclock_mono();
    verifier_destroy(&fixture->verifier);
    assert_null(fixture->verifier);
    assert_in_range(zclock_mono() - begin_ms, 0, 20000);
}

static void destroy__jobs_finished_and_not_collected__leaks_nothing(void **state)
{
    fixture_t *fixture = *state;
    verdict_t verdict = VERDICT_NONE;
    assert_true(verifier_submit(fixture->verifier, 1, cheap, text("eve")));
    assert_true(verifier_submit(fixture->verifier, 2, cheap, text("eve")));
    assert_true(verifier_submit(fixture->verifier, 3, cheap, text("eve")));
    assert_int_equal(collect(fixture, &verdict), 1);
    verifier_destroy(&fixture->verifier);
    verifier_destroy(&fixture->verifier);
}

static int hashes_make(void **state)
{
    (void)state;
    size_t memory = volume(MEMORY_DEAR, MEMORY_DEAR_VALGRIND);
    return sodium_init() < 0 ||
                   crypto_pwhash_str_alg(cheap, "eve", 3, 1, MEMORY_CHEAP, crypto_pwhash_ALG_ARGON2ID13) !=
                       0 ||
                   crypto_pwhash_str_alg(dear, "eve", 3, 2, memory, crypto_pwhash_ALG_ARGON2ID13) != 0
               ? -1
               : 0;
}

static int set_up(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    if (fixture == NULL)
        return -1;
    fixture->verifier = verifier_new();
    return fixture->verifier == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    verifier_destroy(&fixture->verifier);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(job__right_password__matches),
        TEST(job__wrong_empty_or_longest_password__does_not_match),
        TEST(job__password_above_the_limit__is_not_taken),
        TEST(jobs__several__are_done_in_order),
        TEST(jobs__none_finished__collects_nothing),
        TEST(jobs__at_their_bound__are_taken_and_one_past_is_not),
        TEST(submit__slow_jobs__does_not_wait_for_them),
        TEST(destroy__jobs_waiting__ends_after_the_one_under_way),
        TEST(destroy__jobs_finished_and_not_collected__leaks_nothing),
    };
    return cmocka_run_group_tests(tests, hashes_make, NULL);
}
