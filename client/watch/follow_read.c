/* SPDX-License-Identifier: MPL-2.0 */
/* Tracks reading the state of one or all stores in pages. Owns the cursor and the ids that are still to be
 * read. Everything that sorts before them is covered. */
#include "client/watch/follow_read.h"

#include <assert.h>
#include <stdlib.h>

#include "client/slice.h"
#include "common/limits.h"

/* Replaces the content of BUFFER by SLICE. */
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

bool reading_init(reading_t *reading, const char *client)
{
    *reading = (reading_t){.client = client};
    buffer_init(&reading->cursor, LIMIT_KEY_MAX);
    buffer_init(&reading->clients_end, LIMIT_ROUTING_ID);
    /* Reserve all memory now, so that later steps cannot fail. */
    return buffer_reserve(&reading->cursor, LIMIT_KEY_MAX) != NULL &&
           buffer_reserve(&reading->clients_end, LIMIT_ROUTING_ID) != NULL;
}

void reading_release(reading_t *reading)
{
    reading_stop(reading);
    buffer_release(&reading->cursor);
    buffer_release(&reading->clients_end);
}

void reading_stop(reading_t *reading)
{
    reading->active = false;
    ids_release(reading);
}

void reading_begin(reading_t *reading)
{
    ids_release(reading);
    buffer_truncate(&reading->clients_end, 0);
    reading->active = true;
    reading->step = reading->client != NULL ? READ_LIST : READ_CLIENTS;
    reading->has_cursor = false;
    reading->clients_begun = false;
    reading->clients_more = true;
}

void reading_again(reading_t *reading)
{
    if (reading->step == READ_FILL || reading->step == READ_ROWS)
        reading->step = READ_LIST;
    if (reading->step == READ_FINISH)
        reading->step = READ_NOW;
}

/* The client whose entries are being read. */
const char *reading_client(const reading_t *reading)
{
    return reading->client != NULL ? reading->client : reading->ids[reading->next - 1];
}

kvzmq_slice_t reading_after(const reading_t *reading)
{
    if (reading->step == READ_CLIENTS)
        return slice_of(buffer_bytes(&reading->clients_end));
    return reading->step == READ_LIST && reading->has_cursor ? slice_of(buffer_bytes(&reading->cursor))
                                                             : (kvzmq_slice_t){0};
}

/* ---- The covered part -------------------------------------------------------------------------- */

static int compare_id(const void *id, const void *other)
{
    const kvzmq_slice_t *wanted = id;
    const char *const *listed = other;
    return bytes_compare(slice_bytes(*wanted), bytes_from_text(*listed));
}

/* Whether all of CLIENT, which is not the current one, is covered. */
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

static bool in_client(read_step_t step)
{
    return step == READ_LIST || step == READ_FILL || step == READ_ROWS;
}

bool reading_covers(const reading_t *reading, const kvzmq_event_t *event)
{
    bool drop = event->kind == KVZMQ_EVENT_DROP;
    if (!drop && !event_changes_entry(event->kind))
        return false; /* not part of the state */
    if (reading->step == READ_FINISH)
        return true;
    if (in_client(reading->step) &&
        bytes_equal(slice_bytes(event->client), bytes_from_text(reading_client(reading))))
        return reading->has_cursor &&
               (drop || bytes_compare(slice_bytes(event->key), buffer_bytes(&reading->cursor)) <= 0);
    return reading->client == NULL && client_covered(reading, event->client);
}

/* ---- Steps ------------------------------------------------------------------------------------- */

/* Continues with the next client, the next page of clients, or the end. */
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
    if (reading->count == READING_CLIENTS_MAX)
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

bool reading_client_take(reading_t *reading, kvzmq_slice_t id, uint64_t keys)
{
    if (reading->next == reading->count) /* the former page is done */
        ids_release(reading);
    if (bytes_compare(slice_bytes(id), buffer_bytes(&reading->clients_end)) <= 0)
        return false;
    return (keys == 0 || ids_add(reading, id)) && buffer_set(&reading->clients_end, id);
}

void reading_clients_end(reading_t *reading, bool more)
{
    reading->clients_begun = true;
    reading->clients_more = more;
    client_begin(reading);
}

void reading_listed(reading_t *reading, bool more)
{
    reading->page_more = more;
    reading->step = READ_FILL;
}

void reading_absent(reading_t *reading)
{
    if (reading->client != NULL)
        reading->step = READ_NOW;
    else
        client_begin(reading);
}

bool reading_filled(reading_t *reading)
{
    if (reading->step == READ_FINISH)
        return true;
    reading->step = READ_ROWS;
    return false;
}

bool reading_row_follows(const reading_t *reading, kvzmq_slice_t key)
{
    bool in_order =
        !reading->has_cursor || bytes_compare(slice_bytes(key), buffer_bytes(&reading->cursor)) > 0;
    return in_order && key.size <= LIMIT_KEY_MAX;
}

void reading_row_told(reading_t *reading, kvzmq_slice_t key)
{
    bool kept = buffer_set(&reading->cursor, key); /* it has room for any key */
    assert(kept);
    (void)kept;
    reading->has_cursor = true;
}

bool reading_rows_end(reading_t *reading)
{
    if (reading->page_more)
        reading->step = READ_LIST;
    else if (reading->client == NULL)
        client_begin(reading);
    return !reading->page_more && reading->client != NULL;
}

void reading_finish(reading_t *reading)
{
    reading->step = READ_FINISH;
}
