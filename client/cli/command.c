/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of commands, and how words become a call. Knows nothing of how a command is carried out. */
#include "client/cli/command.h"

#include <stdarg.h>

#include "common/duration.h"
#include "common/number.h"
#include "common/utf8.h"

enum {
    PROBLEM_MAX = 256, /* bytes of what is said to be wrong with a call */
    QUOTED_MAX = 64    /* bytes of a typed word in it */
};

#define LISTING_OPTIONS (OPT_BIT(OPT_LIMIT) | OPT_BIT(OPT_AFTER))
#define PUT_OPTIONS                                                                                          \
    (OPT_BIT(OPT_TTL) | OPT_BIT(OPT_IF_REVISION) | OPT_BIT(OPT_IF_ABSENT) | OPT_BIT(OPT_CREATE) |            \
     OPT_BIT(OPT_SECRET_FILE))
#define WATCH_OPTIONS                                                                                        \
    (OPT_BIT(OPT_PREFIX) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_INITIAL) | OPT_BIT(OPT_EVENTS) | OPT_BIT(OPT_OWN))

const command_t commands[] = {
    {"get", "KEY", "show a value; <blank> where there is none", command_get, 1, 1, 0, COMMAND_STORE},
    {"put", "KEY VALUE", "set a value", command_put, 2, 2, PUT_OPTIONS, COMMAND_STORE},
    {"del", "KEY", "delete an entry", command_del, 1, 1, OPT_BIT(OPT_IF_REVISION), COMMAND_STORE},
    {"entry", "KEY", "show a value, its revision and how long it lives", command_entry, 1, 1, 0,
     COMMAND_STORE},
    {"list", "[PREFIX]", "show all entries, in order of their keys", command_list, 0, 1, LISTING_OPTIONS,
     COMMAND_STORE},
    {"digest", "", "show a number that equal stores share", command_digest, 0, 0, 0, COMMAND_STORE},
    {"auth", "USER [PASSWORD]", "become a manager; asks for a password that is left out", command_auth, 1, 2,
     0, COMMAND_SECRET},
    {"manage", "CLIENT COMMAND ...", "get, put, del, entry, list or digest on a client's store",
     command_manage, 2, SIZE_MAX, 0, COMMAND_PREFIX},
    {"clients", "[PREFIX]", "show the clients (managers)", command_clients, 0, 1, LISTING_OPTIONS, 0},
    {"role", "CLIENT ROLE", "make a client guest or manager (managers)", command_role, 2, 2, 0, 0},
    {"forget", "CLIENT", "drop a named client and its store (managers)", command_forget, 1, 1, 0, 0},
    {"watch", "[CLIENT | stop]", "show changes as they come (managers; guests: --own)", command_watch, 0, 1,
     WATCH_OPTIONS, 0},
    {"verify", "[CLIENT]", "copy stores, and compare the copies (managers)", command_verify, 0, 1, 0, 0},
    {"stats", "", "show the broker's counters (managers)", command_stats, 0, 0, 0, 0},
    {"hello", "", "show who you are to the broker, and its limits", command_hello, 0, 0, 0, 0},
    {"ping", "", "ask for a sign of life, which keeps the session", command_ping, 0, 0, 0, 0},
    {"bye", "", "end the session, and leave", command_bye, 0, 0, 0, 0},
    {"help", "[COMMAND]", "show this, or how a command is used", command_show_help, 0, 1, 0, COMMAND_LOCAL},
    {"quit", "", "leave", command_quit, 0, 0, 0, COMMAND_LOCAL},
    {"exit", "", "leave", command_quit, 0, 0, 0, COMMAND_LOCAL},
    {.name = NULL},
};

typedef enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_TIME, OPTION_TEXT } option_kind_t;

/* What an argument of each kind must be; any text will do. */
static const char *const kind_expects[] = {
    [OPTION_FLAG] = NULL,
    [OPTION_NUMBER] = "a whole number",
    [OPTION_TIME] = DURATION_EXPECTED,
    [OPTION_TEXT] = NULL,
};

typedef struct option_row {
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
    option_kind_t kind;
    bool managed; /* only behind `manage CLIENT` */
} option_row_t;

