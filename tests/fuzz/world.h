/* SPDX-License-Identifier: MPL-2.0 */
/* A hub and what is around it, in the hands of a fuzzer. */
#ifndef KV_TESTS_FUZZ_WORLD_H
#define KV_TESTS_FUZZ_WORLD_H

#include "broker/core/hub.h"
#include "broker/core/sessions.h"

enum {
    CONNECTIONS = 8,
    PAYLOADS_MAX = 1100, /* of one connection that are not answered; above LIMIT_WAITING_PAYLOADS */
    MESSAGES_MAX = 24,   /* of one payload; above limits/batch */
    TICKETS_MAX = 16,
    CLIENTS = 5,
    VARIANTS = 4 /* settings that a hub may be given */
};

/* A payload that was handed to the hub: the msgids that its answers must have. */
typedef struct owed {
    uint32_t msgids[MESSAGES_MAX];
    unsigned count;
    bool enveloped;
} owed_t;

struct connection {
    session_t *session;
    bool lost;
    bool cut;
    bool full;   /* sends fail */
    bool ended;  /* had no session when the present step began */
    bool begins; /* its session, which begins, is not yet known here */
    bool broke;  /* an answer was cut short: its session must have ended after this step */
    char identity[24];
    char peer[24];
    owed_t *owed; /* PAYLOADS_MAX: those not answered, oldest first */
    unsigned first;
    unsigned last;
};

typedef struct world {
    const uint8_t *data; /* the input */
    size_t size;
    size_t at; /* what is read next of it */
    hub_t *hub;
    int64_t now_ms;
    uint64_t seq;       /* of the newest change, as of the step before */
    uint64_t published; /* events */
    bool verify_fails;
    uint64_t tickets[TICKETS_MAX]; /* passwords that are to be verified */
    unsigned ticket_count;
    settings_t variants[VARIANTS]; /* the first are those it began with */
    struct connection connections[CONNECTIONS];
} world_t;

/* The hub agrees with itself and with its connections: lists, counts and sums. */
void world_check(const world_t *world);

#endif
