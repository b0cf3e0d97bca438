/* SPDX-License-Identifier: MPL-2.0 */
/* The only place that reads a clock. Everything else takes the time as an argument. */
#ifndef KV_COMMON_CLOCK_H
#define KV_COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds since some fixed moment, never going back: for deadlines and ages. */
int64_t clock_monotonic_ms(void);

/* Milliseconds of a processor that this thread has used: what work costs, however long others kept it
 * waiting. */
int64_t clock_thread_ms(void);

/* The same in nanoseconds: for measurements. */
int64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC, as the system's clock has it (may jump): for showing to people. */
int64_t clock_unix_ms(void);

#endif
