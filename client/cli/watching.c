/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a watch of either kind, and its lines that are not shown yet. Changes of the own store may come during
 * calls of other commands. */
#include "client/cli/watching.h"

#include <stdlib.h>

#include "client/cli/event_printer.h"
#include "client/cli/interrupt.h"
#include "client/cli/line.h"
#include "client/keep.h"
#include "client/slice.h"
#include "common/clock.h"

enum {
    BURST_EVENTS = 200,          /* taken at a time, so that typing does not have to wait */
    LINES_MAX = 4 * 1024 * 1024, /* bytes of lines not yet shown; events beyond are only counted */
    AGAIN_MS = 500,              /* between attempts to reach a broker that does not answer */
    PROBLEM_MAX = 512            /* bytes of an error text */
};

struct watching {
    cli_t *cli;                 /* borrowed */
    const output_ops_t *format; /* format of its lines: that of the command that began it */
    kvzmq_watch_t *watch;       /* owned; NULL = watching the own store */
    event_printer_t printer;
    buffer_t prefix;           /* of keys; for the own store, where the library has no prefix */
    bool ready;                /* the state is complete: count changes from now on */
    bool lost;                 /* own store: the broker does not answer */
    int64_t again_ms;          /* if lost: when to try again (clock_monotonic_ms) */
    bool limited;              /* ends after `left` changes */
    uint64_t left;             /* changes left to report */
    bool catches_up;           /* ends when it has caught up: */
    uint64_t until;            /* for all stores: up to this number */
    bool earliest;             /* at READY, remark on standard error where it begins */
    uint64_t begins;           /* it begins after this number; 0 = no remark */
    uint64_t taken;            /* changes of the own store so far */
    FILE *lines;               /* memory stream; owned */
    output_t output;           /* on `lines` */
    char *text;                /* of `lines`, up to its last fflush; owned */
    size_t size;               /* bytes of `text` */
    uint64_t unseen;           /* events that found no room in `lines` */
    bool ended;                /* there will be no more */
    kvzmq_status_t status;     /* why it has ended; KVZMQ_OK = by its limit */
    char problem[PROBLEM_MAX]; /* text about `status` */
};

/* ---- Lines ------------------------------------------------------------------------------------ */

static bool lines_open(watching_t *watching)
{
    watching->lines = open_memstream(&watching->text, &watching->size);
    if (watching->lines == NULL)
        return false;
    output_init(&watching->output, watching->format, watching->lines);
    return true;
}

static void lines_close(watching_t *watching)
{
    if (watching->lines != NULL)
        (void)fclose(watching->lines);
    free(watching->text);
    watching->lines = NULL;
    watching->text = NULL;
    watching->size = 0;
}

bool watching_has_lines(const watching_t *watching)
{
    return watching->size > 0 || watching->unseen > 0;
}

/* Writes a remark that says with which change the watch begins. */
static void begin_show(watching_t *watching)
{
    char text[128];
    if (watching->begins == 0)
        return;
    (void)snprintf(text, sizeof text, "begins with change %llu: %s", (unsigned long long)watching->begins + 1,
                   watching->watch == NULL ? "older ones are not kept, or are of another store"
                                           : "the broker does not keep older ones");
    cli_remark(watching->cli, "watch", text);
    watching->begins = 0;
}

void watching_show(watching_t *watching, FILE *stream)
{
    begin_show(watching);
    if (watching->size > 0 && fwrite(watching->text, 1, watching->size, stream) != watching->size)
        watching->cli->output.failed = true;
    if (watching->unseen > 0)
        fprintf(stderr, "watch: %llu more changes are not shown: too many at a time\n",
                (unsigned long long)watching->unseen);
    watching->unseen = 0;
    lines_close(watching);
    if (!lines_open(watching))
        watching->cli->output.failed = true;
}

static void end(watching_t *watching, kvzmq_status_t status, const char *problem)
{
    watching->ended = true;
    watching->status = status;
    (void)snprintf(watching->problem, sizeof watching->problem, "%s", problem);
}

/* ---- Events ----------------------------------------------------------------------------------- */

static void event_show(watching_t *watching, const kvzmq_event_t *event)
{
    if (watching->lines == NULL || watching->size >= LINES_MAX) {
        watching->unseen++;
        return;
    }
    event_printer_print(&watching->printer, &watching->output, event, (uint64_t)clock_unix_ms());
    if (!output_finish(&watching->output))
        watching->cli->output.failed = true;
}

/* Whether the watch has reached its limit with EVENT. Not at a RESET: a READY always follows. */
static bool is_complete(const watching_t *watching, const kvzmq_event_t *event)
{
    if (!watching->limited || !watching->ready || watching->left > 0 || event->kind == KVZMQ_EVENT_RESET)
        return false;
    return !watching->catches_up || (watching->watch != NULL && event->seq >= watching->until);
}

