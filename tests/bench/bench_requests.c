/* SPDX-License-Identifier: MPL-2.0 */
/* Measures a request socket: sends batches of requests on a raw DEALER, with several in flight. Prints a line
 * of JSON with requests per second and the latency of a message. tests/bench/instructions runs it with the
 * broker under callgrind, to count the broker's instructions for a request.
 *
 *   bench_requests ENDPOINT get|put|ping REQUESTS [BATCH [IN_FLIGHT [KEYS [CONNECTIONS [CLIENT]]]]]
 *   bench_requests ENDPOINT hold KEYS CLIENT
 *   bench_requests ENDPOINT serve
 *   bench_requests ENDPOINT bare-get|bare-put REQUESTS [BATCH [IN_FLIGHT [KEYS [CONNECTIONS]]]]
 *
 * The payloads are made before the clock starts, so the client only sends them and checks the answers. Every
 * byte of an answer is checked, except the revision of a put. IN_FLIGHT counts the messages of all
 * connections; libzmq distributes them to the connections in turn.
 *
 * If KV_SERVER_PID in the environment gives the server's process id, the server's processor time for a
 * request is printed too.
 *
 * Without CLIENT, the keys are first put into the store of the only connection. With CLIENT, all connections
 * are sessions of that client, whose keys a running `bench_requests … hold` has put. `hold` prints a line
 * when the keys are there and keeps its session, and so the keys, until its standard input ends.
 *
 * `serve` is the lower bound: a bare ROUTER that stores and decodes nothing. `bare-get` and `bare-put` first
 * send it an answer of the size of the broker's, which it then sends for every request. The cost of this
 * server is libzmq's; what the broker costs beyond it is the broker's own work. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/rpc.h"
#include "tests/bench/result.h"
#include "tests/bench/workload.h"

enum {
    SLOTS_MAX = 50000, /* messages in flight */
    CONNECTIONS_MAX = 10000,
    FILL = 1000,                     /* puts in a message that fills the store */
    PATIENCE_MS = 60000,             /* longest wait for an answer: only a hang takes so long */
    ENDPOINT_SIZE = 256,             /* bytes of an endpoint with a source address */
    TAG_END = WORKLOAD_TAG_PLACE + 5 /* the byte after the msgid of the first request */
};

typedef struct load {
    const char *what;
    const char *method;
    uint64_t requests;
    uint64_t batch;
    uint64_t in_flight;
    uint64_t keys;
    uint64_t connections;
    const char *client; /* NULL: one session with a store of its own */
    bool bare;
} load_t;

/* A message in flight. The slot's number, added to WORKLOAD_TAG, is the msgid of its first request. */
typedef struct slot {
    double sent;      /* 0 if the slot is idle */
    uint64_t payload; /* index in the workload */
} slot_t;

typedef struct client {
    void *socket;
    const load_t *load;
    workload_t workload;
    bytes_t canned; /* the answer of a bare server; borrowed from the workload */
    slot_t *slots;  /* [in_flight] */
    uint32_t *idle; /* [in_flight]: slots that are not in flight, as a stack */
    uint64_t idle_count;
} client_t;

