/* SPDX-License-Identifier: MPL-2.0 */
/* Structs that are passed between a program and a library of different versions. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "client/include/kvzmq.h"
#include "client/lib/sized.h"

/* Three versions of one struct. */
typedef struct older {
    size_t size;
    uint64_t first;
} older_t;

typedef struct known {
    size_t size;
    uint64_t first;
    uint64_t second;
} known_t;

typedef struct newer {
    size_t size;
    uint64_t first;
    uint64_t second;
    uint64_t third;
} newer_t;

static void take__of_the_same_version__copies_all(void **state)
{
    (void)state;
    known_t given = {sizeof given, 1, 2};
    known_t own;
    assert_null(sized_take(&own, sizeof own, &given));
    assert_memory_equal(&own, &given, sizeof own);
}

static void take__older__has_zero_for_what_it_lacks(void **state)
{
    (void)state;
    older_t given = {sizeof given, 1};
    known_t own;
    memset(&own, 0xff, sizeof own);
    assert_null(sized_take(&own, sizeof own, &given));
    assert_memory_equal(&own, (&(known_t){sizeof own, 1, 0}), sizeof own);
}

static void take__newer__is_valid_only_while_the_unknown_part_is_zero(void **state)
{
    (void)state;
    newer_t given = {sizeof given, 1, 2, 0};
    known_t own;
    assert_null(sized_take(&own, sizeof own, &given));
    assert_memory_equal(&own, (&(known_t){sizeof own, 1, 2}), sizeof own);
    for (size_t byte = 0; byte < sizeof given.third; byte++) {
        given.third = UINT64_C(1) << (8 * byte);
        assert_non_null(sized_take(&own, sizeof own, &given));
        assert_memory_equal(&own, &(known_t){0}, sizeof own);
    }
}

static void take__size_not_set__is_told_and_nothing_behind_it_is_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, SIZED_MAX + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t given = sizes[i];
        known_t own;
        assert_non_null(sized_take(&own, sizeof own, &given));
        assert_memory_equal(&own, &(known_t){0}, sizeof own);
        assert_false(sized_is_set(&given));
    }
}

static void give__of_the_same_version__copies_all(void **state)
{
    (void)state;
    known_t own = {0, 1, 2};
    known_t out = {.size = sizeof out};
    sized_give(&out, &own, sizeof own);
    assert_memory_equal(&out, (&(known_t){sizeof out, 1, 2}), sizeof out);
}

static void give__to_an_older_program__writes_nothing_behind_its_end(void **state)
{
    (void)state;
    known_t own = {0, 1, 2};
    known_t out = {sizeof(older_t), 7, 8};
    sized_give(&out, &own, sizeof own);
    assert_memory_equal(&out, (&(known_t){sizeof(older_t), 1, 8}), sizeof out);
}

static void give__to_a_newer_program__sets_what_is_not_known_to_zero(void **state)
{
    (void)state;
    known_t own = {0, 1, 2};
    newer_t out = {sizeof out, 7, 8, 9};
    sized_give(&out, &own, sizeof own);
    assert_memory_equal(&out, (&(newer_t){sizeof out, 1, 2, 0}), sizeof out);
}

static void give__size_not_set__writes_nothing(void **state)
{
    (void)state;
    known_t own = {0, 1, 2};
    known_t out = {0, 7, 8};
    sized_give(&out, &own, sizeof own);
    assert_memory_equal(&out, (&(known_t){0, 7, 8}), sizeof out);
}

/* A struct must not end with padding: a new member could be placed in it, and an older program's `size` would
 * cover that. */
static void structs__each__begins_with_its_size_and_ends_without_padding(void **state)
{
    (void)state;
#define ENDS_WITH(type, last)                                                                                \
    assert_int_equal(offsetof(type, size), 0);                                                               \
    assert_int_equal(offsetof(type, last) + sizeof(((type *)0)->last), sizeof(type));                        \
    assert_true(sizeof(type) <= SIZED_MAX)
    ENDS_WITH(kvzmq_options_t, context);
    ENDS_WITH(kvzmq_session_t, note);
    ENDS_WITH(kvzmq_put_options_t, secret);
    ENDS_WITH(kvzmq_digest_t, keys);
    ENDS_WITH(kvzmq_range_t, limit);
    ENDS_WITH(kvzmq_row_t, ttl_ms);
    ENDS_WITH(kvzmq_client_t, bytes);
    ENDS_WITH(kvzmq_answer_t, result);
    ENDS_WITH(kvzmq_event_t, user);
    ENDS_WITH(kvzmq_watch_options_t, since);
    ENDS_WITH(kvzmq_watch_counts_t, tickets);
    ENDS_WITH(kvzmq_mirror_state_t, resets);
#undef ENDS_WITH
}

static void has__member_of_a_borrowed_struct__is_there_as_far_as_its_size_goes(void **state)
{
    (void)state;
    kvzmq_event_t event = {.size = sizeof event};
    assert_true(KVZMQ_HAS(&event, user));
    event.size = offsetof(kvzmq_event_t, user);
    assert_false(KVZMQ_HAS(&event, user));
    assert_true(KVZMQ_HAS(&event, by));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__of_the_same_version__copies_all),
        cmocka_unit_test(take__older__has_zero_for_what_it_lacks),
        cmocka_unit_test(take__newer__is_valid_only_while_the_unknown_part_is_zero),
        cmocka_unit_test(take__size_not_set__is_told_and_nothing_behind_it_is_read),
        cmocka_unit_test(give__of_the_same_version__copies_all),
        cmocka_unit_test(give__to_an_older_program__writes_nothing_behind_its_end),
        cmocka_unit_test(give__to_a_newer_program__sets_what_is_not_known_to_zero),
        cmocka_unit_test(give__size_not_set__writes_nothing),
        cmocka_unit_test(structs__each__begins_with_its_size_and_ends_without_padding),
        cmocka_unit_test(has__member_of_a_borrowed_struct__is_there_as_far_as_its_size_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
