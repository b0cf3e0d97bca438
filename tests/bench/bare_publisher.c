/* SPDX-License-Identifier: MPL-2.0 */
/* The process that publishes a recording. Any error of libzmq ends it. */
#include "tests/bench/bare_publisher.h"

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct server {
    void *router;
    void *xpub;
    recording_t *recording;
    uint32_t next; /* index of the next event to publish */
} server_t;

static void check(bool done)
{
    if (done)
        return;
    fprintf(stderr, "the bare publisher: %s\n", zmq_strerror(zmq_errno()));
    exit(1);
}

static bool more_follows(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    check(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0);
    return more != 0;
}

static void frame_send(void *socket, zmq_msg_t *frame, bool more)
{
    check(zmq_send(socket, zmq_msg_data(frame), zmq_msg_size(frame), more ? ZMQ_SNDMORE : 0) >= 0);
}

/* Reads the rest of a message that carries a recording. FIRST is its first frame: the number of events for
 * each request. */
static void recording_read(server_t *server, zmq_msg_t *first)
{
    recording_t *recording = server->recording;
    for (uint32_t i = 0; i < 2 * recording->count; i++)
        zmq_msg_close(&recording->frames[i]);
    assert(zmq_msg_size(first) == sizeof recording->batch);
    memcpy(&recording->batch, zmq_msg_data(first), sizeof recording->batch);
    check(zmq_msg_recv(&recording->answer, server->router, 0) >= 0);
    uint32_t frames = 0;
    while (more_follows(server->router)) {
        assert(frames < 2 * BARE_EVENTS_MAX);
        zmq_msg_init(&recording->frames[frames]);
        check(zmq_msg_recv(&recording->frames[frames++], server->router, 0) >= 0);
    }
    recording->count = frames / 2;
    server->next = 0;
}

static void request_serve(server_t *server, zmq_msg_t *identity)
{
    recording_t *recording = server->recording;
    for (uint32_t i = 0; i < recording->batch; i++) {
        zmq_msg_t *frames = &recording->frames[2 * (size_t)server->next];
        frame_send(server->xpub, &frames[0], true);
        frame_send(server->xpub, &frames[1], false);
        server->next = (server->next + 1) % recording->count;
    }
    /* Reading ZMQ_EVENTS makes libzmq update the subscribers' queues; the broker does so as often
     * (event_socket.c). */
    int state;
    size_t size = sizeof state;
    check(zmq_getsockopt(server->xpub, ZMQ_EVENTS, &state, &size) == 0);
    frame_send(server->router, identity, true);
    frame_send(server->router, &recording->answer, false);
}

static void requests_drain(server_t *server)
{
    zmq_msg_t identity;
    zmq_msg_t payload;
    zmq_msg_init(&identity);
    zmq_msg_init(&payload);
    while (zmq_msg_recv(&identity, server->router, ZMQ_DONTWAIT) >= 0) {
        check(zmq_msg_recv(&payload, server->router, 0) >= 0);
        if (zmq_msg_more(&payload))
            recording_read(server, &payload);
        else
            request_serve(server, &identity);
    }
    zmq_msg_close(&payload);
    zmq_msg_close(&identity);
}

/* Reads subscriptions. A sync tells a new subscriber that its subscription has taken effect. */
static void subscriptions_drain(server_t *server)
{
    uint8_t frame[1];
    while (zmq_recv(server->xpub, frame, sizeof frame, ZMQ_DONTWAIT) >= 0) {
        check(frame[0] != 1 || (zmq_send(server->xpub, "/", 1, ZMQ_SNDMORE) >= 0 &&
                                zmq_send(server->xpub, "sync", 4, 0) >= 0));
    }
}

static void *socket_bind(void *context, int type, int option, int value, char endpoint[BARE_ENDPOINT_SIZE])
{
    size_t size = BARE_ENDPOINT_SIZE;
    void *socket = zmq_socket(context, type);
    check(socket != NULL && zmq_setsockopt(socket, option, &value, sizeof value) == 0 &&
          zmq_bind(socket, "tcp://127.0.0.1:*") == 0 &&
          zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    return socket;
}

/* Runs in the child: writes the endpoints to REPORT, then serves until it is killed. */
static void serve(int report)
{
    bare_publisher_t told = {.pid = getpid()};
    void *context = zmq_ctx_new();
    server_t server = {.recording = calloc(1, sizeof *server.recording)};
    check(context != NULL && server.recording != NULL);
    zmq_msg_init(&server.recording->answer);
    server.router = socket_bind(context, ZMQ_ROUTER, ZMQ_SNDHWM, 0, told.requests);
    server.xpub = socket_bind(context, ZMQ_XPUB, ZMQ_XPUB_VERBOSE, 1, told.events);
    check(write(report, &told, sizeof told) == (ssize_t)sizeof told);
    for (;;) {
        zmq_pollitem_t items[] = {
            {.socket = server.router, .events = ZMQ_POLLIN},
            {.socket = server.xpub, .events = ZMQ_POLLIN},
        };
        check(zmq_poll(items, 2, -1) >= 0);
        subscriptions_drain(&server);
        requests_drain(&server);
    }
}

int bare_publisher_start(bare_publisher_t *bare)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    ssize_t size = pid > 0 ? read(ends[0], bare, sizeof *bare) : -1;
    close(ends[0]);
    return size == (ssize_t)sizeof *bare ? 0 : -1;
}

void bare_publisher_stop(bare_publisher_t *bare)
{
    if (bare->pid == 0)
        return;
    (void)kill(bare->pid, SIGKILL);
    (void)waitpid(bare->pid, NULL, 0);
    bare->pid = 0;
}

void bare_publisher_teach(void *socket, const recording_t *recording)
{
    check(zmq_send(socket, &recording->batch, sizeof recording->batch, ZMQ_SNDMORE) >= 0);
    uint32_t frames = 2 * recording->count;
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    for (uint32_t i = 0; i <= frames; i++) {
        const zmq_msg_t *frame = i == 0 ? &recording->answer : &recording->frames[i - 1];
        check(zmq_msg_copy(&copy, (zmq_msg_t *)(uintptr_t)frame) == 0 &&
              zmq_msg_send(&copy, socket, i < frames ? ZMQ_SNDMORE : 0) >= 0);
    }
}
