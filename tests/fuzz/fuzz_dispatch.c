/* SPDX-License-Identifier: MPL-2.0 */
/* Feeds a hub any sequence of payloads, time steps, lost connections, password verdicts, full outboxes and
 * changed settings. Checks after each step: every request was answered once and in order, unless its session
 * ended; nothing is sent to a session that has ended; lists, counts and sums agree with each other; the
 * sequence never goes back.
 *
 * The input is decoded into steps. Most payloads are composed of valid or almost valid requests; some are raw
 * bytes of the input. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/dispatch.h"
#include "broker/core/reconfigure.h"
#include "common/rpc.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/world.h"
#include "tests/support/idle_outlets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 400, BATCH = 16 };

static uint8_t take(world_t *world)
{
    return world->at < world->size ? world->data[world->at++] : 0;
}

/* ---- The hub's outlets ------------------------------------------------------------------------ */

static bool is_empty(const owed_t *owed)
{
    return owed->count == 0 && !owed->enveloped;
}

static void check_answer(struct connection *connection, bytes_t envelope, bytes_t answer)
{
    while (connection->first < connection->last && is_empty(&connection->owed[connection->first]))
        connection->first++;
    CHECK(connection->first < connection->last);
    const owed_t *owed = &connection->owed[connection->first++];
    CHECK(owed->enveloped == (envelope.size > 0));
    unsigned count = 0;
    for (size_t at = 0; at < answer.size; count++) {
        rpc_reply_t reply;
        CHECK(rpc_read_reply(answer, &at, &reply) == RPC_STEP_MESSAGE);
        CHECK(reply.kind == RPC_RESPONSE);
        CHECK(count < owed->count && reply.msgid == owed->msgids[count]);
    }
    connection->broke |= count < owed->count;
}

static status_t op_send(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                        buffer_t *answer)
{
    world_t *world = context;
    CHECK(bytes_equal(identity, bytes_from_text(connection->identity)));
    CHECK(!connection->lost && !connection->cut && !connection->ended);
    CHECK(answer->size <= world->hub->settings->limits.message && !answer->failed);
    rpc_reply_t reply;
    size_t at = 0;
    bool pushed = answer->size > 0 && rpc_read_reply(buffer_bytes(answer), &at, &reply) == RPC_STEP_MESSAGE &&
                  reply.kind == RPC_NOTIFICATION;
    const session_t *session = connection->session;
    if (pushed && connection->begins)
        CHECK(at == answer->size && envelope.size == 0);
    else if (pushed && session == NULL) /* the session ended by `forget` of its own client */
        CHECK(at == answer->size && envelope.size == 0 && bytes_equal(reply.method, bytes_from_text("bye")));
    else if (pushed)
        CHECK(at == answer->size && envelope.size == 0 && !session->enveloped && !session_runs(session) &&
              !session->unproven);
    else
        check_answer(connection, envelope, buffer_bytes(answer));
    return connection->full ? STATUS_RESOURCE_EXHAUSTED : STATUS_OK;
}

static void op_release(void *context, struct connection *connection, bool cut)
{
    (void)context;
    CHECK(!connection->lost && !connection->cut);
    connection->session = NULL;
    connection->cut = cut;
}

static bool op_verify(void *context, uint64_t job, const char *hash, bytes_t password)
{
    world_t *world = context;
    CHECK(hash[0] == '$' && password.size <= LIMIT_PASSWORD);
    if (world->verify_fails || world->job_count == JOBS_MAX)
        return false;
    world->jobs[world->job_count++] = job;
    return true;
}

static bool op_congested(void *context, struct connection *connection)
{
    (void)context;
    return connection->full;
}

static size_t op_audience(void *context)
{
    (void)context;
    return 1;
}

