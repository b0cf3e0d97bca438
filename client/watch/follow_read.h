/* SPDX-License-Identifier: MPL-2.0 */
/* How far the state of one or all stores has been read, and which part is covered (see follow.h). Makes no
 * requests and reports nothing: follow.c does, depending on the step. */
#ifndef KV_CLIENT_WATCH_FOLLOW_READ_H
#define KV_CLIENT_WATCH_FOLLOW_READ_H

#include "client/watch/event.h"
#include "common/buffer.h"

enum { READING_CLIENTS_MAX = 10000 }; /* clients in a page */

typedef enum read_step {
    READ_CLIENTS, /* request a page of clients */
    READ_LIST,    /* request a page of the current client's entries */
    READ_FILL,    /* bring the covered part up to the seq of the page */
    READ_ROWS,    /* report the page's rows */
    READ_NOW,     /* everything is covered; request the seq to end at */
    READ_FINISH   /* bring everything up to that seq */
} read_step_t;

typedef struct reading {
    const char *client; /* whose store; NULL = all. Borrowed */
    bool active;        /* reading has begun and not ended */
    read_step_t step;
    bool page_more;       /* entries follow the current client's page */
    bool has_cursor;      /* keys up to `cursor` are covered */
    buffer_t cursor;      /* of the current client */
    char **ids;           /* of the page of clients; owned, and each id too */
    size_t count;         /* of `ids` */
    size_t next;          /* the first id that was not begun */
    size_t capacity;      /* size of `ids` */
    bool clients_more;    /* clients follow the page of clients */
    bool clients_begun;   /* a page of clients was read */
    buffer_t clients_end; /* the last id of the page, with or without keys */
} reading_t;

/* Prepares to read the store of CLIENT (borrowed), or all stores (NULL). False if memory is refused; call
 * reading_release even then. */
KV_MUST_USE bool reading_init(reading_t *reading, const char *client);
void reading_release(reading_t *reading);

void reading_begin(reading_t *reading);
/* Continues after an interruption: repeats the page that was being read. */
void reading_again(reading_t *reading);
/* Forgets what was read. */
void reading_stop(reading_t *reading);

/* The client that is being read, at READ_LIST and READ_ROWS. */
const char *reading_client(const reading_t *reading);
/* The `after` of the page to request; size 0 = from the beginning. */
kvzmq_slice_t reading_after(const reading_t *reading);
/* Whether EVENT is about the covered part. Report it then before reading the rest. */
bool reading_covers(const reading_t *reading, const kvzmq_event_t *event);

/* READ_CLIENTS: a client of the page, with its number of KEYS; then the page's end. False: memory is refused,
 * or the clients are not in order. */
KV_MUST_USE bool reading_client_take(reading_t *reading, kvzmq_slice_t id, uint64_t keys);
void reading_clients_end(reading_t *reading, bool more);

/* READ_LIST: the page was received, or the client does not exist. */
void reading_listed(reading_t *reading, bool more);
void reading_absent(reading_t *reading);

/* READ_FILL, READ_FINISH: the covered part is up to date. Returns whether it is the whole state. */
KV_MUST_USE bool reading_filled(reading_t *reading);

/* READ_ROWS: whether KEY is in order and not too long; KEY was reported; the page's end, which returns
 * whether the state is complete. */
KV_MUST_USE bool reading_row_follows(const reading_t *reading, kvzmq_slice_t key);
void reading_row_told(reading_t *reading, kvzmq_slice_t key);
KV_MUST_USE bool reading_rows_end(reading_t *reading);

/* READ_NOW: the seq is known. */
void reading_finish(reading_t *reading);

#endif
