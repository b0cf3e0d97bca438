/* SPDX-License-Identifier: MPL-2.0 */
/* A value is shown as its exact bytes, with nothing added; an absent key as nothing. Everything else is lines
 * of cells with tabs between them. Backslash, control characters and bytes that are not UTF-8 are escaped, so
 * that a program can split a line and decode its cells. */
#include "client/cli/output_raw.h"

/* Writes a cell of a line, and END after it. */
static void raw_cell(output_t *output, const cell_t *cell, char end)
{
    cell_t plain = *cell;
    if (plain.type == CELL_DURATION || plain.type == CELL_TIME || plain.type == CELL_NANOSECONDS)
        plain.type = CELL_NUMBER;
    output_cell(output, &plain, ESCAPE_REVERSIBLE);
    fputc(end, output->stream);
}

static void raw_value(output_t *output, const cell_t *value)
{
    if (value->type != CELL_NIL)
        output_cell(output, value, ESCAPE_NONE);
}

static void raw_done(output_t *output, const cell_t *words, size_t word_count, const column_t *columns,
                     const cell_t *cells, size_t count)
{
    (void)words;
    (void)word_count;
    (void)columns;
    for (size_t i = 0; i < count; i++)
        raw_cell(output, &cells[i], i + 1 == count ? '\n' : '\t');
}

static void raw_record(output_t *output, const column_t *columns, const cell_t *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cell_t name = cell_word(columns[i].name);
        raw_cell(output, &name, '\t');
        raw_cell(output, &cells[i], '\n');
    }
}

static void raw_rows_begin(output_t *output, const column_t *columns, size_t count)
{
    output->columns = columns;
    output->column_count = count;
    output->row_count = 0;
}

static void raw_row(output_t *output, const cell_t *cells)
{
    for (size_t i = 0; i < output->column_count; i++)
        raw_cell(output, &cells[i], i + 1 == output->column_count ? '\n' : '\t');
    output->row_count++;
}

static void raw_rows_nothing(output_t *output)
{
    (void)output;
}

const output_ops_t output_raw = {
    .name = "raw",
    .help = "a value's exact bytes, nothing added; tables with tabs",
    .value = raw_value,
    .done = raw_done,
    .record = raw_record,
    .rows_begin = raw_rows_begin,
    .row = raw_row,
    .rows_break = raw_rows_nothing,
    .rows_end = raw_rows_nothing,
    .rows_abort = raw_rows_nothing,
};