/* Checks that events are published without a gap in the sequence. */
static void op_publish(void *context, bytes_t topic, buffer_t *payload)
{
    world_t *world = context;
    rpc_reply_t reply;
    size_t at = 0;
    CHECK(topic.size >= 1 && topic.data[topic.size - 1] == '/' && !payload->failed);
    CHECK(rpc_read_reply(buffer_bytes(payload), &at, &reply) == RPC_STEP_MESSAGE && at == payload->size);
    CHECK(reply.kind == RPC_NOTIFICATION);
    if (bytes_equal(reply.method, bytes_from_text("event")))
        CHECK(++world->published == engine_seq(world->hub->engine));
    else
        CHECK(bytes_equal(reply.method, bytes_from_text("sync")) && topic.size == 1);
}

static void op_endpoint(void *context, struct connection *connection, char *text, size_t text_size)
{
    (void)context;
    CHECK(!connection->lost && !connection->cut);
    snprintf(text, text_size, "tcp://127.0.0.1:5001");
}

static outlets_t outlets_of(world_t *world)
{
    outlets_t outlets = idle_outlets(world);
    outlets.transport.send = op_send;
    outlets.transport.congested = op_congested;
    outlets.transport.release = op_release;
    outlets.publisher.audience = op_audience;
    outlets.publisher.publish = op_publish;
    outlets.publisher.endpoint = op_endpoint;
    outlets.verification.submit = op_verify;
    return outlets;
}

/* ---- Checks after a step ---------------------------------------------------------------------- */

/* Checks that each connection got all its answers, unless its session waits, and that the hub is consistent.
 */
static void check_all(world_t *world)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &world->connections[i];
        if (connection->session == NULL) {
            connection->first = connection->last = 0;
        } else {
            CHECK(!connection->broke);
            while (connection->first < connection->last && is_empty(&connection->owed[connection->first]))
                connection->first++;
            CHECK(connection->first == connection->last || connection->session->wait.what != WAIT_NONE);
        }
        if (connection->first == connection->last)
            connection->first = connection->last = 0;
        connection->broke = false;
        connection->ended = connection->session == NULL;
    }
    CHECK(engine_seq(world->hub->engine) >= world->seq);
    world->seq = engine_seq(world->hub->engine);
    world_check(world);
}

/* ---- Payloads --------------------------------------------------------------------------------- */

static const char *const names[] = {"ann", "bob", "conf", "12", "n/o"};
static const char *const keys[] = {"a", "ab", "b", ""};
static const char secrets[2][17] = {"0123456789abcdef", "ssssssssssssssss"};

static void write_client(world_t *world, buffer_t *to)
{
    uint8_t choice = take(world);
    if (choice % 3 == 0)
        rpc_write_uint(to, 40000 + choice % 8);
    else
        rpc_write_text(to, names[choice % (sizeof names / sizeof names[0])]);
}

static void write_key(world_t *world, buffer_t *to)
{
    rpc_write_text(to, keys[take(world) % 4]);
}

static void write_value(world_t *world, buffer_t *to)
{
    static const uint8_t zeros[300];
    uint8_t choice = take(world);
    if (choice % 4 == 0)
        rpc_write_bin(to, bytes_of(zeros, choice + choice % 3U * 20U));
    else
        rpc_write_str(to, bytes_of((const uint8_t *)"value value value value ", choice % 24));
}

static void write_options(world_t *world, buffer_t *to)
{
    uint8_t choice = take(world);
    unsigned count = 0;
    for (unsigned bit = 0; bit < 7; bit++)
        count += choice >> bit & 1;
    rpc_write_map(to, count);
    if (choice & 1) {
        rpc_write_text(to, "ttl_ms");
        rpc_write_uint(to, take(world) * 8U);
    }
    if (choice & 2) {
        rpc_write_text(to, "if_revision");
        rpc_write_uint(to, take(world));
    }
    if (choice & 4) {
        rpc_write_text(to, "create");
        rpc_write_bool(to, true);
    }
    if (choice & 8) {
        rpc_write_text(to, "secret");
        rpc_write_text(to, secrets[take(world) % 2]);
    }
    if (choice & 16) {
        rpc_write_text(to, "after");
        write_key(world, to);
    }
    if (choice & 32) {
        rpc_write_text(to, "limit");
        rpc_write_uint(to, take(world) % 4);
    }
    if (choice & 64) {
        rpc_write_text(to, "prefix");
        write_key(world, to);
    }
}

