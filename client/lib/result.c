/* SPDX-License-Identifier: MPL-2.0 */
/* Decodes results by tables of fields. Owns nothing, allocates nothing. */
#include "client/lib/result.h"

#include <assert.h>

#include "client/slice.h"
#include "common/utf8.h"

#define FIELDS(table) (table), sizeof(table) / sizeof *(table)

static bool take_slice(const rpc_value_t *value, kvzmq_slice_t *slice)
{
    if (value->type != RPC_STR && value->type != RPC_BIN && value->type != RPC_NIL)
        return false;
    *slice = (kvzmq_slice_t){0};
    if (value->type != RPC_NIL)
        *slice = (kvzmq_slice_t){.data = (const char *)value->as.bytes.data,
                                 .size = value->as.bytes.size,
                                 .binary = value->type == RPC_BIN};
    return true;
}

static bool take_ttl(const rpc_value_t *value, int64_t *ttl_ms)
{
    if (value->type == RPC_UINT && value->as.number <= INT64_MAX)
        *ttl_ms = (int64_t)value->as.number;
    else if (value->type == RPC_NIL)
        *ttl_ms = -1;
    else
        return false;
    return true;
}

bool result_field(bytes_t body, size_t *at, field_type_t type, void *member)
{
    size_t start = *at;
    if (type == FIELD_BODY) {
        if (!rpc_skip(body, at))
            return false;
        *(bytes_t *)member = bytes_of(body.data + start, *at - start);
        return true;
    }
    rpc_value_t value;
    if (!rpc_read_value(body, at, &value))
        return false;
    switch (type) {
    case FIELD_UINT:
        if (value.type != RPC_UINT && value.type != RPC_NIL)
            return false;
        *(uint64_t *)member = value.type == RPC_UINT ? value.as.number : 0;
        return true;
    case FIELD_BOOL:
        if (value.type != RPC_BOOL)
            return false;
        *(bool *)member = value.as.boolean;
        return true;
    case FIELD_TTL:
        return take_ttl(&value, member);
    case FIELD_SLICE:
        return take_slice(&value, member);
    case FIELD_BODY:
        break;
    }
    return false;
}

/* The index of the field NAME; COUNT if there is none. Begins the search at NEXT: a broker sends the fields
 * in the order of the table, so the first comparison usually finds it. */
static size_t find_field(const field_t *fields, size_t count, size_t next, bytes_t name)
{
    for (size_t tries = 0; tries < count; tries++) {
        size_t i = (next + tries) % count;
        if (bytes_equal(name, bytes_from_text(fields[i].name)))
            return i;
    }
    return count;
}

bool result_map(bytes_t body, size_t *at, const field_t *fields, size_t count, void *record)
{
    assert(count < 32);
    rpc_value_t head;
    if (!rpc_read_value(body, at, &head) || head.type != RPC_MAP)
        return false;
    uint32_t found = 0; /* one bit for each field */
    size_t next = 0;    /* the field after the one found last */
    for (uint32_t pair = 0; pair < head.as.count; pair++) {
        rpc_value_t name;
        if (!rpc_read_value(body, at, &name) || name.type != RPC_STR)
            return false;
        size_t i = find_field(fields, count, next, name.as.bytes);
        if (i == count) {
            if (!rpc_skip(body, at))
                return false;
            continue;
        }
        next = i + 1;
        if (!result_field(body, at, fields[i].type, (char *)record + fields[i].offset))
            return false;
        found |= UINT32_C(1) << i;
    }
    return found == (UINT32_C(1) << count) - 1;
}

bool result_is_nil(bytes_t body)
{
    size_t at = 0;
    rpc_value_t value;
    return rpc_read_value(body, &at, &value) && value.type == RPC_NIL;
}

bool result_value(bytes_t body, kvzmq_slice_t *value)
{
    size_t at = 0;
    return result_field(body, &at, FIELD_SLICE, value) && value->data != NULL;
}

bool result_number(bytes_t body, uint64_t *number)
{
    size_t at = 0;
    rpc_value_t value;
    if (!rpc_read_value(body, &at, &value) || value.type != RPC_UINT)
        return false;
    *number = value.as.number;
    return true;
}

