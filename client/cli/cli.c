/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the connection's options, and every line on standard error that is about a command. */
#include "client/cli/cli.h"

#include <string.h>

#include "client/cli/interrupt.h"
#include "client/cli/watching.h"
#include "common/utf8.h"

enum {
    QUOTED_MAX = 64 /* bytes of a typed word that an error shows */
};

/* ---- Telling ---------------------------------------------------------------------------------- */

typedef struct status_row {
    kvzmq_status_t status;
    outcome_t outcome;
} status_row_t;

static const status_row_t status_rows[] = {
    {KVZMQ_OK, OUTCOME_OK},
    {KVZMQ_ABSENT, OUTCOME_NO},
    {KVZMQ_FAILED_PRECONDITION, OUTCOME_NO},
    {KVZMQ_INVALID_ARGUMENT, OUTCOME_USAGE},
    {KVZMQ_UNREACHABLE, OUTCOME_UNREACHABLE},
    {KVZMQ_TIMEOUT, OUTCOME_NO_ANSWER},
    {KVZMQ_OUTCOME_UNKNOWN, OUTCOME_NO_ANSWER},
    {KVZMQ_PERMISSION_DENIED, OUTCOME_DENIED},
    {KVZMQ_UNAUTHENTICATED, OUTCOME_DENIED},
    {KVZMQ_INTERRUPTED, OUTCOME_INTERRUPTED},
};

/* What a status of the library is to the program. */
static outcome_t outcome_from_status(kvzmq_status_t status)
{
    for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
        if (status_rows[i].status == status)
            return status_rows[i].outcome;
    }
    return OUTCOME_FAILED;
}

/* Where in the input it was, for what comes from a pipe. */
static void tell_line(const cli_t *cli)
{
    if (cli->line > 0)
        fprintf(stderr, "line %u: ", cli->line);
}

outcome_t cli_fail(cli_t *cli, kvzmq_status_t status)
{
    return cli_fail_with(cli, status, kvzmq_error(cli->connection));
}

outcome_t cli_fail_with(cli_t *cli, kvzmq_status_t status, const char *error)
{
    fflush(cli->output.stream);
    if (cli->interactive && status == KVZMQ_INTERRUPTED)
        fputc('\n', stderr); /* the terminal shows ^C on the line */
    tell_line(cli);
    fprintf(stderr, "%s: %s", kvzmq_status_text(status), error);
    if (status == KVZMQ_UNREACHABLE)
        fputs(" (-s ENDPOINT)", stderr);
    fputc('\n', stderr);
    return outcome_from_status(status);
}

outcome_t cli_refuse(cli_t *cli, const char *what, const char *problem)
{
    fflush(cli->output.stream);
    tell_line(cli);
    fprintf(stderr, "%s: %s\n", what, problem);
    return OUTCOME_USAGE;
}

outcome_t cli_illegal(cli_t *cli, const char *what, const char *problem)
{
    if (cli->output.ops->failure != NULL)
        cli->output.ops->failure(&cli->output, "Illegal command");
    return cli_refuse(cli, what, problem);
}

outcome_t cli_unknown(cli_t *cli, bytes_t word)
{
    char quoted[QUOTED_MAX];
    utf8_quote(word, quoted, sizeof quoted);
    if (!cli->interactive || cli->output.ops->failure == NULL)
        return cli_illegal(cli, quoted, "no such command; kvzmq-cli help shows all");
    cli->output.ops->failure(&cli->output, "Illegal command");
    return OUTCOME_USAGE;
}

outcome_t cli_finish(cli_t *cli, outcome_t outcome)
{
    if (output_finish(&cli->output))
        return outcome;
    if (interrupt_pending())
        return OUTCOME_INTERRUPTED;
    tell_line(cli);
    fputs("the output could not be written; is the disk full?\n", stderr);
    return OUTCOME_FAILED;
}

/* ---- The connection --------------------------------------------------------------------------- */

typedef struct notice_row {
    kvzmq_notice_t notice;
    const char *format;
} notice_row_t;

