/* SPDX-License-Identifier: MPL-2.0 */
/* The interactive mode: a person types commands at a terminal. */
#ifndef KV_CLIENT_CLI_SHELL_H
#define KV_CLIENT_CLI_SHELL_H

#include "client/cli/cli.h"

/* Connects, shows the client id, and runs what is typed until Ctrl-D, `quit` or `bye`. Ctrl-C drops the line
 * that is being typed, or ends the wait of a command. Returns OUTCOME_OK if there was a prompt, even if
 * commands failed. */
outcome_t shell_run(cli_t *cli);

#endif
