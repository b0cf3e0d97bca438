/* SPDX-License-Identifier: MPL-2.0 */
/* Encodes requests. Owns nothing. */
#include "client/lib/request.h"

#include "client/lib/sized.h"
#include "client/slice.h"
#include "common/limits.h"
#include "common/rpc.h"
#include "common/utf8.h"

static const struct {
    const char *name;
    bool writes;
} methods[METHOD_COUNT] = {
    [METHOD_HELLO] = {"hello", false},     [METHOD_PING] = {"ping", false},
    [METHOD_GET] = {"get", false},         [METHOD_ENTRY] = {"entry", false},
    [METHOD_PUT] = {"put", true},          [METHOD_DEL] = {"del", true},
    [METHOD_LIST] = {"list", false},       [METHOD_DIGEST] = {"digest", false},
    [METHOD_AUTH] = {"auth", false},       [METHOD_BYE] = {"bye", true},
    [METHOD_CLIENTS] = {"clients", false}, [METHOD_STATS] = {"stats", false},
    [METHOD_ROLE] = {"role", true},        [METHOD_FORGET] = {"forget", true},
    [METHOD_WATCH] = {"watch", false},     [METHOD_ANY] = {"", true},
};

const char *method_name(method_t method)
{
    return methods[method].name;
}

bool method_writes(method_t method)
{
    return methods[method].writes;
}

static kvzmq_status_t invalid(request_target_t target, const char *problem)
{
    *target.problem = problem;
    return KVZMQ_INVALID_ARGUMENT;
}

/* Whether SLICE is valid: a size needs data. */
static bool is_bytes(kvzmq_slice_t slice)
{
    return slice.size == 0 || slice.data != NULL;
}

/* Writes the beginning of a request that has COUNT params. */
static void begin(request_target_t target, const char *name, uint32_t count)
{
    buffer_t *buffer = target.buffer;
    if (target.client == NULL) {
        rpc_write_request(buffer, target.msgid, bytes_from_text(name));
        rpc_write_array(buffer, count);
    } else {
        rpc_write_request(buffer, target.msgid, bytes_from_text("manage"));
        rpc_write_array(buffer, count + 2);
        rpc_write_text(buffer, target.client);
        rpc_write_text(buffer, name);
    }
}

/* Ends a request that began at offset START. If the buffer had no room, removes the incomplete request. */
static kvzmq_status_t end(request_target_t target, size_t start)
{
    if (!target.buffer->failed)
        return KVZMQ_OK;
    buffer_truncate(target.buffer, start);
    return KVZMQ_RESOURCE_EXHAUSTED;
}

kvzmq_status_t request_plain(request_target_t target, method_t method)
{
    size_t start = target.buffer->size;
    begin(target, methods[method].name, 0);
    return end(target, start);
}

kvzmq_status_t request_hello(request_target_t target, kvzmq_slice_t secret)
{
    size_t start = target.buffer->size;
    begin(target, methods[METHOD_HELLO].name, secret.size > 0);
    if (secret.size > 0) {
        rpc_write_map(target.buffer, 1);
        rpc_write_text(target.buffer, "secret");
        rpc_write_bin(target.buffer, slice_bytes(secret));
    }
    return end(target, start);
}

/* Sends a text that is not UTF-8 as bytes. A password may be any bytes, and for other texts the broker's
 * error says what is wrong. */
static void write_any(buffer_t *buffer, const char *text)
{
    bytes_t bytes = bytes_from_text(text);
    if (utf8_valid(bytes))
        rpc_write_str(buffer, bytes);
    else
        rpc_write_bin(buffer, bytes);
}

kvzmq_status_t request_texts(request_target_t target, method_t method, const char *first, const char *second)
{
    size_t start = target.buffer->size;
    begin(target, methods[method].name, second != NULL ? 2 : 1);
    write_any(target.buffer, first);
    if (second != NULL)
        write_any(target.buffer, second);
    return end(target, start);
}

kvzmq_status_t request_key(request_target_t target, method_t method, kvzmq_slice_t key)
{
    if (!is_bytes(key))
        return invalid(target, "the key has a size but no data");
    size_t start = target.buffer->size;
    begin(target, methods[method].name, 1);
    rpc_write_str(target.buffer, slice_bytes(key));
    return end(target, start);
}

static void write_number_option(buffer_t *buffer, const char *name, uint64_t number)
{
    rpc_write_text(buffer, name);
    rpc_write_uint(buffer, number);
}

static void write_put_options(buffer_t *buffer, const kvzmq_put_options_t *options)
{
    uint32_t pairs =
        (uint32_t)(options->ttl_ms > 0) + options->conditional + options->create + (options->secret.size > 0);
    if (pairs == 0) {
        rpc_write_nil(buffer);
        return;
    }
    rpc_write_map(buffer, pairs);
    if (options->ttl_ms > 0)
        write_number_option(buffer, "ttl_ms", options->ttl_ms);
    if (options->conditional)
        write_number_option(buffer, "if_revision", options->if_revision);
    if (options->create) {
        rpc_write_text(buffer, "create");
        rpc_write_bool(buffer, true);
    }
    if (options->secret.size > 0) {
        rpc_write_text(buffer, "secret");
        rpc_write_bin(buffer, slice_bytes(options->secret));
    }
}

