/* SPDX-License-Identifier: MPL-2.0 */
/* The sockets of the writer and of the subscribers, all read by one thread. The descriptor of each socket
 * (ZMQ_FD) becomes readable when there may be messages. Only the sockets that epoll reports are read, each
 * until it is empty, so idle sockets cost nothing. */
#include "tests/bench/fanout.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "common/rpc.h"
#include "tests/bench/workload.h"

enum {
    PATIENCE_MS = 10000,         /* longest time without progress */
    TEXT_SIZE = 128,             /* bytes of an endpoint or credential, with its zero */
    KEYS = 10000,                /* different keys that are put */
    WRITER = FANOUT_MEMBERS_MAX, /* the writer's number in epoll; members have smaller ones */
    LAGGARD_RCVBUF = 4096
};

typedef struct member {
    void *socket;
    uint64_t events; /* received in this run */
    bool live;       /* has received a sync */
} member_t;

struct fanout {
    void *context;
    pid_t pid;
    char endpoint[TEXT_SIZE]; /* of the event socket */
    char username[TEXT_SIZE]; /* of the ticket; empty if none is needed */
    char password[TEXT_SIZE];
    void *manager; /* the socket whose session owns the ticket; NULL with a bare publisher */
    void *writer;
    int epoll;
    member_t members[FANOUT_MEMBERS_MAX];
    unsigned count;
    void *laggard;        /* the stopped subscriber, or NULL */
    const load_t *load;   /* of the current run; NULL between runs */
    timing_t *timing;     /* of the current run */
    uint64_t answers;     /* received in the current run */
    recording_t *records; /* where frames are stored, or NULL */
    uint64_t last_seq;    /* seq of the last run's last event; only with a broker */
    double progress;      /* time of the last progress, from seconds_now */
};

volatile sig_atomic_t fanout_interrupted;

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

static void check(bool done, const char *what)
{
    if (!done)
        fanout_fail("%s: %s", what, zmq_strerror(zmq_errno()));
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fanout_fail("out of memory");
    return memory;
}

static void *socket_new(void *context, int type)
{
    int zero = 0;
    int patience_ms = PATIENCE_MS;
    void *socket = zmq_socket(context, type);
    check(socket != NULL && zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) == 0,
          "a socket");
    return socket;
}

