/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the pool of nodes' memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/engine/pool.h"

enum { MANY = 3000, ROUNDS = 20 };

typedef struct block {
    uint8_t *bytes;
    size_t size;
    uint8_t fill;
} block_t;

static uint64_t scatter(uint64_t n)
{
    n = (n ^ (n >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
    return n ^ (n >> 29);
}

static void assert_filled(const block_t *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block->bytes[i] != block->fill)
            fail_msg("byte %zu of %zu is another's", i, size);
}

static void fill(block_t *block, uint64_t chance)
{
    block->fill = (uint8_t)chance;
    memset(block->bytes, block->fill, block->size);
}

static void blocks__of_all_sizes_taken_resized_and_given__keep_their_bytes(void **state)
{
    (void)state;
    static block_t blocks[MANY];
    pool_t pool;
    pool_init(&pool);
    for (uint64_t i = 0; i < (uint64_t)MANY * ROUNDS; i++) {
        block_t *block = &blocks[scatter(i) % MANY];
        size_t size = pool_block_size(1 + scatter(i + 5) % POOL_BLOCK_MAX);
        if (block->bytes == NULL) {
            block->bytes = pool_take(&pool, size);
            assert_non_null(block->bytes);
        } else if (i % 2 == 0) {
            assert_filled(block, block->size);
            pool_give(&pool, block->bytes, block->size);
            block->bytes = NULL;
            continue;
        } else {
            block->bytes = pool_resize(&pool, block->bytes, block->size, size);
            assert_non_null(block->bytes);
            assert_filled(block, size < block->size ? size : block->size);
        }
        block->size = size;
        fill(block, i);
    }
    for (size_t i = 0; i < MANY; i++)
        if (blocks[i].bytes != NULL) {
            assert_filled(&blocks[i], blocks[i].size);
            pool_give(&pool, blocks[i].bytes, blocks[i].size);
        }
    pool_release(&pool);
    assert_int_equal(pool.segment_count, 0);
}

static void give__nearly_all_blocks__gives_segments_back(void **state)
{
    (void)state;
    static void *blocks[MANY];
    pool_t pool;
    pool_init(&pool);
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = pool_take(&pool, POOL_BLOCK_MAX);
        assert_non_null(blocks[i]);
    }
    assert_true(pool.segment_count >= 6);
    for (size_t i = 1; i < MANY; i++)
        pool_give(&pool, blocks[i], POOL_BLOCK_MAX);
    assert_true(pool.segment_count <= 2);
    pool_give(&pool, blocks[0], POOL_BLOCK_MAX);
    pool_release(&pool);
}

static void take__a_few_small_blocks__takes_no_segment(void **state)
{
    (void)state;
    pool_t pool;
    pool_init(&pool);
    void *block = pool_take(&pool, POOL_MALLOC_BELOW - 1);
    assert_non_null(block);
    assert_int_equal(pool.segment_count, 0);
    pool_give(&pool, block, POOL_MALLOC_BELOW - 1);
    pool_give(&pool, NULL, POOL_BLOCK_MAX);
    pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks__of_all_sizes_taken_resized_and_given__keep_their_bytes),
        cmocka_unit_test(give__nearly_all_blocks__gives_segments_back),
        cmocka_unit_test(take__a_few_small_blocks__takes_no_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
