/* SPDX-License-Identifier: MPL-2.0 */
/* How much of the system's memory the process uses. */
#ifndef KV_BROKER_NET_RESIDENT_H
#define KV_BROKER_NET_RESIDENT_H

#include <stdint.h>

/* Opens the file that resident_bytes reads; close it with close(2). Returns a negative number if the system
 * has no such file, or no descriptor is left. */
int resident_open(void);

/* Bytes of memory that the process uses; 0 if they are unknown or FILE is negative. May be called by any
 * thread. */
int64_t resident_bytes(int file);

#endif
