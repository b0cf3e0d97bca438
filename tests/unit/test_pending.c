/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the ring of requests whose answers are pending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "broker/core/pending.h"
#include "common/bytes.h"
#include "tests/support/refuse_memory.h"

static void add(pending_ring_t *ring, uint32_t msgid)
{
    assert_true(pending_ready(ring));
    pending_add(ring, (pending_t){.msgid = msgid, .owed = true});
}

static void one__takes_no_memory(void **state)
{
    (void)state;
    pending_ring_t ring = {0};
    refuse_after = 0;
    add(&ring, 7);
    assert_int_equal(pending_take(&ring).msgid, 7);
    refuse_after = REFUSE_NEVER;
    assert_int_equal(ring.count, 0);
}

static void a_second__without_memory__waits(void **state)
{
    (void)state;
    pending_ring_t ring = {0};
    add(&ring, 7);
    refuse_after = 0;
    assert_false(pending_ready(&ring));
    refuse_after = REFUSE_NEVER;
    add(&ring, 8);
    assert_int_equal(pending_take(&ring).msgid, 7);
    assert_int_equal(pending_take(&ring).msgid, 8);
    pending_release(&ring);
}

static void as_many_as_fit__and_again__leave_in_order(void **state)
{
    (void)state;
    pending_ring_t ring = {0};
    uint32_t added = 0;
    uint32_t taken = 0;
    for (unsigned round = 0; round < 5; round++) {
        while (ring.count < PENDING_MAX)
            add(&ring, added++);
        assert_false(pending_ready(&ring));
        for (unsigned i = 0; i < PENDING_MAX - round * 13; i++)
            assert_int_equal(pending_take(&ring).msgid, taken++);
    }
    while (ring.count > 0)
        assert_int_equal(pending_take(&ring).msgid, taken++);
    assert_int_equal(taken, added);
    pending_release(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one__takes_no_memory),
        cmocka_unit_test(a_second__without_memory__waits),
        cmocka_unit_test(as_many_as_fit__and_again__leave_in_order),
    };
    return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
