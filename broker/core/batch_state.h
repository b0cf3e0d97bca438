/* SPDX-License-Identifier: MPL-2.0 */
/* The state of a payload while it is executed. Only batch.c, and the files that it executes payloads with
 * (execute.c, usual.c, room.c), write it; and propose.c writes `barrier`. */
#ifndef KV_BROKER_CORE_BATCH_STATE_H
#define KV_BROKER_CORE_BATCH_STATE_H

#include "broker/core/pending.h"
#include "common/buffer.h"

/* The stages of a payload: batch.c. */
typedef enum stage {
    STAGE_IDLE,  /* there is no payload */
    STAGE_ADMIT, /* its session has no client yet: ask for admission */
    STAGE_BEGIN, /* check it as a whole */
    STAGE_READ,  /* read its next message */
    STAGE_RUN,   /* execute the message */
    STAGE_WAIT,  /* a request or the session waits: see session->wait */
    STAGE_SEND,  /* send the answer */
    STAGE_END    /* the answer was sent: clean up */
} stage_t;

/* With a log: whether this broker has applied every change that anybody was told of before the payload
 * arrived: propose_barrier. */
typedef enum barrier {
    BARRIER_NONE,
    BARRIER_ASKED, /* the log calls hub_pass when it is so */
    BARRIER_PASSED
} barrier_t;

/* The current payload of a session. */
typedef struct batch {
    stage_t stage;
    stage_t next;           /* STAGE_WAIT: the stage after it */
    bytes_t payload;        /* borrowed while it runs; points to `rest` once it waited */
    const char *fault;      /* as in arrival_t */
    uint8_t *rest;          /* owned copy of what was unread when it first waited; NULL before */
    size_t at;              /* offset of the next message in `payload` */
    size_t offset;          /* bytes of the whole payload before `payload`, for error texts */
    uint64_t done;          /* messages read */
    uint64_t most;          /* limits/batch when the payload arrived */
    uint64_t total;         /* messages in the whole payload if they were counted, else 0 */
    size_t room;            /* bytes of answers that leave room for errors, however many messages follow */
    buffer_t answer;        /* answers so far */
    buffer_t envelope;      /* to send back before the answer; empty for a DEALER */
    uint64_t expiries;      /* hub_t.expiries when it arrived */
    uint64_t cost;          /* of this turn, in units of HUB_COST_TURN: items visited and notifications */
    bool overflow;          /* an answer did not fit: nothing more is executed */
    bool refused;           /* memory for an answer was refused: nothing more is executed, the session ends */
    barrier_t barrier;      /* with a log: must be passed before it reads */
    pending_ring_t pending; /* requests whose answers come after `answer` */
} batch_t;

/* Frees what BATCH holds; the stage is STAGE_IDLE afterwards. */
void batch_release(batch_t *batch);

#endif
