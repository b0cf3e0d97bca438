/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that follow changes. */
#ifndef KV_CLIENT_CLI_COMMAND_WATCH_H
#define KV_CLIENT_CLI_COMMAND_WATCH_H

#include "client/cli/command.h"

outcome_t command_watch(cli_t *cli, const call_t *call);
outcome_t command_verify(cli_t *cli, const call_t *call);

#endif
