/* SPDX-License-Identifier: MPL-2.0 */
/* What is said about a word that is not a command. */
#ifndef KV_CLIENT_CLI_SUGGEST_H
#define KV_CLIENT_CLI_SUGGEST_H

#include "client/cli/cli.h"

/* Says that WORD is not a command, and what may be meant. Returns OUTCOME_USAGE. */
outcome_t suggest_unknown(cli_t *cli, bytes_t word);

#endif
