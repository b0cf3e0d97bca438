/* SPDX-License-Identifier: MPL-2.0 */
/* One run of the tool: a connection, a format, and how things are told to the person. Commands work on it,
 * whoever typed them: the arguments, a terminal, a pipe. */
#ifndef KV_CLIENT_CLI_CLI_H
#define KV_CLIENT_CLI_CLI_H

#include <kvzmq.h>

#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/cli/password.h"
#include "client/cli/run_options.h"

typedef struct cli {
    const run_options_t *options; /* borrowed */
    kvzmq_t *connection;          /* owned */
    output_t output;
    password_t password;       /* from a file or the environment, for `auth USER`; empty: to be asked for */
    char user[LIMIT_USER + 2]; /* the account of `auth` or -u; "": none. One byte more than is allowed,
                                  so that too long is noticed */
    password_t user_password;  /* of `user`; both for connections beside the session's: see
                                  cli_connection_options */
    password_t secret;         /* of the name; empty: none */
    FILE *notices;             /* where the library's notices go; borrowed */
    bytes_t input;             /* the last argument of the command, from standard input (-x); borrowed */
    bool has_input;            /* `input` is there, and no command took it yet */
    bool interactive;          /* a person types */
    bool ended;                /* a command asked to leave */
    bool said_bye;             /* the session was ended by a command */
    bool promoted;             /* it is a manager by a typed `auth`, which a new session does not repeat */
    bool gone;                 /* the broker has ended it, and there is no other yet */
    bool timed_out;            /* likewise, because it was silent: the broker still serves the connection */
    bool error_shown;          /* the error of the command was shown */
    unsigned line;             /* number of the piped line that is carried out; 0: none is */
} cli_t;

/* Begins a run with OPTIONS (borrowed); from then on errors can be shown. *CLI must be released. */
void cli_init(cli_t *cli, const run_options_t *options);

/* Gets what is needed to connect (secret, password) and makes the connection object; does not connect.
 * KEEP_ALIVE: its session lasts as long as the tool, whatever that waits for. Errors are shown. */
KV_MUST_USE outcome_t cli_open(cli_t *cli, bool keep_alive);

/* Says goodbye to the broker, where there is a session that LAST (how the last command ended) leaves usable.
 */
void cli_release(cli_t *cli, outcome_t last);

/* Says on STREAM what was lost with a session. */
void cli_tell_lost(cli_t *cli, FILE *stream);

/* What a connection beside the session's needs to be the same client, with the same account. *CONNECTION
 * borrows from CLI. */
void cli_connection_options(cli_t *cli, kvzmq_options_t *connection);

/* Keeps the account by which the session is now a manager's. */
void cli_keep_account(cli_t *cli, const char *user, const char *password);

/* The password of USER, for `auth`: as given at the start, else asked for. *PASSWORD is to be wiped. */
KV_MUST_USE outcome_t cli_password(cli_t *cli, const char *user, password_t *password);

/* Whether the command is the only one of this run, so that its store ends with it. */
bool cli_is_alone(const cli_t *cli);

/* Shows an error in the format in use, and on standard error, in one line: `CODE: MESSAGE` for a status of
 * the library. Each returns its outcome. */

/* Shows the error of the last call. Not for KVZMQ_OK and KVZMQ_ABSENT. */
outcome_t cli_fail(cli_t *cli, kvzmq_status_t status);

/* The same for what another call says of itself: ERROR. */
outcome_t cli_fail_with(cli_t *cli, kvzmq_status_t status, const char *error);

/* Shows what was given wrongly: WHAT, and the PROBLEM with it. Returns OUTCOME_USAGE. */
outcome_t cli_refuse(cli_t *cli, const char *what, const char *problem);

/* The same of a file that was read, unless Ctrl-C has ended that: OUTCOME_INTERRUPTED then. */
outcome_t cli_refuse_file(cli_t *cli, const char *what, const char *problem);

/* Shows that the input is not a command; TEXT says why. A person at a terminal sees "Illegal command" among
 * the answers, and TEXT only if it says MORE. Returns OUTCOME_USAGE. */
outcome_t cli_illegal(cli_t *cli, const char *text, bool more);

/* Shows that the tool itself cannot go on. Returns OUTCOME_FAILED. */
outcome_t cli_break(cli_t *cli, const char *problem);

/* Says TEXT about WHAT on standard error, if the result is not all that a person would expect. */
void cli_remark(const cli_t *cli, const char *what, const char *text);

/* Flushes the output of a command, and shows an error that was not shown yet. Returns OUTCOME, or the failure
 * of the output. */
outcome_t cli_finish(cli_t *cli, outcome_t outcome);

#endif
