/* SPDX-License-Identifier: MPL-2.0 */
/* Help about all commands or one. */
#ifndef KV_CLIENT_CLI_HELP_H
#define KV_CLIENT_CLI_HELP_H

#include "client/cli/command.h"

/* Writes a line for each command. */
void help_commands(FILE *stream);

/* Runs `help`. */
outcome_t help_show(cli_t *cli, const call_t *call);

#endif
