/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the input as the broker does and as a client does. Checks: nothing outside the payload is read or
 * returned; reading, skipping and counting agree on where messages end and where the input is broken; a
 * request or notification that is written again is not longer than it was, and reads the same. */
#include <stdio.h>
#include <stdlib.h>

#include "common/limits.h"
#include "common/rpc.h"
#include "common/utf8.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(bytes_t payload, bytes_t slice)
{
    if (slice.size == 0)
        return;
    CHECK(slice.data >= payload.data && slice.data < payload.data + payload.size);
    CHECK(slice.size <= (size_t)(payload.data + payload.size - slice.data));
}

static void check_value(bytes_t payload, const rpc_value_t *value)
{
    if (value->type != RPC_STR && value->type != RPC_BIN)
        return;
    check_inside(payload, value->as.bytes);
    if (value->type == RPC_STR)
        CHECK(utf8_valid_mixed(value->as.bytes)); /* without the fast path for ASCII */
}

static void write_value(buffer_t *buffer, const rpc_value_t *value)
{
    switch (value->type) {
    case RPC_NIL:
        rpc_write_nil(buffer);
        break;
    case RPC_BOOL:
        rpc_write_bool(buffer, value->as.boolean);
        break;
    case RPC_UINT:
        rpc_write_uint(buffer, value->as.number);
        break;
    case RPC_INT:
        CHECK(value->as.negative < 0);
        rpc_write_int(buffer, value->as.negative);
        break;
    case RPC_STR:
        rpc_write_str(buffer, value->as.bytes);
        break;
    case RPC_BIN:
        rpc_write_bin(buffer, value->as.bytes);
        break;
    case RPC_ARRAY:
        rpc_write_array(buffer, value->as.count);
        break;
    case RPC_MAP:
        rpc_write_map(buffer, value->as.count);
        break;
    case RPC_OTHER:
        CHECK(value->type != RPC_OTHER); /* never part of a message */
    }
}

static bool values_equal(const rpc_value_t *a, const rpc_value_t *b)
{
    if (a->type != b->type || a->span != b->span)
        return false;
    switch (a->type) {
    case RPC_BOOL:
        return a->as.boolean == b->as.boolean;
    case RPC_UINT:
    case RPC_INT:
        return a->as.number == b->as.number;
    case RPC_STR:
    case RPC_BIN:
        return bytes_equal(a->as.bytes, b->as.bytes);
    case RPC_ARRAY:
    case RPC_MAP:
        return a->as.count == b->as.count;
    default:
        return true;
    }
}

/* The spans of the values from FIRST on, which stand at DEPTH, are those of what is inside them. Returns how
 * many values the one at FIRST takes. */
static uint32_t check_span(const rpc_message_t *message, uint32_t first, unsigned depth)
{
    const rpc_value_t *value = &message->values[first];
    uint32_t span = 1;
    if (value->type == RPC_ARRAY || value->type == RPC_MAP) {
        CHECK(depth <= LIMIT_DEPTH);
        uint64_t inside = (uint64_t)value->as.count * (value->type == RPC_MAP ? 2 : 1);
        for (; inside > 0; inside--)
            span += check_span(message, first + span, depth + 1);
    }
    CHECK(value->span == span);
    return span;
}

/* Checks that MESSAGE, which had SIZE bytes, can be written in SIZE bytes and reads the same again. */
static void check_written(const rpc_message_t *message, size_t size)
{
    buffer_t buffer;
    buffer_init(&buffer, size);
    if (message->kind == RPC_REQUEST)
        rpc_write_request(&buffer, message->msgid, message->method);
    else
        rpc_write_notification(&buffer, message->method);
    rpc_write_array(&buffer, message->params);
    for (uint32_t i = 0; i < message->value_count; i++)
        write_value(&buffer, &message->values[i]);

    rpc_message_t again;
    size_t at = 0;
    /* A method that came as bin is written as str. It may not be valid UTF-8, and may be shorter than it was,
     * because the shortest str is shorter than a bin. */
    CHECK(!buffer.failed);
    CHECK(rpc_read(buffer_bytes(&buffer), &at, &again) == RPC_STEP_MESSAGE);
    CHECK(at == buffer.size);
    if (utf8_valid(message->method)) {
        CHECK(again.kind == message->kind && again.msgid == message->msgid);
        CHECK(bytes_equal(again.method, message->method));
        CHECK(again.params == message->params && again.value_count == message->value_count &&
              !again.truncated);
        for (uint32_t i = 0; i < again.value_count; i++)
            CHECK(values_equal(&again.values[i], &message->values[i]));
    } else {
        CHECK(again.kind == RPC_ILL_FORMED && again.answered == (message->kind == RPC_REQUEST));
    }
    buffer_release(&buffer);
}

