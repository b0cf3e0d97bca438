/* SPDX-License-Identifier: MPL-2.0 */
/* get, entry, put, del, list, digest: on the session's own store, or on the one that `manage` names. */
#include <inttypes.h>

#include "broker/core/due.h"
#include "broker/core/handlers/handlers.h"
#include "broker/core/handlers/page.h"
#include "broker/core/propose.h"
#include "broker/core/session.h"

enum { DIGEST_TURN = 4000 }; /* entries added to a digest in one turn: below a millisecond */

static void value_write(buffer_t *answer, const entry_t *entry)
{
    if (entry->binary)
        rpc_write_bin(answer, entry->value);
    else
        rpc_write_str(answer, entry->value);
}

static void ttl_write(buffer_t *answer, const entry_t *entry)
{
    if (entry->ttl_ms < 0)
        rpc_write_nil(answer);
    else
        rpc_write_uint(answer, (uint64_t)entry->ttl_ms);
}

/* Reads the entry of the request. False if it is absent. */
static bool entry_get(const request_t *request, entry_t *entry)
{
    const engine_t *engine = request->hub->engine;
    bytes_t key = request->args.key;
    return engine_get(engine, request->client->store, key, engine_lookup(engine, key), request->now_ms,
                      entry) == STATUS_OK;
}

/* Answers that the key is absent. A key that is due but has not expired yet expires first: its `expire` event
 * must come before the answer. */
static handling_t absent_write(request_t *request)
{
    hub_t *hub = request->hub;
    if (due_is(hub)) {
        bytes_t key = request->args.key;
        command_t command = {.kind = COMMAND_EXPIRE,
                             .client = request->client,
                             .put = {.key = key, .lookup = engine_lookup(hub->engine, key)}};
        outcome_t outcome;
        if (hub->command_log != NULL || !propose(hub, NULL, &command, &outcome))
            return AGAIN; /* with a log, its expiry is already proposed */
    }
    rpc_write_nil(request->answer);
    return HANDLED;
}

handling_t handle_get(request_t *request)
{
    entry_t entry;
    if (!entry_get(request, &entry))
        return absent_write(request);
    value_write(request->answer, &entry);
    return HANDLED;
}

handling_t handle_entry(request_t *request)
{
    entry_t entry;
    buffer_t *answer = request->answer;
    if (!entry_get(request, &entry))
        return absent_write(request);
    rpc_write_map(answer, 3);
    rpc_write_text(answer, "value");
    value_write(answer, &entry);
    rpc_write_text(answer, "revision");
    rpc_write_uint(answer, entry.revision);
    rpc_write_text(answer, "ttl_ms");
    ttl_write(answer, &entry);
    return HANDLED;
}

static handling_t condition_fail(request_t *request, uint64_t revision)
{
    request->has_detail = true;
    request->detail = revision;
    if (revision == 0)
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the key is absent: read it again before writing");
    return request_fail(request, STATUS_FAILED_PRECONDITION,
                        "the key has revision %" PRIu64 ": read it again before writing", revision);
}

handling_t finish_put(request_t *request, const wait_result_t *result)
{
    const outcome_t *outcome = &result->outcome;
    switch (outcome->kind) {
    case OUTCOME_DONE:
        rpc_write_uint(request->answer, outcome->revision);
        return HANDLED;
    case OUTCOME_CONDITION:
        return condition_fail(request, outcome->revision);
    case OUTCOME_EXISTS:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the client exists already: `secret` claims a name only with its first put");
    case OUTCOME_CLAIMED:
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name is claimed already: leave out `secret`");
    case OUTCOME_CLIENTS:
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "limits/clients is reached: forget a client first");
    case OUTCOME_LIMIT:
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "%s is reached: delete keys, or ask for a higher limit", outcome->limit);
    case OUTCOME_GONE:
        return request_fail_absent(request, command_client_id(result->command));
    case OUTCOME_SIZE:
        return request_fail(request, STATUS_INVALID_ARGUMENT,
                            "the key or the value is longer than the limits that `hello` answers");
    case OUTCOME_MORE:
        return AGAIN;
    default:
        return request_fail_memory(request);
    }
}

