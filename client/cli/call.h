/* SPDX-License-Identifier: MPL-2.0 */
/* From words to a call: which command, on which store, with which arguments and options. Runs nothing.
 */
#ifndef KV_CLIENT_CLI_CALL_H
#define KV_CLIENT_CLI_CALL_H

#include "client/cli/command.h"

/* Where the words stand. */
typedef enum call_place {
    CALL_IN_ARGUMENTS, /* of the program: every option may be among them */
    CALL_IN_LINE       /* of a pipe or a person: those that make the connection may not */
} call_place_t;

typedef enum call_status {
    CALL_GOOD,
    CALL_HELP,    /* how `command` is used, or (NULL) all help, is wanted, and nothing else */
    CALL_NONE,    /* no command among the words */
    CALL_UNKNOWN, /* the word UNKNOWN is no command */
    CALL_WRONG    /* PROBLEM says why; `command` is the one that is used wrongly, or NULL */
} call_status_t;

typedef struct call_result {
    call_status_t status;
    call_t call; /* borrows from the words */
    bytes_t unknown;
    problem_t problem;
} call_result_t;

/* Makes a call of the COUNT WORDS, each zero-terminated. Options that are not the command's go to *OPTIONS
 * even if something else is wrong, because one of them is the format of the error. */
void call_make(const bytes_t *words, size_t count, call_place_t place, run_options_t *options,
               call_result_t *result);

#endif
