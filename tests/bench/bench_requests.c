/* SPDX-License-Identifier: MPL-2.0 */
/* Measures a request socket: sends batches of requests on a raw DEALER, with several in flight. Prints a line
 * of JSON with requests per second and the latency of a message. tests/bench/instructions runs it with the
 * broker under callgrind, to count the broker's instructions for a request.
 *
 *   bench_requests ENDPOINT get|put|ping REQUESTS [BATCH [IN_FLIGHT [KEYS [CONNECTIONS [CLIENT [STORES]]]]]]
 *   bench_requests ENDPOINT hold KEYS CLIENT [CONNECTIONS [STORES]]
 *   bench_requests ENDPOINT serve
 *   bench_requests ENDPOINT bare-get|bare-put REQUESTS [BATCH [IN_FLIGHT [KEYS [CONNECTIONS]]]]
 *   bench_requests ENDPOINT bare-hold CONNECTIONS
 *
 * The payloads are made before the clock starts, so the client only sends them and checks the answers. Every
 * byte of an answer is checked, except the revision of a put. IN_FLIGHT counts the messages of all
 * connections. A DEALER sends to its connections strictly in turn: message I goes to connection I modulo
 * CONNECTIONS.
 *
 * If KV_SERVER_PID in the environment gives the server's process id, the server's processor time for a
 * request is printed too.
 *
 * Without CLIENT, the keys are first put into the store of the only connection. With CLIENT, all connections
 * are sessions of that client, whose keys `bench_requests … hold` has put. With STORES too, the keys are in
 * the stores of as many clients, CLIENT-0, CLIENT-1, …, in equal parts. Connection I is a session of client I
 * modulo STORES, and asks for keys of that client. The values differ, so a key of another store is detected.
 *
 * `hold` opens the connections and begins a session on each. Then it prints a line and waits for one on its
 * standard input. Then it puts the keys, an equal part of them on each connection, and prints a second line.
 * It keeps its connections until its standard input ends. STORES is 1 or the number of connections.
 * `bare-hold` does the same, without keys.
 *
 * `serve` is the lower bound: a bare ROUTER that stores and decodes nothing. `bare-get` and `bare-put` first
 * send it an answer of the size of the broker's, which it then sends for every request. The cost of this
 * server is libzmq's; what the broker costs beyond it is the broker's own work. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/rpc.h"
#include "tests/bench/result.h"
#include "tests/bench/workload.h"

enum {
    SLOTS_MAX = 50000, /* messages in flight */
    CONNECTIONS_MAX = 10000,
    FILL = 100,                      /* puts in a message that fills a store */
    HOLD_IN_FLIGHT = 64,             /* connections whose sessions `hold` begins at the same time */
    PATIENCE_MS = 60000,             /* longest wait for an answer: only a hang takes so long */
    OPENING = 250,                   /* connections that are opened at the same time */
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
    uint64_t stores;    /* clients, each with a store; divides KEYS and CONNECTIONS */
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
    uint64_t sent; /* messages so far */
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

/* Sends the next message in an idle slot. */
static void message_send(client_t *client)
{
    uint32_t slot = client->idle[--client->idle_count];
    client->slots[slot].payload = client->sent++ % client->workload.count;
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
    uint64_t end = client->sent + messages;
    for (uint64_t received = 0; received < messages; received++) {
        while (client->sent < end && client->idle_count > 0)
            message_send(client);
        double began = answer_receive(client);
        if (result)
            result_answer(result, began);
    }
}

/* Puts COUNT keys from FIRST on, in one message. */
static void keys_put(void *socket, uint64_t first, uint64_t count)
{
    buffer_t payload;
    buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
    for (uint64_t i = 0; i < count; i++)
        workload_write_request(&payload, "put", (uint32_t)i + 1, first + i);
    check(zmq_send(socket, payload.data, payload.size, 0) >= 0, "sending");
    buffer_release(&payload);
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    check(zmq_msg_recv(&answer, socket, 0) >= 0, "waiting for an answer");
    bytes_t bytes = bytes_of(zmq_msg_data(&answer), zmq_msg_size(&answer));
    rpc_reply_t reply;
    for (size_t at = 0; at < bytes.size;)
        check(rpc_read_reply(bytes, &at, &reply) == RPC_STEP_MESSAGE && !reply.failed, "filling the stores");
    zmq_msg_close(&answer);
}

/* Puts every key once, so that `get` finds them: an equal part on each connection, whose turn begins with the
 * first. */
