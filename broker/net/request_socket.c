/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ROUTER socket. Knows frames, but not what a payload contains. */
#include "broker/net/request_socket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "broker/net/answer.h"
#include "broker/net/listeners.h"
#include "broker/net/serial.h"
#include "common/number.h"

enum {
    BACKLOG = 4096,        /* connections that wait to be accepted */
    QUEUE = 256,           /* unread messages of a connection */
    KEEPALIVE_S = 10,      /* silence before the first TCP keepalive probe, and time between probes */
    KEEPALIVE_PROBES = 3,  /* unanswered probes after which a peer is gone */
    UNTAKEN_MS = 30000,    /* a peer is gone if its system acknowledges nothing for this long */
    ENVELOPE_BYTES = 4096, /* of an envelope, lengths included */
    PUSH_BYTES = 1 << 20,  /* if a peer has more bytes outstanding, pushes to it wait in the event log */
    AHEAD = 64,            /* messages that are read before the first of them is handed over */
    AHEAD_BYTES = 256 /* of a payload, at most, if another message is to be read before it is handed over */
};

/* A message that was read. */
typedef struct received {
    zmq_msg_t identity; /* the routing id's frame */
    zmq_msg_t payload;
    bytes_t bytes;            /* of `payload` */
    connection_t *connection; /* on which it came. NULL: it is ignored */
    const char *fault;        /* as in arrival_t */
} received_t;

/* An answer that waits until others can be sent with it: sending one wakes libzmq's thread if that sleeps. */
typedef struct outgoing {
    const connection_t *connection;
    zmq_msg_t identity;
    zmq_msg_t payload;
} outgoing_t;

struct request_socket {
    void *socket;
    const settings_t *settings;
    const zap_t *zap;
    spares_t *spares;
    connections_t *connections;
    listeners_t listeners;
    buffer_t envelope; /* of the newest message in `ahead`; its memory is reused */
    received_t ahead[AHEAD];
    unsigned ahead_count; /* messages that were read */
    unsigned ahead_next;  /* of them, the next one to hand over */
    received_t *current;  /* the one that is being handed over; NULL: none, or its identity was sent back */
    outgoing_t outgoing[AHEAD]; /* to be sent, oldest first */
    unsigned outgoing_count;
    bool drain_owed; /* before anything is sent: connections.h */
    uint64_t moved;  /* bytes of payloads and answers since the start */
};

request_socket_t *request_socket_new(void *zmq_context, const settings_t *settings,
                                     const endpoint_list_t *listen, const zap_t *zap, spares_t *spares,
                                     char *problem, size_t problem_size)
{
    request_socket_t *requests = calloc(1, sizeof *requests);
    if (requests != NULL)
        buffer_init(&requests->envelope, ENVELOPE_BYTES);
    /* Reserve all memory of the envelope now. Then a later failure means that an envelope is too large. */
    if (requests == NULL || buffer_reserve(&requests->envelope, ENVELOPE_BYTES) == NULL ||
        !listeners_init(&requests->listeners, "requests", listen->count, settings)) {
        snprintf(problem, problem_size, "out of memory");
        request_socket_destroy(&requests, 0);
        return NULL;
    }
    requests->settings = settings;
    requests->zap = zap;
    requests->spares = spares;
    requests->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    int64_t message = (int64_t)settings->limits.message;
    const socket_option_t options[] = {
        {ZMQ_ROUTER_MANDATORY, 1},
        {ZMQ_RCVHWM, QUEUE},
        {ZMQ_SNDHWM, 0}, /* request_socket_send bounds the bytes instead */
        {ZMQ_BACKLOG, BACKLOG},
        {ZMQ_HANDSHAKE_IVL, SOCKET_HANDSHAKE_MS},
        /* TCP keepalive instead of ZMTP heartbeats: libzmq 4.3.4 aborts if a heartbeat is due on a connection
         * that was reset while its queue was full. (Two peers with the same identity and 1,001 messages are
         * enough: libzmq never reads the second peer.) */
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_S},
        {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_S},
        {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES},
        {ZMQ_TCP_MAXRT, UNTAKEN_MS},
        {ZMQ_LINGER, 0},
    };
    if (requests->socket == NULL ||
        !socket_options_set(requests->socket, options, sizeof options / sizeof options[0]) ||
        zmq_setsockopt(requests->socket, ZMQ_MAXMSGSIZE, &message, sizeof message) != 0 ||
        zmq_setsockopt(requests->socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN_REQUESTS, strlen(ZAP_DOMAIN_REQUESTS)) !=
            0 ||
        (requests->connections = connections_new(zmq_context, requests->socket, requests->listeners.real,
                                                 listen->count)) == NULL) {
        snprintf(problem, problem_size, "the request socket cannot be made: %s", zmq_strerror(errno));
        request_socket_destroy(&requests, 0);
        return NULL;
    }
    if (!listeners_bind(requests->socket, &requests->listeners, listen->endpoints, problem, problem_size))
        request_socket_destroy(&requests, 0);
    return requests;
}

