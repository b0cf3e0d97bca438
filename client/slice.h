/* SPDX-License-Identifier: MPL-2.0 */
/* Converts between bytes_t, which this code uses, and the slices of the public interface. */
#ifndef KV_CLIENT_SLICE_H
#define KV_CLIENT_SLICE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"

static inline bytes_t slice_bytes(kvzmq_slice_t slice)
{
    return bytes_of(slice.data, slice.size);
}

/* BYTES as text. */
static inline kvzmq_slice_t slice_of(bytes_t bytes)
{
    return kvzmq_text_of((const char *)bytes.data, bytes.size);
}

#endif
