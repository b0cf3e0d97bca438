/* SPDX-License-Identifier: MPL-2.0 */
/* The commands about sessions and clients, and those about the tool itself. */
#include "client/cli/command_session.h"

/* ---- Roles ------------------------------------------------------------------------------------ */

static outcome_t show_refused(cli_t *cli, kvzmq_status_t status)
{
    const output_ops_t *ops = cli->output.ops;
    if (status != KVZMQ_UNAUTHENTICATED && status != KVZMQ_RESOURCE_EXHAUSTED)
        return cli_fail(cli, status);
    if (ops->failure != NULL)
        ops->failure(&cli->output, "Authentication failure");
    if (ops->failure != NULL && status == KVZMQ_UNAUTHENTICATED)
        return OUTCOME_DENIED;
    fflush(cli->output.stream);
    return cli_fail(cli, status);
}

outcome_t command_auth(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"role", "role", FIT_LEFT}};
    const char *user;
    const char *word = NULL;
    outcome_t outcome = call_text(cli, call->arguments[0], "a user's name", &user);
    if (outcome == OUTCOME_OK && call->argument_count > 1)
        outcome = call_text(cli, call->arguments[1], "a password", &word);
    if (outcome != OUTCOME_OK)
        return outcome;
    password_t password = {""};
    if (word == NULL)
        outcome = cli_password(cli, user, &password);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (word == NULL)
        word = password.text;
    kvzmq_status_t status = kvzmq_auth(cli->connection, user, word);
    if (status == KVZMQ_OK) {
        cli_keep_account(cli, user, word);
        cli->promoted = true;
    }
    password_wipe(&password);
    if (status != KVZMQ_OK)
        return show_refused(cli, status);
    const cell_t words[] = {cell_word("Authentication success")};
    const cell_t cells[] = {cell_word(kvzmq_session(cli->connection)->role)};
    cli->output.ops->done(&cli->output, words, 1, columns, cells, 1);
    return OUTCOME_OK;
}

outcome_t command_role(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"client", "client", FIT_LEFT}, {"role", "role", FIT_LEFT}};
    const char *client;
    const char *role;
    outcome_t outcome = call_text(cli, call->arguments[0], "a client's id", &client);
    if (outcome == OUTCOME_OK)
        outcome = call_text(cli, call->arguments[1], "a role", &role);
    if (outcome != OUTCOME_OK)
        return outcome;
    kvzmq_status_t status = kvzmq_role(cli->connection, client, role);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const cell_t words[] = {cell_text(call->arguments[0]), cell_word(" is now "),
                            cell_text(call->arguments[1])};
    cli->output.ops->done(&cli->output, words, 3, columns, (const cell_t[]){words[0], words[2]}, 2);
    return OUTCOME_OK;
}

/* ---- Clients ---------------------------------------------------------------------------------- */

outcome_t command_forget(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"client", "client", FIT_LEFT}};
    const char *client;
    outcome_t outcome = call_text(cli, call->arguments[0], "a client's id", &client);
    if (outcome != OUTCOME_OK)
        return outcome;
    kvzmq_status_t status = kvzmq_forget(cli->connection, client);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const cell_t words[] = {cell_word("Successfully forgot "), cell_text(call->arguments[0])};
    cli->output.ops->done(&cli->output, words, 2, columns, &words[1], 1);
    return OUTCOME_OK;
}

/* ---- The own session -------------------------------------------------------------------------- */

outcome_t command_hello(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {
        {"client", "client", FIT_LEFT},
        {"role", "role", FIT_LEFT},
        {"broker", "broker", FIT_LEFT},
        {"protocol", "protocol", FIT_LEFT},
        {"epoch", "epoch", FIT_LEFT},
        {"timeout_ms", "timeout", FIT_LEFT},
        {"limit_key", "longest key (bytes)", FIT_LEFT},
        {"limit_value", "longest value (bytes)", FIT_LEFT},
        {"limit_batch", "requests in a batch", FIT_LEFT},
        {"limit_message", "longest message (bytes)", FIT_LEFT},
        {"note", "note", FIT_LEFT},
    };
    (void)call;
    kvzmq_status_t status = kvzmq_hello(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const kvzmq_session_t *session = kvzmq_session(cli->connection);
    const cell_t cells[] = {
        cell_word(session->client),
        cell_word(session->role),
        cell_word(session->broker),
        cell_of(CELL_NUMBER, session->protocol),
        cell_word(session->epoch),
        cell_of(CELL_DURATION, session->timeout_ms),
        cell_of(CELL_NUMBER, session->limit_key),
        cell_of(CELL_NUMBER, session->limit_value),
        cell_of(CELL_NUMBER, session->limit_batch),
        cell_of(CELL_NUMBER, session->limit_message),
        session->note[0] != '\0' ? cell_word(session->note) : cell_nil(),
    };
    cli->output.ops->record(&cli->output, columns, cells, sizeof cells / sizeof *cells);
    return OUTCOME_OK;
}

outcome_t command_ping(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"answer", "answer", FIT_LEFT}};
    (void)call;
    kvzmq_status_t status = kvzmq_ping(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const cell_t pong = cell_word("pong");
    cli->output.ops->done(&cli->output, &pong, 1, columns, &pong, 1);
    return OUTCOME_OK;
}

outcome_t command_bye(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"ended", "ended", FIT_LEFT}};
    (void)call;
    cli->ended = true;
    kvzmq_status_t status = kvzmq_bye(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    cli->said_bye = true;
    const cell_t bye = cell_word("Bye");
    const cell_t ended = cell_of(CELL_BOOL, true);
    cli->output.ops->done(&cli->output, &bye, 1, columns, &ended, 1);
    return OUTCOME_OK;
}

/* ---- The tool --------------------------------------------------------------------------------- */

outcome_t command_quit(cli_t *cli, const call_t *call)
{
    (void)call;
    cli->ended = true;
    return OUTCOME_OK;
}
