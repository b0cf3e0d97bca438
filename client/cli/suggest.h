/* SPDX-License-Identifier: MPL-2.0 */
/* Suggests a command for a word that is not one. */
#ifndef KV_CLIENT_CLI_SUGGEST_H
#define KV_CLIENT_CLI_SUGGEST_H

#include "client/cli/command.h"

/* The command that WORD probably means: one with nearly the same letters, or one that other tools call WORD.
 * NULL if nothing is close. */
const command_t *suggest_command(bytes_t word);

#endif
