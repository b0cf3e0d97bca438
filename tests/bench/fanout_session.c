/* SPDX-License-Identifier: MPL-2.0 */
/* Encodes the requests of fanout and reads their answers. */
#include "tests/bench/fanout_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/workload.h"

void fanout_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench_events: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void fanout_check(bool done, const char *what)
{
    if (!done)
        fanout_fail("%s: %s", what, zmq_strerror(zmq_errno()));
}

void *fanout_socket(void *context, int type)
{
    int zero = 0;
    int patience_ms = FANOUT_PATIENCE_MS;
    void *socket = zmq_socket(context, type);
    fanout_check(socket != NULL && zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
                     zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof zero) == 0 &&
                     zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, sizeof zero) == 0 &&
                     zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) == 0,
                 "a socket");
    return socket;
}

void fanout_call(void *socket, buffer_t *payload, zmq_msg_t *answer, rpc_reply_t *reply)
{
    fanout_check(zmq_send(socket, payload->data, payload->size, 0) >= 0, "a request");
    buffer_release(payload);
    zmq_msg_init(answer);
    fanout_check(zmq_msg_recv(answer, socket, 0) >= 0, "no answer");
    size_t at = 0;
    rpc_step_t step = rpc_read_reply(bytes_of(zmq_msg_data(answer), zmq_msg_size(answer)), &at, reply);
    if (step != RPC_STEP_MESSAGE || reply->kind != RPC_RESPONSE || reply->failed)
        fanout_fail("the broker refused: %.*s", (int)reply->text.size, (const char *)reply->text.data);
}

/* Returns the value under NAME in the map at the start of BODY. */
static rpc_value_t field_of(bytes_t body, const char *name)
{
    size_t at = 0;
    rpc_value_t map;
    rpc_value_t key;
    rpc_value_t value;
    bool read = rpc_read_value(body, &at, &map) && map.type == RPC_MAP;
    for (uint32_t i = 0; read && i < map.as.count; i++) {
        read = rpc_read_value(body, &at, &key) && rpc_read_value(body, &at, &value);
        if (read && key.type == RPC_STR && bytes_equal(key.as.bytes, bytes_from_text(name)))
            return value;
    }
    fanout_fail("the broker sent no %s", name);
}

static void text_read(bytes_t body, const char *name, char text[FANOUT_TEXT_SIZE])
{
    rpc_value_t value = field_of(body, name);
    if (value.type != RPC_STR || value.as.bytes.size >= FANOUT_TEXT_SIZE)
        fanout_fail("the broker sent another %s than was expected", name);
    memcpy(text, value.as.bytes.data, value.as.bytes.size);
    text[value.as.bytes.size] = '\0';
}

uint64_t fanout_seq(zmq_msg_t *payload)
{
    size_t at = 0;
    rpc_reply_t reply;
    bytes_t bytes = bytes_of(zmq_msg_data(payload), zmq_msg_size(payload));
    if (rpc_read_reply(bytes, &at, &reply) != RPC_STEP_MESSAGE || reply.kind != RPC_NOTIFICATION)
        fanout_fail("what was published is not a notification");
    /* The params are an array of one map; skip the array's head, which is one byte. */
    return field_of(bytes_of(reply.body.data + 1, reply.body.size - 1), "seq").as.number;
}

void fanout_ticket(void *socket, const char *user, const char *password, fanout_ticket_t *ticket)
{
    buffer_t payload;
    zmq_msg_t answer;
    rpc_reply_t reply;
    buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
    rpc_write_request(&payload, 1, bytes_from_text("auth"));
    rpc_write_array(&payload, 2);
    rpc_write_text(&payload, user);
    rpc_write_text(&payload, password);
    fanout_call(socket, &payload, &answer, &reply);
    zmq_msg_close(&answer);
    rpc_write_request(&payload, 2, bytes_from_text("events"));
    rpc_write_array(&payload, 0);
    fanout_call(socket, &payload, &answer, &reply);
    text_read(reply.body, "endpoint", ticket->endpoint);
    text_read(reply.body, "username", ticket->username);
    text_read(reply.body, "password", ticket->password);
    zmq_msg_close(&answer);
}
