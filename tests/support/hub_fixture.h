/* SPDX-License-Identifier: MPL-2.0 */
/* A hub without sockets for tests: a few peers that keep what they were sent, and a clock that tests set. */
#ifndef KV_TESTS_SUPPORT_HUB_FIXTURE_H
#define KV_TESTS_SUPPORT_HUB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "broker/core/hub.h"
#include "broker/core/sessions.h"
#include "common/rpc.h"

enum {
    PEERS = 4,
    ANSWERS_MAX = 64,
    MANY = 22000, /* more than HUB_WORK_TURN */
    SHORT_LOG = 64,
    TURNS_MAX = 10000
};

/* A reply that was sent: what a test looks at. */
typedef struct got {
    rpc_kind_t kind;
    uint32_t msgid;
    bool failed;
    char code[32];
    uint64_t number; /* the result, or the detail of an error; the seq of a change that was pushed */
} got_t;

struct connection {
    session_t *session;
    char identity[24];
    got_t got[ANSWERS_MAX];
    unsigned count; /* in `got` */
    bool full;      /* sends fail */
    unsigned asked; /* how often it was looked whether it is */
    bool cut;
};

#define UNIX_MS INT64_C(1700000000000) /* when a test begins */

typedef struct fixture {
    settings_t settings;
    credential_t manager;
    hub_t *hub;
    int64_t now_ms;
    uint64_t ticket;      /* of the latest password to verify */
    size_t audience;      /* connections that may read events */
    unsigned published;   /* events and syncs */
    int64_t published_ms; /* `time_ms` of the last of them */
    struct connection peers[PEERS];
} fixture_t;

int hub_setup(void **state);
/* The log keeps SHORT_LOG events only. */
int hub_setup_short_log(void **state);
int hub_teardown(void **state);

/* Ends a test that is about what is done at once, in a hub that applies commands later: there it is done in
 * some turn. */
void only_at_once(const fixture_t *fixture);

/* Hands PAYLOAD (taken) to the hub. */
void payload_give(fixture_t *fixture, struct connection *peer, buffer_t *payload);

/* Appends a request: FORM tells its params, of which there is one argument each: s a text, n a number, b a
 * bool, t a map with ttl_ms, p a map with secret, a a map with after; c a map with create, without an
 * argument.
 */
void request_add(buffer_t *payload, uint32_t msgid, const char *method, const char *form, ...);
/* Sends one request of PEER, and forgets what it got before. */
void ask(fixture_t *fixture, struct connection *peer, const char *method, const char *form, ...);

/* PEER got one reply, to what it asked: an error with CODE, or none where that is "". */
void assert_got(const struct connection *peer, const char *code);
/* Takes turns until PEER has COUNT answers. Returns how many turns that took. */
unsigned turns_until(fixture_t *fixture, const struct connection *peer, unsigned count);
void ping_is_answered(fixture_t *fixture, struct connection *peer);
/* Puts MANY keys into PEER's store; TTL_MS 0 = none. */
void fill(fixture_t *fixture, struct connection *peer, unsigned ttl_ms);
/* PEER authenticates as the manager, with the RIGHT password or a wrong one. */
void login(fixture_t *fixture, struct connection *peer, bool right);

#endif
