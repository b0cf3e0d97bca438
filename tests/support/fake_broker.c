/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a test's steps on a ROUTER socket. */
#include "tests/support/fake_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/rpc.h"
#include "tests/support/waiting.h"

enum { TURN_MS = 10, PAYLOAD_MAX = 65536 };

/* cmocka's assertions do not work in the thread, so a failure there aborts the program. */
static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fake broker: %s\n", what);
    abort();
}

static void *bind_router(fake_broker_t *fake)
{
    int zero = 0;
    void *router = zmq_socket(fake->context, ZMQ_ROUTER);
    must(router != NULL, "no socket");
    must(zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero) == 0, "no linger");
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS; /* libzmq closes the previous socket later */
    while (zmq_bind(router, fake->endpoint) != 0)
        must(clock_monotonic_ms() < deadline, "cannot bind");
    size_t size = sizeof fake->endpoint;
    must(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, fake->endpoint, &size) == 0, "no endpoint");
    return router;
}

static void write_hello(buffer_t *out, uint32_t msgid)
{
    rpc_write_result(out, msgid);
    rpc_write_map(out, 8);
    rpc_write_text(out, "client");
    rpc_write_text(out, "lamp");
    rpc_write_text(out, "role");
    rpc_write_text(out, "guest");
    rpc_write_text(out, "protocol");
    rpc_write_uint(out, 1);
    rpc_write_text(out, "broker");
    rpc_write_text(out, "fake 1");
    rpc_write_text(out, "epoch");
    rpc_write_text(out, "epoch");
    rpc_write_text(out, "timeout_ms");
    rpc_write_uint(out, 60000);
    rpc_write_text(out, "limits");
    rpc_write_map(out, 4);
    rpc_write_text(out, "key");
    rpc_write_uint(out, 1024);
    rpc_write_text(out, "value");
    rpc_write_uint(out, 1048576);
    rpc_write_text(out, "batch");
    rpc_write_uint(out, 4096);
    rpc_write_text(out, "message");
    rpc_write_uint(out, 8388608);
    rpc_write_text(out, "note");
    rpc_write_nil(out);
}

static void write_raw(buffer_t *out, const fake_step_t *step, uint32_t msgid)
{
    buffer_append(out, step->bytes, step->size);
    for (size_t at = 0; at + 5 <= out->size; at++)
        if (memcmp(out->data + at, FAKE_MSGID, 5) == 0)
            for (size_t i = 0; i < 4; i++)
                out->data[at + 1 + i] = (uint8_t)(msgid >> (24 - 8 * i));
}

static bool is_for(const fake_step_t *step, bytes_t method)
{
    return bytes_equal(method, bytes_from_text(step->method));
}

/* The step for a request of METHOD, or NULL. Sets *SCRIPTED if it is the next one of the script. */
static const fake_step_t *find_step(const fake_broker_t *fake, bytes_t method, bool *scripted)
{
    size_t done = atomic_load(&fake->done);
    *scripted = done < fake->count && is_for(&fake->steps[done], method);
    if (*scripted)
        return &fake->steps[done];
    for (size_t i = 0; i < fake->usual_count; i++)
        if (is_for(&fake->usual[i], method))
            return &fake->usual[i];
    return NULL;
}

/* Decides what to do about a request, and writes an answer, if any, to OUT. */
static fake_action_t act(fake_broker_t *fake, bytes_t payload, buffer_t *out)
{
    rpc_message_t message;
    size_t at = 0;
    bool scripted;
    must(rpc_read(payload, &at, &message) == RPC_STEP_MESSAGE && message.kind == RPC_REQUEST, "no request");
    const fake_step_t *step = find_step(fake, message.method, &scripted);
    if (step == NULL) {
        if (bytes_equal(message.method, bytes_from_text("hello")))
            write_hello(out, message.msgid);
        return FAKE_SILENT;
    }
    if (step->action == FAKE_RESULT) {
        rpc_write_result(out, message.msgid);
        buffer_append(out, step->bytes, step->size);
    } else if (step->action == FAKE_RAW) {
        write_raw(out, step, message.msgid);
    }
    if (scripted) {
        fake->asked_size = payload.size < FAKE_ASKED_MAX ? payload.size : FAKE_ASKED_MAX;
        memcpy(fake->asked, payload.data, fake->asked_size);
        atomic_fetch_add(&fake->done, 1);
    }
    return step->action;
}

static void *run(void *context)
{
    fake_broker_t *fake = context;
    void *router = fake->router;
    uint8_t id[256];
    uint8_t payload[PAYLOAD_MAX];
    while (!atomic_load(&fake->stop)) {
        if (router == NULL)
            router = bind_router(fake);
        zmq_pollitem_t item = {.socket = router, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, TURN_MS) <= 0)
            continue;
        int id_size = zmq_recv(router, id, sizeof id, 0);
        int size = zmq_recv(router, payload, sizeof payload, 0);
        must(id_size > 0 && size >= 0 && size <= PAYLOAD_MAX, "no payload");
        buffer_t out;
        buffer_init(&out, PAYLOAD_MAX);
        fake_action_t action = act(fake, bytes_of(payload, (size_t)size), &out);
        if (out.size > 0)
            (void)(zmq_send(router, id, (size_t)id_size, ZMQ_SNDMORE) >= 0 &&
                   zmq_send(router, out.data, out.size, 0) >= 0);
        buffer_release(&out);
        if (action == FAKE_BREAK) {
            (void)zmq_close(router);
            router = NULL;
        }
    }
    if (router != NULL)
        (void)zmq_close(router);
    return NULL;
}

void fake_broker_start(fake_broker_t *fake, const fake_step_t *steps, size_t count)
{
    fake_broker_start_usual(fake, steps, count, NULL, 0);
}

void fake_broker_start_usual(fake_broker_t *fake, const fake_step_t *steps, size_t count,
                             const fake_step_t *usual, size_t usual_count)
{
    *fake = (fake_broker_t){.endpoint = "tcp://127.0.0.1:*",
                            .steps = steps,
                            .count = count,
                            .usual = usual,
                            .usual_count = usual_count};
    fake->context = zmq_ctx_new();
    assert_non_null(fake->context);
    fake->router = bind_router(fake);
    assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
}

bytes_t fake_broker_asked(const fake_broker_t *fake)
{
    assert_true(atomic_load(&fake->done) > 0);
    return bytes_of(fake->asked, fake->asked_size);
}

void fake_broker_stop(fake_broker_t *fake)
{
    atomic_store(&fake->stop, true);
    assert_int_equal(pthread_join(fake->thread, NULL), 0);
    assert_int_equal(zmq_ctx_term(fake->context), 0);
    assert_int_equal(atomic_load(&fake->done), fake->count);
}
