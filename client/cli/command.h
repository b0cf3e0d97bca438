/* SPDX-License-Identifier: MPL-2.0 */
/* Commands, and calls of commands. command_table.h has the list of commands. */
#ifndef KV_CLIENT_CLI_COMMAND_H
#define KV_CLIENT_CLI_COMMAND_H

#include "client/cli/cli.h"
#include "client/cli/option.h"
#include "client/cli/watching.h"
#include "common/bytes.h"
#include "common/status.h"

enum { COMMAND_ARGUMENTS_MAX = 4 }; /* most arguments of a command, except a prefix */

typedef enum command_flag {
    COMMAND_STORE = 1,  /* works on a store: `manage CLIENT` may precede it */
    COMMAND_LOCAL = 2,  /* needs no broker */
    COMMAND_PREFIX = 4, /* a command follows its first argument and is run instead */
    COMMAND_SECRET = 8, /* its line may have a secret: keep it out of the history */
    COMMAND_HELP = 16,  /* shows the table of commands */
    COMMAND_BENCH = 32  /* its help lists the workloads */
} command_flag_t;

typedef struct command command_t;

/* One call of a command. Borrows from the words that were typed. */
typedef struct call {
    const command_t *command;
    const char *client;      /* whose store; NULL = the own store */
    watching_t **background; /* the watch that runs behind the prompt; NULL = no prompt */
    bytes_t arguments[COMMAND_ARGUMENTS_MAX];
    size_t argument_count;
    uint64_t given;              /* the command's options that were given, as bits */
    uint64_t numbers[OPT_COUNT]; /* values of options that take a number or a time (ms) */
    bytes_t texts[OPT_COUNT];    /* values of options that take text */
} call_t;

struct command {
    const char *name;
    const char *arguments; /* as in the help */
    const char *help;
    outcome_t (*run)(cli_t *cli, const call_t *call); /* NULL for COMMAND_PREFIX and COMMAND_HELP */
    size_t arguments_min;
    size_t arguments_max;
    uint64_t options; /* the options that it takes, as bits */
    unsigned flags;   /* command_flag_t */
};

/* Writes the help of COMMAND. */
void command_help(FILE *stream, const command_t *command);

/* Writes the usage of COMMAND, in one line. */
void command_usage(FILE *stream, const command_t *command);

/* The name of argument INDEX of COMMAND, as in the help; size 0 if there is none. */
bytes_t command_argument_name(const command_t *command, size_t index);

/* ---- For handlers ----------------------------------------------------------------------------- */

/* Sets *TEXT to WORD as a C string. If WORD has a zero byte, shows an error and returns OUTCOME_USAGE. WHAT
 * names it in the error. */
KV_MUST_USE outcome_t call_text(cli_t *cli, bytes_t word, const char *what, const char **text);

#endif