static void watch(fanout_t *fanout, void *socket, uint32_t number)
{
    int fd = -1;
    size_t size = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
    check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "ZMQ_FD");
    check(epoll_ctl(fanout->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void unwatch(fanout_t *fanout, void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "ZMQ_FD");
    check(epoll_ctl(fanout->epoll, EPOLL_CTL_DEL, fd, NULL) == 0, "epoll_ctl");
}

/* ---- A session -------------------------------------------------------------------------------- */

/* Sends PAYLOAD, one request, releases it and receives the answer. REPLY borrows from ANSWER. */
static void call(void *socket, buffer_t *payload, zmq_msg_t *answer, rpc_reply_t *reply)
{
    check(zmq_send(socket, payload->data, payload->size, 0) >= 0, "a request");
    buffer_release(payload);
    zmq_msg_init(answer);
    check(zmq_msg_recv(answer, socket, 0) >= 0, "no answer");
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

static void text_read(bytes_t body, const char *name, char text[TEXT_SIZE])
{
    rpc_value_t value = field_of(body, name);
    if (value.type != RPC_STR || value.as.bytes.size >= TEXT_SIZE)
        fanout_fail("the broker sent another %s than was expected", name);
    memcpy(text, value.as.bytes.data, value.as.bytes.size);
    text[value.as.bytes.size] = '\0';
}

/* Returns the seq of an event or a sync. */
static uint64_t seq_of(zmq_msg_t *payload)
{
    size_t at = 0;
    rpc_reply_t reply;
    bytes_t bytes = bytes_of(zmq_msg_data(payload), zmq_msg_size(payload));
    if (rpc_read_reply(bytes, &at, &reply) != RPC_STEP_MESSAGE || reply.kind != RPC_NOTIFICATION)
        fanout_fail("what was published is not a notification");
    /* The params are an array of one map; skip the array's head, which is one byte. */
    return field_of(bytes_of(reply.body.data + 1, reply.body.size - 1), "seq").as.number;
}

static void ticket_get(fanout_t *fanout, const char *user, const char *password)
{
    buffer_t payload;
    zmq_msg_t answer;
    rpc_reply_t reply;
    buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
    rpc_write_request(&payload, 1, bytes_from_text("auth"));
    rpc_write_array(&payload, 2);
    rpc_write_text(&payload, user);
    rpc_write_text(&payload, password);
    call(fanout->manager, &payload, &answer, &reply);
    zmq_msg_close(&answer);
    rpc_write_request(&payload, 2, bytes_from_text("events"));
    rpc_write_array(&payload, 0);
    call(fanout->manager, &payload, &answer, &reply);
    text_read(reply.body, "endpoint", fanout->endpoint);
    text_read(reply.body, "username", fanout->username);
    text_read(reply.body, "password", fanout->password);
    zmq_msg_close(&answer);
}

static fanout_t *fanout_new(void *context, pid_t pid, const char *endpoint)
{
    fanout_t *fanout = allocate(1, sizeof *fanout);
    fanout->context = context;
    fanout->pid = pid;
    fanout->epoll = epoll_create1(EPOLL_CLOEXEC);
    check(fanout->epoll >= 0, "epoll_create1");
    fanout->writer = socket_new(context, ZMQ_DEALER);
    check(zmq_connect(fanout->writer, endpoint) == 0, endpoint);
    return fanout;
}

fanout_t *fanout_to_broker(void *context, pid_t pid, const char *endpoint, const char *user,
                           const char *password)
{
    fanout_t *fanout = fanout_new(context, pid, endpoint);
    fanout->manager = socket_new(context, ZMQ_DEALER);
    check(zmq_connect(fanout->manager, endpoint) == 0, endpoint);
    ticket_get(fanout, user, password);
    /* Begin the writer's session now: its `connect` event must not be counted in a run. */
    buffer_t payload;
    zmq_msg_t answer;
    rpc_reply_t reply;
    buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
    workload_write_request(&payload, "ping", 1, 0);
    call(fanout->writer, &payload, &answer, &reply);
    zmq_msg_close(&answer);
    watch(fanout, fanout->writer, WRITER);
    return fanout;
}

fanout_t *fanout_to_bare(void *context, const bare_publisher_t *bare)
{
    fanout_t *fanout = fanout_new(context, bare->pid, bare->requests);
    snprintf(fanout->endpoint, sizeof fanout->endpoint, "%s", bare->events);
    watch(fanout, fanout->writer, WRITER);
    return fanout;
}

void fanout_destroy(fanout_t **self)
{
    fanout_t *fanout = *self;
    if (fanout == NULL)
        return;
    fanout_resize(fanout, 0);
    zmq_close(fanout->writer);
    if (fanout->manager != NULL)
        zmq_close(fanout->manager);
    close(fanout->epoll);
    free(fanout);
    *self = NULL;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

static bool is_sync(zmq_msg_t *topic)
{
    return zmq_msg_size(topic) == 1;
}

/* Moves the frames of an event into the recording. */
static void record_keep(recording_t *recording, zmq_msg_t *topic, zmq_msg_t *payload)
{
    zmq_msg_t *frames = &recording->frames[2 * (size_t)recording->count++];
    assert(recording->count <= BARE_EVENTS_MAX);
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    zmq_msg_move(&frames[0], topic);
    zmq_msg_move(&frames[1], payload);
}

static void member_event(fanout_t *fanout, unsigned number)
{
    member_t *member = &fanout->members[number];
    const load_t *load = fanout->load;
    timing_t *timing = fanout->timing;
    member->events++;
    if (load == NULL || member->events > (uint64_t)load->batches * load->batch)
        fanout_fail("an event came that nobody made");
    if (member->events % load->batch == 0)
        timing->arrived[(size_t)number * timing->batches + member->events / load->batch - 1] = seconds_now();
}

static void member_read(fanout_t *fanout, unsigned number)
{
    member_t *member = &fanout->members[number];
    zmq_msg_t topic;
    zmq_msg_t payload;
    zmq_msg_init(&topic);
    zmq_msg_init(&payload);
    while (zmq_msg_recv(&topic, member->socket, ZMQ_DONTWAIT) >= 0) {
        check(zmq_msg_recv(&payload, member->socket, 0) >= 0, "an event's payload");
        if (is_sync(&topic)) {
            member->live = true;
            continue;
        }
        member_event(fanout, number);
        if (fanout->manager != NULL &&
            member->events == (uint64_t)fanout->load->batches * fanout->load->batch)
            fanout->last_seq = seq_of(&payload);
        if (fanout->records != NULL)
            record_keep(fanout->records, &topic, &payload);
    }
    zmq_msg_close(&payload);
    zmq_msg_close(&topic);
}

static void writer_read(fanout_t *fanout)
{
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    while (zmq_msg_recv(&answer, fanout->writer, ZMQ_DONTWAIT) >= 0) {
        assert(fanout->answers < fanout->timing->batches);
        fanout->timing->answered[fanout->answers++] = seconds_now();
        if (fanout->records != NULL)
            zmq_msg_move(&fanout->records->answer, &answer);
    }
    zmq_msg_close(&answer);
}

/* Returns how many events the slowest member has received. */
static uint64_t slowest(const fanout_t *fanout)
{
    uint64_t fewest = UINT64_MAX;
    for (unsigned i = 0; i < fanout->count; i++)
        fewest = fanout->members[i].events < fewest ? fanout->members[i].events : fewest;
    return fewest;
}

/* Waits until there may be messages, and reads them. */
static void pump(fanout_t *fanout)
{
    struct epoll_event ready[FANOUT_MEMBERS_MAX + 1];
    int count = epoll_wait(fanout->epoll, ready, sizeof ready / sizeof ready[0], PATIENCE_MS);
    if (fanout_interrupted)
        fanout_fail("interrupted, or out of time");
    uint64_t before = fanout->answers + slowest(fanout);
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 == WRITER)
            writer_read(fanout);
        else
            member_read(fanout, ready[i].data.u32);
    }
    double now = seconds_now();
    if (fanout->answers + slowest(fanout) > before)
        fanout->progress = now;
    if ((now - fanout->progress) * 1e3 > (double)PATIENCE_MS)
        fanout_fail("no progress with the %s: the slowest subscriber has %" PRIu64 " events, %" PRIu64
                    " payloads were answered",
                    fanout->manager != NULL ? "broker" : "bare publisher", slowest(fanout), fanout->answers);
}

/* ---- Subscribers ------------------------------------------------------------------------------ */

static void subscriber_connect(const fanout_t *fanout, void *socket)
{
    if (fanout->username[0] != '\0')
        check(zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, fanout->username, strlen(fanout->username)) == 0 &&
                  zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, fanout->password, strlen(fanout->password)) == 0,
              "the ticket");
    check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) == 0 && zmq_connect(socket, fanout->endpoint) == 0,
          fanout->endpoint);
}

