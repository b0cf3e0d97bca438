/* SPDX-License-Identifier: MPL-2.0 */
/* One run of the tool: a connection, an output format, and messages to the user. Commands from the arguments,
 * a terminal or a pipe all use it. */
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
    password_t password;       /* from a file or the environment, for `auth USER`; empty = ask */
    char user[LIMIT_USER + 2]; /* the account of `auth` or -u; "" = none. Has room for one byte too many, so
                                  that a name that is too long is noticed */
    password_t user_password; /* of `user`. Both are for additional connections: see cli_connection_options */
    password_t secret;        /* of the name; empty = none */
    FILE *notices;            /* where to show the library's notices; borrowed */
    bytes_t input;            /* the command's last argument, read from standard input (-x); borrowed */
    bool has_input;           /* `input` is set, and no command has used it */
    bool interactive;         /* a person types */
    bool ended;               /* a command ended the run */
    bool said_bye;            /* a command ended the session */
    bool promoted;            /* the session is a manager by the command `auth`; a new session is not */
    bool gone;                /* the broker has ended the session, and there is no new one */
    bool timed_out;           /* likewise, by a timeout: the connection still works */
    bool error_shown;         /* the error of the command was shown */
    unsigned line;            /* number of the current piped line; 0 = none */
} cli_t;

/* Begins a run with OPTIONS (borrowed). After this, errors can be shown. Call cli_release at the end. */
void cli_init(cli_t *cli, const run_options_t *options);

/* Gets the secret and the password, and makes the connection object. Does not connect. KEEP_ALIVE: the
 * session does not time out while the tool waits for something else. Shows errors. */
KV_MUST_USE outcome_t cli_open(cli_t *cli, bool keep_alive);

/* Says goodbye to the broker if there is a session, unless LAST, the last command's outcome, shows that the
 * broker cannot answer. Frees everything. */
void cli_release(cli_t *cli, outcome_t last);

/* Writes to STREAM what was lost with the session. */
void cli_tell_lost(cli_t *cli, FILE *stream);

/* Makes options for an additional connection: the same client and account. *CONNECTION borrows from CLI. */
void cli_connection_options(cli_t *cli, kvzmq_options_t *connection);

/* Stores the account with which the session has authenticated. */
void cli_keep_account(cli_t *cli, const char *user, const char *password);

/* Gets the password of USER, for `auth`: the one given at the start, else asks. Wipe *PASSWORD after use. */
KV_MUST_USE outcome_t cli_password(cli_t *cli, const char *user, password_t *password);

/* Whether this run has only one command. */
bool cli_is_alone(const cli_t *cli);

/* Shows an error in the format in use, and on standard error, in one line: `CODE: MESSAGE` for a status of
 * the library. Each returns its outcome. */

/* Shows the error of the last call on the connection. Not for KVZMQ_OK and KVZMQ_ABSENT. */
outcome_t cli_fail(cli_t *cli, kvzmq_status_t status);

/* The same with another error text. */
outcome_t cli_fail_with(cli_t *cli, kvzmq_status_t status, const char *error);

/* Shows a usage error: WHAT is wrong, and the PROBLEM with it. Returns OUTCOME_USAGE. */
outcome_t cli_refuse(cli_t *cli, const char *what, const char *problem);

/* The same for a file that could not be read. If Ctrl-C ended the reading, shows nothing and returns
 * OUTCOME_INTERRUPTED. */
outcome_t cli_refuse_file(cli_t *cli, const char *what, const char *problem);

/* Shows that the input is not a command; TEXT says why. At a terminal, shows "Illegal command" like an
 * answer, and TEXT only if MORE. Returns OUTCOME_USAGE. */
outcome_t cli_illegal(cli_t *cli, const char *text, bool more);

/* Shows that the tool itself failed. Returns OUTCOME_FAILED. */
outcome_t cli_break(cli_t *cli, const char *problem);

/* Writes a remark about WHAT to standard error, if the result may surprise the user. */
void cli_remark(const cli_t *cli, const char *what, const char *text);

/* Flushes the output of a command, and shows an error that was not shown yet. Returns OUTCOME, or the failure
 * of the output. */
outcome_t cli_finish(cli_t *cli, outcome_t outcome);

#endif
