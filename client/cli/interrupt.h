/* SPDX-License-Identifier: MPL-2.0 */
/* Signals: Ctrl-C, and changes of the terminal. This is the only process-wide state of the tool, because
 * signals are process-wide. */
#ifndef KV_CLIENT_CLI_INTERRUPT_H
#define KV_CLIENT_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stddef.h>

enum { INTERRUPT_FILES_MAX = 3 };

/* From now on SIGINT does not end the process. It ends waiting system calls with EINTR, and makes
 * interrupt_pending true. */
void interrupt_catch(void);

/* From now on SIGTERM and SIGHUP act like SIGINT, so that the tool can clean up before it ends. A signal that
 * was ignored at the start (nohup) stays ignored. */
void interrupt_catch_ends(void);

/* SIGTERM and SIGHUP end the process again. */
void interrupt_release_ends(void);

/* From now on interrupt_wait reports when the size of the terminal changes, and when the tool continues after
 * Ctrl-Z: the parent shell may then have changed the terminal's settings. */
void interrupt_catch_terminal(void);

/* Whether SIGINT (or a signal that acts like it) came since the last interrupt_clear. */
bool interrupt_pending(void);

void interrupt_clear(void);

typedef enum interrupt_wait {
    WAIT_READABLE, /* read will return bytes, the end, or an error */
    WAIT_OTHER,    /* another descriptor is readable, or the time is over */
    WAIT_TERMINAL, /* the terminal may have changed: see interrupt_catch_terminal */
    WAIT_INTERRUPT /* interrupt_pending is true */
} interrupt_wait_t;

/* Waits until the file descriptor FILE is readable, or one of these signals comes. No signal is missed:
 * checking interrupt_pending before a plain read would miss one that comes in between. */
interrupt_wait_t interrupt_wait(int file);

/* The same for COUNT descriptors (at most INTERRUPT_FILES_MAX; -1 = none), for at most TIMEOUT_MS (-1 = for
 * ever). WAIT_READABLE is about the first. */
interrupt_wait_t interrupt_wait_files(const int *files, size_t count, int timeout_ms);

/* Waits TIMEOUT_MS, or until one of these signals comes. */
void interrupt_pause(int timeout_ms);

#endif
