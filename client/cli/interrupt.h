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

#endif
