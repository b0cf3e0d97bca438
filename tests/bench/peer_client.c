/* SPDX-License-Identifier: MPL-2.0 */
/* Measures Redis, memcached or nats-server in the same way as bench_requests measures the broker: payloads
 * are made before the clock starts, several are in flight, every answer is checked. tests/bench/compare
 * starts the servers.
 *
 *   peer_client redis|memcached|nats PORT load KEYS
 *   peer_client redis|memcached|nats PORT get|put REQUESTS BATCH IN_FLIGHT KEYS CONNECTIONS
 *
 * It implements each protocol itself, over TCP on the loopback interface, because a client library would only
 * add work for each request. peer_redis.c, peer_memcached.c and peer_nats.c say what a batch is. IN_FLIGHT
 * counts the batches of all connections. All requests that a connection may send at a time are written with
 * one send(2). */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/peer.h"
#include "tests/support/chance.h"

enum {
    CONNECTIONS_MAX = 10000,
    BATCH_MAX = 1024,
    READY_MAX = 256,     /* most events of one epoll_wait */
    LOAD_BATCH = 64,     /* batch size of `load` */
    LOAD_FLIGHT = 16,    /* batches of `load` in flight */
    PATIENCE_MS = 60000, /* longest wait for an answer: only a hang takes so long */
    SEED = 1
};

static const protocol_t *const protocols[] = {&peer_redis, &peer_memcached, &peer_nats};

static run_t run;

/* ---- Connections ------------------------------------------------------------------------------ */

static void connection_open(connection_t *connection, const load_t *load, uint16_t port, unsigned number)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    *connection = (connection_t){
        .load = load,
        .run = &run,
        .fd = socket(AF_INET, SOCK_STREAM, 0),
        .output_room = (size_t)load->in_flight * 2 * run.requests[0].size + PEER_LINE_SIZE,
        .input = malloc(PEER_INPUT_SIZE),
        .pending = calloc(load->in_flight, sizeof *connection->pending),
    };
    connection->output = malloc(connection->output_room);
    snprintf(connection->inbox, sizeof connection->inbox, "%07x%05x", (unsigned)getpid() & 0xfffffff, number);
    peer_check(connection->fd >= 0 && connection->input && connection->output && connection->pending,
               "resources");
    peer_check(connect(connection->fd, (struct sockaddr *)&address, sizeof address) == 0, "connecting");
    peer_check(setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    if (load->protocol->greet)
        load->protocol->greet(connection);
}

static void connection_close(connection_t *connection)
{
    close(connection->fd);
    free(connection->input);
    free(connection->output);
    free(connection->pending);
}

static void payload_write(const load_t *load, size_t payload, const uint64_t *keys)
{
    buffer_truncate(&run.requests[payload], 0);
    buffer_truncate(&run.answers[payload], 0);
    load->protocol->write(&run.requests[payload], &run.answers[payload], load->op, keys, load->batch);
    assert(!run.requests[payload].failed && !run.answers[payload].failed);
}

/* Writes a payload with the next LOAD->batch keys from FIRST on, wrapping around after the last key. */
static void payload_write_next(const load_t *load, size_t payload, uint64_t first)
{
    uint64_t keys[BATCH_MAX];
    for (uint64_t i = 0; i < load->batch; i++)
        keys[i] = (first + i) % load->keys;
    payload_write(load, payload, keys);
}

