/* SPDX-License-Identifier: MPL-2.0 */
/* get, entry, put, del, list, digest: on the session's own store, or on the one that `manage` names. */
#include <inttypes.h>

#include "broker/core/handlers/handlers.h"
#include "broker/core/handlers/page.h"
#include "broker/core/hub_state.h"
#include "broker/core/session.h"

enum { DIGEST_TURN = 4000 }; /* entries of a digest that is made, in one turn: below a millisecond */

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

handling_t handle_get(request_t *request)
{
    entry_t entry;
    if (engine_get(request->hub->engine, request->client->store, request->args.key, request->now_ms,
                   &entry) == STATUS_OK)
        value_write(request->answer, &entry);
    else
        rpc_write_nil(request->answer);
    return HANDLED;
}

handling_t handle_entry(request_t *request)
{
    entry_t entry;
    buffer_t *answer = request->answer;
    if (engine_get(request->hub->engine, request->client->store, request->args.key, request->now_ms,
                   &entry) != STATUS_OK) {
        rpc_write_nil(answer);
        return HANDLED;
    }
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
                            "the key is absent: read it anew before writing");
    return request_fail(request, STATUS_FAILED_PRECONDITION,
                        "the key has revision %" PRIu64 ": read it anew before writing", revision);
}

/* Makes the client that a managed put with `create` names: HANDLED if it is there. The put is known to meet
 * its condition. */
static handling_t client_create(request_t *request)
{
    registry_t *registry = request->hub->registry;
    if (request->args.if_revision != REVISION_ANY && request->args.if_revision != 0)
        return condition_fail(request, 0);
    client_t *client = registry_obtain(registry, request->args.client);
    if (!client)
        return request_fail_memory(request);
    if ((request->args.given & OPTION_SECRET) && client->claimed) {
        registry_review(registry, client);
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the name is claimed already: leave out `secret`");
    }
    status_t status = registry_open(registry, client, false, request->now_ms);
    if (status != STATUS_OK) {
        registry_review(registry, client);
        if (status == STATUS_UNAVAILABLE)
            return request_fail_memory(request);
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "limits/clients is reached: forget a client first");
    }
    request->client = client;
    return HANDLED;
}

handling_t handle_put(request_t *request)
{
    const args_t *args = &request->args;
    bool created = !request->client;
    if (created) {
        if (client_create(request) != HANDLED)
            return FAILED;
    } else if (args->given & OPTION_SECRET) {
        return request_fail(request, STATUS_FAILED_PRECONDITION,
                            "the client exists already: `secret` claims a name only with its first put");
    }
    put_t put = {.key = args->key,
                 .value = args->value,
                 .binary = args->binary,
                 .ttl_ms = args->ttl_ms,
                 .if_revision = args->if_revision};
    uint64_t revision = 0;
    const char *limit = NULL;
    status_t status = engine_put(request->hub->engine, request->client->store, &put,
                                 session_actor(request->session), request->now_ms, &revision, &limit);
    if (status == STATUS_OK) {
        if (created && (args->given & OPTION_SECRET)) {
            secret_hash(args->secret, request->client->claim);
            request->client->claimed = true;
        }
        rpc_write_uint(request->answer, revision);
        return HANDLED;
    }
    if (created)
        registry_undo(request->hub->registry, request->client);
    if (status == STATUS_RESOURCE_EXHAUSTED && !limit)
        return AGAIN;
    if (status == STATUS_FAILED_PRECONDITION)
        return condition_fail(request, revision);
    if (status == STATUS_UNAVAILABLE)
        return request_fail_memory(request);
    return request_fail(request, status, "%s is reached: delete keys, or ask for a higher limit", limit);
}

handling_t handle_del(request_t *request)
{
    uint64_t revision = 0;
    status_t status =
        engine_del(request->hub->engine, request->client->store, request->args.key, request->args.if_revision,
                   session_actor(request->session), request->now_ms, &revision);
    if (status == STATUS_FAILED_PRECONDITION)
        return condition_fail(request, revision);
    if (status == STATUS_OK)
        rpc_write_uint(request->answer, revision);
    else
        rpc_write_nil(request->answer);
    return HANDLED;
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
    engine_t *engine = request->hub->engine;
    engine_walk_t walk;
    entry_t entry;
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
    if (engine_walk_broken(&walk))
        return AGAIN;
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
    /* The first digest of a large store goes through all of it: others are served in between. */
    if (!engine_digest_prepare(engine, store, request->now_ms, DIGEST_TURN))
        return AGAIN;
    uint64_t digest = engine_digest(engine, store, request->now_ms);
    rpc_write_map(request->answer, 3);
    rpc_write_text(request->answer, "seq");
    rpc_write_uint(request->answer, engine_seq(engine));
    rpc_write_text(request->answer, "digest");
    rpc_write_uint(request->answer, digest);
    rpc_write_text(request->answer, "keys");
    rpc_write_uint(request->answer, store_keys(store));
    return HANDLED;
}
