/* SPDX-License-Identifier: MPL-2.0 */
/* Measures Redis, memcached or nats-server in the same way as bench_requests measures the broker: payloads
 * are made before the clock starts, several are in flight, every answer is checked. tests/bench/compare
 * starts the servers.
 *
 *   peer_client redis|memcached|nats PORT load KEYS
 *   peer_client redis|memcached|nats PORT get|put REQUESTS BATCH IN_FLIGHT KEYS CONNECTIONS
 *
 * It implements each protocol itself, over TCP on the loopback interface, because a client library would only
 * add work for each request. IN_FLIGHT counts the batches of all connections. All requests that a connection
 * may send at a time are written with one send(2). A batch is
 *  - for Redis, a pipeline of GET or SET;
 *  - for memcached, one `get` of several keys, or several quiet `ms` (set), which answer only if they fail,
 *    followed by `mn`;
 *  - for NATS, whose protocol has no batches, that many messages at once. It uses a JetStream key-value
 * bucket (ADR-8), as `nats kv` and the libraries do. A get is a direct get of the last message of the key's
 *    subject. A put publishes to that subject and is done when the stream acknowledges it. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/result.h"
#include "tests/bench/workload.h"
#include "tests/support/chance.h"

enum {
    CONNECTIONS_MAX = 10000,
    BATCH_MAX = 1024,
    READY_MAX = 256,         /* most events of one epoll_wait */
    INPUT_SIZE = 128 * 1024, /* most bytes of one recv */
    LINE_SIZE = 512,         /* most bytes of a line or a request */
    LOAD_BATCH = 64,         /* batch size of `load` */
    LOAD_FLIGHT = 16,        /* batches of `load` in flight */
    PATIENCE_MS = 60000,     /* longest wait for an answer: only a hang takes so long */
    SEED = 1,
    INBOX_SIZE = 12 /* bytes of an inbox's name after INBOX */
};

typedef enum op { OP_GET, OP_PUT } op_t;

typedef struct connection connection_t;

typedef struct protocol {
    const char *name;
    /* Appends a batch to REQUEST, and to ANSWER what `take` compares the answer with. */
    void (*write)(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch);
    /* Checks the complete answers in DATA. Returns how many bytes it consumed. */
    size_t (*take)(connection_t *connection, bytes_t data);
    void (*greet)(connection_t *connection);  /* begins a connection; NULL if not needed */
    void (*create)(connection_t *connection); /* prepares the server for the first put; NULL if not needed */
} protocol_t;

typedef struct load {
    const protocol_t *protocol;
    const char *what;
    op_t op;
    bool sequential; /* put each key in turn */
    uint64_t messages;
    uint64_t batch;
    uint64_t in_flight; /* batches of one connection */
    uint64_t keys;
    uint64_t connections;
} load_t;

/* A batch in flight. */
typedef struct pending {
    double sent;
    size_t payload; /* index of the prepared payload */
} pending_t;

struct connection {
    const load_t *load;
    int fd;
    char inbox[INBOX_SIZE + 1]; /* NATS only: where answers are sent */
    uint8_t *input;             /* [INPUT_SIZE]; the first `kept` bytes are an incomplete answer */
    size_t kept;
    uint8_t *output; /* [output_room]; the bytes from `written` to `filled` are still to be sent */
    size_t output_room;
    size_t written;
    size_t filled;
    pending_t *pending; /* [in_flight], a ring */
    uint64_t oldest;    /* batches answered so far; also the position of the oldest in the ring */
    uint64_t sent;      /* batches sent so far */
    size_t answered;    /* how much of the oldest batch is answered: bytes, or messages for NATS */
    uint64_t sequence;  /* NATS only: sequence of the last acknowledgement */
};

static struct {
    size_t payloads;    /* prepared payloads */
    buffer_t *requests; /* [payloads] */
    buffer_t *answers;  /* [payloads] */
    uint64_t sent;      /* batches of all connections */
    uint64_t answered;  /* batches of all connections */
    result_t *result;   /* NULL while warming up */
} run;

