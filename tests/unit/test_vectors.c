/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the golden vectors of the wire (tests/vectors): their bytes are decoded to their meaning, and
 * their meaning is encoded to their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/rpc.h"

enum { PAYLOAD_MAX = 65536 };

/* Appends to BUFFER the bytes that TEXT gives in hex, with optional spaces between bytes. */
static void append_hex(buffer_t *buffer, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        unsigned byte;
        int used = 0;
        if (sscanf(at, " %2x%n", &byte, &used) != 1) /* NOLINT(cert-err34-c): at most two digits */
            fail_msg("no hex: %s", at);
        buffer_append(buffer, &(uint8_t){(uint8_t)byte}, 1);
        at += used;
    }
}

/* Returns the string in VALUE's member KEY; NULL if VALUE is not an object with such a member. */
static const char *tagged(const json_t *value, const char *key)
{
    return json_string_value(json_object_get(value, key));
}

static uint64_t number_of(const json_t *value)
{
    const char *digits = tagged(value, "uint");
    return digits != NULL ? strtoull(digits, NULL, 10) : (uint64_t)json_integer_value(value);
}

static bytes_t text_of(const json_t *value)
{
    return bytes_of(json_string_value(value), json_string_length(value));
}

/* ---- Encoding --------------------------------------------------------------------------------- */

static void write_value(buffer_t *buffer, const json_t *value)
{
    const json_t *pairs = json_object_get(value, "map");
    const char *bin = tagged(value, "bin");
    size_t i;
    const json_t *item;
    if (json_is_null(value)) {
        rpc_write_nil(buffer);
    } else if (json_is_boolean(value)) {
        rpc_write_bool(buffer, json_is_true(value));
    } else if (json_is_integer(value)) {
        rpc_write_int(buffer, json_integer_value(value));
    } else if (json_is_string(value)) {
        rpc_write_str(buffer, text_of(value));
    } else if (json_is_array(value)) {
        rpc_write_array(buffer, (uint32_t)json_array_size(value));
        json_array_foreach(value, i, item) write_value(buffer, item);
    } else if (pairs != NULL) {
        rpc_write_map(buffer, (uint32_t)json_array_size(pairs));
        json_array_foreach(pairs, i, item)
        {
            write_value(buffer, json_array_get(item, 0));
            write_value(buffer, json_array_get(item, 1));
        }
    } else if (bin != NULL) {
        buffer_t data;
        buffer_init(&data, PAYLOAD_MAX);
        append_hex(&data, bin);
        rpc_write_bin(buffer, buffer_bytes(&data));
        buffer_release(&data);
    } else {
        rpc_write_uint(buffer, number_of(value));
    }
}

static void write_error(buffer_t *buffer, const json_t *error)
{
    status_t status = STATUS_OK;
    assert_true(status_from_text(text_of(json_array_get(error, 1)), &status));
    const json_t *detail = json_array_get(error, 3);
    uint64_t number = detail == NULL ? 0 : number_of(detail);
    rpc_write_error(buffer, (uint32_t)number_of(json_array_get(error, 0)), status,
                    json_string_value(json_array_get(error, 2)), detail == NULL ? NULL : &number);
}

static void write_message(buffer_t *buffer, const json_t *message)
{
    const json_t *parts;
    if ((parts = json_object_get(message, "request")) != NULL) {
        rpc_write_request(buffer, (uint32_t)number_of(json_array_get(parts, 0)),
                          text_of(json_array_get(parts, 1)));
        write_value(buffer, json_array_get(parts, 2));
    } else if ((parts = json_object_get(message, "notification")) != NULL) {
        rpc_write_notification(buffer, text_of(json_array_get(parts, 0)));
        write_value(buffer, json_array_get(parts, 1));
    } else if ((parts = json_object_get(message, "result")) != NULL) {
        rpc_write_result(buffer, (uint32_t)number_of(json_array_get(parts, 0)));
        write_value(buffer, json_array_get(parts, 1));
    } else if ((parts = json_object_get(message, "error")) != NULL) {
        write_error(buffer, parts);
    } else {
        fail_msg("this cannot be written");
    }
}

/* ---- Decoding --------------------------------------------------------------------------------- */

/* Where values are read from: the values that were kept of a message, or the bytes of a body. */
typedef struct source {
    const rpc_value_t *values; /* NULL = use `bytes` */
    uint32_t count;
    bytes_t bytes;
    size_t at;
} source_t;

static rpc_value_t next_value(source_t *source)
{
    rpc_value_t value = {.type = RPC_OTHER};
    if (source->values == NULL) {
        assert_true(rpc_read_value(source->bytes, &source->at, &value));
        return value;
    }
    assert_true(source->at < source->count);
    return source->values[source->at++];
}