static void check(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "bench_requests: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

_Noreturn static void wrong(const client_t *client, const char *what)
{
    fprintf(stderr, "bench_requests: a wrong answer to %s: %s\n", client->load->what, what);
    exit(1);
}

/* ---- Answers ---------------------------------------------------------------------------------- */

/* Sets the msgid of the first request, which is encoded in 5 bytes. */
static void tag_write(uint8_t *message, uint32_t tag)
{
    for (unsigned i = 0; i < 4; i++)
        message[WORKLOAD_TAG_PLACE + 1 + i] = (uint8_t)(tag >> (24 - 8 * i));
}

static uint32_t tag_read(const uint8_t *message)
{
    uint32_t tag = 0;
    for (unsigned i = 0; i < 4; i++)
        tag = tag << 8 | message[WORKLOAD_TAG_PLACE + 1 + i];
    return tag;
}

/* Reads a value that must be of TYPE. */
static rpc_value_t answer_value(const client_t *client, bytes_t answer, size_t *at, rpc_type_t type)
{
    rpc_value_t value;
    if (!rpc_read_value(answer, at, &value) || value.type != type)
        wrong(client, "not a result of the right form");
    return value;
}

/* Checks that every put of the batch succeeded and that the revisions grow. */
static void revisions_check(const client_t *client, bytes_t answer)
{
    size_t at = 0;
    uint64_t revision = 0;
    for (uint64_t i = 0; i < client->load->batch; i++) {
        rpc_value_t head = answer_value(client, answer, &at, RPC_ARRAY);
        rpc_value_t kind = answer_value(client, answer, &at, RPC_UINT);
        rpc_value_t msgid = answer_value(client, answer, &at, RPC_UINT);
        answer_value(client, answer, &at, RPC_NIL);
        rpc_value_t result = answer_value(client, answer, &at, RPC_UINT);
        if (head.as.count != 4 || kind.as.number != RPC_RESPONSE || (i > 0 && msgid.as.number != i) ||
            result.as.number <= revision)
            wrong(client, "not the next put's");
        revision = result.as.number;
    }
    if (at != answer.size)
        wrong(client, "there are more than were asked for");
}

/* Checks ANSWER. Returns the slot of its message. */
static uint32_t answer_check(const client_t *client, bytes_t answer)
{
    static const uint8_t head[] = {0x94, RPC_RESPONSE, 0xce};
    if (answer.size < TAG_END || memcmp(answer.data, head, sizeof head) != 0)
        wrong(client, "not a response");
    uint32_t slot = tag_read(answer.data) - WORKLOAD_TAG;
    if (slot >= client->load->in_flight || client->slots[slot].sent == 0)
        wrong(client, "nothing was asked");
    bytes_t expected = client->canned;
    if (!client->load->bare)
        expected = buffer_bytes(&client->workload.answers[client->slots[slot].payload]);
    if (!client->load->bare && strcmp(client->load->method, "put") == 0)
        revisions_check(client, answer);
    else if (answer.size != expected.size ||
             memcmp(answer.data + TAG_END, expected.data + TAG_END, answer.size - TAG_END) != 0)
        wrong(client, "not the value that was put");
    return slot;
}

/* ---- The client ------------------------------------------------------------------------------- */

/* Sends message number I in an idle slot. */
static void message_send(client_t *client, uint64_t i)
{
    uint32_t slot = client->idle[--client->idle_count];
    client->slots[slot].payload = i % client->workload.count;
    buffer_t *payload = &client->workload.payloads[client->slots[slot].payload];
    tag_write(payload->data, WORKLOAD_TAG + slot);
    client->slots[slot].sent = seconds_now();
    check(zmq_send(client->socket, payload->data, payload->size, 0) >= 0, "sending");
}

/* Waits for an answer. Returns the time when its message was sent. */
static double answer_receive(client_t *client)
{
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    check(zmq_msg_recv(&answer, client->socket, 0) >= 0, "waiting for an answer");
    uint32_t slot = answer_check(client, bytes_of(zmq_msg_data(&answer), zmq_msg_size(&answer)));
    zmq_msg_close(&answer);
    double sent = client->slots[slot].sent;
    client->slots[slot].sent = 0;
    client->idle[client->idle_count++] = slot;
    return sent;
}

/* Sends MESSAGES messages and waits for all answers. Records them in RESULT, unless it is NULL. */
static void messages_run(client_t *client, uint64_t messages, result_t *result)
{
    uint64_t sent = 0;
    for (uint64_t received = 0; received < messages; received++) {
        while (sent < messages && client->idle_count > 0)
            message_send(client, sent++);
        double began = answer_receive(client);
        if (result)
            result_answer(result, began);
    }
}

/* Puts every key once, so that `get` finds them. */
static void keys_fill(void *socket, uint64_t keys)
{
    for (uint64_t key = 0; key < keys; key += FILL) {
        buffer_t payload;
        buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
        for (uint64_t i = key; i < key + FILL && i < keys; i++)
            workload_write_request(&payload, "put", (uint32_t)(i - key) + 1, i);
        check(zmq_send(socket, payload.data, payload.size, 0) >= 0, "sending");
        buffer_release(&payload);
        zmq_msg_t answer;
        zmq_msg_init(&answer);
        check(zmq_msg_recv(&answer, socket, 0) >= 0, "waiting for an answer");
        bytes_t bytes = bytes_of(zmq_msg_data(&answer), zmq_msg_size(&answer));
        rpc_reply_t reply;
        for (size_t at = 0; at < bytes.size;)
            check(rpc_read_reply(bytes, &at, &reply) == RPC_STEP_MESSAGE && !reply.failed,
                  "filling the store");
        zmq_msg_close(&answer);
    }
}

/* Gives a bare server the first answer of the workload, to send for every request. */
static void bare_teach(client_t *client)
{
    uint8_t done[1];
    client->canned = buffer_bytes(&client->workload.answers[0]);
    check(zmq_send(client->socket, "", 0, ZMQ_SNDMORE) >= 0 &&
              zmq_send(client->socket, client->canned.data, client->canned.size, 0) >= 0 &&
              zmq_recv(client->socket, done, sizeof done, 0) == 0,
          "teaching the bare server");
}

static void client_run(void *socket, const load_t *load)
{
    client_t client = {
        .socket = socket,
        .load = load,
        .slots = calloc(load->in_flight, sizeof *client.slots),
        .idle = calloc(load->in_flight, sizeof *client.idle),
    };
    check(client.slots && client.idle, "memory");
    workload_init(&client.workload, load->method, load->batch, load->keys);
    for (; client.idle_count < load->in_flight; client.idle_count++)
        client.idle[client.idle_count] = (uint32_t)client.idle_count;
    if (load->bare)
        bare_teach(&client);
    else if (!load->client && strcmp(load->method, "ping") != 0)
        keys_fill(socket, load->keys);
    if (load->connections > 1)
        messages_run(&client, load->connections, NULL); /* one for each, so that all are connected */
    result_t result;
    result_begin(&result, (load->requests + load->batch - 1) / load->batch);
    messages_run(&client, result.messages, &result);
    result_print(&result, load->what, load->batch);
    workload_release(&client.workload);
    free(client.idle);
    free(client.slots);
}

/* ---- The bare server -------------------------------------------------------------------------- */

/* Serves until the context is terminated. A message of one frame is a request; one of two frames sets the
 * answer for all later requests. */
static void bare_serve(void *socket)
{
    zmq_msg_t identity;
    zmq_msg_t request;
    zmq_msg_t answer;
    zmq_msg_t canned;
    zmq_msg_init(&identity);
    zmq_msg_init(&request);
    zmq_msg_init(&canned);
    while (zmq_msg_recv(&identity, socket, 0) >= 0) {
        check(zmq_msg_recv(&request, socket, 0) >= 0, "a request");
        if (zmq_msg_more(&request)) {
            check(zmq_msg_recv(&canned, socket, 0) >= 0 && zmq_msg_init(&answer) == 0, "an answer");
        } else {
            assert(zmq_msg_size(&canned) >= TAG_END && zmq_msg_size(&request) >= TAG_END);
            check(zmq_msg_init_size(&answer, zmq_msg_size(&canned)) == 0, "memory");
            memcpy(zmq_msg_data(&answer), zmq_msg_data(&canned), zmq_msg_size(&canned));
            tag_write(zmq_msg_data(&answer), tag_read(zmq_msg_data(&request)));
        }
        check(zmq_msg_send(&identity, socket, ZMQ_SNDMORE) >= 0 && zmq_msg_send(&answer, socket, 0) >= 0,
              "answering");
    }
    zmq_msg_close(&canned);
    zmq_msg_close(&request);
    zmq_msg_close(&identity);
}

/* ---- The program ------------------------------------------------------------------------------ */

static void *socket_new(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    int unlimited = 0; /* because a ROUTER drops messages above its high-water mark */
    int patience = type == ZMQ_DEALER ? PATIENCE_MS : -1;
    int linger = 0;
    check(socket && zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience) == 0 &&
              zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0,
          "a socket");
    return socket;
}