_Noreturn static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("peer_client: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void check(bool done, const char *what)
{
    if (!done)
        fail("%s: %s", what, strerror(errno));
}

static void append(buffer_t *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(buffer_t *buffer, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(size >= 0 && size < LINE_SIZE);
    buffer_append(buffer, text, (size_t)size);
}

/* Returns the batch that must be answered next. */
static const pending_t *oldest(const connection_t *connection)
{
    if (connection->oldest == connection->sent)
        fail("an answer came that nobody asked for");
    return &connection->pending[connection->oldest % connection->load->in_flight];
}

/* Call when the oldest batch is answered. */
static void oldest_end(connection_t *connection)
{
    double sent = oldest(connection)->sent;
    connection->oldest++;
    connection->answered = 0;
    run.answered++;
    if (run.result)
        result_answer(run.result, sent);
}

/* ---- Redis and memcached ---------------------------------------------------------------------- */

/* The `take` of protocols whose answers are known to the byte. */
static size_t exact_take(connection_t *connection, bytes_t data)
{
    size_t at = 0;
    while (at < data.size) {
        bytes_t expected = buffer_bytes(&run.answers[oldest(connection)->payload]);
        size_t part = expected.size - connection->answered;
        if (part > data.size - at)
            part = data.size - at;
        if (memcmp(data.data + at, expected.data + connection->answered, part) != 0)
            fail("a wrong answer to %s: %.*s", connection->load->what, (int)part,
                 (const char *)data.data + at);
        at += part;
        connection->answered += part;
        if (connection->answered == expected.size)
            oldest_end(connection);
    }
    return at;
}

static void redis_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        if (op == OP_GET) {
            append(request, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", WORKLOAD_KEY_SIZE, key);
            append(answer, "$%d\r\n%s\r\n", WORKLOAD_VALUE_SIZE, value);
        } else {
            append(request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", WORKLOAD_KEY_SIZE, key,
                   WORKLOAD_VALUE_SIZE, value);
            append(answer, "+OK\r\n");
        }
    }
}

static void memcached_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys,
                            uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    bool quiet = op == OP_PUT && batch > 1;
    if (op == OP_GET)
        append(request, "get");
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        if (op == OP_GET) {
            append(request, " %s", key);
            append(answer, "VALUE %s 0 %d\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE, value);
        } else {
            append(request, "ms %s %d%s\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE, quiet ? " q" : "", value);
        }
    }
    if (op == OP_GET) {
        append(request, "\r\n");
        append(answer, "END\r\n");
    } else if (quiet) {
        append(request, "mn\r\n");
        append(answer, "MN\r\n");
    } else {
        append(answer, "HD\r\n");
    }
}

/* ---- NATS ------------------------------------------------------------------------------------- */

#define BUCKET  "bench"
#define STREAM  "KV_" BUCKET
#define SUBJECT "$KV." BUCKET "."
#define INBOX   "_INBOX."
#define ANYBODY "@@@@@@@@@@@@" /* INBOX_SIZE bytes, replaced by each connection's inbox */

static void nats_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        *strchr(key, ':') = '-'; /* a bucket's keys may not contain a colon */
        if (op == OP_GET)
            append(request, "PUB $JS.API.DIRECT.GET." STREAM "." SUBJECT "%s " INBOX ANYBODY " 0\r\n\r\n",
                   key);
        else
            append(request, "PUB " SUBJECT "%s " INBOX ANYBODY " %d\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE,
                   value);
        append(answer, "%s", value);
    }
}

/* Writes the connection's inbox into a payload, whose requests all have the same size. */
static void nats_address(const connection_t *connection, uint8_t *payload, size_t size)
{
    size_t request = size / connection->load->batch;
    const uint8_t *place = memmem(payload, request, ANYBODY, INBOX_SIZE);
    if (!place)
        return;
    for (size_t at = (size_t)(place - payload); at < size; at += request)
        memcpy(payload + at, connection->inbox, INBOX_SIZE);
}

/* Returns the decimal number that ends before *END, and moves *END to its first digit. */
static size_t number_before(const uint8_t *begin, const uint8_t **end)
{
    size_t number = 0;
    size_t unit = 1;
    while (*end > begin && (*end)[-1] >= '0' && (*end)[-1] <= '9') {
        number += (size_t)(*--*end - '0') * unit;
        unit *= 10;
    }
    return number;
}

/* Checks a message: the value of a key, or the acknowledgement of a put. Messages come in the order of the
 * requests. */
static void nats_check(connection_t *connection, bytes_t body)
{
    static const char acknowledged[] = "{\"stream\":\"" STREAM "\"";
    const load_t *load = connection->load;
    const buffer_t *values = &run.answers[oldest(connection)->payload];
    const char *text = (const char *)body.data;
    bool right;
    if (load->op == OP_GET) {
        right = body.size == WORKLOAD_VALUE_SIZE &&
                memcmp(text, values->data + connection->answered * WORKLOAD_VALUE_SIZE, body.size) == 0;
    } else {
        const char seq[] = "\"seq\":";
        const char *number = memmem(text, body.size, seq, strlen(seq));
        uint64_t sequence = number ? strtoull(number + strlen(seq), NULL, 10) : 0;
        right = body.size > strlen(acknowledged) && memcmp(text, acknowledged, strlen(acknowledged)) == 0 &&
                sequence > connection->sequence;
        connection->sequence = sequence;
    }
    if (!right)
        fail("a wrong answer to %s: %.*s", load->what, (int)body.size, text);
    if (++connection->answered == load->batch)
        oldest_end(connection);
}

static void output_append(connection_t *connection, bytes_t bytes)
{
    assert(bytes.size <= connection->output_room - connection->filled);
    memcpy(connection->output + connection->filled, bytes.data, bytes.size);
    connection->filled += bytes.size;
}

/* A message is "MSG SUBJECT SID SIZE" or "HMSG SUBJECT SID SIZE_OF_HEADERS SIZE", followed by the headers and
 * the body. */
