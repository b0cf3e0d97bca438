/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about spares.h. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/core/spares.h"
#include "tests/support/volume.h"

enum {
    LIMIT = 1 << 20,
    KEPT_BYTES = 262144, /* at most, of those that the owner keeps; the same for those of other threads */
    GIVERS = 3,
    ROUNDS = 20000,
    ROUNDS_VALGRIND = 500
};

/* A buffer with SIZE bytes of memory. */
static buffer_t sized(size_t size)
{
    buffer_t buffer = {.data = malloc(size), .capacity = size, .limit = LIMIT};
    assert_non_null(buffer.data);
    return buffer;
}

static void keep(spares_t *spares, size_t size)
{
    buffer_t buffer = sized(size);
    spares_keep(spares, &buffer);
    assert_null(buffer.data);
}

/* Takes memory for SIZE bytes and frees it. Returns how much it was, 0 = there was none. */
static size_t take(spares_t *spares, size_t size)
{
    buffer_t buffer;
    buffer_init(&buffer, LIMIT);
    spares_take(spares, size, &buffer);
    size_t capacity = buffer.capacity;
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
    return capacity;
}

static void take_all(spares_t *spares)
{
    while (take(spares, 16384) > 0)
        continue;
}

static void take__of_any_size__is_enough_and_less_than_four_times_as_much(void **state)
{
    (void)state;
    spares_t *spares = spares_new();
    assert_non_null(spares);
    for (size_t size = 1; size <= 16384; size += size / 7 + 1) {
        for (size_t kept = 256; kept <= 16384; kept *= 2) {
            keep(spares, kept);
            keep(spares, kept + kept / 2);
        }
        size_t capacity = take(spares, size);
        assert_true(capacity >= size && (capacity < 4 * size || capacity < 512));
        take_all(spares);
    }
    assert_int_equal(take(spares, 16385), 0);
    spares_destroy(&spares);
    assert_null(spares);
}

/* Otherwise memory that is always too small would pile up. */
static void take__of_more_than_there_is__gives_the_largest(void **state)
{
    (void)state;
    spares_t *spares = spares_new();
    for (size_t kept = 256; kept <= 1024; kept *= 2)
        keep(spares, kept);
    for (size_t kept = 1024; kept >= 256; kept /= 2)
        assert_int_equal(take(spares, 5000), kept);
    assert_int_equal(take(spares, 5000), 0);
    spares_destroy(&spares);
}

static void take__with_a_lower_limit__stays_below_it(void **state)
{
    (void)state;
    spares_t *spares = spares_new();
    buffer_t buffer;
    buffer_init(&buffer, 1000);
    keep(spares, 1500);
    spares_take(spares, 600, &buffer);
    assert_non_null(buffer.data);
    assert_int_equal(buffer.capacity, 1000);
    buffer_release(&buffer);
    spares_destroy(&spares);
}

static void keep__more_than_may_be_kept__frees_it(void **state)
{
    (void)state;
    spares_t *spares = spares_new();
    size_t kept = 0;
    for (unsigned i = 0; i < 1000; i++)
        keep(spares, 4096);
    keep(spares, 100);     /* too small */
    keep(spares, 1 << 19); /* too large */
    buffer_t none;
    buffer_init(&none, LIMIT);
    spares_keep(spares, &none);
    for (size_t size; (size = take(spares, 4096)) > 0;)
        kept += size;
    assert_int_equal(kept, KEPT_BYTES);
    assert_int_equal(take(spares, 1), 0);
    spares_destroy(&spares);
}

static void *give_many(void *argument)
{
    spares_t *spares = argument;
    for (size_t i = volume(ROUNDS, ROUNDS_VALGRIND); i > 0; i--) {
        size_t size = (size_t)200 << (i % 9);
        uint8_t *data = malloc(size);
        assert_non_null(data);
        spares_give(spares, data, size);
    }
    return NULL;
}

/* Each piece belongs to one place at any time: the sanitizers and valgrind see memory that is lost or freed
 * twice. */
static void give__by_several_threads_while_one_takes__loses_nothing(void **state)
{
    (void)state;
    spares_t *spares = spares_new();
    pthread_t threads[GIVERS];
    size_t taken = 0;
    for (unsigned i = 0; i < GIVERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give_many, spares), 0);
    for (size_t i = volume(ROUNDS, ROUNDS_VALGRIND); i > 0; i--)
        taken += take(spares, (size_t)200 << (i % 8)) > 0;
    for (unsigned i = 0; i < GIVERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t size = 256; size <= 16384; size *= 2)
        while (take(spares, size) > 0)
            taken++;
    assert_true(taken > 0);
    for (unsigned i = 0; i < 1000; i++)
        spares_give(spares, malloc(1024), 1024);
    size_t given = 0;
    for (size_t size; (size = take(spares, 1024)) > 0;)
        given += size;
    assert_int_equal(given, KEPT_BYTES); /* all that was given before has been taken into account */
    spares_destroy(&spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__of_any_size__is_enough_and_less_than_four_times_as_much),
        cmocka_unit_test(take__of_more_than_there_is__gives_the_largest),
        cmocka_unit_test(take__with_a_lower_limit__stays_below_it),
        cmocka_unit_test(keep__more_than_may_be_kept__frees_it),
        cmocka_unit_test(give__by_several_threads_while_one_takes__loses_nothing),
    };
    return cmocka_run_group_tests_name("spares", tests, NULL, NULL);
}
