/* SPDX-License-Identifier: MPL-2.0 */
/* One JSON value per command, through jansson; {"error": {"code", "message"}} if it failed. Absent is null;
 * bytes that are not text are {"base64": "..."}; durations and times are numbers of milliseconds, short times
 * (names that end with _ns) of nanoseconds, a digest is 16 hexadecimal digits. */
#include "client/cli/output_json.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

static json_t *json_from_bytes(bytes_t bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    sodium_bin2base64(text, size, bytes.data, bytes.size, sodium_base64_VARIANT_ORIGINAL);
    json_t *json = json_pack("{s:s}", "base64", text);
    free(text);
    return json;
}

static json_t *json_from_text(bytes_t text)
{
    return json_stringn(text.size == 0 ? "" : (const char *)text.data, text.size);
}

static json_t *json_from_digest(const cell_t *cell)
{
    char text[32];
    buffer_t buffer;
    buffer_init(&buffer, sizeof text);
    cell_write(cell, ESCAPE_NONE, &buffer);
    json_t *json = json_from_text(buffer_bytes(&buffer));
    buffer_release(&buffer);
    return json;
}

/* Returns a new reference, NULL if memory was refused. */
static json_t *json_from_cell(const cell_t *cell)
{
    switch (cell->type) {
    case CELL_NIL:
        return json_null();
    case CELL_TEXT:
        return json_from_text(cell->bytes);
    case CELL_BIN:
        return json_from_bytes(cell->bytes);
    case CELL_BOOL:
        return json_boolean(cell->number != 0);
    case CELL_DIGEST:
        return json_from_digest(cell);
    case CELL_NUMBER:
    case CELL_DURATION:
    case CELL_TIME:
    case CELL_NANOSECONDS:
        return json_integer((json_int_t)cell->number);
    }
    return NULL;
}

static json_t *json_from_record(const column_t *columns, const cell_t *cells, size_t count)
{
    json_t *json = json_object();
    for (size_t i = 0; json != NULL && i < count; i++) {
        if (json_object_set_new(json, columns[i].name, json_from_cell(&cells[i])) != 0) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* Takes JSON. */
static void json_show(output_t *output, json_t *json)
{
    if (json == NULL || json_dumpf(json, output->stream, JSON_ENCODE_ANY) != 0)
        output->failed = true;
    json_decref(json);
}

static void json_value(output_t *output, const cell_t *value)
{
    json_show(output, json_from_cell(value));
    fputc('\n', output->stream);
}

static void json_record(output_t *output, const column_t *columns, const cell_t *cells, size_t count)
{
    json_show(output, json_from_record(columns, cells, count));
    fputc('\n', output->stream);
}

static void json_done(output_t *output, const cell_t *words, size_t word_count, const column_t *columns,
                      const cell_t *cells, size_t count)
{
    (void)words;
    (void)word_count;
    json_record(output, columns, cells, count);
}

static void json_rows_begin(output_t *output, const column_t *columns, size_t count)
{
    output->columns = columns;
    output->column_count = count;
    output->row_count = 0;
}

static void json_row(output_t *output, const cell_t *cells)
{
    fputs(output->row_count == 0 ? "[\n " : ",\n ", output->stream);
    output->row_count++;
    json_show(output, json_from_record(output->columns, cells, output->column_count));
}

static void json_rows_break(output_t *output)
{
    (void)output;
}

static void json_rows_end(output_t *output)
{
    fputs(output->row_count == 0 ? "[]\n" : "\n]\n", output->stream);
}

static void json_rows_abort(output_t *output)
{
    output->rows_open = output->row_count > 0;
}

/* After rows that were already shown, the error comes last and the array stays open: an incomplete array must
 * not parse. */
static void json_error(output_t *output, const char *code, const char *message)
{
    if (output->rows_open)
        fputs(",\n ", output->stream);
    output->rows_open = false;
    json_show(output, json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message));
    fputc('\n', output->stream);
}

const output_ops_t output_json = {
    .name = "json",
    .help = "one JSON value per command; absent is null, bytes are {\"base64\": ...}",
    .value = json_value,
    .done = json_done,
    .error = json_error,
    .record = json_record,
    .rows_begin = json_rows_begin,
    .row = json_row,
    .rows_break = json_rows_break,
    .rows_end = json_rows_end,
    .rows_abort = json_rows_abort,
};
