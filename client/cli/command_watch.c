/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that follow changes: watch shows them; verify makes a copy from them and compares it with the
 * broker. */
#include "client/cli/command_watch.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "client/cli/interrupt.h"
#include "client/cli/watching.h"
#include "client/slice.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/number.h"
#include "common/utf8.h"

enum {
    TURN_MS = 1000,  /* how often a foreground watch checks whether its output is still read */
    LOOK_MS = 200,   /* between pings while a copy is made */
    STILL_PARTS = 6, /* gives up a copy that has not grown for this many times --timeout */
    RETRY_MS = 50,   /* between attempts to compare while stores change */
    STORE_COLUMNS = 3
};

/* ---- watch: its options ----------------------------------------------------------------------- */

/* Parses SEQ or SEQ@EPOCH. Without EPOCH, takes the broker's current one. */
static bool position_parse(bytes_t text, const kvzmq_session_t *session, kvzmq_position_t *position)
{
    const uint8_t *at = text.size == 0 ? NULL : memchr(text.data, '@', text.size);
    size_t size = at == NULL ? text.size : (size_t)(at - text.data);
    bytes_t epoch = at == NULL ? bytes_from_text(session->epoch) : bytes_of(at + 1, text.size - size - 1);
    if (!number_parse(bytes_of(text.data, size), &position->seq) || epoch.size == 0 ||
        epoch.size >= sizeof position->epoch || memchr(epoch.data, 0, epoch.size) != NULL)
        return false;
    memcpy(position->epoch, epoch.data, epoch.size);
    position->epoch[epoch.size] = '\0';
    return true;
}

static outcome_t options_take(cli_t *cli, const call_t *call, watching_options_t *options)
{
    *options = (watching_options_t){
        .own = (call->given & OPT_BIT(OPT_OWN)) != 0,
        .prefix = slice_of(call->texts[OPT_PREFIX]),
        .initial = (call->given & OPT_BIT(OPT_INITIAL)) != 0,
        .resume = (call->given & OPT_BIT(OPT_SINCE)) != 0,
        .limited = (call->given & OPT_BIT(OPT_EVENTS)) != 0,
        .count = call->numbers[OPT_EVENTS],
    };
    bool all = options->resume && bytes_equal(call->texts[OPT_SINCE], bytes_from_text("0"));
    if (options->own && (call->argument_count > 0 || options->initial))
        return cli_refuse(cli, "watch",
                          "--own shows changes of your own store: it takes no CLIENT and no --initial");
    if (options->initial && options->resume)
        return cli_refuse(cli, "watch", "--initial and --since cannot be used together");
    if (options->resume &&
        !position_parse(call->texts[OPT_SINCE], kvzmq_session(cli->connection), &options->since))
        return cli_refuse(cli, "watch",
                          "--since takes the number of a change (seq), or SEQ@EPOCH as ready shows it");
    options->earliest = all;
    options->resume = options->resume && !all;
    return call->argument_count == 0 ? OUTCOME_OK
                                     : call_text(cli, call->arguments[0], "a client's id", &options->client);
}

/* Requests the number of the broker's newest change. */
static bool newest_ask(cli_t *cli, uint64_t *seq)
{
    kvzmq_range_t range = {.size = sizeof range, .limit = 1};
    kvzmq_page_t *page;
    if (kvzmq_list(cli->connection, NULL, &range, &page) != KVZMQ_OK)
        return false;
    *seq = kvzmq_page_seq(page);
    kvzmq_page_destroy(&page);
    return true;
}

/* Writes a remark if there is no client CLIENT: its name may be wrong. */
static void client_check(cli_t *cli, const char *client)
{
    char text[LIMIT_NAME + 64];
    kvzmq_range_t range = {.size = sizeof range, .prefix = kvzmq_text(client), .limit = 1};
    kvzmq_page_t *page;
    kvzmq_client_t first;
    if (strlen(client) > LIMIT_NAME || kvzmq_clients(cli->connection, &range, &page) != KVZMQ_OK)
        return; /* the watch will show the error */
    bool found =
        kvzmq_page_next_client(page, &first) && bytes_equal(slice_bytes(first.id), bytes_from_text(client));
    kvzmq_page_destroy(&page);
    if (found)
        return;
    char quoted[LIMIT_NAME + 8];
    (void)snprintf(text, sizeof text, "there is no client %s now; waiting for it",
                   utf8_quote(bytes_from_text(client), quoted, sizeof quoted));
    cli_remark(cli, "watch", text);
}

/* Requests from the broker what the watch needs at its beginning. */
static void options_complete(cli_t *cli, watching_options_t *options)
{
    if (options->client != NULL)
        client_check(cli, options->client);
    if ((options->resume || options->earliest) && options->limited && options->count == 0)
        options->catches_up = newest_ask(cli, &options->until);
}

/* ---- watch ------------------------------------------------------------------------------------ */

/* Whether STREAM is a pipe that nobody reads any more. Checked without writing, because the next change may
 * be far away: `watch | grep -m 1 ...` must end when grep does. */