bool result_entry(bytes_t body, kvzmq_row_t *row)
{
    static const field_t fields[] = {
        {"value", FIELD_SLICE, offsetof(kvzmq_row_t, value)},
        {"revision", FIELD_UINT, offsetof(kvzmq_row_t, revision)},
        {"ttl_ms", FIELD_TTL, offsetof(kvzmq_row_t, ttl_ms)},
    };
    size_t at = 0;
    return result_map(body, &at, FIELDS(fields), row) && row->value.data != NULL;
}

bool result_digest(bytes_t body, kvzmq_digest_t *digest)
{
    static const field_t fields[] = {
        {"seq", FIELD_UINT, offsetof(kvzmq_digest_t, seq)},
        {"digest", FIELD_UINT, offsetof(kvzmq_digest_t, digest)},
        {"keys", FIELD_UINT, offsetof(kvzmq_digest_t, keys)},
    };
    size_t at = 0;
    return result_map(body, &at, FIELDS(fields), digest);
}

/* Reads the text NAME from a map. */
static bool read_text(bytes_t body, size_t at, const char *name, kvzmq_slice_t *text)
{
    field_t field = {name, FIELD_SLICE, 0};
    return result_map(body, &at, &field, 1, text);
}

bool result_role(bytes_t body, kvzmq_slice_t *role)
{
    return read_text(body, 0, "role", role);
}

bool result_bye(bytes_t params, kvzmq_slice_t *reason)
{
    size_t at = 0;
    rpc_value_t head;
    return rpc_read_value(params, &at, &head) && head.type == RPC_ARRAY && head.as.count == 1 &&
           read_text(params, at, "reason", reason);
}

typedef struct hello {
    kvzmq_slice_t client;
    kvzmq_slice_t role;
    kvzmq_slice_t broker;
    kvzmq_slice_t epoch;
    bytes_t limits;
} hello_t;

/* Copies TEXT with a terminating zero. False if it does not fit, or has a zero byte or control characters,
 * which a broker does not send. */
static bool copy_text(kvzmq_slice_t text, char *out, size_t out_size)
{
    bytes_t bytes = slice_bytes(text);
    if (text.size == 0 || text.size >= out_size)
        return false;
    (void)utf8_line(bytes, out, out_size);
    return bytes_equal(bytes, bytes_from_text(out));
}

bool result_hello(bytes_t body, kvzmq_session_t *session)
{
    static const field_t texts[] = {
        {"client", FIELD_SLICE, offsetof(hello_t, client)}, {"role", FIELD_SLICE, offsetof(hello_t, role)},
        {"broker", FIELD_SLICE, offsetof(hello_t, broker)}, {"epoch", FIELD_SLICE, offsetof(hello_t, epoch)},
        {"limits", FIELD_BODY, offsetof(hello_t, limits)},
    };
    static const field_t numbers[] = {
        {"protocol", FIELD_UINT, offsetof(kvzmq_session_t, protocol)},
        {"timeout_ms", FIELD_UINT, offsetof(kvzmq_session_t, timeout_ms)},
    };
    static const field_t limits[] = {
        {"key", FIELD_UINT, offsetof(kvzmq_session_t, limit_key)},
        {"value", FIELD_UINT, offsetof(kvzmq_session_t, limit_value)},
        {"batch", FIELD_UINT, offsetof(kvzmq_session_t, limit_batch)},
        {"message", FIELD_UINT, offsetof(kvzmq_session_t, limit_message)},
    };
    hello_t hello = {0};
    kvzmq_session_t read = {0};
    size_t at = 0;
    size_t again = 0;
    size_t inside = 0;
    if (!result_map(body, &at, FIELDS(texts), &hello) || !result_map(body, &again, FIELDS(numbers), &read) ||
        !result_map(hello.limits, &inside, FIELDS(limits), &read) ||
        !copy_text(hello.client, read.client, sizeof read.client) ||
        !copy_text(hello.role, read.role, sizeof read.role) ||
        !copy_text(hello.broker, read.broker, sizeof read.broker) ||
        !copy_text(hello.epoch, read.epoch, sizeof read.epoch))
        return false;
    kvzmq_slice_t note = {0};
    if (read_text(body, 0, "note", &note)) /* an older broker has none */
        (void)utf8_line(slice_bytes(note), read.note, sizeof read.note);
    read.size = sizeof read;
    *session = read;
    return true;
}
