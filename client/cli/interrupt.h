/* SPDX-License-Identifier: MPL-2.0 */
/* Ctrl-C. The one thing of the tool that is process-wide, because signals are. */
#ifndef KV_CLIENT_CLI_INTERRUPT_H
#define KV_CLIENT_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT ends no process but what waits: system calls return EINTR, and interrupt_pending is
 * true. */
void interrupt_catch(void);

/* Whether SIGINT came since the last interrupt_clear. */
bool interrupt_pending(void);

void interrupt_clear(void);

typedef enum interrupt_wait {
    WAIT_READABLE, /* there are bytes, or the end, or an error that read will tell */
    WAIT_SIGNAL,   /* another signal came */
    WAIT_INTERRUPT /* interrupt_pending */
} interrupt_wait_t;

/* Waits until the file descriptor FILE can be read, or for a signal. None is missed, whenever it comes: a
 * check before a plain read would leave a gap between the two. */
interrupt_wait_t interrupt_wait(int file);

#endif
