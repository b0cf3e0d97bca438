/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the tables of param kinds and options: how each is named, checked and stored. */
#include "broker/core/params.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/engine/engine.h"
#include "common/utf8.h"

static status_t problem_set(char problem[PARAM_PROBLEM_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static status_t problem_set(char problem[PARAM_PROBLEM_SIZE], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    utf8_vformat(problem, PARAM_PROBLEM_SIZE, format, list);
    va_end(list);
    return STATUS_INVALID_ARGUMENT;
}

/* ---- Types ------------------------------------------------------------------------------------ */

/* LOW to HIGH bytes, as str or bin. */
static status_t bytes_bind(const rpc_value_t *value, const char *what, uint64_t low, uint64_t high,
                           bytes_t *data, char problem[PARAM_PROBLEM_SIZE])
{
    if (value->type != RPC_STR && value->type != RPC_BIN)
        return problem_set(problem, "%s must be a string", what);
    bytes_t bytes = value->as.bytes;
    if (bytes.size < low || bytes.size > high)
        return problem_set(problem, "%s must be %" PRIu64 " to %" PRIu64 " bytes, not %zu", what, low, high,
                           bytes.size);
    *data = bytes;
    return STATUS_OK;
}

/* A text of LOW to HIGH bytes. A bin is allowed too if it is valid UTF-8 (a str always is). */
static status_t text_bind(const rpc_value_t *value, const char *what, uint64_t low, uint64_t high,
                          bytes_t *text, char problem[PARAM_PROBLEM_SIZE])
{
    bytes_t data = {0};
    status_t status = bytes_bind(value, what, low, high, &data, problem);
    if (status != STATUS_OK)
        return status;
    if (value->type == RPC_BIN && !utf8_valid(data))
        return problem_set(problem, "%s must be valid UTF-8", what);
    *text = data;
    return STATUS_OK;
}

static status_t number_bind(const rpc_value_t *value, const char *what, uint64_t low, uint64_t high,
                            uint64_t *number, char problem[PARAM_PROBLEM_SIZE])
{
    if (value->type != RPC_UINT && value->type != RPC_INT)
        return problem_set(problem, "%s must be a whole number", what);
    if (value->type == RPC_INT || value->as.number < low || value->as.number > high)
        return problem_set(problem, "%s must be %" PRIu64 " to %" PRIu64, what, low, high);
    *number = value->as.number;
    return STATUS_OK;
}

static status_t bool_bind(const rpc_value_t *value, const char *what, bool *flag,
                          char problem[PARAM_PROBLEM_SIZE])
{
    if (value->type != RPC_BOOL)
        return problem_set(problem, "%s must be true or false", what);
    *flag = value->as.boolean;
    return STATUS_OK;
}

/* ---- Params ----------------------------------------------------------------------------------- */

/* The id of a client: a text, or a number that stands for its digits. */
static status_t client_bind(args_t *args, const rpc_value_t *value, bytes_t *client,
                            char problem[PARAM_PROBLEM_SIZE])
{
    if (value->type != RPC_UINT)
        return text_bind(value, "client", 1, LIMIT_NAME, client, problem);
    int size = snprintf(args->digits, sizeof args->digits, "%" PRIu64, value->as.number);
    *client = bytes_of(args->digits, (size_t)size);
    return STATUS_OK;
}

static status_t value_bind(args_t *args, const rpc_value_t *value, const limits_t *limits,
                           char problem[PARAM_PROBLEM_SIZE])
{
    if (value->type != RPC_STR && value->type != RPC_BIN)
        return problem_set(problem, "value must be a string or bytes");
    if (value->as.bytes.size > limits->value)
        return problem_set(problem, "value must be at most %" PRIu64 " bytes, not %zu", limits->value,
                           value->as.bytes.size);
    args->value = value->as.bytes;
    args->binary = value->type == RPC_BIN;
    return STATUS_OK;
}

static status_t role_bind(args_t *args, const rpc_value_t *value, char problem[PARAM_PROBLEM_SIZE])
{
    bytes_t role = {0};
    if (value->type == RPC_STR || value->type == RPC_BIN)
        role = value->as.bytes;
    args->manager = bytes_equal(role, bytes_from_text("manager"));
    if (!args->manager && !bytes_equal(role, bytes_from_text("guest")))
        return problem_set(problem, "role must be \"guest\" or \"manager\"");
    return STATUS_OK;
}

static status_t param_bind(args_t *args, const rpc_value_t *value, param_t param, const limits_t *limits,
                           char problem[PARAM_PROBLEM_SIZE])
{
    switch (param) {
    case PARAM_KEY:
        return text_bind(value, "key", 1, limits->key, &args->key, problem);
    case PARAM_VALUE:
        return value_bind(args, value, limits, problem);
    case PARAM_PREFIX:
        return text_bind(value, "prefix", 0, LIMIT_KEY_MAX, &args->prefix, problem);
    case PARAM_USER:
        return text_bind(value, "user", 1, LIMIT_USER, &args->user, problem);
    case PARAM_PASSWORD:
        return bytes_bind(value, "password", 0, LIMIT_PASSWORD, &args->password, problem);
    case PARAM_CLIENT:
        return client_bind(args, value, &args->client, problem);
    case PARAM_ROLE:
        return role_bind(args, value, problem);
    case PARAM_AFTER:
        return number_bind(value, "after", 0, UINT64_MAX, &args->after_seq, problem);
    case PARAM_BOOL:
        return bool_bind(value, "watch", &args->flag, problem);
    case PARAM_NONE:
    case PARAM_OPTIONS:
        break;
    }
    assert(false && "a param that is bound elsewhere");
    return STATUS_INTERNAL;
}

/* ---- Options ---------------------------------------------------------------------------------- */

static const struct option {
    const char *name;
    unsigned bit;
} option_table[] = {
    {"secret", OPTION_SECRET}, {"ttl_ms", OPTION_TTL_MS},   {"if_revision", OPTION_IF_REVISION},
    {"after", OPTION_AFTER},   {"limit", OPTION_LIMIT},     {"prefix", OPTION_PREFIX},
    {"create", OPTION_CREATE}, {"after", OPTION_AFTER_SEQ}, {"client", OPTION_OF_CLIENT},
    {"epoch", OPTION_EPOCH},
};

static status_t option_bind(args_t *args, const rpc_value_t *value, unsigned bit,
                            char problem[PARAM_PROBLEM_SIZE])
{
    switch (bit) {
    case OPTION_SECRET:
        return bytes_bind(value, "secret", LIMIT_SECRET_MIN, LIMIT_SECRET_MAX, &args->secret, problem);
    case OPTION_TTL_MS:
        return number_bind(value, "ttl_ms", 1, LIMIT_TTL_MS, &args->ttl_ms, problem);
    case OPTION_IF_REVISION:
        return number_bind(value, "if_revision", 0, LIMIT_REVISION, &args->if_revision, problem);
    case OPTION_AFTER:
        return text_bind(value, "after", 0, LIMIT_KEY_MAX, &args->after, problem);
    case OPTION_LIMIT:
        return number_bind(value, "limit", 1, LIMIT_PAGE_ENTRIES, &args->limit, problem);
    case OPTION_PREFIX:
        return text_bind(value, "prefix", 0, LIMIT_KEY_MAX, &args->prefix, problem);
    case OPTION_AFTER_SEQ:
        return number_bind(value, "after", 0, UINT64_MAX, &args->after_seq, problem);
    case OPTION_OF_CLIENT:
        return client_bind(args, value, &args->of_client, problem);
    case OPTION_EPOCH:
        return text_bind(value, "epoch", 0, LIMIT_NAME, &args->epoch, problem);
    default:
        assert(bit == OPTION_CREATE);
        return bool_bind(value, "create", &args->create, problem);
    }
}

static const struct option *option_find(bytes_t name, unsigned options)
{
    for (size_t i = 0; i < sizeof option_table / sizeof option_table[0]; i++) {
        if ((option_table[i].bit & options) && bytes_equal(name, bytes_from_text(option_table[i].name)))
            return &option_table[i];
    }
    return NULL;
}

static status_t options_bind(args_t *args, const rpc_value_t *map, unsigned options,
                             char problem[PARAM_PROBLEM_SIZE])
{
    if (map->type == RPC_NIL)
        return STATUS_OK;
    if (map->type != RPC_MAP)
        return problem_set(problem, "options must be a map or nil");
    const rpc_value_t *key = map + 1;
    unsigned seen = 0;
    for (uint32_t i = 0; i < map->as.count; i++) {
        if (key->type != RPC_STR && key->type != RPC_BIN)
            return problem_set(problem, "keys of options must be strings");
        char quoted[UTF8_QUOTE_SIZE];
        const struct option *option = option_find(key->as.bytes, options);
        if (option == NULL)
            return problem_set(problem, "unknown option \"%s\"",
                               utf8_quote(key->as.bytes, quoted, sizeof quoted));
        if (seen & option->bit)
            return problem_set(problem, "option \"%s\" is given twice", option->name);
        seen |= option->bit;
        const rpc_value_t *value = key + key->span;
        if (value->type != RPC_NIL) {
            status_t status = option_bind(args, value, option->bit, problem);
            if (status != STATUS_OK)
                return status;
            args->given |= option->bit;
        }
        key = value + value->span;
    }
    return STATUS_OK;
}

/* ---- Binding ---------------------------------------------------------------------------------- */

void args_init(args_t *args)
{
    *args = (args_t){.if_revision = REVISION_ANY, .limit = LIMIT_PAGE_DEFAULT};
}

status_t args_bind(args_t *args, const rpc_message_t *message, uint32_t first,
                   const param_t params[PARAMS_MAX], uint32_t required, unsigned options,
                   const limits_t *limits, char problem[PARAM_PROBLEM_SIZE])
{
    uint32_t most = 0;
    while (most < PARAMS_MAX && params[most] != PARAM_NONE)
        most++;
    uint32_t count = message->params < first ? 0 : message->params - first;
    if (count < required || count > most) {
        return most == required
                   ? problem_set(problem, "takes %" PRIu32 " params, not %" PRIu32, most, count)
                   : problem_set(problem, "takes %" PRIu32 " to %" PRIu32 " params, not %" PRIu32, required,
                                 most, count);
    }
    if (message->truncated) /* more values than any method takes: `values` does not hold them all */
        return problem_set(problem, "params hold too many values");
    const rpc_value_t *value = count > 0 ? rpc_param(message, first) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        status_t status;
        if (params[i] == PARAM_OPTIONS)
            status = options_bind(args, value, options, problem);
        else
            status = param_bind(args, value, params[i], limits, problem);
        if (status != STATUS_OK)
            return status;
        value += value->span;
    }
    return STATUS_OK;
}

status_t args_bind_one(args_t *args, const rpc_message_t *message, uint32_t i, param_t param,
                       const limits_t *limits, char problem[PARAM_PROBLEM_SIZE])
{
    const rpc_value_t *value = rpc_param(message, i);
    if (value == NULL)
        return problem_set(problem, "params hold too many values");
    return param_bind(args, value, param, limits, problem);
}
