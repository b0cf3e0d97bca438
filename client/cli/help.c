/* SPDX-License-Identifier: MPL-2.0 */
/* The command `help`. */
#include "client/cli/help.h"

#include "client/cli/command_table.h"
#include "client/cli/output_text.h"
#include "client/cli/suggest.h"

void help_commands(FILE *stream)
{
    fputs("Commands:\n", stream);
    for (const command_t *command = commands; command->name != NULL; command++) {
        char usage[32];
        snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
        fprintf(stream, "  %-25s %s\n", usage, command->help);
    }
}

/* Shows all commands as rows, for programs. */
static void show_table(cli_t *cli)
{
    static const column_t columns[] = {
        {"command", "COMMAND", FIT_LEFT}, {"arguments", "ARGUMENTS", FIT_LEFT}, {"help", "HELP", FIT_LEFT}};
    output_t *output = &cli->output;
    output->ops->rows_begin(output, columns, sizeof columns / sizeof *columns);
    for (const command_t *command = commands; command->name != NULL; command++) {
        const cell_t cells[] = {cell_word(command->name), cell_word(command->arguments),
                                cell_word(command->help)};
        output->ops->row(output, cells);
    }
    output->ops->rows_end(output);
}

outcome_t help_show(cli_t *cli, const call_t *call)
{
    if (call->argument_count == 0 && cli->output.ops == &output_text)
        help_commands(cli->output.stream);
    else if (call->argument_count == 0)
        show_table(cli);
    if (call->argument_count == 0)
        return OUTCOME_OK;
    const command_t *command = command_find(call->arguments[0]);
    if (command == NULL)
        return suggest_unknown(cli, call->arguments[0]);
    command_help(cli->output.stream, command);
    return OUTCOME_OK;
}
