/* SPDX-License-Identifier: MPL-2.0 */
/* kvzmq-cli: runs the command of its arguments, or commands from a terminal or a pipe. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/command_table.h"
#include "client/cli/help.h"
#include "client/cli/interrupt.h"
#include "client/cli/run.h"
#include "client/cli/script.h"
#include "client/cli/shell.h"
#include "common/standard_files.h"

enum {
    INPUT_MAX = 8 * 1024 * 1024, /* bytes that -x reads; the broker's limits are lower */
    INPUT_PIECE = 65536          /* bytes read at once */
};

static outcome_t show_help(void)
{
    fputs("Usage: kvzmq-cli [OPTIONS] COMMAND [ARGUMENT ...]    run one command\n"
          "       kvzmq-cli [OPTIONS]                           type commands, or pipe them in\n"
          "\n"
          "A client of kvbroker, the message-queue based key-value broker.\n"
          "\n",
          stdout);
    run_options_help(stdout);
    fputs("\n", stdout);
    help_commands(stdout);
    fputs("\n"
          "Options may come anywhere; kvzmq-cli help COMMAND shows those of a command. A word that begins "
          "with - and is not a\n"
          "number is an option. -- ends the options: the words after it are arguments. The same holds at the "
          "prompt and in\n"
          "pipes; there -o, --bin and -h apply to one command only.\n"
          "\n"
          "Piped commands are one per line; a line that begins with # is a comment. Words may be quoted: 'a "
          "b', or \"a b\", in\n"
          "which \\n \\r \\t \\b \\f \\a \\\\ \\/ \\\" \\' \\xHH \\uXXXX are escapes. At a terminal, and in "
          "tables, control characters in\n"
          "a value are shown escaped. In raw output, tables escape backslash, control characters and bytes "
          "that are not UTF-8.\n"
          "\n"
          "With -o json a command that fails shows {\"error\": {\"code\", \"message\"}}, and nothing else, "
          "on standard output. If it\n"
          "has shown rows or changes before, the error comes after them, and the array is not closed. The "
          "code is one of the\n"
          "protocol or library (PERMISSION_DENIED, UNREACHABLE, ...), or USAGE. An absent key is not an "
          "error, but null.\n"
          "\n"
          "Exit codes (for piped commands: of the first line that failed; after 3, 4 and 130 the tool "
          "stops):\n",
          stdout);
#define OUTCOME(name, code, text) printf("  %3d  %s\n", code, text);
#include "client/cli/outcome.def"
#undef OUTCOME
    return OUTCOME_OK;
}

/* Reads standard input to its end into INPUT, which has room for INPUT_MAX and one piece, and adds a
 * terminating zero. */
static outcome_t input_read(cli_t *cli, buffer_t *input)
{
    for (;;) {
        char problem[PROBLEM_TEXT_MAX];
        if (input->size > INPUT_MAX) {
            snprintf(problem, sizeof problem, "standard input (-x) is longer than %d bytes", INPUT_MAX);
            return cli_refuse(cli, "kvzmq-cli", problem);
        }
        uint8_t *room = buffer_reserve(input, INPUT_PIECE);
        if (room == NULL)
            return cli_break(cli, "out of memory");
        if (interrupt_wait(STDIN_FILENO) == WAIT_INTERRUPT)
            return OUTCOME_INTERRUPTED;
        ssize_t count = read(STDIN_FILENO, room, INPUT_PIECE - 1);
        if (count == -1 && errno == EINTR)
            continue;
        if (count == -1) {
            snprintf(problem, sizeof problem, "cannot read standard input: %s", strerror(errno));
            return cli_break(cli, problem);
        }
        room[count] = 0;
        if (count == 0)
            return OUTCOME_OK;
        input->size += (size_t)count;
    }
}

/* A copy of the program's arguments. All users of the machine can read the arguments of a program, so
 * arguments_take wipes the original of those that may be secret. */
typedef struct arguments {
    bytes_t *words; /* owned; each is zero-terminated */
    size_t count;
    buffer_t copy; /* holds them */
} arguments_t;

