/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ring: records one behind the other in one block, and where each begins, by seq. */
#include "broker/core/event_log.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* A record's head; the texts follow it, in this order. */
typedef struct record {
    uint64_t seq;
    uint64_t prev;
    int64_t time_ms;
    uint64_t size;
    uint64_t ttl_ms;
    uint64_t session;
    uint32_t value; /* bytes of each text */
    uint16_t key;
    uint16_t client;
    uint16_t by;
    uint16_t user;
    uint8_t kind;
    bool has_value;
    bool binary;
} record_t;

struct event_log {
    uint64_t keep;   /* events at most */
    size_t capacity; /* bytes of `block` */
    uint64_t oldest; /* events after this seq are kept */
    uint64_t newest; /* seq of the newest one */
    size_t tail;     /* where the next record goes */
    size_t *places;  /* of records in `block`, by seq modulo keep */
    uint8_t *block;
};

event_log_t *event_log_new(uint64_t keep, uint64_t keep_bytes)
{
    assert(keep > 0 && keep_bytes > 0);
    event_log_t *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->keep = keep;
    log->capacity = keep_bytes;
    /* Untouched memory of a large allocation costs nothing: the log grows into its bounds. */
    log->places = malloc(keep * sizeof *log->places);
    log->block = malloc(keep_bytes);
    if (!log->places || !log->block)
        event_log_destroy(&log);
    return log;
}

void event_log_destroy(event_log_t **log)
{
    if (!*log)
        return;
    free((*log)->places);
    free((*log)->block);
    free(*log);
    *log = NULL;
}

uint64_t event_log_oldest(const event_log_t *log)
{
    return log->oldest;
}

static size_t record_size(const event_t *event)
{
    size_t size = sizeof(record_t) + event->client.size + event->key.size + event->value.size +
                  event->by.size + event->user.size;
    return (size + alignof(record_t) - 1) / alignof(record_t) * alignof(record_t);
}

static record_t *record_at(const event_log_t *log, uint64_t seq)
{
    return (record_t *)(void *)(log->block + log->places[seq % log->keep]);
}

/* Finds room for SIZE bytes, which fit: behind the newest record, else from the start; the oldest records
 * make room. */
static size_t room_make(event_log_t *log, size_t size)
{
    if (log->newest - log->oldest == log->keep)
        log->oldest++;
    size_t place = log->tail;
    while (log->oldest < log->newest) {
        size_t first = log->places[(log->oldest + 1) % log->keep];
        if (first < place && log->capacity - place >= size)
            return place; /* up to the end */
        if (first < place)
            place = 0; /* no room there: from the start */
        else if (first - place >= size)
            return place; /* up to the oldest record */
        else
            log->oldest++; /* which stands in the way */
    }
    return 0;
}

static uint8_t *text_put(uint8_t *to, bytes_t text)
{
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

void event_log_append(event_log_t *log, const event_t *event)
{
    assert(event->seq == log->newest + 1);
    size_t size = record_size(event);
    if (size > log->capacity) {
        log->oldest = event->seq;
        log->newest = event->seq;
        log->tail = 0;
        return;
    }
    size_t place = room_make(log, size);
    log->newest = event->seq;
    log->places[event->seq % log->keep] = place;
    record_t *record = record_at(log, event->seq);
    *record = (record_t){
        .seq = event->seq,
        .prev = event->prev,
        .time_ms = event->time_ms,
        .size = event->size,
        .ttl_ms = event->ttl_ms,
        .session = event->session,
        .value = (uint32_t)event->value.size,
        .key = (uint16_t)event->key.size,
        .client = (uint16_t)event->client.size,
        .by = (uint16_t)event->by.size,
        .user = (uint16_t)event->user.size,
        .kind = (uint8_t)event->kind,
        .has_value = event->has_value,
        .binary = event->binary,
    };
    uint8_t *to = text_put((uint8_t *)(record + 1), event->client);
    to = text_put(to, event->key);
    to = text_put(to, event->value);
    to = text_put(to, event->by);
    text_put(to, event->user);
    log->tail = place + size;
}

static bytes_t text_take(const uint8_t **from, size_t size)
{
    bytes_t text = bytes_of(*from, size);
    *from += size;
    return text;
}

void event_log_read(const event_log_t *log, uint64_t seq, event_t *event)
{
    assert(seq > log->oldest && seq <= log->newest);
    const record_t *record = record_at(log, seq);
    assert(record->seq == seq);
    *event = (event_t){
        .seq = record->seq,
        .prev = record->prev,
        .time_ms = record->time_ms,
        .kind = (change_kind_t)record->kind,
        .has_value = record->has_value,
        .binary = record->binary,
        .size = record->size,
        .ttl_ms = record->ttl_ms,
        .session = record->session,
    };
    const uint8_t *from = (const uint8_t *)(record + 1);
    event->client = text_take(&from, record->client);
    event->key = text_take(&from, record->key);
    event->value = text_take(&from, record->value);
    event->by = text_take(&from, record->by);
    event->user = text_take(&from, record->user);
}