static size_t nats_take(connection_t *connection, bytes_t data)
{
    size_t at = 0;
    const uint8_t *end;
    while (at < data.size && (end = memmem(data.data + at, data.size - at, "\r\n", 2)) != NULL) {
        const uint8_t *line = data.data + at;
        size_t next = (size_t)(end - data.data) + 2;
        if (*line == 'M' || *line == 'H') {
            size_t size = number_before(line, &end);
            end--;
            size_t headers = *line == 'H' ? number_before(line, &end) : 0;
            if (data.size - next < size + 2)
                break;
            if (headers > size)
                fail("a malformed message");
            nats_check(connection, bytes_of(data.data + next + headers, size - headers));
            next += size + 2;
        } else if (memcmp(line, "PI", 2) == 0) {
            output_append(connection, bytes_from_text("PONG\r\n"));
        } else if (*line == '-') {
            fail("%.*s", (int)(end - line), (const char *)line);
        }
        at = next;
    }
    return at;
}

/* Sends TEXT and reads until ANSWER or an error arrives; an error ends the process. Blocks. */
static void dialogue(connection_t *connection, const char *text, const char *answer)
{
    char input[INPUT_SIZE];
    size_t size = 0;
    check(send(connection->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "sending");
    do {
        ssize_t got = recv(connection->fd, input + size, sizeof input - size - 1, 0);
        check(got > 0, "waiting for the server");
        size += (size_t)got;
        input[size] = '\0';
    } while (!strstr(input, answer) && !strstr(input, "-ERR") && !strstr(input, "\"error\""));
    if (!strstr(input, answer))
        fail("%s", input);
}

static void nats_greet(connection_t *connection)
{
    char text[LINE_SIZE];
    snprintf(text, sizeof text,
             "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1}\r\n"
             "SUB " INBOX "%s 1\r\nPING\r\n",
             connection->inbox);
    dialogue(connection, text, "PONG\r\n");
}

/* Creates the bucket as ADR-8 specifies it: a stream that keeps one message of each subject. */
static void nats_create(connection_t *connection)
{
    static const char stream[] =
        "{\"name\":\"" STREAM "\",\"subjects\":[\"" SUBJECT
        ">\"],\"retention\":\"limits\",\"max_consumers\":-1,"
        "\"max_msgs_per_subject\":1,\"max_msgs\":-1,\"max_bytes\":-1,\"discard\":\"new\",\"storage\":"
        "\"memory\","
        "\"num_replicas\":1,\"allow_rollup_hdrs\":true,\"deny_delete\":true,\"allow_direct\":true}";
    char text[2 * LINE_SIZE];
    int size = snprintf(text, sizeof text, "PUB $JS.API.STREAM.CREATE." STREAM " " INBOX "%s %zu\r\n%s\r\n",
                        connection->inbox, strlen(stream), stream);
    assert(size < (int)sizeof text);
    dialogue(connection, text, "\"did_create\":true}\r\n");
}

static const protocol_t protocols[] = {
    {"redis", redis_write, exact_take, NULL, NULL},
    {"memcached", memcached_write, exact_take, NULL, NULL},
    {"nats", nats_write, nats_take, nats_greet, nats_create},
};

/* ---- Connections ------------------------------------------------------------------------------ */

static void connection_open(connection_t *connection, const load_t *load, uint16_t port, unsigned number)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    *connection = (connection_t){
        .load = load,
        .fd = socket(AF_INET, SOCK_STREAM, 0),
        .output_room = (size_t)load->in_flight * 2 * run.requests[0].size + LINE_SIZE,
        .input = malloc(INPUT_SIZE),
        .pending = calloc(load->in_flight, sizeof *connection->pending),
    };
    connection->output = malloc(connection->output_room);
    snprintf(connection->inbox, sizeof connection->inbox, "%07x%05x", (unsigned)getpid() & 0xfffffff, number);
    check(connection->fd >= 0 && connection->input && connection->output && connection->pending, "resources");
    check(connect(connection->fd, (struct sockaddr *)&address, sizeof address) == 0, "connecting");
    check(setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
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
        check(sent > 0, "sending");
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
        output_append(connection, request);
        nats_address(connection, connection->output + connection->filled - request.size, request.size);
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
        room = INPUT_SIZE - connection->kept;
        got = recv(connection->fd, connection->input + connection->kept, room, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got == 0)
            fail("the server closed a connection");
        check(got > 0, "receiving");
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
        check(count >= 0, "epoll_wait");
        if (count == 0)
            fail("no answer came");
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
    check(run.requests && run.answers, "memory");
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
    check(connections && epoll >= 0, "resources");
    payloads_prepare(load);
    for (uint64_t i = 0; i < load->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &connections[i]};
        connection_open(&connections[i], load, port, (unsigned)i);
        if (i == 0 && load->sequential && load->protocol->create)
            load->protocol->create(&connections[0]);
        check(epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) == 0, "epoll_ctl");
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
        load.protocol = strcmp(argv[1], protocols[i].name) == 0 ? &protocols[i] : load.protocol;
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
        fail("too large a batch, too many connections, or fewer in flight than connections");
    load_run(&load, (uint16_t)number_of(argv[2]));
    return 0;
}