static bool arguments_take(arguments_t *arguments, int argc, char **argv)
{
    size_t size = 0;
    for (int i = 1; i < argc; i++)
        size += strlen(argv[i]) + 1;
    buffer_init(&arguments->copy, size);
    arguments->count = argc > 1 ? (size_t)argc - 1 : 0;
    arguments->words = calloc(arguments->count + 1, sizeof *arguments->words);
    if (arguments->words == NULL || buffer_reserve(&arguments->copy, size) == NULL)
        return false;
    for (size_t i = 0; i < arguments->count; i++) {
        bytes_t word = bytes_from_text(argv[i + 1]);
        arguments->words[i] = bytes_of(arguments->copy.data + arguments->copy.size, word.size);
        buffer_append(&arguments->copy, word.data, word.size + 1);
    }
    for (size_t i = 0; i < arguments->count; i++) {
        if (command_is_secret(arguments->words, i)) /* after such a command */
            explicit_bzero(argv[i + 1], arguments->words[i].size);
    }
    return true;
}

static void arguments_release(arguments_t *arguments)
{
    if (arguments->copy.data != NULL)
        explicit_bzero(arguments->copy.data, arguments->copy.size);
    buffer_release(&arguments->copy);
    free(arguments->words);
}

/* Runs the command of the arguments. */
static outcome_t run_command(cli_t *cli, call_result_t *result)
{
    buffer_t input;
    buffer_init(&input, INPUT_MAX + INPUT_PIECE);
    outcome_t outcome = OUTCOME_OK;
    bool called = result->status == CALL_GOOD;
    if (called && (result->call.command->flags & COMMAND_LOCAL) == 0)
        outcome = cli_open(cli, false);
    if (outcome == OUTCOME_OK && called && cli->options->last_from_input) {
        outcome = input_read(cli, &input);
        cli->input = buffer_bytes(&input);
        cli->has_input = true;
    }
    outcome = outcome == OUTCOME_OK ? run_call(cli, result) : cli_finish(cli, outcome);
    buffer_release(&input);
    return outcome;
}

/* Runs commands from standard input, typed or piped. */
static outcome_t run_input(cli_t *cli)
{
    if (cli->options->last_from_input)
        return cli_finish(
            cli, cli_refuse(cli, "kvzmq-cli", "-x needs a command, as in: kvzmq-cli -x put KEY < FILE"));
    outcome_t outcome = cli_open(cli, true);
    if (outcome != OUTCOME_OK)
        return cli_finish(cli, outcome);
    if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1)
        return shell_run(cli);
    return script_run(cli, STDIN_FILENO);
}

/* Selects UTF-8 for input and output, whatever encoding the environment names. Without a UTF-8 locale,
 * libsmartcols does not return from printing a table that has other characters than ASCII. */
static void locale_take(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static outcome_t run(cli_t *cli, run_options_t *options, const arguments_t *arguments)
{
    call_result_t result;
    call_make(arguments->words, arguments->count, CALL_IN_ARGUMENTS, options, &result);
    cli->output.ops = options->format;
    if (options->version)
        return printf("kvzmq-cli %s\n", kvzmq_version()) < 0 ? OUTCOME_FAILED : cli_finish(cli, OUTCOME_OK);
    if (result.status == CALL_HELP && result.call.command == NULL)
        return cli_finish(cli, show_help());
    return result.status == CALL_NONE ? run_input(cli) : run_command(cli, &result);
}

int main(int argc, char **argv)
{
    if (!standard_files_hold())
        return OUTCOME_FAILED;
    cli_t cli;
    run_options_t options;
    problem_t problem = {""};
    arguments_t arguments = {.count = 0};
    interrupt_catch();
    locale_take();
    bool good = run_options_init(&options, &problem);
    cli_init(&cli, &options);
    outcome_t outcome;
    if (!good)
        outcome = cli_refuse(&cli, "KVZMQ_SERVER", problem.text);
    else if (!arguments_take(&arguments, argc, argv))
        outcome = cli_break(&cli, "out of memory");
    else
        outcome = run(&cli, &options, &arguments);
    cli_release(&cli, outcome);
    arguments_release(&arguments);
    return (int)outcome;
}