static void write_params(world_t *world, buffer_t *to, const char *form)
{
    rpc_write_array(to, (uint32_t)strlen(form));
    for (; *form; form++) {
        switch (*form) {
        case 'k':
            write_key(world, to);
            break;
        case 'v':
            write_value(world, to);
            break;
        case 'o':
            write_options(world, to);
            break;
        case 'c':
            write_client(world, to);
            break;
        case 's':
            rpc_write_map(to, 1);
            rpc_write_text(to, "secret");
            rpc_write_text(to, secrets[take(world) % 2]);
            break;
        case 'w':
            rpc_write_map(to, 1);
            rpc_write_text(to, "after");
            rpc_write_uint(to, take(world));
            break;
        case 'b':
            rpc_write_bool(to, take(world) % 4 != 0);
            break;
        case 'n':
            rpc_write_uint(to, take(world));
            break;
        case 'u':
            rpc_write_text(to, take(world) % 4 == 0 ? "nobody" : "adam");
            break;
        case 'r':
            rpc_write_text(to, take(world) % 2 == 0 ? "guest" : "manager");
            break;
        case 'm': {
            static const char *const managed[] = {"get", "put", "del", "list", "digest", "entry", "ping"};
            rpc_write_text(to, managed[take(world) % 7]);
            break;
        }
        default:
            rpc_write_nil(to);
        }
    }
}

static void write_message(world_t *world, buffer_t *to, uint32_t msgid)
{
    static const struct {
        const char *method;
        const char *form;
    } shapes[] = {
        {"get", "k"},      {"put", "kv"},      {"put", "kvo"},      {"del", "k"},     {"del", "ko"},
        {"entry", "k"},    {"list", ""},       {"list", "ko"},      {"digest", ""},   {"ping", ""},
        {"hello", ""},     {"hello", "s"},     {"auth", "uu"},      {"auth", "uu"},   {"bye", ""},
        {"clients", ""},   {"clients", "o"},   {"role", "cr"},      {"forget", "c"},  {"stats", ""},
        {"manage", "cmk"}, {"manage", "cmkv"}, {"manage", "cmkvo"}, {"manage", "cm"}, {"get", "kk"},
        {"nothing", "k"},  {"watch", "b"},     {"watch", "bw"},     {"events", ""},   {"replay", "n"},
        {"replay", "nw"},  {"put", "k"},       {"hello", "o"},
    };
    uint8_t choice = take(world);
    unsigned shape = choice % (sizeof shapes / sizeof shapes[0]);
    bytes_t method = bytes_from_text(shapes[shape].method);
    if (choice >= 240)
        rpc_write_notification(to, method);
    else
        rpc_write_request(to, msgid, method);
    write_params(world, to, shapes[shape].form);
}

static void write_payload(world_t *world, buffer_t *to)
{
    uint8_t kind = take(world);
    if (kind >= 224) { /* raw bytes of the input */
        size_t left = world->size - world->at;
        size_t size = take(world);
        left = world->size - world->at;
        if (size >= left)
            size = left;
        buffer_append(to, world->data + world->at, size);
        world->at += size;
        return;
    }
    unsigned count = kind < 128 ? 1 : kind % (BATCH + 2);
    for (unsigned i = 0; i < count; i++)
        write_message(world, to, 1000U * kind + i);
}