handling_t handle_put(request_t *request)
{
    const args_t *args = &request->args;
    char claim[SECRET_HASH_SIZE];
    command_t command = {.kind = COMMAND_PUT,
                         .client = request->client,
                         .by = session_actor(request->session),
                         .put = {.key = args->key,
                                 .lookup = engine_lookup(request->hub->engine, args->key),
                                 .value = args->value,
                                 .binary = args->binary,
                                 .ttl_ms = args->ttl_ms,
                                 .if_revision = args->if_revision}};
    if (args->create) { /* for whoever has the name then */
        command.client = NULL;
        command.name = args->client;
        command.claim = args->given & OPTION_SECRET ? claim : NULL;
        if (command.claim != NULL)
            secret_hash(args->secret, claim);
    }
    return request_propose(request, &command, finish_put);
}

handling_t finish_del(request_t *request, const wait_result_t *result)
{
    const outcome_t *outcome = &result->outcome;
    if (outcome->kind == OUTCOME_CONDITION)
        return condition_fail(request, outcome->revision);
    if (outcome->kind == OUTCOME_GONE)
        return request_fail_absent(request, command_client_id(result->command));
    if (outcome->kind == OUTCOME_MEMORY)
        return request_fail_memory(request);
    if (outcome->kind == OUTCOME_DONE)
        rpc_write_uint(request->answer, outcome->revision);
    else
        rpc_write_nil(request->answer);
    return HANDLED;
}

handling_t handle_del(request_t *request)
{
    command_t command = {.kind = COMMAND_DEL,
                         .client = request->client,
                         .by = session_actor(request->session),
                         .put = {.key = request->args.key,
                                 .lookup = engine_lookup(request->hub->engine, request->args.key),
                                 .if_revision = request->args.if_revision}};
    return request_propose(request, &command, finish_del);
}

static void row_write(buffer_t *answer, const entry_t *entry)
{
    rpc_write_array(answer, 4);
    rpc_write_str(answer, entry->key);
    value_write(answer, entry);
    rpc_write_uint(answer, entry->revision);
    ttl_write(answer, entry);
}

handling_t handle_list(request_t *request)
{
    const args_t *args = &request->args;
    buffer_t *answer = request->answer;
    const engine_t *engine = request->hub->engine;
    engine_walk_t walk;
    entry_t entry;
    if (due_is(request->hub)) /* the page must match the events up to its seq */
        return AGAIN;
    engine_walk_begin(&walk, engine, request->client->store, args->prefix,
                      (args->given & OPTION_AFTER) ? &args->after : NULL, request->now_ms);
    rpc_write_map(answer, 3);
    rpc_write_text(answer, "entries");
    page_t page = page_begin(request);
    bool more = engine_walk_next(&walk, &entry);
    while (more && page_open(&page)) {
        row_write(answer, &entry);
        if (!page_add(&page))
            break;
        more = engine_walk_next(&walk, &entry);
    }
    page_end(&page);
    rpc_write_text(answer, "more");
    rpc_write_bool(answer, more);
    rpc_write_text(answer, "seq");
    rpc_write_uint(answer, engine_seq(engine));
    return HANDLED;
}

handling_t handle_digest(request_t *request)
{
    engine_t *engine = request->hub->engine;
    store_t *store = request->client->store;
    /* The first digest of a large store visits all its entries, with other requests in between. */
    if (due_is(request->hub) || !engine_digest_prepare(engine, store, DIGEST_TURN))
        return AGAIN;
    uint64_t digest = engine_digest(engine, store);
    rpc_write_map(request->answer, 3);
    rpc_write_text(request->answer, "seq");
    rpc_write_uint(request->answer, engine_seq(engine));
    rpc_write_text(request->answer, "digest");
    rpc_write_uint(request->answer, digest);
    rpc_write_text(request->answer, "keys");
    rpc_write_uint(request->answer, store_keys(store));
    return HANDLED;
}
