/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about buffers: they grow up to their bound, and never beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/buffer.h"

enum { LIMIT = 1000 }; /* of the buffers here; not a power of two, so that doubling stops at it */

static int setup(void **state)
{
    static buffer_t buffer;
    buffer_init(&buffer, LIMIT);
    *state = &buffer;
    return 0;
}

static int teardown(void **state)
{
    buffer_release(*state);
    return 0;
}

static void fill(buffer_t *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_append(buffer, &(uint8_t){(uint8_t)i}, 1);
}

static void init__allocates_nothing(void **state)
{
    const buffer_t *buffer = *state;
    assert_null(buffer->data);
    assert_int_equal(buffer->size, 0);
    assert_int_equal(buffer->capacity, 0);
}

static void append__keeps_bytes_in_order(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, LIMIT);
    assert_int_equal(buffer->size, LIMIT);
    for (size_t i = 0; i < LIMIT; i++)
        assert_int_equal(buffer->data[i], (uint8_t)i);
}

static void append__of_nothing__changes_nothing(void **state)
{
    buffer_t *buffer = *state;
    buffer_append(buffer, NULL, 0);
    assert_null(buffer->data);
    assert_false(buffer->failed);
}

static void append__up_to_the_bound__fits(void **state)
{
    static const uint8_t data[LIMIT] = {0};
    buffer_t *buffer = *state;
    buffer_append(buffer, data, LIMIT);
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, LIMIT);
    assert_int_equal(buffer->capacity, LIMIT);
}

static void append__one_past_the_bound__fails_whole(void **state)
{
    static const uint8_t data[LIMIT] = {0};
    buffer_t *buffer = *state;
    fill(buffer, 1);
    buffer_append(buffer, data, LIMIT);
    assert_true(buffer->failed);
    assert_int_equal(buffer->size, 1);
}

static void append__past_a_bound_below_the_memory__fails_whole(void **state)
{
    static const uint8_t data[LIMIT] = {0};
    buffer_t *buffer = *state;
    fill(buffer, LIMIT);
    buffer_truncate(buffer, 10);
    buffer_bound(buffer, 20);
    buffer_append(buffer, data, 11);
    assert_true(buffer->failed);
    assert_int_equal(buffer->size, 10);
    buffer_truncate(buffer, 10);
    buffer_append(buffer, data, 10);
    assert_false(buffer->failed);
}

static void bound__raised_again__takes_more(void **state)
{
    static const uint8_t data[LIMIT] = {0};
    buffer_t *buffer = *state;
    fill(buffer, 300);
    buffer_bound(buffer, 300);
    buffer_bound(buffer, LIMIT);
    buffer_append(buffer, data, LIMIT - 300);
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, LIMIT);
}

static void append__after_a_failure__changes_nothing(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, LIMIT + 1);
    buffer_truncate(buffer, LIMIT);
    fill(buffer, 1);
    assert_true(buffer->failed);
    buffer->size = 0; /* there is room again, but `failed` is still set */
    fill(buffer, 1);
    assert_int_equal(buffer->size, 0);
    assert_null(buffer_reserve(buffer, 1));
}

static void append__of_a_size_that_would_wrap__fails(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, 10);
    assert_null(buffer_reserve(buffer, SIZE_MAX - 5));
    assert_true(buffer->failed);
    assert_int_equal(buffer->size, 10);
}

static void reserve__gives_room_that_is_not_in_use_yet(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, 3);
    uint8_t *room = buffer_reserve(buffer, LIMIT - 3);
    assert_non_null(room);
    assert_ptr_equal(room, buffer->data + 3);
    assert_int_equal(buffer->size, 3);
    memset(room, 0xff, LIMIT - 3);
}

static void reserve__of_nothing__is_no_failure(void **state)
{
    buffer_t *buffer = *state;
    assert_non_null(buffer_reserve(buffer, 0));
    buffer_t none;
    buffer_init(&none, 0);
    assert_non_null(buffer_reserve(&none, 0));
    assert_null(buffer_reserve(&none, 1));
    buffer_release(&none);
}

static void growth__is_by_doubling(void **state)
{
    buffer_t *buffer = *state;
    buffer_release(buffer);
    buffer_init(buffer, 1 << 20);
    size_t growths = 0;
    size_t capacity = 0;
    for (size_t i = 0; i < 1 << 20; i++) {
        fill(buffer, 1);
        growths += buffer->capacity != capacity;
        capacity = buffer->capacity;
    }
    assert_in_range(growths, 2, 16);
}

static void truncate__cuts_and_forgives_the_failure(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, LIMIT + 1);
    assert_true(buffer->failed);
    buffer_truncate(buffer, 5);
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, 5);
    fill(buffer, 1);
    assert_int_equal(buffer->size, 6);
}

static void take__hands_the_bytes_over_and_leaves_an_empty_buffer(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, 7);
    size_t size = 0;
    uint8_t *data = buffer_take(buffer, &size);
    assert_int_equal(size, 7);
    assert_int_equal(data[6], 6);
    free(data);
    assert_null(buffer->data);
    assert_int_equal(buffer->size, 0);
    fill(buffer, LIMIT);
    assert_false(buffer->failed);
}

static void take__of_an_empty_buffer__is_null(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, 7);
    buffer_truncate(buffer, 0);
    size_t size = 1;
    assert_null(buffer_take(buffer, &size));
    assert_int_equal(size, 0);
}

static void release__leaves_it_usable_with_its_bound(void **state)
{
    buffer_t *buffer = *state;
    fill(buffer, LIMIT + 1);
    buffer_release(buffer);
    assert_null(buffer->data);
    fill(buffer, LIMIT);
    assert_false(buffer->failed);
    fill(buffer, 1);
    assert_true(buffer->failed);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest claims[] = {
        CLAIM(init__allocates_nothing),
        CLAIM(append__keeps_bytes_in_order),
        CLAIM(append__of_nothing__changes_nothing),
        CLAIM(append__up_to_the_bound__fits),
        CLAIM(append__one_past_the_bound__fails_whole),
        CLAIM(append__past_a_bound_below_the_memory__fails_whole),
        CLAIM(bound__raised_again__takes_more),
        CLAIM(append__after_a_failure__changes_nothing),
        CLAIM(append__of_a_size_that_would_wrap__fails),
        CLAIM(reserve__gives_room_that_is_not_in_use_yet),
        CLAIM(reserve__of_nothing__is_no_failure),
        CLAIM(growth__is_by_doubling),
        CLAIM(truncate__cuts_and_forgives_the_failure),
        CLAIM(take__hands_the_bytes_over_and_leaves_an_empty_buffer),
        CLAIM(take__of_an_empty_buffer__is_null),
        CLAIM(release__leaves_it_usable_with_its_bound),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
