/* SPDX-License-Identifier: MPL-2.0 */
/* A hub and its surroundings, controlled by a fuzzer. */
#ifndef KV_TESTS_FUZZ_WORLD_H
#define KV_TESTS_FUZZ_WORLD_H

#include "broker/core/hub.h"
#include "broker/core/sessions.h"

enum {
    CONNECTIONS = 8,
    PAYLOADS_MAX = 1100, /* unanswered payloads of a connection; more than LIMIT_WAITING_PAYLOADS */
    MESSAGES_MAX = 24,   /* messages in a payload; more than BATCH */
    BATCH = 16,          /* limits/batch */
    JOBS_MAX = 16,
    CLIENTS = 5,
    VARIANTS = 4 /* different settings for the hub */
};

/* The answers that a payload must get. */
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
    bool ended;  /* had no session when the current step began */
    bool begins; /* hub_receive is starting its session, which is not stored here yet */
    bool broke;  /* an answer was cut short, so its session must end in this step */
    char identity[24];
    char peer[24];
    owed_t *owed; /* [PAYLOADS_MAX]; those from first up to last are not answered, oldest first */
    unsigned first;
    unsigned last;
};

typedef struct world {
    const uint8_t *data; /* the input */
    size_t size;
    size_t at; /* offset of the next byte to read */
    hub_t *hub;
    int64_t now_ms;
    uint64_t seq;            /* the engine's sequence after the last step */
    uint64_t published;      /* events */
    bool verify_fails;       /* passwords cannot be submitted */
    uint64_t jobs[JOBS_MAX]; /* passwords submitted and not verified yet */
    unsigned job_count;
    settings_t variants[VARIANTS]; /* the first equals the initial settings */
    struct connection connections[CONNECTIONS];
} world_t;

/* The next byte of the input; 0 after its end. */
static inline uint8_t world_take(world_t *world)
{
    return world->at < world->size ? world->data[world->at++] : 0;
}

/* The secrets that requests give, and claims have. */
extern const char world_secrets[2][17];

/* Appends a payload that the input describes: most are composed of valid or almost valid requests, some are
 * raw bytes of the input. */
void world_write_payload(world_t *world, buffer_t *to);
/* Fills OWED with the msgids of the answers that PAYLOAD must get. FAULT is that of the arrival. */
void owed_fill(owed_t *owed, bytes_t payload, const char *fault);
/* Whether a payload gets no answer at all. */
bool owed_nothing(const owed_t *owed);

/* The hub's outlets, which check what they are given. */
outlets_t world_outlets(world_t *world);

/* Checks that the hub's lists, counts and sums agree with each other and with the connections. */
void world_check(const world_t *world);

#endif
