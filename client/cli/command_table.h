/* SPDX-License-Identifier: MPL-2.0 */
/* The table of commands: names, arguments, options, help and handlers. Used by dispatch, checks, completion
 * and help. */
#ifndef KV_CLIENT_CLI_COMMAND_TABLE_H
#define KV_CLIENT_CLI_COMMAND_TABLE_H

#include "client/cli/command.h"

/* All commands. The last row has no name. */
extern const command_t commands[];

/* Finds the command NAME. NULL if there is none. */
const command_t *command_find(bytes_t name);

/* Whether COUNT WORDS may contain a secret. */
bool command_is_secret(const bytes_t *words, size_t count);

#endif
