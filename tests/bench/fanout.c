/* SPDX-License-Identifier: MPL-2.0 */
/* The sockets of the writer and of the subscribers, all read by one thread. The descriptor of each socket
 * (ZMQ_FD) becomes readable when there may be messages. Only the sockets that epoll reports are read, each
 * until it is empty, so idle sockets cost nothing. */
#include "tests/bench/fanout.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/fanout_session.h"
#include "tests/bench/workload.h"

enum {
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
    fanout_ticket_t ticket; /* no username: none is needed */
    void *manager;          /* the socket whose session owns the ticket; NULL with a bare publisher */
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

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fanout_fail("out of memory");
    return memory;
}

static void watch(fanout_t *fanout, void *socket, uint32_t number)
{
    int fd = -1;
    size_t size = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
    fanout_check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "ZMQ_FD");
    fanout_check(epoll_ctl(fanout->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void unwatch(fanout_t *fanout, void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    fanout_check(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "ZMQ_FD");
    fanout_check(epoll_ctl(fanout->epoll, EPOLL_CTL_DEL, fd, NULL) == 0, "epoll_ctl");
}

static fanout_t *fanout_new(void *context, pid_t pid, const char *endpoint)
{
    fanout_t *fanout = allocate(1, sizeof *fanout);
    fanout->context = context;
    fanout->pid = pid;
    fanout->epoll = epoll_create1(EPOLL_CLOEXEC);
    fanout_check(fanout->epoll >= 0, "epoll_create1");
    fanout->writer = fanout_socket(context, ZMQ_DEALER);
    fanout_check(zmq_connect(fanout->writer, endpoint) == 0, endpoint);
    return fanout;
}

fanout_t *fanout_to_broker(void *context, pid_t pid, const char *endpoint, const char *user,
                           const char *password)
{
    fanout_t *fanout = fanout_new(context, pid, endpoint);
    fanout->manager = fanout_socket(context, ZMQ_DEALER);
    fanout_check(zmq_connect(fanout->manager, endpoint) == 0, endpoint);
    fanout_ticket(fanout->manager, user, password, &fanout->ticket);
    /* Begin the writer's session now: its `connect` event must not be counted in a run. */
    buffer_t payload;
    zmq_msg_t answer;
    rpc_reply_t reply;
    buffer_init(&payload, WORKLOAD_PAYLOAD_MAX);
    workload_write_request(&payload, "ping", 1, 0);
    fanout_call(fanout->writer, &payload, &answer, &reply);
    zmq_msg_close(&answer);
    watch(fanout, fanout->writer, WRITER);
    return fanout;
}

fanout_t *fanout_to_bare(void *context, const bare_publisher_t *bare)
{
    fanout_t *fanout = fanout_new(context, bare->pid, bare->requests);
    snprintf(fanout->ticket.endpoint, sizeof fanout->ticket.endpoint, "%s", bare->events);
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
        fanout_check(zmq_msg_recv(&payload, member->socket, 0) >= 0, "an event's payload");
        if (is_sync(&topic)) {
            member->live = true;
            continue;
        }
        member_event(fanout, number);
        if (fanout->manager != NULL &&
            member->events == (uint64_t)fanout->load->batches * fanout->load->batch)
            fanout->last_seq = fanout_seq(&payload);
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
    int count = epoll_wait(fanout->epoll, ready, sizeof ready / sizeof ready[0], FANOUT_PATIENCE_MS);
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
    if ((now - fanout->progress) * 1e3 > (double)FANOUT_PATIENCE_MS)
        fanout_fail("no progress with the %s: the slowest subscriber has %" PRIu64 " events, %" PRIu64
                    " payloads were answered",
                    fanout->manager != NULL ? "broker" : "bare publisher", slowest(fanout), fanout->answers);
}

/* ---- Subscribers ------------------------------------------------------------------------------ */

static void subscriber_connect(const fanout_t *fanout, void *socket)
{
    const fanout_ticket_t *ticket = &fanout->ticket;
    if (ticket->username[0] != '\0')
        fanout_check(
            zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, ticket->username, strlen(ticket->username)) == 0 &&
                zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, ticket->password, strlen(ticket->password)) == 0,
            "the ticket");
    fanout_check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) == 0 &&
                     zmq_connect(socket, ticket->endpoint) == 0,
                 ticket->endpoint);
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
        *member = (member_t){.socket = fanout_socket(fanout->context, ZMQ_SUB)};
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
        fanout_check(zmq_msg_recv(&topic, fanout->laggard, 0) >= 0 &&
                         zmq_msg_recv(&payload, fanout->laggard, 0) >= 0,
                     "the stopped subscriber");
        synced = is_sync(&topic) && fanout_seq(&payload) >= seq;
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
    fanout->laggard = fanout_socket(fanout->context, ZMQ_SUB);
    fanout_check(zmq_setsockopt(fanout->laggard, ZMQ_RCVHWM, &messages, sizeof messages) == 0 &&
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
    workload_init(&workload, "put", load->batch, KEYS, 1);
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
            fanout_check(zmq_send(fanout->writer, payload.data, payload.size, 0) >= 0, "a put");
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
