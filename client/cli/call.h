/* SPDX-License-Identifier: MPL-2.0 */
/* Parses words into a call: the command, the store, the arguments and options. Does not run it. */
#ifndef KV_CLIENT_CLI_CALL_H
#define KV_CLIENT_CLI_CALL_H

#include "client/cli/command.h"

/* Where the words come from. */
typedef enum call_place {
    CALL_IN_ARGUMENTS, /* the program's arguments: all options are allowed */
    CALL_IN_LINE       /* a typed or piped line: no options of the connection */
} call_place_t;

typedef enum call_status {
    CALL_GOOD,
    CALL_HELP,    /* show help for `command`, or all help if that is NULL */
    CALL_NONE,    /* there is no command */
    CALL_UNKNOWN, /* `unknown` is not a command */
    CALL_WRONG    /* `problem` says why; `command` is the command, or NULL */
} call_status_t;

typedef struct call_result {
    call_status_t status;
    call_t call; /* borrows from the words */
    bytes_t unknown;
    problem_t problem;
} call_result_t;

/* Parses COUNT WORDS, each zero-terminated. Options of the run go to *OPTIONS even if there is a problem,
 * because they include the format of errors. */
void call_make(const bytes_t *words, size_t count, call_place_t place, run_options_t *options,
               call_result_t *result);

#endif
