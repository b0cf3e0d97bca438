/* SPDX-License-Identifier: MPL-2.0 */
/* The commands on one store. */
#ifndef KV_CLIENT_CLI_COMMAND_STORE_H
#define KV_CLIENT_CLI_COMMAND_STORE_H

#include "client/cli/command.h"

outcome_t command_get(cli_t *cli, const call_t *call);
outcome_t command_entry(cli_t *cli, const call_t *call);
outcome_t command_put(cli_t *cli, const call_t *call);
outcome_t command_del(cli_t *cli, const call_t *call);
outcome_t command_digest(cli_t *cli, const call_t *call);

#endif
