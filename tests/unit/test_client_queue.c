/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about queue.h: which batch an answer belongs to, and how many batches are in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lib/queue.h"

/* Makes a batch of COUNT requests with consecutive msgids from MSGID. */
static kvzmq_batch_t *batch_of(uint32_t msgid, uint32_t count)
{
    kvzmq_batch_t *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    batch->requests = calloc(count, sizeof *batch->requests);
    assert_non_null(batch->requests);
    for (uint32_t i = 0; i < count; i++)
        batch->requests[i].msgid = msgid + i;
    batch->count = count;
    return batch;
}

static payload_t payload_of(const char *text)
{
    payload_t payload;
    assert_int_equal(zmq_msg_init_size(&payload.message, strlen(text)), 0);
    memcpy(zmq_msg_data(&payload.message), text, strlen(text));
    return payload;
}

static bool store(queue_t *queue, const char *text, uint32_t msgid)
{
    payload_t payload = payload_of(text);
    bool stored = queue_store(queue, &payload, msgid);
    if (!stored)
        payload_release(&payload);
    return stored;
}

static void assert_answer(kvzmq_batch_t *batch, const char *text)
{
    assert_int_equal(batch->state, BATCH_ANSWERED);
    assert_true(bytes_equal(payload_bytes(&batch->payload), bytes_from_text(text)));
}

/* Three batches are in flight: with the msgids 1 and 2, with 3, and with 4 to 6. */
static int setup(void **state)
{
    static queue_t queue;
    queue = (queue_t){0};
    queue_push(&queue, batch_of(1, 2));
    queue_push(&queue, batch_of(3, 1));
    queue_push(&queue, batch_of(4, 3));
    *state = &queue;
    return 0;
}

static int teardown(void **state)
{
    queue_release(*state);
    return 0;
}

static void push__several__counts_batches_and_requests(void **state)
{
    queue_t *queue = *state;
    assert_int_equal(queue->count, 3);
    assert_int_equal(queue->requests, 6);
    assert_true(queue_waits(queue));
    assert_int_equal(queue->oldest->state, BATCH_SENT);
}

static void store__answer_of_the_oldest_that_waits__is_taken_in_order(void **state)
{
    queue_t *queue = *state;
    assert_true(store(queue, "one", 1));
    assert_true(store(queue, "three", 3));
    assert_true(queue_waits(queue));
    assert_true(store(queue, "four", 4));
    assert_false(queue_waits(queue));
    assert_answer(queue->oldest, "one");
    assert_answer(queue->oldest->next, "three");
    assert_answer(queue->newest, "four");
}

static void store__msgid_that_is_not_the_next__is_not_for_a_batch(void **state)
{
    queue_t *queue = *state;
    assert_false(store(queue, "x", 2)); /* an answer begins with the msgid of the first request */
    assert_false(store(queue, "x", 3));
    assert_false(store(queue, "x", 99));
    assert_true(store(queue, "one", 1));
    assert_false(store(queue, "x", 1)); /* a second answer to the same batch */
}

static void store__error_about_a_whole_payload__is_of_the_oldest_that_waits(void **state)
{
    queue_t *queue = *state;
    assert_true(store(queue, "one", 1));
    assert_true(store(queue, "error", 0));
    assert_answer(queue->oldest->next, "error");
    assert_int_equal(queue->newest->state, BATCH_SENT);
}

static void store__nothing_waits__is_not_taken(void **state)
{
    (void)state;
    queue_t none = {0};
    assert_false(store(&none, "x", 0));
    assert_false(store(&none, "x", 1));
}

static void fail__some_are_answered__fails_those_that_wait_alone(void **state)
{
    queue_t *queue = *state;
    assert_true(store(queue, "one", 1));
    queue_fail(queue, KVZMQ_TIMEOUT);
    assert_answer(queue->oldest, "one");
    for (kvzmq_batch_t *batch = queue->oldest->next; batch != NULL; batch = batch->next) {
        assert_int_equal(batch->state, BATCH_FAILED);
        assert_int_equal(batch->failure, KVZMQ_TIMEOUT);
    }
    assert_false(queue_waits(queue));
    assert_false(store(queue, "late", 3));
}

static void pop__oldest_with_requests_taken__counts_the_rest(void **state)
{
    queue_t *queue = *state;
    assert_true(store(queue, "one", 1));
    queue->oldest->taken = 2; /* the code that hands out answers updates both counts */
    queue->requests -= 2;
    queue_pop(queue);
    assert_int_equal(queue->count, 2);
    assert_int_equal(queue->requests, 4);
    assert_int_equal(queue->oldest->requests[0].msgid, 3);
    queue_pop(queue); /* it was still waiting, so now the next one is the oldest that waits */
    assert_true(store(queue, "four", 4));
    queue_pop(queue);
    assert_int_equal(queue->requests, 0);
    queue_push(queue, batch_of(7, 1)); /* an empty queue can be used again */
    assert_ptr_equal(queue->oldest, queue->newest);
    assert_true(store(queue, "seven", 7));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(push__several__counts_batches_and_requests),
        TEST(store__answer_of_the_oldest_that_waits__is_taken_in_order),
        TEST(store__msgid_that_is_not_the_next__is_not_for_a_batch),
        TEST(store__error_about_a_whole_payload__is_of_the_oldest_that_waits),
        TEST(store__nothing_waits__is_not_taken),
        TEST(fail__some_are_answered__fails_those_that_wait_alone),
        TEST(pop__oldest_with_requests_taken__counts_the_rest),
    };
    return cmocka_run_group_tests_name("client_queue", tests, NULL, NULL);
}
