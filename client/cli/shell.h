/* SPDX-License-Identifier: MPL-2.0 */
/* A person at a terminal. */
#ifndef KV_CLIENT_CLI_SHELL_H
#define KV_CLIENT_CLI_SHELL_H

#include "client/cli/cli.h"

/* Connects, says as whom, and carries out what is typed until Ctrl-D, `quit` or `bye`. Ctrl-C drops the line
 * that is typed, or ends the wait of a command. Returns OUTCOME_OK if it came to a prompt, whatever the
 * commands did. */
outcome_t shell_run(cli_t *cli);

#endif
