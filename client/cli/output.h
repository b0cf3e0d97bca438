/* SPDX-License-Identifier: MPL-2.0 */
/* Shows results. A command has a value, a record or rows; a format decides how they look. A format knows
 * neither commands nor the connection. */
#ifndef KV_CLIENT_CLI_OUTPUT_H
#define KV_CLIENT_CLI_OUTPUT_H

#include <stdio.h>

#include "common/buffer.h"
#include "common/bytes.h"

/* ---- Cells ------------------------------------------------------------------------------------ */

typedef enum cell_type {
    CELL_NIL,  /* absent */
    CELL_TEXT, /* UTF-8 */
    CELL_BIN,  /* any bytes */
    CELL_NUMBER,
    CELL_BOOL,
    CELL_DIGEST,     /* 64 bits, as 16 hexadecimal digits: too large for JSON numbers */
    CELL_DURATION,   /* ms */
    CELL_TIME,       /* ms since 1970 */
    CELL_NANOSECONDS /* a short time; shown in ms */
} cell_type_t;

typedef struct cell {
    cell_type_t type;
    bytes_t bytes;   /* CELL_TEXT, CELL_BIN: borrowed */
    uint64_t number; /* all others */
} cell_t;

static inline cell_t cell_nil(void)
{
    return (cell_t){.type = CELL_NIL};
}

static inline cell_t cell_text(bytes_t text)
{
    return (cell_t){.type = CELL_TEXT, .bytes = text};
}

/* A value, text or not. */
static inline cell_t cell_value(bytes_t value, bool binary)
{
    return (cell_t){.type = binary ? CELL_BIN : CELL_TEXT, .bytes = value};
}

static inline cell_t cell_word(const char *text)
{
    return cell_text(bytes_from_text(text));
}

static inline cell_t cell_of(cell_type_t type, uint64_t number)
{
    return (cell_t){.type = type, .number = number};
}

typedef enum column_fit {
    FIT_LEFT,
    FIT_RIGHT, /* for numbers */
    FIT_CUT    /* left, and cut if the terminal is too narrow for all columns */
} column_fit_t;

typedef struct column {
    const char *name;    /* for programs; as in the protocol */
    const char *heading; /* for people */
    column_fit_t fit;    /* in a table */
} column_t;

/* ---- Formats ---------------------------------------------------------------------------------- */

typedef struct output output_t;

/* The functions of a format. Call them between output_init and output_finish. Only output_finish reports
 * failures. */
typedef struct output_ops {
    const char *name; /* as -o takes it */
    const char *help;
    /* One value; CELL_NIL is an absent key. */
    void (*value)(output_t *output, const cell_t *value);
    /* The result of an action: WORDS are a sentence for people, COLUMNS and CELLS (COUNT of each) are for
     * programs. */
    void (*done)(output_t *output, const cell_t *words, size_t word_count, const column_t *columns,
                 const cell_t *cells, size_t count);
    /* A failure, in a sentence for people. NULL: it is shown only on standard error. */
    void (*failure)(output_t *output, const char *text);
    /* The error of a command, for programs; comes last. NULL: it is shown only on standard error. */
    void (*error)(output_t *output, const char *code, const char *message);
    /* Names and values. */
    void (*record)(output_t *output, const column_t *columns, const cell_t *cells, size_t count);
    /* Rows: call rows_begin, then row and rows_break any number of times, then rows_end. rows_break allows
     * showing the rows so far. Call rows_abort in place of rows_end if the rows are incomplete, then `error`:
     * a program can see that they are. */
    void (*rows_begin)(output_t *output, const column_t *columns, size_t count);
    void (*row)(output_t *output, const cell_t *cells);
    void (*rows_break)(output_t *output);
    void (*rows_end)(output_t *output);
    void (*rows_abort)(output_t *output);
} output_ops_t;

struct output {
    const output_ops_t *ops;
    FILE *stream;            /* borrowed */
    bool terminal;           /* the stream is a terminal: escape what could control it */
    bool failed;             /* memory was refused, or a write failed */
    const column_t *columns; /* between rows_begin and rows_end; borrowed */
    size_t column_count;
    size_t row_count; /* rows so far */
    bool rows_open;   /* they are incomplete */
    void *rows;       /* used by the format between rows_begin and rows_end */
};

/* Initialises OUTPUT to show in the format OPS on STREAM (borrowed while the output is used). */
void output_init(output_t *output, const output_ops_t *ops, FILE *stream);

/* Flushes everything shown so far. Returns false if something was lost since the last call (a full disk, no
 * memory). */
bool output_finish(output_t *output);

/* ---- Shared by formats ------------------------------------------------------------------------ */

enum {
    CELL_BYTES_MAX = 8 * 1024 * 1024,       /* of one cell; an escaped byte takes at most 4 */
    CELL_SHOWN_MAX = 256,                   /* bytes of a cell before it is cut */
    CELL_SHORT_MAX = 4 * CELL_SHOWN_MAX + 4 /* most bytes that cell_write_short appends */
};

typedef enum escape {
    ESCAPE_NONE,      /* bytes as they are */
    ESCAPE_CONTROLS,  /* control characters, text direction controls and bytes that are not UTF-8 */
    ESCAPE_REVERSIBLE /* the backslash too */
} escape_t;

/* Appends CELL as text. CELL_NIL is "-". */
void cell_write(const cell_t *cell, escape_t escape, buffer_t *buffer);

/* Appends CELL for people, for a table or a line: escaped (ESCAPE_CONTROLS), and cut if it is long. */
void cell_write_short(const cell_t *cell, buffer_t *buffer);

/* Appends CELL as a part of a line, in quotes if it is not a plain word, so that it cannot imitate other
 * parts of the line. Cut as by cell_write_short, unless WHOLE; a cut cell is in quotes too. */
void cell_write_quoted(const cell_t *cell, bool whole, buffer_t *buffer);

/* Writes CELL as text to the stream. */
void output_cell(output_t *output, const cell_t *cell, escape_t escape);

#endif