static const option_row_t option_rows[OPT_COUNT] = {
    [OPT_TTL] = {"--ttl", "TIME", "the entry lives so long: 90, 2.5 (seconds), 500ms, 10m, 1h30m, 7d",
                 OPTION_TIME, false},
    [OPT_IF_REVISION] = {"--if-revision", "N", "only if the entry has this revision; 0: only if it is absent",
                         OPTION_NUMBER, false},
    [OPT_IF_ABSENT] = {"--if-absent", NULL, "only if there is no entry", OPTION_FLAG, false},
    [OPT_CREATE] = {"--create", NULL, "after manage: make the store of a name that does not exist yet",
                    OPTION_FLAG, true},
    [OPT_SECRET_FILE] = {"--secret-file", "FILE",
                         "with --create: the secret that claims the name, on the first line", OPTION_TEXT,
                         true},
    [OPT_LIMIT] = {"--limit", "N", "at most so many", OPTION_NUMBER, false},
    [OPT_AFTER] = {"--after", "TEXT", "only what comes after it, in order of bytes", OPTION_TEXT, false},
    [OPT_PREFIX] = {"--prefix", "TEXT", "only keys that begin with it", OPTION_TEXT, false},
    [OPT_SINCE] = {"--since", "SEQ[@EPOCH]", "go on after this number, a line's second column; 0: all",
                   OPTION_TEXT, false},
    [OPT_INITIAL] = {"--initial", NULL, "show all entries first; then every old value is known", OPTION_FLAG,
                     false},
    [OPT_EVENTS] = {"--count", "N", "end after so many changes; 0: when ready", OPTION_NUMBER, false},
    [OPT_OWN] = {"--own", NULL, "changes of your own store by others, for guests too", OPTION_FLAG, false},
};

const char *command_option_name(command_option_t option)
{
    return option_rows[option].name;
}

const command_t *command_find(bytes_t name)
{
    for (const command_t *command = commands; command->name != NULL; command++) {
        if (bytes_equal(name, bytes_from_text(command->name)))
            return command;
    }
    return NULL;
}

/* ---- Words to a call -------------------------------------------------------------------------- */

static bool is_option(bytes_t word)
{
    return bytes_starts_with(word, bytes_from_text("--"));
}

/* What is wrong with a call, for people. */
typedef struct problem {
    char text[PROBLEM_MAX];
} problem_t;

/* Says what is wrong. Returns false, which is what the caller then has to say. */
__attribute__((format(printf, 2, 3))) static bool problem_set(problem_t *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}

static command_option_t option_find(const call_t *call, bytes_t word)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        bool taken = (call->command->options & OPT_BIT(i)) != 0;
        if (taken && bytes_equal(word, bytes_from_text(option_rows[i].name)))
            return (command_option_t)i;
    }
    return OPT_COUNT;
}

/* Says why WORD, which stands where options stand, is none of the call's. */
static bool option_refuse(const command_t *command, bytes_t word, problem_t *problem)
{
    char quoted[QUOTED_MAX];
    if ((command->flags & COMMAND_SECRET) != 0)
        return problem_set(problem,
                           "too many arguments; quote a password with blanks"); /* it is part of one */
    utf8_quote(word, quoted, sizeof quoted);
    bool dashed = bytes_starts_with(word, bytes_from_text("-"));
    return problem_set(problem, dashed ? "there is no option %s" : "one argument too many: %s", quoted);
}

/* Sets OPTION from its argument WORD. */
static bool option_set(call_t *call, command_option_t option, bytes_t word, problem_t *problem)
{
    const option_row_t *row = &option_rows[option];
    char quoted[QUOTED_MAX];
    bool valid = true;
    call->given |= OPT_BIT(option);
    if (row->kind == OPTION_NUMBER)
        valid = number_parse(word, &call->numbers[option]);
    else if (row->kind == OPTION_TIME)
        valid = duration_parse(word, &call->numbers[option]);
    else if (row->kind == OPTION_TEXT)
        call->texts[option] = word;
    return valid || problem_set(problem, "%s takes %s, not \"%s\"", row->name, kind_expects[row->kind],
                                utf8_quote(word, quoted, sizeof quoted));
}

/* Takes the option that WORDS begin with, and its argument. Returns how many words that were; 0 = PROBLEM
 * says what is wrong. */
static size_t option_take(call_t *call, const bytes_t *words, size_t count, problem_t *problem)
{
    command_option_t option = option_find(call, words[0]);
    if (option == OPT_COUNT) {
        (void)option_refuse(call->command, words[0], problem);
        return 0;
    }
    const option_row_t *row = &option_rows[option];
    size_t taken = row->argument == NULL ? 1 : 2;
    bool good = true;
    if (row->managed && call->client == NULL)
        good = problem_set(problem, "%s is for managed stores: manage CLIENT %s", row->name,
                           call->command->name);
    else if ((call->given & OPT_BIT(option)) != 0)
        good = problem_set(problem, "%s is given twice", row->name);
    else if (taken > count)
        good = problem_set(problem, "%s lacks its argument, %s", row->name, row->argument);
    return good && option_set(call, option, words[taken - 1], problem) ? taken : 0;
}

/* Takes the options in WORDS, all that is left. */
static bool options_take(call_t *call, const bytes_t *words, size_t count, problem_t *problem)
{
    for (size_t i = 0; i < count;) {
        call->helps = bytes_equal(words[i], bytes_from_text("--help"));
        size_t taken = call->helps ? count : option_take(call, words + i, count - i, problem);
        if (taken == 0)
            return false;
        i += taken;
    }
    return true;
}

/* Takes arguments from WORDS, and what stands in `cli->input` as the last one, then the options. Required
 * arguments are whatever they look like; one that may be left out does not begin with "--" (but for a
 * password), unless "--" stands before it. */