void request_socket_configure(request_socket_t *requests, const settings_t *settings)
{
    requests->settings = settings;
}

static void message_close(received_t *received)
{
    zmq_msg_close(&received->payload);
    zmq_msg_close(&received->identity);
}

void request_socket_destroy(request_socket_t **self, int linger_ms)
{
    request_socket_t *requests = *self;
    if (requests == NULL)
        return;
    request_socket_flush(requests);
    while (request_socket_ahead(requests))
        message_close(&requests->ahead[requests->ahead_next++]);
    if (requests->connections != NULL)
        connections_destroy(&requests->connections);
    if (requests->socket != NULL) {
        zmq_setsockopt(requests->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(requests->socket);
    }
    buffer_release(&requests->envelope);
    listeners_release(&requests->listeners);
    free(requests);
    *self = NULL;
}

void *request_socket_socket(request_socket_t *requests)
{
    return requests->socket;
}

connections_t *request_socket_connections(request_socket_t *requests)
{
    return requests->connections;
}

void request_socket_drain(request_socket_t *requests)
{
    connections_drain(requests->connections, zap_last_serial(requests->zap));
    requests->drain_owed = false;
}

uint64_t request_socket_moved(const request_socket_t *requests)
{
    return requests->moved;
}

/* ---- Receiving -------------------------------------------------------------------------------- */

static bytes_t frame_bytes(zmq_msg_t *frame)
{
    return bytes_of(zmq_msg_data(frame), zmq_msg_size(frame));
}

/* Reads the frames after the routing id: the last one into PAYLOAD, those before it into the envelope.
 * Returns NULL, or a text that says what is wrong with them. */
static const char *frames_read(request_socket_t *requests, zmq_msg_t *payload)
{
    buffer_t *envelope = &requests->envelope;
    buffer_truncate(envelope, 0);
    unsigned frames = 0;
    bool delimited = false;
    while (zmq_msg_recv(payload, requests->socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(payload)) {
        uint32_t size = (uint32_t)zmq_msg_size(payload);
        delimited = size == 0;
        if (++frames <= LIMIT_ENVELOPE_FRAMES) {
            buffer_append(envelope, &size, sizeof size);
            buffer_append(envelope, zmq_msg_data(payload), size);
        }
    }
    if (frames == 0)
        return NULL;
    if (!delimited)
        return "several frames without an empty one before the payload: send one frame, or an envelope";
    if (frames > LIMIT_ENVELOPE_FRAMES || envelope->failed)
        return "the envelope is too large: at most 16 frames and 4 KiB";
    return NULL;
}

/* Returns the address of a peer, for logs and throttling. It must stay the same for all attempts of one peer.
 * Over ipc, libzmq gives "localhost:UID:GID:PID", of which only the user is kept. A local program can use any
 * address in 127.0.0.0/8, so all of them count as one. */
static bytes_t peer_address(zmq_msg_t *payload, char text[64])
{
    const char *address = zmq_msg_gets(payload, "Peer-Address");
    if (address == NULL || address[0] == '\0')
        return bytes_from_text("ipc");
    static const char loopback[] = "127.";
    static const char mapped[] = "::ffff:127.";
    if (strncmp(address, loopback, sizeof loopback - 1) == 0 ||
        strncmp(address, mapped, sizeof mapped - 1) == 0)
        return bytes_from_text("127.0.0.1");
    static const char local[] = "localhost:";
    if (strncmp(address, local, sizeof local - 1) != 0)
        return bytes_from_text(address);
    bytes_t rest = bytes_from_text(address + sizeof local - 1);
    uint64_t user = 0;
    (void)!number_take(&rest, &user); /* libzmq writes a number */
    snprintf(text, 64, "ipc user %" PRIu64, user);
    return bytes_from_text(text);
}

/* Returns the connection on which PAYLOAD came. NULL if it is a new one and memory is refused. */
static connection_t *connection_of(request_socket_t *requests, zmq_msg_t *payload, uint64_t serial)
{
    connection_t *connection = connections_of_serial(requests->connections, serial);
    if (connection != NULL)
        return connection;
    return connections_of_message(requests->connections, zmq_msg_get(payload, ZMQ_SRCFD), serial);
}

/* Reads one message. False if there is none. */
static bool message_read(request_socket_t *requests, received_t *received)
{
    zmq_msg_init(&received->identity);
    if (zmq_msg_recv(&received->identity, requests->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&received->identity);
        return false;
    }
    zmq_msg_init(&received->payload);
    received->fault = frames_read(requests, &received->payload);
    received->bytes = frame_bytes(&received->payload);
    received->connection = NULL;
    requests->moved += received->bytes.size;
    const char *serial = zmq_msg_gets(&received->payload, "User-Id");
    if (serial != NULL)
        received->connection = connection_of(requests, &received->payload, serial_read(serial));
    return true;
}

/* Reads messages ahead, as long as they are small. Returns how many. */
static unsigned ahead_read(request_socket_t *requests, const hub_t *hub)
{
    foreseen_t foreseen[AHEAD];
    unsigned count = 0;
    bool more = true;
    requests->drain_owed |= connections_unheard(requests->connections); /* before a message of it is read */
    while (more && count < AHEAD && message_read(requests, &requests->ahead[count])) {
        const received_t *received = &requests->ahead[count];
        const connection_t *connection = received->connection;
        foreseen[count].session = connection != NULL ? connection->session : NULL;
        foreseen[count].payload = received->bytes;
        more = received->bytes.size <= AHEAD_BYTES && requests->envelope.size == 0;
        count++;
    }
    if (count > 1)
        hub_foresee(hub, foreseen, count);
    requests->ahead_count = count;
    requests->ahead_next = 0;
    return count;
}

/* Hands a message over to HUB. */
static void message_give(request_socket_t *requests, received_t *received, hub_t *hub, int64_t now_ms)
{
    connection_t *connection = received->connection;
    bytes_t routing_id = frame_bytes(&received->identity);
    /* A raw peer can choose an identity as long as a message, and every message from and to it would carry
     * it. No ZeroMQ library does that. */
    if (connection != NULL && !connection->cut && routing_id.size > LIMIT_ROUTING_ID)
        connection_cut(connection);
    if (connection == NULL || connection->cut)
        return;
    bool last = requests->ahead_next == requests->ahead_count; /* only this one can have an envelope */
    char address[64];
    arrival_t arrival = {
        .connection = connection,
        .identity = routing_id,
        .envelope = last && received->fault == NULL ? buffer_bytes(&requests->envelope) : (bytes_t){0},
        .payload = received->bytes,
        .fault = received->fault,
    };
    if (connection->session == NULL)
        arrival.peer = peer_address(&received->payload, address);
    requests->current = received;
    connection->session = hub_receive(hub, connection->session, &arrival, now_ms);
    requests->current = NULL;
}

bool request_socket_receive(request_socket_t *requests, hub_t *hub, int64_t now_ms)
{
    if (!request_socket_ahead(requests) && ahead_read(requests, hub) == 0)
        return false;
    received_t *received = &requests->ahead[requests->ahead_next++];
    message_give(requests, received, hub, now_ms);
    message_close(received);
    if (!request_socket_ahead(requests))
        request_socket_flush(requests);
    return true;
}

bool request_socket_ahead(const request_socket_t *requests)
{
    return requests->ahead_next < requests->ahead_count;
}

/* ---- Sending ---------------------------------------------------------------------------------- */

/* Makes IDENTITY a message: of CONNECTION's frame that came, if there is one, because a copy costs more.
 * False if memory is refused. */
static bool identity_make(request_socket_t *requests, const connection_t *connection, bytes_t identity,
                          zmq_msg_t *message)
{
    received_t *current = requests->current;
    if (current == NULL || current->connection != connection) {
        if (zmq_msg_init_size(message, identity.size) != 0)
            return false;
        memcpy(zmq_msg_data(message), identity.data, identity.size);
        return true;
    }
    requests->current = NULL;
    zmq_msg_init(message);
    return zmq_msg_move(message, &current->identity) == 0;
}

/* Whether what is sent to CONNECTION now reaches its peer, and not another one: connections.h. */
static bool reaches(request_socket_t *requests, const connection_t *connection)
{
    if (requests->drain_owed)
        request_socket_drain(requests);
    return connection->state == CONNECTION_OPEN;
}

/* Sends the frames of ENVELOPE. If memory is refused, ends the message, and returns false. */
static bool envelope_send(request_socket_t *requests, bytes_t envelope)
{
    for (size_t at = 0; at < envelope.size;) {
        uint32_t size;
        memcpy(&size, envelope.data + at, sizeof size);
        at += sizeof size;
        if (zmq_send(requests->socket, envelope.data + at, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
            /* Only memory can fail here. End the message; the next one would be appended to it otherwise. */
            zmq_send(requests->socket, "", 0, ZMQ_DONTWAIT);
            return false;
        }
        at += size;
    }
    return true;
}

/* Sends the frames of OUTGOING, with ENVELOPE between them, unless its connection is gone. False if memory is
 * refused. */
static bool outgoing_send(request_socket_t *requests, outgoing_t *outgoing, bytes_t envelope)
{
    bool refused = false;
    bool sent = reaches(requests, outgoing->connection) &&
                zmq_msg_send(&outgoing->identity, requests->socket, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0;
    if (!sent) {
        zmq_msg_close(&outgoing->identity);
    } else {
        refused = !envelope_send(requests, envelope);
        sent = !refused && zmq_msg_send(&outgoing->payload, requests->socket, ZMQ_DONTWAIT) >= 0;
    }
    if (!sent)
        zmq_msg_close(&outgoing->payload);
    return !refused;
}

void request_socket_flush(request_socket_t *requests)
{
    for (unsigned i = 0; i < requests->outgoing_count; i++)
        (void)outgoing_send(requests, &requests->outgoing[i], (bytes_t){0});
    requests->outgoing_count = 0;
}

status_t request_socket_send(void *context, connection_t *connection, bytes_t identity, bytes_t envelope,
                             buffer_t *answer)
{
    request_socket_t *requests = context;
    if (connection->cut || connection->state != CONNECTION_OPEN)
        return STATUS_OK;
    if (requests->outgoing_count == AHEAD || envelope.size > 0)
        request_socket_flush(requests);
    outgoing_t *outgoing = &requests->outgoing[requests->outgoing_count];
    uint64_t limit = requests->settings->limits.outstanding;
    size_t cost;
    status_t status =
        answer_message(connection, limit, requests->spares, envelope.size, answer, &outgoing->payload, &cost);
    if (status != STATUS_OK)
        return status;
    requests->moved += cost;
    if (!identity_make(requests, connection, identity, &outgoing->identity)) {
        zmq_msg_close(&outgoing->payload);
        return STATUS_UNAVAILABLE;
    }
    outgoing->connection = connection;
    if (envelope.size > 0) /* rare: it is sent at once, as it may not live longer than this call */
        return outgoing_send(requests, outgoing, envelope) ? STATUS_OK : STATUS_UNAVAILABLE;
    requests->outgoing_count++;
    return STATUS_OK;
}

bool request_socket_congested(void *context, connection_t *connection)
{
    const request_socket_t *requests = context;
    uint64_t half = requests->settings->limits.outstanding / 2;
    return atomic_load(&connection->budget->bytes) > (half < PUSH_BYTES ? half : PUSH_BYTES);
}

void request_socket_release(void *context, connection_t *connection, bool cut)
{
    connection->session = NULL;
    if (!cut)
        return;
    request_socket_flush(context);
    request_socket_drain(context); /* find out first whether its descriptor was reused in this turn */
    connection_cut(connection);
}
