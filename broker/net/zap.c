/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ZAP socket and the serials. */
#include "broker/net/zap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "broker/net/serial.h"
#include "common/limits.h"

enum {
    TAKE_MAX = 64,         /* requests in a turn */
    CREDENTIAL_SIZE = 64,  /* bytes of a user name or a password; a ticket's are shorter */
    REQUEST_ID_SIZE = 256, /* bytes of a request's id; libzmq sends "1" */
    USER_ID_SIZE = 24,     /* bytes of a number's text */
    /* Numbers of a request's frames (RFC 27), counting the routing id and the delimiter. */
    FRAME_PEER = 0,
    FRAME_REQUEST_ID = 3,
    FRAME_DOMAIN = 4,
    FRAME_USER = 8,    /* of PLAIN */
    FRAME_PASSWORD = 9 /* of PLAIN; later frames are ignored */
};

typedef struct zap_request {
    uint8_t peer[LIMIT_ROUTING_ID + 1]; /* routing id of the asking connection */
    size_t peer_size;
    uint8_t request_id[REQUEST_ID_SIZE];
    size_t request_id_size;
    bool to_requests;                       /* from the request socket, not from the event socket */
    uint8_t credential[2][CREDENTIAL_SIZE]; /* PLAIN: user name and password */
    size_t credential_size[2];
} zap_request_t;

struct zap {
    void *socket;             /* ROUTER, bound to the endpoint that RFC 27 prescribes */
    const tickets_t *tickets; /* borrowed; NULL = nobody may subscribe */
    uint64_t last_serial;
    size_t count; /* in `requests` */
    zap_request_t requests[TAKE_MAX];
};

zap_t *zap_new(void *zmq_context)
{
    zap_t *zap = calloc(1, sizeof *zap);
    if (zap == NULL)
        return NULL;
    int unlimited = 0;
    zap->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    if (zap->socket == NULL || zmq_setsockopt(zap->socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited) != 0 ||
        zmq_setsockopt(zap->socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited) != 0 ||
        zmq_setsockopt(zap->socket, ZMQ_LINGER, &unlimited, sizeof unlimited) != 0 ||
        zmq_bind(zap->socket, "inproc://zeromq.zap.01") != 0)
        zap_destroy(&zap);
    return zap;
}

void zap_destroy(zap_t **zap)
{
    if (*zap == NULL)
        return;
    if ((*zap)->socket != NULL)
        zmq_close((*zap)->socket);
    free(*zap);
    *zap = NULL;
}

void zap_use(zap_t *zap, const tickets_t *tickets)
{
    zap->tickets = tickets;
}

void *zap_socket(zap_t *zap)
{
    return zap->socket;
}

uint64_t zap_last_serial(const zap_t *zap)
{
    return zap->last_serial;
}

/* Keeps what the answer needs of frame NUMBER. A frame that is too long is treated as missing. */
static void frame_keep(zap_request_t *request, unsigned number, bytes_t frame)
{
    if (number == FRAME_PEER && frame.size <= sizeof request->peer) {
        memcpy(request->peer, frame.data, frame.size);
        request->peer_size = frame.size;
    } else if (number == FRAME_REQUEST_ID && frame.size <= sizeof request->request_id) {
        memcpy(request->request_id, frame.data, frame.size);
        request->request_id_size = frame.size;
    } else if (number == FRAME_DOMAIN) {
        request->to_requests = bytes_equal(frame, bytes_from_text(ZAP_DOMAIN_REQUESTS));
    } else if ((number == FRAME_USER || number == FRAME_PASSWORD) && frame.size <= CREDENTIAL_SIZE) {
        unsigned i = number - FRAME_USER;
        memcpy(request->credential[i], frame.data, frame.size);
        request->credential_size[i] = frame.size;
    }
}

/* Reads one request. Returns false if there is none. */
static bool request_read(void *socket, zap_request_t *request)
{
    *request = (zap_request_t){0};
    int more = 1;
    for (unsigned number = 0; more; number++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return false;
        }
        if (number <= FRAME_PASSWORD)
            frame_keep(request, number, bytes_of(zmq_msg_data(&frame), zmq_msg_size(&frame)));
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    return true;
}

bool zap_take(zap_t *zap)
{
    while (zap->count < TAKE_MAX) {
        if (!request_read(zap->socket, &zap->requests[zap->count]))
            return false;
        zap->count++;
    }
    return true;
}

/* Decides whether to let a connection in, and writes its User-Id to TEXT. Returns false if it is refused. */
static bool request_admit(zap_t *zap, const zap_request_t *request, char text[USER_ID_SIZE])
{
    uint64_t ticket = 0;
    text[0] = '\0';
    if (request->to_requests) {
        serial_write(++zap->last_serial, text);
        return true;
    }
    if (zap->tickets != NULL)
        ticket = tickets_check(zap->tickets, bytes_of(request->credential[0], request->credential_size[0]),
                               bytes_of(request->credential[1], request->credential_size[1]));
    if (ticket > 0)
        snprintf(text, USER_ID_SIZE, "%" PRIu64, ticket);
    return ticket > 0;
}

/* Returns whether the connection was let in. */
static bool request_answer(zap_t *zap, const zap_request_t *request)
{
    char user_id[USER_ID_SIZE];
    bool admitted = request_admit(zap, request, user_id);
    const bytes_t frames[] = {
        bytes_of(request->peer, request->peer_size),
        {0},
        bytes_from_text("1.0"),
        bytes_of(request->request_id, request->request_id_size),
        bytes_from_text(admitted ? "200" : "400"),
        bytes_from_text(admitted ? "OK" : "no valid ticket: ask for one with `events`"),
        bytes_from_text(user_id),
        {0},
    };
    enum { FRAMES = sizeof frames / sizeof frames[0] };
    for (size_t i = 0; i < FRAMES; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < FRAMES ? ZMQ_SNDMORE : 0);
        if (zmq_send(zap->socket, frames[i].data, frames[i].size, flags) < 0)
            break; /* the connection is gone */
    }
    return admitted;
}

unsigned zap_answer(zap_t *zap)
{
    unsigned refused = 0;
    for (size_t i = 0; i < zap->count; i++)
        refused += !request_answer(zap, &zap->requests[i]);
    zap->count = 0;
    return refused;
}
