/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the command line's options: one table is what is accepted, what it does, and what --help says. */
#include "client/cli/options.h"

#include <getopt.h>
#include <kvzmq.h>
#include <limits.h>
#include <stdlib.h>

#include "common/duration.h"

enum { OPTION_COUNT_MAX = 32 };

/* A row of the table. `take` returns false where VALUE (NULL where none is taken) is not valid. */
typedef struct option_row {
    const char *name;     /* long, without its dashes */
    const char *argument; /* NULL: takes none */
    const char *help;
    const char *expects; /* what VALUE must be, for the error; NULL: anything */
    bool (*take)(options_t *options, const char *value);
    char letter; /* short, 0: none */
} option_row_t;

static bool take_server(options_t *options, const char *value)
{
    options->endpoint = value;
    return true;
}

static bool take_name(options_t *options, const char *value)
{
    options->name = value;
    return true;
}

static bool take_secret_file(options_t *options, const char *value)
{
    options->secret_file = value;
    return true;
}

static bool take_user(options_t *options, const char *value)
{
    options->user = value;
    return true;
}

static bool take_password_file(options_t *options, const char *value)
{
    options->password_file = value;
    return true;
}

static bool take_output(options_t *options, const char *value)
{
    options->format = output_find(value);
    return options->format != NULL;
}

static bool take_last_from_input(options_t *options, const char *value)
{
    (void)value;
    options->last_from_input = true;
    return true;
}

static bool take_binary(options_t *options, const char *value)
{
    (void)value;
    options->binary = true;
    return true;
}

static bool take_timeout(options_t *options, const char *value)
{
    uint64_t timeout_ms;
    if (!duration_parse(bytes_from_text(value), &timeout_ms) || timeout_ms > INT_MAX)
        return false;
    options->timeout_ms = (int)timeout_ms;
    return true;
}

static bool take_no_history(options_t *options, const char *value)
{
    (void)value;
    options->history = "";
    return true;
}

static bool take_help(options_t *options, const char *value)
{
    (void)value;
    options->wish = WISH_HELP;
    return true;
}

static bool take_version(options_t *options, const char *value)
{
    (void)value;
    options->wish = WISH_VERSION;
    return true;
}

static const option_row_t rows[] = {
    {"server", "ENDPOINT", "the broker (default KVZMQ_SERVER, else " KVZMQ_ENDPOINT_DEFAULT ")", NULL,
     take_server, 's'},
    {"name", "NAME", "be the client NAME, whose store stays; else a client by number", NULL, take_name, 'n'},
    {"secret-file", "FILE", "the name's secret, on the first line (default KVZMQ_SECRET)", NULL,
     take_secret_file, 0},
    {"user", "USER", "be a manager; asks for the password, or takes KVZMQ_PASSWORD", NULL, take_user, 'u'},
    {"password-file", "FILE", "the password, on the first line", NULL, take_password_file, 0},
    {"output", "FORMAT", "text, json or raw, see below", "text, json or raw", take_output, 'o'},
    {NULL, NULL, "take the command's last argument from standard input, byte for byte", NULL,
     take_last_from_input, 'x'},
    {"bin", NULL, "put values as bytes, even those that are text", NULL, take_binary, 0},
    {"timeout", "TIME", "wait at most so long for an answer: 2.5, 500ms, 1m (default 5)", DURATION_EXPECTED,
     take_timeout, 't'},
    {"no-history", NULL, "keep no file of typed lines (default KVZMQ_HISTORY, a file; empty: none)", NULL,
     take_no_history, 0},
    {"help", NULL, "this text", NULL, take_help, 'h'},
    {"version", NULL, "the version", NULL, take_version, 'V'},
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };
_Static_assert((int)ROW_COUNT < (int)OPTION_COUNT_MAX, "getopt's arrays hold every option and their end");

/* getopt's view of the table. Long options return UCHAR_MAX + 1 + the row's index. */
static void rows_for_getopt(char *letters, struct option *names)
{
    *letters++ = '+'; /* the command ends the options */
    *letters++ = ':';
    for (int i = 0; i < ROW_COUNT; i++) {
        if (rows[i].letter != 0) {
            *letters++ = rows[i].letter;
            if (rows[i].argument != NULL)
                *letters++ = ':';
        }
        if (rows[i].name != NULL)
            *names++ = (struct option){rows[i].name, rows[i].argument != NULL, NULL, UCHAR_MAX + 1 + i};
    }
    *letters = '\0';
    *names = (struct option){0};
}

static const option_row_t *row_find(int found)
{
    if (found > UCHAR_MAX)
        return &rows[found - UCHAR_MAX - 1];
    for (int i = 0; i < ROW_COUNT; i++) {
        if (rows[i].letter != 0 && rows[i].letter == found)
            return &rows[i];
    }
    return NULL;
}

static outcome_t option_refuse(int found, const char *argument)
{
    fprintf(stderr, "kvzmq-cli: %s %s; see kvzmq-cli --help\n",
            found == ':' ? "an argument is missing for"
                         : "no such option (a command's stand behind it), or it takes no argument:",
            argument);
    return OUTCOME_USAGE;
}

static outcome_t option_take(options_t *options, const option_row_t *row, const char *value)
{
    if (row->take(options, value))
        return OUTCOME_OK;
    fprintf(stderr, "kvzmq-cli: --%s takes %s, not \"%s\"\n", row->name, row->expects, value);
    return OUTCOME_USAGE;
}

outcome_t options_parse(options_t *options, int argc, char **argv)
{
    char letters[2 * OPTION_COUNT_MAX + 3];
    struct option names[OPTION_COUNT_MAX];
    rows_for_getopt(letters, names);
    const char *server = getenv("KVZMQ_SERVER");
    options_t parsed = {
        .endpoint = server != NULL && *server != '\0' ? server : KVZMQ_ENDPOINT_DEFAULT,
        .history = getenv("KVZMQ_HISTORY"),
        .format = &output_text,
        .timeout_ms = KVZMQ_CALL_MS_DEFAULT,
    };
    outcome_t outcome = OUTCOME_OK;
    int found;
    while (outcome == OUTCOME_OK && (found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        const option_row_t *row = row_find(found);
        outcome = row == NULL ? option_refuse(found, argv[optind - 1]) : option_take(&parsed, row, optarg);
    }
    if (outcome == OUTCOME_OK && parsed.secret_file != NULL && parsed.name == NULL) {
        fputs("kvzmq-cli: --secret-file is for a name, -n\n", stderr);
        outcome = OUTCOME_USAGE;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    parsed.words = argv + optind;
    parsed.word_count = (size_t)(argc - optind);
    *options = parsed;
    return OUTCOME_OK;
}

static void row_help(FILE *stream, const option_row_t *row)
{
    char letter[4] = "";
    if (row->letter != 0)
        snprintf(letter, sizeof letter, "-%c", row->letter);
    char name[64] = "";
    if (row->name != NULL)
        snprintf(name, sizeof name, "--%s %s", row->name, row->argument == NULL ? "" : row->argument);
    fprintf(stream, "  %2s%c %-20s %s\n", letter, *letter != '\0' && *name != '\0' ? ',' : ' ', name,
            row->help);
}

void options_help(FILE *stream)
{
    fputs("Options:\n", stream);
    for (int i = 0; i < ROW_COUNT; i++)
        row_help(stream, &rows[i]);
    fputs("\nFormats (-o):\n", stream);
    for (const output_ops_t *const *format = output_formats(); *format != NULL; format++)
        fprintf(stream, "  %-5s %s\n", (*format)->name, (*format)->help);
}
