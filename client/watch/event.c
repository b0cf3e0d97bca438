/* SPDX-License-Identifier: MPL-2.0 */
/* Decodes and copies events. */
#include "client/watch/event.h"

#include <stdlib.h>

#include "client/lib/result.h"
#include "client/slice.h"
#include "common/rpc.h"

/* The texts of the kinds. Those from KVZMQ_EVENT_RESET on are not on the wire. */
static const char *const kinds[] = {
#define KIND(name, number, text) [KVZMQ_EVENT_##name] = (text),
    KVZMQ_EVENT_KIND_LIST(KIND)
#undef KIND
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const char *kvzmq_event_kind_text(kvzmq_event_kind_t kind)
{
    size_t number = (size_t)kind;
    return number < KIND_COUNT && kinds[number] != NULL ? kinds[number] : "?";
}

bool event_changes_entry(kvzmq_event_kind_t kind)
{
    return kind == KVZMQ_EVENT_PUT || kind == KVZMQ_EVENT_DEL || kind == KVZMQ_EVENT_EXPIRE;
}

static kvzmq_event_kind_t kind_of(kvzmq_slice_t text)
{
    for (size_t i = KVZMQ_EVENT_PUT; i < KVZMQ_EVENT_OTHER; i++)
        if (bytes_equal(slice_bytes(text), bytes_from_text(kinds[i])))
            return (kvzmq_event_kind_t)i;
    return KVZMQ_EVENT_OTHER;
}

bool event_read(bytes_t body, size_t *at, kvzmq_event_t *event)
{
    typedef struct record {
        kvzmq_event_t event;
        kvzmq_slice_t kind;
    } record_t;
    static const field_t fields[] = {
        {"seq", FIELD_UINT, offsetof(record_t, event.seq)},
        {"prev", FIELD_UINT, offsetof(record_t, event.prev)},
        {"time_ms", FIELD_UINT, offsetof(record_t, event.time_ms)},
        {"kind", FIELD_SLICE, offsetof(record_t, kind)},
        {"client", FIELD_SLICE, offsetof(record_t, event.client)},
        {"key", FIELD_SLICE, offsetof(record_t, event.key)},
        {"value", FIELD_SLICE, offsetof(record_t, event.value)},
        {"size", FIELD_UINT, offsetof(record_t, event.value_size)},
        {"ttl_ms", FIELD_TTL, offsetof(record_t, event.ttl_ms)},
        {"revision", FIELD_UINT, offsetof(record_t, event.revision)},
        {"by", FIELD_SLICE, offsetof(record_t, event.by)},
        {"user", FIELD_SLICE, offsetof(record_t, event.user)},
    };
    record_t record = {0};
    if (!result_map(body, at, fields, sizeof fields / sizeof *fields, &record))
        return false;
    record.event.kind = kind_of(record.kind);
    record.event.has_value = record.event.value.data != NULL;
    *event = record.event;
    return event->seq > 0 && event->client.data != NULL &&
           (event->key.data != NULL || !event_changes_entry(event->kind));
}

/* Whether PARAMS is an array of one element. Sets *AT to the element. */
static bool is_single(bytes_t params, size_t *at)
{
    rpc_value_t head;
    return rpc_read_value(params, at, &head) && head.type == RPC_ARRAY && head.as.count == 1;
}

bool event_read_params(bytes_t params, kvzmq_event_t *event)
{
    size_t at = 0;
    return is_single(params, &at) && event_read(params, &at, event);
}

bool event_read_sync(bytes_t params, sync_t *sync)
{
    static const field_t fields[] = {
        {"epoch", FIELD_SLICE, offsetof(sync_t, epoch)},
        {"seq", FIELD_UINT, offsetof(sync_t, seq)},
    };
    size_t at = 0;
    *sync = (sync_t){0};
    return is_single(params, &at) && result_map(params, &at, fields, sizeof fields / sizeof *fields, sync) &&
           sync->epoch.size > 0;
}

/* Copies SLICE's bytes to *TO with a terminating zero, points SLICE at the copy, and moves *TO past it. */
static void own(kvzmq_slice_t *slice, char **to)
{
    if (slice->data == NULL)
        return;
    if (slice->size > 0)
        memcpy(*to, slice->data, slice->size);
    slice->data = *to;
    *to += slice->size;
    *(*to)++ = '\0';
}

event_copy_t *event_copy_new(const kvzmq_event_t *event)
{
    kvzmq_event_t copy = *event;
    kvzmq_slice_t *const slices[] = {&copy.epoch, &copy.client, &copy.key, &copy.value, &copy.by, &copy.user};
    size_t size = sizeof(event_copy_t);
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
        size += slices[i]->size + 1;
    event_copy_t *made = malloc(size);
    if (made == NULL)
        return NULL;
    char *to = (char *)(made + 1);
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
        own(slices[i], &to);
    *made = (event_copy_t){.size = size, .event = copy};
    return made;
}
