/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the state of one or all stores in pages so that it is exact (see follow.h). Owns the cursor and the
 * ids that are still to be read; everything that sorts before them is covered. */
#include "client/watch/follow_state.h"

#include <stdlib.h>

static bytes_t slice_bytes(kvzmq_slice_t slice)
{
    return bytes_of(slice.data, slice.size);
}

static kvzmq_slice_t buffer_slice(const buffer_t *buffer)
{
    return kvzmq_text_of((const char *)buffer->data, buffer->size);
}

/* Makes BUFFER hold SLICE alone. */
static bool buffer_set(buffer_t *buffer, kvzmq_slice_t slice)
{
    buffer_truncate(buffer, 0);
    buffer_append(buffer, slice.data, slice.size);
    return !buffer->failed;
}

static void ids_release(reading_t *reading)
{
    for (size_t i = 0; i < reading->count; i++)
        free(reading->ids[i]);
    free(reading->ids);
    reading->ids = NULL;
    reading->count = 0;
    reading->next = 0;
    reading->capacity = 0;
}

void reading_release(follow_t *follow)
{
    follow->reading.active = false;
    ids_release(&follow->reading);
}

void reading_begin(follow_t *follow)
{
    reading_t *reading = &follow->reading;
    ids_release(reading);
    buffer_truncate(&reading->clients_end, 0);
    reading->active = true;
    reading->step = follow->client != NULL ? READ_LIST : READ_CLIENTS;
    reading->has_cursor = false;
    reading->clients_begun = false;
    reading->clients_more = true;
}

void reading_again(follow_t *follow)
{
    reading_t *reading = &follow->reading;
    if (reading->step == READ_FILL || reading->step == READ_ROWS)
        reading->step = READ_LIST;
    if (reading->step == READ_FINISH)
        reading->step = READ_NOW;
}

/* The client whose entries are read: its id was the last that was begun. */
static const char *current(const follow_t *follow)
{
    const reading_t *reading = &follow->reading;
    return follow->client != NULL ? follow->client : reading->ids[reading->next - 1];
}

static bool in_client(read_step_t step)
{
    return step == READ_LIST || step == READ_FILL || step == READ_ROWS;
}

void reading_next(const follow_t *follow, follow_action_t *action)
{
    const reading_t *reading = &follow->reading;
    switch (reading->step) {
    case READ_CLIENTS:
        action->want = FOLLOW_CLIENTS;
        action->after = buffer_slice(&reading->clients_end);
        return;
    case READ_LIST:
        action->want = FOLLOW_LIST;
        action->client = current(follow);
        action->prefix = buffer_slice(&follow->prefix);
        if (reading->has_cursor)
            action->after = buffer_slice(&reading->cursor);
        return;
    case READ_ROWS:
        action->want = FOLLOW_ROWS;
        action->client = current(follow);
        return;
    case READ_NOW:
        action->want = FOLLOW_NOW;
        return;
    case READ_FILL:
    case READ_FINISH:
        action->want = FOLLOW_REPLAY;
        return;
    }
}

/* ---- What is covered --------------------------------------------------------------------------- */

static int compare_id(const void *id, const void *other)
{
    const kvzmq_slice_t *wanted = id;
    const char *const *listed = other;
    return bytes_compare(slice_bytes(*wanted), bytes_from_text(*listed));
}

/* Whether all of CLIENT is covered, the current one apart. */
static bool client_covered(const reading_t *reading, kvzmq_slice_t client)
{
    if (!reading->clients_begun)
        return false;
    if (reading->clients_more && bytes_compare(slice_bytes(client), buffer_bytes(&reading->clients_end)) > 0)
        return false;
    return reading->next == reading->count ||
           bsearch(&client, reading->ids + reading->next, reading->count - reading->next,
                   sizeof *reading->ids, compare_id) == NULL;
}

bool reading_covers(const follow_t *follow, const kvzmq_event_t *event)
{
    const reading_t *reading = &follow->reading;
    bool drop = event->kind == KVZMQ_EVENT_DROP;
    if (!drop && !event_changes_entry(event->kind))
        return false; /* it is no part of the state */
    if (reading->step == READ_FINISH)
        return true;
    if (in_client(reading->step) && bytes_equal(slice_bytes(event->client), bytes_from_text(current(follow))))
        return reading->has_cursor &&
               (drop || bytes_compare(slice_bytes(event->key), buffer_bytes(&reading->cursor)) <= 0);
    return follow->client == NULL && client_covered(reading, event->client);
}

