/* SPDX-License-Identifier: MPL-2.0 */
/* Where reading the state of one or all stores is, and what of it is covered (see follow.h). It tells
 * nothing, and asks for nothing: follow.c does, by the step that is next. */
#ifndef KV_CLIENT_WATCH_FOLLOW_READ_H
#define KV_CLIENT_WATCH_FOLLOW_READ_H

#include "client/watch/event.h"
#include "common/buffer.h"

enum { READING_CLIENTS_MAX = 10000 }; /* clients in a page */

typedef enum read_step {
    READ_CLIENTS, /* a page of clients is wanted */
    READ_LIST,    /* a page of the current client's entries */
    READ_FILL,    /* what is covered is brought up to the seq of the page */
    READ_ROWS,    /* the page's rows */
    READ_NOW,     /* all is covered; as of which seq does it end? */
    READ_FINISH   /* all is brought up to that seq */
} read_step_t;

typedef struct reading {
    const char *client; /* whose store; NULL = all. Borrowed */
    bool active;        /* there is a state half read */
    read_step_t step;
    bool page_more;       /* of the current client's page */
    bool has_cursor;      /* keys up to `cursor` are covered */
    buffer_t cursor;      /* of the current client */
    char **ids;           /* of the page of clients; owned, as each of them */
    size_t count;         /* of them */
    size_t next;          /* the first that was not begun */
    size_t capacity;      /* that there is memory for */
    bool clients_more;    /* behind this page */
    bool clients_begun;   /* a page of clients was read */
    buffer_t clients_end; /* the last id of that page, with or without keys */
} reading_t;

/* Prepares to read CLIENT's store (borrowed), or (NULL) all. False if memory is refused; to be released even
 * then. */
KV_MUST_USE bool reading_init(reading_t *reading, const char *client);
void reading_release(reading_t *reading);

void reading_begin(reading_t *reading);
/* Reading was cut off: goes on with the page that was under way. */
void reading_again(reading_t *reading);
/* Forgets what was read. */
void reading_stop(reading_t *reading);

/* The client that is read at READ_LIST and READ_ROWS. */
const char *reading_client(const reading_t *reading);
/* What the page that is wanted comes after; size 0 = from the beginning. */
kvzmq_slice_t reading_after(const reading_t *reading);
/* Whether EVENT is about what was read, and is to be told before the rest is read. */
bool reading_covers(const reading_t *reading, const kvzmq_event_t *event);

/* READ_CLIENTS: takes a client with so many KEYS, then the page's end. False: memory is refused, or they do
 * not come in order. */
KV_MUST_USE bool reading_client_take(reading_t *reading, kvzmq_slice_t id, uint64_t keys);
void reading_clients_end(reading_t *reading, bool more);

/* READ_LIST: the page was listed, or there is no such client. */
void reading_listed(reading_t *reading, bool more);
void reading_absent(reading_t *reading);

/* READ_FILL, READ_FINISH: what is covered was brought up. Returns whether that is the whole state. */
KV_MUST_USE bool reading_filled(reading_t *reading);

/* READ_ROWS: whether KEY comes in order, and is no longer than a key may be; that it was told; and the page's
 * end, which returns whether the state is whole. */
KV_MUST_USE bool reading_row_follows(const reading_t *reading, kvzmq_slice_t key);
void reading_row_told(reading_t *reading, kvzmq_slice_t key);
KV_MUST_USE bool reading_rows_end(reading_t *reading);

/* READ_NOW: the seq is known. */
void reading_finish(reading_t *reading);

#endif
