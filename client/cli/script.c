/* SPDX-License-Identifier: MPL-2.0 */
/* Reads and runs piped commands. */
#include "client/cli/script.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/interrupt.h"
#include "client/cli/line.h"
#include "client/cli/run.h"

enum {
    READER_SIZE = 65536 /* bytes read at once */
};

/* Whether the line is a comment. */
static bool is_comment(bytes_t text)
{
    size_t at = 0;
    if (text.data == NULL)
        return false;
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t'))
        at++;
    return at < text.size && text.data[at] == '#';
}

outcome_t script_line(cli_t *cli, bytes_t text, watching_t **background)
{
    if (is_comment(text))
        return OUTCOME_OK;
    line_t line;
    line_status_t status = line_split(text, &line);
    if (status != LINE_OK) {
        char problem[LINE_PROBLEM_SIZE];
        return cli_finish(cli, cli_illegal(cli, line_problem(status, &line, problem), true));
    }
    outcome_t outcome = run_line(cli, line.words, line.count, background);
    line_release(&line);
    return outcome;
}

/* Reads a file line by line. */
typedef struct reader {
    int file;    /* borrowed */
    int error;   /* errno of a failed read, else 0 */
    size_t at;   /* next byte of `bytes` */
    size_t size; /* bytes in `bytes` */
    uint8_t bytes[READER_SIZE];
} reader_t;

/* Reads more. Returns false at the end, on an error, and after Ctrl-C. */
static bool reader_fill(reader_t *reader)
{
    ssize_t count;
    do {
        if (interrupt_wait(reader->file) == WAIT_INTERRUPT)
            return false;
        count = read(reader->file, reader->bytes, sizeof reader->bytes);
    } while (count == -1 && errno == EINTR);
    if (count == -1)
        reader->error = errno;
    reader->at = 0;
    reader->size = count > 0 ? (size_t)count : 0;
    return count > 0;
}

/* Reads a line, without its newline, into LINE. Returns false if there is no more. */
static bool reader_take_line(reader_t *reader, buffer_t *line)
{
    for (;;) {
        const uint8_t *begin = reader->bytes + reader->at;
        size_t left = reader->size - reader->at;
        const uint8_t *end = left == 0 ? NULL : memchr(begin, '\n', left);
        size_t size = end == NULL ? left : (size_t)(end - begin);
        buffer_append(line, begin, size);
        reader->at += size + (end != NULL);
        if (end != NULL)
            return true;
        if (!reader_fill(reader))
            return (line->size > 0 || line->failed) && reader->error == 0 && !interrupt_pending();
    }
}

static bool ends_run(outcome_t outcome)
{
    return outcome == OUTCOME_UNREACHABLE || outcome == OUTCOME_NO_ANSWER || outcome == OUTCOME_INTERRUPTED;
}

static outcome_t script_take_line(cli_t *cli, const buffer_t *line)
{
    if (line->failed)
        return cli_finish(cli, cli_refuse(cli, "the line", "it is too long"));
    return script_line(cli, buffer_bytes(line), NULL);
}

outcome_t script_run(cli_t *cli, int file)
{
    outcome_t first = OUTCOME_OK;
    outcome_t outcome = OUTCOME_OK;
    reader_t reader = {.file = file};
    buffer_t line;
    buffer_init(&line, LINE_BYTES_MAX);
    while (!cli->ended && !ends_run(outcome) && reader_take_line(&reader, &line)) {
        cli->line++;
        outcome = script_take_line(cli, &line);
        if (first == OUTCOME_OK)
            first = outcome;
        if (line.size > 0)
            explicit_bzero(line.data, line.size); /* it may have held a password */
        buffer_truncate(&line, 0);
    }
    buffer_release(&line);
    explicit_bzero(reader.bytes, sizeof reader.bytes);
    if (interrupt_pending() || outcome == OUTCOME_INTERRUPTED)
        return OUTCOME_INTERRUPTED;
    if (reader.error != 0) {
        char problem[PROBLEM_TEXT_MAX];
        snprintf(problem, sizeof problem, "cannot read the commands: %s", strerror(reader.error));
        first = cli_finish(cli, cli_break(cli, problem));
    }
    return first;
}
