/* SPDX-License-Identifier: MPL-2.0 */
/* The only place that reads a clock. Everything else takes the time as an argument. */
#ifndef KV_COMMON_CLOCK_H
#define KV_COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary moment. Never goes back. For deadlines and ages. */
int64_t clock_monotonic_ms(void);

/* The same in nanoseconds. For measurements. */
int64_t clock_monotonic_ns(void);

/* CPU time of the calling thread, in milliseconds. Measures work, without the time that the thread waits. */
int64_t clock_thread_ms(void);

/* Milliseconds since 1970-01-01 UTC by the system's clock, which may jump. For showing to people. */
int64_t clock_unix_ms(void);

#endif
