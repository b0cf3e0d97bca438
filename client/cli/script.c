/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the reading of piped commands. */
#include "client/cli/script.h"

#include <errno.h>
#include <string.h>

#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/line.h"

outcome_t script_line(cli_t *cli, bytes_t text)
{
    line_t line;
    line_status_t status = line_split(text, &line);
    if (status != LINE_OK)
        return cli_finish(cli, cli_illegal(cli, "the line", line_status_text(status)));
    outcome_t outcome = line.count == 0 ? OUTCOME_OK : command_run(cli, line.words, line.count);
    line_release(&line);
    return cli_finish(cli, outcome);
}

/* Reads a line, without its newline, into LINE. Returns false at the end, or where a signal came between. */
static bool stream_read_line(FILE *stream, buffer_t *line)
{
    int c;
    while ((c = getc_unlocked(stream)) != EOF && c != '\n') {
        uint8_t byte = (uint8_t)c;
        buffer_append(line, &byte, 1);
    }
    return c == '\n' || (line->size > 0 && !ferror(stream));
}

static bool ends_run(outcome_t outcome)
{
    return outcome == OUTCOME_UNREACHABLE || outcome == OUTCOME_NO_ANSWER || outcome == OUTCOME_INTERRUPTED;
}

static outcome_t script_take_line(cli_t *cli, const buffer_t *line)
{
    if (line->failed)
        return cli_refuse(cli, "the line", line_status_text(LINE_TOO_LONG));
    if (line->size > 0 && line->data[0] == '#')
        return OUTCOME_OK;
    return script_line(cli, buffer_bytes(line));
}

outcome_t script_run(cli_t *cli, FILE *stream)
{
    outcome_t first = OUTCOME_OK;
    outcome_t outcome = OUTCOME_OK;
    buffer_t line;
    buffer_init(&line, LINE_BYTES_MAX);
    while (!cli->ended && !ends_run(outcome) && stream_read_line(stream, &line)) {
        cli->line++;
        outcome = script_take_line(cli, &line);
        if (first == OUTCOME_OK)
            first = outcome;
        if (line.size > 0)
            explicit_bzero(line.data, line.size); /* it may have held a password */
        buffer_truncate(&line, 0);
    }
    buffer_release(&line);
    if (interrupt_pending())
        return OUTCOME_INTERRUPTED;
    if (ferror(stream)) {
        fprintf(stderr, "kvzmq-cli: cannot read the commands: %s\n", strerror(errno));
        first = OUTCOME_FAILED;
    }
    return first;
}
