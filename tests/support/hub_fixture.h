/* SPDX-License-Identifier: MPL-2.0 */
/* A hub without sockets, for tests: a few peers that record what they are sent, and a clock that tests set.
 */
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

/* What tests look at in a reply that was sent. */
typedef struct got {
    rpc_kind_t kind;
    uint32_t msgid;
    bool failed;
    char code[32];
    uint64_t number; /* of a result or the detail of an error; of a push: the seq of the change */
} got_t;

struct connection {
    session_t *session;
    char identity[24];
    got_t got[ANSWERS_MAX];
    unsigned count; /* replies in `got` */
    bool full;      /* sends fail, and the connection is congested */
    unsigned asked; /* how often the hub asked whether it is congested */
    bool cut;
};

#define UNIX_MS INT64_C(1700000000000) /* the wall clock at the start of a test */

typedef struct fixture {
    settings_t settings;
    credential_t manager;
    hub_t *hub;
    int64_t now_ms;
    uint64_t job;         /* of the latest password to verify */
    size_t audience;      /* connections that may read events */
    unsigned published;   /* events and syncs */
    int64_t published_ms; /* `time_ms` of the last one published */
    struct connection peers[PEERS];
} fixture_t;

int hub_setup(void **state);
/* The event log keeps only SHORT_LOG events. */
int hub_setup_short_log(void **state);
int hub_teardown(void **state);

/* Skips the rest of a test if the hub applies commands later. For tests of what a hub does at once. */
void only_at_once(const fixture_t *fixture);

/* Hands PAYLOAD (taken) to the hub. */
void payload_give(fixture_t *fixture, struct connection *peer, buffer_t *payload);

/* Appends a request. FORM has a letter for each param, which takes one argument: s is a text, n a number, b a
 * bool, t a map with ttl_ms, p a map with secret, a a map with after. c is a map with create and takes no
 * argument. */
void request_add(buffer_t *payload, uint32_t msgid, const char *method, const char *form, ...);
/* Forgets the replies that PEER got, then sends one request of it. */
void ask(fixture_t *fixture, struct connection *peer, const char *method, const char *form, ...);

/* Asserts that PEER got one reply to `ask`: an error with CODE, or a result if CODE is "". */
void assert_got(const struct connection *peer, const char *code);
/* Runs turns of the hub until PEER has COUNT answers. Returns the number of turns. */
unsigned turns_until(fixture_t *fixture, const struct connection *peer, unsigned count);
void ping_is_answered(fixture_t *fixture, struct connection *peer);
/* Puts MANY keys into PEER's store; TTL_MS 0 = none. */
void fill(fixture_t *fixture, struct connection *peer, unsigned ttl_ms);
/* PEER sends `auth`, and the verifier says that the password is RIGHT or wrong. */
void login(fixture_t *fixture, struct connection *peer, bool right);

#endif
