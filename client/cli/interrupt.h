/* SPDX-License-Identifier: MPL-2.0 */
/* Signals: Ctrl-C, and those that say that the terminal changed. The one thing of the tool that is
 * process-wide, because signals are. */
#ifndef KV_CLIENT_CLI_INTERRUPT_H
#define KV_CLIENT_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stddef.h>

enum { INTERRUPT_FILES_MAX = 3 };

/* From now on SIGINT ends no process but what waits: system calls return EINTR, and interrupt_pending is
 * true. */
void interrupt_catch(void);

/* From now on SIGTERM and SIGHUP are like SIGINT: the tool has something to tidy up before it ends. Unless
 * the tool was started with SIGHUP ignored (nohup). */
void interrupt_catch_ends(void);

/* From now on they end the process again. */
void interrupt_release_ends(void);

/* From now on interrupt_wait says when the terminal has another size, and when the tool goes on after Ctrl-Z:
 * the shell behind it has set the terminal its own way meanwhile. */
void interrupt_catch_terminal(void);

/* Whether SIGINT (or another that is like it) came since the last interrupt_clear. */
bool interrupt_pending(void);

void interrupt_clear(void);

typedef enum interrupt_wait {
    WAIT_READABLE, /* there are bytes, or the end, or an error that read will tell */
    WAIT_OTHER,    /* the same of the other descriptor, or time has passed */
    WAIT_TERMINAL, /* the terminal may have changed (interrupt_catch_terminal) */
    WAIT_INTERRUPT /* interrupt_pending */
} interrupt_wait_t;

/* Waits until the file descriptor FILE can be read, or for one of these signals. None is missed, whenever it
 * comes: a check before a plain read would leave a gap between the two. */
interrupt_wait_t interrupt_wait(int file);

/* The same for COUNT descriptors (at most INTERRUPT_FILES_MAX; -1 is none), the first of which comes first,
 * and at most TIMEOUT_MS (-1 = for ever). */
interrupt_wait_t interrupt_wait_files(const int *files, size_t count, int timeout_ms);

/* Waits for TIMEOUT_MS, or for one of these signals. */
void interrupt_pause(int timeout_ms);

#endif
