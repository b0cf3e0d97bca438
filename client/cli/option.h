/* SPDX-License-Identifier: MPL-2.0 */
/* Options: one table lists them, for the whole run and for its commands. One parser takes them out of words,
 * which are the program's arguments, a piped line or a typed line:
 *
 *   - A word that begins with - and is not a number is an option, at any position, or an error.
 *   - --name VALUE, --name=VALUE, -n VALUE, -nVALUE and -n=VALUE are the same. Letters may be combined
 *     (-xo raw). A VALUE in its own word must not look like an option.
 *   - -- ends the options: all words after it are arguments. A single - is an argument. */
#ifndef KV_CLIENT_CLI_OPTION_H
#define KV_CLIENT_CLI_OPTION_H

#include <stdint.h>
#include <stdio.h>

#include "client/cli/problem.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    SPLIT_MAX = 64 /* most arguments, and most options; more than any command takes */
};

typedef enum option_id {
    /* Of the run; some also of one command (OPTION_OF_LINE). */
    OPT_SERVER,
    OPT_NAME,
    OPT_SECRET_FILE,
    OPT_USER,
    OPT_PASSWORD_FILE,
    OPT_OUTPUT,
    OPT_INPUT,
    OPT_BIN,
    OPT_TIMEOUT,
    OPT_NO_HISTORY,
    OPT_HELP,
    OPT_VERSION,
    /* Of the commands that list them. */
    OPT_TTL,
    OPT_IF_REVISION,
    OPT_IF_ABSENT,
    OPT_CREATE,
    OPT_CLAIM_SECRET_FILE,
    OPT_LIMIT,
    OPT_AFTER,
    OPT_PREFIX,
    OPT_SINCE,
    OPT_INITIAL,
    OPT_EVENTS,
    OPT_OWN,
    OPT_BENCH_CLIENTS,
    OPT_BENCH_THREADS,
    OPT_BENCH_IN_FLIGHT,
    OPT_BENCH_BATCH,
    OPT_BENCH_KEYS,
    OPT_BENCH_KEY_SIZE,
    OPT_BENCH_VALUE_SIZE,
    OPT_BENCH_DISTRIBUTION,
    OPT_BENCH_SHARED,
    OPT_BENCH_DURATION,
    OPT_BENCH_REQUESTS,
    OPT_BENCH_RATE,
    OPT_COUNT
} option_id_t;

#define OPT_BIT(option) (UINT64_C(1) << (option))

typedef enum option_scope {
    OPTION_OF_RUN,    /* only at the start of the tool */
    OPTION_OF_LINE,   /* at the start, or for one command of a pipe or terminal */
    OPTION_OF_COMMAND /* only for the commands that list it */
} option_scope_t;

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_NUMBER,
    OPTION_TIME,
    OPTION_TEXT, /* UTF-8; may be empty */
    OPTION_WORD, /* any bytes; not empty, which is often a variable that is not set */
} option_kind_t;

typedef struct option_row {
    const char *name; /* long name with its dashes; NULL = it has only a letter. Two rows may share a name if
                         both take an argument and only one is of a command */
    const char *argument; /* NULL = none */
    const char *help;
    option_kind_t kind;
    option_scope_t scope;
    bool managed; /* of a command, and only after `manage CLIENT` */
    char letter;  /* 0 = none */
} option_row_t;

/* All options, by option_id_t. */
extern const option_row_t option_rows[OPT_COUNT];

/* An option as it was given. */
typedef struct option_given {
    option_id_t option;  /* the first row with that name */
    bytes_t value;       /* zero-terminated; borrowed from the words. Unused if the option takes none */
    size_t words_before; /* how many arguments precede it */
} option_given_t;

/* Words, split into options and arguments. */
typedef struct split {
    bytes_t words[SPLIT_MAX]; /* the arguments; borrowed */
    size_t word_count;
    option_given_t given[SPLIT_MAX];
    size_t given_count;
    problem_t problem; /* the first problem with an option; the rest is split all the same */
} split_t;

/* Splits COUNT WORDS, each zero-terminated. SECRET: `problem` must not quote a word. */
void option_split(const bytes_t *words, size_t count, bool secret, split_t *split);

/* Checks VALUE as the value of OPTION. Sets *NUMBER if it is a number or a time (ms). */
bool option_read(option_id_t option, bytes_t value, uint64_t *number, problem_t *problem);

/* Whether A and B are options with the same name. */
bool option_same(option_id_t a, option_id_t b);

/* The long name of OPTION, or its letter, with dashes. Static storage. */
const char *option_name(option_id_t option);

/* Write a line of help for each option of the run, or for each option in SET (bits). */
void option_help_run(FILE *stream);
void option_help_set(FILE *stream, uint64_t set);

#endif
