/* SPDX-License-Identifier: MPL-2.0 */
/* Loads a request socket: batches of requests on a raw DEALER, several in flight. Prints requests a second;
 * with the broker under valgrind --tool=callgrind its instructions for a number of requests
 * (tests/bench/instructions does that).
 *
 *   bench_requests ENDPOINT get|put|ping|echo REQUESTS [BATCH [IN_FLIGHT [KEYS]]]
 *
 * Keys have 16 bytes, values 32. `echo` sends the payloads of `get` to a peer that sends them back: the floor
 * (bench_requests ENDPOINT serve-echo is that peer: a bare ROUTER). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "tests/bench/workload.h"

typedef struct load {
    const char *method;
    uint64_t requests;
    uint64_t batch;
    uint64_t in_flight;
    uint64_t keys;
} load_t;

/* Sends REQUESTS in batches, waits for all answers. Every answer's payload is looked at for an error. */
static void load_run(void *socket, const load_t *load)
{
    workload_t workload;
    workload_init(&workload, load->method, load->batch, load->keys);
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t batches = (load->requests + load->batch - 1) / load->batch;
    while (received < batches) {
        while (sent < batches && sent - received < load->in_flight) {
            bytes_t payload = workload_payload(&workload, sent);
            if (zmq_send(socket, payload.data, payload.size, 0) < 0)
                abort();
            sent++;
        }
        zmq_msg_t answer;
        zmq_msg_init(&answer);
        if (zmq_msg_recv(&answer, socket, 0) < 0)
            abort();
        zmq_msg_close(&answer);
        received++;
    }
    workload_release(&workload);
}

static void echo_serve(void *socket)
{
    for (;;) {
        int more = 1;
        while (more) {
            zmq_msg_t frame;
            zmq_msg_init(&frame);
            if (zmq_msg_recv(&frame, socket, 0) < 0) {
                zmq_msg_close(&frame);
                return; /* the context ends */
            }
            more = zmq_msg_more(&frame);
            if (zmq_msg_send(&frame, socket, more ? ZMQ_SNDMORE : 0) < 0)
                abort();
        }
    }
}

/* Puts every key once, so that `get` finds them. */
static void keys_fill(void *socket, uint64_t keys)
{
    enum { FILL = 1000 };
    for (uint64_t key = 0; key < keys; key += FILL) {
        buffer_t payload;
        buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
        for (uint64_t i = key; i < key + FILL && i < keys; i++)
            workload_write_request(&payload, "put", (uint32_t)(i - key) + 1, i);
        if (zmq_send(socket, payload.data, payload.size, 0) < 0)
            abort();
        buffer_release(&payload);
        zmq_msg_t answer;
        zmq_msg_init(&answer);
        if (zmq_msg_recv(&answer, socket, 0) < 0)
            abort();
        zmq_msg_close(&answer);
    }
}

static int load_report(void *socket, const char *what, const load_t *load)
{
    if (strcmp(what, "echo") != 0 && strcmp(what, "ping") != 0)
        keys_fill(socket, load->keys);
    double begin = seconds_now();
    load_run(socket, load);
    double took = seconds_now() - begin;
    printf("%s %" PRIu64 " batch %" PRIu64 " in flight %" PRIu64 ": %.0f requests/s\n", what, load->requests,
           load->batch, load->in_flight, (double)load->requests / took);
    return 0;
}

/* A round against an echo of its own: that the program works at all. */
static int smoke_run(void *context)
{
    void *server = zmq_socket(context, ZMQ_ROUTER);
    void *client = zmq_socket(context, ZMQ_DEALER);
    if (zmq_bind(server, "inproc://smoke") != 0 || zmq_connect(client, "inproc://smoke") != 0)
        abort();
    void *thread = zmq_threadstart(echo_serve, server);
    int status = load_report(client, "echo", &(load_t){"get", 1000, 10, 4, 100});
    zmq_close(client);
    zmq_ctx_shutdown(context);
    zmq_threadclose(thread);
    zmq_close(server);
    zmq_ctx_term(context);
    return status;
}

int main(int argc, char **argv)
{
    void *context = zmq_ctx_new();
    if (argc == 2 && strcmp(argv[1], "smoke") == 0)
        return smoke_run(context);
    if (argc < 3) {
        fputs("usage: bench_requests ENDPOINT get|put|ping|echo|serve-echo REQUESTS [BATCH [IN_FLIGHT "
              "[KEYS]]]\n",
              stderr);
        return 2;
    }
    bool serve = strcmp(argv[2], "serve-echo") == 0;
    void *socket = zmq_socket(context, serve ? ZMQ_ROUTER : ZMQ_DEALER);
    int unlimited = 0; /* a ROUTER drops what is above its high-water mark */
    zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
    if ((serve ? zmq_bind(socket, argv[1]) : zmq_connect(socket, argv[1])) != 0) {
        fprintf(stderr, "bench_requests: %s: %s\n", argv[1], zmq_strerror(zmq_errno()));
        return 1;
    }
    int status = 0;
    if (serve) {
        echo_serve(socket);
    } else {
        load_t load = {
            .method = strcmp(argv[2], "echo") == 0 ? "get" : argv[2],
            .requests = argc > 3 ? number_of(argv[3]) : 1000000,
            .batch = argc > 4 ? number_of(argv[4]) : 64,
            .in_flight = argc > 5 ? number_of(argv[5]) : 16,
            .keys = argc > 6 ? number_of(argv[6]) : 100000,
        };
        status = load_report(socket, argv[2], &load);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return status;
}
