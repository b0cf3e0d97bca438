/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the heap of deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/expiry.h"
#include "tests/support/scatter.h"

enum { MANY = 3 * EXPIRY_CHUNK + 17 };

typedef struct fixture {
    expiry_t expiry;
    deadline_t deadlines[MANY];
} fixture_t;

static int64_t due_of(uint64_t n)
{
    return (int64_t)(scatter(n) % 5000);
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    expiry_init(&fixture->expiry);
    for (uint64_t i = 0; i < MANY; i++)
        fixture->deadlines[i].due_ms = due_of(i);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    expiry_release(&fixture->expiry);
    free(fixture);
    return 0;
}

static void add_all(fixture_t *fixture)
{
    for (size_t i = 0; i < MANY; i++)
        assert_true(expiry_add(&fixture->expiry, &fixture->deadlines[i]));
}

/* Removes all deadlines, and checks that they come earliest first and that there are COUNT. */
static void assert_in_order(expiry_t *expiry, uint64_t count)
{
    int64_t last = INT64_MIN;
    for (deadline_t *first; (first = expiry_first(expiry)) != NULL; count--) {
        assert_true(first->due_ms >= last);
        last = first->due_ms;
        expiry_remove(expiry, first);
    }
    assert_int_equal(count, 0);
}

static void first__empty_heap__is_none(void **state)
{
    fixture_t *fixture = *state;
    assert_null(expiry_first(&fixture->expiry));
    assert_null(fixture->expiry.chunks);
}

static void first__deadlines_in_any_order__come_out_in_theirs(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture);
    assert_in_order(&fixture->expiry, MANY);
}

static void remove__from_anywhere__leaves_the_others_in_order(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture);
    for (size_t i = 0; i < MANY; i += 3)
        expiry_remove(&fixture->expiry, &fixture->deadlines[i]);
    assert_in_order(&fixture->expiry, MANY - (MANY + 2) / 3);
}

static void change__each__comes_out_in_the_new_order(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture);
    for (uint64_t i = 0; i < MANY; i++)
        expiry_change(&fixture->expiry, &fixture->deadlines[i], due_of(i + MANY), i);
    assert_int_equal(fixture->deadlines[0].due_ms, due_of(MANY));
    assert_in_order(&fixture->expiry, MANY);
}

static void remove__twice__does_nothing_the_second_time(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture);
    expiry_remove(&fixture->expiry, &fixture->deadlines[5]);
    expiry_remove(&fixture->expiry, &fixture->deadlines[5]);
    assert_int_equal(fixture->expiry.count, MANY - 1);
}

static void remove__most__gives_chunks_back(void **state)
{
    fixture_t *fixture = *state;
    add_all(fixture);
    assert_int_equal(fixture->expiry.chunk_count, 4);
    for (size_t i = 10; i < MANY; i++)
        expiry_remove(&fixture->expiry, &fixture->deadlines[i]);
    assert_true(fixture->expiry.chunk_count <= 2);
    assert_in_order(&fixture->expiry, 10);
}

#define EXPIRY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPIRY_TEST(first__empty_heap__is_none),
        EXPIRY_TEST(first__deadlines_in_any_order__come_out_in_theirs),
        EXPIRY_TEST(remove__from_anywhere__leaves_the_others_in_order),
        EXPIRY_TEST(change__each__comes_out_in_the_new_order),
        EXPIRY_TEST(remove__twice__does_nothing_the_second_time),
        EXPIRY_TEST(remove__most__gives_chunks_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
