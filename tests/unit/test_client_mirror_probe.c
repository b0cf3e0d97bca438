/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about mirror_probe.h: as of which seq a mirrored store is compared, and when it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/watch/mirror_probe.h"
#include "tests/support/refuse_memory.h"

enum { NOTES_MAX = 65536 }; /* as in mirror_probe.c */

typedef struct fixture {
    mirror_store_t *store;
    probe_t probe;
} fixture_t;

#define LAMP bytes_from_text("lamp")

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.store = mirror_store_new()};
    assert_non_null(fixture.store);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    probe_release(&fixture->probe);
    mirror_store_destroy(&fixture->store);
    return 0;
}

static void put(fixture_t *fixture, const char *key, const char *value)
{
    const mirror_entry_t entry = {.key = bytes_from_text(key),
                                  .value = bytes_from_text(value != NULL ? value : ""),
                                  .has_value = value != NULL,
                                  .revision = 1,
                                  .due_ms = INT64_MAX};
    assert_true(mirror_store_put(fixture->store, LAMP, &entry));
}

/* Begins at seq 5, when the store has one key. */
static void begin(fixture_t *fixture)
{
    put(fixture, "a", "1");
    probe_begin(&fixture->probe, fixture->store, LAMP, 5);
}

/* Puts KEY with SEQ. */
static void change(fixture_t *fixture, const char *key, uint64_t seq)
{
    put(fixture, key, "1");
    probe_change(&fixture->probe, fixture->store, LAMP, seq);
}

/* The broker's answer as of SEQ, if its store is now as the mirror's. */
static probe_answer_t answer_now(const fixture_t *fixture, uint64_t seq)
{
    mirror_summary_t summary;
    mirror_store_summary(fixture->store, LAMP, &summary);
    return (probe_answer_t){.digest = {.seq = seq, .digest = summary.digest, .keys = summary.keys}};
}

static void assert_compared(const fixture_t *fixture, probe_answer_t answer, bool equal)
{
    bool is_equal = !equal;
    assert_int_equal(probe_compare(&fixture->probe, &answer, &is_equal), KVZMQ_OK);
    assert_int_equal(is_equal, equal);
}

static void assert_not_comparable(const fixture_t *fixture, probe_answer_t answer)
{
    bool equal = true;
    assert_int_equal(probe_compare(&fixture->probe, &answer, &equal), KVZMQ_UNAVAILABLE);
    assert_false(equal);
}

static void compare__seq_between_two_changes__takes_the_store_of_then(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    probe_answer_t first = answer_now(fixture, 5);
    change(fixture, "b", 7);
    probe_answer_t second = answer_now(fixture, 7);
    change(fixture, "c", 9);
    assert_compared(fixture, first, true);
    first.digest.seq = 6;
    assert_compared(fixture, first, true);
    first.digest.seq = 7;
    assert_compared(fixture, first, false);
    second.digest.seq = 8;
    assert_compared(fixture, second, true);
    second.digest.seq = 9;
    assert_compared(fixture, second, false);
    assert_compared(fixture, answer_now(fixture, 100), true);
}

static void compare__seq_before_the_beginning__cannot_be(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    assert_not_comparable(fixture, answer_now(fixture, 4));
}

static void compare__other_entries_of_the_same_number__are_not_equal(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    probe_answer_t answer = answer_now(fixture, 5);
    answer.digest.digest++;
    assert_compared(fixture, answer, false);
}

static void compare__value_that_is_not_known__cannot_be(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    put(fixture, "hollow", NULL);
    probe_change(&fixture->probe, fixture->store, LAMP, 6);
    assert_compared(fixture, answer_now(fixture, 5), false);
    assert_not_comparable(fixture, answer_now(fixture, 6));
}

static void compare__broker_has_no_such_store__is_equal_if_it_was_empty_at_any_time_until_then(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    probe_answer_t absent = {.absent = true, .digest = {.seq = 6}};
    assert_compared(fixture, absent, false);
    mirror_store_drop(fixture->store, LAMP);
    probe_change(&fixture->probe, fixture->store, LAMP, 7);
    change(fixture, "a", 8);
    assert_compared(fixture, absent, false);
    absent.digest.seq = 7;
    assert_compared(fixture, absent, true);
    absent.digest.seq = 9;
    assert_compared(fixture, absent, true);
}

static void change__of_another_store_or_after_the_end__is_not_recorded(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    probe_change(&fixture->probe, fixture->store, bytes_from_text("bell"), 6);
    probe_end(&fixture->probe);
    change(fixture, "b", 7);
    assert_int_equal(fixture->probe.count, 1);
}

static void begin__after_a_break__compares_again(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    probe_break(&fixture->probe);
    assert_not_comparable(fixture, answer_now(fixture, 5));
    probe_end(&fixture->probe);
    probe_begin(&fixture->probe, fixture->store, LAMP, 9);
    assert_compared(fixture, answer_now(fixture, 9), true);
}

static void change__more_than_are_recorded__cannot_be_compared(void **state)
{
    fixture_t *fixture = *state;
    begin(fixture);
    for (uint64_t i = 1; i < NOTES_MAX; i++)
        probe_change(&fixture->probe, fixture->store, LAMP, 5 + i);
    assert_compared(fixture, answer_now(fixture, 5 + NOTES_MAX), true);
    probe_change(&fixture->probe, fixture->store, LAMP, 5 + NOTES_MAX);
    assert_not_comparable(fixture, answer_now(fixture, 5 + NOTES_MAX));
}

static void change__memory_refused__cannot_be_compared(void **state)
{
    fixture_t *fixture = *state;
    put(fixture, "a", "1");
    refuse_once = true;
    refuse_after = 0;
    probe_begin(&fixture->probe, fixture->store, LAMP, 5);
    change(fixture, "b", 6); /* this one is recorded, but there is a hole before it */
    assert_not_comparable(fixture, answer_now(fixture, 6));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(compare__seq_between_two_changes__takes_the_store_of_then),
        TEST(compare__seq_before_the_beginning__cannot_be),
        TEST(compare__other_entries_of_the_same_number__are_not_equal),
        TEST(compare__value_that_is_not_known__cannot_be),
        TEST(compare__broker_has_no_such_store__is_equal_if_it_was_empty_at_any_time_until_then),
        TEST(change__of_another_store_or_after_the_end__is_not_recorded),
        TEST(begin__after_a_break__compares_again),
        TEST(change__more_than_are_recorded__cannot_be_compared),
        TEST(change__memory_refused__cannot_be_compared),
    };
    return cmocka_run_group_tests_name("client_mirror_probe", tests, NULL, NULL);
}
