/* SPDX-License-Identifier: MPL-2.0 */
/* The options of a run, from the arguments and the environment. */
#ifndef KV_CLIENT_CLI_RUN_OPTIONS_H
#define KV_CLIENT_CLI_RUN_OPTIONS_H

#include "client/cli/option.h"
#include "client/cli/output.h"
#include "client/cli/problem.h"
#include "common/status.h"

enum { ENDPOINT_MAX = 512 }; /* bytes of an endpoint, with its terminating zero */

/* Texts are borrowed from the words and the environment. */
typedef struct run_options {
    char endpoint[ENDPOINT_MAX];
    const char *name;          /* NULL = a client by number */
    const char *secret_file;   /* NULL: none */
    const char *user;          /* NULL = a guest */
    const char *password_file; /* NULL: none */
    const char *history;       /* file of typed lines; NULL = the default, "" = none */
    const output_ops_t *format;
    int timeout_ms;
    bool last_from_input; /* -x */
    bool binary;          /* --bin */
    bool version;         /* --version */
} run_options_t;

/* Sets the values without options: from the environment, and defaults. */
bool run_options_init(run_options_t *options, problem_t *problem);

/* Applies OPTION, which is not of a command, with its zero-terminated VALUE. */
bool run_options_set(run_options_t *options, option_id_t option, bytes_t value, problem_t *problem);

/* Whether the given options can be used together. */
bool run_options_check(const run_options_t *options, problem_t *problem);

/* Writes the options' part of --help. */
void run_options_help(FILE *stream);

#endif