static void event_take(watching_t *watching, const kvzmq_event_t *event)
{
    if (watching->ended)
        return;
    if (event->kind != KVZMQ_EVENT_POSITION)
        event_show(watching, event);
    if (event->kind == KVZMQ_EVENT_READY) {
        watching->ready = true;
        watching->begins = watching->earliest ? event->seq : 0;
        watching->earliest = false;
    }
    if (event->kind == KVZMQ_EVENT_RESET)
        watching->ready = watching->watch == NULL;
    if (event->kind <= KVZMQ_EVENT_OTHER && watching->ready && watching->left > 0)
        watching->left--;
    if (is_complete(watching, event))
        end(watching, KVZMQ_OK, "");
}

/* ---- The own store ---------------------------------------------------------------------------- */

/* A kvzmq_change_fn. */
static void own_change(void *context, const kvzmq_event_t *event)
{
    watching_t *watching = context;
    bytes_t key = slice_bytes(event->key);
    watching->taken++;
    if (event->key.data == NULL || bytes_starts_with(key, buffer_bytes(&watching->prefix)))
        event_take(watching, event);
}

/* Reports an event that is not a change: READY, LOST or AGAIN. */
static void own_tell(watching_t *watching, kvzmq_event_kind_t kind, const char *why)
{
    kvzmq_event_t event = {.kind = kind};
    kvzmq_position_t position;
    if (kind == KVZMQ_EVENT_READY && kvzmq_change_position(watching->cli->connection, &position)) {
        event.seq = position.seq;
        event.epoch = kvzmq_text(position.epoch);
    }
    if (why != NULL)
        event.value = kvzmq_text(why);
    event_take(watching, &event);
}

static void own_lost(watching_t *watching, kvzmq_status_t status)
{
    const char *why = kvzmq_error(watching->cli->connection);
    if (status == KVZMQ_INTERRUPTED)
        return; /* the caller knows */
    bool passes = status == KVZMQ_UNREACHABLE || status == KVZMQ_OUTCOME_UNKNOWN ||
                  status == KVZMQ_UNAVAILABLE || status == KVZMQ_RESOURCE_EXHAUSTED;
    if (!passes) {
        end(watching, status, why);
        return;
    }
    if (!watching->lost)
        own_tell(watching, KVZMQ_EVENT_LOST, why);
    watching->lost = true;
    watching->again_ms = clock_monotonic_ms() + AGAIN_MS;
}

/* Ends the watch if it has caught up. Pushes come before the answers to later requests, so it has caught up
 * if no change comes before the answer to a ping. */
static void own_catch_up(watching_t *watching)
{
    uint64_t before = watching->taken;
    if (kvzmq_ping(watching->cli->connection) == KVZMQ_OK && watching->taken == before)
        end(watching, KVZMQ_OK, "");
}

static void own_listen(watching_t *watching, int timeout_ms)
{
    int64_t wait_ms = watching->lost ? watching->again_ms - clock_monotonic_ms() : 0;
    if (wait_ms > 0 && timeout_ms > 0)
        interrupt_pause((int)wait_ms);
    if (wait_ms > 0 && (timeout_ms == 0 || interrupt_pending()))
        return;
    if (watching->cli->interactive)
        watching->cli->notices = watching->lines; /* show notices with the lines, not over what is typed */
    kvzmq_status_t status = kvzmq_listen(watching->cli->connection, watching->catches_up ? 0 : timeout_ms);
    watching->cli->notices = stderr;
    (void)fflush(watching->lines);
    if (status != KVZMQ_OK && status != KVZMQ_TIMEOUT) {
        own_lost(watching, status);
        return;
    }
    if (watching->lost)
        own_tell(watching, KVZMQ_EVENT_AGAIN, NULL);
    watching->lost = false;
    if (watching->catches_up && !watching->ended)
        own_catch_up(watching);
}

/* ---- All stores ------------------------------------------------------------------------------- */

static void watch_follow(watching_t *watching, int timeout_ms)
{
    kvzmq_event_t event;
    kvzmq_status_t status = KVZMQ_OK;
    for (int i = 0; status == KVZMQ_OK && i < BURST_EVENTS && !watching->ended; i++) {
        status = kvzmq_watch_next(watching->watch, i == 0 ? timeout_ms : 0, &event);
        if (status == KVZMQ_OK)
            event_take(watching, &event);
    }
    if (status != KVZMQ_OK && status != KVZMQ_TIMEOUT && status != KVZMQ_INTERRUPTED)
        end(watching, status, kvzmq_watch_error(watching->watch));
}

