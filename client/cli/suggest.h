/* SPDX-License-Identifier: MPL-2.0 */
/* Suggests a command for a word that is not one. */
#ifndef KV_CLIENT_CLI_SUGGEST_H
#define KV_CLIENT_CLI_SUGGEST_H

#include "client/cli/cli.h"

/* Shows that WORD is not a command, and which one may be meant. Returns OUTCOME_USAGE. */
outcome_t suggest_unknown(cli_t *cli, bytes_t word);

#endif
