/* SPDX-License-Identifier: MPL-2.0 */
/* The messages of a socket's monitor, zmq_socket_monitor(3): a frame with the event's number (16 bits) and
 * value (32 bits) in this machine's byte order, then a frame with the endpoint. */
#ifndef KV_COMMON_MONITOR_FRAME_H
#define KV_COMMON_MONITOR_FRAME_H

#include "common/bytes.h"
#include "common/status.h"

enum { MONITOR_FRAME_SIZE = 6 }; /* bytes of the first frame */

/* Reads the first frame. Returns false and writes nothing if its size is wrong. */
KV_MUST_USE static inline bool monitor_frame_read(bytes_t frame, uint16_t *event, int32_t *value)
{
    if (frame.size != MONITOR_FRAME_SIZE)
        return false;
    memcpy(event, frame.data, sizeof *event);
    memcpy(value, frame.data + sizeof *event, sizeof *value);
    return true;
}

#endif