static void assert_value(source_t *source, const json_t *expected)
{
    rpc_value_t value = next_value(source);
    const json_t *pairs = json_object_get(expected, "map");
    size_t i;
    const json_t *item;
    switch (value.type) {
    case RPC_NIL:
        assert_true(json_is_null(expected));
        break;
    case RPC_BOOL:
        assert_true(json_is_boolean(expected));
        assert_int_equal(value.as.boolean, json_is_true(expected));
        break;
    case RPC_UINT:
        assert_true(json_is_integer(expected) || tagged(expected, "uint") != NULL);
        assert_true(value.as.number == number_of(expected));
        break;
    case RPC_INT:
        assert_true(json_is_integer(expected));
        assert_true(value.as.negative == json_integer_value(expected));
        break;
    case RPC_STR:
        assert_true(json_is_string(expected));
        assert_true(bytes_equal(value.as.bytes, text_of(expected)));
        break;
    case RPC_BIN: {
        assert_non_null(tagged(expected, "bin"));
        buffer_t data;
        buffer_init(&data, PAYLOAD_MAX);
        append_hex(&data, tagged(expected, "bin"));
        assert_true(bytes_equal(value.as.bytes, buffer_bytes(&data)));
        buffer_release(&data);
        break;
    }
    case RPC_ARRAY:
        assert_true(json_is_array(expected));
        assert_int_equal(value.as.count, json_array_size(expected));
        json_array_foreach(expected, i, item) assert_value(source, item);
        break;
    case RPC_MAP:
        assert_non_null(pairs);
        assert_int_equal(value.as.count, json_array_size(pairs));
        json_array_foreach(pairs, i, item)
        {
            assert_value(source, json_array_get(item, 0));
            assert_value(source, json_array_get(item, 1));
        }
        break;
    case RPC_OTHER:
        fail_msg("a value that no message holds");
    }
}

static void assert_params(const rpc_message_t *message, const json_t *expected)
{
    assert_int_equal(message->params, json_array_size(expected));
    source_t source = {.values = message->values, .count = message->value_count};
    size_t i;
    const json_t *item;
    json_array_foreach(expected, i, item) assert_value(&source, item);
    assert_int_equal(source.at, message->value_count);
}

/* Checks STEP, the result of reading a message, after which the reader is at byte AT. Returns whether the
 * message is EXPECTED to be broken; then nothing more can be read. */
static bool assert_step(rpc_step_t step, size_t at, const json_t *expected)
{
    const json_t *broken = json_object_get(expected, "broken");
    assert_int_equal(step, broken != NULL ? RPC_STEP_BROKEN : RPC_STEP_MESSAGE);
    if (broken != NULL)
        assert_int_equal(at, json_integer_value(broken));
    return broken != NULL;
}

/* Reads the next message like the broker, and compares it. */
static void assert_to_broker(bytes_t payload, size_t *at, const json_t *expected)
{
    rpc_message_t message;
    rpc_step_t step = rpc_read(payload, at, &message);
    const json_t *parts;
    if (assert_step(step, *at, expected))
        return;
    if ((parts = json_object_get(expected, "request")) != NULL) {
        assert_int_equal(message.kind, RPC_REQUEST);
        assert_int_equal(message.msgid, number_of(json_array_get(parts, 0)));
        assert_true(bytes_equal(message.method, text_of(json_array_get(parts, 1))));
        assert_params(&message, json_array_get(parts, 2));
    } else if ((parts = json_object_get(expected, "notification")) != NULL) {
        assert_int_equal(message.kind, RPC_NOTIFICATION);
        assert_true(bytes_equal(message.method, text_of(json_array_get(parts, 0))));
        assert_params(&message, json_array_get(parts, 1));
    } else {
        parts = json_object_get(expected, "ill_formed");
        assert_non_null(parts);
        assert_int_equal(message.kind, RPC_ILL_FORMED);
        assert_int_equal(message.msgid, json_integer_value(parts));
        assert_int_equal(message.answered, !json_is_false(json_object_get(expected, "answered")));
    }
}

static void assert_body(bytes_t body, const json_t *expected)
{
    source_t source = {.bytes = body};
    assert_value(&source, expected);
    assert_int_equal(source.at, body.size);
}

