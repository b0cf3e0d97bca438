/* SPDX-License-Identifier: MPL-2.0 */
/* Owns copies of commands, and decides the order in which they are applied. */
#include "tests/support/later_log.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/core/feed.h"
#include "broker/core/propose.h"
#include "broker/core/sessions.h"
#include "tests/support/chance.h"

/* A command that was appended, followed by its texts; or a barrier. */
typedef struct appended {
    struct appended *next;
    uint64_t stream;    /* id of the session that appended it, 0 = the broker itself */
    session_t *session; /* the session that waits for the outcome, or NULL */
    bool barrier;
    command_t command;
    uint8_t texts[];
} appended_t;

enum { LEAVE_TEXTS = 1024 }; /* most bytes of the texts of a LEAVE */

struct later_log {
    command_log_t log;
    hub_t *hub;
    chance_t chance;
    appended_t *first; /* in the order of arrival */
    appended_t **tail;
    size_t count;
    appended_t *spare; /* one for each session that may have joined, so that its LEAVE needs no memory */
    uint64_t spares;
    appended_t *begun; /* partly applied; no longer in the list */
    place_t place;     /* of `begun` */
    later_log_observer_fn *observer;
    void *observer_context;
};

/* ---- Copies ----------------------------------------------------------------------------------- */

/* Copies the bytes of TEXT to *TO, makes TEXT refer to the copy, and moves *TO to its end. */
static void text_move(bytes_t *text, uint8_t **to)
{
    if (text->size > 0)
        memcpy(*to, text->data, text->size);
    text->data = *to;
    *to += text->size;
}

/* Returns a copy of COMMAND, made in PLACE unless that is NULL. NULL if memory is refused. */
static appended_t *appended_new(const command_t *command, appended_t *place)
{
    command_t pure = *command;
    pure.client = NULL; /* another process could not use these two */
    pure.put.lookup = (lookup_t){0};
    bytes_t *texts[] = {&pure.client_id, &pure.by.client, &pure.by.user, &pure.put.key,
                        &pure.put.value, &pure.name,      &pure.text};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    size_t size = pure.claim ? strlen(pure.claim) + 1 : 0;
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i]->size;
    assert(!place || size <= LEAVE_TEXTS);
    appended_t *appended = place ? place : calloc(1, sizeof *appended + size);
    if (!appended)
        return NULL;
    appended->next = NULL;
    uint8_t *to = appended->texts;
    for (size_t i = 0; i < TEXTS; i++)
        text_move(texts[i], &to);
    if (pure.claim)
        pure.claim = memcpy(to, pure.claim, strlen(pure.claim) + 1);
    appended->command = pure;
    return appended;
}

/* ---- The order -------------------------------------------------------------------------------- */

/* Removes a randomly chosen command from the list: the first one of a stream. */
static appended_t *appended_take(later_log_t *log)
{
    const appended_t *chosen = log->first;
    for (size_t skip = chance_below(&log->chance, log->count); skip > 0; skip--)
        chosen = chosen->next;
    appended_t **link = &log->first;
    while ((*link)->stream != chosen->stream)
        link = &(*link)->next;
    appended_t *taken = *link;
    *link = taken->next;
    if (!taken->next)
        log->tail = link;
    log->count--;
    return taken;
}

/* Applies one command, or as much of it as fits in a turn; or passes one barrier. */
static void apply_one(later_log_t *log)
{
    appended_t *appended = log->begun;
    if (!appended) {
        appended = appended_take(log);
        log->place = propose_place(log->hub);
    }
    if (appended->barrier) {
        if (appended->session)
            hub_pass(log->hub, appended->session);
        free(appended);
        return;
    }
    log->begun = appended;
    if (log->observer)
        log->observer(log->observer_context, &appended->command, &log->place);
    if (!hub_apply(log->hub, appended->session, &appended->command, &log->place))
        return;
    log->begun = NULL;
    free(appended);
}