static bool all_live(const fanout_t *fanout)
{
    for (unsigned i = 0; i < fanout->count; i++) {
        if (!fanout->members[i].live)
            return false;
    }
    return true;
}

void fanout_resize(fanout_t *fanout, unsigned members)
{
    assert(members <= FANOUT_MEMBERS_MAX);
    while (fanout->count > members) {
        void *socket = fanout->members[--fanout->count].socket;
        unwatch(fanout, socket);
        zmq_close(socket);
    }
    while (fanout->count < members) {
        member_t *member = &fanout->members[fanout->count];
        *member = (member_t){.socket = socket_new(fanout->context, ZMQ_SUB)};
        subscriber_connect(fanout, member->socket);
        watch(fanout, member->socket, fanout->count++);
    }
    fanout->progress = seconds_now();
    while (!all_live(fanout))
        pump(fanout);
}

/* Reads from the laggard's socket up to a sync with SEQ or later. Returns the number of events before it. */
static uint64_t laggard_read(fanout_t *fanout, uint64_t seq)
{
    uint64_t events = 0;
    bool synced = false;
    zmq_msg_t topic;
    zmq_msg_t payload;
    zmq_msg_init(&topic);
    zmq_msg_init(&payload);
    while (!synced) {
        check(zmq_msg_recv(&topic, fanout->laggard, 0) >= 0 &&
                  zmq_msg_recv(&payload, fanout->laggard, 0) >= 0,
              "the stopped subscriber");
        synced = is_sync(&topic) && seq_of(&payload) >= seq;
        events += !is_sync(&topic);
    }
    zmq_msg_close(&payload);
    zmq_msg_close(&topic);
    return events;
}

