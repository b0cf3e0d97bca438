/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that show many rows. */
#ifndef KV_CLIENT_CLI_COMMAND_LISTING_H
#define KV_CLIENT_CLI_COMMAND_LISTING_H

#include "client/cli/command.h"

outcome_t command_list(cli_t *cli, const call_t *call);
outcome_t command_clients(cli_t *cli, const call_t *call);
outcome_t command_stats(cli_t *cli, const call_t *call);

#endif
