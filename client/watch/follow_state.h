/* SPDX-License-Identifier: MPL-2.0 */
/* The state of a watch, and its transitions: begin, continue after a failure, start over. Private to
 * follow.c, which decides when. */
#ifndef KV_CLIENT_WATCH_FOLLOW_STATE_H
#define KV_CLIENT_WATCH_FOLLOW_STATE_H

#include "client/watch/follow_config.h"
#include "client/watch/follow_read.h"
#include "client/watch/outbox.h"
#include "common/buffer.h"

typedef enum follow_phase {
    PHASE_TICKET,    /* request a ticket and make an event connection */
    PHASE_HANDSHAKE, /* the event connection is made; no sync has come */
    PHASE_READ,      /* reading the state: see read_step_t */
    PHASE_REPAIR,    /* replaying missed events up to `target` */
    PHASE_LIVE,      /* reporting events as they come */
    PHASE_PAUSE      /* waiting after a failure, before another ticket */
} follow_phase_t;

struct follow {
    outbox_t outbox; /* events to report */
    char *client;    /* owned; NULL = all */
    buffer_t prefix; /* of keys */
    bool initial;    /* report the state first */
    bool earliest;   /* report READY at the oldest position, when `replay` accepts that */
    unsigned tries;  /* positions that `replay` refused, for `earliest` */
    follow_phase_t phase;
    epoch_t epoch;         /* of `pos`; "" = none yet */
    bool based;            /* from `pos` on, every event was or will be reported */
    bool ready;            /* READY was reported since */
    bool announced;        /* something was reported that a RESET would revoke */
    bool lost;             /* LOST was reported, and no AGAIN since */
    uint64_t pos;          /* wanted events up to here were reported; while reading: of the covered part */
    uint64_t complete_seq; /* the highest seq that the watcher knows is complete */
    uint64_t target;       /* the seq to reach by a repair, or by FILL and FINISH */
    bool gap;              /* the current replay has a gap */
    bool moved;            /* the current replay made progress */
    uint64_t session;      /* of the ticket */
    bool ticket_void;      /* `session` is gone, so the ticket brings no events. Answers are still valid */
    epoch_t ticket_epoch;
    uint64_t ticket_seq;
    uint64_t ticket_oldest;
    int64_t quiet_ms;  /* when to treat silence as a failure */
    int64_t repair_ms; /* the earliest time of a repair, unless a sync comes */
    int64_t pause_ms;  /* end of the pause */
    unsigned failures; /* since the last sync in PHASE_LIVE */
    reading_t reading;
    kvzmq_watch_counts_t counts;
};

/* Queues EVENT for reporting, with the current epoch. */
void state_tell(follow_t *follow, const kvzmq_event_t *event);
/* The same for an event of KIND with the text WHY. */
void state_tell_why(follow_t *follow, kvzmq_event_kind_t kind, const char *why);
/* Reports POSITION, if the watcher does not know that everything up to `pos` is complete. */
void state_tell_position(follow_t *follow);
/* Whether EVENT is to be reported. */
bool state_wants(const follow_t *follow, const kvzmq_event_t *event);
/* Everything up to SEQ was reported, or is not wanted. */
void state_pass(follow_t *follow, uint64_t seq);
/* Takes EVENT, the next in order: reports it if WANTED, else skips it. */
void state_take(follow_t *follow, const kvzmq_event_t *event, bool wanted);
/* Begins a pause before another ticket. It is longer after each failure. */
void state_pause(follow_t *follow, int64_t now_ms);
/* Missed events are no longer available: starts over. */
void state_start_over(follow_t *follow, int64_t now_ms);
/* Enters PHASE_LIVE: reports events as they come. */
void state_live(follow_t *follow, int64_t now_ms);
/* Reports READY, with `pos` as the base. */
void state_tell_ready(follow_t *follow);
/* The same, and then enters PHASE_LIVE. */
void state_ready(follow_t *follow, int64_t now_ms);
/* Enters PHASE_LIVE if `pos` has reached TARGET; else begins a repair up to it. */
void state_reach(follow_t *follow, int64_t now_ms, uint64_t target);
/* The event connection works, and the broker is at SEQ: decides how to begin or continue. */
void state_settle(follow_t *follow, int64_t now_ms, uint64_t seq);

#endif
