/* SPDX-License-Identifier: MPL-2.0 */
/* What the program was told on its command line and in its environment. */
#ifndef KV_CLIENT_CLI_OPTIONS_H
#define KV_CLIENT_CLI_OPTIONS_H

#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "common/status.h"

typedef enum options_wish { WISH_RUN, WISH_HELP, WISH_VERSION } options_wish_t;

/* Texts are borrowed from the arguments and the environment. */
typedef struct options {
    options_wish_t wish;
    const char *endpoint;
    const char *name;          /* NULL: a client by number */
    const char *secret_file;   /* NULL: none */
    const char *user;          /* NULL: a guest */
    const char *password_file; /* NULL: none */
    const char *history;       /* file of typed lines; NULL: the usual one, "": none */
    const output_ops_t *format;
    int timeout_ms;
    bool last_from_input; /* -x */
    bool binary;          /* --bin */
    char **words;         /* the command; argv's rest */
    size_t word_count;
} options_t;

/* Reads the options up to the command. On failure says why on standard error. */
KV_MUST_USE outcome_t options_parse(options_t *options, int argc, char **argv);

/* Writes the options' part of --help. */
void options_help(FILE *stream);

#endif