static bool reader_is_gone(FILE *stream)
{
    struct pollfd out = {.fd = fileno(stream)};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

/* Ends as if writing to a pipe without reader: by SIGPIPE, unless that is ignored. */
static outcome_t end_unread(cli_t *cli)
{
    (void)raise(SIGPIPE);
    cli->output.failed = true;
    return cli_finish(cli, OUTCOME_OK);
}

/* Says goodbye, even after Ctrl-C. A second Ctrl-C skips that. */
static void session_leave(cli_t *cli)
{
    cli->said_bye = true;
    if (!interrupt_pending())
        (void)kvzmq_bye(cli->connection);
}

static outcome_t watch_in_foreground(cli_t *cli, const watching_options_t *options)
{
    watching_t *watching;
    outcome_t outcome = watching_begin(cli, options, &watching);
    if (outcome != OUTCOME_OK)
        return outcome;
    bool more = true;
    bool unread = false;
    while (more && !unread && outcome == OUTCOME_OK) {
        more = watching_take(watching, TURN_MS);
        watching_show(watching, cli->output.stream);
        outcome = cli_finish(cli, OUTCOME_OK);
        if (more && interrupt_pending())
            outcome = OUTCOME_INTERRUPTED;
        unread = more && reader_is_gone(cli->output.stream);
    }
    if (outcome == OUTCOME_OK && !unread)
        outcome = watching_end(watching);
    if (outcome == OUTCOME_INTERRUPTED) {
        interrupt_clear();       /* a second Ctrl-C ends the goodbye */
        cli->error_shown = true; /* the usual end of a watch, not an error */
    }
    watching_destroy(&watching);
    if (unread || outcome == OUTCOME_INTERRUPTED)
        session_leave(cli);
    return unread && outcome == OUTCOME_OK ? end_unread(cli) : outcome;
}

static void watch_told(cli_t *cli, const char *sentence, bool watching)
{
    static const column_t columns[] = {{"watching", "watching", FIT_LEFT}};
    const cell_t words[] = {cell_word(sentence)};
    const cell_t cells[] = {cell_of(CELL_BOOL, watching)};
    cli->output.ops->done(&cli->output, words, 1, columns, cells, 1);
}

static outcome_t watch_in_background(cli_t *cli, const watching_options_t *options, watching_t **background)
{
    if (*background != NULL)
        return cli_refuse(cli, "watch", "a watch is already running; watch stop ends it");
    outcome_t outcome = watching_begin(cli, options, background);
    if (outcome == OUTCOME_OK)
        watch_told(cli, "Watching; watch stop ends it", true);
    return outcome;
}

static outcome_t watch_stop(cli_t *cli, watching_t **background)
{
    if (*background == NULL)
        return cli_refuse(cli, "watch stop", "nothing is watched");
    watching_destroy(background);
    watch_told(cli, "Stopped watching", false);
    return OUTCOME_OK;
}

outcome_t command_watch(cli_t *cli, const call_t *call)
{
    bool stops = call->background != NULL && call->argument_count == 1 && call->given == 0 &&
                 bytes_equal(call->arguments[0], bytes_from_text("stop"));
    if (stops)
        return watch_stop(cli, call->background);
    kvzmq_status_t status = kvzmq_connect(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    watching_options_t options;
    outcome_t outcome = options_take(cli, call, &options);
    if (outcome != OUTCOME_OK)
        return outcome;
    options_complete(cli, &options);
    if (call->background != NULL)
        return watch_in_background(cli, &options, call->background);
    if (cli->line == 0 && !options.own) {
        /* A watch has its own connection, and no command follows that needs this session. */
        cli->said_bye = true;
        (void)kvzmq_bye(cli->connection);
    }
    return watch_in_foreground(cli, &options);
}

/* ---- verify ----------------------------------------------------------------------------------- */

static const column_t store_columns[STORE_COLUMNS] = {
    {"client", "CLIENT", FIT_LEFT}, {"result", "RESULT", FIT_LEFT}, {"seq", "SEQ", FIT_RIGHT}};

/* One run of verify. */
typedef struct check {
    cli_t *cli;
    kvzmq_mirror_t *mirror; /* owned */
    bool different;         /* a store differs */
    bool stuck;             /* the copy is not complete and does not grow */
} check_t;

/* How long to wait for a copy that does not grow. */
static int64_t still_ms(const cli_t *cli)
{
    return STILL_PARTS * (int64_t)cli->options->timeout_ms;
}

/* Compares one store, and shows the result. Shows nothing if the store is gone. */
static kvzmq_status_t store_check(check_t *check, const char *store)
{
    cli_t *cli = check->cli;
    bool equal = false;
    uint64_t seq = 0;
    int64_t until_ms = clock_monotonic_ms() + cli->options->timeout_ms;
    kvzmq_status_t status;
    for (;;) {
        status = kvzmq_mirror_verify(check->mirror, cli->connection, store, cli->options->timeout_ms, &equal,
                                     &seq);
        if (status != KVZMQ_UNAVAILABLE || clock_monotonic_ms() >= until_ms || interrupt_pending())
            break;
        interrupt_pause(RETRY_MS);
    }
    if (status != KVZMQ_OK)
        return status;
    const cell_t cells[] = {cell_word(store), cell_word(equal ? "equal" : "different"),
                            cell_of(CELL_NUMBER, seq)};
    cli->output.ops->row(&cli->output, cells);
    if (!equal)
        check->different = true;
    return KVZMQ_OK;
}

/* Compares the stores of all clients that the broker has. */
static kvzmq_status_t stores_check(check_t *check)
{
    kvzmq_page_t *shown = NULL; /* kept until the next page is there: `range.after` borrows from it */
    kvzmq_range_t range = {.size = sizeof range};
    kvzmq_status_t status = KVZMQ_OK;
    bool more = true;
    while (more && status == KVZMQ_OK) {
        kvzmq_page_t *page;
        status = kvzmq_clients(check->cli->connection, &range, &page);
        if (status != KVZMQ_OK)
            break;
        kvzmq_page_destroy(&shown);
        shown = page;
        kvzmq_client_t client;
        while (status == KVZMQ_OK && kvzmq_page_next_client(page, &client)) {
            status = store_check(check, client.id.data);
            range.after = client.id;
            if (status == KVZMQ_NOT_FOUND)
                status = KVZMQ_OK; /* the client has gone meanwhile */
        }
        /* With an empty page, `range.after` would borrow from the former page, which is freed. */
        more = kvzmq_page_more(page) && kvzmq_page_count(page) > 0;
    }
    kvzmq_page_destroy(&shown);
    return status;
}

/* Waits until the copy is complete. That may take long, but the copy must grow meanwhile; otherwise sets
 * `stuck`. */
static kvzmq_status_t mirror_ready(check_t *check)
{
    kvzmq_status_t status = KVZMQ_TIMEOUT;
    uint64_t most = 0; /* keys in the copy so far */
    int64_t grown_ms = clock_monotonic_ms();
    while (status == KVZMQ_TIMEOUT && !interrupt_pending() && !check->stuck) {
        kvzmq_mirror_state_t state;
        status = kvzmq_mirror_wait(check->mirror, 0, LOOK_MS);
        kvzmq_status_t answer = status == KVZMQ_TIMEOUT ? kvzmq_ping(check->cli->connection) : KVZMQ_OK;
        if (answer != KVZMQ_OK)
            return answer;
        kvzmq_mirror_state(check->mirror, &state);
        int64_t now_ms = clock_monotonic_ms();
        if (state.keys > most)
            grown_ms = now_ms;
        most = state.keys > most ? state.keys : most;
        check->stuck = status == KVZMQ_TIMEOUT && now_ms - grown_ms >= still_ms(check->cli);
    }
    return status;
}

/* Shows the error: the mirror's, or else the connection's. */
static outcome_t check_fail(check_t *check, kvzmq_status_t status)
{
    if (interrupt_pending())
        return OUTCOME_INTERRUPTED;
    char text[160];
    (void)snprintf(text, sizeof text,
                   "the copy has not grown for %g s and is not complete: the stores change too fast, or the "
                   "broker's answers are inconsistent",
                   (double)still_ms(check->cli) / 1000);
    if (check->stuck)
        return cli_fail_with(check->cli, status, text);
    const char *error = kvzmq_mirror_error(check->mirror);
    return *error == '\0' ? cli_fail(check->cli, status) : watching_fail(check->cli, status, error);
}

outcome_t command_verify(cli_t *cli, const call_t *call)
{
    const char *client = NULL;
    outcome_t outcome =
        call->argument_count == 0 ? OUTCOME_OK : call_text(cli, call->arguments[0], "a client's id", &client);
    if (outcome != OUTCOME_OK)
        return outcome;
    kvzmq_digest_t digest;
    kvzmq_status_t status =
        client == NULL ? kvzmq_connect(cli->connection) : kvzmq_digest(cli->connection, client, &digest);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    kvzmq_options_t connection;
    cli_connection_options(cli, &connection);
    check_t check = {.cli = cli,
                     .mirror = kvzmq_mirror_new(&connection, client, slice_of(bytes_of(NULL, 0)))};
    if (check.mirror == NULL)
        return cli_fail_with(cli, KVZMQ_NO_MEMORY, "memory or a thread was refused");
    output_t *output = &cli->output;
    status = mirror_ready(&check);
    if (status != KVZMQ_OK) {
        outcome = check_fail(&check, status);
        goto cleanup;
    }
    output->ops->rows_begin(output, store_columns, STORE_COLUMNS);
    status = client == NULL ? stores_check(&check) : store_check(&check, client);
    if (status == KVZMQ_OK) {
        output->ops->rows_end(output);
        outcome = check.different ? OUTCOME_NO : OUTCOME_OK;
    } else {
        output->ops->rows_abort(output);
        outcome = check_fail(&check, status);
    }
cleanup:
    kvzmq_mirror_destroy(&check.mirror);
    return outcome;
}
