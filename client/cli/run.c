/* SPDX-License-Identifier: MPL-2.0 */
/* Runs calls, and shows what is wrong with a call that cannot be run. */
#include "client/cli/run.h"

#include "client/cli/help.h"
#include "client/cli/suggest.h"
#include "common/utf8.h"

/* Shows what is wrong, and the usage of the command. */
static outcome_t tell_wrong(cli_t *cli, const call_result_t *result)
{
    const command_t *command = result->call.command;
    if (command == NULL)
        return cli_refuse(cli, "kvzmq-cli", result->problem.text);
    char text[PROBLEM_TEXT_MAX];
    snprintf(text, sizeof text, "%s: %.*s", command->name, (int)(sizeof text - 32), result->problem.text);
    outcome_t outcome = cli_illegal(cli, text, true);
    fputs("usage: ", stderr);
    command_usage(stderr, command);
    fputc('\n', stderr);
    return outcome;
}

static outcome_t help(cli_t *cli, const command_t *command)
{
    if (command == NULL)
        help_commands(cli->output.stream);
    else
        command_help(cli->output.stream, command);
    return OUTCOME_OK;
}

static outcome_t carry_out(cli_t *cli, call_result_t *result)
{
    call_t *call = &result->call;
    if (cli->has_input) {
        call->arguments[call->argument_count++] = cli->input;
        cli->has_input = false;
    }
    return (call->command->flags & COMMAND_HELP) != 0 ? help_show(cli, call) : call->command->run(cli, call);
}

outcome_t run_call(cli_t *cli, call_result_t *result)
{
    outcome_t outcome = OUTCOME_OK;
    cli->error_shown = false;
    switch (result->status) {
    case CALL_GOOD:
        outcome = carry_out(cli, result);
        break;
    case CALL_HELP:
        outcome = help(cli, result->call.command);
        break;
    case CALL_NONE:
        break;
    case CALL_UNKNOWN:
        outcome = suggest_unknown(cli, result->unknown);
        break;
    case CALL_WRONG:
        outcome = tell_wrong(cli, result);
        break;
    }
    return cli_finish(cli, outcome);
}

outcome_t run_line(cli_t *cli, const bytes_t *words, size_t count, watching_t **background)
{
    const run_options_t *of_run = cli->options;
    run_options_t of_line = *of_run;
    call_result_t result;
    call_make(words, count, CALL_IN_LINE, &of_line, &result);
    result.call.background = background;
    cli->options = &of_line;
    cli->output.ops = of_line.format;
    outcome_t outcome = run_call(cli, &result);
    cli->options = of_run;
    cli->output.ops = of_run->format;
    return outcome;
}
