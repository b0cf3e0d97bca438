/* SPDX-License-Identifier: MPL-2.0 */
/* What follow.c (positions and liveness) and follow_read.c (reading the state) share. Private to them. */
#ifndef KV_CLIENT_WATCH_FOLLOW_STATE_H
#define KV_CLIENT_WATCH_FOLLOW_STATE_H

#include "client/watch/follow.h"
#include "common/buffer.h"

typedef enum follow_phase {
    PHASE_TICKET,    /* a ticket and an event connection are wanted */
    PHASE_HANDSHAKE, /* the connection is made, no sync has come */
    PHASE_READ,      /* the state is read: see read_step_t */
    PHASE_REPAIR,    /* what was missed is replayed, up to `target` */
    PHASE_LIVE,      /* events are told as they come */
    PHASE_PAUSE      /* after a failure, before another ticket */
} follow_phase_t;

typedef enum read_step {
    READ_CLIENTS, /* a page of clients is wanted */
    READ_LIST,    /* a page of the current client's entries */
    READ_FILL,    /* what is covered is brought up to `target`, the seq of the page */
    READ_ROWS,    /* the page's rows */
    READ_NOW,     /* all is covered; as of which seq does it end? */
    READ_FINISH   /* all is brought up to `target`, that seq */
} read_step_t;

/* Where reading the state is. */
typedef struct reading {
    bool active; /* there is a state half read */
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

struct follow {
    follow_tell_fn *tell;
    void *context;
    char *client;    /* owned; NULL = all */
    buffer_t prefix; /* of keys */
    bool initial;    /* the state is wanted */
    bool earliest;   /* READY is to be told at the oldest position there is, once `replay` has taken that */
    unsigned tries;  /* positions that it did not take any more */
    follow_phase_t phase;
    char epoch[sizeof((kvzmq_position_t *)0)->epoch]; /* that `pos` is of; "" = none yet */
    bool based;       /* `pos` is a position from which the watcher was told, or will be, every event */
    bool ready;       /* READY was told since */
    bool announced;   /* the watcher has been told something that a RESET would take back */
    bool lost;        /* LOST was told, and no AGAIN since */
    uint64_t pos;     /* everything wanted up to here was told; while reading: about what is covered */
    uint64_t told;    /* the highest seq that the watcher knows to be complete */
    uint64_t target;  /* of a repair, or while reading */
    bool gap;         /* the replay under way left something out that it must not */
    bool moved;       /* the replay under way brought something */
    uint64_t session; /* the ticket is of */
    bool ticket_void; /* that session is gone: no event will come by it. Answers in the meantime are good */
    char ticket_epoch[sizeof((kvzmq_position_t *)0)->epoch];
    uint64_t ticket_seq;
    uint64_t ticket_oldest;
    int64_t quiet_ms;  /* when silence has lasted too long */
    int64_t repair_ms; /* before this no repair begins, unless a sync comes */
    int64_t pause_ms;  /* end of the pause */
    unsigned failures; /* since events were last told as they came */
    reading_t reading;
    kvzmq_watch_counts_t counts;
};

/* Tells EVENT, with the epoch. */
KV_MUST_USE bool follow_tell(follow_t *follow, const kvzmq_event_t *event);
/* Tells an event of KIND that is about no client. */
KV_MUST_USE bool follow_tell_plain(follow_t *follow, kvzmq_event_kind_t kind, uint64_t seq);
/* Whether the watcher wants to hear of EVENT. */
bool follow_wants(const follow_t *follow, const kvzmq_event_t *event);
/* Tells READY, and that `pos` is the base. */
void follow_ready(follow_t *follow, int64_t now_ms);
/* Goes live where `pos` is there already, else repairs up to TARGET. */
void follow_reach(follow_t *follow, int64_t now_ms, uint64_t target);

/* Begins to read the state, as of POS at least. */
void reading_begin(follow_t *follow);
/* Reading was cut off: goes on with the page that was under way. */
void reading_again(follow_t *follow);
void reading_release(follow_t *follow);
/* What is to be done next. */
void reading_next(const follow_t *follow, follow_action_t *action);
/* Whether EVENT is about what was read, and is to be told before the rest is read. */
bool reading_covers(const follow_t *follow, const kvzmq_event_t *event);
/* STEP (FILL, FINISH) begins, which brings what is covered up to TARGET. */
void reading_fill(follow_t *follow, int64_t now_ms, read_step_t step, uint64_t target);
/* `target` is reached. */
void reading_filled(follow_t *follow, int64_t now_ms);

#endif
