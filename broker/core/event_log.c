/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ring: records one behind the other in one block, and where each begins, by seq. */
#include "broker/core/event_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A record's head. Behind it stand a record_rest_t, if there is one, and the texts, in this order. */
typedef struct record {
    uint64_t prev;
    int64_t time_ms;
    uint64_t session;
    uint32_t value; /* bytes of each text */
    uint16_t key;
    uint16_t user;
    uint8_t client;
    uint8_t by; /* 0 with RECORD_BY_CLIENT */
    uint8_t kind;
    uint8_t flags;
} record_t;

/* Of a change that has a time to live, or a value that is left out. */
typedef struct record_rest {
    uint64_t size;
    uint64_t ttl_ms;
} record_rest_t;

enum {
    RECORD_VALUE = 1,     /* has_value */
    RECORD_BINARY = 2,    /* binary */
    RECORD_REST = 4,      /* there is a record_rest_t */
    RECORD_BY_CLIENT = 8, /* whose own session did it */
    RECORD_ALIGN = 16     /* bytes: a record begins at a multiple of them */
};

struct event_log {
    uint64_t keep;    /* events at most */
    uint64_t mask;    /* of seq, for `places`: one less than a power of 2 that is not below `keep` */
    size_t capacity;  /* bytes of `block` */
    uint64_t oldest;  /* events after this seq are kept */
    uint64_t newest;  /* seq of the newest one */
    size_t tail;      /* where the next record goes */
    uint32_t *places; /* of records in `block`, in units of RECORD_ALIGN, by seq & mask */
    uint8_t *block;
};

event_log_t *event_log_new(uint64_t keep, uint64_t keep_bytes)
{
    assert(keep > 0 && keep_bytes > 0 && keep_bytes <= EVENT_LOG_BYTES_MAX);
    event_log_t *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->keep = keep;
    log->capacity = keep_bytes;
    while (log->mask < keep - 1)
        log->mask = log->mask * 2 + 1;
    /* Untouched memory of a large allocation costs nothing: the log grows into its bounds. */
    log->places = malloc((log->mask + 1) * sizeof *log->places);
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

static size_t place_of(const event_log_t *log, uint64_t seq)
{
    return (size_t)log->places[seq & log->mask] * RECORD_ALIGN;
}

static const record_t *record_at(const event_log_t *log, uint64_t seq)
{
    return (const record_t *)(const void *)(log->block + place_of(log, seq));
}

/* Finds room for SIZE bytes, which fit: behind the newest record, else from the start; the oldest records
 * make room. */
static size_t room_make(event_log_t *log, size_t size)
{
    if (log->newest - log->oldest == log->keep)
        log->oldest++;
    size_t place = log->tail;
    while (log->oldest < log->newest) {
        size_t first = place_of(log, log->oldest + 1);
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

static inline uint8_t *text_put(uint8_t *to, bytes_t text)
{
    return bytes_put(to, text.data, text.size);
}

void event_log_append(event_log_t *log, const change_t *change, bytes_t client, bool has_value)
{
    assert(change->seq == log->newest + 1);
    /* Of a session's own change both are its client's, at one place. */
    bool by_client = change->by.client.data == client.data || bytes_equal(change->by.client, client);
    bool rest = change->ttl_ms > 0 || !has_value;
    bytes_t value = has_value ? change->value : (bytes_t){0};
    bytes_t by = by_client ? (bytes_t){0} : change->by.client;
    size_t size = sizeof(record_t) + (rest ? sizeof(record_rest_t) : 0) + client.size + change->key.size +
                  value.size + by.size + change->by.user.size;
    size = (size + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
    if (size > log->capacity) {
        log->oldest = change->seq;
        log->newest = change->seq;
        log->tail = 0;
        return;
    }
    size_t place = room_make(log, size);
    log->newest = change->seq;
    log->tail = place + size;
    log->places[change->seq & log->mask] = (uint32_t)(place / RECORD_ALIGN);
    uint8_t *to = log->block + place;
    *(record_t *)(void *)to = (record_t){
        .prev = change->prev,
        .time_ms = change->time_ms,
        .session = change->by.session,
        .value = (uint32_t)value.size,
        .key = (uint16_t)change->key.size,
        .user = (uint16_t)change->by.user.size,
        .client = (uint8_t)client.size,
        .by = (uint8_t)by.size,
        .kind = (uint8_t)change->kind,
        .flags = (uint8_t)((has_value ? RECORD_VALUE : 0) | (change->binary ? RECORD_BINARY : 0) |
                           (rest ? RECORD_REST : 0) | (by_client ? RECORD_BY_CLIENT : 0)),
    };
    to += sizeof(record_t);
    if (rest) {
        *(record_rest_t *)(void *)to = (record_rest_t){.size = change->value.size, .ttl_ms = change->ttl_ms};
        to += sizeof(record_rest_t);
    }
    to = text_put(to, client);
    to = text_put(to, change->key);
    to = text_put(to, value);
    to = text_put(to, by);
    text_put(to, change->by.user);
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
    const uint8_t *from = (const uint8_t *)(record + 1);
    record_rest_t rest = {.size = record->value};
    if (record->flags & RECORD_REST) {
        memcpy(&rest, from, sizeof rest);
        from += sizeof rest;
    }
    *event = (event_t){
        .seq = seq,
        .prev = record->prev,
        .time_ms = record->time_ms,
        .kind = (change_kind_t)record->kind,
        .has_value = record->flags & RECORD_VALUE,
        .binary = record->flags & RECORD_BINARY,
        .size = rest.size,
        .ttl_ms = rest.ttl_ms,
        .session = record->session,
    };
    event->client = text_take(&from, record->client);
    event->key = text_take(&from, record->key);
    event->value = text_take(&from, record->value);
    event->by = record->flags & RECORD_BY_CLIENT ? event->client : text_take(&from, record->by);
    event->user = text_take(&from, record->user);
}
