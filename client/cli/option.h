/* SPDX-License-Identifier: MPL-2.0 */
/* Options: one table says what there is, for the whole run and for its commands; one parser takes them out of
 * the words, whether those are the program's arguments, a piped line or a typed one:
 *
 *   a word that begins with - and is no number is an option, wherever it stands, or an error;
 *   --name VALUE, --name=VALUE, -n VALUE, -nVALUE and -n=VALUE are the same; letters may stand together (-xo
 * raw); a VALUE in a word of its own does not look like an option;
 *   -- ends the options: what follows are arguments, whatever they look like; - by itself is an argument. */
#ifndef KV_CLIENT_CLI_OPTION_H
#define KV_CLIENT_CLI_OPTION_H

#include <stdint.h>
#include <stdio.h>

#include "client/cli/problem.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    SPLIT_MAX = 64 /* arguments, and options, of a command; none takes as many */
};

typedef enum option_id {
    /* Of the run; also of each of its commands (OPTION_OF_LINE). */
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
    OPTION_OF_RUN,    /* given when the tool starts: it makes the connection, or says what to do */
    OPTION_OF_LINE,   /* the same, or with one command of a pipe or a person, for that command */
    OPTION_OF_COMMAND /* of the commands that list it */
} option_scope_t;

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_NUMBER,
    OPTION_TIME,
    OPTION_TEXT, /* UTF-8; may be empty */
    OPTION_WORD, /* any bytes but none: an empty one is a variable that is not set */
} option_kind_t;

typedef struct option_row {
    const char *name; /* long, with its dashes; NULL: it has only a letter. Two rows may share a name where
                         both take an argument: the one is of the run, the other of a command */
    const char *argument; /* NULL: takes none */
    const char *help;
    option_kind_t kind;
    option_scope_t scope;
    bool managed; /* of a command, and only behind `manage CLIENT` */
    char letter;  /* 0: none */
} option_row_t;

/* The table. */
extern const option_row_t option_rows[OPT_COUNT];

/* An option as it was given. */
typedef struct option_given {
    option_id_t option;  /* the first row with that name */
    bytes_t value;       /* zero-terminated; borrowed from the words. Of no meaning where it takes none */
    size_t words_before; /* arguments that stand before it */
} option_given_t;

/* Words, sorted. */
typedef struct split {
    bytes_t words[SPLIT_MAX]; /* that are no options; borrowed */
    size_t word_count;
    option_given_t given[SPLIT_MAX];
    size_t given_count;
    problem_t problem; /* the first thing wrong with an option; the rest is sorted all the same */
} split_t;

/* Sorts the COUNT WORDS, each zero-terminated. Where they are SECRET no problem quotes one. */
void option_split(const bytes_t *words, size_t count, bool secret, split_t *split);

/* Reads VALUE as OPTION's, its *NUMBER where it is one (a time: ms). */
bool option_read(option_id_t option, bytes_t value, uint64_t *number, problem_t *problem);

/* Whether A and B are options with the same name. */
bool option_same(option_id_t a, option_id_t b);

/* How OPTION is written: its name, or its letter, with dashes. Static storage. */
const char *option_name(option_id_t option);

/* Writes a line of help for each option that is of the run (RUN), or that is in SET (bits). */
void option_help_run(FILE *stream);
void option_help_set(FILE *stream, uint64_t set);

#endif