/* Connects SOCKET as often as LOAD says. A DEALER ignores a second connection to the same endpoint, so each
 * further one has a different source address in its endpoint. */
static void connections_open(void *socket, const char *endpoint, const load_t *load)
{
    const char tcp[] = "tcp://";
    for (uint64_t i = 0; i < load->connections; i++) {
        char text[ENDPOINT_SIZE];
        char identity[ENDPOINT_SIZE];
        snprintf(text, sizeof text, "%s", endpoint);
        if (i > 0) {
            check(strncmp(endpoint, tcp, strlen(tcp)) == 0, "several connections need tcp");
            snprintf(text, sizeof text, "tcp://127.1.%u.%u:0;%s", (unsigned)i / 250, (unsigned)i % 250 + 1,
                     endpoint + strlen(tcp));
        }
        snprintf(identity, sizeof identity, "%s/%ld-%" PRIu64, load->client ? load->client : "",
                 (long)getpid(), i);
        check(!load->client || zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity, strlen(identity)) == 0,
              identity);
        check(zmq_connect(socket, text) == 0, text);
    }
}

/* Puts the keys of CLIENT and keeps its session until standard input ends. */
static void keys_hold(void *socket, const char *endpoint, const char *keys, const char *client)
{
    load_t load = {.connections = 1, .client = client};
    connections_open(socket, endpoint, &load);
    keys_fill(socket, number_of(keys));
    printf("%s keys\n", keys);
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

static load_t load_of(int argc, char **argv)
{
    const char prefix[] = "bare-";
    load_t load = {
        .what = argv[2],
        .method = argv[2],
        .requests = argc > 3 ? number_of(argv[3]) : 1000000,
        .batch = argc > 4 ? number_of(argv[4]) : 64,
        .in_flight = argc > 5 ? number_of(argv[5]) : 16,
        .keys = argc > 6 ? number_of(argv[6]) : 100000,
        .connections = argc > 7 ? number_of(argv[7]) : 1,
        .client = argc > 8 ? argv[8] : NULL,
    };
    if (strncmp(argv[2], prefix, strlen(prefix)) == 0) {
        load.bare = true;
        load.method = argv[2] + strlen(prefix);
    }
    if (load.in_flight > SLOTS_MAX || load.connections > CONNECTIONS_MAX ||
        (load.connections > 1 && !load.client && !load.bare)) {
        fprintf(stderr, "bench_requests: too many in flight, or connections (several need a CLIENT)\n");
        exit(2);
    }
    return load;
}

/* A short run against a bare server in a thread, to check that the program works. */
static int smoke_run(void *context)
{
    void *server = socket_new(context, ZMQ_ROUTER);
    void *client = socket_new(context, ZMQ_DEALER);
    check(zmq_bind(server, "inproc://smoke") == 0 && zmq_connect(client, "inproc://smoke") == 0, "inproc");
    void *thread = zmq_threadstart(bare_serve, server);
    client_run(client, &(load_t){"bare-get", "get", 1000, 10, 4, 100, 1, NULL, true});
    zmq_close(client);
    zmq_ctx_shutdown(context);
    zmq_threadclose(thread);
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}

int main(int argc, char **argv)
{
    void *context = zmq_ctx_new();
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, CONNECTIONS_MAX + 10) == 0, "a context");
    if (argc == 2 && strcmp(argv[1], "smoke") == 0)
        return smoke_run(context);
    if (argc < 3) {
        fputs("usage: bench_requests ENDPOINT [bare-]get|[bare-]put|ping REQUESTS [BATCH [IN_FLIGHT [KEYS "
              "[CONNECTIONS [CLIENT]]]]]\n"
              "       bench_requests ENDPOINT hold KEYS CLIENT\n"
              "       bench_requests ENDPOINT serve\n",
              stderr);
        return 2;
    }
    bool serve = strcmp(argv[2], "serve") == 0;
    void *socket = socket_new(context, serve ? ZMQ_ROUTER : ZMQ_DEALER);
    if (serve) {
        check(zmq_bind(socket, argv[1]) == 0, argv[1]);
        bare_serve(socket);
    } else if (strcmp(argv[2], "hold") == 0 && argc == 5) {
        keys_hold(socket, argv[1], argv[3], argv[4]);
    } else {
        load_t load = load_of(argc, argv);
        connections_open(socket, argv[1], &load);
        client_run(socket, &load);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