void fanout_laggard_add(fanout_t *fanout)
{
    int messages = 1;
    int bytes = LAGGARD_RCVBUF;
    assert(fanout->laggard == NULL);
    fanout->laggard = socket_new(fanout->context, ZMQ_SUB);
    check(zmq_setsockopt(fanout->laggard, ZMQ_RCVHWM, &messages, sizeof messages) == 0 &&
              zmq_setsockopt(fanout->laggard, ZMQ_RCVBUF, &bytes, sizeof bytes) == 0,
          "a stopped subscriber");
    subscriber_connect(fanout, fanout->laggard);
    (void)laggard_read(fanout, 0);
}

uint64_t fanout_laggard_remove(fanout_t *fanout)
{
    uint64_t events = laggard_read(fanout, fanout->last_seq);
    zmq_close(fanout->laggard);
    fanout->laggard = NULL;
    return events;
}

/* ---- Runs ------------------------------------------------------------------------------------- */

void fanout_run(fanout_t *fanout, const load_t *load, timing_t *timing)
{
    workload_t workload;
    workload_init(&workload, "put", load->batch, KEYS);
    *timing = (timing_t){.batches = load->batches, .members = fanout->count};
    timing->sent = allocate(load->batches, sizeof *timing->sent);
    timing->answered = allocate(load->batches, sizeof *timing->answered);
    timing->arrived = allocate((size_t)load->batches * fanout->count, sizeof *timing->arrived);
    for (unsigned i = 0; i < fanout->count; i++)
        fanout->members[i].events = 0;
    fanout->answers = 0;
    fanout->load = load;
    fanout->timing = timing;
    uint64_t events = (uint64_t)load->batches * load->batch;
    uint32_t sent = 0;
    double cpu_begin = seconds_used(fanout->pid);
    fanout->progress = seconds_now();
    while (fanout->answers < load->batches || slowest(fanout) < events) {
        while (sent < load->batches && (sent + 1) * (uint64_t)load->batch <= slowest(fanout) + load->window &&
               (sent + 1 - fanout->answers) * load->batch <= load->window) {
            bytes_t payload = workload_payload(&workload, sent);
            timing->sent[sent++] = seconds_now();
            check(zmq_send(fanout->writer, payload.data, payload.size, 0) >= 0, "a put");
            writer_read(fanout); /* zmq_send(3) may have consumed the notification of an answer */
        }
        pump(fanout);
    }
    timing->seconds = seconds_now() - timing->sent[0];
    timing->cpu_seconds = seconds_used(fanout->pid) - cpu_begin;
    fanout->load = NULL;
    fanout->timing = NULL;
    workload_release(&workload);
}

void timing_release(timing_t *timing)
{
    free(timing->sent);
    free(timing->answered);
    free(timing->arrived);
}

void fanout_record(fanout_t *fanout, const load_t *load, recording_t *recording)
{
    timing_t timing;
    recording_release(recording);
    recording->batch = load->batch;
    zmq_msg_init(&recording->answer);
    fanout_resize(fanout, 1);
    fanout->records = recording;
    fanout_run(fanout, load, &timing);
    fanout->records = NULL;
    timing_release(&timing);
}

void recording_release(recording_t *recording)
{
    if (recording->count == 0)
        return;
    zmq_msg_close(&recording->answer);
    for (; recording->count > 0; recording->count--) {
        zmq_msg_close(&recording->frames[2 * (size_t)recording->count - 1]);
        zmq_msg_close(&recording->frames[2 * (size_t)recording->count - 2]);
    }
}

void fanout_teach(fanout_t *fanout, const recording_t *recording)
{
    bare_publisher_teach(fanout->writer, recording);
}
