/* SPDX-License-Identifier: MPL-2.0 */
/* kvzmq-cli: the arguments' command, or a person at a terminal, or commands from a pipe. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/line.h"
#include "client/cli/script.h"
#include "client/cli/shell.h"
#include "common/standard_files.h"

enum {
    INPUT_MAX = 8 * 1024 * 1024, /* bytes that -x reads; the broker's own limits are lower */
    INPUT_PIECE = 65536          /* bytes read at once */
};

static outcome_t show_help(void)
{
    fputs("Usage: kvzmq-cli [OPTIONS] COMMAND [ARGUMENT ...]    carry out one command\n"
          "       kvzmq-cli [OPTIONS]                           type commands, or pipe them in\n"
          "\n"
          "A client of kvbroker, the message-queue based key-value broker.\n"
          "\n",
          stdout);
    options_help(stdout);
    fputs("\n", stdout);
    command_help_all(stdout);
    fputs("\n"
          "Options of a command stand behind its arguments; kvzmq-cli help COMMAND shows them. Piped "
          "commands stand one\n"
          "a line, # begins a comment line; words may be quoted: \"a b\", with \\n \\r \\t \\b \\a \\\\ \\\" "
          "\\xHH inside, or\n"
          "'a b'. At a terminal, and in tables, control characters in a value are shown escaped. In raw "
          "output, tables\n"
          "escape backslash, control characters and bytes that are no UTF-8.\n"
          "\n"
          "Exit codes (commands from a pipe: of the first line that failed; after 3, 4 and 130 no further "
          "line is tried):\n",
          stdout);
#define OUTCOME(name, code, text) printf("  %3d  %s\n", code, text);
#include "client/cli/outcome.def"
#undef OUTCOME
    return OUTCOME_OK;
}

/* Reads standard input to its end into INPUT, which has room for a piece more than INPUT_MAX, and ends it
 * with a zero byte. */
static outcome_t input_read(buffer_t *input)
{
    for (;;) {
        if (input->size > INPUT_MAX) {
            fprintf(stderr, "kvzmq-cli: standard input (-x) is longer than %d bytes\n", INPUT_MAX);
            return OUTCOME_USAGE;
        }
        uint8_t *room = buffer_reserve(input, INPUT_PIECE);
        if (room == NULL) {
            fputs("kvzmq-cli: out of memory\n", stderr);
            return OUTCOME_FAILED;
        }
        if (interrupt_wait(STDIN_FILENO) == WAIT_INTERRUPT)
            return OUTCOME_INTERRUPTED;
        ssize_t count = read(STDIN_FILENO, room, INPUT_PIECE - 1);
        if (count == -1) {
            fprintf(stderr, "kvzmq-cli: cannot read standard input: %s\n", strerror(errno));
            return OUTCOME_FAILED;
        }
        room[count] = 0;
        if (count == 0)
            return OUTCOME_OK;
        input->size += (size_t)count;
    }
}

/* Takes a secret word out of the arguments, which every user of the machine can read, into memory of our own
 * that COPY owns. */
static bool words_hide(char **arguments, bytes_t *words, size_t count, buffer_t *copy)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += words[i].size + 1;
    buffer_init(copy, sum);
    if (buffer_reserve(copy, sum) == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        bytes_t hidden = bytes_of(copy->data + copy->size, words[i].size);
        buffer_append(copy, words[i].data, words[i].size + 1);
        explicit_bzero(arguments[i], words[i].size);
        words[i] = hidden;
    }
    return true;
}

/* Carries out the command of the arguments. */
static outcome_t run_arguments(cli_t *cli, const options_t *options)
{
    if (options->word_count > LINE_WORDS_MAX)
        return cli_refuse(cli, "kvzmq-cli", "more arguments than any command takes");
    bytes_t words[LINE_WORDS_MAX];
    for (size_t i = 0; i < options->word_count; i++)
        words[i] = bytes_from_text(options->words[i]);
    buffer_t input;
    buffer_t copy;
    buffer_init(&input, INPUT_MAX + INPUT_PIECE);
    buffer_init(&copy, 0);
    outcome_t outcome = OUTCOME_OK;
    if (command_is_secret(words, options->word_count) &&
        !words_hide(options->words, words, options->word_count, &copy)) {
        fputs("kvzmq-cli: out of memory\n", stderr);
        outcome = OUTCOME_FAILED;
    }
    if (outcome == OUTCOME_OK && options->last_from_input)
        outcome = input_read(&input);
    cli->input = buffer_bytes(&input);
    cli->has_input = options->last_from_input;
    if (outcome == OUTCOME_OK)
        outcome = cli_finish(cli, command_run(cli, words, options->word_count));
    if (copy.data != NULL)
        explicit_bzero(copy.data, copy.size);
    buffer_release(&copy);
    buffer_release(&input);
    return outcome;
}

/* What is typed and shown is UTF-8, as everything in a store; where the environment names another encoding,
 * or none, it is taken to be UTF-8 too. Without this libsmartcols never ends with a table that is not all
 * ASCII. */
static void locale_take(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static outcome_t run(const options_t *options)
{
    cli_t cli;
    outcome_t outcome = cli_init(&cli, options);
    if (outcome != OUTCOME_OK)
        goto cleanup;
    if (options->word_count > 0)
        outcome = run_arguments(&cli, options);
    else if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1)
        outcome = shell_run(&cli);
    else
        outcome = script_run(&cli, STDIN_FILENO);
cleanup:
    cli_release(&cli, outcome);
    return outcome;
}

int main(int argc, char **argv)
{
    if (!standard_files_hold())
        return OUTCOME_FAILED;
    options_t options;
    outcome_t outcome = options_parse(&options, argc, argv);
    if (outcome != OUTCOME_OK)
        return (int)outcome;
    if (options.last_from_input && options.word_count == 0 && options.wish == WISH_RUN) {
        fputs("kvzmq-cli: -x needs a command, as in: kvzmq-cli -x put KEY < FILE\n", stderr);
        return OUTCOME_USAGE;
    }
    interrupt_catch();
    locale_take();
    switch (options.wish) {
    case WISH_HELP:
        return (int)show_help();
    case WISH_VERSION:
        return printf("kvzmq-cli %s\n", kvzmq_version()) < 0 ? OUTCOME_FAILED : OUTCOME_OK;
    case WISH_RUN:
        break;
    }
    return (int)run(&options);
}
