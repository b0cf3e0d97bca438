/* SPDX-License-Identifier: MPL-2.0 */
/* What a command is, and one use of it. Which commands there are, is in command_table.h. */
#ifndef KV_CLIENT_CLI_COMMAND_H
#define KV_CLIENT_CLI_COMMAND_H

#include "client/cli/cli.h"
#include "client/cli/option.h"
#include "client/cli/watching.h"
#include "common/bytes.h"
#include "common/status.h"

enum { COMMAND_ARGUMENTS_MAX = 4 }; /* arguments that any command but a prefix takes */

typedef enum command_flag {
    COMMAND_STORE = 1,  /* works on a store: `manage CLIENT` may stand before it */
    COMMAND_LOCAL = 2,  /* no need of a broker */
    COMMAND_PREFIX = 4, /* its first argument is followed by a command, which is run instead */
    COMMAND_SECRET = 8, /* its line may carry a secret: no history keeps it */
    COMMAND_HELP = 16,  /* shows what is in the table of commands */
    COMMAND_BENCH = 32  /* its help lists the workloads */
} command_flag_t;

typedef struct command command_t;

/* One use of a command. Everything is borrowed from the words typed. */
typedef struct call {
    const command_t *command;
    const char *client;      /* whose store; NULL: one's own */
    watching_t **background; /* where a watch stands that goes on behind a prompt; NULL: there is no prompt */
    bytes_t arguments[COMMAND_ARGUMENTS_MAX];
    size_t argument_count;
    uint64_t given;              /* options of the command, as bits */
    uint64_t numbers[OPT_COUNT]; /* of those that take a number or a time (ms) */
    bytes_t texts[OPT_COUNT];    /* of those that take text */
} call_t;

struct command {
    const char *name;
    const char *arguments; /* as help shows them */
    const char *help;
    outcome_t (*run)(cli_t *cli, const call_t *call); /* NULL: COMMAND_PREFIX, COMMAND_HELP */
    size_t arguments_min;
    size_t arguments_max;
    uint64_t options; /* those it takes, as bits */
    unsigned flags;   /* command_flag_t */
};

/* How COMMAND is used, and what for. */
void command_help(FILE *stream, const command_t *command);

/* The usage of COMMAND, in one line. */
void command_usage(FILE *stream, const command_t *command);

/* The name of COMMAND's argument number INDEX, as its help shows it; size 0 if there is none. */
bytes_t command_argument_name(const command_t *command, size_t index);

/* ---- For handlers ----------------------------------------------------------------------------- */

/* WORD as a C string; refuses (tells, and returns OUTCOME_USAGE) one with a zero byte inside. WHAT names it.
 */
KV_MUST_USE outcome_t call_text(cli_t *cli, bytes_t word, const char *what, const char **text);

#endif
