/* SPDX-License-Identifier: MPL-2.0 */
/* Decides when to ping. A ping is sent as a batch, so that nothing waits for its answer: the user can type
 * while the broker is slow.
 *
 * A session times out only if this process was stopped. A ping that is then sent before the broker's `bye` is
 * read begins a new session. A ping is sent after a `bye` too, so that the user sees the same in both cases.
 */
#include "client/cli/keeping.h"

#include "client/keep.h"
#include "common/clock.h"

void keeping_init(keeping_t *keeping, cli_t *cli)
{
    *keeping = (keeping_t){
        .cli = cli, .asked_ms = clock_monotonic_ms(), .sessions = kvzmq_reconnects(cli->connection)};
}

/* When the next ping is due (clock_monotonic_ms). */
static int64_t due_ms(const keeping_t *keeping)
{
    return keeping->asked_ms + keep_part_ms(kvzmq_session(keeping->cli->connection));
}

/* Takes the answers that have arrived. */
static void answers_take(keeping_t *keeping)
{
    kvzmq_answer_t answer;
    while (kvzmq_poll(keeping->cli->connection, 0, &answer) == KVZMQ_OK)
        keeping->silent = answer.status == KVZMQ_TIMEOUT;
}

static void life_sign(keeping_t *keeping)
{
    keeping->asked_ms = clock_monotonic_ms();
    kvzmq_batch_t *batch = kvzmq_batch_new(keeping->cli->connection);
    if (batch == NULL)
        return;
    kvzmq_status_t status = kvzmq_batch_call(batch, "ping", kvzmq_text_of(NULL, 0), KVZMQ_READ, NULL);
    if (status == KVZMQ_OK)
        status = kvzmq_batch_send(&batch);
    (void)status; /* the next call notices a broken connection */
    kvzmq_batch_destroy(&batch);
    answers_take(keeping); /* the descriptor reports only what comes after this */
}

/* Whether the session is gone. */
static bool session_is_lost(const keeping_t *keeping)
{
    return keeping->cli->gone || kvzmq_fd(keeping->cli->connection) == -1;
}

void keeping_look(keeping_t *keeping, FILE *stream)
{
    cli_t *cli = keeping->cli;
    FILE *notices = cli->notices;
    cli->notices = stream;
    if (kvzmq_reconnects(cli->connection) != keeping->sessions)
        keeping_init(keeping, cli); /* a command has begun a new session */
    if (!keeping->lost && kvzmq_fd(cli->connection) != -1) {
        answers_take(keeping);
        bool due = kvzmq_in_flight(cli->connection) == 0 && clock_monotonic_ms() >= due_ms(keeping);
        if (cli->timed_out || (due && !session_is_lost(keeping)))
            life_sign(keeping);
    }
    cli->notices = notices;
    if (keeping->lost || !session_is_lost(keeping))
        return;
    keeping->lost = true;
    if (!cli->gone)
        fprintf(stream, "The connection to %s is lost: %s\n", kvzmq_endpoint(cli->connection),
                keeping->silent ? "the broker does not answer" : "has the broker ended?");
    cli_tell_lost(cli, stream);
}

int keeping_wait(const keeping_t *keeping, int *wait_ms)
{
    *wait_ms = -1;
    if (keeping->lost)
        return -1;
    int64_t left_ms = due_ms(keeping) - clock_monotonic_ms();
    if (kvzmq_in_flight(keeping->cli->connection) > 0)
        left_ms = keeping->cli->options->timeout_ms; /* after that, no answer will come */
    *wait_ms = left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
    return kvzmq_fd(keeping->cli->connection);
}