/* Sends as much of the output as the socket accepts. */
static void connection_flush(connection_t *connection)
{
    while (connection->written < connection->filled) {
        ssize_t sent = send(connection->fd, connection->output + connection->written,
                            connection->filled - connection->written, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return; /* epoll reports when there is room */
        peer_check(sent > 0, "sending");
        connection->written += (size_t)sent;
    }
    connection->written = 0;
    connection->filled = 0;
}

/* Sends batches until the connection has all its batches in flight, or all connections together have sent
 * LIMIT. */
static void connection_fill(connection_t *connection, uint64_t limit)
{
    const load_t *load = connection->load;
    while (run.sent < limit && connection->sent - connection->oldest < load->in_flight) {
        size_t payload = run.sent % run.payloads;
        if (load->sequential)
            payload_write_next(load, payload, run.sent * load->batch);
        bytes_t request = buffer_bytes(&run.requests[payload]);
        if (request.size > connection->output_room - connection->filled) {
            connection->filled -= connection->written;
            memmove(connection->output, connection->output + connection->written, connection->filled);
            connection->written = 0;
        }
        peer_output(connection, request);
        if (load->protocol->address)
            load->protocol->address(connection, connection->output + connection->filled - request.size,
                                    request.size);
        connection->pending[connection->sent++ % load->in_flight] = (pending_t){seconds_now(), payload};
        run.sent++;
    }
    connection_flush(connection);
}

/* Reads until the socket is empty, because epoll is edge-triggered. */
static void connection_read(connection_t *connection)
{
    size_t room;
    ssize_t got;
    do {
        room = PEER_INPUT_SIZE - connection->kept;
        got = recv(connection->fd, connection->input + connection->kept, room, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got == 0)
            peer_fail("the server closed a connection");
        peer_check(got > 0, "receiving");
        size_t size = connection->kept + (size_t)got;
        size_t taken = connection->load->protocol->take(connection, bytes_of(connection->input, size));
        connection->kept = size - taken;
        memmove(connection->input, connection->input + taken, connection->kept);
    } while ((size_t)got == room);
}

/* ---- Runs ------------------------------------------------------------------------------------- */

/* Sends MESSAGES batches and waits for all answers. Each connection sends at most EACH batches before the
 * first answers are read. */
static void messages_run(connection_t *connections, int epoll, uint64_t messages, uint64_t each)
{
    const load_t *load = connections[0].load;
    run.sent = 0;
    run.answered = 0;
    for (uint64_t i = 0; i < load->connections; i++) {
        uint64_t limit = run.sent + each;
        connection_fill(&connections[i], limit < messages ? limit : messages);
    }
    while (run.answered < messages) {
        struct epoll_event ready[READY_MAX];
        int count = epoll_wait(epoll, ready, READY_MAX, PATIENCE_MS);
        peer_check(count >= 0, "epoll_wait");
        if (count == 0)
            peer_fail("no answer came");
        for (int i = 0; i < count; i++) {
            connection_t *connection = ready[i].data.ptr;
            connection_read(connection);
            connection_fill(connection, messages);
        }
    }
}

static void payloads_prepare(const load_t *load)
{
    chance_t chance = chance_from(SEED);
    run.payloads = load->sequential ? LOAD_FLIGHT : workload_payloads(load->batch, load->keys);
    run.requests = calloc(run.payloads, sizeof *run.requests);
    run.answers = calloc(run.payloads, sizeof *run.answers);
    peer_check(run.requests && run.answers, "memory");
    for (size_t i = 0; i < run.payloads; i++) {
        uint64_t keys[BATCH_MAX];
        buffer_init(&run.requests[i], WORKLOAD_PAYLOAD_MAX);
        buffer_init(&run.answers[i], WORKLOAD_PAYLOAD_MAX);
        for (uint64_t j = 0; j < load->batch; j++)
            keys[j] = chance_below(&chance, load->keys);
        payload_write(load, i, keys);
    }
}

static void load_run(const load_t *load, uint16_t port)
{
    connection_t *connections = calloc(load->connections, sizeof *connections);
    int epoll = epoll_create1(0);
    peer_check(connections && epoll >= 0, "resources");
    payloads_prepare(load);
    for (uint64_t i = 0; i < load->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &connections[i]};
        connection_open(&connections[i], load, port, (unsigned)i);
        if (i == 0 && load->sequential && load->protocol->create)
            load->protocol->create(&connections[0]);
        peer_check(epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) == 0, "epoll_ctl");
    }
    if (!load->sequential)
        messages_run(connections, epoll, load->connections, 1); /* so that the server has accepted all */
    result_t result;
    result_begin(&result, load->messages);
    run.result = &result;
    messages_run(connections, epoll, load->messages, load->in_flight);
    result_print(&result, load->what, load->batch);
    for (uint64_t i = 0; i < load->connections; i++)
        connection_close(&connections[i]);
    for (size_t i = 0; i < run.payloads; i++) {
        buffer_release(&run.requests[i]);
        buffer_release(&run.answers[i]);
    }
    free(run.requests);
    free(run.answers);
    free(connections);
    close(epoll);
}

_Noreturn static void usage(void)
{
    fputs("usage: peer_client redis|memcached|nats PORT load KEYS\n"
          "       peer_client redis|memcached|nats PORT get|put REQUESTS BATCH IN_FLIGHT KEYS CONNECTIONS\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    load_t load = {.batch = LOAD_BATCH, .in_flight = LOAD_FLIGHT, .connections = 1, .op = OP_PUT};
    for (size_t i = 0; argc > 1 && i < sizeof protocols / sizeof protocols[0]; i++)
        load.protocol = strcmp(argv[1], protocols[i]->name) == 0 ? protocols[i] : load.protocol;
    if (!load.protocol || argc < 5)
        usage();
    load.what = argv[3];
    if (argc == 5 && strcmp(load.what, "load") == 0) {
        load.sequential = true;
        load.keys = number_of(argv[4]);
        load.messages = (load.keys + load.batch - 1) / load.batch;
    } else if (argc == 9 && (strcmp(load.what, "get") == 0 || strcmp(load.what, "put") == 0)) {
        load.op = strcmp(load.what, "get") == 0 ? OP_GET : OP_PUT;
        load.batch = number_of(argv[5]);
        load.keys = number_of(argv[7]);
        load.connections = number_of(argv[8]);
        load.in_flight = number_of(argv[6]) / load.connections;
        load.messages = (number_of(argv[4]) + load.batch - 1) / load.batch;
    } else {
        usage();
    }
    if (load.batch > BATCH_MAX || load.connections > CONNECTIONS_MAX || load.in_flight == 0)
        peer_fail("too large a batch, too many connections, or fewer in flight than connections");
    load_run(&load, (uint16_t)number_of(argv[2]));
    return 0;
}