/* Reads the next message like a client, and compares it. */
static void assert_to_client(bytes_t payload, size_t *at, const json_t *expected)
{
    rpc_reply_t reply;
    rpc_step_t step = rpc_read_reply(payload, at, &reply);
    const json_t *parts;
    if (assert_step(step, *at, expected))
        return;
    if ((parts = json_object_get(expected, "result")) != NULL) {
        assert_int_equal(reply.kind, RPC_RESPONSE);
        assert_false(reply.failed);
        assert_int_equal(reply.msgid, number_of(json_array_get(parts, 0)));
        assert_body(reply.body, json_array_get(parts, 1));
    } else if ((parts = json_object_get(expected, "error")) != NULL) {
        assert_int_equal(reply.kind, RPC_RESPONSE);
        assert_true(reply.failed);
        assert_int_equal(reply.msgid, number_of(json_array_get(parts, 0)));
        assert_true(bytes_equal(reply.code, text_of(json_array_get(parts, 1))));
        assert_true(bytes_equal(reply.text, text_of(json_array_get(parts, 2))));
        assert_int_equal(reply.has_detail, json_array_get(parts, 3) != NULL);
        if (reply.has_detail)
            assert_true(reply.detail == number_of(json_array_get(parts, 3)));
    } else if ((parts = json_object_get(expected, "notification")) != NULL) {
        assert_int_equal(reply.kind, RPC_NOTIFICATION);
        assert_true(bytes_equal(reply.method, text_of(json_array_get(parts, 0))));
        assert_body(reply.body, json_array_get(parts, 1));
    } else {
        parts = json_object_get(expected, "ill_formed");
        assert_non_null(parts);
        assert_int_equal(reply.kind, RPC_ILL_FORMED);
        assert_int_equal(reply.msgid, json_integer_value(parts));
    }
}

/* ---- The vectors ------------------------------------------------------------------------------ */

typedef void read_fn(bytes_t payload, size_t *at, const json_t *expected);

static void check_vector(const json_t *vector, read_fn *read)
{
    print_message("%s\n", tagged(vector, "name")); /* shows which vector a failure is about */
    const json_t *means = json_object_get(vector, "means");
    buffer_t payload;
    buffer_init(&payload, PAYLOAD_MAX);
    append_hex(&payload, tagged(vector, "hex"));

    size_t at = 0;
    size_t i;
    const json_t *message;
    json_array_foreach(means, i, message) read(buffer_bytes(&payload), &at, message);
    if (json_object_get(json_array_get(means, json_array_size(means) - 1), "broken") == NULL)
        assert_int_equal(at, payload.size);

    if (!json_is_false(json_object_get(vector, "canonical"))) {
        buffer_t written;
        buffer_init(&written, PAYLOAD_MAX);
        json_array_foreach(means, i, message) write_message(&written, message);
        assert_false(written.failed);
        assert_int_equal(written.size, payload.size);
        assert_memory_equal(written.data, payload.data, payload.size);
        buffer_release(&written);
    }
    buffer_release(&payload);
}

static void check_file(const char *name, read_fn *read)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", KV_VECTORS, name);
    json_error_t error;
    json_t *vectors = json_load_file(path, 0, &error);
    if (vectors == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    assert_true(json_array_size(vectors) > 0);
    size_t i;
    const json_t *vector;
    json_array_foreach(vectors, i, vector) check_vector(vector, read);
    json_decref(vectors);
}

static void foreign__is_what_it_is_said_to_be(void **state)
{
    (void)state;
    json_t *vectors = json_load_file(KV_VECTORS "/foreign.json", 0, NULL);
    assert_non_null(vectors);
    size_t i;
    const json_t *vector;
    json_array_foreach(vectors, i, vector)
    {
        buffer_t payload;
        buffer_init(&payload, PAYLOAD_MAX);
        print_message("%s\n", tagged(vector, "name"));
        append_hex(&payload, tagged(vector, "hex"));
        const char *problem = rpc_foreign(buffer_bytes(&payload));
        const json_t *is = json_object_get(vector, "is");
        assert_int_equal(problem == NULL, json_is_null(is));
        if (problem != NULL)
            assert_memory_equal(problem + strlen("this is "), json_string_value(is), json_string_length(is));
        buffer_release(&payload);
    }
    json_decref(vectors);
}

static void to_broker__is_read_and_written_as_it_means(void **state)
{
    (void)state;
    check_file("to_broker.json", assert_to_broker);
}

static void to_broker_odd__is_read_as_it_means(void **state)
{
    (void)state;
    check_file("to_broker_odd.json", assert_to_broker);
}

static void to_client__is_read_and_written_as_it_means(void **state)
{
    (void)state;
    check_file("to_client.json", assert_to_client);
}

int main(void)
{
    const struct CMUnitTest claims[] = {
        cmocka_unit_test(foreign__is_what_it_is_said_to_be),
        cmocka_unit_test(to_broker__is_read_and_written_as_it_means),
        cmocka_unit_test(to_broker_odd__is_read_as_it_means),
        cmocka_unit_test(to_client__is_read_and_written_as_it_means),
    };
    return cmocka_run_group_tests(claims, NULL, NULL);
}
