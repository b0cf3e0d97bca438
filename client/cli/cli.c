/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the connection, and writes all lines on standard error about commands. */
#include "client/cli/cli.h"

#include <string.h>

#include "client/cli/interrupt.h"
#include "client/cli/wording.h"
#include "common/utf8.h"

enum {
    MESSAGE_MAX = 1024, /* bytes of an error's text */
    PREFIX_MAX = 64     /* bytes of its prefix on standard error */
};

/* ---- Messages --------------------------------------------------------------------------------- */

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
    {KVZMQ_NOT_FOUND, OUTCOME_NO_CLIENT},
};

static const char reach[] = " (-s ENDPOINT)";

/* Outcomes with their names for programs and their texts. */
static const struct {
    outcome_t outcome;
    const char *code;
    const char *text;
} outcome_rows[] = {
#define OUTCOME(name, code, text) {OUTCOME_##name, #name, text},
#include "client/cli/outcome.def"
#undef OUTCOME
};

/* Maps a status of the library to an outcome. */
static outcome_t outcome_from_status(kvzmq_status_t status)
{
    for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
        if (status_rows[i].status == status)
            return status_rows[i].outcome;
    }
    return OUTCOME_FAILED;
}

/* Writes the line number of a piped command. */
static void tell_line(const cli_t *cli)
{
    if (cli->line > 0)
        fprintf(stderr, "line %u: ", cli->line);
}

bool cli_is_alone(const cli_t *cli)
{
    return !cli->interactive && cli->line == 0;
}

/* Writes a line to standard error, and the error in the format for programs. */
static outcome_t tell(cli_t *cli, outcome_t outcome, const char *code, const char *prefix,
                      const char *message)
{
    char text[MESSAGE_MAX];
    utf8_line(bytes_from_text(message), text, sizeof text);
    fflush(cli->output.stream);
    tell_line(cli);
    fprintf(stderr, "%s%s\n", prefix, text);
    if (cli->output.ops->error != NULL)
        cli->output.ops->error(&cli->output, code, text);
    cli->error_shown = true;
    return outcome;
}

outcome_t cli_fail(cli_t *cli, kvzmq_status_t status)
{
    return cli_fail_with(cli, status, kvzmq_error(cli->connection));
}

outcome_t cli_fail_with(cli_t *cli, kvzmq_status_t status, const char *error)
{
    char message[MESSAGE_MAX];
    char prefix[PREFIX_MAX];
    if (cli->interactive && status == KVZMQ_INTERRUPTED)
        fputc('\n', stderr); /* the terminal has shown ^C on this line */
    wording_of(*error == '\0' ? kvzmq_status_meaning(status) : error, cli_is_alone(cli), message,
               sizeof message - sizeof reach);
    if (status == KVZMQ_UNREACHABLE)
        memcpy(message + strlen(message), reach, sizeof reach);
    snprintf(prefix, sizeof prefix, "%s: ", kvzmq_status_text(status));
    return tell(cli, outcome_from_status(status), kvzmq_status_text(status), prefix, message);
}

outcome_t cli_refuse(cli_t *cli, const char *what, const char *problem)
{
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message, "%s: %s", what, problem);
    return tell(cli, OUTCOME_USAGE, "USAGE", "", message);
}

outcome_t cli_refuse_file(cli_t *cli, const char *what, const char *problem)
{
    return interrupt_pending() ? OUTCOME_INTERRUPTED : cli_refuse(cli, what, problem);
}

outcome_t cli_illegal(cli_t *cli, const char *text, bool more)
{
    static const char illegal[] = "Illegal command";
    char prefix[PREFIX_MAX] = "";
    if (cli->interactive && cli->output.ops->failure != NULL) {
        cli->output.ops->failure(&cli->output, illegal);
        if (!more)
            return OUTCOME_USAGE;
    } else {
        snprintf(prefix, sizeof prefix, "%s: ", illegal);
    }
    return tell(cli, OUTCOME_USAGE, "USAGE", prefix, text);
}

outcome_t cli_break(cli_t *cli, const char *problem)
{
    return tell(cli, OUTCOME_FAILED, "FAILED", "kvzmq-cli: ", problem);
}

/* Shows an error that has no message, such as Ctrl-C, in the format for programs. */
static void tell_untold(cli_t *cli, outcome_t outcome)
{
    if (outcome == OUTCOME_OK || outcome == OUTCOME_NO || cli->error_shown || cli->output.ops->error == NULL)
        return;
    for (size_t i = 0; i < sizeof outcome_rows / sizeof *outcome_rows; i++) {
        if (outcome_rows[i].outcome == outcome)
            cli->output.ops->error(&cli->output, outcome_rows[i].code, outcome_rows[i].text);
    }
    cli->error_shown = true;
}

void cli_remark(const cli_t *cli, const char *what, const char *text)
{
    fflush(cli->output.stream);
    tell_line(cli);
    fprintf(stderr, "%s: %s\n", what, text);
}

