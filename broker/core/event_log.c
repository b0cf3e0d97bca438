/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the ring: records one after another in one block, and the place of each, by seq. */
#include "broker/core/event_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The head of a record. A record_rest_t follows, if there is one, then the texts: client, key, value, by,
 * user. */
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

/* For a change that has a ttl, or whose value is left out. */
typedef struct record_rest {
    uint64_t size;
    uint64_t ttl_ms;
} record_rest_t;

enum {
    RECORD_VALUE = 1,     /* has_value */
    RECORD_BINARY = 2,    /* binary */
    RECORD_REST = 4,      /* there is a record_rest_t */
    RECORD_BY_CLIENT = 8, /* `by` is the client itself */
    RECORD_ALIGN = 16,    /* bytes: a record begins at a multiple of them */
    RELEASE_EVERY = 64,   /* events between two looks at how much was dropped; a power of 2 */
    RELEASE_PART = 64     /* of the block: so much is given back to the system at once, at least */
};

struct event_log {
    uint64_t keep;    /* events at most */
    uint64_t mask;    /* of seq, for `places`: one less than a power of 2 that is not below `keep` */
    size_t capacity;  /* bytes of `block` */
    uint64_t oldest;  /* events after this seq are kept */
    uint64_t newest;  /* seq of the newest one */
    size_t tail;      /* where the next record goes */
    size_t room_end;  /* end of the free space that begins at `tail` */
    size_t released;  /* dropped records before this place were given back to the system, or overwritten */
    uint32_t *places; /* of records in `block`, in units of RECORD_ALIGN, by seq & mask */
    uint8_t *block;
};

event_log_t *event_log_new(uint64_t keep, uint64_t keep_bytes)
{
    assert(keep > 0 && keep_bytes > 0 && keep_bytes <= EVENT_LOG_BYTES_MAX);
    event_log_t *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->keep = keep;
    log->capacity = keep_bytes;
    log->room_end = keep_bytes;
    while (log->mask < keep - 1)
        log->mask = log->mask * 2 + 1;
    /* A large allocation takes memory only where it is written: the log grows into its bounds. */
    log->places = malloc((log->mask + 1) * sizeof *log->places);
    log->block = malloc(keep_bytes);
    if (log->places == NULL || log->block == NULL)
        event_log_destroy(&log);
    return log;
}

