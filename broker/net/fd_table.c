/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the memory of the rows. */
#include "broker/net/fd_table.h"

#include <stdlib.h>

enum { ROWS_STEP = 1024 }; /* the length is a multiple of this */

void fd_table_init(fd_table_t *table, size_t row_size)
{
    *table = (fd_table_t){.row_size = row_size};
}

void fd_table_release(fd_table_t *table)
{
    free(table->rows);
    fd_table_init(table, table->row_size);
}

void *fd_table_at(fd_table_t *table, int fd)
{
    if (fd < 0)
        return NULL;
    size_t index = (size_t)fd;
    if (index >= table->count) {
        size_t count = (index / ROWS_STEP + 1) * ROWS_STEP;
        uint8_t *grown = realloc(table->rows, count * table->row_size);
        if (grown == NULL)
            return NULL;
        memset(grown + table->count * table->row_size, 0, (count - table->count) * table->row_size);
        table->rows = grown;
        table->count = count;
    }
    return (uint8_t *)table->rows + index * table->row_size;
}