static const notice_row_t notice_rows[] = {
    {KVZMQ_NOTICE_BYE, "The broker ended the session: %s\n"},
    {KVZMQ_NOTICE_RECONNECTED, "Connected again as client %s, in a new session\n"},
    {KVZMQ_NOTICE_NEW_CLIENT, "This is a new client, %s, with an empty store\n"},
    {KVZMQ_NOTICE_NEW_EPOCH, "The broker was started anew, with empty stores (epoch %s)\n"},
};

static void tell_notice(void *context, kvzmq_notice_t notice, const char *text)
{
    const cli_t *cli = context;
    for (size_t i = 0; i < sizeof notice_rows / sizeof *notice_rows; i++) {
        if (notice_rows[i].notice == notice)
            fprintf(cli->notices, notice_rows[i].format, text);
    }
}

static bool is_interrupted(void *context)
{
    (void)context;
    return interrupt_pending();
}

static outcome_t get_secret(const options_t *options, password_t *secret)
{
    if (options->secret_file != NULL)
        return password_read_file(secret, options->secret_file);
    return password_take_variable(secret, "KVZMQ_SECRET");
}

/* The password that needs no asking. */
static outcome_t get_password(const options_t *options, password_t *password)
{
    if (options->password_file != NULL)
        return password_read_file(password, options->password_file);
    return password_take_variable(password, "KVZMQ_PASSWORD");
}

outcome_t cli_password(cli_t *cli, const char *user, password_t *password)
{
    if (cli->password.text[0] != '\0') {
        *password = cli->password;
        return OUTCOME_OK;
    }
    char prompt[LIMIT_USER + 32];
    snprintf(prompt, sizeof prompt, "Password of %.*s: ", LIMIT_USER, user);
    return password_ask(password, prompt);
}

void cli_connection_options(cli_t *cli, kvzmq_options_t *connection)
{
    const options_t *options = cli->options;
    kvzmq_options_init(connection);
    connection->endpoint = options->endpoint;
    connection->connect_ms = options->timeout_ms;
    connection->call_ms = options->timeout_ms;
    connection->connect_once = true;
    connection->name = options->name;
    if (options->name != NULL)
        connection->secret = kvzmq_text(cli->secret.text);
    if (cli->user[0] != '\0') {
        connection->user = cli->user;
        connection->password = cli->user_password.text;
    }
    connection->notice = tell_notice;
    connection->interrupted = is_interrupted;
    connection->context = cli;
}

void cli_keep_account(cli_t *cli, const char *user, const char *password)
{
    (void)snprintf(cli->user, sizeof cli->user, "%s", user);
    (void)snprintf(cli->user_password.text, sizeof cli->user_password.text, "%s", password);
}

outcome_t cli_init(cli_t *cli, const options_t *options)
{
    *cli = (cli_t){.options = options, .notices = stderr};
    output_init(&cli->output, options->format, stdout);
    kvzmq_options_t wanted;
    password_t password = {""};
    outcome_t outcome = get_secret(options, &cli->secret);
    if (outcome == OUTCOME_OK)
        outcome = get_password(options, &cli->password);
    if (outcome == OUTCOME_OK && options->user != NULL)
        outcome = cli_password(cli, options->user, &password);
    if (outcome != OUTCOME_OK)
        goto cleanup;
    if (options->user != NULL)
        cli_keep_account(cli, options->user, password.text);
    cli_connection_options(cli, &wanted);
    cli->connection = kvzmq_new(&wanted);
    if (cli->connection == NULL) {
        fputs("kvzmq-cli: out of memory\n", stderr);
        outcome = OUTCOME_FAILED;
    }
cleanup:
    password_wipe(&password);
    return outcome;
}

void cli_release(cli_t *cli, outcome_t last)
{
    watching_destroy(&cli->watching);
    bool usable = last != OUTCOME_UNREACHABLE && last != OUTCOME_NO_ANSWER && last != OUTCOME_INTERRUPTED;
    if (usable && !cli->said_bye && cli->connection != NULL && kvzmq_session(cli->connection) != NULL) {
        /* So that the broker need not find out; that it cannot be reached now is of no interest any more. */
        kvzmq_bye(cli->connection);
    }
    kvzmq_destroy(&cli->connection);
    password_wipe(&cli->password);
    password_wipe(&cli->user_password);
    password_wipe(&cli->secret);
}
