/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the command among the words, and checks its options and arguments. */
#include "client/cli/call.h"

#include "client/cli/command_table.h"
#include "common/utf8.h"

enum {
    MANAGED_AT = 2 /* `manage` and CLIENT, before the command */
};

/* ---- The command ------------------------------------------------------------------------------ */

/* Finds the command after `manage CLIENT`. Sets *BEGIN to the index of its first argument. */
static void find_managed(call_result_t *result, const split_t *split, size_t *begin)
{
    const command_t *prefix = result->call.command;
    if (split->word_count <= MANAGED_AT) {
        problem_set(&result->problem, "too few arguments");
        return;
    }
    const command_t *command = command_find(split->words[MANAGED_AT]);
    bytes_t client = split->words[1];
    if (command == NULL) {
        result->unknown = split->words[MANAGED_AT];
        result->status = CALL_UNKNOWN;
    } else if ((command->flags & COMMAND_STORE) == 0) {
        problem_set(&result->problem, "%s is not a command on a store; see help %s", command->name,
                    prefix->name);
    } else if (memchr(client.data, 0, client.size) != NULL) {
        problem_set(&result->problem, "there is a zero byte in the client's id");
    } else {
        result->call.command = command;
        result->call.client = (const char *)client.data;
        *begin = MANAGED_AT + 1;
    }
}

/* Finds the command among the words. Sets *BEGIN to the index of its first argument. */
static void find_command(call_result_t *result, const split_t *split, size_t *begin)
{
    *begin = 1;
    result->status = CALL_NONE;
    if (split->word_count == 0)
        return;
    const command_t *command = command_find(split->words[0]);
    result->call.command = command;
    if (command == NULL) {
        result->unknown = split->words[0];
        result->status = CALL_UNKNOWN;
        return;
    }
    result->status = CALL_GOOD;
    if ((command->flags & COMMAND_PREFIX) != 0)
        find_managed(result, split, begin);
}

/* ---- Options ---------------------------------------------------------------------------------- */

/* Two options may share a name. Prefers the command's if the option follows a word, else the run's. OPT_COUNT
 * = none. */
static option_id_t option_resolve(const call_t *call, const option_given_t *given)
{
    option_id_t found = OPT_COUNT;
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!option_same((option_id_t)i, given->option))
            continue;
        if (option_rows[i].scope != OPTION_OF_COMMAND) {
            if (found == OPT_COUNT || given->words_before == 0)
                found = (option_id_t)i;
        } else if (call->command != NULL && (call->command->options & OPT_BIT(i)) != 0 &&
                   (call->client != NULL || !option_rows[i].managed)) {
            if (found == OPT_COUNT || given->words_before > 0)
                found = (option_id_t)i;
        }
    }
    return found;
}

/* Says why the call does not take OPTION. */
static void option_refuse(const call_t *call, option_id_t option, problem_t *problem)
{
    const char *name = option_name(option);
    const command_t *command = call->command;
    if (command != NULL && (command->options & OPT_BIT(option)) != 0)
        problem_set(problem, "%s is for managed stores: manage CLIENT %s", name, command->name);
    else if (command != NULL)
        problem_set(problem, "there is no option %s", name);
    else
        problem_set(problem, "%s is an option of some commands", name);
}

static void option_take(call_result_t *result, option_id_t option, bytes_t value)
{
    call_t *call = &result->call;
    if ((call->given & OPT_BIT(option)) != 0) {
        problem_set(&result->problem, "%s is given twice", option_name(option));
        return;
    }
    call->given |= OPT_BIT(option);
    call->texts[option] = value;
    (void)option_read(option, value, &call->numbers[option], &result->problem);
}

static void options_take_all(call_result_t *result, const split_t *split, call_place_t place,
                             run_options_t *options)
{
    for (size_t i = 0; i < split->given_count; i++) {
        const option_given_t *given = &split->given[i];
        option_id_t option = option_resolve(&result->call, given);
        if (option == OPT_COUNT)
            option_refuse(&result->call, given->option, &result->problem);
        else if (option_rows[option].scope == OPTION_OF_COMMAND)
            option_take(result, option, given->value);
        else if (place == CALL_IN_LINE && option_rows[option].scope == OPTION_OF_RUN)
            problem_set(&result->problem, "%s must be given when kvzmq-cli starts", option_name(option));
        else
            (void)run_options_set(options, option, given->value, &result->problem);
    }
}