static kvzmq_status_t check_put(request_target_t target, kvzmq_slice_t key, kvzmq_slice_t value,
                                const kvzmq_put_options_t *options)
{
    if (!is_bytes(key))
        return invalid(target, "the key has a size but no data");
    if (!is_bytes(value))
        return invalid(target, "the value has a size but no data");
    if (!is_bytes(options->secret))
        return invalid(target, "the secret has a size but no data");
    if (options->create && target.client == NULL)
        return invalid(target, "create: name a client; the own store always exists");
    if (options->secret.size > 0 && !options->create)
        return invalid(target, "secret: can be used only with create");
    return KVZMQ_OK;
}

kvzmq_status_t request_put(request_target_t target, kvzmq_slice_t key, kvzmq_slice_t value,
                           const kvzmq_put_options_t *options)
{
    kvzmq_put_options_t own = {0};
    const char *problem = options != NULL ? sized_take(&own, sizeof own, options) : NULL;
    if (problem != NULL)
        return invalid(target, problem);
    kvzmq_status_t status = check_put(target, key, value, &own);
    if (status != KVZMQ_OK)
        return status;
    buffer_t *buffer = target.buffer;
    size_t start = buffer->size;
    begin(target, methods[METHOD_PUT].name, options != NULL ? 3 : 2);
    rpc_write_str(buffer, slice_bytes(key));
    if (value.binary)
        rpc_write_bin(buffer, slice_bytes(value));
    else
        rpc_write_str(buffer, slice_bytes(value));
    if (options != NULL)
        write_put_options(buffer, &own);
    return end(target, start);
}

kvzmq_status_t request_del(request_target_t target, kvzmq_slice_t key, const uint64_t *if_revision)
{
    if (!is_bytes(key))
        return invalid(target, "the key has a size but no data");
    size_t start = target.buffer->size;
    begin(target, methods[METHOD_DEL].name, if_revision != NULL ? 2 : 1);
    rpc_write_str(target.buffer, slice_bytes(key));
    if (if_revision != NULL) {
        rpc_write_map(target.buffer, 1);
        write_number_option(target.buffer, "if_revision", *if_revision);
    }
    return end(target, start);
}

/* In `list` the prefix is a param, in `clients` it is an option. */
kvzmq_status_t request_range(request_target_t target, method_t method, const kvzmq_range_t *range)
{
    kvzmq_range_t own = {0};
    const char *problem = range != NULL ? sized_take(&own, sizeof own, range) : NULL;
    if (problem != NULL)
        return invalid(target, problem);
    range = &own;
    if (!is_bytes(range->prefix) || !is_bytes(range->after))
        return invalid(target, "the range has a size but no data");
    bool list = method == METHOD_LIST;
    bool prefix_option = !list && range->prefix.size > 0;
    buffer_t *buffer = target.buffer;
    size_t start = buffer->size;
    begin(target, methods[method].name, list ? 2 : 1);
    if (list)
        rpc_write_str(buffer, slice_bytes(range->prefix));
    rpc_write_map(buffer, (uint32_t)prefix_option + (range->after.size > 0) + (range->limit > 0));
    if (prefix_option) {
        rpc_write_text(buffer, "prefix");
        rpc_write_str(buffer, slice_bytes(range->prefix));
    }
    if (range->after.size > 0) {
        rpc_write_text(buffer, "after");
        rpc_write_str(buffer, slice_bytes(range->after));
    }
    if (range->limit > 0)
        write_number_option(buffer, "limit", range->limit);
    return end(target, start);
}

kvzmq_status_t request_watch(request_target_t target, bool on, const kvzmq_position_t *after)
{
    size_t start = target.buffer->size;
    begin(target, methods[METHOD_WATCH].name, after != NULL ? 2 : 1);
    rpc_write_bool(target.buffer, on);
    if (after != NULL) {
        rpc_write_map(target.buffer, 2);
        write_number_option(target.buffer, "after", after->seq);
        rpc_write_text(target.buffer, "epoch");
        rpc_write_text(target.buffer, after->epoch);
    }
    return end(target, start);
}

/* Whether PARAMS is exactly one array. Anything else would corrupt the rest of the message. */
static bool is_array(kvzmq_slice_t params)
{
    bytes_t bytes = slice_bytes(params);
    size_t at = 0;
    rpc_value_t head;
    if (!rpc_read_value(bytes, &at, &head) || head.type != RPC_ARRAY)
        return false;
    at = 0;
    return rpc_skip(bytes, &at) && at == bytes.size;
}

kvzmq_status_t request_encoded(request_target_t target, const char *name, kvzmq_slice_t params,
                               unsigned flags)
{
    static const method_t stateful[] = {METHOD_HELLO, METHOD_AUTH, METHOD_BYE};
    if (name == NULL)
        return invalid(target, "no method is given");
    for (size_t i = 0; i < sizeof stateful / sizeof stateful[0]; i++)
        if (strcmp(name, methods[stateful[i]].name) == 0)
            return invalid(target, "hello, auth and bye have functions of their own");
    if ((flags & ~(unsigned)KVZMQ_READ) != 0)
        return invalid(target, "unknown flags");
    if (!is_bytes(params) || (params.size > 0 && !is_array(params)))
        return invalid(target, "the params are not one MessagePack array");
    size_t start = target.buffer->size;
    rpc_write_request(target.buffer, target.msgid, bytes_from_text(name));
    if (params.size > 0)
        buffer_append(target.buffer, params.data, params.size);
    else
        rpc_write_array(target.buffer, 0);
    return end(target, start);
}
