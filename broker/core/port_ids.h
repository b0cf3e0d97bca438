/* SPDX-License-Identifier: MPL-2.0 */
/* Port-mimicking ids, PROTOCOL.md section 3: numbers from a range. Each number has one client at a time, and
 * the number freed last is used again last. If all are in use, numbers above 65535 are given; these are never
 * used twice. */
#ifndef KV_BROKER_CORE_PORT_IDS_H
#define KV_BROKER_CORE_PORT_IDS_H

#include "common/status.h"

typedef struct port_ids port_ids_t;

/* Numbers FIRST to LAST, both included, 1 <= FIRST <= LAST <= 65535. NULL if memory is refused. */
KV_MUST_USE port_ids_t *port_ids_new(uint64_t first, uint64_t last);
void port_ids_destroy(port_ids_t **ids);

/* Gives a number that nobody has. */
uint64_t port_ids_take(port_ids_t *ids);
/* Takes back a number that port_ids_take gave. */
void port_ids_free(port_ids_t *ids, uint64_t number);

#endif
