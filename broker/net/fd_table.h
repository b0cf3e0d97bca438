/* SPDX-License-Identifier: MPL-2.0 */
/* A table with a row for each file descriptor up to the highest that was asked for. That stays small: the
 * system assigns the lowest free number, and RLIMIT_NOFILE bounds it. The caller defines what a row is. */
#ifndef KV_BROKER_NET_FD_TABLE_H
#define KV_BROKER_NET_FD_TABLE_H

#include "common/status.h"

typedef struct fd_table {
    void *rows;      /* owned */
    size_t row_size; /* bytes */
    size_t count;    /* rows */
} fd_table_t;

/* Makes an empty table. Allocates nothing. */
void fd_table_init(fd_table_t *table, size_t row_size);
void fd_table_release(fd_table_t *table);

/* Returns the row of FD, all zeros if it is new; valid until the next call. NULL if FD is negative or memory
 * is refused. */
KV_MUST_USE void *fd_table_at(fd_table_t *table, int fd);

#endif