static void check_message(bytes_t payload, const rpc_message_t *message, size_t size)
{
    CHECK(message->value_count <= RPC_VALUES_MAX);
    check_inside(payload, message->method);
    for (uint32_t i = 0; i < message->value_count; i++)
        check_value(payload, &message->values[i]);
    if (message->kind != RPC_ILL_FORMED || !message->answered || message->msgid != 0)
        CHECK(rpc_foreign(payload) == NULL); /* text of another protocol holds no message */
    if (message->kind == RPC_ILL_FORMED) {
        CHECK(message->problem != NULL && message->value_count == 0);
        return;
    }
    CHECK(message->kind == RPC_REQUEST || message->kind == RPC_NOTIFICATION);
    CHECK(message->problem == NULL);
    if (message->truncated) {
        CHECK(message->value_count == RPC_VALUES_MAX);
        return;
    }
    uint32_t index = 0;
    for (uint32_t i = 0; i < message->params; i++) {
        CHECK(rpc_param(message, i) == &message->values[index]);
        index += check_span(message, index, 3);
    }
    CHECK(index == message->value_count);
    CHECK(rpc_param(message, message->params) == NULL);
    check_written(message, size);
}

/* Reads the payload as the broker does. Returns the number of messages in it. */
static size_t read_as_broker(bytes_t payload)
{
    size_t count = 0;
    for (size_t at = 0;;) {
        size_t start = at;
        size_t skipped = at;
        bool whole = rpc_skip(payload, &skipped);
        rpc_message_t message;
        rpc_step_t step = rpc_read(payload, &at, &message);
        if (step == RPC_STEP_END) {
            CHECK(start == payload.size && payload.size > 0);
            return count;
        }
        CHECK(whole == (step == RPC_STEP_MESSAGE));
        CHECK(at == skipped && at <= payload.size);
        if (step == RPC_STEP_BROKEN)
            return count;
        CHECK(at > start);
        check_message(payload, &message, at - start);
        count++;
    }
}

/* Reads the payload as a client does, and the bodies value by value. Returns the number of messages in it. */
static size_t read_as_client(bytes_t payload)
{
    size_t count = 0;
    for (size_t at = 0;; count++) {
        size_t skipped = at;
        bool whole = rpc_skip(payload, &skipped);
        rpc_reply_t reply;
        rpc_step_t step = rpc_read_reply(payload, &at, &reply);
        if (step == RPC_STEP_END)
            return count;
        CHECK(whole == (step == RPC_STEP_MESSAGE));
        CHECK(at == skipped);
        if (step == RPC_STEP_BROKEN)
            return count;
        check_inside(payload, reply.code);
        check_inside(payload, reply.text);
        check_inside(payload, reply.method);
        check_inside(payload, reply.body);
        CHECK((reply.kind == RPC_ILL_FORMED) == (reply.body.size == 0));
        CHECK(!reply.failed || reply.kind == RPC_RESPONSE);
        if (reply.kind == RPC_ILL_FORMED)
            continue;
        CHECK(reply.body.data + reply.body.size == payload.data + at);
        for (size_t in = 0; in < reply.body.size;) {
            rpc_value_t value;
            CHECK(rpc_read_value(reply.body, &in, &value));
            check_value(payload, &value);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_t payload = bytes_of(data, size);
    size_t count = read_as_broker(payload);
    CHECK(read_as_client(payload) == count);
    CHECK(rpc_count(payload, size) == count);
    CHECK(count == 0 || rpc_count(payload, count - 1) == count);
    CHECK(!rpc_count_exceeds(payload, count));
    CHECK(count == 0 || rpc_count_exceeds(payload, count - 1));
    return 0;
}
