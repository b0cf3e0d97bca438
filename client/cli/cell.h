/* SPDX-License-Identifier: MPL-2.0 */
/* Makes cells from the library's slices. */
#ifndef KV_CLIENT_CLI_CELL_H
#define KV_CLIENT_CLI_CELL_H

#include "client/cli/output.h"
#include "client/slice.h"

/* Nil if SLICE has no data. */
static inline cell_t cell_from_slice(kvzmq_slice_t slice)
{
    return slice.data == NULL ? cell_nil() : cell_value(slice_bytes(slice), slice.binary);
}

/* The same, but an empty slice is nil too. */
static inline cell_t cell_unless_empty(kvzmq_slice_t slice)
{
    return slice.size == 0 ? cell_nil() : cell_from_slice(slice);
}

#endif
