/* SPDX-License-Identifier: MPL-2.0 */
/* The format for people. Values are shown unchanged, except that on a terminal what could control it is
 * escaped. Tables always escape, and cut long cells; `get` shows the whole value. */
#include "client/cli/output_text.h"

#include <libsmartcols/libsmartcols.h>

static void text_cell(output_t *output, const cell_t *cell)
{
    output_cell(output, cell, output->terminal ? ESCAPE_CONTROLS : ESCAPE_NONE);
}

static void text_value(output_t *output, const cell_t *value)
{
    if (value->type == CELL_NIL)
        fputs("<blank>", output->stream);
    else
        text_cell(output, value);
    fputc('\n', output->stream);
}

static void text_done(output_t *output, const cell_t *words, size_t word_count, const column_t *columns,
                      const cell_t *cells, size_t count)
{
    (void)columns;
    (void)cells;
    (void)count;
    for (size_t i = 0; i < word_count; i++)
        text_cell(output, &words[i]);
    fputc('\n', output->stream);
}

static void text_failure(output_t *output, const char *text)
{
    fprintf(output->stream, "%s\n", text);
}

static void table_set(output_t *output, struct libscols_line *line, size_t column, const cell_t *cell)
{
    buffer_t text;
    buffer_init(&text, CELL_SHORT_MAX + 1);
    cell_write_short(cell, &text);
    buffer_append(&text, "", 1);
    if (line == NULL || text.failed || scols_line_set_data(line, column, (const char *)text.data) != 0)
        output->failed = true;
    buffer_release(&text);
}

static struct libscols_table *table_new(output_t *output)
{
    struct libscols_table *table = scols_new_table();
    if (table == NULL || scols_table_set_stream(table, output->stream) != 0 ||
        scols_table_enable_noencoding(table, 1) != 0)
        output->failed = true;
    return table;
}

static void table_add_column(output_t *output, struct libscols_table *table, const char *heading,
                             column_fit_t fit)
{
    static const int flags[] = {[FIT_LEFT] = 0, [FIT_RIGHT] = SCOLS_FL_RIGHT, [FIT_CUT] = SCOLS_FL_TRUNC};
    if (table != NULL && scols_table_new_column(table, heading, 0, flags[fit]) == NULL)
        output->failed = true;
}

static void table_print(output_t *output, struct libscols_table *table)
{
    if (table != NULL && !output->failed && scols_print_table(table) != 0)
        output->failed = true;
}

static void text_record(output_t *output, const column_t *columns, const cell_t *cells, size_t count)
{
    struct libscols_table *table = table_new(output);
    table_add_column(output, table, "NAME", FIT_LEFT);
    table_add_column(output, table, "VALUE", FIT_CUT);
    for (size_t i = 0; table != NULL && !output->failed && i < count; i++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        cell_t name = cell_word(columns[i].heading);
        table_set(output, line, 0, &name);
        table_set(output, line, 1, &cells[i]);
    }
    if (table != NULL && scols_table_enable_noheadings(table, 1) != 0)
        output->failed = true;
    table_print(output, table);
    scols_unref_table(table);
}

static void text_rows_begin(output_t *output, const column_t *columns, size_t count)
{
    output->columns = columns;
    output->column_count = count;
    output->row_count = 0;
    struct libscols_table *table = table_new(output);
    for (size_t i = 0; i < count; i++)
        table_add_column(output, table, columns[i].heading, columns[i].fit);
    output->rows = table;
}

static void text_row(output_t *output, const cell_t *cells)
{
    if (output->failed)
        return;
    struct libscols_line *line = scols_table_new_line(output->rows, NULL);
    for (size_t i = 0; i < output->column_count; i++)
        table_set(output, line, i, &cells[i]);
    output->row_count++;
}

/* Prints the rows so far and removes them. The rows after them have no headings. */
static void text_rows_break(output_t *output)
{
    if (output->failed || scols_table_is_empty(output->rows))
        return;
    table_print(output, output->rows);
    scols_table_remove_lines(output->rows);
    if (scols_table_enable_noheadings(output->rows, 1) != 0)
        output->failed = true;
}

static void text_rows_end(output_t *output)
{
    text_rows_break(output);
    if (output->row_count == 0)
        fputs("(none)\n", output->stream);
    scols_unref_table(output->rows);
    output->rows = NULL;
}

static void text_rows_abort(output_t *output)
{
    text_rows_break(output);
    scols_unref_table(output->rows);
    output->rows = NULL;
}

const output_ops_t output_text = {
    .name = "text",
    .help = "for people; values as they are, an absent key as <blank>",
    .value = text_value,
    .done = text_done,
    .failure = text_failure,
    .record = text_record,
    .rows_begin = text_rows_begin,
    .row = text_row,
    .rows_break = text_rows_break,
    .rows_end = text_rows_end,
    .rows_abort = text_rows_abort,
};
