/* SPDX-License-Identifier: MPL-2.0 */
/* How results are shown. A command says what it has (a value, an event, a record, rows); a format says how
 * that looks. A format knows neither commands nor the connection. */
#ifndef KV_CLIENT_CLI_OUTPUT_H
#define KV_CLIENT_CLI_OUTPUT_H

#include <stdio.h>

#include "common/buffer.h"
#include "common/bytes.h"

/* ---- What is shown ---------------------------------------------------------------------------- */

typedef enum cell_type {
    CELL_NIL,  /* absent */
    CELL_TEXT, /* UTF-8 */
    CELL_BIN,  /* any bytes */
    CELL_NUMBER,
    CELL_BOOL,
    CELL_DIGEST,     /* 64 bits, as 16 hexadecimal digits: JSON numbers do not hold them */
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
    FIT_RIGHT, /* as numbers are set */
    FIT_CUT    /* to the left, and cut where a terminal's line is too short for all columns */
} column_fit_t;

typedef struct column {
    const char *name;    /* for programs: the protocol's */
    const char *heading; /* for people */
    column_fit_t fit;    /* in a table */
} column_t;

/* ---- Formats ---------------------------------------------------------------------------------- */

typedef struct output output_t;

/* What a format can do. Each member is called between output_init and output_finish; none reports failure:
 * output_finish does, for all. */
typedef struct output_ops {
    const char *name; /* as -o takes it */
    const char *help;
    /* One value; CELL_NIL is an absent key. */
    void (*value)(output_t *output, const cell_t *value);
    /* What was done: WORDS make a sentence for people, NAMES and CELLS (COUNT of each) say it to programs. */
    void (*done)(output_t *output, const cell_t *words, size_t word_count, const column_t *columns,
                 const cell_t *cells, size_t count);
    /* That something failed, in the words of people. NULL: shown on standard error alone. */
    void (*failure)(output_t *output, const char *text);
    /* Shows to programs that the command failed; it comes last. NULL: only standard error says so. */
    void (*error)(output_t *output, const char *code, const char *message);
    /* One thing with several sides. */
    void (*record)(output_t *output, const column_t *columns, const cell_t *cells, size_t count);
    /* Rows: rows_begin, row and rows_break any number of times, rows_end. rows_break says that those so far
     * may be shown. Rows that stop without rows_end, by rows_abort, are incomplete, and a program can tell;
     * `error` follows. */
    void (*rows_begin)(output_t *output, const column_t *columns, size_t count);
    void (*row)(output_t *output, const cell_t *cells);
    void (*rows_break)(output_t *output);
    void (*rows_end)(output_t *output);
    void (*rows_abort)(output_t *output);
} output_ops_t;

struct output {
    const output_ops_t *ops;
    FILE *stream;            /* borrowed */
    bool terminal;           /* the stream is a terminal: what could steer it is escaped */
    bool failed;             /* memory was refused, or a write failed */
    const column_t *columns; /* between rows_begin and rows_end; borrowed */
    size_t column_count;
    size_t row_count; /* rows so far */
    bool rows_open;   /* they stopped in the middle */
    void *rows;       /* the format's own, between rows_begin and rows_end */
};

/* Shows on STREAM (borrowed until the output is no longer used). */
void output_init(output_t *output, const output_ops_t *ops, FILE *stream);

/* Hands everything shown so far to the system. Returns false if something was lost since the last call (a
 * full disk, no memory). */
bool output_finish(output_t *output);

/* ---- Shared by formats ------------------------------------------------------------------------ */

enum {
    CELL_BYTES_MAX = 8 * 1024 * 1024,       /* of one cell; a byte takes at most 4 where it is escaped */
    CELL_SHOWN_MAX = 256,                   /* bytes of a cell that is shown short */
    CELL_SHORT_MAX = 4 * CELL_SHOWN_MAX + 4 /* bytes that cell_write_short appends at most */
};

typedef enum escape {
    ESCAPE_NONE,      /* bytes as they are */
    ESCAPE_CONTROLS,  /* control characters, text direction controls and bytes that are no UTF-8 */
    ESCAPE_REVERSIBLE /* the backslash too */
} escape_t;

/* Appends CELL as text. CELL_NIL is "-". */
void cell_write(const cell_t *cell, escape_t escape, buffer_t *buffer);

/* Appends CELL as people read it in a table or a line: escaped (ESCAPE_CONTROLS), and cut where it is long.
 */
void cell_write_short(const cell_t *cell, buffer_t *buffer);

/* Appends CELL as a part of a line, in quotes if it is not a plain word: so it cannot imitate the rest of the
 * line. Cut as by cell_write_short, unless WHOLE; what is cut is in quotes too. */
void cell_write_quoted(const cell_t *cell, bool whole, buffer_t *buffer);

/* Writes CELL as text to the stream. */
void output_cell(output_t *output, const cell_t *cell, escape_t escape);

#endif