/* ---- Going on ---------------------------------------------------------------------------------- */

/* To the next client, if there is one. */
static void client_begin(reading_t *reading)
{
    reading->has_cursor = false;
    if (reading->next < reading->count) {
        reading->next++;
        reading->step = READ_LIST;
    } else {
        reading->step = reading->clients_more ? READ_CLIENTS : READ_NOW;
    }
}

static bool ids_add(reading_t *reading, kvzmq_slice_t id)
{
    if (reading->count == FOLLOW_CLIENTS_MAX)
        return false;
    if (reading->count == reading->capacity) {
        size_t capacity = reading->capacity == 0 ? 64 : reading->capacity * 2;
        char **ids = realloc(reading->ids, capacity * sizeof *ids);
        if (ids == NULL)
            return false;
        reading->ids = ids;
        reading->capacity = capacity;
    }
    char *copy = strndup(id.data, id.size);
    if (copy == NULL)
        return false;
    reading->ids[reading->count++] = copy;
    return true;
}

bool follow_client(follow_t *follow, kvzmq_slice_t id, uint64_t keys)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_CLIENTS)
        return true;
    if (reading->next == reading->count) /* the page before this one is done */
        ids_release(reading);
    if (bytes_compare(slice_bytes(id), buffer_bytes(&reading->clients_end)) <= 0)
        return false;
    return (keys == 0 || ids_add(reading, id)) && buffer_set(&reading->clients_end, id);
}

void follow_clients_end(follow_t *follow, bool more)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_CLIENTS)
        return;
    reading->clients_begun = true;
    reading->clients_more = more;
    client_begin(reading);
}

void reading_fill(follow_t *follow, int64_t now_ms, read_step_t step, uint64_t target)
{
    follow->reading.step = step;
    follow->target = target;
    follow->gap = false;
    follow->moved = false;
    if (follow->pos >= target)
        reading_filled(follow, now_ms);
}

void reading_filled(follow_t *follow, int64_t now_ms)
{
    if (follow->reading.step == READ_FINISH)
        follow_ready(follow, now_ms);
    else
        follow->reading.step = READ_ROWS;
}

void follow_listed(follow_t *follow, int64_t now_ms, uint64_t seq, bool more)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_LIST)
        return;
    reading->page_more = more;
    if (follow->client != NULL && !reading->has_cursor)
        follow->pos = seq; /* nothing is covered that would have to be brought up to it */
    reading_fill(follow, now_ms, READ_FILL, seq);
}

void follow_list_absent(follow_t *follow)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_LIST)
        return;
    if (follow->client != NULL)
        reading->step = READ_NOW;
    else
        client_begin(reading);
}

bool follow_row(follow_t *follow, const kvzmq_row_t *row)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_ROWS)
        return false;
    kvzmq_event_t entry = {.kind = KVZMQ_EVENT_ENTRY,
                           .seq = row->revision,
                           .client = kvzmq_text(current(follow)),
                           .key = row->key,
                           .value = row->value,
                           .has_value = true,
                           .value_size = row->value.size,
                           .ttl_ms = row->ttl_ms,
                           .revision = row->revision};
    if (reading->has_cursor && bytes_compare(slice_bytes(row->key), buffer_bytes(&reading->cursor)) <= 0)
        return false;
    follow->announced = true;
    if (!follow_tell(follow, &entry))
        return false;
    reading->has_cursor = true;
    return buffer_set(&reading->cursor, row->key); /* it has room for any key */
}

void follow_rows_end(follow_t *follow, int64_t now_ms)
{
    reading_t *reading = &follow->reading;
    if (follow->phase != PHASE_READ || reading->step != READ_ROWS)
        return;
    if (reading->page_more)
        reading->step = READ_LIST;
    else if (follow->client != NULL)
        follow_ready(follow, now_ms);
    else
        client_begin(reading);
}
