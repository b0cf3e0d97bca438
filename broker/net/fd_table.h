/* SPDX-License-Identifier: MPL-2.0 */
/* A table with a row for each file descriptor, as long as the highest number that was asked for: the system
 * gives the lowest free number, and bounds it (RLIMIT_NOFILE). Knows nothing of what is in a row. */
#ifndef KV_BROKER_NET_FD_TABLE_H
#define KV_BROKER_NET_FD_TABLE_H

#include "common/status.h"

typedef struct fd_table {
    void *rows;      /* owned */
    size_t row_size; /* bytes */
    size_t count;    /* rows that are there */
} fd_table_t;

/* Makes an empty table. Allocates nothing. */
void fd_table_init(fd_table_t *table, size_t row_size);
void fd_table_release(fd_table_t *table);

/* The row of FD, valid until the table is next asked; all zeros where it is new. NULL if FD is below 0, or
 * memory is refused. */
KV_MUST_USE void *fd_table_at(fd_table_t *table, int fd);

#endif