/* ---- A watch ---------------------------------------------------------------------------------- */

static kvzmq_status_t begin_own(watching_t *watching, const watching_options_t *options)
{
    buffer_append(&watching->prefix, options->prefix.data, options->prefix.size);
    if (watching->prefix.failed)
        return KVZMQ_NO_MEMORY;
    watching->ready = true;
    kvzmq_t *conn = watching->cli->connection;
    kvzmq_status_t status = options->earliest ? kvzmq_on_change_earliest(conn, own_change, watching)
                                              : kvzmq_on_change(conn, own_change, watching,
                                                                options->resume ? &options->since : NULL);
    if (status == KVZMQ_OK)
        own_tell(watching, KVZMQ_EVENT_READY, NULL);
    return status;
}

static kvzmq_status_t begin_watch(watching_t *watching, const watching_options_t *options)
{
    kvzmq_options_t connection;
    kvzmq_watch_options_t wanted;
    cli_connection_options(watching->cli, &connection);
    kvzmq_watch_options_init(&wanted);
    wanted.client = options->client;
    wanted.prefix = options->prefix;
    wanted.initial = options->initial;
    wanted.resume = options->resume;
    wanted.since = options->since;
    wanted.earliest = options->earliest;
    watching->watch = kvzmq_watch_new(&connection, &wanted);
    return watching->watch == NULL ? KVZMQ_NO_MEMORY : KVZMQ_OK;
}

outcome_t watching_begin(cli_t *cli, const watching_options_t *options, watching_t **watching)
{
    watching_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        return cli_fail(cli, KVZMQ_NO_MEMORY);
    made->cli = cli;
    made->format = cli->output.ops;
    buffer_init(&made->prefix, LINE_BYTES_MAX);
    made->limited = options->limited;
    made->left = options->count;
    made->catches_up = options->catches_up;
    made->earliest = options->earliest;
    made->until = options->until;
    kvzmq_status_t status = KVZMQ_NO_MEMORY;
    if (event_printer_init(&made->printer, options->initial) && lines_open(made))
        status = options->own ? begin_own(made, options) : begin_watch(made, options);
    if (status != KVZMQ_OK) {
        outcome_t outcome = cli_fail(cli, status);
        watching_destroy(&made);
        return outcome;
    }
    *watching = made;
    return OUTCOME_OK;
}

void watching_destroy(watching_t **watching)
{
    watching_t *gone = *watching;
    if (gone == NULL)
        return;
    if (gone->watch == NULL) {
        /* Ignore errors: no change is reported after this in any case. */
        kvzmq_status_t status = kvzmq_on_change(gone->cli->connection, NULL, NULL, NULL);
        (void)status;
    }
    kvzmq_watch_destroy(&gone->watch);
    lines_close(gone);
    event_printer_release(&gone->printer);
    buffer_release(&gone->prefix);
    free(gone);
    *watching = NULL;
}

bool watching_is_own(const watching_t *watching)
{
    return watching->watch == NULL;
}

bool watching_take(watching_t *watching, int timeout_ms)
{
    if (!watching->ended && watching->watch != NULL)
        watch_follow(watching, timeout_ms);
    else if (!watching->ended)
        own_listen(watching, timeout_ms);
    return !watching->ended;
}

outcome_t watching_fail(cli_t *cli, kvzmq_status_t status, const char *error)
{
    if (status != KVZMQ_PERMISSION_DENIED)
        return cli_fail_with(cli, status, error);
    if (cli->user[0] != '\0')
        return cli_fail_with(cli, status,
                             "a manager made this watch's session a guest; start the watch again to log in");
    return cli_fail_with(
        cli, status,
        cli_is_alone(cli) ? "watch and verify are for managers: log in with -u USER (anybody may watch --own)"
                          : "watch and verify are for managers, and log in by themselves: auth USER first "
                            "(anybody may watch --own)");
}

outcome_t watching_end(const watching_t *watching)
{
    if (watching->status == KVZMQ_OK)
        return OUTCOME_OK;
    return watching_fail(watching->cli, watching->status, watching->problem);
}

int watching_wait(const watching_t *watching, int *wait_ms)
{
    *wait_ms = -1;
    if (watching->watch != NULL)
        return kvzmq_watch_fd(watching->watch);
    const kvzmq_session_t *session = kvzmq_session(watching->cli->connection);
    int64_t keep_ms = session == NULL ? AGAIN_MS : keep_part_ms(session);
    *wait_ms = watching->lost || keep_ms < AGAIN_MS ? AGAIN_MS : (int)(keep_ms < 60000 ? keep_ms : 60000);
    return watching->lost ? -1 : kvzmq_fd(watching->cli->connection);
}
