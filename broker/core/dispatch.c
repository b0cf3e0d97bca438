/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of methods and the order of the checks. Knows neither sockets nor what a method does. */
#include "broker/core/dispatch.h"

#include "broker/core/handlers/handlers.h"
#include "broker/core/hub_state.h"
#include "broker/core/propose.h"
#include "common/name.h"
#include "common/utf8.h"

#define PARAMS(...)                                                                                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
enum {
    CHANGES = METHOD_CHANGES,
    PROVES = METHOD_PROVES,
    ADMITS = METHOD_ADMITS,
    OF_CLAIM = METHOD_OF_CLAIM,
    MANAGES = METHOD_MANAGES,
    UNMANAGED = METHOD_UNMANAGED,
    READS = METHOD_READS,
    STREAMS = METHOD_STREAMS
};
static const method_t method_table[] = {
#define METHOD(name, role, required, params, options, managed, flags, handler, finish)                       \
    {#name, sizeof #name - 1, role, required, params, options, managed, flags, handler, finish},
#include "broker/core/methods.def"
#undef METHOD
};

const method_t *method_find(bytes_t name)
{
    for (size_t i = 0; i < sizeof method_table / sizeof method_table[0]; i++) {
        const method_t *method = &method_table[i];
        if (name.size == method->name_size && memcmp(name.data, method->name, name.size) == 0)
            return method;
    }
    return NULL;
}

/* `manage client method arg…`: binds the client and the method's own params, and sets request->method to that
 * method. False: request->status and request->problem say why. */
static bool manage_bind(request_t *request, const rpc_message_t *message)
{
    const limits_t *limits = &request->hub->settings->limits;
    if (message->params < 2) {
        request_fail(request, STATUS_INVALID_ARGUMENT, "takes a client, a method and its params");
        return false;
    }
    request->status = args_bind_one(&request->args, message, 0, PARAM_CLIENT, limits, request->problem);
    if (request->status != STATUS_OK)
        return false;
    const rpc_value_t *name = rpc_param(message, 1);
    if (name == NULL || (name->type != RPC_STR && name->type != RPC_BIN)) {
        request_fail(request, STATUS_INVALID_ARGUMENT, "the method to manage with must be a string");
        return false;
    }
    char quoted[UTF8_QUOTE_SIZE];
    const method_t *managed = method_find(name->as.bytes);
    if (managed == NULL) {
        request_fail(request, STATUS_UNIMPLEMENTED, "unknown method \"%s\"",
                     utf8_quote(name->as.bytes, quoted, sizeof quoted));
        return false;
    }
    if (managed->flags & METHOD_UNMANAGED) {
        request_fail(request, STATUS_INVALID_ARGUMENT,
                     "%s cannot be managed; get, entry, put, del, list and digest can", managed->name);
        return false;
    }
    request->method = managed;
    request->status = args_bind(&request->args, message, 2, managed->params, managed->required,
                                managed->managed_options, limits, request->problem);
    if (request->status == STATUS_OK && (request->args.given & OPTION_SECRET) && !request->args.create)
        request_fail(request, STATUS_INVALID_ARGUMENT, "secret needs create: true");
    return request->status == STATUS_OK;
}

/* Binds the params, and sets request->method to the method that they are for. False: they are invalid. */
static bool params_bind(request_t *request, const method_t *method, const rpc_message_t *message)
{
    request->method = method;
    if (method->flags & METHOD_MANAGES)
        return manage_bind(request, message);
    request->status = args_bind(&request->args, message, 0, method->params, method->required, method->options,
                                &request->hub->settings->limits, request->problem);
    return request->status == STATUS_OK;
}

/* Finds the client that a request names. If it does not exist, a `put` may create it and a `forget` may be
 * about a claim: the handler looks again. False if it must exist and does not. */
static bool client_bind(request_t *request)
{
    bytes_t id = request->args.client;
    client_t *client = registry_find(request->hub->registry, id);
    bool exists = client != NULL && client_exists(client);
    request->client = exists ? client : NULL;
    if (exists)
        return true;
    if (request->args.create) {
        char quoted[UTF8_QUOTE_SIZE];
        if (name_valid(id))
            return true;
        request_fail(request, STATUS_INVALID_ARGUMENT, "\"%s\" is not a valid name for a client to create",
                     utf8_quote(id, quoted, sizeof quoted));
        return false;
    }
    if ((request->method->flags & METHOD_OF_CLAIM) && client != NULL &&
        (client->local.unproven != NULL || (client->claimed && !client->claim_configured)))
        return true;
    request_fail_absent(request, id);
    return false;
}

handling_t dispatch(request_t *request, const method_t *method, const rpc_message_t *message)
{
    const session_t *session = request->session;
    char quoted[UTF8_QUOTE_SIZE];
    args_init(&request->args);
    request->client = session->client;
    request->has_detail = false;
    request->cost = 0;
    if (method == NULL)
        return request_fail(request, STATUS_UNIMPLEMENTED, "unknown method \"%s\"",
                            utf8_quote(message->method, quoted, sizeof quoted));
    if (session->unproven && !(method->flags & METHOD_PROVES))
        return request_fail_unproven(request);
    if (session->role < method->role)
        return request_fail(request, STATUS_PERMISSION_DENIED, "%s is for managers: `auth` first",
                            method->name);
    if (!params_bind(request, method, message))
        return session->unproven ? request_fail_unproven(request) : FAILED;
    /* Managers are admitted above the limit: otherwise nobody could remove clients if there are too many. */
    bool refused = session->client == NULL && !(method->flags & METHOD_ADMITS);
    if (refused && session->refusal == STATUS_UNAVAILABLE)
        return request_fail_memory(request);
    if (refused)
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "limits/clients is reached: try again later, or `auth` as a manager");
    bool named = request->args.client.size > 0;
    if ((named || (request->method->flags & METHOD_READS)) && !propose_barrier(request->session))
        return AGAIN;
    if (named && !client_bind(request))
        return FAILED;
    return request->method->handler(request);
}
