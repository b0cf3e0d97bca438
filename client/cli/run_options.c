/* SPDX-License-Identifier: MPL-2.0 */
/* The effect of each option of the run. */
#include "client/cli/run_options.h"

#include <kvzmq.h>
#include <limits.h>
#include <stdlib.h>

#include "client/cli/output_formats.h"
#include "client/cli/output_text.h"
#include "common/utf8.h"

static bool take_endpoint(run_options_t *options, const char *value, problem_t *problem)
{
    /* HOST:PORT means tcp, as in most tools. */
    bool bare = strstr(value, "://") == NULL && strchr(value, ':') != NULL && value[0] != '/';
    int size = snprintf(options->endpoint, sizeof options->endpoint, "%s%s", bare ? "tcp://" : "", value);
    if (size < (int)sizeof options->endpoint)
        return true;
    return problem_set(problem, "an endpoint has at most %d bytes", ENDPOINT_MAX - 1);
}

static bool take_format(run_options_t *options, bytes_t value, problem_t *problem)
{
    char quoted[PROBLEM_WORD_MAX];
    const output_ops_t *format = output_find((const char *)value.data);
    if (format == NULL)
        return problem_set(problem, "--output takes text, json or raw, not \"%s\"",
                           utf8_quote(value, quoted, sizeof quoted));
    options->format = format;
    return true;
}

static bool take_timeout(run_options_t *options, uint64_t timeout_ms, problem_t *problem)
{
    if (timeout_ms > INT_MAX)
        return problem_set(problem, "--timeout takes at most %d ms", INT_MAX);
    options->timeout_ms = (int)timeout_ms;
    return true;
}

bool run_options_set(run_options_t *options, option_id_t option, bytes_t value, problem_t *problem)
{
    const char *text = (const char *)value.data;
    uint64_t number = 0;
    if (!option_read(option, value, &number, problem))
        return false;
    switch (option) {
    case OPT_SERVER:
        return take_endpoint(options, text, problem);
    case OPT_NAME:
        options->name = text;
        return true;
    case OPT_SECRET_FILE:
        options->secret_file = text;
        return true;
    case OPT_USER:
        options->user = text;
        return true;
    case OPT_PASSWORD_FILE:
        options->password_file = text;
        return true;
    case OPT_OUTPUT:
        return take_format(options, value, problem);
    case OPT_INPUT:
        options->last_from_input = true;
        return true;
    case OPT_BIN:
        options->binary = true;
        return true;
    case OPT_TIMEOUT:
        return take_timeout(options, number, problem);
    case OPT_NO_HISTORY:
        options->history = "";
        return true;
    case OPT_HELP:
        return true; /* call_make handles it */
    case OPT_VERSION:
        options->version = true;
        return true;
    default:
        return problem_set(problem, "%s is an option of some commands", option_name(option));
    }
}

bool run_options_init(run_options_t *options, problem_t *problem)
{
    *options = (run_options_t){
        .history = getenv("KVZMQ_HISTORY"),
        .format = &output_text,
        .timeout_ms = KVZMQ_CALL_MS_DEFAULT,
    };
    const char *server = getenv("KVZMQ_SERVER");
    return take_endpoint(options, server != NULL && *server != '\0' ? server : KVZMQ_ENDPOINT_DEFAULT,
                         problem);
}

bool run_options_check(const run_options_t *options, problem_t *problem)
{
    return options->secret_file == NULL || options->name != NULL ||
           problem_set(problem, "--secret-file needs a name, -n");
}

void run_options_help(FILE *stream)
{
    fputs("Options:\n", stream);
    option_help_run(stream);
    fputs("\nFormats (-o):\n", stream);
    for (const output_ops_t *const *format = output_formats(); *format != NULL; format++)
        fprintf(stream, "  %-5s %s\n", (*format)->name, (*format)->help);
}
