/* SPDX-License-Identifier: MPL-2.0 */
/* How an event looks on the wire, PROTOCOL.md 6.1. */
#ifndef KV_BROKER_CORE_EVENT_WIRE_H
#define KV_BROKER_CORE_EVENT_WIRE_H

#include "broker/core/event_log.h"
#include "common/buffer.h"

/* Appends the event's map. */
void event_wire_write(buffer_t *buffer, const event_t *event);

/* Makes PAYLOAD, which need not be initialized: `[2, METHOD, [map of the event]]`. payload->failed is set if
 * memory is refused. */
void event_wire_notification(buffer_t *payload, const char *method, const event_t *event);

#endif
