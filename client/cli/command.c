/* SPDX-License-Identifier: MPL-2.0 */
/* Usage and help of commands. */
#include "client/cli/command.h"

#include "client/cli/bench/plan.h"

bytes_t command_argument_name(const command_t *command, size_t index)
{
    const char *at = command->arguments;
    for (;; index--) {
        at += strspn(at, "[ ");
        size_t size = strcspn(at, "] ");
        if (index == 0 || size == 0)
            return bytes_of(at, size);
        at += size + strspn(at + size, "] ");
    }
}

outcome_t call_text(cli_t *cli, bytes_t word, const char *what, const char **text)
{
    if (memchr(word.data, 0, word.size) != NULL)
        return cli_refuse(cli, what, "there is a zero byte in it");
    *text = (const char *)word.data;
    return OUTCOME_OK;
}

void command_usage(FILE *stream, const command_t *command)
{
    fprintf(stream, "%s%s%s", command->name, *command->arguments == '\0' ? "" : " ", command->arguments);
    for (int i = 0; i < OPT_COUNT; i++) {
        const option_row_t *row = &option_rows[i];
        if ((command->options & OPT_BIT(i)) != 0)
            fprintf(stream, " [%s%s%s]", row->name, row->argument == NULL ? "" : " ",
                    row->argument == NULL ? "" : row->argument);
    }
}

void command_help(FILE *stream, const command_t *command)
{
    fputs("Usage: ", stream);
    command_usage(stream, command);
    fprintf(stream, "\n%s\n", command->help);
    option_help_set(stream, command->options);
    if ((command->flags & COMMAND_BENCH) != 0)
        workload_help(stream);
}