static bool call_take(cli_t *cli, call_t *call, const bytes_t *words, size_t count, problem_t *problem)
{
    const command_t *command = call->command;
    if (command->arguments_max < cli->has_input)
        return problem_set(problem, "it takes no argument that could come from standard input (-x)");
    size_t most = command->arguments_max - cli->has_input;
    size_t least = command->arguments_min > cli->has_input ? command->arguments_min - cli->has_input : 0;
    if (count < least)
        return problem_set(problem, "too few arguments");
    size_t at = 0;
    bool ended = (command->flags & COMMAND_SECRET) != 0;
    while (at < count && call->argument_count < most) {
        if (call->argument_count >= least && !ended && is_option(words[at])) {
            if (words[at].size > 2)
                break;
            ended = true;
            at++;
            continue;
        }
        call->arguments[call->argument_count++] = words[at++];
    }
    if (cli->has_input) {
        call->arguments[call->argument_count++] = cli->input;
        cli->has_input = false;
    }
    return options_take(call, words + at, count - at, problem);
}

static void usage_write(FILE *stream, const command_t *command)
{
    fprintf(stream, "%s%s%s", command->name, *command->arguments == '\0' ? "" : " ", command->arguments);
    for (int i = 0; i < OPT_COUNT; i++) {
        const option_row_t *row = &option_rows[i];
        if ((command->options & OPT_BIT(i)) != 0)
            fprintf(stream, " [%s%s%s]", row->name, row->argument == NULL ? "" : " ",
                    row->argument == NULL ? "" : row->argument);
    }
}

/* Tells that a known command is used wrongly, and how it is used. */
static outcome_t call_refuse(cli_t *cli, const command_t *command, const char *problem)
{
    outcome_t outcome = cli_illegal(cli, command->name, problem);
    fputs("usage: ", stderr);
    usage_write(stderr, command);
    fputc('\n', stderr);
    return outcome;
}

static outcome_t command_call(cli_t *cli, const command_t *command, const char *client, const bytes_t *words,
                              size_t count)
{
    call_t call = {.command = command, .client = client, .words = words, .word_count = count};
    problem_t problem;
    bool good = true;
    if ((command->flags & COMMAND_PREFIX) == 0)
        good = call_take(cli, &call, words, count, &problem);
    else if (count < command->arguments_min)
        good = problem_set(&problem, "too few arguments");
    if (!good)
        return call_refuse(cli, command, problem.text);
    if (call.helps) {
        command_help(cli->output.stream, command);
        return OUTCOME_OK;
    }
    return command->run(cli, &call);
}

outcome_t command_run(cli_t *cli, const bytes_t *words, size_t count)
{
    const command_t *command = command_find(words[0]);
    return command == NULL ? cli_unknown(cli, words[0])
                           : command_call(cli, command, NULL, words + 1, count - 1);
}

outcome_t command_run_managed(cli_t *cli, const char *client, const bytes_t *words, size_t count)
{
    const command_t *command = command_find(words[0]);
    if (command == NULL)
        return cli_unknown(cli, words[0]);
    if ((command->flags & COMMAND_STORE) == 0)
        return cli_illegal(cli, command->name, "not a command on a store; see help manage");
    return command_call(cli, command, client, words + 1, count - 1);
}

outcome_t call_text(cli_t *cli, bytes_t word, const char *what, const char **text)
{
    if (memchr(word.data, 0, word.size) != NULL)
        return cli_refuse(cli, what, "there is a zero byte in it");
    *text = (const char *)word.data;
    return OUTCOME_OK;
}

/* A quote before the name does not hide it, nor does `manage CLIENT`, nor other case: a typing error is no
 * reason to keep a password. */
bool command_is_secret(const bytes_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (const command_t *command = commands; command->name != NULL; command++) {
            size_t size = strlen(command->name);
            bool named =
                words[i].size == size && strncasecmp((const char *)words[i].data, command->name, size) == 0;
            if (named && (command->flags & COMMAND_SECRET) != 0)
                return true;
        }
    }
    return false;
}

/* ---- Help ------------------------------------------------------------------------------------- */

void command_help_all(FILE *stream)
{
    fputs("Commands:\n", stream);
    for (const command_t *command = commands; command->name != NULL; command++) {
        char usage[32];
        snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
        fprintf(stream, "  %-25s %s\n", usage, command->help);
    }
}

void command_help(FILE *stream, const command_t *command)
{
    fputs("Usage: ", stream);
    usage_write(stream, command);
    fprintf(stream, "\n%s\n", command->help);
    for (int i = 0; i < OPT_COUNT; i++) {
        const option_row_t *row = &option_rows[i];
        char usage[32];
        snprintf(usage, sizeof usage, "%s %s", row->name, row->argument == NULL ? "" : row->argument);
        if ((command->options & OPT_BIT(i)) != 0)
            fprintf(stream, "  %-20s %s\n", usage, row->help);
    }
}