static void keys_fill(void *socket, const load_t *load)
{
    uint64_t part = load->keys / load->connections;
    for (uint64_t first = 0; first < part; first += FILL) {
        uint64_t count = part - first < FILL ? part - first : FILL;
        for (uint64_t i = 0; i < load->connections; i++)
            keys_put(socket, i * part + first, count);
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

static void client_init(client_t *client, void *socket, const load_t *load)
{
    *client = (client_t){
        .socket = socket,
        .load = load,
        .slots = calloc(load->in_flight, sizeof *client->slots),
        .idle = calloc(load->in_flight, sizeof *client->idle),
    };
    check(client->slots && client->idle, "memory");
    workload_init(&client->workload, load->method, load->batch, load->keys, load->stores);
    for (; client->idle_count < load->in_flight; client->idle_count++)
        client->idle[client->idle_count] = (uint32_t)client->idle_count;
    if (load->bare)
        bare_teach(client);
}

static void client_release(client_t *client)
{
    workload_release(&client->workload);
    free(client->idle);
    free(client->slots);
}

static void client_run(void *socket, const load_t *load)
{
    client_t client;
    client_init(&client, socket, load);
    if (!load->bare && !load->client && strcmp(load->method, "ping") != 0)
        keys_fill(socket, load);
    if (load->connections > 1)
        messages_run(&client, load->connections, NULL); /* one for each, so that all are connected */
    result_t result;
    result_begin(&result, (load->requests + load->batch - 1) / load->batch);
    messages_run(&client, result.messages, &result);
    result_print(&result, load->what, load->batch);
    client_release(&client);
}

static void line_print(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* Begins a session on each connection, puts the keys, and keeps the connections until standard input ends. */
static void client_hold(void *socket, const load_t *load)
{
    client_t client;
    load_t ping = {"hold", "ping", 1, 1, HOLD_IN_FLIGHT, 1, load->connections, NULL, 1, load->bare};
    client_init(&client, socket, &ping);
    messages_run(&client, load->connections, NULL);
    client_release(&client);
    line_print("connected");
    if (getchar() == EOF)
        return;
    if (!load->bare)
        keys_fill(socket, load);
    line_print("filled");
    while (getchar() != EOF)
        ;
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
    int patience = type == ZMQ_ROUTER ? -1 : PATIENCE_MS;
    int linger = 0;
    int backlog = SOMAXCONN;
    check(socket && zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience) == 0 &&
              zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
              zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof backlog) == 0,
          "a socket");
    return socket;
}

/* Makes connection I, which is opened next, a session of its client. */
static void identity_set(void *socket, const load_t *load, uint64_t i)
{
    char store[ENDPOINT_SIZE] = "";
    char identity[2 * ENDPOINT_SIZE];
    if (load->stores > 1)
        snprintf(store, sizeof store, "-%" PRIu64, i % load->stores);
    snprintf(identity, sizeof identity, "%s%s/%ld-%" PRIu64, load->client, store, (long)getpid(), i);
    check(zmq_setsockopt(socket, ZMQ_ROUTING_ID, identity, strlen(identity)) == 0, identity);
}

/* Opens connection I. A DEALER ignores a second connection to the same endpoint, so each further one has a
 * different source address in its endpoint. */
static void connection_open(void *socket, const char *endpoint, const load_t *load, uint64_t i)
{
    const char tcp[] = "tcp://";
    char text[ENDPOINT_SIZE];
    snprintf(text, sizeof text, "%s", endpoint);
    if (i > 0) {
        check(strncmp(endpoint, tcp, strlen(tcp)) == 0, "several connections need tcp");
        snprintf(text, sizeof text, "tcp://127.1.%u.%u:0;%s", (unsigned)i / 250, (unsigned)i % 250 + 1,
                 endpoint + strlen(tcp));
    }
    if (load->client)
        identity_set(socket, load, i);
    check(zmq_connect(socket, text) == 0, text);
}

/* Waits for COUNT events of MONITOR. */
static void events_wait(void *monitor, uint64_t count)
{
    for (uint64_t frames = 0; frames < 2 * count; frames++)
        check(zmq_recv(monitor, NULL, 0, 0) >= 0, "connecting");
}

/* Opens all connections, a few at the same time: more could overflow the server's queue, and then the system
 * tries again after seconds. */
static void connections_open(void *context, void *socket, const char *endpoint, const load_t *load)
{
    const char address[] = "inproc://connected";
    void *monitor = socket_new(context, ZMQ_PAIR);
    check(zmq_socket_monitor(socket, address, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0 &&
              zmq_connect(monitor, address) == 0,
          "a monitor");
    uint64_t waited = 0;
    for (uint64_t i = 0; i < load->connections; i++) {
        connection_open(socket, endpoint, load, i);
        if (i + 1 - waited < OPENING && i + 1 < load->connections)
            continue;
        events_wait(monitor, i + 1 - waited);
        waited = i + 1;
    }
    check(zmq_socket_monitor(socket, NULL, 0) == 0, "the monitor's end");
    zmq_close(monitor);
}

_Noreturn static void refuse(const char *problem)
{
    fprintf(stderr, "bench_requests: %s\n", problem);
    exit(2);
}

/* Ends the process if LOAD is impossible. */
static void load_check(const load_t *load)
{
    if (load->in_flight > SLOTS_MAX || load->connections > CONNECTIONS_MAX)
        refuse("too many in flight, or connections");
    if (load->connections > 1 && !load->client && !load->bare)
        refuse("several connections need a CLIENT");
    if (load->keys % load->stores != 0 || load->connections % load->stores != 0)
        refuse("KEYS and CONNECTIONS must be multiples of STORES");
}

/* Returns argument I as a number, or OTHERWISE if there is none. */
static uint64_t number_at(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? number_of(argv[i]) : otherwise;
}

static load_t load_of(int argc, char **argv)
{
    const char prefix[] = "bare-";
    load_t load = {
        .what = argv[2],
        .method = argv[2],
        .requests = number_at(argc, argv, 3, 1000000),
        .batch = number_at(argc, argv, 4, 64),
        .in_flight = number_at(argc, argv, 5, 16),
        .keys = number_at(argc, argv, 6, 100000),
        .connections = number_at(argc, argv, 7, 1),
        .client = argc > 8 ? argv[8] : NULL,
        .stores = number_at(argc, argv, 9, 1),
    };
    if (strncmp(argv[2], prefix, strlen(prefix)) == 0) {
        load.bare = true;
        load.method = argv[2] + strlen(prefix);
    }
    load_check(&load);
    return load;
}

/* Returns the load of `hold KEYS CLIENT [CONNECTIONS [STORES]]`, or of `bare-hold CONNECTIONS`. */
static load_t held_of(int argc, char **argv, bool bare)
{
    load_t load = {.bare = bare, .keys = 1, .stores = 1};
    if (bare) {
        load.connections = number_of(argv[3]);
    } else {
        load.keys = number_of(argv[3]);
        load.client = argv[4];
        load.connections = number_at(argc, argv, 5, 1);
        load.stores = number_at(argc, argv, 6, 1);
    }
    load_check(&load);
    if (!bare && (load.keys % load.connections != 0 || (load.stores > 1 && load.stores != load.connections)))
        refuse("KEYS must be a multiple of CONNECTIONS, and STORES 1 or as many");
    return load;
}

/* A short run against a bare server in a thread, to check that the program works. */
static int smoke_run(void *context)
{
    void *server = socket_new(context, ZMQ_ROUTER);
    void *client = socket_new(context, ZMQ_DEALER);
    check(zmq_bind(server, "inproc://smoke") == 0 && zmq_connect(client, "inproc://smoke") == 0, "inproc");
    void *thread = zmq_threadstart(bare_serve, server);
    client_run(client, &(load_t){"bare-get", "get", 1000, 10, 4, 100, 1, NULL, 1, true});
    zmq_close(client);
    zmq_ctx_shutdown(context);
    zmq_threadclose(thread);
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}

static int usage(void)
{
    fputs("usage: bench_requests ENDPOINT [bare-]get|[bare-]put|ping REQUESTS [BATCH [IN_FLIGHT [KEYS "
          "[CONNECTIONS [CLIENT [STORES]]]]]]\n"
          "       bench_requests ENDPOINT hold KEYS CLIENT [CONNECTIONS [STORES]]\n"
          "       bench_requests ENDPOINT bare-hold CONNECTIONS\n"
          "       bench_requests ENDPOINT serve\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    void *context = zmq_ctx_new();
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, CONNECTIONS_MAX + 10) == 0, "a context");
    if (argc == 2 && strcmp(argv[1], "smoke") == 0)
        return smoke_run(context);
    if (argc < 3)
        return usage();
    bool serve = strcmp(argv[2], "serve") == 0;
    bool hold = strcmp(argv[2], "hold") == 0;
    bool bare_hold = strcmp(argv[2], "bare-hold") == 0;
    if ((hold && argc < 5) || (bare_hold && argc < 4))
        return usage();
    void *socket = socket_new(context, serve ? ZMQ_ROUTER : ZMQ_DEALER);
    if (serve) {
        check(zmq_bind(socket, argv[1]) == 0, argv[1]);
        bare_serve(socket);
    } else {
        load_t load = hold || bare_hold ? held_of(argc, argv, bare_hold) : load_of(argc, argv);
        connections_open(context, socket, argv[1], &load);
        if (hold || bare_hold)
            client_hold(socket, &load);
        else
            client_run(socket, &load);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
