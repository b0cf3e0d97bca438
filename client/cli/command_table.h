/* SPDX-License-Identifier: MPL-2.0 */
/* The table of commands: names, arguments, options, help and handlers. Dispatch, checks, completion and help
 * read it. */
#ifndef KV_CLIENT_CLI_COMMAND_TABLE_H
#define KV_CLIENT_CLI_COMMAND_TABLE_H

#include "client/cli/command.h"

/* The table, ended by a row without a name. */
extern const command_t commands[];

/* Finds the command NAME. NULL if there is none. */
const command_t *command_find(bytes_t name);

/* Whether the COUNT WORDS may carry a secret. */
bool command_is_secret(const bytes_t *words, size_t count);

#endif
