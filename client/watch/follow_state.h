/* SPDX-License-Identifier: MPL-2.0 */
/* The state of a watch, and its turns: beginning, going on after a failure, beginning anew. Private to
 * follow.c, which says when. */
#ifndef KV_CLIENT_WATCH_FOLLOW_STATE_H
#define KV_CLIENT_WATCH_FOLLOW_STATE_H

#include "client/watch/follow_config.h"
#include "client/watch/follow_read.h"
#include "client/watch/outbox.h"
#include "common/buffer.h"

typedef enum follow_phase {
    PHASE_TICKET,    /* a ticket and an event connection are wanted */
    PHASE_HANDSHAKE, /* the connection is made, no sync has come */
    PHASE_READ,      /* the state is read: see read_step_t */
    PHASE_REPAIR,    /* what was missed is replayed, up to `target` */
    PHASE_LIVE,      /* events are told as they come */
    PHASE_PAUSE      /* after a failure, before another ticket */
} follow_phase_t;

struct follow {
    outbox_t outbox; /* what is to be told */
    char *client;    /* owned; NULL = all */
    buffer_t prefix; /* of keys */
    bool initial;    /* the state is wanted */
    bool earliest;   /* READY is to be told at the oldest position there is, once `replay` has taken that */
    unsigned tries;  /* positions that it did not take any more */
    follow_phase_t phase;
    epoch_t epoch;         /* that `pos` is of; "" = none yet */
    bool based;            /* `pos` is a position from which the watcher was told, or will be, every event */
    bool ready;            /* READY was told since */
    bool announced;        /* the watcher has been told something that a RESET would take back */
    bool lost;             /* LOST was told, and no AGAIN since */
    uint64_t pos;          /* everything wanted up to here was told; while reading: about what is covered */
    uint64_t complete_seq; /* the highest seq that the watcher knows to be complete */
    uint64_t target;       /* of a repair, or while reading */
    bool gap;              /* the replay under way left something out that it must not */
    bool moved;            /* the replay under way brought something */
    uint64_t session;      /* the ticket is of */
    bool ticket_void; /* that session is gone: no event will come by it. Answers in the meantime are good */
    epoch_t ticket_epoch;
    uint64_t ticket_seq;
    uint64_t ticket_oldest;
    int64_t quiet_ms;  /* when silence has lasted too long */
    int64_t repair_ms; /* before this no repair begins, unless a sync comes */
    int64_t pause_ms;  /* end of the pause */
    unsigned failures; /* since events were last told as they came */
    reading_t reading;
    kvzmq_watch_counts_t counts;
};

/* Has EVENT told, with the epoch. */
void state_tell(follow_t *follow, const kvzmq_event_t *event);
/* The same, of KIND, for the reason WHY. */
void state_tell_why(follow_t *follow, kvzmq_event_kind_t kind, const char *why);
/* Tells how far the watcher knows all, where events did not. */
void state_tell_position(follow_t *follow);
/* Whether the watcher wants to hear of EVENT. */
bool state_wants(const follow_t *follow, const kvzmq_event_t *event);
/* Everything up to SEQ was told, or is of no interest. */
void state_pass(follow_t *follow, uint64_t seq);
/* Takes EVENT, the next one there is: tells it if it is WANTED. */
void state_take(follow_t *follow, const kvzmq_event_t *event, bool wanted);
/* Begins a pause before another ticket, which is longer with each failure. */
void state_pause(follow_t *follow, int64_t now_ms);
/* What was missed cannot be had any more: all is begun anew. */
void state_start_over(follow_t *follow, int64_t now_ms);
/* Events are told as they come from now on. */
void state_live(follow_t *follow, int64_t now_ms);
/* Tells READY, and that `pos` is the base. */
void state_tell_ready(follow_t *follow);
/* The same, and goes live. */
void state_ready(follow_t *follow, int64_t now_ms);
/* Goes live where `pos` is TARGET already, else repairs up to it. */
void state_reach(follow_t *follow, int64_t now_ms, uint64_t target);
/* The event connection lives, and the broker is at SEQ: goes on from there. */
void state_settle(follow_t *follow, int64_t now_ms, uint64_t seq);

#endif
