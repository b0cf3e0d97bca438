/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of methods and the order of the checks. Knows neither sockets nor what a method does. */
#include "broker/core/dispatch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/core/handlers/handlers.h"
#include "common/log.h"
#include "common/name.h"
#include "common/utf8.h"

enum { QUOTE_SIZE = 64 }; /* bytes of a quoted name in a message */

#define UNMANAGED METHOD_UNMANAGED
#define PARAMS(...)                                                                                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
static const method_t method_table[] = {
#define METHOD(name, role, required, params, options, managed, changes, handler)                             \
    {#name, sizeof #name - 1, role, required, params, options, managed, changes, handler},
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

status_t request_fail(request_t *request, status_t status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    utf8_vformat(request->problem, sizeof request->problem, format, list);
    va_end(list);
    return status;
}

status_t request_fail_memory(request_t *request)
{
    log_memory("a request is refused");
    return request_fail(request, STATUS_UNAVAILABLE, "the broker is out of memory: try again later");
}

status_t request_fail_unproven(request_t *request)
{
    return request_fail(request, STATUS_UNAUTHENTICATED,
                        "this name is claimed: give its secret in `hello` first");
}

status_t request_again(request_t *request)
{
    session_park(request->session, PARK_TURN, 0);
    return STATUS_OK;
}

/* `manage client method arg…`: binds the client and the method's own params, and sets *METHOD to that method.
 */
static status_t manage_bind(request_t *request, const method_t **method, const rpc_message_t *message)
{
    const limits_t *limits = &request->hub->settings->limits;
    if (message->params < 2)
        return request_fail(request, STATUS_INVALID_ARGUMENT, "takes a client, a method and its params");
    status_t status = args_bind_one(&request->args, message, 0, PARAM_CLIENT, limits, request->problem);
    if (status != STATUS_OK)
        return status;
    const rpc_value_t *name = rpc_param(message, 1);
    if (!name || (name->type != RPC_STR && name->type != RPC_BIN))
        return request_fail(request, STATUS_INVALID_ARGUMENT, "the method to manage with must be a string");
    char quoted[QUOTE_SIZE];
    const method_t *managed = method_find(name->as.bytes);
    if (!managed)
        return request_fail(request, STATUS_UNIMPLEMENTED, "unknown method \"%s\"",
                            utf8_quote(name->as.bytes, quoted, sizeof quoted));
    if (managed->managed_options == METHOD_UNMANAGED)
        return request_fail(request, STATUS_INVALID_ARGUMENT,
                            "%s cannot be managed; get, entry, put, del, list and digest can", managed->name);
    *method = managed;
    status = args_bind(&request->args, message, 2, managed->params, managed->required,
                       managed->managed_options, limits, request->problem);
    if (status != STATUS_OK)
        return status;
    if ((request->args.given & OPTION_SECRET) && !request->args.create)
        return request_fail(request, STATUS_INVALID_ARGUMENT, "secret needs create: true");
    return STATUS_OK;
}

/* The client that a request names. A managed put may create it, `forget` may be about a mere claim: there the
 * handler looks again. */
static status_t client_bind(request_t *request, const method_t *method)
{
    bytes_t id = request->args.client;
    client_t *client = registry_find(request->hub->registry, id);
    if (client && client_exists(client)) {
        request->client = client;
        return STATUS_OK;
    }
    request->client = NULL;
    char quoted[QUOTE_SIZE];
    if (request->args.create) {
        if (!name_valid(id))
            return request_fail(request, STATUS_INVALID_ARGUMENT,
                                "\"%s\" is not a valid name for a client to create",
                                utf8_quote(id, quoted, sizeof quoted));
        return STATUS_OK;
    }
    if (method->handler == handle_forget && client &&
        (client->unproven || (client->claimed && !client->claim_configured)))
        return STATUS_OK;
    return request_fail(request, STATUS_NOT_FOUND, "no client \"%s\": `clients` lists them",
                        utf8_quote(id, quoted, sizeof quoted));
}

status_t dispatch(request_t *request, const method_t *method, const rpc_message_t *message)
{
    const session_t *session = request->session;
    char quoted[QUOTE_SIZE];
    args_init(&request->args);
    request->client = session->client;
    request->has_detail = false;
    if (!method)
        return request_fail(request, STATUS_UNIMPLEMENTED, "unknown method \"%s\"",
                            utf8_quote(message->method, quoted, sizeof quoted));
    if (session->unproven && method->handler != handle_hello)
        return request_fail_unproven(request);
    if (session->role < method->role)
        return request_fail(request, STATUS_PERMISSION_DENIED, "%s is for managers: `auth` first",
                            method->name);
    status_t status;
    if (!method->handler)
        status = manage_bind(request, &method, message);
    else
        status = args_bind(&request->args, message, 0, method->params, method->required, method->options,
                           &request->hub->settings->limits, request->problem);
    if (status != STATUS_OK && session->unproven)
        return request_fail_unproven(request);
    if (status != STATUS_OK)
        return status;
    /* Managers are let in above the limit: else nobody could deal with clients that are too many. */
    bool refused = !session->client && method->handler != handle_bye && method->handler != handle_auth;
    if (refused && session->refusal == STATUS_UNAVAILABLE)
        return request_fail_memory(request);
    if (refused)
        return request_fail(request, STATUS_RESOURCE_EXHAUSTED,
                            "limits/clients is reached: try again later, or `auth` as a manager");
    if (request->args.client.size > 0) {
        status = client_bind(request, method);
        if (status != STATUS_OK)
            return status;
    }
    assert(method->handler);
    return method->handler(request);
}
