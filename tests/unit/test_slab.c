/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the slab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/slab.h"
#include "tests/support/scatter.h"

enum { MANY = 3000, ROUNDS = 20, CACHE_LINE = 64, SEGMENT_BLOCKS = (2 << 20) / SLAB_BLOCK_MAX };

typedef struct block {
    uint32_t handle;
    size_t size;
    uint8_t fill;
} block_t;

static void assert_filled(const slab_t *slab, const block_t *block)
{
    const uint8_t *bytes = slab_at(slab, block->handle);
    for (size_t i = 0; i < block->size; i++)
        if (bytes[i] != block->fill)
            fail_msg("byte %zu of %zu is another's", i, block->size);
}

static uint32_t take(slab_t *slab, size_t size)
{
    uint32_t handle = slab_take(slab, size);
    assert_int_not_equal(handle, 0);
    return handle;
}

static void blocks__of_all_sizes_taken_and_given__keep_their_bytes(void **state)
{
    (void)state;
    static block_t blocks[MANY];
    slab_t slab;
    slab_init(&slab);
    for (uint64_t i = 0; i < (uint64_t)MANY * ROUNDS; i++) {
        block_t *block = &blocks[scatter(i) % MANY];
        if (block->handle != 0) {
            assert_filled(&slab, block);
            slab_give(&slab, block->handle);
            block->handle = 0;
            continue;
        }
        block->size = slab_block_size(1 + scatter(i + 5) % SLAB_BLOCK_MAX);
        block->handle = take(&slab, block->size);
        block->fill = (uint8_t)i;
        memset(slab_at(&slab, block->handle), block->fill, block->size);
        if (i % MANY == 0) {
            unsigned budget = 100;
            (void)slab_trim(&slab, &budget);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        if (blocks[i].handle != 0) {
            assert_filled(&slab, &blocks[i]);
            slab_give(&slab, blocks[i].handle);
        }
    slab_release(&slab);
    assert_int_equal(slab.segment_count, 0);
}

static void take__size_of_whole_cache_lines__begins_on_one(void **state)
{
    (void)state;
    slab_t slab;
    uint32_t handles[2 * SLAB_BLOCK_MAX / SLAB_UNIT];
    size_t count = 0;
    slab_init(&slab);
    for (unsigned round = 0; round < 2; round++)
        for (size_t size = SLAB_UNIT; size <= SLAB_BLOCK_MAX; size += SLAB_UNIT) {
            uintptr_t step = size % CACHE_LINE == 0 ? CACHE_LINE : SLAB_UNIT;
            handles[count] = take(&slab, size);
            assert_int_equal((uintptr_t)slab_at(&slab, handles[count++]) % step, 0);
        }
    while (count > 0)
        slab_give(&slab, handles[--count]);
    slab_release(&slab);
}

static void give__nearly_all_blocks__trim_gives_segments_back(void **state)
{
    (void)state;
    static uint32_t handles[MANY * 2];
    enum { BLOCKS = MANY * 2 };
    slab_t slab;
    slab_init(&slab);
    for (size_t i = 0; i < BLOCKS; i++)
        handles[i] = take(&slab, SLAB_BLOCK_MAX);
    size_t segments = slab.segment_count;
    assert_true(segments >= BLOCKS / SEGMENT_BLOCKS);
    for (size_t i = 1; i < BLOCKS; i++)
        slab_give(&slab, handles[i]);
    assert_int_equal(slab.segment_count, segments); /* slab_give frees none, because that would take long */
    assert_true(slab_trims(&slab));
    unsigned steps = 0;
    for (bool more = true; more; steps++) {
        unsigned budget = 1;
        more = slab_trim(&slab, &budget);
    }
    assert_true(steps > 1);
    assert_true(slab.segment_count <= 1 + SLAB_EMPTY_KEPT);
    slab_give(&slab, handles[0]);
    slab_release(&slab);
}

static void take__after_all_was_given__uses_the_same_numbers_again(void **state)
{
    (void)state;
    static uint32_t handles[MANY];
    slab_t slab;
    uint32_t numbers = 0;
    slab_init(&slab);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++)
            handles[i] = take(&slab, SLAB_BLOCK_MAX);
        numbers = round == 0 ? slab.place_count : numbers;
        assert_int_equal(slab.place_count, numbers);
        for (size_t i = 0; i < MANY; i++)
            slab_give(&slab, handles[i]);
        unsigned all = UINT32_MAX;
        assert_false(slab_trim(&slab, &all));
    }
    slab_release(&slab);
}

static void give__no_block__does_nothing(void **state)
{
    (void)state;
    slab_t slab;
    slab_init(&slab);
    slab_give(&slab, 0);
    assert_int_equal(slab.segment_count, 0);
    slab_release(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks__of_all_sizes_taken_and_given__keep_their_bytes),
        cmocka_unit_test(take__size_of_whole_cache_lines__begins_on_one),
        cmocka_unit_test(give__nearly_all_blocks__trim_gives_segments_back),
        cmocka_unit_test(take__after_all_was_given__uses_the_same_numbers_again),
        cmocka_unit_test(give__no_block__does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
