/* SPDX-License-Identifier: MPL-2.0 */
/* The commands about sessions and clients, and those about the tool itself. */
#ifndef KV_CLIENT_CLI_COMMAND_SESSION_H
#define KV_CLIENT_CLI_COMMAND_SESSION_H

#include "client/cli/command.h"

outcome_t command_auth(cli_t *cli, const call_t *call);
outcome_t command_role(cli_t *cli, const call_t *call);
outcome_t command_forget(cli_t *cli, const call_t *call);
outcome_t command_hello(cli_t *cli, const call_t *call);
outcome_t command_ping(cli_t *cli, const call_t *call);
outcome_t command_bye(cli_t *cli, const call_t *call);
outcome_t command_quit(cli_t *cli, const call_t *call);

#endif