void event_log_destroy(event_log_t **log)
{
    if (*log == NULL)
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

/* Finds room for SIZE bytes, at most the capacity: after the newest record, else at the start. The oldest
 * records make room. */
static __attribute__((noinline)) size_t room_find(event_log_t *log, size_t size)
{
    size_t place = log->tail;
    log->room_end = log->capacity;
    while (log->oldest < log->newest) {
        size_t first = place_of(log, log->oldest + 1);
        if (first < place && log->capacity - place >= size)
            return place; /* up to the end */
        if (first < place) {
            place = 0; /* no room there: from the start */
        } else if (first - place >= size) {
            log->room_end = first;
            return place; /* up to the oldest record */
        } else {
            log->oldest++; /* it is in the way */
        }
    }
    return 0;
}

static inline size_t room_make(event_log_t *log, size_t size)
{
    if (log->newest - log->oldest == log->keep)
        log->oldest++;
    return log->tail + size <= log->room_end ? log->tail : room_find(log, size);
}

/* Gives the whole pages of the block from FROM to TO back to the system. They are read as zeros then. */
static void pages_release(const event_log_t *log, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t base = (uintptr_t)log->block;
    size_t begin = ((base + from + page - 1) & ~(page - 1)) - base;
    size_t end = ((base + to) & ~(page - 1)) - base;
    if (begin < end)
        (void)madvise(log->block + begin, end - begin, MADV_DONTNEED); /* if it fails, they stay */
}

/* Gives memory of dropped records back to the system. Otherwise the records would move through all of the
 * block in time, even if the few that are kept are small. */
static __attribute__((noinline)) void dropped_release(event_log_t *log)
{
    bool empty = log->oldest == log->newest;
    size_t tail = log->tail;
    size_t first = empty ? tail : place_of(log, log->oldest + 1);
    /* Then the records go on from the end to the start, and free is what is between them. If not, free is
     * what is before them and behind them. */
    bool wrapped = !empty && first >= tail;
    if (first < log->released) { /* the oldest is at the start again */
        if (!wrapped)
            pages_release(log, tail > log->released ? tail : log->released, log->capacity);
        log->released = 0;
    }
    size_t from = wrapped && tail > log->released ? tail : log->released;
    if (first - from < log->capacity / RELEASE_PART)
        return;
    pages_release(log, from, first);
    log->released = first;
}

static inline uint8_t *text_put(uint8_t *to, bytes_t text)
{
    return bytes_put(to, text.data, text.size);
}

/* Empties the log, because the record of SEQ is larger than all of it. */
static void clear(event_log_t *log, uint64_t seq)
{
    log->oldest = seq;
    log->newest = seq;
    log->tail = 0;
    log->room_end = log->capacity;
    log->released = 0;
}

/* What a record has, beside the texts that every record has. */
typedef struct parts {
    bool has_value; /* as in event_t */
    bool rest;      /* a record_rest_t */
    bool by_client; /* see RECORD_BY_CLIENT */
    size_t user;    /* bytes */
} parts_t;

/* Appends CHANGE. Inlined twice, once with PARTS that the compiler knows. */
static inline __attribute__((always_inline)) void append(event_log_t *log, const change_t *change,
                                                         bytes_t client, parts_t parts)
{
    const actor_t *by = change->by;
    uint64_t seq = change->seq;
    assert(seq == log->newest + 1);
    size_t value_size = parts.has_value ? change->value.size : 0;
    size_t by_size = parts.by_client ? 0 : by->client.size;
    size_t size = sizeof(record_t) + client.size + change->key.size + value_size + by_size + parts.user;
    if (parts.rest)
        size += sizeof(record_rest_t);
    size = (size + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
    if (size > log->capacity) {
        clear(log, seq);
        return;
    }
    size_t place = room_make(log, size);
    log->newest = seq;
    log->tail = place + size;
    log->places[seq & log->mask] = (uint32_t)(place / RECORD_ALIGN);
    if (__builtin_expect(seq % RELEASE_EVERY == 0, 0))
        dropped_release(log);
    uint8_t *to = log->block + place;
    *(record_t *)(void *)to = (record_t){
        .prev = change->prev,
        .time_ms = change->time_ms,
        .session = by->session,
        .value = (uint32_t)value_size,
        .key = (uint16_t)change->key.size,
        .user = (uint16_t)parts.user,
        .client = (uint8_t)client.size,
        .by = (uint8_t)by_size,
        .kind = (uint8_t)change->kind,
        .flags = (uint8_t)(parts.has_value * RECORD_VALUE + change->binary * RECORD_BINARY +
                           parts.rest * RECORD_REST + parts.by_client * RECORD_BY_CLIENT),
    };
    to += sizeof(record_t);
    if (parts.rest) {
        *(record_rest_t *)(void *)to = (record_rest_t){.size = change->value.size, .ttl_ms = change->ttl_ms};
        to += sizeof(record_rest_t);
    }
    to = text_put(to, client);
    to = text_put(to, change->key);
    to = text_put(to, bytes_of(change->value.data, value_size));
    if (by_size + parts.user > 0)
        text_put(text_put(to, bytes_of(by->client.data, by_size)), bytes_of(by->user.data, parts.user));
}

static __attribute__((noinline)) void append_any(event_log_t *log, const change_t *change, bytes_t client,
                                                 bool has_value)
{
    append(log, change, client,
           (parts_t){.has_value = has_value,
                     .rest = change->ttl_ms > 0 || !has_value,
                     .by_client = bytes_equal(change->by->client, client),
                     .user = change->by->user.size});
}

void event_log_append(event_log_t *log, const change_t *change, bytes_t client, bool has_value)
{
    const actor_t *by = change->by;
    /* Most changes are made by a guest to its own store: both ids are then the same bytes. */
    if (has_value && change->ttl_ms == 0 && by->client.data == client.data && by->user.size == 0)
        append(log, change, client, (parts_t){.has_value = true, .by_client = true});
    else
        append_any(log, change, client, has_value);
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
