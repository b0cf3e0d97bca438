/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the map of an event. */
#include "broker/core/event_wire.h"

#include "common/rpc.h"

enum {
    HEAD_BYTES = 64,  /* of a notification around its map */
    EVENT_BYTES = 256 /* of an event's map at most, without its texts */
};

static const char *const kind_texts[CHANGE_KIND_COUNT] = {
    [CHANGE_PUT] = "put",
    [CHANGE_DEL] = "del",
    [CHANGE_EXPIRE] = "expire",
    [CHANGE_CONNECT] = "connect",
    [CHANGE_DISCONNECT] = "disconnect",
    [CHANGE_ROLE] = "role",
    [CHANGE_DROP] = "drop",
};

static void text_or_nil(buffer_t *buffer, bytes_t text, bool present)
{
    if (present)
        rpc_write_str(buffer, text);
    else
        rpc_write_nil(buffer);
}

static void number_or_nil(buffer_t *buffer, uint64_t number, bool present)
{
    if (present)
        rpc_write_uint(buffer, number);
    else
        rpc_write_nil(buffer);
}

void event_wire_write(buffer_t *buffer, const event_t *event)
{
    bool put = event->kind == CHANGE_PUT;
    bool data = put || event->kind == CHANGE_DEL || event->kind == CHANGE_EXPIRE;
    rpc_write_map(buffer, 12);
    rpc_write_key(buffer, "seq");
    rpc_write_uint(buffer, event->seq);
    rpc_write_key(buffer, "prev");
    rpc_write_uint(buffer, event->prev);
    rpc_write_key(buffer, "time_ms");
    rpc_write_uint(buffer, (uint64_t)event->time_ms);
    rpc_write_key(buffer, "kind");
    rpc_write_text(buffer, kind_texts[event->kind]);
    rpc_write_key(buffer, "client");
    rpc_write_str(buffer, event->client);
    rpc_write_key(buffer, "key");
    text_or_nil(buffer, event->key, data);
    rpc_write_key(buffer, "value");
    if (event->has_value && event->binary)
        rpc_write_bin(buffer, event->value);
    else
        text_or_nil(buffer, event->value, event->has_value);
    rpc_write_key(buffer, "size");
    number_or_nil(buffer, event->size, put);
    rpc_write_key(buffer, "ttl_ms");
    number_or_nil(buffer, event->ttl_ms, put && event->ttl_ms > 0);
    rpc_write_key(buffer, "revision");
    number_or_nil(buffer, event->seq, put);
    rpc_write_key(buffer, "by");
    text_or_nil(buffer, event->by, event->by.size > 0);
    rpc_write_key(buffer, "user");
    text_or_nil(buffer, event->user, event->user.size > 0);
}

void event_wire_notification(buffer_t *payload, const char *method, const event_t *event)
{
    size_t room = HEAD_BYTES + EVENT_BYTES + event->client.size + event->key.size + event->value.size +
                  event->by.size + event->user.size;
    buffer_init(payload, room);
    if (buffer_reserve(payload, room) == NULL) /* at once, so that it need not grow and be copied */
        return;
    rpc_write_notification(payload, bytes_from_text(method));
    rpc_write_array(payload, 1);
    event_wire_write(payload, event);
}