/* ---- Arguments -------------------------------------------------------------------------------- */

static bool is_named(bytes_t name, const char *text)
{
    return bytes_equal(name, bytes_from_text(text));
}

/* Whether the argument NAME must be UTF-8. A value or a password may be any bytes. */
static bool is_text(bytes_t name)
{
    return !is_named(name, "VALUE") && !is_named(name, "PASSWORD");
}

/* Reports that COUNT ARGUMENTS are more than MOST, and how to quote a text with spaces. */
static void refuse_more(const command_t *command, const bytes_t *arguments, size_t count, size_t most,
                        problem_t *problem)
{
    char quoted[PROBLEM_WORD_MAX];
    if ((command->flags & COMMAND_SECRET) != 0) {
        problem_set(problem, "too many arguments; quote a password with blanks"); /* they are a secret */
        return;
    }
    utf8_quote(arguments[most], quoted, sizeof quoted);
    bytes_t name = most == 0 ? bytes_of(NULL, 0) : command_argument_name(command, most - 1);
    if (!is_named(name, "KEY") && !is_named(name, "VALUE") && !is_named(name, "PREFIX")) {
        problem_set(problem, "one argument too many: %s", quoted);
        return;
    }
    char joined[PROBLEM_WORD_MAX];
    char whole[PROBLEM_WORD_MAX];
    size_t size = 0;
    for (size_t i = most - 1; i < count; i++) {
        bytes_t word = arguments[i];
        size_t room = sizeof joined - size;
        if (word.size + 1 > room) {
            problem_set(problem, "one argument too many: %s; quote a %.*s with blanks", quoted,
                        (int)name.size, (const char *)name.data);
            return;
        }
        if (i >= most)
            joined[size++] = ' ';
        if (word.size > 0)
            memcpy(joined + size, word.data, word.size);
        size += word.size;
    }
    problem_set(problem, "one argument too many: %s; quote a %.*s with blanks: \"%s\"", quoted,
                (int)name.size, (const char *)name.data,
                utf8_quote(bytes_of(joined, size), whole, sizeof whole));
}

/* Takes COUNT ARGUMENTS. INPUT: standard input is one more, the last. */
static void arguments_take(call_result_t *result, const bytes_t *arguments, size_t count, bool input)
{
    call_t *call = &result->call;
    const command_t *command = call->command;
    if (command->arguments_max == 0 && input) {
        problem_set(&result->problem, "it has no argument that -x could take from standard input");
        return;
    }
    size_t most = command->arguments_max - input;
    if (count + input < command->arguments_min) {
        problem_set(&result->problem, "too few arguments");
        return;
    }
    if (count > most) {
        if (input)
            problem_set(&result->problem, "one argument too many: -x takes the last from standard input");
        else
            refuse_more(command, arguments, count, most, &result->problem);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char quoted[PROBLEM_WORD_MAX];
        bytes_t name = command_argument_name(command, i);
        if (is_text(name) && !utf8_valid(arguments[i]))
            problem_set(&result->problem, "the %.*s is not UTF-8: \"%s\"", (int)name.size,
                        (const char *)name.data, utf8_quote(arguments[i], quoted, sizeof quoted));
        call->arguments[i] = arguments[i];
    }
    call->argument_count = count;
}

/* ---- All -------------------------------------------------------------------------------------- */

static bool wants_help(const split_t *split)
{
    for (size_t i = 0; i < split->given_count; i++) {
        if (split->given[i].option == OPT_HELP)
            return true;
    }
    return false;
}

void call_make(const bytes_t *words, size_t count, call_place_t place, run_options_t *options,
               call_result_t *result)
{
    split_t split;
    size_t begin;
    option_split(words, count, command_is_secret(words, count), &split);
    *result = (call_result_t){.problem = split.problem};
    find_command(result, &split, &begin);
    options_take_all(result, &split, place, options);
    if (result->status == CALL_UNKNOWN)
        return;
    if (wants_help(&split)) {
        result->status = CALL_HELP;
        return;
    }
    if (result->problem.text[0] == '\0' && result->status == CALL_GOOD)
        arguments_take(result, split.words + begin, split.word_count - begin, options->last_from_input);
    if (result->problem.text[0] == '\0' && place == CALL_IN_ARGUMENTS)
        (void)run_options_check(options, &result->problem);
    if (result->problem.text[0] != '\0')
        result->status = CALL_WRONG;
}
