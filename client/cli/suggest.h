/* SPDX-License-Identifier: MPL-2.0 */
/* What was meant by a word that is no command. */
#ifndef KV_CLIENT_CLI_SUGGEST_H
#define KV_CLIENT_CLI_SUGGEST_H

#include "client/cli/command.h"

/* The command that is meant by WORD: one written nearly so, or what other tools call WORD. NULL where nothing
 * is close. */
const command_t *suggest_command(bytes_t word);

#endif