/* Fills OWED with the msgids of the answers that PAYLOAD must get. */
static void owe(owed_t *owed, bytes_t payload, const char *fault)
{
    owed->count = 0;
    if (fault != NULL || rpc_foreign(payload) != NULL || rpc_count(payload, BATCH) > BATCH) {
        owed->msgids[owed->count++] = 0;
        return;
    }
    for (size_t at = 0;;) {
        rpc_message_t message;
        switch (rpc_read(payload, &at, &message)) {
        case RPC_STEP_END:
            return;
        case RPC_STEP_BROKEN:
            owed->msgids[owed->count++] = 0;
            return;
        case RPC_STEP_MESSAGE:
            if (message.kind == RPC_REQUEST || (message.kind == RPC_ILL_FORMED && message.answered))
                owed->msgids[owed->count++] = message.msgid;
        }
    }
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static void step_receive(world_t *world, struct connection *connection)
{
    static const uint8_t frames[] = {0, 0, 0, 0};
    uint8_t how = take(world);
    if (connection->lost || connection->cut)
        return;
    buffer_t payload;
    buffer_init(&payload, 65536);
    write_payload(world, &payload);
    const char *fault = how == 255 ? "frames" : NULL;
    arrival_t arrival = {
        .connection = connection,
        .identity = bytes_from_text(connection->identity),
        .peer = bytes_from_text(connection->peer),
        .envelope = how >= 192 && fault == NULL ? bytes_of(frames, sizeof frames) : (bytes_t){0},
        .payload = buffer_bytes(&payload),
        .fault = fault,
    };
    CHECK(!payload.failed && connection->last < PAYLOADS_MAX);
    owed_t *owed = &connection->owed[connection->last++];
    owed->enveloped = arrival.envelope.size > 0;
    owe(owed, arrival.payload, fault);
    connection->ended = false;
    connection->begins = !connection->session;
    session_t *session = hub_receive(world->hub, connection->session, &arrival, world->now_ms);
    connection->session = session;
    connection->begins = false;
    buffer_release(&payload);
}

static void step_connect(world_t *world, struct connection *connection)
{
    static const char *const identities[] = {"",     "ann", "ann/1", "bob/2", "conf/3",
                                             "conf", "12",  "x y",   "n/o/p"};
    if (connection->session != NULL)
        hub_lost(world->hub, connection->session, world->now_ms);
    owed_t *owed = connection->owed;
    *connection = (struct connection){.owed = owed, .ended = true};
    uint8_t choice = take(world);
    snprintf(connection->identity, sizeof connection->identity, "%s",
             identities[choice % (sizeof identities / sizeof identities[0])]);
    snprintf(connection->peer, sizeof connection->peer, "10.0.0.%d", choice >> 6);
}

static void step_lose(world_t *world, struct connection *connection)
{
    connection->lost = true;
    if (connection->session != NULL)
        hub_lost(world->hub, connection->session, world->now_ms);
    connection->session = NULL;
}

static void step_verified(world_t *world)
{
    uint8_t choice = take(world);
    if (world->job_count == 0)
        return;
    unsigned index = choice / 2 % world->job_count;
    uint64_t job = world->jobs[index];
    world->jobs[index] = world->jobs[--world->job_count];
    hub_verified(world->hub, job, (verdict_t)(choice % 3), world->now_ms);
}

static void step_time(world_t *world)
{
    static const int64_t lengths_ms[] = {0, 1, 7, 100, 1000, 2100, 61000, 400000};
    world->now_ms += lengths_ms[take(world) % 8];
    for (int i = 0; i < 1000 && hub_tick(world->hub, world->now_ms); i++)
        ;
    CHECK(hub_next_due(world->hub) > world->now_ms);
}

static void step_configure(world_t *world)
{
    const settings_t *settings = &world->variants[take(world) % VARIANTS];
    CHECK(hub_configure(world->hub, settings, world->now_ms));
    CHECK(world->hub->settings == settings);
}

static void step(world_t *world)
{
    uint8_t choice = take(world);
    struct connection *connection = &world->connections[choice % CONNECTIONS];
    switch (choice / CONNECTIONS) {
    case 0:
        step_connect(world, connection);
        break;
    case 1:
        step_lose(world, connection);
        break;
    case 2:
    case 3:
        step_time(world);
        break;
    case 4:
    case 5:
    case 6:
        step_verified(world);
        break;
    case 7:
        connection->full = !connection->full;
        break;
    case 8:
        world->verify_fails = choice % 2 != 0;
        break;
    case 31:
        step_configure(world);
        break;
    default:
        step_receive(world, connection);
    }
}

static void settings_make(settings_t *settings, credential_t *manager, credential_t *name)
{
    static char hash[SECRET_HASH_SIZE];
    static char user[] = "adam";
    static char argon[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char conf[] = "conf";
    if (!hash[0])
        secret_hash(bytes_from_text(secrets[0]), hash);
    *manager = (credential_t){.name = user, .hash = argon};
    *name = (credential_t){.name = conf, .hash = hash};
    *settings = (settings_t){
        .timeout_ms = 60000,
        .first_id = 40000,
        .last_id = 40004,
        .managers = manager,
        .manager_count = 1,
        .names = name,
        .name_count = 1,
        .events_keep = 64,
        .events_keep_bytes = 8192,
        .events_inline = 32,
        .limits = {.key = 16,
                   .value = 256,
                   .message = 4096,
                   .batch = BATCH,
                   .clients = CLIENTS,
                   .keys_per_client = 3,
                   .bytes_per_client = 600,
                   .bytes_total = 1200,
                   .outstanding = 4096},
    };
}

/* Makes settings that a reload could bring: SETTINGS, and three with other accounts, claims, times and sizes.
 */
static void variants_make(settings_t variants[VARIANTS], const settings_t *settings)
{
    static char other_secret[SECRET_HASH_SIZE];
    static char user[] = "adam";
    static char argon[] =
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char ann[] = "ann";
    static char conf[] = "conf";
    static credential_t rehashed[] = {{user, argon}};
    static credential_t reclaimed[] = {{ann, other_secret}, {conf, other_secret}};
    if (!other_secret[0])
        secret_hash(bytes_from_text(secrets[1]), other_secret);
    for (int i = 0; i < VARIANTS; i++)
        variants[i] = *settings;
    variants[1].manager_count = 0;
    variants[1].name_count = 0;
    variants[1].timeout_ms = 1000;
    variants[2].managers = rehashed;
    variants[2].names = reclaimed;
    variants[2].name_count = 2;
    variants[3].names = reclaimed; /* ann alone */
    variants[3].events_inline = 0;
    variants[3].limits.value = 8;
    variants[3].limits.key = 2;
    variants[3].limits.keys_per_client = 1;
    variants[3].limits.bytes_total = 1;
}

static void world_end(world_t *world, bool stop)
{
    for (int i = 0; i < CONNECTIONS; i++)
        world->connections[i].full = false;
    if (stop) {
        hub_stop(world->hub, world->now_ms);
        CHECK(sessions_count(world->hub->sessions) == 0);
        for (int i = 0; i < 1000 && world->hub->command_log && hub_waits(world->hub); i++)
            hub_tick(world->hub, world->now_ms);
        CHECK(!hub_waits(world->hub));
        check_all(world);
    }
    hub_destroy(&world->hub);
    for (int i = 0; i < CONNECTIONS; i++)
        free(world->connections[i].owed);
    free(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings_t settings;
    credential_t manager;
    credential_t name;
    CHECK(sodium_init() >= 0);
    settings_make(&settings, &manager, &name);
    world_t *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    variants_make(world->variants, &settings);
    world->data = data;
    world->size = size;
    world->now_ms = 1000000;
    outlets_t outlets = outlets_of(world);
    world->hub = hub_new(&settings, &outlets, world->now_ms, 1700000000000);
    CHECK(world->hub != NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        world->connections[i].owed = malloc(PAYLOADS_MAX * sizeof(owed_t));
        CHECK(world->connections[i].owed != NULL);
        step_connect(world, &world->connections[i]);
    }
    for (int steps = 0; steps < STEPS_MAX && world->at < world->size; steps++) {
        step(world);
        check_all(world);
    }
    world_end(world, size % 2 == 0);
    return 0;
}
