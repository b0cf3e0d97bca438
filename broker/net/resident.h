/* SPDX-License-Identifier: MPL-2.0 */
/* How much memory the process has from the system. */
#ifndef KV_BROKER_NET_RESIDENT_H
#define KV_BROKER_NET_RESIDENT_H

#include <stdint.h>

/* Opens what the system says of the process. Below 0: it says nothing, or there is no descriptor left. Close
 * it with close(2). */
int resident_open(void);

/* Bytes of memory that the process occupies; 0 if the system does not tell, and for a FILE below 0. By any
 * thread. */
int64_t resident_bytes(int file);

#endif