outcome_t cli_finish(cli_t *cli, outcome_t outcome)
{
    tell_untold(cli, outcome);
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
    {KVZMQ_NOTICE_NEW_EPOCH, "The broker was restarted, with empty stores (epoch %s)\n"},
    {KVZMQ_NOTICE_NOTE, "The broker says: %s\n"},
};

static void tell_notice(void *context, kvzmq_notice_t notice, const char *text)
{
    cli_t *cli = context;
    char shown[MESSAGE_MAX];
    for (size_t i = 0; i < sizeof notice_rows / sizeof *notice_rows; i++) {
        if (notice_rows[i].notice == notice)
            fprintf(cli->notices, notice_rows[i].format,
                    utf8_line(bytes_from_text(text), shown, sizeof shown));
    }
    if (notice == KVZMQ_NOTICE_BYE) {
        cli->gone = true;
        cli->timed_out = strcmp(text, "timeout") == 0;
    }
    if (notice != KVZMQ_NOTICE_RECONNECTED)
        return;
    if (cli->promoted && cli->options->user == NULL)
        fputs("You are a guest again: auth USER makes you a manager\n", cli->notices);
    cli->gone = false;
    cli->timed_out = false;
    cli->promoted = false;
}

void cli_tell_lost(cli_t *cli, FILE *stream)
{
    const kvzmq_session_t *session = kvzmq_session(cli->connection);
    bool role = cli->promoted && cli->options->user == NULL;
    bool store = cli->options->name == NULL && session != NULL;
    if (store)
        fprintf(stream, "The store of client %s", session->client);
    if (role)
        fprintf(stream, "%s role of %s", store ? " and the" : "The", cli->user);
    if (store || role)
        fputs(store && role ? " are gone; the" : " is gone; the", stream);
    fprintf(stream, "%s next command connects again\n", store || role ? "" : "The");
}

static bool is_interrupted(void *context)
{
    (void)context;
    return interrupt_pending();
}

/* Gets a password or secret from FILE, or from the environment variable VARIABLE if FILE is NULL. */
static outcome_t get_password(cli_t *cli, const char *file, const char *variable, password_t *password)
{
    problem_t problem = {""};
    bool got = file != NULL ? password_read_file(password, file, &problem)
                            : password_take_variable(password, variable, &problem);
    return got ? OUTCOME_OK : cli_refuse_file(cli, "kvzmq-cli", problem.text);
}

outcome_t cli_password(cli_t *cli, const char *user, password_t *password)
{
    if (cli->password.text[0] != '\0') {
        *password = cli->password;
        return OUTCOME_OK;
    }
    char prompt[LIMIT_USER + 32];
    snprintf(prompt, sizeof prompt, "Password of %.*s: ", LIMIT_USER, user);
    problem_t problem = {""};
    switch (password_ask(password, prompt, &problem)) {
    case PASSWORD_GIVEN:
        return OUTCOME_OK;
    case PASSWORD_INTERRUPTED:
        return OUTCOME_INTERRUPTED;
    case PASSWORD_REFUSED:
        break;
    }
    return cli_refuse(cli, "kvzmq-cli", problem.text);
}

void cli_connection_options(cli_t *cli, kvzmq_options_t *connection)
{
    const run_options_t *options = cli->options;
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

void cli_init(cli_t *cli, const run_options_t *options)
{
    *cli = (cli_t){.options = options, .notices = stderr};
    output_init(&cli->output, options->format, stdout);
}

outcome_t cli_open(cli_t *cli, bool keep_alive)
{
    const run_options_t *options = cli->options;
    kvzmq_options_t wanted;
    password_t password = {""};
    outcome_t outcome = get_password(cli, options->secret_file, "KVZMQ_SECRET", &cli->secret);
    if (outcome == OUTCOME_OK)
        outcome = get_password(cli, options->password_file, "KVZMQ_PASSWORD", &cli->password);
    if (outcome == OUTCOME_OK && options->user != NULL)
        outcome = cli_password(cli, options->user, &password);
    if (outcome != OUTCOME_OK)
        goto cleanup;
    if (options->user != NULL)
        cli_keep_account(cli, options->user, password.text);
    cli_connection_options(cli, &wanted);
    wanted.keep_alive = keep_alive;
    cli->connection = kvzmq_new(&wanted);
    if (cli->connection == NULL)
        outcome = cli_break(cli, "out of memory");
cleanup:
    password_wipe(&password);
    return outcome;
}

void cli_release(cli_t *cli, outcome_t last)
{
    bool usable = last != OUTCOME_UNREACHABLE && last != OUTCOME_NO_ANSWER && last != OUTCOME_INTERRUPTED;
    if (usable && !cli->said_bye && cli->connection != NULL && kvzmq_session(cli->connection) != NULL) {
        /* An orderly end, so that the broker does not see the session as lost. Ignore errors: the run ends.
         */
        kvzmq_bye(cli->connection);
    }
    kvzmq_destroy(&cli->connection);
    password_wipe(&cli->password);
    password_wipe(&cli->user_password);
    password_wipe(&cli->secret);
}