/* ---- The operations of command_log_t ---------------------------------------------------------- */

static void append(later_log_t *log, appended_t *appended, session_t *session, bool heard)
{
    appended->stream = session ? session->id : 0;
    appended->session = heard ? session : NULL;
    *log->tail = appended;
    log->tail = &appended->next;
    log->count++;
}

/* Half of the barriers are passed at once. */
static bool op_barrier(void *context, session_t *session)
{
    later_log_t *log = context;
    appended_t *barrier = chance_hits(&log->chance, 50) ? calloc(1, sizeof *barrier) : NULL;
    if (!barrier)
        return true;
    barrier->barrier = true;
    append(log, barrier, session, true);
    return false;
}

/* Keeps memory for a LEAVE of each session there is. */
static bool spare_keep(later_log_t *log)
{
    if (log->spares >= sessions_count(log->hub->sessions))
        return true;
    appended_t *spare = calloc(1, sizeof *spare + LEAVE_TEXTS);
    if (!spare)
        return false;
    spare->next = log->spare;
    log->spare = spare;
    log->spares++;
    return true;
}

static appended_t *spare_take(later_log_t *log)
{
    appended_t *spare = log->spare;
    assert(spare);
    log->spare = spare->next;
    log->spares--;
    return spare;
}

static bool op_append(void *context, session_t *session, const command_t *command, bool heard)
{
    later_log_t *log = context;
    if (command->kind == COMMAND_JOIN && !spare_keep(log))
        return false;
    bool leaves =
        command->kind == COMMAND_LEAVE && log->spare; /* without a spare, the session never joined */
    appended_t *appended = appended_new(command, leaves ? spare_take(log) : NULL);
    if (!appended)
        return false;
    append(log, appended, session, heard);
    return true;
}

static void op_abandon(void *context, const session_t *session)
{
    later_log_t *log = context;
    for (appended_t *appended = log->first; appended; appended = appended->next) {
        if (appended->session == session)
            appended->session = NULL;
    }
    if (log->begun && log->begun->session == session)
        log->begun->session = NULL;
}

static bool op_waits(void *context)
{
    const later_log_t *log = context;
    return log->first || log->begun;
}

static void op_turn(void *context)
{
    later_log_t *log = context;
    uint64_t end = log->hub->told_cost + HUB_COST_TURN;
    for (size_t some = chance_below(&log->chance, log->count + 2);
         some > 0 && op_waits(log) && log->hub->told_cost < end; some--) {
        apply_one(log);
        if (log->begun) /* another turn applies the rest */
            break;
    }
}

void later_log_settle(later_log_t *log)
{
    uint64_t end = log->hub->told_cost + HUB_COST_TURN;
    while (op_waits(log) && log->hub->told_cost < end) {
        apply_one(log);
        if (log->begun)
            break;
    }
}

/* ---- Life ------------------------------------------------------------------------------------- */

later_log_t *later_log_new(hub_t *hub, uint64_t seed)
{
    later_log_t *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->hub = hub;
    log->chance = chance_from(seed);
    log->tail = &log->first;
    log->log = (command_log_t){.context = log,
                               .append = op_append,
                               .barrier = op_barrier,
                               .abandon = op_abandon,
                               .turn = op_turn,
                               .waits = op_waits};
    hub->command_log = &log->log;
    return log;
}

static void appended_free(appended_t *first)
{
    while (first) {
        appended_t *next = first->next;
        free(first);
        first = next;
    }
}

void later_log_destroy(later_log_t **self)
{
    later_log_t *log = *self;
    if (!log)
        return;
    appended_free(log->first);
    appended_free(log->spare);
    free(log->begun);
    free(log);
    *self = NULL;
}

later_log_t *later_log_of(const hub_t *hub)
{
    return hub->command_log->context;
}

void later_log_observe(later_log_t *log, later_log_observer_fn *observer, void *context)
{
    log->observer = observer;
    log->observer_context = context;
}
